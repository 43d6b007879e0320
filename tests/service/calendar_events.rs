//! Events from iCalendar files and from planners, and the migration that made room for them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use granary::config::Table;
use granary::jobs::events::{self, Wanted};
use granary::jobs::import::{ImportOptions, Report, import_files};
use granary::sources::Map;
use granary::store::{Store, db};
use granary_models::calendar::Day;
use proptest::prelude::*;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

fn day(text: &str) -> Day {
    text.parse().expect("a date")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

struct Shop {
    folder: tempfile::TempDir,
    store: Store,
}

impl Shop {
    async fn open() -> Shop {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(&folder.path().join("granary.db")).await.expect("a database");
        Shop { folder, store }
    }

    async fn with_master_data() -> Shop {
        let shop = Shop::open().await;
        for sql in [
            "INSERT INTO item (item_id, category) VALUES ('A', 'beer'), ('B', 'beer'), ('C', 'tea')",
            "INSERT INTO location (location_id, region) VALUES ('S1', 'CN-SOUTH'), ('S2', 'US-CA')",
        ] {
            shop.store.execute(db::query(sql)).await.expect(sql);
        }
        shop
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).expect("a file");
        path
    }

    async fn import(&self, file: PathBuf, map: &Map) -> anyhow::Result<Report> {
        let options = ImportOptions { reject_limit: Some(1.0), ..Default::default() };
        let kind = Table::named("calendar_event").expect("the table");
        import_files(&self.store, kind, &[file], map, &options, |_| ()).await
    }

    async fn text(&self, sql: &'static str) -> Vec<String> {
        db::query_scalar(sql)
            .fetch_all(&mut self.store.snapshot().await.expect("a snapshot"))
            .await
            .expect(sql)
    }
}

const LINES: &str = "SELECT event_id || '|' || name || '|' || kind || '|' || region || '|' || \
                     starts_on || '|' || ends_on || '|' || lead_days FROM calendar_event \
                     ORDER BY event_id";

fn calendar(lines: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{}\r\nEND:VCALENDAR\r\n",
        lines.replace('\n', "\r\n")
    )
}

fn entry(lines: &str) -> String {
    format!("BEGIN:VEVENT\nUID:u1\nSUMMARY:Fair\n{lines}\nEND:VEVENT")
}

/// What one entry becomes: its windows, or the code of its rejection.
async fn entry_becomes(lines: &str, zone: Option<&str>) -> String {
    let shop = Shop::open().await;
    let file = shop.file("fair.ics", calendar(&entry(lines)).as_bytes());
    let map = Map { time_zone: zone.map(str::to_owned), ..Map::default() };
    let report = shop.import(file, &map).await.expect(lines);
    let books = report.tables[0].total;
    assert_eq!(books.read, books.loaded + books.duplicate + books.rejected, "{lines}");
    if let Some(rejected) = report.rejections.first() {
        assert_eq!(books.read, 1, "{lines}");
        return rejected.rejection.problem.code.as_str().to_owned();
    }
    let windows = shop
        .text("SELECT starts_on || '..' || ends_on FROM calendar_event ORDER BY starts_on")
        .await;
    windows.join(" ")
}

