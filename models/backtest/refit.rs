//! A refit: every model on trial, the choice of each series, and its last fit.

use std::sync::Arc;

use rayon::prelude::*;

use super::checkpoint::{self, Checkpoints, Pieces};
use super::choose::Choice;
use super::finish::{Finished, Finisher};
use super::judge::{Judge, Losses, PerClass};
use super::levels::luck::Errors;
use super::levels::parts::{Part, parts};
use super::levels::{Levels, Tried};
use super::memory::{PanelMemory, SeriesPlan};
use super::panel::{EffectRow, ForecastConfig, Night, Wanted, gather, meaning};
use super::partial::Training;
use super::pick::Picked;
use super::portfolio::{YARDSTICKS, echoes, is_yardstick, tries};
use super::shapes::Shaper;
use super::stack::stacked;
use super::taught::{self, TreesTonight};
use super::trial::{Origins, Trial};
use crate::distribution::shape::SpreadShape;
use crate::forecast::blend::{Blend, Rule};
use crate::forecast::demand_class::DemandClass;
use crate::forecast::drivers::ForecastInput;
use crate::forecast::model::{History, Model, seen_demand};
use crate::forecast::pooled::explain::Ledger;
use crate::forecast::pooled::features::Features;
use crate::forecast::pooled::learn::{Effects, Learner, Reported};
use crate::forecast::trees::board::Board;
use crate::forecast::trees::learner::TreesLearner;
use crate::series::Panel;

/// A series is current when it ends within so many days of the panel's last day.
const CURRENT_DAYS: i32 = 7;

/// Puts every model on trial, chooses, and fits the choice of every series to everything; `keep` is
/// called on one of the wanted after the other, so that only what it keeps takes room. The input was
/// checked, and `features` are its. Pieces are of one wanted forecast alone; of several none are
/// kept.
///
/// # Errors
/// When whoever keeps the pieces stops the night.
pub(super) fn refit<T, C: Checkpoints>(
    input: &ForecastInput,
    config: &ForecastConfig,
    features: &Features,
    wanted: &[Wanted],
    pieces: &Pieces<C>,
    keep: impl Fn(Night, &dyn Fn() -> Vec<Tried>) -> T,
) -> Result<Vec<T>, C::Stop> {
    let usable = config.portfolio();
    let portfolio = if wanted.contains(&Wanted::Auto) { usable.as_slice() } else { &[] };
    let named: Vec<Model> = wanted
        .iter()
        .filter_map(|wanted| match wanted {
            Wanted::Auto => None,
            Wanted::Model(model) => Some(*model),
        })
        .collect();
    let models = candidates(portfolio.iter().chain(&named).copied(), &usable);
    let groups = Groups::new(input);
    let parts = parts(input);
    let origins = origins(input.panel, config);
    let tried = config.partial.training(input.panel, config.season(), |i| origins[i].ends());
    let past = Past { input, tried: &tried, origins: &origins };
    let (mut trials, tried_trees) =
        run_trials(&past, config, (&models, &named), &groups, features, pieces)?;
    let members = stack_members(&models, &usable);
    let series = trials.par_iter_mut().zip(&tried.whole_days);
    series.for_each(|((_, trial), level)| trial.scale(&models, *level));
    let sums = Some(&tried).filter(|_| wanted.contains(&Wanted::Auto));
    let levels = sums.and_then(|tried| Levels::start(input, config, &parts, &origins, tried));
    // Two panels beside the input's would be one too many for a large night.
    drop(tried);
    let training = config.training(input.panel);
    let levels = levels.map(|levels| levels.finish(&training));
    let median: Vec<Blend> = DemandClass::ALL
        .iter()
        .map(|&class| median_blend(&models, &usable, class, config.daily))
        .collect();
    let (losses, dispersion, weighted) =
        try_blends(input, &models, &members, &median, config, &mut trials);
    let judge = Judge { panel: input.panel, models: &models, trials: &trials };
    let ends: Vec<usize> = (0..input.panel.len()).map(|i| input.panel.series(i).len()).collect();
    let learner =
        Learner { panel: &training.panel, features, ends: &ends, members: &groups.members };
    let effects = match learns(&models) {
        true => Some(pieces.whole(checkpoint::EFFECTS).or_make(|| learner.learn())?),
        false => None,
    };
    let effect_rows = effects.as_ref().map_or_else(Vec::new, |effects| effect_rows(input, effects));
    let learned = effects.as_ref().map(|effects| (&learner, effects));
    let needed = named.contains(&Model::Trees) || earned(&models, &weighted);
    let trees = match learned.filter(|_| needed) {
        Some(learned) => pieces
            .whole(checkpoint::TREES)
            .or_make(|| last_trees(input, config, learned, &training, tried_trees.as_ref()))?,
        None => None,
    };
    let settled = Settled {
        input,
        training: &training,
        config,
        judge: &judge,
        losses: &losses,
        dispersion: &dispersion,
        learned,
        tonight: trees.as_ref().map(|(_, tonight)| tonight),
        memory: PanelMemory {
            fingerprint: meaning(input, config, features),
            models: models.clone(),
            median,
            weighted,
            effects: effects.clone(),
            trees: trees.as_ref().map(|(trees, _)| trees.clone()),
            effect_rows,
            ..PanelMemory::default()
        },
        parts: &parts,
        levels: levels.as_ref(),
        pieces,
    };
    let night = |wanted: &Wanted| {
        let picked = settled.picked(*wanted, portfolio);
        let night = settled.night(*wanted, &picked)?;
        Ok(keep(night, &|| Tried::of(&judge, &picked.held)))
    };
    wanted.iter().map(night).collect()
}

