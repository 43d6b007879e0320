//! The coherent forecasts nearest to those that were made, none of them negative.
//!
//! `min ½ Σ_n w_n (Σ_{b in n} y_b - ŷ_n)² + ½ Σ_b w_b (y_b - ŷ_b)²` over `y >= 0`. Its
//! normal equations are applied by gathering sums per node and handing them back, and solved by
//! conjugate gradients with the diagonal as preconditioner (Hestenes & Stiefel 1952). Which series
//! are zero is found by block principal pivoting (Portugal, Júdice & Vicente 1994; Kim & Park
//! 2011), so that what is returned satisfies the conditions of Karush, Kuhn and Tucker and is no
//! clipped solution.
//! A day is solved on one thread from its first sum to its last, so threads leave no trace.

use rayon::prelude::*;

use super::hierarchy::Hierarchy;

/// Conjugate gradients stop when the residual is so small a share of the right-hand side.
const RESIDUAL_SHARE: f64 = 1e-11;
const PRODUCTS_MAX: usize = 2_000;
/// Rounds of pivoting before a day is given up.
const ROUNDS_MAX: usize = 300;
/// Whole blocks may be exchanged so often without having fewer wrong series than ever before;
/// after that one at a time, which cannot go on for ever (Murty 1974).
const BLOCKS_WITHOUT_GAIN: usize = 3;
/// A value or a slope counts as wrong from this share of the largest.
const WRONG_SHARE: f64 = 1e-9;

/// Forecasts of one day and what they weigh: the reciprocal of each error's variance.
#[derive(Clone, Copy, Debug)]
pub struct Base<'a> {
    /// Per series, and positive weights.
    pub bottom: &'a [f64],
    pub bottom_weight: &'a [f64],
    /// Per node; what has no forecast has weight zero.
    pub nodes: &'a [f64],
    pub node_weight: &'a [f64],
}

/// A day could not be solved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsolved {
    #[error("a forecast or a weight is no finite number, or a series has no positive weight")]
    NotANumber,
    #[error("no solution after {0} rounds")]
    Rounds(usize),
}

/// Reconciles many days, each by itself: per day the forecasts of all series.
pub fn reconcile(hierarchy: &Hierarchy, days: &[Base]) -> Vec<Result<Vec<f64>, Unsolved>> {
    days.par_iter().map(|day| reconcile_day(hierarchy, day)).collect()
}

/// The coherent forecasts of one day, per series in the order of the hierarchy.
///
/// # Errors
/// When something is not finite or no solution is found; the forecasts then stay as they are.
pub fn reconcile_day(hierarchy: &Hierarchy, base: &Base) -> Result<Vec<f64>, Unsolved> {
    let finite = |values: &[f64]| values.iter().all(|value| value.is_finite());
    let weighty = base.bottom_weight.iter().all(|&weight| weight > 0.0);
    let sound = finite(base.bottom) && finite(base.bottom_weight) && finite(base.node_weight);
    if !(sound && weighty && finite(base.nodes)) {
        return Err(Unsolved::NotANumber);
    }
    let system = System::new(hierarchy, base);
    let mut values: Vec<f64> = base.bottom.iter().map(|value| value.max(0.0)).collect();
    let mut zero = vec![false; values.len()];
    let mut work = Work::new(hierarchy);
    let mut least_wrong = usize::MAX;
    let mut blocks = BLOCKS_WITHOUT_GAIN;
    for _ in 0..ROUNDS_MAX {
        system.solve(&zero, &mut values, &mut work);
        let wrong = system.wrong(&zero, &values, &mut work);
        let Some(&last) = wrong.last() else {
            values.iter_mut().for_each(|value| *value = value.max(0.0));
            return Ok(values);
        };
        let gained = wrong.len() < least_wrong;
        if gained {
            (least_wrong, blocks) = (wrong.len(), BLOCKS_WITHOUT_GAIN);
        }
        if gained || blocks > 0 {
            blocks -= usize::from(!gained);
            wrong.iter().for_each(|&series| zero[series] = !zero[series]);
        } else {
            zero[last] = !zero[last];
        }
    }
    Err(Unsolved::Rounds(ROUNDS_MAX))
}

