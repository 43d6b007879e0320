//! Presentation stock, reserves, room, and moves between shops.

use granary_models::distribution::DemandPaths;
use granary_models::plan_sku::{
    ItemPlan, ItemStatus, ItemSupply, LocationKind, LocationSupply, OpenOrder, Overflow,
    PlanConfig, Scratch, plan_item, plan_item_with,
};
use granary_models::policy::reason::{codes, recompute};
use granary_models::policy::terms::{PriceBreak, SupplyKind};
use proptest::prelude::*;
use proptest::strategy::ValueTree;

use crate::plan_help::{TODAY, flat, item, location, purchase, transfer};

/// Margin and penalty of a unit at a cost of 100 and the default margin.
const WORTH: f64 = 100.0 * 0.3 / 0.7 * 1.5;

fn shop(id: &str, on_hand: i64, daily: f32) -> LocationSupply<'static> {
    let mut shop = location(id, LocationKind::Store, on_hand, vec![purchase(3, 7)]);
    shop.demand = flat(daily);
    shop
}

/// Ten a day; an order covers days 3 to 9.
fn one_shop(on_hand: i64) -> ItemSupply<'static> {
    item(vec![shop("L", on_hand, 10.0)])
}

/// Two shops that sell ten a day, a day from a centre whose supplier takes five.
fn two_shops(dc: i64, first: i64, second: i64) -> ItemSupply<'static> {
    let mut shops = [
        location("SHOP-1", LocationKind::Store, first, vec![transfer(0, 1, 2)]),
        location("SHOP-2", LocationKind::Store, second, vec![transfer(0, 1, 2)]),
    ];
    shops.iter_mut().for_each(|shop| shop.demand = flat(10.0));
    let [first, second] = shops;
    item(vec![location("DC", LocationKind::Dc, dc, vec![purchase(5, 7)]), first, second])
}

/// Lines as (source, location, quantity), findings as (location, code).
fn check(
    name: &str,
    item: &ItemSupply,
    lines: &[(Option<usize>, usize, i64)],
    found: &[(usize, &str)],
) -> ItemPlan {
    let (plan, findings) = plan_item(item, TODAY, &PlanConfig::default());
    let mut ours: Vec<_> =
        plan.lines.iter().map(|line| (line.source, line.location, line.qty)).collect();
    ours.sort_by_key(|&(source, at, qty)| (at, source, qty));
    assert_eq!(ours, lines, "{name}");
    for line in &plan.lines {
        assert_eq!(recompute(&line.reason), Some(line.qty), "{name}: {:#?}", line.reason);
    }
    let codes: Vec<(usize, &str)> = findings.iter().map(|(at, f)| (*at, f.code.as_str())).collect();
    assert_eq!(codes, found, "{name}: {findings:?}");
    plan
}

fn step(plan: &ItemPlan, at: usize, code: &str) -> i64 {
    plan.locations[at].reason.iter().filter(|s| s.step == code).map(|s| s.value).sum()
}

#[test]
fn what_stands_on_the_shelf_is_ordered_beside_the_need() {
    for (name, on_hand, presentation, ordered, shelf) in [
        ("none", 50, 0, 50, 0),
        ("beside the need", 50, 20, 70, 20),
        ("ten are to spare", 110, 20, 10, 10),
        ("all are to spare", 130, 20, 0, 0),
        ("a count below 0 is none", 50, -3, 50, 0),
    ] {
        let mut item = one_shop(on_hand);
        item.locations[0].presentation_min_qty = presentation;
        let lines: Vec<_> = (ordered > 0).then_some((None, 0, ordered)).into_iter().collect();
        let found: &[(usize, &str)] = if presentation < 0 { &[(0, "bad_stock")] } else { &[] };
        let plan = check(name, &item, &lines, found);
        assert_eq!(step(&plan, 0, codes::PRESENTATION), shelf, "{name}");
    }
}

#[test]
fn perishables_have_presentation_stock_as_well() {
    // Five days to sell: what is there lasts days 0 to 4, the order for days 5 to 7.
    let mut item = one_shop(50);
    item.shelf_life_days = Some(5);
    item.locations[0].presentation_min_qty = 20;
    check("beside the need", &item, &[(None, 0, 50)], &[]);
    // A month to sell: 150 are there, 100 sell until the next order, 50 are left of the 60.
    item = one_shop(150);
    item.shelf_life_days = Some(28);
    item.locations[0].presentation_min_qty = 60;
    check("what the projection leaves", &item, &[(None, 0, 10)], &[]);
}

