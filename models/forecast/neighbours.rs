//! Which established items a new item resembles, seen from what shoppers looked at together.
//!
//! Item–item similarity is the cosine of the items' shopper vectors (Sarwar, Karypis, Konstan &
//! Riedl 2001, "Item-based collaborative filtering", eq. 1), where a shopper's entry is the
//! strongest thing they did with the item, times a significance weight `n / (n + κ)` on the `n`
//! shoppers they share (Herlocker, Konstan, Borchers & Riedl 1999), because one shared shopper
//! makes a perfect cosine. An item that few or no shoppers touched leans on its category instead:
//! the candidates there that cost about the same.

use rayon::prelude::*;

use crate::calendar::Day;
use crate::finding::{Code, Finding};

/// What a shopper did with an item, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Behaviour {
    View,
    Favourite,
    Cart,
    Buy,
}

impl Behaviour {
    /// How much it says about what the shopper was looking for.
    fn strength(self) -> f64 {
        match self {
            Behaviour::View => 1.0,
            Behaviour::Favourite => 2.0,
            Behaviour::Cart => 3.0,
            Behaviour::Buy => 4.0,
        }
    }
}

/// One line of the shopper event log, with shoppers and items numbered from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShopperEvent {
    pub shopper: u32,
    pub item: u32,
    pub event: Behaviour,
    pub day: Day,
}

/// What the catalogue says about an item; the item's number is its place in the slice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ItemTraits {
    pub category: u32,
    /// In any one currency; NaN or not positive where unknown.
    pub price: f64,
    /// Whether it has a sales history that a new item can borrow.
    pub established: bool,
}

/// Name | default | purpose | range
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NeighbourSettings {
    /// 50: neighbours wanted for each item, ≥ 1.
    pub neighbours: usize,
    /// 200: items kept per shopper, strongest and latest first, so that a crawler that opened the
    /// whole catalogue ties nothing together, ≥ 1.
    pub items_per_shopper: usize,
    /// 5: shared shoppers at which a similarity counts half, ≥ 0.
    pub half_support_shoppers: f64,
    /// 0.5: factor on a co-visited item of another category, 0..=1: what is bought together with an
    /// item is not always like it.
    pub other_category_factor: f64,
}

impl Default for NeighbourSettings {
    fn default() -> Self {
        NeighbourSettings {
            neighbours: 50,
            items_per_shopper: 200,
            half_support_shoppers: 5.0,
            other_category_factor: 0.5,
        }
    }
}

/// Where a neighbourhood came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Evidence {
    /// Shoppers who touched one also touched the other.
    CoVisitation,
    /// Co-visitation, filled up with the category because the shoppers were few.
    CoVisitationAndCategory,
    /// No shared shoppers: same category, nearest by price.
    CategoryAndPrice,
    /// Nothing established in the category: nearest by price in the whole assortment.
    Price,
    /// Nothing established at all.
    Nothing,
}

impl Evidence {
    pub fn as_str(self) -> &'static str {
        match self {
            Evidence::CoVisitation => "co_visitation",
            Evidence::CoVisitationAndCategory => "co_visitation_and_category",
            Evidence::CategoryAndPrice => "category_and_price",
            Evidence::Price => "price",
            Evidence::Nothing => "nothing",
        }
    }
}

/// An established item and how much its history should count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbour {
    pub item: u32,
    /// Share of the whole neighbourhood; the weights of one sum to 1.
    pub weight: f64,
    /// Shoppers who touched both items; 0 for a neighbour by category or price.
    pub shared_shoppers: u32,
}

/// The neighbours of one asked item, by falling weight and then by item number.
#[derive(Clone, Debug, PartialEq)]
pub struct Neighbourhood {
    pub item: u32,
    pub evidence: Evidence,
    /// Shoppers who touched the asked item at all.
    pub shoppers: u32,
    pub neighbours: Vec<Neighbour>,
}

