//! Books to Parquet, some series at a time.

use std::fs::File;
use std::io::BufWriter;

use granary_models::simulate::policy::Policy;
use granary_models::simulate::stock::Period;
use granary_models::simulate::totals::{Costs, Units};
use polars::prelude::*;

use super::summary::{Priced, rounded};
use crate::jobs::backtest::LongTable;
use crate::jobs::backtest::pieces::{Pieces, named};
use crate::jobs::backtest::write::label_column;

/// Rows of a row group.
const ROWS_AT_A_TIME: usize = 200_000;

/// A column of quantities: whole numbers where the table has whole numbers.
fn quantity(name: &'static str, units: Vec<i64>, priced: &Priced) -> Column {
    if priced.setting.decimals == 0 {
        return named(name, units);
    }
    named(name, units.into_iter().map(|units| priced.base(units)).collect::<Vec<f64>>())
}

fn money(name: &'static str, amounts: impl Iterator<Item = f64>) -> Column {
    named(name, amounts.map(rounded).collect::<Vec<f64>>())
}

/// Writes `periods.parquet`: by policy, series and period.
pub fn periods(
    file: &mut BufWriter<File>,
    table: &LongTable,
    policies: &[Policy],
    priced: &Priced,
) -> anyhow::Result<()> {
    let mut pieces = Pieces::new(file);
    let simulation = priced.simulation;
    let at_a_time = (ROWS_AT_A_TIME / simulation.periods).max(1);
    for (at, policy) in policies.iter().enumerate() {
        for first in (0..simulation.series).step_by(at_a_time) {
            let series = first..simulation.series.min(first + at_a_time);
            pieces.write(&period_rows(table, at, policy, series, priced)?)?;
        }
    }
    pieces.finish()?;
    Ok(())
}

fn period_rows(
    table: &LongTable,
    at: usize,
    policy: &Policy,
    series: std::ops::Range<usize>,
    priced: &Priced,
) -> PolarsResult<DataFrame> {
    let simulation = priced.simulation;
    let rows = series.len() * simulation.periods;
    let text = |name| StringChunkedBuilder::new(PlSmallStr::from_static(name), rows);
    let (mut names, mut ids) = (text("policy"), text("unique_id"));
    let (mut labels, mut books, mut costs, mut scored) =
        (Vec::with_capacity(rows), Vec::with_capacity(rows), Vec::with_capacity(rows), Vec::new());
    for one in series {
        let item = &priced.setting.items[one].money;
        for (period, line) in simulation.book(at, one).iter().enumerate() {
            names.append_value(&policy.name);
            ids.append_value(&*table.ids[one]);
            let step = priced.setting.first + period as i64;
            labels.push(table.clock.label(step - table.moved[one]));
            costs.push(Costs::of(line, item, priced.shortage()));
            books.push(*line);
        }
        scored.extend_from_slice(simulation.scored(one));
    }
    let of =
        |name, pick: fn(&Period) -> i64| quantity(name, books.iter().map(pick).collect(), priced);
    let columns = vec![
        names.finish().into_column(),
        ids.finish().into_column(),
        label_column("period", &table.clock, labels)?,
        of("ordered", |line| line.ordered),
        of("opening", |line| line.opening),
        of("received", |line| line.received),
        of("demand", |line| line.demand),
        of("sold", |line| line.sold),
        of("lost", |line| line.lost),
        of("wasted", |line| line.wasted),
        of("closing", |line| line.closing),
        money("holding_cost", costs.iter().map(|cost| cost.holding)),
        money("shortage_cost", costs.iter().map(|cost| cost.shortage)),
        money("order_cost", costs.iter().map(|cost| cost.order)),
        money("waste_cost", costs.iter().map(|cost| cost.waste)),
        named("scored", scored),
    ];
    DataFrame::new(rows, columns)
}

/// Writes `series.parquet`: by policy and series, sums over the scored periods.
pub fn series(
    file: &mut BufWriter<File>,
    table: &LongTable,
    policies: &[Policy],
    priced: &Priced,
) -> anyhow::Result<()> {
    let simulation = priced.simulation;
    let rows = policies.len() * simulation.series;
    let text = |name| StringChunkedBuilder::new(PlSmallStr::from_static(name), rows);
    let (mut names, mut ids) = (text("policy"), text("unique_id"));
    let mut sums: Vec<(Units, Costs)> = Vec::with_capacity(rows);
    let mut left = Vec::with_capacity(rows);
    for (at, policy) in policies.iter().enumerate() {
        for one in 0..simulation.series {
            names.append_value(&policy.name);
            ids.append_value(&*table.ids[one]);
            sums.push(priced.series(at, one));
            left.push(simulation.left[at][one]);
        }
    }
    let of = |name, pick: fn(&Units) -> i64| {
        quantity(name, sums.iter().map(|(units, _)| pick(units)).collect(), priced)
    };
    let count = |name, pick: fn(&Units) -> u64| {
        named(name, sums.iter().map(|(units, _)| pick(units)).collect::<Vec<u64>>())
    };
    let share = |name, pick: fn(&Units) -> Option<f64>| {
        named(name, sums.iter().map(|(units, _)| pick(units)).collect::<Vec<Option<f64>>>())
    };
    let costs = |name, pick: fn(&Costs) -> f64| money(name, sums.iter().map(|(_, c)| pick(c)));
    let columns = vec![
        names.finish().into_column(),
        ids.finish().into_column(),
        count("periods", |units| units.periods),
        count("orders", |units| units.orders),
        of("ordered", |units| units.ordered),
        of("received", |units| units.received),
        of("demand", |units| units.demand),
        of("sold", |units| units.sold),
        of("lost", |units| units.lost),
        of("wasted", |units| units.wasted),
        of("closing_sum", |units| units.held),
        quantity("closing_stock", left.iter().map(|left| left.0).collect(), priced),
        quantity("on_order", left.iter().map(|left| left.1).collect(), priced),
        share("fill_rate", Units::fill_rate),
        share("in_stock_rate", Units::in_stock_rate),
        costs("holding_cost", |cost| cost.holding),
        costs("shortage_cost", |cost| cost.shortage),
        costs("order_cost", |cost| cost.order),
        costs("waste_cost", |cost| cost.waste),
        costs("total_cost", Costs::total),
    ];
    let mut pieces = Pieces::new(file);
    pieces.write(&DataFrame::new(rows, columns)?)?;
    pieces.finish()?;
    Ok(())
}