#[test]
fn shelves_come_first_when_stock_is_scarce() {
    let mut item = two_shops(20, 10, 10);
    item.locations[2].presentation_min_qty = 15;
    // The centre buys for both shelves: 140 and 15.
    check(
        "shelf first",
        &item,
        &[(None, 0, 155), (Some(0), 1, 5), (Some(0), 2, 15)],
        &[(0, "dc_short")],
    );
}

#[test]
fn a_centre_keeps_its_reserve() {
    let mut item = two_shops(100, 10, 10);
    item.locations[0].reserve_qty = 70;
    let plan = check(
        "the shops would like 40",
        &item,
        &[(None, 0, 210), (Some(0), 1, 15), (Some(0), 2, 15)],
        &[(0, "reserve_kept")],
    );
    assert_eq!(step(&plan, 0, codes::RESERVE), 70);
    assert_eq!(step(&plan, 1, codes::DC_RESERVE), -5);
    item.locations[0].on_hand = 30;
    check("less there than the reserve", &item, &[(None, 0, 210)], &[(0, "dc_short")]);
    item.locations[0].on_hand = 300;
    let lines = [(None, 0, 10), (Some(0), 1, 20), (Some(0), 2, 20)];
    check("enough for all", &item, &lines, &[]);
}

#[test]
fn an_order_larger_than_its_need_is_cut_to_the_room() {
    let mut item = one_shop(50);
    let tier = PriceBreak { min_qty: 60, unit_cost_minor: 90 };
    item.locations[0].terms[0].price_breaks = vec![tier];
    check("a price break", &item, &[(None, 0, 60)], &[]);
    item.locations[0].capacity_qty = Some(62);
    let plan = check("no room for it", &item, &[(None, 0, 50)], &[(0, "room_short")]);
    assert_eq!(step(&plan, 0, codes::ROOM), -10);
    // What is needed before the next order is there is ordered all the same.
    item.locations[0].capacity_qty = Some(55);
    let found = [(0, "room_short"), (0, "over_capacity")];
    let plan = check("nor for the need", &item, &[(None, 0, 50)], &found);
    let overflow = Overflow { from: TODAY + 3, to: TODAY + 3, p50_qty: 5, p90_qty: 5 };
    assert_eq!(plan.locations[0].overflow, Some(overflow));
}

#[test]
fn room_is_booked_for_nine_cases_in_ten() {
    let mut item = one_shop(400);
    // One path in eight sells nothing.
    let mut values = vec![10.0; 8 * 28];
    values[..28].fill(0.0);
    item.locations[0].demand = Some(DemandPaths { paths: 8, horizon: 28, values });
    item.locations[0].capacity_qty = Some(395);
    let plan = check("only the slow path", &item, &[], &[(0, "overflow_likely")]);
    let overflow = Overflow { from: TODAY, to: TODAY + 27, p50_qty: 0, p90_qty: 5 };
    assert_eq!(plan.locations[0].overflow, Some(overflow));
    item.locations[0].capacity_qty = Some(380);
    let plan = check("the median as well", &item, &[], &[(0, "over_capacity")]);
    let overflow = Overflow { p50_qty: 10, p90_qty: 20, ..overflow };
    assert_eq!(plan.locations[0].overflow, Some(overflow));
}

/// Two shops ten days from their supplier; the second may take from the first within a day.
fn neighbours(rich: i64, poor: i64) -> ItemSupply<'static> {
    let mut shops = [shop("RICH", rich, 10.0), shop("POOR", poor, 10.0)];
    for (at, place) in shops.iter_mut().enumerate() {
        let mut lane = transfer(1 - at, 1, 1);
        (lane.priority, lane.unit_cost_minor, lane.fixed_cost_minor) = (2, 4, 50);
        lane.landed_cost_minor = 1;
        place.terms = vec![purchase(10, 7), lane];
    }
    item(shops.into())
}

