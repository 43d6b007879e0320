//! The order of events and the books.

use granary_models::policy::projection::{Issue, Shortage};
use granary_models::simulate::item::{Item, Rules, SimulateError};
use granary_models::simulate::policy::PolicyKind;
use granary_models::simulate::policy::base_stock::BaseStock;
use granary_models::simulate::policy::granary::Granary;
use granary_models::simulate::policy::min_max::MinMax;
use granary_models::simulate::policy::seasonal_naive_cover::{
    SeasonalForecast, SeasonalNaiveCover,
};
use granary_models::simulate::run::simulate;
use granary_models::simulate::stock::{Period, Stock};
use proptest::prelude::*;

use super::simulate_help::{Setting, given, lumpy, money, policy, rules};

/// Opening, received, demand, sold, lost, wasted, closing, ordered.
type Line = [i64; 8];

fn line(period: &Period) -> Line {
    let Period { opening, received, demand, sold, lost, wasted, closing, ordered } = *period;
    [opening, received, demand, sold, lost, wasted, closing, ordered]
}

/// Replays recorded orders, which are known beforehand, so that every number is by hand.
fn check(item: Item, rules: Rules, demand: &[i64], orders: &[i64], want: &[Line]) {
    let item = Item { recorded_orders: orders.to_vec(), ..item };
    let mut history = vec![5; 10];
    history.extend(demand);
    let setting = Setting::new(&[history], &item);
    let got = setting.run(&rules, &[policy(PolicyKind::Recorded)]);
    let got: Vec<Line> = got.book(0, 0).iter().map(line).collect();
    assert_eq!(got, want);
}

/// The setting of the VN2 competition: ordered at the end of week X, usable in week X + 3; two
/// receipts are on their way; what is not there is lost.
#[test]
fn an_order_is_usable_after_the_lead_time_and_not_before() {
    let item = Item { lead_periods: 3, start: given(4, &[2, 0]), ..Item::default() };
    let want = [
        // The order of 10, placed before the first week, is there in the third.
        [4, 2, 3, 3, 0, 0, 3, 10],
        [3, 0, 5, 3, 2, 0, 0, 7],
        [0, 10, 4, 4, 0, 0, 6, 0],
        [6, 7, 0, 0, 0, 0, 13, 0],
        [13, 0, 20, 13, 7, 0, 0, 9],
        [0, 0, 1, 0, 1, 0, 0, 0],
    ];
    check(item.clone(), rules(10, 6), &[3, 5, 4, 0, 20, 1], &[10, 7, 0, 0, 9, 0], &want);
    // With a lead time of 1 the order is there as the next period opens.
    let item = Item { lead_periods: 1, start: given(0, &[]), ..item };
    let want = [[0, 5, 3, 3, 0, 0, 2, 5], [2, 1, 3, 3, 0, 0, 0, 1]];
    check(item, rules(10, 2), &[3, 3], &[5, 1], &want);
}

#[test]
fn back_orders_are_served_first_and_sold_when_asked_for() {
    let item = Item { lead_periods: 2, start: given(1, &[]), ..Item::default() };
    let rules = Rules { shortage: Shortage::BackOrdered, ..rules(10, 4) };
    let want = [
        [1, 0, 4, 4, 3, 0, -3, 6],
        [-3, 6, 2, 2, 0, 0, 1, 0],
        [1, 0, 2, 2, 1, 0, -1, 0],
        [-1, 0, 0, 0, 0, 0, -1, 0],
    ];
    check(item, rules, &[4, 2, 2, 0], &[6, 0, 0, 0], &want);
}

#[test]
fn goods_expire_after_the_sales_of_their_last_period() {
    let item = Item {
        lead_periods: 1,
        shelf_life_periods: Some(2),
        start: given(5, &[]),
        ..Item::default()
    };
    // What is on hand counts as just received: it sells in periods 0 and 1.
    let fifo = [
        [5, 4, 2, 2, 0, 0, 7, 4],
        [7, 3, 2, 2, 0, 3, 5, 3],
        [5, 0, 4, 4, 0, 0, 1, 0],
        [1, 0, 0, 0, 0, 1, 0, 0],
    ];
    let orders = [4, 3, 0, 0];
    // Everything of period 0 has one life, so 7 are of one lot: 2 sold, 2 sold, 3 expire; that is
    // 5 + 4 received with last period 1, and 3 with last period 2.
    let want = [fifo[0], [7, 3, 2, 2, 0, 5, 3, 3], [3, 0, 4, 3, 1, 0, 0, 0], [0; 8]];
    check(item.clone(), rules(10, 4), &[2, 2, 4, 0], &orders, &want);
    // Shoppers who reach for the freshest leave the older to expire.
    let rules = Rules { issue: Issue::Lifo, ..rules(10, 4) };
    let want = [fifo[0], [7, 3, 2, 2, 0, 7, 1, 3], [1, 0, 4, 1, 3, 0, 0, 0], [0; 8]];
    check(item, rules, &[2, 2, 4, 0], &orders, &want);
}

#[test]
fn a_period_without_a_record_moves_goods_and_is_not_scored() {
    let item = Item { lead_periods: 1, start: given(3, &[]), ..Item::default() };
    let mut history = vec![2; 10];
    history.extend([2, -1, 2]);
    let mut setting = Setting::new(&[history], &item);
    setting.items[0].money = money(1.0, 10.0, 0.0);
    let got = setting.run(&rules(10, 3), &[policy(PolicyKind::Recorded)]);
    assert_eq!(got.scored, [true, false, true]);
    assert_eq!(line(&got.book(0, 0)[1]), [1, 0, 0, 0, 0, 0, 1, 0]);
    let units = got.units(0, 0);
    assert_eq!((units.periods, units.demand, units.lost, units.held), (2, 4, 1, 1));
}

