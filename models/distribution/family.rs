//! Distributions of a count: Poisson, negative binomial, and both with more zeros.
//!
//! Mean and dispersion are those of Cameron & Trivedi (Regression Analysis of Count Data, 2nd ed.,
//! section 3.3: NB2, variance `mean + dispersion mean^2`); zero inflation is Lambert's (1992). A
//! quantile is a whole number that can be asked for: the least `k` with `P(X <= k) >= level`, so
//! stock of that many units covers demand with at least that probability, and one unit less does
//! not.
//!
//! [`super::count::CountDemand`] is the night's: approximate from moderate means on and made for
//! tables of quantiles. This one is exact up to a mean of a hundred thousand units; beyond, where a
//! unit is nothing, the gamma with the same variance stands in.

use statrs::distribution::{ContinuousCDF, Normal};
use statrs::function::beta::beta_reg;
use statrs::function::gamma::{gamma_lr, gamma_ur, ln_gamma};

/// Below this a negative binomial is taken for a Poisson: the difference of two large log-gammas
/// would be worse than that.
const DISPERSION_MIN: f64 = 1e-7;
/// A walk over the probabilities starts from that of zero, which must not underflow.
const LN_ZERO_MIN: f64 = -600.0;
const WALK_UNITS_MAX: f64 = 4096.0;
const EXACT_MEAN_MAX: f64 = 1e5;
/// From this shape on a gamma's cube root is normal (Wilson & Hilferty 1931).
const NORMAL_SHAPE_MIN: f64 = 1e4;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CountKind {
    Poisson,
    NegativeBinomial,
    ZeroInflatedPoisson,
    ZeroInflatedNegativeBinomial,
}

impl CountKind {
    pub const ALL: [CountKind; 4] = [
        CountKind::Poisson,
        CountKind::NegativeBinomial,
        CountKind::ZeroInflatedPoisson,
        CountKind::ZeroInflatedNegativeBinomial,
    ];

    pub fn parameters(self) -> usize {
        match self {
            CountKind::Poisson => 1,
            CountKind::NegativeBinomial | CountKind::ZeroInflatedPoisson => 2,
            CountKind::ZeroInflatedNegativeBinomial => 3,
        }
    }
}

/// A count is zero with probability `zero`, and otherwise negative binomial, Poisson when the
/// dispersion is 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CountFamily {
    zero: f64,
    /// Of the part that is not always zero.
    mean: f64,
    dispersion: f64,
}

impl CountFamily {
    pub fn poisson(mean: f64) -> CountFamily {
        CountFamily::zero_inflated(0.0, mean, 0.0)
    }

    pub fn negative_binomial(mean: f64, dispersion: f64) -> CountFamily {
        CountFamily::zero_inflated(0.0, mean, dispersion)
    }

    /// `mean` and `dispersion` are of the count that it is with probability `1 - zero`. What is no
    /// number or is negative counts as 0.
    pub fn zero_inflated(zero: f64, mean: f64, dispersion: f64) -> CountFamily {
        let valid = |value: f64| if value.is_finite() { value.max(0.0) } else { 0.0 };
        let dispersion = valid(dispersion);
        let dispersion = if dispersion < DISPERSION_MIN { 0.0 } else { dispersion };
        CountFamily { zero: valid(zero).min(1.0), mean: valid(mean), dispersion }
    }

    pub fn mean(&self) -> f64 {
        (1.0 - self.zero) * self.mean
    }

    pub fn variance(&self) -> f64 {
        let part = self.mean + (self.dispersion + self.zero) * self.mean * self.mean;
        (1.0 - self.zero) * part
    }

    /// Share of days that are zero whatever the count.
    pub fn zero(&self) -> f64 {
        self.zero
    }

    pub fn dispersion(&self) -> f64 {
        self.dispersion
    }

    /// Log of the probability of zero of the part that is not always zero.
    fn ln_zero(&self) -> f64 {
        if self.dispersion > 0.0 {
            -(self.dispersion * self.mean).ln_1p() / self.dispersion
        } else {
            -self.mean
        }
    }

