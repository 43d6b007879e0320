//! The shop's own stock keeping over the history: periodic orders up to a level, random lead times,
//! lots that expire, and shelves that run empty and hide demand.
//!
//! A day runs: receipts → backorders filled → demand → expiry → orders. The planner who orders
//! knows past sales and the calendar, trusts promised lead times, and is not very good.

use super::catalogue::{Item, Role};
use super::demand::{TrueDemand, daily_variance};
use super::places::{LOCATIONS, LocationKind};
use super::random::{Purpose, Random};
use super::shelf::{Lot, NEVER, Shelf};
use super::world::World;

/// Selling hours in a day; availability is reported in whole hours.
const SELLING_HOURS: f64 = 14.0;

/// No shelf shows fewer, in base_uom, however slow the item.
const SHELF_FACING: f64 = 3.0;

/// Share of the online shoppers who wait for an item that has run out.
const WAITING_SHARE: f64 = 0.15;

/// Share of a day's online orders that stand packed in the evening, to leave next morning.
const PACKED_SHARE: f64 = 0.25;

/// One line of `purchase_order`. Days are counted from the first simulated day.
#[derive(Clone, Debug)]
pub struct Order {
    pub location: usize,
    pub supplier: Option<usize>,
    pub source: Option<usize>,
    pub ordered_day: i32,
    pub expected_day: i32,
    pub due_day: i32,
    pub qty: i64,
    pub lots: Vec<Lot>,
}

impl Order {
    pub fn arriving_qty(&self) -> i64 {
        self.lots.iter().map(|lot| lot.qty).sum()
    }
}

/// What went in and out of one location: opening + received − sold − shipped − wasted = closing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    pub opening: i64,
    pub received: i64,
    pub sold: i64,
    pub shipped: i64,
    pub wasted: i64,
    /// Free stock less what is owed to waiting shoppers.
    pub closing: i64,
}

/// The stock counted at one evening.
#[derive(Clone, Debug)]
pub struct Count {
    pub location: usize,
    pub day: i32,
    pub on_hand: i64,
    pub reserved: i64,
    pub backordered: i64,
    /// Only of perishables, and only on the last evening.
    pub lots: Vec<Lot>,
}

/// One selling location's days as its till and its shelf sensor saw them.
#[derive(Clone, Debug, Default)]
pub struct ShopHistory {
    pub sold: Vec<i64>,
    pub available: Vec<f64>,
}

struct Node {
    location: usize,
    /// Into the item's shops; `None` for a distribution centre.
    shop: Option<usize>,
    shelf: Shelf,
    backordered: i64,
    ledger: Ledger,
    /// Prefix sums over the item's demand at or behind this node.
    sold_before: Vec<f64>,
    available_before: Vec<f64>,
    mean_before: Vec<f64>,
}

pub struct ItemHistory {
    pub shops: Vec<ShopHistory>,
    pub received: Vec<Order>,
    pub open: Vec<Order>,
    pub counts: Vec<Count>,
    pub ledgers: Vec<(usize, Ledger)>,
}

struct Simulation<'a> {
    world: &'a World,
    item: &'a Item,
    nodes: Vec<Node>,
    history: ItemHistory,
    random: Random,
}

pub fn simulate(world: &World, item: &Item, demand: &[TrueDemand]) -> ItemHistory {
    let mut simulation = Simulation::new(world, item, demand);
    let begin = simulation.first_day();
    for t in begin..world.days() as i32 {
        if t == begin {
            simulation.open_shelves(t);
        }
        simulation.receive(t);
        simulation.sell(t, demand);
        simulation.expire(t);
        simulation.order(t);
        simulation.count(t);
    }
    for node in &mut simulation.nodes {
        node.ledger.closing = node.shelf.on_hand() - node.backordered;
        simulation.history.ledgers.push((node.location, node.ledger));
    }
    simulation.history
}

