//! Nasty netting cases, and where a popular ERP is known to get one wrong.
//!
//! Ten a day for certain, 50 on hand, three days of lead time, a review each week: the order covers
//! days 3 to 9, 20 are left by day 3, so 50 are ordered unless a case says otherwise.

use granary_models::plan::line::order_units;
use granary_models::plan_sku::{
    ItemStatus, ItemSupply, LocationKind, OpenOrder, PlanConfig, plan_item,
};
use granary_models::policy::lead_time::LeadTime;
use granary_models::policy::projection::Shortage;
use granary_models::policy::reason::recompute;
use granary_models::policy::terms::SupplyTerms;
use granary_models::policy::unit::QtyUnit;

use crate::plan_help::{TODAY, flat, item, location, open_order, purchase};

fn base() -> ItemSupply<'static> {
    let mut shop = location("L", LocationKind::Store, 50, vec![purchase(3, 7)]);
    shop.demand = flat(10.0);
    item(vec![shop])
}

fn terms<'a>(i: &'a mut ItemSupply) -> &'a mut SupplyTerms {
    &mut i.locations[0].terms[0]
}

fn ordered(item: &ItemSupply) -> i64 {
    let (plan, _) = plan_item(item, TODAY, &PlanConfig::default());
    let qty: i64 = plan.lines.iter().map(|line| line.qty).sum();
    assert_eq!(recompute(&plan.locations[0].reason), Some(qty));
    qty
}

/// `who` is known to fail the case; a dash where we know of nobody.
fn check(case: &str, who: &str, change: impl Fn(&mut ItemSupply), qty: i64) {
    let mut item = base();
    change(&mut item);
    assert_eq!(ordered(&item), qty, "{case} ({who})");
}

#[test]
fn receipts_count_once_and_from_their_day_on() {
    let open = |orders: Vec<OpenOrder>| {
        move |i: &mut ItemSupply| i.locations[0].open_orders = orders.clone()
    };
    check(
        "beyond the horizon: it hides no stock-out before it",
        "OCA stock-logistics-warehouse#582",
        open(vec![open_order("1", 500, -2, 40)]),
        50,
    );
    check(
        "beyond the horizon: it is not asked for again once it counts",
        "odoo#69635",
        |i| {
            i.locations[0].open_orders = vec![open_order("1", 500, -2, 40)];
            // The next order arrives on day 43, and 490 of the 500 are left for days 40 to 42.
            terms(i).review_days = 40;
        },
        350,
    );
    check("postponed past the window", "odoo#76466", open(vec![open_order("1", 30, -2, 12)]), 50);
    check(
        "postponed within it: still asked for once",
        "odoo#76466",
        open(vec![open_order("1", 30, -2, 9)]),
        40,
    );
    check("due today", "-", open(vec![open_order("1", 30, -2, 0)]), 20);
    check(
        "late by more than any order on record: neither lost nor there",
        "-",
        open(vec![open_order("1", 30, -400, -390)]),
        20,
    );
    check(
        "two orders on the same day",
        "-",
        open(vec![open_order("1", 10, -2, 1), open_order("2", 15, -2, 1)]),
        25,
    );
    check(
        "two lines of one order on the same day",
        "-",
        open(vec![
            open_order("1", 10, -2, 1),
            OpenOrder { line_no: "2".to_owned(), ..open_order("1", 15, -2, 1) },
        ]),
        25,
    );
    check(
        "received more than ordered: nothing is still to come",
        "-",
        open(vec![open_order("1", -5, -2, 1)]),
        50,
    );
}

#[test]
fn a_plan_that_is_taken_up_asks_for_nothing_more() {
    // odoo#31490, #33798, #20719 and erpnext#36154: the scheduler's second run orders again.
    for (moq, multiple, lead_time_days) in [(0, 1, 3), (60, 1, 3), (10, 12, 0), (7, 4, 9)] {
        let mut item = base();
        let terms = terms(&mut item);
        (terms.moq, terms.multiple) = (moq, multiple);
        terms.lead_time = LeadTime::fixed(lead_time_days);
        let (first, _) = plan_item(&item, TODAY, &PlanConfig::default());
        let (again, _) = plan_item(&item, TODAY, &PlanConfig::default());
        assert_eq!(first.lines, again.lines, "the same facts, the same lines");
        let line = &first.lines[0];
        item.locations[0].open_orders = vec![OpenOrder {
            expected_on: Some(line.expected_on),
            ..open_order("1", line.qty, 0, 0)
        }];
        assert_eq!(ordered(&item), 0, "moq {moq}, multiple {multiple}, {lead_time_days} days");
    }
}

#[test]
fn weighed_goods_are_ordered_to_the_gram() {
    // odoo#228014: 1.02 becomes 1; erpnext#18391: "0.9 cannot be a fraction".
    let unit = QtyUnit { name: "kg".to_owned(), decimals: 2 };
    for (short, multiple, qty, order) in [
        (102, 1, 102, (102, "0.01 kg")),
        (90, 1, 90, (90, "0.01 kg")),
        (102, 100, 200, (2, "kg")),
        (90, 50, 100, (1, "kg")),
    ] {
        let mut item = base();
        item.unit = unit.clone();
        item.locations[0].demand = flat(17.0);
        item.locations[0].on_hand = 170 - short;
        terms(&mut item).multiple = multiple;
        let (plan, _) = plan_item(&item, TODAY, &PlanConfig::default());
        let line = plan.lines[0].reorder_line(&item, TODAY);
        assert_eq!(line.qty, qty, "{short}");
        assert_eq!((line.order_qty, line.order_uom.as_str()), order);
        assert_eq!(order_units(qty, &unit, multiple, ""), (order.0, order.1.to_owned()));
        assert_eq!(line.value_minor, (qty * 100 + 50) / 100);
    }
}

#[test]
fn minimums_multiples_and_capacity_together() {
    let lot = |moq, multiple, capacity| {
        move |i: &mut ItemSupply| {
            let terms = terms(i);
            (terms.moq, terms.multiple, terms.capacity_qty) = (moq, multiple, capacity);
        }
    };
    check("an MOQ below the multiple", "erpnext#57883", lot(5, 24, None), 72);
    check("an MOQ that is no multiple", "erpnext#57883", lot(55, 12, None), 60);
    check("a multiple that the need meets", "-", lot(0, 25, None), 50);
    check("a capacity below the MOQ", "metasfresh#10310", lot(60, 1, Some(40)), 0);
    check("a capacity between multiples", "metasfresh#10310", lot(0, 24, Some(50)), 48);
}

#[test]
fn items_and_stock_at_the_edge() {
    check(
        "discontinued with an open order",
        "adempiere#2290",
        |i| {
            i.status = ItemStatus::Discontinued;
            i.locations[0].open_orders = vec![open_order("1", 5, -2, 1)];
        },
        0,
    );
    check("reserved more than is there", "-", |i| i.locations[0].reserved = 70, 90);
    check(
        "reserved more than is there, and shoppers wait",
        "-",
        |i| {
            i.locations[0].reserved = 70;
            i.shortage = Shortage::BackOrdered;
        },
        120,
    );
    check("no lead time: there today", "-", |i| terms(i).lead_time = LeadTime::fixed(0), 20);
    check("a review longer than the forecast", "-", |i| terms(i).review_days = 60, 580);
    check(
        "nothing on hand and nothing asked for",
        "-",
        |i| {
            i.locations[0].on_hand = 0;
            i.locations[0].demand = flat(0.0);
        },
        0,
    );
}
