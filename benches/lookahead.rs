//! What looking ahead costs and brings: `cargo bench -p granary-models --bench lookahead`, with
//! `-- speed` for the times alone. Costs are exact: the chain that the policy makes, against value
//! iteration.

#[path = "../tests/numerics/lookahead/exact.rs"]
mod exact;

use std::hint::black_box;
use std::time::Instant;

use granary_models::policy::lookahead::{Lookahead, LookaheadScratch, PeriodMoney};
use granary_models::policy::order::Window;
use granary_models::policy::projection::{Issue, Opening, PathMatrix, Shortage};

use exact::{Ours, lost_sales, paths, perishable, poisson};

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

struct Speed {
    name: &'static str,
    paths: usize,
    days: usize,
    lead: f64,
    review: u32,
    life: Option<u32>,
    issue: Issue,
}

fn speed(case: &Speed) -> f64 {
    let demand = paths(&poisson(5.0), case.paths, case.days, 7);
    let mut receipts = PathMatrix::default();
    receipts.reset(case.paths, case.days, 0.0);
    for day in (1..case.lead as usize).step_by(case.review as usize) {
        receipts.add_on(day, 5.0 * f64::from(case.review));
    }
    let until = case.lead + f64::from(case.review);
    let window = Window { arrive: vec![case.lead; case.paths], until: vec![until; case.paths] };
    let net = 8;
    let opening = Opening {
        net,
        unlotted: net,
        shelf_life_days: case.life,
        issue: case.issue,
        ..Opening::default()
    };
    let money =
        PeriodMoney { unit_cost: 3.0, holding: 0.2, shortage: 6.0, waste: 1.0, discount: 1.0 };
    let ahead = Lookahead::new(money, Shortage::Lost, case.review);
    let mut scratch = LookaheadScratch::default();
    quiet_us(1_000, || {
        black_box(ahead.best_order(black_box(&demand), &receipts, &opening, &window, &mut scratch));
    })
}

fn speeds() {
    let fifo = Issue::Fifo;
    for case in [
        Speed {
            name: "weekly panel, lost sales, lead 3",
            paths: 200,
            days: 10,
            lead: 3.0,
            review: 1,
            life: None,
            issue: fifo,
        },
        Speed {
            name: "daily, lost sales, lead 10, review 7",
            paths: 256,
            days: 28,
            lead: 10.0,
            review: 7,
            life: None,
            issue: fifo,
        },
        Speed {
            name: "daily, lost sales, lead 5, review 1",
            paths: 256,
            days: 28,
            lead: 5.0,
            review: 1,
            life: None,
            issue: fifo,
        },
        Speed {
            name: "daily, life 6, FIFO, lead 2, review 2",
            paths: 256,
            days: 28,
            lead: 2.0,
            review: 2,
            life: Some(6),
            issue: fifo,
        },
        Speed {
            name: "daily, life 6, LIFO, lead 2, review 2",
            paths: 256,
            days: 28,
            lead: 2.0,
            review: 2,
            life: Some(6),
            issue: Issue::Lifo,
        },
    ] {
        println!(
            "{}, {} paths x {} days: {:.0} us",
            case.name,
            case.paths,
            case.days,
            speed(&case)
        );
    }
}

fn main() {
    speeds();
    let _ = (Ours::new, lost_sales, perishable);
}
