//! Gates of a night: what lines and plan are compared with, and what the next night will be.

use std::collections::{BTreeMap, HashMap};

use granary_models::calendar::Day;
use granary_models::finding::Code;
use granary_models::forecast::model::Model;
use granary_models::forecast::sku_forecast::SkuForecast;
use granary_models::forecast::split::Part;
use granary_models::plan::gates::{
    GateLimits, OrderTerms, RunFacts, StockGone, UnseenRelease, hold_lines, hold_plan,
    not_compared, proposed_value_minor,
};
use granary_models::plan::line::ReorderLine;

use super::books;
use super::facts::Facts;
use super::findings::Findings;
use super::panel::{Index, NightPanel, SeriesKey};
use super::planning::Planned;
use super::supply::is_open;
use crate::config::Job;
use crate::store::db::Db;
use crate::store::gates::{self, EmptiedStock, KnownTerms, PreviousRunRow, ReleasedLine, TermsKey};
use crate::store::inputs::Order;
use crate::store::publish::{PlannedTermsRow, RunFactRow};

/// Days between two counts over which sales can still explain where the stock went.
const COUNT_GAP_DAYS: i32 = 35;

/// What was there before tonight, read once.
#[derive(Default)]
pub struct Before {
    previous: Option<PreviousRunRow>,
    other_jobs_value_minor: BTreeMap<String, i64>,
    terms: HashMap<TermsKey, KnownTerms>,
    emptied: Vec<EmptiedStock>,
    released: Vec<ReleasedLine>,
    unbalanced_imports: Vec<String>,
}

impl Before {
    pub async fn pull(db: &mut Db, job: &Job, date: Day) -> anyhow::Result<Before> {
        let release_days = job.gates.unseen_release_days.min(3_660) as i32;
        Ok(Before {
            previous: gates::previous_run(db, &job.name, date).await?,
            other_jobs_value_minor: gates::other_jobs_value_minor(db, &job.name, date).await?,
            terms: gates::known_terms(db, &job.name, date).await?,
            emptied: gates::emptied_stock(db, date - COUNT_GAP_DAYS, date).await?,
            released: gates::released_lines(db, date - release_days, date).await?,
            unbalanced_imports: gates::unbalanced_imports(db).await?,
        })
    }
}

/// What of a night the gates look at.
pub struct Tonight<'a> {
    pub facts: &'a Facts,
    pub index: &'a Index<'a>,
    pub night: &'a NightPanel,
    pub series: &'a [SkuForecast],
    pub job: &'a Job,
    pub before: &'a Before,
}

/// What the next night will be compared with.
#[derive(Default)]
pub struct Kept {
    pub facts: Vec<RunFactRow>,
    pub terms: Vec<PlannedTermsRow>,
}

/// Holds lines and, if need be, the plan. Every gate that stops something is a finding.
pub fn hold(tonight: &Tonight, planned: &mut Planned, findings: &mut Findings) -> Kept {
    let limits = &tonight.job.gates;
    add_evidence(tonight, &mut planned.lines);
    for (at, finding) in hold_lines(&mut planned.lines, limits) {
        let line = &planned.lines[at];
        findings.sku(&line.item_id, &line.location_id, finding);
    }
    let facts = run_facts(tonight, planned, findings);
    planned.held = hold_plan(&planned.lines, &facts, limits);
    planned.held.iter().for_each(|finding| findings.night(finding.clone()));
    not_compared(&facts).into_iter().for_each(|finding| findings.night(finding));
    Kept {
        facts: fact_rows(&facts, &planned.lines),
        terms: terms_rows(tonight.before, limits, std::mem::take(&mut planned.terms)),
    }
}

/// What the plan before, stock counts and released lines say about each line.
fn add_evidence(tonight: &Tonight, lines: &mut [ReorderLine]) {
    let gone = stock_gone(tonight);
    let released = unseen_releases(tonight);
    for line in lines {
        let key = [
            line.item_id.clone(),
            line.location_id.clone(),
            line.supplier_id.clone(),
            line.source_location_id.clone(),
        ];
        let place = tonight.index.key(&line.item_id, &line.location_id);
        let evidence = &mut line.facts.evidence;
        evidence.terms_before =
            tonight.before.terms.get(&key).and_then(|known| known.accepted.clone());
        evidence.stock_gone = place.and_then(|place| gone.get(&place).copied());
        evidence.unseen_release = released.get(&key).copied();
    }
}

