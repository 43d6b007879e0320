//! Supply terms, with lead times learned and defaults where the table is silent.

use std::borrow::Cow;
use std::collections::HashMap;

use granary_models::calendar::Day;
use granary_models::finding::{Code, Finding};
use granary_models::policy::delivered::{DeliveredBook, DoneOrder, learn_delivered};
use granary_models::policy::lead_time::{LeadTime, LeadTimes, OrderRecord};
use granary_models::policy::terms::{
    BreakKind, ClosedWindow, Delivered, PriceBreak, SupplyKind, SupplyTerms,
};

use super::{DefaultsUsed, or_default};
use crate::config::{Job, time_of_day, weekdays};
use crate::jobs::nightly::facts::Facts;
use crate::jobs::nightly::panel::Index;
use crate::store::inputs::{self, master};

/// Lead times where neither history, nor a promise, nor a default speaks.
const LAST_RESORT_LEAD_TIME_DAYS: u32 = 14;

/// What is known of suppliers and ways, found once for the whole night.
pub struct TermsBook<'a> {
    facts: &'a Facts,
    index: &'a Index<'a>,
    lead_times: LeadTimes,
    delivered: DeliveredBook,
    closed: HashMap<&'a str, Vec<ClosedWindow>>,
    /// Minutes after midnight at which lines are released; `None`: before every cut-off.
    release_at: Option<u32>,
}

impl<'a> TermsBook<'a> {
    pub fn new(facts: &'a Facts, index: &'a Index<'a>, job: &Job) -> TermsBook<'a> {
        let mut closed: HashMap<&str, Vec<ClosedWindow>> = HashMap::new();
        let shutdowns = facts
            .events
            .iter()
            .filter(|event| event.kind == "shutdown" && event.item_id.is_empty());
        for event in shutdowns.filter(|event| !event.supplier_id.is_empty()) {
            let window = ClosedWindow { from: event.starts_on, to: event.ends_on };
            closed.entry(&event.supplier_id).or_default().push(window);
        }
        TermsBook {
            facts,
            index,
            lead_times: learn_lead_times(facts),
            delivered: learn_shares(facts),
            closed,
            release_at: job.policy.release_at.as_deref().and_then(time_of_day),
        }
    }

    /// One row of the table; transfers come from one of `places`.
    pub fn of_row(
        &self,
        row: &master::SupplyTerms,
        places: &[usize],
        used: &mut DefaultsUsed,
    ) -> (SupplyTerms, Option<Finding>) {
        let defaults = &self.facts.defaults;
        let lane = lane(&row.supplier_id, &row.source_location_id, &row.location_id);
        let promised = row.lead_time_days.or_else(|| {
            *used.entry("lead_time_days").or_default() += 1;
            defaults.lead_time_days
        });
        let (lead_time, finding) = self.lead_times.get(
            &row.item_id,
            &lane,
            promised.map(|days| days as u32),
            LAST_RESORT_LEAD_TIME_DAYS,
        );
        let item = self.index.item(&row.item_id).map(|item| &self.facts.items[item]);
        let moves = row.kind == "transfer";
        // What moving costs; the goods are paid for.
        let usual = if moves { Some(0) } else { item.and_then(|item| item.unit_cost_minor) };
        let cost = row.unit_cost_minor.or(usual);
        let source = self.index.location(&row.source_location_id);
        let terms = SupplyTerms {
            kind: SupplyKind::parse(&row.kind).unwrap_or(SupplyKind::Purchase),
            priority: row.priority.max(0) as u32,
            supplier_id: row.supplier_id.clone(),
            source: source.and_then(|source| places.iter().position(|&place| place == source)),
            lead_time,
            review_days: or_default(row.review_days, defaults.review_days, 7, "review_days", used)
                as u32,
            moq: or_default(row.moq, defaults.moq, 1, "moq", used),
            multiple: or_default(row.multiple, defaults.multiple, 1, "multiple", used),
            pack_uom: row.pack_uom.clone(),
            unit_cost_minor: or_default(cost, defaults.unit_cost_minor, 0, "unit_cost_minor", used),
            currency: row.currency.clone(),
            price_breaks: row
                .price_breaks
                .iter()
                .map(|&(min_qty, unit_cost_minor)| PriceBreak { min_qty, unit_cost_minor })
                .collect(),
            break_kind: match row.break_kind.as_str() {
                "incremental" => BreakKind::Incremental,
                _ => BreakKind::AllUnits,
            },
            landed_cost_minor: row.landed_cost_minor,
            fixed_cost_minor: row.fixed_cost_minor,
            order_weekdays: weekdays(&row.order_weekdays).unwrap_or([true; 7]),
            misses_cut_off: self.misses_cut_off(&row.cut_off),
            delivered: self.delivered.get(&row.item_id, &lane),
            shelf_life_days: row.shelf_life_days.map(|days| days as u32),
            capacity_qty: row.capacity_qty,
            closed: self.closed_of(&row.supplier_id),
        };
        (terms, finding)
    }

    /// Terms for a place that sells but has none: a purchase on the job's defaults.
    pub fn assumed(
        &self,
        item: &master::Item,
        unit_cost_minor: i64,
        currency: &str,
        used: &mut DefaultsUsed,
    ) -> Option<SupplyTerms> {
        let defaults = &self.facts.defaults;
        let supplier_id = defaults.supplier_id.clone()?;
        *used.entry("supply_terms").or_default() += 1;
        let promised = defaults.lead_time_days.map(|days| days as u32);
        let (lead_time, _) =
            self.lead_times.get(&item.item_id, &supplier_id, promised, LAST_RESORT_LEAD_TIME_DAYS);
        Some(SupplyTerms {
            closed: self.closed_of(&supplier_id),
            supplier_id,
            lead_time,
            review_days: defaults.review_days.unwrap_or(7) as u32,
            moq: defaults.moq.unwrap_or(1),
            multiple: defaults.multiple.unwrap_or(1),
            unit_cost_minor,
            currency: currency.to_owned(),
            ..SupplyTerms::default()
        })
    }

    pub fn lead_time_of(&self, order: &inputs::Order) -> LeadTime {
        let lane = lane_of(order);
        self.lead_times.get(&order.item_id, &lane, None, LAST_RESORT_LEAD_TIME_DAYS).0
    }

    /// How much of what is still to come will come.
    pub fn delivered_of(&self, order: &inputs::Order) -> Delivered {
        self.delivered.get(&order.item_id, &lane_of(order))
    }

    /// Orders whose dates cannot be true.
    pub fn odd_orders(&self) -> Option<Finding> {
        let odd = self.lead_times.odd_orders;
        (odd > 0).then(|| {
            let detail = format!(
                "{odd} orders were received before they were placed or over two years later; \
                 lead times are learned without them"
            );
            Finding::new(Code::BadTerms, detail)
        })
    }

    fn misses_cut_off(&self, cut_off: &str) -> bool {
        let released_after = |cut_off| self.release_at.is_some_and(|at| at > cut_off);
        time_of_day(cut_off).is_some_and(released_after)
    }

    fn closed_of(&self, supplier_id: &str) -> Vec<ClosedWindow> {
        self.closed.get(supplier_id).cloned().unwrap_or_default()
    }
}

/// Days on which the places of a region receive nothing: shutdowns that name no supplier.
pub fn receiving_closed(facts: &Facts, region: &str) -> Vec<ClosedWindow> {
    let closes = |event: &&inputs::CalendarEvent| {
        event.kind == "shutdown"
            && event.supplier_id.is_empty()
            && event.item_id.is_empty()
            && region.starts_with(&event.region)
    };
    let events = facts.events.iter().filter(closes);
    events.map(|event| ClosedWindow { from: event.starts_on, to: event.ends_on }).collect()
}

/// What lead times are learned by: the supplier, or the way that a transfer takes. One centre is a
/// day from one shop and two weeks from another.
fn lane<'a>(supplier_id: &'a str, source_location_id: &str, location_id: &str) -> Cow<'a, str> {
    if supplier_id.is_empty() {
        Cow::Owned(format!("{source_location_id} → {location_id}"))
    } else {
        Cow::Borrowed(supplier_id)
    }
}

