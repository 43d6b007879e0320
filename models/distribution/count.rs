//! One day's demand: a whole number of units with a given mean and dispersion.
//!
//! The family is the negative binomial with variance `mean + dispersion * mean^2`; dispersion 0 is
//! Poisson. Where its probabilities would take long to add up, the matching gamma stands in, by the
//! Wilson–Hilferty cube (1931) or, when it is too skewed for the cube, by the same negative
//! binomial on a coarser lattice.

use statrs::distribution::{ContinuousCDF, Normal};

use super::LEVELS;

/// Standard normal quantiles of [`LEVELS`].
pub(super) const LEVELS_Z: [f64; 9] = [
    -2.326347874040841,
    -1.6448536269514722,
    -1.2815515655446004,
    -0.6744897501960817,
    0.0,
    0.6744897501960817,
    1.2815515655446004,
    1.6448536269514722,
    2.326347874040841,
];

/// Below this mean a variance under the mean is not believed: counts that small are at least
/// Poisson in practice, and the continuous stand-in would be too coarse.
const UNDERDISPERSED_MEAN_MIN: f64 = 4.0;
/// Above this relative variance the cube of Wilson and Hilferty is too far from the gamma.
const CUBE_RELATIVE_VARIANCE_MAX: f64 = 0.3;
/// An exact walk over the probabilities ends before about this many units.
const WALK_UNITS_MAX: f64 = 256.0;
const COARSE_LATTICE_MEAN: f64 = 24.0;
const WALK_STEPS_MAX: usize = 4096;

/// Levels in (0, 1), ascending, with their standard normal quantiles, prepared once for many days.
#[derive(Clone, Debug)]
pub struct Levels {
    level: Vec<f64>,
    z: Vec<f64>,
}

impl Levels {
    /// The middles of `n` equally likely strata: `(k + 0.5) / n`.
    pub fn strata(n: usize) -> Levels {
        let level: Vec<f64> = (0..n).map(|k| (k as f64 + 0.5) / n as f64).collect();
        let normal = Normal::standard();
        let z = level.iter().map(|&p| normal.inverse_cdf(p)).collect();
        Levels { level, z }
    }

    /// The levels of these standard normal quantiles, ascending.
    pub(super) fn at_scores(z: Vec<f64>) -> Levels {
        let normal = Normal::standard();
        let level = z.iter().map(|&z| normal.cdf(z)).collect();
        Levels { level, z }
    }

    /// Standard normal quantiles of the levels.
    pub fn scores(&self) -> &[f64] {
        &self.z
    }

    pub fn len(&self) -> usize {
        self.level.len()
    }

    pub fn is_empty(&self) -> bool {
        self.level.is_empty()
    }
}

/// Demand of one day. Never negative, always whole; its quantiles cannot cross.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CountDemand {
    mean: f64,
    dispersion: f64,
}

impl CountDemand {
    /// `mean` in units, `dispersion` such that the variance is `mean + dispersion * mean^2`.
    /// What is not a number or is negative counts as a mean of zero; a dispersion below zero
    /// (steadier than Poisson) is kept only for means from 4 units, and down to a twentieth of the
    /// mean as variance.
    pub fn new(mean: f64, dispersion: f64) -> CountDemand {
        let mean = if mean.is_finite() { mean.max(0.0) } else { 0.0 };
        let floor = if mean >= UNDERDISPERSED_MEAN_MIN { -0.95 / mean } else { 0.0 };
        let dispersion = if dispersion.is_finite() { dispersion.clamp(floor, 1e6) } else { 0.0 };
        CountDemand { mean, dispersion }
    }

    pub fn mean(&self) -> f64 {
        self.mean
    }

    pub fn variance(&self) -> f64 {
        self.mean + self.dispersion * self.mean * self.mean
    }

    /// The nine quantiles of [`LEVELS`], ascending.
    pub fn nine(&self) -> [f64; 9] {
        let mut out = [0.0; 9];
        self.fill(&LEVELS, &LEVELS_Z, |k, value| out[k] = value);
        out
    }

    /// The quantiles of nine levels, ascending.
    pub fn at(&self, levels: &Levels) -> [f64; 9] {
        let mut out = [0.0; 9];
        self.fill(&levels.level, &levels.z, |k, value| out[k] = value);
        out
    }

