//! Finished windows on disk, so that a killed run goes on where it was.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Context;
use granary_models::backtest::levels::earn::Reconciliation;
use granary_models::backtest::panel::EffectRow;
use granary_models::forecast::demand_class::DemandClass;
use polars::prelude::*;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::folder::{Unfinished, wrong};
use super::pieces::{Pieces, named};
use super::windows::{Plan, Window};

/// Rows of a row group, and of what is in memory at a time.
const ROWS_AT_A_TIME: usize = 200_000;
/// The mean and the nine quantiles.
pub const VALUES: usize = 10;
pub const VALUE_NAMES: [&str; VALUES] =
    ["mean", "q0.01", "q0.05", "q0.1", "q0.25", "q0.5", "q0.75", "q0.9", "q0.95", "q0.99"];
const RUN_FILE: &str = "run.json";

/// What is told of a finished window beside its forecasts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WindowFacts {
    /// Series of which nothing was known, with their category's forecast.
    pub fallbacks: usize,
    /// Units of the models in one of the table.
    pub unit: f64,
    /// Findings of each model by code.
    pub findings: BTreeMap<String, BTreeMap<String, usize>>,
    /// What the pooled regression learned; empty when it took no part.
    pub effects: Vec<EffectRow>,
    /// What bringing the choice per series into line with its sums did.
    pub reconciled: Option<Reconciliation>,
}

/// Sizes that say where a row is: rows are ordered by series, model and step of the horizon.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub series: usize,
    pub models: usize,
    pub horizon: usize,
    pub windows: usize,
}

impl Shape {
    /// Rows of one series after one cutoff.
    pub fn block(&self) -> usize {
        self.models * self.horizon
    }

    /// Series that are worked on at a time.
    pub fn series_at_a_time(&self) -> usize {
        (ROWS_AT_A_TIME / (self.block() * self.windows)).max(1)
    }

    /// Ranges of series that are worked on one after the other.
    pub fn pieces(self) -> impl Iterator<Item = std::ops::Range<usize>> {
        let size = self.series_at_a_time();
        (0..self.series).step_by(size).map(move |from| from..self.series.min(from + size))
    }
}

#[derive(Serialize, Deserialize)]
struct Run {
    key: String,
}

/// The folder of finished windows. Only one process at a time has it.
pub struct Checkpoints {
    files: Unfinished,
    shape: Shape,
}

impl Checkpoints {
    /// Opens the folder in `out` for a run that `key` stands for. What another run left is removed;
    /// then the second value is true.
    pub fn open(
        out: &Path,
        key: &str,
        shape: Shape,
        fresh: bool,
    ) -> anyhow::Result<(Checkpoints, bool)> {
        let files = Unfinished::open(out, ".partial", "backtest")?;
        let folder = &files.folder;
        let run: Option<Run> = fs::read(folder.join(RUN_FILE))
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let same = run.as_ref().is_some_and(|run| run.key == key);
        let other = folder.exists() && !same;
        if folder.exists() && (fresh || other) {
            fs::remove_dir_all(folder).with_context(|| wrong("remove", folder))?;
        }
        fs::create_dir_all(folder).with_context(|| wrong("make", folder))?;
        let checkpoints = Checkpoints { files, shape };
        let run = serde_json::to_vec(&Run { key: key.to_owned() })?;
        checkpoints.put(RUN_FILE, |file| Ok(file.write_all(&run)?))?;
        Ok((checkpoints, other && !fresh))
    }

