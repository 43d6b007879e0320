//! The normal law and its loss functions.

use statrs::distribution::{ContinuousCDF, Normal};

/// Density of the standard normal.
pub fn density(z: f64) -> f64 {
    (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

pub fn cdf(z: f64) -> f64 {
    above(-z)
}

/// `P(Z > z)` to within rounding, in the tail as well: near the middle Marsaglia's series (Journal
/// of Statistical Software 11(4), 2004), beyond it Laplace's continued fraction (Abramowitz &
/// Stegun 26.2.14).
pub fn above(z: f64) -> f64 {
    const SERIES_MAX: f64 = 2.5;
    const FRACTION_DEPTH: u32 = 60;
    if z < -SERIES_MAX {
        return 1.0 - above(-z);
    }
    if z > SERIES_MAX {
        let mut fraction = z;
        for k in (1..=FRACTION_DEPTH).rev() {
            fraction = z + f64::from(k) / fraction;
        }
        return density(z) / fraction;
    }
    let (mut sum, mut term, mut odd) = (z, z, 1.0);
    while term.abs() > 1e-18 * sum.abs() {
        odd += 2.0;
        term *= z * z / odd;
        sum += term;
    }
    0.5 - density(z) * sum
}

/// For a level above 0 and below 1.
pub fn quantile(level: f64) -> f64 {
    let near = Normal::standard().inverse_cdf(level);
    // One step of Newton, on the side of the smaller tail.
    let excess = if level > 0.5 { (1.0 - level) - above(near) } else { cdf(near) - level };
    let better = near - excess / density(near);
    if better.is_finite() { better } else { near }
}

/// `E[(Z − z)+]`.
pub fn loss(z: f64) -> f64 {
    if z < 0.0 {
        return loss(-z) - z;
    }
    if z > 38.0 {
        return 0.0;
    }
    // In the far tail the difference cancels; Mills' ratio by its series does not.
    if z > 8.0 {
        let square = z * z;
        return density(z) / square * (1.0 - 3.0 / square + 15.0 / (square * square));
    }
    density(z) - z * above(z)
}

/// `E[((Z − z)+)²]`, twice the integral of [`loss`] from `z` on.
pub fn square_loss(z: f64) -> f64 {
    if z < 0.0 {
        return 1.0 + z * z - square_loss(-z);
    }
    if z > 8.0 {
        let square = z * z;
        return 2.0 * density(z) / (square * z) * (1.0 - 6.0 / square);
    }
    (1.0 + z * z) * above(z) - z * density(z)
}

/// Normal demand over some span; a spread of 0 is a known demand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NormalDemand {
    pub mean: f64,
    pub sd: f64,
}

impl NormalDemand {
    /// `E[(D − y)+]`.
    pub fn shortfall(&self, y: f64) -> f64 {
        if self.sd <= 0.0 { (self.mean - y).max(0.0) } else { self.sd * loss(self.score(y)) }
    }

    /// `E[((D − y)+)²]`.
    pub fn square_shortfall(&self, y: f64) -> f64 {
        if self.sd <= 0.0 {
            (self.mean - y).max(0.0).powi(2)
        } else {
            self.sd * self.sd * square_loss(self.score(y))
        }
    }

    pub fn cdf(&self, y: f64) -> f64 {
        match self.sd <= 0.0 {
            true if y < self.mean => 0.0,
            true => 1.0,
            false => cdf(self.score(y)),
        }
    }

    pub fn quantile(&self, level: f64) -> f64 {
        if self.sd <= 0.0 { self.mean } else { self.mean + self.sd * quantile(level) }
    }

    fn score(&self, y: f64) -> f64 {
        (y - self.mean) / self.sd
    }

    /// `h E[(y − D)+] + p E[(D − y)+]`.
    pub fn newsvendor_cost(&self, y: f64, holding: f64, stockout: f64) -> f64 {
        let short = self.shortfall(y);
        holding * (y - self.mean + short) + stockout * short
    }

    /// Independent periods: the mean grows with their number, the spread with its root.
    pub fn over(&self, periods: f64) -> NormalDemand {
        NormalDemand { mean: self.mean * periods, sd: self.sd * periods.sqrt() }
    }
}
