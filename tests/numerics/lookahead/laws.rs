//! Laws of a decision from paths.

use granary_models::policy::lookahead::{Lookahead, LookaheadOrder, LookaheadScratch, PeriodMoney};
use granary_models::policy::order::Window;
use granary_models::policy::projection::{Issue, Opening, PathMatrix, Shortage};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::exact::{paths, poisson};

const MONEY: PeriodMoney =
    PeriodMoney { unit_cost: 3.0, holding: 0.3, shortage: 8.0, waste: 1.0, discount: 1.0 };

#[derive(Clone, Debug)]
struct Case {
    demand: PathMatrix,
    receipts: PathMatrix,
    opening: Opening,
    window: Window,
    ahead: Lookahead,
}

impl Case {
    fn order(&self) -> LookaheadOrder {
        let scratch = &mut LookaheadScratch::default();
        self.ahead.best_order(&self.demand, &self.receipts, &self.opening, &self.window, scratch)
    }

    /// Whether the order after `change` is no larger than before. Goods that keep obey but
    /// for differences in the noise.
    /// For goods that expire there can be two valleys of nearly the same depth: then the order of
    /// before would cost less than one unit's sale more.
    fn no_more_after(&self, change: impl Fn(&mut Case)) -> bool {
        let mut after = self.clone();
        change(&mut after);
        let (before, now) = (self.order().qty, after.order().qty);
        if now <= before {
            return true;
        }
        let keeps = self.opening.shelf_life_days.is_none();
        let plain = self.opening.issue == Issue::Fifo && self.ahead.shortage == Shortage::Lost;
        // Where the latest sells first a larger order tomorrow makes today's expire, and there is
        // no such law.
        let allowed = if keeps { MONEY.shortage / 8.0 } else { MONEY.shortage };
        (!keeps && !plain) || after.regret(before) < allowed
    }

    /// What `qty` would cost more than the order.
    fn regret(&self, qty: i64) -> f64 {
        let Case { demand, receipts, opening, window, ahead } = self;
        let mut scratch = LookaheadScratch::default();
        let mut prepared = ahead.prepare(demand, receipts, opening, window, &mut scratch);
        let best = prepared.best().qty;
        prepared.cost(qty) - prepared.cost(best)
    }

    fn at(&self, change: impl Fn(&mut Case)) -> i64 {
        let mut case = self.clone();
        change(&mut case);
        case.order().qty
    }
}

