//! What a night reads: input tables as plain rows.

pub mod master;

use anyhow::Context;
use granary_models::calendar::Day;

use super::db::{self, Db, Row};
use crate::config::Defaults;

/// A day in a text column. The import checked it; a hand-written row may still be wrong.
fn day(row: &Row, column: &'static str) -> anyhow::Result<Day> {
    row.text(column)?.parse().with_context(|| format!("column {column}"))
}

fn optional_day(row: &Row, column: &'static str) -> anyhow::Result<Option<Day>> {
    let text = row.optional_text(column)?;
    text.map(|text| text.parse().with_context(|| format!("column {column}"))).transpose()
}

async fn rows<T>(
    db: &mut Db,
    sql: &'static str,
    bounds: &[Day],
    read: impl Fn(&Row) -> anyhow::Result<T>,
) -> anyhow::Result<Vec<T>> {
    let mut query = db::query(sql);
    for bound in bounds {
        query = query.bind(*bound);
    }
    let mut all = Vec::new();
    let found = query.each(db, |row| {
        all.push(read(&row)?);
        Ok::<(), anyhow::Error>(())
    });
    found.await.with_context(|| format!("reading: {sql}"))?;
    Ok(all)
}

#[derive(Clone, Debug)]
pub struct Stock {
    pub item_id: String,
    pub location_id: String,
    pub date: Day,
    pub on_hand: i64,
    pub reserved: i64,
    pub backordered: i64,
}

/// The newest count before the business date, per item and location.
pub async fn stock(db: &mut Db, business_date: Day) -> anyhow::Result<Vec<Stock>> {
    let sql = "SELECT s.item_id, s.location_id, s.date, s.on_hand, s.reserved, s.backordered \
               FROM stock s JOIN (SELECT item_id, location_id, max(date) AS date FROM stock \
                                  WHERE date < $1 GROUP BY item_id, location_id) newest \
               USING (item_id, location_id, date) ORDER BY item_id, location_id";
    rows(db, sql, &[business_date], |row| {
        Ok(Stock {
            item_id: row.try_get("item_id")?,
            location_id: row.try_get("location_id")?,
            date: day(row, "date")?,
            on_hand: row.try_get("on_hand")?,
            reserved: row.try_get("reserved")?,
            backordered: row.try_get("backordered")?,
        })
    })
    .await
}

#[derive(Clone, Debug)]
pub struct MeanStock {
    pub item_id: String,
    pub location_id: String,
    /// Smallest units, over the counts of the period.
    pub on_hand: f64,
}

/// Mean stock over the counts from `from` up to the business date.
pub async fn mean_stock(
    db: &mut Db,
    from: Day,
    business_date: Day,
) -> anyhow::Result<Vec<MeanStock>> {
    let sql = "SELECT item_id, location_id, CAST(avg(on_hand) AS DOUBLE PRECISION) AS on_hand FROM stock \
               WHERE date >= $1 AND date < $2 GROUP BY item_id, location_id \
               ORDER BY item_id, location_id";
    rows(db, sql, &[from, business_date], |row| {
        Ok(MeanStock {
            item_id: row.try_get("item_id")?,
            location_id: row.try_get("location_id")?,
            on_hand: row.try_get("on_hand")?,
        })
    })
    .await
}

#[derive(Clone, Debug)]
pub struct Lot {
    pub item_id: String,
    pub location_id: String,
    pub date: Day,
    pub qty: i64,
    pub expires_on: Day,
}

/// Lots of the newest count before the business date.
pub async fn lots(db: &mut Db, business_date: Day) -> anyhow::Result<Vec<Lot>> {
    let sql = "SELECT l.item_id, l.location_id, l.date, l.qty, l.expires_on \
               FROM stock_lot l JOIN (SELECT item_id, location_id, max(date) AS date FROM stock \
                                      WHERE date < $1 GROUP BY item_id, location_id) newest \
               USING (item_id, location_id, date) \
               ORDER BY l.item_id, l.location_id, l.expires_on, l.lot_id";
    rows(db, sql, &[business_date], |row| {
        Ok(Lot {
            item_id: row.try_get("item_id")?,
            location_id: row.try_get("location_id")?,
            date: day(row, "date")?,
            qty: row.try_get("qty")?,
            expires_on: day(row, "expires_on")?,
        })
    })
    .await
}

#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    pub po_id: String,
    pub line_no: String,
    pub item_id: String,
    pub location_id: String,
    pub supplier_id: String,
    pub source_location_id: String,
    pub ordered_on: Option<Day>,
    pub expected_on: Option<Day>,
    /// `None` on an order that was open at the business date, whatever happened later.
    pub received_on: Option<Day>,
    pub qty: i64,
    pub received_qty: i64,
    pub unit_cost_minor: Option<i64>,
    pub cancelled: bool,
    /// Of the released line that it came from; empty where the upstream does not say.
    pub released_line_key: String,
}

