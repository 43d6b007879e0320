//! The regressors of a day: weekday, time of the year, promotion and its aftermath, price, weather
//! and events.

use std::collections::BTreeMap;
use std::f32::consts::TAU;

use super::super::drivers::{EventWindow, ForecastInput, Weather};
use super::gram::Row;
use crate::calendar::Day;

const WEEKDAY: usize = 0;
const ANNUAL: usize = 6;
const ANNUAL_COLUMNS: usize = 6;
const PROMO: usize = ANNUAL + ANNUAL_COLUMNS;
const PRICE: usize = PROMO + 4;
const WEATHER: usize = PRICE + 1;
/// What events for all categories have in common, so that one without history has an effect.
const ANY_EVENT: usize = WEATHER + 4;
const EVENTS: usize = ANY_EVENT + COLUMNS_PER_EVENT;
/// Before, during and after.
const COLUMNS_PER_EVENT: usize = 3;
const EVENT_PARTS: [&str; COLUMNS_PER_EVENT] = ["before", "during", "after"];

/// From this many days of history on a season of the year can be told from a trend.
const ANNUAL_DAYS_MIN: usize = 440;
/// Anomalies are against the climatology from this many days of weather on.
const CLIMATOLOGY_DAYS_MIN: usize = 360;
const SMOOTHING_DAYS: usize = 15;
const COLD_BELOW_C: f32 = 10.0;
const HOT_ABOVE_C: f32 = 26.0;
const ALL_CATEGORIES: u32 = u32::MAX;

/// What an effect belongs to when a forecast is explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    Season,
    Promo,
    Price,
    Weather,
    Events,
}

/// The regressors of all series and days of one input.
pub struct Features<'a> {
    input: &'a ForecastInput<'a>,
    event_names: Vec<String>,
    pub annual: bool,
    first: Day,
    /// Per region and day since `first`: entries (column, category or all, value).
    events: Vec<Vec<Vec<(u16, u32, f32)>>>,
    /// Per region and day since `first`.
    weather: Vec<Vec<[f32; 4]>>,
    /// Sine and cosine of the first three harmonics per day since `first`.
    season: Vec<[f32; ANNUAL_COLUMNS]>,
}

impl<'a> Features<'a> {
    /// Tables for every day of the panel and its horizon.
    pub fn new(input: &'a ForecastInput<'a>) -> Features<'a> {
        let panel = input.panel;
        let spans = || (0..panel.len()).map(|i| panel.series(i));
        let first = spans().map(|s| s.start).min().unwrap_or_default();
        let last = spans().map(|s| s.end()).max().unwrap_or_default() + panel.horizon_days as i32;
        let days = (last - first).max(0) as usize;
        let names: BTreeMap<&str, usize> = input
            .regions
            .iter()
            .flat_map(|region| region.events.iter().map(|event| event.name.as_str()))
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .enumerate()
            .map(|(n, name)| (name, n))
            .collect();
        let categories: BTreeMap<&str, u32> =
            input.categories.iter().enumerate().map(|(n, c)| (c.as_str(), n as u32)).collect();
        let events = input
            .regions
            .iter()
            .map(|region| event_days(&region.events, &names, &categories, first, days))
            .collect();
        let weather = input
            .regions
            .iter()
            .map(|region| match &region.weather {
                Some(weather) => weather_days(weather, first, days),
                None => Vec::new(),
            })
            .collect();
        Features {
            input,
            annual: spans().any(|series| series.len() >= ANNUAL_DAYS_MIN),
            event_names: names.keys().map(|name| (*name).to_owned()).collect(),
            first,
            events,
            weather,
            season: (0..days as i32).map(|day| season_of_year(first + day)).collect(),
        }
    }

    pub fn columns(&self) -> usize {
        EVENTS + COLUMNS_PER_EVENT * self.event_names.len()
    }

    pub fn group(column: usize) -> Group {
        match column {
            0..PROMO => Group::Season,
            PROMO..PRICE => Group::Promo,
            PRICE..WEATHER => Group::Price,
            WEATHER..ANY_EVENT => Group::Weather,
            _ => Group::Events,
        }
    }

    /// The column of what all events share that belongs to an event's column.
    pub fn shared_event_column(column: usize) -> Option<usize> {
        (column >= EVENTS).then(|| ANY_EVENT + (column - EVENTS) % COLUMNS_PER_EVENT)
    }

    /// A column's name for people: `weekday:0`, `promo:depth`, `event:spring-festival:before`.
    pub fn name(&self, column: usize) -> String {
        const PROMO_NAMES: [&str; 4] =
            ["promo:on", "promo:depth", "promo:days-1-3-after", "promo:days-4-7-after"];
        const WEATHER_NAMES: [&str; 4] =
            ["weather:temperature-anomaly", "weather:cold", "weather:hot", "weather:rain"];
        match column {
            0..ANNUAL => format!("weekday:{column}"),
            ANNUAL..PROMO => {
                let wave = ["sin", "cos"][(column - ANNUAL) % 2];
                format!("year:{wave}{}", (column - ANNUAL) / 2 + 1)
            }
            PROMO..PRICE => PROMO_NAMES[column - PROMO].to_owned(),
            PRICE..WEATHER => "price:log-ratio".to_owned(),
            WEATHER..ANY_EVENT => WEATHER_NAMES[column - WEATHER].to_owned(),
            ANY_EVENT..EVENTS => format!("event:any:{}", EVENT_PARTS[column - ANY_EVENT]),
            _ => {
                let event = (column - EVENTS) / COLUMNS_PER_EVENT;
                let part = EVENT_PARTS[(column - EVENTS) % COLUMNS_PER_EVENT];
                format!("event:{}:{part}", self.event_names[event])
            }
        }
    }

    /// Temperature anomaly, cold, heat and rain on the days of a series, history and horizon; empty
    /// without any weather.
    pub fn weather_of(&self, series: usize) -> Vec<[f32; 4]> {
        let table = &self.weather[self.input.meta[series].weather_region as usize];
        let from = (self.input.panel.start[series] - self.first).max(0) as usize;
        let days = self.input.panel.driver_days(series).len();
        table.iter().skip(from).take(days).copied().collect()
    }

    /// The regressors of one series, day by day over its history and horizon.
    pub fn series(&self, i: usize) -> SeriesFeatures<'_> {
        let drivers = self.input.panel.drivers(i);
        let meta = &self.input.meta[i];
        let mut days_since_promo = vec![u8::MAX; drivers.promo_depth.len()];
        let mut since = u8::MAX;
        for (day, &depth) in drivers.promo_depth.iter().enumerate() {
            since = if depth > 0.0 { 0 } else { since.saturating_add(1) };
            days_since_promo[day] = since;
        }
        SeriesFeatures {
            features: self,
            category: meta.category,
            events: &self.events[meta.region as usize],
            weather: &self.weather[meta.weather_region as usize],
            offset: (self.input.panel.start[i] - self.first).max(0) as usize,
            weekday: self.input.panel.start[i].weekday(),
            promo_depth: drivers.promo_depth,
            price_ratio: drivers.price_ratio,
            days_since_promo,
        }
    }
}

