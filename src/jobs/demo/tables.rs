//! Rows as the upstream's files have them: the columns of `data/migrations/0001_inputs.sql`.

use std::fmt::Write as _;

use super::behaviour::{self, DayCounts, ShopperEvent};
use super::catalogue::{Item, Role};
use super::demand::{Commerce, Promotion, TrueDemand};
use super::festivals::Event;
use super::inventory::{Count, ItemHistory, Order, ShopHistory};
use super::places::{BACKUP, LOCATIONS, MAKER, ONLINE, Supplier};
use super::random::{Purpose, Random};
use super::shelf::NEVER;
use super::world::World;

/// Input table and the header of its files, in the order in which they refer to each other.
pub const HEADERS: [(&str, &str); 16] = [
    (
        "item",
        "item_id,name,category,department,base_uom,qty_decimals,unit_cost_minor,\
         unit_price_minor,currency,shelf_life_days,launched_on,status",
    ),
    ("location", "location_id,name,kind,region,weather_region,capacity_qty,latitude,longitude"),
    ("supplier", "supplier_id,name,region,currency"),
    (
        "supply_terms",
        "item_id,location_id,supplier_id,source_location_id,kind,priority,lead_time_days,\
         review_days,moq,multiple,pack_uom,unit_cost_minor,currency,price_breaks,shelf_life_days,\
         capacity_qty",
    ),
    (
        "sales",
        "item_id,location_id,date,qty,returned_qty,revenue_minor,price_minor,promo_depth,\
         available_fraction",
    ),
    ("stock", "item_id,location_id,date,on_hand,reserved,backordered"),
    ("stock_lot", "item_id,location_id,date,lot_id,qty,expires_on"),
    (
        "purchase_order",
        "po_id,line_no,item_id,location_id,supplier_id,source_location_id,ordered_on,expected_on,\
         received_on,qty,received_qty,unit_cost_minor,currency,state",
    ),
    ("behaviour", "item_id,location_id,date,views,visitors,carts,favourites,orders"),
    ("event_log", "shopper_hash,item_id,event,at"),
    ("presale", "item_id,location_id,date,qty,promised_on"),
    ("promotion", "promotion_id,item_id,category,location_id,starts_on,ends_on,depth,kind"),
    (
        "calendar_event",
        "event_id,name,kind,region,category,supplier_id,starts_on,ends_on,lead_days,lag_days",
    ),
    ("weather", "region,date,kind,temperature_c,precipitation_mm,humidity_pct,wind_ms"),
    ("price_plan", "item_id,location_id,starts_on,price_minor"),
    // Not an input table: what no upstream knows. Kept here so that one place writes all rows.
    ("truth", "item_id,location_id,date,kind,mean,demand"),
];

pub const CURRENCY: &str = "CNY";

/// Received orders stay in the upstream's system for so many days.
const PURCHASE_DAYS_KEPT: i32 = 400;
const TRANSFER_DAYS_KEPT: i32 = 60;

