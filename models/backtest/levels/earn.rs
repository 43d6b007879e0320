//! Whether adjusting forecasts to their sums earns its place: what it would have changed at past
//! cutoffs, with nothing known but what was over by then.
//!
//! Models are fitted before the first cutoff and only follow their series from there on. What they
//! are off by later is in part their age, which tonight's models do not have. So what was gained at
//! the first cutoff has to show it too, and where models learn from all series at once, whose
//! effects age most, nothing is made of how far they were off as a whole.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::scene::{Scene, Weighed};
use crate::forecast::reconcile::solve::reconcile;

/// What single series may lose of their accuracy: less than a few cutoffs can tell from nothing.
const BOTTOM_LOSS_MAX: f64 = 0.0025;
/// What sums must gain at least.
const SUMS_GAIN_MIN: f64 = 0.01;

/// How forecasts are brought into line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Factors against lasting bias.
    Bias,
    /// The nearest forecasts that add up with those of their sums.
    Sums,
    /// The one after the other.
    BiasThenSums,
}

impl Method {
    pub const ALL: [Method; 3] = [Method::Bias, Method::Sums, Method::BiasThenSums];

    pub fn as_str(self) -> &'static str {
        match self {
            Method::Bias => "bias",
            Method::Sums => "sums",
            Method::BiasThenSums => "bias_then_sums",
        }
    }

    pub fn has_bias(self) -> bool {
        self != Method::Sums
    }

    pub fn has_sums(self) -> bool {
        self != Method::Bias
    }
}

/// Errors of one level, of forecasts as they were made and as they were brought into line. Sums go
/// over the members whose day was seen whole, of forecasts and of demand alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LevelScore {
    /// `series` for single series.
    pub level: String,
    pub nodes: usize,
    /// Sum of absolute errors over the sum of demand, before and after.
    pub wape: [f64; 2],
    /// Sum of errors over the sum of demand.
    pub bias: [f64; 2],
}

/// What bringing forecasts into line would have done, and whether it is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reconciliation {
    /// The best way there is.
    pub method: Method,
    pub applied: bool,
    /// Cutoffs that were judged, and those at which the sums were the better for it.
    pub cutoffs: usize,
    pub better: usize,
    /// Mean share of their WAPE that sums gain at the first cutoff, whose models are as fresh as
    /// tonight's, and what series' WAPE is there.
    pub fresh_gain: f64,
    pub fresh_wape: [f64; 2],
    /// Mean pinball loss of series, before and after, units.
    pub pinball: [f64; 2],
    /// Series first.
    pub levels: Vec<LevelScore>,
}

impl Reconciliation {
    /// Mean share of their WAPE that sums gain, each level counting alike.
    pub fn gain(&self) -> f64 {
        let sums = &self.levels[1..];
        1.0 - sums.iter().map(|level| ratio(level.wape)).sum::<f64>() / sums.len().max(1) as f64
    }

    /// One sentence with the errors before and after.
    pub fn told(&self) -> String {
        let level = |of: &LevelScore| {
            let percent = of.wape.map(|wape| 100.0 * wape);
            format!("{} {:.1}% to {:.1}%", of.level, percent[0], percent[1])
        };
        let levels: Vec<String> = self.levels.iter().map(level).collect();
        let (method, cutoffs) = (self.method.as_str(), self.cutoffs);
        format!("{method}, errors at {cutoffs} past cutoffs: {}", levels.join(", "))
    }

    /// Whether sums gain at most cutoffs and series lose nothing.
    pub fn earns(&self) -> bool {
        let most = 1.0 + BOTTOM_LOSS_MAX;
        // Factors against bias are 1 where nothing was known yet.
        let fresh = self.fresh_gain > 0.0 || (self.method.has_bias() && self.fresh_gain == 0.0);
        self.gain() >= SUMS_GAIN_MIN
            && fresh
            && 2 * self.better > self.cutoffs
            && ratio(self.levels[0].wape) <= most
            && ratio(self.fresh_wape) <= most
            && ratio(self.pinball) <= most
    }
}

