//! Warehouses with too little room.

use serde::Serialize;

use crate::calendar::Day;
use crate::finding::Code;
use crate::plan::choice::Choice;
use crate::plan::gates::Evidence;
use crate::plan_sku::decide::{Decision, lot_of};
use crate::plan_sku::input::Planned;
use crate::plan_sku::publish;
use crate::plan_sku::replenish::Replenish;
use crate::plan_sku::stage::{Scratch, Stage};
use crate::plan_sku::{Line, LocationProjection};
use crate::policy::price::unit_cost_minor;
use crate::policy::projection::project;
use crate::policy::reason::{Reason, codes};
use crate::policy::rounding::{round, round_down};
use crate::policy::terms::{SupplyKind, SupplyTerms};

/// How much room a location lacks by its projection, tonight's lines included and before anything
/// is moved away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Overflow {
    /// First and last day on which the stock exceeds the capacity in at least one case of ten.
    pub from: Day,
    pub to: Day,
    /// Most that is over on any day in the median, smallest units; 0 where it fits.
    pub p50_qty: i64,
    /// The same at the 90th percentile: the room to book elsewhere.
    pub p90_qty: i64,
}

fn overflow(projection: &LocationProjection, capacity: i64) -> Option<Overflow> {
    let over = |p90: &i64| *p90 > capacity;
    let first = projection.p90.iter().position(over)?;
    let last = projection.p90.iter().rposition(over)?;
    let most = |stock: &[i64]| stock.iter().map(|qty| (qty - capacity).max(0)).max().unwrap_or(0);
    Some(Overflow {
        from: projection.from + first as i32,
        to: projection.from + last as i32,
        p50_qty: most(&projection.p50),
        p90_qty: most(&projection.p90),
    })
}

