//! What early interest says about the level at which an item sells: a negative binomial
//! regression of units on the logs of views, favourites and carts per day (Hilbe 2011, NB2 with
//! log link), learned from established items. Its dispersion is the Gamma prior's.

use super::Interest;
use super::profile::Moments;

/// Intercept, views, favourites, carts.
const TERMS: usize = 4;
const SIGNALS: usize = 3;
/// Ridge on the standardised slopes, in items' worth of information.
const RIDGE_ITEMS: f64 = 2.0;
/// A signal further out than this is taken at this: no item taught what lies beyond.
const REACH_SD: f64 = 3.0;
const DISPERSION_RANGE: (f64, f64) = (0.02, 4.0);

/// What one established item sold, and the interest that it had.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScaleObservation {
    pub units: f64,
    /// Ordinary, fully available days at the settled level.
    pub exposure_days: f64,
    pub interest: Interest,
}

/// A fitted regression.
#[derive(Clone, Debug, PartialEq)]
pub struct ScaleModel {
    coefficient: [f64; TERMS],
    signals: [Signal; SIGNALS],
    /// Inverse of the information: covariance of the coefficients.
    covariance: [[f64; TERMS]; TERMS],
    dispersion: f64,
    with_interest: bool,
}

/// How one signal is put on the regression's scale.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Signal {
    /// Events per day over all items: the prior of an item's own rate, worth half an event.
    rate: f64,
    mean: f64,
    /// 0 where the signal never varies and is left out.
    sd: f64,
    /// Mean counting variance of the log rates.
    noise: f64,
}

impl Signal {
    fn log_rate(&self, count: f64, days: f64) -> f64 {
        ((count + 0.5) / (days + 0.5 / self.rate)).ln()
    }

    /// Standardised; a count so small that it says less than the pool's do is drawn to the mean.
    fn standardise(&self, count: f64, days: f64) -> f64 {
        if self.sd == 0.0 {
            return 0.0;
        }
        let signal = (self.sd * self.sd - self.noise).max(0.1 * self.sd * self.sd);
        let own = signal / (signal + 1.0 / (count + 0.5));
        let pooled = signal / (signal + self.noise);
        let drawn = (own / pooled).min(1.0);
        let z = (self.log_rate(count, days) - self.mean) / self.sd * drawn;
        z.clamp(-REACH_SD, REACH_SD)
    }
}

/// What the regression expects of one item.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScaleEstimate {
    /// Units per ordinary day at the settled level.
    pub units_per_day: f64,
    /// φ of the item's true scale about that, the coefficients' uncertainty included.
    pub dispersion: f64,
}

impl ScaleModel {
    /// `None` where the observations have no exposure or no units at all. Without `with_interest`
    /// the signals are left out and every item serves; with it, those whose interest is known.
    pub fn fit(observations: &[ScaleObservation], with_interest: bool) -> Option<ScaleModel> {
        let usable: Vec<&ScaleObservation> = observations
            .iter()
            .filter(|item| item.exposure_days > 0.0 && (!with_interest || item.interest.is_known()))
            .collect();
        let units: f64 = usable.iter().map(|item| item.units).sum();
        let exposure: f64 = usable.iter().map(|item| item.exposure_days).sum();
        if !(units > 0.0 && exposure > 0.0) {
            return None;
        }
        let mut signals = [Signal::default(); SIGNALS];
        if with_interest {
            for (k, signal) in signals.iter_mut().enumerate() {
                *signal = learn_signal(&usable, k);
            }
        }
        let mut model = ScaleModel {
            coefficient: [0.0; TERMS],
            signals,
            covariance: [[0.0; TERMS]; TERMS],
            dispersion: 0.5,
            with_interest,
        };
        model.coefficient[0] = (units / exposure).ln();
        let rows: Vec<[f64; TERMS]> = usable.iter().map(|item| model.row(&item.interest)).collect();
        for _ in 0..6 {
            model.fit_coefficients(&usable, &rows);
            let before = model.dispersion;
            model.fit_dispersion(&usable, &rows);
            if (model.dispersion / before - 1.0).abs() < 1e-3 {
                break;
            }
        }
        Some(model)
    }

