//! An offer that may go, as the line that goes.

use granary_models::plan::release::{Judgement, Offer};

use crate::store::release::By;
use crate::store::release::lines::{PlanLine, ReleasedLine};
use crate::store::release::words::Words;

/// What the plan has of a line, or what was released of it.
#[derive(Clone, Copy)]
pub enum Basis<'a> {
    Plan(&'a PlanLine),
    /// The night's quantity of today is 0, or as it was.
    Released {
        last: &'a ReleasedLine,
        proposed_qty: i64,
    },
}

/// The line that goes out; its release's number comes with the manifest.
pub fn line_of(
    by: &By,
    (job, business_date, run_id): (&str, &str, &str),
    basis: Basis,
    judgement: &Judgement,
    offer: &Offer,
    words: &Words,
) -> ReleasedLine {
    let line_key = match basis {
        Basis::Plan(line) => &line.line_key,
        Basis::Released { last, .. } => &last.line_key,
    };
    let approved_by = words.approvers(line_key, offer).join("\n");
    let override_id = words.amended(line_key).map_or(0, |row| row.override_id);
    let mut line = match basis {
        Basis::Plan(line) => from_plan(line, offer.qty),
        Basis::Released { last, proposed_qty } => ReleasedLine { proposed_qty, ..last.clone() },
    };
    if offer.qty == 0 {
        line.qty = 0;
        line.order_qty = 0;
        line.value_minor = 0;
    }
    let used_before = words.released(line_key).map_or(0, |last| last.override_id);
    ReleasedLine {
        revision: offer.revision,
        revises: judgement.wanted.revises(),
        change: judgement.wanted.change().unwrap_or_default().to_owned(),
        release_id: 0,
        job: job.to_owned(),
        business_date: business_date.to_owned(),
        run_id: run_id.to_owned(),
        held_because: offer.held_because.to_owned(),
        // An override that has expired was still the last that this line followed.
        override_id: override_id.max(used_before),
        approved_by,
        released_at: by.stamp(),
        released_by: by.actor.name.clone(),
        state: "released".to_owned(),
        confirmed_qty: None,
        confirmed_on: None,
        order_number: String::new(),
        closed_on: None,
        closed_because: String::new(),
        ..line
    }
}

fn from_plan(line: &PlanLine, qty: i64) -> ReleasedLine {
    let (order_qty, order_uom) = line.order_units(qty);
    ReleasedLine {
        line_key: line.line_key.clone(),
        revision: 1,
        revises: None,
        change: String::new(),
        release_id: 0,
        job: String::new(),
        business_date: String::new(),
        run_id: String::new(),
        kind: line.kind.clone(),
        item_id: line.item_id.clone(),
        supplier_id: line.supplier_id.clone(),
        source_location_id: line.source_location_id.clone(),
        location_id: line.location_id.clone(),
        qty,
        qty_decimals: line.qty_decimals,
        base_uom: line.base_uom.clone(),
        order_qty,
        order_uom,
        unit_cost_minor: line.unit_cost_minor,
        value_minor: line.unit().value_minor(qty, line.unit_cost_minor),
        currency: line.currency.clone(),
        order_on: line.order_on.clone(),
        expected_on: line.expected_on.clone(),
        need_on: line.need_on.clone(),
        priority: line.priority,
        expected_value_minor: line.expected_value_minor,
        reason: line.reason.clone(),
        held_because: String::new(),
        proposed_qty: line.qty,
        override_id: 0,
        approved_by: String::new(),
        released_at: String::new(),
        released_by: String::new(),
        state: String::new(),
        confirmed_qty: None,
        confirmed_on: None,
        order_number: String::new(),
        closed_on: None,
        closed_because: String::new(),
    }
}
