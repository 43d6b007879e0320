//! The forecast of a whole panel: every model on trial, the best per series fitted to everything.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::choose::{Choice, choose};
use super::finish::Finisher;
use super::judge::{Judge, Losses, PerClass};
use super::scores::{ScoreRow, ScoreSums};
use super::shapes::Shaper;
use super::trial::{Origins, Trial};
use crate::finding::Finding;
use crate::forecast::blend::Blend;
use crate::forecast::demand_class::DemandClass;
use crate::forecast::drivers::{ForecastInput, InputError};
use crate::forecast::model::{Model, SEASON_DAYS, seen_demand};
use crate::forecast::pooled::features::Features;
use crate::forecast::pooled::learn::{Effects, Learner};
use crate::forecast::sku_forecast::SkuForecast;

/// A series is current when it ends within so many days of the panel's last day.
const CURRENT_DAYS: i32 = 7;

/// How a panel is forecast.
#[derive(Clone, Debug, PartialEq)]
pub struct ForecastConfig {
    pub horizon_days: usize,
    /// Rolling-origin cutoffs, fewer on a short history.
    pub cutoffs: usize,
    pub cutoff_step_days: usize,
    /// The portfolio; the seasonal naive is always scored beside it.
    pub models: Vec<Model>,
    /// Steps in each season, shortest first.
    pub seasons: Vec<usize>,
    /// Whether a step is a day of the calendar. Weeks, months or hours have no weekday, holiday or
    /// weather of their own to learn from.
    pub daily: bool,
}

impl ForecastConfig {
    /// Steps of the horizon that share a shape of spread: a season, or a quarter of the horizon.
    fn stage_steps(&self) -> usize {
        let season = self.seasons.first().copied().unwrap_or(0);
        if 1 < season && season < self.horizon_days {
            season
        } else {
            self.horizon_days.div_ceil(4)
        }
    }

    /// The portfolio without what needs a calendar when there is none.
    fn portfolio(&self) -> Vec<Model> {
        let usable = |model: &Model| self.daily || *model != Model::Pooled;
        self.models.iter().copied().filter(usable).collect()
    }
}

impl Default for ForecastConfig {
    fn default() -> ForecastConfig {
        ForecastConfig {
            horizon_days: 14,
            cutoffs: 4,
            cutoff_step_days: 7,
            models: Model::ALL.iter().copied().filter(|m| *m != Model::Launch).collect(),
            seasons: vec![SEASON_DAYS],
            daily: true,
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
    /// What the pooled regression learned, when it is in the portfolio.
    pub effects: Vec<EffectRow>,
    /// Index of the series and what is odd about it.
    pub findings: Vec<(usize, Finding)>,
}

/// Effect of one regressor on demand in one category: demand is multiplied by `exp(log_effect)` per
/// unit of the regressor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EffectRow {
    pub category: String,
    pub regressor: String,
    pub log_effect: f64,
}

/// Whose forecast is wanted: the portfolio's choice per series, or one model's for every series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    Auto,
    Model(Model),
}

impl Wanted {
    pub fn as_str(self) -> &'static str {
        match self {
            Wanted::Auto => "auto",
            Wanted::Model(model) => model.as_str(),
        }
    }

    /// `auto`, or a model's name as [`Model::parse`] reads it.
    pub fn parse(text: &str) -> Option<Wanted> {
        if text.eq_ignore_ascii_case("auto") {
            return Some(Wanted::Auto);
        }
        Model::parse(text).filter(|model| *model != Model::Launch).map(Wanted::Model)
    }
}

/// Forecasts every series of the panel by the portfolio's choice. The same input gives the same
/// bits whatever the number of threads.
///
/// # Errors
/// When the input's parts do not fit together; trouble with single series is a finding.
pub fn forecast_panel(
    input: &ForecastInput,
    config: &ForecastConfig,
) -> Result<PanelForecast, InputError> {
    let mut forecasts = forecast_by(input, config, &[Wanted::Auto])?;
    Ok(forecasts.remove(0))
}