/// A field as CSV wants it.
pub fn quoted(field: &str) -> String {
    if field.contains(['"', ',', '\n']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

/// `write!` to a `String` cannot fail.
macro_rules! row {
    ($out:expr, $($arg:tt)*) => {
        let _ = writeln!($out, $($arg)*);
    };
}
pub(super) use row;

fn optional<T: std::fmt::Display>(value: Option<T>) -> String {
    value.map_or(String::new(), |value| value.to_string())
}

pub fn item(out: &mut String, world: &World, item: &Item, commerce: &Commerce) {
    let category = item.category();
    let status = match item.role {
        Role::Presale => "presale",
        Role::PhaseOut => "phase_out",
        _ => "active",
    };
    let launched_on = item.launch_known.then(|| world.date(item.launch_day));
    let price_minor = commerce.list_price_minor[world.days() - 1];
    row!(
        out,
        "{},{},{},{},{},{},{},{price_minor},{CURRENCY},{},{},{status}",
        item.item_id,
        quoted(&item.name),
        category.name,
        category.department,
        if category.weighed { "kg" } else { "each" },
        item.qty_decimals(),
        item.cost_minor,
        optional(item.shelf_life_days),
        optional(launched_on),
    );
}

pub fn locations(out: &mut String, capacity_qty: &[Option<i64>]) {
    for (location, capacity) in LOCATIONS.iter().zip(capacity_qty) {
        row!(
            out,
            "{},{},{},{},{},{},{},{}",
            location.location_id,
            quoted(location.name),
            location.kind.as_str(),
            location.region,
            location.weather_region,
            optional(*capacity),
            location.latitude,
            location.longitude,
        );
    }
}

pub fn supplier(out: &mut String, supplier: &Supplier) {
    row!(out, "{},{},CN,{CURRENCY}", supplier.supplier_id, quoted(&supplier.name));
}

/// How the item reaches each place where it is kept or sold.
pub fn supply_terms(out: &mut String, world: &World, item: &Item) {
    let life = optional(item.shelf_life_days);
    let breaks: Vec<String> =
        item.price_breaks().iter().map(|(qty, cost)| format!("[{qty},{cost}]")).collect();
    let breaks =
        if breaks.is_empty() { String::new() } else { quoted(&format!("[{}]", breaks.join(","))) };
    let uom = if item.case_pack > 1 { "case" } else { "each" };
    let mut buyers = item.centres();
    if item.is_direct() {
        buyers = item.shops.iter().map(|(shop, _)| *shop).collect();
    }
    if item.role == Role::Presale {
        made_to_order(out, world, item);
        return;
    }
    for buyer in buyers {
        for (rank, &supplier) in item.suppliers.iter().enumerate() {
            let supplier = &world.suppliers[supplier];
            row!(
                out,
                "{},{},{},,purchase,{},{},{},{},{},{uom},{},{CURRENCY},{breaks},{life},",
                item.item_id,
                LOCATIONS[buyer].location_id,
                supplier.supplier_id,
                rank + 1,
                supplier.promised_days,
                supplier.review_days,
                item.shown(item.moq),
                item.shown(item.case_pack),
                item.cost_minor,
            );
        }
        if item.in_backup {
            transfer(out, item, buyer, BACKUP, 2, 7);
        }
    }
    if !item.is_direct() {
        for &(shop, _) in &item.shops {
            let location = &LOCATIONS[shop];
            transfer(out, item, shop, location.dc, location.transfer_days, location.review_days);
        }
    }
}

fn transfer(out: &mut String, item: &Item, to: usize, from: usize, lead_days: i32, review: i32) {
    let uom = if item.inner_pack > 1 { "inner" } else { "each" };
    row!(
        out,
        "{},{},,{},transfer,{},{lead_days},{review},{},{},{uom},,{CURRENCY},,{},",
        item.item_id,
        LOCATIONS[to].location_id,
        LOCATIONS[from].location_id,
        if from == BACKUP { 9 } else { 1 },
        item.shown(item.inner_pack),
        item.shown(item.inner_pack),
        optional(item.shelf_life_days),
    );
}

fn made_to_order(out: &mut String, world: &World, item: &Item) {
    for supplier in item.suppliers.iter().map(|&s| &world.suppliers[s]) {
        row!(
            out,
            "{},{},{},{},produce,1,{},{},{},10,lot,{},{CURRENCY},,,{}",
            item.item_id,
            LOCATIONS[ONLINE].location_id,
            supplier.supplier_id,
            LOCATIONS[MAKER].location_id,
            supplier.promised_days,
            supplier.review_days,
            (item.moq / 2 / 10).max(3) * 10,
            item.cost_minor,
            (item.moq / 10).max(20) * 50,
        );
    }
}

/// The item's till rows at one shop, appended to the month's text. Days on which nothing happened
/// have no row.
pub fn sales(
    months: &mut [String],
    world: &World,
    item: &Item,
    commerce: &Commerce,
    shop: usize,
    history: &ShopHistory,
) {
    let returned = returns(world, item, shop, history);
    let head = format!("{},{},", item.item_id, LOCATIONS[shop].location_id);
    let scale = item.scale();
    for t in item.launch_day.max(0) as usize..history.sold.len() {
        let (qty, back, available) = (history.sold[t], returned[t], history.available[t]);
        if qty == 0 && back == 0 && available >= 1.0 {
            continue;
        }
        let price = commerce.asked_price_minor(t);
        let revenue = (price as f64 * qty as f64 / scale).round() as i64;
        let out = &mut months[world.month_of(t)];
        out.push_str(&head);
        out.push_str(world.date_text(t));
        let (sold, back) = (item.shown(qty), item.shown(back));
        let _ = write!(out, ",{sold},{back},{revenue},{price},");
        let depth = commerce.promo_depth[t];
        if depth > 0.0 {
            let _ = write!(out, "{depth}");
        } else {
            out.push('0');
        }
        if available >= 1.0 {
            out.push_str(",1\n");
        } else {
            row!(out, ",{available:.4}");
        }
    }
}

/// Goods sent back, days after they were sold. They do not return to the shelf.
fn returns(world: &World, item: &Item, shop: usize, history: &ShopHistory) -> Vec<i64> {
    let mut returned = vec![0; history.sold.len()];
    let rate = item.category().return_rate;
    if rate <= 0.0 || item.category().weighed {
        return returned;
    }
    let stream = (item.index * LOCATIONS.len() + shop) as u64;
    let mut random = Random::new(world.seed(), Purpose::Returns, stream);
    for (t, &sold) in history.sold.iter().enumerate() {
        for _ in 0..random.binomial(sold, rate) {
            let day = t + 2 + random.poisson(4.0) as usize;
            if let Some(returned) = returned.get_mut(day) {
                *returned += 1;
            }
        }
    }
    returned
}

pub fn stock(out: &mut String, lots: &mut String, world: &World, item: &Item, counts: &[Count]) {
    for count in counts {
        let place = LOCATIONS[count.location].location_id;
        let date = world.date_text(count.day as usize);
        row!(
            out,
            "{},{place},{date},{},{},{}",
            item.item_id,
            item.shown(count.on_hand),
            item.shown(count.reserved),
            item.shown(count.backordered)
        );
        for lot in count.lots.iter().filter(|lot| lot.expires != NEVER) {
            let expires_on = world.date(lot.expires);
            let qty = item.shown(lot.qty);
            row!(lots, "{},{place},{date},L{expires_on},{qty},{expires_on}", item.item_id);
        }
    }
    if item.in_backup {
        let rate = item.log_rate.exp() * item.shops.len() as f64;
        let on_hand = (rate * 25.0).ceil() as i64;
        let date = world.date_text(world.days() - 1);
        let (place, on_hand) = (LOCATIONS[BACKUP].location_id, item.shown(on_hand));
        row!(out, "{},{place},{date},{on_hand},0,0", item.item_id);
    }
}

pub fn purchase_orders(out: &mut String, world: &World, item: &Item, history: &ItemHistory) -> u64 {
    let mut orders: Vec<(&Order, bool)> = history.received.iter().map(|o| (o, true)).collect();
    orders.extend(history.open.iter().map(|order| (order, false)));
    orders.sort_by_key(|(order, _)| (order.ordered_day, order.location));
    let mut written = 0;
    for (number, (order, received)) in orders.into_iter().enumerate() {
        let purchased = order.supplier.is_some();
        let kept = if purchased { PURCHASE_DAYS_KEPT } else { TRANSFER_DAYS_KEPT };
        if received && order.ordered_day < world.days() as i32 - kept {
            continue;
        }
        written += 1;
        purchase_order(out, world, item, number, order, received);
    }
    written
}

fn purchase_order(
    out: &mut String,
    world: &World,
    item: &Item,
    number: usize,
    order: &Order,
    received: bool,
) {
    let prefix = if order.supplier.is_some() { "PO" } else { "TR" };
    let supplier = order.supplier.map_or("", |s| world.suppliers[s].supplier_id.as_str());
    let cost = order.supplier.map(|_| item.unit_cost_minor(order.qty));
    row!(
        out,
        "{prefix}-{:05}-{number:04},1,{},{},{supplier},{},{},{},{},{},{},{},{CURRENCY},{}",
        item.index,
        item.item_id,
        LOCATIONS[order.location].location_id,
        order.source.map_or("", |source| LOCATIONS[source].location_id),
        world.date(order.ordered_day),
        world.date(order.expected_day),
        optional(received.then(|| world.date(order.due_day))),
        item.shown(order.qty),
        item.shown(if received { order.arriving_qty() } else { 0 }),
        optional(cost),
        if received { "received" } else { "open" },
    );
}

pub fn behaviour(out: &mut String, world: &World, item: &Item, counts: &[DayCounts]) {
    for day in counts {
        row!(
            out,
            "{},{},{},{},{},{},{},{}",
            item.item_id,
            LOCATIONS[ONLINE].location_id,
            world.date_text(day.day as usize),
            day.views,
            day.visitors,
            day.carts,
            day.favourites,
            day.orders,
        );
    }
}

/// The shop's clock is UTC+8, the log's is UTC.
pub fn event_log(out: &mut String, world: &World, hash: &str, events: &[ShopperEvent]) {
    for event in events {
        let utc = event.second - 8 * 3600;
        let (day, second) = if utc < 0 { (event.day - 1, utc + 86_400) } else { (event.day, utc) };
        row!(
            out,
            "{hash},{},{},{}T{:02}:{:02}:{:02}Z",
            world.items[event.item].item_id,
            event.event,
            world.date(day),
            second / 3600,
            second / 60 % 60,
            second % 60,
        );
    }
}

pub fn presale(out: &mut String, world: &World, item: &Item) {
    for (day, qty) in behaviour::presales(world, item) {
        row!(
            out,
            "{},{},{},{qty},{}",
            item.item_id,
            LOCATIONS[ONLINE].location_id,
            world.date(day),
            world.date(item.launch_day + 3),
        );
    }
}

pub fn promotions(out: &mut String, world: &World, promotions: &[Promotion]) {
    for promotion in promotions {
        let item_id = promotion.item.map_or("", |item| world.items[item].item_id.as_str());
        row!(
            out,
            "{},{item_id},{},,{},{},{},{}",
            promotion.promotion_id,
            world.categories()[promotion.category].name,
            world.date(promotion.first_day),
            world.date(promotion.last_day),
            promotion.depth,
            promotion.kind,
        );
    }
}

pub fn price_plan(out: &mut String, world: &World, item: &Item, commerce: &Commerce) {
    for (day, price_minor) in &commerce.price_plan {
        row!(out, "{},,{},{price_minor}", item.item_id, world.date(*day));
    }
}

pub fn calendar(out: &mut String, events: &[Event]) {
    for e in events {
        row!(
            out,
            "{},{},{},{},{},{},{},{},{},{}",
            e.event_id,
            e.name,
            e.kind,
            e.region,
            e.category,
            e.supplier_id,
            e.starts_on,
            e.ends_on,
            e.lead_days,
            e.lag_days
        );
    }
}

/// Observed up to the evening before the business date, forecast from it on.
pub fn weather(out: &mut String, world: &World) {
    for region in &world.weather {
        let observed =
            region.days[..world.days()].iter().enumerate().map(|(t, w)| (t, "observed", w));
        let forecast = region.forecast.iter().enumerate();
        let forecast = forecast.map(|(ahead, w)| (world.days() + ahead, "forecast", w));
        for (t, kind, w) in observed.chain(forecast) {
            row!(
                out,
                "{},{},{kind},{:.1},{:.1},{:.0},{:.1}",
                region.region,
                world.date(t as i32),
                w.temperature_c,
                w.precipitation_mm,
                w.humidity_pct,
                w.wind_ms,
            );
        }
    }
}

/// The days whose demand no file shows: censored ones, and the future. Returns the rows written.
pub fn truth(
    out: &mut String,
    world: &World,
    item: &Item,
    demand: &TrueDemand,
    history: &ShopHistory,
) -> u64 {
    let mut written = 0;
    for t in item.launch_day.max(0) as usize..world.len() {
        let kind = match history.available.get(t) {
            Some(available) if *available >= 1.0 => continue,
            Some(_) => "censored",
            None => "future",
        };
        written += 1;
        row!(
            out,
            "{},{},{},{kind},{:.4},{}",
            item.item_id,
            LOCATIONS[demand.shop].location_id,
            world.date_text(t),
            demand.mean[t],
            demand.drawn[t],
        );
    }
    written
}
