//! One cutoff: what was known then, as the models take it, and what they make of it.

use granary_models::backtest::panel::{
    EffectRow, ForecastConfig, PanelForecast, Wanted, forecast_by,
};
use granary_models::backtest::partial::PartialDays;
use granary_models::calendar::Day;
use granary_models::forecast::drivers::{ForecastInput, Region, SeriesMeta};
use granary_models::forecast::sku_forecast::SkuForecast;
use granary_models::series::Panel;

use super::drivers::block::{self, Member};
use super::drivers::statics;
use super::freq::Freq;
use super::table::LongTable;
use crate::config::{Exit, Refused};

/// A yearly season of weeks is believed from so many weeks before the first cutoff.
const WEEKS_FOR_A_YEAR: i64 = 130;
/// Fractional series are counted in units of which a typical value has at least so many.
const UNITS_TYPICAL_MIN: f64 = 1_000.0;
/// The largest value stays below this many units.
const UNITS_MAX: f64 = 1e14;

/// Where the windows lie and what is wanted of them.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Steps, ascending.
    pub cutoffs: Vec<i64>,
    pub horizon: usize,
    pub wanted: Vec<Wanted>,
    pub forecast: ForecastConfig,
}

impl Plan {
    pub fn new(
        table: &LongTable,
        horizon: usize,
        windows: usize,
        step: usize,
        seasons: Option<&[usize]>,
        partial: PartialDays,
        wanted: Vec<Wanted>,
    ) -> anyhow::Result<Plan> {
        let (reach, apart) = (horizon as i64, step as i64);
        let cutoffs: Vec<i64> =
            (0..windows as i64).rev().map(|back| table.last - reach - back * apart).collect();
        if cutoffs[0] < table.first {
            let needs = reach + (windows as i64 - 1) * apart + 1;
            let unit = table.clock.freq.unit();
            let message = format!(
                "--windows {windows} of --horizon {horizon} need {needs} {unit}s, but the table goes \
                 from {} to {}, {} {unit}s",
                table.clock.text(table.first),
                table.clock.text(table.last),
                table.last - table.first + 1
            );
            return Err(Refused::new(Exit::Usage, message).into());
        }
        let freq = table.clock.freq;
        let usual = usual_seasons(freq, cutoffs[0] - table.first + 1);
        let seasons = match seasons {
            Some(asked) => with_longer(asked, &usual),
            None => usual,
        };
        let forecast = ForecastConfig::for_steps(horizon, seasons, freq == Freq::Day);
        let forecast = ForecastConfig { partial, ..forecast };
        Ok(Plan { cutoffs, horizon, wanted, forecast })
    }

    /// Steps of the season that MASE is scaled by.
    pub fn score_season(&self) -> usize {
        self.forecast.seasons.first().copied().unwrap_or(1)
    }
}

/// The seasons that were asked for, and the frequency's longer ones, which models of several
/// seasons find by themselves whether a series has.
pub(in crate::jobs) fn with_longer(asked: &[usize], usual: &[usize]) -> Vec<usize> {
    let longest = asked.iter().copied().max().unwrap_or(1);
    let longer = usual.iter().copied().filter(|&season| season > longest);
    asked.iter().copied().chain(longer).collect()
}

/// Seasons of a frequency; `known` steps lie before the first cutoff.
pub(in crate::jobs) fn usual_seasons(freq: Freq, known: i64) -> Vec<usize> {
    match freq {
        Freq::Day => vec![7],
        // A week is most like the last one; the year is for the models that take several seasons.
        Freq::Week if known >= WEEKS_FOR_A_YEAR => vec![1, 52],
        Freq::Month => vec![12],
        Freq::Hour => vec![24, 168],
        Freq::Week | Freq::Step => Vec::new(),
    }
}

/// Whose forecast a series has.
#[derive(Clone, Copy)]
pub(super) enum Source {
    /// Place in the models' panel.
    Models(usize),
    /// Nothing of it was known: its category's.
    Category(usize),
}

