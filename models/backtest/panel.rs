//! The forecast of a whole panel: every model on trial, the best per series fitted to everything.

use std::sync::Arc;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::checkpoint::{self, Checkpoints, NoCheckpoints, Pieces};
use super::finish::{Finished, Finisher};
use super::levels::Reconcile;
use super::levels::Tried;
use super::levels::earn::Reconciliation;
use super::levels::luck::Luck;
use super::levels::parts::{Part, parts};
use super::memory::{Memory, PanelMemory, SeriesMemory};
use super::partial::{PartialDays, Training};
use super::portfolio;
use super::refit::{Groups, refit};
use super::scores::ScoreRow;
use super::taught::TreesTonight;
use crate::distribution::paths::mix;
use crate::distribution::shape::SpreadShape;
use crate::finding::Finding;
use crate::forecast::demand_class::DemandClass;
use crate::forecast::drivers::{ForecastInput, InputError};
use crate::forecast::model::{Model, SEASON_DAYS, seen_demand};
use crate::forecast::pooled::explain::Ledger;
use crate::forecast::pooled::features::Features;
use crate::forecast::pooled::learn::Learner;
use crate::forecast::sku_forecast::SkuForecast;
use crate::forecast::split::Split;
use crate::forecast::trees::board::Board;
use crate::series::Panel;

/// A memory that knows a smaller share of the series is of another panel.
const KNOWN_SHARE_MIN: f64 = 0.8;

/// Who knows the next days best may not know the last ones best.
const BLEND_STAGES: usize = 3;

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
    /// What a day that was only partly available tells.
    pub partial: PartialDays,
    /// Whether forecasts are brought into line with those of their sums.
    pub reconcile: Reconcile,
}

impl ForecastConfig {
    /// For a panel of any steps. The first season is that of models that have one; those that take
    /// several have all.
    pub fn for_steps(horizon: usize, seasons: Vec<usize>, daily: bool) -> ForecastConfig {
        let usual = ForecastConfig { horizon_days: horizon, seasons, ..ForecastConfig::default() };
        if daily {
            return usual;
        }
        let models = portfolio::OTHER_STEPS.to_vec();
        ForecastConfig { cutoff_step_days: (horizon / 2).max(1), models, daily, ..usual }
    }

    pub(super) fn season(&self) -> usize {
        self.seasons.first().copied().unwrap_or(1)
    }

    /// What the last fits see.
    pub(super) fn training<'a>(&self, panel: &'a Panel) -> Training<'a> {
        self.partial.training(panel, self.season(), |i| vec![panel.series(i).len()])
    }

    /// Steps of the horizon that share a shape of spread: a season, or a quarter of the horizon.
    pub(super) fn stage_steps(&self) -> usize {
        let season = self.seasons.first().copied().unwrap_or(0);
        if 1 < season && season < self.horizon_days {
            season
        } else {
            self.horizon_days.div_ceil(4)
        }
    }

    /// Steps of the horizon that share the weights of a blend.
    pub(super) fn blend_steps(&self) -> usize {
        self.horizon_days.div_ceil(BLEND_STAGES).max(1)
    }

    /// The portfolio without what needs a calendar when there is none.
    pub(super) fn portfolio(&self) -> Vec<Model> {
        let usable = |model: &Model| self.daily || !model.is_pooled();
        self.models.iter().copied().filter(usable).collect()
    }
}