/// As [`forecast_panel`], for each of `wanted` in its order. All go through the same trials, and
/// each has its spread from its own errors in them.
///
/// # Errors
/// When the input's parts do not fit together.
pub fn forecast_by(
    input: &ForecastInput,
    config: &ForecastConfig,
    wanted: &[Wanted],
) -> Result<Vec<PanelForecast>, InputError> {
    input.check(config.horizon_days)?;
    let portfolio = if wanted.contains(&Wanted::Auto) { config.portfolio() } else { Vec::new() };
    let named = wanted.iter().filter_map(|wanted| match wanted {
        Wanted::Auto => None,
        Wanted::Model(model) => Some(*model),
    });
    let models = candidates(portfolio.iter().copied().chain(named), &config.portfolio());
    let groups = Groups::new(input);
    let features = Features::new(input);
    let mut trials = run_trials(input, config, &models, &groups, &features);
    let members = members(&models, &config.portfolio());
    let (losses, dispersion, blends) = try_blends(input, &models, &members, &mut trials);
    let judge = Judge { panel: input.panel, models: &models, trials: &trials };
    let ends: Vec<usize> = (0..input.panel.len()).map(|i| input.panel.series(i).len()).collect();
    let learner =
        Learner { panel: input.panel, features: &features, ends: &ends, members: &groups.members };
    let effects = models.contains(&Model::Pooled).then(|| learner.learn());
    let keys: Vec<u64> = input.meta.iter().map(|meta| meta.key).collect();
    let forecast = |wanted: &Wanted| {
        let choices = match wanted {
            Wanted::Auto => make_choices(&judge, &losses, &portfolio),
            Wanted::Model(model) => {
                let best = models.iter().position(|m| m == model);
                vec![best.map(Choice::only); input.panel.len()]
            }
        };
        let calibration = judge.calibration(&choices, &dispersion);
        let shapes = Shaper {
            judge: &judge,
            choices: &choices,
            dispersion: &dispersion,
            calibration: &calibration,
            keys: &keys,
            horizon: config.horizon_days,
            stage_steps: config.stage_steps(),
        }
        .shapes();
        let correlation = judge.correlations(&choices, &dispersion, &calibration);
        let finisher = Finisher {
            judge: &judge,
            keys: &keys,
            categories: &groups.of,
            horizon_days: config.horizon_days,
            seasons: &config.seasons,
            learned: effects.as_ref().map(|effects| (&learner, effects)),
            add_events: *wanted == Wanted::Auto,
            dispersion: &dispersion,
            calibration: &calibration,
            shapes: &shapes,
            correlation: &correlation,
            weighted: &blends,
            members: &members,
        };
        let finished: Vec<(SkuForecast, Vec<Finding>)> =
            choices.par_iter().enumerate().map(|(i, choice)| finisher.finish(i, *choice)).collect();
        let chosen = judge.chosen_scores(&choices, &dispersion, &calibration, &shapes);
        let mut findings = Vec::new();
        let mut series = Vec::with_capacity(finished.len());
        for (i, (forecast, found)) in finished.into_iter().enumerate() {
            series.push(forecast);
            findings.extend(found.into_iter().map(|finding| (i, finding)));
        }
        PanelForecast {
            series,
            scores: judge.score_rows(&losses, &chosen),
            effects: effects
                .as_ref()
                .map_or_else(Vec::new, |effects| effect_rows(input, &features, effects)),
            findings,
        }
    };
    Ok(wanted.iter().map(forecast).collect())
}