#[tokio::test]
async fn entries_become_windows_or_say_why_not() {
    let china = Some("Asia/Shanghai");
    let cases: &[(&str, Option<&str>, &str)] = &[
        ("DTSTART;VALUE=DATE:20260611", None, "2026-06-11..2026-06-11"),
        // The end of a day-long entry is the first day that does not belong to it.
        ("DTSTART;VALUE=DATE:20260611\nDTEND;VALUE=DATE:20260720", None, "2026-06-11..2026-07-19"),
        ("DTSTART;VALUE=DATE:20260611\nDTEND;VALUE=DATE:20260611", None, "2026-06-11..2026-06-11"),
        ("DTSTART;VALUE=DATE:20260611\nDURATION:P2W", None, "2026-06-11..2026-06-24"),
        ("DTSTART:20260611T180000\nDTEND:20260612T020000", None, "2026-06-11..2026-06-12"),
        ("DTSTART:20260611T180000\nDTEND:20260612T000000", None, "2026-06-11..2026-06-11"),
        ("DTSTART:20260611T180000\nDURATION:PT8H", None, "2026-06-11..2026-06-12"),
        ("DTSTART;TZID=\"Asia/Shanghai\":20260611T230000", None, "2026-06-11..2026-06-11"),
        ("DTSTART:20260611T180000Z", china, "2026-06-12..2026-06-12"),
        ("DTSTART:20260611T180000Z", None, "unsupported_event"),
        (
            "DTSTART;VALUE=DATE:20240131\nRRULE:FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=3\n\
             EXDATE;VALUE=DATE:20240229",
            None,
            "2024-01-31..2024-01-31 2024-03-31..2024-03-31",
        ),
        (
            "DTSTART;VALUE=DATE:20241129\nDTEND;VALUE=DATE:20241202\n\
             RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=-1FR;UNTIL=20251231",
            None,
            "2024-11-29..2024-12-01 2025-11-28..2025-11-30",
        ),
        (
            "DTSTART:20240105T090000\nRRULE:FREQ=WEEKLY;UNTIL=20240119T080000",
            None,
            "2024-01-05..2024-01-05 2024-01-12..2024-01-12",
        ),
        ("DTSTART;VALUE=DATE:20240101\nRRULE:FREQ=YEARLY;BYWEEKNO=1", None, "unsupported_event"),
        ("DTSTART;VALUE=DATE:20240101\nRDATE;VALUE=DATE:20240301", None, "unsupported_event"),
        (
            "DTSTART;VALUE=DATE:20240101\nRRULE:FREQ=DAILY;COUNT=1\nEXDATE;VALUE=DATE:20240101",
            None,
            "excluded",
        ),
        ("DTSTART;VALUE=DATE:20240101\nSTATUS:CANCELLED", None, "excluded"),
        ("DTSTART;VALUE=DATE:20240611\nDTEND;VALUE=DATE:20240610", None, "ends_before_start"),
        ("DTSTART;VALUE=DATE:20240611\nDTEND:20240612T100000", None, "unsupported_event"),
        ("DTSTART;VALUE=DATE:20240230", None, "not_a_date"),
        ("DTSTART:2024-06-11", None, "not_a_date"),
        ("DTSTART:２０２４0611", None, "not_a_date"),
        ("DTSTART;VALUE=DATE:18990101", None, "date_out_of_range"),
        ("DTSTART;VALUE=DATE:20240611\nDURATION:-P1D", None, "unsupported_event"),
        ("DTSTART;VALUE=DATE:20240611\nDURATION:PT5H", None, "unsupported_event"),
        ("DTSTART;VALUE=DATE:20240611\nDTSTART;VALUE=DATE:20240612", None, "unsupported_event"),
        ("DTSTART;VALUE=DATE:20240611\nno property", None, "unsupported_event"),
        ("DESCRIPTION:none", None, "missing_value"),
        (
            "DTSTART;VALUE=DATE:20240611\nRECURRENCE-ID;RANGE=THISANDFUTURE:20240611",
            None,
            "unsupported_event",
        ),
    ];
    for (lines, zone, want) in cases {
        assert_eq!(entry_becomes(lines, *zone).await, *want, "{lines} in {zone:?}");
    }
}

