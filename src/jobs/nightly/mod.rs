//! A night: pull → check freshness → forecast → plan → gates → publish.

mod books;
mod facts;
mod findings;
mod gates;
mod launches;
mod measures;
mod panel;
mod planning;
mod prices;
mod production;
mod rows;
mod succession;
mod supply;
pub mod what_if;

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Context, anyhow};
use granary_models::backtest::memory::Memory;
use granary_models::backtest::panel::{ForecastConfig, Night, forecast_night};
use granary_models::calendar::Day;
use granary_models::distribution::paths::PathPlan;
use granary_models::finding::{Code, Finding};
use granary_models::forecast::drivers::ForecastInput;
use granary_models::plan::hysteresis::{Hysteresis, Previous};
use serde::Serialize;

use self::facts::Facts;
use self::findings::Findings;
use self::launches::LaunchReasons;
use self::panel::{Index, NightPanel};
use self::planning::Planned;
use self::succession::Succession;
use self::supply::SupplyBook;
use crate::config::{Exit, Job, Refused};
use crate::store::Store;
use crate::store::memory::MemoryRows;
use crate::store::publish::RunRows;

/// How a run is carried out; none of it may change a byte of the plan.
pub struct RunOptions<'a> {
    /// Worker threads of the numerical part; 0 takes every core.
    pub threads: usize,
    /// Called with the name of each stage as it begins.
    pub on_stage: &'a (dyn Fn(&'static str) + Send + Sync),
}

/// What a run came to.
#[derive(Clone, Debug, Serialize)]
pub struct RunOutcome {
    pub run_id: String,
    pub business_date: Day,
    /// Gate codes that hold the whole plan; empty when it was published.
    pub held_because: Vec<String>,
    pub counts: Counts,
    pub stage_ms: BTreeMap<&'static str, u64>,
}

impl RunOutcome {
    /// A held plan, or a held line in a published one, is exit code 4.
    pub fn exit(&self) -> Exit {
        if self.held_because.is_empty() && self.counts.lines_held == 0 {
            Exit::Ok
        } else {
            Exit::PlanHeld
        }
    }
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Counts {
    pub series: usize,
    /// Series whose models were fitted anew; the others followed what is remembered.
    pub series_fitted: usize,
    pub history_days: usize,
    pub items_planned: usize,
    pub lines: usize,
    pub lines_held: usize,
    pub production_suggestions: usize,
    pub findings: usize,
    /// What the plan buys and makes, by currency; transfers move what is already paid.
    pub value_minor: BTreeMap<String, i64>,
}

/// Runs a job for a business date and publishes its plan, or holds it, or says why it cannot.
///
/// Safe to repeat: a re-run takes the earlier plan's place with the same line keys, and the same
/// inputs give the same bytes.
pub async fn run(
    store: &Store,
    job: &Job,
    business_date: Day,
    options: &RunOptions<'_>,
) -> anyhow::Result<RunOutcome> {
    let _lock = store.lock_run()?;
    let attempt_id = store.begin_attempt(&job.name, business_date).await?;
    let mut stages = Stages { started: Instant::now(), ms: BTreeMap::new(), on: options.on_stage };
    let result = night(store, job, business_date, options, attempt_id, &mut stages).await;
    let (outcome, detail) = match &result {
        Ok(run) if run.held_because.is_empty() => ("published", String::new()),
        Ok(run) => ("held", run.held_because.join(", ")),
        Err(error) => match error.downcast_ref::<Refused>() {
            Some(refused) if refused.exit == Exit::StaleData => ("stale", format!("{error:#}")),
            _ => ("failed", format!("{error:#}")),
        },
    };
    store.end_attempt(attempt_id, outcome, &detail, &stages.ms).await?;
    result
}

/// The day after the newest sales: the date to plan for when none is given and no clock is asked.
pub async fn next_business_date(store: &Store) -> anyhow::Result<Day> {
    crate::store::sales::last_day(&store.reader)
        .await?
        .map(|day| day + 1)
        .ok_or_else(|| Refused::new(Exit::DataRejected, "there are no sales; import some").into())
}

struct Stages<'a> {
    started: Instant,
    ms: BTreeMap<&'static str, u64>,
    on: &'a (dyn Fn(&'static str) + Send + Sync),
}