/// The neighbourhoods of `asked`, in that order, and what was odd about the events.
///
/// Costs `O(events log events)` for the table and at most `Σ min(items of a shopper, cap)²` for
/// the similarities, less when few items are asked for.
pub fn neighbourhoods(
    events: &[ShopperEvent],
    items: &[ItemTraits],
    asked: &[u32],
    settings: &NeighbourSettings,
) -> (Vec<Neighbourhood>, Vec<Finding>) {
    let mut findings = Vec::new();
    let visits = Visits::build(events, items.len(), settings, &mut findings);
    let shelf = Shelf::build(items);
    let found = asked
        .par_iter()
        .map_init(
            || Scratch::new(items.len()),
            |scratch, &item| neighbourhood(item, items, &visits, &shelf, settings, scratch),
        )
        .collect();
    let unknown = asked.iter().filter(|&&item| item as usize >= items.len()).count();
    if unknown > 0 {
        findings.push(Finding::new(
            Code::NoNeighbours,
            format!("{unknown} of {} items asked for are not in the catalogue", asked.len()),
        ));
    }
    (found, findings)
}

/// Who touched what and how strongly: the item–shopper matrix by row and by column.
struct Visits {
    /// `by_shopper[shopper_offset[s]..shopper_offset[s + 1]]`: (item, strength).
    shopper_offset: Vec<usize>,
    by_shopper: Vec<(u32, f32)>,
    /// `by_item[item_offset[i]..item_offset[i + 1]]`: (row of the shopper, strength).
    item_offset: Vec<usize>,
    by_item: Vec<(u32, f32)>,
    norm: Vec<f64>,
}

impl Visits {
    fn build(
        events: &[ShopperEvent],
        item_count: usize,
        settings: &NeighbourSettings,
        findings: &mut Vec<Finding>,
    ) -> Visits {
        let mut known: Vec<&ShopperEvent> =
            events.iter().filter(|event| (event.item as usize) < item_count).collect();
        if known.len() < events.len() {
            findings.push(Finding::new(
                Code::EventsIgnored,
                format!(
                    "{} of {} shopper events name an item outside the catalogue of {item_count}",
                    events.len() - known.len(),
                    events.len()
                ),
            ));
        }
        known.sort_unstable_by_key(|event| (event.shopper, event.item, event.event, event.day));

        let mut visits = Visits {
            shopper_offset: vec![0],
            by_shopper: Vec::new(),
            item_offset: vec![0; item_count + 1],
            by_item: Vec::new(),
            norm: vec![0.0; item_count],
        };
        let mut capped_shoppers = 0;
        for of_shopper in known.chunk_by(|a, b| a.shopper == b.shopper) {
            // Sorted by strength last, so the last event of an item is its strongest and latest.
            let mut kept: Vec<&ShopperEvent> = of_shopper
                .chunk_by(|a, b| a.item == b.item)
                .filter_map(|of_item| of_item.last().copied())
                .collect();
            if kept.len() > settings.items_per_shopper.max(1) {
                capped_shoppers += 1;
                kept.sort_unstable_by(|a, b| {
                    (b.event, b.day).cmp(&(a.event, a.day)).then(a.item.cmp(&b.item))
                });
                kept.truncate(settings.items_per_shopper.max(1));
            }
            visits
                .by_shopper
                .extend(kept.iter().map(|event| (event.item, event.event.strength() as f32)));
            visits.shopper_offset.push(visits.by_shopper.len());
        }
        if capped_shoppers > 0 {
            findings.push(Finding::new(
                Code::EventsIgnored,
                format!(
                    "{capped_shoppers} shoppers touched more than {} items; the strongest and \
                     latest of each were kept",
                    settings.items_per_shopper
                ),
            ));
        }
        visits.index_by_item();
        visits
    }

    fn index_by_item(&mut self) {
        for &(item, strength) in &self.by_shopper {
            self.item_offset[item as usize + 1] += 1;
            self.norm[item as usize] += f64::from(strength) * f64::from(strength);
        }
        for i in 1..self.item_offset.len() {
            self.item_offset[i] += self.item_offset[i - 1];
        }
        for norm in &mut self.norm {
            *norm = norm.sqrt();
        }
        let mut next = self.item_offset.clone();
        self.by_item = vec![(0, 0.0); self.by_shopper.len()];
        for shopper in 0..self.shopper_offset.len() - 1 {
            for k in self.shopper_offset[shopper]..self.shopper_offset[shopper + 1] {
                let (item, strength) = self.by_shopper[k];
                self.by_item[next[item as usize]] = (shopper as u32, strength);
                next[item as usize] += 1;
            }
        }
    }

