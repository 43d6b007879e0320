//! Fifty readers while a plan is published a hundred times: nobody ever sees parts of two plans.
//!
//! The slowest answers are printed; the bar for them (99 of 100 under a quarter of a second) is held in
//! `benches/README.md`, because a test with a clock fails on a busy machine.

#[path = "../service/support/database.rs"]
mod database;
#[path = "invariants.rs"]
mod invariants;
#[path = "../service/support/postgres.rs"]
mod postgres;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use granary::config::Job;
use granary::store::attempt::Asked;
use granary::store::publish::{LineRow, RunRow, RunRows};
use granary::web::{self, App};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const READERS: usize = 50;
const PUBLISHES: i64 = 100;
const LINES: i64 = 200;

/// A plan all of whose lines hold the number of its version.
fn plan(version: i64) -> RunRows {
    let line = |n: i64| LineRow {
        line_key: format!("k{n:04}"),
        kind: "purchase",
        state: "proposed",
        item_id: format!("i{n}"),
        supplier_id: "V".to_owned(),
        source_location_id: String::new(),
        location_id: "S".to_owned(),
        qty: version,
        order_qty: version,
        order_uom: "each".to_owned(),
        unit_cost_minor: 100,
        currency: "CNY".to_owned(),
        order_on: "2025-10-20".to_owned(),
        expected_on: "2025-10-27".to_owned(),
        need_on: "2025-10-25".to_owned(),
        priority: n + 1,
        expected_value_minor: 1,
        reason: "{}".to_owned(),
        held_because: String::new(),
        cap_qty: None,
    };
    RunRows {
        run: RunRow {
            job: "nightly".to_owned(),
            business_date: "2025-10-20".to_owned(),
            seed: version,
            counts: "{}".to_owned(),
            ..RunRow::default()
        },
        lines: (0..LINES).map(line).collect(),
        ..RunRows::default()
    }
}

async fn read(port: u16) -> serde_json::Value {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("the server listens");
    let request = "GET /api/plan.json?per_page=200 HTTP/1.1\r\nHost: localhost\r\n\
                   Connection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered");
    let (head, body) = answer.split_once("\r\n\r\n").expect("headers and body");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    serde_json::from_str(body).expect("JSON")
}

/// Panics when an answer holds parts of two plans; gives its version.
fn one_version(answer: &serde_json::Value) -> i64 {
    let version = answer["run"]["seed"].as_i64().expect("a version");
    let lines = answer["lines"].as_array().expect("lines");
    assert_eq!(lines.len() as i64, LINES);
    for line in lines {
        assert_eq!(line["qty"].as_i64(), Some(version), "a line of another plan");
    }
    let total = answer["totals"][0]["value_minor"].as_i64().expect("a total");
    assert_eq!(total, LINES * version * 100, "the total is of another plan");
    version
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_readers_never_see_parts_of_two_plans() {
    let folder = tempfile::tempdir().expect("a folder");
    let address = database::address(folder.path()).await;
    let store = database::open(&address).await;
    let job = Path::new(env!("CARGO_MANIFEST_DIR")).join("jobs");
    let job = Job::find(&job, "nightly").expect("the shipped job");
    let date = "2025-10-20".parse().expect("a date");
    let lease = store.begin_run(&job, date, Asked::ByHand).await.expect("an attempt");
    let attempt = lease.attempt_id();
    store.publish(attempt, &plan(1)).await.expect("published");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let app = App::new(store.clone(), Default::default()).expect("templates");
    tokio::spawn(web::serve(listener, app, std::future::pending()));
    let (done, answers) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut readers = Vec::new();
    for _ in 0..READERS {
        let (done, answers) = (done.clone(), answers.clone());
        readers.push(tokio::spawn(async move {
            let (mut times, mut newest) = (Vec::new(), 0);
            while !done.load(Ordering::Relaxed) {
                let started = Instant::now();
                let version = one_version(&read(port).await);
                times.push(started.elapsed());
                assert!(version >= newest, "a reader went back in time");
                newest = version;
                answers.fetch_add(1, Ordering::Relaxed);
                // People do not ask without a pause.
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            times
        }));
    }
    for version in 2..=PUBLISHES + 1 {
        store.publish(attempt, &plan(version)).await.expect("published");
        let seen = answers.load(Ordering::Relaxed);
        // So that readers see many of the plans and not only the last.
        while answers.load(Ordering::Relaxed) < seen + 5 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    done.store(true, Ordering::Relaxed);
    let mut times = Vec::new();
    for reader in readers {
        times.extend(reader.await.expect("no reader saw parts of two plans"));
    }
    times.sort();
    let p99 = times[times.len() * 99 / 100];
    eprintln!("{} answers beside {PUBLISHES} publishes; 99 of 100 within {p99:?}", times.len());
    assert_eq!(one_version(&read(port).await), PUBLISHES + 1);
    let excused = &invariants::EMPTY_PLANS;
    invariants::assert_sound_but(&address, excused, "a hundred publishes").await;
}