impl Stages<'_> {
    fn begin(&mut self, name: &'static str) {
        (self.on)(name);
        self.started = Instant::now();
    }

    fn end(&mut self, name: &'static str) {
        self.ms.insert(name, self.started.elapsed().as_millis() as u64);
    }
}

/// What earlier nights left that this one looks at.
#[derive(Default)]
struct Before {
    gates: gates::Before,
    /// The plan that this one should not leave for little.
    plan: Previous,
}

async fn night(
    store: &Store,
    job: &Job,
    business_date: Day,
    options: &RunOptions<'_>,
    attempt_id: i64,
    stages: &mut Stages<'_>,
) -> anyhow::Result<RunOutcome> {
    stages.begin("pull");
    let facts = Facts::pull(store, job, business_date).await?;
    check_freshness(&facts, job)?;
    let before = Before {
        gates: gates::Before::pull(store, job, business_date).await?,
        plan: match &job.limits.hysteresis {
            steady if *steady == Hysteresis::default() => Previous::default(),
            _ => store.previous_lines(&job.name, business_date).await?,
        },
    };
    let remembered_days = job.forecast.refit_days - 1;
    let memory = store.memory(&job.name, business_date, remembered_days).await?;
    stages.end("pull");

    // The numbers are made on threads of their own; async never sees them.
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(options.threads)
        .build()
        .context("cannot start the worker threads")?;
    let on_stage = options.on_stage;
    let worked = std::thread::scope(|scope| {
        scope
            .spawn(|| {
                pool.install(|| {
                    let mut stages =
                        Stages { started: Instant::now(), ms: BTreeMap::new(), on: on_stage };
                    compute(&facts, job, &before, memory.as_ref(), &mut stages)
                        .map(|(rows, outcome)| (rows, outcome, stages.ms))
                })
            })
            .join()
    });
    let (rows, mut outcome, ms) =
        worked.map_err(|_| anyhow!("the numerical part of the night panicked"))??;
    stages.ms.extend(ms);

    stages.begin("publish");
    store.publish(attempt_id, &rows).await?;
    stages.end("publish");
    outcome.stage_ms = stages.ms.clone();
    Ok(outcome)
}

/// A plan from old data is worse than no plan.
fn check_freshness(facts: &Facts, job: &Job) -> anyhow::Result<()> {
    let Some(last_sales) = facts.last_sales_day() else {
        let message = format!(
            "there are no sales in the {} days before {}; import some",
            job.forecast.history_days, facts.business_date
        );
        return Err(Refused::new(Exit::DataRejected, message).into());
    };
    let mut stale = Vec::new();
    let mut check = |input: &str, last: Day, limit: i32| {
        let age = facts.business_date - last;
        if age > limit {
            stale.push(format!("the newest {input} is of {last}, {age} days old (limit {limit})"));
        }
    };
    check("sales row", last_sales, job.freshness.sales_max_age_days);
    if let Some(last_stock) = facts.last_stock_day() {
        check("stock count", last_stock, job.freshness.stock_max_age_days);
    }
    if stale.is_empty() {
        return Ok(());
    }
    Err(Refused::new(Exit::StaleData, stale.join("; ")).into())
}

