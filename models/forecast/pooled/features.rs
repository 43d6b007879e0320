//! The regressors of a day: weekday, time of the year, promotion and its aftermath, price, weather
//! and events.

use std::collections::{BTreeMap, BTreeSet};

use super::super::drivers::{EventWindow, ForecastInput, SeriesMeta};
use super::columns::{
    self, ANNUAL, ANNUAL_COLUMNS, COLUMNS_PER_EVENT, EVENTS, PRICE, PROMO, RIVALS, WEATHER, WEEKDAY,
};
use super::events::{EventTable, occurrences};
use super::gram::Row;
use super::rivals::Rivals;
use super::weather::{Sight, WeatherTable, season_of_year};
use crate::calendar::Day;

pub use super::columns::Group;

/// From this many days of history on a season of the year can be told from a trend.
const ANNUAL_DAYS_MIN: usize = 440;
const DEPTH_MAX: f32 = 0.95;

/// The regressors of all series and days of one input.
#[derive(Clone)]
pub struct Features<'a> {
    pub(super) input: &'a ForecastInput<'a>,
    event_names: Vec<String>,
    /// Class of each event: that of its first window.
    pub(super) event_classes: Vec<String>,
    /// First and last day of every occurrence of each event, ascending.
    pub(super) occurrences: Vec<Vec<(Day, Day)>>,
    pub annual: bool,
    pub(super) first: Day,
    /// Days from `first` to the end of the last horizon.
    pub(super) days: usize,
    /// The day after the last of any history.
    end: Day,
    /// Per region.
    events: Vec<EventTable>,
    /// Per region that has weather.
    weather: Vec<Option<WeatherTable>>,
    /// Per day since `first`.
    season: Vec<[f32; ANNUAL_COLUMNS]>,
    rivals: Rivals,
    /// Half of the least share of a day that the panel ever was available for.
    pub(super) open_min: f64,
}

impl<'a> Features<'a> {
    /// Tables for every day of the panel and its horizon: the weather as the input has it, observed
    /// and then forecast, and beyond that a climatology of the days that are over.
    pub fn new(input: &'a ForecastInput<'a>) -> Features<'a> {
        let panel = input.panel;
        let spans = || (0..panel.len()).map(|i| panel.series(i));
        let first = spans().map(|s| s.start).min().unwrap_or_default();
        let end = spans().map(|s| s.end()).max().unwrap_or_default();
        let days = (end + panel.horizon_days as i32 - first).max(0) as usize;
        let windows = || input.regions.iter().flat_map(|region| region.events.iter());
        let unique: BTreeSet<&str> = windows().map(|window| window.name.as_str()).collect();
        let names: BTreeMap<&str, usize> = unique.into_iter().zip(0..).collect();
        let categories: BTreeMap<&str, u32> =
            input.categories.iter().map(String::as_str).zip(0..).collect();
        let events = input
            .regions
            .iter()
            .map(|region| EventTable::new(&region.events, &names, &categories, first, days))
            .collect();
        let annual = spans().any(|series| series.len() >= ANNUAL_DAYS_MIN);
        Features {
            input,
            event_names: names.keys().map(|name| (*name).to_owned()).collect(),
            event_classes: classes(windows(), &names),
            occurrences: occurrences(windows(), &names),
            annual,
            first,
            days,
            end,
            events,
            weather: weather_tables(
                input,
                first,
                days,
                Sight { climate_until: end, seen_until: Day(i32::MAX) },
            ),
            season: (0..days as i32).map(|day| season_of_year(first + day)).collect(),
            rivals: Rivals::new(input, first, days),
            open_min: open_min(&panel.available),
        }
    }

    /// As they were known on the day `cutoff`: later weather is what was to be expected then.
    pub fn known_at(&self, cutoff: Day) -> Features<'a> {
        let sight = Sight { climate_until: cutoff, seen_until: cutoff };
        let weather = weather_tables(self.input, self.first, self.days, sight);
        Features { weather, ..self.clone() }
    }

    pub fn columns(&self) -> usize {
        EVENTS + COLUMNS_PER_EVENT * self.event_names.len()
    }

    pub fn group(column: usize) -> Group {
        columns::group(column)
    }

    /// A column's name for people: `weekday:0`, `promo:depth`, `event:spring-festival:before`.
    pub fn name(&self, column: usize) -> String {
        columns::name(column, &self.event_names)
    }

    /// Temperature anomaly in tens of degrees and the logarithm of rain on the days of a series,
    /// history and horizon; empty without any weather.
    pub fn weather_of(&self, series: usize) -> Vec<[f32; 2]> {
        let Some(table) = &self.weather[self.input.meta[series].weather_region as usize] else {
            return Vec::new();
        };
        let from = self.offset(series);
        let days = self.input.panel.driver_days(series).len();
        let rain = table.values.iter().map(|values| values[4]);
        let both = table.anomaly.iter().zip(rain).map(|(&anomaly, rain)| [anomaly, rain]);
        both.skip(from).take(days).collect()
    }

    /// Whether all windows of an event begin on the panel's last day of history or later.
    pub(super) fn is_ahead_only(&self, event: usize) -> bool {
        self.occurrences[event].first().is_none_or(|(from, _)| *from >= self.end)
    }

    pub(super) fn offset(&self, series: usize) -> usize {
        (self.input.panel.start[series] - self.first).max(0) as usize
    }

    /// The regressors of one series, day by day over its history and horizon.
    pub fn series(&self, i: usize) -> SeriesFeatures<'_> {
        let drivers = self.input.panel.drivers(i);
        let meta = &self.input.meta[i];
        SeriesFeatures {
            features: self,
            meta,
            events: &self.events[meta.region as usize],
            weather: self.weather[meta.weather_region as usize].as_ref(),
            offset: self.offset(i),
            weekday: self.input.panel.start[i].weekday(),
            promo_depth: drivers.promo_depth,
            price_ratio: drivers.price_ratio,
            aftermath: aftermath(drivers.promo_depth),
        }
    }
}

