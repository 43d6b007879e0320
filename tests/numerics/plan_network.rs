//! Shops, warehouses and backups of one item together.

use granary_models::distribution::DemandPaths;
use granary_models::plan_sku::{ItemPlan, ItemSupply, LocationKind, PlanConfig, plan_item};
use granary_models::policy::reason::recompute;
use granary_models::policy::terms::{ClosedWindow, SupplyKind};
use proptest::prelude::*;

use crate::plan_help::{TODAY, flat, item, location, open_order, purchase, transfer};

/// Two shops that sell ten a day, a day from a warehouse whose supplier takes five.
fn two_shops(dc: i64, first: i64, second: i64) -> ItemSupply<'static> {
    let mut shops = [
        location("SHOP-1", LocationKind::Store, first, vec![transfer(0, 1, 2)]),
        location("SHOP-2", LocationKind::Store, second, vec![transfer(0, 1, 2)]),
    ];
    shops.iter_mut().for_each(|shop| shop.demand = flat(10.0));
    let [first, second] = shops;
    item(vec![location("DC", LocationKind::Dc, dc, vec![purchase(5, 7)]), first, second])
}

fn lines(plan: &ItemPlan) -> Vec<(SupplyKind, Option<usize>, usize, i64)> {
    plan.lines.iter().map(|line| (line.kind, line.source, line.location, line.qty)).collect()
}

fn check(
    item: &ItemSupply,
    expected: &[(SupplyKind, Option<usize>, usize, i64)],
    found: &[(usize, &str)],
) {
    let (plan, findings) = plan_item(item, TODAY, &PlanConfig::default());
    let mut ours = lines(&plan);
    ours.sort_by_key(|&(kind, _, at, qty)| (at, kind, qty));
    assert_eq!(ours, expected);
    for line in &plan.lines {
        assert_eq!(recompute(&line.reason), Some(line.qty), "{:#?}", line.reason);
    }
    let codes: Vec<(usize, &str)> =
        findings.iter().map(|(at, finding)| (*at, finding.code.as_str())).collect();
    assert_eq!(codes, found, "{findings:?}");
}

use SupplyKind::{Purchase, Transfer};

#[test]
fn a_warehouse_buys_for_its_shops_by_echelon_stock() {
    // Shops cover days 1 and 2. The warehouse covers days 6 to 12 of both, one day for the way
    // included: 120 in the echelon last until day 6, so all 140 are bought.
    check(
        &two_shops(100, 10, 10),
        &[(Purchase, None, 0, 140), (Transfer, Some(0), 1, 20), (Transfer, Some(0), 2, 20)],
        &[],
    );
    // What lies in the shops counts.
    check(&two_shops(100, 60, 60), &[(Purchase, None, 0, 40)], &[]);
}

#[test]
fn goods_in_transit_count_for_the_warehouse_and_the_shop() {
    let mut item = two_shops(100, 10, 10);
    item.locations[0].open_orders = vec![open_order("1", 100, -3, 2)];
    item.locations[1].open_orders = vec![open_order("2", 10, 0, 1)];
    check(
        &item,
        &[(Purchase, None, 0, 30), (Transfer, Some(0), 1, 10), (Transfer, Some(0), 2, 20)],
        &[],
    );
}

#[test]
fn scarce_stock_is_shared_and_never_oversold() {
    check(
        &two_shops(20, 10, 10),
        &[(Purchase, None, 0, 140), (Transfer, Some(0), 1, 10), (Transfer, Some(0), 2, 10)],
        &[(0, "dc_short")],
    );
    check(&two_shops(0, 10, 10), &[(Purchase, None, 0, 140)], &[(0, "dc_short")]);
    // The shop that is covered gets nothing, although it would like some more.
    let mut item = two_shops(20, 10, 25);
    item.locations[1].terms[0].multiple = 5;
    item.locations[2].terms[0].multiple = 5;
    check(
        &item,
        &[(Purchase, None, 0, 140), (Transfer, Some(0), 1, 15), (Transfer, Some(0), 2, 5)],
        &[(0, "dc_short")],
    );
    // An MOQ that no longer fits gives its place to others.
    item = two_shops(20, 10, 10);
    item.locations[1].terms[0].moq = 24;
    check(&item, &[(Purchase, None, 0, 140), (Transfer, Some(0), 2, 20)], &[(0, "dc_short")]);
}

#[test]
fn a_warehouse_that_sells_keeps_what_it_needs_itself() {
    let mut item = two_shops(60, 10, 10);
    item.locations[0].demand = flat(10.0);
    let (plan, findings) = plan_item(&item, TODAY, &PlanConfig::default());
    let sent: i64 = plan.lines.iter().filter(|l| l.source == Some(0)).map(|l| l.qty).sum();
    // 50 of its own until day 5, 40 for the shops: 60 do not do.
    assert!(sent < 40, "{sent}");
    assert!(findings.iter().any(|(at, f)| *at == 0 && f.code.as_str() == "dc_short"));
}

/// As [`two_shops`], with a backup warehouse a day from the DC, to and fro.
fn with_backup(dc: i64, backup: i64) -> ItemSupply<'static> {
    let mut item = two_shops(dc, 10, 10);
    let mut draw = transfer(3, 1, 7);
    draw.priority = 2;
    item.locations[0].terms.push(draw);
    item.locations.push(location("BACKUP", LocationKind::Backup, backup, vec![transfer(0, 1, 7)]));
    item
}

