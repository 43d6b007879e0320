//! Files of a folder: what is read, what waits, and what is never read.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::home::Home;

const HEADER: &str = "item_id,location_id,date,qty\n";

fn with_source(more: &str) -> Home {
    let home = Home::new();
    home.job(&format!(
        "[[sources]]\nname = \"daily\"\nkind = \"sales\"\n\
         folder = {{ path = \"../in\", pattern = \"**/*\", quiet_seconds = 0{more} }}\n"
    ));
    home
}

fn day(day: u32, qty: u32) -> String {
    format!("{HEADER}A,S1,2026-02-{day:02},{qty}\nB,S1,2026-02-{day:02},{qty}\n")
}

#[test]
fn a_file_is_loaded_once_and_again_only_when_it_changes() {
    let home = with_source("");
    home.write("in/b.csv", day(2, 5));
    home.write("in/a.csv", day(1, 3));
    let dry = home.pull_with(&["--dry-run"], &[]).expect(0);
    assert_eq!(dry.books(), [4, 4, 0, 0, 0]);
    assert!(home.sales().is_empty() && home.watermark().is_empty(), "a dry run keeps nothing");

    let first = home.pull().expect(0);
    assert_eq!(first.files(), ["a.csv", "b.csv"], "by name");
    assert_eq!(first.books(), [4, 4, 0, 0, 0]);
    assert_eq!(home.pull().expect(0).files(), [""; 0], "nothing new");

    // The same bytes under another name, and the same file touched: known already.
    home.write("in/copy.csv", day(1, 3));
    let now = SystemTime::now();
    let file = std::fs::File::options().write(true).open(home.path().join("in/b.csv"));
    file.expect("it is there").set_modified(now).expect("a time");
    let third = home.pull().expect(0);
    assert_eq!(third.files(), [""; 0]);
    assert!(third.notes().contains("copy.csv has the bytes of a file"), "{}", third.notes());

    // A correction replaces what it corrects.
    home.write("in/a.csv", format!("{HEADER}A,S1,2026-02-01,4\nB,S1,2026-02-01,3\n"));
    let fourth = home.pull().expect(0);
    assert_eq!((fourth.files().len(), fourth.books()), (1, [2, 1, 1, 0, 1]));
    assert_eq!(home.sales()[0], "A S1 2026-02-01 4");
    assert_eq!(home.pull().expect(0).files(), [""; 0]);
    let books = home.rows("SELECT CAST(COUNT(*) AS TEXT) FROM import_batch");
    assert_eq!(books, ["3"], "each load once");
}