/// Orders placed before the business date, as they stood then.
pub async fn orders(db: &mut Db, business_date: Day) -> anyhow::Result<Vec<Order>> {
    let sql = "SELECT po_id, line_no, item_id, location_id, supplier_id, source_location_id, \
               ordered_on, expected_on, received_on, qty, received_qty, unit_cost_minor, state, \
               released_line_key FROM purchase_order \
               WHERE coalesce(ordered_on, expected_on, received_on, '') < $1 \
               ORDER BY item_id, location_id, po_id, line_no";
    rows(db, sql, &[business_date], |row| order(row, business_date)).await
}

/// The same of one item at one location.
pub async fn orders_of(
    db: &mut Db,
    business_date: Day,
    item_id: &str,
    location_id: &str,
) -> anyhow::Result<Vec<Order>> {
    let found = db::query(
        "SELECT po_id, line_no, item_id, location_id, supplier_id, source_location_id, \
         ordered_on, expected_on, received_on, qty, received_qty, unit_cost_minor, state, \
         released_line_key FROM purchase_order \
         WHERE coalesce(ordered_on, expected_on, received_on, '') < $1 \
         AND item_id = $2 AND location_id = $3 ORDER BY po_id, line_no",
    )
    .bind(business_date)
    .bind(item_id)
    .bind(location_id)
    .rows(db)
    .await?;
    found.iter().map(|row| order(row, business_date)).collect()
}

fn order(row: &Row, business_date: Day) -> anyhow::Result<Order> {
    let received_on = optional_day(row, "received_on")?;
    let received_later = received_on.is_some_and(|day| day >= business_date);
    let received_on = received_on.filter(|_| !received_later);
    let state = row.text("state")?;
    Ok(Order {
        po_id: row.try_get("po_id")?,
        line_no: row.try_get("line_no")?,
        item_id: row.try_get("item_id")?,
        location_id: row.try_get("location_id")?,
        supplier_id: row.try_get("supplier_id")?,
        source_location_id: row.try_get("source_location_id")?,
        ordered_on: optional_day(row, "ordered_on")?,
        expected_on: optional_day(row, "expected_on")?,
        received_on,
        qty: row.try_get("qty")?,
        // What came since was on its way then. A day that is run again must not order it anew.
        received_qty: if received_later { 0 } else { row.try_get("received_qty")? },
        unit_cost_minor: row.try_get("unit_cost_minor")?,
        cancelled: state == "cancelled",
        released_line_key: row.try_get("released_line_key")?,
    })
}

#[derive(Clone, Debug)]
pub struct Promotion {
    pub item_id: String,
    pub category: String,
    pub location_id: String,
    pub starts_on: Day,
    pub ends_on: Day,
    pub depth: f64,
}

pub async fn promotions(db: &mut Db) -> anyhow::Result<Vec<Promotion>> {
    let sql = "SELECT item_id, category, location_id, starts_on, ends_on, depth FROM promotion \
               ORDER BY promotion_id, item_id, location_id";
    rows(db, sql, &[], |row| {
        Ok(Promotion {
            item_id: row.try_get("item_id")?,
            category: row.try_get("category")?,
            location_id: row.try_get("location_id")?,
            starts_on: day(row, "starts_on")?,
            ends_on: day(row, "ends_on")?,
            depth: row.try_get("depth")?,
        })
    })
    .await
}

#[derive(Clone, Debug)]
pub struct CalendarEvent {
    pub event_id: String,
    pub name: String,
    pub kind: String,
    pub region: String,
    pub category: String,
    pub supplier_id: String,
    /// Empty for every item.
    pub item_id: String,
    pub starts_on: Day,
    pub ends_on: Day,
    pub lead_days: i32,
    pub lag_days: i32,
}

pub async fn calendar_events(db: &mut Db) -> anyhow::Result<Vec<CalendarEvent>> {
    let sql = "SELECT event_id, name, kind, region, category, supplier_id, item_id, starts_on, \
               ends_on, lead_days, lag_days FROM calendar_event \
               ORDER BY starts_on, event_id, region, category, supplier_id, item_id";
    rows(db, sql, &[], |row| {
        Ok(CalendarEvent {
            event_id: row.try_get("event_id")?,
            name: row.try_get("name")?,
            kind: row.try_get("kind")?,
            region: row.try_get("region")?,
            category: row.try_get("category")?,
            supplier_id: row.try_get("supplier_id")?,
            item_id: row.try_get("item_id")?,
            starts_on: day(row, "starts_on")?,
            ends_on: day(row, "ends_on")?,
            lead_days: row.try_get("lead_days")?,
            lag_days: row.try_get("lag_days")?,
        })
    })
    .await
}

#[derive(Clone, Debug)]
pub struct WeatherDay {
    pub region: String,
    pub date: Day,
    pub temperature_c: Option<f64>,
    pub precipitation_mm: Option<f64>,
    pub humidity_pct: Option<f64>,
}

/// Observed up to the business date, forecast from it on: a replay of an old date must not see
/// weather that nobody knew then.
pub async fn weather(db: &mut Db, business_date: Day) -> anyhow::Result<Vec<WeatherDay>> {
    let sql = "SELECT region, date, temperature_c, precipitation_mm, humidity_pct FROM weather \
               WHERE (kind = 'observed') = (date < $1) ORDER BY region, date";
    rows(db, sql, &[business_date], |row| {
        Ok(WeatherDay {
            region: row.try_get("region")?,
            date: day(row, "date")?,
            temperature_c: row.try_get("temperature_c")?,
            precipitation_mm: row.try_get("precipitation_mm")?,
            humidity_pct: row.try_get("humidity_pct")?,
        })
    })
    .await
}

