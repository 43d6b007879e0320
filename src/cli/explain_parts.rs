//! What a forecast is made of, for a terminal.

use std::fmt::Write;

use super::text::{Align, Style, Table, plain};
use crate::export::format;
use crate::store::read::sku::Sku;
use crate::store::split::{MeanParts, PART_NAMES, Parts};

/// Days that are shown one by one; what follows is shown by week.
const DAYS_SHOWN: usize = 14;
const WEEK: usize = 7;

/// A table of the parts that are not nothing everywhere, and the events by name.
pub fn render(out: &mut String, sku: &Sku, style: Style) -> std::fmt::Result {
    let Some(parts) = &sku.parts else { return Ok(()) };
    if parts.days.is_empty() {
        return Ok(());
    }
    let decimals = sku.item.qty_decimals;
    let title = format!("What the mean is made of, {} a day", sku.item.base_uom);
    writeln!(out, "{}", style.strong(&plain(&title)))?;
    let shown: Vec<usize> =
        (0..PART_NAMES.len()).filter(|&part| part == 0 || moves(parts, part)).collect();
    let mut columns = vec![("date", Align::Left, 22), ("mean", Align::Right, 12)];
    columns.extend(shown.iter().map(|&part| (PART_NAMES[part], Align::Right, 12)));
    let mut table = Table::new(&columns);
    let mut row = |label: String, parts: &Parts| {
        let mut cells = vec![label, format::real_quantity(parts.mean, decimals)];
        let values = parts.values();
        cells.extend(shown.iter().map(|&part| match part {
            0 => format::real_quantity(values[part], decimals),
            _ => signed(values[part], decimals),
        }));
        table.row(cells);
    };
    parts.days.iter().take(DAYS_SHOWN).for_each(|day| row(day.date.clone(), &day.parts));
    for week in parts.days.get(DAYS_SHOWN..).unwrap_or_default().chunks(WEEK) {
        let mut sum = Parts::default();
        week.iter().for_each(|day| sum.add(&day.parts));
        row(format!("{} and {} more", week[0].date, week.len() - 1), &sum);
    }
    row(format!("all {} days", parts.days.len()), &parts.total);
    out.push_str(&table.render(style, 2));
    for event in &parts.events {
        let units = signed(event.units, decimals);
        let days = if event.from == event.to {
            format!("on {}", event.from)
        } else {
            format!("from {} to {}", event.from, event.to)
        };
        writeln!(out, "  {}: {units} {days}", plain(&event.name))?;
    }
    out.push('\n');
    Ok(())
}

/// Whether a part shows on any day, at the digits that are printed.
fn moves(parts: &MeanParts, part: usize) -> bool {
    let largest = parts.days.iter().map(|day| day.parts.mean.abs()).fold(0.0, f64::max);
    parts.days.iter().any(|day| day.parts.values()[part].abs() > 1e-4 * largest)
}

/// With its sign, and nothing where there is nothing.
pub fn signed(units: f64, decimals: i64) -> String {
    let text = format::real_quantity(units.abs(), decimals);
    match units {
        _ if text == "0" => "·".to_owned(),
        units if units < 0.0 => format!("−{text}"),
        _ => format!("+{text}"),
    }
}
