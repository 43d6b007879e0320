use chrono::Utc;
use clap::Args;

use super::Global;
use super::text::{self, Align, Style, Table};
use crate::config::{Exit, Job};
use crate::jobs::due::{self, JobStatus};

#[derive(Args)]
pub struct JobsArgs {}

pub async fn run(global: &Global, _args: JobsArgs) -> anyhow::Result<Exit> {
    let jobs = Job::read_all(&global.jobs)?;
    let store = global.store().await?;
    let mut db = store.snapshot().await?;
    let mut statuses = Vec::new();
    for job in jobs.values() {
        statuses.push(due::status(&mut db, job, Utc::now()).await?);
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
        ("last", Align::Left, 12),
        ("for", Align::Left, 10),
        ("started (UTC)", Align::Left, 20),
        ("took", Align::Right, 10),
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
    let last_text = |pick: fn(&crate::store::read::runs::Attempt) -> &str| {
        last.map_or(String::new(), |attempt| pick(attempt).to_owned())
    };
    let next = match (&status.due_now, &status.next_due_at) {
        (Some(date), _) => format!("now, for {date}"),
        (None, Some(at)) => at.clone(),
        (None, None) => "only by hand".to_owned(),
    };
    vec![
        status.job.clone(),
        last.map_or_else(|| "never".to_owned(), |attempt| attempt.outcome.clone()),
        last_text(|attempt| &attempt.business_date),
        last_text(|attempt| &attempt.started_at),
        status.last_seconds.map_or(String::new(), |seconds| format!("{seconds} s")),
        status
            .last_success
            .as_ref()
            .map_or_else(|| "never".to_owned(), |attempt| attempt.business_date.clone()),
        next,
        last_text(|attempt| &attempt.detail),
    ]
}
