//! Tokens, the guard before every address, backups and purges.

mod support;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use granary::config::{Operation, Retention, Role};
use granary::jobs::purge::purge;
use granary::store::access::NewToken;
use granary::store::{Store, db};
use granary::web::{self, App};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A server that others than this machine may reach, as far as it knows.
struct Server {
    address: SocketAddr,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
}

impl Server {
    async fn start(store: &Store, open_to: IpAddr) -> Server {
        let listener = TcpListener::bind((open_to, 0)).await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let app = App::new(store.clone(), Default::default()).expect("templates");
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        tokio::spawn(web::serve(listener, app, async {
            let _ = stopped.await;
        }));
        Server { address: (Ipv4Addr::LOCALHOST, port).into(), stop: Some(stop) }
    }

    async fn ask(&self, method: &str, path: &str, headers: &str) -> u16 {
        let mut stream = TcpStream::connect(self.address).await.expect("the server listens");
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Length: 0\r\n{headers}\r\n"
        );
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("answered");
        let text = String::from_utf8_lossy(&answer);
        text.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
    }

    async fn status(&self, path: &str, token: Option<&str>) -> u16 {
        let header = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
        self.ask("GET", path, &header.unwrap_or_default()).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }
}

const EVERYWHERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

async fn store(folder: &Path) -> Store {
    support::database::open(&support::database::address(folder).await).await
}

async fn token(store: &Store, role: Role, locations: &[String], until: &str) -> String {
    let new = NewToken {
        name: "somebody",
        role,
        locations,
        created_by: "a test",
        created_at: "2026-01-01T00:00:00Z",
        expires_at: until,
    };
    store.create_token(&new).await.expect("a token")
}

const LATER: &str = "2999-01-01T00:00:00Z";

/// Every address that is guarded, and what it is.
const ADDRESSES: [(&str, Operation); 9] = [
    ("/", Operation::ReadPlan),
    ("/line/k", Operation::ReadPlan),
    ("/sku/A/S1", Operation::ReadPlan),
    ("/what-if/A/S1", Operation::ReadPlan),
    ("/findings", Operation::ReadPlan),
    ("/api/plan.json", Operation::ReadPlan),
    ("/api/sku/A/S1.json", Operation::ReadPlan),
    ("/jobs", Operation::ReadJobs),
    ("/metrics", Operation::ReadJobs),
];

/// Every address that changes something; none of them means anything without a body.
const ACTS: [(&str, Operation); 9] = [
    ("/v1/ack", Operation::Acknowledge),
    ("/v1/close", Operation::Close),
    ("/v1/approve", Operation::Approve),
    ("/v1/withdraw", Operation::Approve),
    ("/v1/override", Operation::Override),
    ("/v1/cancel", Operation::Cancel),
    ("/v1/release", Operation::Release),
    ("/v1/stop", Operation::Stop),
    ("/v1/go", Operation::Go),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_role_gets_what_is_its_own_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path()).await;
    let server = Server::start(&store, EVERYWHERE).await;
    for role in Role::ALL.into_iter().filter(|role| !matches!(role, Role::Migrator | Role::Local)) {
        let token = token(&store, role, &[], LATER).await;
        let bound = token_of_one_place(&store, role).await;
        for (path, operation) in ADDRESSES {
            let status = server.status(path, Some(&token)).await;
            // 404 is an answer too: the address is open, and this database has no plan.
            let allowed = status == 200 || status == 404;
            assert_eq!(allowed, role.may(operation), "{role:?} {path}: {status}");
            assert_eq!(status == 403, !role.may(operation), "{role:?} {path}: {status}");
            assert_eq!(server.status(path, Some(&bound)).await, 403, "{role:?} {path} by place");
        }
        for (path, operation) in ACTS {
            let header = format!("Authorization: Bearer {token}\r\n");
            let status = server.ask("POST", path, &header).await;
            // Past the guard the empty body is refused.
            let wanted = if role.may(operation) { 415 } else { 403 };
            assert_eq!(status, wanted, "{role:?} {path}");
            let read = server.ask("GET", path, &header).await;
            assert!(read == 405 || read == 403, "{role:?} GET {path}: {read}");
        }
        let taken = server.status("/v1/released?consumer=erp", Some(&token)).await;
        let wanted = if role.may(Operation::ReadReleased) { 200 } else { 403 };
        assert_eq!(taken, wanted, "{role:?} released");
    }
}