pub struct SeriesFeatures<'a> {
    features: &'a Features<'a>,
    category: u32,
    events: &'a [Vec<(u16, u32, f32)>],
    weather: &'a [[f32; 4]],
    offset: usize,
    weekday: usize,
    promo_depth: &'a [f32],
    price_ratio: &'a [f32],
    days_since_promo: Vec<u8>,
}

impl SeriesFeatures<'_> {
    /// Days of history and horizon.
    pub fn len(&self) -> usize {
        self.promo_depth.len()
    }

    pub fn is_empty(&self) -> bool {
        self.promo_depth.is_empty()
    }

    /// What is not zero on day `t` of the series, into `row`.
    pub fn row(&self, t: usize, row: &mut Row) {
        row.clear();
        let mut put = |column: usize, value: f32| {
            if value != 0.0 {
                row.push((column as u16, value));
            }
        };
        let weekday = (self.weekday + t) % 7;
        if weekday < 6 {
            put(WEEKDAY + weekday, 1.0);
        }
        let day = self.offset + t;
        if self.features.annual {
            let season = &self.features.season[day];
            season.iter().enumerate().for_each(|(k, &value)| put(ANNUAL + k, value));
        }
        let depth = finite_or(self.promo_depth[t], 0.0).clamp(0.0, 0.95);
        put(PROMO, f32::from(u8::from(depth > 0.0)));
        put(PROMO + 1, depth);
        let since = self.days_since_promo[t];
        put(PROMO + 2, f32::from(u8::from((1..=3).contains(&since))));
        put(PROMO + 3, f32::from(u8::from((4..=7).contains(&since))));
        put(PRICE, finite_or(self.price_ratio[t], 1.0).clamp(0.2, 5.0).ln());
        if let Some(weather) = self.weather.get(day) {
            weather.iter().enumerate().for_each(|(k, &value)| put(WEATHER + k, value));
        }
        let from = row.len();
        for &(column, category, value) in &self.events[day] {
            if category != ALL_CATEGORIES && category != self.category {
                continue;
            }
            // An event may have a window for all and one for this category on the same day.
            match row[from..].iter_mut().find(|(c, _)| *c == column) {
                Some(entry) => entry.1 = entry.1.max(value),
                None => row.push((column, value)),
            }
        }
    }
}

fn finite_or(value: f32, otherwise: f32) -> f32 {
    if value.is_finite() { value } else { otherwise }
}

fn season_of_year(day: Day) -> [f32; ANNUAL_COLUMNS] {
    let phase = TAU * day.day_of_year() as f32 / 365.25;
    std::array::from_fn(|k| {
        let angle = phase * (k / 2 + 1) as f32;
        if k % 2 == 0 { angle.sin() } else { angle.cos() }
    })
}

