use clap::{Args, Subcommand};
use granary_models::calendar::Day;

use super::Global;
use super::text::{self, Align, Style, Table};
use crate::config::{Exit, Job, clock, user};
use crate::jobs::due::{self, JobStatus};
use crate::store::read::jobs::{self, JobEvent};
use crate::store::read::runs::Attempt;

#[derive(Args)]
pub struct JobsArgs {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand)]
enum Action {
    /// What happened to a job and its dates, newest first.
    History {
        #[arg(value_name = "JOB")]
        job: String,
        /// How many changes.
        #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
        limit: i64,
    },
    /// Keep the clock from starting a job. A run at work goes on, and runs by hand may begin.
    Pause {
        #[arg(value_name = "JOB")]
        job: String,
        /// For those who wonder why nothing runs.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Let the clock start a paused job again, and forget its failures.
    Resume {
        #[arg(value_name = "JOB")]
        job: String,
    },
    /// End the run at work, or forget a date that waits. A published plan stays as it is.
    Cancel {
        #[arg(value_name = "JOB")]
        job: String,
        /// Only if the run at work is for this date; or a date that waits for its turn.
        #[arg(long, value_name = "YYYY-MM-DD")]
        date: Option<Day>,
        #[arg(long, default_value = "", value_name = "TEXT")]
        reason: String,
    },
}

pub async fn run(global: &Global, args: JobsArgs) -> anyhow::Result<Exit> {
    let Some(action) = args.action else { return list(global).await };
    let store = global.store().await?;
    let tell = |said: String, json: serde_json::Value| {
        if global.json { text::print_json(&json) } else { text::print(&(said + "\n")) }
    };
    match action {
        Action::History { job, limit } => {
            let job = Job::find(&global.jobs, &job)?.name;
            let events = jobs::events(&mut store.snapshot().await?, Some(&job), limit).await?;
            if global.json {
                text::print_json(&events)?;
            } else {
                text::print(&history(&events).render(Style::of_stdout(), 0))?;
            }
        }
        Action::Pause { job, reason } => {
            let job = Job::find(&global.jobs, &job)?.name;
            let changed = store.pause_job(&job, &user(), &reason).await?;
            let said = if changed { "paused" } else { "is paused already" };
            tell(format!("{job} {said}"), serde_json::json!({ "job": job, "changed": changed }))?;
        }
        Action::Resume { job } => {
            let job = Job::find(&global.jobs, &job)?.name;
            let changed = store.resume_job(&job, &user()).await?;
            let said = if changed { "resumed" } else { "is not paused" };
            tell(format!("{job} {said}"), serde_json::json!({ "job": job, "changed": changed }))?;
        }
        Action::Cancel { job, date, reason } => {
            let job = Job::find(&global.jobs, &job)?.name;
            let cancelled = store.cancel_run(&job, date, &user(), &reason).await?;
            let date = &cancelled.business_date;
            let said = match &cancelled.holder {
                Some(holder) => format!("{job} for {date} cancelled; {holder} can write no more"),
                None => format!("{job} for {date} cancelled before it began"),
            };
            tell(said, serde_json::to_value(&cancelled)?)?;
        }
    }
    Ok(Exit::Ok)
}

async fn list(global: &Global) -> anyhow::Result<Exit> {
    let jobs = Job::read_all(&global.jobs)?;
    let store = global.store().await?;
    let mut db = store.snapshot().await?;
    let mut statuses = Vec::new();
    for job in jobs.values() {
        statuses.push(due::status(&mut db, job, clock::now()).await?);
    }
    if global.json {
        text::print_json(&statuses)?;
        return Ok(Exit::Ok);
    }
    if statuses.is_empty() {
        eprintln!("no jobs in {}", global.jobs.display());
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&[
        ("job", Align::Left, 20),
        ("state", Align::Left, 10),
        ("last", Align::Left, 12),
        ("for", Align::Left, 10),
        ("started (UTC)", Align::Left, 20),
        ("took", Align::Right, 10),
        ("failed", Align::Right, 6),
        ("last success", Align::Left, 12),
        ("next due", Align::Left, 30),
        ("why", Align::Left, 60),
    ]);
    for status in &statuses {
        table.row(row(status));
    }
    text::print(&table.render(Style::of_stdout(), 0))?;
    Ok(Exit::Ok)
}

fn row(status: &JobStatus) -> Vec<String> {
    let last = status.last.as_ref();
    let last_text =
        |pick: fn(&Attempt) -> &str| last.map_or(String::new(), |attempt| pick(attempt).to_owned());
    let next = match (&status.due_now, &status.next_due_at) {
        (Some(date), _) => format!("now, for {date}"),
        (None, Some(at)) => at.clone(),
        (None, None) => "only by hand".to_owned(),
    };
    let why = match (&status.waits_for, status.dates.iter().find(|date| !date.is_done())) {
        (Some(reason), _) => reason.clone(),
        (None, Some(date)) if date.retry_at.is_some() => {
            let again = date.retry_at.as_deref().unwrap_or_default();
            format!("{} again at {again}: {}", date.business_date, date.detail)
        }
        _ => last_text(|attempt| &attempt.detail),
    };
    let tries = status.dates.iter().find(|date| !date.is_done()).map_or(0, |date| date.tries);
    vec![
        status.job.clone(),
        status.state.replace('_', " "),
        last.map_or_else(|| "never".to_owned(), |attempt| attempt.outcome.clone()),
        last_text(|attempt| &attempt.business_date),
        last_text(|attempt| &attempt.started_at),
        status.last_seconds.map_or(String::new(), |seconds| format!("{seconds} s")),
        tries.to_string(),
        status
            .last_success
            .as_ref()
            .map_or_else(|| "never".to_owned(), |attempt| attempt.business_date.clone()),
        next,
        why,
    ]
}

fn history(events: &[JobEvent]) -> Table {
    let mut table = Table::new(&[
        ("at (UTC)", Align::Left, 20),
        ("date", Align::Left, 10),
        ("what", Align::Left, 10),
        ("attempt", Align::Right, 8),
        ("by", Align::Left, 32),
        ("detail", Align::Left, 80),
    ]);
    for event in events {
        table.row(vec![
            event.at.clone(),
            event.business_date.clone(),
            event.what.replace('_', " "),
            event.attempt_id.map_or(String::new(), |attempt_id| attempt_id.to_string()),
            event.actor.clone(),
            event.detail.clone(),
        ]);
    }
    table
}
