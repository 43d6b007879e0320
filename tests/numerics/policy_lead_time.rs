//! Lead times from purchase orders.

use granary_models::calendar::Day;
use granary_models::policy::lead_time::{LeadTime, LeadTimes, OrderRecord};
use proptest::prelude::*;

const TODAY: Day = Day(20_000);

/// An order of `age` days ago that took `took` days, or is open.
fn order<'a>(
    item_id: &'a str,
    supplier_id: &'a str,
    age: i32,
    took: Option<i32>,
) -> OrderRecord<'a> {
    let ordered_on = TODAY - age;
    OrderRecord {
        item_id,
        supplier_id,
        ordered_on: Some(ordered_on),
        received_on: took.map(|days| ordered_on + days),
    }
}

#[test]
fn open_orders_count_as_kaplan_and_meier_have_it() {
    // Received after 3, 5, 5 and 8 days; open since 4 and 6 days. By hand:
    // S(3) = 5/6; of 4 left on day 5, 2 arrive: S(5) = 5/12; the last one on day 8: S(8) = 0.
    let records = [
        order("A", "S", 30, Some(3)),
        order("A", "S", 30, Some(5)),
        order("A", "S", 30, Some(5)),
        order("A", "S", 30, Some(8)),
        order("A", "S", 4, None),
        order("A", "S", 6, None),
    ];
    let book = LeadTimes::learn(records, TODAY);
    // One supplier and one item: the pool is the item itself, so shrinking changes nothing.
    let (lead_time, finding) = book.get("A", "S", Some(99), 7);
    assert!(finding.is_none());
    assert_eq!(lead_time.observations, 4);
    for (p, days) in [(0.01, 3), (1.0 / 6.0, 3), (0.17, 5), (7.0 / 12.0, 5), (0.6, 8), (1.0, 8)] {
        assert_eq!(lead_time.quantile(p), days, "{p}");
    }
    let mean = 3.0 / 6.0 + 5.0 * 5.0 / 12.0 + 8.0 * 5.0 / 12.0;
    assert!((lead_time.mean() - mean).abs() < 1e-12);
}

#[test]
fn leaving_open_orders_out_would_be_too_hopeful() {
    let received = (0..10).map(|_| order("A", "S", 40, Some(5)));
    let stuck = (0..10).map(|_| order("A", "S", 20, None));
    let book = LeadTimes::learn(received.chain(stuck), TODAY);
    let (lead_time, _) = book.get("A", "S", None, 7);
    assert_eq!(lead_time.quantile(0.5), 5);
    assert_eq!(lead_time.quantile(0.6), 21, "after the longest age on record");
}

#[test]
fn few_orders_are_shrunk_towards_the_supplier_and_all() {
    let mut records: Vec<OrderRecord> = (0..50).map(|_| order("A", "S", 60, Some(10))).collect();
    records.extend((0..2).map(|_| order("B", "S", 60, Some(20))));
    records.extend((0..40).map(|_| order("C", "T", 60, Some(2))));
    records.extend((0..100).map(|_| order("D", "S", 60, Some(30))));
    let book = LeadTimes::learn(records, TODAY);
    let median = |item, supplier| book.get(item, supplier, None, 7).0.quantile(0.5);
    let mean = |item, supplier| book.get(item, supplier, None, 7).0.mean();
    assert_eq!(median("A", "S"), 10);
    assert_eq!(median("D", "S"), 30);
    assert_eq!(median("C", "T"), 2);
    // Two orders of 20 days among eight pseudo-orders of a supplier with 10 and 30.
    assert!(mean("B", "S") > mean("A", "S") && mean("B", "S") < mean("D", "S"));
    let share = 1.0 - 2.0 / 10.0;
    assert!((mean("B", "S") - (share * mean("new", "S") + 0.2 * 20.0)).abs() < 0.1);
}

#[test]
fn a_supplier_without_history_is_taken_at_its_word() {
    let book = LeadTimes::learn([order("A", "S", 60, Some(10))], TODAY);
    let none = LeadTimes::learn([order("A", "T", 3, None)], TODAY);
    for (book, promised, days, code) in [
        (&book, Some(14), 14, "lead_time_promised"),
        (&book, None, 10, "lead_time_unknown"),
        (&none, Some(14), 14, "lead_time_promised"),
        (&none, None, 7, "lead_time_unknown"),
    ] {
        let (lead_time, finding) = book.get("A", "T", promised, 7);
        assert_eq!(lead_time.quantile(0.5), days);
        assert_eq!(finding.map(|f| f.code.as_str()), Some(code));
    }
}

