//! The chosen model of a series: fitted to its whole history or followed from what is remembered,
//! and made into a forecast.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::explain::{AddedEvents, Made};
use super::memory::{PanelMemory, SeriesMemory, SeriesPlan, fingerprint};
use super::partial::Training;
use super::taught::TreesTonight;
use crate::distribution::luck::SharedLuck;
use crate::distribution::shape::SpreadShape;
use crate::finding::{Code, Finding};
use crate::forecast::demand_class::DemandClass;
use crate::forecast::drivers::ForecastInput;
use crate::forecast::ensemble::Ensemble;
use crate::forecast::model::{FitError, History, Model, seen_demand};
use crate::forecast::pooled::explain::{DayLogs, Ledger};
use crate::forecast::pooled::learn::{Effects, Learner};
use crate::forecast::sku_forecast::SkuForecast;
use crate::forecast::split::{Part, Split};
use crate::series::FULLY_AVAILABLE;

/// The recent days whose events the level already contains.
const RECENT_DAYS: usize = 28;

/// Everything that the last fits need.
pub struct Finisher<'a> {
    pub input: &'a ForecastInput<'a>,
    pub training: &'a Training<'a>,
    pub horizon_days: usize,
    pub seasons: &'a [usize],
    pub memory: &'a PanelMemory,
    /// Per class, as in the memory.
    pub shapes: &'a [Arc<SpreadShape>],
    /// Learned from the whole history, when the pooled model is in the portfolio.
    pub learned: Option<(&'a Learner<'a>, &'a Effects)>,
    /// What its columns belong to.
    pub ledger: Option<&'a Ledger>,
    /// What the trees say, as long as they are remembered.
    pub trees: Option<&'a TreesTonight>,
    /// Whether forecasts without drivers get the events' factors.
    pub add_events: bool,
}

/// A series' forecast, and what to remember of it; nothing new when it was followed.
#[derive(Serialize, Deserialize)]
pub struct Finished {
    pub forecast: SkuForecast,
    pub findings: Vec<Finding>,
    pub memory: Option<SeriesMemory>,
}

