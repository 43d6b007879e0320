//! Laws that hold for any lines and limits.

use granary_models::plan::hysteresis::{Hysteresis, Previous};
use granary_models::plan::limits::{Budget, PlanLimits, SupplierRule};
use granary_models::plan::line::ReorderLine;
use granary_models::plan::settle::settle;
use granary_models::policy::reason::recompute;
use proptest::prelude::*;

use crate::shared_brute::Random;
use crate::shared_help::{TODAY, line, picks, run, worth};

/// Up to `most` lines of a few suppliers, in packs, with smallest orders and falling slopes.
fn lines(seed: u64, most: usize) -> Vec<ReorderLine> {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 11);
    let count = 1 + random.below(most);
    (0..count)
        .map(|at| {
            let (lot, moq) = (1 + random.below(6) as i64, 1 + random.below(5) as i64);
            let (mut qty, mut value) = (vec![0], vec![0.0]);
            let mut slope = 30.0 + 200.0 * random.uniform();
            for step in 0..2 + random.below(12) as i64 {
                let to = lot * (moq + step);
                let more = (to - qty[step as usize]) as f64;
                qty.push(to);
                value.push(value[step as usize] + slope * more);
                slope -= 25.0 * random.uniform();
            }
            let supplier = ["S", "T", "U"][random.below(3)];
            let location = ["L", "M"][random.below(2)];
            let mut line = line(&format!("I{at:03}"), supplier, location, &qty, &value);
            line.facts.multiple = lot;
            line.facts.category = ["dairy", "tea", "rice"][random.below(3)].to_owned();
            line
        })
        .collect()
}

