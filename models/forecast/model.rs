//! The registry of models, and what a model is: it is fitted to a history, then it can follow
//! further days and forecast. Only a fitted model can forecast.

use serde::{Deserialize, Serialize};

use super::adida::Adida;
use super::ces::{Ces, Seasonality};
use super::croston::Croston;
use super::ets::{AutoEts, Ets, EtsSpec};
use super::imapa::Imapa;
use super::logged::Logged;
use super::mean::MeanDemand;
use super::mstl::{self, Mstl};
use super::naive::Naive;
use super::negative_binomial::NegativeBinomial;
use super::poisson::Poisson;
use super::pooled::level::{PooledLevel, SeriesEffects};
use super::random_walk_with_drift::RandomWalkWithDrift;
use super::seasonal_naive::SeasonalNaive;
use super::seasonal_ses::SeasonalSes;
use super::seasonal_window_average::SeasonalWindowAverage;
use super::ses::Ses;
use super::theta::{Theta, Variant};
use super::theta_steady::ThetaSteady;
use super::trees::ahead::TreesAhead;
use super::tsb::Tsb;
use super::window_average::WindowAverage;
use super::zero_inflated::ZeroInflated;
use crate::distribution::family::CountFamily;
use crate::series::Series;

/// No item sells more units a day; squares of it and their sums stay finite.
const DEMAND_MAX: f64 = 1e15;
/// Days in a week, the season of daily demand.
pub const SEASON_DAYS: usize = 7;

/// What a model is fitted to.
#[derive(Clone, Copy, Debug)]
pub struct History<'a> {
    /// Demand of each step in units, NaN on a step on which it was not seen whole.
    pub demand: &'a [f64],
    /// Steps in each season, shortest first; without one the series has no season.
    pub seasons: &'a [usize],
    /// What pooled learning says about the series' days and horizon, for [`Model::Pooled`].
    pub pooled: Option<&'a SeriesEffects>,
    /// Means of the days after the history by [`crate::forecast::trees`], for [`Model::Trees`].
    pub trees: Option<&'a [f32]>,
}

impl<'a> History<'a> {
    /// A daily history on its own, with a week for a season and without pooled effects.
    pub fn of(demand: &'a [f64]) -> History<'a> {
        History { demand, seasons: &[SEASON_DAYS], pooled: None, trees: None }
    }

    pub fn with_seasons(demand: &'a [f64], seasons: &'a [usize]) -> History<'a> {
        History { demand, seasons, pooled: None, trees: None }
    }

    /// Steps of the shortest season; 1 when there is none.
    pub fn season(&self) -> usize {
        self.seasons.first().copied().unwrap_or(1).max(1)
    }
}

impl History<'_> {
    pub fn observed(&self) -> usize {
        self.demand.iter().filter(|d| !d.is_nan()).count()
    }

    /// Mean size of the observed steps, the unit in which parameters are searched; 1 without any
    /// sale.
    pub fn scale(&self) -> f64 {
        let (sum, n) = self
            .demand
            .iter()
            .filter(|d| !d.is_nan())
            .fold((0.0, 0usize), |(sum, n), d| (sum + d.abs(), n + 1));
        if sum > 0.0 { sum / n as f64 } else { 1.0 }
    }
}

/// A series' daily demand in units, NaN where it was not seen whole or is no possible quantity: one
/// broken number must not reach the sums that all series share.
pub fn seen_demand(series: &Series) -> Vec<f64> {
    let possible = |d: f64| if (0.0..=DEMAND_MAX).contains(&d) { d } else { f64::NAN };
    series.demand().map(possible).collect()
}

/// A model with its parameters and its state at the end of the steps it has seen. It is stored and
/// read back with serde, and goes on as if nothing had happened.
pub trait Fitted {
    /// One more step; NaN where demand was not seen whole, which moves the season but no level.
    /// After `fit(history)` and `update` with further steps the state is the one that the same
    /// parameters reach by filtering everything.
    fn update(&mut self, demand: f64);

    /// Mean demand of the next `out.len()` steps, units per step. It may be negative where the
    /// model's arithmetic says so; [`FittedModel::forecast`] is what demand can be.
    fn forecast(&self, out: &mut [f64]);

    /// Demand of one day, `step` steps after the next, as the model's own counts have it; none when
    /// the model only knows a mean.
    fn own_day(&self, _step: usize) -> Option<CountFamily> {
        None
    }
}

