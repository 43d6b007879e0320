use clap::Args;
use granary_models::calendar::Day;
use serde::Serialize;

use super::Global;
use super::run::run_job;
use super::text::{self, Align, Style, Table};
use crate::config::{Exit, Job, Refused};
use crate::jobs::backfill::{self, Step};

#[derive(Args)]
pub struct BackfillArgs {
    /// Name of a job: a file in the jobs folder, without `.toml`.
    #[arg(value_name = "JOB")]
    job: String,
    /// First business date.
    #[arg(long, value_name = "YYYY-MM-DD")]
    from: Day,
    /// Last business date.
    #[arg(long, value_name = "YYYY-MM-DD")]
    to: Day,
    /// Only list the dates, and why each would run or not.
    #[arg(long)]
    dry_run: bool,
    /// Also run dates that have a published plan; it is replaced.
    #[arg(long)]
    again: bool,
}

/// A date and what came of it.
#[derive(Serialize)]
struct Line {
    #[serde(flatten)]
    step: Step,
    /// `published`, `held`, `failed`; nothing where it did not run.
    outcome: Option<&'static str>,
    detail: String,
}

pub async fn run(global: &Global, args: BackfillArgs) -> anyhow::Result<Exit> {
    let job = Job::find(&global.jobs, &args.job)?;
    let store = global.store().await?;
    let steps = backfill::plan(&store, &job, args.from, args.to, args.again).await?;
    let mut lines = Vec::new();
    let mut exit = Exit::Ok;
    // One run at work stops all: the dates are run in order or not at all.
    let mut stopped = false;
    for step in steps {
        let mut line = Line { step, outcome: None, detail: String::new() };
        if line.step.to_run && !args.dry_run && !stopped {
            match run_job(global, &store, &job, Some(line.step.business_date)).await {
                Ok(outcome) => {
                    let held = !outcome.held_because.is_empty();
                    line.outcome = Some(if held { "held" } else { "published" });
                    line.detail = match held {
                        true => outcome.held_because.join(", "),
                        false => format!("{} lines", outcome.counts.lines),
                    };
                    exit = first_trouble(exit, outcome.exit());
                }
                Err(error) => {
                    let code = error
                        .downcast_ref::<Refused>()
                        .map_or(Exit::Failed, |refused| refused.exit);
                    exit = first_trouble(exit, code);
                    stopped = code == Exit::LockHeld;
                    line.outcome = Some("failed");
                    line.detail = format!("{error:#}");
                }
            }
        } else if stopped && line.step.to_run {
            line.detail = "not reached".to_owned();
        }
        lines.push(line);
    }
    report(global, &lines)?;
    Ok(exit)
}

fn first_trouble(before: Exit, now: Exit) -> Exit {
    if before == Exit::Ok { now } else { before }
}

fn report(global: &Global, lines: &[Line]) -> anyhow::Result<()> {
    if global.json {
        return text::print_json(&lines);
    }
    let mut table = Table::new(&[
        ("date", Align::Left, 10),
        ("", Align::Left, 5),
        ("why", Align::Left, 50),
        ("outcome", Align::Left, 10),
        ("detail", Align::Left, 60),
    ]);
    for line in lines {
        table.row(vec![
            line.step.business_date.to_string(),
            if line.step.to_run { "run" } else { "leave" }.to_owned(),
            line.step.why.clone(),
            line.outcome.unwrap_or_default().to_owned(),
            line.detail.clone(),
        ]);
    }
    text::print(&table.render(Style::of_stdout(), 0))
}
