//! Plan: every item on its own thread's buffers, then what the lines share.

use std::collections::BTreeSet;

use granary_models::distribution::paths::PathPlan;
use granary_models::finding::{Code, Finding};
use granary_models::forecast::sku_forecast::SkuForecast;
use granary_models::plan::assemble::assemble;
use granary_models::plan::gates::OrderTerms;
use granary_models::plan::hysteresis::Previous;
use granary_models::plan::limits::{Capacity, Container, PlanLimits, SupplierRule};
use granary_models::plan::line::ReorderLine;
use granary_models::plan::settle::{Settlement, settle};
use granary_models::plan_sku::{
    ExitProposal, ItemSupply, LocationPlan, OrderException, PlanConfig, Scratch, StockExit,
    plan_item_with,
};
use rayon::prelude::*;

use super::facts::Facts;
use super::findings::Findings;
use super::panel::NightPanel;
use super::supply::{DefaultsUsed, SupplyBook};
use crate::config::Job;
use crate::store::gates::TermsKey;
use crate::store::inputs::master::Supplier;

/// Items that one task plans with the same buffers.
const ITEMS_PER_TASK: usize = 16;

pub struct Planned {
    pub lines: Vec<ReorderLine>,
    pub places: Vec<PlannedPlace>,
    pub exceptions: Vec<PlannedException>,
    pub exits: Vec<PlannedExit>,
    /// Gates that hold the whole plan; none until they are asked.
    pub held: Vec<Finding>,
    /// All terms that could be ordered on, defaults put in.
    pub terms: Vec<(TermsKey, OrderTerms)>,
    /// How often defaults stood in for master data.
    pub defaults: DefaultsUsed,
    /// What shared limits came to.
    pub settlement: Settlement,
    pub items: usize,
}

/// What was decided for one item at one location, also where nothing is ordered.
pub struct PlannedPlace {
    /// Indices into the facts.
    pub item: usize,
    pub location: usize,
    /// Smallest units.
    pub on_hand: i64,
    pub on_order: i64,
    /// Days that one order of the usual source has to last at most.
    pub protection_days: f64,
    /// Its smallest order, smallest units.
    pub lot_qty: i64,
    pub plan: LocationPlan,
}

/// Advice on an open order, of an item at a location; indices into the facts.
pub struct PlannedException {
    pub item: usize,
    pub location: usize,
    pub advice: OrderException,
}

/// Stock that should go.
pub struct PlannedExit {
    pub item: usize,
    pub location: usize,
    /// For a transfer.
    pub to: Option<usize>,
    pub exit: StockExit,
}

#[derive(Default)]
struct Part {
    lines: Vec<ReorderLine>,
    places: Vec<PlannedPlace>,
    exceptions: Vec<PlannedException>,
    exits: Vec<PlannedExit>,
    /// Item and location, as indices into the facts.
    findings: Vec<(usize, usize, Finding)>,
    terms: Vec<(TermsKey, OrderTerms)>,
    used: DefaultsUsed,
}

pub fn plan(
    book: &SupplyBook,
    night: &NightPanel,
    forecasts: &[SkuForecast],
    paths: &PathPlan,
    job: &Job,
    previous: &Previous,
    findings: &mut Findings,
) -> Planned {
    let facts = book.facts;
    let items = book.items(night);
    // Parts are gathered in the order of the items, so threads leave no trace.
    let parts: Vec<Part> = items
        .par_chunks(ITEMS_PER_TASK)
        .map_init(Scratch::default, |scratch, items| {
            plan_items(book, night, items, forecasts, paths, job, scratch)
        })
        .collect();
    let mut lines = Vec::new();
    let (mut places, mut exceptions, mut exits) = (Vec::new(), Vec::new(), Vec::new());
    let (mut terms, mut defaults) = (Vec::new(), DefaultsUsed::new());
    for part in parts {
        lines.extend(part.lines);
        places.extend(part.places);
        exceptions.extend(part.exceptions);
        exits.extend(part.exits);
        terms.extend(part.terms);
        for (item, location, finding) in part.findings {
            let location_id = &facts.locations[location].location_id;
            findings.sku(&facts.items[item].item_id, location_id, finding);
        }
        for (what, times) in part.used {
            let detail = format!("no {what}: the job's default was used");
            findings.count_many(Code::DefaultUsed, detail, times);
            *defaults.entry(what).or_default() += times;
        }
    }
    book.odd_orders().into_iter().for_each(|finding| findings.night(finding));
    let limits = limits(facts, job);
    let (lines, settlement, noted) = settle(lines, &limits, previous, facts.business_date);
    for noted in noted {
        if noted.item_id.is_empty() {
            findings.night(noted.finding);
        } else {
            findings.sku(&noted.item_id, &noted.location_id, noted.finding);
        }
    }
    Planned {
        lines: assemble(lines),
        places,
        exceptions,
        exits,
        held: Vec::new(),
        terms,
        defaults,
        settlement,
        items: items.len(),
    }
}