#[tokio::test]
async fn every_entry_of_a_file_is_accounted_for() {
    let shop = Shop::open().await;
    let text = calendar(
        "X-WR-TIMEZONE:Asia/Shanghai\n\
         BEGIN:VTIMEZONE\nTZID:Asia/Shanghai\nBEGIN:STANDARD\nDTSTART:19700101T000000\nEND:STANDARD\nEND:VTIMEZONE\n\
         BEGIN:VEVENT\nUID:cup@fifa\nSUMMARY:World Cup\\, the\n  final's week 世界杯\nDTSTART;VALUE=DATE:20260713\nDTEND;VALUE=DATE:20260720\n\
         BEGIN:VALARM\nTRIGGER:-PT15M\nDTSTART:nonsense\nEND:VALARM\nEND:VEVENT\n\
         BEGIN:VEVENT\nUID:pay\nSUMMARY:Payday\nDTSTART:20251214T180000Z\nRRULE:FREQ=MONTHLY;COUNT=3\nEND:VEVENT\n\
         BEGIN:VEVENT\nUID:pay\nSUMMARY:Payday\nRECURRENCE-ID:20260114T180000Z\nDTSTART:20260116T180000Z\nEND:VEVENT\n\
         BEGIN:VTODO\nUID:todo\nSUMMARY:Buy\nEND:VTODO\n\
         BEGIN:VEVENT\nSUMMARY:No id\nDTSTART;VALUE=DATE:20260101\nEND:VEVENT\n\
         BEGIN:VEVENT\nUID:nameless\nSUMMARY:!!!\nDTSTART;VALUE=DATE:20260101\nEND:VEVENT",
    );
    let mut bytes = b"\xef\xbb\xbf".to_vec();
    bytes.extend_from_slice(text.as_bytes());
    let file = shop.file("all.ics", &bytes);
    let mut map = Map::default();
    map.set("region", toml::Value::String("CN-SOUTH".to_owned()));
    map.set("kind", toml::Value::String("payday".to_owned()));
    map.set("lead_days", toml::Value::Integer(2));
    let report = shop.import(file.clone(), &map).await.expect("a load");
    let books = report.tables[0].total;
    assert_eq!((books.read, books.loaded, books.duplicate, books.rejected), (7, 4, 0, 3));
    let found: Vec<(u32, &str)> = report
        .rejections
        .iter()
        .map(|one| (one.rejection.row, one.rejection.problem.code.as_str()))
        .collect();
    assert_eq!(found, [(33, "unsupported_event"), (37, "missing_value"), (41, "missing_value")]);
    assert_eq!(
        shop.text(LINES).await,
        [
            "cup@fifa|world-cup-the-finals-week-世界杯|payday|CN-SOUTH|2026-07-13|2026-07-19|2",
            // In China's time, and one occurrence moved by an entry of its own.
            "pay-2025-12-15|payday|payday|CN-SOUTH|2025-12-15|2025-12-15|2",
            "pay-2026-01-15|payday|payday|CN-SOUTH|2026-01-17|2026-01-17|2",
            "pay-2026-02-15|payday|payday|CN-SOUTH|2026-02-15|2026-02-15|2",
        ]
    );
    let again = shop.import(file, &map).await.expect("a second load").tables[0].total;
    assert_eq!((again.read, again.loaded, again.duplicate, again.rejected), (7, 0, 4, 3));
}

