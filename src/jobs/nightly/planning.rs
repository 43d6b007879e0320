//! Plan: every item on its own thread's buffers, then what the lines share, then the gates.

use granary_models::distribution::paths::PathPlan;
use granary_models::finding::{Code, Finding};
use granary_models::forecast::sku_forecast::SkuForecast;
use granary_models::plan::assemble::assemble;
use granary_models::plan::gates::{RunFacts, hold_lines, hold_plan};
use granary_models::plan::line::ReorderLine;
use granary_models::plan_sku::{LocationPlan, Scratch, plan_item_with};
use rayon::prelude::*;

use super::findings::Findings;
use super::panel::NightPanel;
use super::supply::{DefaultsUsed, SupplyBook};
use crate::config::Job;

/// Items that one task plans with the same buffers.
const ITEMS_PER_TASK: usize = 16;

pub struct Planned {
    pub lines: Vec<ReorderLine>,
    pub places: Vec<PlannedPlace>,
    /// Gates that hold the whole plan.
    pub held: Vec<Finding>,
    pub items: usize,
}

/// What was decided for one item at one location, also where nothing is ordered.
pub struct PlannedPlace {
    /// Indices into the facts.
    pub item: usize,
    pub location: usize,
    pub plan: LocationPlan,
}

#[derive(Default)]
struct Part {
    lines: Vec<ReorderLine>,
    places: Vec<PlannedPlace>,
    /// Item and location, as indices into the facts.
    findings: Vec<(usize, usize, Finding)>,
    used: DefaultsUsed,
}

pub fn plan(
    book: &SupplyBook,
    night: &NightPanel,
    forecasts: &[SkuForecast],
    paths: &PathPlan,
    job: &Job,
    run_facts: &RunFacts,
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
    let mut places = Vec::new();
    for part in parts {
        lines.extend(part.lines);
        places.extend(part.places);
        for (item, location, finding) in part.findings {
            let location_id = &facts.locations[location].location_id;
            findings.sku(&facts.items[item].item_id, location_id, finding);
        }
        for (what, times) in part.used {
            let detail = format!("no {what}: the job's default was used");
            findings.count_many(Code::DefaultUsed, detail, times);
        }
    }
    book.odd_orders().into_iter().for_each(|finding| findings.night(finding));
    let mut lines = assemble(lines);
    for (at, finding) in hold_lines(&mut lines, &job.gates) {
        findings.sku(&lines[at].item_id, &lines[at].location_id, finding);
    }
    let held = hold_plan(&lines, run_facts, &job.gates);
    held.iter().for_each(|finding| findings.night(finding.clone()));
    Planned { lines, places, held, items: items.len() }
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
    let config = job.policy.plan_config(&book.facts.defaults);
    let today = book.facts.business_date;
    let mut part = Part::default();
    for &item in items {
        let (supply, places, odd) = book.item(item, night, forecasts, paths, &mut part.used);
        let (plan, found) = plan_item_with(scratch, &supply, today, &config);
        part.lines.extend(plan.lines.iter().map(|line| line.reorder_line(&supply, today)));
        let findings = odd.into_iter().chain(found);
        part.findings.extend(findings.map(|(at, finding)| (item, places[at], finding)));
        let plans = places.into_iter().zip(plan.locations);
        part.places.extend(plans.map(|(location, plan)| PlannedPlace { item, location, plan }));
    }
    part
}