/// The job's limits, and of the supplier table what the job says nothing of.
fn limits(facts: &Facts, job: &Job) -> PlanLimits {
    let mut limits = job.limits.clone();
    let said: BTreeSet<String> =
        limits.suppliers.iter().map(|rule| rule.supplier_id.clone()).collect();
    let others = facts.suppliers.iter().filter(|row| !said.contains(&row.supplier_id));
    limits.suppliers.extend(others.filter_map(|row| supplier_rule(row, facts)));
    limits
}

/// `None` where the supplier asks for nothing.
fn supplier_rule(row: &Supplier, facts: &Facts) -> Option<SupplierRule> {
    let holds = Capacity {
        weight_g: row.container_weight_g,
        volume_ml: row.container_volume_ml,
        ..Capacity::default()
    };
    let container = (holds != Capacity::default()).then(|| Container {
        holds,
        fixed_cost_minor: row.container_cost_minor.unwrap_or(0),
        min_fill_share: 0.0,
    });
    let asks = row.min_order_qty.is_some_and(|qty| qty > 0)
        || row.min_order_value_minor.is_some_and(|value| value > 0)
        || row.capacity_qty.is_some()
        || container.is_some();
    asks.then(|| SupplierRule {
        supplier_id: row.supplier_id.clone(),
        currency: match row.currency.as_str() {
            "" => facts.defaults.currency.clone().unwrap_or_else(|| "XXX".to_owned()),
            currency => currency.to_owned(),
        },
        capacity: Capacity { units: row.capacity_qty, ..Capacity::default() },
        min_order_units: row.min_order_qty.unwrap_or(0),
        min_order_value_minor: row.min_order_value_minor.unwrap_or(0),
        container,
    })
}

fn plan_items(
    book: &SupplyBook,
    night: &NightPanel,
    items: &[usize],
    forecasts: &[SkuForecast],
    paths: &PathPlan,
    job: &Job,
    scratch: &mut Scratch,
) -> Part {
    let config = PlanConfig {
        with_choices: !limits(book.facts, job).is_neutral(),
        ..job.policy.plan_config(&book.facts.defaults)
    };
    let today = book.facts.business_date;
    let mut part = Part::default();
    for &item in items {
        let (supply, places, odd) = book.item(item, night, forecasts, paths, &mut part.used);
        let (plan, found) = plan_item_with(scratch, &supply, today, &config);
        part.terms.extend(terms_of(&supply));
        let lines = plan.lines.iter().chain(&plan.candidates);
        part.lines.extend(lines.map(|line| line.reorder_line(&supply, today)));
        let findings = odd.into_iter().chain(found);
        part.findings.extend(findings.map(|(at, finding)| (item, places[at], finding)));
        part.exceptions.extend(plan.exceptions.into_iter().map(|advice| PlannedException {
            item,
            location: places[advice.location],
            advice,
        }));
        // What a successor sells out first needs no other way out.
        let exits = plan.exits.into_iter().filter(|_| !book.is_superseded(item));
        part.exits.extend(exits.map(|exit| PlannedExit {
            item,
            location: places[exit.location],
            to: match exit.proposal {
                ExitProposal::Transfer { to } => Some(places[to]),
                _ => None,
            },
            exit,
        }));
        let plans = places.into_iter().zip(&supply.locations).zip(plan.locations);
        part.places.extend(plans.map(|((location, supply), plan)| {
            let usual = supply.terms.iter().min_by_key(|terms| terms.priority);
            PlannedPlace {
                item,
                location,
                on_hand: supply.on_hand,
                on_order: supply.open_orders.iter().map(|order| order.qty).sum(),
                protection_days: usual.map_or(0.0, |terms| {
                    f64::from(terms.lead_time.quantile(0.95) + terms.review_days)
                }),
                lot_qty: usual.map_or(0, |terms| terms.moq.max(terms.multiple)),
                plan,
            }
        }));
    }
    part
}

/// Every row of terms of an item, as gates compare them from night to night.
fn terms_of(supply: &ItemSupply) -> Vec<(TermsKey, OrderTerms)> {
    let places = supply.locations.iter();
    let rows = places.flat_map(|place| place.terms.iter().map(move |terms| (place, terms)));
    rows.map(|(place, terms)| {
        let source = terms.source.and_then(|source| supply.locations.get(source));
        let key = [
            supply.item_id.clone(),
            place.location_id.clone(),
            terms.supplier_id.clone(),
            source.map(|source| source.location_id.clone()).unwrap_or_default(),
        ];
        (key, OrderTerms::of(terms, &supply.unit))
    })
    .collect()
}
