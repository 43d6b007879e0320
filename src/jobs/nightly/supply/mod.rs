//! Tables to `ItemSupply`: each item with all its places, stock, open orders and terms.

mod returns;
mod terms;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use granary_models::distribution::paths::PathPlan;
use granary_models::finding::Finding;
use granary_models::forecast::sku_forecast::SkuForecast;
use granary_models::plan_sku::{
    ItemStatus, ItemSupply, LocationKind, LocationSupply, Lot, OpenOrder, Returns,
};
use granary_models::policy::order::Target;
use granary_models::policy::projection::{Issue, Shortage};
use granary_models::policy::unit::QtyUnit;

use super::facts::Facts;
use super::gates::{by_neighbours, plain_daily};
use super::panel::{Index, NightPanel, SeriesKey};
use super::succession::Succession;
use crate::config::Job;
use crate::store::inputs::{self, master};

use self::returns::ReturnShares;
use self::terms::{TermsBook, receiving_closed};

/// How often a default stood in for master data, by what it stood in for.
pub type DefaultsUsed = BTreeMap<&'static str, u64>;

/// Everything that planning one item needs, found once for the whole night.
pub struct SupplyBook<'a> {
    pub facts: &'a Facts,
    job: &'a Job,
    succession: &'a Succession,
    terms_book: TermsBook<'a>,
    terms: HashMap<SeriesKey, Vec<&'a master::SupplyTerms>>,
    stock: HashMap<SeriesKey, &'a inputs::Stock>,
    lots: HashMap<SeriesKey, Vec<&'a inputs::Lot>>,
    open_orders: HashMap<SeriesKey, Vec<&'a inputs::Order>>,
    /// Of released transfers that their source still has, smallest units.
    promised: HashMap<SeriesKey, i64>,
    stocking: HashMap<SeriesKey, &'a master::Stocking>,
    returns: ReturnShares,
    index: &'a Index<'a>,
}

