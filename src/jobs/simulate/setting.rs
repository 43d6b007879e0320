//! A table and its options as the models take them.

use std::collections::BTreeMap;
use std::path::Path;

use granary_models::backtest::levels::Reconcile;
use granary_models::backtest::panel::ForecastConfig;
use granary_models::calendar::Day;
use granary_models::forecast::drivers::{Region, SeriesMeta};
use granary_models::series::Panel;
use granary_models::simulate::item::{Item, Money, Rules, Start, World};
use granary_models::simulate::run::horizon_periods;

use super::columns::{NumberColumn, Source, headers, read};
use super::options::{Options, Value};
use crate::config::{Exit, Refused};
use crate::jobs::backtest::read::rejected;
use crate::jobs::backtest::windows::{stable_hash, usual_seasons, with_longer};
use crate::jobs::backtest::{Columns, Freq, LongTable};

/// Decimals that quantities may have.
const DECIMALS_MAX: u32 = 6;

/// Owns what the models borrow.
pub struct Setting {
    pub panel: Panel,
    pub meta: Vec<SeriesMeta>,
    pub items: Vec<Item>,
    pub regions: Vec<Region>,
    pub rules: Rules,
    pub decimals: u32,
    /// The first simulated step of the table.
    pub first: i64,
    pub notes: Vec<String>,
}

impl Setting {
    pub fn world<'a>(&'a self, table: &'a LongTable) -> World<'a> {
        World {
            panel: &self.panel,
            meta: &self.meta,
            categories: &table.categories,
            regions: &self.regions,
            items: &self.items,
        }
    }

    /// # Errors
    /// Periods that the table has not, columns that are not there, numbers out of range.
    pub fn new(
        table: &LongTable,
        input: &Path,
        options_folder: &Path,
        columns: &Columns,
        options: &Options,
        seasons: Option<&[usize]>,
    ) -> anyhow::Result<Setting> {
        let periods = (options.warm_up_periods + options.scored_periods) as i64;
        let first = table.last - periods + 1;
        let unit = table.clock.freq.unit();
        if first <= table.first {
            let message = format!(
                "warm_up_periods {} and scored_periods {} need more than {periods} {unit}s, but the \
                 table goes from {} to {}, {} {unit}s",
                options.warm_up_periods,
                options.scored_periods,
                table.clock.text(table.first),
                table.clock.text(table.last),
                table.last - table.first + 1
            );
            return Err(Refused::new(Exit::Usage, message).into());
        }
        let decimals = decimals(table, options.qty_decimals)?;
        let found = Found::new(table, input, options_folder, columns, options)?;
        let items = found.items(table, options, decimals, first)?;
        let origin = origin(table);
        let rules = rules(table, options, seasons, first, origin);
        let horizon = horizon_periods(&items, &rules);
        Ok(Setting {
            panel: panel(table, horizon, decimals, origin),
            meta: (0..table.len()).map(|series| meta(table, series)).collect(),
            items,
            regions: vec![Region::default()],
            rules,
            decimals,
            first,
            notes: Vec::new(),
        })
    }
}

/// Where a step is no day, days are only a count of steps.
fn origin(table: &LongTable) -> i64 {
    if table.clock.freq == Freq::Day { 0 } else { table.first }
}

fn rules(
    table: &LongTable,
    options: &Options,
    seasons: Option<&[usize]>,
    first: i64,
    origin: i64,
) -> Rules {
    let freq = table.clock.freq;
    let usual = usual_seasons(freq, first - table.first);
    let seasons = seasons.map_or(usual.clone(), |asked| with_longer(asked, &usual));
    let forecast = ForecastConfig::for_steps(1, seasons, freq == Freq::Day);
    Rules {
        first: Day((first - origin) as i32),
        periods: (options.warm_up_periods + options.scored_periods) as usize,
        warm_up_periods: options.warm_up_periods as usize,
        review_every_periods: options.review_every_periods as usize,
        shortage: options.shortage.model(),
        issue: options.issue.model(),
        knowledge: options.knowledge,
        partial_demand: options.partial_demand,
        refit_every_reviews: options.refit_every_reviews as usize,
        paths: options.paths as usize,
        seed: options.seed,
        // A replay forecasts as often as it reviews; sums of its few items would cost more than they say.
        forecast: ForecastConfig {
            partial: options.partial_days,
            reconcile: Reconcile::Off,
            ..forecast
        },
    }
}

