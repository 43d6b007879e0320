//! Which of several suppliers is asked, and for how much.
//!
//! Ten a day for certain, three days of lead time, a review each week.

use granary_models::plan_sku::{ItemSupply, LocationKind, PlanConfig, plan_item};
use granary_models::policy::lead_time::LeadTime;
use granary_models::policy::order::Target;
use granary_models::policy::reason::{codes, recompute};
use granary_models::policy::terms::{ClosedWindow, Delivered, SupplyTerms};

use crate::plan_help::{TODAY, flat, item, location, purchase};

/// Suppliers A and B, both like any other, and `on_hand` there.
fn two(on_hand: i64, change: impl Fn(&mut SupplyTerms, &mut SupplyTerms)) -> ItemSupply<'static> {
    let (mut a, mut b) = (purchase(3, 7), purchase(3, 7));
    (a.supplier_id, b.supplier_id) = ("A".to_owned(), "B".to_owned());
    change(&mut a, &mut b);
    let mut shop = location("L", LocationKind::Store, on_hand, vec![a, b]);
    shop.demand = flat(10.0);
    ItemSupply { unit_price_minor: Some(160), ..item(vec![shop]) }
}

fn lines(item: &ItemSupply) -> Vec<(String, i64)> {
    let (plan, _) = plan_item(item, TODAY, &PlanConfig::default());
    for line in &plan.lines {
        assert_eq!(recompute(&line.reason), Some(line.qty), "{:#?}", line.reason);
    }
    plan.lines.iter().map(|line| (line.supplier_id.clone(), line.qty)).collect()
}

fn check(name: &str, item: &ItemSupply, want: &[(&str, i64)]) {
    let got = lines(item);
    let got: Vec<(&str, i64)> = got.iter().map(|(id, qty)| (id.as_str(), *qty)).collect();
    assert_eq!(got, want, "{name}");
}

#[test]
fn the_one_whose_order_is_worth_most_is_asked() {
    check("alike: the first by name", &two(50, |_, _| {}), &[("A", 50)]);
    check("cheaper", &two(50, |_, b| b.unit_cost_minor = 90), &[("B", 50)]);
    check(
        "cheaper, but not with its freight",
        &two(50, |_, b| (b.unit_cost_minor, b.landed_cost_minor) = (90, 15)),
        &[("A", 50)],
    );
    check(
        "cheaper, but not with what an order costs",
        &two(50, |_, b| {
            b.unit_cost_minor = 98;
            (b.fixed_cost_minor, b.review_days) = (150, 7);
        }),
        &[("A", 50)],
    );
    check(
        "cheaper, but seldom whole",
        &two(50, |_, b| {
            b.unit_cost_minor = 99;
            b.delivered = Delivered { whole: 0.0, part: 0.3 };
        }),
        &[("A", 50)],
    );
    check(
        "too late for half a week of sales",
        &two(40, |_, b| b.lead_time = LeadTime::fixed(8)),
        &[("A", 60)],
    );
    check(
        "priority ranks first",
        &two(50, |_, b| (b.unit_cost_minor, b.priority) = (50, 2)),
        &[("A", 50)],
    );
    check(
        "closed for a while",
        &two(50, |a, b| {
            b.unit_cost_minor = 101;
            a.closed = vec![ClosedWindow { from: TODAY, to: TODAY + 9 }];
        }),
        &[("B", 50)],
    );
    check(
        "by money, too",
        &ItemSupply { target: Some(Target::Economics), ..two(50, |_, b| b.unit_cost_minor = 90) },
        &[("B", 50)],
    );
}

#[test]
fn an_order_is_split_where_that_is_worth_more() {
    check(
        "what one cannot hold comes from the other",
        &two(50, |a, b| {
            a.capacity_qty = Some(30);
            b.unit_cost_minor = 101;
        }),
        &[("A", 30), ("B", 20)],
    );
    // A is dear and there on day 2, B is cheap and there on day 9: 20 are left on day 2, so 50 are
    // short before B delivers for days 9 to 15.
    let urgent = two(40, |a, b| {
        (a.unit_cost_minor, a.lead_time) = (150, LeadTime::fixed(2));
        (b.unit_cost_minor, b.lead_time) = (80, LeadTime::fixed(9));
    });
    check("the urgent part from the quick one", &urgent, &[("A", 50), ("B", 70)]);
    let too_dear = two(40, |a, b| {
        (a.unit_cost_minor, a.lead_time) = (400, LeadTime::fixed(2));
        (b.unit_cost_minor, b.lead_time) = (80, LeadTime::fixed(9));
    });
    check("not at any price", &too_dear, &[("B", 70)]);
    let fixed = two(40, |a, b| {
        (a.unit_cost_minor, a.lead_time) = (150, LeadTime::fixed(2));
        a.fixed_cost_minor = 1_000_000;
        (b.unit_cost_minor, b.lead_time) = (80, LeadTime::fixed(9));
    });
    check("nor at any cost of the order", &fixed, &[("B", 70)]);
}

#[test]
fn the_reason_names_both_costs() {
    let item = two(50, |_, b| (b.unit_cost_minor, b.landed_cost_minor) = (90, 5));
    let (plan, _) = plan_item(&item, TODAY, &PlanConfig::default());
    let step = plan.lines[0].reason.iter().find(|s| s.step == codes::SOURCE).expect("a source");
    assert_eq!(step.value, 250);
    assert_eq!(
        step.text,
        "B at 95 a unit with freight, in 3 days, is worth 250 minor units more than A at 100 a \
         unit with freight, in 3 days."
    );
}
