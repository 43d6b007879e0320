//! The forecast of a whole panel: every model on trial, the best per series fitted to everything.

use rayon::prelude::*;

use super::choose::{Choice, choose, relative};
use super::scores::{ScoreRow, ScoreSums};
use super::spread::{CorrelationSums, DispersionSums, Window};
use super::trial::{Candidate, Origins, Trial};
use crate::distribution::count::CountDemand;
use crate::finding::{Code, Finding};
use crate::forecast::demand_class::DemandClass;
use crate::forecast::drivers::{ForecastInput, InputError};
use crate::forecast::model::{History, Model};
use crate::forecast::sku_forecast::{Components, SkuForecast, average};

/// How a panel is forecast.
#[derive(Clone, Debug, PartialEq)]
pub struct ForecastConfig {
    pub horizon_days: usize,
    /// Rolling-origin cutoffs, fewer on a short history.
    pub cutoffs: usize,
    pub cutoff_step_days: usize,
    /// The portfolio; the seasonal naive is always scored beside it.
    pub models: Vec<Model>,
}

impl Default for ForecastConfig {
    fn default() -> ForecastConfig {
        ForecastConfig {
            horizon_days: 14,
            cutoffs: 4,
            cutoff_step_days: 7,
            models: Model::ALL.iter().copied().filter(|m| *m != Model::Launch).collect(),
        }
    }
}

/// Forecasts and what is known of their quality.
#[derive(Clone, Debug, PartialEq)]
pub struct PanelForecast {
    /// One per series of the panel, in its order.
    pub series: Vec<SkuForecast>,
    /// Per demand class and for `all`: one row per model and one for `chosen`.
    pub scores: Vec<ScoreRow>,
    /// Index of the series and what is odd about it.
    pub findings: Vec<(usize, Finding)>,
}

/// Forecasts every series of the panel. The same input gives the same bits whatever the number of
/// threads.
///
/// # Errors
/// When the input's parts do not fit together; trouble with single series is a finding.
pub fn forecast_panel(
    input: &ForecastInput,
    config: &ForecastConfig,
) -> Result<PanelForecast, InputError> {
    input.check(config.horizon_days)?;
    let mut models = config.models.clone();
    models.push(Model::SeasonalNaive);
    models.push(Model::Mean);
    models.retain(|m| *m != Model::Launch);
    models.sort();
    models.dedup();
    let night = Night {
        input,
        config,
        candidates: models.iter().map(|&model| Candidate { model }).collect(),
    };
    let indices = 0..input.panel.len();
    let trials: Vec<(DemandClass, Trial)> =
        indices.clone().into_par_iter().map(|i| night.trial(i)).collect();
    let dispersion = night.class_dispersions(&trials);
    let losses: Vec<Losses> =
        indices.clone().into_par_iter().map(|i| night.losses(i, &trials[i], &dispersion)).collect();
    let averages = night.class_losses(&trials, &losses);
    let choices: Vec<Option<Choice>> = indices
        .clone()
        .into_par_iter()
        .map(|i| night.choose(trials[i].0, &losses[i], &averages))
        .collect();
    let correlation = night.correlations(&trials, &choices, &dispersion);
    let finished: Vec<(SkuForecast, Vec<Finding>)> = indices
        .into_par_iter()
        .map(|i| night.finish(i, &trials[i], choices[i], &dispersion, &correlation))
        .collect();
    let scores = night.scores(&trials, &losses, &choices);
    let mut findings = Vec::new();
    let mut series = Vec::with_capacity(finished.len());
    for (i, (forecast, found)) in finished.into_iter().enumerate() {
        series.push(forecast);
        findings.extend(found.into_iter().map(|finding| (i, finding)));
    }
    Ok(PanelForecast { series, scores, findings })
}

/// A table with a row per demand class and a column per candidate.
type PerClass<T> = Vec<Vec<T>>;

/// Out-of-sample results of one series, per candidate.
struct Losses {
    /// Mean pinball, NaN without a fit or a scored day.
    loss: Vec<f64>,
    sums: Vec<ScoreSums>,
    days: f64,
}

struct Night<'a> {
    input: &'a ForecastInput<'a>,
    config: &'a ForecastConfig,
    candidates: Vec<Candidate>,
}

