//! What an analyst knows beside the panel: drivers with a word on when they are known, properties
//! of series, the calendar of a country.
//!
//! `declare` says which column is what, `draft` reads its cells, `read` and `statics` read files,
//! `block` keeps the values and gives a panel those that were known at its cutoff.

pub mod block;
pub mod declare;
pub mod draft;
mod read;
pub mod statics;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use granary_models::calendar::Day;
use granary_models::forecast::drivers::EventWindow;
use granary_models::series::{Known, StaticColumn};
use serde::Serialize;

use super::super::calendars;
use super::freq::Freq;
use super::read::{Beside, Columns, opened, read_panel};
use super::table::LongTable;
use super::windows::Plan;
use crate::sources::file_name;
use block::DriverBlock;
use declare::{Declared, Found, Headers, usage};
use read::Key;

/// What a backtest is given beside the panel.
#[derive(Clone, Debug, Default)]
pub struct DriverConfig {
    pub drivers: Vec<PathBuf>,
    pub statics: Option<PathBuf>,
    pub declared: Declared,
    /// Whose calendar touches all series, by its two letters.
    pub country: Option<String>,
}

/// A file that was read beside the panel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileTold {
    pub file: String,
    pub blake3: String,
}

impl DriverConfig {
    /// Files and their digests: the static one, then the drivers in their order.
    pub fn files(&self) -> anyhow::Result<Vec<FileTold>> {
        let told = |path: &PathBuf| {
            Ok(FileTold { file: file_name(path), blake3: crate::sources::digest(path)? })
        };
        self.statics.iter().chain(&self.drivers).map(told).collect()
    }
}

/// A column of drivers as the result tells it.
#[derive(Clone, Debug, Serialize)]
pub struct DriverTold {
    pub name: String,
    /// `ahead` or `past`.
    pub known: &'static str,
    pub file: String,
    /// Columns that say which series a value belongs to; none for one that is the same for all.
    pub joined_by: Vec<String>,
    /// Of a column of texts, each of which is a flag.
    pub labels: Vec<String>,
    /// Steps of series, up to the table's last.
    pub cells: u64,
    /// Those without a value.
    pub missing: u64,
    /// Steps of horizons, over all cutoffs, without a value of what should be known ahead.
    pub missing_ahead: Option<u64>,
    /// Place of its block, and in that of its first driver.
    #[serde(skip)]
    place: (usize, usize),
}

/// The drivers of a file, and what is told of its columns.
pub type Made = (DriverBlock, Vec<DriverTold>);

/// A column of properties as the result tells it.
#[derive(Clone, Debug, Serialize)]
pub struct StaticTold {
    pub name: String,
    pub labels: usize,
}

/// What is known beside the values.
#[derive(Clone, Debug, Default)]
pub struct Extras {
    pub blocks: Vec<DriverBlock>,
    pub told: Vec<DriverTold>,
    /// Of the table's series.
    pub statics: Vec<StaticColumn>,
    pub events: Vec<EventWindow>,
}

impl Extras {
    /// Adds the drivers of a file.
    pub fn take(&mut self, mut made: Made, notes: &mut Vec<String>) {
        for told in &mut made.1 {
            told.place.0 = self.blocks.len();
            if told.missing > 0 {
                notes.push(format!(
                    "driver `{}` is not known at {} of {} steps of series",
                    told.name, told.missing, told.cells
                ));
            }
        }
        self.blocks.push(made.0);
        self.told.append(&mut made.1);
    }

    pub fn statics_told(&self) -> Vec<StaticTold> {
        let told = |column: &StaticColumn| StaticTold {
            name: column.name.clone(),
            labels: column.labels.len(),
        };
        self.statics.iter().map(told).collect()
    }
}

