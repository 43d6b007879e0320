//! What changes rarely: items, places, suppliers and their terms.

use anyhow::Context;
use granary_models::calendar::Day;

use super::{optional_day, rows};
use crate::store::db::Db;

#[derive(Clone, Debug)]
pub struct Item {
    pub item_id: String,
    pub category: String,
    pub base_uom: String,
    pub qty_decimals: u32,
    pub unit_cost_minor: Option<i64>,
    pub unit_price_minor: Option<i64>,
    pub currency: String,
    pub shelf_life_days: Option<i64>,
    pub launched_on: Option<Day>,
    pub status: String,
    pub weight_g: Option<i64>,
    pub volume_ml: Option<i64>,
    pub issue: String,
    /// Empty: as the job says.
    pub shortage: String,
    pub fill_target: Option<f64>,
    /// Empty where it follows nothing.
    pub supersedes_item_id: String,
    /// Empty: to be found.
    pub role: String,
    pub resaleable_share: Option<f64>,
    pub return_delay_days: u32,
    /// Base units.
    pub max_order_qty: Option<i64>,
}

pub async fn items(db: &mut Db) -> anyhow::Result<Vec<Item>> {
    let sql = "SELECT item_id, category, base_uom, qty_decimals, unit_cost_minor, unit_price_minor, \
               currency, shelf_life_days, launched_on, status, weight_g, volume_ml, issue, shortage, \
               fill_target, supersedes_item_id, role, resaleable_share, return_delay_days, \
               max_order_qty \
               FROM item ORDER BY item_id";
    rows(db, sql, &[], |row| {
        Ok(Item {
            item_id: row.try_get("item_id")?,
            category: row.try_get("category")?,
            base_uom: row.try_get("base_uom")?,
            qty_decimals: row.try_get("qty_decimals")?,
            unit_cost_minor: row.try_get("unit_cost_minor")?,
            unit_price_minor: row.try_get("unit_price_minor")?,
            currency: row.try_get("currency")?,
            shelf_life_days: row.try_get("shelf_life_days")?,
            launched_on: optional_day(row, "launched_on")?,
            status: row.try_get("status")?,
            weight_g: row.try_get("weight_g")?,
            volume_ml: row.try_get("volume_ml")?,
            issue: row.try_get("issue")?,
            shortage: row.try_get("shortage")?,
            fill_target: row.try_get("fill_target")?,
            supersedes_item_id: row.try_get("supersedes_item_id")?,
            role: row.try_get("role")?,
            resaleable_share: row.try_get("resaleable_share")?,
            return_delay_days: row.try_get("return_delay_days")?,
            max_order_qty: row.try_get("max_order_qty")?,
        })
    })
    .await
}

#[derive(Clone, Debug)]
pub struct Location {
    pub location_id: String,
    pub kind: String,
    pub region: String,
    /// Never empty where `region` is not.
    pub weather_region: String,
    pub capacity_qty: Option<i64>,
}

pub async fn locations(db: &mut Db) -> anyhow::Result<Vec<Location>> {
    let sql = "SELECT location_id, kind, region, \
               CASE weather_region WHEN '' THEN region ELSE weather_region END AS weather_region, \
               capacity_qty FROM location ORDER BY location_id";
    rows(db, sql, &[], |row| {
        Ok(Location {
            location_id: row.try_get("location_id")?,
            kind: row.try_get("kind")?,
            region: row.try_get("region")?,
            weather_region: row.try_get("weather_region")?,
            capacity_qty: row.try_get("capacity_qty")?,
        })
    })
    .await
}

#[derive(Clone, Debug)]
pub struct SupplyTerms {
    pub item_id: String,
    pub location_id: String,
    pub supplier_id: String,
    pub source_location_id: String,
    pub kind: String,
    pub priority: i64,
    pub lead_time_days: Option<i64>,
    pub review_days: Option<i64>,
    pub moq: Option<i64>,
    pub multiple: Option<i64>,
    pub pack_uom: String,
    pub unit_cost_minor: Option<i64>,
    pub currency: String,
    /// `[[min_qty, unit_cost_minor], …]`, by rising quantity.
    pub price_breaks: Vec<(i64, i64)>,
    pub shelf_life_days: Option<i64>,
    pub capacity_qty: Option<i64>,
    pub break_kind: String,
    pub landed_cost_minor: i64,
    pub fixed_cost_minor: i64,
    pub order_weekdays: String,
    pub cut_off: String,
}

