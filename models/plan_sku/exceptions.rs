//! What to do about orders that are on their way: SAP's exceptions 10, 15, 20 and 26.

use serde::Serialize;

use crate::calendar::Day;
use crate::plan_sku::court::{Advice, Coming, Court, Law};
use crate::plan_sku::decide::unit_money;
use crate::plan_sku::input::{Arrival, OpenOrder};
use crate::plan_sku::replenish::Replenish;
use crate::plan_sku::stage::{Scratch, receipt_days};
use crate::policy::order::Target;
use crate::policy::projection::project;
use crate::policy::terms::{SupplyKind, SupplyTerms};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderAction {
    /// Have it earlier.
    Expedite,
    /// It is past its date and is missed: ask for it.
    Chase,
    /// Have it later.
    Postpone,
    /// It is not needed.
    Cancel,
    /// Only part of it is needed.
    Excess,
}

impl OrderAction {
    pub fn as_str(self) -> &'static str {
        match self {
            OrderAction::Expedite => "expedite",
            OrderAction::Chase => "chase",
            OrderAction::Postpone => "postpone",
            OrderAction::Cancel => "cancel",
            OrderAction::Excess => "excess",
        }
    }
}

/// Advice on one open order; at most one for each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OrderException {
    /// Index into the item's locations.
    pub location: usize,
    pub po_id: String,
    pub line_no: String,
    pub supplier_id: String,
    pub action: OrderAction,
    /// What it is about, smallest units: the whole order, or its excess.
    pub qty: i64,
    /// When it is due, or was; its expected day where it has no date.
    pub from: Day,
    /// When it comes if nothing is done: of a late order, when such orders do.
    pub expected: Day,
    /// Expedite and Chase: the day by which it helps most. Postpone: the latest day that is soon
    /// enough. Otherwise as `from`.
    pub to: Day,
    /// Expedite and Chase: lost sales avoided, less holding. Postpone: holding saved. Cancel and
    /// Excess: the cost of the goods, for an item that ends less the sales they would have made.
    pub value_minor: i64,
    pub text: String,
}

