//! Series and their sums: forecasts that add up, no total that is off though every part is fine,
//! and luck that is shared.

pub mod aggregate;
pub mod earn;
pub mod luck;
pub mod parts;
mod scene;
mod tried;

use serde::{Deserialize, Serialize};

use self::aggregate::Aggregates;
use self::earn::{Method, Reconciliation, bring_into_line, try_all};
use self::luck::Errors;
use self::parts::Part;
use self::scene::Scene;
pub use self::tried::Tried;
use super::panel::{ForecastConfig, Night};
use super::partial::{PartialDays, Training};
use super::refit::refit_tried;
use super::scores::pinball_nine;
use super::trial::Origins;
use crate::distribution::count::CountDemand;
use crate::forecast::drivers::ForecastInput;
use crate::forecast::model::Model;
use crate::forecast::pooled::features::Features;

/// Sums are smooth, so this is what forecasts them; a day's calendar matters to them most of all.
const MODELS_OF_SUMS: &[Model] = &[
    Model::EtsSeasonal,
    Model::AutoEts,
    Model::DynamicOptimizedTheta,
    Model::Pooled,
    Model::BlendMedian,
    Model::BlendWeighted,
];
/// So many series tell the pinball loss.
const PINBALL_SERIES_MAX: usize = 4_000;
/// A day on which all forecasts together would move by more than this share stays as it is: no
/// trial has seen such a move do good.
const MOVE_MAX: f64 = 0.3;

/// Whether forecasts are brought into line with those of their sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reconcile {
    /// The default: on fresh retail it earned nothing (benches/README.md), and a factor that is kept
    /// until the next refit is no better than the night that gave it.
    #[default]
    Off,
    /// Where it earns its place at past cutoffs.
    Auto,
    On,
}

/// What the nights until the next refit do: each series keeps the factor that the refit gave it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// Key and factor, by key.
    pub factors: Vec<(u64, f32)>,
    /// What was found at the refit.
    pub found: Option<Reconciliation>,
}

impl Kept {
    pub fn factor(&self, key: u64) -> f64 {
        let found = self.factors.binary_search_by_key(&key, |kept| kept.0);
        found.map_or(1.0, |at| f64::from(self.factors[at].1))
    }
}

/// The sums of a panel on the way through a refit.
pub struct Levels<'a> {
    input: &'a ForecastInput<'a>,
    config: &'a ForecastConfig,
    aggregates: Aggregates,
    /// Per series of the panel, the level of whole days at the trials.
    tried_levels: Vec<f64>,
}

