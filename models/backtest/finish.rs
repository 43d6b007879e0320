//! The chosen model of a series, fitted to its whole history.

use std::sync::Arc;

use super::choose::Choice;
use super::judge::{Judge, PerClass};
use crate::distribution::shape::SpreadShape;
use crate::finding::{Code, Finding};
use crate::forecast::blend::Blend;
use crate::forecast::demand_class::DemandClass;
use crate::forecast::model::{FitError, History, Model, seen_demand};
use crate::forecast::pooled::learn::{Effects, Learner};
use crate::forecast::sku_forecast::{Components, SkuForecast, average};

/// Everything that the last fits need.
pub struct Finisher<'a> {
    pub judge: &'a Judge<'a>,
    pub keys: &'a [u64],
    pub categories: &'a [usize],
    pub horizon_days: usize,
    pub seasons: &'a [usize],
    /// Learned from the whole history, when the pooled model is in the portfolio.
    pub learned: Option<(&'a Learner<'a>, &'a Effects)>,
    /// Whether forecasts without drivers get the events' factors.
    pub add_events: bool,
    pub dispersion: &'a PerClass<f64>,
    /// Factor on the dispersion per class.
    pub calibration: &'a [f64],
    /// Per class.
    pub shapes: &'a [Arc<SpreadShape>],
    /// Per class.
    pub correlation: &'a [f64],
    /// Weights of the weighted blend per class.
    pub weighted: &'a [Blend],
    /// Candidates that blends may combine.
    pub members: &'a [usize],
}

/// Mean demand of the horizon and how it came about.
struct Made {
    model: Model,
    mean: Vec<f64>,
    /// Share that the pooled model has in it.
    pooled_share: f64,
}