/// As [`refit`] for the portfolio's choice, with the trials of what was chosen; nothing is kept.
pub(super) fn refit_tried(
    input: &ForecastInput,
    config: &ForecastConfig,
    features: &Features,
) -> Option<(Night, Vec<Tried>)> {
    let pieces = Pieces::none(input.panel.len());
    let keep = |night, tried: &dyn Fn() -> Vec<Tried>| (night, tried());
    let Ok(nights) = refit(input, config, features, &[Wanted::Auto], &pieces, keep);
    nights.into_iter().next()
}

/// What all wanted forecasts of a panel have in common.
struct Settled<'a, C> {
    input: &'a ForecastInput<'a>,
    training: &'a Training<'a>,
    config: &'a ForecastConfig,
    judge: &'a Judge<'a>,
    losses: &'a [Losses],
    dispersion: &'a PerClass<f64>,
    learned: Option<(&'a Learner<'a>, &'a Effects)>,
    tonight: Option<&'a TreesTonight>,
    /// Without what depends on the choice.
    memory: PanelMemory,
    parts: &'a [Part],
    /// The sums, when forecasts are brought into line with them.
    levels: Option<&'a Levels<'a>>,
    pieces: &'a Pieces<'a, C>,
}

impl<C: Checkpoints> Settled<'_, C> {
    fn picked(&self, wanted: Wanted, portfolio: &[Model]) -> Picked {
        let judge = self.judge;
        match wanted {
            Wanted::Auto => {
                let usable = |model: &Model| *model != Model::Trees || self.tonight.is_some();
                let portfolio: Vec<Model> = portfolio.iter().copied().filter(usable).collect();
                Picked::among(judge, self.losses, &portfolio, self.config.daily)
            }
            Wanted::Model(model) => {
                let best = judge.models.iter().position(|m| *m == model);
                Picked::only(judge, best)
            }
        }
    }

    fn night(&self, wanted: Wanted, picked: &Picked) -> Result<Night, C::Stop> {
        let judge = self.judge;
        let (choices, held) = (&picked.choices, &picked.held);
        let calibration = judge.calibration(held, self.dispersion);
        let keys: Vec<u64> = self.input.meta.iter().map(|meta| meta.key).collect();
        let shapes = Shaper {
            judge,
            held,
            dispersion: self.dispersion,
            calibration: &calibration,
            keys: &keys,
            horizon: self.config.horizon_days,
            stage_steps: self.config.stage_steps(),
        }
        .shapes();
        let chosen = judge.chosen_scores(held, self.dispersion, &calibration, &shapes);
        let (dispersion, of_class) = (self.dispersion, &calibration);
        let errors = Errors { judge, held, dispersion, calibration: of_class, shapes: &shapes };
        let mut memory = PanelMemory {
            plans: class_plans(judge, choices, self.dispersion, &calibration),
            correlation: judge.correlations(held, self.dispersion, &calibration),
            shapes: shapes.clone(),
            scores: judge.score_rows(self.losses, &chosen),
            luck: errors.luck(self.parts),
            ..self.memory.clone()
        };
        let shared: Vec<Arc<SpreadShape>> = memory.shapes.iter().cloned().map(Arc::new).collect();
        let ledger = self.learned.map(|(learner, _)| Ledger::new(learner.features));
        let finisher = Finisher {
            input: self.input,
            training: self.training,
            horizon_days: self.config.horizon_days,
            seasons: &self.config.seasons,
            memory: &memory,
            shapes: &shared,
            learned: self.learned,
            ledger: ledger.as_ref(),
            trees: self.tonight,
            add_events: wanted == Wanted::Auto,
        };
        let fit =
            |i: usize| finisher.finish(i, judge.plan(i, choices[i], self.dispersion, &calibration));
        let mut finished: Vec<Finished> =
            self.pieces.per_series(checkpoint::LAST_FITS).or_make(fit)?;
        finisher.shape(&mut finished);
        let mut night = gather(finished, memory.scores.clone(), memory.effect_rows.clone());
        night.share_luck(&memory.luck, self.parts);
        let levels = self.levels.filter(|_| wanted == Wanted::Auto);
        if let Some(kept) =
            levels.and_then(|levels| levels.settle(&errors, self.training, &mut night))
        {
            night.forecast.reconciled = kept.found.clone();
            memory.kept = kept;
        }
        Ok(Night { panel: Some(memory), ..night })
    }
}

