//! The disk is full, or fails, at the Nth write of an import or a night, for every N: the program ends
//! with a clear error, the old plan is served, and with a disk that works again the same command
//! finishes.
//!
//! A shim in C, compiled here, stands between the program and the C library. In CI every k-th write is
//! tried; `GRANARY_TRIALS=0` tries all of them.

#[path = "chance.rs"]
mod chance;
#[path = "invariants.rs"]
mod invariants;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use chance::setting;
use granary::config::ALL_TABLES;
use granary::store::{Store, db};
use invariants::assert_sound;
use sqlx::AssertSqlSafe;

const NO_SPACE: u32 = 28;
const INPUT_OUTPUT: u32 = 5;
const TABLES: [&str; 8] = [
    "run",
    "reorder_line",
    "forecast",
    "forecast_series",
    "finding",
    "stock_projection",
    "import_batch",
    "sales",
];

fn case() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/two_shops_one_centre")
}

struct Scene {
    folder: tempfile::TempDir,
    shim: PathBuf,
    date: String,
}

/// Where a write fails, if it does, and how.
#[derive(Clone, Copy)]
struct Fault {
    at: u64,
    errno: u32,
    sticky: bool,
}

const NO_FAULT: Fault = Fault { at: 0, errno: NO_SPACE, sticky: false };

impl Scene {
    fn open() -> Scene {
        let folder = tempfile::tempdir().expect("a folder");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/disk/shim.c");
        let shim = folder.path().join("shim.so");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(&shim)
            .arg(source)
            .arg("-ldl")
            .output()
            .expect("a C compiler");
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        let date = std::fs::read_to_string(case().join("in/date")).expect("a date");
        Scene { folder, shim, date: date.trim().to_owned() }
    }

    fn db(&self) -> PathBuf {
        self.folder.path().join("granary.db")
    }

    fn granary(&self, fault: Fault, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_granary"))
            .env("LD_PRELOAD", &self.shim)
            .env("FAULT_PATH", "granary.db")
            .env("FAULT_AT", fault.at.to_string())
            .env("FAULT_ERRNO", fault.errno.to_string())
            .env("FAULT_STICKY", if fault.sticky { "1" } else { "0" })
            .env("FAULT_COUNT", self.folder.path().join("writes"))
            .arg("--db")
            .arg(self.db())
            .arg("--jobs")
            .arg(case().join("in"))
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .expect("the program starts")
    }

    fn night(&self, fault: Fault) -> Output {
        self.granary(fault, &["run", "job", "--date", &self.date])
    }

    fn import(&self, fault: Fault, table: &str) -> Option<Output> {
        let file = case().join("in").join(format!("{table}.csv"));
        file.exists().then(|| {
            let file = file.display().to_string();
            self.granary(fault, &["import", table, &file])
        })
    }

    /// Writes of the last program that ended.
    fn writes(&self) -> u64 {
        let text = std::fs::read_to_string(self.folder.path().join("writes")).expect("a count");
        text.trim().parse().expect("a number")
    }

    /// Every row, after the independent checker found nothing.
    async fn dump(&self) -> String {
        assert_sound(&self.db().display().to_string(), "after a write that failed").await;
        let store = Store::open(&self.db()).await.expect("the database opens");
        let mut snapshot = store.snapshot().await.expect("a snapshot");
        let mut text = String::new();
        for table in TABLES {
            let columns =
                if table == "import_batch" { "kind, rows_read, rows_loaded" } else { "*" };
            let sql = format!("SELECT {columns} FROM {table} ORDER BY 1, 2, 3");
            let rows = db::query(AssertSqlSafe(sql)).rows(&mut snapshot).await.expect(table);
            for row in rows {
                text.push_str(&format!("{table} {:?}\n", row.values().expect("values")));
            }
        }
        drop(snapshot);
        store.close().await;
        text
    }

