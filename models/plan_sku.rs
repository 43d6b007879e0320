//! One item at all its locations: from demand paths and stock to reorder lines.
//!
//! Day 0 of every demand path is `today`, and the stock is what there is as today opens. Selling
//! locations order what their own paths lack; a distribution centre buys for itself and all it
//! supplies, by echelon stock (Clark & Scarf 1960).

mod ahead;
mod allot;
mod choices;
mod config;
mod court;
mod decide;
mod evidence;
mod exceptions;
mod explain;
pub mod input;
mod lateral;
mod lifecycle;
mod limits;
mod network;
mod publish;
mod relief;
mod replenish;
mod share;
mod source;
mod stage;
mod standing;

use serde::Serialize;

use crate::calendar::Day;
use crate::finding::Finding;
use crate::plan::choice::Choice;
use crate::plan::gates::Evidence;
use crate::plan::line::{LineFacts, LineState, ReorderLine, line_key, order_units};
use crate::plan_sku::replenish::Replenish;
use crate::policy::reason::ReasonStep;
use crate::policy::terms::SupplyKind;

pub use exceptions::{OrderAction, OrderException};
pub use input::{
    BadSetting, ItemStatus, ItemSupply, LocationKind, LocationSupply, Lot, OpenOrder, PlanConfig,
    Returns,
};
pub use lifecycle::{ExitProposal, StockExit};
pub use relief::Overflow;
pub use stage::Scratch;

/// A reorder line before it has a run: locations are indices into [`ItemSupply::locations`].
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub kind: SupplyKind,
    pub location: usize,
    /// Empty for a transfer.
    pub supplier_id: String,
    pub source: Option<usize>,
    /// Smallest units, more than 0.
    pub qty: i64,
    /// Smallest units per order unit, and what that is called; see [`crate::plan::line`].
    pub multiple: i64,
    pub pack_uom: String,
    /// Per base unit, of the price tier reached.
    pub unit_cost_minor: i64,
    pub currency: String,
    pub order_on: Day,
    /// Median arrival.
    pub expected_on: Day,
    /// First day by which, without this line, the chance of having run short is over what the
    /// quantity allows.
    pub need_on: Day,
    /// Sales saved less holding and waste, over not ordering.
    pub expected_value_minor: i64,
    /// Share of the demand between this order's arrival and the next that is served from stock.
    pub fill_without: f64,
    pub fill_with: f64,
    /// Mean demand per day in that time, smallest units.
    pub daily_demand: f64,
    /// Stock on hand and on order, less what is promised, before this line.
    pub position: i64,
    /// Days from today until the next order arrives, rounded up.
    pub protection_days: u32,
    /// Largest demand that the history saw over as many days; `None` without history.
    pub largest_demand_seen: Option<i64>,
    /// Days of history behind the forecast; `None` where the location does not sell.
    pub history_days: Option<u32>,
    /// What else history and forecast say, for the gates.
    pub evidence: Evidence,
    pub reason: Vec<ReasonStep>,
    /// See [`crate::plan::line::ReorderLine::choice`].
    pub choice: Choice,
}

impl Line {
    /// The line under its ids, proposed and not yet ranked.
    pub fn reorder_line(&self, item: &ItemSupply, business_date: Day) -> ReorderLine {
        let id = |at: usize| item.locations[at].location_id.clone();
        let source_location_id = self.source.map(id).unwrap_or_default();
        let location_id = id(self.location);
        let (order_qty, order_uom) =
            order_units(self.qty, &item.unit, self.multiple, &self.pack_uom);
        ReorderLine {
            line_key: line_key(
                business_date,
                self.kind,
                &item.item_id,
                &location_id,
                &self.supplier_id,
                &source_location_id,
            ),
            kind: self.kind,
            state: LineState::Proposed,
            item_id: item.item_id.clone(),
            supplier_id: self.supplier_id.clone(),
            source_location_id,
            location_id,
            qty: self.qty,
            order_qty,
            order_uom,
            unit_cost_minor: self.unit_cost_minor,
            value_minor: item.unit.value_minor(self.qty, self.unit_cost_minor),
            currency: self.currency.clone(),
            order_on: self.order_on,
            expected_on: self.expected_on,
            need_on: self.need_on,
            priority: 0,
            expected_value_minor: self.expected_value_minor,
            reason: self.reason.clone(),
            held_because: None,
            facts: LineFacts {
                largest_demand_seen: self.largest_demand_seen,
                history_days: self.history_days,
                daily_demand: self.daily_demand,
                position: self.position,
                multiple: self.multiple,
                fill_without: self.fill_without,
                fill_with: self.fill_with,
                category: item.category.clone(),
                weight_g: item.weight_g,
                volume_ml: item.volume_ml,
                per_base: item.unit.per_base(),
                base_uom: item.unit.name.clone(),
                pack_uom: self.pack_uom.clone(),
                evidence: self.evidence.clone(),
            },
            choice: self.choice.clone(),
        }
    }
}

/// Stock at the end of each day from `from` on, smallest units.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LocationProjection {
    pub from: Day,
    /// Open orders and tonight's lines, on their median days.
    pub receipts: Vec<i64>,
    pub p10: Vec<i64>,
    pub p50: Vec<i64>,
    pub p90: Vec<i64>,
    /// The median without tonight's lines.
    pub p50_without: Vec<i64>,
}

/// Means over the paths, over the days of the projection, with tonight's lines; smallest units.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LocationKpi {
    pub expected_demand: f64,
    pub expected_lost: f64,
    pub expected_lost_without: f64,
    pub expected_waste: f64,
    pub stock_value_minor: i64,
    /// On hand over mean daily demand; `None` without demand.
    pub days_of_cover: Option<f64>,
}

/// What was decided at one location, also where nothing is ordered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LocationPlan {
    /// Why the quantity of the usual source is what it is, 0 included; empty where the location has
    /// no supply terms or no demand.
    pub reason: Vec<ReasonStep>,
    pub projection: LocationProjection,
    pub kpi: LocationKpi,
    /// Where the stock may not find room.
    pub overflow: Option<Overflow>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct ItemPlan {
    pub lines: Vec<Line>,
    /// One per location of the item, in its order.
    pub locations: Vec<LocationPlan>,
    /// What to do about orders that are on their way, by location and order.
    pub exceptions: Vec<OrderException>,
    /// Stock that will not sell, and how to be rid of it, by location.
    pub exits: Vec<StockExit>,
    /// What could be ordered with profit though its target does not ask for it: lines of quantity 0
    /// with a [`Choice`], where [`PlanConfig::with_choices`] asks for them.
    pub candidates: Vec<Line>,
}

/// Plans one item. A pure function of its arguments; trouble comes back as findings, each with the
/// index of its location.
pub fn plan_item(
    item: &ItemSupply,
    today: Day,
    config: &PlanConfig,
) -> (ItemPlan, Vec<(usize, Finding)>) {
    plan_item_with(&mut Scratch::default(), item, today, config)
}

/// As [`plan_item`], with buffers to reuse from item to item.
pub fn plan_item_with(
    scratch: &mut Scratch,
    item: &ItemSupply,
    today: Day,
    config: &PlanConfig,
) -> (ItemPlan, Vec<(usize, Finding)>) {
    Replenish::new(scratch, item, today, config).run()
}