#[tokio::test]
async fn what_is_no_calendar_is_an_error_that_names_the_line() {
    let shop = Shop::open().await;
    for (bytes, said) in [
        (&b""[..], "holds no calendar"),
        (b"hello\n", "line 1"),
        (b"BEGIN:VEVENT\nEND:VEVENT\n", "line 1"),
        (b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VCALENDAR\n", "line 3"),
        (b"BEGIN:VCALENDAR\nX:\xff\nEND:VCALENDAR\n", "line 2"),
    ] {
        let error = shop.import(shop.file("odd.ics", bytes), &Map::default()).await.err();
        let error = error.map(|error| format!("{error:#}")).unwrap_or_default();
        assert!(error.contains(said), "{bytes:?}: {error}");
    }
    let cut = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:u\nSUMMARY:s\nDTSTART;VALUE=DATE:20260101\n";
    let report = shop.import(shop.file("cut.ics", cut.as_bytes()), &Map::default()).await;
    let books = report.expect("a load").tables[0].total;
    assert_eq!((books.read, books.rejected), (1, 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever stands in a calendar, the import ends and its books balance.
    #[test]
    fn odd_calendars_never_panic(
        lines in proptest::collection::vec(
            prop_oneof![
                Just("BEGIN:VEVENT".to_owned()),
                Just("END:VEVENT".to_owned()),
                Just("BEGIN:VALARM".to_owned()),
                Just("END:VALARM".to_owned()),
                "UID:[a-c]",
                "SUMMARY:\\PC{0,6}",
                "DTSTART(;VALUE=DATE)?:[0-9]{4}(0[1-9]|1[0-2])[0-3][0-9](T[0-2][0-9]0000Z?)?",
                "DTEND:[0-9]{8}(T[0-9]{6})?",
                "DURATION:P?[0-9]{0,12}[WDTHMS]{0,3}",
                "RRULE:FREQ=(DAILY|WEEKLY|MONTHLY|YEARLY)(;(COUNT|INTERVAL|BYMONTHDAY|BYMONTH)=-?[0-9]{1,4}){0,2}(;BYDAY=-?[1-5]?(MO|FR|SU))?",
                "EXDATE:[0-9]{8}(,[0-9]{8})?",
                " \\PC{0,8}",
                "\\PC{0,12}",
            ],
            0..24,
        )
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let shop = Shop::open().await;
            let file = shop.file("odd.ics", calendar(&lines.join("\n")).as_bytes());
            if let Ok(report) = shop.import(file, &Map::default()).await {
                let books = report.tables[0].total;
                assert_eq!(books.read, books.loaded + books.duplicate + books.rejected);
            }
        });
    }
}

fn wanted(name: &str) -> Wanted {
    Wanted {
        name: name.to_owned(),
        class: "hot".to_owned(),
        from: day("2026-06-11"),
        to: day("2026-07-19"),
        ..Wanted::default()
    }
}

#[tokio::test]
async fn a_planners_event_is_stored_once_listed_and_removed() {
    let shop = Shop::with_master_data().await;
    let cup = Wanted {
        regions: vec!["CN".to_owned()],
        items: vec!["C".to_owned(), "C".to_owned()],
        categories: vec!["beer".to_owned()],
        lead_days: 3,
        ..wanted("world-cup")
    };
    let added = events::add(&shop.store, &cup).await.expect("an event");
    assert_eq!(
        (added.event_id.as_str(), added.rows, added.replaced),
        ("world-cup-2026-06-11", 2, 0)
    );
    let lines = shop
        .text("SELECT region || '|' || category || '|' || item_id FROM calendar_event ORDER BY 1")
        .await;
    assert_eq!(lines, ["CN|beer|", "CN||C"]);
    let before = shop.store.events().await.expect("rows");
    let again = events::add(&shop.store, &cup).await.expect("the same again");
    assert_eq!((again.rows, again.replaced), (2, 2));
    assert_eq!(shop.store.events().await.expect("rows"), before);
    let listed = events::list(&shop.store, Some("hot")).await.expect("a list");
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (
            &listed[0].regions[..],
            &listed[0].categories[..],
            &listed[0].items[..],
            listed[0].lead_days
        ),
        (&["CN".to_owned()][..], &["beer".to_owned()][..], &["C".to_owned()][..], 3)
    );
    assert!(events::list(&shop.store, Some("holiday")).await.expect("a list").is_empty());
    // Fewer rows the second time leave none of the first.
    let narrower = Wanted { categories: Vec::new(), ..cup };
    events::add(&shop.store, &narrower).await.expect("a change");
    assert_eq!(shop.store.events().await.expect("rows").len(), 1);
    assert_eq!(events::remove(&shop.store, "world-cup-2026-06-11").await.expect("removed"), 1);
    assert!(shop.store.events().await.expect("rows").is_empty());
}