    /// Log of the probability of a whole number `count`.
    pub fn ln_pmf(&self, count: f64) -> f64 {
        let part = self.ln_part(count);
        if self.zero <= 0.0 {
            part
        } else if count > 0.0 {
            (-self.zero).ln_1p() + part
        } else {
            (self.zero + (1.0 - self.zero) * part.exp()).ln()
        }
    }

    fn ln_part(&self, k: f64) -> f64 {
        if k <= 0.0 {
            return self.ln_zero();
        }
        if self.mean <= 0.0 {
            return f64::NEG_INFINITY;
        }
        if self.dispersion <= 0.0 {
            return k * self.mean.ln() - self.mean - ln_gamma(k + 1.0);
        }
        let r = 1.0 / self.dispersion;
        let odds = self.dispersion * self.mean;
        ln_gamma(k + r)
            - ln_gamma(r)
            - ln_gamma(k + 1.0)
            - r * odds.ln_1p()
            - k * (1.0 / odds).ln_1p()
    }

    pub fn pmf(&self, count: f64) -> f64 {
        self.ln_pmf(count).exp()
    }

    /// Probability of at most `count`.
    pub fn cdf(&self, count: f64) -> f64 {
        if count < 0.0 {
            return 0.0;
        }
        let k = count.floor();
        let part = if self.mean <= 0.0 {
            1.0
        } else if self.mean > EXACT_MEAN_MAX {
            self.gamma_cdf(k + 0.5)
        } else if self.dispersion <= 0.0 {
            gamma_ur(k + 1.0, self.mean)
        } else {
            let r = 1.0 / self.dispersion;
            beta_reg(r, k + 1.0, 1.0 / (1.0 + self.dispersion * self.mean))
        };
        self.zero + (1.0 - self.zero) * part
    }

    fn gamma_cdf(&self, units: f64) -> f64 {
        let shape = 1.0 / (self.dispersion + 1.0 / self.mean);
        if shape < NORMAL_SHAPE_MIN {
            return gamma_lr(shape, shape * units / self.mean);
        }
        let ninth = 1.0 / (9.0 * shape);
        Normal::standard().cdf(((units / self.mean).cbrt() - 1.0 + ninth) / ninth.sqrt())
    }

    /// The least whole number that is not exceeded with at least this probability.
    pub fn quantile(&self, level: f64) -> f64 {
        let mut out = [0.0];
        self.quantiles(&[level], &mut out);
        out[0]
    }

    /// The quantiles of ascending levels below 1.
    pub fn quantiles(&self, levels: &[f64], out: &mut [f64]) {
        let units_max = self.mean + 10.0 * self.variance().sqrt();
        if self.mean <= 0.0 || self.zero >= 1.0 {
            out.fill(0.0);
        } else if self.ln_zero() > LN_ZERO_MIN && units_max < WALK_UNITS_MAX {
            self.walk(levels, out);
        } else {
            for (out, &level) in out.iter_mut().zip(levels) {
                *out = self.search(level);
            }
        }
    }

    fn walk(&self, levels: &[f64], out: &mut [f64]) {
        let ratio = self.mean / (1.0 + self.dispersion * self.mean);
        let mut probability = (1.0 - self.zero) * self.ln_zero().exp();
        let mut sum = self.zero + probability;
        let mut unit = 0.0;
        for (out, &level) in out.iter_mut().zip(levels) {
            // Rounding may keep the sum below a level next to 1; the rest has no probability.
            while sum < level && (probability > 0.0 || unit == 0.0) {
                probability *= (1.0 + self.dispersion * unit) * ratio / (unit + 1.0);
                unit += 1.0;
                sum += probability;
            }
            *out = unit;
        }
    }

