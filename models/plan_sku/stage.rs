//! Demand, receipts and stock of one place, or of a whole echelon, laid out for a decision.

use crate::calendar::Day;
use crate::finding::{Code, Finding};
use crate::plan_sku::input::{Arrival, ItemSupply, Node};
use crate::plan_sku::standing::Standing;
use crate::policy::lead_time::Permutation;
use crate::policy::lookahead::LookaheadScratch;
use crate::policy::order::{Needs, Window, needs};
use crate::policy::projection::{LotLeft, Opening, PathMatrix, Projection};
use crate::policy::returns::thinned;
use crate::policy::terms::{ClosedWindow, Delivered, SupplyTerms};
use crate::policy::walk::{Cell, lasting_needs};

/// Days beyond the forecast that a decision may still look at.
const MAX_DAYS: usize = 400;

/// Of the first receipt; those before belong to the window.
const SALT: u64 = 16;

/// Of draws that have nothing to do with those of lead times.
const RETURN_SALT: u64 = 1 << 40;
const SHARE_SALT: u64 = 1 << 41;

/// Buffers of one planning thread.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    pub(super) demand: PathMatrix,
    pub(super) receipts: PathMatrix,
    /// Demand and receipts of the last decision, where small numbers held them; else empty.
    pub(super) small: (PathMatrix<f32>, PathMatrix<f32>),
    /// Mean of what comes back before the next order arrives.
    pub(super) returned: f64,
    pub(super) window: Window,
    pub(super) needs: Needs,
    pub(super) projection: Projection,
    pub(super) ahead: LookaheadScratch,
    pub(super) ordered: Vec<f64>,
    pub(super) counts: Vec<i64>,
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
    pub standing: Standing,
    /// Quantity, arrival, and the days until it is where it sells.
    pub incoming: Vec<(i64, Arrival, u32)>,
    /// How much of each of them comes.
    pub delivered: Vec<Delivered>,
    /// Of each location in `serves`: [`Node::past_sales`].
    past_sales: Vec<Vec<f64>>,
    /// Days from this place to where its goods sell.
    pub later: u32,
}

impl Stage {
    /// One place alone.
    pub(super) fn of(at: usize, node: &Node) -> Stage {
        let mut opening = node.opening.clone();
        node.standing.sell_first(&mut opening);
        Stage {
            serves: vec![at],
            opening,
            standing: node.standing,
            on_hand: node.on_hand,
            reserved: node.reserved,
            backordered: node.backordered,
            child_stock: 0,
            incoming: node.incoming.iter().map(|(qty, a)| (*qty, a.clone(), 0)).collect(),
            delivered: node.delivered.clone(),
            past_sales: vec![node.past_sales.clone()],
            later: 0,
        }
    }

    /// Adds the stock of a place behind this one, and what is on its way there.
    pub(super) fn add(&mut self, node: &Node, later: u32) {
        self.child_stock = self.child_stock.saturating_add(node.opening.net);
        self.opening.net = self.opening.net.saturating_add(node.opening.net);
        self.opening.unlotted = self.opening.unlotted.saturating_add(node.opening.unlotted);
        node.standing.sell_first(&mut self.opening);
        self.standing.add(node.standing);
        self.opening.lots.extend(node.opening.lots.iter().copied());
        self.opening.lots.sort_by_key(|lot: &LotLeft| (lot.last_day, lot.qty));
        self.incoming.extend(node.incoming.iter().map(|(qty, a)| (*qty, a.clone(), later)));
        self.delivered.extend(&node.delivered);
    }

    /// Adds a place behind this one to those whose demand it serves.
    pub(super) fn serve(&mut self, at: usize, node: &Node) {
        self.serves.push(at);
        self.past_sales.push(node.past_sales.clone());
    }

    /// The place itself.
    pub(super) fn at(&self) -> usize {
        self.serves[0]
    }

