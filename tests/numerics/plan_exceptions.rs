//! Advice on orders that are on their way.
//!
//! Ten a day for certain over 28 days, from supplier `S` in three days, reviewed each week.

use granary_models::distribution::DemandPaths;
use granary_models::plan_sku::{
    ItemPlan, ItemStatus, ItemSupply, LocationKind, OpenOrder, OrderAction, PlanConfig, plan_item,
};
use granary_models::policy::order::Target;
use granary_models::policy::terms::PriceBreak;
use proptest::prelude::*;

use crate::plan_help::{TODAY, flat, item, location, open_order, purchase, transfer};
use OrderAction::{Cancel, Chase, Excess, Expedite, Postpone};

/// Margin and penalty, and holding for a day, of a unit at a cost of 100.
const WORTH: f64 = 100.0 * 0.3 / 0.7 * 1.5;
const HOLDING: f64 = 100.0 * 0.25 / 365.0;

fn order(po_id: &str, qty: i64, due: i32) -> OpenOrder {
    OpenOrder { supplier_id: "S".to_owned(), ..open_order(po_id, qty, -2, due) }
}

fn one_shop(on_hand: i64, orders: Vec<OpenOrder>) -> ItemSupply<'static> {
    let mut shop = location("L", LocationKind::Store, on_hand, vec![purchase(3, 7)]);
    shop.demand = flat(10.0);
    shop.open_orders = orders;
    item(vec![shop])
}

/// Exceptions as (order, action, quantity, days from today until `to`, money).
fn check_with(
    name: &str,
    config: &PlanConfig,
    item: &ItemSupply,
    expected: &[(&str, OrderAction, i64, i32, f64)],
) {
    let (plan, _) = plan_item(item, TODAY, config);
    let ours: Vec<_> = plan
        .exceptions
        .iter()
        .map(|e| (e.po_id.as_str(), e.action, e.qty, e.to - TODAY, e.value_minor))
        .collect();
    let expected: Vec<_> = expected
        .iter()
        .map(|&(order, action, qty, to, money)| (order, action, qty, to, money.round() as i64))
        .collect();
    assert_eq!(ours, expected, "{name}: {:#?}", plan.exceptions);
}

fn check(name: &str, item: &ItemSupply, expected: &[(&str, OrderAction, i64, i32, f64)]) {
    check_with(name, &PlanConfig::default(), item, expected);
}

/// Out on days 2 to 7; tonight's order takes ten days.
fn short() -> ItemSupply<'static> {
    let mut item = one_shop(20, vec![order("1", 100, 8)]);
    item.locations[0].terms = vec![purchase(10, 7)];
    item
}

#[test]
fn what_comes_too_late_is_expedited() {
    let money = 60.0 * WORTH - 100.0 * 6.0 * HOLDING;
    check("to the day on which stock runs out", &short(), &[("1", Expedite, 100, 2, money)]);
    let frozen = PlanConfig { freeze_days: 8, ..PlanConfig::default() };
    check_with("within the fence", &frozen, &short(), &[]);
    let config = PlanConfig { exception_min_minor: 4_000, ..PlanConfig::default() };
    check_with("too little money", &config, &short(), &[]);
    // Forty help on days 2 to 5 only; those sold then are there to sell on day 8 no more.
    let mut item = short();
    item.locations[0].open_orders[0].qty = 40;
    let money = 40.0 * WORTH - 40.0 * 2.0 * HOLDING;
    // Of two days worth of stock on days 8 and 9 an order of tomorrow brings none back before 11.
    item.locations[0].open_orders.push(order("2", 60, 6));
    let second = 40.0 * WORTH - 60.0 * 4.0 * HOLDING;
    let (plan, _) = plan_item(&item, TODAY, &PlanConfig::default());
    let total: i64 = plan.exceptions.iter().map(|e| e.value_minor).sum();
    assert!(plan.exceptions.iter().all(|e| e.action == Expedite), "{:#?}", plan.exceptions);
    assert!(total as f64 <= money + second + 1.0, "{:#?}", plan.exceptions);
    // Tonight's order helps before the one that is far away.
    let mut soon = short();
    soon.locations[0].terms = vec![purchase(2, 7)];
    check("tonight's order is sooner", &soon, &[]);
    // A path in eight is short, which is more than one in twenty.
    let mut values = vec![10.0; 8 * 28];
    values[28..]
        .iter_mut()
        .enumerate()
        .for_each(|(at, v)| *v = if at % 28 < 8 { 2.0 } else { 10.0 });
    let mut rare = short();
    rare.locations[0].demand = Some(DemandPaths { paths: 8, horizon: 28, values });
    let config = PlanConfig { exception_min_minor: 100, ..PlanConfig::default() };
    let money = 60.0 * WORTH / 8.0 - 100.0 * 6.0 * HOLDING;
    check_with("one path in eight", &config, &rare, &[("1", Expedite, 100, 2, money)]);
    rare.target = Some(Target::Cycle(0.8));
    check_with("which the target allows", &config, &rare, &[]);
}

