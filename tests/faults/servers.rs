//! PostgreSQL goes away while a night is at work: stopped at once, cut off, blocked, or its sessions
//! ended. The plan stays whole, the next run finishes it, the server of pages answers again, and no
//! connection is left behind.
//!
//! `GRANARY_TRIALS` (a slice of 20 by default, 200 in a full campaign) and `GRANARY_SEED` choose.

#[path = "chance.rs"]
mod chance;
#[path = "invariants.rs"]
mod invariants;
#[path = "../service/support/postgres.rs"]
mod postgres;
#[path = "servers/proxy.rs"]
mod proxy;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use chance::{Random, setting};
use granary::config::{ALL_TABLES, Database};
use granary::jobs::import::{ImportOptions, import_files};
use granary::sources::Map;
use granary::store::{Store, db};
use granary_models::calendar::Day;
use postgres::Server;
use proxy::{Proxy, pause};
use sqlx::AssertSqlSafe;

const TABLES: [&str; 10] = [
    "run",
    "reorder_line",
    "forecast",
    "forecast_series",
    "finding",
    "stock_projection",
    "release_manifest",
    "released_line",
    "released_line_event",
    "acknowledgement",
];
/// A program that has not ended after so long hangs.
const HANG: Duration = Duration::from_secs(180);
/// The bar: after the database is back, pages must be too.
const RECOVERY: Duration = Duration::from_secs(30);

fn case() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/two_shops_one_centre")
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    /// The server process is stopped as by a power cut, and started again.
    Stop,
    /// Every TCP connection ends.
    Cut,
    /// Nothing passes for a while; then the connections go on.
    Block,
    /// Nothing passes for a while; then the connections are gone.
    BlockAndCut,
    /// The database's operator ends every session.
    Terminate,
}

const FAULTS: [Fault; 5] =
    [Fault::Stop, Fault::Cut, Fault::Block, Fault::BlockAndCut, Fault::Terminate];

/// A server with a retailer whose night before is published, released and partly taken. Every trial
/// has a copy of its own; the pages have one that nobody writes to.
struct Scene {
    server: Server,
    proxy: Proxy,
    jobs: PathBuf,
    date: Day,
}

const BASE: &str = "base";
const PAGES: &str = "pages";

impl Scene {
    async fn open() -> Option<Scene> {
        let server = match Server::start() {
            Ok(server) => server,
            Err(why) => {
                eprintln!("SKIPPED: {why}");
                return None;
            }
        };
        let proxy = Proxy::to(&server.folder).await;
        let case = case();
        let store = open(&server.create(BASE).await).await;
        for table in &ALL_TABLES {
            let file = case.join("in").join(format!("{}.csv", table.name));
            if !file.exists() {
                continue;
            }
            let options = ImportOptions::default();
            let report = import_files(&store, table, &[file], &Map::default(), &options, |_| {})
                .await
                .expect("the import runs");
            assert_eq!(report.refused, None);
        }
        store.close().await;
        let date = std::fs::read_to_string(case.join("in/date")).expect("a date");
        let date = date.trim().parse().expect("a date");
        let scene = Scene { server, proxy, jobs: case.join("in"), date };
        scene.release_and_take().await;
        scene.server.copy(BASE, PAGES).await;
        Some(scene)
    }

    /// The night before goes out, and purchasing takes every other line.
    async fn release_and_take(&self) {
        let before = (self.date - 1).to_string();
        let run = |arguments: &[&str]| {
            let output = self.granary(BASE, arguments).stdout(Stdio::piped()).output();
            let output = output.expect("the program runs");
            assert!(matches!(output.status.code(), Some(0 | 4)), "{arguments:?}: {output:?}");
            serde_json::from_slice::<serde_json::Value>(&output.stdout).expect("JSON")
        };
        run(&["run", "job", "--date", &before]);
        run(&["approve", "--all", "job"]);
        run(&["release", "job"]);
        let lines = run(&["released", "erp"]);
        let lines = lines.as_array().expect("lines");
        assert!(!lines.is_empty(), "nothing went out");
        let keys = lines.iter().map(|line| line["line_key"].as_str().expect("a key"));
        let taken: Vec<&str> = ["ack", "erp"].into_iter().chain(keys.step_by(2)).collect();
        run(&taken);
    }