    pub(super) fn on_order(&self) -> i64 {
        self.incoming.iter().map(|(qty, ..)| qty).sum()
    }

    /// Loads the demand it serves, path by path, and what is on its way to it, over the days that
    /// are forecast: for projections. A decision loads what it looks at itself.
    pub(super) fn load(&self, scratch: &mut Scratch, item: &ItemSupply, shape: Shape) {
        self.load_demand(&mut scratch.demand, item, shape, shape.days);
        self.load_receipts(scratch, item, shape);
    }

    /// What is on its way and what will come back, over the paths and days of the demand that is
    /// loaded.
    pub(super) fn load_receipts(&self, scratch: &mut Scratch, item: &ItemSupply, shape: Shape) {
        let (paths, days) = (scratch.demand.paths, scratch.demand.days);
        self.fill_receipts(&mut scratch.receipts, paths, days);
        self.add_returns(&mut scratch.receipts, item, shape, &[]);
    }

    /// Projects the stock over the window of `scratch` and records what each path lacks.
    pub(super) fn find_needs(
        &self,
        scratch: &mut Scratch,
        item: &ItemSupply,
        shape: Shape,
        opening: &Opening,
        found: &mut Vec<Finding>,
    ) {
        let days = scratch.window.last_day(MAX_DAYS);
        if days > shape.days {
            report_short_horizon(scratch, shape.days, found);
        }
        let Scratch { demand, receipts, small, window, needs: lack, .. } = scratch;
        let paths = shape.paths;
        if opening.perishes() || self.largest_sum(shape, days) >= <f32 as Cell>::EXACT {
            small.0.resize(0, 0);
            self.load_demand(demand, item, shape, days);
            self.fill_receipts(receipts, paths, days);
            scratch.returned = self.add_returns(receipts, item, shape, &window.until);
            needs(demand, receipts, opening, window, item.shortage, lack);
        } else {
            self.load_demand(&mut small.0, item, shape, days);
            self.fill_receipts(&mut small.1, paths, days);
            scratch.returned = self.add_returns(&mut small.1, item, shape, &window.until);
            lasting_needs(&small.0, &small.1, opening, window, item.shortage, lack);
        }
    }

    /// Lays out what an order looks at that looks beyond the next one: all days of the forecast.
    pub(super) fn load_ahead(&self, scratch: &mut Scratch, item: &ItemSupply, shape: Shape) {
        let days = scratch.window.last_day(MAX_DAYS).max(shape.days);
        self.load_demand(&mut scratch.demand, item, shape, days);
        self.load_receipts(scratch, item, shape);
    }

    /// More than any sum over a path of `days` days can come to.
    fn largest_sum(&self, shape: Shape, days: usize) -> f64 {
        // Twice, as all of it may come back.
        let asked = f64::from(shape.largest) * (2 * days * self.serves.len()) as f64;
        let here = (self.opening.net as f64).abs();
        asked + here + self.incoming.iter().map(|(qty, ..)| *qty as f64).sum::<f64>()
    }

    /// Demand of the places it serves; past the forecast its last week goes on.
    fn load_demand<T: Cell>(
        &self,
        demand: &mut PathMatrix<T>,
        item: &ItemSupply,
        shape: Shape,
        days: usize,
    ) {
        let known = days.min(shape.days);
        let mut places = self
            .serves
            .iter()
            .filter_map(|&at| item.locations[at].demand.as_ref().filter(|d| shape.fits(d)));
        match places.next() {
            Some(first) => demand.set_demand(first, known),
            None => demand.reset(shape.paths, known, T::ZERO),
        }
        places.for_each(|place| demand.add_demand(place));
        if days > known {
            demand.resize(shape.paths, days);
            demand.repeat_last_week(known);
        }
    }