/// The panel with everything that is known beside it.
///
/// # Errors
/// Files that do not fit together or to what was said of them.
pub fn read_with(
    path: &std::path::Path,
    freq: Freq,
    columns: &Columns,
    config: &DriverConfig,
    on_stage: &dyn Fn(&str),
) -> anyhow::Result<LongTable> {
    let headers = |path: &PathBuf| Ok((path.clone(), opened(path)?.headers().to_vec()));
    let headers = Headers {
        panel: headers(&path.to_path_buf())?,
        statics: config.statics.as_ref().map(headers).transpose()?,
        drivers: config.drivers.iter().map(headers).collect::<anyhow::Result<_>>()?,
    };
    let found = declare::find(&headers, columns, &config.declared)?;
    check_country(config.country.as_deref(), freq)?;
    let category = found.statics.as_ref().is_some_and(|statics| statics.category.is_some());
    let beside = Beside { declared: Some(&config.declared), category };
    let mut table = read_panel(path, freq, columns, beside, &|rows| {
        on_stage(&format!("reading, {rows} rows"));
    })?;
    table.extras.events = events(config.country.as_deref(), &table);
    attach(&mut table, &found, columns, config, on_stage)?;
    Ok(table)
}

/// Before the panel is read, which may take long.
fn check_country(country: Option<&str>, freq: Freq) -> anyhow::Result<()> {
    let Some(country) = country else { return Ok(()) };
    if freq != Freq::Day {
        return Err(usage("--country is a calendar of days and needs --freq D".into()));
    }
    let nothing = calendars::events_of_country(country, Day(0), Day(0));
    if nothing.is_none() {
        let have = calendars::countries().join(", ");
        let message = format!("--country {country:?}: there is no calendar of it (want {have})");
        return Err(usage(message));
    }
    Ok(())
}

/// Events that reach into the days of the table.
fn events(country: Option<&str>, table: &LongTable) -> Vec<EventWindow> {
    let (from, to) = (Day(table.first as i32), Day(table.last as i32));
    let events = country.and_then(|code| calendars::events_of_country(code, from, to));
    events.unwrap_or_default()
}

fn attach(
    table: &mut LongTable,
    found: &Found,
    columns: &Columns,
    config: &DriverConfig,
    on_stage: &dyn Fn(&str),
) -> anyhow::Result<()> {
    let mut category = None;
    if let (Some(path), Some(layout)) = (&config.statics, &found.statics) {
        on_stage(&format!("reading {}", file_name(path)));
        let mut statics = statics::read(path, layout, table)?;
        table.notes.append(&mut statics.notes);
        table.extras.statics = statics.columns;
        category = statics.category;
    }
    let category = match category {
        Some(category) => {
            table.category = category.codes.to_vec();
            table.categories = category.labels.to_vec();
            category
        }
        None => StaticColumn {
            name: columns.category.clone(),
            codes: table.category.as_slice().into(),
            labels: table.categories.as_slice().into(),
        },
    };
    for (path, layout) in config.drivers.iter().zip(&found.layouts) {
        on_stage(&format!("reading {}", file_name(path)));
        let keys: Vec<Key> = table.extras.statics.iter().chain([&category]).map(Key::of).collect();
        let (made, mut notes) = read::read(path, layout, columns, table, &keys)?;
        table.notes.append(&mut notes);
        table.extras.take(made, &mut table.notes);
    }
    Ok(())
}

/// Counts the steps of horizons at which something that is known ahead has no value.
pub fn look_ahead(table: &mut LongTable, plan: &Plan) -> Vec<String> {
    let mut notes = Vec::new();
    let mut told = std::mem::take(&mut table.extras.told);
    let windows = plan.cutoffs.len() * plan.horizon * table.len();
    for told in told.iter_mut().filter(|told| told.known == known_text(Known::Ahead)) {
        let block = &table.extras.blocks[told.place.0];
        let missing = block.missing_ahead(table, told.place.1, &plan.cutoffs, plan.horizon);
        told.missing_ahead = Some(missing);
        if missing > 0 {
            notes.push(format!(
                "driver `{}` should be known ahead, but is not at {missing} of {windows} steps \
                 that are forecast",
                told.name
            ));
        }
    }
    table.extras.told = told;
    table.notes.extend(notes.iter().cloned());
    notes
}

pub fn known_text(known: Known) -> &'static str {
    match known {
        Known::Ahead => "ahead",
        Known::Past => "past",
    }
}
