//! Every reader on damaged copies of good inputs, for a while: a panic is a failure, and the input
//! that caused it is kept in the target folder. `GRANARY_FUZZ_SECONDS` says how long,
//! `GRANARY_FUZZ_SEED` from which seed.

#![allow(dead_code, reason = "the good inputs are shared with the corpus of bad ones")]

#[path = "bad_inputs/calendars.rs"]
mod calendars;
#[path = "bad_inputs/case.rs"]
mod case;
#[path = "bad_inputs/parquets.rs"]
mod parquets;
#[path = "bad_inputs/random.rs"]
mod random;
#[path = "bad_inputs/texts.rs"]
mod texts;
#[path = "bad_inputs/workbooks.rs"]
mod workbooks;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use granary::config::Job;
use granary::jobs::timetable::Timetable;
use granary::sources::query::sql::{Dialect, Parameter, ParameterKind, translate};
use granary::sources::{Input, Limits, Map};
use granary_models::calendar::Day;

use random::Random;
use random::chance::setting;

/// Address space of the worker.
const MEMORY_BYTES: u64 = 1 << 30;

type Target = (&'static str, Vec<Vec<u8>>, fn(&[u8], &Path));

const SQL: &str = "WITH a AS (SELECT 'x''y' AS b, \"c d\" FROM t -- no\n WHERE e > :watermark /* f */) \
                   SELECT $q$;$q$, `g`, [h] FROM a WHERE i::text < :business_date;";

fn file(ending: &str, bytes: &[u8], folder: &Path) {
    let path = folder.join(format!("input.{ending}"));
    std::fs::write(&path, bytes).expect("a file");
    let limits = Limits { unpacked_bytes: 16 << 20, rows: 1_000_000 };
    let Ok(mut input) = Input::file(&path, &Map::default(), &limits) else { return };
    let wanted = vec![true; input.reader.headers().len()];
    input.reader.select(wanted);
    while let Ok(Some(chunk)) = input.reader.next_chunk() {
        for column in &chunk.columns {
            for row in 0..chunk.len() {
                std::hint::black_box(column.get(row));
            }
        }
    }
}

fn targets() -> Vec<Target> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let all = |folder: &str| -> Vec<Vec<u8>> {
        let entries = std::fs::read_dir(root.join(folder)).expect("a folder of the repository");
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a file").path()).collect();
        paths.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
        paths.sort();
        paths.iter().map(|path| std::fs::read(path).expect("a file")).collect()
    };
    let crons: Vec<Vec<u8>> =
        ["0 30 3 * * *", "0 0 0 29 2 *", "*/5 1-4,9 L * 1#2 MON-FRI", "0 0 12 ? JAN,DEC 5L"]
            .map(|text| text.as_bytes().to_vec())
            .into();
    let source = "name = \"x\"\nkind = \"nightly\"\n[[sources]]\nname = \"a\"\nkind = \"sales\"\n\
                  [sources.query]\nurl_env = \"U\"\nsql = \"SELECT 1\"\nwatermark = { column = \"c\", \
                  type = \"date\", start = \"2026-01-01\", late_days = 3 }\n";
    let mut jobs = all("jobs");
    jobs.push(source.into());
    vec![
        ("csv", vec![texts::good(40)], |bytes, folder| file("csv", bytes, folder)),
        ("xlsx", vec![workbooks::good()], |bytes, folder| file("xlsx", bytes, folder)),
        ("parquet", vec![parquets::good(300)], |bytes, folder| file("parquet", bytes, folder)),
        ("ics", vec![calendars::good()], |bytes, folder| file("ics", bytes, folder)),
        ("map", all("data/maps"), |bytes, _| {
            let _ = Map::parse(&String::from_utf8_lossy(bytes));
        }),
        ("job", jobs, |bytes, _| {
            let _ = Job::parse(&String::from_utf8_lossy(bytes), "nightly");
        }),
        ("cron", crons, |bytes, _| {
            let text = String::from_utf8_lossy(bytes);
            let Ok(timetable) = Timetable::new(&text, chrono_tz::Asia::Shanghai, 3) else { return };
            for date in ["2024-02-29", "2026-11-30"] {
                timetable.due_at(date.parse::<Day>().expect("a day"));
            }
        }),
        ("sql", vec![SQL.into()], |bytes, _| {
            let one = |name| Parameter {
                name,
                kind: ParameterKind::Date,
                value: "2026-01-01".to_owned(),
            };
            let parameters = [one("watermark"), one("business_date")];
            for dialect in [Dialect::Postgres, Dialect::MySql, Dialect::Sqlite] {
                let _ = translate(&String::from_utf8_lossy(bytes), dialect, &parameters);
            }
        }),
    ]
}

