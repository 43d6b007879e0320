//! What a plan is made from, and what is done about it when it is odd.

use std::collections::BTreeSet;

use crate::calendar::Day;
use crate::distribution::DemandPaths;
use crate::finding::{Code, Finding};
pub use crate::plan_sku::config::{BadSetting, PlanConfig};
use crate::plan_sku::standing::Standing;
use crate::policy::lead_time::LeadTime;
use crate::policy::order::Target;
use crate::policy::projection::{Issue, LotLeft, Opening, Shortage};
use crate::policy::terms::{ClosedWindow, Delivered, SupplyTerms, next_open};
use crate::policy::unit::QtyUnit;
use crate::series::Series;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ItemStatus {
    #[default]
    Active,
    Presale,
    /// Sells what is left; nothing is ordered.
    PhaseOut,
    /// As [`ItemStatus::PhaseOut`].
    Discontinued,
}

impl ItemStatus {
    pub fn is_ending(self) -> bool {
        matches!(self, ItemStatus::PhaseOut | ItemStatus::Discontinued)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LocationKind {
    #[default]
    Store,
    Online,
    Dc,
    Backup,
    Maker,
}

/// An item with everything that decides its orders. Quantities are smallest units.
#[derive(Clone, Debug, Default)]
pub struct ItemSupply<'a> {
    pub item_id: String,
    pub unit: QtyUnit,
    /// ISO 4217, of the prices here.
    pub currency: String,
    /// Per base unit.
    pub unit_cost_minor: i64,
    /// Usual selling price per base unit; `None`: cost plus [`PlanConfig::default_margin`].
    pub unit_price_minor: Option<i64>,
    /// Days for sale from receipt.
    pub shelf_life_days: Option<u32>,
    pub status: ItemStatus,
    pub shortage: Shortage,
    pub issue: Issue,
    pub category: String,
    /// Per base unit; `None`: not known, and no container limit counts it.
    pub weight_g: Option<i64>,
    pub volume_ml: Option<i64>,
    pub returns: Returns,
    /// Most that one line may order, smallest units; `None`: no cap of its own. A gate holds what
    /// is over it, planning does not look at it.
    pub max_order_qty: Option<i64>,
    /// `None`: the job's.
    pub target: Option<Target>,
    pub locations: Vec<LocationSupply<'a>>,
}

/// What comes back from shoppers and can be sold again.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Returns {
    /// Share of what is sold that comes back, 0..1.
    pub share: f64,
    /// Share of that which can be sold again, 0..=1.
    pub resaleable: f64,
    /// From the sale until it is for sale again.
    pub delay_days: u32,
}

/// What takes longer to come back does not count.
const MAX_RETURN_DAYS: u32 = 400;

impl Returns {
    /// Share of what is sold that can be sold once more.
    pub fn inflow(self) -> f64 {
        let share = self.share * self.resaleable;
        if share > 0.0 && self.delay_days <= MAX_RETURN_DAYS { share.min(1.0) } else { 0.0 }
    }
}

#[derive(Clone, Debug, Default)]
pub struct LocationSupply<'a> {
    pub location_id: String,
    pub kind: LocationKind,
    /// `None` where nothing is sold. All locations of an item must have as many paths.
    pub demand: Option<DemandPaths>,
    /// What the forecast was made from, for the gates.
    pub history: Option<Series<'a>>,
    /// Mean forecast of a day without what events and promotions bring, smallest units; for the
    /// gates. `None` where the caller has not taken them out.
    pub plain_daily: Option<f64>,
    /// Whether the forecast comes from neighbouring items; for the gates.
    pub by_neighbours: bool,
    pub on_hand: i64,
    pub reserved: i64,
    pub backordered: i64,
    /// Parts of `on_hand`.
    pub lots: Vec<Lot>,
    pub open_orders: Vec<OpenOrder>,
    pub terms: Vec<SupplyTerms>,
    /// `None`: unlimited.
    pub capacity_qty: Option<i64>,
    /// What must stand on the shelf whatever the demand.
    pub presentation_min_qty: i64,
    /// What a centre keeps back when others ask.
    pub reserve_qty: i64,
    /// Stock here of the item that this one supersedes: it sells first, to the same demand.
    pub predecessor_qty: i64,
    /// Days on which nothing is received here.
    pub closed: Vec<ClosedWindow>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lot {
    pub qty: i64,
    /// Last day on which it may be sold.
    pub expires_on: Day,
}

/// A purchase order line, or transfer, that is on its way.
#[derive(Clone, Debug)]
pub struct OpenOrder {
    /// `po_id` and `line_no`: the same twice is the same order.
    pub po_id: String,
    pub line_no: String,
    /// Still to come.
    pub qty: i64,
    pub ordered_on: Option<Day>,
    pub expected_on: Option<Day>,
    /// Of its supplier, for orders that are past their date or have none.
    pub lead_time: LeadTime,
    pub supplier_id: String,
    /// Per base unit; `None`: the item's.
    pub unit_cost_minor: Option<i64>,
    /// How much of what is still to come will come.
    pub delivered: Delivered,
}