fn meta(table: &LongTable, series: usize) -> SeriesMeta {
    SeriesMeta {
        key: stable_hash(&table.ids[series]),
        category: table.category[series],
        item: series as u32,
        region: 0,
        weather_region: 0,
        location: 0,
    }
}

/// Decimals of the smallest unit: those that were asked for, or as few as every quantity needs.
fn decimals(table: &LongTable, asked: Option<u64>) -> anyhow::Result<u32> {
    if let Some(asked) = asked {
        return Ok(asked as u32);
    }
    let mut needed = 0;
    for &y in table.y.iter().filter(|y| !y.is_nan()) {
        let whole = |decimals: u32| {
            let units = y * 10f64.powi(decimals as i32);
            (units - units.round()).abs() <= 1e-9 * units.max(1.0)
        };
        while !whole(needed) {
            needed += 1;
            if needed > DECIMALS_MAX {
                return Err(rejected(format!(
                    "a y of {y} has more than {DECIMALS_MAX} decimals; qty_decimals says to how \
                     many they are rounded"
                )));
            }
        }
    }
    Ok(needed)
}

fn panel(table: &LongTable, horizon: usize, decimals: u32, origin: i64) -> Panel {
    let mut panel = Panel { offsets: vec![0], horizon_days: horizon, ..Panel::default() };
    let scale = 10f64.powi(decimals as i32);
    for series in 0..table.len() {
        let rows = table.rows(series);
        let first = table.step[rows.start];
        let length = (table.last - first + 1).max(0) as usize;
        let from = panel.sold.len();
        panel.start.push(Day((first - origin) as i32));
        panel.sold.resize(from + length, 0.0);
        panel.available.resize(from + length, 0.0);
        let known = panel.promo_depth.len();
        panel.promo_depth.resize(known + length + horizon, 0.0);
        panel.price_ratio.resize(known + length + horizon, f32::NAN);
        for row in rows {
            let at = (table.step[row] - first) as usize;
            if at < length && !table.y[row].is_nan() {
                panel.sold[from + at] = (table.y[row] * scale).round();
                panel.available[from + at] = table.availability(row);
            }
            if at < length + horizon {
                let promo = table.promo.as_ref().map_or(0.0, |promo| promo[row]);
                panel.promo_depth[known + at] = if promo.is_nan() { 0.0 } else { promo };
                if let Some(price) = &table.price {
                    panel.price_ratio[known + at] = price[row];
                }
            }
        }
        // A price holds until the next one is asked.
        let mut asked = f32::NAN;
        for price in &mut panel.price_ratio[known..] {
            asked = if price.is_nan() { asked } else { *price };
            *price = asked;
        }
        panel.offsets.push(panel.sold.len());
    }
    panel
}

/// The columns that the options name, wherever they are.
struct Found {
    columns: BTreeMap<String, NumberColumn>,
    recorded: Option<NumberColumn>,
}

impl Found {
    fn new(
        table: &LongTable,
        input: &Path,
        options_folder: &Path,
        columns: &Columns,
        options: &Options,
    ) -> anyhow::Result<Found> {
        let mut wanted: Vec<String> = options
            .numbers()
            .iter()
            .filter_map(|(_, value, ..)| value.column())
            .map(str::to_owned)
            .collect();
        wanted.sort();
        wanted.dedup();
        let mut found = BTreeMap::new();
        if let Some(items) = &options.items {
            let path = options_folder.join(&items.file);
            let there = headers(&path)?;
            let has = |name: &String| there.iter().any(|header| header.eq_ignore_ascii_case(name));
            let (here, elsewhere): (Vec<String>, Vec<String>) = wanted.into_iter().partition(has);
            let source = Source { path: &path, id_col: &items.id_col, time_col: None };
            found = read(&source, &here, table)?;
            wanted = elsewhere;
        }
        let recorded = options.recorded_column();
        wanted.extend(recorded.clone());
        if !wanted.is_empty() {
            let source = Source { path: input, id_col: &columns.id, time_col: Some(&columns.time) };
            found.extend(read(&source, &wanted, table)?);
        }
        let recorded = recorded.and_then(|name| found.get(&name).cloned());
        Ok(Found { columns: found, recorded })
    }

