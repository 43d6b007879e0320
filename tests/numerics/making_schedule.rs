//! Batches that share a maker's hours: worked examples, brute force, laws.

use granary_models::calendar::Day;
use granary_models::finding::Code;
use granary_models::policy::production::demand::DemandPrior;
use granary_models::policy::production::lead_time::MakerLeadTime;
use granary_models::policy::production::schedule::{BatchCurve, MakerCapacity, Schedule, schedule};
use granary_models::policy::production::{
    BatchHours, BatchTerms, Candidate, Presale, Reservation, suggest, suggest_together,
};
use proptest::prelude::*;

const TODAY: Day = Day(20_000);

/// Lots of 10 with these worths, an hour to set up and 0.1 hours a unit.
fn curve(worths: &[f64], due_in: Option<i32>) -> BatchCurve {
    BatchCurve {
        qty: (0..=worths.len() as i64).map(|lot| 10 * lot).collect(),
        worth_minor: std::iter::once(0.0).chain(worths.iter().copied()).collect(),
        setup_hours: 1.0,
        hours_per_unit: 0.1,
        due_on: due_in.map(|days| TODAY + days),
        ..BatchCurve::default()
    }
}

fn made(curves: &[BatchCurve], maker: &MakerCapacity) -> (Schedule, Vec<(usize, Code)>) {
    let (schedule, findings) = schedule(curves, maker, TODAY).expect("legal curves");
    (schedule, findings.into_iter().map(|(i, finding)| (i, finding.code)).collect())
}

/// Two hours a day, material tomorrow, a day on the road: days 1 to 5, ten hours. The lots take 2,
/// 3 and 4 hours. Both curves want 4 + 4 hours, so all fits: the promised one is made on days 1 and
/// 2 and is there on day 3, the other on days 3 and 4.
#[test]
fn a_week_worked_by_hand() {
    let curves = [curve(&[50.0, 90.0, 120.0], None), curve(&[30.0, 70.0, 100.0], Some(3))];
    let (week, found) = made(&curves, &MakerCapacity::weekly(2.0, 1, 1));
    assert_eq!(week.batches.iter().map(|batch| batch.qty).collect::<Vec<_>>(), [30, 30]);
    let days = |i: usize| (week.batches[i].starts_on, week.batches[i].ready_on);
    assert_eq!(days(1), (Some(TODAY + 1), Some(TODAY + 3)));
    assert_eq!(days(0), (Some(TODAY + 3), Some(TODAY + 5)));
    assert_eq!(week.hours_used, [0.0, 2.0, 2.0, 2.0, 2.0, 0.0, 0.0]);
    assert_eq!((week.hour_price_minor, week.worth_minor, week.gap_minor()), (0.0, 220.0, 0.0));
    assert_eq!((week.hours_available, found.len()), (10.0, 0));
}

/// Six hours for the same two. From (0, 0) the first curve's blocks are 90 for 3 hours (30 an hour;
/// 50 for 2 lies below that line) and 30 for the next; the second's 100 for 4 (25 an hour, all else
/// below). 3 + 1 hours go to the first, and of the second's 4 hours 2 are there: λ = 25, the bound
/// 120 + 50. Whole lots: 90 + 70 in 3 + 3 hours.
#[test]
fn short_hours_have_a_price() {
    let curves = [curve(&[50.0, 90.0, 120.0], None), curve(&[30.0, 70.0, 100.0], Some(1))];
    let (week, found) = made(&curves, &MakerCapacity::weekly(2.0, 2, 2));
    assert_eq!(week.hours_available, 6.0);
    assert_eq!(week.batches.iter().map(|batch| batch.qty).collect::<Vec<_>>(), [20, 20]);
    assert!((week.hour_price_minor - 25.0).abs() < 1e-9);
    assert!((week.worth_minor - 160.0).abs() < 1e-9 && (week.bound_minor - 170.0).abs() < 1e-9);
    assert!((week.deferred_minor() - 60.0).abs() < 1e-9);
    // Ready on day 5: 1.5 days of work from day 2 on, and two on the road.
    assert_eq!((week.batches[1].ready_on, week.batches[1].days_late), (Some(TODAY + 5), 4));
    assert_eq!(found, [(0, Code::BatchDeferred), (1, Code::BatchDeferred), (1, Code::PromiseLate)]);
}