/// Counts that found nothing, with what neither sales nor deliveries to other places nor expiry
/// explain. A perishable without lots may have been thrown away.
fn stock_gone(tonight: &Tonight) -> HashMap<SeriesKey, StockGone> {
    let facts = tonight.facts;
    let fed_until = facts.last_sales_day();
    let mut sent: HashMap<(&str, &str), Vec<&Order>> = HashMap::new();
    for order in facts.orders.iter().filter(|order| !order.source_location_id.is_empty()) {
        sent.entry((&order.item_id, &order.source_location_id)).or_default().push(order);
    }
    let mut gone = HashMap::new();
    for emptied in &tonight.before.emptied {
        let Some(key) = tonight.index.key(&emptied.item_id, &emptied.location_id) else { continue };
        if facts.items[key.item].shelf_life_days.is_some() && !emptied.has_lots {
            continue;
        }
        let window = emptied.before_on..=emptied.counted_on + 1;
        let place = (emptied.item_id.as_str(), emptied.location_id.as_str());
        let moved: i64 = sent
            .get(&place)
            .into_iter()
            .flatten()
            .filter(|order| {
                let days = [order.ordered_on, order.received_on];
                days.into_iter().flatten().any(|day| window.contains(&day))
            })
            .map(|order| order.qty)
            .sum();
        let explained = [sold(facts, emptied, fed_until), moved, emptied.expired];
        let left = explained.into_iter().fold(emptied.before, i64::saturating_sub);
        let found = StockGone {
            counted_on: emptied.counted_on,
            before_on: emptied.before_on,
            before: emptied.before,
            unexplained: left.max(0),
        };
        gone.insert(key, found);
    }
    gone
}

/// Sales between two counts. A day that the feed has not reached may have sold as much as the best
/// day ever did.
fn sold(facts: &Facts, emptied: &EmptiedStock, fed_until: Option<Day>) -> i64 {
    let key = (emptied.item_id.as_str(), emptied.location_id.as_str());
    let found = facts.sales.binary_search_by(|series| {
        (series.item_id.as_str(), series.location_id.as_str()).cmp(&key)
    });
    let Ok(at) = found else { return 0 };
    let days = &facts.sales[at].days;
    let between = (emptied.before_on + 1)..=emptied.counted_on;
    let sold: i64 = days.iter().filter(|day| between.contains(&day.date)).map(|day| day.qty).sum();
    let unfed = fed_until.map_or(0, |last| emptied.counted_on - last.max(emptied.before_on)).max(0);
    let best = days.iter().map(|day| day.qty).max().unwrap_or(0);
    sold.saturating_add(best.saturating_mul(i64::from(unfed)))
}

/// The newest released line of each key of which no order is in the table, of its date or later.
fn unseen_releases(tonight: &Tonight) -> HashMap<TermsKey, UnseenRelease> {
    let facts = tonight.facts;
    if tonight.before.released.is_empty() {
        return HashMap::new();
    }
    let mut newest: HashMap<TermsKey, Day> = HashMap::new();
    for order in &facts.orders {
        let Some(day) = order.ordered_on.or(order.expected_on).or(order.received_on) else {
            continue;
        };
        let key = [
            order.item_id.clone(),
            order.location_id.clone(),
            order.supplier_id.clone(),
            order.source_location_id.clone(),
        ];
        let seen = newest.entry(key).or_insert(day);
        *seen = day.max(*seen);
    }
    let mut unseen = HashMap::new();
    for line in &tonight.before.released {
        let key = [
            line.item_id.clone(),
            line.location_id.clone(),
            line.supplier_id.clone(),
            line.source_location_id.clone(),
        ];
        if newest.get(&key).is_some_and(|day| *day >= line.business_date) {
            continue;
        }
        let age_days = (facts.business_date - line.business_date).max(0) as u32;
        let business_date = line.business_date;
        unseen.insert(key, UnseenRelease { business_date, qty: line.qty, age_days });
    }
    unseen
}

fn run_facts(tonight: &Tonight, planned: &Planned, findings: &Findings) -> RunFacts {
    let (facts, before) = (tonight.facts, tonight.before);
    let mut unbalanced_books = before.unbalanced_imports.clone();
    unbalanced_books.extend(books::unbalanced(tonight, &planned.lines));
    let (sales_day_rows, usual_sales_day_rows) = sales_day(facts);
    let then = before.previous.as_ref().map_or(facts.business_date, |run| run.business_date);
    RunFacts {
        stale_inputs: Vec::new(),
        unbalanced_books,
        series: tonight.series.len() as u64,
        fallback_series: findings.skus_with(&[Code::ModelFailed, Code::AllCensored]) as u64,
        places: planned.places.len() as u64,
        defaults: planned.defaults.iter().map(|(kind, n)| ((*kind).to_owned(), *n)).collect(),
        inputs: inputs(tonight),
        sales_day_rows,
        usual_sales_day_rows,
        stock_rows: facts.stock.len() as u64,
        empty_stock_rows: facts.stock.iter().filter(|row| row.on_hand == 0).count() as u64,
        open_orders: facts.orders.iter().filter(|order| is_open(order)).count() as u64,
        open_orders_then: facts
            .orders
            .iter()
            .filter(|order| {
                let known = order.ordered_on.or(order.expected_on).or(order.received_on);
                known.is_some_and(|day| day < then)
                    && order.received_on.is_none_or(|day| day >= then)
            })
            .count() as u64,
        other_jobs_value_minor: before.other_jobs_value_minor.clone(),
        previous: before.previous.as_ref().map(|row| row.run.clone()),
    }
}