impl Night<'_> {
    fn demand(&self, i: usize) -> Vec<f64> {
        self.input.panel.series(i).demand().collect()
    }

    fn trial(&self, i: usize) -> (DemandClass, Trial) {
        let demand = self.demand(i);
        let config = self.config;
        let origins = Origins::new(
            demand.len(),
            config.horizon_days,
            config.cutoffs,
            config.cutoff_step_days,
        );
        (DemandClass::of(&demand), Trial::run(&demand, &self.candidates, origins))
    }

    /// Calls `each(cutoff, step, mean, actual)` on every scored day of a candidate.
    fn scored(
        &self,
        i: usize,
        trial: &Trial,
        candidate: usize,
        mut each: impl FnMut(usize, f64, f64),
    ) {
        let series = self.input.panel.series(i);
        for k in 0..trial.origins.count {
            let actual = series.demand().skip(trial.origins.at(k));
            for (&mean, actual) in trial.means(candidate, k).iter().zip(actual) {
                if !actual.is_nan() {
                    each(k, f64::from(mean), actual);
                }
            }
        }
    }

    fn dispersion_sums(&self, i: usize, trial: &Trial, candidate: usize) -> Vec<DispersionSums> {
        let mut sums = vec![DispersionSums::default(); trial.origins.count];
        self.scored(i, trial, candidate, |k, mean, actual| sums[k].add(mean, actual));
        sums
    }

    fn class_dispersions(&self, trials: &[(DemandClass, Trial)]) -> PerClass<f64> {
        let per_series: Vec<Vec<DispersionSums>> = (0..trials.len())
            .into_par_iter()
            .map(|i| {
                let trial = &trials[i].1;
                (0..self.candidates.len())
                    .map(|c| {
                        let mut total = DispersionSums::default();
                        if trial.has(c) {
                            self.dispersion_sums(i, trial, c).iter().for_each(|s| total.merge(s));
                        }
                        total
                    })
                    .collect()
            })
            .collect();
        let mut table =
            vec![vec![DispersionSums::default(); self.candidates.len()]; DemandClass::ALL.len()];
        for ((class, _), sums) in trials.iter().zip(&per_series) {
            let row = &mut table[*class as usize];
            row.iter_mut().zip(sums).for_each(|(total, sums)| total.merge(sums));
        }
        table.iter().map(|row| row.iter().map(DispersionSums::class_dispersion).collect()).collect()
    }

    /// Scores every candidate with a dispersion that has not seen the scored cutoff.
    fn losses(
        &self,
        i: usize,
        (class, trial): &(DemandClass, Trial),
        prior: &PerClass<f64>,
    ) -> Losses {
        let mut losses = Losses {
            loss: vec![f64::NAN; self.candidates.len()],
            sums: vec![ScoreSums::default(); self.candidates.len()],
            days: 0.0,
        };
        for c in 0..self.candidates.len() {
            if !trial.has(c) {
                continue;
            }
            let parts = self.dispersion_sums(i, trial, c);
            let mut total = DispersionSums::default();
            parts.iter().for_each(|part| total.merge(part));
            let prior = prior[*class as usize][c];
            let held: Vec<f64> = parts.iter().map(|p| total.without(p).shrunk(prior)).collect();
            let mut sums = ScoreSums::default();
            let mut last = (f64::NAN, usize::MAX, [0.0; 9]);
            self.scored(i, trial, c, |k, mean, actual| {
                if mean != last.0 || k != last.1 {
                    last = (mean, k, CountDemand::new(mean, held[k]).nine());
                }
                sums.add(mean, &last.2, actual);
            });
            if sums.days > 0.0 {
                sums.series = 1.0;
                losses.loss[c] = sums.pinball / sums.days;
                losses.days = sums.days;
            }
            losses.sums[c] = sums;
        }
        losses
    }

    /// Average relative loss per class and candidate, drawn to the average of all classes.
    fn class_losses(&self, trials: &[(DemandClass, Trial)], losses: &[Losses]) -> PerClass<f64> {
        let n = self.candidates.len();
        let mut sums = vec![vec![(0.0, 0.0); n]; DemandClass::ALL.len() + 1];
        let mut ratio = vec![f64::NAN; n];
        for ((class, _), losses) in trials.iter().zip(losses) {
            ratio.fill(f64::NAN);
            if !relative(&losses.loss, &mut ratio) {
                continue;
            }
            for row in [*class as usize, DemandClass::ALL.len()] {
                for (sum, ratio) in sums[row].iter_mut().zip(&ratio).filter(|(_, r)| r.is_finite())
                {
                    sum.0 += ratio;
                    sum.1 += 1.0;
                }
            }
        }
        let everything: Vec<f64> = sums[DemandClass::ALL.len()]
            .iter()
            .enumerate()
            .map(|(c, &(sum, n))| self.prior_loss(c, sum, n))
            .collect();
        (0..DemandClass::ALL.len())
            .map(|class| {
                let row = sums[class].iter().zip(&everything);
                row.map(|(&(sum, n), all)| (sum + 10.0 * all) / (n + 10.0)).collect()
            })
            .collect()
    }

    /// Without any backtest the mean is preferred to models that follow the last days.
    fn prior_loss(&self, candidate: usize, sum: f64, n: f64) -> f64 {
        let prior = match self.candidates[candidate].model {
            Model::SeasonalNaive => 1.2,
            Model::Ses => 0.95,
            _ => 1.0,
        };
        (sum + 5.0 * prior) / (n + 5.0)
    }

    fn choose(
        &self,
        class: DemandClass,
        losses: &Losses,
        averages: &PerClass<f64>,
    ) -> Option<Choice> {
        let parameters: Vec<usize> = self.candidates.iter().map(|c| c.model.parameters()).collect();
        choose(&losses.loss, losses.days, &averages[class as usize], &parameters, |c| {
            self.config.models.contains(&self.candidates[c].model)
        })
    }

    /// Correlation over days per class, from the windows of the chosen models.
    fn correlations(
        &self,
        trials: &[(DemandClass, Trial)],
        choices: &[Option<Choice>],
        prior: &PerClass<f64>,
    ) -> Vec<f64> {
        let per_series: Vec<CorrelationSums> = (0..trials.len())
            .into_par_iter()
            .map(|i| {
                let (class, trial) = &trials[i];
                let mut sums = CorrelationSums::default();
                let Some(choice) = choices[i].filter(|c| trial.has(c.best)) else { return sums };
                let dispersion =
                    self.dispersion(i, trial, choice.best, prior[*class as usize][choice.best]);
                let mut windows = vec![Window::default(); trial.origins.count];
                self.scored(i, trial, choice.best, |k, mean, actual| {
                    windows[k].add(CountDemand::new(mean, dispersion), actual);
                });
                windows.iter().for_each(|window| sums.add(window));
                sums
            })
            .collect();
        let mut table = vec![CorrelationSums::default(); DemandClass::ALL.len()];
        for ((class, _), sums) in trials.iter().zip(&per_series) {
            table[*class as usize].merge(sums);
        }
        table.iter().map(CorrelationSums::correlation).collect()
    }

    fn dispersion(&self, i: usize, trial: &Trial, candidate: usize, prior: f64) -> f64 {
        let mut total = DispersionSums::default();
        self.dispersion_sums(i, trial, candidate).iter().for_each(|sums| total.merge(sums));
        total.shrunk(prior)
    }

    fn finish(
        &self,
        i: usize,
        (class, trial): &(DemandClass, Trial),
        choice: Option<Choice>,
        dispersion: &PerClass<f64>,
        correlation: &[f64],
    ) -> (SkuForecast, Vec<Finding>) {
        let demand = self.demand(i);
        let mut findings = Vec::new();
        let history = History { demand: &demand };
        let wanted = choice.map_or(Model::Mean, |c| self.candidates[c.best].model);
        let (fitted, fallback) = wanted.fit_or_fall_back(&history);
        let model = match fallback {
            None => wanted,
            Some((model, error)) => {
                let detail = format!("{} {error}; used {}", wanted.as_str(), model.as_str());
                findings.push(Finding::new(Code::ModelFailed, detail));
                model
            }
        };
        let mut out = vec![0.0; self.config.horizon_days];
        fitted.forecast(&mut out);
        let mut mean: Vec<f32> = out.iter().map(|&m| clean(m)).collect();
        let observed = history.observed();
        if observed == 0 && !demand.is_empty() {
            let guess = self.lower_bound(i);
            mean.fill(guess as f32);
            let detail = format!(
                "{} days of history, none with full availability; \
                sales over availability gave {guess:.3} a day",
                demand.len()
            );
            findings.push(Finding::new(Code::AllCensored, detail));
        } else if trial.origins.count == 0 {
            let detail = format!(
                "{observed} observed days are too few for a backtest; used {}",
                model.as_str()
            );
            findings.push(Finding::new(Code::ShortHistory, detail));
        }
        let row = &dispersion[*class as usize];
        let spread = match choice {
            Some(choice) if trial.has(choice.best) => {
                self.dispersion(i, trial, choice.best, row[choice.best])
            }
            Some(choice) => row[choice.best],
            None => row[0],
        };
        let forecast = SkuForecast {
            key: self.input.meta[i].key,
            class: *class,
            model,
            runner_up: choice.and_then(|c| c.runner_up).map(|c| self.candidates[c].model),
            margin: choice.map_or(0.0, |c| c.margin as f32),
            components: Components::level_only(average(&mean)),
            mean,
            dispersion: spread as f32,
            correlation: correlation[*class as usize] as f32,
            history_days: demand.len() as u32,
            censored_days: (demand.len() - observed) as u32,
        };
        (forecast, findings)
    }

    /// Units per fully available day when no day was fully available: sales over availability.
    fn lower_bound(&self, i: usize) -> f64 {
        let series = self.input.panel.series(i);
        let available: f64 = series.available.iter().map(|&a| f64::from(a)).sum();
        if available > 0.0 { series.sold.iter().sum::<f64>() / available } else { 0.0 }
    }

    fn scores(
        &self,
        trials: &[(DemandClass, Trial)],
        losses: &[Losses],
        choices: &[Option<Choice>],
    ) -> Vec<ScoreRow> {
        let everything = DemandClass::ALL.len();
        let columns = self.candidates.len() + 1;
        let mut table = vec![vec![ScoreSums::default(); columns]; everything + 1];
        for (i, (class, _)) in trials.iter().enumerate() {
            for row in [*class as usize, everything] {
                for c in 0..self.candidates.len() {
                    table[row][c].merge(&losses[i].sums[c]);
                }
                if let Some(choice) = choices[i] {
                    table[row][columns - 1].merge(&losses[i].sums[choice.best]);
                }
            }
        }
        let mut rows = Vec::new();
        for (row, sums) in table.iter().enumerate() {
            let class = DemandClass::ALL.get(row).map_or("all", |class| class.as_str());
            for (c, sums) in sums.iter().enumerate().filter(|(_, sums)| sums.days > 0.0) {
                let model = self.candidates.get(c).map_or("chosen", |c| c.model.as_str());
                rows.push(ScoreRow::new(class, model, sums));
            }
        }
        rows
    }
}

