//! What shoppers do before they buy: daily counts per item in the online shop, and the log of
//! single shoppers from which look-alikes are found.

use super::catalogue::{Item, Role};
use super::demand::{TrueDemand, launch_factor};
use super::inventory::ShopHistory;
use super::places::{LOCATIONS, ONLINE};
use super::random::{Purpose, Random};
use super::world::World;

/// Days of behaviour that the upstream keeps.
pub const BEHAVIOUR_DAYS: i32 = 56;
const LOG_DAYS: i32 = 45;

/// Days before its launch on which an item's page is already up.
const PREVIEW_DAYS: i32 = 12;

#[derive(Clone, Copy, Debug)]
pub struct DayCounts {
    pub day: i32,
    pub views: i64,
    pub visitors: i64,
    pub carts: i64,
    pub favourites: i64,
    pub orders: i64,
}

/// First day on which the item's page can be seen.
fn visible_from(world: &World, item: &Item) -> i32 {
    let today = world.days() as i32;
    match item.role {
        Role::Presale => today - 14,
        Role::Launching => (item.launch_day - PREVIEW_DAYS).min(today - 3),
        _ if item.launch_day > 0 => item.launch_day - 3,
        _ => 0,
    }
}

fn settled_rate(item: &Item) -> Option<f64> {
    let (_, taste) = item.shops.iter().find(|(shop, _)| *shop == ONLINE)?;
    Some((item.log_rate + LOCATIONS[ONLINE].trade.ln() + taste).exp())
}

/// Behaviour in the online shop; empty for what is not sold there.
pub fn daily_counts(
    world: &World,
    item: &Item,
    demand: &[TrueDemand],
    history: &[ShopHistory],
) -> Vec<DayCounts> {
    let Some(rate) = settled_rate(item) else { return Vec::new() };
    let Some(shop) = demand.iter().position(|demand| demand.shop == ONLINE) else {
        return Vec::new();
    };
    let mut random = Random::new(world.seed(), Purpose::Behaviour, item.index as u64);
    let visitors_per_sale = random.log_normal(18f64.ln(), 0.2);
    let today = world.days() as i32;
    let from = visible_from(world, item).max(today - BEHAVIOUR_DAYS).max(0);
    (from..today)
        .filter_map(|day| {
            // Before the launch the page draws people as it will on the first day, fewer at first.
            let interest = if day < item.launch_day {
                let nearness = 1.0 - f64::from(item.launch_day - day) / 40.0;
                rate * launch_factor(item, 0) * nearness.max(0.2)
            } else {
                demand[shop].mean[day as usize]
            };
            let orders = history.get(shop).map_or(0, |history| history.sold[day as usize]);
            let visitors = random.negative_binomial(interest * visitors_per_sale, 0.05).max(orders);
            let views = visitors + random.poisson(0.45 * visitors as f64);
            let carts = orders + random.poisson(0.1 * visitors as f64);
            let favourites = random.poisson(0.05 * visitors as f64);
            (views > 0).then_some(DayCounts { day, views, visitors, carts, favourites, orders })
        })
        .collect()
}

#[derive(Clone, Debug)]
pub struct ShopperEvent {
    pub item: usize,
    pub event: &'static str,
    /// Day of the shop's calendar (UTC+8) and second of that day.
    pub day: i32,
    pub second: i64,
}

/// Item, first visible day, and how strongly it draws the eye.
type OnShelf = (usize, i32, f64);

/// The online assortment arranged by family, for shoppers to wander in.
pub struct Shelves {
    /// Per category and family.
    families: Vec<Vec<OnShelf>>,
    pull: Vec<f64>,
}

