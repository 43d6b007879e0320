use std::path::{Path, PathBuf};

use chrono::{DateTime, Datelike, Utc};
use clap::Args;
use granary_models::calendar::Day;
use serde::Serialize;

use super::Global;
use super::text::{self, Style, plain};
use crate::config::{Database, Exit, Job, clock};
use crate::jobs::due;
use crate::jobs::timetable::Timetable;
use crate::store::Store;
use crate::store::attempt::Moment;
use crate::store::db::Db;
use crate::store::read::health::{self, Health, Pages};
use crate::store::read::series;

/// Under this much free space a night may not fit.
const LEAST_FREE_BYTES: u64 = 1 << 30;

#[derive(Args)]
pub struct DoctorArgs {}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Ok,
    /// Nothing is broken, but look at it.
    Note,
    Broken,
}

#[derive(Serialize)]
struct Check {
    what: &'static str,
    state: State,
    detail: String,
    /// What to do; empty when nothing.
    advice: String,
}

fn ok(what: &'static str, detail: impl Into<String>) -> Check {
    Check { what, state: State::Ok, detail: detail.into(), advice: String::new() }
}

fn note(what: &'static str, detail: impl Into<String>, advice: &str) -> Check {
    Check { what, state: State::Note, detail: detail.into(), advice: advice.to_owned() }
}

fn broken(what: &'static str, detail: impl Into<String>, advice: &str) -> Check {
    Check { what, state: State::Broken, detail: detail.into(), advice: advice.to_owned() }
}

pub async fn run(global: &Global, _args: DoctorArgs) -> anyhow::Result<Exit> {
    let now = clock::now();
    let mut checks = vec![check_clock(now), check_disk(global)];
    let jobs = match Job::read_all(&global.jobs) {
        Ok(jobs) => {
            checks.extend(jobs.values().map(check_job));
            let names: Vec<&str> = jobs.keys().map(String::as_str).collect();
            checks.push(if names.is_empty() {
                let detail = format!("none in {}", global.jobs.display());
                note("jobs", detail, "put a TOML per job there, or name the folder with --jobs")
            } else {
                ok("jobs", names.join(", "))
            });
            jobs
        }
        Err(error) => {
            checks.push(broken("jobs", format!("{error:#}"), "correct the file it names"));
            Default::default()
        }
    };
    match global.store().await {
        Ok(store) => match store.snapshot().await {
            Ok(mut db) => {
                check_database(&mut db, &jobs, now, &mut checks).await;
                check_sources(&store, &jobs, &mut checks).await;
            }
            Err(error) => checks.push(broken("database", error.to_string(), "see the detail")),
        },
        Err(error) => {
            let advice = "name the file with --db, and see that its folder can be written to";
            checks.push(broken("database", format!("{error:#}"), advice));
        }
    }
    let healthy = checks.iter().all(|check| check.state != State::Broken);
    if global.json {
        text::print_json(&serde_json::json!({ "healthy": healthy, "checks": checks }))?;
    } else {
        print(&checks)?;
    }
    Ok(if healthy { Exit::Ok } else { Exit::Failed })
}

fn print(checks: &[Check]) -> anyhow::Result<()> {
    let style = Style::of_stdout();
    let mut out = String::new();
    for check in checks {
        let mark = match check.state {
            State::Ok => style.faint("ok    "),
            State::Note => style.warn("note  "),
            State::Broken => style.alarm("BROKEN"),
        };
        out.push_str(&format!("{mark}  {:<12}  {}\n", check.what, plain(&check.detail)));
        if !check.advice.is_empty() {
            out.push_str(&format!("        {:<12}  → {}\n", "", check.advice));
        }
    }
    text::print(&out)
}

/// A clock before this program was written is wrong; so is one whose zone data is.
fn check_clock(now: DateTime<Utc>) -> Check {
    let text = now.format("%Y-%m-%d %H:%M:%S UTC").to_string();
    if now.year() < 2025 {
        return broken("clock", text, "set this machine's clock");
    }
    ok("clock", format!("{text}, IANA zones {}", chrono_tz::IANA_TZDB_VERSION))
}

