use anyhow::Context;
use clap::Args;
use granary_models::calendar::Day;

use super::Global;
use super::progress::Stages;
use crate::config::{Exit, Job};
use crate::jobs::nightly::{self, RunOptions, RunOutcome};

#[derive(Args)]
pub struct RunArgs {
    /// Name of a job: a file in the jobs folder, without `.toml`.
    #[arg(value_name = "JOB")]
    job: String,
    /// Business date to plan for [default: the day after the newest sales].
    #[arg(long, value_name = "YYYY-MM-DD")]
    date: Option<Day>,
}

pub async fn run(global: &Global, args: RunArgs) -> anyhow::Result<Exit> {
    let job = Job::find(&global.jobs, &args.job)?;
    let store = global.store().await?;
    let outcome = run_job(global, &store, &job, args.date).await?;
    if global.json {
        println!("{}", serde_json::to_string_pretty(&outcome)?);
    } else {
        print_outcome(&outcome);
    }
    Ok(outcome.exit())
}

/// Runs a job with a line per stage on a terminal.
pub async fn run_job(
    global: &Global,
    store: &crate::store::Store,
    job: &Job,
    date: Option<Day>,
) -> anyhow::Result<RunOutcome> {
    let date = match date {
        Some(date) => date,
        None => nightly::next_business_date(store).await?,
    };
    let stages = Stages::new();
    let options = RunOptions { threads: global.threads, on_stage: &|stage| stages.begin(stage) };
    let outcome = nightly::run(store, job, date, &options).await;
    stages.finish();
    outcome.with_context(|| format!("job {} for {date}", job.name))
}

pub fn print_outcome(outcome: &RunOutcome) {
    let counts = &outcome.counts;
    match outcome.held_because.as_slice() {
        [] => println!("{} published", outcome.run_id),
        gates => println!("{} HELD by {}", outcome.run_id, gates.join(", ")),
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
    let total: u64 = outcome.stage_ms.values().sum();
    let stages: Vec<String> = ["pull", "panel", "forecast", "plan", "report", "publish", "release"]
        .iter()
        .filter_map(|stage| {
            let ms = outcome.stage_ms.get(stage)?;
            Some(format!("{stage} {:.1}", *ms as f64 / 1000.0))
        })
        .collect();
    println!("{:.1} s: {}", total as f64 / 1000.0, stages.join(", "));
}