    /// The number that a key stands for, for one series.
    fn number(
        &self,
        value: &Value,
        series: usize,
        id: &str,
        step: Option<i64>,
    ) -> anyhow::Result<f64> {
        let Some(name) = value.column() else { return Ok(value.of(0.0)) };
        let column = &self.columns[name];
        let cell = match step {
            None => column.one(series, id, name)?,
            Some(step) => column.until(series, step, id, name)?,
        };
        Ok(value.of(cell))
    }

    fn items(
        &self,
        table: &LongTable,
        options: &Options,
        decimals: u32,
        first: i64,
    ) -> anyhow::Result<Vec<Item>> {
        let reader = ItemReader { found: self, table, options, decimals, first };
        (0..table.len()).map(|series| reader.item(series)).collect()
    }
}

struct ItemReader<'a> {
    found: &'a Found,
    table: &'a LongTable,
    options: &'a Options,
    decimals: u32,
    first: i64,
}

impl ItemReader<'_> {
    /// A number within its key's range.
    fn take(&self, key: &str, value: &Value, series: usize, start: bool) -> anyhow::Result<f64> {
        let id = &self.table.ids[series];
        let step = start.then_some(self.first - 1);
        let number = self.found.number(value, series, id, step)?;
        let keys = self.options.numbers();
        let ranges = keys.iter().find(|(name, ..)| name == key);
        let (least, most) = ranges.map_or((0.0, 1e12), |(_, _, least, most)| (*least, *most));
        if (least..=most).contains(&number) {
            return Ok(number);
        }
        Err(rejected(format!("series {id:?}: {key} is {number}; legal is {least} to {most}")))
    }

    fn whole(&self, key: &str, value: &Value, series: usize) -> anyhow::Result<f64> {
        let number = self.take(key, value, series, false)?;
        if number.fract() == 0.0 {
            return Ok(number);
        }
        let id = &self.table.ids[series];
        Err(rejected(format!("series {id:?}: {key} is {number}; want a whole number of periods")))
    }

    fn units(&self, key: &str, value: &Value, series: usize, start: bool) -> anyhow::Result<i64> {
        let number = self.take(key, value, series, start)?;
        Ok((number * 10f64.powi(self.decimals as i32)).round() as i64)
    }

    fn item(&self, series: usize) -> anyhow::Result<Item> {
        let options = self.options;
        let life = options.shelf_life_periods.as_ref();
        let life = life.map(|value| self.whole("shelf_life_periods", value, series)).transpose()?;
        let start = match &options.start.on_hand {
            None => Start::Cover(options.start.cover_periods.map(|periods| periods as usize)),
            Some(on_hand) => Start::Given {
                on_hand: self.units("start.on_hand", on_hand, series, true)?,
                due: (options.start.due.iter().enumerate())
                    .map(|(at, due)| self.units(&format!("start.due.{at}"), due, series, true))
                    .collect::<anyhow::Result<_>>()?,
            },
        };
        Ok(Item {
            lead_periods: self.whole("lead_periods", &options.lead_periods, series)? as usize,
            moq: self.units("moq", &options.moq, series, false)?,
            multiple: self.units("multiple", &options.multiple, series, false)?.max(1),
            shelf_life_periods: life.map(|life| life as u32),
            money: self.money(series)?,
            start,
            recorded_orders: self.recorded(series),
        })
    }

    fn money(&self, series: usize) -> anyhow::Result<Money> {
        let costs = &self.options.costs;
        let per_unit = 10f64.powi(-(self.decimals as i32));
        let take = |key, value| self.take(key, value, series, false);
        let unit = take("costs.unit", &costs.unit)? * per_unit;
        let waste = costs.waste.as_ref().map(|waste| take("costs.waste", waste)).transpose()?;
        Ok(Money {
            holding: take("costs.holding", &costs.holding)? * per_unit,
            shortage: take("costs.shortage", &costs.shortage)? * per_unit,
            order: take("costs.order", &costs.order)?,
            waste: waste.map_or(unit, |waste| waste * per_unit),
            unit,
        })
    }

    fn recorded(&self, series: usize) -> Vec<i64> {
        let Some(column) = &self.found.recorded else { return Vec::new() };
        let periods = (self.options.warm_up_periods + self.options.scored_periods) as i64;
        let scale = 10f64.powi(self.decimals as i32);
        let of = |period: i64| (column.at(series, self.first - 1 + period) * scale).round() as i64;
        (0..periods).map(of).collect()
    }
}
