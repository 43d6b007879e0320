//! Features of a day to come, from what was known on an earlier one.
//!
//! A row is for one series, an origin (its first day that is not known) and a day at or after it.
//! It is made of the history before the origin and of what is known ahead, of nothing else. Sizes
//! are relative to the series' level, so that small and large series teach each other.

use rayon::prelude::*;

use super::groups::Grouping;
use super::life::Life;
use crate::calendar::Day;
use crate::forecast::drivers::ForecastInput;
use crate::forecast::pooled::features::Features;
use crate::forecast::pooled::learn::{Effects, Learner};
use crate::series::Known;

/// Days over which demand, and demand over its effects, is averaged.
const WINDOWS: [usize; 6] = [1, 3, 7, 14, 28, 56];
/// Days over which demand of whole days alone is averaged.
const WHOLE_WINDOWS: [usize; 3] = [14, 28, 56];
/// What is also told in units of the panel's mean day: how much a series' own past is to be believed
/// depends on how much it sells.
const SIZES: [&str; 6] =
    ["size_1", "size_7", "size_28", "size_freed_14", "size_whole_28", "size_same_weekday"];
/// Same weekdays that are looked back on.
const WEEKS: usize = 4;
/// Days that a driver's value is compared with.
const RECENT_DAYS: usize = 14;
/// A month and a year can be told from a trend only on a panel of so many days.
const MONTH_DAYS_MIN: usize = 200;
const YEAR_DAYS_MIN: usize = 500;
/// Ratios to the level beyond this are no more surprising.
const RATIO_MAX: f32 = 20.0;
/// The least level, as a share of the panel's mean day, so that a silent series has a scale.
const LEVEL_MIN: f64 = 1e-3;

/// Everything that rows are made of.
pub struct Board<'a> {
    input: &'a ForecastInput<'a>,
    features: &'a Features<'a>,
    pub lives: Vec<Life>,
    groupings: Vec<Grouping>,
    /// Mean demand of a day of a series.
    pub scale: f64,
    span_days: usize,
}

impl<'a> Board<'a> {
    /// `effects` were learned from days before any origin that will be asked for.
    pub fn new(
        input: &'a ForecastInput<'a>,
        learner: &'a Learner<'a>,
        effects: &Effects,
        betas: &[Vec<f64>],
    ) -> Board<'a> {
        let panel = input.panel;
        let lives: Vec<Life> = (0..panel.len())
            .into_par_iter()
            .map(|i| {
                let category = input.meta[i].category as usize;
                let pooled = learner.series(i, category, effects, &betas[i]);
                let events = learner.event_logs(i, &betas[i]);
                Life::follow(&panel.series(i), pooled.factors, events, pooled.alpha)
            })
            .collect();
        let (sum, days) = lives
            .iter()
            .zip(learner.ends)
            .flat_map(|(life, &end)| life.demand[..end].iter().filter(|d| !d.is_nan()))
            .fold((0.0, 0.0), |(sum, n), &demand| (sum + f64::from(demand), n + 1.0));
        let scale = if sum > 0.0 { sum / days } else { 1.0 };
        let mut groupings = groupings(input);
        groupings.par_iter_mut().for_each(|g| g.sum(&lives, &panel.start, scale));
        let ends = (0..panel.len()).map(|i| panel.series(i).end());
        let first = panel.start.iter().copied().min().unwrap_or_default();
        let span_days = (ends.max().unwrap_or(first) - first) as usize;
        Board { input, features: learner.features, lives, groupings, scale, span_days }
    }

    /// Names of the features, in the order of a row.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = ["step", "weekday", "level", "age"].map(str::to_owned).into();
        if self.span_days >= MONTH_DAYS_MIN {
            names.push("day_of_month".to_owned());
        }
        if self.span_days >= YEAR_DAYS_MIN {
            names.push("day_of_year".to_owned());
        }
        names.extend(WINDOWS.map(|days| format!("demand_{days}")));
        names.extend(WINDOWS[1..].iter().map(|days| format!("freed_{days}")));
        names.extend((1..=WEEKS).map(|weeks| format!("same_weekday_{weeks}")));
        names.extend(WHOLE_WINDOWS.map(|days| format!("whole_demand_{days}")));
        names.extend(SIZES.map(str::to_owned));
        for name in [
            "same_weekday_mean",
            "deviation_28",
            "zeros_28",
            "days_since_sale",
            "available_7",
            "available_28",
            "available_1",
            "whole_28",
            "effects",
            "effects_recent",
            "events",
            "events_recent",
            "promo",
            "promo_recent",
            "promo_before",
            "promo_after",
            "price",
            "price_recent",
            "temperature",
            "temperature_recent",
            "rain",
        ] {
            names.push(name.to_owned());
        }
        for column in &self.input.panel.columns {
            let name = &column.name;
            match column.known {
                Known::Ahead => {
                    names.extend(["", "_recent", "_before", "_after"].map(|w| format!("{name}{w}")))
                }
                Known::Past => names.extend(["_last", "_recent"].map(|w| format!("{name}{w}"))),
            }
        }
        for grouping in &self.groupings {
            let name = &grouping.name;
            names.push(format!("{name}:size"));
            if grouping.has_ratios() {
                names.extend(["1", "7", "28", "same_weekday"].map(|w| format!("{name}:{w}")));
            }
        }
        names
    }

    /// What a series' demand of day `t` comes to by its level at `origin` and the pooled effects:
    /// what the trees start from.
    pub fn base(&self, series: usize, origin: usize, t: usize) -> f64 {
        self.level(series, origin) * f64::from(self.lives[series].factor[t])
    }

    /// A series' level before day `origin`, units a day.
    pub fn level(&self, series: usize, origin: usize) -> f64 {
        f64::from(self.lives[series].level[origin]).max(LEVEL_MIN * self.scale)
    }

    /// The date of a day of a series.
    pub fn date(&self, series: usize, day: usize) -> Day {
        self.input.panel.start[series] + day as i32
    }

    /// Prepares rows of one series.
    pub fn series(&self, series: usize) -> SeriesBoard<'_> {
        SeriesBoard::new(self, series)
    }
}