impl Default for ForecastConfig {
    fn default() -> ForecastConfig {
        ForecastConfig {
            horizon_days: 14,
            cutoffs: 4,
            cutoff_step_days: 7,
            models: portfolio::DAILY.to_vec(),
            seasons: vec![SEASON_DAYS],
            daily: true,
            partial: PartialDays::default(),
            reconcile: Reconcile::default(),
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
    /// What bringing forecasts into line with their sums did, where sums were looked at.
    pub reconciled: Option<Reconciliation>,
}

/// Effect of one regressor on demand in one category: demand is multiplied by `exp(log_effect)` per
/// unit of the regressor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EffectRow {
    pub category: String,
    pub regressor: String,
    pub log_effect: f64,
    /// Ends of the 90% interval of `log_effect`.
    pub low: f64,
    pub high: f64,
    /// Days and items that it was learned from, and occurrences of an event. An event that the
    /// category has not seen yet has none: its effect is that of its class.
    pub days: u32,
    pub items: u32,
    pub occurrences: u32,
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
    input.check(config.horizon_days)?;
    let features = Features::new(input);
    let pieces = Pieces::none(input.panel.len());
    let Ok(mut forecasts) =
        refit(input, config, &features, &[Wanted::Auto], &pieces, |night, _| night.forecast);
    Ok(forecasts.remove(0))
}

/// As [`forecast_panel`], for each of `wanted` in its order. All go through the same trials, and
/// each has its spread from its own errors in them. What the means are made of is not kept: many
/// models' splits of many series would take more room than their means.
///
/// # Errors
/// When the input's parts do not fit together.
pub fn forecast_by(
    input: &ForecastInput,
    config: &ForecastConfig,
    wanted: &[Wanted],
) -> Result<Vec<PanelForecast>, InputError> {
    input.check(config.horizon_days)?;
    let features = Features::new(input);
    let without_split = |night: Night, _: &dyn Fn() -> Vec<Tried>| {
        let mut forecast = night.forecast;
        forecast.series.iter_mut().for_each(|series| series.split = Split::default());
        forecast
    };
    let pieces = Pieces::none(input.panel.len());
    let Ok(forecasts) = refit(input, config, &features, wanted, &pieces, without_split);
    Ok(forecasts)
}

/// A forecast and what to remember of it.
pub struct Night {
    pub forecast: PanelForecast,
    /// Of the whole panel, when it was refitted.
    pub panel: Option<PanelMemory>,
    /// Of the series that were fitted tonight.
    pub series: Vec<SeriesMemory>,
}

impl Night {
    pub(super) fn share_luck(&mut self, luck: &Luck, parts: &[Part]) {
        let shared = luck.shared(parts, self.forecast.series.len());
        let series = self.forecast.series.iter_mut().zip(shared);
        series.for_each(|(forecast, shared)| forecast.shared = shared);
    }
}

/// As [`forecast_panel`], from what an earlier night remembers: its models follow their series, and
/// only those are fitted anew that have lost theirs or are new. Without a memory, with that of
/// another configuration, or when too few series are known, everything is refitted.
///
/// # Errors
/// When the input's parts do not fit together.
pub fn forecast_night(
    input: &ForecastInput,
    config: &ForecastConfig,
    memory: Option<&Memory>,
) -> Result<Night, InputError> {
    match forecast_night_in_pieces(input, config, memory, &NoCheckpoints) {
        Ok(night) => Ok(night),
        Err(NightError::Input(error)) => Err(error),
        Err(NightError::Stopped(never)) => match never {},
    }
}

/// Why there is no forecast of a night.
#[derive(Debug, thiserror::Error)]
pub enum NightError<S> {
    #[error(transparent)]
    Input(InputError),
    #[error("the night was stopped")]
    Stopped(S),
}

/// As [`forecast_night`], and the same to the bit, from those of its pieces that were kept; the
/// others are made and handed to `checkpoints`.
///
/// # Errors
/// When the input's parts do not fit together, or whoever keeps the pieces stops the night.
pub fn forecast_night_in_pieces<C: Checkpoints>(
    input: &ForecastInput,
    config: &ForecastConfig,
    memory: Option<&Memory>,
    checkpoints: &C,
) -> Result<Night, NightError<C::Stop>> {
    input.check(config.horizon_days).map_err(NightError::Input)?;
    let features = Features::new(input);
    let pieces = Pieces::new(checkpoints, input.meta);
    let fingerprint = meaning(input, config, &features);
    let usable = memory.filter(|memory| {
        let known = input.meta.iter().filter(|meta| memory.series.contains_key(&meta.key)).count();
        memory.panel.fingerprint == fingerprint
            && known as f64 >= KNOWN_SHARE_MIN * input.meta.len() as f64
    });
    let night = match usable {
        Some(memory) => follow(input, config, &features, memory, &pieces),
        None => refit(input, config, &features, &[Wanted::Auto], &pieces, |night, _| night)
            .map(|mut nights| nights.remove(0)),
    };
    night.map_err(NightError::Stopped)
}

/// What effects and weights mean: nothing that was learned under another meaning may be used.
pub(super) fn meaning(input: &ForecastInput, config: &ForecastConfig, features: &Features) -> u64 {
    // The horizon may differ from night to night, as lead times do.
    let config = ForecastConfig { horizon_days: 0, ..config.clone() };
    let mut text = format!("{} {config:?} {}", env!("CARGO_PKG_VERSION"), features.annual);
    (0..features.columns()).for_each(|column| text.push_str(&features.name(column)));
    input.categories.iter().for_each(|category| text.push_str(category));
    let columns = input.panel.columns.iter().map(|column| column.name.as_str());
    let statics = input.panel.statics.iter().map(|column| column.name.as_str());
    columns.chain(statics).for_each(|name| {
        text.push('\u{1f}');
        text.push_str(name);
    });
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| mix(hash ^ u64::from(byte)))
}

