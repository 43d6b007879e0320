//! Weights of a blend by stacking (Wolpert 1992; Breiman 1996): the convex combination whose errors
//! at the cutoffs were least, over all series of a class, so that no series sees its own luck. What
//! counts is not who is best alone but whose errors cancel.

use super::judge::Judge;
use super::portfolio::tries;
use crate::forecast::blend::{Blend, Rule, WEIGHT_MIN};
use crate::forecast::demand_class::DemandClass;

/// So many series of a panel tell the weights; more would only take longer.
const SERIES_MAX: usize = 8_000;
/// Equal weights speak as loudly as so many series.
const EQUAL_SERIES: f64 = 10.0;
/// All classes together speak in each class as loudly as so many series.
const ALL_CLASSES_SERIES: f64 = 30.0;
/// All stages of the horizon together speak in each as loudly as so many series.
const ALL_STAGES_SERIES: f64 = 100.0;
/// An error counts up to so many mean errors of its series.
const ERROR_MAX: f64 = 5.0;
/// Stock is bought for about so many days at once. Over them independent errors grow with the root
/// of their number, but what is common to all adds up.
const BIAS_DAYS: f64 = 14.0;
const SWEEPS: usize = 400;

/// Products of the members' errors, summed over the days of many series that count alike.
#[derive(Clone, Debug)]
struct Products {
    members: usize,
    /// `sum[a * members + b]`.
    sum: Vec<f64>,
    /// Mean error of each member, summed over series.
    bias: Vec<f64>,
    series: f64,
}

/// A blend per class, with a weight per candidate and stage of the horizon of `stage_steps` steps.
pub fn stacked(judge: &Judge, members: &[usize], daily: bool, stage_steps: usize) -> Vec<Blend> {
    let n = members.len();
    let tried = |class: usize, c: usize| tries(DemandClass::ALL[class], daily, judge.models[c]);
    let horizon = judge.trials.iter().map(|(_, trial)| trial.origins.horizon).max().unwrap_or(1);
    let stages = horizon.div_ceil(stage_steps).max(1);
    let mut classes = vec![vec![Products::new(n); stages]; DemandClass::ALL.len()];
    let stride = judge.trials.len().div_ceil(SERIES_MAX).max(1);
    for i in (0..judge.trials.len()).step_by(stride) {
        let class = judge.trials[i].0 as usize;
        let days = errors_of(judge, members, i, |c| tried(class, c));
        for (stage, products) in classes[class].iter_mut().enumerate() {
            let last = stage + 1 == stages;
            let within = |step: usize| {
                let of = step / stage_steps;
                of == stage || (last && of > stage)
            };
            products.add(days.iter().filter(|(step, _)| within(*step)).map(|(_, errors)| errors));
        }
    }
    let total = |of: &[&Products]| {
        let mut total = Products::new(n);
        of.iter().for_each(|products| total.merge(products, 1.0));
        total
    };
    let of_stage: Vec<Products> = (0..stages)
        .map(|stage| total(&classes.iter().map(|class| &class[stage]).collect::<Vec<_>>()))
        .collect();
    let blend = |(class, own): (usize, &Vec<Products>)| {
        let whole = total(&own.iter().collect::<Vec<_>>());
        let weights = own.iter().zip(&of_stage).map(|(own, all)| {
            let mut products = own.clone();
            products.merge(all, share_of(ALL_CLASSES_SERIES, all.series));
            if stages > 1 {
                products.merge(&whole, share_of(ALL_STAGES_SERIES, whole.series));
            }
            let mut weights = vec![0.0; judge.models.len()];
            for (&member, weight) in members.iter().zip(products.weights()) {
                let enough = weight >= WEIGHT_MIN && tried(class, member);
                weights[member] = if enough { weight } else { 0.0 };
            }
            weights
        });
        Blend { rule: Rule::Weighted, stage_steps, weights: weights.collect() }
    };
    classes.iter().enumerate().map(blend).collect()
}

/// The share at which sums of `series` series speak as loudly as `wanted` of them.
fn share_of(wanted: f64, series: f64) -> f64 {
    wanted / series.max(wanted)
}

