//! One decision: demand and receipts of one place, or of a whole echelon, to one quantity.

use crate::calendar::Day;
use crate::distribution::DemandPaths;
use crate::finding::{Code, Finding};
use crate::plan_sku::Line;
use crate::plan_sku::input::{Arrival, ItemSupply, Node, PlanConfig};
use crate::policy::order::{Needs, Target, UnitMoney, Window, mean, needs, raw_quantity};
use crate::policy::price::{BreakCosts, unit_cost_minor, with_breaks};
use crate::policy::projection::{Opening, PathMatrix, Projection};
use crate::policy::reason::{Reason, ReasonStep, codes};
use crate::policy::rounding::{Lot, Rounded, round, round_down};
use crate::policy::terms::SupplyTerms;

/// Days beyond the forecast that a decision may still look at.
const MAX_DAYS: usize = 400;

/// Buffers of one planning thread.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    pub(super) demand: PathMatrix,
    pub(super) receipts: PathMatrix,
    pub(super) window: Window,
    pub(super) needs: Needs,
    pub(super) projection: Projection,
    pub(super) ordered: Vec<f64>,
    pub(super) counts: Vec<i64>,
    days: Vec<f64>,
}

/// Loads one location's demand and what is on its way to it, over the days of its forecast.
pub(super) fn load(
    scratch: &mut Scratch,
    node: &Node,
    demand: &DemandPaths,
    found: &mut Vec<Finding>,
) {
    let odd = scratch.demand.set_demand(demand, demand.horizon);
    if odd > 0 {
        let detail = format!("{odd} values of the demand paths are no demand; 0 is used");
        found.push(Finding::new(Code::BadDemandPaths, detail));
    }
    load_receipts(scratch, node, 0);
}

/// Receipts of `node`, `later` days later (what reaches a warehouse has still to reach its stores).
pub(super) fn load_receipts(scratch: &mut Scratch, node: &Node, later: u32) {
    let (paths, days) = (scratch.demand.paths, scratch.demand.days);
    scratch.receipts.reset(paths, days, 0.0);
    for (index, (qty, arrival)) in node.incoming.iter().enumerate() {
        add_receipt(scratch, *qty, arrival, later, 16 + index as u64);
    }
}

/// Adds one receipt; `salt` decorrelates its day from the others'.
pub(super) fn add_receipt(
    scratch: &mut Scratch,
    qty: i64,
    arrival: &Arrival,
    later: u32,
    salt: u64,
) {
    let paths = scratch.demand.paths;
    match arrival {
        Arrival::On(day) => scratch.receipts.add_on((day + later) as usize, qty as f64),
        Arrival::After(lead_time) => {
            scratch.days.clear();
            let days = (0..paths).map(|p| f64::from(lead_time.sample(p, paths, salt) + later));
            scratch.days.extend(days);
            scratch.receipts.add_on_days(&scratch.days, qty as f64);
        }
    }
}

/// A quantity, with everything that a line says about it.
pub(super) struct Decision {
    pub qty: i64,
    pub reason: Reason,
    pub findings: Vec<Finding>,
    pub order_on: Day,
    /// Days from today.
    pub median_arrival: u32,
    pub unit_cost_minor: i64,
    pub lot: Lot,
    pub money: UnitMoney,
    /// Per path, sorted only where it was needed: what each path lacks.
    pub need: Vec<f64>,
    value: f64,
    need_on: Day,
    fill_without: f64,
    fill_with: f64,
    daily_demand: f64,
    protection_days: u32,
}

/// Decides on one order from the demand and receipts in `scratch`, today's stock in `node`.
pub(super) fn decide(
    scratch: &mut Scratch,
    item: &ItemSupply,
    node: &Node,
    terms: &SupplyTerms,
    today: Day,
    config: &PlanConfig,
) -> Decision {
    decide_at(scratch, item, node, terms, today, config, 0)
}

