//! Known truth: the long-run cost of deciding every period from the same sample paths, exact.

use granary_models::policy::projection::Issue;

use crate::exact::{Ours, System, lost_sales, paths, perishable};

const PATHS: usize = 1_000;

fn ours(system: &System, seed: u64) -> Ours {
    Ours::new(system, paths(&system.pmf, PATHS, 16, seed))
}

/// Zipkin (2008), "Old and new methods for lost-sales inventory systems", Operations Research
/// 56(5): optimal 4.73, 6.84, 8.89; best base stock 5.20, 7.27, 9.23.
fn check_lost_sales(penalty: f64, bar: f64, optimum: f64) {
    let system = lost_sales(penalty);
    let mut ours = ours(&system, 1);
    let cost = system.chain(|state| ours.decide(state).0 as u16).average();
    assert!(cost <= bar && cost >= optimum - 1e-3, "p={penalty}: {cost}");
}

#[test]
fn lost_sales_at_penalty_4() {
    check_lost_sales(4.0, 4.75, 4.729);
}

#[test]
fn lost_sales_at_penalty_9() {
    check_lost_sales(9.0, 6.91, 6.836);
}

#[test]
fn lost_sales_at_penalty_19() {
    check_lost_sales(19.0, 8.96, 8.887);
}

/// De Moor, Gijsbrechts & Boute (2022), EJOR 301(2), and Farrington et al. (2023): an order is
/// placed, demand comes, what is too old expires, the rest is counted, and the order is there for
/// the next period's demand; discount 0.99. Over their 365 periods the optimum's costs are 1,457
/// (FIFO) and 1,553 (LIFO) for two periods of life.
#[test]
fn perishables_are_within_a_hundredth_of_the_optimum() {
    for (life, issue) in [(2, Issue::Fifo), (2, Issue::Lifo), (3, Issue::Fifo), (3, Issue::Lifo)] {
        let system = perishable(life, issue);
        let best = system.optimum();
        for seed in 1..=2 {
            let mut ours = ours(&system, seed);
            let chain = system.chain(|state| ours.decide(state).0 as u16);
            let gap = chain.value()[0] / best.value[&system.empty()] - 1.0;
            assert!((-1e-6..=0.01).contains(&gap), "{life} {issue:?}: {gap}");
        }
    }
}

/// The published optima, so that the system is theirs: 365 discounted periods after a warm-up.
#[test]
fn the_optimum_is_the_published_one() {
    for (issue, published) in [(Issue::Fifo, 1_457.0), (Issue::Lifo, 1_553.0)] {
        let system = perishable(2, issue);
        let best = system.optimum();
        let chain = system.chain(|state| best.policy[state]);
        let shares = chain.shares();
        let value = chain.value();
        let forever: f64 = value.iter().zip(&shares).map(|(value, share)| value * share).sum();
        let cost = forever * (1.0 - system.money.discount.powi(365));
        assert!((cost - published).abs() < 5.0, "{issue:?}: {cost}");
    }
}