/// Leases and due times go by the database's clock, so a difference does no harm but to logs.
fn check_clocks(ahead_seconds: i64) -> Check {
    let detail = match ahead_seconds {
        -2..=2 => return ok("clocks", "this machine's agrees with the database's"),
        3.. => format!("this machine's is {ahead_seconds} s ahead of the database's"),
        _ => format!("this machine's is {} s behind the database's", -ahead_seconds),
    };
    note("clocks", detail, "set one of them; jobs run by the database's")
}

fn check_disk(global: &Global) -> Check {
    let db = match global.database() {
        Ok(Database::Sqlite(path)) => path,
        // The server's disk is not ours to see.
        _ => PathBuf::from("."),
    };
    let folder = db.parent().filter(|folder| !folder.as_os_str().is_empty());
    match rustix::fs::statvfs(folder.unwrap_or(Path::new("."))) {
        Ok(space) => {
            let free = space.f_bavail.saturating_mul(space.f_frsize);
            let detail = format!("{:.1} GiB free", free as f64 / (1u64 << 30) as f64);
            if free < LEAST_FREE_BYTES {
                broken("disk", detail, "make room: a night writes its plan beside the old one")
            } else {
                ok("disk", detail)
            }
        }
        Err(error) => broken("disk", error.to_string(), "see that the database's folder exists"),
    }
}

fn check_job(job: &Job) -> Check {
    match job.schedule.as_ref().map(Timetable::of) {
        None => ok("timetable", format!("{} runs only by hand", job.name)),
        Some(Ok(_)) => ok("timetable", format!("{} can be read", job.name)),
        Some(Err(error)) => {
            let detail = format!("{}: {error:#}", job.name);
            broken("timetable", detail, "six fields: seconds minutes hours day month weekday")
        }
    }
}

fn check_health(health: Health) -> Vec<Check> {
    let pages = match health.pages {
        Pages::Sound => ok("integrity", "every page is sound"),
        Pages::Unsound(what) => broken("integrity", what, "restore a backup of the file"),
        Pages::Checksummed => ok("integrity", "the server keeps checksums of its pages"),
        Pages::Unchecked => note(
            "integrity",
            "the server keeps no checksums: a page that goes bad is not noticed",
            "run `pg_checksums --enable` while it is stopped",
        ),
    };
    let durable = if health.not_durable.is_empty() {
        ok("durability", health.version)
    } else {
        let detail = format!("{}: {}", health.version, health.not_durable.join(", "));
        broken("durability", detail, "a power cut takes back what was acknowledged; set it to on")
    };
    let roles = health.without_role.map(|missing| match missing.as_slice() {
        [] => ok("roles", "they know every table"),
        missing => broken(
            "roles",
            format!("granary_engine may not read {}", missing.join(", ")),
            "run `granary roles --apply` as the owner; every migration asks for it",
        ),
    });
    [pages, durable].into_iter().chain(roles).collect()
}

async fn check_database(
    db: &mut Db,
    jobs: &std::collections::BTreeMap<String, Job>,
    now: DateTime<Utc>,
    checks: &mut Vec<Check>,
) {
    match series::migrations(db).await {
        Ok(applied) if applied.iter().all(|&(_, success)| success) => {
            let last = applied.last().map_or(0, |&(version, _)| version);
            checks.push(ok("database", format!("schema {last}")));
        }
        Ok(_) => {
            let advice = "restore a backup, or begin a new file with --db";
            checks.push(broken("database", "a migration broke off", advice));
        }
        Err(error) => checks.push(broken("database", error.to_string(), "see the detail")),
    }
    match health::of(db).await {
        Ok(health) => checks.extend(check_health(health)),
        Err(error) => checks.push(broken("integrity", error.to_string(), "restore a backup")),
    }
    match Moment::of(db).await {
        Ok(theirs) => checks.push(check_clocks((now - theirs.at).num_seconds())),
        Err(error) => checks.push(broken("clocks", error.to_string(), "see the detail")),
    }
    match series::freshness(db).await {
        Ok(found) => check_freshness(&found, jobs, now, checks),
        Err(error) => checks.push(broken("data", error.to_string(), "see the detail")),
    }
    for job in jobs.values() {
        match due::status(db, job, now).await {
            Ok(status) => checks.push(check_success(&status)),
            // A timetable that cannot be read has its own line.
            Err(error) => checks.push(note("last run", format!("{error:#}"), "see above")),
        }
    }
}

