//! The policies: by hand, against exact optima and against brute force.

use granary_models::distribution::count::{CountDemand, Levels};
use granary_models::forecast::sku_forecast::SkuForecast;
use granary_models::policy::order::{Needs, Window, needs};
use granary_models::policy::projection::{Opening, PathMatrix, Shortage};
use granary_models::simulate::item::{Item, Rules};
use granary_models::simulate::policy::PolicyKind;
use granary_models::simulate::policy::base_stock::BaseStock;
use granary_models::simulate::policy::batch::Batch;
use granary_models::simulate::policy::lumps;
use granary_models::simulate::policy::min_max::MinMax;
use granary_models::simulate::policy::seasonal_naive_cover::{
    SeasonalForecast, SeasonalNaiveCover, indexed_average, seasonal_naive,
};
use granary_models::simulate::policy::sober::sober;

use super::simulate_help::{Setting, given, money, noise, policy, rules};

/// What a policy orders after this history, with `on_hand` there and nothing on order.
fn ordered(kind: PolicyKind, history: &[i64], item: &Item, season: usize) -> i64 {
    let mut whole = history.to_vec();
    whole.extend([0; 9]);
    let setting = Setting::new(&[whole], item);
    let mut rules = rules(history.len() as i32, 9);
    rules.forecast.seasons = vec![season];
    setting.run(&rules, &[policy(kind)]).book(0, 0)[0].ordered
}

#[test]
fn rivals_order_by_their_formulas() {
    let item = Item { lead_periods: 3, start: given(5, &[4]), ..Item::default() };
    let history = [9, 9, 2, 4, 6];
    // Of the last three: mean 4, deviation 2; protection 3 + 1 - 1 = 3; position 9.
    let base = |z| PolicyKind::BaseStock(BaseStock { window_periods: 3, z: Some(z) });
    assert_eq!(ordered(base(0.0), &history, &item, 1), 12 - 9);
    assert_eq!(ordered(base(1.0), &history, &item, 1), 16 - 9);
    let min_max = |z, cover| {
        PolicyKind::MinMax(MinMax { window_periods: 3, z: Some(z), order_cover_periods: cover })
    };
    assert_eq!(ordered(min_max(0.0, 2.0), &history, &item, 1), 12 + 8 - 9);
    assert_eq!(ordered(min_max(-0.5, 2.0), &history, &item, 1), 19 - 9);
    // Above the minimum nothing is ordered.
    let rich = Item { start: given(9, &[4]), ..item.clone() };
    assert_eq!(ordered(min_max(0.0, 2.0), &history, &rich, 1), 0);
    let cover = |cover_periods, forecast| {
        PolicyKind::SeasonalNaiveCover(SeasonalNaiveCover { cover_periods, forecast })
    };
    // A season ago: 2, 4, 6, and 2 again.
    assert_eq!(ordered(cover(4, SeasonalForecast::LastSeason), &history, &item, 3), 14 - 9);
}

#[test]
fn seasonal_forecasts_by_hand() {
    let hole = f64::NAN;
    assert_eq!(seasonal_naive(&[1.0, 2.0, 3.0, hole, 5.0, 6.0], 3, 4), [1.0, 5.0, 6.0, 1.0]);
    assert_eq!(seasonal_naive(&[4.0, 6.0], 52, 2), [5.0, 5.0]);
    assert_eq!(seasonal_naive(&[], 52, 1), [0.0]);
    // Means 2 and 6 of an average 4: indices 0.5 and 1.5; the last two, without them, are 4 and 4.
    let history = [2.0, 6.0, 2.0, 6.0];
    assert_eq!(indexed_average(&history, 2, 2, 3), [2.0, 6.0, 2.0]);
    assert_eq!(indexed_average(&[0.0, 0.0], 1, 13, 2), [0.0, 0.0]);
}

/// Poisson demand as equally likely strata, independent from day to day.
fn strata(mean: f64, days: usize, paths: usize) -> PathMatrix {
    let mut values = vec![0.0f32; paths];
    CountDemand::new(mean, 0.0).quantiles(&Levels::strata(paths), &mut values);
    let mut demand = PathMatrix::default();
    demand.reset(paths, days, 0.0);
    let mut next = noise(4);
    for day in 0..days {
        for at in (1..paths).rev() {
            values.swap(at, (next() * (at + 1) as f64) as usize);
        }
        let row = demand.row_mut(day);
        row.iter_mut().zip(&values).for_each(|(to, &value)| *to = f64::from(value));
    }
    demand
}

