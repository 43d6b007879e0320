//! What if: the same forecast of the same night, with other drivers on some days. Nothing is
//! written.

mod change;

use anyhow::{Context, anyhow};
use granary_models::backtest::checkpoint::NoCheckpoints;
use granary_models::backtest::memory::Memory;
use granary_models::calendar::Day;
use granary_models::distribution::paths::PathPlan;
use granary_models::forecast::sku_forecast::SkuForecast;
use granary_models::plan::limits::PlanLimits;
use granary_models::plan_sku::{PlanConfig, Scratch, plan_item_with};
use serde::Serialize;

use super::facts::Facts;
use super::findings::Findings;
use super::panel::{self, Index, NightPanel};
use super::succession::Succession;
use super::supply::{DefaultsUsed, SupplyBook};
use super::{horizon, predict};
use crate::config::{Exit, Job, Refused};
use crate::export::format;
use crate::store::db::Db;
use crate::store::read::runs::Run;
use crate::store::{Store, memory};

pub use change::{Change, PriceChange, minor_units, share};

/// Whose forecast is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub item_id: &'a str,
    pub location_id: &'a str,
    pub change: Change,
}

/// A forecast as it is and as it would be.
#[derive(Clone, Debug, Serialize)]
pub struct WhatIf {
    pub run_id: String,
    pub item_id: String,
    pub location_id: String,
    pub base_uom: String,
    pub qty_decimals: i64,
    pub model: String,
    /// Days on which something is changed.
    pub from: Day,
    pub to: Day,
    /// Of the published horizon.
    pub days: Vec<DayPair>,
    /// Mean demand over them, smallest units.
    pub mean: Pair<f64>,
    /// Days from today until the order after tonight's arrives, and the demand in them.
    pub protection_days: usize,
    pub protection: Pair<Demand>,
    /// What tonight would order for this location, before anything that lines share.
    pub orders: Pair<Vec<Order>>,
    pub notes: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Pair<T> {
    pub before: T,
    pub after: T,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DayPair {
    pub date: Day,
    pub before: DayDemand,
    pub after: DayDemand,
}

/// One day's demand: its mean and its quantiles .01 .05 .1 .25 .5 .75 .9 .95 .99, smallest units.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DayDemand {
    pub mean: f64,
    pub quantiles: [f64; 9],
}

/// Demand over several days, from paths.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Demand {
    pub mean: f64,
    pub q05: f64,
    pub q50: f64,
    pub q95: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Order {
    pub kind: &'static str,
    pub from: String,
    /// Smallest units.
    pub qty: i64,
    pub order_qty: i64,
    pub order_uom: String,
    pub value_minor: i64,
    pub currency: String,
    pub order_on: Day,
    pub expected_on: Day,
}

/// Orders in one line of words.
pub fn orders(orders: &[Order]) -> String {
    if orders.is_empty() {
        return "none".to_owned();
    }
    let one = |order: &Order| {
        format!(
            "{} {} {} from {}, {}, order {}, expected {}",
            order.kind,
            format::grouped(order.order_qty, 0),
            order.order_uom,
            order.from,
            format::money(order.value_minor, &order.currency),
            order.order_on,
            order.expected_on
        )
    };
    orders.iter().map(one).collect::<Vec<String>>().join("; ")
}

/// Answers a question about a run's forecast, from what the run read and remembered.
///
/// # Errors
/// Usage, when the item is not forecast at the location, a day lies outside the horizon or a value
/// is beyond what the models know; and failures to read.
pub async fn what_if(
    store: &Store,
    job: &Job,
    run: &Run,
    asked: Asked<'_>,
    threads: usize,
) -> anyhow::Result<WhatIf> {
    asked.change.check()?;
    let date = run.date().context("the run has no business date")?;
    asked.change.days(date, job.forecast.horizon_days)?;
    let mut snapshot = store.snapshot().await?;
    let facts = Facts::pull(&mut snapshot, job, date).await?;
    let memory = remembered(&mut snapshot, job, date).await?;
    drop(snapshot);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .context("cannot start the worker threads")?;
    // The numbers are made on threads of their own; async never sees them.
    let worked = std::thread::scope(|scope| {
        scope.spawn(|| pool.install(|| answer(&facts, job, run, asked, memory.as_ref()))).join()
    });
    worked.map_err(|_| anyhow!("the numerical part of the question panicked"))?
}

/// What the night of `date` went on with: its own fits when it was a refit, else the memory before
/// it. `None` where it is forgotten, and everything has to be fitted again.
async fn remembered(db: &mut Db, job: &Job, date: Day) -> anyhow::Result<Option<Memory>> {
    if let Some(own) = memory::read(db, &job.name, date + 1, 1).await? {
        return Ok(Some(own));
    }
    memory::read(db, &job.name, date, job.forecast.refit_days - 1).await
}

fn answer(
    facts: &Facts,
    job: &Job,
    run: &Run,
    asked: Asked,
    memory: Option<&Memory>,
) -> anyhow::Result<WhatIf> {
    let mut findings = Findings::default();
    let index = Index::new(facts);
    let succession = Succession::new(facts, &index, &mut findings);
    let book = SupplyBook::new(facts, &index, &succession, job);
    let horizon_days = horizon(&book, job);
    let mut night = panel::build(facts, &index, &succession, horizon_days, &mut findings);
    let key = index.key(asked.item_id, asked.location_id);
    let Some(i) = key.and_then(|key| night.keys.binary_search(&key).ok()) else {
        let message = format!("{} is not forecast at {}", asked.item_id, asked.location_id);
        return Err(Refused::new(Exit::Usage, message).into());
    };
    let days = asked.change.days(facts.business_date, job.forecast.horizon_days)?;
    let mut notes = circumstances(facts, job, run, memory);
    let desk = Desk { facts, job, book: &book, i, horizon_days };
    let forecasts = |night: &NightPanel, findings: &mut Findings| {
        predict(facts, &index, night, job, (horizon_days, memory), findings, &NoCheckpoints)
            .map(|(made, _)| made.forecast.series)
    };
    let series = forecasts(&night, &mut findings)?;
    let before = desk.outlook(&night, &series);
    let made_of = &series[i];
    notes.extend(asked.change.apply(facts, &mut night, i, days)?);
    let series = forecasts(&night, &mut findings)?;
    let after = desk.outlook(&night, &series);
    if before.days == after.days && !asked.change.is_nothing() {
        let model = made_of.model.as_str();
        notes.push(format!("nothing moves: {model} has learned no effect of this here"));
    }
    let item = &facts.items[night.keys[i].item];
    let pairs = before.days.into_iter().zip(after.days).zip(0..);
    Ok(WhatIf {
        run_id: run.run_id.clone(),
        item_id: asked.item_id.to_owned(),
        location_id: asked.location_id.to_owned(),
        base_uom: item.base_uom.clone(),
        qty_decimals: i64::from(item.qty_decimals),
        model: made_of.model.as_str().to_owned(),
        from: days.0,
        to: days.1,
        days: pairs
            .map(|((before, after), day)| DayPair {
                date: facts.business_date + day,
                before,
                after,
            })
            .collect(),
        mean: Pair { before: before.mean, after: after.mean },
        protection_days: before.protection_days,
        protection: Pair { before: before.protection, after: after.protection },
        orders: Pair { before: before.orders, after: after.orders },
        notes,
    })
}

/// What keeps the answer from being about the published numbers.
fn circumstances(facts: &Facts, job: &Job, run: &Run, memory: Option<&Memory>) -> Vec<String> {
    let mut notes = Vec::new();
    if facts.input_digest != run.input_digest {
        notes.push("the inputs have changed since the run: before is what it would say now".into());
    }
    if job.digest != run.config_digest {
        notes.push("the job's file has changed since the run".into());
    }
    if memory.is_none() {
        notes.push("what the run had fitted is forgotten: everything was fitted again".into());
    }
    if !job.limits.is_neutral() && job.limits != PlanLimits::default() {
        notes.push("limits that lines share are not applied to the orders".into());
    }
    notes
}

/// Everything that one forecast is judged with.
struct Desk<'a> {
    facts: &'a Facts,
    job: &'a Job,
    book: &'a SupplyBook<'a>,
    i: usize,
    horizon_days: usize,
}

