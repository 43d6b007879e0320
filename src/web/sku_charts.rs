//! The two charts of an item at a location, with the table of each.

use granary_models::calendar::Day;
use serde::Serialize;

use super::chart::{Chart, Layer};
use crate::export::format::{percent, quantity, real_quantity};
use crate::store::read::sku::{Projection, SaleDay, Sku};
use crate::store::split::PART_NAMES;

/// A day counts as fully available from this share of its selling hours.
const FULLY_AVAILABLE: f64 = 0.999;

/// A drawing and the numbers behind it, ready for the page.
#[derive(Serialize, Default)]
pub struct Drawn {
    pub svg: String,
    pub headers: Vec<&'static str>,
    pub rows: Vec<Vec<String>>,
}

pub fn in_base_units(units: f64, qty_decimals: i64) -> f64 {
    units / 10f64.powi(qty_decimals.clamp(0, 6) as i32)
}

fn day_of(text: &str) -> Option<Day> {
    text.parse().ok()
}

/// History with its censored days and promotions, then the forecast with its 50% and 90% bands.
pub fn demand(sku: &Sku) -> Drawn {
    let history_from = sku.history.first().and_then(|day| day_of(&day.date));
    let forecast_from = sku.forecast.first().and_then(|day| day_of(&day.date));
    let Some(first) = history_from.or(forecast_from) else { return Drawn::default() };
    // The forecast stands where its dates say, a gap before it stays a gap.
    let offset = forecast_from.map_or(sku.history.len(), |day| (day - first).max(0) as usize);
    let days = if sku.forecast.is_empty() {
        sku.history.len()
    } else {
        sku.history.len().max(offset + sku.forecast.len())
    };
    let base = |units: f64| in_base_units(units, sku.item.qty_decimals);
    let column = |pick: fn(&crate::store::read::sku::ForecastDay) -> f64| {
        sku.forecast.iter().map(|day| base(pick(day))).collect::<Vec<f64>>()
    };
    let promoted =
        sku.history.iter().enumerate().filter(|(_, day)| day.promo_depth > 0.0).map(|(n, _)| n);
    let mut layers = vec![
        Layer::Bars {
            from: 0,
            values: sku.history.iter().map(|day| base(day.qty as f64)).collect(),
            classes: sku.history.iter().map(sale_class).collect(),
        },
        Layer::Marks { days: promoted.collect(), class: "promo" },
    ];
    if !sku.forecast.is_empty() {
        layers.push(Layer::Band {
            from: offset,
            low: column(|day| day.q05),
            high: column(|day| day.q95),
            class: "band90",
        });
        layers.push(Layer::Band {
            from: offset,
            low: column(|day| day.q25),
            high: column(|day| day.q75),
            class: "band50",
        });
        layers.push(Layer::Line { from: offset, values: column(|day| day.q50), class: "median" });
        layers.push(Layer::Divider { day: offset, label: "forecast" });
    }
    let mut drawn = demand_table(sku);
    let mut notes = vec![String::new(); days];
    for (row, note) in drawn.rows.iter().take(sku.history.len()).zip(&mut notes) {
        *note = format!("{}: sold {}{}", row[0], row[1], suffix(&row[2]));
    }
    for (n, row) in drawn.rows.iter().skip(sku.history.len()).enumerate() {
        if let Some(note) = notes.get_mut(offset + n) {
            *note = format!("{}: median {}, 90% {} to {}", row[0], row[6], row[4], row[8]);
        }
    }
    let censored = sku.history.iter().filter(|day| is_censored(day)).count();
    drawn.svg = Chart {
        id: "demand",
        title: format!("Demand per day, {}", sku.item.base_uom),
        description: format!(
            "{} days of sales, {censored} of them without full availability, then a forecast of \
             {} days with bands of 50% and 90%. The numbers are in the table below.",
            sku.history.len(),
            sku.forecast.len()
        ),
        first,
        days,
        layers,
        notes,
    }
    .svg();
    drawn
}

fn suffix(note: &str) -> String {
    if note.is_empty() { String::new() } else { format!(" ({note})") }
}

fn is_censored(day: &SaleDay) -> bool {
    day.available_fraction < FULLY_AVAILABLE
}

fn sale_class(day: &SaleDay) -> &'static str {
    if is_censored(day) { "sold censored" } else { "sold" }
}

fn demand_table(sku: &Sku) -> Drawn {
    let decimals = sku.item.qty_decimals;
    let mut rows = Vec::with_capacity(sku.history.len() + sku.forecast.len());
    for day in &sku.history {
        let mut notes = Vec::new();
        if is_censored(day) {
            notes.push(format!("in stock {} of the day", percent(day.available_fraction)));
        }
        if day.promo_depth > 0.0 {
            notes.push(format!("promotion {}", percent(day.promo_depth)));
        }
        let mut row = vec![day.date.clone(), quantity(day.qty, decimals), notes.join(", ")];
        row.resize(9, String::new());
        rows.push(row);
    }
    for day in &sku.forecast {
        let mut row = vec![day.date.clone(), String::new(), String::new()];
        row.extend(
            [day.mean, day.q05, day.q25, day.q50, day.q75, day.q95]
                .map(|units| real_quantity(units, decimals)),
        );
        rows.push(row);
    }
    Drawn {
        svg: String::new(),
        headers: vec!["date", "sold", "note", "mean", "5%", "25%", "median", "75%", "95%"],
        rows,
    }
}

