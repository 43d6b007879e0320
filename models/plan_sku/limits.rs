//! From net need to what a source accepts.

use crate::calendar::Day;
use crate::finding::{Code, Finding};
use crate::plan_sku::decide::{Ask, lot_of};
use crate::plan_sku::input::{ItemStatus, ItemSupply, PlanConfig};
use crate::plan_sku::stage::Scratch;
use crate::policy::order::{Target, mean};
use crate::policy::price::{BreakCosts, reviews_per_order, with_breaks};
use crate::policy::projection::Opening;
use crate::policy::reason::{Reason, codes};
use crate::policy::rounding::{Lot, Rounded, round, round_down};
use crate::policy::terms::{SupplyKind, SupplyTerms};

/// Upper limits on an order that are not the supplier's.
pub(super) struct Limits {
    pub break_costs: BreakCosts,
    /// What sells within the shelf life; `None`: does not perish.
    pub sells_within_life: Option<i64>,
    /// Whether money sets the quantity, and not a service level.
    by_money: bool,
    most_cover_days: f64,
}

impl Limits {
    pub(super) fn new(
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
        let by_money = item.target.unwrap_or(config.target) == Target::Economics;
        let most_cover_days = config.price_break_cover_days;
        Limits { break_costs, sells_within_life, by_money, most_cover_days }
    }
}

/// From net need to what the source accepts, writing each change into the reason.
pub(super) struct Rounding<'a> {
    pub reason: &'a mut Reason,
    pub found: &'a mut Vec<Finding>,
    pub item: &'a ItemSupply<'a>,
    pub ask: &'a Ask<'a>,
    /// The day on which the order could leave, where a later run decides on it.
    pub waits: Option<Day>,
}

impl Rounding<'_> {
    /// The quantity, and what the source's capacity cut off.
    pub(super) fn run(
        &mut self,
        raw: i64,
        limits: &Limits,
        value_of: impl Fn(i64) -> f64,
    ) -> (i64, i64) {
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
        if item.status == ItemStatus::Presale && terms.kind != SupplyKind::Transfer {
            let text = || "The item is on pre-sale: it is made in batches, not ordered.".to_owned();
            self.reason.change(codes::PRESALE, -need, text);
            return (0, 0);
        }
        if let Some(order_on) = self.waits.filter(|_| need > 0) {
            let text = || format!("It is decided on {order_on}, with what is known then.");
            self.reason.change(codes::ORDER_DAY, -need, text);
            return (0, 0);
        }
        let lot = lot_of(terms);
        let tiers = &terms.price_breaks;
        let lasting = need.saturating_add(self.more_reviews(need, limits));
        let (list, kind) = (terms.unit_cost_minor, terms.break_kind);
        let asked = with_breaks(lasting, list, tiers, kind, lot, limits.break_costs);
        self.reason.change(codes::PRICE_BREAK, asked - lasting, || {
            let tier = terms.price_minor(asked);
            let asked = item.unit.show(asked);
            format!("From {asked} on a unit costs {tier} minor units, which pays for holding.")
        });
        let rounded = round(asked, lot);
        self.explain_lot(lot, rounded);
        let qty = self.within_life(rounded.qty, need, limits, &value_of);
        let qty = self.worth_its_cost(qty, limits, &value_of);
        let Some((limit, code, text)) = &self.ask.limit else { return (qty, rounded.cut) };
        let spared = qty.min(*limit);
        self.reason.change(code, spared - qty, || text.clone());
        (spared, rounded.cut)
    }

    /// Whether nothing is ordered whatever it would bring.
    pub(super) fn stopped(&self) -> bool {
        let unwanted = self.item.status.is_ending() || self.item.status == ItemStatus::Presale;
        unwanted || self.waits.is_some()
    }

    /// What makes the order last for more reviews where each order costs something by itself.
    fn more_reviews(&mut self, need: i64, limits: &Limits) -> i64 {
        let terms = self.ask.terms;
        let fixed = terms.fixed_cost_minor;
        if need <= 0 || fixed <= 0 || limits.by_money || self.ask.next.is_some() {
            return 0;
        }
        let costs = &limits.break_costs;
        let reviews = reviews_per_order(fixed as f64, costs, limits.most_cover_days);
        let more = f64::from(reviews - 1) * costs.cover_days * costs.daily_demand;
        let more = (more.round() as i64).min((costs.most - need).max(0));
        self.reason.change(codes::FIXED_COST, more, || {
            format!(
                "Each order costs {fixed} minor units by itself, so it covers {reviews} reviews."
            )
        });
        more
    }

    /// Where money decides, an order waits until it pays what it costs once.
    fn worth_its_cost(&mut self, qty: i64, limits: &Limits, value_of: impl Fn(i64) -> f64) -> i64 {
        let fixed = self.ask.terms.fixed_cost_minor;
        if qty <= 0 || fixed <= 0 || !limits.by_money || value_of(qty) > fixed as f64 {
            return qty;
        }
        let worth = value_of(qty).round();
        self.reason.change(codes::NOT_WORTH_IT, -qty, || {
            format!("It would bring {worth} minor units, and an order costs {fixed} by itself.")
        });
        0
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