    fn fill_receipts<T: Cell>(&self, receipts: &mut PathMatrix<T>, paths: usize, days: usize) {
        receipts.reset(paths, days, T::ZERO);
        for (index, (qty, arrival, later)) in self.incoming.iter().enumerate() {
            // The salt decorrelates its day from the others'.
            let delivered = self.delivered.get(index).copied().unwrap_or_default();
            add_receipt(receipts, (*qty, delivered), arrival, *later, SALT + index as u64);
        }
    }

    /// Adds what shoppers bring back, from sales of the past and from each path's own demand.
    /// Returns its mean over the paths before `until`, all of it where that is empty.
    fn add_returns<T: Cell>(
        &self,
        receipts: &mut PathMatrix<T>,
        item: &ItemSupply,
        shape: Shape,
        until: &[f64],
    ) -> f64 {
        let (share, delay) = (item.returns.inflow(), item.returns.delay_days as usize);
        if share <= 0.0 {
            return 0.0;
        }
        let (paths, mut total) = (receipts.paths, 0.0);
        for (&at, past) in self.serves.iter().zip(&self.past_sales) {
            let demand = item.locations[at].demand.as_ref().filter(|d| shape.fits(d));
            for day in 0..receipts.days {
                // Past the forecast its last week goes on.
                let sold_on =
                    day.checked_sub(delay).map(|sold| match sold.checked_sub(shape.days) {
                        Some(over) => shape.days - shape.days.min(7) + over % shape.days.min(7),
                        None => sold,
                    });
                let order = Permutation::new(paths, RETURN_SALT + ((at * MAX_DAYS + day) as u64));
                for (path, received) in receipts.row_mut(day).iter_mut().enumerate() {
                    let sold = match (sold_on, demand) {
                        (Some(sold_on), Some(demand)) => f64::whole(demand.path(path)[sold_on]),
                        (Some(_), None) => 0.0,
                        (None, _) => past.get(day).copied().unwrap_or(0.0),
                    };
                    let stratum = (order.of(path) as f64 + 0.5) / paths as f64;
                    let back = thinned(sold, share, stratum);
                    *received += T::of(back);
                    if until.get(path).is_none_or(|&until| (day as f64) < until) {
                        total += back;
                    }
                }
            }
        }
        total / paths.max(1) as f64
    }
}

fn report_short_horizon(scratch: &mut Scratch, known: usize, found: &mut Vec<Finding>) {
    scratch.ordered.clear();
    scratch.ordered.extend_from_slice(&scratch.window.until);
    let middle = scratch.ordered.len() / 2;
    let median = *scratch.ordered.select_nth_unstable_by(middle, f64::total_cmp).1;
    if median as usize > known {
        let detail = format!("the next order arrives after {median} days, forecast are {known}");
        found.push(Finding::new(Code::HorizonShort, detail));
    }
}

/// The paths and days that all demand of an item shares.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Shape {
    pub paths: usize,
    pub days: usize,
    /// Of one place on one day of one path.
    pub largest: f32,
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
                (shape.paths, shape.days) = (demand.paths, demand.horizon);
            } else if demand.paths != shape.paths {
                let detail = format!(
                    "{} paths where the item has {}; the demand is left out",
                    demand.paths, shape.paths
                );
                findings.push((at, Finding::new(Code::BadDemandPaths, detail)));
            } else {
                shape.days = shape.days.min(demand.horizon);
            }
            let (odd, largest) = survey(&demand.values);
            shape.largest = shape.largest.max(largest);
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

/// Per path, the day on which entry `index` of a place's incoming goods is there; as
/// [`Stage::load_receipts`] has it.
pub(super) fn receipt_days(paths: usize, arrival: &Arrival, later: u32, index: usize) -> Vec<f64> {
    match arrival {
        Arrival::On(day) => vec![f64::from(day + later); paths],
        Arrival::After(lead_time) => (0..paths)
            .map(|path| f64::from(lead_time.sample(path, paths, SALT + index as u64) + later))
            .collect(),
    }
}