/// Per day the event columns that are not zero. Before and after a window the effect fades
/// linearly with the distance; where windows of one event overlap the larger value holds. A window
/// for all categories also counts as any event.
fn event_days(
    windows: &[EventWindow],
    names: &BTreeMap<&str, usize>,
    categories: &BTreeMap<&str, u32>,
    first: Day,
    days: usize,
) -> Vec<Vec<(u16, u32, f32)>> {
    let mut table: Vec<Vec<(u16, u32, f32)>> = vec![Vec::new(); days];
    for window in windows {
        let category = match window.category.as_str() {
            "" => ALL_CATEGORIES,
            name => match categories.get(name) {
                Some(&category) => category,
                None => continue,
            },
        };
        let column = EVENTS + COLUMNS_PER_EVENT * names[window.name.as_str()];
        let (lead, lag) = (window.lead_days.clamp(0, 60), window.lag_days.clamp(0, 60));
        let from = (window.starts_on + -lead).0.max(first.0);
        let to = (window.ends_on + lag).0.min(first.0 + days as i32 - 1);
        for day in from..=to {
            let (before, after) = (window.starts_on.0 - day, day - window.ends_on.0);
            let (part, value) = if before > 0 {
                (0, 1.0 - before as f32 / (lead + 1) as f32)
            } else if after > 0 {
                (2, 1.0 - after as f32 / (lag + 1) as f32)
            } else {
                (1, 1.0)
            };
            let entries = &mut table[(day - first.0) as usize];
            put_event(entries, (column + part) as u16, category, value);
            if category == ALL_CATEGORIES {
                put_event(entries, (ANY_EVENT + part) as u16, category, value);
            }
        }
    }
    table
}

fn put_event(entries: &mut Vec<(u16, u32, f32)>, column: u16, category: u32, value: f32) {
    match entries.iter_mut().find(|(c, of, _)| *c == column && *of == category) {
        Some(entry) => entry.2 = entry.2.max(value),
        None => entries.push((column, category, value)),
    }
}

/// Per day: temperature anomaly and its excess below and above comfort in tens of degrees, and the
/// logarithm of rain.
fn weather_days(weather: &Weather, first: Day, days: usize) -> Vec<[f32; 4]> {
    let known = |values: &[f32], day: i32| -> Option<f32> {
        let index = usize::try_from((first + day) - weather.start).ok()?;
        values.get(index).copied().filter(|value| value.is_finite())
    };
    let usual = usual_temperature(weather, first, days);
    let rain = |mm: f32| mm.max(0.0).ln_1p();
    let wet: Vec<f32> =
        weather.precipitation_mm.iter().copied().filter(|mm| mm.is_finite()).map(rain).collect();
    let usual_rain = wet.iter().sum::<f32>() / wet.len().max(1) as f32;
    (0..days as i32)
        .map(|day| {
            let usual = usual[day as usize];
            let temperature = known(&weather.temperature_c, day).unwrap_or(usual);
            let mm = known(&weather.precipitation_mm, day);
            [
                (temperature - usual) / 10.0,
                (COLD_BELOW_C - temperature).max(0.0) / 10.0,
                (temperature - HOT_ABOVE_C).max(0.0) / 10.0,
                mm.map_or(usual_rain, rain),
            ]
        })
        .collect()
}

/// The temperature to expect: two harmonics of the year by least squares when a year was seen,
/// otherwise a running mean, which ends in its last value. 18 degrees without any observation.
fn usual_temperature(weather: &Weather, first: Day, days: usize) -> Vec<f32> {
    let observed = || {
        let values = weather.temperature_c.iter().enumerate();
        values.filter(|(_, t)| t.is_finite()).map(|(k, &t)| (weather.start + k as i32, t))
    };
    let seen = observed().count();
    if seen == 0 {
        return vec![18.0; days];
    }
    if seen >= CLIMATOLOGY_DAYS_MIN {
        let mut gram = super::gram::Gram::new(4);
        let mean = observed().map(|(_, t)| f64::from(t)).sum::<f64>() / seen as f64;
        let waves = |day: Day| -> Row {
            season_of_year(day)
                .into_iter()
                .take(4)
                .enumerate()
                .map(|(k, v)| (k as u16, v))
                .collect()
        };
        observed().for_each(|(day, t)| gram.add(&waves(day), 1.0, f64::from(t) - mean));
        let beta = gram.elastic_net(&[0.0; 4], 1e-9, 0.0);
        let value = |day: Day| -> f32 {
            let effect: f64 =
                waves(day).iter().map(|&(k, v)| beta[usize::from(k)] * f64::from(v)).sum();
            (mean + effect) as f32
        };
        return (0..days as i32).map(|day| value(first + day)).collect();
    }
    let series: Vec<(Day, f32)> = observed().collect();
    (0..days as i32)
        .map(|day| {
            let day = first + day;
            let middle = series.partition_point(|(d, _)| *d < day).min(seen - 1);
            let from = middle.saturating_sub(SMOOTHING_DAYS);
            let to = (middle + SMOOTHING_DAYS + 1).min(seen);
            series[from..to].iter().map(|(_, t)| t).sum::<f32>() / (to - from) as f32
        })
        .collect()
}