    /// A file under a name of its own until it is whole.
    pub fn put(
        &self,
        name: &str,
        write: impl FnOnce(&mut BufWriter<File>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        self.files.put(name, write)
    }

    /// Moves finished files out of the folder to where they belong, and ends the folder.
    pub fn publish(self, out: &Path, names: &[&str]) -> anyhow::Result<()> {
        self.files.publish(out, names)
    }

    fn forecasts(window: usize) -> String {
        format!("window-{window:04}.parquet")
    }

    fn facts(window: usize) -> String {
        format!("window-{window:04}.json")
    }

    /// What was told of a window, when it is finished. Its facts are written last.
    pub fn finished(&self, window: usize) -> Option<WindowFacts> {
        let bytes = fs::read(self.files.folder.join(Checkpoints::facts(window))).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    pub fn write(&self, at: usize, window: &Window, plan: &Plan) -> anyhow::Result<WindowFacts> {
        self.put(&Checkpoints::forecasts(at), |file| write_forecasts(file, window, self.shape))?;
        let mut findings: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
        for (wanted, forecast) in plan.wanted.iter().zip(&window.forecasts) {
            let codes = findings.entry(wanted.as_str().to_owned()).or_default();
            for (_, finding) in &forecast.findings {
                *codes.entry(finding.code.as_str().to_owned()).or_default() += 1;
            }
        }
        let facts = WindowFacts {
            fallbacks: window.fallbacks(),
            unit: window.unit,
            findings,
            effects: window.effects().to_vec(),
            reconciled: window.forecasts.iter().find_map(|made| made.reconciled.clone()),
        };
        let bytes = serde_json::to_vec(&facts)?;
        self.put(&Checkpoints::facts(at), |file| Ok(file.write_all(&bytes)?))?;
        // As a run that goes on will read them: text need not give back the last bit of a number.
        Ok(serde_json::from_slice(&bytes)?)
    }

    /// The forecasts of some series after one cutoff.
    pub fn read(&self, window: usize, series: &std::ops::Range<usize>) -> anyhow::Result<Block> {
        let path = self.files.folder.join(Checkpoints::forecasts(window));
        let (block, rows) = (self.shape.block(), series.len() * self.shape.block());
        let read = || -> PolarsResult<Block> {
            let frame = ParquetReader::new(File::open(&path)?)
                .with_slice(Some((series.start * block, rows)))
                .read_parallel(ParallelStrategy::Columns)
                .finish()?;
            let class = frame.column("class")?.u8()?;
            let class = (0..series.len()).filter_map(|at| class.get(at * block)).collect();
            let values = VALUE_NAMES.map(|name| {
                let column = frame.column(name)?.f64()?;
                Ok(column.iter().map(|value| value.unwrap_or(f64::NAN)).collect())
            });
            let values = values.into_iter().collect::<PolarsResult<Vec<Vec<f64>>>>()?;
            Ok(Block { class, values })
        };
        let found = read().map_err(anyhow::Error::from).with_context(|| wrong("read", &path))?;
        anyhow::ensure!(
            found.class.len() == series.len() && found.values.iter().all(|of| of.len() == rows),
            "{} is not what this run wrote; --fresh starts over",
            path.display()
        );
        Ok(found)
    }
}

/// Forecasts of some series after one cutoff, a column per name of [`VALUE_NAMES`].
pub struct Block {
    /// Index into `DemandClass::ALL` per series.
    pub class: Vec<u8>,
    pub values: Vec<Vec<f64>>,
}

fn write_forecasts(
    file: &mut BufWriter<File>,
    window: &Window,
    shape: Shape,
) -> anyhow::Result<()> {
    let mut pieces = Pieces::new(file);
    for series in shape.pieces() {
        pieces.write(&frame(window, shape, &series)?)?;
    }
    pieces.finish()?;
    Ok(())
}

fn frame(
    window: &Window,
    shape: Shape,
    series: &std::ops::Range<usize>,
) -> PolarsResult<DataFrame> {
    let Shape { models, horizon, .. } = shape;
    let rows = series.len() * shape.block();
    let mut rows_of_values = vec![[0.0; VALUES]; rows];
    rows_of_values.par_chunks_mut(shape.block()).enumerate().for_each(|(at, block)| {
        for (model, steps) in block.chunks_mut(horizon).enumerate() {
            let forecast = window.forecast(model, series.start + at);
            for (step, row) in steps.iter_mut().enumerate() {
                row[0] = forecast.mean[step] / window.unit;
                for (value, quantile) in row[1..].iter_mut().zip(forecast.quantiles(step)) {
                    *value = quantile / window.unit;
                }
            }
        }
    });
    let class = |at: usize| {
        let class = window.forecast(0, series.start + at / shape.block()).class;
        DemandClass::ALL.iter().position(|other| *other == class).unwrap_or(0) as u8
    };
    let series_of = |at: usize| (series.start + at / shape.block()) as u32;
    let mut columns = vec![
        named("series", (0..rows).map(series_of).collect::<Vec<u32>>()),
        named("model", (0..rows).map(|at| (at / horizon % models) as u32).collect::<Vec<u32>>()),
        named("class", (0..rows).map(class).collect::<Vec<u8>>()),
    ];
    for (at, name) in VALUE_NAMES.into_iter().enumerate() {
        let values: Vec<f64> = rows_of_values.iter().map(|row| row[at]).collect();
        columns.push(named(name, values));
    }
    DataFrame::new(rows, columns)
}