#[tokio::test]
async fn an_event_that_cannot_be_is_refused_with_a_near_name() {
    let shop = Shop::with_master_data().await;
    let other = Wanted { event_id: Some("taken".to_owned()), ..wanted("strike") };
    events::add(&shop.store, &other).await.expect("an event");
    let list = |name: &str| vec![name.to_owned()];
    let cases = [
        (Wanted { items: list("D"), ..wanted("cup") }, "\"D\" is no item"),
        (Wanted { categories: list("bear"), ..wanted("cup") }, "did you mean `beer`?"),
        (Wanted { regions: list("CN-SUOTH"), ..wanted("cup") }, "did you mean `CN-SOUTH`?"),
        (Wanted { regions: list(""), ..wanted("cup") }, "is no region"),
        (Wanted { class: "hott".to_owned(), ..wanted("cup") }, "did you mean `hot`?"),
        (Wanted { class: "shutdown".to_owned(), ..wanted("cup") }, "import it"),
        (Wanted { to: day("2026-06-10"), ..wanted("cup") }, "want 1 to 366 days"),
        (Wanted { to: day("2029-06-10"), ..wanted("cup") }, "want 1 to 366 days"),
        (Wanted { lead_days: 61, ..wanted("cup") }, "--lead is 61"),
        (Wanted { lag_days: -1, ..wanted("cup") }, "--lag is -1"),
        (wanted(""), "cannot be"),
        (wanted("world cup"), "cannot be"),
        (Wanted { event_id: Some("taken".to_owned()), ..wanted("cup") }, "another event, strike"),
    ];
    for (wanted, said) in cases {
        let error = events::add(&shop.store, &wanted).await.expect_err(said);
        let refused = error.downcast_ref::<granary::config::Refused>();
        assert_eq!(refused.map(|refused| refused.exit), Some(granary::config::Exit::Usage));
        assert!(error.to_string().contains(said), "{error}");
    }
    assert_eq!(shop.store.events().await.expect("rows").len(), 1, "nothing was stored");
    let error = events::remove(&shop.store, "token").await.expect_err("no such event");
    assert!(error.to_string().contains("did you mean `taken`?"), "{error}");
}

#[tokio::test]
async fn rows_of_the_earlier_schema_survive_the_migration() {
    let folder = tempfile::tempdir().expect("a folder");
    let earlier = folder.path().join("migrations");
    std::fs::create_dir(&earlier).expect("a folder");
    for file in std::fs::read_dir(root().join("data/migrations")).expect("migrations") {
        let path = file.expect("a file").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if name.as_str() < "0006" {
            std::fs::copy(&path, earlier.join(name)).expect("a copy");
        }
    }
    let db = folder.path().join("granary.db");
    let options = SqliteConnectOptions::new().filename(&db).create_if_missing(true);
    let pool = SqlitePoolOptions::new().connect_with(options).await.expect("a database");
    let migrator = sqlx::migrate::Migrator::new(earlier).await.expect("the earlier migrations");
    migrator.run(&pool).await.expect("the earlier schema");
    sqlx::query(
        "INSERT INTO calendar_event (event_id, name, kind, region, category, supplier_id, \
         starts_on, ends_on, lead_days, lag_days) VALUES \
         ('e1', 'cup', 'hot', 'CN', 'beer', '', '2026-06-11', '2026-07-19', 2, 3), \
         ('e1', 'cup', 'hot', 'US', '', '', '2026-06-11', '2026-07-19', 0, 0), \
         ('e2', 'closed', 'shutdown', '', '', 'P1', '2026-02-10', '2026-02-24', 0, 0)",
    )
    .execute(&pool)
    .await
    .expect("rows of before");
    pool.close().await;
    let store = Store::open(&db).await.expect("the database of today");
    let sql = "SELECT event_id || '|' || name || '|' || kind || '|' || region || '|' || category \
               || '|' || supplier_id || '|' || item_id || '|' || starts_on || '|' || ends_on || \
               '|' || lead_days || '|' || lag_days FROM calendar_event ORDER BY 1";
    let rows: Vec<String> = db::query_scalar(sql)
        .fetch_all(&mut store.snapshot().await.expect("a snapshot"))
        .await
        .expect("rows of today");
    assert_eq!(
        rows,
        [
            "e1|cup|hot|CN|beer|||2026-06-11|2026-07-19|2|3",
            "e1|cup|hot|US||||2026-06-11|2026-07-19|0|0",
            "e2|closed|shutdown|||P1||2026-02-10|2026-02-24|0|0",
        ]
    );
    for (kind, legal) in [("payday", true), ("school", true), ("nonsense", false)] {
        let insert = db::query(
            "INSERT INTO calendar_event (event_id, name, kind, starts_on, ends_on) \
             VALUES ($1, $1, $1, '2026-01-01', '2026-01-01')",
        );
        let done = store.execute(insert.bind(kind)).await;
        assert_eq!(done.is_ok(), legal, "{kind}");
    }
}

