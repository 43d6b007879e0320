//! How far demand lies from its forecast: dispersion and correlation over days, by moments of
//! out-of-sample errors.

use crate::distribution::count::CountDemand;

/// Dispersion at which the weights of the moments are taken, and the prior of a model without any
/// error to learn from.
const DISPERSION_START: f64 = 0.3;
/// Variance of a squared error in squared variances: about 2 for a normal, more for demand.
const SQUARED_ERROR_VARIANCE: f64 = 6.0;
/// How much dispersions of one class differ, as a share of their mean.
const HETEROGENEITY: f64 = 0.6;
/// The least believed dispersion of a class, as a steady series still has surprises ahead.
const CLASS_DISPERSION_MIN: f64 = 0.005;

/// Weighted regression of `error^2 - mean` on `mean^2`, whose slope is the dispersion.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DispersionSums {
    above: f64,
    below: f64,
}

impl DispersionSums {
    pub fn add(&mut self, mean: f64, actual: f64) {
        if mean <= 0.0 {
            return;
        }
        let variance = CountDemand::new(mean, DISPERSION_START).variance();
        let weight = mean * mean / (variance * variance);
        let error = actual - mean;
        self.above += weight * (error * error - mean);
        self.below += weight * mean * mean;
    }

    pub fn merge(&mut self, other: &DispersionSums) {
        self.above += other.above;
        self.below += other.below;
    }

    pub fn without(&self, other: &DispersionSums) -> DispersionSums {
        DispersionSums { above: self.above - other.above, below: self.below - other.below }
    }

    /// Dispersion of a class as a whole.
    pub fn class_dispersion(&self) -> f64 {
        self.dispersion(CLASS_DISPERSION_MIN)
    }

    /// Dispersion of everything that was added, `least` at least.
    pub fn dispersion(&self, least: f64) -> f64 {
        if self.below > 0.0 { (self.above / self.below).max(least) } else { DISPERSION_START }
    }

    /// The dispersion, drawn to `prior` as if by `times` as much evidence as there is.
    pub fn drawn(&self, prior: f64, times: f64) -> f64 {
        if self.below > 0.0 {
            (self.above / self.below + times * prior) / (1.0 + times)
        } else {
            prior
        }
    }

    /// Dispersion of a series, drawn to its class's as far as its own errors leave doubt: the
    /// posterior mean of a normal prior with the class's mean and [`HETEROGENEITY`].
    pub fn shrunk(&self, class: f64) -> f64 {
        let spread = HETEROGENEITY * class.abs() + 0.01;
        let prior = 1.0 / (spread * spread);
        let evidence = SQUARED_ERROR_VARIANCE * (1.0 + class);
        (self.above / evidence + class * prior) / (self.below / evidence + prior)
    }
}

/// Sums over windows of days that tell how errors of one window go together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CorrelationSums {
    squared_sum: f64,
    variance: f64,
    cross: f64,
}

/// What one window adds: its summed error, variance and standard deviation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Window {
    pub error: f64,
    pub variance: f64,
    pub deviation: f64,
}

impl Window {
    pub fn add(&mut self, day: CountDemand, actual: f64) {
        self.error += actual - day.mean();
        self.variance += day.variance();
        self.deviation += day.variance().sqrt();
    }
}

impl CorrelationSums {
    /// Each window counts alike, whatever the volume.
    pub fn add(&mut self, window: &Window) {
        if window.variance > 0.0 {
            self.squared_sum += window.error * window.error / window.variance;
            self.variance += 1.0;
            self.cross += window.deviation * window.deviation / window.variance - 1.0;
        }
    }

    pub fn merge(&mut self, other: &CorrelationSums) {
        self.squared_sum += other.squared_sum;
        self.variance += other.variance;
        self.cross += other.cross;
    }

    /// The mean correlation that explains how much window sums vary beyond their days:
    /// `Var(sum) = sum Var + rho * (sum sd)^2 - rho * sum Var`. Kept in 0..0.9.
    pub fn correlation(&self) -> f64 {
        if self.cross > 0.0 {
            ((self.squared_sum - self.variance) / self.cross).clamp(0.0, 0.9)
        } else {
            0.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dispersion_by_hand_and_its_shrinkage() {
        let mut sums = DispersionSums::default();
        // Errors of 5 around 10: (25 - 10) / 100.
        sums.add(10.0, 15.0);
        sums.add(10.0, 5.0);
        assert!((sums.class_dispersion() - 0.15).abs() < 1e-12);
        let shrunk = sums.shrunk(0.5);
        assert!(0.15 < shrunk && shrunk < 0.5, "{shrunk}");
        for _ in 0..10_000 {
            sums.add(10.0, 15.0);
        }
        assert!((sums.shrunk(0.5) - 0.15).abs() < 0.01);
        assert_eq!(DispersionSums::default().shrunk(0.5), 0.5);
    }

    #[test]
    fn windows_whose_days_move_together_have_correlation_one_half() {
        let mut sums = CorrelationSums::default();
        // Two days of variance 4 each: the sum varies by 8 + 2 * 0.5 * 4 = 12.
        for error in [12f64.sqrt(), -(12f64.sqrt())] {
            sums.add(&Window { error, variance: 8.0, deviation: 4.0 });
        }
        assert!((sums.correlation() - 0.5).abs() < 1e-12);
    }
}
