//! Level, trend and season, and how one more step moves them.
//!
//! With an additive season the recursions of additive and multiplicative errors are the same
//! (put `e = r / mean` into Hyndman et al. 2008, table 2.3), and no season is a season of one
//! step that stays zero, so two recursions serve all fifteen models.

use serde::{Deserialize, Serialize};

/// A multiplicative recursion divides by nothing smaller, in units of the history's mean size. A fit
/// that comes there is refused; a later update leaves what it would divide for as it is.
pub(super) const DIVISOR_MIN: f64 = 1e-4;

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Smoothing {
    /// Alpha.
    pub level: f64,
    /// Beta.
    pub trend: f64,
    /// Gamma.
    pub season: f64,
    /// Phi; 0 without a trend, 1 without damping.
    pub damping: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct EtsState {
    pub level: f64,
    pub trend: f64,
    /// A ring; one zero without a season.
    pub season: Vec<f64>,
    /// Place of the next step in the ring.
    pub next: usize,
    pub multiplied: bool,
}

impl EtsState {
    /// Mean of the next step.
    pub fn mean(&self, by: &Smoothing) -> f64 {
        let carried = self.level + by.damping * self.trend;
        let season = self.season[self.next];
        if self.multiplied { carried * season } else { carried + season }
    }

    /// Takes a step; a missing one (NaN) carries the level along its trend and turns the season.
    pub fn step(&mut self, demand: f64, by: &Smoothing) {
        let damped = by.damping * self.trend;
        let carried = self.level + damped;
        let ring = self.season.len();
        let season = &mut self.season[self.next];
        self.next = if self.next + 1 == ring { 0 } else { self.next + 1 };
        self.level = carried;
        self.trend = damped;
        if demand.is_nan() {
            return;
        }
        let (to_level, to_season) = if self.multiplied {
            let error = demand - carried * *season;
            let share = |of: f64| if of >= DIVISOR_MIN { error / of } else { 0.0 };
            (share(*season), share(carried))
        } else {
            let error = demand - carried - *season;
            (error, error)
        };
        self.level += by.level * to_level;
        self.trend += by.trend * to_level;
        *season += by.season * to_season;
    }

    /// Means of the next steps.
    pub fn forecast(&self, by: &Smoothing, out: &mut [f64]) {
        let mut carried = self.level;
        let mut trend = self.trend;
        let mut next = self.next;
        for out in out {
            trend *= by.damping;
            carried += trend;
            let season = self.season[next];
            next = if next + 1 == self.season.len() { 0 } else { next + 1 };
            *out = if self.multiplied { carried * season } else { carried + season };
        }
    }
}