struct Outlook {
    days: Vec<DayDemand>,
    mean: f64,
    protection_days: usize,
    protection: Demand,
    orders: Vec<Order>,
}

impl Desk<'_> {
    fn outlook(&self, night: &NightPanel, series: &[SkuForecast]) -> Outlook {
        let (facts, job) = (self.facts, self.job);
        let forecast = &series[self.i];
        let key = night.keys[self.i];
        let paths = PathPlan::new(job.forecast.paths, self.horizon_days, job.forecast.seed);
        let mut used = DefaultsUsed::new();
        let (supply, places, _) = self.book.item(key.item, night, series, &paths, &mut used);
        let config = PlanConfig { with_choices: false, ..job.policy.plan_config(&facts.defaults) };
        let today = facts.business_date;
        let (plan, _) = plan_item_with(&mut Scratch::default(), &supply, today, &config);
        let at = places.iter().position(|&place| place == key.location);
        let usual = at.and_then(|at| supply.locations[at].terms.iter().min_by_key(|t| t.priority));
        let protection_days = usual
            .map_or(job.forecast.horizon_days, |terms| {
                (terms.lead_time.quantile(0.95) + terms.review_days) as usize
            })
            .clamp(1, self.horizon_days);
        let orders = plan
            .lines
            .iter()
            .filter(|line| Some(line.location) == at)
            .map(|line| {
                let line = line.reorder_line(&supply, today);
                Order {
                    kind: line.kind.as_str(),
                    from: match line.supplier_id.as_str() {
                        "" => line.source_location_id,
                        supplier => supplier.to_owned(),
                    },
                    qty: line.qty,
                    order_qty: line.order_qty,
                    order_uom: line.order_uom,
                    value_minor: line.value_minor,
                    currency: line.currency,
                    order_on: line.order_on,
                    expected_on: line.expected_on,
                }
            })
            .collect();
        let days = job.forecast.horizon_days.min(forecast.mean.len());
        Outlook {
            days: (0..days)
                .map(|day| DayDemand {
                    mean: forecast.mean[day],
                    quantiles: forecast.quantiles(day),
                })
                .collect(),
            mean: forecast.mean[..days].iter().sum(),
            protection_days,
            protection: self.over_days(forecast, &paths, protection_days),
            orders,
        }
    }

    fn over_days(&self, forecast: &SkuForecast, plan: &PathPlan, days: usize) -> Demand {
        let paths = forecast.paths(plan);
        let days = days.min(paths.horizon);
        let mut sums: Vec<f64> = (0..paths.paths)
            .map(|path| paths.path(path)[..days].iter().map(|&units| f64::from(units)).sum())
            .collect();
        sums.sort_by(f64::total_cmp);
        let quantile = |level: f64| {
            let rank = (level * sums.len() as f64).ceil() as usize;
            sums.get(rank.max(1) - 1).copied().unwrap_or(0.0)
        };
        Demand {
            mean: forecast.mean[..days].iter().sum(),
            q05: quantile(0.05),
            q50: quantile(0.5),
            q95: quantile(0.95),
        }
    }
}
