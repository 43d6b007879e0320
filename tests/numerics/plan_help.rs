//! Small items to plan.

use granary_models::calendar::Day;
use granary_models::distribution::DemandPaths;
use granary_models::plan_sku::{ItemSupply, LocationKind, LocationSupply, OpenOrder};
use granary_models::policy::lead_time::LeadTime;
use granary_models::policy::order::Target;
use granary_models::policy::terms::{SupplyKind, SupplyTerms};

/// 2025-10-20.
pub const TODAY: Day = Day(20_381);

/// Certain demand of `daily` on every day.
pub fn flat(daily: f32) -> Option<DemandPaths> {
    Some(DemandPaths { paths: 8, horizon: 28, values: vec![daily; 8 * 28] })
}

/// From supplier `S`, exactly `lead_time_days` after the order.
pub fn purchase(lead_time_days: u32, review_days: u32) -> SupplyTerms {
    SupplyTerms {
        kind: SupplyKind::Purchase,
        priority: 1,
        supplier_id: "S".to_owned(),
        source: None,
        lead_time: LeadTime::fixed(lead_time_days),
        review_days,
        moq: 0,
        multiple: 1,
        pack_uom: String::new(),
        unit_cost_minor: 100,
        currency: "EUR".to_owned(),
        ..SupplyTerms::default()
    }
}

pub fn transfer(source: usize, lead_time_days: u32, review_days: u32) -> SupplyTerms {
    SupplyTerms {
        kind: SupplyKind::Transfer,
        supplier_id: String::new(),
        source: Some(source),
        ..purchase(lead_time_days, review_days)
    }
}

pub fn location(
    id: &str,
    kind: LocationKind,
    on_hand: i64,
    terms: Vec<SupplyTerms>,
) -> LocationSupply<'static> {
    LocationSupply { location_id: id.to_owned(), kind, on_hand, terms, ..Default::default() }
}

pub fn item(locations: Vec<LocationSupply<'static>>) -> ItemSupply<'static> {
    ItemSupply {
        item_id: "A".to_owned(),
        currency: "EUR".to_owned(),
        unit_cost_minor: 100,
        target: Some(Target::Cycle(0.95)),
        locations,
        ..ItemSupply::default()
    }
}

/// Ordered `ordered` days from today, due `due` days from today; negative is the past.
pub fn open_order(po_id: &str, qty: i64, ordered: i32, due: i32) -> OpenOrder {
    OpenOrder {
        po_id: po_id.to_owned(),
        line_no: "1".to_owned(),
        qty,
        ordered_on: Some(TODAY + ordered),
        expected_on: Some(TODAY + due),
        lead_time: LeadTime::fixed(6),
        ..OpenOrder::default()
    }
}