#[test]
fn impossible_dates_are_counted_and_left_out() {
    let undated = OrderRecord { ordered_on: None, ..order("A", "S", 9, Some(3)) };
    let records = [
        order("A", "S", 9, Some(-2)),
        order("A", "S", 2_000, None),
        undated,
        order("A", "S", 9, Some(3)),
    ];
    let book = LeadTimes::learn(records, TODAY);
    assert_eq!(book.odd_orders, 2);
    assert_eq!(book.get("A", "S", None, 7).0, {
        let mut fixed = LeadTime::fixed(3);
        fixed.observations = 1;
        fixed
    });
}

#[test]
fn what_remains_of_a_late_order_is_never_nothing() {
    let lead_time = LeadTime::from_weights(&[0.0, 0.0, 1.0, 2.0, 1.0]).expect("weights");
    // Given L > 2: 3 with 2/3, 4 with 1/3.
    let rest = lead_time.remaining(2);
    assert_eq!((rest.quantile(0.66), rest.quantile(0.67)), (1, 2));
    assert_eq!(lead_time.remaining(0).quantile(0.25), 2);
    for age in [4, 5, 400] {
        assert_eq!(lead_time.remaining(age), LeadTime::fixed(3), "older than any on record");
    }
    assert_eq!(LeadTime::fixed(0).remaining(0), LeadTime::fixed(1));
}

proptest! {
    #[test]
    fn samples_have_exactly_the_distribution(
        weights in proptest::collection::vec(0.0f64..1.0, 1..20),
        paths in 1usize..300,
        salt in 0u64..50,
    ) {
        prop_assume!(weights.iter().sum::<f64>() > 0.0);
        let lead_time = LeadTime::from_weights(&weights).expect("weights");
        let mut samples: Vec<u32> = (0..paths).map(|p| lead_time.sample(p, paths, salt)).collect();
        samples.sort_unstable();
        let strata: Vec<u32> =
            (0..paths).map(|i| lead_time.quantile((i as f64 + 0.5) / paths as f64)).collect();
        prop_assert_eq!(samples, strata);
    }

    #[test]
    fn quantiles_do_not_fall(
        weights in proptest::collection::vec(0.0f64..1.0, 1..20),
        age in 0u32..25,
    ) {
        prop_assume!(weights.iter().sum::<f64>() > 0.0);
        let lead_time = LeadTime::from_weights(&weights).expect("weights");
        for lead_time in [&lead_time, &lead_time.remaining(age)] {
            let at = |p: u32| lead_time.quantile(f64::from(p) / 100.0);
            let quantiles: Vec<u32> = (0..=100).map(at).collect();
            prop_assert!(quantiles.is_sorted());
            prop_assert!(quantiles[100] <= lead_time.longest());
        }
        prop_assert!(lead_time.remaining(age).quantile(0.001) >= 1);
    }
}

#[test]
fn samples_have_nothing_to_do_with_the_path_or_each_other() {
    let lead_time = LeadTime::from_weights(&[1.0; 64]).expect("weights");
    let paths = 256;
    let sample = |salt: u64| -> Vec<f64> {
        (0..paths).map(|p| f64::from(lead_time.sample(p, paths, salt))).collect()
    };
    let index: Vec<f64> = (0..paths).map(|p| p as f64).collect();
    for salt in 0..20 {
        let own = sample(salt);
        assert!(correlation(&own, &index).abs() < 0.25, "salt {salt} with the path");
        assert!(correlation(&own, &sample(salt + 1)).abs() < 0.25, "salt {salt} with the next");
    }
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len() as f64;
    let (ma, mb) = (a.iter().sum::<f64>() / n, b.iter().sum::<f64>() / n);
    let cov: f64 = a.iter().zip(b).map(|(x, y)| (x - ma) * (y - mb)).sum();
    let var = |v: &[f64], m: f64| v.iter().map(|x| (x - m).powi(2)).sum::<f64>();
    cov / (var(a, ma) * var(b, mb)).sqrt()
}