/// Why a model has no fit to a series.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FitError {
    #[error("needs {needed} observed days, got {got}")]
    TooShort { needed: usize, got: usize },
    #[error("needs {needed} days with a sale, got {got}")]
    TooFewSales { needed: usize, got: usize },
    #[error("needs demand above zero on every observed day")]
    NotPositive,
    #[error("the parameter search ended without a finite loss")]
    NoFiniteLoss,
    #[error("has no fit to a history alone")]
    NotFitted,
}

macro_rules! models {
    (
        fitted { $($single:ident, $text:literal, $parameters:literal, $fitted:ty, $fit:expr;)* }
        combined { $($combined:ident, $combined_text:literal, $combined_parameters:literal;)* }
    ) => {
        /// Every way to make a mean forecast that has a name.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(rename_all = "snake_case")]
        pub enum Model { $($single,)* $($combined),* }

        impl Model {
            pub const ALL: &'static [Model] = &[$(Model::$single,)* $(Model::$combined),*];

            pub fn as_str(self) -> &'static str {
                match self {
                    $(Model::$single => $text,)*
                    $(Model::$combined => $combined_text),*
                }
            }

            /// Numbers fitted per series, the complexity that the choice charges for.
            pub fn parameters(self) -> usize {
                match self {
                    $(Model::$single => $parameters,)*
                    $(Model::$combined => $combined_parameters),*
                }
            }

            /// Fits the model to a history.
            ///
            /// # Errors
            /// When the history is too short for it, or its parameter search fails.
            pub fn fit(self, history: &History) -> Result<FittedModel, FitError> {
                match self {
                    $(Model::$single => {
                        let fit: fn(&History) -> Result<$fitted, FitError> = $fit;
                        fit(history).map(FittedModel::$single)
                    })*
                    $(Model::$combined => Err(FitError::NotFitted)),*
                }
            }
        }

        /// A fitted model of any name.
        #[derive(Clone, Debug, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum FittedModel { $($single($fitted)),* }

        impl FittedModel {
            pub fn model(&self) -> Model {
                match self { $(FittedModel::$single(_) => Model::$single),* }
            }

            /// Takes one more step, see [`Fitted::update`].
            pub fn update(&mut self, demand: f64) {
                match self { $(FittedModel::$single(fitted) => fitted.update(demand)),* }
            }

            /// Mean demand of the next steps, which may be negative, see [`Fitted::forecast`].
            pub fn forecast_signed(&self, out: &mut [f64]) {
                match self { $(FittedModel::$single(fitted) => fitted.forecast(out)),* }
            }

            /// The model's own distribution of one day, see [`Fitted::own_day`].
            pub fn own_day(&self, step: usize) -> Option<CountFamily> {
                match self { $(FittedModel::$single(fitted) => fitted.own_day(step)),* }
            }
        }
    };
}

