//! Tables to `ItemSupply`: each item with all its places, stock, open orders and terms.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use granary_models::calendar::Day;
use granary_models::distribution::paths::PathPlan;
use granary_models::finding::{Code, Finding};
use granary_models::forecast::sku_forecast::SkuForecast;
use granary_models::plan_sku::{
    ItemStatus, ItemSupply, LocationKind, LocationSupply, Lot, OpenOrder,
};
use granary_models::policy::lead_time::{LeadTimes, OrderRecord};
use granary_models::policy::terms::{ClosedWindow, PriceBreak, SupplyKind, SupplyTerms};
use granary_models::policy::unit::QtyUnit;

use super::facts::Facts;
use super::panel::{Index, NightPanel, SeriesKey};
use crate::config::{Defaults, Job};
use crate::store::inputs;

/// Lead times where neither history, nor a promise, nor a default speaks.
const LAST_RESORT_LEAD_TIME_DAYS: u32 = 14;

/// How often a default stood in for master data, by what it stood in for.
pub type DefaultsUsed = BTreeMap<&'static str, u64>;

/// Everything that planning one item needs, found once for the whole night.
pub struct SupplyBook<'a> {
    pub facts: &'a Facts,
    job: &'a Job,
    lead_times: LeadTimes,
    terms: HashMap<SeriesKey, Vec<&'a inputs::SupplyTerms>>,
    stock: HashMap<SeriesKey, &'a inputs::Stock>,
    lots: HashMap<SeriesKey, Vec<&'a inputs::Lot>>,
    open_orders: HashMap<SeriesKey, Vec<&'a inputs::Order>>,
    closed: HashMap<&'a str, Vec<ClosedWindow>>,
    index: &'a Index<'a>,
}

impl<'a> SupplyBook<'a> {
    pub fn new(facts: &'a Facts, index: &'a Index<'a>, job: &'a Job) -> SupplyBook<'a> {
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
        for order in facts.orders.iter().filter(|order| is_open(order)) {
            if let Some(key) = key(&order.item_id, &order.location_id) {
                open_orders.entry(key).or_default().push(order);
            }
        }
        let mut closed: HashMap<&str, Vec<ClosedWindow>> = HashMap::new();
        for event in facts.events.iter().filter(|event| event.kind == "shutdown") {
            let window = ClosedWindow { from: event.starts_on, to: event.ends_on };
            closed.entry(&event.supplier_id).or_default().push(window);
        }
        let stock = facts.stock.iter();
        SupplyBook {
            facts,
            job,
            lead_times: learn_lead_times(facts),
            terms,
            stock: stock
                .filter_map(|stock| Some((key(&stock.item_id, &stock.location_id)?, stock)))
                .collect(),
            lots,
            open_orders,
            closed,
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
                let (terms, _) = self.terms_of(row, &[], &mut DefaultsUsed::new());
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
            shortage: self.job.policy.shortage(),
            target: None,
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
                self.assume_stock(key, &forecasts[i], &mut place, used);
                if place.terms.is_empty() {
                    place.terms.extend(self.assumed_terms(&supply, used));
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
        let terms = self.terms.get(&key).into_iter().flatten().map(|row| {
            let (terms, finding) = self.terms_of(row, places, used);
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
            reserved: stock.map_or(0, |stock| stock.reserved),
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
            ..LocationSupply::default()
        }
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
                lead_time: self
                    .lead_times
                    .get(&order.item_id, &lane_of(order), None, LAST_RESORT_LEAD_TIME_DAYS)
                    .0,
                supplier_id: order.supplier_id.clone(),
                ..OpenOrder::default()
            })
            .collect()
    }

