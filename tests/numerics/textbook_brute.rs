//! Policies against the best of all policies, found by trying them on small instances.

use granary_models::policy::textbook::demand::CountLaw;
use granary_models::policy::textbook::eoq::DiscountEoq;
use granary_models::policy::textbook::finite_horizon::{FiniteHorizon, HorizonCosts, PeriodDemand};
use granary_models::policy::textbook::gsm_tree::{ServiceTree, TreeStage};
use granary_models::policy::textbook::joint_replenishment::JointReplenishment;
use granary_models::policy::textbook::r_q::ContinuousReview;
use granary_models::policy::textbook::s_s::PeriodicReview;
use proptest::prelude::*;

fn close(got: f64, want: f64) -> bool {
    (got - want).abs() <= 1e-9 * want.abs().max(1.0)
}

/// Probabilities of small demands, the last with some weight.
fn table(most: usize) -> impl Strategy<Value = Vec<f64>> {
    (prop::collection::vec(0.0..1.0f64, 0..most), 0.1..1.0f64).prop_map(|(mut weights, last)| {
        weights.push(if weights.is_empty() { 0.0 } else { last });
        weights.push(last);
        let sum: f64 = weights.iter().sum();
        weights.iter().map(|weight| weight / sum).collect()
    })
}

fn law(pmf: &[f64]) -> CountLaw {
    let pairs: Vec<(f64, f64)> = pmf.iter().enumerate().map(|(k, &p)| (k as f64, p)).collect();
    CountLaw::table(&pairs).expect("legal")
}

fn convolved(pmf: &[f64], times: usize) -> Vec<f64> {
    (0..times).fold(vec![1.0], |sum, _| {
        let mut out = vec![0.0; sum.len() + pmf.len() - 1];
        for (i, a) in sum.iter().enumerate() {
            for (j, b) in pmf.iter().enumerate() {
                out[i + j] += a * b;
            }
        }
        out
    })
}

fn newsvendor(pmf: &[f64], y: i64, holding: f64, stockout: f64) -> f64 {
    let cost = |(d, p): (usize, &f64)| {
        let over = (y - d as i64) as f64;
        p * if over > 0.0 { holding * over } else { -stockout * over }
    };
    pmf.iter().enumerate().map(cost).sum()
}

