//! Which models are worth trying: by what a panel's steps are, and by each series' kind of demand.
//!
//! Routing costs less than a microsecond a series; a model that is not tried costs nothing. On days
//! with a calendar the regression that learns from all series together wins, and the costly models
//! add nothing beside it (benches/README.md); on weeks, months or hours they are what there is.

use crate::forecast::demand_class::DemandClass;
use crate::forecast::model::Model;

/// For days: cheap models, so that fifty thousand series take seconds, and what learns from all series.
pub const DAILY: &[Model] = &[
    Model::SeasonalNaive,
    Model::Mean,
    Model::Ses,
    Model::EtsSeasonal,
    Model::EtsDamped,
    Model::ThetaSteady,
    Model::CrostonOptimized,
    Model::Sba,
    Model::Tsb,
    Model::Pooled,
    Model::Trees,
    Model::BlendMedian,
    Model::BlendWeighted,
];

/// For steps without a calendar of their own.
pub const OTHER_STEPS: &[Model] = &[
    Model::SeasonalNaive,
    Model::Ses,
    Model::AutoEts,
    Model::DynamicOptimizedTheta,
    Model::Ces,
    Model::MstlEts,
    Model::MstlTheta,
    Model::MstlCes,
    Model::LogMstlTheta,
    Model::CrostonOptimized,
    Model::Sba,
    Model::Tsb,
    Model::BlendMedian,
    Model::BlendWeighted,
];

/// How much a model costs and what it is made for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Made for demand that comes and goes.
    Intermittent,
    /// Searches many parameters, or decomposes.
    Costly,
    Any,
}

fn kind(model: Model) -> Kind {
    match model {
        Model::CrostonOptimized | Model::Sba | Model::Tsb => Kind::Intermittent,
        Model::AutoEts
        | Model::DynamicOptimizedTheta
        | Model::Ces
        | Model::MstlEts
        | Model::MstlTheta
        | Model::MstlCes
        | Model::LogMstlTheta => Kind::Costly,
        _ => Kind::Any,
    }
}

/// Whether a model of the portfolio is tried on a series. What was asked for by name is always
/// tried.
pub fn tries(class: DemandClass, daily: bool, model: Model) -> bool {
    match class {
        DemandClass::Smooth | DemandClass::Erratic => {
            // A day's demand that mostly comes still has quiet spells, a week's hardly.
            daily || kind(model) != Kind::Intermittent
        }
        DemandClass::Intermittent | DemandClass::Lumpy => kind(model) != Kind::Costly,
        // Two years of months are few steps, but all there is.
        DemandClass::New => !daily || kind(model) != Kind::Costly,
        DemandClass::Obsolete => {
            may_choose(class, model) || model.is_blend() || is_yardstick(model)
        }
    }
}

/// A series that stopped selling is left to the models that let demand fade.
pub fn may_choose(class: DemandClass, model: Model) -> bool {
    class != DemandClass::Obsolete || matches!(model, Model::Tsb | Model::Ses | Model::Pooled)
}

/// Scored beside everything, for forecast value added and as the last resort.
pub const YARDSTICKS: [Model; 2] = [Model::SeasonalNaive, Model::Mean];

pub fn is_yardstick(model: Model) -> bool {
    YARDSTICKS.contains(&model)
}

/// Says little that better members of a blend don't say: the yardsticks, and Croston beside SBA.
pub fn echoes(model: Model) -> bool {
    is_yardstick(model) || model == Model::CrostonOptimized
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_something_to_choose() {
        for (models, daily) in [(DAILY, true), (OTHER_STEPS, false)] {
            for class in DemandClass::ALL {
                let tried =
                    models.iter().filter(|&&m| tries(class, daily, m) && may_choose(class, m));
                assert!(tried.count() >= 2, "{class:?}");
            }
        }
    }
}