#[test]
fn what_is_still_written_waits_and_what_is_outside_stays_there() {
    let home = with_source("");
    home.write("secret/outside.csv", day(9, 9));
    home.write("in/ok.csv", day(1, 1));
    for name in ["in/.hidden.csv", "in/x.csv.tmp", "in/x.csv.part", "in/deep/.y.csv"] {
        home.write(name, "not,read");
    }
    let inside = home.path().join("in");
    symlink("../secret/outside.csv", inside.join("link.csv")).expect("a link");
    symlink("/etc/hostname", inside.join("host.csv")).expect("a link");
    symlink("../secret", inside.join("folder")).expect("a link");
    symlink("nowhere.csv", inside.join("broken.csv")).expect("a link");
    symlink("ok.csv", inside.join("same.csv")).expect("a link");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        inside.join("pipe.csv"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .expect("a pipe");
    let pulled = home.pull().expect(0);
    assert_eq!(pulled.files(), ["ok.csv"]);
    assert_eq!(home.sales().len(), 2);
    let left = pulled.left();
    for (name, why) in [
        (".hidden.csv", "starts with a dot"),
        ("x.csv.tmp", "ending"),
        ("x.csv.part", "ending"),
        ("deep/.y.csv", "starts with a dot"),
        ("link.csv", "outside of the folder"),
        ("host.csv", "outside of the folder"),
        ("folder", "outside of the folder"),
        ("broken.csv", ""),
        ("pipe.csv", "no regular file"),
    ] {
        assert!(left.get(name).is_some_and(|told| told.contains(why)), "{name}: {left:?}");
    }
    assert!(pulled.notes().contains("same.csv has the bytes"), "a link within is followed");
}

#[test]
fn a_file_that_changed_just_now_waits() {
    let home = Home::new();
    home.job(
        "[[sources]]\nname = \"daily\"\nkind = \"sales\"\n\
         folder = { path = \"../in\", pattern = \"*.csv\", quiet_seconds = 600 }\n",
    );
    let age = |path: &Path, seconds: u64| {
        let at = SystemTime::now() - Duration::from_secs(seconds);
        let file = std::fs::File::options().write(true).open(path).expect("it is there");
        file.set_modified(at).expect("a time");
    };
    let path = home.write("in/a.csv", day(1, 1));
    age(&path, 60);
    let waits = home.pull().expect(0);
    assert!(waits.left()["a.csv"].contains("may still be written"), "{:?}", waits.left());
    age(&path, 3_600);
    assert_eq!(home.pull().expect(0).files(), ["a.csv"]);
}

#[test]
fn a_file_that_cannot_be_taken_stops_those_after_it() {
    let cases: [(&str, &str, &[&str]); 6] = [
        ("b.csv", "item_id,location_id,date,qty\nA,S1,01/02/2026,3\n", &["b.csv", "row 2", "date"]),
        ("b.csv", "item_id,location_id,qty\nA,S1,3\n", &["b.csv", "`date` is missing"]),
        ("b.csv", "", &["b.csv", "empty"]),
        ("b.xlsx", "no workbook", &["b.xlsx", "not a workbook"]),
        ("b.parquet", "no parquet", &["b.parquet", "not a Parquet file"]),
        ("b.pdf", "%PDF", &["b.pdf", "want a .csv"]),
    ];
    for (name, text, parts) in cases {
        let home = with_source("");
        home.write("in/a.csv", day(1, 1));
        let bad = home.write(&format!("in/{name}"), text);
        home.write("in/c.csv", day(3, 3));
        let pulled = home.pull().refused(3, parts);
        assert_eq!(home.sales().len(), 2, "{name}: a is kept, c waits: {}", pulled.stdout);
        // Put right, the next pull goes on from there.
        std::fs::remove_file(bad).expect("it is there");
        home.write("in/b.csv", day(2, 2));
        assert_eq!(home.pull().expect(0).files(), ["b.csv", "c.csv"], "{name}");
    }
}

/// A footer that claims a list of two thousand million columns: whoever believes it runs out of memory,
/// which ends a process. It is the reading child's.
#[test]
fn a_bomb_ends_its_reader_and_not_the_pull() {
    let home = with_source("");
    home.write("in/a.csv", day(1, 1));
    let footer = b"\x15\x02\x19\xfc\xff\xff\xff\xff\x07";
    let length = (footer.len() as u32).to_le_bytes();
    home.write("in/b.parquet", [b"PAR1", &footer[..], &length, b"PAR1"].concat());
    home.pull().refused(3, &["b.parquet", "ended by signal 6", "512 MiB"]);
    assert_eq!(home.sales().len(), 2);
    home.granary(&["run", "pulls", "--date", "2026-02-02"], &[]).refused(3, &["b.parquet"]);
}

#[test]
fn drift_is_named() {
    let home = with_source("");
    home.write("in/1.csv", day(1, 1));
    home.pull().expect(0);
    home.write("in/2.csv", "item_id,location_id,date,qty,colour\nA,S1,2026-02-02,3,red\n");
    let new = home.pull().expect(0);
    assert!(new.notes().contains("new column `colour` feeds nothing"), "{}", new.notes());
    home.write("in/3.csv", "item_id,location_id,date,qtty\nA,S1,2026-02-03,3\n");
    home.pull().refused(3, &["3.csv", "`qty` is missing; is it `qtty` now?"]);
    assert_eq!(home.sales().len(), 3);
}

#[test]
fn reject_limits_and_maps_hold_as_for_an_import() {
    let home = Home::new();
    home.write(
        "maps/m.toml",
        "[columns]\nitem_id = \"sku\"\nlocation_id = { constant = \"S1\" }\n\
                               date = \"day\"\nqty = \"pieces\"\n",
    );
    home.job(
        "[[sources]]\nname = \"daily\"\nkind = \"sales\"\nmap = \"../maps/m.toml\"\nreject_limit = 0.5\n\
         folder = { path = \"../in\", quiet_seconds = 0 }\n",
    );
    home.write("in/a.csv", "sku,day,pieces\n00123,2026-02-01,3\n00124,2026-02-01,many\n");
    let pulled = home.pull().expect(0);
    assert_eq!(pulled.books(), [2, 1, 0, 1, 0]);
    assert_eq!(home.sales(), ["00123 S1 2026-02-01 3"], "an item's number keeps its zeros");
    let told = home.rows("SELECT file || ' ' || row_no || ' ' || code FROM import_rejection");
    assert_eq!(told, ["a.csv 3 not_a_number"]);
}

#[test]
fn shoppers_are_hashed_from_the_first_byte_stored() {
    let home = Home::new();
    home.job(
        "[[sources]]\nname = \"log\"\nkind = \"event_log\"\nreject_limit = 1.0\n\
         folder = { path = \"../in\", quiet_seconds = 0 }\n",
    );
    let hash = "0123456789abcdef0123456789abcdef";
    home.write(
        "in/a.csv",
        format!(
            "shopper_hash,item_id,event,at\nalice@example.com,A,view,2026-02-01T01:02:03Z\n\
             {hash},A,view,2026-02-01T01:02:03Z\n"
        ),
    );
    let without = home.pull().expect(0);
    assert_eq!(without.books(), [2, 1, 0, 1, 0], "without a key only the hash is taken");
    home.write(
        "in/b.csv",
        "shopper_hash,item_id,event,at\nalice@example.com,A,buy,2026-02-02T01:02:03Z\n",
    );
    home.pull_with(&[], &[("GRANARY_HASH_SALT", "a key that nobody knows")]).expect(0);
    let shoppers = home.rows("SELECT shopper_hash FROM event_log ORDER BY at");
    assert_eq!(shoppers[0], hash);
    assert!(shoppers[1].len() == 32 && shoppers[1].bytes().all(|byte| byte.is_ascii_hexdigit()));
    for entry in std::fs::read_dir(home.path()).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            let bytes = std::fs::read(&path).expect("a file");
            let found = bytes.windows(5).any(|five| five == b"alice");
            assert!(!found, "{} has the shopper's name", path.display());
        }
    }
}

