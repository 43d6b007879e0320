//! One decision: from demand paths, receipts and stock to a quantity and its reason.

use crate::calendar::Day;
use crate::finding::Finding;
use crate::plan::choice::Choice;
use crate::plan_sku::Line;
use crate::plan_sku::ahead::{look_text, lookahead};
use crate::plan_sku::choices::Curve;
use crate::plan_sku::evidence::evidence_of;
use crate::plan_sku::explain::{explain_calendar, explain_need};
use crate::plan_sku::input::{ItemSupply, PlanConfig};
use crate::plan_sku::limits::{Limits, Rounding};
use crate::plan_sku::stage::{Scratch, Shape, Stage, set_shares, set_window};
use crate::policy::order::{Target, UnitMoney, mean, raw_quantity};
use crate::policy::projection::{Opening, PathMatrix};
use crate::policy::reason::{Reason, ReasonStep, codes};
use crate::policy::rounding::Lot;
use crate::policy::terms::{SupplyKind, SupplyTerms};
use crate::policy::walk::Cell;

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
    /// What it would order if any quantity could be had.
    pub net_need: i64,
    /// How much of it the shelf lacks of its presentation stock as the order arrives.
    pub shelf_first: i64,
    reason: Reason,
    order_on: Day,
    unit_cost_minor: i64,
    value: f64,
    need_on: Day,
    fill_without: f64,
    fill_with: f64,
    pub daily_demand: f64,
    protection_days: u32,
    choice: Choice,
    /// Whether some quantity earns money, whatever the target asks for.
    earns: bool,
}

/// Decides on one order for a place, or for an echelon.
pub(super) fn decide(
    scratch: &mut Scratch,
    item: &ItemSupply,
    stage: &Stage,
    shape: Shape,
    ask: &Ask,
    today: Day,
    config: &PlanConfig,
) -> Decision {
    let terms = ask.terms;
    let mut found = Vec::new();
    let receiving = &item.locations[stage.at()].closed;
    let place = (receiving.as_slice(), stage.later);
    let order_on = set_window(&mut scratch.window, shape.paths, terms, ask.next, today, place);
    let shelf_life_days = terms.shelf_life_days.or(item.shelf_life_days);
    let opening = Opening {
        shelf_life_days: shelf_life_days.map(|days| days.saturating_sub(stage.later).max(1)),
        ..stage.opening.clone()
    };
    stage.find_needs(scratch, item, shape, &opening, &mut found);
    let target = item.target.unwrap_or(config.target);
    let money = unit_money(item, terms, &opening, config);
    let mut raw = raw_quantity(&scratch.needs, target, money, &mut scratch.ordered);
    let (plain, mut looked_ahead) = (raw.qty, false);
    let mut reason = Reason::default();
    if let Some(ahead) = lookahead(item, stage, ask, &opening, target, money) {
        stage.load_ahead(scratch, item, shape);
        let Scratch { demand, receipts, window, .. } = scratch;
        let best = ahead.best_order(demand, receipts, &opening, window, &mut scratch.ahead);
        reason.fact(codes::LOOKAHEAD, best.qty - raw.qty, look_text(item, raw.qty, best.qty));
        (raw.qty, looked_ahead) = (best.qty, true);
    }
    let standing = stage.standing.lacking(scratch, &opening, item.shortage, target, raw);
    explain_need(&mut reason, item, stage, scratch, target, raw, standing);
    set_shares(&mut scratch.needs.share, shape.paths, terms);
    let net_need = reason.value();
    let more = more_for_short_delivery(scratch, terms, target, money, plain).min(net_need.max(0));
    reason.change(codes::SHORT_DELIVERY, more, || {
        let (part, more) = (100.0 * terms.delivered.mean(), item.unit.show(more));
        format!("{part:.0}% of an order come on average: {more} more make up for it.")
    });
    let net_need = net_need + more;
    let (_, until) = scratch.window.means();
    let last = today + until.ceil() as i32;
    explain_calendar(&mut reason, &mut found, terms, receiving, (today, order_on, last));
    let daily_demand = mean(&scratch.needs.demand_until) / until.max(1.0);
    let limits = Limits::new(item, terms, scratch, &opening, daily_demand, config);
    let waits = config.next_run_days > 0 && terms.waits_for_weekday(today, config.next_run_days);
    let waits = waits.then_some(order_on);
    let mut rounding = Rounding { reason: &mut reason, found: &mut found, item, ask, waits };
    let lack = &scratch.needs;
    let value_of = |qty: i64| {
        lack.value_of((ask.already + qty) as f64, money) - lack.value_of(ask.already as f64, money)
    };
    let (qty, cut) = rounding.run(net_need, &limits, value_of);
    let free = ask.limit.is_none() && !rounding.stopped();
    let (choice, earns) = if config.with_choices && terms.kind == SupplyKind::Purchase && free {
        let costs = &limits.break_costs;
        Curve {
            item,
            terms,
            needs: lack,
            money,
            own: qty,
            standing,
            already: ask.already,
            room: (costs.cover_days * costs.daily_demand).ceil() as i64,
            most: costs.most,
            by_service: target != Target::Economics || looked_ahead,
        }
        .choice()
    } else {
        (Choice::default(), false)
    };
    let median = terms.arrival_at(receiving, order_on, terms.lead_time.quantile(0.5)) - today;
    let arrive = (!terms.lead_time.is_fixed())
        .then(|| scratch.window.arrive.iter().map(|day| day - f64::from(stage.later)).collect());
    let arrives_in = median.max(0) as u32;
    let need_in =
        if qty > 0 { need_day(scratch, opening.net, raw.qty, arrives_in) } else { arrives_in };
    Decision {
        qty,
        cut,
        median_arrival: arrives_in,
        arrive,
        unit_cost_minor: terms.price_minor(qty),
        lot: lot_of(terms),
        money,
        need: lack.need.clone(),
        net_need,
        shelf_first: stage.standing.shelf_first(lack, &opening),
        value: value_of(qty),
        need_on: today + need_in as i32,
        fill_without: lack.fill_with(0.0),
        fill_with: lack.fill_with((ask.already + qty) as f64),
        daily_demand,
        protection_days: until.ceil() as u32,
        choice,
        earns,
        order_on,
        reason,
        findings: found,
    }
}