/// Categories, regions, items and whatever else is known of series, without repetitions.
fn groupings(input: &ForecastInput) -> Vec<Grouping> {
    let of = |code: fn(&crate::forecast::drivers::SeriesMeta) -> u32| -> Vec<u32> {
        input.meta.iter().map(code).collect()
    };
    let mut wanted: Vec<(String, Vec<u32>)> = vec![
        ("all".to_owned(), vec![0; input.meta.len()]),
        ("category".to_owned(), of(|meta| meta.category)),
        ("region".to_owned(), of(|meta| meta.region)),
        ("item".to_owned(), of(|meta| meta.item)),
    ];
    for column in &input.panel.statics {
        wanted.push((column.name.clone(), column.codes.to_vec()));
    }
    let mut kept: Vec<Grouping> = Vec::new();
    for grouping in wanted.into_iter().filter_map(|(name, codes)| Grouping::new(&name, codes)) {
        if !kept.iter().any(|other| other.is_like(&grouping)) {
            kept.push(grouping);
        }
    }
    kept
}

/// Sums over the days of one series before each day.
struct Sums {
    demand: Vec<f64>,
    squared: Vec<f64>,
    effects: Vec<f64>,
    days: Vec<f64>,
    zeros: Vec<f64>,
    available: Vec<f64>,
    whole: Vec<f64>,
    /// Demand of whole days, and their effects.
    whole_demand: Vec<f64>,
    whole_effects: Vec<f64>,
}

/// Rows of one series.
pub struct SeriesBoard<'a> {
    board: &'a Board<'a>,
    series: usize,
    life: &'a Life,
    start: Day,
    sums: Sums,
    /// Per known day, days since the last sale before it.
    quiet: Vec<f32>,
    /// Sums of drivers over the days before each: effects, events, promotion, price, temperature,
    /// then the columns.
    drivers: Vec<Vec<f64>>,
    weather: Vec<[f32; 2]>,
}

fn sums_before(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut total = 0.0;
    let mut sums = vec![0.0];
    sums.extend(values.map(|value| {
        total += value;
        total
    }));
    sums
}

