//! Demand paths of an item that mostly asks for nothing: lumps as large as those that were seen.
//!
//! A distribution that only knows a mean and a variance stretches its tail far beyond any lump that
//! ever came, and where a shortage costs a hundred times what holding does, orders follow the tail.
//! Here a period has a lump with the probability that gives its mean, and its size is one of the
//! history's, blurred (the bootstrap of Willemain, Smart & Schwarz 2004). The mean lies halfway
//! between the forecast and the plain mean of the history, because after a lump smoothing expects too
//! many and after a pause too few; and what a few lumps can tell of a rate bounds the forecast.

use crate::distribution::paths::{mix, unit};
use crate::forecast::sku_forecast::SkuForecast;
use crate::policy::projection::PathMatrix;
use crate::simulate::policy::sober::PERIODS_MIN;

/// Fills `demand`, which has its shape already, for a history of which at most half of the known
/// periods had a demand; otherwise says that it is not for this series and leaves it as it is.
pub fn draw(forecast: &SkuForecast, history: &[f64], seed: u64, demand: &mut PathMatrix) -> bool {
    let known = history.iter().filter(|d| !d.is_nan()).count();
    let sizes: Vec<f64> = history.iter().copied().filter(|d| *d > 0.0).collect();
    if known < PERIODS_MIN || sizes.is_empty() || 2 * sizes.len() > known {
        return false;
    }
    let count = sizes.len() as f64;
    let typical = sizes.iter().sum::<f64>() / count;
    let (paths, days) = (demand.paths, demand.days);
    // The relative error of a rate that was counted.
    let error = 1.0 / count.sqrt();
    let plain = count * typical / known as f64;
    let bounded = |mean: f64| mean.min(plain * (1.0 + error)).max(plain * (1.0 - error));
    let means: Vec<f64> = (0..days)
        .map(|day| {
            let forecast = forecast.mean.get(day).copied().unwrap_or(0.0).max(0.0);
            0.5 * (bounded(forecast) + plain)
        })
        .collect();
    for path in 0..paths {
        let key = mix(seed ^ mix(forecast.key) ^ (path as u64) << 32);
        // Gamma with mean 1 and half of that error (Wilson & Hilferty 1931).
        let spread = 0.5 * error / 3.0;
        let often = (1.0 - spread * spread + spread * normal(key)).max(0.0).powi(3);
        for (day, mean) in means.iter().enumerate() {
            let at = mix(key ^ (day as u64 + 1));
            if unit(at) < often * mean / typical {
                let size = sizes[(unit(at ^ 1) * count) as usize % sizes.len()];
                let blurred = (size + normal(at ^ 2) * size.sqrt()).round();
                demand.values[day * paths + path] = blurred.max(1.0);
            }
        }
    }
    true
}

/// A standard normal number for each `x` (Box & Muller).
fn normal(x: u64) -> f64 {
    let radius = (-2.0 * unit(x ^ 0x55).ln()).sqrt();
    radius * (std::f64::consts::TAU * unit(x ^ 0xAA)).cos()
}
