//! Sums of a night that have to agree: rows in and rows used, keys in and keys out, and what a line
//! says of itself in several ways.

use std::collections::BTreeSet;

use granary_models::plan::line::{ReorderLine, order_units};
use granary_models::policy::reason::recompute;

use super::gates::Tonight;

/// Lines that are told one by one; the others are counted.
const TOLD_MAX: usize = 3;

/// One sentence for each pair of sums that differ.
pub fn unbalanced(tonight: &Tonight, lines: &[ReorderLine]) -> Vec<String> {
    let mut odd = Vec::new();
    odd.extend(unknown_series(tonight));
    odd.extend(lost_sales(tonight));
    odd.extend(lost_series(tonight));
    odd.extend(line_books(lines));
    odd
}

/// Series of the sales whose item or location is not in the master tables, so nothing plans them.
fn unknown_series(tonight: &Tonight) -> Option<String> {
    let sales = &tonight.facts.sales;
    let unknown: Vec<_> = sales
        .iter()
        .filter(|series| tonight.index.key(&series.item_id, &series.location_id).is_none())
        .collect();
    let first = unknown.first()?;
    Some(format!(
        "{} of {} series of the sales name no known item and location, the first {} at {}",
        unknown.len(),
        sales.len(),
        first.item_id,
        first.location_id
    ))
}

/// Units are whole, so their sums are exact as long as they are below 2^53.
fn lost_sales(tonight: &Tonight) -> Option<String> {
    let known = tonight
        .facts
        .sales
        .iter()
        .filter(|series| tonight.index.key(&series.item_id, &series.location_id).is_some());
    let read: f64 = known.flat_map(|series| &series.days).map(|day| day.qty as f64).sum();
    let used: f64 = tonight.night.panel.sold.iter().sum();
    let exact = read < 9e15;
    (exact && read != used).then(|| {
        format!("{read} units of sales were read and {used} of them are in the forecasts' history")
    })
}

fn lost_series(tonight: &Tonight) -> Option<String> {
    let (keys, series) = (&tonight.night.meta, tonight.series);
    let paired = keys.iter().zip(series).filter(|(meta, made)| meta.key == made.key).count();
    let whole = keys.len() == series.len() && paired == keys.len();
    (!whole).then(|| {
        format!(
            "{} series went into the forecast, {} came out, {paired} of them under their own key",
            keys.len(),
            series.len()
        )
    })
}

/// Keys that no other line has, quantities that their reasons and their packs lead to, and values
/// that quantity and cost lead to.
fn line_books(lines: &[ReorderLine]) -> Vec<String> {
    let mut keys = BTreeSet::new();
    let mut odd: Vec<String> = lines.iter().filter_map(|line| line_book(line, &mut keys)).collect();
    if odd.len() > TOLD_MAX {
        let more = odd.len() - TOLD_MAX;
        odd.truncate(TOLD_MAX);
        odd.push(format!("{more} lines more disagree with themselves"));
    }
    odd
}

fn line_book<'a>(line: &'a ReorderLine, keys: &mut BTreeSet<&'a str>) -> Option<String> {
    let (key, facts) = (&line.line_key, &line.facts);
    if !keys.insert(key) {
        return Some(format!("two lines have the key {key}"));
    }
    let unit = facts.unit();
    let reasons = recompute(&line.reason);
    if reasons != Some(line.qty) {
        return Some(format!("{key} orders {}, its reasons add up to {reasons:?}", line.qty));
    }
    let (order_qty, order_uom) = order_units(line.qty, &unit, facts.multiple, &facts.pack_uom);
    if (order_qty, &order_uom) != (line.order_qty, &line.order_uom) {
        return Some(format!(
            "{key} orders {} {}, which is not {} of the smallest unit",
            line.order_qty, line.order_uom, line.qty
        ));
    }
    let value = unit.value_minor(line.qty, line.unit_cost_minor);
    (value != line.value_minor)
        .then(|| format!("{key} is worth {value}, and says {}", line.value_minor))
}
