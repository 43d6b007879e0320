//! The trials of series and of their sums, side by side.

use super::Tried;
use super::aggregate::Aggregates;
use crate::backtest::judge::Judge;
use crate::backtest::spread::DispersionSums;
use crate::forecast::reconcile::bias::{Week, factors};
use crate::forecast::reconcile::hierarchy::Hierarchy;
use crate::forecast::reconcile::solve::Base;

/// A node's dispersion is drawn to its level's as if by so many days of its own.
const LEVEL_PRIOR_DAYS: f64 = 28.0;
/// The least believed dispersion of a sum; of a series it is higher.
const DISPERSION_MIN: f64 = 2e-4;
/// No day is so certain that its weight would know no bounds.
const VARIANCE_MIN: f64 = 1e-3;
/// Groups against whose bias there is a factor have at least so many members on average.
const BIAS_MEMBERS_MIN: usize = 5;

/// What was forecast at every cutoff, and what came. Values are by cutoff, step, then series of the
/// hierarchy or node; NaN where there is none.
pub struct Scene<'a> {
    pub hierarchy: &'a Hierarchy,
    pub cutoffs: usize,
    pub horizon: usize,
    /// Days from one cutoff to the next.
    pub apart: usize,
    pub bottom: Vec<f32>,
    /// Of days that were seen whole.
    pub actual: Vec<f32>,
    pub nodes: Vec<f32>,
    /// Of days of which enough was seen.
    pub node_actual: Vec<f32>,
    /// The level whose nodes have a factor against bias each.
    bias_level: usize,
}

/// Dispersions of the errors, of series and of nodes.
pub struct Spreads {
    pub bottom: Vec<f64>,
    pub nodes: Vec<f64>,
}

impl<'a> Scene<'a> {
    pub fn new(
        aggregates: &'a Aggregates,
        judge: &Judge,
        held: &[Vec<usize>],
        sums: &[Tried],
    ) -> Scene<'a> {
        let (hierarchy, origins) = (&aggregates.hierarchy, aggregates.origins);
        let (cutoffs, horizon) = (origins.count, origins.horizon);
        let (series, nodes) = (hierarchy.series(), hierarchy.nodes());
        let cells = cutoffs * horizon;
        let mut scene = Scene {
            hierarchy,
            cutoffs,
            horizon,
            apart: origins.step,
            bottom: vec![0.0; cells * series],
            actual: vec![f32::NAN; cells * series],
            nodes: vec![f32::NAN; cells * nodes],
            node_actual: vec![f32::NAN; cells * nodes],
            bias_level: bias_level(hierarchy),
        };
        for (at, &i) in aggregates.members.iter().enumerate() {
            let trial = &judge.trials[i].1;
            let any = (0..judge.models.len()).find(|&c| trial.has(c));
            let Some(of) = held[i].first().copied().or(any) else { continue };
            let of = |k: usize| held[i].get(k).copied().unwrap_or(of);
            for k in 0..cutoffs {
                for (step, &mean) in trial.means(of(k), k).iter().enumerate() {
                    scene.bottom[(k * horizon + step) * series + at] = mean;
                }
            }
            judge.scored_by(i, of, |k, step, _, actual| {
                scene.actual[(k * horizon + step) * series + at] = actual as f32;
            });
        }
        let first = aggregates.days() - horizon - (cutoffs - 1) * origins.step;
        for (node, of_node) in sums.iter().enumerate() {
            for k in 0..cutoffs {
                for step in 0..horizon {
                    let cell = (k * horizon + step) * nodes + node;
                    // A model that says nothing leaves its node without a forecast.
                    scene.nodes[cell] = of_node.mean(k, step);
                    let day = first + k * origins.step + step;
                    scene.node_actual[cell] = aggregates.seen(node, day) as f32;
                }
            }
        }
        scene
    }

    pub fn series(&self) -> usize {
        self.hierarchy.series()
    }

    pub fn bottom_at(&self, k: usize, step: usize) -> &[f32] {
        let n = self.series();
        &self.bottom[(k * self.horizon + step) * n..][..n]
    }

    pub fn actual_at(&self, k: usize, step: usize) -> &[f32] {
        let n = self.series();
        &self.actual[(k * self.horizon + step) * n..][..n]
    }

    pub fn nodes_at(&self, k: usize, step: usize) -> &[f32] {
        let n = self.hierarchy.nodes();
        &self.nodes[(k * self.horizon + step) * n..][..n]
    }

    /// Cutoffs and steps whose days were over at cutoff `now`; the number of cutoffs is the night.
    /// The first cutoff, before which nothing was tried, has those of trials that begin when its
    /// own days are over.
    fn known(&self, now: usize) -> Vec<(usize, usize)> {
        let fits = |&(k, step): &(usize, usize)| match now {
            0 => k * self.apart >= self.horizon,
            _ => k < now && (now == self.cutoffs || k * self.apart + step < now * self.apart),
        };
        let cells = (0..self.cutoffs).flat_map(|k| (0..self.horizon).map(move |step| (k, step)));
        cells.filter(fits).collect()
    }

    /// Dispersions of the errors that were known at cutoff `now`, drawn to those of the level;
    /// `None` when there were none.
    pub fn spreads(&self, now: usize) -> Option<Spreads> {
        let known = self.known(now);
        let nodes = self.hierarchy.nodes();
        let mut of_series = vec![(DispersionSums::default(), 0.0); self.series()];
        let mut of_nodes = vec![(DispersionSums::default(), 0.0); nodes];
        let add = |sums: &mut [(DispersionSums, f64)], made: &[f32], came: &[f32]| {
            for ((sums, &mean), &actual) in sums.iter_mut().zip(made).zip(came) {
                if mean.is_finite() && actual.is_finite() {
                    sums.0.add(f64::from(mean), f64::from(actual));
                    sums.1 += 1.0;
                }
            }
        };
        for &(k, step) in &known {
            add(&mut of_series, self.bottom_at(k, step), self.actual_at(k, step));
            let came = &self.node_actual[(k * self.horizon + step) * nodes..][..nodes];
            add(&mut of_nodes, self.nodes_at(k, step), came);
        }
        let mut spreads = Spreads { bottom: drawn(&of_series), nodes: Vec::with_capacity(nodes) };
        for level in 0..self.hierarchy.levels().len() {
            spreads.nodes.extend(drawn(&of_nodes[self.hierarchy.nodes_of(level)]));
        }
        (!known.is_empty()).then_some(spreads)
    }

    /// A factor per series against what was off at cutoff `now`, from the newest forecast of each
    /// week that was over.
    pub fn factors(&self, now: usize) -> Vec<f64> {
        let level = &self.hierarchy.levels()[self.bias_level];
        let mut weeks = Vec::new();
        for k in 0..now {
            let newest =
                if k + 1 < self.cutoffs { self.apart.min(self.horizon) } else { self.horizon };
            for from in (0..newest).step_by(self.apart) {
                let mut week = vec![Week::default(); level.nodes];
                for step in from..newest.min(from + self.apart) {
                    let both = self.bottom_at(k, step).iter().zip(self.actual_at(k, step));
                    for ((&mean, &actual), &group) in both.zip(&level.of) {
                        if actual.is_finite() {
                            week[group as usize].forecast += f64::from(mean);
                            week[group as usize].actual += f64::from(actual);
                        }
                    }
                }
                weeks.push(week);
            }
        }
        let factors = factors(&weeks);
        let of = |&group: &u32| factors.get(group as usize).copied().unwrap_or(1.0);
        level.of.iter().map(of).collect()
    }
}