#[test]
fn shops_help_each_other_where_it_pays() {
    // The poor one is out on days 2 to 9: 80. The rich one has 230 left on day 17.
    let usual = (None, 1, 70);
    let check_moved = |name: &str, moved: i64, change: &dyn Fn(&mut ItemSupply)| {
        let mut item = neighbours(400, 20);
        change(&mut item);
        let lines = if moved > 0 { vec![usual, (Some(0), 1, moved)] } else { vec![usual] };
        check(name, &item, &lines, &[])
    };
    let plan = check_moved("what will be short", 80, &|_| {});
    let line = plan.lines.iter().find(|line| line.source == Some(0)).expect("a move");
    assert_eq!(line.kind, SupplyKind::Transfer);
    assert_eq!(line.expected_value_minor, (80.0 * WORTH - 80.0 * 5.0 - 50.0).round() as i64);
    assert_eq!((line.expected_on, line.need_on), (TODAY + 1, TODAY + 2));
    fn lane<'a>(i: &'a mut ItemSupply) -> &'a mut granary_models::policy::terms::SupplyTerms {
        &mut i.locations[1].terms[1]
    }
    check_moved("freight over the margin", 0, &|i| lane(i).unit_cost_minor = 64);
    check_moved("handling over all of it", 0, &|i| lane(i).fixed_cost_minor = 4_800);
    check_moved("by lots", 90, &|i| lane(i).multiple = 30);
    check_moved("no lot that large", 0, &|i| lane(i).moq = 401);
    check_moved("its shelf stays full", 30, &|i| i.locations[0].presentation_min_qty = 200);
    check_moved("its reservations stay", 50, &|i| i.locations[0].reserved = 180);
    check_moved("only what it can spare", 30, &|i| i.locations[0].on_hand = 200);
    check_moved("the lane holds 25", 25, &|i| lane(i).capacity_qty = Some(25));
    check_moved("too late to help", 0, &|i| {
        lane(i).lead_time = granary_models::policy::lead_time::LeadTime::fixed(10);
    });
    check_moved("the usual source is no lane", 0, &|i| {
        i.locations[1].terms.remove(1);
    });
    // Its own sales will take from a shelf that large: nothing to spare.
    let mut wide = neighbours(400, 20);
    wide.locations[0].presentation_min_qty = 370;
    check("a wide shelf", &wide, &[(None, 0, 140), usual], &[]);
    // What is given up sells where it can, to the end of the forecast: 260 short, 120 to spare.
    let mut ending = neighbours(400, 20);
    ending.status = ItemStatus::PhaseOut;
    check("until all is sold", &ending, &[(Some(0), 1, 120)], &[]);
}

/// Shops with lanes between all of them; nothing else delivers within the eight days.
#[derive(Clone, Debug)]
struct Town {
    stock: Vec<i64>,
    demand: Vec<Vec<f32>>,
    freight: Vec<i64>,
    handling: i64,
    lot: i64,
    presentation: i64,
}

const PATHS: usize = 4;
const DAYS: usize = 8;

