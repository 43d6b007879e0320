//! A forecast's spread held against what the series itself has done.
//!
//! Spread and correlation of a forecast come from the errors of its whole demand class, stretched to
//! each series. Where demand is rare or has just jumped that can promise a demand which nothing in
//! the history resembles, and money that is lost on shortages many times over buys for it. Here the
//! variance of a period is no larger than that of the history around its plain mean, which any
//! forecast should beat; and periods go together no more than the history's own sums say.

use std::sync::Arc;

use crate::forecast::sku_forecast::SkuForecast;

/// Periods of history that say something of a variance.
pub(super) const PERIODS_MIN: usize = 12;
/// A correlation that is assumed as if it had been seen in so many stretches.
const CORRELATION_PRIOR: (f64, f64) = (0.15, 2.0);

/// `periods` is the length of the stretch that an order must last for; `history` has NaN where
/// demand is not known.
pub fn sober(forecast: &SkuForecast, history: &[f64], periods: usize) -> SkuForecast {
    let known: Vec<f64> = history.iter().copied().filter(|d| !d.is_nan()).collect();
    let mut sober = forecast.clone();
    if known.len() < PERIODS_MIN {
        return sober;
    }
    let n = known.len() as f64;
    let mean = known.iter().sum::<f64>() / n;
    let variance = known.iter().map(|d| (d - mean) * (d - mean)).sum::<f64>() / (n - 1.0);
    if mean <= 0.0 {
        return sober;
    }
    // The shape stretches the tails by what its whole class has been surprised by.
    sober.shape = Arc::default();
    let own = ((variance - mean) / (mean * mean)).max(0.0);
    sober.dispersion = sober.dispersion.min(own as f32);
    if let Some(own) = correlation(&known, mean, variance, periods) {
        sober.correlation = sober.correlation.min(own as f32);
    }
    sober
}

/// Mean correlation of two periods of a stretch, from the variance of the sums of all stretches:
/// `Var S = P v (1 + (P - 1) ρ)`. It is drawn to a usual one as far as stretches are few.
fn correlation(known: &[f64], mean: f64, variance: f64, periods: usize) -> Option<f64> {
    if periods < 2 || known.len() < 2 * periods || variance <= 0.0 {
        return None;
    }
    let length = periods as f64;
    let (mut sum, mut squares, mut n) = (known[..periods].iter().sum::<f64>(), 0.0, 0.0);
    for end in periods..=known.len() {
        squares += (sum - length * mean).powi(2);
        n += 1.0;
        if end < known.len() {
            sum += known[end] - known[end - periods];
        }
    }
    // Sums around the mean of all are too alike by the share that one stretch is of the history.
    let independent = known.len() as f64 / length;
    let of_sums = squares / n * independent / (independent - 1.0);
    let own = (of_sums / (length * variance) - 1.0) / (length - 1.0);
    let (usual, weight) = CORRELATION_PRIOR;
    Some((own.clamp(0.0, 0.9) * independent + usual * weight) / (independent + weight))
}