impl<'a> SeriesBoard<'a> {
    fn new(board: &'a Board<'a>, series: usize) -> SeriesBoard<'a> {
        let life = &board.lives[series];
        let panel = board.input.panel;
        let known = |pick: fn(f64, f64) -> f64| {
            let days = life.demand.iter().zip(&life.factor);
            sums_before(days.map(move |(&demand, &factor)| {
                if demand.is_nan() { 0.0 } else { pick(f64::from(demand), f64::from(factor)) }
            }))
        };
        let whole = |pick: fn(f64, f64) -> f64| {
            let days = life.demand.iter().zip(&life.factor).zip(&life.whole);
            sums_before(days.map(move |((&demand, &factor), &whole)| {
                if whole { pick(f64::from(demand), f64::from(factor)) } else { 0.0 }
            }))
        };
        let sums = Sums {
            demand: known(|demand, _| demand),
            squared: known(|demand, _| demand * demand),
            effects: known(|_, factor| factor),
            days: known(|_, _| 1.0),
            zeros: known(|demand, _| f64::from(u8::from(demand <= 0.0))),
            available: sums_before(life.available.iter().map(|&a| f64::from(a))),
            whole: sums_before(life.whole.iter().map(|&w| f64::from(u8::from(w)))),
            whole_demand: whole(|demand, _| demand),
            whole_effects: whole(|_, factor| factor),
        };
        let mut quiet = vec![0.0];
        for &demand in &life.demand {
            let before = quiet[quiet.len() - 1];
            quiet.push(if demand > 0.0 { 0.0 } else { before + 1.0 });
        }
        let drivers_of = panel.drivers(series);
        let weather = board.features.weather_of(series);
        let zero = |value: f32| if value.is_finite() { f64::from(value) } else { 0.0 };
        let mut drivers = vec![
            sums_before(life.factor.iter().map(|&f| f64::from(f.max(1e-6)).ln())),
            sums_before(life.events.iter().map(|&e| f64::from(e))),
            sums_before(drivers_of.promo_depth.iter().map(|&d| zero(d))),
            sums_before(drivers_of.price_ratio.iter().map(|&p| zero(p))),
            sums_before(weather.iter().map(|w| zero(w[0]))),
        ];
        for column in &panel.columns {
            let values = &column.values[panel.driver_days(series)];
            drivers.push(sums_before(values.iter().map(|&v| zero(v))));
        }
        let start = panel.start[series];
        SeriesBoard { board, series, life, start, sums, quiet, drivers, weather }
    }

    /// The features of day `t` as known when day `origin` was the first that was not.
    pub fn row(&self, origin: usize, t: usize, row: &mut Vec<f32>) {
        row.clear();
        let level = f64::from(self.life.level[origin]).max(LEVEL_MIN * self.board.scale);
        let date = self.start + t as i32;
        row.push((t - origin) as f32);
        row.push(date.weekday() as f32);
        row.push((level / self.board.scale) as f32);
        row.push(origin as f32);
        if self.board.span_days >= MONTH_DAYS_MIN {
            row.push(date.day_of_month() as f32);
        }
        if self.board.span_days >= YEAR_DAYS_MIN {
            row.push(date.day_of_year() as f32);
        }
        self.past(origin, t, level, row);
        self.known_ahead(origin, t, row);
        for grouping in &self.board.groupings {
            let now = self.start + origin as i32;
            let same = self.start + same_weekday(origin, t) as i32;
            row.push(grouping.size(self.series, now));
            if !grouping.has_ratios() {
                continue;
            }
            row.push(grouping.ratio(self.series, now + -1, now));
            row.push(grouping.ratio(self.series, now + -7, now));
            row.push(grouping.ratio(self.series, now + -28, now));
            row.push(grouping.ratio(self.series, same, same + 1));
        }
    }

    fn past(&self, origin: usize, t: usize, level: f64, row: &mut Vec<f32>) {
        let sums = &self.sums;
        let over = |sums: &[f64], days: usize| sums[origin] - sums[origin.saturating_sub(days)];
        let ratio = |above: f64, below: f64| {
            if below > 0.0 { ((above / below / level) as f32).min(RATIO_MAX) } else { f32::NAN }
        };
        for days in WINDOWS {
            row.push(ratio(over(&sums.demand, days), over(&sums.days, days)));
        }
        for &days in &WINDOWS[1..] {
            row.push(ratio(over(&sums.demand, days), over(&sums.effects, days)));
        }
        let last = same_weekday(origin, t) as i64;
        let (mut sum, mut count) = (0.0, 0.0);
        for week in 0..WEEKS as i64 {
            let day = usize::try_from(last - 7 * week).ok();
            let demand = day.map_or(f32::NAN, |day| self.life.demand[day]);
            row.push(((f64::from(demand) / level) as f32).min(RATIO_MAX));
            if !demand.is_nan() {
                (sum, count) = (sum + f64::from(demand), count + 1.0);
            }
        }
        for days in WHOLE_WINDOWS {
            row.push(ratio(over(&sums.whole_demand, days), over(&sums.whole_effects, days)));
        }
        let size = |above: f64, below: f64| {
            if below > 0.0 { (above / below / self.board.scale) as f32 } else { f32::NAN }
        };
        row.push(size(over(&sums.demand, 1), over(&sums.days, 1)));
        row.push(size(over(&sums.demand, 7), over(&sums.days, 7)));
        row.push(size(over(&sums.demand, 28), over(&sums.days, 28)));
        row.push(size(over(&sums.demand, 14), over(&sums.effects, 14)));
        row.push(size(over(&sums.whole_demand, 28), over(&sums.whole_effects, 28)));
        row.push(size(sum, count));
        row.push(ratio(sum, count));
        let days = over(&sums.days, 28).max(1.0);
        let mean = over(&sums.demand, 28) / days;
        let variance = (over(&sums.squared, 28) / days - mean * mean).max(0.0);
        row.push(((variance.sqrt() / level) as f32).min(RATIO_MAX));
        row.push((over(&sums.zeros, 28) / days) as f32);
        row.push(self.quiet[origin]);
        let share =
            |sums: &[f64], days: usize| (over(sums, days) / days.min(origin).max(1) as f64) as f32;
        row.push(share(&sums.available, 7));
        row.push(share(&sums.available, 28));
        row.push(share(&sums.available, 1));
        row.push(share(&sums.whole, 28));
    }

    fn known_ahead(&self, origin: usize, t: usize, row: &mut Vec<f32>) {
        let panel = self.board.input.panel;
        let from = origin.saturating_sub(RECENT_DAYS);
        let days = (origin - from).max(1) as f64;
        let recent = |k: usize| ((self.drivers[k][origin] - self.drivers[k][from]) / days) as f32;
        let log_effect = self.life.factor[t].max(1e-6).ln();
        row.extend([log_effect, log_effect - recent(0)]);
        row.extend([self.life.events[t], self.life.events[t] - recent(1)]);
        let drivers = panel.drivers(self.series);
        let promo = drivers.promo_depth;
        let at = |values: &[f32], day: usize| values.get(day).copied().unwrap_or(f32::NAN);
        row.extend([promo[t], promo[t] - recent(2), promo[t - 1], at(promo, t + 1)]);
        row.extend([drivers.price_ratio[t], drivers.price_ratio[t] - recent(3)]);
        match self.weather.get(t) {
            Some(weather) => row.extend([weather[0], weather[0] - recent(4), weather[1]]),
            None => row.extend([f32::NAN; 3]),
        }
        for (k, column) in panel.columns.iter().enumerate() {
            let values = &column.values[panel.driver_days(self.series)];
            let recent = recent(5 + k);
            match column.known {
                Known::Ahead => {
                    row.extend([values[t], values[t] - recent, values[t - 1], at(values, t + 1)]);
                }
                Known::Past => row.extend([values[origin - 1], recent]),
            }
        }
    }
}

/// The last day before `origin` with the weekday of `t`.
fn same_weekday(origin: usize, t: usize) -> usize {
    t - 7 * ((t - origin) / 7 + 1)
}
