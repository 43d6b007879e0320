//! A simulation of an analyst's own table: policies replayed over its demand, side by side.
//!
//! `options` is what the TOML says, `columns` and `setting` make items of a table, the models play,
//! `summary`, `write` and `report` make the files.

mod columns;
mod options;
mod report;
mod setting;
mod summary;
mod write;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use granary_models::simulate::item::SimulateError;
use granary_models::simulate::run::simulate;

use super::backtest::{Columns, Freq, Unfinished, read_table};
use crate::config::{Exit, Refused};
use options::Options;
use setting::Setting;
use summary::{Input, Priced};

pub use options::Options as SimulateOptions;
pub use summary::{Business, Outcome, PolicySummary, Summary};

/// What a simulation makes, all of them or none.
pub const FILES: [&str; 4] = ["periods.parquet", "series.parquet", "summary.json", "report.html"];

/// What is wanted.
#[derive(Clone, Debug)]
pub struct SimulateConfig {
    pub input: PathBuf,
    pub options: PathBuf,
    pub out: PathBuf,
    /// Instead of the options' own.
    pub freq: Option<Freq>,
    pub seasons: Option<Vec<usize>>,
    pub columns: Columns,
    /// Worker threads of the numerical part; 0 takes every core.
    pub threads: usize,
}

/// Plays every policy and writes the files. `on_stage` hears what is being done, `on_note` what the
/// user should know.
///
/// # Errors
/// Options or a table that are refused, and failures to write.
pub fn run(
    config: &SimulateConfig,
    on_stage: &(dyn Fn(&str) + Send + Sync),
    on_note: &(dyn Fn(&str) + Send + Sync),
) -> anyhow::Result<Outcome> {
    // The numbers are made on threads of their own; async never sees them.
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(config.threads)
        .build()
        .context("cannot start the worker threads")?;
    pool.install(|| simulation(config, on_stage, on_note))
}

fn usage(message: String) -> anyhow::Error {
    Refused::new(Exit::Usage, message).into()
}

/// The frequency of the arguments, or that of the options.
fn freq(config: &SimulateConfig, options: &Options) -> anyhow::Result<Freq> {
    if let Some(freq) = config.freq {
        return Ok(freq);
    }
    let told = options.freq.as_deref().ok_or_else(|| {
        usage(format!("{}: freq is missing; legal is D, W, M, H, 1", config.options.display()))
    })?;
    let place = config.options.display();
    Freq::parse(told)
        .ok_or_else(|| usage(format!("{place}: freq is {told:?}; legal is D, W, M, H, 1")))
}

fn simulation(
    config: &SimulateConfig,
    on_stage: &(dyn Fn(&str) + Send + Sync),
    on_note: &(dyn Fn(&str) + Send + Sync),
) -> anyhow::Result<Outcome> {
    on_stage("reading");
    let options = Options::read(&config.options)?;
    let freq = freq(config, &options)?;
    let mut table = read_table(&config.input, freq, &config.columns, &|rows| {
        on_stage(&format!("reading, {rows} rows"));
    })?;
    if freq == Freq::Step {
        table.align_ends();
    }
    let digest = crate::sources::digest(&config.input)?;
    let seasons = config.seasons.clone().or_else(|| {
        options.season.as_ref().map(|all| all.iter().map(|&season| season as usize).collect())
    });
    let folder = config.options.parent().unwrap_or(Path::new("."));
    let setting =
        Setting::new(&table, &config.input, folder, &config.columns, &options, seasons.as_deref())?;
    let used: Vec<&str> = options.numbers().iter().filter_map(|(_, v, ..)| v.column()).collect();
    let notes = notes(&table.notes, &used);
    notes.iter().for_each(|note| on_note(note));
    let policies = options.policies().map_err(usage)?.0;
    let out = &config.out;
    std::fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    let files = Unfinished::open(out, ".simulate", "simulation")?;
    files.clear()?;
    let (world, periods) = (setting.world(&table), setting.rules.periods);
    let played = simulate(&world, &setting.rules, &policies, &|period| {
        on_stage(&format!("period {} of {periods}", period + 1));
    });
    let played = played.map_err(|error| explained(error, &table.ids))?;
    on_stage("writing");
    let priced = Priced { setting: &setting, simulation: &played };
    files.put(FILES[0], |file| write::periods(file, &table, &policies, &priced))?;
    files.put(FILES[1], |file| write::series(file, &table, &policies, &priced))?;
    let input = Input {
        file: crate::sources::file_name(&config.input),
        blake3: digest,
        series: table.len(),
        qty_decimals: setting.decimals,
        books: table.books,
        notes,
    };
    let summary = Summary::new(input, &options, &table, &policies, &priced);
    let json = serde_json::to_vec_pretty(&summary)?;
    files.put(FILES[2], |file| Ok(file.write_all(&json)?))?;
    let page = report::page(&summary, &table, &priced)?;
    files.put(FILES[3], |file| Ok(file.write_all(page.as_bytes())?))?;
    files.publish(out, &FILES)?;
    Ok(Outcome { summary, out: out.clone() })
}

/// The table's notes, without what is not true here: the columns that the options use are used, and
/// nothing has windows.
fn notes(told: &[String], used: &[&str]) -> Vec<String> {
    const UNUSED: &str = "columns that are not used: ";
    let mut notes = Vec::new();
    for note in told {
        match note.strip_prefix(UNUSED) {
            None => notes.push(note.replace(", in no score", "").replace(", in no window", "")),
            Some(list) => {
                let free = list
                    .split(", ")
                    .filter(|name| !used.iter().any(|used| used.eq_ignore_ascii_case(name)));
                let free: Vec<&str> = free.collect();
                if !free.is_empty() {
                    notes.push(format!("{UNUSED}{}", free.join(", ")));
                }
            }
        }
    }
    notes
}

/// The models know series by their places.
fn explained(error: SimulateError, ids: &[Box<str>]) -> anyhow::Error {
    let message = match &error {
        SimulateError::Item { series, what, value, legal } => {
            format!("series {:?}: {what} is {value}; legal is {legal}", ids[*series])
        }
        SimulateError::Books { policy, series, period } => {
            return anyhow::anyhow!(
                "the books of {policy} do not balance for series {:?} in simulated period {}",
                ids[*series],
                period + 1
            );
        }
        SimulateError::Rule { .. } | SimulateError::Input(_) => error.to_string(),
    };
    usage(message)
}