fn limits(seed: u64, lines: &[ReorderLine], share: f64) -> PlanLimits {
    let mut random = Random(seed + 3);
    let wanted: i64 = lines.iter().map(|line| line.value_minor).sum();
    let mut part = |share: f64| (wanted as f64 * share * (0.2 + random.uniform())) as i64;
    let budget = |amount_minor| Budget {
        currency: "EUR".to_owned(),
        amount_minor,
        supplier_id: None,
        category: None,
    };
    let budgets = vec![
        budget((share * wanted as f64) as i64),
        Budget { supplier_id: Some("S".to_owned()), ..budget(part(0.3)) },
        Budget { category: Some("tea".to_owned()), ..budget(part(0.3)) },
    ];
    let suppliers = vec![SupplierRule {
        supplier_id: "T".to_owned(),
        currency: "EUR".to_owned(),
        min_order_value_minor: part(0.2),
        ..SupplierRule::default()
    }];
    PlanLimits { budgets, suppliers, ..PlanLimits::default() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn limits_hold_and_reasons_recompute(seed in 0u64..100_000, share in 0.0f64..1.2) {
        let lines = lines(seed, 60);
        let limits = limits(seed, &lines, share);
        let (plan, settlement, notes) = run(&lines, &limits);
        let value = worth(&lines, &limits, &picks(&lines, &plan));
        prop_assert!(value.is_some(), "a limit is broken");
        let euro = &settlement.currencies[0];
        prop_assert!((euro.value_minor - value.unwrap()).abs() < 1e-6);
        prop_assert!(euro.bound_minor + 1e-6 >= euro.value_minor);
        let (found, lost) = (plan.iter().chain(&settlement.left_out), &settlement.left_out);
        for line in found {
            prop_assert_eq!(recompute(&line.reason), Some(line.qty));
            prop_assert!(line.choice.qty.contains(&line.qty));
            prop_assert_eq!(line.value_minor, 100 * line.qty);
        }
        let wanted = lines.iter().filter(|line| line.qty > 0).count();
        let unwanted = |key: &str| lines.iter().any(|l| l.line_key == key && l.qty == 0);
        let raised = plan.iter().filter(|line| unwanted(&line.line_key)).count();
        prop_assert_eq!(plan.len() + lost.len(), wanted + raised, "no line vanishes");
        for line in lost {
            prop_assert!(notes.iter().any(|noted| noted.line_key == line.line_key));
        }
    }

    #[test]
    fn the_order_of_the_lines_does_not_matter(seed in 0u64..100_000, share in 0.1f64..1.0) {
        let lines = lines(seed, 40);
        let limits = limits(seed, &lines, share);
        let mut random = Random(seed);
        let mut shuffled = lines.clone();
        for at in (1..shuffled.len()).rev() {
            shuffled.swap(at, random.below(at + 1));
        }
        prop_assert_eq!(run(&lines, &limits), run(&shuffled, &limits));
    }

    #[test]
    fn more_budget_is_never_worth_less(seed in 0u64..100_000, a in 0.0f64..1.2, b in 0.0f64..1.2) {
        let lines = lines(seed, 6);
        let value = |share: f64| {
            let wanted: i64 = lines.iter().map(|line| line.value_minor).sum();
            let mut limits = limits(seed, &lines, 1.0);
            limits.budgets[0].amount_minor = (share * wanted as f64) as i64;
            run(&lines, &limits).1.currencies[0].value_minor
        };
        prop_assert!(value(a.min(b)) <= value(a.max(b)) + 1e-6);
    }

    #[test]
    fn without_a_binding_limit_nothing_changes(seed in 0u64..100_000) {
        let lines = lines(seed, 40);
        let mut limits = limits(seed, &lines, 1.0);
        limits.budgets.truncate(1);
        limits.suppliers.clear();
        let (plan, settlement, notes) = run(&lines, &limits);
        let mut wanted: Vec<ReorderLine> = lines.into_iter().filter(|line| line.qty > 0).collect();
        wanted.sort_by(|a, b| a.line_key.cmp(&b.line_key));
        prop_assert_eq!(plan, wanted);
        prop_assert_eq!((settlement.changed, notes.len()), (0, 0));
    }
}

/// The same lines a night later: their paths say a little more or less.
fn nearly(lines: &[ReorderLine], seed: u64) -> Vec<ReorderLine> {
    let mut random = Random(seed + 5);
    let mut again = lines.to_vec();
    for line in &mut again {
        let top = line.choice.value_minor.iter().copied().fold(0.0, f64::max);
        for value in &mut line.choice.value_minor[1..] {
            *value += 0.004 * top * (random.uniform() - 0.5);
        }
    }
    again
}

#[test]
fn a_plan_from_nearly_the_same_facts_is_the_same_plan() {
    let (mut same_plans, mut same_lines, mut all_lines, mut same_without) = (0, 0, 0, 0);
    let plans = 200;
    for seed in 0..plans {
        let lines = lines(seed, 40);
        let mut limits = limits(seed, &lines, 0.3 + (seed % 10) as f64 / 10.0);
        let (plan, _, _) = run(&lines, &limits);
        let qty = |plan: &[ReorderLine]| -> Vec<(String, i64)> {
            plan.iter().map(|line| (line.line_key.clone(), line.qty)).collect()
        };
        let again = nearly(&lines, seed);
        same_without += usize::from(qty(&run(&again, &limits).0) == qty(&plan));
        limits.hysteresis = Hysteresis { min_value_share: 0.05, ..Hysteresis::default() };
        let (second, _, _) = settle(again, &limits, &Previous::of(&plan, true), TODAY);
        let (before, after) = (qty(&plan), qty(&second));
        same_plans += usize::from(before == after);
        same_lines += before.iter().filter(|line| after.contains(line)).count();
        all_lines += before.len().max(after.len());
    }
    println!(
        "{same_plans} of {plans} plans, {same_lines} of {all_lines} lines; {same_without} without"
    );
    assert!(same_plans >= 190, "only {same_plans} of {plans} plans");
}

#[test]
fn plans_of_many_lines_are_close_to_their_bound() {
    let (mut worst, mut total, plans) = (0.0f64, 0.0, 40);
    for seed in 0..plans {
        let lines = lines(seed, 300);
        let limits = limits(seed, &lines, 0.2 + (seed % 9) as f64 / 10.0);
        let (plan, settlement, _) = run(&lines, &limits);
        assert!(worth(&lines, &limits, &picks(&lines, &plan)).is_some(), "{seed}");
        let gap = settlement.currencies[0].gap();
        println!("{seed}: {} lines, gap {:.3}%", lines.len(), 100.0 * gap);
        worst = worst.max(gap);
        total += gap;
    }
    println!("mean {:.3}%, worst {:.3}%", 100.0 * total / plans as f64, 100.0 * worst);
    assert!(total / (plans as f64) < 0.005 && worst < 0.05);
}
