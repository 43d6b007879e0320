//! Demand, receipts and stock of one place, or of a whole echelon, laid out for a decision.

use crate::calendar::Day;
use crate::finding::{Code, Finding};
use crate::plan_sku::input::{Arrival, ItemSupply, Node};
use crate::policy::lookahead::LookaheadScratch;
use crate::policy::order::{Needs, Window};
use crate::policy::projection::{LotLeft, Opening, PathMatrix, Projection};
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
    pub(super) ahead: LookaheadScratch,
    pub(super) ordered: Vec<f64>,
    pub(super) counts: Vec<i64>,
    days: Vec<f64>,
}

/// One place with all that it supplies: what an order for it has to look at.
#[derive(Clone, Debug, Default)]
pub(super) struct Stage {
    /// Locations whose demand it serves, itself included.
    pub serves: Vec<usize>,
    /// Of the whole echelon.
    pub opening: Opening,
    pub on_hand: i64,
    pub reserved: i64,
    pub backordered: i64,
    /// Stock of the locations behind it, less what is promised there.
    pub child_stock: i64,
    /// Quantity, arrival, and the days until it is where it sells.
    pub incoming: Vec<(i64, Arrival, u32)>,
    /// Days from this place to where its goods sell.
    pub later: u32,
}

impl Stage {
    /// One place alone.
    pub(super) fn of(at: usize, node: &Node) -> Stage {
        Stage {
            serves: vec![at],
            opening: node.opening.clone(),
            on_hand: node.on_hand,
            reserved: node.reserved,
            backordered: node.backordered,
            child_stock: 0,
            incoming: node.incoming.iter().map(|(qty, a)| (*qty, a.clone(), 0)).collect(),
            later: 0,
        }
    }

    /// Adds the stock of a place behind this one, and what is on its way there.
    pub(super) fn add(&mut self, node: &Node, later: u32) {
        self.child_stock = self.child_stock.saturating_add(node.opening.net);
        self.opening.net = self.opening.net.saturating_add(node.opening.net);
        self.opening.unlotted = self.opening.unlotted.saturating_add(node.opening.unlotted);
        self.opening.lots.extend(node.opening.lots.iter().copied());
        self.opening.lots.sort_by_key(|lot: &LotLeft| (lot.last_day, lot.qty));
        self.incoming.extend(node.incoming.iter().map(|(qty, a)| (*qty, a.clone(), later)));
    }

    pub(super) fn on_order(&self) -> i64 {
        self.incoming.iter().map(|(qty, ..)| qty).sum()
    }

    /// Loads the demand it serves, path by path, and what is on its way to it.
    pub(super) fn load(&self, scratch: &mut Scratch, item: &ItemSupply, shape: Shape) {
        scratch.demand.reset(shape.paths, shape.days, 0.0);
        for &at in &self.serves {
            if let Some(demand) = item.locations[at].demand.as_ref().filter(|d| shape.fits(d)) {
                scratch.demand.add_demand(demand);
            }
        }
        self.load_receipts(scratch);
    }

    pub(super) fn load_receipts(&self, scratch: &mut Scratch) {
        let (paths, days) = (scratch.demand.paths, scratch.demand.days);
        scratch.receipts.reset(paths, days, 0.0);
        for (index, (qty, arrival, later)) in self.incoming.iter().enumerate() {
            add_receipt(scratch, *qty, arrival, *later, 16 + index as u64);
        }
    }

    /// Repeats the forecast's last week until the window ends, and reloads the receipts.
    pub(super) fn lengthen(&self, scratch: &mut Scratch, found: &mut Vec<Finding>) {
        let known = scratch.demand.days;
        let needed = scratch.window.last_day(MAX_DAYS);
        if needed <= known || known == 0 {
            return;
        }
        scratch.ordered.clear();
        scratch.ordered.extend_from_slice(&scratch.window.until);
        let middle = scratch.ordered.len() / 2;
        let median = *scratch.ordered.select_nth_unstable_by(middle, f64::total_cmp).1;
        if median as usize > known {
            let detail =
                format!("the next order arrives after {median} days, forecast are {known}");
            found.push(Finding::new(Code::HorizonShort, detail));
        }
        let paths = scratch.demand.paths;
        scratch.demand.days = needed;
        scratch.demand.values.resize(paths * needed, 0.0);
        scratch.demand.repeat_last_week(known);
        self.load_receipts(scratch);
    }
}

/// The paths and days that all demand of an item shares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    pub paths: usize,
    pub days: usize,
}

impl Shape {
    /// Paths as the first location with demand has them, days as the shortest forecast; a finding
    /// for each that does not fit and for each with values that are no demand.
    pub(super) fn of(item: &ItemSupply, findings: &mut Vec<(usize, Finding)>) -> Shape {
        let mut shape = Shape::default();
        for (at, location) in item.locations.iter().enumerate() {
            let Some(demand) = &location.demand else { continue };
            let whole = demand.values.len() == demand.paths * demand.horizon;
            if !whole || demand.paths == 0 || demand.horizon == 0 {
                let detail = format!(
                    "{} paths of {} days with {} values; the demand is left out",
                    demand.paths,
                    demand.horizon,
                    demand.values.len()
                );
                findings.push((at, Finding::new(Code::BadDemandPaths, detail)));
            } else if shape.paths == 0 {
                shape = Shape { paths: demand.paths, days: demand.horizon };
            } else if demand.paths != shape.paths {
                let detail = format!(
                    "{} paths where the item has {}; the demand is left out",
                    demand.paths, shape.paths
                );
                findings.push((at, Finding::new(Code::BadDemandPaths, detail)));
            } else {
                shape.days = shape.days.min(demand.horizon);
            }
            let odd = demand.values.iter().filter(|v| !(v.is_finite() && **v >= 0.0)).count();
            if odd > 0 {
                let detail = format!("{odd} values of the paths are no demand; 0 is used");
                findings.push((at, Finding::new(Code::BadDemandPaths, detail)));
            }
        }
        shape
    }

    pub(super) fn fits(&self, demand: &crate::distribution::DemandPaths) -> bool {
        demand.paths == self.paths
            && demand.horizon >= self.days
            && demand.values.len() == demand.paths * demand.horizon
    }
}

/// Adds one receipt; `salt` decorrelates its day from the others'.
fn add_receipt(scratch: &mut Scratch, qty: i64, arrival: &Arrival, later: u32, salt: u64) {
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

/// Fills the window between an order of `terms` that leaves today, or on its first open day, and
/// the one after it, which `next` delivers. Returns the day on which the order leaves.
pub(super) fn set_window(
    window: &mut Window,
    paths: usize,
    terms: &SupplyTerms,
    next: Option<&SupplyTerms>,
    today: Day,
    later: u32,
) -> Day {
    let order_on = terms.next_open(today);
    // A standby bridges the time until the usual source delivers what it can send off next.
    let (after, next_on) = match next {
        Some(usual) => (usual, usual.next_open(today)),
        None => (terms, terms.next_open(order_on + terms.review_days as i32)),
    };
    let later = later as i32;
    let fill = |days: &mut Vec<f64>, terms: &SupplyTerms, leaves_on: Day, salt: u64| {
        days.clear();
        days.extend((0..paths).map(|path| {
            let lead_time_days = terms.lead_time.sample(path, paths, salt);
            f64::from(terms.arrival(leaves_on, lead_time_days) - today + later)
        }));
    };
    fill(&mut window.arrive, terms, order_on, 0);
    fill(&mut window.until, after, next_on, 1);
    order_on
}
