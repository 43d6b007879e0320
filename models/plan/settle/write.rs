//! Lines with what was settled, and why.

use crate::finding::Code;
use crate::plan::limits::Measure;
use crate::plan::line::{ReorderLine, order_units};
use crate::plan::settle::ledger::Component;
use crate::plan::settle::outcome::Outcome;
use crate::plan::settle::{LimitKind, Notes};
use crate::policy::reason::{amend, codes};

/// Adds the step to the line's reason; the quantity itself follows with [`take`].
pub(super) fn change(line: &mut ReorderLine, step: &'static str, value: i64, text: String) {
    let unit = line.facts.unit();
    amend(&mut line.reason, step, value, text, |qty| format!("Order {}.", unit.show(qty)));
}

/// Makes the quantity of this option the line's, with its money.
pub(super) fn take(line: &mut ReorderLine, option: usize, money_minor: i64) {
    let qty = line.choice.qty[option];
    let facts = &line.facts;
    line.qty = qty;
    (line.order_qty, line.order_uom) =
        order_units(qty, &facts.unit(), facts.multiple, &facts.pack_uom);
    line.value_minor = money_minor;
    line.expected_value_minor = line.choice.value_minor[option].round() as i64;
    if qty > 0 {
        let per_base = line.choice.cost_minor[option] / qty as f64 * facts.per_base.max(1) as f64;
        line.unit_cost_minor = per_base.round() as i64;
    }
}

pub(super) struct Writer<'a> {
    pub component: &'a Component,
    pub outcome: &'a Outcome,
    /// Of each limit.
    used: Vec<f64>,
}

impl<'a> Writer<'a> {
    pub fn new(component: &'a Component, outcome: &'a Outcome) -> Writer<'a> {
        Writer { component, outcome, used: component.problem.used(&outcome.picks) }
    }

    /// Writes every line whose option in `kept` is not its own, and returns how many.
    pub fn write(&self, lines: &mut [ReorderLine], kept: &[usize], notes: &mut Notes) -> usize {
        let mut changed = 0;
        for (at, &option) in kept.iter().enumerate() {
            let goods = &self.component.problem.goods[at];
            if option == goods.own {
                continue;
            }
            changed += 1;
            let line = &mut lines[self.component.rows[at]];
            let settled = self.outcome.picks[at];
            let qty = |option: usize| line.choice.qty[option];
            let (by_limit, by_habit) = (qty(settled) - qty(goods.own), qty(option) - qty(settled));
            let (wanted, lost) = (line.qty, goods.value[goods.own] - goods.value[option]);
            if by_limit != 0 {
                let (code, text) = self.why(at, line);
                change(line, code, by_limit, text);
            }
            if by_habit != 0 {
                let text = "The last plan's quantity stays: changing it is worth too little.";
                change(line, codes::KEPT, by_habit, text.to_owned());
            }
            take(line, option, goods.money[option] as i64);
            if line.qty == 0 {
                let because = line.reason.iter().rev().nth(1).map_or("", |step| &step.text);
                let detail = format!(
                    "{} wanted, none ordered, which loses {lost:.0} {} minor units. {because}",
                    line.facts.unit().show(wanted),
                    line.currency
                );
                notes.line(line, Code::LeftOut, detail);
            }
        }
        changed
    }

    /// The limit that did most to the line, and a sentence about it.
    fn why(&self, at: usize, line: &ReorderLine) -> (&'static str, String) {
        let Component { problem, orders, named, .. } = self.component;
        if problem.closed[at]
            && let Some(order) = orders.iter().find(|order| order.goods.contains(&at))
        {
            let kind = match order.minimums.is_empty() {
                true => LimitKind::Container,
                false => LimitKind::SupplierMinimum,
            };
            let what = match kind {
                LimitKind::Container => "does not pay for its container",
                _ => "does not pay up to the supplier's minimum",
            };
            let text = format!("The order to {} {what} tonight, and waits.", order.supplier_id);
            return (kind.as_str(), text);
        }
        let goods = &problem.goods[at];
        let option = self.outcome.picks[at];
        // What the change saves of each limit at its price; of limits without a price, the fullest
        // one that it saves anything of.
        let saves = |member: usize| {
            let member = &goods.members[member];
            let saved = goods.takes(member, goods.own) - goods.takes(member, option);
            (member.limit, saved)
        };
        let best = (0..goods.members.len())
            .filter(|&member| saves(member).1 > 0.0)
            .filter(|&member| self.outcome.limits[saves(member).0].most.is_finite())
            .max_by(|&a, &b| {
                let rank = |member: usize| {
                    let (limit, saved) = saves(member);
                    let most = self.outcome.limits[limit].most;
                    (self.outcome.prices[limit] * saved, self.used[limit] / most.abs().max(1.0))
                };
                let (a, b) = (rank(a), rank(b));
                a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1))
            });
        let Some(member) = best else {
            // Not reached: a line moves away from its own quantity only for a limit.
            return (codes::BUDGET, "A shared limit leaves no room for more.".to_owned());
        };
        let limit = saves(member).0;
        let name = &named[limit];
        let what = self.describe(limit);
        let price = self.outcome.prices[limit];
        let text = match (name.at_least, price > 0.0) {
            (true, _) => format!("{what}: what this line orders ahead loses least."),
            (false, false) => format!("{what}: no room is left for more."),
            (false, true) => {
                let unit = match name.measure {
                    Measure::Money => "minor unit",
                    Measure::Units => "unit",
                    Measure::Packs => "pack",
                    Measure::WeightG => "g",
                    Measure::VolumeMl => "ml",
                };
                let currency = &line.currency;
                format!("{what}: a {unit} of it earns {price:.3} {currency} minor units elsewhere.")
            }
        };
        (name.kind.as_str(), text)
    }

    fn describe(&self, limit: usize) -> String {
        let name = &self.component.named[limit];
        let bound = self.outcome.limits[limit].most;
        let total = if name.at_least { name.fixed - bound } else { bound + name.fixed };
        let amount = name.measure.show(total, &self.component.currency);
        let supplier = name.supplier_id.as_deref().unwrap_or("the run");
        match name.kind {
            LimitKind::Budget => match (&name.supplier_id, &name.category) {
                (None, None) => format!("The run's budget is {amount}"),
                (Some(id), None) => format!("The budget of supplier {id} is {amount}"),
                (None, Some(id)) => format!("The budget of category {id} is {amount}"),
                (Some(id), Some(of)) => {
                    format!("The budget of category {of} of supplier {id} is {amount}")
                }
            },
            LimitKind::SupplierCapacity => format!("{supplier} can deliver {amount}"),
            LimitKind::SupplierMinimum => format!("An order to {supplier} is at least {amount}"),
            LimitKind::Container if name.at_least => {
                format!("The containers of {supplier} must be full to {amount}")
            }
            LimitKind::Container => format!("The containers of {supplier} hold {amount}"),
        }
    }
}