    fn of_item(&self, item: u32) -> &[(u32, f32)] {
        &self.by_item[self.item_offset[item as usize]..self.item_offset[item as usize + 1]]
    }

    fn of_shopper(&self, shopper: u32) -> &[(u32, f32)] {
        let shopper = shopper as usize;
        &self.by_shopper[self.shopper_offset[shopper]..self.shopper_offset[shopper + 1]]
    }
}

/// Established items by category and price.
struct Shelf {
    /// (category, ln price, item), sorted; unknown prices come last as +∞.
    by_category: Vec<(u32, f64, u32)>,
    by_price: Vec<(f64, u32)>,
}

fn ln_price(price: f64) -> f64 {
    if price > 0.0 && price.is_finite() { price.ln() } else { f64::INFINITY }
}

/// 0 where either price is unknown: the category is then all there is to go by.
fn price_distance(a: f64, b: f64) -> f64 {
    if a.is_finite() && b.is_finite() { (a - b).abs() } else { 0.0 }
}

impl Shelf {
    fn build(items: &[ItemTraits]) -> Shelf {
        let established = || (0u32..).zip(items).filter(|(_, item)| item.established);
        let mut by_category: Vec<(u32, f64, u32)> = established()
            .map(|(number, item)| (item.category, ln_price(item.price), number))
            .collect();
        by_category
            .sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)).then(a.2.cmp(&b.2)));
        let mut by_price: Vec<(f64, u32)> =
            established().map(|(number, item)| (ln_price(item.price), number)).collect();
        by_price.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        Shelf { by_category, by_price }
    }

    /// Up to `wanted` items that are `free`, nearest by price, with their log price ratio.
    fn nearest(
        &self,
        category: Option<u32>,
        ln_asked: f64,
        wanted: usize,
        free: impl Fn(u32) -> bool,
    ) -> Vec<(u32, f64)> {
        let range = match category {
            Some(category) => {
                let from = self.by_category.partition_point(|entry| entry.0 < category);
                let to = self.by_category.partition_point(|entry| entry.0 <= category);
                from..to
            }
            None => 0..self.by_price.len(),
        };
        let at = |k: usize| match category {
            Some(_) => (self.by_category[k].1, self.by_category[k].2),
            None => self.by_price[k],
        };
        let split = match category {
            // Of an unknown price the middle of the range is the safest guess.
            _ if ln_asked.is_infinite() => range.start + range.len() / 2,
            Some(_) => {
                let of_category = &self.by_category[range.clone()];
                range.start + of_category.partition_point(|entry| entry.1 < ln_asked)
            }
            None => self.by_price.partition_point(|entry| entry.0 < ln_asked),
        };
        let (mut below, mut above) = (split, split);
        let mut found = Vec::with_capacity(wanted.min(range.len()));
        while found.len() < wanted {
            let down = (below > range.start).then(|| at(below - 1));
            let up = (above < range.end).then(|| at(above));
            let take_down = match (down, up) {
                (None, None) => break,
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (Some(d), Some(u)) => {
                    let (below_by, above_by) =
                        (price_distance(d.0, ln_asked), price_distance(u.0, ln_asked));
                    below_by.total_cmp(&above_by).then(d.1.cmp(&u.1)).is_lt()
                }
            };
            let (ln_found, item) = if take_down {
                below -= 1;
                at(below)
            } else {
                above += 1;
                at(above - 1)
            };
            if free(item) {
                found.push((item, price_distance(ln_found, ln_asked)));
            }
        }
        found
    }
}

/// Sums per item for one asked item, kept between asked items so that clearing costs what was
/// touched, not the catalogue.
struct Scratch {
    dot: Vec<f64>,
    shared: Vec<u32>,
    touched: Vec<u32>,
}

impl Scratch {
    fn new(items: usize) -> Scratch {
        Scratch { dot: vec![0.0; items], shared: vec![0; items], touched: Vec::new() }
    }

    fn clear(&mut self) {
        for item in self.touched.drain(..) {
            self.dot[item as usize] = 0.0;
            self.shared[item as usize] = 0;
        }
    }
}

