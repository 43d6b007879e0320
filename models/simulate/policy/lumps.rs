//! Demand paths of an item that mostly asks for nothing: lumps as large as those that were seen.
//!
//! A distribution that only knows a mean and a variance stretches its tail far beyond any lump that
//! ever came, and where a shortage costs a hundred times what holding does, orders follow the tail.
//! Here a period has a lump with the probability that gives the forecast's mean, and its size is one
//! of the history's, blurred (the bootstrap of Willemain, Smart & Schwarz 2004). How often lumps
//! come is as uncertain as their count in the history says.

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
    for path in 0..paths {
        let key = mix(seed ^ mix(forecast.key) ^ (path as u64) << 32);
        // Gamma with mean 1 and variance 1/count (Wilson & Hilferty 1931).
        let root = 1.0 - 1.0 / (9.0 * count) + normal(key) / (3.0 * count.sqrt());
        let often = root.max(0.0).powi(3);
        for day in 0..days {
            let at = mix(key ^ (day as u64 + 1));
            let mean = forecast.mean.get(day).copied().unwrap_or(0.0).max(0.0);
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