/// As [`decide`], with every arrival `later` days later.
pub(super) fn decide_at(
    scratch: &mut Scratch,
    item: &ItemSupply,
    node: &Node,
    terms: &SupplyTerms,
    today: Day,
    config: &PlanConfig,
    later: u32,
) -> Decision {
    let mut found = Vec::new();
    let order_on = set_window(&mut scratch.window, scratch.demand.paths, terms, today, later);
    let known = scratch.demand.days;
    lengthen(scratch, node, later, &mut found);
    let opening = Opening {
        shelf_life_days: node.opening.shelf_life_days.map(|d| d.saturating_sub(later).max(1)),
        ..node.opening.clone()
    };
    let Scratch { demand, receipts, window, needs: lack, .. } = scratch;
    needs(demand, receipts, &opening, window, item.shortage, lack);
    let target = item.target.unwrap_or(config.target);
    let money = unit_money(item, terms, &opening, config);
    let raw = raw_quantity(lack, target, money, &mut scratch.ordered);

    let mut reason = Reason::default();
    let (arrive, until) = scratch.window.means();
    explain_need(&mut reason, item, node, &scratch.needs, target, raw, (arrive, until));
    explain_closed(&mut reason, &mut found, terms, today, order_on, until);

    let daily_demand = mean(&scratch.needs.demand_until) / until.max(1.0);
    let lot = Lot { moq: terms.moq, multiple: terms.multiple, capacity: terms.capacity_qty };
    let limits = Limits::new(item, terms, scratch, &opening, daily_demand, config);
    let qty =
        round_and_explain(&mut reason, &mut found, item, terms, raw.qty, lot, &limits, |qty| {
            scratch.needs.value_of(qty as f64, money)
        });
    let lack = &scratch.needs;
    let median_arrival = (terms.arrival(order_on, terms.lead_time.quantile(0.5)) - today) as u32;
    let decision = Decision {
        qty,
        order_on,
        median_arrival,
        unit_cost_minor: unit_cost_minor(terms.unit_cost_minor, &terms.price_breaks, qty),
        lot,
        money,
        need: lack.need.clone(),
        value: lack.value_of(qty as f64, money),
        need_on: today + need_day(lack, raw.qty, median_arrival) as i32,
        fill_without: lack.fill_with(0.0),
        fill_with: lack.fill_with(qty as f64),
        daily_demand,
        protection_days: until.ceil() as u32,
        reason,
        findings: found,
    };
    // Whoever projects next does so over the days of the forecast.
    scratch.demand.days = known;
    scratch.receipts.days = known;
    scratch.demand.values.truncate(known * scratch.demand.paths);
    scratch.receipts.values.truncate(known * scratch.receipts.paths);
    decision
}

/// Fills the window and returns the day on which the order leaves.
pub(super) fn set_window(
    window: &mut Window,
    paths: usize,
    terms: &SupplyTerms,
    today: Day,
    later: u32,
) -> Day {
    let order_on = terms.next_open(today);
    let next_on = terms.next_open(order_on + terms.review_days as i32);
    let days = |ordered_on: Day, salt: u64| {
        let later = later as i32;
        move |path: usize| {
            let lead_time_days = terms.lead_time.sample(path, paths, salt);
            f64::from(terms.arrival(ordered_on, lead_time_days) - today + later)
        }
    };
    window.arrive.clear();
    window.arrive.extend((0..paths).map(days(order_on, 0)));
    window.until.clear();
    window.until.extend((0..paths).map(days(next_on, 1)));
    order_on
}

/// Repeats the forecast's last week until the window ends, and reloads the receipts.
fn lengthen(scratch: &mut Scratch, node: &Node, later: u32, found: &mut Vec<Finding>) {
    let known = scratch.demand.days;
    let needed = scratch.window.last_day(MAX_DAYS);
    if needed <= known || known == 0 {
        return;
    }
    let median = {
        scratch.ordered.clear();
        scratch.ordered.extend_from_slice(&scratch.window.until);
        let middle = scratch.ordered.len() / 2;
        *scratch.ordered.select_nth_unstable_by(middle, f64::total_cmp).1
    };
    if median as usize > known {
        let detail = format!("the next order arrives after {median} days, forecast are {known}");
        found.push(Finding::new(Code::HorizonShort, detail));
    }
    let paths = scratch.demand.paths;
    scratch.demand.days = needed;
    scratch.demand.values.resize(paths * needed, 0.0);
    scratch.demand.repeat_last_week(known);
    load_receipts(scratch, node, later);
}

fn unit_money(
    item: &ItemSupply,
    terms: &SupplyTerms,
    opening: &Opening,
    config: &PlanConfig,
) -> UnitMoney {
    let cost = item.unit.minor_per_smallest(terms.unit_cost_minor);
    let margin = match item.unit_price_minor {
        Some(price) => (item.unit.minor_per_smallest(price) - cost).max(0.0),
        // Of the price: a margin of 0.3 makes the price cost / 0.7.
        None => cost * config.default_margin / (1.0 - config.default_margin).max(0.01),
    };
    let holding_per_day = cost * config.holding_rate_per_year / 365.0;
    let left_over = if opening.shelf_life_days.is_some() {
        cost * (1.0 + config.disposal_cost)
    } else {
        holding_per_day * f64::from(terms.review_days)
    };
    let margin_and_penalty = margin * (1.0 + config.stockout_penalty);
    UnitMoney { margin_and_penalty, holding_per_day, left_over }
}

