//! One item at one location: the straight path from demand paths to a line.

use granary_models::calendar::Day;
use granary_models::distribution::DemandPaths;
use granary_models::plan_sku::{ItemSupply, LocationSupply, OpenOrder, PlanConfig, plan_item};
use granary_models::policy::lead_time::LeadTime;
use granary_models::policy::order::Target;
use granary_models::policy::reason::recompute;
use granary_models::policy::terms::{SupplyKind, SupplyTerms};

const TODAY: Day = Day(20_381);

fn flat(paths: usize, horizon: usize, daily: f32) -> DemandPaths {
    DemandPaths { paths, horizon, values: vec![daily; paths * horizon] }
}

fn terms(lead_time_days: u32, review_days: u32) -> SupplyTerms {
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
        price_breaks: Vec::new(),
        shelf_life_days: None,
        capacity_qty: None,
        closed: Vec::new(),
    }
}

fn item(location: LocationSupply<'static>) -> ItemSupply<'static> {
    ItemSupply {
        item_id: "A".to_owned(),
        currency: "EUR".to_owned(),
        unit_cost_minor: 100,
        target: Some(Target::Cycle(0.95)),
        locations: vec![location],
        ..ItemSupply::default()
    }
}

#[test]
fn certain_demand_is_ordered_exactly() {
    // 10 a day; arrives in 3 days, the next one in 10: days 3 to 9 want 70, 20 of 50 are left then.
    let location = LocationSupply {
        location_id: "L".to_owned(),
        demand: Some(flat(8, 28, 10.0)),
        on_hand: 50,
        terms: vec![terms(3, 7)],
        ..LocationSupply::default()
    };
    let item = item(location);
    let (plan, findings) = plan_item(&item, TODAY, &PlanConfig::default());
    assert!(findings.is_empty(), "{findings:?}");
    let line = &plan.lines[0];
    assert_eq!((line.qty, line.order_on, line.expected_on), (50, TODAY, TODAY + 3));
    assert_eq!(line.need_on, TODAY + 5);
    assert_eq!(recompute(&line.reason), Some(50));
    let projection = &plan.locations[0].projection;
    assert_eq!(projection.p50_without[..7], [40, 30, 20, 10, 0, 0, 0]);
    assert_eq!(projection.p50[..11], [40, 30, 20, 60, 50, 40, 30, 20, 10, 0, 0]);
    assert_eq!(line.reorder_line(&item, TODAY).line_key, "2025-10-20/purchase/A/L/S");
}

#[test]
fn an_open_order_counts_once_and_on_its_day() {
    let order = OpenOrder {
        po_id: "P1".to_owned(),
        line_no: "1".to_owned(),
        qty: 30,
        ordered_on: Some(TODAY - 2),
        expected_on: Some(TODAY + 1),
        lead_time: LeadTime::fixed(3),
    };
    let location = LocationSupply {
        location_id: "L".to_owned(),
        demand: Some(flat(8, 28, 10.0)),
        on_hand: 50,
        open_orders: vec![order.clone(), order],
        terms: vec![terms(3, 7)],
        ..LocationSupply::default()
    };
    let (plan, findings) = plan_item(&item(location), TODAY, &PlanConfig::default());
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].1.code.as_str(), "order_duplicate");
    assert_eq!(plan.lines[0].qty, 20);
    assert_eq!(plan.locations[0].projection.receipts[..4], [0, 30, 0, 20]);
}