/// The forecasts after one cutoff, for every series of the table.
pub struct Window {
    /// Units of the models in one unit of the table.
    pub unit: f64,
    sources: Vec<Source>,
    /// One per wanted.
    pub forecasts: Vec<PanelForecast>,
    fallbacks: Vec<SkuForecast>,
}

impl Window {
    pub fn forecast(&self, wanted: usize, series: usize) -> &SkuForecast {
        match self.sources[series] {
            Source::Models(at) => &self.forecasts[wanted].series[at],
            Source::Category(category) => &self.fallbacks[category],
        }
    }

    pub fn is_fallback(&self, series: usize) -> bool {
        matches!(self.sources[series], Source::Category(_))
    }

    /// What was learned of categories, which all the wanted forecasts share.
    pub fn effects(&self) -> &[EffectRow] {
        self.forecasts.first().map_or(&[], |forecast| &forecast.effects)
    }

    pub fn fallbacks(&self) -> usize {
        (0..self.sources.len()).filter(|&series| self.is_fallback(series)).count()
    }
}

/// Forecasts from what was known at a cutoff. Of the steps after it only promotions, prices and
/// drivers that are declared to be known ahead are read.
///
/// # Errors
/// When the models refuse the panel, which would be a fault of this program.
pub fn forecast_window(table: &LongTable, plan: &Plan, cutoff: i64) -> anyhow::Result<Window> {
    let unit = unit(table, cutoff);
    let Built { panel, meta, sources } = build(table, cutoff, unit, plan.horizon);
    let events = table.extras.events.clone();
    let input = ForecastInput {
        panel: &panel,
        meta: &meta,
        categories: &table.categories,
        regions: &[Region { events, weather: None }],
    };
    let forecasts = if meta.is_empty() {
        Vec::new()
    } else {
        forecast_by(&input, &plan.forecast, &plan.wanted)?
    };
    let fallbacks = fallbacks(table, cutoff, unit, plan.horizon);
    Ok(Window { unit, sources, forecasts, fallbacks })
}

/// What was known at a cutoff, as the models take it.
pub(super) struct Built {
    pub panel: Panel,
    pub meta: Vec<SeriesMeta>,
    /// Per series of the table.
    pub sources: Vec<Source>,
}

pub(super) fn build(table: &LongTable, cutoff: i64, unit: f64, horizon: usize) -> Built {
    let panel = Panel { offsets: vec![0], horizon_days: horizon, ..Panel::default() };
    let mut builder = Builder { table, cutoff, unit, panel, meta: Vec::new(), members: Vec::new() };
    let sources: Vec<Source> = (0..table.len())
        .map(|series| {
            if is_known(table, series, cutoff) {
                builder.push(series);
                Source::Models(builder.meta.len() - 1)
            } else {
                Source::Category(table.category[series] as usize)
            }
        })
        .collect();
    let Builder { mut panel, meta, members, .. } = builder;
    let extras = &table.extras;
    panel.columns = block::columns(table, &extras.blocks, &panel, &members);
    panel.statics = statics::of_members(&extras.statics, members.iter().map(|of| of.series));
    Built { panel, meta, sources }
}

/// Whether a series has a value on a step with something to sell.
fn is_known(table: &LongTable, series: usize, cutoff: i64) -> bool {
    table
        .rows_until(series, cutoff)
        .any(|row| !table.y[row].is_nan() && table.availability(row) > 0.0)
}

/// The models count whole units. A table of whole numbers is counted as it is; the unit of any
/// other is the power of ten in which its median value has four digits. Only values up to the
/// cutoff speak.
fn unit(table: &LongTable, cutoff: i64) -> f64 {
    let mut positive: Vec<f64> = Vec::new();
    for series in 0..table.len() {
        let values = &table.y[table.rows_until(series, cutoff)];
        positive.extend(values.iter().filter(|&&y| y > 0.0));
    }
    if positive.iter().all(|y| y.fract() == 0.0) {
        return 1.0;
    }
    let most = positive.iter().copied().fold(0.0, f64::max);
    let middle = positive.len() / 2;
    let (_, median, _) = positive.select_nth_unstable_by(middle, f64::total_cmp);
    let digits = (UNITS_TYPICAL_MIN / *median).log10().ceil();
    let room = (UNITS_MAX / most).log10().floor();
    10f64.powi(digits.min(room) as i32)
}