/// The finest level whose groups are large enough.
fn bias_level(hierarchy: &Hierarchy) -> usize {
    let levels = hierarchy.levels();
    let large = |&level: &usize| levels[level].nodes * BIAS_MEMBERS_MIN <= hierarchy.series();
    (0..levels.len()).filter(large).max_by_key(|&level| levels[level].nodes).unwrap_or(0)
}

fn drawn(sums: &[(DispersionSums, f64)]) -> Vec<f64> {
    let mut level = DispersionSums::default();
    sums.iter().for_each(|(sums, _)| level.merge(sums));
    let level = level.dispersion(DISPERSION_MIN);
    let of = |(sums, days): &(DispersionSums, f64)| {
        if *days > 0.0 {
            sums.drawn(level, LEVEL_PRIOR_DAYS / days).max(DISPERSION_MIN)
        } else {
            level
        }
    };
    sums.iter().map(of).collect()
}

/// A day's forecasts with their weights, made of means and dispersions.
pub struct Weighed {
    bottom: Vec<f64>,
    bottom_weight: Vec<f64>,
    nodes: Vec<f64>,
    node_weight: Vec<f64>,
}

impl Weighed {
    /// A node whose mean is not finite has no weight. Where no errors are known, a series varies as
    /// a count does and a node as far as its series do (structural weights).
    pub fn new(
        hierarchy: &Hierarchy,
        bottom: Vec<f64>,
        nodes: Vec<f64>,
        spreads: Option<&Spreads>,
    ) -> Weighed {
        let variance = |(mean, dispersion): (&f64, &f64)| {
            let mean = mean.max(0.0);
            VARIANCE_MIN + mean + dispersion * mean * mean
        };
        let of = |means: &[f64], dispersions: &[f64]| -> Vec<f64> {
            means.iter().zip(dispersions).map(variance).collect()
        };
        let (of_bottom, mut of_nodes) = match spreads {
            Some(spreads) => (of(&bottom, &spreads.bottom), of(&nodes, &spreads.nodes)),
            None => (of(&bottom, &vec![0.0; bottom.len()]), vec![0.0; nodes.len()]),
        };
        if spreads.is_none() {
            hierarchy.sums(&of_bottom, &mut of_nodes);
        }
        let weight = |(mean, variance): (&f64, f64)| {
            if mean.is_finite() && variance > 0.0 { 1.0 / variance } else { 0.0 }
        };
        let node_weight = nodes.iter().zip(of_nodes).map(weight).collect();
        let bottom_weight = of_bottom.into_iter().map(|variance| 1.0 / variance).collect();
        let nodes = nodes.into_iter().map(|mean| if mean.is_finite() { mean } else { 0.0 });
        Weighed { bottom, bottom_weight, nodes: nodes.collect(), node_weight }
    }

    pub fn base(&self) -> Base<'_> {
        Base {
            bottom: &self.bottom,
            bottom_weight: &self.bottom_weight,
            nodes: &self.nodes,
            node_weight: &self.node_weight,
        }
    }
}