    fn terms_of(
        &self,
        row: &inputs::SupplyTerms,
        places: &[usize],
        used: &mut DefaultsUsed,
    ) -> (SupplyTerms, Option<Finding>) {
        let defaults = &self.facts.defaults;
        let lane = lane(&row.supplier_id, &row.source_location_id, &row.location_id);
        let promised = row.lead_time_days.or_else(|| {
            *used.entry("lead_time_days").or_default() += 1;
            defaults.lead_time_days
        });
        let (lead_time, finding) = self.lead_times.get(
            &row.item_id,
            &lane,
            promised.map(|days| days as u32),
            LAST_RESORT_LEAD_TIME_DAYS,
        );
        let item = self.index.item(&row.item_id).map(|item| &self.facts.items[item]);
        let cost = row.unit_cost_minor.or(item.and_then(|item| item.unit_cost_minor));
        let source = self.index.location(&row.source_location_id);
        let terms = SupplyTerms {
            kind: SupplyKind::parse(&row.kind).unwrap_or(SupplyKind::Purchase),
            priority: row.priority.max(0) as u32,
            supplier_id: row.supplier_id.clone(),
            source: source.and_then(|source| places.iter().position(|&place| place == source)),
            lead_time,
            review_days: or_default(row.review_days, defaults.review_days, 7, "review_days", used)
                as u32,
            moq: or_default(row.moq, defaults.moq, 1, "moq", used),
            multiple: or_default(row.multiple, defaults.multiple, 1, "multiple", used),
            pack_uom: row.pack_uom.clone(),
            unit_cost_minor: or_default(cost, defaults.unit_cost_minor, 0, "unit_cost_minor", used),
            currency: row.currency.clone(),
            price_breaks: row
                .price_breaks
                .iter()
                .map(|&(min_qty, unit_cost_minor)| PriceBreak { min_qty, unit_cost_minor })
                .collect(),
            shelf_life_days: row.shelf_life_days.map(|days| days as u32),
            capacity_qty: row.capacity_qty,
            closed: self.closed.get(row.supplier_id.as_str()).cloned().unwrap_or_default(),
            ..SupplyTerms::default()
        };
        (terms, finding)
    }

    /// Terms for a place that sells but has none: a purchase on the job's defaults.
    fn assumed_terms(&self, item: &ItemSupply, used: &mut DefaultsUsed) -> Option<SupplyTerms> {
        let defaults: &Defaults = &self.facts.defaults;
        let supplier_id = defaults.supplier_id.clone()?;
        *used.entry("supply_terms").or_default() += 1;
        let promised = defaults.lead_time_days.map(|days| days as u32);
        let (lead_time, _) =
            self.lead_times.get(&item.item_id, &supplier_id, promised, LAST_RESORT_LEAD_TIME_DAYS);
        Some(SupplyTerms {
            closed: self.closed.get(supplier_id.as_str()).cloned().unwrap_or_default(),
            supplier_id,
            lead_time,
            review_days: defaults.review_days.unwrap_or(7) as u32,
            moq: defaults.moq.unwrap_or(1),
            multiple: defaults.multiple.unwrap_or(1),
            unit_cost_minor: item.unit_cost_minor,
            currency: item.currency.clone(),
            ..SupplyTerms::default()
        })
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

    fn currency(&self, row: &inputs::Item, used: &mut DefaultsUsed) -> String {
        if !row.currency.is_empty() {
            return row.currency.clone();
        }
        *used.entry("currency").or_default() += 1;
        // XXX is ISO 4217 for "no currency": better than a guess.
        self.facts.defaults.currency.clone().unwrap_or_else(|| "XXX".to_owned())
    }

    /// Orders whose dates cannot be true.
    pub fn odd_orders(&self) -> Option<Finding> {
        let odd = self.lead_times.odd_orders;
        (odd > 0).then(|| {
            let detail = format!(
                "{odd} orders were received before they were placed or over two years later; \
                 lead times are learned without them"
            );
            Finding::new(Code::BadTerms, detail)
        })
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

fn is_open(order: &inputs::Order) -> bool {
    !order.cancelled && order.received_on.is_none() && order.qty > order.received_qty
}

/// What lead times are learned by: the supplier, or the way that a transfer takes. One centre is a
/// day from one shop and two weeks from another.
fn lane<'a>(supplier_id: &'a str, source_location_id: &str, location_id: &str) -> Cow<'a, str> {
    if supplier_id.is_empty() {
        Cow::Owned(format!("{source_location_id} → {location_id}"))
    } else {
        Cow::Borrowed(supplier_id)
    }
}

fn lane_of(order: &inputs::Order) -> Cow<'_, str> {
    lane(&order.supplier_id, &order.source_location_id, &order.location_id)
}

fn learn_lead_times(facts: &Facts) -> LeadTimes {
    // A cancelled order says nothing about when it would have come.
    let orders: Vec<&inputs::Order> =
        facts.orders.iter().filter(|order| !order.cancelled).collect();
    let lanes: Vec<Cow<str>> = orders.iter().map(|order| lane_of(order)).collect();
    let records = orders.iter().zip(&lanes).map(|(order, lane)| OrderRecord {
        item_id: &order.item_id,
        supplier_id: lane,
        ordered_on: order.ordered_on,
        received_on: order.received_on,
    });
    let yesterday: Day = facts.business_date - 1;
    LeadTimes::learn(records, yesterday)
}
