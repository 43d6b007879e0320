//! A night: sources → pull → check freshness → forecast → plan → gates → publish → release.

mod books;
mod facts;
mod findings;
mod gates;
mod launches;
mod lift;
mod measures;
mod panel;
mod pieces;
mod planning;
mod prices;
mod production;
mod rows;
mod succession;
mod supply;
pub mod what_if;

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Context, bail};
use granary_models::backtest::checkpoint::Checkpoints;
use granary_models::backtest::memory::Memory;
use granary_models::backtest::panel::{
    ForecastConfig, Night, NightError, forecast_night_in_pieces,
};
use granary_models::calendar::Day;
use granary_models::distribution::paths::PathPlan;
use granary_models::finding::{Code, Finding};
use granary_models::forecast::drivers::ForecastInput;
use granary_models::plan::hysteresis::{Hysteresis, Previous};
use serde::Serialize;
use tracing::Instrument;

use self::facts::Facts;
use self::findings::Findings;
use self::launches::LaunchReasons;
use self::panel::{Index, NightPanel};
use self::pieces::Desk;
use self::planning::Planned;
use self::succession::Succession;
use self::supply::SupplyBook;
use crate::config::{Actor, Exit, Job, Refused, clock, faults};
use crate::jobs::release::{By, Wish, release};
use crate::jobs::sources::{self, PullOptions};
use crate::store::Store;
use crate::store::attempt::{Asked, Lease};
use crate::store::checkpoint::Keep;
use crate::store::memory::{self, MemoryRows};
use crate::store::publish::{self, RunRows};
use crate::store::release::{current_run, held_after};

pub use self::lift::Lift;
pub use self::pieces::{PARTITION_SERIES, Resumed};

/// How a run is carried out; none of it may change a byte of the plan.
pub struct RunOptions<'a> {
    /// Worker threads of the numerical part; 0 takes every core.
    pub threads: usize,
    /// About how many series are made, and kept in case of a kill, at a time.
    pub partition_series: usize,
    /// Who publishes the plan if gates hold it.
    pub lift: Option<Lift>,
    /// Called with the name of each stage as it begins.
    pub on_stage: &'a (dyn Fn(&'static str) + Send + Sync),
}

impl Default for RunOptions<'_> {
    fn default() -> Self {
        RunOptions { threads: 0, partition_series: PARTITION_SERIES, lift: None, on_stage: &|_| {} }
    }
}

/// What a run came to.
#[derive(Clone, Debug, Serialize)]
pub struct RunOutcome {
    pub run_id: String,
    pub business_date: Day,
    /// Gate codes that hold the whole plan; empty when it was published.
    pub held_because: Vec<String>,
    /// Gate codes that held it until somebody lifted them.
    pub lifted: Vec<String>,
    /// Why they were not lifted, though somebody asked for it.
    pub not_lifted: Option<String>,
    pub counts: Counts,
    /// What an attempt that was killed had made already.
    pub resumed: Resumed,
    /// What went out by the job's rules; `None` where the job releases nothing by itself.
    pub released: Option<Released>,
    pub stage_ms: BTreeMap<&'static str, u64>,
}

/// What a night released.
#[derive(Clone, Debug, Serialize)]
pub struct Released {
    pub release_id: Option<i64>,
    pub lines: usize,
    /// Lines that a gate, a limit or a switch left behind.
    pub left: usize,
}