/// Demand that rises or falls over the days, a lead time that is fixed or differs between paths.
fn cases() -> impl Strategy<Value = Case> {
    let life = proptest::option::of(2u32..6);
    let issue = prop_oneof![Just(Issue::Fifo), Just(Issue::Lifo)];
    let shortage = prop_oneof![Just(Shortage::Lost), Just(Shortage::BackOrdered)];
    (
        (0.5f64..8.0, -0.1f64..0.1, 0u64..1_000),
        (0usize..5, 1u32..4, any::<bool>()),
        (-5i64..30, proptest::collection::vec(0u8..12, 5)),
        (life, issue, shortage),
    )
        .prop_map(
            |((mean, trend, seed), (lead, review, random), (net, due), (life, issue, lost))| {
                let count = 64;
                let mut demand = paths(&poisson(mean), count, 14, seed);
                for day in 0..14 {
                    let level = 1.0 + trend * day as f64;
                    demand.row_mut(day).iter_mut().for_each(|d| *d = (*d * level).round().max(0.0));
                }
                let mut receipts = PathMatrix::default();
                receipts.reset(count, 14, 0.0);
                for (day, &qty) in due.iter().enumerate().take(lead) {
                    receipts.row_mut(day).fill(f64::from(qty));
                }
                let late = |path: usize| f64::from(u8::from(random && path.is_multiple_of(3)));
                let arrive: Vec<f64> = (0..count).map(|path| lead as f64 + late(path)).collect();
                let until = (0..count)
                    .map(|path| (lead + review as usize) as f64 + late(path + 1))
                    .collect();
                let opening = Opening {
                    net,
                    unlotted: net.max(0),
                    shelf_life_days: life,
                    issue,
                    ..Opening::default()
                };
                Case {
                    demand,
                    receipts,
                    opening,
                    window: Window { arrive, until },
                    ahead: Lookahead::new(MONEY, lost, review),
                }
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 150,
        rng_seed: RngSeed::Fixed(4),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn never_negative_never_worse_than_nothing_and_repeatable(case in cases()) {
        let order = case.order();
        prop_assert!(order.qty >= 0 && order.value >= 0.0);
        prop_assert_eq!(order, case.order());
        // A scratch that another item has used changes nothing.
        let mut scratch = LookaheadScratch::default();
        let other = Case { ahead: Lookahead::new(MONEY, Shortage::Lost, 2), ..case.clone() };
        for case in [&other, &case] {
            let Case { demand, receipts, opening, window, ahead } = case;
            let again = ahead.best_order(demand, receipts, opening, window, &mut scratch);
            prop_assert_eq!(again, case.order());
        }
    }

    #[test]
    fn less_for_cheaper_shortages(case in cases()) {
        let less = case.no_more_after(|case| case.ahead.money.shortage /= 2.0);
        prop_assert!(less);
    }

    #[test]
    fn less_for_dearer_holding(case in cases()) {
        let less = case.no_more_after(|case| case.ahead.money.holding *= 4.0);
        prop_assert!(less);
    }

    #[test]
    fn less_for_dearer_waste(case in cases()) {
        let less = case.no_more_after(|case| case.ahead.money.waste += 8.0);
        prop_assert!(less);
    }

    #[test]
    fn less_with_more_on_hand(case in cases(), more in 1i64..20) {
        let less = case.no_more_after(|case| {
            case.opening.net += more;
            case.opening.unlotted = case.opening.net.max(0);
        });
        prop_assert!(less);
    }

    #[test]
    fn at_most_what_is_allowed(case in cases(), most in 0i64..10) {
        prop_assert!(case.at(|case| case.ahead.most = Some(most)) <= most);
    }
}

#[test]
fn nothing_for_no_demand_and_no_paths() {
    for count in [0, 1, 9] {
        let mut none = PathMatrix::default();
        none.reset(count, 5, 0.0);
        let window = Window { arrive: vec![1.0; count], until: vec![2.0; count] };
        let ahead = Lookahead::new(MONEY, Shortage::Lost, 1);
        let scratch = &mut LookaheadScratch::default();
        let order = ahead.best_order(&none, &none, &Opening::default(), &window, scratch);
        assert_eq!(order.qty, 0, "{count} paths");
    }
}

/// Large quantities are found with steps that halve, within a small part of a review's spread.
#[test]
fn grams_are_decided_like_kilograms() {
    let decide = |scale: f64| {
        let mut demand = paths(&poisson(6.0), 512, 16, 3);
        demand.values.iter_mut().for_each(|d| *d *= scale);
        let mut receipts = PathMatrix::default();
        receipts.reset(512, 16, 0.0);
        let window = Window { arrive: vec![3.0; 512], until: vec![4.0; 512] };
        let net = (10.0 * scale) as i64;
        let opening = Opening { net, unlotted: net, ..Opening::default() };
        let ahead = Lookahead::new(MONEY, Shortage::Lost, 1);
        ahead.best_order(&demand, &receipts, &opening, &window, &mut LookaheadScratch::default())
    };
    let (few, many) = (decide(1.0), decide(1_000.0));
    assert!((many.qty as f64 / 1_000.0 - few.qty as f64).abs() <= 1.0, "{few:?} {many:?}");
    assert!((many.value / 1_000.0 / few.value - 1.0).abs() < 0.01, "{few:?} {many:?}");
}