fn ratio([before, after]: [f64; 2]) -> f64 {
    if before > 0.0 { after / before } else { 1.0 }
}

/// Sums of one level over scored days.
#[derive(Clone, Copy, Debug, Default)]
struct Errors {
    absolute: f64,
    error: f64,
    actual: f64,
}

impl Errors {
    fn add(&mut self, mean: f64, actual: f64) {
        self.absolute += (mean - actual).abs();
        self.error += mean - actual;
        self.actual += actual;
    }
}

/// Series first, then levels.
type ByLevel = Vec<Errors>;

/// Mean pinball loss of a series of the hierarchy: cutoff, step, series, mean, actual. `None` for
/// series that are not looked at.
pub type Pinball<'a> = dyn Fn(usize, usize, usize, f64, f64) -> Option<f64> + Sync + 'a;

/// The results of `methods` at all cutoffs.
pub fn try_all(scene: &Scene, methods: &[Method], pinball: &Pinball) -> Vec<Reconciliation> {
    let base: Vec<Vec<Vec<f64>>> = (0..scene.cutoffs).map(|k| made(scene, k)).collect();
    let before = Scores::of(scene, &base, pinball);
    let tried = |&method: &Method| {
        let after: Vec<Vec<Vec<f64>>> =
            base.iter().enumerate().map(|(k, made)| adjusted(scene, k, made, method)).collect();
        before.beside(&Scores::of(scene, &after, pinball), scene, method)
    };
    methods.iter().map(tried).collect()
}

/// Forecasts of a cutoff per step.
fn made(scene: &Scene, k: usize) -> Vec<Vec<f64>> {
    let of = |step| scene.bottom_at(k, step).iter().map(|&mean| f64::from(mean)).collect();
    (0..scene.horizon).map(of).collect()
}

/// What a method makes of the forecasts of a cutoff, knowing what was over then.
fn adjusted(scene: &Scene, k: usize, made: &[Vec<f64>], method: Method) -> Vec<Vec<f64>> {
    let nodes = |step| scene.nodes_at(k, step).iter().map(|&mean| f64::from(mean)).collect();
    bring_into_line(scene, k, method, made, &nodes)
}

/// Applies a method with what was over at cutoff `now`, to forecasts per step. `nodes` are those of
/// the sums. A day without a solution stays as it is.
pub fn bring_into_line(
    scene: &Scene,
    now: usize,
    method: Method,
    made: &[Vec<f64>],
    nodes: &dyn Fn(usize) -> Vec<f64>,
) -> Vec<Vec<f64>> {
    let mut bottom = made.to_vec();
    if method.has_bias() {
        let factors = scene.factors(now);
        for day in &mut bottom {
            day.iter_mut().zip(&factors).for_each(|(mean, factor)| *mean *= factor);
        }
    }
    if !method.has_sums() {
        return bottom;
    }
    let spreads = scene.spreads(now);
    let weighed: Vec<Weighed> = bottom
        .iter()
        .enumerate()
        .map(|(step, day)| {
            Weighed::new(scene.hierarchy, day.clone(), nodes(step), spreads.as_ref())
        })
        .collect();
    let bases: Vec<_> = weighed.iter().map(Weighed::base).collect();
    let solved = reconcile(scene.hierarchy, &bases);
    solved.into_iter().zip(bottom).map(|(solved, as_made)| solved.unwrap_or(as_made)).collect()
}

struct Scores {
    /// Per cutoff.
    cutoffs: Vec<ByLevel>,
    pinball: f64,
}

