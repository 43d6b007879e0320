use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use granary_models::calendar::Day;

use super::Global;
use super::text::{self, plain};
use crate::config::{Exit, Job, Refused};
use crate::jobs::import::{NamedRejection, write_rejections};
use crate::jobs::nightly;
use crate::jobs::sources::{PullOptions, PullReport, SourceReport, pull};
use crate::sources::isolated;

#[derive(Args)]
pub struct PullArgs {
    /// Name of a job: a file in the jobs folder, without `.toml`.
    #[arg(value_name = "JOB")]
    job: String,
    /// Business date, for `:business_date` and `:from` in queries [default: as for `granary run`].
    #[arg(long, value_name = "YYYY-MM-DD")]
    date: Option<Day>,
    /// Read, check and print the books, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Take columns that are missing or of another type than before as they are now.
    #[arg(long)]
    accept_schema: bool,
    /// Where rejected rows go as CSV [default: <db>.rejections.csv].
    #[arg(long, value_name = "FILE")]
    rejections: Option<PathBuf>,
}

pub async fn run(global: &Global, args: PullArgs) -> anyhow::Result<Exit> {
    let job = Job::find(&global.jobs, &args.job)?;
    if job.sources.is_empty() {
        let message = format!("the job {} has no [[sources]]; see docs/sources.md", job.name);
        return Err(Refused::new(Exit::Usage, message).into());
    }
    let store = global.store().await?;
    let date = match args.date {
        Some(date) => date,
        None => nightly::default_business_date(&store, &job).await?,
    };
    let options = PullOptions { dry_run: args.dry_run, accept_schema: args.accept_schema };
    let report = pull(&store, &job, date, options).await;
    let rejections: Vec<&NamedRejection> =
        report.sources.iter().flat_map(|source| &source.rejections).collect();
    if !rejections.is_empty() {
        let path = args.rejections.unwrap_or_else(|| {
            let beside = store.path().unwrap_or(Path::new("granary"));
            let mut name = beside.as_os_str().to_owned();
            name.push(".rejections.csv");
            PathBuf::from(name)
        });
        write_rejections(rejections.iter().copied(), &path)?;
        eprintln!("{} rejected rows: {}", rejections.len(), path.display());
    }
    if global.json {
        text::print_json(&report)?;
    } else {
        print(&report)?;
    }
    report.complete().with_context(|| format!("job {} for {date}", job.name))?;
    Ok(Exit::Ok)
}

/// The limited child that reads one file for its parent.
pub fn read_rows() -> anyhow::Result<Exit> {
    isolated::serve()?;
    Ok(Exit::Ok)
}

fn print(report: &PullReport) -> anyhow::Result<()> {
    let mut out = format!(
        "{:<16} {:<16} {:>11} {:>11} {:>11} {:>11} {:>11}\n",
        "source", "table", "read", "loaded", "duplicate", "rejected", "replaced"
    );
    for source in &report.sources {
        print_source(source, &mut out);
    }
    if let Some(stopped) = &report.stopped {
        out.push_str(&format!("stopped at {}\n", stopped.source));
    } else if report.dry_run {
        out.push_str("dry run: nothing was changed\n");
    }
    text::print(&out)
}

fn print_source(source: &SourceReport, out: &mut String) {
    let totals = source.totals();
    if totals.is_empty() {
        out.push_str(&format!("{:<16} {:<16} {:>11}\n", source.source, source.kind, "nothing new"));
    }
    for (table, books) in totals {
        out.push_str(&format!(
            "{:<16} {:<16} {:>11} {:>11} {:>11} {:>11} {:>11}\n",
            source.source,
            table,
            books.read,
            books.loaded,
            books.duplicate,
            books.rejected,
            books.replaced
        ));
    }
    if source.from != "query" {
        let (new, same) = (source.loads.len(), source.files_unchanged);
        out.push_str(&format!("  {new} files read, {same} known already\n"));
    }
    for (name, why) in &source.files_left {
        out.push_str(&format!("  left alone: {}: {}\n", plain(name), plain(why)));
    }
    if source.watermark != source.watermark_before {
        let text = |mark: &Option<String>| mark.clone().unwrap_or_else(|| "the start".to_owned());
        let (before, after) = (text(&source.watermark_before), text(&source.watermark));
        out.push_str(&format!("  watermark: {before} → {after}\n"));
    }
    for note in &source.notes {
        out.push_str(&format!("  note: {}\n", plain(note)));
    }
}