#[test]
fn what_comes_too_soon_is_postponed() {
    // Dear goods: a day of holding costs 6.85 a unit.
    let dear = |on_hand| {
        let mut item = one_shop(on_hand, vec![order("1", 100, 8)]);
        item.unit_cost_minor = 10_000;
        item.locations[0].terms[0].unit_cost_minor = 10_000;
        item
    };
    let saved = |days: f64| 100.0 * days * 100.0 * HOLDING;
    check("until day 18", &dear(180), &[("1", Postpone, 100, 18, saved(10.0))]);
    let mut shelf = dear(180);
    shelf.locations[0].presentation_min_qty = 30;
    check("with a full shelf until day 15", &shelf, &[("1", Postpone, 100, 15, saved(7.0))]);
    check("by less than a review", &dear(140), &[]);
    check("cheap goods", &one_shop(180, vec![order("1", 100, 8)]), &[]);
}

#[test]
fn what_is_not_needed_is_called_off() {
    let plenty = |on_hand| one_shop(on_hand, vec![order("1", 100, 8)]);
    check("forty days of stock", &plenty(400), &[("1", Cancel, 100, 8, 10_000.0)]);
    check("seventy too many", &plenty(250), &[("1", Excess, 70, 8, 7_000.0)]);
    let terms = |moq, multiple| {
        let mut item = plenty(250);
        (item.locations[0].terms[0].moq, item.locations[0].terms[0].multiple) = (moq, multiple);
        item
    };
    check("an MOQ stays an order", &terms(50, 1), &[("1", Excess, 50, 8, 5_000.0)]);
    check("in multiples", &terms(0, 40), &[("1", Excess, 40, 8, 4_000.0)]);
    check("all or nothing", &terms(100, 1), &[]);
    let mut shelf = plenty(250);
    shelf.locations[0].presentation_min_qty = 60;
    check("ten over a full shelf", &shelf, &[("1", Excess, 10, 8, 1_000.0)]);
    let mut own_price = plenty(400);
    own_price.locations[0].open_orders[0].unit_cost_minor = Some(90);
    check("at the order's price", &own_price, &[("1", Cancel, 100, 8, 9_000.0)]);
    // Sixty days were bought for their price, of which the forecast shows 20: no excess.
    let mut tier = plenty(400);
    tier.locations[0].terms[0].price_breaks =
        vec![PriceBreak { min_qty: 100, unit_cost_minor: 80 }];
    check("bought for its price", &tier, &[]);
    // The last to come is the first to go.
    let two = one_shop(250, vec![order("1", 50, 5), order("2", 50, 9)]);
    check("two orders", &two, &[("1", Excess, 20, 5, 2_000.0), ("2", Cancel, 50, 9, 5_000.0)]);
    let mut transit = plenty(400);
    transit.locations[0].open_orders[0].supplier_id.clear();
    transit.locations.push(location("DC", LocationKind::Dc, 0, Vec::new()));
    transit.locations[0].terms = vec![transfer(1, 1, 1)];
    check("what is in transit comes", &transit, &[]);
    check("due today", &one_shop(400, vec![order("1", 100, 0)]), &[]);
    check("beyond the forecast", &one_shop(400, vec![order("1", 100, 40)]), &[]);
    check("no orders", &one_shop(400, Vec::new()), &[]);
    let mut no_terms = plenty(400);
    no_terms.locations[0].terms.clear();
    check("nothing could bring it back", &no_terms, &[]);
}

