//! A count distribution from a history: maximum likelihood for each kind, and the choice among
//! them by Akaike's criterion for few observations (Hurvich & Tsai 1989).

use super::family::{CountFamily, CountKind};

/// Dispersions that are searched, between which the likelihood has one maximum.
const DISPERSION_RANGE: (f64, f64) = (1e-3, 30.0);
/// Golden section on the logarithm, to a thousandth.
const SECTIONS: usize = 20;
/// Units whose logarithms are added up from one table of how often each was exceeded.
const UNITS: usize = 64;
/// Demand beyond this is no count to tell families apart by.
const COUNT_MAX: f64 = 1e15;

/// A family and how well it says what was seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CountFit {
    pub kind: CountKind,
    pub family: CountFamily,
    pub log_likelihood: f64,
    /// Infinite when there are hardly more observations than parameters.
    pub aicc: f64,
}

/// How often each count was seen, ascending. Demand is rounded to whole units.
struct Histogram {
    counts: Vec<(f64, f64)>,
    observed: f64,
    sum: f64,
}

impl Histogram {
    fn of(demand: &[f64]) -> Histogram {
        let seen = demand.iter().filter(|d| !d.is_nan());
        let mut values: Vec<f64> = seen.map(|d| d.round().clamp(0.0, COUNT_MAX)).collect();
        values.sort_by(f64::total_cmp);
        let mut counts: Vec<(f64, f64)> = Vec::new();
        for &value in &values {
            match counts.last_mut() {
                Some((last, times)) if *last == value => *times += 1.0,
                _ => counts.push((value, 1.0)),
            }
        }
        Histogram { counts, observed: values.len() as f64, sum: values.iter().sum() }
    }

    fn zeros(&self) -> f64 {
        self.counts.first().map_or(0.0, |&(count, times)| if count == 0.0 { times } else { 0.0 })
    }

    fn log_likelihood(&self, family: &CountFamily) -> f64 {
        self.counts.iter().map(|&(count, times)| times * family.ln_pmf(count)).sum()
    }

    /// Whether counts vary more than a Poisson of their mean; else no dispersion is likelier.
    fn is_dispersed(&self) -> bool {
        let mean = self.sum / self.observed;
        let squares: f64 = self.counts.iter().map(|(k, n)| n * (k - mean) * (k - mean)).sum();
        squares > self.sum
    }

    /// The dispersion with which the mean's maximum likelihood is the sample mean.
    fn negative_binomial(&self) -> CountFamily {
        let mean = self.sum / self.observed;
        let family = |dispersion: f64| CountFamily::negative_binomial(mean, dispersion);
        let loss = |dispersion: f64| -self.log_likelihood(&family(dispersion));
        family(if self.is_dispersed() { least(loss) } else { 0.0 })
    }

    /// The count part's mean is such that, cut off at zero, it is the mean of the sales; the share
    /// of zeros is then what is seen (Lambert 1992, without covariates). Fewer zeros than the count
    /// part has by itself are none too many.
    fn zero_inflated(&self, dispersion: f64) -> CountFamily {
        let positive = self.observed - self.zeros();
        let mean = truncated_mean(self.sum / positive, dispersion);
        let part = CountFamily::negative_binomial(mean, dispersion);
        let zero = 1.0 - positive / self.observed / (1.0 - part.pmf(0.0));
        if zero > 0.0 {
            CountFamily::zero_inflated(zero, mean, dispersion)
        } else {
            CountFamily::negative_binomial(self.sum / self.observed, dispersion)
        }
    }
}

