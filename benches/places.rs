//! Items with orders on their way, and items of many places:
//! `cargo bench -p granary-models --bench places`.

use std::hint::black_box;
use std::time::Instant;

use granary_models::calendar::Day;
use granary_models::distribution::DemandPaths;
use granary_models::plan_sku::{
    ItemSupply, LocationKind, LocationSupply, OpenOrder, PlanConfig, Scratch, plan_item_with,
};
use granary_models::policy::lead_time::LeadTime;
use granary_models::policy::terms::{SupplyKind, SupplyTerms};

const PATHS: usize = 256;
const HORIZON: usize = 28;
const TODAY: Day = Day(20_000);

fn paths(seed: u32) -> DemandPaths {
    let mut state = seed;
    let values = (0..PATHS * HORIZON)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 28) as f32
        })
        .collect();
    DemandPaths { paths: PATHS, horizon: HORIZON, values }
}

fn purchase() -> SupplyTerms {
    SupplyTerms {
        supplier_id: "S".to_owned(),
        lead_time: LeadTime::from_weights(&[0., 0., 1., 4., 8., 4., 2., 1.]).expect("weights"),
        review_days: 7,
        moq: 24,
        multiple: 12,
        unit_cost_minor: 250,
        ..SupplyTerms::default()
    }
}

fn transfer(source: usize, priority: u32) -> SupplyTerms {
    SupplyTerms {
        kind: SupplyKind::Transfer,
        source: Some(source),
        priority,
        lead_time: LeadTime::fixed(1),
        review_days: 2,
        unit_cost_minor: 5,
        ..SupplyTerms::default()
    }
}

fn shop(seed: u32, on_hand: i64, terms: Vec<SupplyTerms>) -> LocationSupply<'static> {
    LocationSupply {
        location_id: format!("SHOP-{seed}"),
        demand: Some(paths(seed)),
        on_hand,
        terms,
        ..LocationSupply::default()
    }
}

fn item(locations: Vec<LocationSupply<'static>>) -> ItemSupply<'static> {
    ItemSupply { item_id: "A".to_owned(), unit_cost_minor: 250, locations, ..ItemSupply::default() }
}

/// As many orders as are given, a week apart.
fn with_orders(orders: i32, on_hand: i64) -> ItemSupply<'static> {
    let mut place = shop(1, on_hand, vec![purchase()]);
    for at in 0..orders {
        place.open_orders.push(OpenOrder {
            po_id: at.to_string(),
            qty: 60,
            ordered_on: Some(TODAY - 2),
            expected_on: Some(TODAY + 3 + 7 * at),
            supplier_id: "S".to_owned(),
            ..OpenOrder::default()
        });
    }
    item(vec![place])
}

/// A centre with too little for its shops, and lanes from each to the next ones.
fn town(shops: usize, lanes: usize) -> ItemSupply<'static> {
    let mut places = vec![LocationSupply {
        kind: LocationKind::Dc,
        on_hand: 10 * shops as i64,
        terms: vec![purchase()],
        ..LocationSupply::default()
    }];
    for at in 1..=shops {
        let mut terms = vec![transfer(0, 1)];
        terms.extend((1..=lanes).map(|step| transfer((at - 1 + step) % shops + 1, 2)));
        let on_hand = if at % 3 == 0 { 200 } else { 4 };
        places.push(shop(at as u32, on_hand, terms));
    }
    item(places)
}

/// Time of a round that only a tenth of the rounds beat: what it takes when the core is free.
fn quiet_us(rounds: usize, item: &ItemSupply) -> f64 {
    let mut scratch = Scratch::default();
    let mut times: Vec<u128> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            let config = PlanConfig::default();
            black_box(plan_item_with(&mut scratch, black_box(item), TODAY, &config));
            start.elapsed().as_nanos()
        })
        .collect();
    times.sort_unstable();
    times[rounds / 10] as f64 / 1e3
}

fn main() {
    for (orders, on_hand) in [(0, 60), (1, 60), (3, 60), (3, 10), (3, 600)] {
        let each = quiet_us(4_000, &with_orders(orders, on_hand));
        println!("{orders} open orders, {on_hand} on hand: {each:.1} us");
    }
    for lanes in [0, 3] {
        let each = quiet_us(200, &town(20, lanes));
        println!("centre and 20 shops, {lanes} lanes each: {each:.0} us");
    }
}