    /// Probability of at most `units`, by the same approximations as the quantiles.
    pub fn cdf(&self, units: f64) -> f64 {
        if units < 0.0 {
            return 0.0;
        }
        if self.mean <= 0.0 {
            return 1.0;
        }
        let relative = self.variance() / (self.mean * self.mean);
        match self.family(relative) {
            Family::Walk => walk_to(self.mean, self.dispersion, units.floor()),
            Family::Cube => {
                let ninth = relative / 9.0;
                let base = ((units + 0.5) / self.mean).cbrt();
                Normal::standard().cdf((base - 1.0 + ninth) / ninth.sqrt())
            }
            Family::Lattice => {
                let step = self.mean / COARSE_LATTICE_MEAN;
                let dispersion = (relative - 1.0 / COARSE_LATTICE_MEAN).max(0.0);
                let at = (units + 0.5) / step + 0.5;
                let (below, upto) = (
                    walk_to(COARSE_LATTICE_MEAN, dispersion, at.floor() - 1.0),
                    walk_to(COARSE_LATTICE_MEAN, dispersion, at.floor()),
                );
                below + (at - at.floor()) * (upto - below)
            }
        }
    }

    /// The quantile at every level of `levels`, ascending, into `out`.
    pub fn quantiles(&self, levels: &Levels, out: &mut [f32]) {
        self.fill(&levels.level, &levels.z, |k, value| out[k] = value as f32);
    }

    fn fill(&self, level: &[f64], z: &[f64], mut put: impl FnMut(usize, f64)) {
        if self.mean <= 0.0 {
            (0..level.len()).for_each(|k| put(k, 0.0));
            return;
        }
        let relative = self.variance() / (self.mean * self.mean);
        match self.family(relative) {
            Family::Walk => walk(self.mean, self.dispersion, level, |k, unit, _| put(k, unit)),
            Family::Cube => cube(self.mean, relative, z, put),
            Family::Lattice => {
                // On a lattice of `step` units the same relative variance needs a smaller
                // dispersion.
                let step = self.mean / COARSE_LATTICE_MEAN;
                let dispersion = (relative - 1.0 / COARSE_LATTICE_MEAN).max(0.0);
                walk(COARSE_LATTICE_MEAN, dispersion, level, |k, unit, within| {
                    put(k, ((unit + within - 0.5).max(0.0) * step).round());
                });
            }
        }
    }

    fn family(&self, relative: f64) -> Family {
        let units_max = self.mean + 6.0 * self.variance().sqrt();
        if self.dispersion >= 0.0 && units_max <= WALK_UNITS_MAX {
            Family::Walk
        } else if relative <= CUBE_RELATIVE_VARIANCE_MAX || self.mean <= COARSE_LATTICE_MEAN {
            Family::Cube
        } else {
            Family::Lattice
        }
    }
}

/// How a day's quantiles are found.
enum Family {
    /// By adding up exact probabilities.
    Walk,
    /// By the cube root of a gamma.
    Cube,
    /// By adding up probabilities of coarser units.
    Lattice,
}

/// Quantiles of the gamma with this mean and relative variance, rounded to units
/// (Wilson & Hilferty 1931: the cube root of a gamma is nearly normal).
fn cube(mean: f64, relative: f64, z: &[f64], mut put: impl FnMut(usize, f64)) {
    let ninth = relative / 9.0;
    let root = ninth.sqrt();
    for (k, &z) in z.iter().enumerate() {
        let base = (1.0 - ninth + z * root).max(0.0);
        put(k, (mean * base * base * base).round());
    }
}

/// Adds up the negative binomial's probabilities until each level is reached. `put` also hears how
/// far into the last unit's probability the level lies, 0..=1.
fn walk(mean: f64, dispersion: f64, level: &[f64], mut put: impl FnMut(usize, f64, f64)) {
    let scaled = mean / (1.0 + dispersion * mean);
    let mut probability = none(mean, dispersion);
    let mut sum = probability;
    let mut unit = 0usize;
    for (k, &level) in level.iter().enumerate() {
        while sum < level && unit < WALK_STEPS_MAX {
            probability *= (1.0 + dispersion * unit as f64) * scaled / (unit as f64 + 1.0);
            unit += 1;
            sum += probability;
        }
        let within =
            if probability > 0.0 { (level - (sum - probability)) / probability } else { 0.5 };
        put(k, unit as f64, within.clamp(0.0, 1.0));
    }
}

/// Probability of no unit: `(1 + phi m)^(-1/phi)`, which tends to `exp(-m)`.
fn none(mean: f64, dispersion: f64) -> f64 {
    if dispersion * mean < 1e-9 {
        (-mean).exp()
    } else {
        (-(dispersion * mean).ln_1p() / dispersion).exp()
    }
}