/// What the target asks for beyond `qty`, which is what it would if all of an order came. At most as
/// much again: a source that leaves more than half is not made good for by ordering more of it.
fn more_for_short_delivery(
    scratch: &mut Scratch,
    terms: &SupplyTerms,
    target: Target,
    money: UnitMoney,
    qty: i64,
) -> i64 {
    if terms.delivered.is_certain() || qty <= 0 {
        return 0;
    }
    let asked = raw_quantity(&scratch.needs, target, money, &mut scratch.ordered).qty;
    (asked - qty).clamp(0, qty)
}

pub(super) fn lot_of(terms: &SupplyTerms) -> Lot {
    Lot { moq: terms.moq, multiple: terms.multiple, capacity: terms.capacity_qty }
}

/// Of one smallest unit, minor units.
pub(super) fn goods_cost(item: &ItemSupply, terms: &SupplyTerms) -> f64 {
    // A transfer's own cost is freight; what is at stake is the goods.
    let unit_cost_minor = match terms.kind {
        SupplyKind::Transfer => item.unit_cost_minor,
        SupplyKind::Purchase | SupplyKind::Produce => terms.unit_cost_minor,
    };
    item.unit.minor_per_smallest(unit_cost_minor)
}

pub(super) fn unit_money(
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
    if scratch.small.0.paths > 0 {
        first_shortage_in(&scratch.small.0, &scratch.small.1, net, allowed)
    } else {
        first_shortage_in(&scratch.demand, &scratch.receipts, net, allowed)
    }
}

fn first_shortage_in<T: Cell>(
    demand: &PathMatrix<T>,
    receipts: &PathMatrix<T>,
    net: i64,
    allowed: f64,
) -> u32 {
    let mut stock = vec![T::of(net as f64); demand.paths];
    let mut short = vec![false; demand.paths];
    for day in 0..demand.days {
        let flows = demand.row(day).iter().zip(receipts.row(day));
        for ((stock, short), (&wanted, &received)) in stock.iter_mut().zip(&mut short).zip(flows) {
            *stock += received - wanted;
            *short |= *stock < T::ZERO;
        }
        if short.iter().filter(|&&s| s).count() as f64 > allowed {
            return day as u32;
        }
    }
    0
}

impl Decision {
    /// Adds why this source is asked, and what that is worth in minor units.
    pub(super) fn say_source(&mut self, worth_minor: i64, text: String) {
        self.reason.fact(codes::SOURCE, worth_minor, text);
    }

    /// Whether nothing is ordered though something would earn money.
    pub(super) fn is_candidate(&self) -> bool {
        self.qty == 0 && self.earns
    }

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
            evidence: evidence_of(
                item,
                &stage.serves,
                terms,
                self.protection_days,
                self.median_arrival,
            ),
            reason: self.final_reason(item),
            choice: self.choice.clone(),
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