#[derive(Clone, Debug)]
pub struct PricePlan {
    pub item_id: String,
    pub location_id: String,
    pub starts_on: Day,
    pub price_minor: i64,
}

pub async fn price_plan(db: &mut Db) -> anyhow::Result<Vec<PricePlan>> {
    let sql = "SELECT item_id, location_id, starts_on, price_minor FROM price_plan \
               ORDER BY item_id, location_id, starts_on";
    rows(db, sql, &[], |row| {
        Ok(PricePlan {
            item_id: row.try_get("item_id")?,
            location_id: row.try_get("location_id")?,
            starts_on: day(row, "starts_on")?,
            price_minor: row.try_get("price_minor")?,
        })
    })
    .await
}

#[derive(Clone, Debug)]
pub struct Behaviour {
    pub item_id: String,
    pub date: Day,
    pub views: i64,
    pub carts: i64,
    pub favourites: i64,
}

/// Daily views, carts and favourites of every item, summed over places.
pub async fn behaviour(
    db: &mut Db,
    from: Day,
    business_date: Day,
) -> anyhow::Result<Vec<Behaviour>> {
    let sql = "SELECT item_id, date, CAST(sum(views) AS BIGINT) AS views, \
               CAST(sum(carts) AS BIGINT) AS carts, CAST(sum(favourites) AS BIGINT) AS favourites \
               FROM behaviour WHERE date >= $1 AND date < $2 \
               GROUP BY item_id, date ORDER BY item_id, date";
    rows(db, sql, &[from, business_date], |row| {
        Ok(Behaviour {
            item_id: row.try_get("item_id")?,
            date: day(row, "date")?,
            views: row.try_get("views")?,
            carts: row.try_get("carts")?,
            favourites: row.try_get("favourites")?,
        })
    })
    .await
}

#[derive(Clone, Debug)]
pub struct ShopperEvent {
    pub shopper_hash: String,
    pub item_id: String,
    pub event: String,
    pub date: Day,
}

pub async fn event_log(
    db: &mut Db,
    from: Day,
    business_date: Day,
) -> anyhow::Result<Vec<ShopperEvent>> {
    let sql = "SELECT shopper_hash, item_id, event, substr(at, 1, 10) AS date FROM event_log \
               WHERE at >= $1 AND at < $2 ORDER BY shopper_hash, item_id, event, at";
    rows(db, sql, &[from, business_date], |row| {
        Ok(ShopperEvent {
            shopper_hash: row.try_get("shopper_hash")?,
            item_id: row.try_get("item_id")?,
            event: row.try_get("event")?,
            date: day(row, "date")?,
        })
    })
    .await
}

#[derive(Clone, Debug)]
pub struct Presale {
    pub item_id: String,
    pub location_id: String,
    pub date: Day,
    pub qty: i64,
    pub promised_on: Option<Day>,
}

pub async fn presales(db: &mut Db, business_date: Day) -> anyhow::Result<Vec<Presale>> {
    let sql = "SELECT item_id, location_id, date, qty, promised_on FROM presale WHERE date < $1 \
               ORDER BY item_id, location_id, date";
    rows(db, sql, &[business_date], |row| {
        Ok(Presale {
            item_id: row.try_get("item_id")?,
            location_id: row.try_get("location_id")?,
            date: day(row, "date")?,
            qty: row.try_get("qty")?,
            promised_on: optional_day(row, "promised_on")?,
        })
    })
    .await
}

/// The `[defaults]` of the import maps. Keys that only the import uses are passed over.
pub async fn import_defaults(db: &mut Db) -> anyhow::Result<Defaults> {
    let pairs: Vec<(String, String)> =
        db::query_as("SELECT key, value FROM import_default ORDER BY key").fetch_all(db).await?;
    let mut defaults = Defaults::default();
    for (key, value) in pairs {
        let whole =
            || value.parse::<i64>().with_context(|| format!("import default {key} = {value:?}"));
        let real =
            || value.parse::<f64>().with_context(|| format!("import default {key} = {value:?}"));
        match key.as_str() {
            "lead_time_days" => defaults.lead_time_days = Some(whole()?),
            "review_days" => defaults.review_days = Some(whole()?),
            "moq" => defaults.moq = Some(whole()?),
            "multiple" => defaults.multiple = Some(whole()?),
            "unit_cost_minor" => defaults.unit_cost_minor = Some(whole()?),
            "unit_price_minor" => defaults.unit_price_minor = Some(whole()?),
            "currency" => defaults.currency = Some(value.clone()),
            "supplier_id" => defaults.supplier_id = Some(value.clone()),
            "on_hand_cover_days" => defaults.on_hand_cover_days = Some(real()?),
            "service_level" => defaults.service_level = Some(real()?),
            _ => {}
        }
    }
    Ok(defaults)
}
