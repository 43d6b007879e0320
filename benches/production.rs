//! Batches, repeat runs and lots: `cargo bench -p granary-models --bench production`.

use std::hint::black_box;
use std::time::Instant;

use granary_models::calendar::Day;
use granary_models::policy::production::demand::DemandPrior;
use granary_models::policy::production::lead_time::MakerLeadTime;
use granary_models::policy::production::lots::{LotPlan, RunCosts};
use granary_models::policy::production::repeat::{RepeatTerms, plan_runs};
use granary_models::policy::production::schedule::{BatchCurve, MakerCapacity, schedule};
use granary_models::policy::production::{BatchTerms, Candidate, Presale, Reservation};
use granary_models::policy::rounding::Lot;

const TODAY: Day = Day(20_000);

/// Time of a round that only a tenth of the rounds beat: what it takes when the core is free.
fn quiet_us(rounds: usize, mut round: impl FnMut()) -> f64 {
    let mut times: Vec<u128> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            round();
            start.elapsed().as_nanos()
        })
        .collect();
    times.sort_unstable();
    times[rounds / 10] as f64 / 1e3
}

/// A newsvendor's curve in lots of 5, of a mean that differs from item to item.
fn curve(i: usize) -> BatchCurve {
    let mean = 40.0 + (i * 37 % 160) as f64;
    let (margin, cost) = (300.0 + (i * 53 % 700) as f64, 400.0);
    let sold = |qty: f64| mean * (1.0 - (-qty / mean).exp());
    let qty: Vec<i64> = (0..60).map(|lot| 5 * lot).collect();
    let worth_minor = qty
        .iter()
        .map(|&qty| match qty {
            0 => 0.0,
            qty => (margin + cost) * sold(qty as f64) - cost * qty as f64 - 2_000.0,
        })
        .collect();
    let due = i.is_multiple_of(3).then_some((i % 9) as i32);
    BatchCurve {
        qty,
        worth_minor,
        setup_hours: 0.5,
        hours_per_unit: 0.02,
        due_on: due.map(|days| TODAY + days),
        promised_qty: 20,
        in_time_minor: due.map_or(Vec::new(), |days| {
            (0..7).map(|day| 400.0 * f64::from((7 - day.max(days)).max(0))).collect()
        }),
    }
}

fn main() {
    for (items, hours) in [(200, 40.0), (200, 400.0), (20, 4.0)] {
        let curves: Vec<BatchCurve> = (0..items).map(curve).collect();
        let maker = MakerCapacity::weekly(hours, 1, 1);
        let (week, _) = schedule(&curves, &maker, TODAY).expect("legal curves");
        let made = week.batches.iter().filter(|batch| batch.qty > 0).count();
        let each = quiet_us(20, || {
            black_box(schedule(black_box(&curves), &maker, TODAY).expect("legal curves"));
        });
        println!(
            "schedule, {items} items x 60 lots, {:.0} hours: {:.1} ms; {made} made, {:.2}% below \
             the bound, an hour {:.0}",
            week.hours_available,
            each / 1e3,
            100.0 * week.gap_minor() / week.bound_minor,
            week.hour_price_minor
        );
    }
    for (mean, seen) in [(30.0, 3), (400.0, 40), (6_000.0, 900)] {
        let reservations = [Reservation { day: TODAY - 3, qty: seen, promised_on: None }];
        let presale = Presale {
            reservations: &reservations,
            opens: TODAY - 7,
            closes: TODAY + 49,
            covered_qty: 0,
        };
        let prior = DemandPrior::new(2.0, 2.0 / mean).expect("a legal prior");
        let terms = BatchTerms {
            price_minor: 1_000,
            unit_cost_minor: 400,
            setup_cost_minor: 5_000,
            salvage_minor: 50,
            ..BatchTerms::default()
        };
        let terms = terms.check().expect("legal terms");
        let lead_time = MakerLeadTime::fixed(5);
        let candidate = Candidate::new(presale, prior, terms, &lead_time);
        let plan = plan_runs(&candidate, &RepeatTerms::default(), TODAY).expect("legal");
        let each = quiet_us(50, || {
            let repeat = RepeatTerms::default();
            black_box(plan_runs(black_box(&candidate), &repeat, TODAY).expect("legal"));
        });
        println!(
            "first run, mean {mean:.0}, 7 weeks left: {each:.0} us; {} now, {} at once, {:.1} \
             repeats, waiting worth {:.0}",
            plan.first_qty,
            plan.one_shot_qty,
            plan.repeat_runs(),
            plan.waiting_value_minor()
        );
    }
    for (days, daily, multiple) in [(60, 40, 12), (90, 400, 1)] {
        let need: Vec<i64> = (1..=days).map(|day| day * daily + day % 7 * daily / 7).collect();
        let lot = Lot { moq: 0, multiple, capacity: Some(60 * daily) };
        let costs =
            RunCosts { setup: 900.0 * daily as f64, holding_per_day: 2.0, short_per_day: 100.0 };
        let each = quiet_us(50, || {
            black_box(LotPlan::cheapest(black_box(&need), &[], lot, costs));
        });
        let plan = LotPlan::cheapest(&need, &[], lot, costs);
        println!("lots, {days} days x {daily}, steps of {multiple}: {each:.0} us; {:?}", plan.lots);
    }
}
