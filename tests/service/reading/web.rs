//! The pages, over a real connection.

use std::collections::BTreeMap;

use granary::config::Job;
use granary::store::attempt::Asked;
use granary::web::{self, App};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::fixture::{self, Fixture, HOSTILE, LINES};

async fn get(fixture: &Fixture, path: &str, host: &str) -> String {
    get_with(fixture, Default::default(), path, host).await
}

async fn get_with(
    fixture: &Fixture,
    jobs: BTreeMap<String, Job>,
    path: &str,
    host: &str,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let app = App::new(fixture.store.clone(), jobs).expect("templates");
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(web::serve(listener, app, async {
        let _ = stopped.await;
    }));
    let mut stream = TcpStream::connect(address).await.expect("the server listens");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("answered");
    let _ = stop.send(());
    server.await.expect("no panic").expect("a clean stop");
    String::from_utf8(answer).expect("UTF-8")
}

#[tokio::test(flavor = "multi_thread")]
async fn names_from_files_are_text_never_markup() {
    let fixture = fixture::with_plan().await;
    for path in ["/", "/line/k%2F1", "/sku/00001/S1", "/findings"] {
        let page = get(&fixture, path, "localhost").await;
        assert!(page.starts_with("HTTP/1.1 200"), "{path}: {page}");
        assert!(!page.contains("<script>alert"), "{path}");
        assert!(page.contains("script-src &#x27;self&#x27;") || page.contains("script-src 'self'"));
    }
    let page = get(&fixture, "/sku/00001/S1", "localhost").await;
    assert!(page.contains("&lt;script&gt;"), "the name is shown");
    assert!(page.contains("<svg class=\"chart\""), "with charts");
    assert!(page.contains("What the mean is made of"), "with its parts");
    assert!(page.contains("&lt;script&gt;alert(1)"), "and its events by name");
    assert!(!HOSTILE.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_lines_show_every_line_once() {
    let fixture = fixture::with_plan().await;
    let mut seen = Vec::new();
    for page in 1..=6 {
        let path = format!("/api/plan.json?per_page=50&sort=kind&page={page}");
        let answer = get(&fixture, &path, "127.0.0.1").await;
        let (_, body) = answer.split_once("\r\n\r\n").expect("headers and body");
        let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
        assert_eq!(body["lines_matching"], LINES);
        for line in body["lines"].as_array().expect("lines") {
            seen.push(line["line_key"].as_str().expect("a key").to_owned());
        }
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len() as i64, LINES);
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_and_unknown_addresses() {
    let fixture = fixture::with_plan().await;
    for (path, status, words) in [
        ("/?state=held", "200", "5 of 260 match"),
        ("/?q=%25", "200", "0 of 260 match"),
        ("/?q=00017", "200", "1 of 260 match"),
        ("/?page=99999", "200", "page 6 of 6"),
        ("/line/none", "404", "no such line"),
        ("/sku/none/S1", "404", "no such item"),
        ("/?run=none", "200", "No plan yet"),
        ("/what-if/00001/S1", "400", "at least one of the fields"),
        ("/what-if/00001/S1?promo=lots", "400", "neither a share such as 0.3"),
        ("/what-if/00001/S1?promo=30%25", "400", "not among this server"),
        ("/what-if/none/S1?promo=30%25", "404", "no such item"),
        ("/nowhere", "404", "no page"),
        ("/healthz", "200", "\"database\":\"ok\""),
        ("/jobs", "200", "Jobs"),
    ] {
        let page = get(&fixture, path, "localhost:8787").await;
        assert!(page.starts_with(&format!("HTTP/1.1 {status}")), "{path}: {page}");
        assert!(page.contains(words), "{path}: {page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_plan_the_page_says_how_to_get_one() {
    let page = get(&fixture::empty().await, "/", "localhost").await;
    assert!(page.contains("granary demo"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_not_this_machine_is_refused() {
    let fixture = fixture::with_plan().await;
    let page = get(&fixture, "/", "evil.example").await;
    assert!(page.starts_with("HTTP/1.1 421"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_job_page_tells_how_jobs_stand_and_what_happened() {
    let fixture = fixture::with_plan().await;
    let text = "name = \"nightly\"\nkind = \"nightly\"\n[schedule]\ncron = \"0 0 1 * * *\"\n\
                time_zone = \"Asia/Shanghai\"\n";
    let job = Job::parse(text, "nightly").expect("a legal job");
    let jobs = BTreeMap::from([("nightly".to_owned(), job.clone())]);
    let date = "2025-10-21".parse().expect("a date");
    let lease = fixture.store.begin_run(&job, date, Asked::ByHand).await.expect("a lease");
    let page = get_with(&fixture, jobs.clone(), "/jobs", "localhost").await;
    let running = format!("process {}", std::process::id());
    for words in ["running", "2025-10-21", &running, "renewed", "begun"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    lease.end("failed", "<b>the disk is full</b>", &BTreeMap::new()).await.expect("the end");
    fixture.store.pause_job("nightly", "ann", "<i>stocktaking</i>").await.expect("paused");
    let page = get_with(&fixture, jobs.clone(), "/jobs", "localhost").await;
    for words in [
        "paused",
        "ann",
        "&lt;i&gt;stocktaking",
        "&lt;b&gt;the disk is full",
        "failures in a row: 1",
        "by hand",
        "CST",
        "Failed tries",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(!page.contains("<i>stocktaking") && !page.contains("<b>the disk"), "{page}");
    let answer = get_with(&fixture, jobs, "/api/jobs.json", "localhost").await;
    let (_, body) = answer.split_once("\r\n\r\n").expect("headers and body");
    let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(body["jobs"][0]["state"], "paused");
    assert_eq!(body["jobs"][0]["dates"][0]["tries"], 1);
    assert_eq!(body["events"][0]["what"], "paused");
    assert_eq!(body["attempts"][0]["outcome"], "failed");
}
