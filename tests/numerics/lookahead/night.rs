//! The night's decision looks ahead where that matters, says so, and its reason recomputes.

use granary_models::calendar::Day;
use granary_models::distribution::DemandPaths;
use granary_models::plan_sku::{ItemSupply, LocationSupply, OpenOrder, PlanConfig, plan_item};
use granary_models::policy::lead_time::LeadTime;
use granary_models::policy::order::Target;
use granary_models::policy::projection::Shortage;
use granary_models::policy::reason::{codes, recompute};
use granary_models::policy::terms::SupplyTerms;

use crate::exact::{paths, poisson};

fn item(life: Option<u32>, shortage: Shortage, lead_days: u32) -> ItemSupply<'static> {
    let rows = paths(&poisson(5.0), 256, 28, 5);
    let values = (0..256 * 28).map(|at| rows.row(at % 28)[at / 28] as f32).collect();
    let terms = SupplyTerms {
        lead_time: LeadTime::fixed(lead_days),
        unit_cost_minor: 300,
        currency: "EUR".to_owned(),
        supplier_id: "S".to_owned(),
        ..SupplyTerms::default()
    };
    let open = |day: i32| OpenOrder {
        po_id: format!("P{day}"),
        qty: 4,
        expected_on: Some(Day(20_000) + day),
        ..OpenOrder::default()
    };
    ItemSupply {
        item_id: "A".to_owned(),
        unit_cost_minor: 300,
        unit_price_minor: Some(800),
        shelf_life_days: life,
        shortage,
        target: Some(Target::Economics),
        locations: vec![LocationSupply {
            location_id: "L".to_owned(),
            demand: Some(DemandPaths { paths: 256, horizon: 28, values }),
            on_hand: 4,
            open_orders: (1..lead_days as i32).map(open).collect(),
            terms: vec![terms],
            ..LocationSupply::default()
        }],
        ..ItemSupply::default()
    }
}

fn check(item: &ItemSupply, looks: bool) {
    let (plan, _) = plan_item(item, Day(20_000), &PlanConfig::default());
    let reason = &plan.locations[0].reason;
    assert_eq!(reason.iter().any(|step| step.step == codes::LOOKAHEAD), looks);
    let ordered: i64 = plan.lines.iter().map(|line| line.qty).sum();
    assert_eq!(recompute(reason), Some(ordered));
    assert!(ordered > 0);
}

#[test]
fn it_looks_ahead_for_lost_sales_in_a_pipeline_and_for_goods_that_expire() {
    check(&item(None, Shortage::Lost, 4), true);
    check(&item(Some(4), Shortage::Lost, 1), true);
    check(&item(Some(4), Shortage::BackOrdered, 4), false);
    check(&item(None, Shortage::Lost, 1), false);
    check(&item(None, Shortage::BackOrdered, 4), false);
}

#[test]
fn a_service_target_is_met_as_before() {
    let mut item = item(None, Shortage::Lost, 4);
    item.target = Some(Target::Cycle(0.95));
    check(&item, false);
}