/// Steps and errors of the members on the scored days of one series, in units of their mean.
///
/// A member without a forecast errs as the others do on average; one that is not tried on this
/// class has none, even if it was asked for by name.
fn errors_of(
    judge: &Judge,
    members: &[usize],
    i: usize,
    tried: impl Fn(usize) -> bool,
) -> Vec<(usize, Vec<f64>)> {
    let has = |c: usize| tried(c) && judge.trials[i].1.has(c);
    let mut steps = Vec::new();
    let mut fitted: Vec<Vec<f64>> = Vec::new();
    for &member in members.iter().filter(|&&m| has(m)) {
        steps.clear();
        let mut errors = Vec::new();
        judge.scored(i, member, |_, step, mean, actual| {
            steps.push(step);
            errors.push(mean - actual);
        });
        fitted.push(errors);
    }
    let total: f64 = fitted.iter().flatten().map(|error| error.abs()).sum();
    let scale = total / (steps.len() * fitted.len()) as f64;
    if !(scale > 0.0 && scale.is_finite()) {
        return Vec::new();
    }
    let of_day = |day: usize| {
        let mut own = fitted.iter();
        let mean = fitted.iter().map(|errors| errors[day]).sum::<f64>() / fitted.len() as f64;
        let raw = |&member: &usize| {
            let errors = has(member).then(|| own.next()).flatten();
            (errors.map_or(mean, |errors| errors[day]) / scale).clamp(-ERROR_MAX, ERROR_MAX)
        };
        members.iter().map(raw).collect()
    };
    steps.iter().enumerate().map(|(day, &step)| (step, of_day(day))).collect()
}

impl Products {
    fn new(members: usize) -> Products {
        Products {
            members,
            sum: vec![0.0; members * members],
            bias: vec![0.0; members],
            series: 0.0,
        }
    }

    /// The days of one series, which counts as one however many they are.
    fn add<'a>(&mut self, days: impl Iterator<Item = &'a Vec<f64>> + Clone) {
        let count = days.clone().count() as f64;
        if count == 0.0 {
            return;
        }
        for errors in days {
            self.bias.iter_mut().zip(errors).for_each(|(sum, e)| *sum += e / count);
            for (a, row) in self.sum.chunks_exact_mut(self.members).enumerate() {
                for (sum, error) in row.iter_mut().zip(errors) {
                    *sum += errors[a] * error / count;
                }
            }
        }
        self.series += 1.0;
    }

    fn merge(&mut self, other: &Products, share: f64) {
        self.sum.iter_mut().zip(&other.sum).for_each(|(a, b)| *a += share * b);
        self.bias.iter_mut().zip(&other.bias).for_each(|(a, b)| *a += share * b);
        self.series += share * other.series;
    }

    /// The non-negative weights of sum one with the least summed square, by exact steps along pairs.
    fn weights(&self) -> Vec<f64> {
        let n = self.members;
        let mut weights = vec![1.0 / n as f64; n];
        let diagonal = |k: usize| self.sum[k * n + k];
        let mean = (0..n).map(diagonal).sum::<f64>() / n as f64;
        if mean <= 0.0 {
            return weights;
        }
        let ridge = EQUAL_SERIES / (self.series + EQUAL_SERIES) * mean;
        let shared = BIAS_DAYS / self.series.max(1.0);
        let at = |a: usize, b: usize| {
            let own = if a == b { ridge } else { 0.0 };
            self.sum[a * n + b] + shared * self.bias[a] * self.bias[b] + own
        };
        for _ in 0..SWEEPS {
            let mut moved = 0.0f64;
            for a in 0..n {
                for b in 0..a {
                    let slope: f64 = (0..n).map(|k| weights[k] * (at(a, k) - at(b, k))).sum();
                    let curve = at(a, a) + at(b, b) - 2.0 * at(a, b);
                    if curve > 0.0 {
                        let step = (-slope / curve).clamp(-weights[a], weights[b]);
                        weights[a] += step;
                        weights[b] -= step;
                        moved = moved.max(step.abs());
                    }
                }
            }
            if moved < 1e-9 {
                break;
            }
        }
        weights
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(errors: &[[f64; 3]], want: [f64; 3]) {
        let mut products = Products::new(3);
        for day in errors {
            for a in 0..3 {
                for b in 0..3 {
                    products.sum[a * 3 + b] += day[a] * day[b];
                }
            }
        }
        products.series = 1e9;
        let got = products.weights();
        assert!(got.iter().zip(want).all(|(a, b)| (a - b).abs() < 2e-3), "{got:?}");
    }

    #[test]
    fn errors_that_cancel_are_worth_more_than_small_ones() {
        // The first two are worse alone than the third, and perfect together.
        check(&[[2.0, -2.0, 1.0], [-2.0, 2.0, 1.0]], [0.5, 0.5, 0.0]);
        // Independent errors: weights fall with their variance.
        check(&[[1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 100.0]], [0.8, 0.2, 0.0]);
        // One that only adds to another's error gets nothing.
        check(&[[1.0, 3.0, 100.0], [-1.0, -3.0, 100.0]], [1.0, 0.0, 0.0]);
    }

    #[test]
    fn without_series_all_weigh_alike() {
        assert_eq!(Products::new(4).weights(), [0.25; 4]);
    }
}