/// Probability of at most `units` of the negative binomial.
fn walk_to(mean: f64, dispersion: f64, units: f64) -> f64 {
    if units < 0.0 {
        return 0.0;
    }
    let scaled = mean / (1.0 + dispersion * mean);
    let mut probability = none(mean, dispersion);
    let mut sum = probability;
    for unit in 0..(units as usize).min(WALK_STEPS_MAX) {
        probability *= (1.0 + dispersion * unit as f64) * scaled / (unit as f64 + 1.0);
        sum += probability;
    }
    sum.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use statrs::distribution::{DiscreteCDF, Gamma, NegativeBinomial, Poisson};

    fn check_nine(mean: f64, dispersion: f64, quantile: impl Fn(f64) -> f64, tolerance: f64) {
        let got = CountDemand::new(mean, dispersion).nine();
        for (k, &level) in LEVELS.iter().enumerate() {
            let want = quantile(level);
            assert!(
                (got[k] - want).abs() <= tolerance * want.max(1.0),
                "mean {mean} dispersion {dispersion} level {level}: got {}, want {want}",
                got[k]
            );
        }
    }

    #[test]
    fn small_means_have_the_exact_quantiles_of_poisson_and_negative_binomial() {
        for mean in [0.02, 0.3, 1.0, 4.5, 19.0, 60.0] {
            let poisson = Poisson::new(mean).unwrap();
            check_nine(mean, 0.0, |p| poisson.inverse_cdf(p) as f64, 0.0);
            for dispersion in [0.05, 0.5, 2.0] {
                if mean + 6.0 * (mean + dispersion * mean * mean).sqrt() > WALK_UNITS_MAX {
                    continue;
                }
                let r = 1.0 / dispersion;
                let nb = NegativeBinomial::new(r, r / (r + mean)).unwrap();
                check_nine(mean, dispersion, |p| nb.inverse_cdf(p) as f64, 0.0);
            }
        }
    }

    #[test]
    fn large_means_follow_the_gamma() {
        for mean in [400.0, 9_000.0, 3e6] {
            for (dispersion, tolerance) in [(0.02, 0.01), (0.2, 0.02), (1.0, 0.06), (4.0, 0.15)] {
                let shape = 1.0 / (dispersion + 1.0 / mean);
                let gamma = Gamma::new(shape, shape / mean).unwrap();
                let quantile = |p: f64| if p < 0.2 { f64::NAN } else { gamma.inverse_cdf(p) };
                let got = CountDemand::new(mean, dispersion).nine();
                for (k, &level) in LEVELS.iter().enumerate().skip(3) {
                    let want = quantile(level);
                    let slack = (tolerance * want).max(0.01 * mean).max(1.0);
                    assert!(
                        (got[k] - want).abs() <= slack,
                        "{mean} {dispersion} {level}: {} {want}",
                        got[k]
                    );
                }
            }
        }
    }

    #[test]
    fn strata_keep_the_mean_and_never_fall() {
        let levels = Levels::strata(1000);
        let mut out = vec![0.0; 1000];
        for mean in [0.0, 0.05, 0.7, 3.0, 30.0, 200.0, 5e3, 1e7, f64::NAN] {
            for dispersion in [-1.0, 0.0, 0.1, 0.6, 3.0, f64::INFINITY] {
                let day = CountDemand::new(mean, dispersion);
                day.quantiles(&levels, &mut out);
                assert!(out.windows(2).all(|w| w[0] <= w[1]) && out[0] >= 0.0);
                if dispersion <= 0.6 && mean.is_finite() {
                    let average = out.iter().map(|&v| f64::from(v)).sum::<f64>() / 1000.0;
                    assert!(
                        (average - mean).abs() <= 0.02 * mean + 0.01,
                        "{mean} {dispersion} {average}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_cdf_gives_the_level_of_a_quantile_back() {
        for mean in [0.3, 4.0, 40.0, 900.0, 3e6] {
            for dispersion in [0.0, 0.1, 0.6, 3.0] {
                let day = CountDemand::new(mean, dispersion);
                for (level, quantile) in LEVELS.iter().zip(day.nine()) {
                    let (below, upto) = (day.cdf(quantile - 1.0), day.cdf(quantile));
                    let holds = below <= level + 2e-3 && *level <= upto + 2e-3;
                    assert!(holds, "{mean} {dispersion} {level}: {below} {upto}");
                }
            }
        }
    }

    #[test]
    fn a_steady_series_is_narrower_than_poisson() {
        let nine = CountDemand::new(100.0, -0.009).nine();
        assert!(nine[0] >= 90.0 && nine[8] <= 110.0, "{nine:?}");
        assert_eq!(CountDemand::new(2.0, -0.4), CountDemand::new(2.0, 0.0));
    }
}