fn add_receipt<T: Cell>(
    receipts: &mut PathMatrix<T>,
    (qty, delivered): (i64, Delivered),
    arrival: &Arrival,
    later: u32,
    salt: u64,
) {
    let (paths, days) = (receipts.paths, receipts.days);
    if !delivered.is_certain() {
        let mut there = Vec::with_capacity(paths);
        match arrival {
            Arrival::On(day) => there.resize(paths, *day),
            Arrival::After(lead_time) => {
                lead_time.sample_each(paths, salt, |_, day| there.push(day))
            }
        }
        delivered.sample_each(paths, SHARE_SALT + salt, |path, share| {
            let day = (there[path] + later) as usize;
            if day < days {
                receipts.row_mut(day)[path] += T::of((qty as f64 * share).round());
            }
        });
        return;
    }
    match arrival {
        Arrival::On(day) => receipts.add_on((day + later) as usize, qty as f64),
        Arrival::After(lead_time) => lead_time.sample_each(paths, salt, |path, day| {
            let day = (day + later) as usize;
            if day < days {
                receipts.row_mut(day)[path] += T::of(qty as f64);
            }
        }),
    }
}

/// How many values are no demand, and the largest of those that are.
#[allow(clippy::manual_range_contains, reason = "without branches it becomes vector code")]
fn survey(values: &[f32]) -> (usize, f32) {
    let survey = |part: &[f32]| {
        part.iter().fold((0u32, 0.0f32), |(odd, largest), &value| {
            let good = value.is_finite() & (value >= 0.0);
            let known = if good { value } else { 0.0 };
            (odd + u32::from(!good), if known > largest { known } else { largest })
        })
    };
    values.chunks(1 << 16).map(survey).fold((0, 0.0), |(odd, largest), (more, other)| {
        (odd + more as usize, f32::max(largest, other))
    })
}

/// When tonight's order of `terms` leaves and when the one after it, which `next` delivers, does.
pub(super) fn order_days(
    terms: &SupplyTerms,
    next: Option<&SupplyTerms>,
    today: Day,
) -> (Day, Day) {
    let order_on = terms.order_on(today);
    match next {
        // A standby bridges the time until the usual source delivers what it can send off next.
        Some(usual) => (order_on, usual.order_on(today)),
        None => (order_on, terms.next_order_day(order_on + terms.review_days as i32)),
    }
}

/// Fills the window between an order of `terms` that leaves as soon as it can and the one after it,
/// which `next` delivers; nothing is received on the days of `receiving`. Returns the day on which
/// the order leaves.
pub(super) fn set_window(
    window: &mut Window,
    paths: usize,
    terms: &SupplyTerms,
    next: Option<&SupplyTerms>,
    today: Day,
    (receiving, later): (&[ClosedWindow], u32),
) -> Day {
    let (order_on, next_on) = order_days(terms, next, today);
    let later = later as i32;
    let fill = |days: &mut Vec<f64>, terms: &SupplyTerms, leaves_on: Day, salt: u64| {
        let longest = terms.lead_time.longest();
        let arrival =
            |days| f64::from(terms.arrival_at(receiving, leaves_on, days) - today + later);
        let by_lead_time: Vec<f64> = (0..=longest).map(arrival).collect();
        days.clear();
        terms.lead_time.sample_each(paths, salt, |_, lead| days.push(by_lead_time[lead as usize]));
    };
    fill(&mut window.arrive, terms, order_on, 0);
    fill(&mut window.until, next.unwrap_or(terms), next_on, 1);
    order_on
}

/// Per path, the share of an order of these terms that comes; empty where all of it always does.
pub(super) fn set_shares(shares: &mut Vec<f64>, paths: usize, terms: &SupplyTerms) {
    shares.clear();
    if !terms.delivered.is_certain() {
        terms.delivered.sample_each(paths, SHARE_SALT, |_, share| shares.push(share));
    }
}
