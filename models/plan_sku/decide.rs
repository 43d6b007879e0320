//! One decision: from demand paths, receipts and stock to a quantity and its reason.

use crate::calendar::Day;
use crate::finding::{Code, Finding};
use crate::plan::choice::Choice;
use crate::plan_sku::Line;
use crate::plan_sku::ahead::{look_text, lookahead};
use crate::plan_sku::input::{ItemSupply, PlanConfig};
use crate::plan_sku::stage::{Scratch, Stage, set_window};
use crate::policy::order::{RawOrder, Target, UnitMoney, mean, needs, raw_quantity};
use crate::policy::price::{BreakCosts, unit_cost_minor, with_breaks};
use crate::policy::projection::Opening;
use crate::policy::reason::{Reason, ReasonStep, codes};
use crate::policy::rounding::{Lot, Rounded, round, round_down};
use crate::policy::terms::{SupplyKind, SupplyTerms};

/// What is asked of one source.
pub(super) struct Ask<'a> {
    pub terms: &'a SupplyTerms,
    /// Who delivers the order after this one, where that is another source.
    pub next: Option<&'a SupplyTerms>,
    /// Ordered elsewhere tonight to meet the same need.
    pub already: i64,
    /// What the source can spare, a quantity that the lot allows, and why.
    pub limit: Option<(i64, &'static str, String)>,
}

/// A quantity, with everything that a line says about it.
#[derive(Clone, Debug)]
pub(super) struct Decision {
    pub qty: i64,
    /// What the source's capacity cut off.
    pub cut: i64,
    pub findings: Vec<Finding>,
    /// Arrival at the place itself, days from today; per path where the lead time is random.
    pub median_arrival: u32,
    pub arrive: Option<Vec<f64>>,
    pub lot: Lot,
    pub money: UnitMoney,
    /// What each path lacks; negative is spare.
    pub need: Vec<f64>,
    reason: Reason,
    order_on: Day,
    unit_cost_minor: i64,
    value: f64,
    need_on: Day,
    fill_without: f64,
    fill_with: f64,
    daily_demand: f64,
    protection_days: u32,
}

/// Decides on one order from the demand and receipts that `stage` has loaded into `scratch`.
pub(super) fn decide(
    scratch: &mut Scratch,
    item: &ItemSupply,
    stage: &Stage,
    ask: &Ask,
    today: Day,
    config: &PlanConfig,
) -> Decision {
    let terms = ask.terms;
    let (paths, known) = (scratch.demand.paths, scratch.demand.days);
    let mut found = Vec::new();
    let order_on = set_window(&mut scratch.window, paths, terms, ask.next, today, stage.later);
    stage.lengthen(scratch, &mut found);
    let shelf_life_days = terms.shelf_life_days.or(item.shelf_life_days);
    let opening = Opening {
        shelf_life_days: shelf_life_days.map(|days| days.saturating_sub(stage.later).max(1)),
        ..stage.opening.clone()
    };
    let Scratch { demand, receipts, window, needs: lack, .. } = scratch;
    needs(demand, receipts, &opening, window, item.shortage, lack);
    let target = item.target.unwrap_or(config.target);
    let money = unit_money(item, terms, &opening, config);
    let mut raw = raw_quantity(lack, target, money, &mut scratch.ordered);
    let mut reason = Reason::default();
    if let Some(ahead) = lookahead(item, stage, ask, &opening, target, money) {
        let best = ahead.best_order(demand, receipts, &opening, window, &mut scratch.ahead);
        reason.fact(codes::LOOKAHEAD, best.qty - raw.qty, look_text(item, raw.qty, best.qty));
        raw.qty = best.qty;
    }

    explain_need(&mut reason, item, stage, scratch, target, raw);
    let (_, until) = scratch.window.means();
    explain_closed(&mut reason, &mut found, terms, today, order_on, until);
    let daily_demand = mean(&scratch.needs.demand_until) / until.max(1.0);
    let limits = Limits::new(item, terms, scratch, &opening, daily_demand, config);
    let mut rounding = Rounding { reason: &mut reason, found: &mut found, item, ask };
    let lack = &scratch.needs;
    let value_of = |qty: i64| {
        lack.value_of((ask.already + qty) as f64, money) - lack.value_of(ask.already as f64, money)
    };
    let (qty, cut) = rounding.run(raw.qty, &limits, value_of);
    let median = terms.arrival(order_on, terms.lead_time.quantile(0.5)) - today;
    let arrive = (!terms.lead_time.is_fixed())
        .then(|| scratch.window.arrive.iter().map(|day| day - f64::from(stage.later)).collect());
    let arrives_in = median.max(0) as u32;
    let need_in =
        if qty > 0 { need_day(scratch, opening.net, raw.qty, arrives_in) } else { arrives_in };
    let decision = Decision {
        qty,
        cut,
        median_arrival: arrives_in,
        arrive,
        unit_cost_minor: unit_cost_minor(terms.unit_cost_minor, &terms.price_breaks, qty),
        lot: lot_of(terms),
        money,
        need: lack.need.clone(),
        value: value_of(qty),
        need_on: today + need_in as i32,
        fill_without: lack.fill_with(0.0),
        fill_with: lack.fill_with((ask.already + qty) as f64),
        daily_demand,
        protection_days: until.ceil() as u32,
        order_on,
        reason,
        findings: found,
    };
    // Whoever projects next does so over the days of the forecast.
    scratch.demand.truncate(known);
    scratch.receipts.truncate(known);
    decision
}

