//! A backtest of an analyst's own table: rolling origins, every model's forecasts, their scores.
//!
//! `read` and `table` make series of a file, `windows` forecasts from what was known at each
//! cutoff, `checkpoint` keeps finished windows, `write`, `scores` and `report` make the files.

mod checkpoint;
mod drivers;
mod folder;
pub(super) mod freq;
mod levels;
mod outcome;
pub(super) mod pieces;
pub(super) mod read;
mod rejections;
pub(super) mod report;
mod scores;
pub(super) mod table;
pub(super) mod windows;
pub(super) mod write;

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use granary_models::backtest::levels::Reconcile;
use granary_models::backtest::panel::Wanted;
use granary_models::backtest::partial::PartialDays;
use granary_models::forecast::model::Model;
use serde::Serialize;

use checkpoint::{Checkpoints, Shape, WindowFacts};
use drivers::{FileTold, read_with};
use windows::{Plan, forecast_window};

pub use drivers::DriverConfig;
pub use drivers::declare::Declared;
pub(super) use folder::Unfinished;
pub use freq::Freq;
pub use outcome::{Outcome, Scores};
pub use read::{Columns, read_table};
pub use table::{Books, LongTable};

/// What a backtest makes, beside a folder of its own while it runs.
pub const FILES: [&str; 5] =
    ["forecasts.parquet", "scores.parquet", "effects.parquet", "scores.json", "report.html"];

/// What is wanted, and everything that the result depends on beside the table.
#[derive(Clone, Debug)]
pub struct BacktestConfig {
    pub input: PathBuf,
    pub out: PathBuf,
    pub freq: Freq,
    pub horizon: usize,
    pub windows: usize,
    /// Steps between two cutoffs.
    pub step: usize,
    /// The frequency's usual ones without it.
    /// What a day on which the stock ran out tells.
    pub partial_days: PartialDays,
    /// Whether the choice per series is brought into line with forecasts of its sums.
    pub reconcile: Reconcile,
    /// Whether cutoffs are counted from each series' own end.
    pub align_ends: bool,
    pub seasons: Option<Vec<usize>>,
    /// The seasonal naive is always run beside them.
    pub models: Vec<Wanted>,
    pub columns: Columns,
    /// What is known beside the table.
    pub drivers: DriverConfig,
    /// Forgets finished windows of an earlier run.
    pub fresh: bool,
    /// Worker threads of the numerical part; 0 takes every core.
    pub threads: usize,
}

/// What decides the bytes of the files, or whether finished windows are still of use.
#[derive(Serialize)]
struct Settings<'a> {
    version: &'a str,
    build: String,
    digest: &'a str,
    freq: Freq,
    horizon: usize,
    windows: usize,
    step: usize,
    seasons: &'a Option<Vec<usize>>,
    partial_days: PartialDays,
    reconcile: Reconcile,
    align_ends: bool,
    models: Vec<&'a str>,
    columns: &'a Columns,
    /// Digests of the files beside the table.
    files: Vec<&'a str>,
    declared: &'a Declared,
    country: &'a Option<String>,
}

impl BacktestConfig {
    fn wanted(&self) -> Vec<Wanted> {
        let naive = Wanted::Model(Model::SeasonalNaive);
        let mut wanted: Vec<Wanted> = Vec::new();
        for model in self.models.iter().copied().chain([naive]) {
            if !wanted.contains(&model) {
                wanted.push(model);
            }
        }
        wanted
    }

    fn key(&self, digest: &str, files: &[FileTold]) -> anyhow::Result<String> {
        let settings = Settings {
            version: env!("CARGO_PKG_VERSION"),
            build: build(),
            digest,
            freq: self.freq,
            horizon: self.horizon,
            windows: self.windows,
            step: self.step,
            seasons: &self.seasons,
            partial_days: self.partial_days,
            reconcile: self.reconcile,
            align_ends: self.align_ends,
            models: self.wanted().into_iter().map(Wanted::as_str).collect(),
            columns: &self.columns,
            files: files.iter().map(|told| told.blake3.as_str()).collect(),
            declared: &self.drivers.declared,
            country: &self.drivers.country,
        };
        Ok(blake3::hash(&serde_json::to_vec(&settings)?).to_hex().to_string())
    }
}

/// Tells this program's file from another build of the same version, whose finished windows may
/// differ. It decides only whether a run goes on.
fn build() -> String {
    let file = std::env::current_exe().and_then(std::fs::metadata);
    let told = file.and_then(|file| Ok((file.len(), file.modified()?)));
    told.map_or_else(|_| String::new(), |(length, at)| format!("{length} {at:?}"))
}

