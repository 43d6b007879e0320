//! Stock that will not sell in time, and the cheapest way to be rid of it.

use serde::Serialize;

use crate::plan_sku::input::{ItemSupply, PlanConfig};
use crate::plan_sku::replenish::Replenish;
use crate::policy::terms::SupplyKind;

/// What a year does not sell is too much.
const SELLS_WITHIN_DAYS: f64 = 365.0;
/// A younger item has not had its chance; neither its sales nor its cover speak against it.
const MIN_HISTORY_DAYS: usize = 90;
/// A markdown runs for so long, and what it leaves is worth nothing.
const CLEARANCE_DAYS: f64 = 90.0;
/// The price cuts that are weighed.
const DEPTHS: [f64; 7] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7];

/// What could be done with stock that will not sell where it is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitProposal {
    /// To where it still sells; an index into the item's locations.
    Transfer {
        to: usize,
    },
    /// A price cut as a share of the price.
    Markdown {
        depth: f64,
    },
    /// Back to the supplier.
    Return,
    WriteOff,
}

impl ExitProposal {
    pub fn as_str(self) -> &'static str {
        match self {
            ExitProposal::Transfer { .. } => "transfer",
            ExitProposal::Markdown { .. } => "markdown",
            ExitProposal::Return => "return",
            ExitProposal::WriteOff => "write_off",
        }
    }
}

/// Dead or slow stock of one location.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StockExit {
    /// Index into the item's locations.
    pub location: usize,
    /// Smallest units that should go.
    pub qty: i64,
    /// Days with stock since the last sale; `None` without history.
    pub days_without_sale: Option<u32>,
    /// How long the whole stock lasts by the forecast; `None`: nothing is expected to sell.
    pub cover_days: Option<f64>,
    /// `qty` at cost.
    pub value_minor: i64,
    pub proposal: ExitProposal,
    /// Money that the proposal brings over throwing `qty` away at no cost, freight, holding and
    /// disposal taken off; negative where even the best way costs.
    pub expected_recovery_minor: i64,
    pub text: String,
}

/// The facts that a proposal is made from; money in minor units per smallest unit.
struct Surplus {
    qty: f64,
    stock: f64,
    /// Expected sales a day where it is.
    daily: f64,
    /// Days within which it can still be sold.
    life_days: f64,
    price: f64,
    cost: f64,
    holding_per_day: f64,
}

impl Surplus {
    /// Selling faster at a lower price, by a constant elasticity: all that sells in the time of the
    /// markdown sells at the lower price, also what would have sold anyway.
    fn markdown(&self, depth: f64, elasticity: f64) -> f64 {
        let days = CLEARANCE_DAYS.min(self.life_days);
        let anyway = (self.daily * days).min(self.stock);
        let sold = (self.daily * (1.0 - depth).powf(elasticity) * days).min(self.stock);
        // Only units that have to go count as got rid of.
        let sold = sold.min(anyway.max(self.stock - self.qty) + self.qty);
        let held = self.qty * days / 2.0 * self.holding_per_day;
        self.price * ((1.0 - depth) * sold - anyway) - held
    }
}

