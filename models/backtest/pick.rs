//! Who forecasts each series, and who would have on the evidence of the other cutoffs alone.

use rayon::prelude::*;

use super::choose::{Choice, choose, relative};
use super::judge::{Judge, Losses, PerClass};
use super::portfolio::{is_yardstick, may_choose, tries};
use crate::forecast::demand_class::DemandClass;
use crate::forecast::model::Model;

/// Choices of all series.
pub struct Picked {
    pub choices: Vec<Option<Choice>>,
    /// Per series and cutoff the candidate that is chosen without what followed the cutoff, so that
    /// spread and scores are of days that had no say; empty where nothing was chosen or tried.
    pub held: Vec<Vec<usize>>,
}

impl Picked {
    /// One model for every series.
    pub fn only(judge: &Judge, candidate: Option<usize>) -> Picked {
        let held = |(_, trial): &(DemandClass, super::trial::Trial)| match candidate {
            Some(c) if trial.has(c) => vec![c; trial.origins.count],
            _ => Vec::new(),
        };
        Picked {
            choices: vec![candidate.map(Choice::only); judge.trials.len()],
            held: judge.trials.iter().map(held).collect(),
        }
    }

    /// The choice of every series among the portfolio; the seasonal naive and the mean may be scored
    /// without being in it. In a class whose series would have done no better by choosing for
    /// themselves than by taking what is best for all, they take that.
    pub fn among(judge: &Judge, losses: &[Losses], portfolio: &[Model], daily: bool) -> Picked {
        let chooser = Chooser::new(judge, losses, portfolio, daily);
        let free = vec![true; DemandClass::ALL.len()];
        let alone = chooser.held(&free);
        let together = chooser.held(&vec![false; DemandClass::ALL.len()]);
        let free = chooser.where_choosing_pays(&alone, &together);
        let choices = (0..losses.len()).into_par_iter().map(|i| chooser.choice(i, &free)).collect();
        let of_class = |i: usize| free[judge.trials[i].0 as usize];
        let held = alone.into_iter().zip(together).enumerate();
        let held = held.map(|(i, (alone, all))| if of_class(i) { alone } else { all }).collect();
        Picked { choices, held }
    }
}

struct Chooser<'a> {
    judge: &'a Judge<'a>,
    losses: &'a [Losses],
    portfolio: &'a [Model],
    daily: bool,
    averages: PerClass<f64>,
    parameters: Vec<usize>,
}

impl<'a> Chooser<'a> {
    fn new(
        judge: &'a Judge<'a>,
        losses: &'a [Losses],
        portfolio: &'a [Model],
        daily: bool,
    ) -> Chooser<'a> {
        let parameters = judge.models.iter().map(|model| model.parameters()).collect();
        let averages = Vec::new();
        let mut chooser = Chooser { judge, losses, portfolio, daily, averages, parameters };
        let own: Vec<Vec<f64>> =
            (0..losses.len()).into_par_iter().map(|i| chooser.own(i, None)).collect();
        chooser.averages = judge.class_losses(&own);
        chooser
    }

    fn class(&self, i: usize) -> DemandClass {
        self.judge.trials[i].0
    }

    fn routed(&self, i: usize, model: Model) -> bool {
        self.portfolio.contains(&model) && tries(self.class(i), self.daily, model)
    }

    /// Losses of a series, but for what follows cutoff `without`. What else was asked for by name
    /// must not move the choice.
    fn own(&self, i: usize, without: Option<usize>) -> Vec<f64> {
        let losses = &self.losses[i];
        let loss = |(c, &model): (usize, &Model)| match without {
            _ if !is_yardstick(model) && !self.routed(i, model) => f64::NAN,
            Some(k) => losses.without(c, k),
            None => losses.loss[c],
        };
        self.judge.models.iter().enumerate().map(loss).collect()
    }

    /// `free` says in which classes a series' own losses count.
    fn choice(&self, i: usize, free: &[bool]) -> Option<Choice> {
        self.choice_from(i, &self.own(i, None), self.losses[i].days, free)
    }

    fn choice_from(&self, i: usize, own: &[f64], days: f64, free: &[bool]) -> Option<Choice> {
        let class = self.class(i);
        let (judge, trial) = (self.judge, &self.judge.trials[i].1);
        let days = if free[class as usize] { days } else { 0.0 };
        choose(own, days, &self.averages[class as usize], &self.parameters, |c| {
            let model = judge.models[c];
            let fitted = trial.origins.count == 0 || trial.has(c);
            fitted && self.routed(i, model) && may_choose(class, model)
        })
    }

    fn held(&self, free: &[bool]) -> Vec<Vec<usize>> {
        (0..self.losses.len())
            .into_par_iter()
            .map(|i| {
                let losses = &self.losses[i];
                let of = |k: usize| {
                    let days = losses.days - losses.cutoff_days.get(k).copied().unwrap_or(0.0);
                    let choice = self.choice_from(i, &self.own(i, Some(k)), days, free)?;
                    self.judge.trials[i].1.has(choice.best).then_some(choice.best)
                };
                let all: Option<Vec<usize>> =
                    (0..self.judge.trials[i].1.origins.count).map(of).collect();
                all.unwrap_or_default()
            })
            .collect()
    }

    /// Per class whether choices of single series lose less than the class's, on days that neither
    /// has seen; each series counts alike.
    fn where_choosing_pays(&self, alone: &[Vec<usize>], together: &[Vec<usize>]) -> Vec<bool> {
        let mut sums = vec![(0.0, 0.0); DemandClass::ALL.len()];
        for (i, losses) in self.losses.iter().enumerate() {
            let (alone, together) = (&alone[i], &together[i]);
            let mut ratio = losses.loss.clone();
            let known = relative(&losses.loss, &mut ratio);
            if alone.is_empty() || together.is_empty() || !known {
                continue;
            }
            let pinball = |held: &[usize]| -> f64 {
                held.iter().enumerate().filter_map(|(k, &c)| losses.of_cutoffs[c].get(k)).sum()
            };
            let first = losses.loss.iter().zip(&ratio).find(|(_, ratio)| **ratio > 0.0);
            let mean = first.map_or(0.0, |(loss, ratio)| loss / ratio) * losses.days;
            if mean > 0.0 {
                let sum = &mut sums[self.class(i) as usize];
                sum.0 += pinball(alone) / mean;
                sum.1 += pinball(together) / mean;
            }
        }
        sums.iter().map(|(alone, together)| alone < together).collect()
    }
}
