//! What a night remembers, so that the next nights follow instead of searching again.
//!
//! A refit chooses models and fits them. Until the next one a series' fitted models take each new
//! day as it comes, which gives what filtering the whole history with the same parameters gives. A
//! series whose errors drift, whose past was corrected or that is new is fitted anew with the
//! remembered choice.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::levels::Kept;
use super::levels::luck::Luck;
use super::panel::EffectRow;
use super::portfolio::is_yardstick;
use super::scores::ScoreRow;
use crate::calendar::Day;
use crate::distribution::count::CountDemand;
use crate::distribution::paths::mix;
use crate::distribution::shape::SpreadShape;
use crate::finding::Finding;
use crate::forecast::blend::Blend;
use crate::forecast::demand_class::DemandClass;
use crate::forecast::ensemble::Ensemble;
use crate::forecast::model::Model;
use crate::forecast::pooled::learn::Effects;
use crate::forecast::trees::learner::TreesLearner;
use crate::series::Series;

/// So many days before the end must be as they were.
const FINGERPRINT_DAYS: usize = 56;
/// A day's error counts up to so many standard deviations, so that one wild day is no drift.
const ERROR_SCORE_MAX: f64 = 4.0;
/// Page (1954): errors beyond the slack add up; over the limit the model has lost its series.
const DRIFT_SLACK: f64 = 0.5;
const DRIFT_LIMIT: f64 = 6.0;

/// What was decided about a series by the backtest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeriesPlan {
    pub class: DemandClass,
    /// `None` leaves it to the last resort of the class.
    pub wanted: Option<Model>,
    pub runner_up: Option<Model>,
    pub margin: f64,
    pub dispersion: f64,
    /// Whether it had days to be scored on.
    pub tried: bool,
}

impl SeriesPlan {
    pub fn is_yardstick(&self) -> bool {
        self.wanted.is_some_and(is_yardstick)
    }
}

/// What the series of a panel share.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PanelMemory {
    /// Of the configuration and of what features mean; another one remembers nothing.
    pub fingerprint: u64,
    pub models: Vec<Model>,
    /// Members of the median per class.
    pub median: Vec<Blend>,
    /// Weights of the weighted blend per class.
    pub weighted: Vec<Blend>,
    /// Per class, with a dispersion of the class, for a series that is new.
    pub plans: Vec<SeriesPlan>,
    /// Per class.
    pub correlation: Vec<f64>,
    /// Per class.
    pub shapes: Vec<SpreadShape>,
    pub effects: Option<Effects>,
    /// As long as they earn a part in a blend.
    pub trees: Option<TreesLearner>,
    pub effect_rows: Vec<EffectRow>,
    pub scores: Vec<ScoreRow>,
    /// What the series share.
    pub luck: Luck,
    /// By how much the series were moved to add up with their sums.
    pub kept: Kept,
}

/// One series' fitted models and what they had seen.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SeriesMemory {
    /// [`crate::forecast::drivers::SeriesMeta::key`].
    pub key: u64,
    pub plan: SeriesPlan,
    pub ensemble: Ensemble,
    /// Its effects, when there is a pooled model.
    pub beta: Option<Vec<f32>>,
    /// The day after the last it has seen.
    pub end: Day,
    /// Of the last days that it has seen.
    pub past: u64,
    /// What was odd about the fit, to be said every night that it is used.
    pub findings: Vec<Finding>,
}

/// A night's memory of a whole panel.
#[derive(Clone, Debug)]
pub struct Memory {
    pub panel: PanelMemory,
    pub series: HashMap<u64, SeriesMemory>,
}

/// Why a series is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// Days that it had seen are no longer there, or no longer as they were.
    PastChanged,
    Drifted,
}

impl SeriesMemory {
    /// Whether the days that it has seen are still what they were.
    pub fn knows(&self, series: &Series) -> bool {
        let seen = self.end - series.start;
        seen >= 0 && seen as usize <= series.len() && self.past == fingerprint(series, self.end)
    }

    /// History days of the series that it has seen.
    pub fn seen(&self, series: &Series) -> usize {
        (self.end - series.start).clamp(0, series.len() as i32) as usize
    }

