//! Hostile files through the real import, in its limited child: it never takes its parent along,
//! always says which file and why, accounts for every row, and stays within 512 MiB.

mod calendars;
mod case;
#[path = "../invariants.rs"]
mod invariants;
mod parquets;
mod random;
mod texts;
mod workbooks;

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use case::{Case, What};
use random::Random;

const MEMORY_MIB: &str = "512";
const SEED: u64 = 20_261_130;

fn corpus() -> Vec<Case> {
    let mut random = Random::new(SEED);
    let mut cases = texts::cases(&mut random);
    cases.extend(workbooks::cases(&mut random));
    cases.extend(parquets::cases(&mut random));
    cases.extend(calendars::cases(&mut random));
    for (at, case) in cases.iter_mut().enumerate() {
        case.file = format!("{at:03}-{}", case.file);
    }
    cases
}

struct Tried {
    code: Option<i32>,
    report: Option<Value>,
    stderr: String,
    rejections: usize,
}

fn import(folder: &Path, database: &str, case: &Case) -> Tried {
    let path = folder.join(&case.file);
    match &case.what {
        What::Bytes(bytes) => std::fs::write(&path, bytes).expect("a file"),
        What::Folder => std::fs::create_dir(&path).expect("a folder"),
        What::Link(to) => std::os::unix::fs::symlink(to, &path).expect("a link"),
    }
    let rejections = folder.join(format!("{}.rejections", case.file));
    let output = Command::new(env!("CARGO_BIN_EXE_granary"))
        .arg("--db")
        .arg(folder.join(database))
        .args(["--json", "import", case.kind])
        .arg(&path)
        .args(["--memory-limit-mib", MEMORY_MIB, "--cpu-limit-seconds", "120"])
        .args(["--reject-limit", "1.0", "--rejections"])
        .arg(&rejections)
        .env("GRANARY_HASH_SALT", "a key")
        .env_remove("RUST_BACKTRACE")
        .stdin(Stdio::null())
        .output()
        .expect("the program runs");
    let told = std::fs::read(&rejections).map(|bytes| {
        let mut rows = csv::Reader::from_reader(&bytes[3..]);
        let rows: Vec<csv::StringRecord> = rows.records().map(|row| row.expect("CSV")).collect();
        for row in &rows {
            assert!(row.len() == 7 && !row[5].is_empty() && !row[6].is_empty(), "{row:?}");
        }
        rows.len()
    });
    Tried {
        code: output.status.code(),
        report: serde_json::from_slice(&output.stdout).ok(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        rejections: told.unwrap_or(0),
    }
}

/// What is wrong with how a file was dealt with; empty if nothing.
fn judge(case: &Case, tried: &Tried) -> String {
    let Tried { code, report, stderr, rejections } = tried;
    let Some(code @ (0 | 1 | 3)) = *code else {
        return format!("exit {code:?}: {stderr}");
    };
    if code != 0 && !stderr.contains(&case.file) {
        return format!("exit {code} without the file's name: {stderr}");
    }
    // A library may give up on nonsense, which is caught; our own code may not.
    let ours = |line: &&str| line.contains("panicked at src/") || line.contains("at models/");
    if let Some(line) = stderr.lines().find(ours) {
        return line.to_owned();
    }
    let Some(report) = report else {
        return if code == 0 { "no report".to_owned() } else { String::new() };
    };
    let mut rejected = 0;
    for table in report["tables"].as_array().into_iter().flatten() {
        let book = |name: &str| table["total"][name].as_u64().unwrap_or(u64::MAX);
        if book("read") != book("loaded") + book("duplicate") + book("rejected") {
            return format!("the books do not balance: {}", table["total"]);
        }
        rejected += book("rejected");
    }
    if rejected != *rejections as u64 {
        return format!("{rejected} rows rejected, {rejections} reasons");
    }
    String::new()
}

#[test]
fn no_file_gets_through_unaccounted_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let cases = corpus();
    assert!(cases.len() >= 200, "{} cases", cases.len());
    let next = AtomicUsize::new(0);
    let outcomes: Mutex<Vec<(usize, i32, bool, String)>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for worker in 0..2 {
            let (next, outcomes, cases, folder) = (&next, &outcomes, &cases, folder.path());
            scope.spawn(move || {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = cases.get(at) else { return };
                    let tried = import(folder, &format!("{worker}.db"), case);
                    let ended = tried.stderr.contains("ended by signal");
                    let wrong = judge(case, &tried);
                    let code = tried.code.unwrap_or(-1);
                    if std::env::var_os("GRANARY_SHOW").is_some() {
                        eprintln!("{} → {code} {}", case.file, tried.stderr.trim());
                    }
                    outcomes.lock().expect("no panic").push((at, code, ended, wrong));
                    let path = folder.join(&case.file);
                    let _ = std::fs::remove_file(&path).or_else(|_| std::fs::remove_dir(&path));
                }
            });
        }
    });
    let outcomes = outcomes.into_inner().expect("no panic");
    let count = |code: i32| outcomes.iter().filter(|(_, got, _, _)| *got == code).count();
    let ended = outcomes.iter().filter(|(_, _, ended, _)| *ended).count();
    eprintln!(
        "{} files from seed {SEED}: {} taken, {} refused with 1, {} with 3; {ended} children ended \
         by their limits",
        outcomes.len(),
        count(0),
        count(1),
        count(3)
    );
    let wrong: Vec<String> = outcomes
        .iter()
        .filter(|(_, _, _, wrong)| !wrong.is_empty())
        .map(|(at, _, _, wrong)| format!("{}: {wrong}", cases[*at].file))
        .collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for database in ["0.db", "1.db"] {
        let address = folder.path().join(database).display().to_string();
        runtime.block_on(invariants::assert_sound(&address, "hostile files"));
    }
    // Afterwards the same databases take honest files of every kind, under the same limits.
    for (at, honest) in honest().into_iter().enumerate() {
        for database in ["0.db", "1.db"] {
            let file = format!("honest-{database}-{at}-{}", honest.file);
            let What::Bytes(bytes) = &honest.what else { continue };
            let case = Case::new(&file, honest.kind, bytes.clone());
            let tried = import(folder.path(), database, &case);
            assert_eq!(tried.code, Some(0), "{file}: {}", tried.stderr);
            assert_eq!(judge(&case, &tried), "", "{file}");
        }
    }
}

/// A good file of every format, so that the limits are known to be generous enough.
fn honest() -> Vec<Case> {
    vec![
        Case::new("good.csv", "sales", texts::good(2_000)),
        Case::new("good.xlsx", "sales", workbooks::good()),
        Case::new("good.parquet", "sales", parquets::good(5_000)),
        Case::new("good.ics", "calendar_event", calendars::good()),
    ]
}