/// A smaller lot that is ready in time beats a larger one that is not, where being late costs more.
#[test]
fn a_lot_shrinks_to_be_in_time() {
    let late = |minor: f64| BatchCurve {
        promised_qty: 10,
        in_time_minor: vec![minor, minor],
        ..curve(&[100.0, 150.0], Some(1))
    };
    // Two hours a day: a lot of 10 is ready today, one of 20 tomorrow.
    let maker = MakerCapacity { hours: vec![2.0, 2.0], material_days: 0, transit_days: 0 };
    for (today_minor, qty, ready) in [(60.0, 10, 0), (40.0, 20, 1)] {
        let in_time = BatchCurve { in_time_minor: vec![today_minor], ..late(0.0) };
        let (days, _) = made(&[in_time], &maker);
        assert_eq!((days.batches[0].qty, days.batches[0].ready_on), (qty, Some(TODAY + ready)));
    }
}

/// Most worth over every combination of lots, each made in the order of its date.
fn brute(curves: &[BatchCurve], maker: &MakerCapacity) -> f64 {
    let mut order: Vec<usize> = (0..curves.len()).collect();
    order.sort_by_key(|&i| (curves[i].due_on.is_none(), curves[i].due_on, i));
    let end = maker.hours.len() - (maker.transit_days as usize).min(maker.hours.len());
    let usable: Vec<(usize, f64)> = (maker.material_days as usize..end)
        .map(|day| (day, maker.hours[day]))
        .filter(|&(_, hours)| hours > 0.0)
        .collect();
    let total: f64 = usable.iter().map(|&(_, hours)| hours).sum();
    let mut best = 0.0f64;
    let combinations: usize = curves.iter().map(|curve| curve.qty.len()).product();
    for mut code in 0..combinations {
        let lots: Vec<usize> = curves
            .iter()
            .map(|curve| {
                let lot = code % curve.qty.len();
                code /= curve.qty.len();
                lot
            })
            .collect();
        let (mut spent, mut worth) = (0.0, 0.0);
        for &i in order.iter().filter(|&&i| lots[i] > 0) {
            let (curve, qty) = (&curves[i], curves[i].qty[lots[i]]);
            spent += curve.setup_hours + curve.hours_per_unit * qty as f64;
            let (mut until, mut day) = (0.0, 0);
            for &(at, hours) in &usable {
                day = at;
                until += hours;
                if until >= spent - 1e-9 {
                    break;
                }
            }
            let ready = day + maker.transit_days as usize;
            let in_time = curve.in_time_minor.get(ready).copied().unwrap_or(0.0);
            let covers =
                if curve.promised_qty > 0 { qty as f64 / curve.promised_qty as f64 } else { 0.0 };
            worth += curve.worth_minor[lots[i]] + covers.min(1.0) * in_time;
        }
        if spent <= total + 1e-9 {
            best = best.max(worth);
        }
    }
    best
}

fn curves(most: usize, lots: usize) -> impl Strategy<Value = Vec<BatchCurve>> {
    let one = (
        (prop::collection::vec((1i64..20, 0.0..90.0f64), 1..=lots), 0.0..300.0f64),
        (0.0..3.0f64, 0.0..0.2f64),
        (prop::option::of(0i32..9), 0i64..40, prop::collection::vec(0.0..200.0f64, 0..7)),
    )
        .prop_map(|((steps, setup_minor), (setup_hours, hours_per_unit), promise)| {
            let (mut qty, mut worth_minor) = (vec![0], vec![0.0]);
            let (mut sum, mut earned) = (0, 0.0);
            for (add, unit_minor) in steps {
                sum += add;
                earned += unit_minor * add as f64 / (1.0 + sum as f64 / 20.0);
                qty.push(sum);
                worth_minor.push(earned - setup_minor);
            }
            let mut in_time_minor = promise.2;
            in_time_minor.sort_by(|a, b| b.total_cmp(a));
            BatchCurve {
                qty,
                worth_minor,
                setup_hours,
                hours_per_unit,
                due_on: promise.0.map(|days| TODAY + days),
                promised_qty: promise.1,
                in_time_minor,
            }
        });
    prop::collection::vec(one, 1..=most)
}