    /// Keeps the database's files as they are now.
    fn keep(&self, name: &str) {
        let kept = self.folder.path().join(name);
        std::fs::create_dir_all(&kept).expect("a folder");
        copy_database(self.folder.path(), &kept);
    }

    fn bring_back(&self, name: &str) {
        copy_database(&self.folder.path().join(name), self.folder.path());
    }
}

fn copy_database(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(to).expect("a folder") {
        let entry = entry.expect("an entry");
        if entry.file_name().to_string_lossy().starts_with("granary.db") {
            std::fs::remove_file(entry.path()).expect("removed");
        }
    }
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        if entry.file_name().to_string_lossy().starts_with("granary.db") {
            std::fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
        }
    }
}

/// The writes that are tried: all, or a number of them at even distances.
fn tried(writes: u64) -> Vec<u64> {
    let trials = setting("GRANARY_TRIALS", 40);
    let step = if trials == 0 { 1 } else { writes.div_ceil(trials).max(1) };
    (1..=writes).step_by(step as usize).collect()
}

fn check(what: &str, output: &Output) -> bool {
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0 | 4) => true,
        Some(1) => {
            assert!(said.contains("error:"), "{what}: {said}");
            assert!(!said.contains("panicked"), "{what}: {said}");
            false
        }
        other => panic!("{what}: it ended with {other:?}: {said}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_fails_costs_a_run_and_nothing_else() {
    let scene = Scene::open();
    for table in &ALL_TABLES {
        if let Some(output) = scene.import(NO_FAULT, table.name) {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    }
    scene.keep("before");
    let before = scene.dump().await;
    assert!(check("an undisturbed night", &scene.night(NO_FAULT)));
    let writes = scene.writes();
    let after = scene.dump().await;
    assert!(after.len() > before.len());
    let tried = tried(writes);
    eprintln!("a night has {writes} writes; {} of them fail, each in three ways", tried.len());
    let mut ended_well = 0;
    for at in tried {
        for (errno, sticky) in [(NO_SPACE, true), (NO_SPACE, false), (INPUT_OUTPUT, false)] {
            let what = format!("write {at}, errno {errno}, sticky {sticky}");
            scene.bring_back("before");
            let good = check(&what, &scene.night(Fault { at, errno, sticky }));
            ended_well += u32::from(good);
            let now = scene.dump().await;
            let whole = now == before || now == after;
            assert!(whole, "{what}: a torn plan\n{now}");
            assert!(!good || now == after, "{what}: it says that it published");
            assert!(check(&what, &scene.night(NO_FAULT)), "{what}: the next night");
            assert_eq!(scene.dump().await, after, "{what}: the next night's plan");
        }
    }
    eprintln!("{ended_well} nights ended well in spite of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_whose_write_fails_loads_nothing() {
    let scene = Scene::open();
    for table in ["item", "location"] {
        assert!(check(table, &scene.import(NO_FAULT, table).expect("a file")));
    }
    scene.keep("before");
    let before = scene.dump().await;
    assert!(check("an import", &scene.import(NO_FAULT, "sales").expect("a file")));
    let writes = scene.writes();
    let after = scene.dump().await;
    for at in tried(writes) {
        let what = format!("write {at} of {writes}");
        scene.bring_back("before");
        let fault = Fault { at, errno: NO_SPACE, sticky: true };
        let good = check(&what, &scene.import(fault, "sales").expect("a file"));
        let now = scene.dump().await;
        assert!(now == before || now == after, "{what}: a torn load\n{now}");
        assert!(!good || now == after, "{what}: it says that it loaded");
        assert!(check(&what, &scene.import(NO_FAULT, "sales").expect("a file")), "{what}: again");
        let again = scene.dump().await;
        let sales = |text: &str| -> Vec<String> {
            text.lines().filter(|line| line.starts_with("sales")).map(str::to_owned).collect()
        };
        assert_eq!(sales(&again), sales(&after), "{what}: the next import");
    }
}
