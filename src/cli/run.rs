use std::future::Future;
use std::io::Read;

use anyhow::Context;
use clap::Args;
use granary_models::calendar::Day;

use super::Global;
use super::progress::Stages;
use crate::config::{Exit, Job, JobKind, clock};
use crate::jobs::nightly::{self, Lift, RunOptions, RunOutcome};
use crate::jobs::timetable::Timetable;
use crate::store::Store;
use crate::store::attempt::Asked;

#[derive(Args)]
pub struct RunArgs {
    /// Name of a job: a file in the jobs folder, without `.toml`.
    #[arg(value_name = "JOB")]
    job: String,
    /// Business date to plan for [default: the day after the newest sales].
    #[arg(long, value_name = "YYYY-MM-DD")]
    date: Option<Day>,
    /// A server started this and watches over it.
    #[arg(long, hide = true, requires = "date")]
    pub(super) under_a_server: bool,
}

pub async fn run(global: &Global, args: RunArgs) -> anyhow::Result<Exit> {
    if args.under_a_server {
        end_with_the_server();
    }
    let job = Job::find(&global.jobs, &args.job)?;
    let store = global.store().await?;
    if job.kind == JobKind::Purge {
        return run_purge(&store, &job, &args).await;
    }
    if args.under_a_server {
        let date = args.date.context("a server names the date")?;
        return Ok(run_scheduled(global, &store, &job, date).await?.exit());
    }
    let outcome = run_job(global, &store, &job, args.date).await?;
    report(global, &outcome)?;
    Ok(outcome.exit())
}

pub fn report(global: &Global, outcome: &RunOutcome) -> anyhow::Result<()> {
    if global.json {
        println!("{}", serde_json::to_string_pretty(outcome)?);
    } else {
        print_outcome(outcome);
    }
    Ok(())
}

/// A purge under the job's lease, so that the clock knows its dates as it knows those of nights.
async fn run_purge(store: &Store, job: &Job, args: &RunArgs) -> anyhow::Result<Exit> {
    let timetable = job.schedule.as_ref().map(Timetable::of).transpose()?;
    let today = match &timetable {
        Some(timetable) => timetable.local_date(clock::now()),
        None => Day::from(clock::now().date_naive()),
    };
    let date = args.date.unwrap_or(today);
    let asked = match &timetable {
        Some(timetable) if args.under_a_server => Asked::ByClock { due_at: timetable.due_at(date) },
        _ => Asked::ByHand,
    };
    let lease = store.begin_run(job, date, asked).await?;
    match super::purge::run_job(store, job, date, false).await {
        Ok(purged) => {
            let rows: u64 = purged.iter().map(|purged| purged.rows).sum();
            let detail = format!("{rows} rows removed");
            store.finish_without_plan(&job.name, date, lease.attempt_id(), &detail).await?;
            lease.end("published", &detail, &Default::default()).await?;
            println!("{}@{date}: {detail}", job.name);
            Ok(Exit::Ok)
        }
        Err(error) => {
            lease.end("failed", &format!("{error:#}"), &Default::default()).await?;
            Err(error)
        }
    }
}

/// Runs a job with a line per stage on a terminal.
pub async fn run_job(
    global: &Global,
    store: &Store,
    job: &Job,
    date: Option<Day>,
) -> anyhow::Result<RunOutcome> {
    let date = match date {
        Some(date) => date,
        None => nightly::default_business_date(store, job).await?,
    };
    run_by_hand(global, store, job, date, None).await
}

/// The night of a held plan again, to publish it as it stands.
pub async fn run_lifted(
    global: &Global,
    store: &Store,
    job: &Job,
    lift: Lift,
) -> anyhow::Result<RunOutcome> {
    let date = lift.business_date;
    run_by_hand(global, store, job, date, Some(lift)).await
}