    fn row(&self, interest: &Interest) -> [f64; TERMS] {
        let mut row = [1.0, 0.0, 0.0, 0.0];
        if self.with_interest && interest.is_known() {
            for (k, signal) in self.signals.iter().enumerate() {
                row[k + 1] = signal.standardise(interest.counts()[k], interest.days);
            }
        }
        row
    }

    /// Newton's method on the ridge-penalised likelihood, the dispersion held.
    fn fit_coefficients(&mut self, items: &[&ScaleObservation], rows: &[[f64; TERMS]]) {
        let phi = self.dispersion;
        for _ in 0..30 {
            let mut gradient = [0.0; TERMS];
            let mut information = [[0.0; TERMS]; TERMS];
            for k in 1..TERMS {
                let ridge = RIDGE_ITEMS / phi;
                gradient[k] -= ridge * self.coefficient[k];
                information[k][k] += ridge;
            }
            for (item, row) in items.iter().zip(rows) {
                let mean = item.exposure_days * dot(&self.coefficient, row).exp();
                let spread = 1.0 + phi * mean;
                // A residual past five times the mean is an outlier, not a trend.
                let residual = (item.units - mean).min(5.0 * mean.max(1.0));
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
            if largest < 1e-8 {
                break;
            }
        }
    }

    fn fit_dispersion(&mut self, items: &[&ScaleObservation], rows: &[[f64; TERMS]]) {
        let used = 1 + self.signals.iter().filter(|signal| signal.sd > 0.0).count();
        let (items_count, used) = (items.len() as f64, used as f64);
        let freedom = items_count / (items_count - used).max(1.0);
        for _ in 0..8 {
            let mut moments = Moments::default();
            for (item, row) in items.iter().zip(rows) {
                let mean = item.exposure_days * dot(&self.coefficient, row).exp();
                moments.add(item.units, mean, self.dispersion);
            }
            let seen = moments.dispersion(0.5) * freedom;
            self.dispersion = seen.clamp(DISPERSION_RANGE.0, DISPERSION_RANGE.1);
        }
    }

    /// φ of items about the regression.
    pub fn dispersion(&self) -> f64 {
        self.dispersion
    }

    pub fn predict(&self, interest: &Interest) -> ScaleEstimate {
        let row = self.row(interest);
        let mut dispersion = self.dispersion;
        for i in 0..TERMS {
            dispersion += row[i] * dot(&self.covariance[i], &row);
        }
        if self.with_interest {
            for (k, signal) in self.signals.iter().enumerate().filter(|(_, s)| s.sd > 0.0) {
                let slope = self.coefficient[k + 1] / signal.sd;
                // A count noisier than the pool's blurs the prediction by the difference, up to
                // the whole spread of the signal.
                let noise = (1.0 / (interest.counts()[k] + 0.5)).min(signal.sd * signal.sd);
                dispersion += slope * slope * (noise - signal.noise).max(0.0);
            }
        }
        ScaleEstimate { units_per_day: dot(&self.coefficient, &row).exp(), dispersion }
    }
}

fn learn_signal(items: &[&ScaleObservation], k: usize) -> Signal {
    let count: f64 = items.iter().map(|item| item.interest.counts()[k]).sum();
    let days: f64 = items.iter().map(|item| item.interest.days).sum();
    if count <= 0.0 {
        return Signal::default();
    }
    let mut signal = Signal { rate: count / days, ..Signal::default() };
    let n = items.len() as f64;
    let logs = || {
        items
            .iter()
            .map(|item| signal.log_rate(item.interest.counts()[k], item.interest.days))
            .collect::<Vec<f64>>()
    };
    let logs = logs();
    let mean = logs.iter().sum::<f64>() / n;
    let variance = logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / n;
    let noise = items.iter().map(|item| 1.0 / (item.interest.counts()[k] + 0.5)).sum::<f64>() / n;
    signal.mean = mean;
    signal.sd = if variance > 1e-6 { variance.sqrt() } else { 0.0 };
    signal.noise = noise.min(0.9 * variance);
    signal
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