impl Replenish<'_> {
    /// An order that is larger than its need, for a price break, is cut to the room there is: the
    /// next one arrives before the rest is needed. What is needed sooner is not cut.
    pub(super) fn within_room(
        &mut self,
        at: usize,
        stage: &Stage,
        terms: usize,
        next: Option<usize>,
        decision: Decision,
    ) -> Decision {
        let Some(capacity) = self.item.locations[at].capacity_qty else { return decision };
        let needed = round(decision.net_need, decision.lot).qty;
        if decision.qty <= needed {
            return decision;
        }
        let behind = self.network.descendants(at);
        publish::load(self.scratch, self.item, self.shape, at, &behind, 0);
        let node = &self.network.nodes[at];
        Stage::of(at, node).load_receipts(self.scratch, self.item, self.shape);
        let Scratch { demand, receipts, projection, counts, .. } = &mut *self.scratch;
        let arrival = decision.median_arrival as usize;
        receipts.add_on(arrival, decision.qty as f64);
        project(demand, receipts, &node.opening, self.item.shortage, projection);
        let median = |day| projection.closing.quantiles(day, [0.5], counts)[0];
        let peak = (arrival..projection.closing.days).map(median).max().unwrap_or(0);
        let room = decision.qty - (peak - capacity);
        let allowed = round_down(room.max(0), decision.lot).max(needed);
        // More than is needed is only worth its holding at a better price.
        let ours = &self.network.nodes[at].terms[terms];
        let price = |qty: i64| unit_cost_minor(ours.unit_cost_minor, &ours.price_breaks, qty);
        let allowed = if price(allowed) < price(needed) { allowed } else { needed };
        if peak <= capacity || allowed >= decision.qty {
            return decision;
        }
        let show = |qty: i64| self.item.unit.show(qty);
        let text = format!("There is room for {}: {} fit.", show(capacity), show(allowed));
        let detail = format!(
            "{} would make it {} with room for {}; {} are ordered",
            show(decision.qty),
            show(peak),
            show(capacity),
            show(allowed)
        );
        self.find(at, Code::RoomShort, detail);
        self.decide(at, stage, terms, next, 0, Some((allowed, codes::ROOM, text)))
    }

    /// Moves what a location will not have room for into a backup warehouse that takes from it.
    pub(super) fn relieve(&mut self, at: usize) {
        let Some(capacity) = self.item.locations[at].capacity_qty else { return };
        self.publish(at);
        let highest = &self.plan.locations[at].projection.p50;
        let Some((day, &peak)) = highest.iter().enumerate().rev().max_by_key(|(_, p50)| **p50)
        else {
            return;
        };
        let overflow = overflow(&self.plan.locations[at].projection, capacity);
        self.plan.locations[at].overflow = overflow;
        let highest = &self.plan.locations[at].projection.p50;
        if peak <= capacity {
            if let Some(likely) = overflow {
                let show = |qty: i64| self.item.unit.show(qty);
                let detail = format!(
                    "room for {}; one time in ten {} more from {} on",
                    show(capacity),
                    show(likely.p90_qty),
                    likely.from
                );
                self.find(at, Code::OverflowLikely, detail);
            }
            return;
        }
        let show = |qty: i64| self.item.unit.show(qty);
        let first = highest.iter().position(|&p50| p50 > capacity).unwrap_or(day);
        let detail = format!(
            "{} projected for {}, room for {}; book room for {} to be sure in nine of ten cases",
            show(peak),
            self.today + day as i32,
            show(capacity),
            show(overflow.map_or(0, |o| o.p90_qty))
        );
        self.find(at, Code::OverCapacity, detail);
        let takes = |backup: &usize| {
            let node = &self.network.nodes[*backup];
            node.terms.iter().position(|terms| terms.source == Some(at)).map(|t| (*backup, t))
        };
        let Some((backup, terms)) = self.network.backups[at].iter().find_map(takes) else {
            return;
        };
        let terms = self.network.nodes[backup].terms[terms].clone();
        let lead_time_days = terms.lead_time.quantile(0.5);
        let excess = peak - capacity;
        let there = (self.network.available(at, lead_time_days) - self.outgoing[at]).max(0);
        let qty = round_down(excess.min(there), lot_of(&terms));
        if qty > 0 {
            let line =
                self.overflow_line(at, backup, &terms, excess, qty, self.today + first as i32);
            self.plan.lines.push(line);
            self.outgoing[at] += qty;
            self.network.nodes[backup].planned.push(Planned {
                qty,
                median: lead_time_days,
                days: None,
            });
        }
    }

    fn overflow_line(
        &self,
        at: usize,
        backup: usize,
        terms: &SupplyTerms,
        excess: i64,
        qty: i64,
        need_on: Day,
    ) -> Line {
        let show = |qty: i64| self.item.unit.show(qty);
        let mut reason = Reason::default();
        let text = format!("{} more than there is room for are projected.", show(excess));
        reason.term(codes::OVER_CAPACITY, excess, text);
        reason.change(codes::MULTIPLE, qty - excess, || {
            format!("{} are there to move, in multiples of {}.", show(qty), show(terms.multiple))
        });
        reason.sum(codes::FINAL, |qty| format!("Move {}.", show(qty)));
        let order_on = terms.next_open(self.today);
        let kpi = &self.plan.locations[at].kpi;
        Line {
            kind: SupplyKind::Transfer,
            location: backup,
            supplier_id: String::new(),
            source: Some(at),
            qty,
            multiple: terms.multiple,
            pack_uom: terms.pack_uom.clone(),
            unit_cost_minor: terms.unit_cost_minor,
            currency: terms.currency.clone(),
            order_on,
            expected_on: terms.arrival(order_on, terms.lead_time.quantile(0.5)),
            need_on,
            expected_value_minor: 0,
            fill_without: 1.0,
            fill_with: 1.0,
            daily_demand: kpi.expected_demand / self.shape.days.max(1) as f64,
            position: self.network.nodes[backup].opening.net,
            protection_days: 0,
            largest_demand_seen: None,
            history_days: None,
            evidence: Evidence { max_order_qty: self.item.max_order_qty, ..Evidence::default() },
            reason: reason.steps(),
            choice: Choice::default(),
        }
    }
}
