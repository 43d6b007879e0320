//! Rows of the store as columns of a file.

use crate::export::effects::Answer;
use crate::export::format::currency_decimals;
use crate::export::{Column, Values};
use crate::store::read::advice::{OrderException, StockExit};
use crate::store::read::lines::{FindingRow, Line, Production};
use crate::store::read::runs::{Kpi, Run};
use crate::store::read::series::ForecastRow;

fn text<'a, T>(name: &'static str, rows: &'a [T], value: impl Fn(&'a T) -> &'a str) -> Column {
    Column { name, values: Values::Text(rows.iter().map(|row| value(row).to_owned()).collect()) }
}

fn date<'a, T>(name: &'static str, rows: &'a [T], value: impl Fn(&'a T) -> &'a str) -> Column {
    Column { name, values: Values::Date(rows.iter().map(|row| value(row).to_owned()).collect()) }
}

fn integer<T>(name: &'static str, rows: &[T], value: impl Fn(&T) -> i64) -> Column {
    Column { name, values: Values::Integer(rows.iter().map(value).collect()) }
}

fn number<T>(name: &'static str, rows: &[T], value: impl Fn(&T) -> f64) -> Column {
    Column { name, values: Values::Number(rows.iter().map(value).collect()) }
}

fn quantity<T>(name: &'static str, rows: &[T], value: impl Fn(&T) -> (i64, i64)) -> Column {
    let decimal = |row| {
        let (units, decimals) = value(row);
        (units, u32::try_from(decimals).unwrap_or(0))
    };
    Column { name, values: Values::Decimal(rows.iter().map(decimal).collect()) }
}

/// Minor units of a currency as an amount of it.
fn amount<'a, T>(
    name: &'static str,
    rows: &'a [T],
    value: impl Fn(&'a T) -> (i64, &'a str),
) -> Column {
    let decimal = |row| {
        let (minor, currency) = value(row);
        (minor, currency_decimals(currency))
    };
    Column { name, values: Values::Decimal(rows.iter().map(decimal).collect()) }
}

/// Lines with their reasons, `reasons[i]` for `lines[i]`.
pub fn plan(run: &Run, lines: Vec<Line>, reasons: Vec<String>) -> Vec<Column> {
    let rows = &lines[..];
    vec![
        text("job", rows, |_| &run.job),
        date("business_date", rows, |_| &run.business_date),
        text("run_id", rows, |line| &line.run_id),
        text("line_key", rows, |line| &line.line_key),
        integer("priority", rows, |line| line.priority),
        text("kind", rows, |line| &line.kind),
        text("state", rows, |line| &line.state),
        text("held_because", rows, |line| &line.held_because),
        text("item_id", rows, |line| &line.item_id),
        text("item_name", rows, |line| &line.item_name),
        text("location_id", rows, |line| &line.location_id),
        text("location_name", rows, |line| &line.location_name),
        text("supplier_id", rows, |line| &line.supplier_id),
        text("supplier_name", rows, |line| &line.supplier_name),
        text("source_location_id", rows, |line| &line.source_location_id),
        integer("qty_units", rows, |line| line.qty),
        quantity("qty", rows, |line| (line.qty, line.qty_decimals)),
        text("base_uom", rows, |line| &line.base_uom),
        integer("order_qty", rows, |line| line.order_qty),
        text("order_uom", rows, |line| &line.order_uom),
        integer("unit_cost_minor", rows, |line| line.unit_cost_minor),
        amount("unit_cost", rows, |line| (line.unit_cost_minor, &line.currency)),
        integer("value_minor", rows, |line| line.value_minor),
        amount("value", rows, |line| (line.value_minor, &line.currency)),
        text("currency", rows, |line| &line.currency),
        date("order_on", rows, |line| &line.order_on),
        date("expected_on", rows, |line| &line.expected_on),
        date("need_on", rows, |line| &line.need_on),
        integer("expected_value_minor", rows, |line| line.expected_value_minor),
        Column { name: "reason", values: Values::Text(reasons) },
    ]
}

/// Means and quantiles are real numbers of the item's smallest units.
pub fn forecast(run: &Run, found: Vec<ForecastRow>) -> Vec<Column> {
    let rows = &found[..];
    vec![
        text("job", rows, |_| &run.job),
        date("business_date", rows, |_| &run.business_date),
        text("item_id", rows, |row| &row.item_id),
        text("location_id", rows, |row| &row.location_id),
        date("date", rows, |row| &row.date),
        number("mean", rows, |row| row.mean),
        number("q01", rows, |row| row.q01),
        number("q05", rows, |row| row.q05),
        number("q10", rows, |row| row.q10),
        number("q25", rows, |row| row.q25),
        number("q50", rows, |row| row.q50),
        number("q75", rows, |row| row.q75),
        number("q90", rows, |row| row.q90),
        number("q95", rows, |row| row.q95),
        number("q99", rows, |row| row.q99),
    ]
}