impl Town {
    fn item(&self) -> ItemSupply<'static> {
        let shops = self.stock.len();
        let mut lanes = self.freight.iter();
        let mut place = |at: usize| {
            let mut shop = shop(&format!("SHOP-{at}"), self.stock[at], 0.0);
            for source in (0..shops).filter(|&source| source != at) {
                let mut lane = transfer(source, 1, 1);
                (lane.priority, lane.fixed_cost_minor) = (2, self.handling);
                lane.unit_cost_minor = *lanes.next().expect("a lane");
                lane.multiple = self.lot;
                shop.terms.push(lane);
            }
            let values = self.demand[at].clone();
            shop.demand = Some(DemandPaths { paths: PATHS, horizon: DAYS, values });
            shop.presentation_min_qty = self.presentation;
            shop
        };
        let mut item = item((0..shops).map(&mut place).collect());
        item.status = ItemStatus::PhaseOut;
        item
    }

    /// Sales lost by `moved[to][from]`, freight and handling, in minor units.
    fn cost(&self, moved: &[Vec<i64>]) -> f64 {
        let shops = self.stock.len();
        let mut lanes = self.freight.iter();
        let mut cost = 0.0;
        for (at, received) in moved.iter().enumerate() {
            for from in (0..shops).filter(|&from| from != at) {
                let freight = *lanes.next().expect("a lane");
                if received[from] > 0 {
                    cost += (freight * received[from] + self.handling) as f64;
                }
            }
            let given: i64 = moved.iter().map(|to| to[at]).sum();
            let taken: i64 = received.iter().sum();
            for path in 0..PATHS {
                let mut stock = self.stock[at] - given;
                for day in 0..DAYS {
                    stock += if day == 1 { taken } else { 0 };
                    let wanted = self.demand[at][path * DAYS + day] as i64;
                    cost += (wanted - stock).max(0) as f64 * WORTH / PATHS as f64;
                    stock = (stock - wanted).max(0);
                }
            }
        }
        cost
    }

    /// The least cost of all moves by which a shop gives or takes, and keeps its shelf.
    fn best(&self) -> f64 {
        let shops = self.stock.len();
        let mut moved = vec![vec![0; shops]; shops];
        self.search(&mut moved, 0)
    }

    fn search(&self, moved: &mut Vec<Vec<i64>>, lane: usize) -> f64 {
        let shops = self.stock.len();
        if lane == shops * shops {
            return self.cost(moved);
        }
        let (to, from) = (lane / shops, lane % shops);
        let mut least = self.search(moved, lane + 1);
        let took = moved[from].iter().any(|&qty| qty > 0);
        let gave = (0..shops).any(|other| moved[other][to] > 0);
        if to == from || took || gave {
            return least;
        }
        loop {
            moved[to][from] += self.lot;
            let given: i64 = (0..shops).map(|other| moved[other][from]).sum();
            if given > self.stock[from] - self.presentation {
                break;
            }
            least = least.min(self.search(moved, lane + 1));
        }
        moved[to][from] = 0;
        least
    }

    fn ours(&self) -> Vec<Vec<i64>> {
        let shops = self.stock.len();
        let (plan, _) = plan_item(&self.item(), TODAY, &PlanConfig::default());
        let mut moved = vec![vec![0; shops]; shops];
        for line in &plan.lines {
            assert_eq!(recompute(&line.reason), Some(line.qty), "{:#?}", line.reason);
            moved[line.location][line.source.expect("nothing is bought")] += line.qty;
        }
        moved
    }
}

fn town(shops: usize, most: i64) -> impl Strategy<Value = Town> {
    let demand = proptest::collection::vec(
        (0u8..4).prop_flat_map(|level| {
            let day = (0..=level).prop_map(f32::from);
            proptest::collection::vec(day, PATHS * DAYS)
        }),
        shops,
    );
    let stock = proptest::collection::vec(0..most, shops);
    let freight = proptest::collection::vec(0i64..40, shops * (shops - 1));
    (stock, demand, freight, 0i64..200, 1i64..5, 0i64..4).prop_map(
        |(stock, demand, freight, handling, lot, presentation)| Town {
            stock,
            demand,
            freight,
            handling,
            lot,
            presentation,
        },
    )
}

proptest! {
    #[test]
    fn two_shops_move_what_is_best(town in town(2, 40)) {
        // The shelf is a wish beside the money: the search knows it only as a limit.
        let town = Town { presentation: 0, ..town };
        let (ours, best) = (town.cost(&town.ours()), town.best());
        // A move that earns less than one minor unit is not worth a line.
        prop_assert!((ours - best).abs() < 1.0 + 1e-6, "{ours}, best {best}");
    }

    #[test]
    fn no_move_loses_money_and_none_goes_to_and_fro(town in town(4, 60)) {
        let moved = town.ours();
        let nothing = vec![vec![0; 4]; 4];
        prop_assert!(town.cost(&moved) <= town.cost(&nothing));
        for at in 0..4 {
            let given: i64 = (0..4).map(|to| moved[to][at]).sum();
            let taken: i64 = moved[at].iter().sum();
            prop_assert!(given == 0 || taken == 0);
            prop_assert!(given == 0 || given <= town.stock[at] - town.presentation);
            prop_assert!(moved[at].iter().all(|qty| qty % town.lot == 0));
            // Each move pays by itself: without it the town is worse off.
            for from in 0..4 {
                if moved[at][from] > 0 {
                    let mut without = moved.clone();
                    without[at][from] = 0;
                    prop_assert!(town.cost(&moved) <= town.cost(&without) + 1e-6);
                }
            }
        }
    }
}