#[test]
fn a_backup_helps_out_until_the_supplier_delivers() {
    // What is drawn today is in the shops on day 2; the supplier's on day 6.
    check(
        &with_backup(40, 80),
        &[
            (Purchase, None, 0, 120),
            (Transfer, Some(3), 0, 60),
            (Transfer, Some(0), 1, 20),
            (Transfer, Some(0), 2, 20),
        ],
        &[],
    );
    // Plenty behind: nothing is bought.
    check(
        &with_backup(40, 500),
        &[(Transfer, Some(3), 0, 60), (Transfer, Some(0), 1, 20), (Transfer, Some(0), 2, 20)],
        &[],
    );
    // Nothing behind.
    check(
        &with_backup(40, 0),
        &[(Purchase, None, 0, 140), (Transfer, Some(0), 1, 20), (Transfer, Some(0), 2, 20)],
        &[(3, "dc_short")],
    );
}

#[test]
fn what_does_not_fit_goes_to_the_backup() {
    let mut item = with_backup(900, 0);
    item.locations[0].capacity_qty = Some(600);
    item.locations[3].terms[0].multiple = 25;
    // 40 leave for the shops on the first day; 860 are left, 260 too many.
    check(
        &item,
        &[(Transfer, Some(0), 1, 20), (Transfer, Some(0), 2, 20), (Transfer, Some(0), 3, 250)],
        &[(0, "over_capacity")],
    );
}

#[test]
fn a_standby_steps_in() {
    let mut usual = purchase(3, 7);
    let mut standby = purchase(4, 7);
    (standby.supplier_id, standby.priority) = ("T".to_owned(), 2);
    let mut shop = location("L", LocationKind::Store, 50, Vec::new());
    shop.demand = flat(10.0);

    // At capacity: the rest comes from the standby, which covers days 4 to 10 and counts the 30.
    usual.capacity_qty = Some(30);
    shop.terms = vec![standby.clone(), usual.clone()];
    check(
        &item(vec![shop.clone()]),
        &[(Purchase, None, 0, 30), (Purchase, None, 0, 30)],
        &[(0, "capacity_cut"), (0, "backup_source")],
    );

    // Closed until day 9: the standby covers day 4 until day 13, when the usual one is back.
    usual.capacity_qty = None;
    usual.closed = vec![ClosedWindow { from: TODAY, to: TODAY + 9 }];
    shop.terms = vec![standby, usual];
    check(&item(vec![shop]), &[(Purchase, None, 0, 80)], &[(0, "backup_source")]);
}

#[test]
fn a_circle_is_cut() {
    let mut item = two_shops(100, 10, 10);
    item.locations[0].terms[0].priority = 2;
    item.locations[0].terms.insert(0, transfer(1, 1, 7));
    let (plan, findings) = plan_item(&item, TODAY, &PlanConfig::default());
    assert!(findings.iter().any(|(_, f)| f.code.as_str() == "supply_cycle"), "{findings:?}");
    assert!(!plan.lines.is_empty());
    item.locations[0].terms[0].source = Some(99);
    let (_, findings) = plan_item(&item, TODAY, &PlanConfig::default());
    assert_eq!(findings[0].1.code.as_str(), "bad_terms");
}

#[test]
fn paths_that_do_not_match_are_reported() {
    let mut item = two_shops(100, 10, 10);
    item.locations[2].demand = Some(DemandPaths { paths: 4, horizon: 28, values: vec![1.0; 112] });
    let (plan, findings) = plan_item(&item, TODAY, &PlanConfig::default());
    assert_eq!((findings[0].0, findings[0].1.code.as_str()), (2, "bad_demand_paths"));
    assert!(plan.lines.iter().all(|line| line.location != 2));
}

proptest! {
    #[test]
    fn whatever_the_stock(
        stock in proptest::collection::vec(0i64..120, 4),
        reserved in proptest::collection::vec(0i64..30, 4),
        lots in proptest::collection::vec((1i64..30, 0i64..60, 0i32..9), 4),
        values in proptest::collection::vec(0u8..20, 2 * 8 * 10),
        life in proptest::option::of(2u32..12),
    ) {
        let mut item = with_backup(0, 0);
        item.shelf_life_days = life;
        for (at, place) in item.locations.iter_mut().enumerate() {
            (place.on_hand, place.reserved) = (stock[at], reserved[at]);
            place.terms[0].multiple = lots[at].0;
            place.terms[0].moq = lots[at].1;
            place.lots = vec![granary_models::plan_sku::Lot {
                qty: (stock[at] / 2).max(1),
                expires_on: TODAY + lots[at].2,
            }];
        }
        for (shop, values) in values.chunks(80).enumerate() {
            let values = values.iter().map(|&v| f32::from(v)).collect();
            item.locations[shop + 1].demand = Some(DemandPaths { paths: 8, horizon: 10, values });
        }
        let (plan, _) = plan_item(&item, TODAY, &PlanConfig::default());
        prop_assert_eq!(&plan, &plan_item(&item, TODAY, &PlanConfig::default()).0);
        for line in &plan.lines {
            prop_assert!(line.qty > 0);
            prop_assert_eq!(recompute(&line.reason), Some(line.qty), "{:?}", line.reason);
            let terms = item.locations[line.location].terms.iter()
                .find(|t| t.source == line.source && t.kind == line.kind).expect("terms");
            prop_assert!(line.qty % terms.multiple == 0 && line.qty >= terms.moq);
            prop_assert!(line.fill_with + 1e-9 >= line.fill_without);
            prop_assert!(line.expected_on >= line.order_on && line.order_on >= TODAY);
        }
        for source in [0, 3] {
            let sent: i64 =
                plan.lines.iter().filter(|l| l.source == Some(source)).map(|l| l.qty).sum();
            prop_assert!(sent <= (stock[source] - reserved[source]).max(0), "{source}: {sent}");
        }
        for place in &plan.locations {
            prop_assert!(place.reason.is_empty() || recompute(&place.reason).is_some());
        }
    }
}