/// Classes of the parts of a mean, as [`PART_NAMES`] has them.
const PART_CLASSES: [&str; 7] = [
    "part-level",
    "part-season",
    "part-events",
    "part-promotion",
    "part-price",
    "part-weather",
    "part-remainder",
];

/// What the means are made of: the parts of each day stacked, and the mean that they add up to.
pub fn parts(sku: &Sku) -> Drawn {
    let Some(parts) = sku.parts.as_ref().filter(|parts| !parts.days.is_empty()) else {
        return Drawn::default();
    };
    let Some(first) = day_of(&parts.days[0].date) else { return Drawn::default() };
    let decimals = sku.item.qty_decimals;
    let base = |units: f64| in_base_units(units, decimals);
    let column = |part: usize| {
        let days = parts.days.iter();
        days.map(|day| base(day.parts.values()[part])).collect::<Vec<f64>>()
    };
    let stack = PART_CLASSES.iter().enumerate().map(|(part, &class)| (class, column(part)));
    let mean = parts.days.iter().map(|day| base(day.parts.mean)).collect();
    let rows: Vec<Vec<String>> = parts
        .days
        .iter()
        .map(|day| {
            let mut row = vec![day.date.clone(), real_quantity(day.parts.mean, decimals)];
            row.extend(day.parts.values().map(|units| real_quantity(units, decimals)));
            row
        })
        .collect();
    let mut headers = vec!["date", "mean"];
    headers.extend(PART_NAMES);
    let note = |row: &Vec<String>| {
        let moved = PART_NAMES.iter().zip(&row[2..]).filter(|(_, units)| *units != "0");
        let moved: Vec<String> = moved.map(|(name, units)| format!("{name} {units}")).collect();
        format!("{}: mean {} = {}", row[0], row[1], moved.join(", "))
    };
    let svg = Chart {
        id: "parts",
        title: format!("What the mean is made of, {} a day", sku.item.base_uom),
        description: format!(
            "{} days: the level and what season, events, promotion, price, weather and the rest \
             add to it or take from it. The numbers are in the table below.",
            parts.days.len()
        ),
        first,
        days: parts.days.len(),
        layers: vec![
            Layer::Stack { from: 0, parts: stack.collect() },
            Layer::Line { from: 0, values: mean, class: "part-mean" },
        ],
        notes: rows.iter().map(note).collect(),
    }
    .svg();
    Drawn { svg, headers, rows }
}

/// Stock day by day with tonight's lines, and the median without them.
pub fn projection(sku: &Sku, projection: &Projection) -> Drawn {
    let days = projection.p50.len().max(projection.p50_without.len());
    if days == 0 {
        return Drawn::default();
    }
    let base = |values: &[f64]| -> Vec<f64> {
        values.iter().map(|&units| in_base_units(units, sku.item.qty_decimals)).collect()
    };
    let receipts: Vec<usize> = projection
        .receipts
        .iter()
        .filter_map(|&(day, _)| usize::try_from(day).ok().filter(|&day| day < days))
        .collect();
    let mut drawn = projection_table(sku, projection, days);
    let notes = drawn
        .rows
        .iter()
        .map(|row| {
            let arrives =
                if row[5].is_empty() { String::new() } else { format!(", arrives {}", row[5]) };
            format!("{}: median {}, without the order {}{arrives}", row[0], row[2], row[4])
        })
        .collect();
    drawn.svg = Chart {
        id: "projection",
        title: format!("Stock at the end of each day, {}", sku.item.base_uom),
        description: format!(
            "{days} days: the middle 80% of futures with tonight's lines, their median, and the \
             median without the lines. The numbers are in the table below."
        ),
        first: projection.from,
        days,
        layers: vec![
            Layer::Band {
                from: 0,
                low: base(&projection.p10),
                high: base(&projection.p90),
                class: "stock80",
            },
            Layer::Line { from: 0, values: base(&projection.p50_without), class: "without" },
            Layer::Line { from: 0, values: base(&projection.p50), class: "stock50" },
            Layer::Arrows { days: receipts, class: "receipt" },
        ],
        notes,
    }
    .svg();
    drawn
}

fn projection_table(sku: &Sku, projection: &Projection, days: usize) -> Drawn {
    let decimals = sku.item.qty_decimals;
    let at = |values: &[f64], day: usize| {
        values.get(day).map_or(String::new(), |&units| real_quantity(units, decimals))
    };
    let rows = (0..days)
        .map(|day| {
            let arrives: f64 = projection
                .receipts
                .iter()
                .filter(|&&(on, _)| usize::try_from(on) == Ok(day))
                .map(|&(_, units)| units)
                .sum();
            vec![
                (projection.from + day as i32).to_string(),
                at(&projection.p10, day),
                at(&projection.p50, day),
                at(&projection.p90, day),
                at(&projection.p50_without, day),
                if arrives > 0.0 { real_quantity(arrives, decimals) } else { String::new() },
            ]
        })
        .collect();
    Drawn {
        svg: String::new(),
        headers: vec!["date", "10%", "median", "90%", "median without", "arrives"],
        rows,
    }
}