impl<'a> Levels<'a> {
    /// Takes the days before the last cutoff; nothing where nothing adds up or nobody asks.
    pub fn start(
        input: &'a ForecastInput<'a>,
        config: &'a ForecastConfig,
        parts: &[Part],
        origins: &[Origins],
        tried: &Training,
    ) -> Option<Levels<'a>> {
        if config.reconcile == Reconcile::Off {
            return None;
        }
        let mut aggregates = Aggregates::new(input, parts, origins)?;
        aggregates.take_past(&tried.panel, &tried.whole_days, config.season());
        Some(Levels { input, config, aggregates, tried_levels: tried.whole_days.clone() })
    }

    /// Takes the other days.
    pub fn finish(mut self, training: &Training) -> Levels<'a> {
        let season = self.config.season();
        self.aggregates.take_rest(&training.panel, &self.tried_levels, season);
        self
    }

    /// Forecasts the sums, tries the ways to bring `night` into line with them, and does what earns
    /// its place.
    pub fn settle(&self, errors: &Errors, training: &Training, night: &mut Night) -> Option<Kept> {
        let (sums, tried) = self.forecast_sums()?;
        let scene = Scene::new(&self.aggregates, errors.judge, errors.held, &tried);
        let stride = self.aggregates.members.len().div_ceil(PINBALL_SERIES_MAX).max(1);
        let pinball = |_: usize, step: usize, at: usize, mean: f64, actual: f64| {
            let forecast = &night.forecast.series[self.aggregates.members[at]];
            at.is_multiple_of(stride).then(|| {
                let dispersion = forecast.shape.growth(step) * f64::from(forecast.dispersion);
                let nine = CountDemand::new(mean, dispersion).at(forecast.shape.nine(step));
                pinball_nine(&nine, actual)
            })
        };
        // What learned from all series ages, and is learned anew tonight.
        let learned = self.config.portfolio().iter().any(|model| model.is_pooled());
        let methods = if learned { &[Method::Sums][..] } else { &Method::ALL };
        let tried = try_all(&scene, methods, &pinball);
        let earning = |found: &&Reconciliation| found.earns();
        let by_gain = |a: &&Reconciliation, b: &&Reconciliation| a.gain().total_cmp(&b.gain());
        let best = tried.iter().filter(earning).max_by(by_gain);
        let mut found = best.or_else(|| tried.iter().max_by(by_gain))?.clone();
        found.applied = best.is_some() || self.config.reconcile == Reconcile::On;
        let mut kept = Kept::default();
        if found.applied {
            kept.factors = self.apply(&scene, found.method, &sums, training, night);
        }
        kept.found = Some(found);
        Some(kept)
    }

    /// Means of the nodes, and their trials.
    fn forecast_sums(&self) -> Option<(Vec<Vec<f64>>, Vec<Tried>)> {
        let (panel, meta, categories) = self.aggregates.panel(self.input);
        let regions = self.input.regions;
        let input = ForecastInput { panel: &panel, meta: &meta, categories: &categories, regions };
        let usable = self.config.portfolio();
        let pooled = usable.iter().any(|model| model.is_pooled());
        let models = MODELS_OF_SUMS.iter().copied().filter(|model| pooled || !model.is_pooled());
        let config = ForecastConfig {
            models: models.collect(),
            partial: PartialDays::Missing,
            reconcile: Reconcile::Off,
            ..self.config.clone()
        };
        input.check(config.horizon_days).ok()?;
        let features = Features::new(&input);
        let (night, tried) = refit_tried(&input, &config, &features)?;
        let origins = self.aggregates.origins;
        let aligned = |tried: &Tried| {
            (tried.origins.count, tried.origins.horizon) == (origins.count, origins.horizon)
        };
        let means = night.forecast.series.into_iter().map(|forecast| forecast.mean).collect();
        tried.iter().all(aligned).then_some((means, tried))
    }

    /// Brings the forecasts of the night into line and says by which factor each was moved.
    fn apply(
        &self,
        scene: &Scene,
        method: Method,
        sums: &[Vec<f64>],
        training: &Training,
        night: &mut Night,
    ) -> Vec<(u64, f32)> {
        let members = &self.aggregates.members;
        let forecasts = &mut night.forecast.series;
        let made: Vec<Vec<f64>> = (0..self.config.horizon_days)
            .map(|step| members.iter().map(|&i| forecasts[i].mean[step]).collect())
            .collect();
        let to_tonight = self.to_tonight(training, &made);
        let nodes = |step: usize| -> Vec<f64> {
            sums.iter().zip(&to_tonight).map(|(mean, level)| mean[step] * level).collect()
        };
        let after = bring_into_line(scene, scene.cutoffs, method, &made, &nodes);
        let mut means: Vec<Vec<f64>> = members.iter().map(|_| Vec::new()).collect();
        for (before, after) in made.iter().zip(&after) {
            let (old, new) = (before.iter().sum::<f64>(), after.iter().sum::<f64>());
            let kept = if (new - old).abs() <= MOVE_MAX * old { after } else { before };
            means.iter_mut().zip(kept).for_each(|(mean, &value)| mean.push(value));
        }
        let mut factors = Vec::with_capacity(members.len());
        for (&i, mean) in members.iter().zip(means) {
            let (old, new) = (forecasts[i].mean.iter().sum::<f64>(), mean.iter().sum::<f64>());
            factors.push((forecasts[i].key, if old > 0.0 { (new / old) as f32 } else { 1.0 }));
            forecasts[i].replace_mean(mean);
        }
        factors.sort_by_key(|kept| kept.0);
        factors
    }

    /// Per node, the level of whole days as it is known tonight over that of the trials, which the
    /// sums are at.
    fn to_tonight(&self, training: &Training, made: &[Vec<f64>]) -> Vec<f64> {
        let nodes = self.aggregates.hierarchy.nodes();
        let (mut tonight, mut tried) = (vec![0.0; nodes], vec![0.0; nodes]);
        self.aggregates.hierarchy.each(|node, at| {
            let i = self.aggregates.members[at];
            let mean: f64 = made.iter().map(|day| day[at]).sum();
            if training.whole_days[i] > 0.0 {
                tonight[node] += mean;
                tried[node] += mean * self.tried_levels[i] / training.whole_days[i];
            }
        });
        let level =
            |(tonight, tried): (&f64, &f64)| if *tried > 0.0 { tonight / tried } else { 1.0 };
        tonight.iter().zip(&tried).map(level).collect()
    }
}
