//! A history as the searches see it, and what of a model it can carry.

use super::super::model::{FitError, History};
use super::search::{Found, Point, Task, search};
use super::spec::{EtsSpec, SeasonKind, TrendKind};
use super::start;

/// Observed steps beyond its own numbers that a model needs.
const SPARE_STEPS: usize = 4;
/// Squared errors that count as none in a likelihood, in units of the history's mean size.
const LOSS_MIN: f64 = 1e-24;

/// A history in units of its mean size.
pub(super) struct Sample {
    pub demand: Vec<f64>,
    pub scale: f64,
    pub ring: usize,
    positive: bool,
}

impl Sample {
    /// # Errors
    /// [`FitError::TooShort`] without a single observed step.
    pub fn of(history: &History) -> Result<Sample, FitError> {
        if history.observed() == 0 {
            return Err(FitError::TooShort { needed: 1, got: 0 });
        }
        let scale = history.scale();
        let demand: Vec<f64> = history.demand.iter().map(|d| d / scale).collect();
        let positive = demand.iter().all(|d| d.is_nan() || *d > 0.0);
        Ok(Sample { demand, scale, ring: history.season(), positive })
    }

    /// The model itself or, where the first `steps` cannot carry it, the nearest simpler one:
    /// nothing multiplies below zero or with additive errors, a season is seen twice, and there are
    /// more observations than numbers to fit.
    pub fn feasible(&self, spec: EtsSpec, steps: usize) -> EtsSpec {
        let part = &self.demand[..steps];
        let observed = observed(part);
        let mut spec = spec;
        if !spec.is_admissible() || (spec.needs_positive() && !self.positive) {
            spec = spec.additive();
        }
        let carries = |spec: EtsSpec| observed >= spec.parameters(self.ring) + SPARE_STEPS;
        let simplest = EtsSpec { trend: TrendKind::None, ..spec };
        let twice = self.ring > 1 && observed.min(steps) >= 2 * self.ring;
        if spec.is_seasonal() && !(twice && carries(simplest)) {
            spec.season = SeasonKind::None;
        }
        if spec.trend == TrendKind::Damped && !carries(spec) {
            spec.trend = TrendKind::Additive;
        }
        if spec.has_trend() && !carries(spec) {
            spec.trend = TrendKind::None;
        }
        spec
    }

    /// Fits a feasible model with its first level and trend to the first `steps`, from `near` or
    /// from a decomposition.
    pub fn search(
        &self,
        spec: EtsSpec,
        steps: usize,
        near: Option<Point>,
        gain_min: f64,
    ) -> Option<Found> {
        let demand = &self.demand[..steps];
        let from =
            near.unwrap_or_else(|| Point::slow(spec, start::decomposed(demand, spec, self.ring)));
        let observed = observed(demand);
        search(&Task { demand, observed, spec, starts: true, gain_min }, from)
    }

    /// Fits smoothing parameters alone to the whole history.
    pub fn search_smoothing(&self, spec: EtsSpec, from: Point, gain_min: f64) -> Option<Found> {
        let (demand, observed) = (&self.demand[..], observed(&self.demand));
        search(&Task { demand, observed, spec, starts: false, gain_min }, from)
    }

    /// Akaike's criterion with its correction for short histories (Hyndman et al. 2008, section
    /// 7.2), without the constant that all models of one history share.
    pub fn aicc(&self, spec: EtsSpec, steps: usize, loss: f64) -> Option<f64> {
        let n = observed(&self.demand[..steps]) as f64;
        let k = spec.parameters(self.ring) as f64;
        let spare = n - k - 1.0;
        (spare > 0.0).then(|| n * loss.max(LOSS_MIN).ln() + 2.0 * k * n / spare)
    }
}

pub(super) fn observed(demand: &[f64]) -> usize {
    demand.iter().filter(|d| !d.is_nan()).count()
}