impl RunOutcome {
    /// A held plan, or a held line in a published one, is exit code 4.
    pub fn exit(&self) -> Exit {
        let left = self.released.as_ref().is_some_and(|released| released.left > 0);
        if self.held_because.is_empty() && self.counts.lines_held == 0 && !left {
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
    let lease = store.begin_run(job, business_date, Asked::ByHand).await?;
    run_under(store, job, business_date, lease, options).await
}

/// The same under a lease that was taken before. Once that is lost nothing is written any more.
pub async fn run_under(
    store: &Store,
    job: &Job,
    business_date: Day,
    lease: Lease,
    options: &RunOptions<'_>,
) -> anyhow::Result<RunOutcome> {
    let mut stages = Stages { started: Instant::now(), ms: BTreeMap::new(), on: options.on_stage };
    let span = tracing::info_span!("run", job = job.name, date = %business_date);
    let result =
        night(store, job, business_date, options, &lease, &mut stages).instrument(span).await;
    let (outcome, detail) = match &result {
        Ok(run) => {
            let outcome = if run.held_because.is_empty() { "published" } else { "held" };
            let lifted = options.lift.as_ref().and_then(|lift| lift.told(run));
            let detail = run.held_because.iter().cloned().chain(lifted).chain(run.resumed.told());
            (outcome, detail.collect::<Vec<String>>().join(", "))
        }
        Err(error) => match error.downcast_ref::<Refused>() {
            Some(refused) if refused.exit == Exit::StaleData => ("stale", format!("{error:#}")),
            _ => ("failed", format!("{error:#}")),
        },
    };
    lease.end(outcome, &detail, &stages.ms).await?;
    faults::point("attempt.ended")?;
    result
}

/// The day after the newest sales: the date to plan for when none is given and no clock is asked.
pub async fn next_business_date(store: &Store) -> anyhow::Result<Day> {
    crate::store::sales::last_day(&mut store.snapshot().await?)
        .await?
        .map(|day| day + 1)
        .ok_or_else(|| Refused::new(Exit::DataRejected, "there are no sales; import some").into())
}

/// The date to plan for when none is given. A job that pulls its own inputs plans for today in its
/// time zone, since what it will pull is not there yet.
pub async fn default_business_date(store: &Store, job: &Job) -> anyhow::Result<Day> {
    match &job.schedule {
        Some(schedule) if !job.sources.is_empty() => {
            Ok(Day::from(clock::now().with_timezone(&schedule.time_zone).date_naive()))
        }
        None if !job.sources.is_empty() => {
            let next = next_business_date(store).await;
            Ok(next.unwrap_or_else(|_| Day::from(clock::now().date_naive())))
        }
        _ => next_business_date(store).await,
    }
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
    lease: &Lease,
    stages: &mut Stages<'_>,
) -> anyhow::Result<RunOutcome> {
    faults::point("attempt.begun")?;
    // Who lifts a gate has looked at what was there then.
    if !job.sources.is_empty() && options.lift.is_none() {
        stages.begin("sources");
        sources::pull(store, job, business_date, PullOptions::default()).await.complete()?;
        stages.end("sources");
    }
    stages.begin("pull");
    let mut snapshot = store.snapshot().await?;
    let db = &mut snapshot;
    let facts = Facts::pull(db, job, business_date).await?;
    check_freshness(&facts, job)?;
    let before = Before {
        gates: gates::Before::pull(db, job, business_date).await?,
        plan: match &job.limits.hysteresis {
            steady if *steady == Hysteresis::default() => Previous::default(),
            _ => publish::previous_lines(db, &job.name, business_date).await?,
        },
    };
    let remembered_days = job.forecast.refit_days - 1;
    let memory = memory::read(db, &job.name, business_date, remembered_days).await?;
    drop(snapshot);
    let digest =
        pieces::digest(&facts.input_digest, job, memory.as_ref(), options.partition_series)?;
    let attempt_id = lease.attempt_id();
    let keep = Keep { attempt_id, job: job.name.clone(), business_date, digest };
    stages.end("pull");
    faults::point("night.pulled")?;
    lease.check()?;

    // The numbers are made on threads of their own; async never sees them.
    let of_night = job.clone();
    let ((mut rows, mut outcome, ms), resumed) = pieces::run(store, keep, options, move |desk| {
        let on = |stage: &'static str| desk.stage(stage);
        let mut stages = Stages { started: Instant::now(), ms: BTreeMap::new(), on: &on };
        compute(&facts, &of_night, &before, memory.as_ref(), desk, &mut stages)
            .map(|(rows, outcome)| (rows, outcome, stages.ms))
    })
    .await?;
    outcome.resumed = resumed;
    stages.ms.extend(ms);

    if let Some(lift) = &options.lift {
        lift.apply(&mut rows, &mut outcome);
    }
    stages.begin("publish");
    lease.check()?;
    store.publish(attempt_id, &rows).await?;
    stages.end("publish");
    if job.release.auto && outcome.held_because.is_empty() {
        stages.begin("release");
        outcome.released = release_by_rule(store, job, business_date).await.with_context(|| {
            format!("{} is published, and nothing of it was released", outcome.run_id)
        })?;
        stages.end("release");
    }
    outcome.stage_ms = stages.ms.clone();
    Ok(outcome)
}

/// Releases what needs nobody's word. A night that was run again for an earlier date releases nothing:
/// only the newest plan may go out.
async fn release_by_rule(
    store: &Store,
    job: &Job,
    business_date: Day,
) -> anyhow::Result<Option<Released>> {
    let newest = {
        let db = &mut store.snapshot().await?;
        match current_run(db, &job.name).await? {
            Some(run) if run.business_date == business_date.to_string() => {
                held_after(db, &run).await?.is_none()
            }
            _ => false,
        }
    };
    if !newest {
        return Ok(None);
    }
    let by = By { actor: Actor::engine(), at: clock::now() };
    let wish = Wish { job: job.name.clone(), date: Some(business_date), ..Wish::default() };
    let report = release(store, &by, &wish).await?;
    Ok(Some(Released {
        release_id: report.release_id,
        lines: report.released.len(),
        left: report.left.len(),
    }))
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
    desk: &Desk,
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
    note_released(facts, &mut findings);
    stages.end("panel");

    stages.begin("forecast");
    let (made, launches) =
        predict(facts, &index, &night, job, (horizon_days, memory), &mut findings, desk)?;
    let remembered = MemoryRows::new(made.panel.as_ref(), &made.series)?;
    let forecast = made.forecast;
    stages.end("forecast");
    faults::point("night.forecast")?;

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
    faults::point("night.planned")?;

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
        lifted: Vec::new(),
        not_lifted: None,
        counts,
        resumed: Resumed::default(),
        released: None,
        stage_ms: BTreeMap::new(),
    };
    Ok((rows, outcome))
}

/// What the plan assumes of lines that went out.
fn note_released(facts: &Facts, findings: &mut Findings) {
    let released = &facts.released;
    let counted = released.orders.len();
    if counted > 0 {
        let code = Code::ReleasedOnOrder;
        findings.count_many(code, code.explain().to_owned(), counted as u64);
    }
    if released.lapsed > 0 {
        let code = Code::ReleasedLapsed;
        findings.count_many(code, code.explain().to_owned(), released.lapsed as u64);
    }
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
fn predict<C: Checkpoints>(
    facts: &Facts,
    index: &Index,
    night: &NightPanel,
    job: &Job,
    (horizon_days, memory): (usize, Option<&Memory>),
    findings: &mut Findings,
    checkpoints: &C,
) -> anyhow::Result<(Night, LaunchReasons)> {
    let mut made = forecast(night, job, horizon_days, memory, checkpoints)?;
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

fn forecast<C: Checkpoints>(
    night: &NightPanel,
    job: &Job,
    horizon_days: usize,
    memory: Option<&Memory>,
    checkpoints: &C,
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
    match forecast_night_in_pieces(&input, &config, memory, checkpoints) {
        Ok(night) => Ok(night),
        Err(NightError::Input(error)) => Err(error).context("the panel does not fit together"),
        Err(NightError::Stopped(_)) => bail!("the night was stopped"),
    }
}
