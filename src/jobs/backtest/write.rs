//! Finished windows to the files of a backtest, piece by piece.

use std::fs::File;
use std::io::BufWriter;

use granary_models::backtest::analyst::{COVERED, Metrics};
use granary_models::backtest::panel::EffectRow;
use granary_models::forecast::demand_class::DemandClass;
use polars::prelude::*;

use super::checkpoint::{Block, Checkpoints, Shape, VALUE_NAMES, VALUES, WindowFacts};
use super::freq::{Clock, Freq};
use super::pieces::{Pieces, named};
use super::scores::{Group, ScoreBook};
use super::table::LongTable;
use super::windows::Plan;

/// Rows of `scores.parquet` that are made at a time.
const SCORE_ROWS: usize = 100_000;

/// Writes `forecasts.parquet` and scores everything on the way.
pub fn forecasts(
    file: &mut BufWriter<File>,
    table: &LongTable,
    plan: &Plan,
    shape: Shape,
    checkpoints: &Checkpoints,
    on_series: &dyn Fn(usize),
) -> anyhow::Result<ScoreBook> {
    let mut book = ScoreBook::new(table, plan, shape);
    let mut pieces = Pieces::new(file);
    for series in shape.pieces() {
        let blocks: Vec<Block> = (0..shape.windows)
            .map(|window| checkpoints.read(window, &series))
            .collect::<anyhow::Result<_>>()?;
        pieces.write(&frame(table, plan, shape, series.clone(), &blocks)?)?;
        for (at, one) in series.clone().enumerate() {
            book.take(table, plan, shape, one, &blocks, at);
        }
        on_series(series.end);
    }
    pieces.finish()?;
    Ok(book)
}

/// Labels of steps as a column of the table's own kind.
pub(in crate::jobs) fn label_column(
    name: &'static str,
    clock: &Clock,
    labels: Vec<i64>,
) -> PolarsResult<Column> {
    match clock.freq {
        Freq::Day | Freq::Week | Freq::Month => {
            let days: Vec<i32> = labels.into_iter().map(|day| day as i32).collect();
            named(name, days).cast(&DataType::Date)
        }
        Freq::Hour => {
            let micros: Vec<i64> = labels.into_iter().map(|second| second * 1_000_000).collect();
            named(name, micros).cast(&DataType::Datetime(TimeUnit::Microseconds, None))
        }
        Freq::Step => Ok(named(name, labels)),
    }
}

/// Rows by series, cutoff, model and step.
fn frame(
    table: &LongTable,
    plan: &Plan,
    shape: Shape,
    series: std::ops::Range<usize>,
    blocks: &[Block],
) -> PolarsResult<DataFrame> {
    let block = shape.block();
    let rows = series.len() * shape.windows * block;
    let text = |name| StringChunkedBuilder::new(PlSmallStr::from_static(name), rows);
    let (mut ids, mut models) = (text("unique_id"), text("model"));
    let (mut cutoffs, mut labels) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
    let mut actual: Vec<Option<f64>> = Vec::with_capacity(rows);
    let mut values: [Vec<f64>; VALUES] = std::array::from_fn(|_| Vec::with_capacity(rows));
    for (at, one) in series.enumerate() {
        let moved = table.moved[one];
        for (&cutoff, forecasts) in plan.cutoffs.iter().zip(blocks) {
            let from = actual.len();
            for step in 1..=shape.horizon as i64 {
                let y = table.row_of(one, cutoff + step).map(|row| table.y[row]);
                actual.push(y.filter(|y| !y.is_nan()));
                labels.push(table.clock.label(cutoff + step - moved));
            }
            for _ in 1..shape.models {
                actual.extend_from_within(from..from + shape.horizon);
                labels.extend_from_within(from..from + shape.horizon);
            }
            cutoffs.resize(from + block, table.clock.label(cutoff - moved));
            for wanted in &plan.wanted {
                for _ in 0..shape.horizon {
                    ids.append_value(&*table.ids[one]);
                    models.append_value(wanted.as_str());
                }
            }
            for (column, made) in values.iter_mut().zip(&forecasts.values) {
                column.extend_from_slice(&made[at * block..(at + 1) * block]);
            }
        }
    }
    let mut columns = vec![
        ids.finish().into_column(),
        label_column("cutoff", &table.clock, cutoffs)?,
        label_column("ds", &table.clock, labels)?,
        models.finish().into_column(),
    ];
    columns.extend(VALUE_NAMES.into_iter().zip(values).map(|(name, of)| named(name, of)));
    columns.push(named("y", actual));
    DataFrame::new(rows, columns)
}

/// Rows of `scores.parquet` under way.
#[derive(Default)]
struct ScoreRows {
    scope: Vec<&'static str>,
    key: Vec<String>,
    model: Vec<&'static str>,
    series: Vec<u64>,
    metrics: Vec<Metrics>,
}

impl ScoreRows {
    fn push(
        &mut self,
        scope: &'static str,
        key: &str,
        series: u64,
        model: &'static str,
        metrics: Metrics,
    ) {
        self.scope.push(scope);
        self.key.push(key.to_owned());
        self.model.push(model);
        self.series.push(series);
        self.metrics.push(metrics);
    }

