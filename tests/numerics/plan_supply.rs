//! Orders that come short, and goods that come back.
//!
//! Ten a day for certain, 50 on hand, three days of lead time, a review each week: the order covers
//! days 3 to 9, 20 are left by day 3, so 50 are ordered unless a case says otherwise.

use granary_models::plan_sku::{ItemSupply, LocationKind, PlanConfig, Returns, plan_item};
use granary_models::policy::delivered::{DoneOrder, learn_delivered};
use granary_models::policy::order::Target;
use granary_models::policy::reason::{codes, recompute};
use granary_models::policy::returns::thinned;
use granary_models::policy::terms::Delivered;
use granary_models::series::Series;

use crate::plan_help::{TODAY, flat, item, location, open_order, purchase};

fn base() -> ItemSupply<'static> {
    let mut shop = location("L", LocationKind::Store, 50, vec![purchase(3, 7)]);
    shop.demand = flat(10.0);
    item(vec![shop])
}

/// The quantity, and the value of the step `code` in its reason.
fn check(name: &str, change: impl Fn(&mut ItemSupply), qty: i64, step: (&str, Option<i64>)) {
    let mut item = base();
    change(&mut item);
    let (plan, _) = plan_item(&item, TODAY, &PlanConfig::default());
    let reason = &plan.locations[0].reason;
    let ordered: i64 = plan.lines.iter().map(|line| line.qty).sum();
    assert_eq!(ordered, qty, "{name}: {reason:#?}");
    assert_eq!(recompute(reason), Some(qty), "{name}");
    let found = reason.iter().find(|s| s.step == step.0).map(|s| s.value);
    assert_eq!(found, step.1, "{name}: {reason:#?}");
}

#[test]
fn what_comes_short_is_ordered_for() {
    let short = |whole: f64, part: f64| {
        move |i: &mut ItemSupply| i.locations[0].terms[0].delivered = Delivered { whole, part }
    };
    let step = |value| (codes::SHORT_DELIVERY, value);
    check("all of it", short(1.0, 0.0), 50, step(None));
    check("always four fifths", short(0.0, 0.8), 63, step(Some(13)));
    check("a fifth: no more than double", short(0.0, 0.2), 100, step(Some(50)));
    check("seldom short enough for the target", short(0.97, 0.5), 50, step(None));
    check("too often", short(0.75, 0.5), 100, step(Some(50)));
    check("nothing at all on some paths: no order helps there", short(0.75, 0.0), 50, step(None));
    check(
        "by fill: half of the paths get half of 60, which leaves 20 of 70 short on them",
        |i| {
            short(0.5, 0.5)(i);
            i.target = Some(Target::Fill(1.0 - 10.0 / 70.0));
        },
        60,
        step(Some(20)),
    );
}

#[test]
fn an_open_order_may_come_short() {
    let open = |whole: f64, part: f64| {
        move |i: &mut ItemSupply| {
            let mut order = open_order("1", 30, -2, 1);
            order.delivered = Delivered { whole, part };
            i.locations[0].open_orders = vec![order];
        }
    };
    let step = |value| (codes::OPEN_ORDERS, Some(value));
    check("whole", open(1.0, 0.5), 20, step(-30));
    check("half of it", open(0.0, 0.5), 35, step(-15));
    check("whole or half, as likely", open(0.5, 0.5), 35, step(-23));
}

