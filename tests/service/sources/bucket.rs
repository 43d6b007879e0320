//! Objects of a bucket: a real server of the S3 protocol, and a line to it that fails on purpose.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rusty_s3::{Bucket, Credentials, S3Action, UrlStyle};

use super::home::{Home, Pulled};
use super::server;

const KEY: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

fn bucket(endpoint: &str) -> Bucket {
    let endpoint = endpoint.parse().expect("a URL");
    Bucket::new(endpoint, UrlStyle::Path, "retail", "us-east-1").expect("a bucket")
}

fn put(bucket: &Bucket, key: &str, body: &str) {
    let credentials = Credentials::new(KEY, SECRET);
    let url = bucket.put_object(Some(&credentials), key).sign(Duration::from_secs(60));
    ureq::put(url.as_str()).send(body).expect(key);
}

fn day(day: usize) -> String {
    let date =
        chrono::NaiveDate::from_yo_opt(2020, 1).expect("a day") + chrono::Days::new(day as u64);
    format!("item_id,location_id,date,qty\nA,S1,{date},3\n")
}

fn job(home: &Home, endpoint: &str, more: &str) {
    home.job(&format!(
        "[[sources]]\nname = \"lake\"\nkind = \"sales\"\ns3 = {{ bucket = \"retail\", prefix = \"in/\", \
         endpoint = \"{endpoint}\", region = \"us-east-1\", pattern = \"**/*.csv\"{more} }}\n"
    ));
}

fn pull(home: &Home) -> Pulled {
    home.pull_with(&[], &[("AWS_ACCESS_KEY_ID", KEY), ("AWS_SECRET_ACCESS_KEY", SECRET)])
}

#[test]
fn objects_of_a_bucket() {
    let Some(server) = server::s3() else { return };
    let credentials = Credentials::new(KEY, SECRET);
    let at = bucket(&server.url);
    let create = at.create_bucket(&credentials).sign(Duration::from_secs(60));
    ureq::put(create.as_str()).send_empty().expect("the bucket");

    let home = Home::new();
    job(&home, &server.url, "");
    for n in [2, 1] {
        put(&at, &format!("in/day-{n}.csv"), &day(n));
    }
    put(&at, "in/ä b+c&d/咖啡 %20.csv", &day(3));
    put(&at, "elsewhere/x.csv", &day(9));
    put(&at, "in/x.csv.part", "no");
    let first = pull(&home).expect(0);
    assert_eq!(first.files(), ["day-1.csv", "day-2.csv", "ä b+c&d/咖啡 %20.csv"]);
    assert_eq!(first.books(), [3, 3, 0, 0, 0]);
    assert_eq!(pull(&home).expect(0).files(), [""; 0], "nothing new");
    put(&at, "in/day-1.csv", &day(4));
    assert_eq!(pull(&home).expect(0).files(), ["day-1.csv"], "only what changed");

    job(&home, &server.url, ", file_mib_max = 1");
    put(&at, "in/large.csv", &"x".repeat((1 << 20) + 1));
    pull(&home).refused(1, &["large.csv", "over the limit", "file_mib_max"]);
    let delete = at.delete_object(Some(&credentials), "in/large.csv").sign(Duration::from_secs(60));
    ureq::delete(delete.as_str()).call().expect("deleted");

    pages(&server.url);
    a_line_that_fails(&server.url);
    credentials_from_a_file(&server.url);
    wrong_places(&server.url);
}

/// A listing of more than a thousand objects comes in pages.
fn pages(endpoint: &str) {
    let at = bucket(endpoint);
    for n in 0..1_203 {
        put(&at, &format!("many/{n:05}.csv"), if n < 1_200 { "" } else { "item_id" });
    }
    for n in [1_200usize, 1_201, 1_202] {
        put(&at, &format!("many/{n:05}.csv"), &day(n));
    }
    let home = Home::new();
    home.job(&format!(
        "[[sources]]\nname = \"lake\"\nkind = \"sales\"\ns3 = {{ bucket = \"retail\", prefix = \"many/\", \
         endpoint = \"{endpoint}\", region = \"us-east-1\", pattern = \"012*.csv\" }}\n"
    ));
    assert_eq!(pull(&home).expect(0).files(), ["01200.csv", "01201.csv", "01202.csv"]);
}

/// Between the program and the server: spoils the first few answers about objects.
struct Line {
    url: String,
    asked: Arc<AtomicUsize>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    /// The body ends in the middle.
    Cut,
    /// The body is shorter than it should be, and its length says so as well.
    Short,
    Unavailable,
    Reset,
}