impl Scores {
    fn of(scene: &Scene, forecasts: &[Vec<Vec<f64>>], pinball: &Pinball) -> Scores {
        let cells: Vec<(usize, usize)> = (0..scene.cutoffs)
            .flat_map(|k| (0..scene.horizon).map(move |step| (k, step)))
            .collect();
        let scored: Vec<(ByLevel, f64, f64)> = cells
            .par_iter()
            .map(|&(k, step)| score_day(scene, k, step, &forecasts[k][step], pinball))
            .collect();
        let levels = scene.hierarchy.levels().len() + 1;
        let mut scores =
            Scores { cutoffs: vec![vec![Errors::default(); levels]; scene.cutoffs], pinball: 0.0 };
        let mut days = 0.0;
        for (&(k, _), (errors, loss, scored)) in cells.iter().zip(&scored) {
            for (sum, errors) in scores.cutoffs[k].iter_mut().zip(errors) {
                sum.absolute += errors.absolute;
                sum.error += errors.error;
                sum.actual += errors.actual;
            }
            scores.pinball += loss;
            days += scored;
        }
        scores.pinball /= f64::max(days, 1.0);
        scores
    }

    fn beside(&self, after: &Scores, scene: &Scene, method: Method) -> Reconciliation {
        let names = scene.hierarchy.levels().iter().map(|level| (level.name.as_str(), level.nodes));
        let names = [("series", scene.series())].into_iter().chain(names);
        let total = |scores: &Scores, level: usize| {
            scores.cutoffs.iter().fold(Errors::default(), |sum, cutoff| Errors {
                absolute: sum.absolute + cutoff[level].absolute,
                error: sum.error + cutoff[level].error,
                actual: sum.actual + cutoff[level].actual,
            })
        };
        let share = |part: f64, actual: f64| if actual > 0.0 { part / actual } else { 0.0 };
        let levels = names.enumerate().map(|(at, (name, nodes))| {
            let both = [total(self, at), total(after, at)];
            LevelScore {
                level: name.to_owned(),
                nodes,
                wape: both.map(|errors| share(errors.absolute, errors.actual)),
                bias: both.map(|errors| share(errors.error, errors.actual)),
            }
        });
        let wape = |errors: &Errors| share(errors.absolute, errors.actual);
        let both = |k: usize, level: usize| {
            [wape(&self.cutoffs[k][level]), wape(&after.cutoffs[k][level])]
        };
        let count = scene.hierarchy.levels().len();
        let gain = |k: usize| {
            1.0 - (1..=count).map(|level| ratio(both(k, level))).sum::<f64>() / count as f64
        };
        Reconciliation {
            method,
            applied: false,
            cutoffs: scene.cutoffs,
            better: (0..scene.cutoffs).filter(|&k| gain(k) > 0.0).count(),
            fresh_gain: gain(0),
            fresh_wape: both(0, 0),
            pinball: [self.pinball, after.pinball],
            levels: levels.collect(),
        }
    }
}

/// Errors by level, and the pinball losses of a day with how many there are.
fn score_day(
    scene: &Scene,
    k: usize,
    step: usize,
    forecast: &[f64],
    pinball: &Pinball,
) -> (ByLevel, f64, f64) {
    let hierarchy = scene.hierarchy;
    let actual = scene.actual_at(k, step);
    let mut errors = vec![Errors::default(); hierarchy.levels().len() + 1];
    let mut sums = vec![(0.0, 0.0); hierarchy.nodes()];
    let (mut loss, mut days) = (0.0, 0.0);
    for (at, (&mean, &actual)) in forecast.iter().zip(actual).enumerate() {
        if !actual.is_finite() {
            continue;
        }
        let actual = f64::from(actual);
        errors[0].add(mean, actual);
        if let Some(of_day) = pinball(k, step, at, mean, actual) {
            loss += of_day;
            days += 1.0;
        }
        for level in 0..hierarchy.levels().len() {
            let sum = &mut sums[hierarchy.node(level, at)];
            *sum = (sum.0 + mean, sum.1 + actual);
        }
    }
    for level in 0..hierarchy.levels().len() {
        for (mean, actual) in &sums[hierarchy.nodes_of(level)] {
            errors[level + 1].add(*mean, *actual);
        }
    }
    (errors, loss, days)
}