#[test]
fn what_comes_back_is_an_inflow_and_not_less_demand() {
    let returns = |share: f64, resaleable: f64, delay_days: u32| {
        move |i: &mut ItemSupply| i.returns = Returns { share, resaleable, delay_days }
    };
    let step = |value| (codes::RETURNS, value);
    check("nothing", returns(0.0, 1.0, 2), 50, step(None));
    check("nothing that can be sold again", returns(1.0, 0.0, 2), 50, step(None));
    // From day 2 on all that was sold comes back: 30 are there from then on.
    check("everything, two days later", returns(1.0, 1.0, 2), 0, step(Some(-80)));
    check("everything, eight days later", returns(1.0, 1.0, 8), 30, step(Some(-20)));
    const SOLD: [f64; 8] = [10.0; 8];
    const OPEN: [f32; 8] = [1.0; 8];
    check(
        "what was sold before today comes back, too",
        |i| {
            returns(1.0, 1.0, 8)(i);
            let history = Series { start: TODAY - 8, sold: &SOLD, available: &OPEN };
            i.locations[0].history = Some(history);
        },
        0,
        step(Some(-100)),
    );
    check(
        "a feed that ended three days ago",
        |i| {
            returns(1.0, 1.0, 8)(i);
            let history = Series { start: TODAY - 11, sold: &SOLD, available: &OPEN };
            i.locations[0].history = Some(history);
        },
        0,
        step(Some(-70)),
    );
    let mut item = base();
    let asked = |item: &ItemSupply| {
        let (plan, _) = plan_item(item, TODAY, &PlanConfig::default());
        let asked = plan.locations[0].reason.iter().find(|s| s.step == codes::EXPECTED_DEMAND);
        (asked.map(|s| s.value), plan.locations[0].kpi.expected_demand)
    };
    let before = asked(&item);
    returns(0.4, 0.5, 3)(&mut item);
    assert_eq!(asked(&item), before);
}

#[test]
fn thinning_is_binomial() {
    for (sold, share) in [(1.0, 0.2), (7.0, 0.5), (40.0, 0.05), (400.0, 0.3), (100_000.0, 0.25)] {
        let draws: Vec<f64> =
            (0..20_000).map(|i| thinned(sold, share, (f64::from(i) + 0.5) / 20_000.0)).collect();
        let mean = draws.iter().sum::<f64>() / 20_000.0;
        let variance = draws.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / 20_000.0;
        let (right_mean, right_variance): (f64, f64) = (sold * share, sold * share * (1.0 - share));
        assert!((mean / right_mean - 1.0).abs() < 2e-3, "{sold} {share}: mean {mean}");
        assert!((variance / right_variance - 1.0).abs() < 1e-2, "{sold} {share}: {variance}");
        assert!(draws.iter().all(|d| *d >= 0.0 && *d <= sold && d.fract() == 0.0));
    }
    assert_eq!(thinned(5.0, 1.0, 0.3), 5.0);
    assert_eq!(thinned(0.0, 0.5, 0.3), 0.0);
}

#[test]
fn shares_are_learned_and_pooled() {
    let order = |item_id, supplier_id, ordered, received| DoneOrder {
        item_id,
        supplier_id,
        ordered,
        received,
    };
    let near = |got: Delivered, whole: f64, part: f64| {
        assert!((got.whole - whole).abs() < 1e-9 && (got.part - part).abs() < 1e-9, "{got:?}");
    };
    near(learn_delivered([]).get("A", "S"), 1.0, 1.0);
    let mut orders = vec![order("A", "S", 10, 10), order("A", "S", 10, 12), order("X", "S", 0, 0)];
    let book = learn_delivered(orders.clone());
    assert_eq!(book.odd_orders, 1);
    near(book.get("A", "S"), 1.0, 1.0);
    orders.extend((0..6).map(|_| order("B", "T", 10, 4)));
    let book = learn_delivered(orders);
    // All: 2 of 8 whole, and one whole order of nobody's: 3 of 9.
    near(book.get("C", "U"), 3.0 / 9.0, 0.4);
    let supplier = (4.0 * 3.0 / 9.0) / 10.0;
    near(book.get("C", "T"), supplier, 0.4);
    near(book.get("B", "T"), 8.0 * supplier / 14.0, 0.4);
    let supplier = (2.0 + 4.0 * 3.0 / 9.0) / 6.0;
    near(book.get("A", "S"), (2.0 + 8.0 * supplier) / 10.0, 0.4);
}