struct Builder<'a> {
    table: &'a LongTable,
    cutoff: i64,
    unit: f64,
    panel: Panel,
    meta: Vec<SeriesMeta>,
    members: Vec<Member>,
}

impl Builder<'_> {
    fn push(&mut self, series: usize) {
        let table = self.table;
        let rows = table.rows_until(series, self.cutoff);
        let first = table.step[rows.start];
        // Where a step is no day, days are only a count of steps.
        let origin = if table.clock.freq == Freq::Day { 0 } else { table.first };
        let length = (self.cutoff - first + 1) as usize;
        let from = self.panel.sold.len();
        self.panel.start.push(Day((first - origin) as i32));
        self.panel.sold.resize(from + length, 0.0);
        self.panel.available.resize(from + length, 0.0);
        for row in rows.filter(|&row| !table.y[row].is_nan()) {
            let at = from + (table.step[row] - first) as usize;
            self.panel.sold[at] = table.y[row] * self.unit;
            self.panel.available[at] = table.availability(row);
        }
        self.panel.offsets.push(from + length);
        self.members.push(Member { series, first });
        self.push_drivers(series, first, length + self.panel.horizon_days);
        self.meta.push(SeriesMeta {
            key: stable_hash(&table.ids[series]),
            category: table.category[series],
            item: series as u32,
            region: 0,
            weather_region: 0,
            location: 0,
        });
    }

    fn push_drivers(&mut self, series: usize, first: i64, length: usize) {
        let table = self.table;
        let from = self.panel.promo_depth.len();
        self.panel.promo_depth.resize(from + length, 0.0);
        self.panel.price_ratio.resize(from + length, 1.0);
        let end = first + length as i64 - 1;
        let rows = || table.rows_until(series, end).map(|row| (row, (table.step[row] - first)));
        if let Some(promo) = &table.promo {
            let depths = &mut self.panel.promo_depth[from..];
            rows()
                .filter(|&(row, _)| !promo[row].is_nan())
                .for_each(|(row, at)| depths[at as usize] = promo[row]);
        }
        if let Some(price) = &table.price {
            let known = table.rows_until(series, self.cutoff).map(|row| price[row]);
            let Some(usual) = median(known.filter(|price| !price.is_nan()).collect()) else {
                return;
            };
            let ratios = &mut self.panel.price_ratio[from..];
            let asked: Vec<(usize, f32)> = rows()
                .filter(|&(row, _)| !price[row].is_nan())
                .map(|(row, at)| (at as usize, price[row]))
                .collect();
            // A price holds until the next one is asked.
            for (n, &(at, price)) in asked.iter().enumerate() {
                let until = asked.get(n + 1).map_or(ratios.len(), |next| next.0);
                ratios[at..until].fill(price / usual);
            }
        }
    }
}

fn median(mut values: Vec<f32>) -> Option<f32> {
    if values.is_empty() {
        return None;
    }
    let middle = values.len() / 2;
    Some(*values.select_nth_unstable_by(middle, f32::total_cmp).1)
}

