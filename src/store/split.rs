//! What the mean of a series is made of, as a run keeps it.

use granary_models::calendar::Day;
use granary_models::forecast::sku_forecast::SkuForecast;
use granary_models::forecast::split::{DaySplit, Part};
use serde::{Deserialize, Serialize};

use super::read::sku::ForecastDay;

/// Digits that are kept of the largest mean; the level takes what they leave.
const DIGITS: i32 = 4;

/// Units of each part by day of the horizon. A part that is nothing on every day is empty; the
/// level is what the others leave of the published mean.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StoredSplit {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub season: Vec<f32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<StoredEvent>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub promo: Vec<f32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub price: Vec<f32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub weather: Vec<f32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remainder: Vec<f32>,
}

/// What one event brings from day `from` of the horizon on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StoredEvent {
    pub name: String,
    pub from: usize,
    pub units: Vec<f32>,
}

impl StoredSplit {
    /// Of the first `days` days of a forecast.
    pub fn of(forecast: &SkuForecast, days: usize) -> StoredSplit {
        let days = days.min(forecast.mean.len());
        let largest = forecast.mean[..days].iter().copied().fold(0.0, f64::max);
        if largest <= 0.0 {
            return StoredSplit::default();
        }
        let step = 10f64.powi(largest.log10().floor() as i32 + 1 - DIGITS);
        let short = |units: f64| ((units / step).round() * step) as f32;
        let splits: Vec<DaySplit> = (0..days).map(|day| forecast.parts(day)).collect();
        let column = |part: Part| {
            let units: Vec<f32> = splits.iter().map(|split| short(split.part(part))).collect();
            if units.iter().all(|&units| units == 0.0) { Vec::new() } else { units }
        };
        let events = forecast.split.events().iter().filter_map(|event| {
            let units = (event.from..days).map(|day| short(event.on(day)));
            let units: Vec<f32> = units.take(event.units.len()).collect();
            let first = units.iter().position(|&units| units != 0.0)?;
            let last = units.iter().rposition(|&units| units != 0.0)?;
            Some(StoredEvent {
                name: event.name.to_string(),
                from: event.from + first,
                units: units[first..=last].to_vec(),
            })
        });
        StoredSplit {
            season: column(Part::Season),
            events: events.collect(),
            promo: column(Part::Promo),
            price: column(Part::Price),
            weather: column(Part::Weather),
            remainder: column(Part::Remainder),
        }
    }
}

/// Parts of a mean, smallest units. They add up to it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Parts {
    pub mean: f64,
    pub level: f64,
    pub season: f64,
    pub events: f64,
    pub promotion: f64,
    pub price: f64,
    pub weather: f64,
    pub remainder: f64,
}

/// Names and values of the parts, in the order in which they are shown.
pub const PART_NAMES: [&str; 7] =
    ["level", "season", "events", "promotion", "price", "weather", "remainder"];

impl Parts {
    pub fn values(&self) -> [f64; 7] {
        let Parts { level, season, events, promotion, price, weather, remainder, .. } = *self;
        [level, season, events, promotion, price, weather, remainder]
    }

    /// Parts of several days together.
    pub fn add(&mut self, other: &Parts) {
        self.mean += other.mean;
        self.level += other.level;
        self.season += other.season;
        self.events += other.events;
        self.promotion += other.promotion;
        self.price += other.price;
        self.weather += other.weather;
        self.remainder += other.remainder;
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DayParts {
    pub date: String,
    #[serde(flatten)]
    pub parts: Parts,
}

/// One event within the horizon.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EventParts {
    pub name: String,
    /// First and last date on which it brings or takes something.
    pub from: String,
    pub to: String,
    pub units: f64,
    /// By date from `from` on.
    pub by_day: Vec<f64>,
}

/// What a published forecast is made of.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MeanParts {
    pub days: Vec<DayParts>,
    /// Over all of them.
    pub total: Parts,
    pub events: Vec<EventParts>,
}

impl MeanParts {
    pub fn new(stored: &StoredSplit, forecast: &[ForecastDay]) -> MeanParts {
        let at = |column: &[f32], day: usize| column.get(day).copied().map_or(0.0, f64::from);
        let days: Vec<DayParts> = forecast
            .iter()
            .enumerate()
            .map(|(day, row)| {
                let event = |event: &StoredEvent| {
                    day.checked_sub(event.from).map_or(0.0, |day| at(&event.units, day))
                };
                let mut parts = Parts {
                    mean: row.mean,
                    level: 0.0,
                    season: at(&stored.season, day),
                    events: stored.events.iter().map(event).sum(),
                    promotion: at(&stored.promo, day),
                    price: at(&stored.price, day),
                    weather: at(&stored.weather, day),
                    remainder: at(&stored.remainder, day),
                };
                parts.level = row.mean - parts.values().iter().sum::<f64>();
                DayParts { date: row.date.clone(), parts }
            })
            .collect();
        let mut total = Parts::default();
        days.iter().for_each(|day| total.add(&day.parts));
        MeanParts { total, events: events(stored, forecast), days }
    }
}

fn events(stored: &StoredSplit, forecast: &[ForecastDay]) -> Vec<EventParts> {
    let first = forecast.first().and_then(|day| day.date.parse::<Day>().ok());
    let Some(first) = first else { return Vec::new() };
    let date = |day: usize| (first + day as i32).to_string();
    let event = |event: &StoredEvent| EventParts {
        name: event.name.clone(),
        from: date(event.from),
        to: date(event.from + event.units.len().saturating_sub(1)),
        units: event.units.iter().copied().map(f64::from).sum(),
        by_day: event.units.iter().copied().map(f64::from).collect(),
    };
    stored.events.iter().map(event).collect()
}