/// The mean of a count whose mean given that it is positive is `positive`.
fn truncated_mean(positive: f64, dispersion: f64) -> f64 {
    if positive <= 1.0 {
        return 0.0;
    }
    // `mean / (1 - P(0))` rises from 1, by at least as much as the mean does.
    let (mut low, mut high) = (0.0, positive);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        let zero = CountFamily::negative_binomial(middle, dispersion).pmf(0.0);
        if middle < positive * (1.0 - zero) { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

/// The dispersion of least loss.
fn least(loss: impl Fn(f64) -> f64) -> f64 {
    let section = 0.5 * (5f64.sqrt() - 1.0);
    let (mut low, mut high) = (DISPERSION_RANGE.0.ln(), DISPERSION_RANGE.1.ln());
    let at = |low: f64, high: f64| (high - section * (high - low), low + section * (high - low));
    let (mut left, mut right) = at(low, high);
    let (mut left_loss, mut right_loss) = (loss(left.exp()), loss(right.exp()));
    for _ in 0..SECTIONS {
        if left_loss <= right_loss {
            (high, right, right_loss) = (right, left, left_loss);
            left = at(low, high).0;
            left_loss = loss(left.exp());
        } else {
            (low, left, left_loss) = (left, right, right_loss);
            right = at(low, high).1;
            right_loss = loss(right.exp());
        }
    }
    (0.5 * (low + high)).exp()
}

/// The family of a kind with the greatest likelihood of a history, NaN where demand was not seen
/// whole; none without an observed step.
pub fn fit(kind: CountKind, demand: &[f64]) -> Option<CountFit> {
    fit_histogram(kind, &Histogram::of(demand))
}

/// The family with the least AICc, the simplest when none has one; none without an observed step.
pub fn choose(demand: &[f64]) -> Option<CountFit> {
    choose_among(&CountKind::ALL, demand)
}

/// As [`choose`], among `kinds`.
pub fn choose_among(kinds: &[CountKind], demand: &[f64]) -> Option<CountFit> {
    let histogram = Histogram::of(demand);
    let fits = kinds.iter().filter_map(|&kind| fit_histogram(kind, &histogram));
    fits.reduce(|best, fit| if fit.aicc < best.aicc { fit } else { best })
}

fn fit_histogram(kind: CountKind, histogram: &Histogram) -> Option<CountFit> {
    let n = histogram.observed;
    if n == 0.0 {
        return None;
    }
    let family = match kind {
        _ if histogram.sum <= 0.0 => CountFamily::poisson(0.0),
        CountKind::Poisson => CountFamily::poisson(histogram.sum / n),
        CountKind::NegativeBinomial => histogram.negative_binomial(),
        CountKind::ZeroInflatedPoisson => histogram.zero_inflated(0.0),
        CountKind::ZeroInflatedNegativeBinomial => {
            let loss = |phi: f64| -histogram.log_likelihood(&histogram.zero_inflated(phi));
            let dispersion = least(loss);
            let dispersed = loss(dispersion) < loss(0.0);
            histogram.zero_inflated(if dispersed { dispersion } else { 0.0 })
        }
    };
    let log_likelihood = histogram.log_likelihood(&family);
    let k = kind.parameters() as f64;
    let left = n - k - 1.0;
    let aicc = if left > 0.0 {
        2.0 * (k - log_likelihood) + 2.0 * k * (k + 1.0) / left
    } else {
        f64::INFINITY
    };
    Some(CountFit { kind, family, log_likelihood, aicc })
}

/// The dispersion of counts around means that differ from step to step, by maximum likelihood; 0
/// when they vary no more than Poisson counts.
pub fn dispersion_around(steps: &[(f64, f64)]) -> f64 {
    let excess: f64 = steps.iter().map(|(d, m)| (d - m) * (d - m) - m).sum();
    if excess <= 0.0 || steps.iter().any(|(d, m)| *d > COUNT_MAX || *m > COUNT_MAX) {
        return 0.0;
    }
    // How many steps exceed each small count, so that a dispersion costs one logarithm a step and
    // one a unit instead of a log-gamma a step.
    let mut above = [0.0; UNITS];
    for (count, _) in steps {
        above[..(count.round() as usize).min(UNITS)].iter_mut().for_each(|n| *n += 1.0);
    }
    least(|phi| {
        let (r, limit) = (1.0 / phi, UNITS as f64);
        let units = above.iter().enumerate().map(|(k, n)| n * (phi * k as f64).ln_1p());
        let tails = steps.iter().map(|&(d, mean)| {
            let count = d.round();
            let beyond = if count > limit {
                statrs::function::gamma::ln_gamma(count + r)
                    - statrs::function::gamma::ln_gamma(limit + r)
                    + (count - limit) * phi.ln()
            } else {
                0.0
            };
            beyond - (count + r) * (phi * mean).ln_1p()
        });
        -(units.sum::<f64>() + tails.sum::<f64>())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As many of each count as the family expects among many, so that estimates are its own.
    fn typical(family: &CountFamily) -> Vec<f64> {
        let strata = 4000;
        let levels: Vec<f64> = (0..strata).map(|k| (k as f64 + 0.5) / strata as f64).collect();
        let mut out = vec![0.0; strata];
        family.quantiles(&levels, &mut out);
        out.extend([f64::NAN; 9]);
        out
    }

    #[test]
    fn each_kind_is_found_and_chosen_on_its_own_counts() {
        use CountKind::*;
        for (kind, zero, mean, dispersion) in [
            (Poisson, 0.0, 2.5, 0.0),
            (NegativeBinomial, 0.0, 4.0, 0.7),
            (NegativeBinomial, 0.0, 150.0, 0.3),
            (ZeroInflatedPoisson, 0.6, 3.0, 0.0),
            (ZeroInflatedNegativeBinomial, 0.5, 6.0, 0.4),
        ] {
            let family = CountFamily::zero_inflated(zero, mean, dispersion);
            let demand = typical(&family);
            let fit = fit(kind, &demand).unwrap();
            assert!((fit.family.mean() / family.mean() - 1.0).abs() < 0.01, "{kind:?} {fit:?}");
            assert!((fit.family.zero() - zero).abs() < 0.01, "{kind:?} {fit:?}");
            assert!((fit.family.dispersion() - dispersion).abs() < 0.02, "{kind:?} {fit:?}");
            assert_eq!(choose(&demand).unwrap().kind, kind, "{:?}", choose(&demand));
        }
    }

    #[test]
    fn the_likelihood_falls_away_from_the_fit() {
        let demand = typical(&CountFamily::zero_inflated(0.3, 5.0, 0.5));
        let histogram = Histogram::of(&demand);
        for kind in CountKind::ALL {
            let CountFit { family, log_likelihood, .. } = fit(kind, &demand).unwrap();
            let part = family.mean() / (1.0 - family.zero());
            for (zero, mean, dispersion) in [
                (family.zero(), part * 1.02, family.dispersion()),
                (family.zero(), part * 0.98, family.dispersion()),
                (family.zero() * 1.03, part, family.dispersion()),
                (family.zero() * 0.97, part, family.dispersion()),
                (family.zero(), part, family.dispersion() * 1.05),
                (family.zero(), part, family.dispersion() * 0.95),
            ] {
                let other = CountFamily::zero_inflated(zero, mean, dispersion);
                let less = histogram.log_likelihood(&other);
                assert!(less <= log_likelihood + 1e-9, "{kind:?} {family:?} {other:?}");
            }
        }
    }

    #[test]
    fn dispersion_around_a_constant_mean_is_the_negative_binomials() {
        let demand = typical(&CountFamily::negative_binomial(30.0, 0.6));
        let seen: Vec<f64> = demand.into_iter().filter(|d| !d.is_nan()).collect();
        let mean = seen.iter().sum::<f64>() / seen.len() as f64;
        let steps: Vec<(f64, f64)> = seen.iter().map(|&d| (d, mean)).collect();
        let family = fit(CountKind::NegativeBinomial, &seen).unwrap().family;
        assert!((dispersion_around(&steps) - family.dispersion()).abs() < 1e-3, "{family:?}");
        assert_eq!(dispersion_around(&[(1.0, 1.0), (2.0, 2.0)]), 0.0);
    }

    #[test]
    fn odd_histories_have_a_family_or_none() {
        assert_eq!(choose(&[]), None);
        assert_eq!(choose(&[f64::NAN; 5]), None);
        for demand in [vec![0.0; 9], vec![5.0], vec![1.0; 40], vec![1e13, 0.0, 3.0, 1e13, 2.0]] {
            for kind in CountKind::ALL {
                let family = fit(kind, &demand).unwrap().family;
                assert!(family.quantile(0.9).is_finite(), "{kind:?} {demand:?} {family:?}");
            }
        }
    }
}
