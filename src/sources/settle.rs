//! Rows with one key: repeats counted, conflicts named, lines summed. Whole numbers only, and the
//! outcome does not depend on the order of lines, except where the map asks for first or last.

use crate::config::{Batch, Origin, Problem, RejectCode, Symbols, Value, Values};

use super::intake::{Intake, Scales};
use super::map::{Combine, Conflict};

/// Sorts a table's rows by primary key and leaves one row a key.
pub fn settle(
    intake: &mut Intake,
    symbols: &Symbols,
    ranks: &[u32],
    scales: &Scales,
    files: &[String],
) {
    let order = sorted(&intake.batch, ranks);
    let mut kept: Vec<u32> = Vec::with_capacity(order.len());
    let sums = intake.feed.sums();
    let mut lines: Vec<Vec<(u32, u64)>> = Vec::new();
    let mut start = 0;
    while start < order.len() {
        let alone = order.get(start + 1).is_none_or(|(key, _)| *key != order[start].0);
        if alone && !sums {
            kept.push(order[start].1);
            start += 1;
            continue;
        }
        let end =
            start + order[start..].iter().take_while(|(key, _)| *key == order[start].0).count();
        let group: Vec<u32> = order[start..end].iter().map(|&(_, row)| row).collect();
        start = end;
        if sums {
            kept.push(fold(intake, &group, symbols, scales));
            lines.push(lines_by_file(&intake.batch, &group));
        } else if let Some(row) = pick(intake, &group, symbols, files) {
            kept.push(row);
        }
    }
    drop(order);
    intake.batch.gather(&kept);
    intake.batch.lines = lines;
}

/// Rows by key, and within a key as they were read.
fn sorted(batch: &Batch, ranks: &[u32]) -> Vec<(u128, u32)> {
    let key = &batch.columns[..batch.table.key];
    let rows = 0..batch.len() as u32;
    let packed = |columns: &[Values], row: u32| {
        columns.iter().fold(0, |packed, column| pack(packed, column, row as usize, ranks))
    };
    let mut order: Vec<(u128, u32)> = match key.split_at_checked(PACKED_COLUMNS - 1) {
        // Too many to pack: what comes after the first three is one number, its place in order.
        Some((head, tail)) if tail.len() > 1 => {
            let places = places(rows.clone().map(|row| packed(tail, row)).collect());
            let both = |row: u32| packed(head, row) << 31 | u128::from(places[row as usize]);
            rows.map(|row| (both(row), row)).collect()
        }
        _ => rows.map(|row| (packed(key, row), row)).collect(),
    };
    order.sort_unstable();
    order
}

/// So many key columns fit into one number.
const PACKED_COLUMNS: usize = 4;

/// For each value how many smaller ones there are: equal for equals, and in their order.
fn places(values: Vec<u128>) -> Vec<u32> {
    let mut distinct = values.clone();
    distinct.sort_unstable();
    distinct.dedup();
    let place = |value: &u128| distinct.partition_point(|other| other < value) as u32;
    values.iter().map(place).collect()
}

/// Appends one key column. Four texts of 31 bits, or three and an instant of 35, fit in 128 bits.
fn pack(packed: u128, column: &Values, row: usize, ranks: &[u32]) -> u128 {
    match column.get(row) {
        Value::Symbol(symbol) => packed << 31 | u128::from(ranks[symbol as usize]),
        Value::Day(day) => packed << 31 | (i64::from(day) + (1 << 30)) as u128,
        // Instants lie between 1900 and 2100, so 34 bits and an offset serve.
        Value::Stamp(at) => packed << 35 | (at + (1 << 33)) as u128,
        _ => packed << 31,
    }
}

/// Which of the rows with one key stands; the others are counted here.
fn pick(intake: &mut Intake, group: &[u32], symbols: &Symbols, files: &[String]) -> Option<u32> {
    let first = group[0];
    let other = group[1..].iter().find_map(|&row| {
        difference(&intake.batch, first as usize, row as usize).map(|column| (row, column))
    });
    let stands = match (other, intake.feed.conflict) {
        (None, _) | (_, Conflict::First) => first,
        (_, Conflict::Last) => group[group.len() - 1],
        (Some((other, column)), Conflict::Reject) => {
            reject_all(intake, group, (first, other), column, symbols, files);
            return None;
        }
    };
    for &row in group {
        if row != stands {
            let file = intake.batch.origins[row as usize].file;
            intake.books[file as usize].duplicate += 1;
        }
    }
    Some(stands)
}

/// The first column in which two rows differ.
fn difference(batch: &Batch, a: usize, b: usize) -> Option<usize> {
    batch.columns.iter().position(|column| column.get(a) != column.get(b))
}

fn reject_all(
    intake: &mut Intake,
    group: &[u32],
    (first, other): (u32, u32),
    column: usize,
    symbols: &Symbols,
    files: &[String],
) {
    let name = intake.batch.table.columns[intake.batch.fields[column]].name;
    let shown = |batch: &Batch, row: u32| show(batch.columns[column].get(row as usize), symbols);
    for &row in group {
        // Each names a row that it differs from.
        let same = difference(&intake.batch, row as usize, first as usize).is_none();
        let rival = if same { other } else { first };
        let at: Origin = intake.batch.origins[rival as usize];
        let reason = format!(
            "row {} of {} has the same key and {name} = {:?}",
            at.row,
            files[at.file as usize],
            shown(&intake.batch, rival)
        );
        let value = shown(&intake.batch, row);
        let problem = Problem::new(RejectCode::ConflictingDuplicate, &value, reason);
        intake.reject(intake.batch.origins[row as usize], name, problem);
    }
}

