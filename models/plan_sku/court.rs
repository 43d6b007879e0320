//! Whether an order on its way should come earlier, later, or not at all.
//!
//! All is read off one projection with everything that is on order and tonight's lines. With sales
//! lost, goods that are there from day `d` rather than day `t` save `min(q, short on d..t)` of a
//! path's lost sales, and leave as much less from `t` on; goods taken away from day `t` on cost
//! `(q − least stock from t on)⁺`. Advice that is given changes the projection that the next order
//! is judged by, so that no two contradict each other.

use crate::plan_sku::exceptions::OrderAction;
use crate::plan_sku::stage::Scratch;
use crate::policy::order::UnitMoney;
use crate::policy::projection::{Opening, Shortage, project, rank};

/// An open order as the projection has it.
pub(super) struct Coming {
    /// Index into the location's orders.
    pub order: usize,
    pub qty: i64,
    /// Of a unit.
    pub cost: f64,
    /// Per path, in days from today; until it is where it sells.
    pub days: Vec<f64>,
    pub median: u32,
    /// Past its date.
    pub late: bool,
    /// A transfer: it has left, and cannot be called off.
    pub in_transit: bool,
}

/// What the orders of one place are judged by.
pub(super) struct Law {
    pub opening: Opening,
    pub money: UnitMoney,
    /// Chance of no shortage that advice must leave.
    pub level: f64,
    /// What has to stand whatever the demand.
    pub kept: f64,
    /// From this day on an order that is not yet placed can help.
    pub until: usize,
    /// From this day on an order placed tomorrow makes up for goods that were used up early.
    pub replaced_from: usize,
    /// Days from the place to where its goods sell.
    pub later: u32,
    pub frozen_days: u32,
    pub review_days: u32,
    /// Multiple and MOQ.
    pub lot: (i64, i64),
    /// Days of demand that a price break may buy.
    pub break_cover_days: f64,
    pub least_value: f64,
    pub ending: bool,
    /// At the end of each day; empty where it is not known.
    pub median_stock: Vec<i64>,
}

/// An advice before it has words: `to` in days from today.
pub(super) struct Advice {
    pub action: OrderAction,
    pub qty: i64,
    pub to: u32,
    pub value: f64,
}

pub(super) struct Court<'a> {
    scratch: &'a mut Scratch,
    shortage: Shortage,
    law: Law,
    /// Per path, the first day that is short before a new order could help; none is infinite.
    first_short: Vec<f64>,
}

