//! What is known when: nothing comes from the future, and own sales are censored.

use granary_models::simulate::item::{Item, Knowledge, PartialDemand, Rules, Start};
use granary_models::simulate::policy::Policy;

use super::simulate_books::all_kinds;
use super::simulate_help::{Setting, given, lumpy, money, policy, rules};

fn item() -> Item {
    Item {
        lead_periods: 2,
        money: money(0.2, 1.0, 0.0),
        start: Start::Cover(None),
        ..Item::default()
    }
}

fn histories(series: u64) -> Vec<Vec<i64>> {
    (0..series).map(|k| lumpy(k + 1, 90, 3.0 + k as f64)).collect()
}

/// Without the policy that is told the future.
fn blind() -> Vec<Policy> {
    let kinds = all_kinds().into_iter().filter(|kind| format!("{kind:?}") != "PerfectInformation");
    kinds.map(policy).collect()
}

#[test]
fn another_future_changes_nothing_before_it() {
    for knowledge in [Knowledge::Recorded, Knowledge::OwnSales] {
        for partial_demand in [PartialDemand::Recorded, PartialDemand::Expected] {
            let rules = Rules { knowledge, partial_demand, ..rules(70, 20) };
            let mut setting = Setting::new(&histories(6), &item());
            setting.panel.price_ratio.iter_mut().enumerate().for_each(|(at, price)| {
                *price = 1.0 + (at % 3) as f32;
            });
            let before = setting.run(&rules, &blind());
            let from = 80;
            for series in 0..6 {
                let at = setting.panel.offsets[series] + from;
                let end = setting.panel.offsets[series + 1];
                setting.panel.sold[at..end].reverse();
                setting.panel.sold[at..end].iter_mut().for_each(|demand| *demand += 7.0);
            }
            let after = setting.run(&rules, &blind());
            let mut differs = false;
            for policy in 0..before.books.len() {
                for series in 0..6 {
                    let (old, new) = (before.book(policy, series), after.book(policy, series));
                    assert_eq!(old[..10], new[..10], "{knowledge:?} {partial_demand:?}");
                    // The order that is placed as the changed demand begins knows nothing of it.
                    assert_eq!(old[10].ordered, new[10].ordered);
                    differs |=
                        old[11..].iter().zip(&new[11..]).any(|(a, b)| a.ordered != b.ordered);
                }
            }
            assert!(differs, "later orders know it");
        }
    }
}

#[test]
fn own_sales_say_nothing_of_what_was_lost() {
    // Nothing is ever there, so nothing is ever sold, and the demand of the past fades.
    let game = Rules { knowledge: Knowledge::OwnSales, ..rules(60, 30) };
    let never = Item { start: given(0, &[]), lead_periods: 30, ..item() };
    let mut histories = histories(3);
    let setting = Setting::new(&histories, &never);
    let low = setting.run(&game, &blind());
    // Ten times the demand that nobody could serve changes no order.
    for history in &mut histories {
        history[60..].iter_mut().for_each(|demand| *demand *= 10);
    }
    let high = Setting::new(&histories, &never).run(&game, &blind());
    for policy in 0..low.books.len() {
        for series in 0..3 {
            let orders = |books: &[granary_models::simulate::stock::Period]| -> Vec<i64> {
                books[..29].iter().map(|period| period.ordered).collect()
            };
            assert_eq!(orders(low.book(policy, series)), orders(high.book(policy, series)));
        }
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let setting = Setting::new(&histories(40), &item());
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        let policies: Vec<Policy> = all_kinds().into_iter().map(policy).collect();
        pool.install(|| setting.run(&rules(70, 12), &policies))
    };
    assert_eq!(run(1), run(3));
}

#[test]
fn a_series_that_has_not_begun_orders_nothing_and_is_not_scored() {
    let mut history = vec![-1; 75];
    history.extend([4; 15]);
    let setting = Setting::new(&[history, lumpy(5, 90, 4.0)], &item());
    let got = setting.run(&rules(70, 20), &blind());
    for policy in 0..got.books.len() {
        let book = got.book(policy, 0);
        assert!(book[..6].iter().all(|period| period.ordered == 0), "{policy} {book:?}");
    }
    assert_eq!(got.scored(0).iter().filter(|scored| **scored).count(), 15);
}