#[test]
fn three_shops_come_close_to_the_best() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut ours, mut best, mut nothing) = (0.0, 0.0, 0.0);
    let mut worst = 0.0f64;
    for _ in 0..150 {
        let town = town(3, 14).new_tree(&mut runner).expect("a town").current();
        let town = Town { presentation: 0, ..town };
        let costs = (town.cost(&town.ours()), town.best());
        ours += costs.0;
        best += costs.1;
        nothing += town.cost(&vec![vec![0; 3]; 3]);
        worst = worst.max(costs.0 - costs.1);
    }
    let saved = (nothing - ours) / (nothing - best);
    println!("{:.2}% of what can be saved; at most {worst:.0} missed", 100.0 * saved);
    assert!(saved > 0.98, "{saved}");
}

/// A linear congruential generator (Knuth's MMIX constants), high bits.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> i64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % n) as i64
    }
}

#[test]
fn no_unit_appears_or_vanishes_in_a_fortnight() {
    let mut random = Random(5);
    let mut places = vec![location("DC", LocationKind::Dc, 40, vec![purchase(6, 7)])];
    for at in 1..4 {
        let mut shop = location(&format!("SHOP-{at}"), LocationKind::Store, 0, vec![]);
        shop.on_hand = if at == 1 { 70 } else { 6 };
        let values = (0..64 * 28).map(|_| random.below(9) as f32).collect();
        shop.demand = Some(DemandPaths { paths: 64, horizon: 28, values });
        shop.presentation_min_qty = 2;
        shop.terms = vec![transfer(0, 2, 2)];
        for source in (1..4).filter(|&source| source != at) {
            let mut lane = transfer(source, 1, 1);
            (lane.priority, lane.unit_cost_minor, lane.multiple) = (2, 3, 2);
            shop.terms.push(lane);
        }
        places.push(shop);
    }
    let mut item = item(places);
    let stock = |item: &ItemSupply| -> i64 {
        let of = |place: &LocationSupply| {
            place.on_hand + place.open_orders.iter().map(|order| order.qty).sum::<i64>()
        };
        item.locations.iter().map(of).sum()
    };
    let (opening, mut bought, mut sold, mut laterals) = (stock(&item), 0, 0, 0);
    let mut scratch = Scratch::default();
    for day in 0..14 {
        let today = TODAY + day;
        let (plan, _) = plan_item_with(&mut scratch, &item, today, &PlanConfig::default());
        for line in &plan.lines {
            match line.source {
                Some(source) => {
                    let kept = item.locations[source].presentation_min_qty;
                    item.locations[source].on_hand -= line.qty;
                    let lateral = source > 0;
                    laterals += u32::from(lateral);
                    assert!(item.locations[source].on_hand >= if lateral { kept } else { 0 });
                    let back = |l: &&granary_models::plan_sku::Line| {
                        l.source == Some(line.location) && l.location == source
                    };
                    assert!(!plan.lines.iter().any(|l| back(&l)), "to and fro on day {day}");
                }
                None => bought += line.qty,
            }
            let po_id = line.reorder_line(&item, today).line_key;
            item.locations[line.location].open_orders.push(OpenOrder {
                po_id,
                line_no: "1".to_owned(),
                qty: line.qty,
                ordered_on: Some(today),
                expected_on: Some(line.expected_on),
                ..OpenOrder::default()
            });
        }
        for (at, place) in item.locations.iter_mut().enumerate() {
            let due = |order: &OpenOrder| order.expected_on.is_some_and(|day| day <= today);
            let there = place.open_orders.iter().filter(|o| due(o)).map(|o| o.qty).sum::<i64>();
            place.on_hand += there;
            place.open_orders.retain(|order| !due(order));
            if at > 0 {
                let served = random.below(9).min(place.on_hand);
                place.on_hand -= served;
                sold += served;
            }
        }
        assert_eq!(opening + bought, stock(&item) + sold, "day {day}");
    }
    assert!(laterals > 0, "nothing was moved between shops");
}