impl<'a> Court<'a> {
    /// The projection in `scratch`, with the demand and receipts that led to it.
    pub(super) fn new(scratch: &'a mut Scratch, shortage: Shortage, law: Law) -> Court<'a> {
        let mut court = Court { scratch, shortage, law, first_short: Vec::new() };
        court.find_first_short();
        court
    }

    /// Advice by order, at most one for each.
    pub(super) fn judge(&mut self, coming: &[Coming]) -> Vec<(usize, Advice)> {
        let mut advised: Vec<(usize, Advice)> = Vec::new();
        // Of what ends, first what is called off: it need not come sooner.
        if self.law.ending {
            self.call_off(coming, &mut advised);
        }
        self.hurry(coming, &mut advised);
        if !self.law.ending {
            self.call_off(coming, &mut advised);
        }
        advised.sort_by_key(|(order, _)| *order);
        advised
    }

    /// Orders without advice that would help sooner, the one that helps most first. What another
    /// makes superfluous in the end is left as it is.
    fn hurry(&mut self, coming: &[Coming], advised: &mut Vec<(usize, Advice)>) {
        let frozen = self.law.frozen_days + self.law.later;
        let least = self.law.least_value;
        let mut sooner: Vec<(&Coming, Advice)> = Vec::new();
        loop {
            let open = coming.iter().filter(|order| {
                let known = advised.iter().any(|(index, _)| *index == order.order)
                    || sooner.iter().any(|(known, _)| known.order == order.order);
                !known && (order.late || order.median > frozen)
            });
            let best = open
                .filter_map(|order| Some((order, self.expedite(order)?)))
                .filter(|(_, advice)| advice.value >= least)
                .max_by(|(_, a), (_, b)| a.value.total_cmp(&b.value));
            let Some((order, advice)) = best else { break };
            self.move_to(order, order.qty, Some(advice.to));
            sooner.push((order, advice));
        }
        let several = sooner.len() > 1;
        for (order, advice) in sooner.into_iter().rev() {
            if several {
                self.move_back(order, advice.to);
                let Some(again) = self.expedite(order).filter(|again| again.value >= least) else {
                    continue;
                };
                self.move_to(order, order.qty, Some(again.to));
                advised.push((order.order, again));
            } else {
                advised.push((order.order, advice));
            }
        }
    }

    /// Orders without advice that are not needed, or not yet; the latest first, for what comes last
    /// is least needed.
    fn call_off(&mut self, coming: &[Coming], advised: &mut Vec<(usize, Advice)>) {
        let frozen = self.law.frozen_days + self.law.later;
        for order in coming.iter().rev().filter(|order| order.median > frozen) {
            let known = advised.iter().any(|(index, _)| *index == order.order);
            if known || order.in_transit {
                continue;
            }
            let advice = if self.law.ending {
                self.end(order)
            } else {
                self.cancel(order).or_else(|| self.postpone(order))
            };
            if let Some(advice) = advice.filter(|advice| advice.value >= self.law.least_value) {
                let to = (advice.action == OrderAction::Postpone).then_some(advice.to);
                self.move_to(order, advice.qty, to);
                advised.push((order.order, advice));
            }
        }
    }

    fn find_first_short(&mut self) {
        let (paths, days) = (self.paths(), self.days().min(self.law.until));
        self.first_short.clear();
        self.first_short.resize(paths, f64::INFINITY);
        for day in (0..days).rev() {
            for path in 0..paths {
                if self.short(path, day) > 0.0 {
                    self.first_short[path] = day as f64;
                }
            }
        }
    }

    fn days(&self) -> usize {
        self.scratch.projection.closing.days
    }

    fn paths(&self) -> usize {
        self.scratch.projection.closing.paths
    }

    /// What is short on a day of a path, with the stock that the day before left.
    fn short(&self, path: usize, day: usize) -> f64 {
        let paths = self.paths();
        let closing = &self.scratch.projection.closing.values;
        let before = match day {
            0 => self.law.opening.net as f64,
            _ => closing[(day - 1) * paths + path],
        };
        let at = day * paths + path;
        let there = (before + self.scratch.receipts.values[at]).max(0.0);
        (self.scratch.demand.values[at] - there).max(0.0)
    }

    /// Least stock of a path on days `from..to`, not below 0; infinite where there is no such day.
    fn least(&self, path: usize, from: usize, to: usize) -> f64 {
        let closing = &self.scratch.projection.closing;
        (from..to.min(closing.days))
            .map(|day| closing.values[day * closing.paths + path].max(0.0))
            .fold(f64::INFINITY, f64::min)
    }

    /// The day on which the order, had then, saves most; `None` where stock lasts often enough
    /// until it comes, or until an order that is not yet placed does.
    fn expedite(&self, order: &Coming) -> Option<Advice> {
        let (paths, days) = (self.paths(), self.days().min(self.law.until));
        let first = 1 + self.law.later as usize;
        let last = (order.median as usize).min(days);
        let short = self.first_short.iter().zip(&order.days).filter(|(short, due)| short < due);
        let short_share = short.count() as f64 / paths.max(1) as f64;
        if (last <= first && !order.late) || short_share <= 1.0 - self.law.level + 1e-9 {
            return None;
        }
        let mut saved = vec![0.0; last.max(first) + 1];
        for path in 0..paths {
            let due = (order.days[path] as usize).min(days);
            let still_there = self.least(path, due, self.law.replaced_from);
            let mut short = 0.0;
            for day in (first..due).rev() {
                short += self.short(path, day);
                if day < saved.len() {
                    saved[day] += short.min(order.qty as f64).min(still_there);
                }
            }
        }
        let value = |day: usize| {
            let earlier = f64::from(order.median) - day as f64;
            saved[day] / paths as f64 * self.law.money.margin_and_penalty
                - order.qty as f64 * earlier.max(0.0) * self.law.money.holding_per_day
        };
        // Of equally good days the latest.
        let days = first..last.max(first + 1);
        let best = days.max_by(|&a, &b| value(a).total_cmp(&value(b)))?;
        let action = if order.late { OrderAction::Chase } else { OrderAction::Expedite };
        Some(Advice { action, qty: order.qty, to: best as u32, value: value(best) })
    }

    /// Share of the paths that are short before day `to` without the order.
    fn short_without(&self, order: &Coming, to: usize) -> f64 {
        let short = |&path: &usize| {
            let due = (order.days[path] as usize).min(self.days());
            self.first_short[path] < order.days[path]
                || self.least(path, due, to) - self.law.kept < order.qty as f64
        };
        (0..self.paths()).filter(short).count() as f64 / self.paths().max(1) as f64
    }

    /// What a longer cover than the horizon shows was bought for its price.
    fn beyond_horizon(&self, order: &Coming) -> f64 {
        let shown = (self.days() as f64 - f64::from(order.median)).max(0.0);
        let demand = &self.scratch.demand;
        let daily = demand.values.iter().sum::<f64>() / (demand.paths * demand.days).max(1) as f64;
        (self.law.break_cover_days - shown).max(0.0) * daily
    }

    /// All of it, or the part that the lot allows to do without, where stock lasts to the end of
    /// the forecast without: twice as surely as the target asks, so that it is not soon regretted.
    fn cancel(&self, order: &Coming) -> Option<Advice> {
        let (days, due) = (self.days(), order.median as usize);
        // No more can be surely spare than is left on the median path.
        let left = self.law.median_stock.iter().skip(due).min().copied().unwrap_or(i64::MAX);
        if days < self.law.until || due >= days || part_of(order.qty, left, self.law.lot) == 0 {
            return None;
        }
        let level = 1.0 - (1.0 - self.law.level) / 2.0;
        let spare = self.surely_spare(order, level) - self.beyond_horizon(order);
        let qty = part_of(order.qty, spare.max(0.0) as i64, self.law.lot);
        let action = if qty == order.qty { OrderAction::Cancel } else { OrderAction::Excess };
        let value = qty as f64 * order.cost;
        (qty > 0).then_some(Advice { action, qty, to: order.median, value })
    }

    /// Units that, with probability `level`, are never touched from the order's day on, over what
    /// has to stand.
    fn surely_spare(&self, order: &Coming, level: f64) -> f64 {
        let days = self.days();
        let spare = |path: usize| {
            let due = (order.days[path] as usize).min(days);
            if self.first_short[path] < order.days[path] {
                return 0.0;
            }
            (self.least(path, due, days) - self.law.kept).min(order.qty as f64)
        };
        let mut spare: Vec<f64> = (0..self.paths()).map(spare).collect();
        if spare.is_empty() {
            return 0.0;
        }
        let at = spare.len() - 1 - rank(level, spare.len());
        *spare.select_nth_unstable_by(at, f64::total_cmp).1
    }

    /// The latest day that leaves the target's share of paths without a shortage, among those that
    /// save most; at least a review period later, for the plan's own timing is no finer.
    fn postpone(&self, order: &Coming) -> Option<Advice> {
        let (days, due) = (self.days(), order.median as usize);
        let soonest = due + self.law.review_days as usize;
        let most =
            order.qty as f64 * days.saturating_sub(due) as f64 * self.law.money.holding_per_day;
        if order.late || soonest >= days || days < self.law.until || most < self.law.least_value {
            return None;
        }
        let allowed = 1.0 - self.law.level + 1e-9;
        // The share only rises with the day, so the last day that is allowed is found by halving.
        let (mut good, mut bad) = (due, days);
        while bad - good > 1 {
            let middle = good + (bad - good) / 2;
            if self.short_without(order, middle) <= allowed { good = middle } else { bad = middle }
        }
        let mut best: Option<(usize, f64)> = None;
        for to in soonest..=good {
            let value = self.value_of_waiting(order, to);
            if best.is_none_or(|(_, most)| value >= most) {
                best = Some((to, value));
            }
        }
        let (to, value) = best?;
        Some(Advice { action: OrderAction::Postpone, qty: order.qty, to: to as u32, value })
    }

    /// Holding saved by having the order on day `to`, less the sales at risk until then.
    fn value_of_waiting(&self, order: &Coming, to: usize) -> f64 {
        let qty = order.qty as f64;
        let (mut held, mut lost) = (0.0, 0.0);
        for path in 0..self.paths() {
            let due = (order.days[path] as usize).min(to);
            held += (to - due) as f64;
            lost += (qty - self.least(path, due, to)).max(0.0).min(qty);
        }
        let paths = self.paths().max(1) as f64;
        (qty * held * self.law.money.holding_per_day - lost * self.law.money.margin_and_penalty)
            / paths
    }

    /// For an item that ends: each unit whose cost is more than the sale that it may still make.
    fn end(&self, order: &Coming) -> Option<Advice> {
        let days = self.days();
        let qty = order.qty as f64;
        let mut unsold = Vec::with_capacity(self.paths());
        for path in 0..self.paths() {
            let due = (order.days[path] as usize).min(days);
            let left = self.least(path, due, days);
            unsold.push(if due >= days { qty } else { left.min(qty) });
        }
        let revenue = order.cost + self.law.money.margin_and_penalty;
        let value = |part: i64| {
            let lost: f64 = unsold.iter().map(|left| (part as f64 - left).max(0.0)).sum();
            part as f64 * order.cost - lost / unsold.len().max(1) as f64 * revenue
        };
        // Concave: the best part is a quantile, the newsvendor's.
        let mut sorted = unsold.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let at = rank((order.cost / revenue.max(1e-9)).min(1.0), sorted.len());
        let spare = sorted.get(at).copied().unwrap_or(0.0) as i64;
        let part = part_of(order.qty, spare, self.law.lot);
        if part == 0 {
            return None;
        }
        let action = if part == order.qty { OrderAction::Cancel } else { OrderAction::Excess };
        Some(Advice { action, qty: part, to: order.median, value: value(part) })
    }

    /// Undoes [`Self::move_to`] for the whole order.
    fn move_back(&mut self, order: &Coming, to: u32) {
        let receipts = &mut self.scratch.receipts;
        receipts.add_on(to as usize, -order.qty as f64);
        receipts.add_on_days(&order.days, order.qty as f64);
        self.project();
    }

    /// Projects again with `qty` of the order on day `to`, or never.
    fn move_to(&mut self, order: &Coming, qty: i64, to: Option<u32>) {
        let receipts = &mut self.scratch.receipts;
        receipts.add_on_days(&order.days, -qty as f64);
        if let Some(day) = to {
            receipts.add_on(day as usize, qty as f64);
        }
        self.project();
    }

    fn project(&mut self) {
        let Scratch { demand, receipts, projection, .. } = &mut *self.scratch;
        project(demand, receipts, &self.law.opening, self.shortage, projection);
        self.law.median_stock.clear();
        self.find_first_short();
    }
}

/// The part of an order of `qty` that can be done without when `spare` units can, so that what is
/// left is still an order: in `multiple`s, at least the MOQ. All of it, or none, where it must be.
fn part_of(qty: i64, spare: i64, (multiple, moq): (i64, i64)) -> i64 {
    if spare >= qty {
        return qty;
    }
    let left = qty - spare.max(0);
    let left = left.max(moq);
    // The order's own odd remainder stays with what is kept.
    let part = (qty - left).max(0) / multiple * multiple;
    part.max(0)
}