pub async fn supply_terms(db: &mut Db) -> anyhow::Result<Vec<SupplyTerms>> {
    let sql = "SELECT * FROM supply_terms \
               ORDER BY item_id, location_id, priority, supplier_id, source_location_id";
    rows(db, sql, &[], |row| {
        let breaks = row.text("price_breaks")?;
        let mut price_breaks: Vec<(i64, i64)> = if breaks.is_empty() {
            Vec::new()
        } else {
            serde_json::from_str(breaks).with_context(|| format!("price_breaks {breaks:?}"))?
        };
        price_breaks.sort_unstable();
        Ok(SupplyTerms {
            item_id: row.try_get("item_id")?,
            location_id: row.try_get("location_id")?,
            supplier_id: row.try_get("supplier_id")?,
            source_location_id: row.try_get("source_location_id")?,
            kind: row.try_get("kind")?,
            priority: row.try_get("priority")?,
            lead_time_days: row.try_get("lead_time_days")?,
            review_days: row.try_get("review_days")?,
            moq: row.try_get("moq")?,
            multiple: row.try_get("multiple")?,
            pack_uom: row.try_get("pack_uom")?,
            unit_cost_minor: row.try_get("unit_cost_minor")?,
            currency: row.try_get("currency")?,
            price_breaks,
            shelf_life_days: row.try_get("shelf_life_days")?,
            capacity_qty: row.try_get("capacity_qty")?,
            break_kind: row.try_get("break_kind")?,
            landed_cost_minor: row.try_get("landed_cost_minor")?,
            fixed_cost_minor: row.try_get("fixed_cost_minor")?,
            order_weekdays: row.try_get("order_weekdays")?,
            cut_off: row.try_get("cut_off")?,
        })
    })
    .await
}

/// Rules of a supplier that hold over all lines of an order.
#[derive(Clone, Debug)]
pub struct Supplier {
    pub supplier_id: String,
    pub currency: String,
    /// Base units.
    pub min_order_qty: Option<i64>,
    pub min_order_value_minor: Option<i64>,
    /// Base units.
    pub capacity_qty: Option<i64>,
    pub container_weight_g: Option<i64>,
    pub container_volume_ml: Option<i64>,
    pub container_cost_minor: Option<i64>,
}

pub async fn suppliers(db: &mut Db) -> anyhow::Result<Vec<Supplier>> {
    let sql = "SELECT * FROM supplier ORDER BY supplier_id";
    rows(db, sql, &[], |row| {
        Ok(Supplier {
            supplier_id: row.try_get("supplier_id")?,
            currency: row.try_get("currency")?,
            min_order_qty: row.try_get("min_order_qty")?,
            min_order_value_minor: row.try_get("min_order_value_minor")?,
            capacity_qty: row.try_get("capacity_qty")?,
            container_weight_g: row.try_get("container_weight_g")?,
            container_volume_ml: row.try_get("container_volume_ml")?,
            container_cost_minor: row.try_get("container_cost_minor")?,
        })
    })
    .await
}

#[derive(Clone, Debug)]
pub struct Stocking {
    pub item_id: String,
    pub location_id: String,
    pub presentation_min_qty: i64,
    pub reserve_qty: i64,
}

pub async fn stocking(db: &mut Db) -> anyhow::Result<Vec<Stocking>> {
    let sql = "SELECT item_id, location_id, presentation_min_qty, reserve_qty FROM stocking \
               ORDER BY item_id, location_id";
    rows(db, sql, &[], |row| {
        Ok(Stocking {
            item_id: row.try_get("item_id")?,
            location_id: row.try_get("location_id")?,
            presentation_min_qty: row.try_get("presentation_min_qty")?,
            reserve_qty: row.try_get("reserve_qty")?,
        })
    })
    .await
}