models! {
    fitted {
        SeasonalNaive, "seasonal_naive", 0, SeasonalNaive, SeasonalNaive::fit;
        Mean, "mean", 0, MeanDemand, |history| Ok(MeanDemand::fit(history));
        Ses, "ses", 1, Ses, Ses::fit;
        SeasonalSes, "seasonal_ses", 1, SeasonalSes, SeasonalSes::fit;
        EtsSeasonal, "ets_ana", 2, Ets, |history| Ets::fit(history, false);
        EtsDamped, "ets_aada", 4, Ets, |history| Ets::fit(history, true);
        Holt, "holt", 2, Ets, |history| Ets::fit_spec(history, EtsSpec::AAN);
        HoltWinters, "holt_winters", 3, Ets, |history| Ets::fit_spec(history, EtsSpec::AAA);
        HoltWintersMult, "holt_winters_mult", 3, Ets, |history| {
            Ets::fit_spec(history, EtsSpec::MAM)
        };
        AutoEts, "auto_ets", 4, Ets, |history| AutoEts::default().fit(history);
        ThetaSteady, "theta_steady", 2, ThetaSteady, ThetaSteady::fit;
        Theta, "theta", 2, Theta, |history| Theta::fit(history, Variant::Standard);
        OptimizedTheta, "optimized_theta", 3, Theta,
            |history| Theta::fit(history, Variant::Optimized);
        DynamicTheta, "dynamic_theta", 2, Theta, |history| Theta::fit(history, Variant::Dynamic);
        DynamicOptimizedTheta, "dynamic_optimized_theta", 3, Theta,
            |history| Theta::fit(history, Variant::DynamicOptimized);
        AutoTheta, "auto_theta", 3, Theta, Theta::fit_auto;
        Ces, "ces", 4, Ces, Ces::fit;
        CesSimple, "ces_simple", 2, Ces, |history| Ces::fit_kind(history, Seasonality::Simple);
        MstlEts, "mstl_ets", 4, Mstl, |history| Mstl::fit(history, mstl::ETS_REMAINDER);
        MstlCes, "mstl_ces", 4, Mstl, |history| Mstl::fit(history, Model::Ces);
        MstlTheta, "mstl_theta", 4, Mstl, |history| Mstl::fit(history, mstl::THETA_REMAINDER);
        MstlDrift, "mstl_drift", 3, Mstl, |history| Mstl::fit(history, Model::RandomWalkWithDrift);
        LogCes, "log_ces", 4, Logged, |history| Logged::fit(history, Model::Ces);
        LogMstlTheta, "log_mstl_theta", 4, Logged,
            |history| Logged::fit(history, Model::MstlTheta);
        CrostonOptimized, "croston_optimized", 2, Croston, Croston::optimized;
        Sba, "sba", 0, Croston, Croston::sba_if_intermittent;
        Tsb, "tsb", 2, Tsb, Tsb::fit;
        Pooled, "pooled", 2, PooledLevel, PooledLevel::fit;
        Trees, "trees", 2, TreesAhead, TreesAhead::fit;
        CrostonClassic, "croston_classic", 0, Croston, Croston::classic;
        Adida, "adida", 1, Adida, Adida::fit;
        Imapa, "imapa", 1, Imapa, Imapa::fit;
        Poisson, "poisson", 1, Poisson, Poisson::fit;
        NegativeBinomial, "negative_binomial", 2, NegativeBinomial, NegativeBinomial::fit;
        ZeroInflated, "zero_inflated", 3, ZeroInflated, ZeroInflated::fit;
        Naive, "naive", 0, Naive, Naive::fit;
        RandomWalkWithDrift, "random_walk_with_drift", 1, RandomWalkWithDrift,
            RandomWalkWithDrift::fit;
        WindowAverage, "window_average", 0, WindowAverage, WindowAverage::fit;
        SeasonalWindowAverage, "seasonal_window_average", 0, SeasonalWindowAverage,
            SeasonalWindowAverage::fit;
    }
    combined {
        BlendMedian, "blend_median", 3;
        BlendWeighted, "blend_weighted", 3;
        Launch, "launch", 0;
    }
}

impl FittedModel {
    /// Mean demand of the next `out.len()` steps, units per step, never negative.
    pub fn forecast(&self, out: &mut [f64]) {
        self.forecast_signed(out);
        out.iter_mut().for_each(|mean| *mean = mean.max(0.0));
    }
}

impl Model {
    /// The model of a name as the field writes it: `AutoETS`, `auto_ets` and `auto-ets` are one.
    pub fn parse(text: &str) -> Option<Model> {
        let plain = |text: &str| -> String {
            let letters = text.chars().filter(char::is_ascii_alphanumeric);
            letters.map(|c| c.to_ascii_lowercase()).collect()
        };
        let wanted = plain(text);
        Model::ALL.iter().copied().find(|model| plain(model.as_str()) == wanted)
    }

    /// Learns from all series together, and from what is known of the days of a calendar.
    pub fn is_pooled(self) -> bool {
        matches!(self, Model::Pooled | Model::Trees)
    }

    /// Combinations of other models' forecasts.
    pub fn is_blend(self) -> bool {
        matches!(self, Model::BlendMedian | Model::BlendWeighted)
    }

    /// As [`Model::fit`], but falls back to simple exponential smoothing and then to the mean. The
    /// fitted model's name says what it became, beside the reason.
    pub fn fit_or_fall_back(self, history: &History) -> (FittedModel, Option<FitError>) {
        match self.fit(history) {
            Ok(fitted) => (fitted, None),
            Err(error) => match Model::Ses.fit(history) {
                Ok(fitted) => (fitted, Some(error)),
                Err(_) => (FittedModel::Mean(MeanDemand::fit(history)), Some(error)),
            },
        }
    }
}
