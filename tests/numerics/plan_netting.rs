//! What is there and what is coming, in the cases that double or drop orders elsewhere.
//!
//! Ten a day for certain, 50 on hand, three days of lead time, a review each week: the order covers
//! days 3 to 9, 20 are left by day 3, so 50 are ordered unless a case says otherwise.

use granary_models::plan_sku::{ItemStatus, ItemSupply, LocationKind, Lot, PlanConfig, plan_item};
use granary_models::policy::order::Target;
use granary_models::policy::projection::Shortage;
use granary_models::policy::reason::{codes, recompute};
use granary_models::policy::terms::{ClosedWindow, PriceBreak};

use crate::plan_help::{TODAY, flat, item, location, open_order, purchase};

fn base() -> ItemSupply<'static> {
    let mut shop = location("L", LocationKind::Store, 50, vec![purchase(3, 7)]);
    shop.demand = flat(10.0);
    item(vec![shop])
}

fn check(name: &str, change: impl Fn(&mut ItemSupply), qty: i64, found: &[&str]) {
    let mut item = base();
    change(&mut item);
    let (plan, findings) = plan_item(&item, TODAY, &PlanConfig::default());
    let ordered: i64 = plan.lines.iter().map(|line| line.qty).sum();
    let reason = &plan.locations[0].reason;
    assert_eq!(ordered, qty, "{name}: {reason:#?}");
    // Without terms nothing was decided, so there is nothing to give a reason for.
    let decided = !item.locations[0].terms.is_empty();
    assert_eq!(recompute(reason), decided.then_some(qty), "{name}: {reason:#?}");
    let codes: Vec<&str> = findings.iter().map(|(_, f)| f.code.as_str()).collect();
    assert_eq!(codes, found, "{name}");
}

#[test]
fn orders_on_their_way_count_once_on_their_day() {
    check("nothing special", |_| {}, 50, &[]);
    check("in time", |i| i.locations[0].open_orders = vec![open_order("1", 30, -2, 1)], 20, &[]);
    check(
        "between the two arrivals: too late for the days before it",
        |i| i.locations[0].open_orders = vec![open_order("1", 30, -2, 8)],
        30,
        &[],
    );
    check(
        "beyond the horizon: neither hides the shortage nor is asked for again",
        |i| i.locations[0].open_orders = vec![open_order("1", 500, -2, 60)],
        50,
        &[],
    );
    check(
        "on the day the next order arrives",
        |i| i.locations[0].open_orders = vec![open_order("1", 500, -2, 10)],
        50,
        &[],
    );
    check(
        "the same line twice",
        |i| i.locations[0].open_orders = vec![open_order("1", 30, -2, 1); 2],
        20,
        &["order_duplicate"],
    );
    check("due today", |i| i.locations[0].open_orders = vec![open_order("1", 30, -2, 0)], 20, &[]);
    check(
        // Older than any on record: a lead time of six days from now on.
        "late",
        |i| i.locations[0].open_orders = vec![open_order("1", 30, -10, -4)],
        20,
        &["order_late"],
    );
    check(
        // Three of six days old: three more, as a matter of course.
        "due yesterday by an optimistic date",
        |i| i.locations[0].open_orders = vec![open_order("1", 30, -3, -1)],
        20,
        &["order_late"],
    );
    check(
        "open over nothing",
        |i| i.locations[0].open_orders = vec![open_order("1", 0, -3, 1)],
        50,
        &["bad_stock"],
    );
}

#[test]
fn only_stock_that_can_be_sold_counts() {
    let lot = |qty, days| Lot { qty, expires_on: TODAY + days };
    check("a lot that lasts", |i| i.locations[0].lots = vec![lot(40, 20)], 50, &[]);
    check("half a lot expires unsold", |i| i.locations[0].lots = vec![lot(40, 1)], 70, &[]);
    check(
        "a lot has expired",
        |i| i.locations[0].lots = vec![lot(20, -1)],
        70,
        &["expiring_stock"],
    );
    check("lots over the count", |i| i.locations[0].lots = vec![lot(70, 20)], 50, &["bad_stock"]);
    check("reserved", |i| i.locations[0].reserved = 10, 60, &[]);
    check("more reserved than there", |i| i.locations[0].reserved = 80, 100, &["negative_stock"]);
    check("owed to shoppers", |i| i.locations[0].backordered = 10, 60, &[]);
    check("a negative count", |i| i.locations[0].on_hand = -5, 70, &["bad_stock"]);
    check(
        "back-orders wait for it",
        |i| {
            i.locations[0].on_hand = 0;
            i.shortage = Shortage::BackOrdered;
        },
        100,
        &[],
    );
    check("plenty", |i| i.locations[0].on_hand = 5_000, 0, &[]);
}

