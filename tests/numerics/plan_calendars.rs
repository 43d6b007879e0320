//! On which days an order leaves and arrives.
//!
//! Ten a day for certain, 50 on hand, three days of lead time, a review each week, on a Monday:
//! the order covers days 3 to 9, 20 are left by day 3, so 50 are ordered unless a case says
//! otherwise.

use granary_models::plan_sku::{ItemSupply, LocationKind, PlanConfig, plan_item};
use granary_models::policy::reason::{codes, recompute};
use granary_models::policy::terms::{ClosedWindow, SupplyTerms};

use crate::plan_help::{TODAY, flat, item, location, open_order, purchase};

const MON: usize = 0;
const TUE: usize = 1;
const THU: usize = 3;
const FRI: usize = 4;

fn terms<'a>(i: &'a mut ItemSupply) -> &'a mut SupplyTerms {
    &mut i.locations[0].terms[0]
}

fn on(days: &[usize]) -> [bool; 7] {
    std::array::from_fn(|day| days.contains(&day))
}

fn window(from: i32, to: i32) -> Vec<ClosedWindow> {
    vec![ClosedWindow { from: TODAY + from, to: TODAY + to }]
}

/// The quantity, and days from today on which it leaves and arrives.
fn check(name: &str, next_run_days: u32, change: impl Fn(&mut ItemSupply), want: (i64, i32, i32)) {
    let mut shop = location("L", LocationKind::Store, 50, vec![purchase(3, 7)]);
    shop.demand = flat(10.0);
    let mut item = item(vec![shop]);
    change(&mut item);
    let config = PlanConfig { next_run_days, ..PlanConfig::default() };
    let (plan, _) = plan_item(&item, TODAY, &config);
    let reason = &plan.locations[0].reason;
    let got = plan
        .lines
        .first()
        .map_or((0, 0, 0), |line| (line.qty, line.order_on - TODAY, line.expected_on - TODAY));
    assert_eq!(got, want, "{name}: {reason:#?}");
    assert_eq!(recompute(reason), Some(want.0), "{name}");
}

#[test]
fn orders_leave_on_their_weekdays() {
    assert_eq!(TODAY.weekday(), MON);
    check("every day", 0, |_| {}, (50, 0, 3));
    check("today is one", 0, |i| terms(i).order_weekdays = on(&[MON]), (50, 0, 3));
    // Leaves on day 3 for days 6 to 12, with nothing left by then.
    check("Thursdays only", 0, |i| terms(i).order_weekdays = on(&[THU]), (70, 3, 6));
    // The review is due on day 7, the next Thursday after it is day 10.
    check(
        "Mondays and Thursdays: weekly is weekly",
        0,
        |i| {
            terms(i).order_weekdays = on(&[MON, THU]);
        },
        (50, 0, 3),
    );
    check(
        "the next Tuesday or Friday after a review of three days",
        0,
        |i| {
            // Leaves on day 1 and day 4: there on day 4, the next on day 7.
            terms(i).order_weekdays = on(&[TUE, FRI]);
            terms(i).review_days = 3;
        },
        (20, 1, 4),
    );
    check(
        "review days that miss the weekday are rounded up",
        0,
        |i| {
            terms(i).order_weekdays = on(&[MON]);
            terms(i).review_days = 8;
        },
        (120, 0, 3),
    );
    check(
        "no weekday at all is a slip of the pen",
        0,
        |i| terms(i).order_weekdays = on(&[]),
        (50, 0, 3),
    );
}

#[test]
fn a_missed_cut_off_costs_a_day() {
    check("any day", 0, |i| terms(i).misses_cut_off = true, (60, 1, 4));
    check(
        "and with it a week",
        0,
        |i| {
            terms(i).misses_cut_off = true;
            terms(i).order_weekdays = on(&[MON]);
        },
        (70, 7, 10),
    );
    check(
        "Tuesday is still made",
        0,
        |i| {
            terms(i).misses_cut_off = true;
            terms(i).order_weekdays = on(&[TUE]);
        },
        (60, 1, 4),
    );
}

#[test]
fn what_a_later_run_can_still_decide_waits_for_it() {
    check("a nightly job", 1, |i| terms(i).order_weekdays = on(&[THU]), (0, 0, 0));
    check(
        "a weekly job: today is the last chance",
        7,
        |i| {
            terms(i).order_weekdays = on(&[THU]);
        },
        (70, 3, 6),
    );
    check(
        "Tuesday's orders are tonight's where the cut-off is missed",
        1,
        |i| {
            terms(i).misses_cut_off = true;
            terms(i).order_weekdays = on(&[TUE]);
        },
        (60, 1, 4),
    );
    check(
        "a missed cut-off alone is not waited for",
        1,
        |i| terms(i).misses_cut_off = true,
        (60, 1, 4),
    );
    check("a shutdown is not waited for", 1, |i| terms(i).closed = window(-1, 4), (70, 5, 8));
}

#[test]
fn nothing_arrives_where_nothing_is_received() {
    let closed = |from, to| move |i: &mut ItemSupply| i.locations[0].closed = window(from, to);
    // There on day 6 instead of 3, with nothing left.
    check("on the day of arrival", 0, closed(3, 5), (40, 0, 6));
    check("on the day of the next arrival", 0, closed(10, 13), (90, 0, 3));
    check(
        "an open order is late, too",
        0,
        |i| {
            i.locations[0].closed = window(1, 4);
            i.locations[0].open_orders = vec![open_order("1", 30, -2, 1)];
        },
        (20, 0, 5),
    );
    check(
        "the supplier closes as the shop opens",
        0,
        |i| {
            i.locations[0].closed = window(3, 4);
            terms(i).closed = window(5, 6);
        },
        (30, 0, 7),
    );
}

/// Chinese New Year: two weeks without a supplier, or without anyone to receive goods.
#[test]
fn an_order_lasts_over_two_weeks_of_holidays() {
    let five = |i: &mut ItemSupply| {
        terms(i).lead_time = granary_models::policy::lead_time::LeadTime::fixed(5)
    };
    // There on day 5, as the last of the stock is gone. The next leaves on day 21 and is there on
    // day 26.
    check(
        "the supplier's",
        0,
        |i| {
            five(i);
            terms(i).closed = window(7, 20);
        },
        (210, 0, 5),
    );
    // The next leaves on day 7 and is there on day 24.
    check(
        "the receiver's",
        0,
        |i| {
            five(i);
            i.locations[0].closed = window(10, 23);
        },
        (190, 0, 5),
    );
    check(
        "tonight's arrives on the first day after it",
        0,
        |i| {
            five(i);
            terms(i).closed = window(1, 14);
        },
        (50, 0, 15),
    );
}

#[test]
fn the_reason_names_the_days() {
    let mut shop = location("L", LocationKind::Store, 50, vec![purchase(3, 7)]);
    shop.demand = flat(10.0);
    shop.closed = window(10, 12);
    let mut item = item(vec![shop]);
    terms(&mut item).order_weekdays = on(&[TUE, FRI]);
    let (plan, found) = plan_item(&item, TODAY, &PlanConfig::default());
    let text = |step: &str| {
        let reason = &plan.locations[0].reason;
        reason.iter().find(|s| s.step == step).map(|s| s.text.clone()).unwrap_or_default()
    };
    assert_eq!(text(codes::ORDER_DAYS), "Orders leave on Tue, Fri: this one on 2025-10-21.");
    assert_eq!(
        text(codes::CLOSED),
        "Nothing is received from 2025-10-30 to 2025-11-01: the order has to last until it is again."
    );
    assert_eq!(found[0].1.code.as_str(), "receiving_closed");
}
