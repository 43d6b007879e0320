//! Private servers: each in a folder of its own, on a socket or a loopback port, run by nobody where
//! the tests run as root. They end with the value, and with the test's thread if that is killed.

use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The user and group `nobody` of Debian.
const NOBODY: u32 = 65_534;
/// A server that is not up by then will never be.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Server {
    child: Child,
    stop: rustix::process::Signal,
    pub folder: tempfile::TempDir,
    /// Where clients connect.
    pub url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(id) = rustix::process::Pid::from_raw(self.child.id() as i32) {
            let _ = rustix::process::kill_process(id, self.stop);
        }
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            if matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Says why a test did nothing, so that nobody takes it for a success.
pub fn skipped(what: &str, install: &str) {
    eprintln!("SKIPPED: {what} is not installed; install it with: {install}");
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A folder that the server's user owns.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    if is_root() {
        chown(folder.path(), Some(NOBODY), Some(NOBODY)).expect("root may");
    }
    folder
}

/// A command as an unprivileged user that ends with the thread that started it.
fn unprivileged(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if is_root() {
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    }
    command
        .args(["--pdeathsig", "KILL"])
        .arg(program)
        .stdin(Stdio::null())
        .env("HOME", "/nonexistent");
    command
}

fn run(command: &mut Command) {
    let output = command.current_dir("/").output().expect("setpriv is part of Debian");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn start(mut command: Command, folder: &tempfile::TempDir) -> Child {
    let log = std::fs::File::create(folder.path().join("log")).expect("a log");
    let error = log.try_clone().expect("a log");
    command.current_dir("/").stdout(log).stderr(error).spawn().expect("the server starts")
}

impl Server {
    fn new(
        child: Child,
        stop: rustix::process::Signal,
        folder: tempfile::TempDir,
        url: String,
    ) -> Server {
        Server { child, stop, folder, url }
    }

    fn wait_until(mut self, mut up: impl FnMut(&Server) -> bool) -> Server {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if up(&self) {
                return self;
            }
            let ended = self.child.try_wait().expect("our child");
            let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(ended.is_none(), "the server ended: {log}");
            assert!(Instant::now() < deadline, "the server does not answer: {log}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn found(candidates: impl IntoIterator<Item = PathBuf>) -> Option<PathBuf> {
    candidates.into_iter().find(|path| path.is_file())
}

/// Debian keeps PostgreSQL's programs outside of the path, by version; the newest is taken.
fn postgres_folder() -> Option<PathBuf> {
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|bin| bin.join("initdb").is_file())
        .collect();
    versions.sort();
    versions.pop()
}

/// PostgreSQL on a socket, with a password.
pub fn postgres(password: &str) -> Option<Server> {
    let Some(bin) = postgres_folder() else {
        skipped("PostgreSQL", "apt-get install postgresql");
        return None;
    };
    let folder = folder();
    let data = folder.path().join("data");
    let secret = folder.path().join("password");
    std::fs::write(&secret, password).expect("a file");
    run(unprivileged(&bin.join("initdb"))
        .args(["--no-sync", "-A", "scram-sha-256", "-U", "granary", "-E", "UTF8", "--locale=C"])
        .arg("--pwfile")
        .arg(&secret)
        .arg("-D")
        .arg(&data));
    let mut command = unprivileged(&bin.join("postgres"));
    command.arg("-D").arg(&data).arg("-k").arg(folder.path());
    command.args(["-c", "listen_addresses=", "-c", "fsync=off"]);
    let child = start(command, &folder);
    let socket = folder.path().display();
    let url = format!("postgres://granary:{password}@localhost/postgres?host={socket}");
    // SIGINT is PostgreSQL's fast shutdown.
    let server = Server::new(child, rustix::process::Signal::INT, folder, url);
    Some(server.wait_until(|server| {
        use sqlx::Connection;
        super::home::block_on(sqlx::postgres::PgConnection::connect(&server.url)).is_ok()
    }))
}

/// MariaDB on a socket.
pub fn mariadb() -> Option<Server> {
    let install = found(["/usr/bin/mariadb-install-db".into()]);
    let daemon = found(["/usr/sbin/mariadbd".into()]);
    let (Some(install), Some(daemon)) = (install, daemon) else {
        skipped("MariaDB", "apt-get install mariadb-server");
        return None;
    };
    let folder = folder();
    let data = format!("--datadir={}", folder.path().join("data").display());
    run(unprivileged(&install).args([
        "--no-defaults",
        &data,
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
    ]));
    let socket = folder.path().join("s.sock");
    let mut command = unprivileged(&daemon);
    command.args([
        "--no-defaults",
        &data,
        "--skip-networking",
        "--innodb-flush-log-at-trx-commit=0",
    ]);
    command.arg(format!("--socket={}", socket.display()));
    command.arg(format!("--pid-file={}", folder.path().join("pid").display()));
    let child = start(command, &folder);
    let url = format!("mysql://root@localhost/mysql?socket={}", socket.display());
    let server = Server::new(child, rustix::process::Signal::TERM, folder, url);
    Some(server.wait_until(|server| {
        use sqlx::Connection;
        super::home::block_on(sqlx::mysql::MySqlConnection::connect(&server.url)).is_ok()
    }))
}

/// A port that nobody listens on right now.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// moto's S3 server on a loopback port.
pub fn s3() -> Option<Server> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target folder");
    let given = std::env::var_os("GRANARY_MOTO_SERVER").map(PathBuf::from);
    let Some(program) = found(given.into_iter().chain([target.join("moto/bin/moto_server")]))
    else {
        let venv = target.join("moto");
        skipped(
            "moto's S3 server",
            &format!("python3 -m venv {0} && {0}/bin/pip install 'moto[server]'", venv.display()),
        );
        return None;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let port = free_port();
    // Not as nobody: the virtual environment may be readable to its owner only.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program).stdin(Stdio::null());
    command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
    let child = start(command, &folder);
    let url = format!("http://127.0.0.1:{port}");
    let server = Server::new(child, rustix::process::Signal::TERM, folder, url);
    Some(server.wait_until(|server| ureq::get(&server.url).call().is_ok()))
}
