//! What early interest says about the level at which an item sells: a negative binomial
//! regression of units on the logs of views, favourites and carts per day (Hilbe 2011, NB2 with
//! log link), learned from established items. Its dispersion is the Gamma prior's.

use super::Interest;
use super::profile::Moments;

/// Intercept, views, favourites, carts.
const TERMS: usize = 4;
const SIGNALS: usize = 3;
const INTERCEPT: [f64; TERMS] = [1.0, 0.0, 0.0, 0.0];
/// Ridge on the standardised slopes, in items' worth of information.
const RIDGE_ITEMS: f64 = 2.0;
/// A signal further out than this is taken at this: no item taught what lies beyond.
const REACH_SD: f64 = 3.0;
/// A residual further out is an outlier, not a trend; a long right tail is neither.
const OUTLIER_SD: f64 = 8.0;
const DISPERSION_RANGE: (f64, f64) = (0.02, 4.0);

/// What one established item sold, and the interest that it had.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScaleObservation {
    pub units: f64,
    /// Ordinary, fully available days at the settled level.
    pub exposure_days: f64,
    pub interest: Interest,
    /// On sale since before its history begins.
    pub is_older: bool,
}

/// A fitted chain of regressions: views, then favourites given views, then carts given both, then
/// units given all three.
#[derive(Clone, Debug, PartialEq)]
pub struct ScaleModel {
    signals: Vec<Signal>,
    units: Regression,
}

/// A kind of event and how its log rate enters the regressions.
///
/// The rate is the mean of its Gamma posterior, whose prior is what the signals before it predict:
/// many carts are taken at their word, two carts in a week say little beyond the views.
#[derive(Clone, Debug, PartialEq)]
struct Signal {
    expected: Regression,
    mean: f64,
    /// 0 where the signal never varies and is left out.
    sd: f64,
    /// Mean variance of the log rates.
    noise: f64,
}

impl Signal {
    /// Learns the `k`-th signal; `rows` have the earlier ones and get this one.
    fn fit(k: usize, items: &[&ScaleObservation], rows: &mut [[f64; TERMS]]) -> Option<Signal> {
        let counts: Vec<f64> = items.iter().map(|item| item.interest.counts()[k]).collect();
        let days: Vec<f64> = items.iter().map(|item| item.interest.days).collect();
        let expected = Regression::fit(&counts, &days, rows)?;
        let mut signal = Signal { expected, mean: 0.0, sd: 0.0, noise: 0.0 };
        let n = items.len() as f64;
        let logs: Vec<(f64, f64)> =
            (0..items.len()).map(|i| signal.log_rate(counts[i], days[i], &rows[i])).collect();
        signal.mean = logs.iter().map(|log| log.0).sum::<f64>() / n;
        signal.noise = logs.iter().map(|log| log.1).sum::<f64>() / n;
        let variance = logs.iter().map(|log| (log.0 - signal.mean).powi(2)).sum::<f64>() / n;
        signal.sd = if variance > 1e-6 { variance.sqrt() } else { 0.0 };
        for (row, (log, _)) in rows.iter_mut().zip(logs) {
            row[k + 1] = signal.standardise(log);
        }
        Some(signal)
    }

    /// Log of the posterior mean rate, and its variance.
    fn log_rate(&self, count: f64, days: f64, row: &[f64; TERMS]) -> (f64, f64) {
        let prior_events = 1.0 / self.expected.dispersion;
        let rate = (count + prior_events) / (days + prior_events / self.expected.rate(row));
        (rate.ln(), 1.0 / (count + prior_events))
    }

    fn standardise(&self, log_rate: f64) -> f64 {
        if self.sd == 0.0 {
            return 0.0;
        }
        ((log_rate - self.mean) / self.sd).clamp(-REACH_SD, REACH_SD)
    }
}