/// Rows of what should not get fewer. Counts of stock that are too old to be believed are not rows.
fn inputs(tonight: &Tonight) -> BTreeMap<String, u64> {
    let facts = tonight.facts;
    let oldest = facts.business_date - tonight.job.freshness.stock_max_age_days;
    let fresh = facts.stock.iter().filter(|row| row.date >= oldest).count();
    let recent = facts.last_sales_day().map_or(facts.business_date, |day| day - 27);
    let sales: usize = facts
        .sales
        .iter()
        .map(|series| series.days.len() - series.days.partition_point(|day| day.date < recent))
        .sum();
    [
        ("items", facts.items.len()),
        ("locations", facts.locations.len()),
        ("suppliers", facts.suppliers.len()),
        ("supply_terms", facts.supply_terms.len()),
        ("series", tonight.series.len()),
        ("stock counts in date", fresh),
        ("sales of four weeks", sales),
        ("orders of all time", facts.orders.len()),
    ]
    .into_iter()
    .map(|(name, rows)| (name.to_owned(), rows as u64))
    .collect()
}

/// Rows of the newest day of sales, and what such a day has: the median of its four last weekdays
/// or of the four weeks before, whichever is less. `None` where less than two weeks are there.
fn sales_day(facts: &Facts) -> (u64, Option<f64>) {
    const DAYS: usize = 28;
    let Some(last) = facts.last_sales_day() else { return (0, None) };
    let mut rows = [0u64; DAYS + 1];
    for series in &facts.sales {
        let recent = series.days.partition_point(|day| day.date < last - DAYS as i32);
        series.days[recent..].iter().for_each(|day| rows[(last - day.date) as usize] += 1);
    }
    let days: Vec<u64> = rows[1..].iter().copied().filter(|&rows| rows > 0).collect();
    if days.len() < 14 {
        return (rows[0], None);
    }
    let weekdays: Vec<u64> = (1..=4).map(|week| rows[7 * week]).collect();
    (rows[0], Some(median(days).min(median(weekdays))))
}

fn median(mut values: Vec<u64>) -> f64 {
    values.sort_unstable();
    let middle = values.len() / 2;
    let upper = values[middle] as f64;
    if values.len().is_multiple_of(2) { (values[middle - 1] as f64 + upper) / 2.0 } else { upper }
}

fn fact_rows(facts: &RunFacts, lines: &[ReorderLine]) -> Vec<RunFactRow> {
    let mut rows = Vec::new();
    let mut add = |kind, name: &str, value: u64| {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        rows.push(RunFactRow { kind, name: name.to_owned(), value });
    };
    facts.inputs.iter().for_each(|(name, value)| add("input", name, *value));
    facts.defaults.iter().for_each(|(name, value)| add("default", name, *value));
    for (name, value) in [
        ("places", facts.places),
        ("stock_rows", facts.stock_rows),
        ("empty_stock_rows", facts.empty_stock_rows),
        ("open_orders", facts.open_orders),
        ("fallback_series", facts.fallback_series),
        ("lines", lines.len() as u64),
    ] {
        add("count", name, value);
    }
    let values = proposed_value_minor(lines);
    rows.extend(values.into_iter().map(|(name, value)| RunFactRow { kind: "value", name, value }));
    rows
}

/// Terms that differ from the last that a plan was made on, and whether that holds their lines.
fn terms_rows(
    before: &Before,
    limits: &GateLimits,
    tonight: Vec<(TermsKey, OrderTerms)>,
) -> Vec<PlannedTermsRow> {
    let rows = tonight.into_iter().filter_map(|(key, terms)| {
        let Some(known) = before.terms.get(&key) else {
            return Some(PlannedTermsRow { key, terms, held: false });
        };
        let times = limits.max_terms_change;
        let changed =
            |accepted: &OrderTerms| times != 0.0 && terms.changed(accepted, times).is_some();
        let held = known.accepted.as_ref().is_some_and(changed);
        let same = known.newest == terms && known.newest_held == held;
        (!same).then_some(PlannedTermsRow { key, terms, held })
    });
    let mut rows: Vec<PlannedTermsRow> = rows.collect();
    rows.sort_by(|a, b| a.key.cmp(&b.key));
    rows.dedup_by(|a, b| a.key == b.key);
    rows
}

/// Mean of a day's forecast over the horizon without what events, promotions and prices bring.
pub fn plain_daily(forecast: &SkuForecast, horizon_days: usize) -> f64 {
    let days = horizon_days.min(forecast.horizon()).max(1);
    let plain = |day: usize| {
        let parts = forecast.parts(day);
        let brought: f64 = [Part::Events, Part::Promo, Part::Price]
            .into_iter()
            .map(|part| parts.part(part).max(0.0))
            .sum();
        forecast.mean.get(day).copied().unwrap_or(0.0) - brought
    };
    (0..days).map(plain).sum::<f64>() / days as f64
}

/// Whether a forecast was taken from neighbouring items.
pub fn by_neighbours(forecast: &SkuForecast) -> bool {
    forecast.model == Model::Launch
}