fn compute(
    facts: &Facts,
    job: &Job,
    before: &Before,
    memory: Option<&Memory>,
    stages: &mut Stages,
) -> anyhow::Result<(RunRows, RunOutcome)> {
    stages.begin("panel");
    let mut findings = Findings::default();
    let index = Index::new(facts);
    let succession = Succession::new(facts, &index, &mut findings);
    let book = SupplyBook::new(facts, &index, &succession, job);
    let horizon_days = horizon(&book, job);
    let night = panel::build(facts, &index, &succession, horizon_days, &mut findings);
    if night.keys.is_empty() {
        let message = "no series: the sales name no known item and location";
        return Err(Refused::new(Exit::DataRejected, message).into());
    }
    stages.end("panel");

    stages.begin("forecast");
    let (made, launches) =
        predict(facts, &index, &night, job, horizon_days, memory, &mut findings)?;
    let remembered = MemoryRows::new(made.panel.as_ref(), &made.series)?;
    let forecast = made.forecast;
    stages.end("forecast");

    stages.begin("plan");
    let paths = PathPlan::new(job.forecast.paths, horizon_days, job.forecast.seed);
    let series = &forecast.series;
    let mut planned =
        planning::plan(&book, &night, series, &paths, job, &before.plan, &mut findings);
    let tonight =
        gates::Tonight { facts, index: &index, night: &night, series, job, before: &before.gates };
    let kept = gates::hold(&tonight, &mut planned, &mut findings);
    let batches =
        production::suggest_batches(facts, &index, &night, &job.production, &mut findings);
    stages.end("plan");

    stages.begin("report");
    let tonight = rows::Tonight {
        facts,
        night: &night,
        job,
        forecast: &forecast,
        series_fitted: made.series.len(),
        launches: &launches,
        planned: &planned,
        batches: &batches,
    };
    let (mut rows, counts) = rows::build(&tonight, &index, findings);
    rows.memory = remembered;
    (rows.facts, rows.terms) = (kept.facts, kept.terms);
    stages.end("report");
    let outcome = RunOutcome {
        run_id: rows.run.run_id(),
        business_date: facts.business_date,
        held_because: held_because(&planned),
        counts,
        stage_ms: BTreeMap::new(),
    };
    Ok((rows, outcome))
}

fn held_because(planned: &Planned) -> Vec<String> {
    planned.held.iter().map(|finding| finding.code.as_str().to_owned()).collect()
}

/// Far enough for the published forecast and for the longest protection interval.
fn horizon(book: &SupplyBook, job: &Job) -> usize {
    let protection = book.protection_days();
    job.forecast.horizon_days.max(protection.min(job.policy.max_protection_days))
}

/// Forecasts every series of a panel, new items from their neighbours.
fn predict(
    facts: &Facts,
    index: &Index,
    night: &NightPanel,
    job: &Job,
    horizon_days: usize,
    memory: Option<&Memory>,
    findings: &mut Findings,
) -> anyhow::Result<(Night, LaunchReasons)> {
    let mut made = forecast(night, job, horizon_days, memory)?;
    let series = &mut made.forecast.series;
    let launches = launches::forecast_launches(facts, index, night, series, findings);
    for (i, finding) in std::mem::take(&mut made.forecast.findings) {
        let key = night.keys[i];
        let location_id = &facts.locations[key.location].location_id;
        findings.sku(&facts.items[key.item].item_id, location_id, finding);
    }
    if let Some(found) = made.forecast.reconciled.as_ref().filter(|found| found.applied) {
        findings.night(Finding::new(Code::SumsReconciled, found.told()));
    }
    Ok((made, launches))
}

fn forecast(
    night: &NightPanel,
    job: &Job,
    horizon_days: usize,
    memory: Option<&Memory>,
) -> anyhow::Result<Night> {
    let input = ForecastInput {
        panel: &night.panel,
        meta: &night.meta,
        categories: &night.categories,
        regions: &night.regions,
    };
    let config = ForecastConfig {
        horizon_days,
        cutoffs: job.forecast.cutoffs,
        cutoff_step_days: job.forecast.cutoff_step_days,
        partial: job.forecast.partial_days,
        reconcile: job.forecast.reconcile,
        ..ForecastConfig::default()
    };
    forecast_night(&input, &config, memory).context("the panel does not fit together")
}