impl Shelves {
    pub fn new(world: &World) -> Shelves {
        let mut keyed: Vec<((usize, usize), OnShelf)> = Vec::new();
        for item in &world.items {
            if let Some(rate) = settled_rate(item) {
                let novelty = if matches!(item.role, Role::New | Role::Launching | Role::Presale) {
                    2.5
                } else {
                    1.0
                };
                let entry = (item.index, visible_from(world, item), novelty * rate.sqrt());
                keyed.push(((item.category, item.family), entry));
            }
        }
        keyed.sort_by_key(|(family, (item, ..))| (*family, *item));
        let families: Vec<Vec<_>> = keyed
            .chunk_by(|(a, _), (b, _)| a == b)
            .map(|chunk| chunk.iter().map(|(_, entry)| *entry).collect())
            .collect();
        let pull = families.iter().map(|f| f.iter().map(|(_, _, pull)| pull).sum()).collect();
        Shelves { families, pull }
    }

    pub fn shoppers(&self, items: usize) -> u64 {
        if self.families.is_empty() { 0 } else { (items as u64 * 6).clamp(600, 10_000) }
    }

    /// One shopper's weeks: a few visits, each to one family of goods with a glance elsewhere.
    pub fn shopper(&self, world: &World, shopper: u64) -> (String, Vec<ShopperEvent>) {
        let mut random = Random::new(world.seed(), Purpose::Shoppers, shopper);
        let hash = format!("{:032x}", random.next_u64());
        let mut events = Vec::new();
        let favourite = weighted(&self.pull, &mut random);
        for visit in 0..1 + random.poisson(1.2) {
            let family = if visit == 0 || random.chance(0.6) {
                favourite
            } else {
                weighted(&self.pull, &mut random)
            };
            self.visit(world, family, &mut random, &mut events);
        }
        events.sort_by_key(|event| (event.day, event.second, event.item, event.event));
        events.dedup_by_key(|event| (event.day, event.second, event.item, event.event));
        (hash, events)
    }

    fn visit(
        &self,
        world: &World,
        family: usize,
        random: &mut Random,
        events: &mut Vec<ShopperEvent>,
    ) {
        let today = world.days() as i32;
        let day = today - 1 - random.integer(0, i64::from(LOG_DAYS.min(today)) - 1) as i32;
        // Most visits are in the evening.
        let mut second = (3600.0 * (8.0 + 14.5 * random.beta(3.0, 1.6))) as i64;
        for _ in 0..2 + random.poisson(2.6) {
            let family = if random.chance(0.85) { family } else { weighted(&self.pull, random) };
            let seen: Vec<&OnShelf> =
                self.families[family].iter().filter(|(_, from, _)| *from <= day).collect();
            let pulls: Vec<f64> = seen.iter().map(|(_, _, pull)| *pull).collect();
            let Some(&&(item, ..)) = seen.get(weighted(&pulls, random)) else { continue };
            let mut push = |event, second| events.push(ShopperEvent { item, event, day, second });
            push("view", second);
            if random.chance(0.1) {
                push("favourite", second + 20);
            }
            if random.chance(0.2) {
                push("cart", second + 35);
                if world.items[item].launch_day <= day && random.chance(0.45) {
                    push("buy", second + 180);
                }
            }
            second = (second + random.integer(40, 400)).min(86_000);
        }
    }
}

fn weighted(weights: &[f64], random: &mut Random) -> usize {
    let mut left = random.unit() * weights.iter().sum::<f64>();
    for (index, weight) in weights.iter().enumerate() {
        left -= weight;
        if left <= 0.0 {
            return index;
        }
    }
    weights.len().saturating_sub(1)
}

/// Paid reservations of an item that is not yet made, a day and a quantity each.
pub fn presales(world: &World, item: &Item) -> Vec<(i32, i64)> {
    let (Role::Presale, Some(rate)) = (item.role, settled_rate(item)) else { return Vec::new() };
    let mut random = Random::new(world.seed(), Purpose::Presale, item.index as u64);
    let today = world.days() as i32;
    (today - 14..today)
        .map(|day| (day, random.negative_binomial(0.9 * rate.max(2.5), 0.1)))
        .filter(|(_, qty)| *qty > 0)
        .collect()
}