/// Per class the choice that most of its series made, for a series that comes between two refits.
fn class_plans(
    judge: &Judge,
    choices: &[Option<Choice>],
    dispersion: &PerClass<f64>,
    calibration: &[f64],
) -> Vec<SeriesPlan> {
    let mut votes = vec![vec![0usize; judge.models.len()]; DemandClass::ALL.len()];
    for ((class, _), choice) in judge.trials.iter().zip(choices) {
        if let Some(choice) = choice {
            votes[*class as usize][choice.best] += 1;
        }
    }
    DemandClass::ALL
        .iter()
        .map(|&class| {
            let votes = &votes[class as usize];
            let most = (0..votes.len()).rev().max_by_key(|&c| votes[c]).filter(|&c| votes[c] > 0);
            let row = &dispersion[class as usize];
            SeriesPlan {
                class,
                wanted: most.map(|c| judge.models[c]),
                runner_up: None,
                margin: 0.0,
                dispersion: calibration[class as usize] * row[most.unwrap_or(0)],
                tried: false,
            }
        })
        .collect()
}

/// Scores single models, then adds blends to the trials and scores them. Weights of the weighted
/// blend come from a whole class, so that no series sees its own luck.
fn try_blends(
    input: &ForecastInput,
    models: &[Model],
    members: &[usize],
    median: &[Blend],
    config: &ForecastConfig,
    trials: &mut [(DemandClass, Trial)],
) -> (Vec<Losses>, PerClass<f64>, Vec<Blend>) {
    let (weighted, others): (Vec<usize>, Vec<usize>) =
        (0..models.len()).partition(|&c| models[c] == Model::BlendWeighted);
    if let Some(c) = models.iter().position(|model| *model == Model::BlendMedian) {
        trials.par_iter_mut().for_each(|(class, trial)| trial.fill(c, &median[*class as usize]));
    }
    let mut losses = vec![Losses::unscored(models.len()); trials.len()];
    let mut dispersion = vec![vec![0.0; models.len()]; DemandClass::ALL.len()];
    let judge = Judge { panel: input.panel, models, trials: &*trials };
    judge.class_dispersions(&others, &mut dispersion);
    judge.losses(&others, &dispersion, &mut losses);
    let blends = stacked(&judge, members, config.daily, config.blend_steps());
    for &c in &weighted {
        trials.par_iter_mut().for_each(|(class, trial)| trial.fill(c, &blends[*class as usize]));
    }
    let judge = Judge { panel: input.panel, models, trials: &*trials };
    judge.class_dispersions(&weighted, &mut dispersion);
    judge.losses(&weighted, &dispersion, &mut losses);
    (losses, dispersion, blends)
}