impl<'a> Simulation<'a> {
    fn new(world: &'a World, item: &'a Item, demand: &[TrueDemand]) -> Simulation<'a> {
        let node = |location, shop, behind: Vec<&TrueDemand>| {
            let mut mean_before = vec![0.0; world.len() + 1];
            for t in 0..world.len() {
                let mean: f64 = behind.iter().map(|demand| demand.mean[t]).sum();
                mean_before[t + 1] = mean_before[t] + mean;
            }
            Node {
                location,
                shop,
                shelf: Shelf::default(),
                backordered: 0,
                ledger: Ledger::default(),
                sold_before: vec![0.0; world.days() + 1],
                available_before: vec![0.0; world.days() + 1],
                mean_before,
            }
        };
        let mut nodes: Vec<Node> =
            demand.iter().enumerate().map(|(i, d)| node(d.shop, Some(i), vec![d])).collect();
        for dc in item.centres() {
            let behind = demand.iter().filter(|d| LOCATIONS[d.shop].dc == dc).collect();
            nodes.push(node(dc, None, behind));
        }
        let days = world.days();
        let shop = ShopHistory { sold: vec![0; days], available: vec![1.0; days] };
        let history = ItemHistory {
            shops: vec![shop; demand.len()],
            received: Vec::new(),
            open: Vec::new(),
            counts: Vec::new(),
            ledgers: Vec::new(),
        };
        let random = Random::new(world.seed(), Purpose::Inventory, item.index as u64);
        Simulation { world, item, nodes, history, random }
    }

    /// A launch is stocked three days ahead; what is made to order has no stock at all.
    fn first_day(&self) -> i32 {
        match self.item.role {
            Role::Presale => self.world.days() as i32,
            Role::Launching => self.world.days() as i32 - 1,
            _ => self.item.launch_day,
        }
    }

    fn open_shelves(&mut self, t: i32) {
        let launching = self.item.role == Role::Launching;
        for index in 0..self.nodes.len() {
            // A launch that is still ahead waits in the distribution centre.
            if launching && self.nodes[index].shop.is_some() {
                continue;
            }
            let level = self.order_up_to(index, t.max(self.item.launch_day));
            let share = if self.nodes[index].shop.is_some() { 0.9 } else { 0.8 };
            let qty = round_up((level * share) as i64, self.item.inner_pack).max(1);
            let expires = self.item.shelf_life_days.map_or(NEVER, |life| t + life - 1);
            let node = &mut self.nodes[index];
            node.shelf.put(Lot { expires, qty });
            node.ledger.opening = qty;
        }
    }

    fn receive(&mut self, t: i32) {
        let (due, open) = self.history.open.drain(..).partition(|order| order.due_day <= t);
        self.history.open = open;
        let due: Vec<Order> = due;
        for order in due {
            if let Some(node) = self.nodes.iter_mut().find(|n| n.location == order.location) {
                node.ledger.received += order.arriving_qty();
                order.lots.iter().for_each(|&lot| node.shelf.put(lot));
                let owed = node.shelf.take(node.backordered, t);
                node.backordered -= owed.iter().map(|lot| lot.qty).sum::<i64>();
            }
            self.history.received.push(order);
        }
    }

    fn sell(&mut self, t: i32, demand: &[TrueDemand]) {
        let day = t as usize;
        for node in &mut self.nodes {
            let (mut sold_today, mut available_today) = (0, 1.0);
            if let Some(shop) = node.shop {
                let wanted = demand[shop].drawn[day];
                let had = node.shelf.on_hand();
                let served = wanted.min(had);
                node.shelf.take(served, t);
                if t >= self.item.launch_day {
                    available_today = availability(had, wanted, &mut self.random);
                }
                let mut waiting = 0;
                if LOCATIONS[node.location].kind == LocationKind::Online {
                    waiting = self.random.binomial(wanted - served, WAITING_SHARE);
                }
                node.backordered += waiting;
                sold_today = served + waiting;
                self.history.shops[shop].sold[day] = sold_today;
                self.history.shops[shop].available[day] = available_today;
                node.ledger.sold += sold_today;
            }
            node.sold_before[day + 1] = node.sold_before[day] + sold_today as f64;
            node.available_before[day + 1] = node.available_before[day] + available_today;
        }
        self.pass_sales_to_centres(day);
    }

    /// A distribution centre sees what the shops behind it sold.
    fn pass_sales_to_centres(&mut self, day: usize) {
        let (shops, centres) = self.nodes.split_at_mut(self.history.shops.len());
        for centre in centres {
            let behind = shops.iter().filter(|shop| LOCATIONS[shop.location].dc == centre.location);
            let (mut sold, mut available, mut count) = (0.0, 0.0, 0.0);
            for shop in behind {
                sold += shop.sold_before[day + 1] - shop.sold_before[day];
                available += shop.available_before[day + 1] - shop.available_before[day];
                count += 1.0;
            }
            let available: f64 = if count > 0.0 { available / count } else { 1.0 };
            centre.sold_before[day + 1] = centre.sold_before[day] + sold;
            centre.available_before[day + 1] = centre.available_before[day] + available;
        }
    }

    fn expire(&mut self, t: i32) {
        for node in &mut self.nodes {
            node.ledger.wasted += node.shelf.expire(t);
        }
    }

    fn order(&mut self, t: i32) {
        let shops = self.history.shops.len();
        // The first in the queue gets the last case, so the queue turns daily.
        for k in 0..shops {
            let index = (k + t as usize) % shops;
            if self.item.is_direct() {
                self.order_from_supplier(index, t);
            } else {
                self.order_from_centre(index, t);
            }
        }
        for index in shops..self.nodes.len() {
            self.order_from_supplier(index, t);
        }
    }

    fn order_from_centre(&mut self, index: usize, t: i32) {
        let location = &LOCATIONS[self.nodes[index].location];
        if (t + self.item.index as i32) % location.review_days != 0 {
            return;
        }
        let lack = self.order_up_to(index, t + 1) - self.position(index) as f64;
        let Some(centre) = self.nodes.iter().position(|n| n.location == location.dc) else {
            return;
        };
        let pack = self.item.inner_pack;
        let fresh_until = t + location.transfer_days + 1;
        let there = self.nodes[centre].shelf.on_hand_until(fresh_until) / pack * pack;
        let qty = round_up(lack.ceil() as i64, pack).min(there);
        if lack <= 0.0 || qty <= 0 {
            return;
        }
        let lots = self.nodes[centre].shelf.take(qty, fresh_until);
        self.nodes[centre].ledger.shipped += qty;
        let late = i32::from(self.random.chance(0.08));
        self.history.open.push(Order {
            location: self.nodes[index].location,
            supplier: None,
            source: Some(location.dc),
            ordered_day: t,
            expected_day: t + location.transfer_days,
            due_day: t + location.transfer_days + late,
            qty,
            lots,
        });
    }

    fn order_from_supplier(&mut self, index: usize, t: i32) {
        let item = self.item;
        let choice =
            if self.random.chance(0.9) { item.suppliers.first() } else { item.suppliers.last() };
        let Some(&supplier_index) = choice else { return };
        let supplier = &self.world.suppliers[supplier_index];
        let ended = item.phase_out_day.is_some_and(|day| t >= day);
        let not_today = (t + 3 * item.index as i32) % supplier.review_days != 0;
        if ended || not_today {
            return;
        }
        let lack = self.order_up_to(index, t + 1) - self.position(index) as f64;
        if lack <= 0.0 {
            return;
        }
        let qty = round_up((lack.ceil() as i64).max(item.moq), item.case_pack);
        let closures = &self.world.closures[supplier_index];
        let due_day = closures.done(t, supplier.lead_time.draw(&mut self.random));
        let mut arriving = qty;
        if self.random.chance(supplier.short_chance) {
            arriving = ((qty as f64 * self.random.between(0.9, 1.0)) as i64).max(1);
        }
        let expires = item.shelf_life_days.map_or(NEVER, |life| due_day + life - 1);
        self.history.open.push(Order {
            location: self.nodes[index].location,
            supplier: Some(supplier_index),
            source: None,
            ordered_day: t,
            expected_day: closures.done(t, supplier.promised_days),
            due_day,
            qty,
            lots: vec![Lot { expires, qty: arriving }],
        });
    }

    /// On hand + on order − backordered.
    fn position(&self, index: usize) -> i64 {
        let node = &self.nodes[index];
        let coming = self.history.open.iter().filter(|order| order.location == node.location);
        node.shelf.on_hand() - node.backordered + coming.map(|order| order.qty).sum::<i64>()
    }

    /// Expected demand over lead time and review period plus safety stock, as this planner sees it
    /// on the morning of day `t`.
    fn order_up_to(&self, index: usize, t: i32) -> f64 {
        let node = &self.nodes[index];
        let supplier = self.item.suppliers.first().map(|&s| &self.world.suppliers[s]);
        let (lead, review) = match (node.shop, supplier) {
            (Some(_), Some(supplier)) if self.item.is_direct() => {
                (supplier.promised_days, supplier.review_days)
            }
            (None, Some(supplier)) => (supplier.promised_days, supplier.review_days),
            _ => (LOCATIONS[node.location].transfer_days, LOCATIONS[node.location].review_days),
        };
        let closures = supplier.zip(self.item.suppliers.first());
        let cover = match (node.shop, closures) {
            // Everybody orders ahead of the Spring Festival.
            (None, Some((_, &s))) => self.world.closures[s].done(t, lead + review) - t,
            _ => lead + review,
        };
        let rate = self.rate_seen(node, t) * self.season_ahead(node, t, cover);
        let rate = rate * self.item.planner_bias;
        let cover = f64::from(cover);
        let spread = (daily_variance(self.item, rate) * cover).sqrt();
        let level = rate * cover + self.item.safety * spread;
        let shelf_cap = self.item.shelf_life_days.map_or(f64::INFINITY, |life| {
            let fresh_days = if node.shop.is_some() { 0.8 } else { 0.65 } * f64::from(life);
            rate * fresh_days.max(1.5)
        });
        level.min(shelf_cap).max(self.item.scale() * SHELF_FACING)
    }

    /// Daily sales of the last four weeks over the time in stock.
    fn rate_seen(&self, node: &Node, t: i32) -> f64 {
        let to = t.clamp(0, self.world.days() as i32);
        let from = (to - 28).max(self.item.launch_day).max(0);
        if to - from < 14 {
            // Too early for sales to tell: the buyer's guess, right on average.
            return self.mean_between(node, t, t + 14);
        }
        let (from, to) = (from as usize, to as usize);
        let sold = node.sold_before[to] - node.sold_before[from];
        let available = node.available_before[to] - node.available_before[from];
        (sold / available.max(3.0)).max(0.02)
    }

    /// Coming demand over that of the last four weeks, half believed.
    fn season_ahead(&self, node: &Node, t: i32, cover: i32) -> f64 {
        let past = self.mean_between(node, t - 28, t);
        let ahead = self.mean_between(node, t, t + cover);
        if past <= 0.0 || t - self.item.launch_day < 14 {
            return 1.0;
        }
        (ahead / past).clamp(0.4, 4.0).powf(0.85)
    }

    fn mean_between(&self, node: &Node, from: i32, to: i32) -> f64 {
        let len = self.world.len() as i32;
        let from = from.clamp(0, len);
        let to = to.clamp(from, len);
        let sum = node.mean_before[to as usize] - node.mean_before[from as usize];
        sum / f64::from((to - from).max(1))
    }

    fn count(&mut self, t: i32) {
        if !self.world.is_count_day(t) {
            return;
        }
        let last = t + 1 == self.world.days() as i32;
        for node in &self.nodes {
            let online = LOCATIONS[node.location].kind == LocationKind::Online;
            let sold_today = node.shop.map_or(0, |s| self.history.shops[s].sold[t as usize]);
            let reserved = if online { (sold_today as f64 * PACKED_SHARE) as i64 } else { 0 };
            let perishable = self.item.shelf_life_days.is_some();
            self.history.counts.push(Count {
                location: node.location,
                day: t,
                on_hand: node.shelf.on_hand() + reserved,
                reserved,
                backordered: node.backordered,
                lots: if last && perishable { node.shelf.lots().to_vec() } else { Vec::new() },
            });
        }
    }
}

/// Share of the day's hours with stock when `had` units met `wanted`: arrivals are uniform over the
/// day, so the hour of the last sale is that of the `had`-th of `wanted` order statistics.
fn availability(had: i64, wanted: i64, random: &mut Random) -> f64 {
    if had == 0 {
        return 0.0;
    }
    if wanted < had {
        return 1.0;
    }
    let ran_out = random.beta(had as f64, (wanted - had + 1) as f64);
    (ran_out * SELLING_HOURS).floor().min(SELLING_HOURS - 1.0) / SELLING_HOURS
}

fn round_up(qty: i64, multiple: i64) -> i64 {
    let multiple = multiple.max(1);
    (qty.max(0) + multiple - 1) / multiple * multiple
}