fn follow<C: Checkpoints>(
    input: &ForecastInput,
    config: &ForecastConfig,
    features: &Features,
    memory: &Memory,
    pieces: &Pieces<C>,
) -> Result<Night, C::Stop> {
    let groups = Groups::new(input);
    let training = config.training(input.panel);
    let ends: Vec<usize> = (0..input.panel.len()).map(|i| input.panel.series(i).len()).collect();
    let learner =
        Learner { panel: &training.panel, features, ends: &ends, members: &groups.members };
    let shapes: Vec<Arc<SpreadShape>> = memory.panel.shapes.iter().cloned().map(Arc::new).collect();
    let followed = pieces.per_series(checkpoint::FOLLOWED);
    // Trees are asked for the sake of series that are still to be followed.
    let trees = match followed.is_kept() || memory.panel.trees.is_none() {
        true => None,
        false => pieces
            .whole(checkpoint::FOLLOWED_TREES)
            .or_make(|| trees_tonight(input, config, &learner, memory, &training))?,
    };
    let ledger = Ledger::new(features);
    let finisher = Finisher {
        input,
        training: &training,
        horizon_days: config.horizon_days,
        seasons: &config.seasons,
        memory: &memory.panel,
        shapes: &shapes,
        learned: memory.panel.effects.as_ref().map(|effects| (&learner, effects)),
        ledger: Some(&ledger),
        trees: trees.as_ref(),
        add_events: true,
    };
    let mut finished = followed.or_make(|i| match memory.series.get(&input.meta[i].key) {
        Some(series) => finisher.follow(i, series),
        None => {
            let class = DemandClass::of(&seen_demand(&training.panel.series(i)));
            finisher.finish(i, memory.panel.plans[class as usize].clone())
        }
    })?;
    finisher.shape(&mut finished);
    let (scores, effects) = (memory.panel.scores.clone(), memory.panel.effect_rows.clone());
    let mut night = gather(finished, scores, effects);
    for forecast in &mut night.forecast.series {
        let factor = memory.panel.kept.factor(forecast.key);
        if factor != 1.0 {
            forecast.replace_mean(forecast.mean.iter().map(|mean| factor * mean).collect());
        }
    }
    night.forecast.reconciled = memory.panel.kept.found.clone();
    night.share_luck(&memory.panel.luck, &parts(input));
    Ok(night)
}

/// What the remembered trees say tonight.
fn trees_tonight(
    input: &ForecastInput,
    config: &ForecastConfig,
    learner: &Learner,
    memory: &Memory,
    training: &Training,
) -> Option<TreesTonight> {
    let (trees, effects) = memory.panel.trees.as_ref().zip(memory.panel.effects.as_ref())?;
    let betas: Vec<Vec<f64>> = (0..input.panel.len())
        .into_par_iter()
        .map(|i| {
            let known = memory.series.get(&input.meta[i].key).and_then(|m| m.beta.as_ref());
            match known {
                Some(beta) => beta.iter().map(|&effect| f64::from(effect)).collect(),
                None => learner.series_beta(i, input.meta[i].category as usize, effects),
            }
        })
        .collect();
    let board = Board::new(input, learner, effects, &betas);
    if !trees.knows(&board) {
        return None;
    }
    let whole_days = &training.whole_days;
    let mut tonight = TreesTonight::ask(trees, &board, whole_days, config.horizon_days);
    tonight.catch_up(trees, &board, whole_days, input, memory);
    Some(tonight)
}

pub(super) fn gather(
    finished: Vec<Finished>,
    scores: Vec<ScoreRow>,
    effects: Vec<EffectRow>,
) -> Night {
    let mut forecast = PanelForecast {
        series: Vec::with_capacity(finished.len()),
        scores,
        effects,
        findings: Vec::new(),
        reconciled: None,
    };
    let mut fitted = Vec::new();
    for (i, finished) in finished.into_iter().enumerate() {
        forecast.series.push(finished.forecast);
        forecast.findings.extend(finished.findings.into_iter().map(|finding| (i, finding)));
        fitted.extend(finished.memory);
    }
    Night { forecast, panel: None, series: fitted }
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
