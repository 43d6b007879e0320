//! The forecast of one item at one location: means, spread, and where they came from.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::demand_class::DemandClass;
use super::model::Model;
use super::split::{DaySplit, Split};
use crate::distribution::DemandPaths;
use crate::distribution::count::CountDemand;
use crate::distribution::luck::SharedLuck;
use crate::distribution::paths::{PathPlan, Spread};
use crate::distribution::shape::SpreadShape;

/// Demand of each day of the horizon as a distribution, coupled over the days.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SkuForecast {
    /// [`super::drivers::SeriesMeta::key`].
    pub key: u64,
    pub class: DemandClass,
    pub model: Model,
    /// The next best, and by which share of its loss it lost.
    pub runner_up: Option<Model>,
    pub margin: f32,
    /// Units per day of the horizon.
    pub mean: Vec<f64>,
    /// A day's variance is `mean + dispersion * mean^2`, before the shape's growth.
    pub dispersion: f32,
    /// How the class's spread differs from the family's, over the horizon. It is the class's and is
    /// not written with the series: who reads a forecast gives it its class's shape again.
    #[serde(skip)]
    pub shape: Arc<SpreadShape>,
    /// Mean correlation of the demands of two days of the horizon, 0..1.
    pub correlation: f32,
    /// What the means are made of.
    pub split: Split,
    /// What its luck has in common with that of other series.
    pub shared: SharedLuck,
    pub history_days: u32,
    /// Days of the history on which demand was not seen whole.
    pub censored_days: u32,
}

impl SkuForecast {
    /// A forecast that came from elsewhere than a fitted model, such as from an item's neighbours.
    pub fn from_mean(key: u64, mean: Vec<f64>, dispersion: f32, correlation: f32) -> SkuForecast {
        SkuForecast {
            key,
            class: DemandClass::New,
            model: Model::Launch,
            runner_up: None,
            margin: 0.0,
            mean,
            dispersion,
            shape: Arc::default(),
            correlation,
            split: Split::default(),
            shared: SharedLuck::default(),
            history_days: 0,
            censored_days: 0,
        }
    }

    pub fn horizon(&self) -> usize {
        self.mean.len()
    }

    /// The family's distribution of the demand of day `day` of the horizon, 0 being the first; no
    /// demand beyond its end. Its quantiles are not corrected yet, see [`SkuForecast::quantiles`].
    pub fn day(&self, day: usize) -> CountDemand {
        let mean = self.mean.get(day).copied().unwrap_or(0.0);
        CountDemand::new(mean, self.shape.growth(day) * f64::from(self.dispersion))
    }

    /// What a day's mean is made of; the parts add up to it.
    pub fn parts(&self, day: usize) -> DaySplit {
        self.split.day(day, self.mean.get(day).copied().unwrap_or(0.0))
    }

    /// The nine quantiles of a day, ascending, whole units.
    pub fn quantiles(&self, day: usize) -> [f64; 9] {
        self.day(day).at(self.shape.nine(day))
    }

    /// Equally likely futures over the plan's horizon.
    pub fn paths(&self, plan: &PathPlan) -> DemandPaths {
        let spread = Spread {
            dispersion: f64::from(self.dispersion),
            shape: &self.shape,
            correlation: f64::from(self.correlation),
            shared: self.shared,
        };
        plan.draw(self.key, &self.mean, &spread)
    }

    /// Takes other means for the same days. What they add was learned from sums with other series, so
    /// it is part of the split's remainder, which closes on the mean.
    pub fn replace_mean(&mut self, mean: Vec<f64>) {
        self.mean = mean;
    }
}