fn line(server: &str, fault: Fault, times: usize) -> Line {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let server = server.trim_start_matches("http://").to_owned();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let Ok(client) = client else { return };
            let (server, count) = (server.clone(), count.clone());
            std::thread::spawn(move || forward(client, &server, fault, times, &count));
        }
    });
    Line { url, asked }
}

/// One request and its answer; the connection ends with it.
fn forward(mut client: TcpStream, server: &str, fault: Fault, times: usize, count: &AtomicUsize) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if client.read(&mut byte).unwrap_or(0) == 0 {
            return;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let of_object = head.lines().next().is_some_and(|line| line.contains(".csv?"));
    let spoil = of_object && count.fetch_add(1, Ordering::SeqCst) < times;
    if spoil && fault == Fault::Unavailable {
        let _ = client
            .write_all(b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        return;
    }
    if spoil && fault == Fault::Reset {
        return;
    }
    let Ok(mut upstream) = TcpStream::connect(server) else { return };
    let head = head.replacen("\r\n", "\r\nConnection: close\r\n", 1);
    let _ = upstream.write_all(head.as_bytes());
    let mut answer = Vec::new();
    let _ = upstream.read_to_end(&mut answer);
    if spoil {
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").map_or(0, |at| at + 4);
        let body = answer.len() - end;
        if fault == Fault::Short {
            let text = String::from_utf8_lossy(&answer[..end]).into_owned();
            let text = text.to_lowercase().replace(
                &format!("content-length: {body}"),
                &format!("content-length: {}", body / 2),
            );
            answer.splice(..end, text.into_bytes());
        }
        answer.truncate(answer.len() - body.div_ceil(2));
    }
    let _ = client.write_all(&answer);
    let _ = client.shutdown(Shutdown::Write);
}

fn a_line_that_fails(server: &str) {
    for fault in [Fault::Cut, Fault::Short, Fault::Unavailable, Fault::Reset] {
        // Three times wrong, then right: the fourth try brings the object whole.
        let home = Home::new();
        let line_to = line(server, fault, 3);
        job(&home, &line_to.url, "");
        assert_eq!(pull(&home).expect(0).books(), [3, 3, 0, 0, 0], "{fault:?}");
        assert_eq!(line_to.asked.load(Ordering::SeqCst), 6, "{fault:?}");
        // Always wrong: an error that says what came, and nothing is kept.
        let home = Home::new();
        let line_to = line(server, fault, usize::MAX);
        job(&home, &line_to.url, "");
        let part = match fault {
            Fault::Cut | Fault::Short => "day-1.csv",
            Fault::Unavailable => "503",
            Fault::Reset => "4 tries",
        };
        pull(&home).refused(1, &["day-1.csv (4 tries)", part]);
        assert!(home.sales().is_empty(), "{fault:?}");
    }
}

fn credentials_from_a_file(server: &str) {
    let home = Home::new();
    home.write(
        "jobs/credentials",
        format!("[other]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n"),
    );
    job(&home, server, ", credentials_file = \"credentials\", profile = \"other\"");
    assert_eq!(home.pull().expect(0).books()[1], 3);
    job(&home, server, ", credentials_file = \"credentials\", profile = \"none\"");
    home.pull().refused(1, &["no key in its section [none]"]);
    job(&home, server, "");
    home.pull_with(&[], &[("AWS_ACCESS_KEY_ID", "")]).refused(2, &["AWS_ACCESS_KEY_ID is empty"]);
}

fn wrong_places(server: &str) {
    let cases = [
        ("http://169.254.169.254", "", 1, "link-local or metadata"),
        ("http://[fe80::1]", "", 1, "link-local or metadata"),
        ("ftp://127.0.0.1", "", 1, "should be https://host or http://host"),
        (server, ", hosts = [\"lake.example.com\"]", 1, "not among the source's `hosts`"),
        ("http://127.0.0.1:1", "", 1, "cannot list retail/in/"),
    ];
    for (endpoint, more, code, part) in cases {
        let home = Home::new();
        job(&home, endpoint, more);
        let pulled = pull(&home).refused(code, &[part]);
        assert!(
            !pulled.stderr.contains(SECRET) && !pulled.stderr.contains("X-Amz"),
            "{}",
            pulled.stderr
        );
    }
    let home = Home::new();
    home.job(&format!(
        "[[sources]]\nname = \"lake\"\nkind = \"sales\"\ns3 = {{ bucket = \"nobodys\", \
         endpoint = \"{server}\", region = \"us-east-1\" }}\n"
    ));
    pull(&home).refused(1, &["404", "NoSuchBucket"]);
}