fn neighbourhood(
    item: u32,
    items: &[ItemTraits],
    visits: &Visits,
    shelf: &Shelf,
    settings: &NeighbourSettings,
    scratch: &mut Scratch,
) -> Neighbourhood {
    let Some(traits) = items.get(item as usize) else {
        return Neighbourhood {
            item,
            evidence: Evidence::Nothing,
            shoppers: 0,
            neighbours: Vec::new(),
        };
    };
    let wanted = settings.neighbours.max(1);
    let shoppers = visits.of_item(item).len() as u32;
    let mut neighbours = co_visited(item, items, visits, settings, scratch);
    neighbours.truncate(wanted);

    let is_free = |other: u32| {
        other != item && neighbours.iter().all(|neighbour: &Neighbour| neighbour.item != other)
    };
    let room = wanted - neighbours.len();
    let asked_price = ln_price(traits.price);
    let mut filled = shelf.nearest(Some(traits.category), asked_price, room, is_free);
    let mut evidence = match (neighbours.is_empty(), filled.is_empty()) {
        (false, true) => Evidence::CoVisitation,
        (false, false) => Evidence::CoVisitationAndCategory,
        (true, false) => Evidence::CategoryAndPrice,
        (true, true) => Evidence::Nothing,
    };
    if evidence == Evidence::Nothing {
        filled = shelf.nearest(None, asked_price, room, is_free);
        if !filled.is_empty() {
            evidence = Evidence::Price;
        }
    }

    // The shoppers' word grows with their number; the category has the rest.
    let heard = f64::from(shoppers) / (f64::from(shoppers) + settings.half_support_shoppers);
    let (by_shoppers, by_shelf) = match (neighbours.is_empty(), filled.is_empty()) {
        (true, _) => (0.0, 1.0),
        (false, true) => (1.0, 0.0),
        (false, false) => (heard, 1.0 - heard),
    };
    let similarity: f64 = neighbours.iter().map(|neighbour| neighbour.weight).sum();
    for neighbour in &mut neighbours {
        neighbour.weight *= by_shoppers / similarity;
    }
    let nearness: f64 = filled.iter().map(|(_, distance)| (-distance).exp()).sum();
    neighbours.extend(filled.iter().map(|&(item, distance)| Neighbour {
        item,
        weight: by_shelf * (-distance).exp() / nearness,
        shared_shoppers: 0,
    }));
    neighbours.sort_by(|a, b| b.weight.total_cmp(&a.weight).then(a.item.cmp(&b.item)));
    Neighbourhood { item, evidence, shoppers, neighbours }
}

/// Established items that share shoppers with `item`, best first; `weight` is the similarity.
fn co_visited(
    item: u32,
    items: &[ItemTraits],
    visits: &Visits,
    settings: &NeighbourSettings,
    scratch: &mut Scratch,
) -> Vec<Neighbour> {
    for &(shopper, strength) in visits.of_item(item) {
        for &(other, other_strength) in visits.of_shopper(shopper) {
            if other == item || !items[other as usize].established {
                continue;
            }
            if scratch.shared[other as usize] == 0 {
                scratch.touched.push(other);
            }
            scratch.shared[other as usize] += 1;
            scratch.dot[other as usize] += f64::from(strength) * f64::from(other_strength);
        }
    }
    let category = items[item as usize].category;
    let mut found: Vec<Neighbour> = scratch
        .touched
        .iter()
        .map(|&other| {
            let shared = scratch.shared[other as usize];
            let cosine = scratch.dot[other as usize]
                / (visits.norm[item as usize] * visits.norm[other as usize]);
            let support = f64::from(shared) / (f64::from(shared) + settings.half_support_shoppers);
            let kinship = if items[other as usize].category == category {
                1.0
            } else {
                settings.other_category_factor
            };
            Neighbour { item: other, weight: cosine * support * kinship, shared_shoppers: shared }
        })
        .filter(|neighbour| neighbour.weight > 0.0)
        .collect();
    scratch.clear();
    found.sort_unstable_by(|a, b| b.weight.total_cmp(&a.weight).then(a.item.cmp(&b.item)));
    found
}