impl Default for OpenOrder {
    /// Nothing, from nobody, there at once.
    fn default() -> OpenOrder {
        OpenOrder {
            po_id: String::new(),
            line_no: String::new(),
            qty: 0,
            ordered_on: None,
            expected_on: None,
            lead_time: LeadTime::fixed(0),
            supplier_id: String::new(),
            unit_cost_minor: None,
            delivered: Delivered::default(),
        }
    }
}

/// When goods that are on their way are there, in days from today.
#[derive(Clone, Debug)]
pub(super) enum Arrival {
    On(u32),
    /// At least one day.
    After(LeadTime),
}

impl Arrival {
    pub(super) fn median(&self) -> u32 {
        match self {
            Arrival::On(day) => *day,
            Arrival::After(lead_time) => lead_time.quantile(0.5),
        }
    }
}

/// A location's facts with the oddities taken out.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub on_hand: i64,
    pub reserved: i64,
    pub backordered: i64,
    pub opening: Opening,
    pub incoming: Vec<(i64, Arrival)>,
    /// How much of each of them comes.
    pub delivered: Vec<Delivered>,
    /// Units sold here so many days before today as goods take to come back, oldest first: those
    /// of day 0 come back today.
    pub past_sales: Vec<f64>,
    /// Of each entry of `incoming`, the open order it is of, as an index into the location's.
    pub orders: Vec<usize>,
    pub standing: Standing,
    /// Usable terms, the usual source first.
    pub terms: Vec<SupplyTerms>,
    /// Tonight's lines to here.
    pub planned: Vec<Planned>,
}

/// A line of tonight on its way: arrival in days from today.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    pub qty: i64,
    pub median: u32,
    /// Per path, where the lead time is random.
    pub days: Option<Vec<f64>>,
}

/// Reads a location's facts, keeping what can be used and reporting what cannot.
pub(super) fn check(item: &ItemSupply, at: usize, today: Day) -> (Node, Vec<Finding>) {
    let location = &item.locations[at];
    let mut found = Vec::new();
    let mut whole = |qty: i64, name: &str| {
        if qty < 0 {
            found.push(Finding::new(Code::BadStock, format!("{name} is {qty}; 0 is used")));
        }
        qty.max(0)
    };
    let on_hand = whole(location.on_hand, "on_hand");
    let reserved = whole(location.reserved, "reserved");
    let backordered = whole(location.backordered, "backordered");
    let standing = Standing {
        presentation: whole(location.presentation_min_qty, "presentation_min_qty"),
        reserve: whole(location.reserve_qty, "reserve_qty"),
        predecessor: whole(location.predecessor_qty, "predecessor_qty"),
    };
    let (usable, lots) = usable_lots(item, location, on_hand, today, &mut found);
    let net = usable.saturating_sub(reserved).saturating_sub(backordered);
    if net < 0 {
        let detail = format!(
            "{} on hand, {} reserved, {} back-ordered",
            item.unit.show(usable),
            item.unit.show(reserved),
            item.unit.show(backordered)
        );
        found.push(Finding::new(Code::NegativeStock, detail));
    }
    let (incoming, orders) = incoming(item, location, today, &mut found);
    if item.status.is_ending() && !incoming.is_empty() {
        let qty: i64 = incoming.iter().map(|(qty, _)| qty).sum();
        let detail = format!("{} are still on order", item.unit.show(qty));
        found.push(Finding::new(Code::OpenOrderDiscontinued, detail));
    }
    let terms = usable_terms(item, at, &mut found);
    let in_lots: i64 = lots.iter().map(|lot| lot.qty).sum();
    let shelf_life_days =
        terms.first().and_then(|terms| terms.shelf_life_days).or(item.shelf_life_days);
    let issue = item.issue;
    let opening = Opening { net, lots, unlotted: usable - in_lots, shelf_life_days, issue };
    let node = Node {
        on_hand: usable,
        reserved,
        backordered,
        opening,
        delivered: orders.iter().map(|&index| location.open_orders[index].delivered).collect(),
        past_sales: past_sales(item, location, today),
        incoming,
        orders,
        standing,
        terms,
        planned: Vec::new(),
    };
    (node, found)
}