    /// By halving an interval that doubles until the level lies in it.
    fn search(&self, level: f64) -> f64 {
        let (mut below, mut at) = (-1.0, self.mean.ceil());
        while self.cdf(at) < level && at < 1e15 {
            below = at;
            at *= 2.0;
        }
        // Neighbouring floats are more than a unit apart from 2^53 on.
        while at - below > 1.0 && at - below > 1e-15 * at {
            let middle = ((below + at) / 2.0).floor();
            if self.cdf(middle) < level { below = middle } else { at = middle }
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::LEVELS;
    use statrs::distribution::{Discrete, DiscreteCDF, NegativeBinomial, Poisson};

    const EACH: [(f64, f64, f64); 13] = [
        (0.0, 0.05, 0.0),
        (0.0, 3.7, 0.0),
        (0.0, 250.0, 0.0),
        (0.0, 0.4, 2.0),
        (0.0, 6.0, 0.3),
        (0.0, 90.0, 1.5),
        (0.3, 2.0, 0.0),
        (0.8, 12.0, 0.0),
        (0.5, 4.0, 0.8),
        (0.9, 150.0, 0.2),
        (0.0, 900.0, 0.0),
        (0.1, 5000.0, 0.05),
        (0.0, 50_000.0, 0.001),
    ];

    #[test]
    fn probabilities_are_those_of_statrs() {
        for mean in [0.05, 3.7, 40.0] {
            let (ours, theirs) = (CountFamily::poisson(mean), Poisson::new(mean).unwrap());
            for dispersion in [1e-3, 0.4, 3.0] {
                let r = 1.0 / dispersion;
                let nb = CountFamily::negative_binomial(mean, dispersion);
                let theirs = NegativeBinomial::new(r, r / (r + mean)).unwrap();
                for k in 0..80u64 {
                    assert!((nb.pmf(k as f64) - theirs.pmf(k)).abs() < 1e-9);
                    assert!((nb.cdf(k as f64) - theirs.cdf(k)).abs() < 1e-9);
                }
            }
            for k in 0..80u64 {
                assert!((ours.pmf(k as f64) - theirs.pmf(k)).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn quantiles_are_the_least_counts_whose_probabilities_add_up() {
        for (zero, mean, dispersion) in EACH {
            let family = CountFamily::zero_inflated(zero, mean, dispersion);
            let mut got = [0.0; 9];
            family.quantiles(&LEVELS, &mut got);
            let (mut sum, mut k) = (family.pmf(0.0), 0.0);
            for (&level, &got) in LEVELS.iter().zip(&got) {
                while sum < level {
                    k += 1.0;
                    sum += family.pmf(k);
                }
                assert_eq!(got, k, "{family:?} {level}");
                assert!((family.cdf(k) - sum).abs() < 1e-9, "{family:?} {k}");
                assert_eq!(family.quantile(level), got);
            }
        }
    }

    #[test]
    fn moments_are_those_of_the_probabilities() {
        for (zero, mean, dispersion) in EACH.into_iter().filter(|(_, mean, _)| *mean < 200.0) {
            let family = CountFamily::zero_inflated(zero, mean, dispersion);
            let sum = |power: i32| -> f64 {
                (0..6000).map(|k| f64::from(k).powi(power) * family.pmf(f64::from(k))).sum()
            };
            assert!((sum(0) - 1.0).abs() < 1e-9, "{family:?}");
            assert!((sum(1) - family.mean()).abs() < 1e-6 * mean, "{family:?}");
            let variance = sum(2) - sum(1) * sum(1);
            assert!((variance / family.variance() - 1.0).abs() < 1e-5, "{family:?}");
        }
    }

    #[test]
    fn the_gamma_takes_over_without_a_jump() {
        for dispersion in [0.0, 1e-3, 0.3, 5.0] {
            let of = |mean: f64| CountFamily::negative_binomial(mean, dispersion);
            for level in LEVELS {
                let (below, above) = (of(99_999.0).quantile(level), of(100_001.0).quantile(level));
                let slack = 2.0 + 3e-4 * below;
                assert!((above - below).abs() <= slack, "{dispersion} {level}: {below} {above}");
            }
        }
    }

    #[test]
    fn extremes_are_whole_and_ordered() {
        for mean in [0.0, 1e-9, 1e6, 1e9, 1e13, f64::NAN, f64::INFINITY, -1.0] {
            for dispersion in [0.0, 1e-8, 0.3, 50.0, f64::NAN] {
                let family = CountFamily::zero_inflated(0.2, mean, dispersion);
                let mut out = [f64::NAN; 9];
                family.quantiles(&LEVELS, &mut out);
                let whole = out.iter().all(|q| q.is_finite() && *q >= 0.0 && q.fract() == 0.0);
                assert!(whole && out.is_sorted(), "{family:?} {out:?}");
            }
        }
    }
}