fn maker() -> impl Strategy<Value = MakerCapacity> {
    (prop::collection::vec(prop_oneof![1 => Just(0.0), 4 => 0.5..9.0f64], 1..8), 0u32..4, 0u32..4)
        .prop_map(|(hours, material_days, transit_days)| MakerCapacity {
            hours,
            material_days,
            transit_days,
        })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn small_weeks_are_the_best_there_are(curves in curves(4, 4), maker in maker()) {
        let (week, _) = made(&curves, &maker);
        let best = brute(&curves, &maker);
        prop_assert!(week.worth_minor <= best + 1e-6, "{} over the best {best}", week.worth_minor);
        prop_assert!(week.bound_minor >= best - 1e-6, "{} bounds {best}", week.bound_minor);
        prop_assert!(week.worth_minor >= 0.999 * best - 1e-6, "{} of {best}", week.worth_minor);
    }

    #[test]
    fn no_day_is_ever_over_its_hours(curves in curves(12, 9), maker in maker()) {
        let (week, findings) = made(&curves, &maker);
        let end = maker.hours.len().saturating_sub(maker.transit_days as usize);
        for (day, &used) in week.hours_used.iter().enumerate() {
            prop_assert!(used <= maker.hours[day] + 1e-6);
            let open = (maker.material_days as usize..end).contains(&day);
            prop_assert!(open || used == 0.0, "{used} hours on day {day}");
        }
        let booked: f64 = week.hours_used.iter().sum();
        let taken: f64 = week.batches.iter().map(|batch| batch.hours).sum();
        prop_assert!((booked - taken).abs() < 1e-6, "{booked} of {taken}");
        for (batch, curve) in week.batches.iter().zip(&curves) {
            prop_assert!(curve.qty.contains(&batch.qty));
            prop_assert_eq!(batch.qty > 0, batch.starts_on.is_some());
            prop_assert!(batch.deferred_minor >= 0.0);
            if batch.qty > 0 {
                prop_assert!(batch.starts_on <= batch.ready_on);
                prop_assert!(batch.ready_on < Some(TODAY + maker.hours.len() as i32));
            }
        }
        let worth: f64 = week.batches.iter().map(|batch| batch.worth_minor).sum();
        prop_assert!((worth - week.worth_minor).abs() < 1e-6);
        prop_assert!(week.gap_minor() >= 0.0 && week.hour_price_minor >= 0.0);
        let deferred = |i: usize| week.batches[i].qty < week.batches[i].wanted_qty;
        let told = |i: usize| findings.contains(&(i, Code::BatchDeferred));
        prop_assert!((0..curves.len()).all(|i| deferred(i) == told(i)));
    }

    /// The bound is a concave function of the hours.
    #[test]
    fn more_hours_never_bound_less(curves in curves(8, 9), hours in 0.5..4.0f64) {
        let bound = |times: f64| {
            made(&curves, &MakerCapacity::weekly(hours * times, 0, 0)).0.bound_minor
        };
        let (one, two, three) = (bound(1.0), bound(2.0), bound(3.0));
        prop_assert!(one <= two + 1e-6 && two <= three + 1e-6);
        prop_assert!(three - two <= two - one + 1e-6, "{one} {two} {three}");
    }
}