#[test]
fn what_is_late_is_chased() {
    // Ten days of age, longer than any on record: six more.
    let late = |on_hand| one_shop(on_hand, vec![order("1", 30, -4)]);
    let money = 20.0 * WORTH - 30.0 * 5.0 * HOLDING;
    let mut item = late(0);
    item.locations[0].open_orders[0].ordered_on = Some(TODAY - 10);
    assert_eq!(plan_item(&item, TODAY, &PlanConfig::default()).0.exceptions[0].expected, TODAY + 6);
    check("nothing on hand for days 1 and 2", &item, &[("1", Chase, 30, 1, money)]);
    item.locations[0].on_hand = 90;
    check("not missed", &item, &[]);
    item.locations[0].on_hand = 400;
    check("not needed either", &item, &[("1", Cancel, 30, -4, 3_000.0)]);
    let (plan, _) = plan_item(&late(0), TODAY, &PlanConfig::default());
    let chased = &plan.exceptions[0];
    assert_eq!((chased.from, chased.expected), (TODAY - 4, TODAY + 4));
    assert!(plan.exceptions[0].text.contains("were due on"), "{}", plan.exceptions[0].text);
}

#[test]
fn what_ends_frees_its_orders() {
    let ending = |on_hand, due| {
        let mut item = one_shop(on_hand, vec![order("1", 300, due)]);
        item.status = ItemStatus::Discontinued;
        item
    };
    // 280 will be asked for: 180 of the order sell, for more than they cost.
    check("a part still sells", &ending(100, 5), &[("1", Excess, 120, 5, 12_000.0)]);
    check("nothing sells", &ending(400, 5), &[("1", Cancel, 300, 5, 30_000.0)]);
    check("after the end", &ending(400, 40), &[("1", Cancel, 300, 40, 30_000.0)]);
    let mut unknown = ending(0, 5);
    unknown.locations[0].demand = None;
    check("no forecast at all", &unknown, &[("1", Cancel, 300, 5, 30_000.0)]);
}

#[test]
fn a_centres_orders_serve_all_behind_it() {
    let mut shops = [
        location("SHOP-1", LocationKind::Store, 250, vec![transfer(0, 1, 2)]),
        location("SHOP-2", LocationKind::Store, 250, vec![transfer(0, 1, 2)]),
    ];
    shops.iter_mut().for_each(|shop| shop.demand = flat(10.0));
    let mut dc = location("DC", LocationKind::Dc, 0, vec![purchase(5, 7)]);
    dc.open_orders = vec![order("1", 100, 8)];
    let [first, second] = shops;
    let mut item = item(vec![dc, first, second]);
    // 500 in the shops and these 100 are 40 more than the 560 of the forecast.
    check("what the shops have", &item, &[("1", Excess, 40, 8, 4_000.0)]);
    item.locations[1].on_hand = 400;
    check("counts for the centre", &item, &[("1", Cancel, 100, 8, 10_000.0)]);
    item.locations[1].on_hand = 20;
    item.locations[2].on_hand = 20;
    // Out from day 2; what is in the centre on day 1 is in the shops on day 2. Tonight's order is
    // there on day 6, so 80 are saved.
    let money = 80.0 * WORTH - 100.0 * 7.0 * HOLDING;
    check("short in the shops", &item, &[("1", Expedite, 100, 1, money)]);
}