    /// The program, which reaches its database through the proxy.
    fn granary(&self, database: &str, arguments: &[&str]) -> Command {
        let through = format!("postgres://granary@{}/{database}", self.proxy.address);
        let mut command = Command::new(env!("CARGO_BIN_EXE_granary"));
        command
            .env("GRANARY_DB", through)
            .env("GRANARY_ACTOR", "anna")
            .arg("--json")
            .arg("--jobs")
            .arg(&self.jobs)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    fn night(&self, database: &str) -> Command {
        self.granary(database, &["run", "job", "--date", &self.date.to_string()])
    }

    /// Every row of the plan and of what went out, in order, as text, after the independent checker
    /// found nothing.
    async fn plan(&self, database: &str) -> String {
        let address = self.server.address(database);
        invariants::assert_sound(&address, database).await;
        let store = open(&address).await;
        let mut snapshot = store.snapshot().await.expect("a snapshot");
        let mut text = String::new();
        for table in TABLES {
            let sql = format!("SELECT * FROM {table} ORDER BY 1, 2, 3, 4");
            let rows = db::query(AssertSqlSafe(sql)).rows(&mut snapshot).await.expect(table);
            for row in rows {
                text.push_str(&format!("{table} {:?}\n", row.values().expect("values")));
            }
        }
        drop(snapshot);
        store.close().await;
        text
    }

    /// Sessions of granary's that the server holds.
    async fn sessions(&self) -> i64 {
        let store = open(&self.server.address(PAGES)).await;
        let mut snapshot = store.snapshot().await.expect("a snapshot");
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'granary' \
                   AND pid <> pg_backend_pid()";
        let sessions = db::query_scalar(sql).fetch_one(&mut snapshot).await.expect(sql);
        drop(snapshot);
        store.close().await;
        sessions
    }

    async fn strike(&self, fault: Fault, length_ms: u64) {
        match fault {
            Fault::Stop => {
                assert!(self.server.control(&["stop", "-m", "immediate", "-w"]), "it stops");
                pause(length_ms).await;
                self.server.launch().expect("it starts again");
            }
            Fault::Cut => self.proxy.cut(),
            Fault::Block => {
                self.proxy.block();
                pause(length_ms).await;
                self.proxy.unblock();
            }
            Fault::BlockAndCut => {
                self.proxy.block();
                pause(length_ms).await;
                self.proxy.cut();
                self.proxy.unblock();
            }
            Fault::Terminate => {
                let store = open(&self.server.address(PAGES)).await;
                let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                           WHERE application_name = 'granary' AND pid <> pg_backend_pid()";
                let mut snapshot = store.snapshot().await.expect("a snapshot");
                let ended: Vec<bool> =
                    db::query_scalar(sql).fetch_all(&mut snapshot).await.expect(sql);
                drop((snapshot, ended));
                store.close().await;
            }
        }
    }
}

async fn open(address: &str) -> Store {
    let database = Database::parse(address).expect("an address");
    Store::connect(&database).await.expect("the database answers")
}

async fn wait(child: &mut Child) -> Option<i32> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("a child to ask") {
            return status.code();
        }
        if started.elapsed() > HANG {
            let _ = child.kill();
            panic!("the program hangs");
        }
        pause(20).await;
    }
}

/// Asks the pages' server whether its database answers.
async fn healthy(port: u16) -> bool {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let Ok(mut stream) = tokio::net::TcpStream::connect(("127.0.0.1", port)).await else {
        return false;
    };
    let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    if stream.write_all(request.as_bytes()).await.is_err() {
        return false;
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.is_ok() && answer.starts_with("HTTP/1.1 200")
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("bound").port()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_goes_away_costs_a_run_and_nothing_else() {
    let trials = setting("GRANARY_TRIALS", 20);
    let seed = setting("GRANARY_SEED", 6);
    eprintln!("{trials} trials, seed {seed}");
    let Some(scene) = Scene::open().await else { return };
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let mut pages = scene
        .granary(PAGES, &["serve", "--no-jobs", "--listen", &listen])
        .spawn()
        .expect("the pages' server starts");
    let before = scene.plan(BASE).await;
    scene.server.copy(BASE, "undisturbed").await;
    let started = Instant::now();
    let code = wait(&mut scene.night("undisturbed").spawn().expect("a night starts")).await;
    assert!(matches!(code, Some(0 | 4)), "an undisturbed night: {code:?}");
    let length_ms = started.elapsed().as_millis() as u64;
    let undisturbed = scene.plan("undisturbed").await;
    assert!(undisturbed.len() > before.len(), "{undisturbed}");

    let mut random = Random(seed);
    let (mut broken, mut slowest) = (0, Duration::ZERO);
    for trial in 0..trials {
        let fault = FAULTS[(trial % FAULTS.len() as u64) as usize];
        let what = format!("trial {trial}, {fault:?}");
        let name = format!("trial_{trial}");
        scene.server.copy(BASE, &name).await;
        let mut night = scene.night(&name).spawn().expect("a night starts");
        pause(random.below(length_ms + 1)).await;
        scene.strike(fault, 200 + random.below(1500)).await;
        let back = Instant::now();
        while !healthy(port).await {
            assert!(back.elapsed() < RECOVERY, "{what}: the pages do not come back");
            pause(50).await;
        }
        slowest = slowest.max(back.elapsed());
        let code = wait(&mut night).await;
        let after = scene.plan(&name).await;
        if matches!(code, Some(0 | 4)) {
            assert_eq!(after, undisturbed, "{what}: it says that it published");
        } else {
            broken += 1;
            assert!(after == before || after == undisturbed, "{what}: a torn plan\n{after}");
        }
        let next = scene.night(&name).stderr(Stdio::piped()).spawn().expect("a night starts");
        let next = next.wait_with_output().expect("a night ends");
        let said = String::from_utf8_lossy(&next.stderr);
        assert!(matches!(next.status.code(), Some(0 | 4)), "{what}: the next run: {said}");
        assert_eq!(scene.plan(&name).await, undisturbed, "{what}: the next run's plan");
        scene.server.remove(&name).await;
        let sessions = scene.sessions().await;
        assert!(sessions <= 8, "{what}: {sessions} connections are held");
    }
    pages.kill().expect("the pages' server ends");
    pages.wait().expect("the pages' server ends");
    let gone = Instant::now();
    while scene.sessions().await > 0 {
        assert!(gone.elapsed() < RECOVERY, "connections are left behind");
        pause(100).await;
    }
    eprintln!("{broken} of {trials} nights were broken off; slowest return {slowest:?}");
}
