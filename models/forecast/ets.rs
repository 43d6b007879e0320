//! Exponential smoothing as state space models: error A or M, trend N, A or Ad, season N, A or M
//! (Hyndman, Koehler, Ord & Snyder, Forecasting with Exponential Smoothing, 2008), fitted by
//! maximum likelihood, and the choice among them that the field calls AutoETS.
//!
//! `ets_ana` and `ets_aada` are the night's: first states are not searched but read from the first
//! seasons and drawn to the level, which costs microseconds and is steadier on a short history.

mod auto;
mod loss;
mod pass;
mod sample;
mod search;
mod spec;
mod start;
mod state;

use serde::{Deserialize, Serialize};

use super::model::{FitError, Fitted, History};
pub use auto::{AutoEts, Choice};
use sample::Sample;
use search::{Found, Point};
pub use spec::{ErrorKind, EtsSpec, SeasonKind, TrendKind};
use state::{EtsState, Smoothing};

/// The least gain in minus twice the log-likelihood that a search goes on for.
const GAIN_MIN: f64 = 1e-3;
/// The same for forecasts that are judged by how they come true: what another number costs in
/// Akaike's criterion. Parameters leave their slow origin only where the likelihood says so, which
/// steadies them on short histories and takes half the time.
const COARSE_GAIN_MIN: f64 = 2.0;

/// A fitted exponential smoothing model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ets {
    spec: EtsSpec,
    smoothing: Smoothing,
    state: EtsState,
    /// Mean size of the history; states are in units of it.
    scale: f64,
    /// Variance of the one-step errors, in units of the scale or relative.
    variance: f64,
    aicc: Option<f64>,
}

impl Ets {
    /// Fits one model by maximum likelihood. What the history cannot carry is left out, see
    /// [`Ets::spec`]: what multiplies, unless all demand is above zero; a season that was not seen
    /// twice; a trend with too few observations.
    ///
    /// # Errors
    /// [`FitError::TooShort`] without a single observed step; [`FitError::NoFiniteLoss`] when the
    /// history has no finite likelihood.
    pub fn fit_spec(history: &History, spec: EtsSpec) -> Result<Ets, FitError> {
        let sample = Sample::of(history)?;
        let spec = sample.feasible(spec, sample.demand.len());
        Ets::of_sample(&sample, spec, None, GAIN_MIN)
    }

    /// A feasible model near a point that is known or from a decomposition; the same without what
    /// multiplies where a divisor comes too near zero.
    fn of_sample(
        sample: &Sample,
        spec: EtsSpec,
        near: Option<Point>,
        gain_min: f64,
    ) -> Result<Ets, FitError> {
        let steps = sample.demand.len();
        let search = |spec, near| {
            let found = sample.search(spec, steps, near, gain_min)?;
            Some(Ets::end_of(sample, spec, found))
        };
        near.and_then(|near| search(spec, Some(near)))
            .or_else(|| search(spec, None))
            .or_else(|| search(spec.additive(), None))
            .ok_or(FitError::NoFiniteLoss)
    }

    /// The night's ETS(A,N,A) or, `damped`, ETS(A,Ad,A): only smoothing parameters are searched.
    ///
    /// # Errors
    /// [`FitError::TooShort`] under two observed seasons; [`FitError::NoFiniteLoss`] when the
    /// search finds nothing.
    pub fn fit(history: &History, damped: bool) -> Result<Ets, FitError> {
        let (needed, got) = (2 * history.season(), history.observed());
        if got < needed {
            return Err(FitError::TooShort { needed, got });
        }
        let sample = Sample::of(history)?;
        let spec = match (damped, sample.ring > 1) {
            (false, true) => EtsSpec::ANA,
            (true, true) => EtsSpec::AADA,
            (false, false) => EtsSpec::ANN,
            (true, false) => EtsSpec::AADN,
        };
        let near = Point::slow(spec, start::shrunken(&sample.demand, sample.ring));
        let found = sample.search_smoothing(spec, near, COARSE_GAIN_MIN);
        Ok(Ets::end_of(&sample, spec, found.ok_or(FitError::NoFiniteLoss)?))
    }

    /// A found model at the end of its history.
    fn end_of(sample: &Sample, spec: EtsSpec, found: Found) -> Ets {
        let smoothing = found.point.smoothing();
        let mut state = found.point.start;
        let mut squares = 0.0;
        for &demand in &sample.demand {
            if !demand.is_nan() {
                let mean = state.mean(&smoothing);
                let by = if spec.error == ErrorKind::Multiplicative { mean } else { 1.0 };
                squares += ((demand - mean) / by).powi(2);
            }
            state.step(demand, &smoothing);
        }
        let steps = sample.demand.len();
        let free = sample::observed(&sample.demand).saturating_sub(spec.parameters(sample.ring));
        let variance = squares / free.max(1) as f64;
        let aicc = sample.aicc(spec, steps, found.loss);
        Ets { spec, smoothing, state, scale: sample.scale, variance, aicc }
    }

    /// What was fitted, which may be less than what was asked for.
    pub fn spec(&self) -> EtsSpec {
        self.spec
    }

    /// Akaike's criterion, up to a constant of the history; none where the history has too few
    /// observations for the correction.
    pub fn aicc(&self) -> Option<f64> {
        self.aicc
    }

    /// Variance of the one-step errors: of units squared, or of relative errors where the error
    /// multiplies.
    pub fn error_variance(&self) -> f64 {
        match self.spec.error {
            ErrorKind::Additive => self.variance * self.scale * self.scale,
            ErrorKind::Multiplicative => self.variance,
        }
    }

    /// Variance of the forecast of each next step over that of one step, for a model of additive
    /// errors: `1 + Σ c_j²` with `c_j = α + β (φ + … + φ^j) + γ [j is a whole number of seasons]`
    /// (Hyndman et al. 2008, table 6.1). None for a model of multiplicative errors.
    pub fn variance_multipliers(&self) -> Option<impl Iterator<Item = f64> + '_> {
        let by = &self.smoothing;
        let ring = self.state.season.len();
        let (mut sum, mut trend, mut power, mut j) = (1.0, 0.0, 1.0, 0);
        let multipliers = std::iter::repeat_with(move || {
            let now = sum;
            j = if j + 1 == ring { 0 } else { j + 1 };
            power *= by.damping;
            trend += by.trend * power;
            let season = if j == 0 { by.season } else { 0.0 };
            sum += (by.level + trend + season).powi(2);
            now
        });
        (self.spec.error == ErrorKind::Additive).then_some(multipliers)
    }
}

impl Fitted for Ets {
    fn update(&mut self, demand: f64) {
        self.state.step(demand / self.scale, &self.smoothing);
    }

    fn forecast(&self, out: &mut [f64]) {
        self.state.forecast(&self.smoothing, out);
        out.iter_mut().for_each(|mean| *mean *= self.scale);
    }
}

#[cfg(test)]
mod tests;
