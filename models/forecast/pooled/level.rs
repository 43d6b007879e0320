//! The level of a series under known effects: discounted demand over discounted effects.

use serde::{Deserialize, Serialize};

use super::super::model::{FitError, Fitted, History};

/// Weights of the newest day that are tried.
pub const ALPHAS: [f64; 9] = [0.008, 0.016, 0.03, 0.05, 0.08, 0.12, 0.18, 0.26, 0.4];
/// How many days the first level counts for.
const START_DAYS: f64 = 3.0;
/// Windows over which levels are judged: a forecast is needed for weeks, not for tomorrow.
const WINDOW_DAYS: usize = 14;
const WINDOW_STEP_DAYS: usize = 5;
/// A series' own losses weigh as much as its category's after so many windows.
const CATEGORY_WINDOWS: f64 = 60.0;

/// What pooled learning has to say about one series.
#[derive(Clone, Debug)]
pub struct SeriesEffects {
    /// `exp(x * beta)` for every day of history and horizon.
    pub factors: Vec<f32>,
    /// Weight of the newest day in the level.
    pub alpha: f64,
}

/// Demand over its effects, exponentially discounted: a Poisson regression on the effects as
/// offset whose only coefficient, the level, forgets (Harvey & Fernandes 1989).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PooledLevel {
    /// Not stored: each night has its own, see [`PooledLevel::resume`].
    #[serde(skip)]
    factors: Vec<f32>,
    alpha: f64,
    demand: f64,
    effects: f64,
    next: usize,
}

impl PooledLevel {
    /// # Errors
    /// Without pooled effects, or without an observed day.
    pub fn fit(history: &History) -> Result<PooledLevel, FitError> {
        let Some(pooled) = history.pooled else { return Err(FitError::NotFitted) };
        let start = first_level(history.demand, &pooled.factors)
            .ok_or(FitError::TooShort { needed: 1, got: 0 })?;
        let mut fitted = PooledLevel {
            factors: pooled.factors.clone(),
            alpha: pooled.alpha,
            demand: START_DAYS * start,
            effects: START_DAYS,
            next: 0,
        };
        history.demand.iter().for_each(|&demand| fitted.update(demand));
        Ok(fitted)
    }

    /// Goes on with tonight's factors, the first of which is the next day's.
    pub fn resume(&mut self, factors: Vec<f32>) {
        self.factors = factors;
        self.next = 0;
    }

    pub fn level(&self) -> f64 {
        self.demand / self.effects
    }
}

impl Fitted for PooledLevel {
    fn update(&mut self, demand: f64) {
        let factor = self.factors.get(self.next).copied().unwrap_or(1.0);
        if !demand.is_nan() {
            self.demand = (1.0 - self.alpha) * self.demand + demand;
            self.effects = (1.0 - self.alpha) * self.effects + f64::from(factor);
        }
        self.next += 1;
    }

    fn forecast(&self, out: &mut [f64]) {
        let level = self.level();
        for (step, out) in out.iter_mut().enumerate() {
            let factor = self.factors.get(self.next + step).copied().unwrap_or(1.0);
            *out = level * f64::from(factor);
        }
    }
}

/// Level of the first two observed weeks.
fn first_level(demand: &[f64], factors: &[f32]) -> Option<f64> {
    let (mut sold, mut effects) = (0.0, 0.0);
    for (demand, &factor) in demand.iter().zip(factors).filter(|(d, _)| !d.is_nan()).take(14) {
        sold += demand;
        effects += f64::from(factor);
    }
    (effects > 0.0).then(|| sold / effects)
}

/// For every alpha, squared errors of the levels over the windows ahead, in units of their mean
/// over the alphas; and the number of windows.
pub fn alpha_losses(demand: &[f64], factors: &[f32]) -> ([f64; ALPHAS.len()], f64) {
    let mut losses = [0.0; ALPHAS.len()];
    let Some(start) = first_level(demand, factors) else { return (losses, 0.0) };
    let mut ahead = Vec::with_capacity(demand.len() + 1);
    ahead.push((0.0, 0.0));
    for (&demand, &factor) in demand.iter().zip(factors) {
        let (sold, effects) = ahead[ahead.len() - 1];
        let seen = if demand.is_nan() { (0.0, 0.0) } else { (demand, f64::from(factor)) };
        ahead.push((sold + seen.0, effects + seen.1));
    }
    let mut state = [(START_DAYS * start, START_DAYS); ALPHAS.len()];
    let mut windows = 0.0;
    for t in 0..demand.len() {
        let judge = t >= WINDOW_DAYS
            && t.is_multiple_of(WINDOW_STEP_DAYS)
            && t + WINDOW_DAYS <= demand.len();
        if judge {
            let sold = ahead[t + WINDOW_DAYS].0 - ahead[t].0;
            let effects = ahead[t + WINDOW_DAYS].1 - ahead[t].1;
            if effects > 0.0 {
                windows += 1.0;
                for (loss, (level, weight)) in losses.iter_mut().zip(&state) {
                    let error = sold - level / weight * effects;
                    *loss += error * error / effects;
                }
            }
        }
        if !demand[t].is_nan() {
            for ((level, weight), alpha) in state.iter_mut().zip(ALPHAS) {
                *level = (1.0 - alpha) * *level + demand[t];
                *weight = (1.0 - alpha) * *weight + f64::from(factors[t]);
            }
        }
    }
    let mean = losses.iter().sum::<f64>() / ALPHAS.len() as f64;
    if mean > 0.0 && mean.is_finite() {
        losses.iter_mut().for_each(|loss| *loss /= mean);
        (losses, windows)
    } else {
        ([0.0; ALPHAS.len()], 0.0)
    }
}

/// The alpha of a series: its own losses, drawn to its category's `pooled` as far as its windows
/// are few.
pub fn choose_alpha(demand: &[f64], factors: &[f32], pooled: &[f64; ALPHAS.len()]) -> f64 {
    let (own, windows) = alpha_losses(demand, factors);
    let weight = windows / (windows + CATEGORY_WINDOWS);
    let loss = |k: usize| weight * own[k] + (1.0 - weight) * pooled[k];
    let best = (0..ALPHAS.len()).fold(0, |best, k| if loss(k) < loss(best) { k } else { best });
    ALPHAS[best]
}
