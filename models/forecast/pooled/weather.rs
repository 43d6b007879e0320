//! Weather as regressors, and the weather to expect where nobody knows it.

use std::f32::consts::TAU;

use super::super::drivers::Weather;
use super::columns::{ANNUAL_COLUMNS, WEATHER_COLUMNS};
use super::gram::{Gram, Row};
use crate::calendar::Day;

/// Anomalies are against the climatology from this many days of weather on.
const CLIMATOLOGY_DAYS_MIN: usize = 360;
const SMOOTHING_DAYS: usize = 15;
/// Between these nobody heats or cools (base temperatures of heating and cooling degree days), and
/// beyond the outer ones frost and heat waves may do something of their own.
const COMFORT_C: (f32, f32) = (15.0, 22.0);
const EXTREME_C: (f32, f32) = (5.0, 30.0);
const HUMID_ABOVE_PCT: f32 = 70.0;
const USUAL_C: f32 = 18.0;

/// Weather of one region by day.
#[derive(Clone)]
pub struct WeatherTable {
    pub values: Vec<[f32; WEATHER_COLUMNS]>,
    /// Tens of degrees above the climatology.
    pub anomaly: Vec<f32>,
}

/// Up to which day weather is known.
#[derive(Clone, Copy)]
pub struct Sight {
    /// The climatology is that of the days before.
    pub climate_until: Day,
    /// From this day on there is only what was to be expected then: the climatology, to which the
    /// last temperature that was seen fades.
    pub seen_until: Day,
}

impl WeatherTable {
    /// Days `first .. first + days`.
    pub fn new(weather: &Weather, first: Day, days: usize, sight: Sight) -> WeatherTable {
        let seen = (sight.seen_until.0.saturating_sub(weather.start.0)).max(0) as usize;
        let known = |values: &[f32], day: i32| -> Option<f32> {
            let index = usize::try_from((first + day) - weather.start).ok()?;
            upto(values, seen).get(index).copied().filter(|value| value.is_finite())
        };
        let before = (sight.climate_until - weather.start).max(0) as usize;
        let usual = usual(weather.start, upto(&weather.temperature_c, before), first, days);
        let usual = usual.unwrap_or_else(|| vec![USUAL_C; days]);
        let rain = |mm: &f32| mm.max(0.0).ln_1p();
        let humid = |pct: &f32| (pct - HUMID_ABOVE_PCT).max(0.0) / 10.0;
        let mean_rain = mean(upto(&weather.precipitation_mm, before), rain);
        let mean_humid = mean(upto(&weather.humidity_pct, before), humid);
        let warmer: Vec<f32> = (0..days as i32)
            .map(|day| known(&weather.temperature_c, day).map(|t| t - usual[day as usize]))
            .map(|anomaly| anomaly.unwrap_or(f32::NAN))
            .collect();
        let persistence = persistence(&warmer);
        let mut table =
            WeatherTable { values: Vec::with_capacity(days), anomaly: Vec::with_capacity(days) };
        let mut anomaly = 0.0;
        for day in 0..days as i32 {
            let at = day as usize;
            anomaly = if warmer[at].is_finite() { warmer[at] } else { persistence * anomaly };
            let wet = known(&weather.precipitation_mm, day).map_or(mean_rain, |mm| rain(&mm));
            let damp = known(&weather.humidity_pct, day).map_or(mean_humid, |pct| humid(&pct));
            table.values.push(columns(usual[at] + anomaly, wet, damp));
            table.anomaly.push(anomaly / 10.0);
        }
        table
    }
}

/// How much of a day's anomaly is left on the next: its autocorrelation, 0 where none is seen.
fn persistence(anomaly: &[f32]) -> f32 {
    let (mut both, mut square) = (0.0f64, 0.0f64);
    for pair in anomaly.windows(2).filter(|pair| pair.iter().all(|a| a.is_finite())) {
        both += f64::from(pair[0]) * f64::from(pair[1]);
        square += f64::from(pair[0]) * f64::from(pair[0]);
    }
    if square > 0.0 { (both / square).clamp(0.0, 0.95) as f32 } else { 0.0 }
}

fn upto(values: &[f32], days: usize) -> &[f32] {
    &values[..days.min(values.len())]
}

/// Tens of degrees of cold and of heat, in two steps each, then rain and damp.
fn columns(temperature_c: f32, rain: f32, damp: f32) -> [f32; WEATHER_COLUMNS] {
    let (cold, hot) = (COMFORT_C.0 - temperature_c, temperature_c - COMFORT_C.1);
    let (frost, heat) = (EXTREME_C.0 - temperature_c, temperature_c - EXTREME_C.1);
    [
        cold.clamp(0.0, COMFORT_C.0 - EXTREME_C.0) / 10.0,
        frost.max(0.0) / 10.0,
        hot.clamp(0.0, EXTREME_C.1 - COMFORT_C.1) / 10.0,
        heat.max(0.0) / 10.0,
        rain,
        damp,
    ]
}

fn mean(values: &[f32], of: impl Fn(&f32) -> f32) -> f32 {
    let known: Vec<f32> = values.iter().filter(|v| v.is_finite()).map(of).collect();
    known.iter().sum::<f32>() / known.len().max(1) as f32
}