impl<'a> SupplyBook<'a> {
    pub fn new(
        facts: &'a Facts,
        index: &'a Index<'a>,
        succession: &'a Succession,
        job: &'a Job,
    ) -> SupplyBook<'a> {
        let key = |item_id: &str, location_id: &str| index.key(item_id, location_id);
        let mut terms: HashMap<_, Vec<_>> = HashMap::new();
        for row in &facts.supply_terms {
            if let Some(key) = key(&row.item_id, &row.location_id) {
                terms.entry(key).or_default().push(row);
            }
        }
        let mut lots: HashMap<_, Vec<_>> = HashMap::new();
        for lot in &facts.lots {
            if let Some(key) = key(&lot.item_id, &lot.location_id) {
                lots.entry(key).or_default().push(lot);
            }
        }
        let mut open_orders: HashMap<_, Vec<_>> = HashMap::new();
        let placed = facts.orders.iter().filter(|order| is_open(order));
        for order in placed.chain(&facts.released.orders) {
            if let Some(key) = key(&order.item_id, &order.location_id) {
                open_orders.entry(key).or_default().push(order);
            }
        }
        let mut promised: HashMap<_, i64> = HashMap::new();
        for (source_location_id, item_id, qty) in &facts.released.promised {
            if let Some(key) = key(item_id, source_location_id) {
                *promised.entry(key).or_default() += qty;
            }
        }
        let stock = facts.stock.iter();
        let stocking = facts.stocking.iter();
        SupplyBook {
            facts,
            job,
            succession,
            terms_book: TermsBook::new(facts, index, job),
            terms,
            stock: stock
                .filter_map(|stock| Some((key(&stock.item_id, &stock.location_id)?, stock)))
                .collect(),
            lots,
            open_orders,
            promised,
            stocking: stocking
                .filter_map(|row| Some((key(&row.item_id, &row.location_id)?, row)))
                .collect(),
            returns: ReturnShares::learn(facts, index),
            index,
        }
    }

    /// Every item that is sold, offered or stocked somewhere. What is on pre-sale is not ordered but
    /// made, and `production` sizes its batches.
    pub fn items(&self, night: &NightPanel) -> Vec<usize> {
        let sold = night.keys.iter().map(|key| key.item);
        let items: BTreeSet<usize> = sold
            .chain(self.terms.keys().map(|key| key.item))
            .chain(self.stock.keys().map(|key| key.item))
            .filter(|&item| self.facts.items[item].status != "presale")
            .collect();
        items.into_iter().collect()
    }

    /// The longest time that one order has to last, over all terms, in days.
    pub fn protection_days(&self) -> usize {
        let rows = self.facts.supply_terms.iter();
        let longest = rows
            .map(|row| {
                let (terms, _) = self.terms_book.of_row(row, &[], &mut DefaultsUsed::new());
                terms.lead_time.quantile(0.99) + terms.review_days
            })
            .max();
        let defaults = &self.facts.defaults;
        let assumed = defaults.lead_time_days.unwrap_or(7) + defaults.review_days.unwrap_or(7);
        // A centre's order has to reach the shops behind it as well, hence a week on top.
        longest.map_or(assumed as usize, |days| days as usize + 7)
    }

    /// One item, ready to plan. `paths` draws the futures of its series in the panel.
    pub fn item<'n>(
        &self,
        item: usize,
        night: &'n NightPanel,
        forecasts: &[SkuForecast],
        paths: &PathPlan,
        used: &mut DefaultsUsed,
    ) -> (ItemSupply<'n>, Vec<usize>, Vec<(usize, Finding)>) {
        let facts = self.facts;
        let row = &facts.items[item];
        let series = night.series_of(item);
        let places = self.places(item, series.clone().map(|i| night.keys[i].location));
        let mut findings = Vec::new();
        let mut supply = ItemSupply {
            item_id: row.item_id.clone(),
            unit: QtyUnit { name: row.base_uom.clone(), decimals: row.qty_decimals as u8 },
            currency: self.currency(row, used),
            unit_cost_minor: or_default(
                row.unit_cost_minor,
                facts.defaults.unit_cost_minor,
                0,
                "unit_cost_minor",
                used,
            ),
            unit_price_minor: row.unit_price_minor.or(facts.defaults.unit_price_minor),
            shelf_life_days: row.shelf_life_days.map(|days| days as u32),
            status: match row.status.as_str() {
                "presale" => ItemStatus::Presale,
                "phase_out" => ItemStatus::PhaseOut,
                "discontinued" => ItemStatus::Discontinued,
                _ => ItemStatus::Active,
            },
            shortage: match row.shortage.as_str() {
                "lost" => Shortage::Lost,
                "backordered" => Shortage::BackOrdered,
                _ => self.job.policy.shortage(),
            },
            max_order_qty: row
                .max_order_qty
                .map(|qty| qty.saturating_mul(10i64.pow(row.qty_decimals.min(6)))),
            target: row.fill_target.map(Target::Fill),
            issue: if row.issue == "lifo" { Issue::Lifo } else { Issue::Fifo },
            category: row.category.clone(),
            weight_g: row.weight_g,
            volume_ml: row.volume_ml,
            returns: Returns {
                share: self.returns.of(item),
                resaleable: row.resaleable_share.unwrap_or(0.0),
                delay_days: row.return_delay_days,
            },
            locations: Vec::with_capacity(places.len()),
        };
        for (at, &location) in places.iter().enumerate() {
            let key = SeriesKey { item, location };
            let sold = series.clone().find(|&i| night.keys[i] == key);
            let mut place = self.place(key, &places, used, &mut |finding| {
                findings.push((at, finding));
            });
            if let Some(i) = sold {
                place.demand = Some(forecasts[i].paths(paths));
                place.history = Some(night.panel.series(i));
                let horizon_days = self.job.forecast.horizon_days;
                place.plain_daily = Some(plain_daily(&forecasts[i], horizon_days));
                place.by_neighbours = by_neighbours(&forecasts[i]);
                self.assume_stock(key, &forecasts[i], &mut place, used);
                if place.terms.is_empty() {
                    let (cost, currency) = (supply.unit_cost_minor, &supply.currency);
                    place.terms.extend(self.terms_book.assumed(row, cost, currency, used));
                }
            }
            supply.locations.push(place);
        }
        (supply, places, findings)
    }

    /// The locations of an item: where it sells, where it is supplied and from where.
    fn places(&self, item: usize, selling: impl Iterator<Item = usize>) -> Vec<usize> {
        let mut places: BTreeSet<usize> = selling.collect();
        let mut queue: Vec<usize> = (0..self.facts.locations.len())
            .filter(|&location| {
                let key = SeriesKey { item, location };
                self.terms.contains_key(&key) || self.stock.contains_key(&key)
            })
            .collect();
        while let Some(location) = queue.pop() {
            places.insert(location);
            for terms in self.terms.get(&SeriesKey { item, location }).into_iter().flatten() {
                queue.extend(
                    self.index
                        .location(&terms.source_location_id)
                        .filter(|source| !places.contains(source)),
                );
            }
        }
        places.into_iter().collect()
    }

    fn place<'n>(
        &self,
        key: SeriesKey,
        places: &[usize],
        used: &mut DefaultsUsed,
        find: &mut dyn FnMut(Finding),
    ) -> LocationSupply<'n> {
        let location = &self.facts.locations[key.location];
        let stock = self.stock.get(&key);
        let stocking = self.stocking.get(&key);
        let terms = self.terms.get(&key).into_iter().flatten().map(|row| {
            let (terms, finding) = self.terms_book.of_row(row, places, used);
            finding.into_iter().for_each(&mut *find);
            terms
        });
        LocationSupply {
            location_id: location.location_id.clone(),
            kind: match location.kind.as_str() {
                "online" => LocationKind::Online,
                "dc" => LocationKind::Dc,
                "backup" => LocationKind::Backup,
                "maker" => LocationKind::Maker,
                _ => LocationKind::Store,
            },
            terms: terms.collect(),
            on_hand: stock.map_or(0, |stock| stock.on_hand),
            reserved: stock.map_or(0, |stock| stock.reserved)
                + self.promised.get(&key).copied().unwrap_or(0),
            backordered: stock.map_or(0, |stock| stock.backordered),
            lots: self
                .lots
                .get(&key)
                .into_iter()
                .flatten()
                .map(|lot| Lot { qty: lot.qty, expires_on: lot.expires_on })
                .collect(),
            open_orders: self.orders_to(key),
            capacity_qty: location.capacity_qty,
            presentation_min_qty: stocking.map_or(0, |row| row.presentation_min_qty),
            reserve_qty: stocking.map_or(0, |row| row.reserve_qty),
            predecessor_qty: self.predecessor_qty(key),
            closed: receiving_closed(self.facts, &location.region),
            ..LocationSupply::default()
        }
    }

    pub fn is_superseded(&self, item: usize) -> bool {
        self.succession.successor(item).is_some()
    }

    /// What is left here of the items that this one supersedes.
    fn predecessor_qty(&self, key: SeriesKey) -> i64 {
        let before = self.succession.before(key.item).iter();
        let stock = before.filter_map(|&item| self.stock.get(&SeriesKey { item, ..key }));
        stock.map(|stock| (stock.on_hand - stock.reserved).max(0)).sum()
    }

    fn orders_to(&self, key: SeriesKey) -> Vec<OpenOrder> {
        let orders = self.open_orders.get(&key).into_iter().flatten();
        orders
            .map(|order| OpenOrder {
                po_id: order.po_id.clone(),
                line_no: order.line_no.clone(),
                qty: order.qty - order.received_qty,
                ordered_on: order.ordered_on,
                expected_on: order.expected_on,
                lead_time: self.terms_book.lead_time_of(order),
                supplier_id: order.supplier_id.clone(),
                unit_cost_minor: order.unit_cost_minor,
                delivered: self.terms_book.delivered_of(order),
            })
            .collect()
    }

    /// Orders whose dates cannot be true.
    pub fn odd_orders(&self) -> Option<Finding> {
        self.terms_book.odd_orders()
    }

    /// Where no stock was ever counted, the default number of days' demand stands for it.
    fn assume_stock(
        &self,
        key: SeriesKey,
        forecast: &SkuForecast,
        place: &mut LocationSupply,
        used: &mut DefaultsUsed,
    ) {
        if self.stock.contains_key(&key) {
            return;
        }
        *used.entry("stock").or_default() += 1;
        if let Some(days) = self.facts.defaults.on_hand_cover_days {
            let daily = forecast.mean.iter().sum::<f64>() / forecast.mean.len().max(1) as f64;
            place.on_hand = (days * daily).round() as i64;
        }
    }

    fn currency(&self, row: &master::Item, used: &mut DefaultsUsed) -> String {
        if !row.currency.is_empty() {
            return row.currency.clone();
        }
        *used.entry("currency").or_default() += 1;
        // XXX is ISO 4217 for "no currency": better than a guess.
        self.facts.defaults.currency.clone().unwrap_or_else(|| "XXX".to_owned())
    }
}

fn or_default(
    value: Option<i64>,
    default: Option<i64>,
    last_resort: i64,
    what: &'static str,
    used: &mut DefaultsUsed,
) -> i64 {
    value.unwrap_or_else(|| {
        *used.entry(what).or_default() += 1;
        default.unwrap_or(last_resort)
    })
}

pub fn is_open(order: &inputs::Order) -> bool {
    !order.cancelled && order.received_on.is_none() && order.qty > order.received_qty
}