impl Finisher<'_> {
    pub fn finish(&self, i: usize, choice: Option<Choice>) -> (SkuForecast, Vec<Finding>) {
        let demand = seen_demand(&self.judge.panel.series(i));
        let (class, trial) = &self.judge.trials[i];
        let beta = self
            .learned
            .map(|(learner, effects)| learner.series_beta(i, self.categories[i], effects));
        let pooled = self
            .learned
            .zip(beta.as_ref())
            .map(|((learner, effects), beta)| learner.series(i, self.categories[i], effects, beta));
        let history = History { demand: &demand, seasons: self.seasons, pooled: pooled.as_ref() };
        // Without a choice the mean of everything would keep a dead item alive.
        let last_resort = if *class == DemandClass::Obsolete { Model::Tsb } else { Model::Mean };
        let wanted = choice.map_or(last_resort, |c| self.judge.models[c.best]);
        let mut findings = Vec::new();
        let mut made = match self.blend(wanted, *class as usize, &history) {
            Some(made) => made,
            None => self.single(wanted, &history, &mut findings),
        };
        let eventful = self.add_events && *class != DemandClass::Obsolete;
        if let Some(beta) = beta.as_deref().filter(|_| eventful) {
            self.add_events(i, beta, &mut made);
        }
        let mut mean: Vec<f64> = made.mean.iter().map(|&m| clean(m)).collect();
        let observed = history.observed();
        if observed == 0 && !demand.is_empty() {
            let guess = self.sales_over_availability(i);
            mean.fill(clean(guess));
            let days = demand.len();
            let detail = format!(
                "none of {days} days was fully available; \
                 sales over availability gave {guess:.3} a day"
            );
            findings.push(Finding::new(Code::AllCensored, detail));
        } else if trial.origins.count == 0 {
            let detail = format!(
                "{observed} observed days are too few for a backtest; used {}",
                made.model.as_str()
            );
            findings.push(Finding::new(Code::ShortHistory, detail));
        }
        let row = &self.dispersion[*class as usize];
        let dispersion = match choice {
            Some(c) if trial.has(c.best) => self.judge.dispersion(i, c.best, row[c.best]),
            Some(c) => row[c.best],
            None => row[0],
        };
        let components = self.components(i, &mean, beta.as_deref(), made.pooled_share);
        let forecast = SkuForecast {
            key: self.keys[i],
            class: *class,
            model: made.model,
            runner_up: choice.and_then(|c| c.runner_up).map(|c| self.judge.models[c]),
            margin: choice.map_or(0.0, |c| c.margin as f32),
            components,
            mean,
            dispersion: (self.calibration[*class as usize] * dispersion) as f32,
            shape: Arc::clone(&self.shapes[*class as usize]),
            correlation: self.correlation[*class as usize] as f32,
            history_days: demand.len() as u32,
            censored_days: (demand.len() - observed) as u32,
        };
        (forecast, findings)
    }

    /// Holidays and peaks reach every forecast, also one whose model has no drivers: the weeks on
    /// which it was chosen may have held no such day. What the recent level already contains of
    /// events is taken out, and the pooled share has its own.
    fn add_events(&self, i: usize, beta: &[f64], made: &mut Made) {
        let Some((learner, _)) = self.learned else { return };
        let without = 1.0 - made.pooled_share;
        if without <= 0.0 {
            return;
        }
        let history = self.judge.panel.series(i).len();
        let [_, recent, ..] = learner.parts(i, beta, history.saturating_sub(28)..history);
        for (day, mean) in made.mean.iter_mut().enumerate() {
            let [_, events, ..] = learner.parts(i, beta, history + day..history + day + 1);
            *mean *= (events / recent.max(1e-6)).powf(without);
        }
    }

    fn single(&self, wanted: Model, history: &History, findings: &mut Vec<Finding>) -> Made {
        let (fitted, error) = wanted.fit_or_fall_back(history);
        let model = fitted.model();
        // A series that never sold has a mean of zero, which is no failure.
        let failed = error.filter(|e| !matches!(e, FitError::TooFewSales { .. }));
        if let Some(error) = failed.filter(|_| history.observed() > 0) {
            let detail = format!("{} {error}; used {}", wanted.as_str(), model.as_str());
            findings.push(Finding::new(Code::ModelFailed, detail));
        }
        let mut mean = vec![0.0; self.horizon_days];
        fitted.forecast(&mut mean);
        Made { model, mean, pooled_share: f64::from(u8::from(model == Model::Pooled)) }
    }

    /// `None` when `wanted` is no blend or no member could be fitted.
    fn blend(&self, wanted: Model, class: usize, history: &History) -> Option<Made> {
        let blend = match wanted {
            Model::BlendMedian => &Blend::Median,
            Model::BlendWeighted => &self.weighted[class],
            _ => return None,
        };
        let mut forecasts: Vec<(Vec<f64>, f64)> = Vec::new();
        let mut pooled_weight = 0.0;
        for &member in self.members.iter().filter(|&&member| blend.weight(member) > 0.0) {
            let model = self.judge.models[member];
            if let Ok(fitted) = model.fit(history) {
                let mut mean = vec![0.0; self.horizon_days];
                fitted.forecast(&mut mean);
                forecasts.push((mean, blend.weight(member)));
                if model == Model::Pooled {
                    pooled_weight = blend.weight(member);
                }
            }
        }
        if forecasts.is_empty() {
            return None;
        }
        let total: f64 = forecasts.iter().map(|(_, weight)| weight).sum();
        let mut values = vec![(0.0, 0.0); forecasts.len()];
        let mean = (0..self.horizon_days)
            .map(|day| {
                for (value, (mean, weight)) in values.iter_mut().zip(&forecasts) {
                    *value = (mean[day], *weight);
                }
                blend.combine(&mut values)
            })
            .collect();
        Some(Made { model: wanted, mean, pooled_share: pooled_weight / total })
    }

    /// The pooled model's parts as far as it has a share, and the level that remains.
    fn components(&self, i: usize, mean: &[f64], beta: Option<&[f64]>, share: f64) -> Components {
        let level = average(mean) as f32;
        let (Some((learner, _)), Some(beta)) = (self.learned, beta) else {
            return Components::level_only(level);
        };
        if share <= 0.0 {
            return Components::level_only(level);
        }
        let history = self.judge.panel.series(i).len();
        let parts = learner.parts(i, beta, history..history + self.horizon_days);
        let [season, events, promo, price, weather] = parts.map(|part| part.powf(share) as f32);
        let level = level / (season * events * promo * price * weather).max(1e-6);
        Components { level, season, events, promo, price, weather }
    }

    /// Units per fully available day when no day was fully available.
    fn sales_over_availability(&self, i: usize) -> f64 {
        let series = self.judge.panel.series(i);
        let available: f64 = series.available.iter().map(|&a| f64::from(a.clamp(0.0, 1.0))).sum();
        if available > 0.0 { series.sold.iter().sum::<f64>() / available } else { 0.0 }
    }
}

fn clean(mean: f64) -> f64 {
    if mean.is_finite() { mean.clamp(0.0, 1e15) } else { 0.0 }
}