/// The temperature to expect: two harmonics of the year by least squares when a year was seen,
/// otherwise a running mean, which ends in its last value. `None` without any observation.
fn usual(start: Day, values: &[f32], first: Day, days: usize) -> Option<Vec<f32>> {
    let observed: Vec<(Day, f32)> = values
        .iter()
        .enumerate()
        .filter(|(_, t)| t.is_finite())
        .map(|(k, &t)| (start + k as i32, t))
        .collect();
    let seen = observed.len();
    if seen == 0 {
        return None;
    }
    if seen >= CLIMATOLOGY_DAYS_MIN {
        let mut gram = Gram::new(4);
        let mean = observed.iter().map(|(_, t)| f64::from(*t)).sum::<f64>() / seen as f64;
        let waves = |day: Day| -> Row {
            let waves = season_of_year(day).into_iter().take(4).enumerate();
            waves.map(|(k, v)| (k as u16, v)).collect()
        };
        observed.iter().for_each(|&(day, t)| gram.add(&waves(day), 1.0, f64::from(t) - mean));
        let beta = gram.elastic_net(&[0.0; 4], 1e-9, 0.0);
        let value = |day: Day| -> f32 {
            let effect: f64 =
                waves(day).iter().map(|&(k, v)| beta[usize::from(k)] * f64::from(v)).sum();
            (mean + effect) as f32
        };
        return Some((0..days as i32).map(|day| value(first + day)).collect());
    }
    let running = |day: i32| {
        let middle = observed.partition_point(|(d, _)| *d < first + day).min(seen - 1);
        let near = middle.saturating_sub(SMOOTHING_DAYS)..(middle + SMOOTHING_DAYS + 1).min(seen);
        observed[near.clone()].iter().map(|(_, t)| t).sum::<f32>() / near.len() as f32
    };
    Some((0..days as i32).map(running).collect())
}

/// Sine and cosine of the first harmonics of the solar year.
pub fn season_of_year(day: Day) -> [f32; ANNUAL_COLUMNS] {
    let phase = TAU * day.day_of_year() as f32 / 365.25;
    std::array::from_fn(|k| {
        let angle = phase * (k / 2 + 1) as f32;
        if k % 2 == 0 { angle.sin() } else { angle.cos() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(temperature_c: f32, want: [f32; 4]) {
        let got = columns(temperature_c, 0.0, 0.0);
        for (got, want) in got.iter().zip(want) {
            assert!((got - want).abs() < 1e-6, "{temperature_c}: {got} {want}");
        }
    }

    #[test]
    fn cold_and_heat_count_from_comfort_on() {
        check(18.0, [0.0; 4]);
        check(10.0, [0.5, 0.0, 0.0, 0.0]);
        check(-5.0, [1.0, 1.0, 0.0, 0.0]);
        check(27.0, [0.0, 0.0, 0.5, 0.0]);
        check(38.0, [0.0, 0.0, 0.8, 0.8]);
    }

    #[test]
    fn what_is_expected_does_not_know_the_days_that_are_not_over() {
        let year = |day: i32| 12.0 - 10.0 * (TAU * day as f32 / 365.25).cos() + (day % 3) as f32;
        let mut weather = Weather {
            start: Day(0),
            temperature_c: (0..500).map(year).collect(),
            precipitation_mm: (0..500).map(|day| (day % 4) as f32).collect(),
            humidity_pct: (0..500).map(|day| 60.0 + (day % 30) as f32).collect(),
        };
        let sight = Sight { climate_until: Day(450), seen_until: Day(450) };
        let before = WeatherTable::new(&weather, Day(0), 520, sight);
        assert!((before.anomaly[300]).abs() < 0.3, "{}", before.anomaly[300]);
        for days in [&mut weather.temperature_c, &mut weather.precipitation_mm] {
            days[450..].fill(40.0);
        }
        weather.humidity_pct[450..].fill(100.0);
        let after = WeatherTable::new(&weather, Day(0), 520, sight);
        assert_eq!(before.values, after.values);
        assert_eq!(before.anomaly, after.anomaly);
        let all = Sight { seen_until: Day(i32::MAX), ..sight };
        let seen = WeatherTable::new(&weather, Day(0), 520, all);
        assert_eq!(seen.values[..450], after.values[..450]);
        assert!(seen.values[450] != after.values[450]);
    }

    #[test]
    fn the_last_temperature_fades_to_the_climatology() {
        // A year of 12 degrees, warmer by 8 in its last four weeks.
        let temperature_c = (0..400).map(|day| if day < 372 { 12.0 } else { 20.0 }).collect();
        let weather = Weather { start: Day(0), temperature_c, ..Weather::default() };
        let sight = Sight { climate_until: Day(372), seen_until: Day(400) };
        let table = WeatherTable::new(&weather, Day(0), 440, sight);
        assert!((table.anomaly[399] - 0.8).abs() < 0.01);
        let fades = table.anomaly[399..].windows(2).all(|pair| pair[1] < pair[0]);
        assert!(fades && table.anomaly[439] < 0.2, "{:?}", &table.anomaly[399..]);
    }
}
