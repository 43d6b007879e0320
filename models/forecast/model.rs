//! The registry of models, and what a model is: it is fitted to a history, then it can follow
//! further days and forecast. Only a fitted model can forecast.

use serde::{Deserialize, Serialize};

use super::croston::Croston;
use super::ets::Ets;
use super::mean::MeanDemand;
use super::pooled::level::{PooledLevel, SeriesEffects};
use super::seasonal_naive::SeasonalNaive;
use super::ses::Ses;
use super::theta::Theta;
use super::tsb::Tsb;
use crate::series::Series;

/// No item sells more units a day; squares of it and their sums stay finite.
const DEMAND_MAX: f64 = 1e15;
/// Days in a week, the season of daily demand.
pub const SEASON_DAYS: usize = 7;

/// What a model is fitted to.
#[derive(Clone, Copy, Debug)]
pub struct History<'a> {
    /// Daily demand in units, NaN on a day on which it was not seen whole.
    pub demand: &'a [f64],
    /// What pooled learning says about the series' days and horizon, for [`Model::Pooled`].
    pub pooled: Option<&'a SeriesEffects>,
}

impl<'a> History<'a> {
    /// A history on its own, without pooled effects.
    pub fn of(demand: &'a [f64]) -> History<'a> {
        History { demand, pooled: None }
    }
}

impl History<'_> {
    pub fn observed(&self) -> usize {
        self.demand.iter().filter(|d| !d.is_nan()).count()
    }

    /// Mean of the observed days, the unit in which parameters are searched; 1 without any sale.
    pub fn scale(&self) -> f64 {
        let (sum, n) = self
            .demand
            .iter()
            .filter(|d| !d.is_nan())
            .fold((0.0, 0usize), |(sum, n), d| (sum + d, n + 1));
        if sum > 0.0 { sum / n as f64 } else { 1.0 }
    }
}

/// A series' daily demand in units, NaN where it was not seen whole or is no possible quantity: one
/// broken number must not reach the sums that all series share.
pub fn seen_demand(series: &Series) -> Vec<f64> {
    let possible = |d: f64| if (0.0..=DEMAND_MAX).contains(&d) { d } else { f64::NAN };
    series.demand().map(possible).collect()
}

/// A model with its parameters and its state at the end of the days it has seen.
pub trait Fitted: Send {
    /// One more day; NaN where demand was not seen whole, which moves the season but no level.
    fn update(&mut self, demand: f64);

    /// Mean demand of the next `out.len()` days, units per day.
    fn forecast(&self, out: &mut [f64]);
}

/// Why a model has no fit to a series.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FitError {
    #[error("needs {needed} observed days, got {got}")]
    TooShort { needed: usize, got: usize },
    #[error("needs {needed} days with a sale, got {got}")]
    TooFewSales { needed: usize, got: usize },
    #[error("the parameter search ended without a finite loss")]
    NoFiniteLoss,
    #[error("has no fit to a history alone")]
    NotFitted,
}

macro_rules! models {
    ($($variant:ident, $text:literal, $parameters:literal;)*) => {
        /// Every way to make a mean forecast that has a name.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(rename_all = "snake_case")]
        pub enum Model { $($variant),* }

        impl Model {
            pub const ALL: &'static [Model] = &[$(Model::$variant),*];

            pub fn as_str(self) -> &'static str {
                match self { $(Model::$variant => $text),* }
            }

            /// Numbers fitted per series, the complexity that the choice charges for.
            pub fn parameters(self) -> usize {
                match self { $(Model::$variant => $parameters),* }
            }
        }
    };
}

models! {
    SeasonalNaive, "seasonal_naive", 0;
    Mean, "mean", 0;
    Ses, "ses", 1;
    EtsSeasonal, "ets_ana", 2;
    EtsDamped, "ets_aada", 4;
    Theta, "theta", 2;
    Croston, "croston", 1;
    Sba, "sba", 1;
    Tsb, "tsb", 2;
    Pooled, "pooled", 2;
    BlendMedian, "blend_median", 3;
    BlendWeighted, "blend_weighted", 3;
    Launch, "launch", 0;
}

impl Model {
    pub fn parse(text: &str) -> Option<Model> {
        Model::ALL.iter().copied().find(|model| model.as_str() == text)
    }

    /// Combinations of other models' forecasts.
    pub fn is_blend(self) -> bool {
        matches!(self, Model::BlendMedian | Model::BlendWeighted)
    }

    /// Fits the model to a history.
    ///
    /// # Errors
    /// When the history is too short for it, or its parameter search fails.
    pub fn fit(self, history: &History) -> Result<Box<dyn Fitted>, FitError> {
        match self {
            Model::SeasonalNaive => Ok(Box::new(SeasonalNaive::fit(history)?)),
            Model::Mean => Ok(Box::new(MeanDemand::fit(history))),
            Model::Ses => Ok(Box::new(Ses::fit(history)?)),
            Model::EtsSeasonal => Ok(Box::new(Ets::fit(history, false)?)),
            Model::EtsDamped => Ok(Box::new(Ets::fit(history, true)?)),
            Model::Theta => Ok(Box::new(Theta::fit(history)?)),
            Model::Croston => Ok(Box::new(Croston::fit(history, false)?)),
            Model::Sba => Ok(Box::new(Croston::fit(history, true)?)),
            Model::Tsb => Ok(Box::new(Tsb::fit(history)?)),
            Model::Pooled => Ok(Box::new(PooledLevel::fit(history)?)),
            Model::BlendMedian | Model::BlendWeighted | Model::Launch => Err(FitError::NotFitted),
        }
    }

    /// As [`Model::fit`], but falls back to simple exponential smoothing and then to the mean. The
    /// model that was fitted in the end is returned beside the reason.
    pub fn fit_or_fall_back(
        self,
        history: &History,
    ) -> (Box<dyn Fitted>, Option<(Model, FitError)>) {
        match self.fit(history) {
            Ok(fitted) => (fitted, None),
            Err(error) => match Model::Ses.fit(history) {
                Ok(fitted) => (fitted, Some((Model::Ses, error))),
                Err(_) => (Box::new(MeanDemand::fit(history)), Some((Model::Mean, error))),
            },
        }
    }
}