/// What of `on_hand` may still be sold, and its lots, soonest first.
fn usable_lots(
    item: &ItemSupply,
    location: &LocationSupply,
    on_hand: i64,
    today: Day,
    found: &mut Vec<Finding>,
) -> (i64, Vec<LotLeft>) {
    let mut lots: Vec<LotLeft> = location
        .lots
        .iter()
        .filter(|lot| lot.qty > 0)
        .map(|lot| LotLeft { qty: lot.qty, last_day: lot.expires_on - today })
        .collect();
    lots.sort_by_key(|lot| (lot.last_day, lot.qty));
    if lots.len() < location.lots.len() {
        found.push(Finding::new(Code::BadStock, "a lot without a quantity is left out"));
    }
    let in_lots = lots.iter().fold(0i64, |sum, lot| sum.saturating_add(lot.qty));
    if in_lots > on_hand {
        let detail = format!(
            "lots hold {}, more than the {} on hand; the soonest to expire are left out",
            item.unit.show(in_lots),
            item.unit.show(on_hand)
        );
        found.push(Finding::new(Code::BadStock, detail));
        let mut over = in_lots - on_hand;
        for lot in &mut lots {
            let taken = lot.qty.min(over);
            lot.qty -= taken;
            over -= taken;
        }
    }
    let expired: i64 = lots.iter().filter(|lot| lot.last_day < 0).map(|lot| lot.qty).sum();
    if expired > 0 {
        let detail = format!("{} on hand have expired and do not count", item.unit.show(expired));
        found.push(Finding::new(Code::ExpiringStock, detail));
    }
    lots.retain(|lot| lot.last_day >= 0 && lot.qty > 0);
    (on_hand - expired, lots)
}

fn past_sales(item: &ItemSupply, location: &LocationSupply, today: Day) -> Vec<f64> {
    let Some(history) = location.history.filter(|_| item.returns.inflow() > 0.0) else {
        return Vec::new();
    };
    (today - item.returns.delay_days.min(MAX_RETURN_DAYS) as i32)
        .until(today)
        .map(|day| {
            let at = usize::try_from(day - history.start).ok();
            let sold = at.and_then(|at| history.sold.get(at)).copied().unwrap_or(0.0);
            if sold > 0.0 { sold.round() } else { 0.0 }
        })
        .collect()
}

fn incoming(
    item: &ItemSupply,
    location: &LocationSupply,
    today: Day,
    found: &mut Vec<Finding>,
) -> (Vec<(i64, Arrival)>, Vec<usize>) {
    let mut seen = BTreeSet::new();
    let received_on = |days: u32| (next_open(&location.closed, today + days as i32) - today) as u32;
    let (mut incoming, mut orders) = (Vec::new(), Vec::new());
    for (index, order) in location.open_orders.iter().enumerate() {
        let name = || format!("order {} line {}", order.po_id, order.line_no);
        if order.qty <= 0 {
            let detail = format!("{} is open over {}; it is left out", name(), order.qty);
            found.push(Finding::new(Code::BadStock, detail));
            continue;
        }
        if !seen.insert((&order.po_id, &order.line_no)) {
            found.push(Finding::new(Code::OrderDuplicate, name()));
            continue;
        }
        orders.push(index);
        if let Some(day) = order.expected_on.filter(|&day| day >= today) {
            incoming.push((order.qty, Arrival::On(received_on((day - today) as u32))));
            continue;
        }
        let age = order.ordered_on.map_or(0, |day| (today - day).max(0)) as u32;
        let mut arrival = order.lead_time.remaining(age);
        if !location.closed.is_empty() {
            arrival = arrival.moved(received_on);
        }
        if let Some(day) = order.expected_on {
            let detail = format!(
                "{} of {} was due on {day}; at {age} days of age half of such orders take at \
                 least {} days more",
                name(),
                item.unit.show(order.qty),
                arrival.quantile(0.5)
            );
            found.push(Finding::new(Code::OrderLate, detail));
        }
        incoming.push((order.qty, Arrival::After(arrival)));
    }
    (incoming, orders)
}

fn usable_terms(item: &ItemSupply, at: usize, found: &mut Vec<Finding>) -> Vec<SupplyTerms> {
    let mut bad = |detail: String| found.push(Finding::new(Code::BadTerms, detail));
    let mut usable: Vec<SupplyTerms> = Vec::new();
    for terms in &item.locations[at].terms {
        if let Some(source) = terms.source
            && (source >= item.locations.len() || source == at)
        {
            bad(format!("source {source} is not another location; the terms are left out"));
            continue;
        }
        let mut terms = terms.clone();
        if terms.review_days == 0 {
            bad("review_days is 0; 1 is used".to_owned());
            terms.review_days = 1;
        }
        if terms.order_weekdays == [false; 7] {
            bad("no weekday takes orders; all are allowed".to_owned());
            terms.order_weekdays = [true; 7];
        }
        if terms.multiple < 1 {
            bad(format!("multiple is {}; 1 is used", terms.multiple));
            terms.multiple = 1;
        }
        if terms.moq < 0 {
            bad(format!("moq is {}; 0 is used", terms.moq));
            terms.moq = 0;
        }
        if let Some(capacity) = terms.capacity_qty.filter(|&qty| qty < 1) {
            bad(format!("capacity is {capacity}; it is left out"));
            terms.capacity_qty = None;
        }
        usable.push(terms);
    }
    usable.sort_by(|a, b| {
        (a.priority, a.kind, &a.supplier_id, a.source).cmp(&(
            b.priority,
            b.kind,
            &b.supplier_id,
            b.source,
        ))
    });
    usable
}