/// What the regression expects of one item.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScaleEstimate {
    /// Units per ordinary day at the settled level.
    pub units_per_day: f64,
    /// φ of the item's true scale about that, the coefficients' uncertainty included.
    pub dispersion: f64,
    /// What counts that are noisier than the pool's add to it.
    pub blur: f64,
}

impl ScaleModel {
    /// `None` where the observations have no exposure or no units at all. Without `with_interest`
    /// the signals are left out and every item serves, older ones at a level of their own, for what
    /// has outlived its launch is not what is launched; with it, those whose interest is known.
    pub fn fit(observations: &[ScaleObservation], with_interest: bool) -> Option<ScaleModel> {
        let usable: Vec<&ScaleObservation> = observations
            .iter()
            .filter(|item| item.exposure_days > 0.0 && (!with_interest || item.interest.is_known()))
            .collect();
        let mut rows: Vec<[f64; TERMS]> = match with_interest {
            true => vec![INTERCEPT; usable.len()],
            false => usable.iter().map(|item| by_age(item.is_older)).collect(),
        };
        let mut signals = Vec::new();
        if with_interest {
            for k in 0..SIGNALS {
                // A kind of event that nobody ever logged tells nothing and is passed over.
                let flat =
                    || Signal { expected: Regression::flat(), mean: 0.0, sd: 0.0, noise: 0.0 };
                signals.push(Signal::fit(k, &usable, &mut rows).unwrap_or_else(flat));
            }
        }
        let units: Vec<f64> = usable.iter().map(|item| item.units).collect();
        let exposure: Vec<f64> = usable.iter().map(|item| item.exposure_days).collect();
        Some(ScaleModel { signals, units: Regression::fit(&units, &exposure, &rows)? })
    }

    pub fn by_interest(&self) -> bool {
        !self.signals.is_empty()
    }

    /// φ of items about the regression.
    pub fn dispersion(&self) -> f64 {
        self.units.dispersion
    }

    pub fn predict(&self, interest: &Interest, is_older: bool) -> ScaleEstimate {
        let mut row = if self.by_interest() { INTERCEPT } else { by_age(is_older) };
        let mut blur = 0.0;
        if interest.is_known() {
            for (k, signal) in self.signals.iter().enumerate().filter(|(_, s)| s.sd > 0.0) {
                let (log, variance) = signal.log_rate(interest.counts()[k], interest.days, &row);
                row[k + 1] = signal.standardise(log);
                // A count noisier than the pool's blurs the prediction by the difference, up to
                // the whole spread of the signal.
                let slope = self.units.coefficient[k + 1] / signal.sd;
                let noise = variance.min(signal.sd * signal.sd);
                blur += slope * slope * (noise - signal.noise).max(0.0);
            }
        }
        ScaleEstimate {
            units_per_day: self.units.rate(&row),
            dispersion: self.units.dispersion + self.units.leverage(&row),
            blur,
        }
    }
}

/// Negative binomial regression of counts over exposures on up to three standardised terms.
#[derive(Clone, Debug, PartialEq)]
struct Regression {
    coefficient: [f64; TERMS],
    /// Inverse of the information: covariance of the coefficients.
    covariance: [[f64; TERMS]; TERMS],
    /// φ of `var = mu + φ mu²`.
    dispersion: f64,
}

impl Regression {
    fn flat() -> Regression {
        Regression { coefficient: [0.0; TERMS], covariance: [[0.0; TERMS]; TERMS], dispersion: 0.5 }
    }

    /// `None` where nothing was counted.
    fn fit(counts: &[f64], exposures: &[f64], rows: &[[f64; TERMS]]) -> Option<Regression> {
        let count: f64 = counts.iter().sum();
        let exposure: f64 = exposures.iter().sum();
        if !(count > 0.0 && exposure > 0.0) {
            return None;
        }
        let mut fitted = Regression::flat();
        fitted.coefficient[0] = (count / exposure).ln();
        for _ in 0..6 {
            fitted.fit_coefficients(counts, exposures, rows);
            let before = fitted.dispersion;
            fitted.fit_dispersion(counts, exposures, rows);
            if (fitted.dispersion / before - 1.0).abs() < 1e-3 {
                break;
            }
        }
        Some(fitted)
    }