impl Replenish<'_> {
    /// Proposes an exit for what stands at `at` too long.
    pub(super) fn propose_exit(&mut self, at: usize) {
        let node = &self.network.nodes[at];
        let stock = node.opening.net - self.outgoing[at];
        if stock <= 0 {
            return;
        }
        let mut sells_at = self.network.descendants(at);
        sells_at.push(at);
        let item = self.item;
        let histories = || sells_at.iter().filter_map(|&other| item.locations[other].history);
        let history_days = histories().map(|h| h.len()).max();
        let idle = histories().map(|h| days_without_sale(h.sold, h.available)).min();
        let old_enough = match history_days {
            Some(days) => days >= MIN_HISTORY_DAYS,
            // Nobody ever sold it here, and nobody is to.
            None => item.status.is_ending(),
        };
        if !old_enough {
            return;
        }
        let daily: f64 = sells_at.iter().map(|&other| self.daily_demand(other)).sum();
        // A season that begins within the forecast wakes what slept.
        let wakes = daily * self.shape.days as f64 >= stock as f64;
        let dead = !wakes && idle.is_none_or(|days| days >= self.config.dead_stock_days);
        let kept = if item.status.is_ending() { 0 } else { node.standing.wanted() };
        let life_days = node
            .opening
            .shelf_life_days
            .map_or(SELLS_WITHIN_DAYS, f64::from)
            .min(SELLS_WITHIN_DAYS);
        let qty = if dead { stock } else { self.unsold(at, stock - kept, daily, life_days) };
        if qty <= 0 {
            return;
        }
        // No sale in n days leaves room for half a sale in as many (Jeffreys' prior).
        let hope = idle.map_or(0.0, |days| 0.5 / f64::from(days.max(1)));
        let cost = item.unit.minor_per_smallest(item.unit_cost_minor);
        let surplus = Surplus {
            qty: qty as f64,
            stock: stock as f64,
            daily: if dead { hope } else { daily },
            life_days,
            price: price(item, self.config),
            cost,
            holding_per_day: cost * self.config.holding_rate_per_year / 365.0,
        };
        let (proposal, recovery) = self.best_exit(at, &surplus);
        let value_minor = item.unit.value_minor(qty, item.unit_cost_minor);
        let cover_days = (daily > 0.0).then(|| stock as f64 / daily);
        let text = self.exit_text(qty, idle.filter(|_| dead), cover_days, proposal);
        self.plan.exits.push(StockExit {
            location: at,
            qty,
            days_without_sale: idle,
            cover_days,
            value_minor,
            proposal,
            expected_recovery_minor: recovery.round() as i64,
            text,
        });
    }

    /// What is left of `stock` when a year, its life, or that of its lots is over.
    fn unsold(&self, at: usize, stock: i64, daily: f64, life_days: f64) -> i64 {
        let mut most = stock as f64 - daily * life_days;
        let mut so_far = 0.0;
        for lot in &self.network.nodes[at].opening.lots {
            so_far += lot.qty as f64;
            let sells = daily * f64::from(lot.last_day + 1);
            most = most.max(so_far.min(stock as f64) - sells);
        }
        most.floor().max(0.0) as i64
    }

    /// The way that recovers most. When that does not pay for the holding, writing off does.
    fn best_exit(&self, at: usize, surplus: &Surplus) -> (ExitProposal, f64) {
        let disposal = surplus.cost * self.config.disposal_cost * surplus.qty;
        let mut best = (ExitProposal::WriteOff, -disposal);
        let mut offer = |proposal: ExitProposal, recovery: f64| {
            if recovery > best.1 + 0.5 {
                best = (proposal, recovery);
            }
        };
        let bought = self.network.nodes[at].terms.first();
        if bought.is_some_and(|terms| terms.kind == SupplyKind::Purchase) {
            let credit = surplus.cost * self.config.supplier_return_share * surplus.qty;
            if credit > 0.0 {
                offer(ExitProposal::Return, credit);
            }
        }
        for depth in DEPTHS {
            let recovery = surplus.markdown(depth, self.config.markdown_elasticity);
            if recovery > 0.0 {
                offer(ExitProposal::Markdown { depth }, recovery);
            }
        }
        for to in (0..self.network.nodes.len()).filter(|&to| to != at) {
            if let Some(recovery) = self.moved_to(at, to, surplus).filter(|&money| money > 0.0) {
                offer(ExitProposal::Transfer { to }, recovery);
            }
        }
        best
    }

    /// What the units bring at another place over a year, beyond its own stock, less the way and
    /// the holding until they sell; `None` where no lane leads there.
    fn moved_to(&self, at: usize, to: usize, surplus: &Surplus) -> Option<f64> {
        let node = &self.network.nodes[to];
        let lane = node
            .terms
            .iter()
            .find(|terms| terms.kind == SupplyKind::Transfer && terms.source == Some(at))?;
        let daily = self.daily_demand(to);
        let on_order: i64 = node.incoming.iter().map(|(qty, _)| qty).sum();
        let planned: i64 = node.planned.iter().map(|line| line.qty).sum();
        let there = (node.opening.net + on_order + planned + node.standing.predecessor) as f64;
        let transit_days = f64::from(lane.lead_time.quantile(0.5));
        let room = daily * (surplus.life_days - transit_days).max(0.0) - there.max(0.0);
        let sold = surplus.qty.min(room.max(0.0)).floor();
        if sold <= 0.0 {
            return None;
        }
        let lane_minor = lane.unit_cost_minor.saturating_add(lane.landed_cost_minor);
        let freight = self.item.unit.minor_per_smallest(lane_minor);
        let waits_days = (there.max(0.0) + sold / 2.0) / daily;
        let each = surplus.price - freight - waits_days * surplus.holding_per_day;
        Some(sold * each - lane.fixed_cost_minor as f64)
    }

    /// Mean forecast demand a day, smallest units.
    fn daily_demand(&self, at: usize) -> f64 {
        // The projection's demand is what the predecessor leaves to this item.
        let asked = self.plan.locations[at].kpi.expected_demand;
        if self.network.nodes[at].standing.predecessor == 0 || self.shape.days == 0 {
            return asked / self.shape.days.max(1) as f64;
        }
        let Some(demand) = &self.item.locations[at].demand else { return 0.0 };
        let values = demand.values.iter().filter(|v| v.is_finite());
        let asked: f64 = values.map(|&v| f64::from(v.max(0.0))).sum();
        asked / demand.values.len().max(1) as f64
    }

    fn exit_text(
        &self,
        qty: i64,
        dead_for: Option<u32>,
        cover_days: Option<f64>,
        proposal: ExitProposal,
    ) -> String {
        let qty = self.item.unit.show(qty);
        let why = match (dead_for, cover_days) {
            (Some(days), _) => format!("none sold in {days} days with stock"),
            (None, Some(days)) => format!("the stock lasts {days:.0} days"),
            (None, None) => "nothing is expected to sell".to_owned(),
        };
        let how = match proposal {
            ExitProposal::Transfer { to } => {
                format!("move them to {}", self.item.locations[to].location_id)
            }
            ExitProposal::Markdown { depth } => {
                format!("sell them at {:.0}% off", 100.0 * depth)
            }
            ExitProposal::Return => "send them back to the supplier".to_owned(),
            ExitProposal::WriteOff => "write them off".to_owned(),
        };
        format!("{qty} too many: {why}; {how}.")
    }
}

/// Days since the last sale on which there was something to sell; all such days where none sold.
fn days_without_sale(sold: &[f64], available: &[f32]) -> u32 {
    let days =
        sold.iter().zip(available).rev().take_while(|(sold, _)| sold.is_nan() || **sold <= 0.0);
    days.filter(|(sold, available)| !sold.is_nan() && **available > 0.0).count() as u32
}

/// Of a smallest unit, minor units.
fn price(item: &ItemSupply, config: &PlanConfig) -> f64 {
    let cost = item.unit.minor_per_smallest(item.unit_cost_minor);
    match item.unit_price_minor {
        Some(price) => item.unit.minor_per_smallest(price),
        None => cost / (1.0 - config.default_margin).max(0.01),
    }
}