/// Runs a backtest, or goes on with one that was killed. `on_stage` hears what is being done,
/// `on_note` what the user should know.
///
/// # Errors
/// A table that is refused, arguments that do not fit it, and failures to write.
pub fn run(
    config: &BacktestConfig,
    on_stage: &(dyn Fn(&str) + Send + Sync),
    on_note: &(dyn Fn(&str) + Send + Sync),
) -> anyhow::Result<Outcome> {
    // The numbers are made on threads of their own; async never sees them.
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(config.threads)
        .build()
        .context("cannot start the worker threads")?;
    pool.install(|| backtest(config, on_stage, on_note))
}

fn backtest(
    config: &BacktestConfig,
    on_stage: &(dyn Fn(&str) + Send + Sync),
    on_note: &(dyn Fn(&str) + Send + Sync),
) -> anyhow::Result<Outcome> {
    on_stage("reading");
    let mut table =
        read_with(&config.input, config.freq, &config.columns, &config.drivers, on_stage)?;
    table.notes.iter().for_each(|note| on_note(note));
    if config.align_ends {
        table.align_ends();
        on_note("cutoffs lie before each series' own end");
    }
    let digest = crate::sources::digest(&config.input)?;
    let files = config.drivers.files()?;
    let mut plan = Plan::new(
        &table,
        config.horizon,
        config.windows,
        config.step,
        config.seasons.as_deref(),
        config.partial_days,
        config.wanted(),
    )?;
    plan.forecast.reconcile = config.reconcile;
    drivers::look_ahead(&mut table, &plan).iter().for_each(|note| on_note(note));
    let shape = Shape {
        series: table.len(),
        models: plan.wanted.len(),
        horizon: plan.horizon,
        windows: plan.cutoffs.len(),
    };
    let out = &config.out;
    std::fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    let key = config.key(&digest, &files)?;
    let (checkpoints, replaced) = Checkpoints::open(out, &key, shape, config.fresh)?;
    if replaced {
        on_note("the table, the arguments or the program changed: starting over");
    }
    let facts = forecast_windows(&table, &plan, &checkpoints, on_stage, on_note)?;

    let mut book = None;
    checkpoints.put(FILES[0], |file| {
        let made = write::forecasts(file, &table, &plan, shape, &checkpoints, &|series| {
            on_stage(&format!("scoring, {series} of {} series", shape.series));
        })?;
        book = Some(made);
        Ok(())
    })?;
    let book = book.context("nothing was scored")?;
    on_stage("writing");
    checkpoints.put(FILES[1], |file| write::scores(file, &table, &plan, shape, &book))?;
    checkpoints.put(FILES[2], |file| write::effects(file, &table, &plan, &facts))?;
    let name = crate::sources::file_name(&config.input);
    let scores = Scores::new((&name, &digest), files, config, &table, &plan, &facts, &book);
    let json = serde_json::to_vec_pretty(&scores)?;
    checkpoints.put(FILES[3], |file| Ok(file.write_all(&json)?))?;
    let page = report::page(&scores, &table, &plan, &facts, &book)?;
    checkpoints.put(FILES[4], |file| Ok(file.write_all(page.as_bytes())?))?;
    checkpoints.publish(out, &FILES)?;
    Ok(Outcome { scores, out: out.clone() })
}

/// Forecasts every window that is not finished yet.
fn forecast_windows(
    table: &LongTable,
    plan: &Plan,
    checkpoints: &Checkpoints,
    on_stage: &(dyn Fn(&str) + Send + Sync),
    on_note: &(dyn Fn(&str) + Send + Sync),
) -> anyhow::Result<Vec<WindowFacts>> {
    let mut facts = Vec::with_capacity(plan.cutoffs.len());
    let mut kept = 0;
    for (at, &cutoff) in plan.cutoffs.iter().enumerate() {
        if let Some(finished) = checkpoints.finished(at) {
            facts.push(finished);
            kept += 1;
            continue;
        }
        let label = table.clock.text(cutoff);
        on_stage(&format!("window {} of {}, from {label}", at + 1, plan.cutoffs.len()));
        let window = forecast_window(table, plan, cutoff)
            .with_context(|| format!("forecasting from {label}"))?;
        facts.push(checkpoints.write(at, &window, plan)?);
    }
    if kept > 0 {
        on_note(&format!("windows that an earlier run had finished: {kept} of {}", facts.len()));
    }
    Ok(facts)
}