impl Finisher<'_> {
    /// Fits what was decided to the whole history.
    pub fn finish(&self, i: usize, plan: SeriesPlan) -> Finished {
        let series = self.input.panel.series(i);
        let demand = self.demand(i, &plan);
        let category = self.input.meta[i].category as usize;
        // Effects are kept in single precision, so that what is read back is what was used.
        let beta: Option<Vec<f32>> = self.learned.map(|(learner, effects)| {
            let beta = learner.series_beta(i, category, effects);
            beta.into_iter().map(|effect| effect as f32).collect()
        });
        let wide = beta.as_deref().map(widened);
        let pooled = self
            .learned
            .zip(wide.as_ref())
            .map(|((learner, effects), beta)| learner.series(i, category, effects, beta));
        let history = History {
            demand: &demand,
            seasons: self.seasons,
            pooled: pooled.as_ref(),
            trees: self.trees.map(|trees| trees.means[i].as_slice()),
        };
        let mut findings = Vec::new();
        let ensemble = self.fit(&plan, &history, &mut findings);
        let end = series.end();
        let past = fingerprint(&series, end);
        let key = self.input.meta[i].key;
        let memory = SeriesMemory { key, plan, ensemble, beta, end, past, findings };
        let (forecast, findings) = self.forecast(i, &demand, &memory, &memory.ensemble);
        Finished { forecast, findings, memory: Some(memory) }
    }

    /// Lets a remembered model take the days since, or fits it anew when it has lost its series.
    pub fn follow(&self, i: usize, memory: &SeriesMemory) -> Finished {
        let series = self.input.panel.series(i);
        let demand = self.demand(i, &memory.plan);
        let mut ensemble = memory.ensemble.clone();
        let mut whole = true;
        if let Some(((learner, _), beta)) = self.learned.zip(memory.beta.as_deref()) {
            let factors = learner.factors(i, &widened(beta), memory.seen(&series));
            let means = self.trees.map(|trees| trees.since_fit(i));
            whole = ensemble.resume(&factors, means.as_deref());
        }
        if !whole || memory.follow(&mut ensemble, &series, &demand).is_err() {
            return self.finish(i, memory.plan.clone());
        }
        let (forecast, findings) = self.forecast(i, &demand, memory, &ensemble);
        Finished { forecast, findings, memory: None }
    }

    /// Gives forecasts that were kept the shape of their class, which is not kept with each.
    pub fn shape(&self, finished: &mut [Finished]) {
        for Finished { forecast, .. } in finished {
            forecast.shape = Arc::clone(&self.shapes[forecast.class as usize]);
        }
    }

    /// A yardstick has the days that were seen whole, everything else the partly available ones too.
    fn demand(&self, i: usize, plan: &SeriesPlan) -> Vec<f64> {
        let panel = if plan.is_yardstick() { self.input.panel } else { &*self.training.panel };
        seen_demand(&panel.series(i))
    }

    fn fit(&self, plan: &SeriesPlan, history: &History, findings: &mut Vec<Finding>) -> Ensemble {
        // Without a choice the mean of everything would keep a dead item alive.
        let last_resort =
            if plan.class == DemandClass::Obsolete { Model::Tsb } else { Model::Mean };
        let wanted = plan.wanted.unwrap_or(last_resort);
        let blend = match wanted {
            Model::BlendMedian => Some(&self.memory.median[plan.class as usize]),
            Model::BlendWeighted => Some(&self.memory.weighted[plan.class as usize]),
            _ => None,
        };
        if let Some(blend) = blend {
            let ensemble = Ensemble::blend(wanted, blend, &self.memory.models, history);
            if let Some(ensemble) = ensemble {
                return ensemble;
            }
        }
        let (ensemble, error) = Ensemble::single(wanted, history);
        // A series that never sold has a mean of zero, which is no failure.
        let failed = error.filter(|e| !matches!(e, FitError::TooFewSales { .. }));
        if let Some(error) = failed.filter(|_| history.observed() > 0) {
            let (wanted, used) = (wanted.as_str(), ensemble.model.as_str());
            findings
                .push(Finding::new(Code::ModelFailed, format!("{wanted} {error}; used {used}")));
        }
        ensemble
    }

    fn forecast(
        &self,
        i: usize,
        demand: &[f64],
        memory: &SeriesMemory,
        ensemble: &Ensemble,
    ) -> (SkuForecast, Vec<Finding>) {
        let plan = &memory.plan;
        let mut findings = memory.findings.clone();
        let members = ensemble.members(self.horizon_days);
        let combined = ensemble.combine(&members);
        let mut made = combined.clone();
        let whole_days = if plan.is_yardstick() { 1.0 } else { self.training.whole_days[i] };
        made.iter_mut().for_each(|mean| *mean *= whole_days);
        let beta = memory.beta.as_deref().map(widened);
        let logs = beta.as_deref().map_or_else(Vec::new, |beta| self.day_logs(i, beta));
        let eventful = self.add_events && plan.class != DemandClass::Obsolete;
        let added = beta
            .as_deref()
            .filter(|_| eventful)
            .and_then(|beta| self.add_events(i, beta, ensemble.pooled_share(), &logs, &mut made));
        let mut mean: Vec<f64> = made.into_iter().map(clean).collect();
        let guess = self.oddities(i, demand, plan, ensemble, &mut findings);
        if let Some(guess) = guess {
            mean.fill(clean(guess));
        }
        let made = Made {
            ensemble,
            members: &members,
            combined: &combined,
            season: self.seasons.first().copied().unwrap_or(1),
            logs: &logs,
            trees_level: self.trees.map_or(0.0, |trees| f64::from(trees.level[i])),
            whole_days,
            added,
        };
        let forecast = SkuForecast {
            key: memory.key,
            class: plan.class,
            model: ensemble.model,
            runner_up: plan.runner_up,
            margin: plan.margin as f32,
            split: match guess {
                Some(_) => Split::default(),
                None => made.split(&mean, self.ledger),
            },
            mean,
            dispersion: plan.dispersion as f32,
            shape: Arc::clone(&self.shapes[plan.class as usize]),
            correlation: self.memory.correlation[plan.class as usize] as f32,
            shared: SharedLuck::default(),
            history_days: demand.len() as u32,
            censored_days: (demand.len() - self.whole_days(i)) as u32,
        };
        (forecast, findings)
    }

    /// Days of the history that were seen whole.
    fn whole_days(&self, i: usize) -> usize {
        let available = self.input.panel.series(i).available;
        available.iter().filter(|&&a| a >= FULLY_AVAILABLE).count()
    }

    /// Says what is odd about a history, and gives what stands for the mean where none of its days
    /// can be used.
    fn oddities(
        &self,
        i: usize,
        demand: &[f64],
        plan: &SeriesPlan,
        ensemble: &Ensemble,
        findings: &mut Vec<Finding>,
    ) -> Option<f64> {
        let observed = demand.iter().filter(|d| !d.is_nan()).count();
        let days = demand.len();
        let mut guess = None;
        if self.whole_days(i) == 0 && days > 0 {
            let detail = if observed == 0 {
                let sold = self.sales_over_availability(i);
                guess = Some(sold);
                format!("none of {days} days can be used; sales over availability gave {sold:.3}")
            } else {
                format!("none of {days} days was whole; {observed} that were partly so had to do")
            };
            findings.push(Finding::new(Code::AllCensored, detail));
        } else if !plan.tried {
            let used = ensemble.model.as_str();
            let detail =
                format!("{observed} observed days are too few for a backtest; used {used}");
            findings.push(Finding::new(Code::ShortHistory, detail));
        }
        guess
    }

    /// Holidays and peaks reach every forecast, also one whose model has no drivers: the weeks on
    /// which it was chosen may have held no such day. What the recent level already contains of
    /// events is taken out, and the pooled share has its own.
    fn add_events(
        &self,
        i: usize,
        beta: &[f64],
        pooled_share: f64,
        logs: &[DayLogs],
        made: &mut [f64],
    ) -> Option<AddedEvents> {
        let (learner, _) = self.learned?;
        let share = 1.0 - pooled_share;
        if share <= 0.0 {
            return None;
        }
        let history = self.input.panel.series(i).len();
        let recent = history.saturating_sub(RECENT_DAYS)..history;
        let [_, recent, ..] = learner.parts(i, beta, recent);
        let recent = recent.max(1e-6);
        for (mean, logs) in made.iter_mut().zip(logs) {
            *mean *= (logs.of(Part::Events).exp() / recent).powf(share);
        }
        Some(AddedEvents { share, recent: recent.ln() })
    }

    /// What the regression says of each day of the horizon.
    fn day_logs(&self, i: usize, beta: &[f64]) -> Vec<DayLogs> {
        let Some(((learner, _), ledger)) = self.learned.zip(self.ledger) else {
            return Vec::new();
        };
        let history = self.input.panel.series(i).len();
        learner.day_logs(ledger, i, beta, history..history + self.horizon_days)
    }

    /// Units per fully available day when no day was fully available.
    fn sales_over_availability(&self, i: usize) -> f64 {
        let series = self.input.panel.series(i);
        let available: f64 = series.available.iter().map(|&a| f64::from(a.clamp(0.0, 1.0))).sum();
        if available > 0.0 { series.sold.iter().sum::<f64>() / available } else { 0.0 }
    }
}

fn widened(beta: &[f32]) -> Vec<f64> {
    beta.iter().map(|&effect| f64::from(effect)).collect()
}

fn clean(mean: f64) -> f64 {
    if mean.is_finite() { mean.clamp(0.0, 1e15) } else { 0.0 }
}