pub fn production(run: &Run, found: Vec<Production>) -> Vec<Column> {
    let rows = &found[..];
    vec![
        text("job", rows, |_| &run.job),
        date("business_date", rows, |_| &run.business_date),
        text("item_id", rows, |row| &row.item_id),
        text("item_name", rows, |row| &row.item_name),
        text("location_id", rows, |row| &row.location_id),
        integer("qty_units", rows, |row| row.qty),
        quantity("qty", rows, |row| (row.qty, row.qty_decimals)),
        text("base_uom", rows, |row| &row.base_uom),
        date("start_on", rows, |row| &row.start_on),
        date("ready_on", rows, |row| &row.ready_on),
        number("sell_all_probability", rows, |row| row.sell_all_probability),
        integer("expected_value_minor", rows, |row| row.expected_value_minor),
        amount("expected_value", rows, |row| (row.expected_value_minor, &row.currency)),
        text("currency", rows, |row| &row.currency),
        text("reason", rows, |row| &row.reason),
    ]
}

pub fn findings(run: &Run, found: Vec<FindingRow>) -> Vec<Column> {
    let rows = &found[..];
    vec![
        text("job", rows, |_| &run.job),
        date("business_date", rows, |_| &run.business_date),
        integer("finding_no", rows, |row| row.finding_no),
        text("severity", rows, |row| &row.severity),
        text("code", rows, |row| &row.code),
        text("item_id", rows, |row| &row.item_id),
        text("location_id", rows, |row| &row.location_id),
        text("detail", rows, |row| &row.detail),
        integer("occurrences", rows, |row| row.occurrences),
    ]
}

pub fn exceptions(run: &Run, found: Vec<OrderException>) -> Vec<Column> {
    let rows = &found[..];
    vec![
        text("job", rows, |_| &run.job),
        date("business_date", rows, |_| &run.business_date),
        text("action", rows, |row| &row.action),
        text("po_id", rows, |row| &row.po_id),
        text("line_no", rows, |row| &row.line_no),
        text("supplier_id", rows, |row| &row.supplier_id),
        text("item_id", rows, |row| &row.item_id),
        text("location_id", rows, |row| &row.location_id),
        integer("qty_units", rows, |row| row.qty),
        quantity("qty", rows, |row| (row.qty, row.qty_decimals)),
        text("base_uom", rows, |row| &row.base_uom),
        date("due_on", rows, |row| &row.due_on),
        date("move_to", rows, |row| &row.move_to),
        integer("value_minor", rows, |row| row.value_minor),
        amount("value", rows, |row| (row.value_minor, &row.currency)),
        text("currency", rows, |row| &row.currency),
        text("detail", rows, |row| &row.detail),
    ]
}

pub fn exits(run: &Run, found: Vec<StockExit>) -> Vec<Column> {
    let rows = &found[..];
    vec![
        text("job", rows, |_| &run.job),
        date("business_date", rows, |_| &run.business_date),
        text("item_id", rows, |row| &row.item_id),
        text("location_id", rows, |row| &row.location_id),
        integer("qty_units", rows, |row| row.qty),
        quantity("qty", rows, |row| (row.qty, row.qty_decimals)),
        text("base_uom", rows, |row| &row.base_uom),
        text("proposal", rows, |row| &row.proposal),
        text("to_location_id", rows, |row| &row.to_location_id),
        integer("value_minor", rows, |row| row.value_minor),
        amount("value", rows, |row| (row.value_minor, &row.currency)),
        integer("expected_recovery_minor", rows, |row| row.expected_recovery_minor),
        text("currency", rows, |row| &row.currency),
        text("detail", rows, |row| &row.detail),
    ]
}

pub fn kpis(run: &Run, found: Vec<Kpi>) -> Vec<Column> {
    let rows = &found[..];
    vec![
        text("job", rows, |_| &run.job),
        date("business_date", rows, |_| &run.business_date),
        text("name", rows, |row| &row.name),
        text("scope", rows, |row| &row.scope),
        text("scope_id", rows, |row| &row.scope_id),
        number("value", rows, |row| row.value),
        text("unit", rows, |row| &row.unit),
    ]
}

/// Demand is multiplied by `factor`; `low` and `high` end its 90% interval and are empty where
/// there is none.
pub fn drivers(run: &Run, found: Vec<Answer>) -> Vec<Column> {
    let rows = &found[..];
    vec![
        text("job", rows, |_| &run.job),
        date("business_date", rows, |_| &run.business_date),
        text("category", rows, |row| &row.category),
        text("driver", rows, |row| &row.driver),
        text("kind", rows, |row| row.kind),
        text("what", rows, |row| &row.what),
        number("factor", rows, |row| row.factor),
        number("low", rows, |row| row.low.unwrap_or(f64::NAN)),
        number("high", rows, |row| row.high.unwrap_or(f64::NAN)),
        text("note", rows, |row| &row.note),
    ]
}