fn check_freshness(
    found: &series::Freshness,
    jobs: &std::collections::BTreeMap<String, Job>,
    now: DateTime<Utc>,
    checks: &mut Vec<Check>,
) {
    checks.push(if found.items == 0 {
        let advice = "without master data the job's [defaults] are used; `granary import items`";
        note("items", "none", advice)
    } else {
        ok("items", format!("{} items, {} locations", found.items, found.locations))
    });
    let today = Day::from(now.date_naive());
    let limits = jobs.values().map(|job| job.freshness);
    let sales_limit = limits.clone().map(|limit| limit.sales_max_age_days).min().unwrap_or(2);
    let stock_limit = limits.map(|limit| limit.stock_max_age_days).min().unwrap_or(2);
    let inputs =
        [("sales", &found.last_sale_on, sales_limit), ("stock", &found.last_stock_on, stock_limit)];
    for (what, last, limit) in inputs {
        let day = last.as_deref().and_then(|last| last.parse::<Day>().ok());
        checks.push(match day {
            None if what == "sales" => {
                note(what, "none", "`granary import sales FILES…`, or look around: `granary demo`")
            }
            None => note(what, "none", "`granary import stock FILES…`"),
            Some(day) if today - day > limit => {
                let detail = format!("the newest is of {day}, {} days ago", today - day);
                note(what, detail, "a night for today would stop as stale; import newer files")
            }
            Some(day) => ok(what, format!("the newest is of {day}")),
        });
    }
}

/// When each source of each job was last read to its end.
async fn check_sources(
    store: &Store,
    jobs: &std::collections::BTreeMap<String, Job>,
    checks: &mut Vec<Check>,
) {
    for job in jobs.values() {
        for source in &job.sources {
            let name = format!("{}/{}", job.name, source.name);
            checks.push(match store.source_state(&job.name, &source.name).await {
                Ok(Some(state)) => ok(
                    "source",
                    format!("{name}: pulled at {}, {} rows", state.succeeded_at, state.rows_read),
                ),
                Ok(None) => note("source", format!("{name}: never pulled"), "`granary pull JOB`"),
                Err(error) => broken("source", format!("{name}: {error:#}"), "see the detail"),
            });
        }
    }
}

fn check_success(status: &due::JobStatus) -> Check {
    let success = status
        .last_success
        .as_ref()
        .map_or_else(|| "never".to_owned(), |attempt| format!("for {}", attempt.business_date));
    let detail = format!("{}: last success {success}", status.job);
    if let Some(reason) = &status.pause_reason {
        let by = status.paused_by.as_deref().unwrap_or_default();
        let advice = "`granary jobs resume JOB` lets the clock start it again";
        return note("last run", format!("{detail}; paused by {by}: {reason}"), advice);
    }
    match &status.last {
        Some(last) if matches!(last.outcome.as_str(), "failed" | "abandoned") => {
            let detail = format!("{detail}; the last run {}: {}", last.outcome, last.detail);
            broken("last run", detail, "correct what it names and run `granary run` again")
        }
        Some(last) if last.outcome == "held" => {
            let detail = format!("{detail}; the plan for {} is held", last.business_date);
            let advice = "look at it with `granary plan --run 'JOB@DATE!held'`; mend what the gate \
                          found and run again, or `granary publish JOB --reason …`";
            note("last run", detail, advice)
        }
        Some(last) if last.outcome == "stale" => {
            note("last run", format!("{detail}; {}", last.detail), "import newer files")
        }
        None => note("last run", detail, "`granary run JOB` runs one now"),
        Some(_) => ok("last run", detail),
    }
}
