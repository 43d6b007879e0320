//! Copies of an SQLite database, and the way back.

use std::path::PathBuf;

use clap::Args;

use super::Global;
use super::text;
use crate::config::{Database, Exit, Refused};
use crate::jobs::backup::{self, BackupReport};

#[derive(Args)]
pub struct BackupArgs {
    /// File to write; it must not be there yet.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Args)]
pub struct RestoreArgs {
    /// What `granary backup` wrote.
    #[arg(value_name = "FILE")]
    backup: PathBuf,
}

pub async fn run(global: &Global, args: BackupArgs) -> anyhow::Result<Exit> {
    let store = global.store().await?;
    let report = backup::backup(&store, &args.out).await?;
    tell(global, "written", &report)
}

pub async fn restore(global: &Global, args: RestoreArgs) -> anyhow::Result<Exit> {
    let Database::Sqlite(path) = global.database()? else {
        let message = "PostgreSQL is restored with pg_restore; see docs/operating.md";
        return Err(Refused::new(Exit::Usage, message).into());
    };
    let report = backup::restore(&args.backup, &path).await?;
    tell(global, "restored", &report)
}

fn tell(global: &Global, what: &str, report: &BackupReport) -> anyhow::Result<Exit> {
    if global.json {
        text::print_json(report)?;
        return Ok(Exit::Ok);
    }
    let megabytes = report.bytes as f64 / 1e6;
    text::print(&format!(
        "{} {what}: {megabytes:.1} MB, schema {}, blake3 {}\n",
        report.file.display(),
        report.schema,
        report.digest
    ))?;
    Ok(Exit::Ok)
}