/// Scores single models, then adds blends to the trials and scores them. Weights of the weighted
/// blend come from a whole class, so that no series sees its own luck.
fn try_blends(
    input: &ForecastInput,
    models: &[Model],
    members: &[usize],
    trials: &mut [(DemandClass, Trial)],
) -> (Vec<Losses>, PerClass<f64>, Vec<Blend>) {
    let (weighted, others): (Vec<usize>, Vec<usize>) =
        (0..models.len()).partition(|&c| models[c] == Model::BlendWeighted);
    if let Some(median) = models.iter().position(|model| *model == Model::BlendMedian) {
        trials.par_iter_mut().for_each(|(_, trial)| trial.fill(median, members, &Blend::Median));
    }
    let unscored = Losses {
        loss: vec![f64::NAN; models.len()],
        sums: vec![ScoreSums::default(); models.len()],
        days: 0.0,
    };
    let mut losses = vec![unscored; trials.len()];
    let mut dispersion = vec![vec![0.0; models.len()]; DemandClass::ALL.len()];
    let judge = Judge { panel: input.panel, models, trials: &*trials };
    judge.class_dispersions(&others, &mut dispersion);
    judge.losses(&others, &dispersion, &mut losses);
    let blends = class_blends(&judge.class_losses(&losses), members);
    for &c in &weighted {
        trials
            .par_iter_mut()
            .for_each(|(class, trial)| trial.fill(c, members, &blends[*class as usize]));
    }
    let judge = Judge { panel: input.panel, models, trials: &*trials };
    judge.class_dispersions(&weighted, &mut dispersion);
    judge.losses(&weighted, &dispersion, &mut losses);
    (losses, dispersion, blends)
}

/// The choice of every series among the portfolio; the seasonal naive and the mean may be scored
/// without being in it.
fn make_choices(judge: &Judge, losses: &[Losses], portfolio: &[Model]) -> Vec<Option<Choice>> {
    let averages = judge.class_losses(losses);
    let parameters: Vec<usize> = judge.models.iter().map(|model| model.parameters()).collect();
    losses
        .par_iter()
        .zip(judge.trials)
        .map(|(losses, (class, _))| {
            let class_average = &averages[*class as usize];
            choose(&losses.loss, losses.days, class_average, &parameters, |c| {
                portfolio.contains(&judge.models[c]) && may_choose(*class, judge.models[c])
            })
        })
        .collect()
}

/// What is wanted, and what is always scored beside it, in the registry's order.
fn candidates(wanted: impl Iterator<Item = Model>, portfolio: &[Model]) -> Vec<Model> {
    let beside = [Model::SeasonalNaive, Model::Mean];
    let mut models: Vec<Model> = wanted.chain(beside).filter(|m| *m != Model::Launch).collect();
    if models.iter().any(|model| model.is_blend()) {
        models.extend(portfolio);
    }
    models.sort();
    models.dedup();
    models
}

/// Candidates that a blend may combine.
fn members(models: &[Model], portfolio: &[Model]) -> Vec<usize> {
    let is_member = |model: Model| {
        portfolio.contains(&model)
            && !model.is_blend()
            && !matches!(model, Model::SeasonalNaive | Model::Mean | Model::Croston)
    };
    (0..models.len()).filter(|&c| is_member(models[c])).collect()
}

fn class_blends(averages: &PerClass<f64>, members: &[usize]) -> Vec<Blend> {
    let row = |losses: &Vec<f64>| {
        let of = losses.iter().enumerate();
        let own: Vec<Option<f64>> =
            of.map(|(c, &loss)| members.contains(&c).then_some(loss)).collect();
        Blend::from_losses(&own)
    };
    averages.iter().map(row).collect()
}

/// A series that stopped selling is left to the models that let demand fade.
fn may_choose(class: DemandClass, model: Model) -> bool {
    class != DemandClass::Obsolete || matches!(model, Model::Tsb | Model::Ses | Model::Pooled)
}

/// Which series learn together.
struct Groups {
    /// Category of each series.
    of: Vec<usize>,
    /// Series of each category, ascending.
    members: Vec<Vec<usize>>,
}

impl Groups {
    fn new(input: &ForecastInput) -> Groups {
        let of: Vec<usize> = input.meta.iter().map(|meta| meta.category as usize).collect();
        let mut members = vec![Vec::new(); input.categories.len()];
        of.iter().enumerate().for_each(|(i, &category)| members[category].push(i));
        Groups { of, members }
    }
}

