//! One fitted model, or several whose forecasts are combined: what a series is forecast with.

use serde::{Deserialize, Serialize};

use super::blend::{Blend, Rule, stage};
use super::model::{FitError, FittedModel, History, Model};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ensemble {
    /// The name under which it forecasts: the single part's, or a blend's.
    pub model: Model,
    /// Each with its weights by stage of the horizon; a median only asks whether there are any.
    pub parts: Vec<(FittedModel, Vec<f64>)>,
    /// Steps of a stage.
    pub stage_steps: usize,
}

impl Ensemble {
    /// `wanted` or, when it has no fit, its fallback and the reason.
    pub fn single(wanted: Model, history: &History) -> (Ensemble, Option<FitError>) {
        let (fitted, error) = wanted.fit_or_fall_back(history);
        let parts = vec![(fitted, vec![1.0])];
        (Ensemble { model: parts[0].0.model(), parts, stage_steps: usize::MAX }, error)
    }

    /// Those of the candidates `models` that have a weight in the blend and a fit; `None` when there
    /// is none.
    pub fn blend(
        wanted: Model,
        blend: &Blend,
        models: &[Model],
        history: &History,
    ) -> Option<Ensemble> {
        let parts: Vec<(FittedModel, Vec<f64>)> = (0..models.len())
            .filter(|&candidate| blend.has(candidate))
            .filter_map(|c| models[c].fit(history).ok().map(|fitted| (fitted, blend.of(c))))
            .collect();
        let stage_steps = blend.stage_steps;
        (!parts.is_empty()).then_some(Ensemble { model: wanted, parts, stage_steps })
    }

    /// One more step, NaN where demand was not seen whole.
    pub fn update(&mut self, demand: f64) {
        self.parts.iter_mut().for_each(|(fitted, _)| fitted.update(demand));
    }

    /// Mean demand of the next `steps` steps.
    pub fn forecast(&self, steps: usize) -> Vec<f64> {
        self.combine(&self.members(steps))
    }

    /// Mean demand of the next `steps` steps as each part sees it.
    pub fn members(&self, steps: usize) -> Vec<Vec<f64>> {
        let mut means = vec![vec![0.0; steps]; self.parts.len()];
        for ((fitted, _), mean) in self.parts.iter().zip(&mut means) {
            fitted.forecast(mean);
        }
        means
    }

    /// What the parts' means come to together.
    pub fn combine(&self, means: &[Vec<f64>]) -> Vec<f64> {
        if let [mean] = means {
            return mean.clone();
        }
        let steps = means.first().map_or(0, Vec::len);
        let rule = match self.model {
            Model::BlendMedian => Rule::Median,
            _ => Rule::Weighted,
        };
        let mut values = vec![(0.0, 0.0); self.parts.len()];
        (0..steps)
            .map(|step| {
                for ((value, mean), (_, of)) in values.iter_mut().zip(means).zip(&self.parts) {
                    *value = (mean[step], of[stage(step, self.stage_steps, of.len())]);
                }
                rule.combine(&mut values)
            })
            .collect()
    }

    /// Shares of the parts at a step, which add up to one; a median's have equal ones.
    pub fn shares(&self, step: usize) -> Vec<f64> {
        let weight = |of: &Vec<f64>| match self.model {
            Model::BlendMedian => 1.0,
            _ => of[stage(step, self.stage_steps, of.len())],
        };
        let weights: Vec<f64> = self.parts.iter().map(|(_, of)| weight(of)).collect();
        let total: f64 = weights.iter().sum();
        let even = 1.0 / weights.len() as f64;
        weights.iter().map(|weight| if total > 0.0 { weight / total } else { even }).collect()
    }

    /// Share that a model has in it, over the stages.
    pub fn share(&self, of: Model) -> f64 {
        let total: f64 = self.parts.iter().flat_map(|(_, weights)| weights).sum();
        let own = self.parts.iter().filter(|(fitted, _)| fitted.model() == of);
        own.flat_map(|(_, weights)| weights).sum::<f64>() / total
    }

    /// Share of those that know of drivers by themselves.
    pub fn pooled_share(&self) -> f64 {
        self.share(Model::Pooled) + self.share(Model::Trees)
    }

    /// Gives the pooled models what they go on with, from their next step on. Without `means` there
    /// is nothing to be had from the trees any more; whether something else remains is returned.
    pub fn resume(&mut self, factors: &[f32], means: Option<&[f32]>) -> bool {
        for (fitted, _) in &mut self.parts {
            match fitted {
                FittedModel::Pooled(level) => level.resume(factors.to_vec()),
                FittedModel::Trees(ahead) => ahead.resume(means.unwrap_or_default().to_vec()),
                _ => {}
            }
        }
        if means.is_none_or(<[f32]>::is_empty) {
            self.parts.retain(|(fitted, _)| fitted.model() != Model::Trees);
        }
        !self.parts.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_blend_goes_on_as_if_it_had_never_been_away() {
        let demand: Vec<f64> = (0..90).map(|t| f64::from((t * 7 + t % 7 * 3) % 23)).collect();
        let models = [Model::Ses, Model::SeasonalNaive, Model::Tsb];
        for (wanted, rule) in
            [(Model::BlendMedian, Rule::Median), (Model::BlendWeighted, Rule::Weighted)]
        {
            let weights = vec![vec![0.5, 0.3, 0.2], vec![0.2, 0.3, 0.5]];
            let blend = Blend { rule, stage_steps: 4, weights };
            let fit = |n: usize| {
                let history = History::of(&demand[..n]);
                Ensemble::blend(wanted, &blend, &models, &history).unwrap()
            };
            let mut kept = fit(80);
            let bytes = postcard::to_stdvec(&kept).unwrap();
            let mut read: Ensemble = postcard::from_bytes(&bytes).unwrap();
            for &d in &demand[80..] {
                kept.update(d);
                read.update(d);
            }
            assert_eq!(kept.forecast(9), read.forecast(9));
        }
    }
}
