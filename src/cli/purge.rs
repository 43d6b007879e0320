//! Removes what is older than its retention.

use clap::Args;
use granary_models::calendar::Day;

use super::Global;
use super::text::{self, Align, Style, Table};
use crate::config::{Exit, Job, JobKind, Refused, clock};
use crate::jobs::purge::{self, Purged};
use crate::store::Store;

#[derive(Args)]
pub struct PurgeArgs {
    /// A job of the kind `purge`; its [retention] says what goes.
    #[arg(value_name = "JOB")]
    job: String,
    /// Only count.
    #[arg(long)]
    dry_run: bool,
}

pub async fn run(global: &Global, args: PurgeArgs) -> anyhow::Result<Exit> {
    let job = Job::find(&global.jobs, &args.job)?;
    let store = global.store().await?;
    let today = Day::from(clock::now().date_naive());
    let purged = run_job(&store, &job, today, args.dry_run).await?;
    if global.json {
        text::print_json(&purged)?;
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&[
        ("table", Align::Left, 20),
        ("kept days", Align::Right, 10),
        ("before", Align::Left, 12),
        (if args.dry_run { "rows that would go" } else { "rows gone" }, Align::Right, 20),
    ]);
    for Purged { name, days, before, rows } in purged {
        table.row(vec![name, days.to_string(), before.to_string(), rows.to_string()]);
    }
    text::print(&table.render(Style::of_stdout(), 0))?;
    Ok(Exit::Ok)
}

/// Carries out a purge job.
pub async fn run_job(
    store: &Store,
    job: &Job,
    today: Day,
    dry_run: bool,
) -> anyhow::Result<Vec<Purged>> {
    if job.kind != JobKind::Purge {
        let message = format!("{} is not a purge job; its kind is another", job.name);
        return Err(Refused::new(Exit::Usage, message).into());
    }
    let now = clock::stamp(clock::now());
    purge::purge(store, &job.retention, today, &now, dry_run).await
}