/// What is wanted, and what is always scored beside it, in the registry's order.
fn candidates(wanted: impl Iterator<Item = Model>, portfolio: &[Model]) -> Vec<Model> {
    let mut models: Vec<Model> = wanted.chain(YARDSTICKS).filter(|m| *m != Model::Launch).collect();
    if models.iter().any(|model| model.is_blend()) {
        models.extend(portfolio);
    }
    models.sort();
    models.dedup();
    models
}

/// What a weighted blend may be made of. Where seasons are learned from all series together, the
/// naive ones only add the noise of one week to them.
fn stack_members(models: &[Model], portfolio: &[Model]) -> Vec<usize> {
    let pooled = portfolio.contains(&Model::Pooled);
    let is_member = |model: Model| {
        portfolio.contains(&model) && !model.is_blend() && !(pooled && echoes(model))
    };
    (0..models.len()).filter(|&c| is_member(models[c])).collect()
}

/// The median of what stands on its own; a median with several naive or similar ones among them
/// would be theirs.
fn median_blend(models: &[Model], portfolio: &[Model], class: DemandClass, daily: bool) -> Blend {
    let is_member = |model: &Model| {
        portfolio.contains(model)
            && !model.is_blend()
            && tries(class, daily, *model)
            && !echoes(*model)
    };
    let weights = models.iter().map(|model| f64::from(u8::from(is_member(model)))).collect();
    Blend::even(Rule::Median, weights)
}

/// Which series learn together.
pub struct Groups {
    /// Category of each series.
    pub of: Vec<usize>,
    /// Series of each category, ascending.
    pub members: Vec<Vec<usize>>,
}

impl Groups {
    pub fn new(input: &ForecastInput) -> Groups {
        let of: Vec<usize> = input.meta.iter().map(|meta| meta.category as usize).collect();
        let mut members = vec![Vec::new(); input.categories.len()];
        of.iter().enumerate().for_each(|(i, &category)| members[category].push(i));
        Groups { of, members }
    }
}

/// Whether anything of what is tried learns from all series together.
fn learns(models: &[Model]) -> bool {
    models.iter().any(|model| model.is_pooled())
}

/// Whether the trees have a part in any class's blend: otherwise they are dropped until the next
/// refit asks again.
fn earned(models: &[Model], weighted: &[Blend]) -> bool {
    let trees = models.iter().position(|model| *model == Model::Trees);
    trees.is_some_and(|trees| weighted.iter().any(|blend| blend.has(trees)))
}

/// The trees for the nights to come, and what they say tonight.
fn last_trees(
    input: &ForecastInput,
    config: &ForecastConfig,
    (learner, effects): (&Learner, &Effects),
    training: &Training,
    tried: Option<&TreesLearner>,
) -> Option<(TreesLearner, TreesTonight)> {
    let betas = taught::betas(learner, effects, input);
    let board = Board::new(input, learner, effects, &betas);
    let (keys, steps) = (taught::keys(input), config.horizon_days);
    let trees =
        TreesLearner::learn(&board, learner.ends, &keys, steps, &taught::last_fit(), tried)?;
    let tonight = TreesTonight::ask(&trees, &board, &training.whole_days, steps);
    Some((trees, tonight))
}

/// One per series, in the panel's order.
type Trials = Vec<(DemandClass, Trial)>;

/// What the trials are made of.
struct Past<'a> {
    /// As it came.
    input: &'a ForecastInput<'a>,
    /// With partly available days made up for, as far as was known at each cutoff.
    tried: &'a Training<'a>,
    origins: &'a [Origins],
}

fn origins(panel: &Panel, config: &ForecastConfig) -> Vec<Origins> {
    let of = |i: usize| {
        let days = panel.series(i).len();
        Origins::new(days, config.horizon_days, config.cutoffs, config.cutoff_step_days)
    };
    (0..panel.len()).map(of).collect()
}