/// Buffers of one day.
struct Work {
    nodes: Vec<f64>,
    residual: Vec<f64>,
    preconditioned: Vec<f64>,
    direction: Vec<f64>,
    product: Vec<f64>,
}

impl Work {
    fn new(hierarchy: &Hierarchy) -> Work {
        let of_series = || vec![0.0; hierarchy.series()];
        Work {
            nodes: vec![0.0; hierarchy.nodes()],
            residual: of_series(),
            preconditioned: of_series(),
            direction: of_series(),
            product: of_series(),
        }
    }
}

/// `A y = b` with `A = diag(w_b) + Σ_l S_l' diag(w_l) S_l`.
struct System<'a> {
    hierarchy: &'a Hierarchy,
    base: &'a Base<'a>,
    right: Vec<f64>,
    diagonal: Vec<f64>,
}

impl<'a> System<'a> {
    fn new(hierarchy: &'a Hierarchy, base: &'a Base<'a>) -> System<'a> {
        let weigh = |values: &[f64], weights: &[f64]| -> Vec<f64> {
            values.iter().zip(weights).map(|(value, weight)| value * weight).collect()
        };
        let mut right = weigh(base.bottom, base.bottom_weight);
        hierarchy.add_spread(&weigh(base.nodes, base.node_weight), &mut right);
        let mut diagonal = base.bottom_weight.to_vec();
        hierarchy.add_spread(base.node_weight, &mut diagonal);
        System { hierarchy, base, right, diagonal }
    }

    fn apply(&self, values: &[f64], nodes: &mut [f64], out: &mut [f64]) {
        self.hierarchy.sums(values, nodes);
        nodes.iter_mut().zip(self.base.node_weight).for_each(|(sum, weight)| *sum *= weight);
        let own = values.iter().zip(self.base.bottom_weight);
        out.iter_mut().zip(own).for_each(|(out, (value, weight))| *out = value * weight);
        self.hierarchy.add_spread(nodes, out);
    }

    /// Solves for the series that are not zero, from `values` on.
    fn solve(&self, zero: &[bool], values: &mut [f64], work: &mut Work) {
        for (value, &zero) in values.iter_mut().zip(zero) {
            *value = if zero { 0.0 } else { *value };
        }
        let Work { nodes, residual, preconditioned, direction, product } = work;
        self.apply(values, nodes, product);
        let (mut size, mut goal) = (0.0, 0.0);
        for i in 0..values.len() {
            residual[i] = if zero[i] { 0.0 } else { self.right[i] - product[i] };
            preconditioned[i] = residual[i] / self.diagonal[i];
            direction[i] = preconditioned[i];
            size += residual[i] * preconditioned[i];
            goal += self.right[i] * self.right[i] / self.diagonal[i];
        }
        goal *= RESIDUAL_SHARE * RESIDUAL_SHARE;
        for _ in 0..PRODUCTS_MAX {
            if size <= goal {
                return;
            }
            self.apply(direction, nodes, product);
            let along: f64 = direction.iter().zip(&*product).map(|(d, p)| d * p).sum();
            let step = size / along;
            let mut next = 0.0;
            for i in 0..values.len() {
                values[i] += step * direction[i];
                residual[i] -= if zero[i] { 0.0 } else { step * product[i] };
                preconditioned[i] = residual[i] / self.diagonal[i];
                next += residual[i] * preconditioned[i];
            }
            let keep = next / size;
            size = next;
            let both = direction.iter_mut().zip(&*preconditioned);
            both.for_each(|(direction, fresh)| *direction = fresh + keep * *direction);
        }
    }

    /// Series, ascending, that are negative, or zero though the loss falls when they are not.
    fn wrong(&self, zero: &[bool], values: &[f64], work: &mut Work) -> Vec<usize> {
        self.apply(values, &mut work.nodes, &mut work.product);
        let largest = values.iter().fold(0.0f64, |most, value| most.max(value.abs()));
        // A slope over the diagonal is about how far the value wants to move.
        let tolerance = WRONG_SHARE * largest.max(f64::MIN_POSITIVE);
        (0..values.len())
            .filter(|&i| {
                let wish = (self.right[i] - work.product[i]) / self.diagonal[i];
                if zero[i] { wish > tolerance } else { values[i] < -tolerance }
            })
            .collect()
    }
}