fn clean(mean: f64) -> f32 {
    if mean.is_finite() { mean.clamp(0.0, 1e15) as f32 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::Day;
    use crate::forecast::drivers::{Region, SeriesMeta};
    use crate::series::Panel;

    /// One series per history, fully available, without drivers.
    fn panel(histories: &[Vec<f64>], horizon_days: usize) -> Panel {
        let mut panel = Panel { offsets: vec![0], horizon_days, ..Panel::default() };
        for history in histories {
            panel.sold.extend(history);
            panel.offsets.push(panel.sold.len());
            panel.start.push(Day(19_000));
        }
        panel.available = vec![1.0; panel.sold.len()];
        let known = panel.sold.len() + histories.len() * horizon_days;
        panel.promo_depth = vec![0.0; known];
        panel.price_ratio = vec![1.0; known];
        panel
    }

    fn forecast(panel: &Panel) -> PanelForecast {
        let meta = vec![SeriesMeta::default(); panel.len()];
        let input = ForecastInput {
            panel,
            meta: &meta,
            categories: &["all".to_owned()],
            regions: &[Region::default()],
        };
        forecast_panel(&input, &ForecastConfig::default()).expect("the input fits")
    }

    #[test]
    fn odd_series_have_defined_forecasts() {
        let mut histories: Vec<Vec<f64>> =
            (0..10).map(|n| (0..n).map(|k| k as f64).collect()).collect();
        histories.push(vec![0.0; 100]);
        histories.push(vec![1e12; 100]);
        let mut panel = panel(&histories, 14);
        let censored = panel.offsets[9]..panel.offsets[10];
        panel.available[censored].fill(0.5);
        let result = forecast(&panel);
        assert_eq!(result.series.len(), histories.len());
        for (forecast, history) in result.series.iter().zip(&histories) {
            assert_eq!(forecast.mean.len(), 14);
            assert!(forecast.mean.iter().all(|m| m.is_finite() && *m >= 0.0), "{history:?}");
            assert!(forecast.quantiles(13).windows(2).all(|w| w[0] <= w[1]));
        }
        assert!(result.findings.iter().any(|(i, f)| *i == 9 && f.code == Code::AllCensored));
        assert!((result.series[11].mean[0] / 1e12 - 1.0).abs() < 1e-6);
        assert_eq!(result.series[10].mean, vec![0.0; 14]);
    }
}