fn open_min(available: &[f32]) -> f64 {
    let shares = available.iter().copied().filter(|&share| share > 0.0);
    f64::from(shares.fold(1.0, f32::min)) / 2.0
}

fn classes<'a>(
    windows: impl Iterator<Item = &'a EventWindow>,
    names: &BTreeMap<&str, usize>,
) -> Vec<String> {
    let mut of = vec![String::new(); names.len()];
    for window in windows {
        let class = &mut of[names[window.name.as_str()]];
        if class.is_empty() {
            class.clone_from(&window.class);
        }
    }
    of
}

fn weather_tables(
    input: &ForecastInput,
    first: Day,
    days: usize,
    sight: Sight,
) -> Vec<Option<WeatherTable>> {
    let of = |weather| WeatherTable::new(weather, first, days, sight);
    input.regions.iter().map(|region| region.weather.as_ref().map(of)).collect()
}

pub struct SeriesFeatures<'a> {
    features: &'a Features<'a>,
    meta: &'a SeriesMeta,
    events: &'a EventTable,
    weather: Option<&'a WeatherTable>,
    offset: usize,
    weekday: usize,
    promo_depth: &'a [f32],
    price_ratio: &'a [f32],
    /// Days since the last promotion and how deep it ended.
    aftermath: Vec<(u8, f32)>,
}

impl SeriesFeatures<'_> {
    /// Days of history and horizon.
    pub fn len(&self) -> usize {
        self.promo_depth.len()
    }

    pub fn is_empty(&self) -> bool {
        self.promo_depth.is_empty()
    }

    /// What day `t` owes to being like another weekday than its own, as a logarithm: that a Monday off
    /// sells like a Sunday is its event's doing, not the season's.
    pub fn unlike_its_weekday(&self, t: usize, beta: &[f64]) -> f64 {
        let own = (self.weekday + t) % 7;
        let like = self.events.weekday(self.offset + t, own);
        let effect = |weekday: usize| if weekday < 6 { beta[WEEKDAY + weekday] } else { 0.0 };
        effect(like) - effect(own)
    }

    /// What is not zero on day `t` of the series, into `row`.
    pub fn row(&self, t: usize, row: &mut Row) {
        row.clear();
        let day = self.offset + t;
        let mut put = |column: usize, value: f32| {
            if value != 0.0 {
                row.push((column as u16, value));
            }
        };
        let weekday = self.events.weekday(day, (self.weekday + t) % 7);
        if weekday < 6 {
            put(WEEKDAY + weekday, 1.0);
        }
        if self.features.annual {
            let season = &self.features.season[day];
            season.iter().enumerate().for_each(|(k, &value)| put(ANNUAL + k, value));
        }
        let depth = depth(self.promo_depth[t]);
        put(PROMO, f32::from(u8::from(depth > 0.0)));
        put(PROMO + 1, depth);
        match self.aftermath[t] {
            (1..=3, last) => put(PROMO + 2, last),
            (4..=7, last) => put(PROMO + 3, last),
            _ => {}
        }
        put(PRICE, finite_or(self.price_ratio[t], 1.0).clamp(0.2, 5.0).ln());
        put(RIVALS, self.features.rivals.depth(self.meta, day, depth));
        if let Some(weather) = self.weather {
            weather.values[day].iter().enumerate().for_each(|(k, &value)| put(WEATHER + k, value));
        }
        self.events.put(day, self.meta, row);
    }
}

pub(super) fn depth(value: f32) -> f32 {
    finite_or(value, 0.0).clamp(0.0, DEPTH_MAX)
}

fn finite_or(value: f32, otherwise: f32) -> f32 {
    if value.is_finite() { value } else { otherwise }
}

fn aftermath(depths: &[f32]) -> Vec<(u8, f32)> {
    let mut last = (u8::MAX, 0.0);
    let of = |&value: &f32| {
        let depth = depth(value);
        last = if depth > 0.0 { (0, depth) } else { (last.0.saturating_add(1), last.1) };
        last
    };
    depths.iter().map(of).collect()
}