#[test]
fn the_supplier_decides_what_can_be_ordered() {
    fn terms<'a>(i: &'a mut ItemSupply) -> &'a mut granary_models::policy::terms::SupplyTerms {
        &mut i.locations[0].terms[0]
    }
    check(
        "MOQ below the next multiple",
        |i| {
            i.locations[0].on_hand = 95;
            (terms(i).moq, terms(i).multiple) = (10, 4);
        },
        12,
        &[],
    );
    check("capacity", |i| terms(i).capacity_qty = Some(40), 40, &["capacity_cut"]);
    check(
        "MOQ over capacity",
        |i| {
            terms(i).moq = 100;
            terms(i).capacity_qty = Some(40);
        },
        0,
        &["moq_over_capacity"],
    );
    check("no review days", |i| terms(i).review_days = 0, 0, &["bad_terms"]);
    check("no multiple", |i| terms(i).multiple = 0, 50, &["bad_terms"]);
    check("no terms", |i| i.locations[0].terms.clear(), 0, &["no_supply_terms"]);
    check(
        "a price break nearby",
        |i| terms(i).price_breaks = vec![PriceBreak { min_qty: 60, unit_cost_minor: 90 }],
        60,
        &[],
    );
    check(
        "a price break for years",
        |i| terms(i).price_breaks = vec![PriceBreak { min_qty: 60_000, unit_cost_minor: 90 }],
        50,
        &[],
    );
    check(
        "closed over the next review: ahead for days 3 to 23",
        |i| terms(i).closed = vec![ClosedWindow { from: TODAY + 5, to: TODAY + 20 }],
        190,
        &["supplier_closed"],
    );
    check(
        "closed on the day of arrival: there on day 9, the next leaves then and takes three",
        |i| terms(i).closed = vec![ClosedWindow { from: TODAY + 1, to: TODAY + 8 }],
        30,
        &["supplier_closed"],
    );
    check(
        "closed now: leaves on day 5, for days 8 to 14",
        |i| terms(i).closed = vec![ClosedWindow { from: TODAY - 1, to: TODAY + 4 }],
        70,
        &["supplier_closed"],
    );
    check(
        "past the forecast its last week goes on",
        |i| terms(i).review_days = 40,
        380,
        &["horizon_short"],
    );
}

#[test]
fn an_item_that_ends_is_not_ordered() {
    check(
        "discontinued with an open order",
        |i| {
            i.status = ItemStatus::Discontinued;
            i.locations[0].open_orders = vec![open_order("1", 30, -2, 1)];
        },
        0,
        &["open_order_discontinued"],
    );
    check("phase-out", |i| i.status = ItemStatus::PhaseOut, 0, &[]);
}

#[test]
fn perishables_are_ordered_for_their_life() {
    // Five days from receipt: what is there sells on days 0 to 4, the order on days 3 to 7.
    check("shelf life", |i| i.shelf_life_days = Some(5), 30, &[]);
    check(
        "an MOQ that would expire",
        |i| {
            i.shelf_life_days = Some(5);
            i.locations[0].terms[0].moq = 100;
        },
        0,
        &["moq_over_shelf_life"],
    );
    check(
        "an MOQ a little over, still worth it",
        |i| {
            i.shelf_life_days = Some(5);
            i.locations[0].terms[0].moq = 32;
        },
        32,
        &[],
    );
}

#[test]
fn holes_in_the_paths_are_reported_and_not_ordered_for() {
    check(
        "not a number",
        |i| i.locations[0].demand.as_mut().expect("demand").values.fill(f32::NAN),
        0,
        &["bad_demand_paths"],
    );
    let mut short = base();
    short.locations[0].demand.as_mut().expect("demand").values.pop();
    let (plan, findings) = plan_item(&short, TODAY, &PlanConfig::default());
    assert!(plan.lines.is_empty());
    assert_eq!(findings[0].1.code.as_str(), "bad_demand_paths");
}

#[test]
fn the_line_and_the_projection_agree() {
    let item = base();
    let (plan, _) = plan_item(&item, TODAY, &PlanConfig::default());
    let line = &plan.lines[0];
    assert_eq!((line.order_on, line.expected_on, line.need_on), (TODAY, TODAY + 3, TODAY + 5));
    assert_eq!((line.fill_without, line.fill_with), (20.0 / 70.0, 1.0));
    let projection = &plan.locations[0].projection;
    assert_eq!(projection.from, TODAY);
    assert_eq!(projection.p50_without[..7], [40, 30, 20, 10, 0, 0, 0]);
    assert_eq!(projection.p50[..11], [40, 30, 20, 60, 50, 40, 30, 20, 10, 0, 0]);
    assert_eq!(projection.receipts[..5], [0, 0, 0, 50, 0]);
    let kpi = plan.locations[0].kpi;
    assert_eq!((kpi.expected_demand, kpi.expected_lost_without), (280.0, 230.0));
    assert_eq!((kpi.expected_lost, kpi.stock_value_minor), (180.0, 5_000));
    assert_eq!(kpi.days_of_cover, Some(5.0));
    let steps: Vec<(&str, i64)> = line.reason.iter().map(|s| (s.step, s.value)).collect();
    assert_eq!(
        steps,
        [
            (codes::PROTECTION_INTERVAL, 10),
            (codes::SERVICE_TARGET, 9_500),
            (codes::EXPECTED_DEMAND, 100),
            (codes::ON_HAND, -50),
            (codes::SAFETY_STOCK, 0),
            (codes::NET_NEED, 50),
            (codes::FINAL, 50),
        ]
    );
}

#[test]
fn what_is_out_already_is_needed_today() {
    for (on_hand, days) in [(0, 0), (15, 1), (25, 2), (30, 3), (50, 5)] {
        let mut item = base();
        item.locations[0].on_hand = on_hand;
        let (plan, _) = plan_item(&item, TODAY, &PlanConfig::default());
        assert_eq!(plan.lines[0].need_on, TODAY + days, "{on_hand} on hand");
    }
}

#[test]
fn a_setting_out_of_range_is_named() {
    assert_eq!(PlanConfig::default().check(), Ok(()));
    let config = PlanConfig { default_margin: 1.0, ..PlanConfig::default() };
    let error = config.check().expect_err("a margin of the whole price");
    assert_eq!(error.to_string(), "default_margin should be in [0, 1), but is 1");
    for target in [Target::Cycle(1.0), Target::Fill(f64::NAN)] {
        assert!(PlanConfig { target, ..PlanConfig::default() }.check().is_err());
    }
}