/// Of every category the mean and the spread of all that was known of it at the cutoff, for series
/// of which nothing was; zero where nothing was known of the category either.
fn fallbacks(table: &LongTable, cutoff: i64, unit: f64, horizon: usize) -> Vec<SkuForecast> {
    let mut sums = vec![(0.0, 0.0, 0.0); table.categories.len()];
    for series in 0..table.len() {
        let (n, sum, squares) = &mut sums[table.category[series] as usize];
        for row in table.rows_until(series, cutoff).filter(|&row| table.is_scored(row)) {
            let y = table.y[row] * unit;
            *n += 1.0;
            *sum += y;
            *squares += y * y;
        }
    }
    let forecast = |&(n, sum, squares): &(f64, f64, f64)| {
        let mean = if n > 0.0 { sum / n } else { 0.0 };
        let variance = if n > 0.0 { squares / n - mean * mean } else { 0.0 };
        let dispersion =
            if mean > 0.0 { ((variance - mean) / (mean * mean)).max(0.0) } else { 0.0 };
        SkuForecast::from_mean(0, vec![mean; horizon], dispersion as f32, 0.0)
    };
    sums.iter().map(forecast).collect()
}

/// The first eight bytes of a digest: equal in every build and on every machine.
pub(in crate::jobs) fn stable_hash(id: &str) -> u64 {
    let mut head = [0; 8];
    head.copy_from_slice(&blake3::hash(id.as_bytes()).as_bytes()[..8]);
    u64::from_le_bytes(head)
}

#[cfg(test)]
mod tests {
    use super::super::drivers::Extras;
    use super::super::freq::Clock;
    use super::super::table::Books;
    use super::*;

    fn table(y: &[f64], price: &[f32]) -> LongTable {
        LongTable {
            moved: vec![0],
            clock: Clock::of(Freq::Step, &[]),
            ids: vec!["a".into()],
            category: vec![0],
            categories: vec!["all".into()],
            offsets: vec![0, y.len()],
            step: (0..y.len() as i64).collect(),
            y: y.to_vec(),
            available: None,
            promo: None,
            price: (!price.is_empty()).then(|| price.to_vec()),
            last: y.len() as i64 - 1,
            first: 0,
            books: Books::default(),
            notes: Vec::new(),
            extras: Extras::default(),
        }
    }

    #[test]
    fn units_give_a_typical_value_four_digits() {
        for (y, want) in [
            (vec![1.0, 7.0, 300.0], 1.0),
            (vec![0.5, 0.7, 0.9], 10_000.0),
            (vec![1.5, 2.5, 1.0], 1_000.0),
            (vec![35_397.16, 1_089.2, 20_000.5], 0.1),
            (vec![0.0, 0.0], 1.0),
            (vec![0.001, 0.001, 1e14], 1.0),
        ] {
            assert_eq!(unit(&table(&y, &[]), 9), want, "{y:?}");
        }
        // A fraction that comes later is not known yet.
        assert_eq!(unit(&table(&[3.0, 4.0, 0.5], &[]), 1), 1.0);
    }

    #[test]
    fn prices_hold_until_the_next_and_are_measured_by_the_past() {
        let unknown = f32::NAN;
        let table = table(&[1.0; 6], &[unknown, 2.0, unknown, 4.0, 8.0, unknown]);
        let panel = Panel { offsets: vec![0], horizon_days: 2, ..Panel::default() };
        let (meta, members) = (Vec::new(), Vec::new());
        let mut builder = Builder { table: &table, cutoff: 3, unit: 1.0, panel, meta, members };
        builder.push(0);
        // Of the prices up to the cutoff, 2 and 4, the upper middle one is usual.
        assert_eq!(builder.panel.price_ratio, [1.0, 0.5, 0.5, 1.0, 2.0, 2.0]);
        assert_eq!(builder.panel.sold.len(), 4);
    }

    #[test]
    fn a_series_without_a_past_has_its_category_s_moments() {
        let table = table(&[2.0, 6.0, 100.0], &[]);
        let fallback = &fallbacks(&table, 1, 1.0, 3)[0];
        // Mean 4 and variance 4: no more than Poisson.
        assert_eq!((fallback.mean.as_slice(), fallback.dispersion), ([4.0; 3].as_slice(), 0.0));
        assert_eq!(fallbacks(&table, -1, 1.0, 3)[0].mean, [0.0; 3]);
    }
}