#[test]
fn wrong_sources_are_told_before_anything_is_read() {
    let cases = [
        ("", 2, "no [[sources]]"),
        ("[[sources]]\nname = \"a\"\nkind = \"sales\"\n", 2, "exactly one of"),
        (
            "[[sources]]\nname = \"a b\"\nkind = \"sales\"\nfolder = { path = \"x\" }\n",
            2,
            "a name is of",
        ),
        (
            "[[sources]]\nname = \"a\"\nkind = \"salse\"\nfolder = { path = \"x\" }\n",
            2,
            "no input table",
        ),
        (
            "[[sources]]\nname = \"a\"\nkind = \"sales\"\nfolder = { path = \"x\", patern = \"*\" }\n",
            2,
            "patern",
        ),
        (
            "[[sources]]\nname = \"a\"\nkind = \"sales\"\nfolder = { path = \"x\", pattern = \"[\" }\n",
            2,
            "shell pattern",
        ),
        (
            "[[sources]]\nname = \"a\"\nkind = \"sales\"\nfolder = { path = \"missing\" }\n",
            1,
            "cannot read the folder",
        ),
        (
            "[[sources]]\nname = \"a\"\nkind = \"sales\"\nmap = \"none.toml\"\nfolder = { path = \"../in\" }\n",
            2,
            "none.toml",
        ),
        (
            "[[sources]]\nname = \"a\"\nkind = \"sales\"\nfolder = { path = \"../in\" }\n\
             [[sources]]\nname = \"a\"\nkind = \"stock\"\nfolder = { path = \"../in\" }\n",
            2,
            "two sources are named",
        ),
        (
            "[[sources]]\nname = \"a\"\nkind = \"sales\"\nquery = { url_env = \"X\", url_file = \"y\", sql = \"SELECT 1\" }\n",
            2,
            "exactly one of `url_env`",
        ),
        (
            "[[sources]]\nname = \"a\"\nkind = \"sales\"\nquery = { url_env = \"GRANARY_NOT_SET\", sql = \"SELECT 1\" }\n",
            2,
            "GRANARY_NOT_SET is not set",
        ),
    ];
    for (sources, code, part) in cases {
        let home = Home::new();
        home.job(sources);
        home.pull().refused(code, &[part]);
    }
}