/// A value as a person reads it.
pub fn show(value: Value, symbols: &Symbols) -> String {
    match value {
        Value::Null => String::new(),
        Value::Symbol(symbol) => symbols.text(symbol).to_owned(),
        Value::Day(day) => granary_models::calendar::Day(day).to_string(),
        Value::Stamp(at) => at.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Real(value) => value.to_string(),
    }
}

fn lines_by_file(batch: &Batch, group: &[u32]) -> Vec<(u32, u64)> {
    let mut lines: Vec<(u32, u64)> = Vec::new();
    for &row in group {
        let file = batch.origins[row as usize].file;
        match lines.iter_mut().find(|(of, _)| *of == file) {
            Some((_, count)) => *count += 1,
            None => lines.push((file, 1)),
        }
    }
    lines
}

/// Folds the lines of one key into the first of them.
fn fold(intake: &mut Intake, group: &[u32], symbols: &Symbols, scales: &Scales) -> u32 {
    let first = group[0] as usize;
    let batch = &mut intake.batch;
    for at in 0..batch.columns.len() {
        let Some(combine) = intake.feed.combine[batch.fields[at]] else { continue };
        match &mut batch.columns[at] {
            Values::Int(column) => {
                let values =
                    group.iter().map(|&row| column[row as usize]).filter(|&v| v != i64::MIN);
                if let Some(value) = combine_whole(combine, values.collect()) {
                    column[first] = value;
                }
            }
            Values::Real(column) => {
                let values = group.iter().map(|&row| column[row as usize]).filter(|v| !v.is_nan());
                let folded = match combine {
                    Combine::Min => values.reduce(f64::min),
                    Combine::Max => values.reduce(f64::max),
                    // Sums of floats depend on their order; the map is refused before this.
                    _ => None,
                };
                if let Some(value) = folded {
                    column[first] = value;
                }
            }
            // The first line's text or date stands.
            _ => {}
        }
    }
    price_paid(intake, first, symbols, scales);
    group[0]
}

fn combine_whole(combine: Combine, mut values: Vec<i64>) -> Option<i64> {
    match combine {
        Combine::Sum => values.into_iter().reduce(i64::saturating_add),
        Combine::Min => values.into_iter().min(),
        Combine::Max => values.into_iter().max(),
        Combine::Distinct => {
            values.sort_unstable();
            values.dedup();
            Some(values.len() as i64)
        }
        Combine::First | Combine::RevenuePerQty => None,
    }
}

/// Revenue over quantity, after both are summed.
fn price_paid(intake: &mut Intake, row: usize, symbols: &Symbols, scales: &Scales) {
    let batch = &mut intake.batch;
    let wanted = batch
        .fields
        .iter()
        .position(|&field| intake.feed.combine[field] == Some(Combine::RevenuePerQty));
    let (Some(price), Some(revenue), Some(qty), Some(item)) =
        (wanted, batch.position("revenue_minor"), batch.position("qty"), batch.position("item_id"))
    else {
        return;
    };
    let decimals = match batch.columns[item].get(row) {
        Value::Symbol(item) => scales.of(symbols.text(item)),
        _ => scales.default,
    };
    let value = match (batch.columns[revenue].get(row), batch.columns[qty].get(row)) {
        (Value::Int(revenue), Value::Int(qty)) if qty > 0 && revenue >= 0 => {
            let units = i128::from(revenue) * 10i128.pow(decimals);
            let qty = i128::from(qty);
            i64::try_from((units + qty / 2) / qty).unwrap_or(i64::MIN)
        }
        _ => i64::MIN,
    };
    if let Values::Int(column) = &mut batch.columns[price] {
        column[row] = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ALL_TABLES, Kind, Table};

    #[test]
    fn the_keys_of_every_table_can_be_packed() {
        let bits = |columns: &[crate::config::Column]| -> u32 {
            columns.iter().map(|c| if c.kind == Kind::Stamp { 35 } else { 31 }).sum()
        };
        for table in &ALL_TABLES {
            let key = &table.columns[..table.key];
            let (head, tail) = match key.split_at_checked(PACKED_COLUMNS - 1) {
                Some((head, tail)) if tail.len() > 1 => (bits(head) + 31, bits(tail)),
                _ => (bits(key), 0),
            };
            assert!(head <= 128 && tail <= 128, "{}: {head} and {tail} bits", table.name);
        }
    }

    /// Rows whose keys differ in any one column are kept apart, in the order of their keys.
    #[test]
    fn a_key_of_five_columns_is_compared_in_each_of_them() {
        let table = Table::named("calendar_event").expect("the table");
        assert_eq!(table.key, 5);
        let mut symbols = Symbols::default();
        let texts: Vec<u32> = (0..64).map(|n| symbols.intern(&format!("{n:02}"))).collect();
        let mut batch = Batch::new(table, (0..5).collect());
        let keys: Vec<[usize; 5]> = vec![
            [0, 0, 0, 0, 0],
            [0, 0, 0, 0, 1],
            [0, 0, 0, 1, 0],
            [0, 0, 1, 0, 0],
            [0, 1, 0, 0, 0],
            [1, 0, 0, 0, 0],
            [16, 0, 0, 0, 0],
            [32, 0, 0, 0, 0],
            [63, 63, 63, 63, 63],
        ];
        for key in keys.iter().rev() {
            let values = key.map(|at| Value::Symbol(texts[at]));
            batch.push(&values, Origin::default());
        }
        let order = sorted(&batch, &symbols.ranks());
        let rows: Vec<u32> = order.iter().map(|&(_, row)| row).collect();
        assert_eq!(rows, (0..9).rev().collect::<Vec<u32>>());
        assert!(order.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