/// Where inputs are kept that made a reader panic.
fn kept() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz");
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// Damages inputs until its time is over. It runs in a process of its own, because two of the
/// libraries believe a file's claim about its own size, and running out of memory ends a process.
/// The import has its readers in such a process for the same reason.
#[test]
fn worker() {
    let Ok(seed) = std::env::var("GRANARY_FUZZ_WORKER") else { return };
    let limit = Some(MEMORY_BYTES);
    let limit = rustix::process::Rlimit { current: limit, maximum: limit };
    rustix::process::setrlimit(rustix::process::Resource::As, limit).expect("a limit");
    let deadline = Instant::now() + Duration::from_secs(setting("GRANARY_FUZZ_SECONDS", 60));
    let folder = tempfile::tempdir().expect("a folder");
    let mut random = Random::new(seed.parse().expect("a seed"));
    let targets = targets();
    let mut tried = 0u64;
    while Instant::now() < deadline {
        for (name, inputs, run) in &targets {
            let input = &inputs[random.below(inputs.len())];
            let bytes = random.mutate(input);
            // Left behind if the process itself ends.
            let current = kept().join(format!("current.{name}"));
            std::fs::write(&current, &bytes).expect("a file");
            if catch_unwind(AssertUnwindSafe(|| run(&bytes, folder.path()))).is_err() {
                let digest = blake3::hash(&bytes).to_hex();
                let path = kept().join(format!("{}.{name}", &digest[..16]));
                std::fs::write(&path, &bytes).expect("a file");
                println!("PANIC {}", path.display());
            }
            let _ = std::fs::remove_file(current);
        }
        tried += 1;
        if tried.is_multiple_of(64) {
            println!("TRIED {tried}");
        }
    }
    println!("TRIED {tried}");
}

#[test]
fn no_reader_panics() {
    if std::env::var_os("GRANARY_FUZZ_WORKER").is_some() {
        return;
    }
    let seconds = setting("GRANARY_FUZZ_SECONDS", 60);
    let seed = setting("GRANARY_FUZZ_SEED", u64::from(std::process::id()) << 20);
    eprintln!("seed {seed}, {seconds} seconds (GRANARY_FUZZ_SEED, GRANARY_FUZZ_SECONDS)");
    let deadline = Instant::now() + Duration::from_secs(seconds);
    let (mut tried, mut out_of_memory, mut failed) = (0, 0, Vec::new());
    for round in 0.. {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || failed.len() >= 20 {
            break;
        }
        let output = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "worker", "--nocapture", "--test-threads", "1"])
            .env("GRANARY_FUZZ_WORKER", (seed + round).to_string())
            .env("GRANARY_FUZZ_SECONDS", left.as_secs().max(1).to_string())
            .env("MALLOC_ARENA_MAX", "2")
            .output()
            .expect("the worker runs");
        let said = String::from_utf8_lossy(&output.stdout);
        let words = |word: &str| -> Vec<String> {
            said.lines().filter_map(|line| Some(line.split_once(word)?.1.to_owned())).collect()
        };
        failed.extend(words("PANIC "));
        tried += words("TRIED ").last().and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        if output.status.success() {
            continue;
        }
        let error = String::from_utf8_lossy(&output.stderr);
        let current = |name: &str| kept().join(format!("current.{name}")).is_file();
        let claims = current("xlsx") || current("parquet");
        if error.contains("memory allocation of") && claims {
            out_of_memory += 1;
        } else {
            failed.push(format!("the worker of seed {} ended: {error}", seed + round));
        }
        for (name, _, _) in targets() {
            let _ = std::fs::remove_file(kept().join(format!("current.{name}")));
        }
    }
    eprintln!("{tried} inputs or more for each of 8 readers; {out_of_memory} out of memory");
    assert!(tried > 0, "every reader was tried");
    assert!(failed.is_empty(), "seed {seed}: {}", failed.join("\n"));
}