fn lane_of(order: &inputs::Order) -> Cow<'_, str> {
    lane(&order.supplier_id, &order.source_location_id, &order.location_id)
}

/// From orders that are done: what came of what was ordered.
fn learn_shares(facts: &Facts) -> DeliveredBook {
    let done: Vec<&inputs::Order> = facts
        .orders
        .iter()
        .filter(|order| !order.cancelled && order.received_on.is_some())
        .collect();
    let lanes: Vec<Cow<str>> = done.iter().map(|order| lane_of(order)).collect();
    learn_delivered(done.iter().zip(&lanes).map(|(order, lane)| DoneOrder {
        item_id: &order.item_id,
        supplier_id: lane,
        ordered: order.qty,
        // A feed that does not count receipts closes orders with none received: all came.
        received: if order.received_qty == 0 { order.qty } else { order.received_qty },
    }))
}

fn learn_lead_times(facts: &Facts) -> LeadTimes {
    // A cancelled order says nothing about when it would have come.
    let orders: Vec<&inputs::Order> =
        facts.orders.iter().filter(|order| !order.cancelled).collect();
    let lanes: Vec<Cow<str>> = orders.iter().map(|order| lane_of(order)).collect();
    let records = orders.iter().zip(&lanes).map(|(order, lane)| OrderRecord {
        item_id: &order.item_id,
        supplier_id: lane,
        ordered_on: order.ordered_on,
        received_on: order.received_on,
    });
    let yesterday: Day = facts.business_date - 1;
    LeadTimes::learn(records, yesterday)
}