/// The need as a sum whose terms are means over the paths; what the target asks beyond them is the
/// safety stock.
fn explain_need(
    reason: &mut Reason,
    item: &ItemSupply,
    node: &Node,
    lack: &Needs,
    target: Target,
    raw: crate::policy::order::RawOrder,
    (arrive, until): (f64, f64),
) {
    let show = |qty: i64| item.unit.show(qty);
    let whole = |values: &[f64]| mean(values).round() as i64;
    reason.fact(
        codes::PROTECTION_INTERVAL,
        until.round() as i64,
        format!("An order of today arrives in {arrive:.1} days, the next in {until:.1} days."),
    );
    reason.fact(
        codes::SERVICE_TARGET,
        target.basis_points(),
        format!("The target is {}.", target.show()),
    );
    let demand = whole(&lack.demand_until);
    let text = format!("{} are expected to be asked for until then.", show(demand));
    reason.term(codes::EXPECTED_DEMAND, demand, text);
    let lost = whole(&lack.lost_before);
    reason.change(codes::LOST_BEFORE_ARRIVAL, -lost, || {
        format!("{} of it will be lost before any order can arrive.", show(lost))
    });
    let on_hand = node.on_hand;
    reason.term(codes::ON_HAND, -on_hand, format!("{} are on hand.", show(on_hand)));
    reason.change(codes::RESERVED, node.reserved, || {
        format!("{} of the stock are reserved.", show(node.reserved))
    });
    reason.change(codes::BACKORDERED, node.backordered, || {
        format!("{} are owed to shoppers.", show(node.backordered))
    });
    let expiring = whole(&lack.wasted_until);
    reason.change(codes::EXPIRING, expiring, || {
        format!("{} of it will expire unsold before then.", show(expiring))
    });
    let received = whole(&lack.received_until);
    let on_order = node.on_order();
    reason.change(codes::OPEN_ORDERS, -received, || {
        format!("{} of {} on order arrive before then.", show(received), show(on_order))
    });
    let balance = raw.qty - reason.value();
    if raw.qty > 0 {
        let text = format!("{} of safety stock reach the target.", show(balance));
        reason.term(codes::SAFETY_STOCK, balance, text);
    } else {
        let text =
            format!("The target is met without an order, with {} to spare.", show(raw.spare));
        reason.term(codes::SPARE, balance, text);
    }
    reason.sum(codes::NET_NEED, |net| format!("Net need: {}.", show(net)));
}

fn explain_closed(
    reason: &mut Reason,
    found: &mut Vec<Finding>,
    terms: &SupplyTerms,
    today: Day,
    order_on: Day,
    until: f64,
) {
    let last = today + until.ceil() as i32;
    let Some(window) =
        terms.closed.iter().find(|w| w.from <= w.to && w.from <= last && w.to >= today)
    else {
        return;
    };
    let supplier = &terms.supplier_id;
    let text = if order_on > today {
        format!(
            "Supplier {supplier} is closed from {} to {}: the order leaves on {order_on}.",
            window.from, window.to
        )
    } else {
        format!(
            "Supplier {supplier} is closed from {} to {}: the order has to last over it.",
            window.from, window.to
        )
    };
    found.push(Finding::new(Code::SupplierClosed, text.clone()));
    reason.fact(codes::CLOSED, i64::from(window.to - window.from) + 1, text);
}

/// Upper limits on an order that are not the supplier's.
struct Limits {
    break_costs: BreakCosts,
    /// What sells within the shelf life; `None`: does not perish.
    sells_within_life: Option<i64>,
}

impl Limits {
    fn new(
        item: &ItemSupply,
        terms: &SupplyTerms,
        scratch: &mut Scratch,
        opening: &Opening,
        daily_demand: f64,
        config: &PlanConfig,
    ) -> Limits {
        let (arrive, until) = scratch.window.means();
        let cost = item.unit.minor_per_smallest(terms.unit_cost_minor);
        let sells_within_life = opening.shelf_life_days.map(|life| {
            // What is there and on its way sells first, and leaves so much less to this order.
            let lack = &scratch.needs;
            let short = mean(&lack.need).max(0.0) + mean(&lack.lost_after_life);
            let rest_of_life = (f64::from(life) - (until - arrive)).max(0.0);
            (short + rest_of_life * daily_demand).floor() as i64
        });
        let most = (config.price_break_cover_days * daily_demand).floor() as i64;
        let break_costs = BreakCosts {
            holding_per_day: cost * config.holding_rate_per_year / 365.0,
            daily_demand,
            cover_days: until - arrive,
            per_base: item.unit.per_base() as f64,
            most: sells_within_life.map_or(most, |sells| sells.min(most)),
        };
        Limits { break_costs, sells_within_life }
    }
}