    /// Newton's method on the ridge-penalised likelihood, the dispersion held.
    fn fit_coefficients(&mut self, counts: &[f64], exposures: &[f64], rows: &[[f64; TERMS]]) {
        let phi = self.dispersion;
        for _ in 0..30 {
            let mut gradient = [0.0; TERMS];
            let mut information = [[0.0; TERMS]; TERMS];
            for k in 1..TERMS {
                let ridge = RIDGE_ITEMS / phi;
                gradient[k] -= ridge * self.coefficient[k];
                information[k][k] += ridge;
            }
            for ((&count, &exposure), row) in counts.iter().zip(exposures).zip(rows) {
                let mean = exposure * self.rate(row);
                let spread = 1.0 + phi * mean;
                let reach = OUTLIER_SD * (mean * spread).sqrt();
                let residual = (count - mean).min(reach);
                for i in 0..TERMS {
                    gradient[i] += row[i] * residual / spread;
                    for j in 0..TERMS {
                        information[i][j] += row[i] * row[j] * mean / spread;
                    }
                }
            }
            self.covariance = inverse(&information);
            let mut largest = 0.0f64;
            for i in 0..TERMS {
                let change = dot(&self.covariance[i], &gradient).clamp(-1.0, 1.0);
                self.coefficient[i] += change;
                largest = largest.max(change.abs());
            }
            if largest < 1e-6 {
                break;
            }
        }
    }

    fn fit_dispersion(&mut self, counts: &[f64], exposures: &[f64], rows: &[[f64; TERMS]]) {
        let used = (0..TERMS).filter(|&k| rows.iter().any(|row| row[k] != 0.0)).count() as f64;
        let freedom = rows.len() as f64 / (rows.len() as f64 - used).max(1.0);
        for _ in 0..8 {
            let mut moments = Moments::default();
            for ((&count, &exposure), row) in counts.iter().zip(exposures).zip(rows) {
                moments.add(count, exposure * self.rate(row), self.dispersion, 1.0);
            }
            let seen = moments.dispersion(0.5, 1.0) * freedom;
            self.dispersion = seen.clamp(DISPERSION_RANGE.0, DISPERSION_RANGE.1);
        }
    }

    fn rate(&self, row: &[f64; TERMS]) -> f64 {
        dot(&self.coefficient, row).exp()
    }

    /// Variance of the log rate that the coefficients' uncertainty brings.
    fn leverage(&self, row: &[f64; TERMS]) -> f64 {
        (0..TERMS).map(|i| row[i] * dot(&self.covariance[i], row)).sum()
    }
}

fn by_age(is_older: bool) -> [f64; TERMS] {
    [1.0, f64::from(is_older), 0.0, 0.0]
}

fn dot(a: &[f64; TERMS], b: &[f64; TERMS]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// Gauss–Jordan on a symmetric positive definite matrix, for which no pivoting is needed.
fn inverse(matrix: &[[f64; TERMS]; TERMS]) -> [[f64; TERMS]; TERMS] {
    let mut left = *matrix;
    let mut right = [[0.0; TERMS]; TERMS];
    for (i, row) in right.iter_mut().enumerate() {
        row[i] = 1.0;
    }
    for pivot in 0..TERMS {
        let scale = 1.0 / left[pivot][pivot].max(1e-12);
        for j in 0..TERMS {
            left[pivot][j] *= scale;
            right[pivot][j] *= scale;
        }
        for i in (0..TERMS).filter(|&i| i != pivot) {
            let factor = left[i][pivot];
            for j in 0..TERMS {
                left[i][j] -= factor * left[pivot][j];
                right[i][j] -= factor * right[pivot][j];
            }
        }
    }
    right
}