pub(super) fn lot_of(terms: &SupplyTerms) -> Lot {
    Lot { moq: terms.moq, multiple: terms.multiple, capacity: terms.capacity_qty }
}

pub(super) fn goods_cost(item: &ItemSupply, terms: &SupplyTerms) -> f64 {
    // A transfer's own cost is freight; what is at stake is the goods.
    let unit_cost_minor = match terms.kind {
        SupplyKind::Transfer => item.unit_cost_minor,
        SupplyKind::Purchase | SupplyKind::Produce => terms.unit_cost_minor,
    };
    item.unit.minor_per_smallest(unit_cost_minor)
}

fn unit_money(
    item: &ItemSupply,
    terms: &SupplyTerms,
    opening: &Opening,
    config: &PlanConfig,
) -> UnitMoney {
    let cost = goods_cost(item, terms);
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
    stage: &Stage,
    scratch: &Scratch,
    target: Target,
    raw: RawOrder,
) {
    let lack = &scratch.needs;
    let (arrive, until) = scratch.window.means();
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
    let on_hand = stage.on_hand;
    reason.term(codes::ON_HAND, -on_hand, format!("{} are on hand.", show(on_hand)));
    reason.change(codes::CHILD_STOCK, -stage.child_stock, || {
        format!("{} are at the locations it supplies or draws on.", show(stage.child_stock))
    });
    reason.change(codes::RESERVED, stage.reserved, || {
        format!("{} of the stock are reserved.", show(stage.reserved))
    });
    reason.change(codes::BACKORDERED, stage.backordered, || {
        format!("{} are owed to shoppers.", show(stage.backordered))
    });
    let expiring = whole(&lack.wasted_until);
    reason.change(codes::EXPIRING, expiring, || {
        format!("{} of it will expire unsold before then.", show(expiring))
    });
    let received = whole(&lack.received_until);
    let on_order = stage.on_order();
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
        scratch: &Scratch,
        opening: &Opening,
        daily_demand: f64,
        config: &PlanConfig,
    ) -> Limits {
        let (arrive, until) = scratch.window.means();
        let cost = item.unit.minor_per_smallest(terms.unit_cost_minor);
        let sells_within_life = opening.shelf_life_days.map(|life| {
            // What is there and on its way sells first, and leaves so much less to this order.
            let lack = &scratch.needs;
            let short = mean(&lack.need).max(0.0);
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

/// From net need to what the source accepts, writing each change into the reason.
struct Rounding<'a> {
    reason: &'a mut Reason,
    found: &'a mut Vec<Finding>,
    item: &'a ItemSupply<'a>,
    ask: &'a Ask<'a>,
}

impl Rounding<'_> {
    /// The quantity, and what the source's capacity cut off.
    fn run(&mut self, raw: i64, limits: &Limits, value_of: impl Fn(i64) -> f64) -> (i64, i64) {
        let item = self.item;
        let terms = self.ask.terms;
        let elsewhere = self.ask.already.min(raw);
        self.reason.change(codes::OTHER_LINES, -elsewhere, || {
            format!("{} of it come from another source.", item.unit.show(elsewhere))
        });
        let need = raw - elsewhere;
        // What is in the warehouse still goes to where it sells.
        if item.status.is_ending() && terms.kind != SupplyKind::Transfer {
            let text = || "The item is being given up, so none is ordered.".to_owned();
            self.reason.change(codes::PHASE_OUT, -need, text);
            return (0, 0);
        }
        let lot = lot_of(terms);
        let tiers = &terms.price_breaks;
        let asked = with_breaks(need, terms.unit_cost_minor, tiers, lot, limits.break_costs);
        self.reason.change(codes::PRICE_BREAK, asked - need, || {
            let tier = unit_cost_minor(terms.unit_cost_minor, tiers, asked);
            let asked = item.unit.show(asked);
            format!("From {asked} on a unit costs {tier} minor units, which pays for holding.")
        });
        let rounded = round(asked, lot);
        self.explain_lot(lot, rounded);
        let qty = self.within_life(rounded.qty, need, limits, value_of);
        let Some((limit, code, text)) = &self.ask.limit else { return (qty, rounded.cut) };
        let spared = qty.min(*limit);
        self.reason.change(code, spared - qty, || text.clone());
        (spared, rounded.cut)
    }

    fn explain_lot(&mut self, lot: Lot, rounded: Rounded) {
        let show = |qty: i64| self.item.unit.show(qty);
        let capacity = lot.capacity.unwrap_or(i64::MAX);
        self.reason.change(codes::MOQ, rounded.moq_added, || {
            format!("The smallest order is {}.", show(lot.moq))
        });
        self.reason.change(codes::MULTIPLE, rounded.multiple_added, || {
            format!("It comes in multiples of {}.", show(lot.multiple))
        });
        self.reason.change(codes::CAPACITY, -rounded.cut, || {
            format!("One order may hold at most {}.", show(capacity))
        });
        if rounded.impossible {
            let detail = format!(
                "no multiple of {} lies between MOQ {} and capacity {}",
                show(lot.multiple),
                show(lot.moq),
                show(capacity)
            );
            self.found.push(Finding::new(Code::MoqOverCapacity, detail));
        } else if rounded.cut > 0 {
            let detail = format!("{} of the order do not fit the capacity", show(rounded.cut));
            self.found.push(Finding::new(Code::CapacityCut, detail));
        }
    }

    /// Rounding up may make it more than sells in time: then less, if a lot allows, or as much
    /// only if that is worth it.
    fn within_life(
        &mut self,
        rounded: i64,
        need: i64,
        limits: &Limits,
        value_of: impl Fn(i64) -> f64,
    ) -> i64 {
        let Some(sells) = limits.sells_within_life.map(|sells| sells.max(need)) else {
            return rounded;
        };
        if rounded <= sells {
            return rounded;
        }
        let less = round_down(sells, lot_of(self.ask.terms));
        let qty = if less > 0 || value_of(rounded) <= 0.0 { less } else { rounded };
        let show = |qty: i64| self.item.unit.show(qty);
        self.reason.change(codes::SHELF_LIFE, qty - rounded, || {
            format!("No more than {} sell within the shelf life.", show(sells))
        });
        if qty == 0 {
            let detail = format!("the smallest order of {} would mostly expire", show(rounded));
            self.found.push(Finding::new(Code::MoqOverShelfLife, detail));
        }
        qty
    }
}

/// The first day by which more paths have run short without the order than `qty` leaves short.
fn need_day(scratch: &Scratch, net: i64, qty: i64, arrival: u32) -> u32 {
    let lack = &scratch.needs;
    let allowed = (1.0 - lack.cycle_with(qty as f64)) * lack.need.len() as f64;
    if lack.lost_before.iter().filter(|&&lost| lost > 0.0).count() as f64 > allowed {
        return first_shortage(scratch, net, allowed);
    }
    for day in 0..lack.running.days {
        let short = lack.running.row(day).iter().filter(|&&n| n > 0.0 && n.is_finite()).count();
        if short as f64 > allowed {
            return day as u32;
        }
    }
    arrival
}

/// The same where stock runs out before any order could arrive; sales lost until then do not matter
/// to the first day on which one is.
fn first_shortage(scratch: &Scratch, net: i64, allowed: f64) -> u32 {
    let (demand, receipts) = (&scratch.demand, &scratch.receipts);
    let mut stock = vec![net as f64; demand.paths];
    let mut short = vec![false; demand.paths];
    for day in 0..demand.days {
        let flows = demand.row(day).iter().zip(receipts.row(day));
        for ((stock, short), (wanted, received)) in stock.iter_mut().zip(&mut short).zip(flows) {
            *stock += received - wanted;
            *short |= *stock < 0.0;
        }
        if short.iter().filter(|&&s| s).count() as f64 > allowed {
            return day as u32;
        }
    }
    0
}

impl Decision {
    pub(super) fn final_reason(&self, item: &ItemSupply) -> Vec<ReasonStep> {
        let mut reason = self.reason.clone();
        reason.sum(codes::FINAL, |qty| format!("Order {}.", item.unit.show(qty)));
        reason.steps()
    }

    /// The line for location `at`; `stage` must be what was decided on.
    pub(super) fn line(
        &self,
        item: &ItemSupply,
        at: usize,
        stage: &Stage,
        terms: &SupplyTerms,
        today: Day,
    ) -> Line {
        let histories = || stage.serves.iter().filter_map(|&at| item.locations[at].history);
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
            position: stage.opening.net.saturating_add(stage.on_order()),
            protection_days: self.protection_days,
            // Of several locations the sum, which is at least what they sold together.
            largest_demand_seen: histories()
                .map(|h| largest_over(h.sold, self.protection_days))
                .reduce(i64::saturating_add),
            history_days: histories().map(|h| h.len() as u32).max(),
            reason: self.final_reason(item),
            choice: Choice::default(),
        }
    }
}

/// The largest sum of `days` days in a row; of all days where there are fewer.
fn largest_over(sold: &[f64], days: u32) -> i64 {
    let days = (days.max(1) as usize).min(sold.len().max(1));
    let mut sum: f64 = sold.iter().take(days).sum();
    let mut largest = sum;
    for (leaving, entering) in sold.iter().zip(sold.iter().skip(days)) {
        sum += entering - leaving;
        largest = f64::max(largest, sum);
    }
    largest.ceil() as i64
}
