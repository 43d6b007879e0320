//! The policies that can be replayed, one file each.

pub mod base_stock;
pub mod batch;
pub mod granary;
pub mod lumps;
pub mod min_max;
pub mod perfect_information;
pub mod seasonal_naive_cover;
pub mod sober;

use statrs::distribution::{ContinuousCDF, Normal};

use crate::distribution::paths::PathPlan;
use crate::forecast::sku_forecast::SkuForecast;
use crate::policy::lookahead::LookaheadScratch;
use crate::policy::order::{Needs, Window};
use crate::policy::projection::PathMatrix;
use crate::simulate::item::{Item, Rules};
use crate::simulate::stock::Stock;

/// A policy under the name that reports know it by.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    pub name: String,
    pub kind: PolicyKind,
}

#[derive(Clone, Debug, PartialEq)]
pub enum PolicyKind {
    Granary(granary::Granary),
    MinMax(min_max::MinMax),
    BaseStock(base_stock::BaseStock),
    SeasonalNaiveCover(seasonal_naive_cover::SeasonalNaiveCover),
    PerfectInformation,
    /// What the business itself ordered, [`Item::recorded_orders`].
    Recorded,
}

/// What a policy sees at a review. Nothing in it comes from later than the period before
/// `period`.
#[derive(Clone, Copy)]
pub struct Situation<'a> {
    pub item: &'a Item,
    pub rules: &'a Rules,
    /// Periods of the longest season.
    pub season: usize,
    /// Demand as it is known, NaN where it is not; the last one is that of the period before.
    pub history: &'a [f64],
    pub stock: &'a Stock,
    /// `None` for a series of which nothing is known, and for policies that want none.
    pub forecast: Option<&'a SkuForecast>,
    pub plan: &'a PathPlan,
    /// The simulated period that comes next.
    pub period: usize,
}

impl Situation<'_> {
    /// Periods from now to the arrival of the next order: what the position must last for.
    pub fn protection_periods(&self) -> usize {
        self.item.lead_periods + self.rules.review_every_periods - 1
    }

    /// `z` where it is given, otherwise the normal quantile of the newsvendor's critical ratio, the
    /// share of periods that stock should last.
    pub fn safety_factor(&self, z: Option<f64>) -> f64 {
        let money = &self.item.money;
        let both = money.shortage + money.holding;
        z.unwrap_or_else(|| {
            let ratio = if both > 0.0 { money.shortage / both } else { 0.95 };
            Normal::standard().inverse_cdf(ratio.clamp(0.5, 0.9999))
        })
    }
}

/// Room that is used again from decision to decision.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    pub demand: PathMatrix,
    pub receipts: PathMatrix,
    pub needs: Needs,
    pub window: Window,
    pub values: Vec<f64>,
    pub ahead: LookaheadScratch,
}

impl Policy {
    pub fn forecasts(&self) -> bool {
        matches!(self.kind, PolicyKind::Granary(_))
    }

    /// Whether what it asks for is still to be rounded to MOQ and multiple.
    pub fn rounds(&self) -> bool {
        self.kind != PolicyKind::Recorded
    }

    /// Units wanted, before any rounding. `coming` is the demand from the next period on, and only
    /// perfect information looks at it.
    pub fn ask(&self, situation: &Situation, coming: &[i64], scratch: &mut Scratch) -> i64 {
        match &self.kind {
            PolicyKind::Granary(policy) => policy.ask(situation, scratch),
            PolicyKind::MinMax(policy) => policy.ask(situation),
            PolicyKind::BaseStock(policy) => policy.ask(situation),
            PolicyKind::SeasonalNaiveCover(policy) => policy.ask(situation),
            PolicyKind::PerfectInformation => perfect_information::ask(situation, coming),
            PolicyKind::Recorded => {
                situation.item.recorded_orders.get(situation.period).copied().unwrap_or(0)
            }
        }
    }
}

/// Mean and standard deviation of the last `window` periods with a known demand, and whether there
/// was any.
pub fn recent_moments(history: &[f64], window: usize) -> Option<(f64, f64)> {
    let known = history.iter().rev().filter(|d| !d.is_nan()).take(window);
    let (mut n, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for &demand in known {
        n += 1.0;
        sum += demand;
        squares += demand * demand;
    }
    if n == 0.0 {
        return None;
    }
    let mean = sum / n;
    let variance = if n > 1.0 { (squares - n * mean * mean).max(0.0) / (n - 1.0) } else { 0.0 };
    Some((mean, variance.sqrt()))
}

/// Whole units that reach at least `level`; what is only rounding error is not a unit.
pub fn units_up_to(level: f64, position: i64) -> i64 {
    ((level - 1e-9).ceil().clamp(-1e15, 1e15) as i64).saturating_sub(position)
}