    /// Lets a copy of its ensemble take the days since, in `demand` from the series' start on, and
    /// says whether it still holds the series by a two-sided CUSUM of standardised one-day errors.
    ///
    /// # Errors
    /// When the past is another one, or the errors drift.
    pub fn follow(
        &self,
        ensemble: &mut Ensemble,
        series: &Series,
        demand: &[f64],
    ) -> Result<(), Lost> {
        if !self.knows(series) {
            return Err(Lost::PastChanged);
        }
        let (mut high, mut low) = (0.0f64, 0.0f64);
        for &actual in &demand[self.seen(series)..] {
            if !actual.is_nan() {
                let day = CountDemand::new(ensemble.forecast(1)[0], self.plan.dispersion);
                let deviation = day.variance().sqrt().max(0.5);
                let score = (actual - day.mean()) / deviation;
                let score = score.clamp(-ERROR_SCORE_MAX, ERROR_SCORE_MAX);
                high = (high + score - DRIFT_SLACK).max(0.0);
                low = (low - score - DRIFT_SLACK).max(0.0);
            }
            ensemble.update(actual);
        }
        if high.max(low) > DRIFT_LIMIT { Err(Lost::Drifted) } else { Ok(()) }
    }
}

/// Of what was sold and available on the last days before `end`.
pub fn fingerprint(series: &Series, end: Day) -> u64 {
    let before = series.before(end);
    let from = before.len().saturating_sub(FINGERPRINT_DAYS);
    let days = before.sold[from..].iter().zip(&before.available[from..]);
    days.fold(mix(end.0 as u64), |hash, (sold, available)| {
        mix(mix(hash ^ sold.to_bits()) ^ u64::from(available.to_bits()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::model::History;

    fn remembered(demand: &[f64], seen: usize) -> SeriesMemory {
        let available = vec![1.0; demand.len()];
        let series = Series { start: Day(100), sold: demand, available: &available };
        let (ensemble, _) = Ensemble::single(Model::Ses, &History::of(&demand[..seen]));
        let plan = SeriesPlan {
            class: DemandClass::Smooth,
            wanted: Some(Model::Ses),
            runner_up: None,
            margin: 0.0,
            dispersion: 0.05,
            tried: true,
        };
        let end = Day(100) + seen as i32;
        let past = fingerprint(&series, end);
        SeriesMemory { key: 1, plan, ensemble, beta: None, end, past, findings: Vec::new() }
    }

    fn follow(memory: &SeriesMemory, series: &Series, demand: &[f64]) -> Result<(), Lost> {
        memory.follow(&mut memory.ensemble.clone(), series, demand)
    }

    fn check(want: Result<(), Lost>, days: impl Fn(usize) -> f64) {
        let demand: Vec<f64> =
            (0..66).map(|t| if t < 60 { f64::from(20 + t as i32 % 3) } else { days(t) }).collect();
        let available = vec![1.0; demand.len()];
        let series = Series { start: Day(100), sold: &demand, available: &available };
        assert_eq!(follow(&remembered(&demand, 60), &series, &demand), want);
    }

    #[test]
    fn a_model_is_kept_as_long_as_its_errors_do_not_drift() {
        check(Ok(()), |t| f64::from(19 + t as i32 % 4));
        // One wild day is no drift; a new level is.
        check(Ok(()), |t| if t == 62 { 300.0 } else { 21.0 });
        check(Err(Lost::Drifted), |_| 60.0);
        check(Err(Lost::Drifted), |_| 2.0);
        check(Ok(()), |_| f64::NAN);
    }

    #[test]
    fn a_corrected_past_is_not_followed() {
        let demand: Vec<f64> = (0..70).map(|t| f64::from(t % 5)).collect();
        let memory = remembered(&demand, 65);
        let mut corrected = demand.clone();
        corrected[50] += 1.0;
        let available = vec![1.0; demand.len()];
        let series = Series { start: Day(100), sold: &corrected, available: &available };
        assert_eq!(follow(&memory, &series, &corrected), Err(Lost::PastChanged));
        // A history that starts later is the same past, as long as the last days are there.
        let later = Series { start: Day(105), sold: &demand[5..], available: &available[5..] };
        assert_eq!(follow(&remembered(&demand, 65), &later, &demand[5..]), Ok(()));
    }
}
