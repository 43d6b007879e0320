//! What a backtest found, for machines.

use std::collections::BTreeMap;
use std::path::PathBuf;

use granary_models::backtest::analyst::{COVERED, Metrics};
use granary_models::backtest::levels::Reconcile;
use granary_models::backtest::levels::earn::Reconciliation;
use serde::Serialize;

use super::BacktestConfig;
use super::checkpoint::WindowFacts;
use super::drivers::{DriverTold, FileTold, StaticTold};
use super::freq::Freq;
use super::read::Columns;
use super::scores::ScoreBook;
use super::table::{Books, LongTable};
use super::windows::Plan;

/// The end of a backtest.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub scores: Scores,
    pub out: PathBuf,
}

/// `scores.json`.
#[derive(Clone, Debug, Serialize)]
pub struct Scores {
    pub version: &'static str,
    pub input: Input,
    pub config: Settings,
    /// Oldest first.
    pub windows: Vec<WindowScores>,
    /// Series-cutoffs of which nothing was known: they have their category's mean.
    pub fallbacks: usize,
    /// Models from the least WAPE to the greatest.
    pub leader_board: Vec<&'static str>,
    pub models: BTreeMap<&'static str, ModelScores>,
    /// Scores of sums, from the total on.
    pub levels: Vec<LevelScores>,
}

/// Scores of the sums of one level.
#[derive(Clone, Debug, Serialize)]
pub struct LevelScores {
    pub level: String,
    pub nodes: usize,
    pub models: BTreeMap<&'static str, SumScores>,
}

#[derive(Clone, Debug, Serialize)]
pub struct SumScores {
    pub wape: Option<f64>,
    pub bias: Option<f64>,
    pub fva: Option<f64>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Input {
    pub file: String,
    pub blake3: String,
    /// The files of drivers and properties.
    pub beside: Vec<FileTold>,
    pub series: usize,
    pub categories: usize,
    pub first: String,
    /// The last step with a value.
    pub last: String,
    #[serde(flatten)]
    pub books: Books,
    pub notes: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Settings {
    pub freq: Freq,
    pub horizon: usize,
    pub windows: usize,
    pub step: usize,
    pub seasons: Vec<usize>,
    /// Rows back of the difference that MASE is scaled by.
    pub mase_season: usize,
    pub models: Vec<&'static str>,
    pub columns: Columns,
    /// What the models were given beside the panel.
    pub drivers: Vec<DriverTold>,
    pub statics: Vec<StaticTold>,
    /// Whose calendar touches all series.
    pub country: Option<String>,
    pub reconcile: Reconcile,
}

#[derive(Clone, Debug, Serialize)]
pub struct WindowScores {
    pub cutoff: String,
    /// Series with a row to score.
    pub series: u64,
    pub fallbacks: usize,
    /// Units of the models in one of the table.
    pub unit: f64,
    /// Findings of each model by code.
    pub findings: BTreeMap<String, BTreeMap<String, usize>>,
    /// What bringing the choice per series into line with its sums did.
    pub reconciled: Option<Reconciliation>,
}

/// Scores of one model over everything; null where nothing defines one.
#[derive(Clone, Debug, Serialize)]
pub struct ModelScores {
    pub rows: u64,
    pub series: u64,
    pub wape: Option<f64>,
    pub bias: Option<f64>,
    pub mase: Option<f64>,
    pub rmsse: Option<f64>,
    pub unscaled: u64,
    pub pinball: Option<f64>,
    pub spl: Option<f64>,
    pub crossings: u64,
    pub smape: Option<f64>,
    pub fva: Option<f64>,
    /// Share of rows inside the central 98%, 90%, 80% and 50%.
    pub coverage: BTreeMap<String, Option<f64>>,
}

impl ModelScores {
    fn new(metrics: &Metrics, series: u64) -> ModelScores {
        ModelScores {
            rows: metrics.rows,
            series,
            wape: metrics.wape,
            bias: metrics.bias,
            mase: metrics.mase,
            rmsse: metrics.rmsse,
            unscaled: metrics.unscaled,
            pinball: metrics.pinball,
            spl: metrics.spl,
            crossings: metrics.crossings,
            smape: metrics.smape,
            fva: metrics.fva,
            coverage: COVERED.iter().map(f64::to_string).zip(metrics.coverage).collect(),
        }
    }
}

impl Scores {
    pub(super) fn new(
        (file, digest): (&str, &str),
        beside: Vec<FileTold>,
        config: &BacktestConfig,
        table: &LongTable,
        plan: &Plan,
        facts: &[WindowFacts],
        book: &ScoreBook,
    ) -> Scores {
        let names: Vec<&'static str> =
            plan.wanted.iter().copied().map(super::Wanted::as_str).collect();
        let windows = plan.cutoffs.iter().zip(facts).zip(&book.cutoff);
        let of = |model: usize| ModelScores::new(&book.metrics(&book.all, model), book.all.series);
        Scores {
            version: env!("CARGO_PKG_VERSION"),
            input: Input {
                file: file.to_owned(),
                blake3: digest.to_owned(),
                beside,
                series: table.len(),
                categories: table.categories.len(),
                first: table.clock.text(table.first),
                last: table.clock.text(table.last),
                books: table.books,
                notes: table.notes.clone(),
            },
            config: Settings {
                freq: config.freq,
                horizon: config.horizon,
                windows: config.windows,
                step: config.step,
                seasons: plan.forecast.seasons.clone(),
                mase_season: plan.score_season(),
                models: names.clone(),
                columns: config.columns.clone(),
                drivers: table.extras.told.clone(),
                statics: table.extras.statics_told(),
                country: config.drivers.country.as_deref().map(str::to_ascii_uppercase),
                reconcile: config.reconcile,
            },
            windows: windows
                .map(|((&cutoff, facts), group)| WindowScores {
                    cutoff: table.clock.text(cutoff),
                    series: group.series,
                    fallbacks: facts.fallbacks,
                    unit: facts.unit,
                    findings: facts.findings.clone(),
                    reconciled: facts.reconciled.clone(),
                })
                .collect(),
            fallbacks: facts.iter().map(|facts| facts.fallbacks).sum(),
            leader_board: book.leader_board().into_iter().map(|model| names[model]).collect(),
            models: names.iter().copied().zip((0..names.len()).map(of)).collect(),
            levels: level_scores(book, &names),
        }
    }
}

fn level_scores(book: &ScoreBook, names: &[&'static str]) -> Vec<LevelScores> {
    let of = |(level, (name, nodes)): (usize, (&str, usize))| LevelScores {
        level: name.to_owned(),
        nodes,
        models: names
            .iter()
            .enumerate()
            .map(|(model, name)| {
                let Metrics { wape, bias, fva, .. } = book.level_metrics(level, model);
                (*name, SumScores { wape, bias, fva })
            })
            .collect(),
    };
    book.levels.levels().enumerate().map(of).collect()
}