    fn group(
        &mut self,
        scope: &'static str,
        key: &str,
        group: &Group,
        book: &ScoreBook,
        plan: &Plan,
    ) {
        for (model, wanted) in plan.wanted.iter().enumerate() {
            self.push(scope, key, group.series, wanted.as_str(), book.metrics(group, model));
        }
    }

    fn frame(&mut self) -> PolarsResult<DataFrame> {
        let rows = std::mem::take(self);
        let count =
            |pick: fn(&Metrics) -> u64| -> Vec<u64> { rows.metrics.iter().map(pick).collect() };
        let real = |pick: &dyn Fn(&Metrics) -> Option<f64>| -> Vec<Option<f64>> {
            rows.metrics.iter().map(pick).collect()
        };
        let mut columns = vec![
            named("scope", rows.scope.as_slice()),
            named("key", rows.key.as_slice()),
            named("model", rows.model.as_slice()),
            named("series", rows.series.as_slice()),
            named("rows", count(|metrics| metrics.rows)),
            named("wape", real(&|metrics| metrics.wape)),
            named("bias", real(&|metrics| metrics.bias)),
            named("mase", real(&|metrics| metrics.mase)),
            named("rmsse", real(&|metrics| metrics.rmsse)),
            named("pinball", real(&|metrics| metrics.pinball)),
            named("spl", real(&|metrics| metrics.spl)),
            named("smape", real(&|metrics| metrics.smape)),
            named("fva", real(&|metrics| metrics.fva)),
        ];
        for (at, share) in COVERED.into_iter().enumerate() {
            let name = PlSmallStr::from_string(format!("coverage_{share}"));
            columns.push(Column::new(name, real(&|metrics| metrics.coverage[at])));
        }
        columns.push(named("unscaled", count(|metrics| metrics.unscaled)));
        columns.push(named("crossings", count(|metrics| metrics.crossings)));
        DataFrame::new(rows.scope.len(), columns)
    }
}

/// Writes `scores.parquet`: one row per scope, key and model.
pub fn scores(
    file: &mut BufWriter<File>,
    table: &LongTable,
    plan: &Plan,
    shape: Shape,
    book: &ScoreBook,
) -> anyhow::Result<()> {
    let mut pieces = Pieces::new(file);
    let mut rows = ScoreRows::default();
    rows.group("all", "", &book.all, book, plan);
    for (class, group) in DemandClass::ALL.iter().zip(&book.class) {
        if group.series > 0 {
            rows.group("class", class.as_str(), group, book, plan);
        }
    }
    for (step, group) in book.horizon.iter().enumerate() {
        rows.group("horizon", &(step + 1).to_string(), group, book, plan);
    }
    for (&cutoff, group) in plan.cutoffs.iter().zip(&book.cutoff) {
        rows.group("cutoff", &table.clock.text(cutoff), group, book, plan);
    }
    for (level, (name, nodes)) in book.levels.levels().enumerate() {
        for (model, wanted) in plan.wanted.iter().enumerate() {
            let metrics = book.level_metrics(level, model);
            rows.push("level", name, nodes as u64, wanted.as_str(), metrics);
        }
    }
    for series in 0..shape.series {
        for (model, wanted) in plan.wanted.iter().enumerate() {
            let metrics = book.series_metrics(shape.models, series, model);
            let scored = u64::from(metrics.rows > 0);
            rows.push("series", &table.ids[series], scored, wanted.as_str(), metrics);
        }
        if rows.scope.len() >= SCORE_ROWS {
            pieces.write(&rows.frame()?)?;
        }
    }
    if !rows.scope.is_empty() {
        pieces.write(&rows.frame()?)?;
    }
    pieces.finish()?;
    Ok(())
}

/// Writes `effects.parquet`: what the pooled regression learned in each window, a row per cutoff,
/// category and regressor; none when it took no part.
pub fn effects(
    file: &mut BufWriter<File>,
    table: &LongTable,
    plan: &Plan,
    facts: &[WindowFacts],
) -> anyhow::Result<()> {
    let rows = || facts.iter().flat_map(|window| &window.effects);
    let cutoffs = plan.cutoffs.iter().zip(facts);
    let cutoffs: Vec<i64> = cutoffs
        .flat_map(|(&at, window)| vec![table.clock.label(at); window.effects.len()])
        .collect();
    let number =
        |name, of: fn(&EffectRow) -> f64| named(name, rows().map(of).collect::<Vec<f64>>());
    let text =
        |name, of: fn(&EffectRow) -> &str| named(name, rows().map(of).collect::<Vec<&str>>());
    let count = |name, of: fn(&EffectRow) -> u32| named(name, rows().map(of).collect::<Vec<u32>>());
    let columns = vec![
        label_column("cutoff", &table.clock, cutoffs)?,
        text("category", |row| &row.category),
        text("regressor", |row| &row.regressor),
        number("log_effect", |row| row.log_effect),
        number("low", |row| row.low),
        number("high", |row| row.high),
        count("days", |row| row.days),
        count("items", |row| row.items),
        count("occurrences", |row| row.occurrences),
    ];
    let mut pieces = Pieces::new(file);
    pieces.write(&DataFrame::new(rows().count(), columns)?)?;
    pieces.finish()?;
    Ok(())
}
