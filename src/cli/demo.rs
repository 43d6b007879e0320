use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use granary_models::calendar::Day;

use super::plan::PlanArgs;
use super::progress::Stages;
use super::{Global, plan, run};
use crate::config::{Exit, Job, Refused, Table};
use crate::jobs::demo::{DemoConfig, DemoManifest, write_demo};
use crate::jobs::import::{ImportOptions, import_files};
use crate::sources::Map;
use crate::store::Store;

/// Says that a folder is a demo's, so that a re-run may replace what is in it.
const MARKER: &str = "granary-demo.txt";
const MARKER_TEXT: &str = "Made by `granary demo`, which replaces it when run again.\n";

/// The demo's own job: the shipped nightly, wherever the demo is started.
const JOB: &str = include_str!("../../jobs/nightly.toml");

#[derive(Args)]
pub struct DemoArgs {
    /// Items of the retailer.
    #[arg(long, default_value_t = 2000)]
    items: usize,
    /// Days of history.
    #[arg(long, default_value_t = 730)]
    days: usize,
    /// Another seed is another retailer.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Business date to plan for.
    #[arg(long, value_name = "YYYY-MM-DD", default_value_t = DemoConfig::default().business_date)]
    date: Day,
    /// Folder for the retailer's files and database.
    #[arg(long, value_name = "DIR", default_value = "granary-demo")]
    out: PathBuf,
}

pub async fn run(global: &Global, args: DemoArgs) -> anyhow::Result<Exit> {
    let config = DemoConfig {
        items: args.items,
        days: args.days,
        seed: args.seed,
        business_date: args.date,
    };
    config.check().map_err(|error| Refused::new(Exit::Usage, error.to_string()))?;
    prepare(&args.out)?;
    let db = args.out.join("granary.db").display().to_string();
    let global = Global { db: Some(db.clone()), ..global.clone() };

    let stages = Stages::new();
    let dir = args.out.clone();
    let manifest = write_demo(&config, &dir, |stage| stages.begin(stage))?;
    stages.finish();
    eprintln!(
        "{} items, {} series, {} sales rows written to {}",
        manifest.items,
        manifest.series,
        manifest.sales_rows,
        args.out.join("in").display()
    );
    let store = global.store().await?;
    import(&store, &manifest).await?;
    let job = Job::parse(JOB, "nightly").map_err(anyhow::Error::msg)?;
    let outcome = run::run_job(&global, &store, &job, Some(args.date)).await?;
    if global.json {
        println!("{}", serde_json::to_string_pretty(&outcome)?);
        return Ok(Exit::Ok);
    }
    run::print_outcome(&outcome);
    println!();
    plan::run(&global, PlanArgs::newest()).await?;
    println!(
        "\nNext: granary --db {db} serve --no-jobs   the plan as a page on http://127.0.0.1:8787/"
    );
    println!("      granary --db {db} plan --limit 50    and: explain, export, jobs, doctor");
    // A demo whose gates hold a line has shown what gates are for; it has not failed.
    Ok(Exit::Ok)
}

const DATABASE_FILES: [&str; 5] =
    ["granary.db", "granary.db-wal", "granary.db-shm", "granary.db.lock", "granary.db.migrate"];

/// Makes the folder, or empties it when an earlier demo made it.
fn prepare(out: &Path) -> anyhow::Result<()> {
    let marker = out.join(MARKER);
    if out.exists() && !marker.exists() {
        let empty = out.is_dir() && std::fs::read_dir(out)?.next().is_none();
        if !empty {
            let message =
                format!("{} exists and is not a demo's; choose another --out", out.display());
            return Err(Refused::new(Exit::Usage, message).into());
        }
    }
    for old in ["in", "truth"] {
        let path = out.join(old);
        if path.exists() {
            std::fs::remove_dir_all(&path)
                .with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    for old in DATABASE_FILES {
        let path = out.join(old);
        if path.exists() {
            std::fs::remove_file(&path)
                .with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    std::fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    std::fs::write(&marker, MARKER_TEXT)
        .with_context(|| format!("cannot write {}", marker.display()))
}

/// The ordinary import, one kind after the other.
async fn import(store: &Store, manifest: &DemoManifest) -> anyhow::Result<()> {
    let stages = Stages::new();
    for group in manifest.files.chunk_by(|a, b| a.0 == b.0) {
        let kind = group[0].0;
        let table = Table::named(kind).with_context(|| format!("no input table {kind:?}"))?;
        let files: Vec<PathBuf> = group.iter().map(|(_, path)| path.clone()).collect();
        stages.begin(&format!("import {kind}"));
        let options = ImportOptions::default();
        let report = import_files(store, table, &files, &Map::default(), &options, |_| {}).await?;
        let books = report.table(kind).map(|report| report.total).unwrap_or_default();
        if let Some(reason) = report.refused {
            return Err(Refused::new(Exit::DataRejected, format!("{kind}: {reason}")).into());
        }
        if books.rejected > 0 || books.duplicate > 0 {
            eprintln!(
                "{kind}: {} rows read, {} loaded, {} duplicate, {} rejected",
                books.read, books.loaded, books.duplicate, books.rejected
            );
        }
    }
    stages.finish();
    Ok(())
}