/// The orders as they are when all advice is taken.
fn follow(item: &mut ItemSupply, plan: &ItemPlan) {
    for advice in &plan.exceptions {
        let orders = &mut item.locations[advice.location].open_orders;
        let at = orders.iter().position(|o| o.po_id == advice.po_id).expect("the order");
        match advice.action {
            Expedite | Chase | Postpone => orders[at].expected_on = Some(advice.to),
            Excess => orders[at].qty -= advice.qty,
            Cancel => {
                orders.remove(at);
            }
        }
    }
}

/// To have less of it is no contradiction to having that sooner.
fn opposite(one: OrderAction, other: OrderAction) -> bool {
    let sooner = |action| matches!(action, Expedite | Chase);
    let later = |action| matches!(action, Postpone | Cancel);
    sooner(one) && later(other) || later(one) && sooner(other)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]
    #[test]
    fn advice_that_is_taken_is_not_taken_back(
        on_hand in 0i64..300,
        orders in proptest::collection::vec((1i64..200, -4i32..30), 1..4),
        values in proptest::collection::vec(0u8..20, 16 * 28),
        cost in 100i64..20_000,
        (lead_time, review) in (1u32..9, 1u32..8),
        (moq, multiple) in (0i64..40, 1i64..12),
        presentation in 0i64..20,
        level in 0.7f64..0.99,
        ending in proptest::bool::weighted(0.2),
    ) {
        let orders = orders.iter().enumerate();
        let orders: Vec<OpenOrder> =
            orders.map(|(at, &(qty, due))| order(&at.to_string(), qty, due)).collect();
        let mut item = one_shop(on_hand, orders);
        let values = values.iter().map(|&v| f32::from(v)).collect();
        item.locations[0].demand = Some(DemandPaths { paths: 16, horizon: 28, values });
        item.unit_cost_minor = cost;
        item.target = Some(Target::Cycle(level));
        item.locations[0].presentation_min_qty = presentation;
        let mut terms = purchase(lead_time, review);
        (terms.moq, terms.multiple, terms.unit_cost_minor) = (moq, multiple, cost);
        item.locations[0].terms = vec![terms];
        if ending {
            item.status = ItemStatus::PhaseOut;
        }
        let (plan, _) = plan_item(&item, TODAY, &PlanConfig::default());
        for (at, advice) in plan.exceptions.iter().enumerate() {
            let order = item.locations[0].open_orders.iter().find(|o| o.po_id == advice.po_id);
            let order = order.expect("an open order");
            prop_assert!(advice.qty > 0 && advice.qty <= order.qty);
            prop_assert!(advice.value_minor >= 1_000);
            prop_assert!(plan.exceptions[..at].iter().all(|other| other.po_id != advice.po_id));
            match advice.action {
                Expedite => prop_assert!(advice.to < advice.from && advice.to > TODAY),
                Postpone => prop_assert!(advice.to > advice.from),
                Chase => prop_assert!(advice.from < TODAY && advice.to > TODAY),
                Cancel => prop_assert!(advice.qty == order.qty),
                Excess => prop_assert!(advice.qty < order.qty),
            }
        }
        let mut followed = item.clone();
        follow(&mut followed, &plan);
        let (next, _) = plan_item(&followed, TODAY, &PlanConfig::default());
        for advice in &plan.exceptions {
            let again = next.exceptions.iter().find(|e| e.po_id == advice.po_id);
            if let Some(again) = again {
                prop_assert!(
                    !opposite(advice.action, again.action),
                    "{advice:?} and then {again:?}"
                );
            }
        }
        // What is called off is not ordered again, unless something else was moved away as well.
        let called_off = |e: &granary_models::plan_sku::OrderException| {
            matches!(e.action, Cancel | Excess)
        };
        if plan.exceptions.iter().all(called_off) {
            let ordered = |plan: &ItemPlan| plan.lines.iter().map(|l| l.qty).sum::<i64>();
            prop_assert!(ordered(&next) <= ordered(&plan), "{:?}", plan.exceptions);
        }
    }
}