fn granary(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_granary"))
        .args(arguments)
        .arg("--db")
        .arg(folder.join("granary.db"))
        .output()
        .expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test]
async fn the_commands_load_calendars_files_and_events() {
    let shop = Shop::with_master_data().await;
    let folder = shop.folder.path();
    let run = |arguments: &[&str], code: i32| {
        let output = granary(folder, arguments);
        let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        said
    };
    let printed = run(&["calendar", "JP,DE-BY", "--from", "2026", "--to", "2026"], 0);
    assert!(printed.contains("jp-coming-of-age-day-2026,coming-of-age-day,holiday,JP,2026-01-12"));
    assert!(printed.contains("de-by-corpus-christi-2026,corpus-christi,holiday,DE-BY,2026-06-04"));
    run(&["calendar", "JP,DE-BY", "--from", "2026", "--to", "2026", "--load"], 0);
    let rows = printed.lines().count() - 1;
    assert_eq!(shop.store.events().await.expect("rows").len(), rows);
    let again = run(&["calendar", "JP", "--from", "2026", "--to", "2026", "--load"], 0);
    assert!(again.contains(" 0 loaded"), "{again}");
    assert!(run(&["calendar"], 0).contains("South Africa"));
    assert!(run(&["calendar", "DE-BX"], 2).contains("did you mean `DE-B"));
    assert!(run(&["calendar", "JP", "--to", "2040"], 2).contains("2010 to 2028"));

    for sample in ["payday-cn.csv", "school-de-by.csv"] {
        let path = root().join("data/calendars/samples").join(sample);
        run(&["import", "calendar_event", &path.to_string_lossy()], 0);
    }
    let path = root().join("data/calendars/samples/fair.ics");
    let file = path.to_string_lossy();
    run(&["import", "calendar_event", &file, "--region", "CN-SOUTH", "--event-kind", "hot"], 0);
    assert!(run(&["import", "sales", &file, "--region", "CN"], 2).contains("for calendar_event"));
    assert!(run(&["import", "calendar_event", &file, "--time-zone", "Moon"], 1).contains("IANA"));
    let classes = shop.text("SELECT DISTINCT kind FROM calendar_event ORDER BY kind").await;
    assert_eq!(classes, ["holiday", "hot", "payday", "school"]);

    let add = ["event", "add", "--name", "world-cup", "--from", "2026-06-11", "--to", "2026-07-19"];
    run(&[&add[..], &["--region", "CN", "--item", "A,B", "--category", "tea"]].concat(), 0);
    let listed = run(&["event", "list"], 0);
    assert!(listed.contains("world-cup-2026-06-11") && listed.contains("tea, A, B"), "{listed}");
    assert!(!listed.contains("coming-of-age-day"), "{listed}");
    assert!(run(&["event", "list", "--all"], 0).contains("coming-of-age-day"));
    assert!(run(&[&add[..], &["--item", "Z"]].concat(), 2).contains("is no item"));
    run(&["event", "remove", "world-cup-2026-06-11"], 0);
    run(&["event", "remove", "world-cup-2026-06-11"], 2);
}
