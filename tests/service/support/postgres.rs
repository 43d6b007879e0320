//! A private PostgreSQL server: its own folder, its own socket, nobody else's data.
//!
//! It runs as an unprivileged user, since PostgreSQL refuses root, and ends with the test process
//! however that ends: a shell holds the other end of a pipe and stops the server when it closes.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

pub struct Server {
    pub folder: PathBuf,
    bin: PathBuf,
    user: Option<(u32, u32)>,
    /// The shell that stops the server when this process ends.
    keeper: std::sync::Mutex<Option<Child>>,
}

/// Waits for the pipe to close, stops the server at once and removes its folder.
const KEEPER: &str = r#"trap '' INT TERM HUP
cat >/dev/null
"$2/pg_ctl" -D "$1/data" -m immediate stop >/dev/null 2>&1
rm -rf "$1""#;

impl Server {
    /// One server for all tests of this process; `None` where PostgreSQL is not installed.
    pub fn shared() -> Option<&'static Server> {
        static SERVER: OnceLock<Option<Server>> = OnceLock::new();
        SERVER.get_or_init(|| Server::start().ok()).as_ref()
    }

    /// A new server with a folder of its own.
    pub fn start() -> Result<Server, String> {
        let bin =
            find_binaries().ok_or("PostgreSQL is not installed: apt-get install postgresql")?;
        let user = unprivileged_user();
        let folder = tempfile::Builder::new()
            .prefix("granary-pg-")
            .tempdir()
            .map_err(|error| error.to_string())?
            .keep();
        if let Some((uid, gid)) = user {
            std::os::unix::fs::chown(&folder, Some(uid), Some(gid))
                .map_err(|error| error.to_string())?;
        }
        let server = Server { folder, bin, user, keeper: std::sync::Mutex::new(None) };
        let made = server
            .command("initdb")
            .args(["--no-sync", "-A", "trust", "-E", "UTF8", "--locale=C", "-U", "granary", "-D"])
            .arg(server.folder.join("data"))
            .output()
            .map_err(|error| error.to_string())?;
        if !made.status.success() {
            return Err(String::from_utf8_lossy(&made.stderr).into_owned());
        }
        server.keep()?;
        server.launch()?;
        Ok(server)
    }

    /// Starts the shell that ends the server with this process.
    fn keep(&self) -> Result<(), String> {
        let mut shell = self.as_user(Command::new("sh"));
        let child = shell
            .args(["-c", KEEPER, "keeper"])
            .arg(&self.folder)
            .arg(&self.bin)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        *self.keeper.lock().expect("the keeper") = Some(child);
        Ok(())
    }

    /// Starts the server's processes and waits until they answer.
    pub fn launch(&self) -> Result<(), String> {
        let socket = self.folder.display();
        let options =
            format!("-k {socket} -c listen_addresses= -c fsync=off -c max_connections=200");
        let log = self.folder.join("log");
        let log = log.display().to_string();
        if self.control(&["start", "-w", "-t", "60", "-l", &log, "-o", &options]) {
            return Ok(());
        }
        let said = std::fs::read_to_string(&log).unwrap_or_default();
        Err(format!("the server does not answer: {said}"))
    }

    /// `pg_ctl` with these arguments, for tests that stop and start the server.
    pub fn control(&self, arguments: &[&str]) -> bool {
        let status = self
            .command("pg_ctl")
            .arg("-D")
            .arg(self.folder.join("data"))
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        status.is_ok_and(|status| status.success())
    }

    /// The address of a database on this server.
    pub fn address(&self, database: &str) -> String {
        self.address_as("granary", database)
    }

    /// The same for another role.
    pub fn address_as(&self, role: &str, database: &str) -> String {
        let socket = self.folder.display().to_string().replace('/', "%2F");
        format!("postgres://{role}@{socket}/{database}")
    }

    /// Makes an empty database and gives its address.
    pub async fn create(&self, database: &str) -> String {
        self.copy("template0", database).await
    }

    /// Makes a copy of a database that nobody has open and gives its address. By copying its files: a
    /// copy through the log has sequences that go back when the server is stopped as by a power cut.
    pub async fn copy(&self, from: &str, database: &str) -> String {
        let sql = format!("CREATE DATABASE {database} TEMPLATE {from} STRATEGY file_copy");
        self.execute(sql).await;
        self.address(database)
    }

    /// Removes a database, whoever has it open.
    pub async fn remove(&self, database: &str) {
        self.execute(format!("DROP DATABASE {database} WITH (FORCE)")).await;
    }

    async fn execute(&self, sql: String) {
        let options: PgConnectOptions =
            self.address("postgres").parse().expect("the server's address");
        let mut connection = options.connect().await.expect("the private server answers");
        let done = sqlx::query(AssertSqlSafe(sql.clone())).execute(&mut connection).await;
        done.unwrap_or_else(|error| panic!("{sql}: {error}"));
        connection.close().await.expect("a calm goodbye");
    }

    fn command(&self, program: &str) -> Command {
        self.as_user(Command::new(self.bin.join(program)))
    }

    fn as_user(&self, mut command: Command) -> Command {
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command.current_dir(&self.folder).env("LC_ALL", "C");
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.keeper.lock().expect("the keeper").take() {
            drop(child.stdin.take());
            let _ = child.wait();
        }
    }
}

/// Debian keeps them out of the path, one folder a version.
fn find_binaries() -> Option<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let version: u32 = path.file_name()?.to_str()?.parse().ok()?;
            let bin = path.join("bin");
            (version >= 15 && bin.join("initdb").exists()).then_some((version, bin))
        })
        .collect();
    versions.sort();
    versions.pop().map(|(_, bin)| bin)
}

/// `None` where this process has no privileges to give up.
fn unprivileged_user() -> Option<(u32, u32)> {
    if !is_root() {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    let of = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    of("postgres").or_else(|| of("nobody"))
}

fn is_root() -> bool {
    std::os::unix::fs::MetadataExt::uid(
        &std::fs::metadata(Path::new("/proc/self")).expect("this process"),
    ) == 0
}