/// Long-run cost of (s,S): positions after ordering are a Markov chain on s+1..=S, whose stationary
/// law solves `π = π P`, `Σ π = 1`.
fn stationary_cost(s: i64, up_to: i64, pmf: &[f64], fixed: f64, cost: impl Fn(i64) -> f64) -> f64 {
    let states = (up_to - s) as usize;
    let mut rows = vec![vec![0.0; states + 1]; states];
    let mut orders = vec![0.0; states];
    for from in 0..states {
        for (d, p) in pmf.iter().enumerate() {
            let to = if d > from { states - 1 } else { from - d };
            rows[to][from] += p;
            orders[from] += if d > from { *p } else { 0.0 };
        }
    }
    for (at, row) in rows.iter_mut().enumerate() {
        row[at] -= 1.0;
    }
    rows[0] = vec![1.0; states + 1];
    for pivot in 0..states {
        let best = (pivot..states)
            .max_by(|&a, &b| rows[a][pivot].abs().total_cmp(&rows[b][pivot].abs()))
            .expect("a row");
        rows.swap(pivot, best);
        let lead = rows[pivot].clone();
        for (_, row) in rows.iter_mut().enumerate().filter(|(at, _)| *at != pivot) {
            let factor = row[pivot] / lead[pivot];
            row.iter_mut().zip(&lead).for_each(|(entry, lead)| *entry -= factor * lead);
        }
    }
    (0..states)
        .map(|k| {
            let share = rows[k][states] / rows[k][k];
            share * (cost(s + 1 + k as i64) + fixed * orders[k])
        })
        .sum()
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None, cases: 60, ..ProptestConfig::default()
    })]

    #[test]
    fn no_s_and_no_big_s_cost_less(
        pmf in table(5), lead_time in 0usize..4,
        holding in 0.3..3.0f64, stockout in 0.3..12.0f64, fixed in 0.0..25.0f64,
    ) {
        let case = PeriodicReview::new(holding, stockout, fixed, &law(&pmf), lead_time as f64)
            .expect("legal");
        let best = case.best().expect("small");
        let window = convolved(&pmf, lead_time + 1);
        let cost = |y| newsvendor(&window, y, holding, stockout);
        let of = |s, up_to| stationary_cost(s, up_to, &pmf, fixed, cost);
        let (s, up_to) = (best.reorder_point, best.order_up_to_level);
        prop_assert!(close(of(s, up_to), best.cost_rate), "{best:?} {}", of(s, up_to));
        prop_assert!(close(case.cost_rate((s, up_to)).expect("small"), best.cost_rate));
        for s in s - 12..s + 12 {
            for up_to in s + 1..s + 24 {
                prop_assert!(of(s, up_to) >= best.cost_rate - 1e-9, "{best:?} {s} {up_to}");
            }
        }
    }

    #[test]
    fn no_r_and_no_q_cost_less(
        mean in 0.2..6.0f64, lead_time in 0.0..4.0f64,
        holding in 0.3..3.0f64, stockout in 0.3..12.0f64, fixed in 0.5..25.0f64,
    ) {
        let best = ContinuousReview::new(holding, stockout, fixed).expect("legal")
            .poisson(mean, lead_time).expect("legal");
        let during = mean * lead_time;
        let mut pmf = vec![(-during).exp()];
        for k in 1..120 {
            pmf.push(pmf[k - 1] * during / k as f64);
        }
        let cost: Vec<f64> =
            (-60..90).map(|y| newsvendor(&pmf, y, holding, stockout)).collect();
        let of = |r: i64, q: i64| {
            let from = (r + 61) as usize;
            (fixed * mean + cost[from..from + q as usize].iter().sum::<f64>()) / q as f64
        };
        let (r, q) = (best.reorder_point as i64, best.order_quantity as i64);
        prop_assert!(close(of(r, q), best.cost_rate));
        for r in -40..40 {
            for q in 1..45 {
                prop_assert!(of(r, q) >= best.cost_rate - 1e-9, "{best:?} {r} {q}");
            }
        }
    }

    #[test]
    fn no_normal_r_and_q_cost_less(
        mean in 1.0..2000.0f64, relative in 0.0..2.0f64, lead_time in 0.0..3.0f64,
        holding in 0.01..3.0f64, stockout in 0.01..30.0f64, fixed in 0.5..90.0f64,
    ) {
        let review = ContinuousReview::new(holding, stockout, fixed).expect("legal");
        let best = review.normal(mean, mean * relative, lead_time).expect("legal");
        let (mu, sd) = (mean * lead_time, mean * relative * lead_time.sqrt());
        // The cost by Simpson's rule.
        let of = |r: f64, q: f64| {
            let steps = 4000;
            let at = |y: f64| {
                let z = (y - mu) / sd.max(1e-300);
                let short = if sd <= 0.0 { (mu - y).max(0.0) } else {
                    sd * granary_models::policy::textbook::normal::loss(z)
                };
                holding * (y - mu + short) + stockout * short
            };
            let inner: f64 = (1..steps)
                .map(|k| f64::from(2 + 2 * (k % 2)) * at(r + q * f64::from(k) / f64::from(steps)))
                .sum();
            let area = (at(r) + at(r + q) + inner) * q / f64::from(steps) / 3.0;
            (fixed * mean + area) / q
        };
        let (r, q) = (best.reorder_point, best.order_quantity);
        let slack = 1e-4 * best.cost_rate;
        prop_assert!((of(r, q) - best.cost_rate).abs() <= slack, "{best:?} {}", of(r, q));
        for (dr, dq) in [(0.05, 0.0), (-0.05, 0.0), (0.0, 0.1), (0.0, -0.1), (0.05, -0.1)] {
            prop_assert!(of(r + dr * q, q + dq * q) >= best.cost_rate - slack);
        }
    }

    #[test]
    fn a_finite_horizon_costs_what_every_order_tried_costs(
        pmfs in prop::collection::vec(table(4), 1..5),
        costs in prop::collection::vec(
            (0.0..3.0f64, 0.0..9.0f64, 0.0..4.0f64, 0.0..15.0f64, 0.5..1.0f64), 5),
        terminal in (0.0..3.0f64, 0.0..9.0f64), initial in -5i64..15,
    ) {
        let periods = pmfs.len();
        let list = |of: fn(&(f64, f64, f64, f64, f64)) -> f64| -> Vec<f64> {
            costs[..periods].iter().map(of).collect()
        };
        let horizon = HorizonCosts {
            holding_cost: &list(|c| c.0), stockout_cost: &list(|c| c.1),
            purchase_cost: &list(|c| c.2), fixed_cost: &list(|c| c.3),
            discount_factor: &list(|c| c.4),
            terminal_holding_cost: terminal.0, terminal_stockout_cost: terminal.1,
        };
        let demand: Vec<PeriodDemand> =
            pmfs.iter().map(|pmf| PeriodDemand::Counts(law(pmf))).collect();
        let policy =
            FiniteHorizon::new(&horizon, &demand).expect("legal").solve(initial).expect("small");
        // Levels -80..=60; what is below the reach of the initial level does not matter.
        let ending = |x: i64| if x >= 0 { terminal.0 * x as f64 } else { -terminal.1 * x as f64 };
        let mut value: Vec<f64> = (-80..=60).map(ending).collect();
        for (t, pmf) in pmfs.iter().enumerate().rev() {
            let (holding, stockout, purchase, fixed, discount) = costs[t];
            let stand: Vec<f64> = (-80..=60i64).map(|y| {
                let future: f64 = pmf.iter().enumerate()
                    .map(|(d, p)| p * value[(y + 80 - d as i64).max(0) as usize]).sum();
                newsvendor(pmf, y, holding, stockout) + discount * future
            }).collect();
            value = (0..stand.len()).map(|x| {
                let order = |y: usize| fixed + purchase * (y - x) as f64 + stand[y];
                (x + 1..stand.len()).map(order).fold(stand[x], f64::min)
            }).collect();
        }
        let want = value[(initial + 80) as usize];
        prop_assert!(close(policy.total_cost, want), "{policy:?} {want}");
        let calm = (1..periods).all(|t| costs[t - 1].3 >= costs[t - 1].4 * costs[t].3);
        prop_assert!(policy.is_s_s || !calm, "{policy:?}");
    }

    #[test]
    fn no_service_times_cost_less(
        stages in prop::collection::vec((0usize..4, 0.1..4.0f64, 0.0..3.0f64, 0usize..3, 0usize..4),
            1..6),
        links in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 6),
    ) {
        let arcs: Vec<(usize, usize)> = (1..stages.len()).map(|k| {
            let (other, down) = (links[k].0.index(k), links[k].1);
            if down { (other, k) } else { (k, other) }
        }).collect();
        let stages: Vec<TreeStage> = stages.iter().enumerate().map(|(k, stage)| {
            let sells = arcs.iter().all(|(from, _)| *from != k);
            TreeStage {
                processing_time: stage.0,
                holding_cost: stage.1,
                demand_sd: if sells { stage.2 } else { 0.0 },
                external_inbound_service_time: stage.3,
                external_outbound_service_time: sells.then_some(stage.4),
            }
        }).collect();
        let tree = ServiceTree::new(&stages, &arcs, 1.645).expect("a tree");
        let got = tree.solve();
        let spreads = spreads(&stages, &arcs);
        let cost = |times: &[usize]| -> Option<f64> {
            (0..stages.len()).map(|k| {
                let inbound = arcs.iter().filter(|(_, to)| *to == k).map(|(from, _)| times[*from])
                    .fold(stages[k].external_inbound_service_time, usize::max);
                let accepted = stages[k].external_outbound_service_time.unwrap_or(usize::MAX);
                let net = (inbound + stages[k].processing_time).checked_sub(times[k])?;
                let cost = stages[k].holding_cost * 1.645 * spreads[k] * (net as f64).sqrt();
                (times[k] <= accepted).then_some(cost)
            }).sum()
        };
        prop_assert!(close(cost(&got.service_times).expect("feasible"), got.cost_rate), "{got:?}");
        // No stage can promise more than everything on the longest way to it takes.
        let mut longest = vec![0; stages.len()];
        for _ in &stages {
            for k in 0..stages.len() {
                let inbound = arcs.iter().filter(|(_, to)| *to == k).map(|(from, _)| longest[*from])
                    .fold(stages[k].external_inbound_service_time, usize::max);
                longest[k] = inbound + stages[k].processing_time;
            }
        }
        let mut times = vec![0; stages.len()];
        let mut least = f64::INFINITY;
        'all: loop {
            if let Some(cost) = cost(&times) {
                least = least.min(cost);
            }
            for (time, longest) in times.iter_mut().zip(&longest) {
                *time += 1;
                if *time <= *longest {
                    continue 'all;
                }
                *time = 0;
            }
            break;
        }
        prop_assert!(close(got.cost_rate, least), "{got:?} {least}");
    }

    #[test]
    fn no_multiples_cost_less(
        shared in 0.5..300.0f64,
        items in prop::collection::vec((0.0..50.0f64, 0.1..9.0f64, 0.5..900.0f64), 1..5),
    ) {
        let fixed: Vec<f64> = items.iter().map(|item| item.0).collect();
        let holding: Vec<f64> = items.iter().map(|item| item.1).collect();
        let demand: Vec<f64> = items.iter().map(|item| item.2).collect();
        let case = JointReplenishment::new(shared, &fixed, &holding, &demand).expect("legal");
        let (best, silver) = (case.best(), case.silver());
        let mut multiples = vec![1u64; items.len()];
        let mut least = f64::INFINITY;
        'all: loop {
            let setups = shared + fixed.iter().zip(&multiples).map(|(k, &m)| k / m as f64).sum::<f64>();
            let stock: f64 = items.iter().zip(&multiples).map(|(i, &m)| i.1 * i.2 * m as f64).sum();
            least = least.min((2.0 * setups * stock).sqrt());
            for multiple in &mut multiples {
                *multiple += 1;
                if *multiple <= 9 {
                    continue 'all;
                }
                *multiple = 1;
            }
            break;
        }
        prop_assert!(best.cost_rate <= least * (1.0 + 1e-12), "{best:?} {least}");
        prop_assert!(best.cost_rate <= silver.cost_rate * (1.0 + 1e-12));
        let setups = shared
            + fixed.iter().zip(&best.order_multiples).map(|(k, &m)| k / m as f64).sum::<f64>();
        let stock: f64 =
            items.iter().zip(&best.order_multiples).map(|(i, &m)| i.1 * i.2 * m as f64).sum();
        let time = best.base_cycle_time;
        prop_assert!(close(setups / time + stock * time / 2.0, best.cost_rate));
    }

    #[test]
    fn no_quantity_on_a_price_list_costs_less(
        fixed in 0.5..60.0f64, rate in 0.05..0.9f64, demand in 5.0..900.0f64,
        tiers in prop::collection::vec((1.0..400.0f64, 0.6..1.0f64), 0..4),
    ) {
        let (mut breakpoints, mut unit_costs) = (vec![0.0], vec![3.0]);
        for (width, factor) in tiers {
            breakpoints.push(breakpoints[breakpoints.len() - 1] + width);
            unit_costs.push(unit_costs[unit_costs.len() - 1] * factor);
        }
        let case =
            DiscountEoq::new(fixed, rate, demand, &breakpoints, &unit_costs).expect("legal");
        let (all, incremental) = (case.all_units(), case.incremental());
        for step in 1..4000 {
            let quantity = f64::from(step) * 0.7;
            let tier = breakpoints.iter().rposition(|from| *from <= quantity).expect("a tier");
            let of = |paid: f64| fixed * demand / quantity
                + paid / quantity * demand + rate * paid / quantity * quantity / 2.0;
            let paid: f64 = (0..=tier).map(|j| {
                let end = if j == tier { quantity } else { breakpoints[j + 1] };
                unit_costs[j] * (end - breakpoints[j])
            }).sum();
            prop_assert!(of(unit_costs[tier] * quantity) >= all.cost_rate * (1.0 - 1e-12));
            prop_assert!(of(paid) >= incremental.cost_rate * (1.0 - 1e-12));
        }
    }
}