/// From net need to what the supplier accepts, writing each change into the reason.
#[allow(clippy::too_many_arguments)]
fn round_and_explain(
    reason: &mut Reason,
    found: &mut Vec<Finding>,
    item: &ItemSupply,
    terms: &SupplyTerms,
    need: i64,
    lot: Lot,
    limits: &Limits,
    value_of: impl Fn(i64) -> f64,
) -> i64 {
    let show = |qty: i64| item.unit.show(qty);
    if item.status.is_ending() {
        reason.change(codes::PHASE_OUT, -need, || "The item is being given up.".to_owned());
        return 0;
    }
    let asked =
        with_breaks(need, terms.unit_cost_minor, &terms.price_breaks, lot, limits.break_costs);
    reason.change(codes::PRICE_BREAK, asked - need, || {
        let tier = unit_cost_minor(terms.unit_cost_minor, &terms.price_breaks, asked);
        format!("From {} on, a unit costs {tier} minor units, which pays for holding.", show(asked))
    });
    let rounded: Rounded = round(asked, lot);
    reason.change(codes::MOQ, rounded.moq_added, || {
        format!("The supplier's minimum is {}.", show(lot.moq))
    });
    reason.change(codes::MULTIPLE, rounded.multiple_added, || {
        format!("It comes in multiples of {}.", show(lot.multiple))
    });
    let capacity = lot.capacity.unwrap_or(i64::MAX);
    reason.change(codes::CAPACITY, -rounded.cut, || {
        format!("One order may hold at most {}.", show(capacity))
    });
    if rounded.impossible {
        let detail = format!(
            "no multiple of {} lies between MOQ {} and capacity {}",
            show(lot.multiple),
            show(lot.moq),
            show(capacity)
        );
        found.push(Finding::new(Code::MoqOverCapacity, detail));
    } else if rounded.cut > 0 {
        let detail = format!("{} of the order do not fit the capacity", show(rounded.cut));
        found.push(Finding::new(Code::CapacityCut, detail));
    }
    let Some(sells) = limits.sells_within_life.filter(|&sells| rounded.qty > sells.max(need))
    else {
        return rounded.qty;
    };
    // Rounding up made it more than can be sold in time: less, if a lot allows, or worth it anyway.
    let less = round_down(sells.max(need), lot);
    let qty = if less > 0 || value_of(rounded.qty) <= 0.0 { less } else { rounded.qty };
    reason.change(codes::SHELF_LIFE, qty - rounded.qty, || {
        format!("No more than {} sell within the shelf life.", show(sells))
    });
    if qty == 0 {
        let detail = format!("the smallest order of {} would mostly expire", show(rounded.qty));
        found.push(Finding::new(Code::MoqOverShelfLife, detail));
    }
    qty
}

/// The first day by which more paths have run short without the order than `qty` leaves short.
fn need_day(lack: &Needs, qty: i64, arrival: u32) -> u32 {
    let paths = lack.need.len().max(1) as f64;
    let allowed = 1.0 - lack.cycle_with(qty as f64);
    for day in 0..lack.running.days {
        let short = lack.running.row(day).iter().filter(|&&n| n > 0.0 && n.is_finite()).count();
        if short as f64 / paths > allowed {
            return day as u32;
        }
    }
    arrival
}

impl Decision {
    pub(super) fn final_reason(&self, item: &ItemSupply) -> Vec<ReasonStep> {
        let mut reason = self.reason.clone();
        reason.sum(codes::FINAL, |qty| format!("Order {}.", item.unit.show(qty)));
        reason.steps()
    }

    pub(super) fn line(
        &self,
        item: &ItemSupply,
        at: usize,
        node: &Node,
        terms: &SupplyTerms,
        today: Day,
    ) -> Line {
        let history = item.locations[at].history;
        Line {
            kind: terms.kind,
            location: at,
            supplier_id: terms.supplier_id.clone(),
            source: terms.source,
            qty: self.qty,
            multiple: terms.multiple,
            pack_uom: terms.pack_uom.clone(),
            unit_cost_minor: self.unit_cost_minor,
            currency: terms.currency.clone(),
            order_on: self.order_on,
            expected_on: today + self.median_arrival as i32,
            need_on: self.need_on,
            expected_value_minor: self.value.round() as i64,
            fill_without: self.fill_without,
            fill_with: self.fill_with,
            daily_demand: self.daily_demand,
            position: node.opening.net.saturating_add(node.on_order()),
            protection_days: self.protection_days,
            largest_demand_seen: history.map(|h| largest_over(h.sold, self.protection_days)),
            history_days: history.map(|h| h.len() as u32),
            reason: self.final_reason(item),
        }
    }
}

/// The largest sum of `days` days in a row; of all days where there are fewer.
pub(super) fn largest_over(sold: &[f64], days: u32) -> i64 {
    let days = (days.max(1) as usize).min(sold.len().max(1));
    let mut sum: f64 = sold.iter().take(days).sum();
    let mut largest = sum;
    for (leaving, entering) in sold.iter().zip(sold.iter().skip(days)) {
        sum += entering - leaving;
        largest = f64::max(largest, sum);
    }
    largest.ceil() as i64
}
