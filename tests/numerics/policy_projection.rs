//! The books of a projection balance on every path, and agree with a naive one.

use granary_models::policy::projection::{
    Issue, LotLeft, Opening, PathMatrix, Projection, Shortage, project, rank,
};
use proptest::prelude::*;

pub fn matrix(paths: usize, days: usize, values: &[u8]) -> PathMatrix {
    PathMatrix { paths, days, values: values.iter().map(|&v| f64::from(v)).collect() }
}

#[derive(Debug, Clone)]
pub struct Case {
    pub demand: PathMatrix,
    pub receipts: PathMatrix,
    pub opening: Opening,
    pub shortage: Shortage,
}

const PATHS: usize = 3;

pub fn cases(perishable: bool) -> impl Strategy<Value = Case> {
    let shortage = prop_oneof![Just(Shortage::Lost), Just(Shortage::BackOrdered)];
    (2usize..14, shortage)
        .prop_flat_map(move |(days, shortage)| {
            let cells = PATHS * days;
            let lots = if perishable { 0..4usize } else { 0..1usize };
            (
                proptest::collection::vec(0u8..12, cells),
                proptest::collection::vec(prop_oneof![4 => Just(0u8), 1 => 0u8..30], cells),
                proptest::collection::vec((1i64..15, 0i32..16), lots),
                (0i64..40, -20i64..20, proptest::option::of(1u32..9)),
                Just((days, shortage)),
                prop_oneof![Just(Issue::Fifo), Just(Issue::Lifo)],
            )
        })
        .prop_map(
            move |(demand, receipts, lots, (unlotted, taken, life), (days, shortage), issue)| {
                let mut lots: Vec<LotLeft> =
                    lots.into_iter().map(|(qty, last_day)| LotLeft { qty, last_day }).collect();
                lots.sort_by_key(|lot| (lot.last_day, lot.qty));
                let in_lots: i64 = lots.iter().map(|lot| lot.qty).sum();
                Case {
                    demand: matrix(PATHS, days, &demand),
                    receipts: matrix(PATHS, days, &receipts),
                    opening: Opening {
                        net: in_lots + unlotted - taken.max(0),
                        lots,
                        unlotted,
                        shelf_life_days: life.filter(|_| perishable),
                        issue,
                    },
                    shortage,
                }
            },
        )
}

/// One path at a time, a list of (last day, quantity), nothing clever.
fn naive(case: &Case, path: usize) -> (Vec<f64>, f64, f64, f64) {
    let life = case.opening.shelf_life_days;
    let last = |day: i64| life.map_or(i64::MAX, |life| day + i64::from(life) - 1);
    let mut shelf: Vec<(i64, i64)> =
        case.opening.lots.iter().map(|lot| (i64::from(lot.last_day), lot.qty)).collect();
    let in_lots: i64 = case.opening.lots.iter().map(|lot| lot.qty).sum();
    shelf.push((last(0), case.opening.unlotted));
    let mut promised = in_lots + case.opening.unlotted - case.opening.net;
    // Promises take the lots, soonest first, and only then what has no date.
    for lot in &mut shelf {
        let taken = lot.1.min(promised);
        lot.1 -= taken;
        promised -= taken;
    }
    let mut owed = promised;
    let (mut sold, mut lost, mut wasted) = (0, 0, 0);
    let mut closing = Vec::new();
    for day in 0..case.demand.days {
        let received = case.receipts.row(day)[path] as i64;
        let settled = received.min(owed);
        owed -= settled;
        shelf.push((last(day as i64), received - settled));
        shelf.sort_unstable();
        let mut wanted = case.demand.row(day)[path] as i64;
        let all = wanted;
        let mut order: Vec<usize> = (0..shelf.len()).collect();
        if case.opening.issue == Issue::Lifo {
            order.reverse();
        }
        for at in order {
            let taken = shelf[at].1.min(wanted);
            shelf[at].1 -= taken;
            wanted -= taken;
        }
        lost += wanted;
        if case.shortage == Shortage::BackOrdered {
            owed += wanted;
            sold += all;
        } else {
            sold += all - wanted;
        }
        wasted += shelf.iter().filter(|lot| lot.0 == day as i64).map(|lot| lot.1).sum::<i64>();
        shelf.retain(|lot| lot.0 > day as i64);
        closing.push((shelf.iter().map(|lot| lot.1).sum::<i64>() - owed) as f64);
    }
    (closing, sold as f64, lost as f64, wasted as f64)
}

fn check(case: &Case) -> Result<(), TestCaseError> {
    let mut out = Projection::default();
    project(&case.demand, &case.receipts, &case.opening, case.shortage, &mut out);
    for path in 0..PATHS {
        let days = case.demand.days;
        let (closing, sold, lost, wasted) = naive(case, path);
        let ours: Vec<f64> = (0..days).map(|day| out.closing.row(day)[path]).collect();
        prop_assert_eq!(&ours, &closing);
        prop_assert_eq!((out.sold[path], out.lost[path], out.wasted[path]), (sold, lost, wasted));
        let received: f64 = (0..days).map(|day| case.receipts.row(day)[path]).sum();
        let opening = case.opening.net as f64;
        prop_assert_eq!(opening + received - sold - wasted, ours[days - 1], "books");
        if case.shortage == Shortage::Lost && case.opening.net >= 0 {
            prop_assert!(ours.iter().all(|&stock| stock >= 0.0));
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn goods_that_keep_balance(case in cases(false)) { check(&case)?; }

    #[test]
    fn goods_that_perish_balance(case in cases(true)) { check(&case)?; }

    #[test]
    fn a_quantile_is_an_order_statistic(
        values in proptest::collection::vec(0u8..50, 1..40), p in 0.001f64..1.0,
    ) {
        let paths = values.len();
        let m = matrix(paths, 1, &values);
        let [q] = m.quantiles(0, [p], &mut Vec::new());
        let covered = |x: i64| values.iter().filter(|&&v| i64::from(v) <= x).count() as f64;
        let enough = p * paths as f64 - 1e-9;
        prop_assert!(covered(q) >= enough && covered(q - 1) < enough);
        let both = m.quantiles(0, [p / 2.0, p], &mut Vec::new());
        prop_assert_eq!(both[1], q);
        prop_assert!(rank(p, paths) < paths);
    }
}