/// Spread of the demand that passes each stage: every customer's stage counts for all above it.
fn spreads(stages: &[TreeStage], arcs: &[(usize, usize)]) -> Vec<f64> {
    fn below(k: usize, stages: &[TreeStage], arcs: &[(usize, usize)]) -> f64 {
        let passed: f64 = arcs
            .iter()
            .filter(|(from, _)| *from == k)
            .map(|(_, to)| below(*to, stages, arcs))
            .sum();
        stages[k].demand_sd.powi(2) + passed
    }
    (0..stages.len()).map(|k| below(k, stages, arcs).sqrt()).collect()
}

#[test]
fn many_items_with_next_to_no_shared_cost_take_no_long_walk() {
    let items = 20_000;
    let fixed: Vec<f64> = (0..items).map(|k| 1.0 + f64::from(k % 977)).collect();
    let demand: Vec<f64> = (0..items).map(|k| 5.0 + f64::from((k * 31) % 499)).collect();
    let holding = vec![0.2; fixed.len()];
    let begun = std::time::Instant::now();
    let case = JointReplenishment::new(1e-6, &fixed, &holding, &demand).expect("legal");
    let best = case.best();
    // Never below independent orders, and here not far above.
    let alone: f64 =
        fixed.iter().zip(&demand).map(|(fixed, demand)| (2.0 * fixed * 0.2 * demand).sqrt()).sum();
    assert!(best.cost_rate >= alone && best.cost_rate < 1.03 * alone, "{}", best.cost_rate / alone);
    assert!(begun.elapsed().as_secs() < 60);
}