/// Fits everything before the first cutoffs. Pooled effects are learned only from days before the
/// earliest cutoff of any series that is still current; one that ended long ago must not take
/// everyone's recent days away.
fn run_trials(
    input: &ForecastInput,
    config: &ForecastConfig,
    models: &[Model],
    groups: &Groups,
    features: &Features,
) -> Vec<(DemandClass, Trial)> {
    let panel = input.panel;
    let origins: Vec<Origins> = (0..panel.len())
        .map(|i| {
            let days = panel.series(i).len();
            Origins::new(days, config.horizon_days, config.cutoffs, config.cutoff_step_days)
        })
        .collect();
    let last = (0..panel.len()).map(|i| panel.series(i).end()).max().unwrap_or_default();
    let current = |i: &usize| last - panel.series(*i).end() <= CURRENT_DAYS;
    let cut = (0..panel.len())
        .filter(|&i| origins[i].count > 0)
        .filter(current)
        .map(|i| panel.start[i] + origins[i].first as i32)
        .min();
    let ends: Vec<usize> =
        (0..panel.len()).map(|i| cut.map_or(0, |cut| panel.series(i).before(cut).len())).collect();
    let learner = Learner { panel, features, ends: &ends, members: &groups.members };
    let learned = (models.contains(&Model::Pooled) && cut.is_some()).then(|| learner.learn());
    (0..panel.len())
        .into_par_iter()
        .map(|i| {
            let demand = seen_demand(&panel.series(i));
            let pooled = learned.as_ref().filter(|_| origins[i].count > 0).map(|effects| {
                let beta = learner.series_beta(i, groups.of[i], effects);
                learner.series(i, groups.of[i], effects, &beta)
            });
            let trial = Trial::run(&demand, models, origins[i], &config.seasons, pooled.as_ref());
            (DemandClass::of(&demand), trial)
        })
        .collect()
}

/// What was learned about each category, for people: an event's effect holds what it shares with
/// other events.
fn effect_rows(input: &ForecastInput, features: &Features, effects: &Effects) -> Vec<EffectRow> {
    let mut rows = Vec::new();
    for (category, beta) in input.categories.iter().zip(&effects.category) {
        for (column, &own) in beta.iter().enumerate() {
            let shared = Features::shared_event_column(column).map_or(0.0, |shared| beta[shared]);
            let log_effect = own + shared;
            if log_effect != 0.0 {
                let regressor = features.name(column);
                rows.push(EffectRow { category: category.clone(), regressor, log_effect });
            }
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::Day;
    use crate::finding::Code;
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
        assert_eq!(result.series[10].mean, vec![0.0; 14]);
    }

    #[test]
    fn a_broken_series_does_not_touch_the_others() {
        let good: Vec<f64> = (0..120).map(|k| f64::from(10 + k % 7 + (k * 5) % 3)).collect();
        for broken in [f64::NAN, f64::INFINITY, -1e300, 1e300, 1e14] {
            let mut bad = good.clone();
            bad[60] = broken;
            bad[118] = broken;
            let result = forecast(&panel(&[good.clone(), bad, good.clone()], 14));
            for i in [0, 2] {
                let forecast = &result.series[i];
                let near = |m: &f64| (8.0..22.0).contains(m);
                assert!(forecast.mean.iter().all(near), "{broken}: {forecast:?}");
                assert!((0.0..1.0).contains(&forecast.dispersion), "{broken}: {forecast:?}");
            }
        }
    }

    #[test]
    fn constants_stay_constant_whatever_their_size() {
        for value in [1e-3, 1.0, 1e12] {
            let result = forecast(&panel(&[vec![value; 100], vec![value; 100]], 14));
            for mean in &result.series[0].mean {
                assert!((*mean / value - 1.0).abs() < 1e-5, "{mean} {value}");
            }
        }
    }
}