#[test]
fn impossible_numbers_are_refused_by_name() {
    let refused = |item: Item, rules: Rules| {
        let setting = Setting::new(&[vec![1; 20]], &item);
        simulate(&setting.world(), &rules, &[], &|_| ()).expect_err("refused").to_string()
    };
    let item = Item::default();
    for (item, text) in [
        (Item { lead_periods: 0, ..item.clone() }, "lead_periods is 0; legal is 1 to 1000"),
        (Item { multiple: 0, ..item.clone() }, "multiple is 0; legal is 1 to 1e15"),
        (Item { money: money(-1.0, 1.0, 0.0), ..item.clone() }, "holding is -1; legal is 0"),
        (Item { money: money(1.0, f64::NAN, 0.0), ..item.clone() }, "shortage is NaN"),
        (Item { start: given(-3, &[]), ..item.clone() }, "starting stock or receipt is -3"),
        (Item { shelf_life_periods: Some(0), ..item.clone() }, "shelf_life_periods is 0"),
    ] {
        let message = refused(item, rules(10, 5));
        assert!(message.contains(text), "{message}");
    }
    let message = refused(item, Rules { review_every_periods: 0, ..rules(10, 5) });
    assert_eq!(message, "review_every_periods is 0; legal is 1 to 1000");
    let _: SimulateError = SimulateError::Books { policy: String::new(), series: 0, period: 0 };
}

/// Every policy there is.
pub fn all_kinds() -> Vec<PolicyKind> {
    let average = SeasonalForecast::IndexedAverage { window_periods: 13 };
    vec![
        PolicyKind::Granary(Granary::default()),
        PolicyKind::MinMax(MinMax::default()),
        PolicyKind::BaseStock(BaseStock::default()),
        PolicyKind::SeasonalNaiveCover(SeasonalNaiveCover::default()),
        PolicyKind::SeasonalNaiveCover(SeasonalNaiveCover { cover_periods: 4, forecast: average }),
        PolicyKind::PerfectInformation,
        PolicyKind::Recorded,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Under every policy: the books balance, follow one another, and stock is what was received
    /// and neither sold nor wasted; orders keep to the lot; nothing is lost while there is stock.
    #[test]
    fn goods_are_conserved(
        seed in 0u64..1_000,
        lead in 1usize..5,
        review in 1usize..4,
        life in proptest::option::of(1u32..5),
        (moq, multiple) in (0i64..9, 1i64..5),
        fixed in prop_oneof![Just(0.0), Just(20.0)],
        back_ordered: bool,
        start in 0i64..30,
    ) {
        let item = Item {
            lead_periods: lead,
            moq,
            multiple,
            shelf_life_periods: life,
            money: money(0.3, 2.0, fixed),
            start: given(start, &[seed as i64 % 7]),
            recorded_orders: lumpy(seed + 9, 20, 5.0),
        };
        let histories: Vec<Vec<i64>> = (0..3).map(|k| lumpy(seed * 3 + k, 60, 6.0)).collect();
        let setting = Setting::new(&histories, &item);
        let shortage = if back_ordered { Shortage::BackOrdered } else { Shortage::Lost };
        let rules = Rules { shortage, review_every_periods: review, ..rules(40, 20) };
        let kinds = all_kinds();
        let policies: Vec<_> = kinds.iter().cloned().map(policy).collect();
        let got = setting.run(&rules, &policies);
        for (at, kind) in kinds.iter().enumerate() {
            for series in 0..3 {
                let book = got.book(at, series);
                let mut before = start;
                for (n, period) in book.iter().enumerate() {
                    prop_assert!(period.balances());
                    prop_assert_eq!(period.opening, before);
                    before = period.closing;
                    prop_assert!(period.lost == 0 || period.closing - period.wasted <= 0);
                    if n % review > 0 {
                        prop_assert_eq!(period.ordered, 0);
                    }
                    let whole = period.ordered == 0
                        || (period.ordered >= moq && period.ordered % multiple == 0);
                    prop_assert!(whole || *kind == PolicyKind::Recorded);
                }
                let sum = |pick: fn(&Period) -> i64| book.iter().map(pick).sum::<i64>();
                let (on_hand, on_order) = got.left[at][series];
                let ordered = sum(|p| p.ordered);
                let due = seed as i64 % 7;
                prop_assert_eq!(ordered + due, sum(|p| p.received) + on_order);
                let left = start + sum(|p| p.received) - sum(|p| p.sold) - sum(|p| p.wasted);
                prop_assert_eq!(left, before);
                prop_assert_eq!(on_hand, before.max(0));
            }
        }
    }

    /// However goods come and go, a shelf never holds less than nothing.
    #[test]
    fn a_shelf_is_what_its_lots_are(
        moves in prop::collection::vec((0i64..20, 0i64..20), 1..40),
        life in proptest::option::of(1u32..6),
        lifo: bool,
        back_ordered: bool,
    ) {
        let item = Item { shelf_life_periods: life, ..Item::default() };
        let issue = if lifo { Issue::Lifo } else { Issue::Fifo };
        let shortage = if back_ordered { Shortage::BackOrdered } else { Shortage::Lost };
        let mut stock = Stock::new(7, &[], &item);
        for (ordered, demand) in moves {
            stock.order(ordered, 1);
            let period = stock.period(demand, &item, shortage, issue);
            prop_assert!(period.balances() && period.wasted >= 0 && stock.on_hand() >= 0);
            let lots: i64 = stock.opening(&item, issue).lots.iter().map(|lot| lot.qty).sum();
            if life.is_some() {
                prop_assert_eq!(lots, stock.on_hand());
            } else {
                prop_assert_eq!(period.wasted, 0);
            }
        }
    }
}