/// Fits everything before the first cutoffs. Pooled effects are learned only from days before the
/// earliest cutoff of any series that is still current; one that ended long ago must not take
/// everyone's recent days away. No later weather is seen either, not even by later cutoffs.
///
/// Nothing is learned when all that it would be learned for was kept.
fn run_trials<C: Checkpoints>(
    past: &Past,
    config: &ForecastConfig,
    (models, named): (&[Model], &[Model]),
    groups: &Groups,
    features: &Features,
    pieces: &Pieces<C>,
) -> Result<(Trials, Option<TreesLearner>), C::Stop> {
    let Past { input, tried: training, origins } = *past;
    let panel = &*training.panel;
    let last = (0..panel.len()).map(|i| panel.series(i).end()).max().unwrap_or_default();
    let current = |i: &usize| last - panel.series(*i).end() <= CURRENT_DAYS;
    let cut = (0..panel.len())
        .filter(|&i| origins[i].count > 0)
        .filter(current)
        .map(|i| panel.start[i] + origins[i].first as i32)
        .min();
    let ends: Vec<usize> =
        (0..panel.len()).map(|i| cut.map_or(0, |cut| panel.series(i).before(cut).len())).collect();
    // The weather after a cutoff was at best forecast then, and is not to be learned from.
    let known = cut.map(|cut| features.known_at(cut));
    let features = known.as_ref().unwrap_or(features);
    let learner = Learner { panel, features, ends: &ends, members: &groups.members };
    let tried = pieces.per_series(checkpoint::TRIALS);
    let teaches = learns(models) && cut.is_some();
    let with_trees = teaches && models.contains(&Model::Trees);
    let told = with_trees.then(|| pieces.whole(checkpoint::TRIAL_TREES));
    let done = tried.is_kept() && told.as_ref().is_none_or(|told| told.is_kept());
    let effects = match teaches && !done {
        true => Some(pieces.whole(checkpoint::TRIAL_EFFECTS).or_make(|| learner.learn())?),
        false => None,
    };
    let betas = effects.as_ref().map(|effects| taught::betas(&learner, effects, input));
    let taught = effects.as_ref().zip(betas.as_ref());
    let tell =
        || taught.and_then(|(effects, betas)| tell_trials(past, config, &learner, effects, betas));
    let told = told.map(|told| told.or_make(tell)).transpose()?.flatten();
    let (grown, told) = told.unzip();
    let trees = models.iter().position(|model| *model == Model::Trees);
    let trials = tried.or_make(|i| {
        let demand = seen_demand(&panel.series(i));
        let pooled = taught.filter(|_| origins[i].count > 0);
        let pooled =
            pooled.map(|(effects, betas)| learner.series(i, groups.of[i], effects, &betas[i]));
        let seen = seen_demand(&input.panel.series(i));
        let class = DemandClass::of(&demand);
        let asked = |model: Model| {
            is_yardstick(model) || named.contains(&model) || tries(class, config.daily, model)
        };
        let seasons = &config.seasons;
        let pooled = pooled.as_ref();
        let history = History { demand: &demand, seasons, pooled, trees: None };
        let mut trial = Trial::run(&history, &seen, models, origins[i], asked);
        if let Some((trees, told)) = trees.zip(told.as_ref()).filter(|_| asked(Model::Trees)) {
            trial.tell(trees, &told[i], config.horizon_days);
        }
        (class, trial)
    })?;
    Ok((trials, grown))
}

/// What trees that were grown on the days before the first cutoffs would have said from each of
/// them on.
fn tell_trials(
    past: &Past,
    config: &ForecastConfig,
    learner: &Learner,
    effects: &Effects,
    betas: &[Vec<f64>],
) -> Option<(TreesLearner, Vec<Vec<f32>>)> {
    let board = Board::new(past.input, learner, effects, betas);
    let (keys, steps) = (taught::keys(past.input), config.horizon_days);
    let trees =
        TreesLearner::learn(&board, learner.ends, &keys, steps, &taught::trial_fit(), None)?;
    let origins: Vec<Vec<usize>> = past.origins.iter().map(Origins::ends).collect();
    let mut told = trees.forecast(&board, &origins, steps);
    taught::level(&mut told, &past.tried.whole_days);
    Some((trees, told))
}

/// What was learned about each category, for people.
fn effect_rows(input: &ForecastInput, effects: &Effects) -> Vec<EffectRow> {
    let of = |(category, reported): (&String, &Vec<Reported>)| -> Vec<EffectRow> {
        let row = |effect: &Reported| EffectRow {
            category: category.clone(),
            regressor: effect.regressor.clone(),
            log_effect: effect.log_effect,
            low: effect.low,
            high: effect.high,
            days: effect.days,
            items: effect.items,
            occurrences: effect.occurrences,
        };
        reported.iter().map(row).collect()
    };
    input.categories.iter().zip(&effects.reported).flat_map(of).collect()
}