async fn token_of_one_place(store: &Store, role: Role) -> String {
    token(store, role, &["S1".to_owned()], LATER).await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_valid_token_only_this_machine_reads() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path()).await;
    let open = Server::start(&store, EVERYWHERE).await;
    let expired = token(&store, Role::Planner, &[], "2026-01-02T00:00:00Z").await;
    let revoked = token(&store, Role::Planner, &[], LATER).await;
    assert_eq!(open.status("/api/plan.json", Some(&revoked)).await, 404, "valid until revoked");
    store.revoke_token(&revoked[8..16], "2026-01-02T00:00:00Z").await.expect("revoked");
    let invented = format!("granary_{}", "0".repeat(64));
    for (path, _) in ADDRESSES {
        for token in [None, Some(expired.as_str()), Some(&revoked), Some(&invented), Some("x")] {
            assert_eq!(open.status(path, token).await, 401, "{path} {token:?}");
        }
    }
    for (path, _) in ACTS {
        assert_eq!(open.ask("POST", path, "").await, 401, "{path}");
        let cookie = format!("Cookie: granary_token={revoked}\r\n");
        assert_eq!(open.ask("POST", path, &cookie).await, 401, "{path}");
    }
    for path in ["/healthz", "/login", "/static/granary.css"] {
        assert_eq!(open.status(path, None).await, 200, "{path}");
    }
    let here = Server::start(&store, HERE).await;
    for (path, _) in ADDRESSES {
        let status = here.status(path, None).await;
        assert!(status == 200 || status == 404, "{path}: {status}");
        assert_eq!(here.status(path, Some(&expired)).await, 401, "a bad token is not ignored");
    }
    for (path, operation) in ACTS {
        assert_eq!(here.ask("POST", path, "").await, 403, "nobody acts without a name: {path}");
        // A cookie goes with every request of the browser, whoever's page made it.
        let token = token(&store, Role::Approver, &[], LATER).await;
        let own = "Origin: http://localhost\r\n";
        let other = "Origin: http://elsewhere.example\r\n";
        for (origin, through) in [(own, true), (other, false), ("", false)] {
            let headers = format!("Cookie: granary_token={token}\r\n{origin}");
            let wanted = if through && Role::Approver.may(operation) { 415 } else { 403 };
            assert_eq!(here.ask("POST", path, &headers).await, wanted, "{path} {origin}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_shown_once_and_kept_as_a_digest() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path()).await;
    let one = token(&store, Role::Planner, &[], LATER).await;
    let other = token(&store, Role::Planner, &[], LATER).await;
    assert_eq!(one.len(), "granary_".len() + 64);
    assert_ne!(one, other);
    let mut snapshot = store.snapshot().await.expect("a snapshot");
    let rows = db::query("SELECT * FROM api_token").rows(&mut snapshot).await.expect("rows");
    assert_eq!(rows.len(), 2);
    for row in rows {
        for value in row.values().expect("values") {
            let shown = format!("{value:?}");
            assert!(!shown.contains(&one[8..]) && !shown.contains(&other[8..]), "{shown}");
        }
    }
}

fn granary(db: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_granary"))
        .env("GRANARY_DB", db)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the program starts")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_makes_lists_and_revokes() {
    let folder = tempfile::tempdir().expect("a folder");
    let db = folder.path().join("granary.db").display().to_string();
    let made = granary(&db, &["token", "create", "--name", "erp", "--role", "purchasing"]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let token = String::from_utf8(made.stdout).expect("text").trim().to_owned();
    let list = String::from_utf8(granary(&db, &["token", "list"]).stdout).expect("text");
    assert!(list.contains("erp") && list.contains("purchasing"), "{list}");
    assert!(!list.contains(&token), "{list}");
    assert!(granary(&db, &["token", "revoke", "erp"]).status.success());
    let again = granary(&db, &["token", "revoke", "erp"]);
    assert_eq!(again.status.code(), Some(2), "nothing is left to revoke");
    for wrong in ["superuser", "migrator", "local", ""] {
        let refused = granary(&db, &["token", "create", "--name", "x", "--role", wrong]);
        assert_eq!(refused.status.code(), Some(2), "{wrong:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_comes_back_whole_and_a_damaged_one_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let db = folder.path().join("granary.db");
    let name = db.display().to_string();
    let count = async || -> i64 {
        let store = Store::open(&db).await.expect("a database");
        let mut snapshot = store.snapshot().await.expect("a snapshot");
        let sql = "SELECT count(*) FROM item";
        let rows = db::query_scalar(sql).fetch_one(&mut snapshot).await.expect(sql);
        drop(snapshot);
        store.close().await;
        rows
    };
    let store = Store::open(&db).await.expect("a database");
    let insert = async |item: &str| {
        let insert = db::query("INSERT INTO item (item_id) VALUES ($1)").bind(item);
        store.execute(insert).await.expect("an item");
    };
    insert("A").await;
    let copy = folder.path().join("copy.db").display().to_string();
    let taken = granary(&name, &["backup", "--out", &copy]);
    assert!(taken.status.success(), "{}", String::from_utf8_lossy(&taken.stderr));
    assert_eq!(granary(&name, &["backup", "--out", &copy]).status.code(), Some(2), "not over it");
    insert("B").await;
    store.close().await;
    assert_eq!(count().await, 2);

    let damaged = folder.path().join("damaged.db");
    let mut bytes = std::fs::read(&copy).expect("the copy");
    for at in (4096..bytes.len()).step_by(512) {
        bytes[at] ^= 0x55;
    }
    std::fs::write(&damaged, &bytes).expect("written");
    std::fs::write(folder.path().join("text.db"), "no database").expect("written");
    for wrong in ["damaged.db", "text.db"] {
        let path = folder.path().join(wrong).display().to_string();
        let refused = granary(&name, &["restore", &path]);
        assert_eq!(refused.status.code(), Some(3), "{wrong}");
        assert_eq!(count().await, 2, "nothing was touched");
    }
    let back = granary(&name, &["restore", &copy]);
    assert!(back.status.success(), "{}", String::from_utf8_lossy(&back.stderr));
    assert_eq!(count().await, 1);
    let kept = folder.path().join("granary.db.before-restore").display().to_string();
    let held =
        granary(&kept, &["backup", "--out", &folder.path().join("x.db").display().to_string()]);
    assert!(held.status.success(), "what was replaced is a database still");
    assert!(!folder.path().join("granary.db.unfinished").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_takes_what_is_old_and_leaves_the_newest_plan() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path()).await;
    for sql in [
        "INSERT INTO sales (item_id, location_id, date, qty) VALUES ('A', 'S', '2024-01-01', 1), \
         ('A', 'S', '2024-12-31', 1), ('A', 'S', '2025-01-01', 1), ('A', 'S', '2025-12-01', 1)",
        "INSERT INTO stock (item_id, location_id, date, on_hand) VALUES ('A', 'S', '2024-01-01', 1), \
         ('A', 'S', '2024-02-01', 1), ('B', 'S', '2024-01-01', 1)",
        "INSERT INTO event_log (shopper_hash, item_id, event, at) VALUES \
         ('h', 'A', 'view', '2024-12-31T23:59:59Z'), ('h', 'A', 'view', '2025-01-01T00:00:00Z')",
        "INSERT INTO run (run_id, job, business_date, state, config_digest, input_digest, \
         plan_digest, seed, version, counts) VALUES \
         ('n@2024-01-01', 'n', '2024-01-01', 'published', 'c', 'i', 'p', 1, '0', '{}'), \
         ('n@2024-01-02', 'n', '2024-01-02', 'published', 'c', 'i', 'p', 1, '0', '{}'), \
         ('n@2024-01-03!held', 'n', '2024-01-03', 'held', 'c', 'i', 'p', 1, '0', '{}')",
        "INSERT INTO kpi (run_id, name, value, unit) VALUES ('n@2024-01-01', 'x', 1, 'u'), \
         ('n@2024-01-02', 'x', 1, 'u')",
    ] {
        store.execute(db::query(sql)).await.expect(sql);
    }
    let days = [("sales", 365), ("stock", 365), ("event_log", 365), ("run", 365)];
    let retention = Retention(days.iter().map(|&(name, days)| (name.to_owned(), days)).collect());
    let today = "2026-01-01".parse().expect("a date");
    let asked = purge(&store, &retention, today, "now", true).await.expect("counted");
    let rows: Vec<u64> = asked.iter().map(|purged| purged.rows).collect();
    assert_eq!(rows, [1, 2, 2, 1], "event_log, run, sales, stock: {asked:?}");
    let done = purge(&store, &retention, today, "now", false).await.expect("purged");
    assert_eq!(done[2].rows, 2);
    let left = async |sql: &'static str| -> Vec<String> {
        let mut snapshot = store.snapshot().await.expect("a snapshot");
        db::query_scalar(sql).fetch_all(&mut snapshot).await.expect(sql)
    };
    assert_eq!(left("SELECT date FROM sales ORDER BY date").await, ["2025-01-01", "2025-12-01"]);
    let stock = left("SELECT item_id || date FROM stock ORDER BY 1").await;
    assert_eq!(stock, ["A2024-02-01", "B2024-01-01"], "the newest count stays");
    assert_eq!(left("SELECT at FROM event_log").await, ["2025-01-01T00:00:00Z"]);
    assert_eq!(left("SELECT run_id FROM run").await, ["n@2024-01-02"]);
    assert_eq!(left("SELECT run_id FROM kpi").await, ["n@2024-01-02"]);
    let again = purge(&store, &retention, today, "now", false).await.expect("purged");
    assert!(again.iter().all(|purged| purged.rows == 0), "{again:?}");
    assert_eq!(left("SELECT table_name FROM purge_log").await.len(), 8, "every purge is noted");
}