/// Reservations, quantities and dates of a few items on pre-sale.
fn shop() -> Vec<(Vec<Reservation>, BatchTerms)> {
    (0i64..6)
        .map(|i| {
            let reservation = |days: i32, qty: i64, promised: i32| Reservation {
                day: TODAY - days,
                qty,
                promised_on: Some(TODAY + promised),
            };
            let rows =
                vec![reservation(9, 10 + 7 * i, 4 + i as i32), reservation(3, 5 * i, 9 + i as i32)];
            let terms = BatchTerms {
                price_minor: 900 + 150 * i,
                unit_cost_minor: 500 + 90 * i,
                setup_cost_minor: 3_000 * i,
                salvage_minor: 100,
                cancellation_rate: 0.05,
                multiple: 1 + i,
                ..BatchTerms::default()
            };
            (rows, terms)
        })
        .collect()
}

#[test]
fn hours_to_spare_change_nothing_and_few_hours_defer() {
    let shop = shop();
    let lead_time = MakerLeadTime::fixed(3);
    let prior = DemandPrior::new(2.0, 0.05).expect("a legal prior");
    let hours = BatchHours { setup: 0.5, per_unit: 0.05 };
    let candidates: Vec<(Candidate, BatchHours)> = shop
        .iter()
        .map(|(reservations, terms)| {
            let presale =
                Presale { reservations, opens: TODAY - 10, closes: TODAY + 30, covered_qty: 0 };
            let terms = terms.check().expect("legal terms");
            (Candidate::new(presale, prior, terms, &lead_time), hours)
        })
        .collect();
    let together = |hours: f64| {
        let maker = MakerCapacity::weekly(hours, 1, 1);
        suggest_together(&candidates, &maker, TODAY).expect("legal hours")
    };
    let free = together(1_000.0);
    for ((candidate, _), shared) in candidates.iter().zip(&free.suggestions) {
        let Candidate { presale, prior, terms, lead_time, .. } = candidate;
        let (single, _) = suggest(presale, prior, terms, lead_time, TODAY).expect("legal");
        let (shared, _) = shared.as_ref().expect("legal");
        assert!(single.qty > 0);
        assert_eq!(
            (shared.qty, shared.expected_profit_minor),
            (single.qty, single.expected_profit_minor)
        );
    }
    let few = together(4.0);
    assert!(few.schedule.hour_price_minor > 0.0);
    assert!(few.schedule.worth_minor < free.schedule.worth_minor);
    assert!(few.schedule.gap_minor() < 0.02 * few.schedule.bound_minor);
    let deferred =
        few.suggestions.iter().flatten().filter(|(_, findings)| {
            findings.iter().any(|finding| finding.code == Code::BatchDeferred)
        });
    assert!(deferred.count() > 0);
    for (suggestion, _) in few.suggestions.iter().flatten() {
        assert!(suggestion.reason.iter().any(|step| step.step == "hour_price"));
    }
}

#[test]
fn what_cannot_be_scheduled_is_refused() {
    let maker = MakerCapacity::weekly(8.0, 1, 1);
    let good = curve(&[10.0, 15.0], None);
    for (bad, text) in [
        (BatchCurve { qty: vec![0, 20, 10], ..good.clone() }, "lots should rise"),
        (BatchCurve { worth_minor: vec![0.0, f64::NAN, 1.0], ..good.clone() }, "lots should rise"),
        (BatchCurve { in_time_minor: vec![1.0, 2.0], ..good.clone() }, "being late earn no more"),
        (BatchCurve { setup_hours: -1.0, ..good.clone() }, "set-up hours should be finite"),
    ] {
        let error = schedule(&[bad], &maker, TODAY).expect_err(text).to_string();
        assert!(error.contains(text), "{error}");
    }
    let closed = MakerCapacity { hours: vec![f64::INFINITY], ..maker };
    assert!(schedule(std::slice::from_ref(&good), &closed, TODAY).is_err());
    // A maker without a day left makes nothing, and says so.
    let (none, found) = made(&[good], &MakerCapacity::weekly(8.0, 4, 4));
    assert_eq!((none.batches[0].qty, none.batches[0].wanted_qty), (0, 20));
    assert_eq!(found, [(0, Code::BatchDeferred)]);
    assert!(made(&[], &MakerCapacity::weekly(8.0, 1, 1)).0.batches.is_empty());
}