async fn run_by_hand(
    global: &Global,
    store: &Store,
    job: &Job,
    date: Day,
    lift: Option<Lift>,
) -> anyhow::Result<RunOutcome> {
    let stages = Stages::new();
    let options = RunOptions {
        threads: global.threads,
        partition_series: global.partition_series,
        lift,
        on_stage: &|stage| stages.begin(stage),
    };
    let outcome = run_asked(store, job, date, Asked::ByHand, &options).await;
    stages.finish();
    outcome
}

/// The same for a server: a line per stage in its log.
async fn run_scheduled(
    global: &Global,
    store: &Store,
    job: &Job,
    date: Day,
) -> anyhow::Result<RunOutcome> {
    let timetable = job.schedule.as_ref().map(Timetable::of).transpose()?;
    let due_at = timetable.and_then(|timetable| timetable.due_at(date));
    let on_stage = |stage: &'static str| tracing::info!("{stage}");
    let options = RunOptions {
        threads: global.threads,
        partition_series: global.partition_series,
        lift: None,
        on_stage: &on_stage,
    };
    run_asked(store, job, date, Asked::ByClock { due_at }, &options).await
}

async fn run_asked(
    store: &Store,
    job: &Job,
    date: Day,
    asked: Asked,
    options: &RunOptions<'_>,
) -> anyhow::Result<RunOutcome> {
    let outcome = async {
        let lease = store.begin_run(job, date, asked).await?;
        tokio::spawn(end_with_the_lease(lease.lost()));
        nightly::run_under(store, job, date, lease, options).await
    };
    outcome.await.with_context(|| format!("job {} for {date}", job.name))
}

/// A run without its lease can write nothing any more; all that its process can still do is make room.
async fn end_with_the_lease(lost: impl Future<Output = Option<String>>) {
    if let Some(why) = lost.await {
        eprintln!("error: {why}; nothing was written");
        std::process::exit(Exit::LockHeld as i32);
    }
}

/// The server holds our input open for as long as it lives.
fn end_with_the_server() {
    std::thread::spawn(|| {
        let mut input = std::io::stdin().lock();
        let mut byte = [0; 1];
        // An interrupted read is no end.
        while !matches!(input.read(&mut byte), Ok(0)) {}
        // Nobody is left to read a message.
        std::process::exit(Exit::Failed as i32);
    });
}

pub fn print_outcome(outcome: &RunOutcome) {
    let counts = &outcome.counts;
    match outcome.held_because.as_slice() {
        [] => println!("{} published", outcome.run_id),
        gates => println!("{} HELD by {}", outcome.run_id, gates.join(", ")),
    }
    if !outcome.lifted.is_empty() {
        println!("lifted: {}", outcome.lifted.join(", "));
    }
    if let Some(why) = &outcome.not_lifted {
        println!("not lifted: {why}");
    }
    println!(
        "{} series, {} days of history, {} items planned",
        counts.series, counts.history_days, counts.items_planned
    );
    println!(
        "{} lines ({} held), {} production suggestions, {} findings",
        counts.lines, counts.lines_held, counts.production_suggestions, counts.findings
    );
    if let Some(released) = &outcome.released {
        match released.release_id {
            Some(id) => println!("{} lines released as release {id}", released.lines),
            None => println!("nothing released"),
        }
        if released.left > 0 {
            println!("{} lines stayed behind; `granary release` says why", released.left);
        }
    }
    if let Some(resumed) = outcome.resumed.told() {
        println!("{resumed}");
    }
    let total: u64 = outcome.stage_ms.values().sum();
    let stages: Vec<String> =
        ["sources", "pull", "panel", "forecast", "plan", "report", "publish", "release"]
            .iter()
            .filter_map(|stage| {
                let ms = outcome.stage_ms.get(stage)?;
                Some(format!("{stage} {:.1}", *ms as f64 / 1000.0))
            })
            .collect();
    println!("{:.1} s: {}", total as f64 / 1000.0, stages.join(", "));
}
