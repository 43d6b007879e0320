//! What looking ahead costs and brings: `cargo bench -p granary-models --bench lookahead`, with
//! `-- speed` for the times alone. Costs are exact: the chain that the policy makes, against value
//! iteration.

#[path = "../tests/numerics/lookahead/exact.rs"]
mod exact;

use std::hint::black_box;
use std::time::Instant;

use granary_models::policy::lookahead::{Lookahead, LookaheadScratch, PeriodMoney};
use granary_models::policy::order::{Needs, Target, UnitMoney, Window, needs, raw_quantity};
use granary_models::policy::projection::{Issue, Opening, PathMatrix, Shortage};

use exact::{Chain, Ours, State, System, lost_sales, paths, perishable, poisson};

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

/// What rivals order: the newsvendor on one window's needs, from the same paths.
fn newsvendor(ours: &mut Ours, state: &State) -> u16 {
    let opening = ours.open(state);
    let money = ours.system.money;
    let perishes = opening.perishes();
    let unit = UnitMoney {
        margin_and_penalty: money.shortage - money.unit_cost,
        holding_per_day: money.holding,
        left_over: if perishes { money.unit_cost + money.waste } else { 0.0 },
    };
    let mut lack = Needs::default();
    needs(&ours.demand, &ours.receipts, &opening, &ours.window, Shortage::Lost, &mut lack);
    let raw = raw_quantity(&lack, Target::Economics, unit, &mut Vec::new());
    raw.qty.min(i64::from(ours.system.most_order)) as u16
}

/// The cheapest order-up-to level on stock and orders, exact.
fn best_base_stock(system: &System, cost: impl Fn(&Chain) -> f64) -> f64 {
    let of = |level: u16| {
        let order = |state: &State| level.saturating_sub(state.iter().sum()).min(system.most_order);
        cost(&system.chain(order))
    };
    (1..45).map(of).fold(f64::INFINITY, f64::min)
}

fn compare(name: &str, system: &System, optimum: f64, cost: impl Fn(&Chain) -> f64) {
    let percent = |cost: f64| format!("{cost:.3} ({:+.2}%)", 100.0 * (cost / optimum - 1.0));
    println!("{name}: optimum {optimum:.3}");
    for (count, seeds) in [(256, 3), (500, 3), (1_000, 3)] {
        for seed in 1..=seeds {
            let mut ours = Ours::new(system, paths(&system.pmf, count, 16, seed));
            let ahead = cost(&system.chain(|state| ours.decide(state).0 as u16));
            print!("  {count} paths, seed {seed}: ours {}", percent(ahead));
            if seed == 1 {
                let rule = cost(&system.chain(|state| ours.decide(state).1 as u16));
                let plain = cost(&system.chain(|state| newsvendor(&mut ours, state)));
                print!(", rule alone {}, newsvendor {}", percent(rule), percent(plain));
            }
            println!();
        }
    }
    println!("  best base stock {}", percent(best_base_stock(system, &cost)));
}

fn main() {
    speeds();
    if std::env::args().any(|arg| arg == "speed") {
        return;
    }
    for penalty in [4.0, 9.0, 19.0] {
        let system = lost_sales(penalty);
        let best = system.optimum().average;
        compare(&format!("lost sales, penalty {penalty}"), &system, best, Chain::average);
    }
    for (life, issue) in [(2, Issue::Fifo), (2, Issue::Lifo), (3, Issue::Fifo), (3, Issue::Lifo)] {
        let system = perishable(life, issue);
        let best = system.optimum().value[&system.empty()];
        let name = format!("perishable, life {life}, {issue:?}, discounted cost from empty");
        compare(&name, &system, best, |chain| chain.value()[0]);
    }
}