impl Replenish<'_> {
    /// Judges the open orders of `at`; what was last published must be its projection.
    pub(super) fn question_orders(&mut self, at: usize) {
        if self.network.nodes[at].orders.is_empty() {
            return;
        }
        let is_centre = !self.network.children[at].is_empty();
        if is_centre {
            self.project_echelon(at);
        }
        let mut coming = self.coming(at);
        coming.sort_by_key(|order| (order.median, order.order));
        let law = self.law(at, is_centre);
        let advised = Court::new(self.scratch, self.item.shortage, law).judge(&coming);
        for (order, advice) in advised {
            let median = coming.iter().find(|c| c.order == order).map_or(0, |c| c.median);
            let later = self.network.transit_days[at];
            let order = &self.item.locations[at].open_orders[order];
            self.raise(at, order, advice, median, later);
        }
    }

    /// What the orders of a place are judged by.
    fn law(&self, at: usize, is_centre: bool) -> Law {
        let node = &self.network.nodes[at];
        let config = self.config;
        let usual = node.terms.first();
        let breaks = usual.is_some_and(|terms| !terms.price_breaks.is_empty());
        let fallback = SupplyTerms { kind: SupplyKind::Transfer, ..SupplyTerms::default() };
        let terms = usual.unwrap_or(&fallback);
        let (opening, kept) = if is_centre {
            let stage = self.network.stage(at, true);
            (stage.opening, stage.standing.wanted())
        } else {
            (node.opening.clone(), node.standing.wanted())
        };
        let projected = &self.plan.locations[at].projection.p50;
        Law {
            money: unit_money(self.item, terms, &node.opening, config),
            opening,
            kept: kept as f64,
            level: match self.item.target.unwrap_or(config.target) {
                Target::Cycle(level) | Target::Fill(level) => level,
                Target::Economics => 0.95,
            },
            until: self.supplied_from(at, usual.map_or(1, |terms| terms.review_days)),
            replaced_from: self.supplied_from(at, 1),
            later: self.network.transit_days[at],
            frozen_days: config.freeze_days,
            review_days: terms.review_days.max(1),
            lot: (terms.multiple.max(1), terms.moq.max(1)),
            break_cover_days: if breaks { config.price_break_cover_days } else { 0.0 },
            least_value: config.exception_min_minor.max(1) as f64,
            ending: self.item.status.is_ending(),
            median_stock: if is_centre { Vec::new() } else { projected.clone() },
        }
    }

    /// Nothing sells any more: what is still on order for an item that ends is for nothing.
    pub(super) fn question_orders_without_demand(&mut self) {
        if !self.item.status.is_ending() {
            return;
        }
        for at in 0..self.item.locations.len() {
            for (&index, (qty, arrival)) in self.network.nodes[at]
                .orders
                .clone()
                .iter()
                .zip(self.network.nodes[at].incoming.clone())
            {
                let order = &self.item.locations[at].open_orders[index];
                let value = qty as f64 * self.unit_cost(order);
                let bought = !order.supplier_id.is_empty();
                let least_value = self.config.exception_min_minor.max(1) as f64;
                if bought && arrival.median() > self.config.freeze_days && value >= least_value {
                    let action = OrderAction::Cancel;
                    let advice = Advice { action, qty, to: arrival.median(), value };
                    self.raise(at, order, advice, arrival.median(), 0);
                }
            }
        }
    }

    fn coming(&self, at: usize) -> Vec<Coming> {
        let node = &self.network.nodes[at];
        let later = self.network.transit_days[at];
        let moved = node.terms.first().is_some_and(|terms| terms.kind == SupplyKind::Transfer);
        let orders = &self.item.locations[at].open_orders;
        let mut coming: Vec<Coming> = Vec::new();
        for (index, (&order, (qty, arrival))) in node.orders.iter().zip(&node.incoming).enumerate()
        {
            if let Some(same) = coming.iter_mut().find(|known| known.order == order) {
                same.qty += qty;
                continue;
            }
            let in_transit = moved && orders[order].supplier_id.is_empty();
            let has_date = orders[order].expected_on.is_some();
            coming.push(Coming {
                order,
                qty: *qty,
                cost: self.unit_cost(&orders[order]),
                days: receipt_days(self.shape.paths, arrival, later, index),
                median: arrival.median() + later,
                in_transit,
                late: has_date && matches!(arrival, Arrival::After(_)),
            });
        }
        coming
    }

    /// Minor units per smallest unit.
    fn unit_cost(&self, order: &OpenOrder) -> f64 {
        let unit_cost_minor = order.unit_cost_minor.unwrap_or(self.item.unit_cost_minor);
        self.item.unit.minor_per_smallest(unit_cost_minor)
    }

    /// Days from today until an order that is placed `in_days` days from now could be there; never
    /// for an item that ends.
    fn supplied_from(&self, at: usize, in_days: u32) -> usize {
        let terms = self.network.nodes[at].terms.first();
        let Some(usual) = terms.filter(|_| !self.item.status.is_ending()) else {
            return usize::MAX;
        };
        let next = usual.next_open(self.today + in_days as i32);
        let arrival = usual.arrival(next, usual.lead_time.quantile(0.5));
        (arrival - self.today).max(1) as usize + self.network.transit_days[at] as usize
    }

    /// A centre's orders serve all behind it: stock, orders and tonight's lines of the echelon.
    fn project_echelon(&mut self, at: usize) {
        let stage = self.network.stage(at, true);
        stage.load(self.scratch, self.item, self.shape);
        let inside = |place: usize| {
            stage.serves.contains(&place)
                || stage.serves.iter().any(|&s| self.network.backups[s].contains(&place))
        };
        for line in &self.plan.lines {
            if inside(line.location) && !line.source.is_some_and(inside) {
                let later = self.network.transit_days[line.location];
                let day = (line.expected_on - self.today).max(0) as u32 + later;
                self.scratch.receipts.add_on(day as usize, line.qty as f64);
            }
        }
        let Scratch { demand, receipts, projection, .. } = &mut *self.scratch;
        project(demand, receipts, &stage.opening, self.item.shortage, projection);
    }

    fn raise(&mut self, at: usize, order: &OpenOrder, advice: Advice, median: u32, later: u32) {
        let expected = self.today + (median - later.min(median)) as i32;
        let from = order.expected_on.unwrap_or(expected);
        let to = match advice.action {
            OrderAction::Cancel | OrderAction::Excess => from,
            _ => self.today + (advice.to - later.min(advice.to)) as i32,
        };
        let value_minor = advice.value.round() as i64;
        let qty = self.item.unit.show(advice.qty);
        let text = match advice.action {
            OrderAction::Expedite => {
                format!("Stock runs short before {from}: {qty} are wanted by {to}.")
            }
            OrderAction::Chase => format!(
                "{qty} were due on {from} and are missed; such orders come by {expected}, and they \
                 are wanted by {to}."
            ),
            OrderAction::Postpone => {
                format!("{qty} due on {from} are soon enough on {to}.")
            }
            OrderAction::Cancel => format!("{qty} due on {from} are not needed."),
            OrderAction::Excess => {
                format!("{qty} of {} are not needed.", self.item.unit.show(order.qty))
            }
        };
        self.plan.exceptions.push(OrderException {
            location: at,
            po_id: order.po_id.clone(),
            line_no: order.line_no.clone(),
            supplier_id: order.supplier_id.clone(),
            action: advice.action,
            qty: advice.qty,
            from,
            expected,
            to,
            value_minor,
            text,
        });
    }
}