/// Zheng & Federgruen's (1991) table 1: Poisson demand, h = 1, p = 9, K = 64, no lead time. An order
/// serves the period right after it, so the cost of a period is that of its own demand.
#[test]
fn batches_are_those_of_zheng_and_federgruen() {
    for (mean, reorder, up_to) in [(10.0, 6.0, 40.0), (20.0, 14.0, 62.0), (50.0, 43.0, 110.0)] {
        let demand = strata(mean, 1, 20_000);
        let mut receipts = PathMatrix::default();
        receipts.reset(demand.paths, 1, 0.0);
        let window = Window { arrive: vec![0.0; demand.paths], until: vec![1.0; demand.paths] };
        let mut found = Needs::default();
        let opening = Opening::default();
        needs(&demand, &receipts, &opening, &window, Shortage::BackOrdered, &mut found);
        let batch = Batch::new(
            &demand,
            &receipts,
            &found,
            &window,
            money(1.0, 9.0, 64.0),
            Shortage::BackOrdered,
        );
        let (s, big_s) = batch.expect("there is demand").levels(0.0);
        assert!((s - reorder).abs() <= 1.0 && (big_s - up_to).abs() <= 2.0, "{mean}: {s} {big_s}");
    }
}

/// The cost of an order plan, by playing it.
fn cost(item: &Item, game: &Rules, demand: &[i64], orders: &[i64]) -> f64 {
    let item = Item { recorded_orders: orders.to_vec(), ..item.clone() };
    let mut history = vec![1; 10];
    history.extend(demand);
    let setting = Setting::new(&[history], &item);
    let got = setting.run(game, &[policy(PolicyKind::Recorded)]);
    got.units(0, 0).costs(&item.money, game.shortage).total()
}

/// No plan of any orders up to 5 units costs less than perfect information.
#[test]
fn perfect_information_is_a_bound_by_brute_force() {
    let mut next = noise(77);
    for trial in 0..24 {
        let periods = 4;
        let demand: Vec<i64> = (0..periods).map(|_| (next() * 4.0) as i64).collect();
        let item = Item {
            lead_periods: 1 + trial % 2,
            money: money(0.3 + next(), 1.0 + 2.0 * next(), if trial % 3 == 0 { 0.0 } else { 1.5 }),
            start: given((next() * 3.0) as i64, &[]),
            ..Item::default()
        };
        let game = rules(10, periods);
        let mut history = vec![1; 10];
        history.extend(&demand);
        let setting = Setting::new(&[history], &item);
        let got = setting.run(&game, &[policy(PolicyKind::PerfectInformation)]);
        let perfect = got.units(0, 0).costs(&item.money, game.shortage).total();
        let mut least = f64::INFINITY;
        for code in 0..6i64.pow(periods as u32) {
            let orders: Vec<i64> = (0..periods as u32).map(|k| code / 6i64.pow(k) % 6).collect();
            least = least.min(cost(&item, &game, &demand, &orders));
        }
        assert!((perfect - least).abs() < 1e-9, "{trial}: {perfect} {least} {demand:?} {item:?}");
    }
}

/// Lumps of 100 in one period of ten: paths have a mean between the forecast's and theirs, and no
/// lump that is far from those that came, whatever tail the forecast has.
#[test]
fn rare_demand_comes_in_lumps_like_those_that_came() {
    let history: Vec<f64> = (0..200).map(|t| if t % 10 == 3 { 100.0 } else { 0.0 }).collect();
    let forecast = SkuForecast::from_mean(7, vec![8.0; 6], 200.0, 0.9);
    let mut demand = PathMatrix::default();
    demand.reset(4_000, 6, 0.0);
    assert!(lumps::draw(&forecast, &history, 1, &mut demand));
    let mean = demand.values.iter().sum::<f64>() / demand.values.len() as f64;
    assert!((mean / 9.0 - 1.0).abs() < 0.05, "{mean}");
    assert!(demand.values.iter().all(|&d| d == 0.0 || (50.0..150.0).contains(&d)));
    let busy: Vec<f64> = (0..200).map(|t| f64::from(t % 3)).collect();
    assert!(!lumps::draw(&forecast, &busy, 1, &mut demand));
}

#[test]
fn a_spread_is_held_against_the_history() {
    // Mean 10, variance 20.2: a dispersion of 0.1; neighbours in time have nothing to do with each
    // other.
    let mut next = noise(3);
    let history: Vec<f64> = (0..400).map(|_| 10.0 + 15.6 * (next() - 0.5)).collect();
    let wild = SkuForecast::from_mean(7, vec![10.0; 6], 200.0, 0.9);
    let calm = sober(&wild, &history, 4);
    assert!((0.06..0.14).contains(&calm.dispersion), "{}", calm.dispersion);
    assert!(calm.correlation < 0.1, "{}", calm.correlation);
    let narrow = SkuForecast::from_mean(7, vec![10.0; 6], 0.01, 0.0);
    assert_eq!((sober(&narrow, &history, 4).dispersion, narrow.correlation), (0.01, 0.0));
    // A level that moves slowly keeps stretches alike.
    let slow: Vec<f64> = (0..400).map(|t| 10.0 + 8.0 * (f64::from(t) / 40.0).sin()).collect();
    assert!(sober(&wild, &slow, 4).correlation > 0.6);
}
