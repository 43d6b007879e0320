//! Settled plans against all plans, on small random instances.

use granary_models::plan::limits::{Budget, Capacity, Container, PlanLimits, SupplierRule};
use granary_models::plan::line::ReorderLine;

use crate::shared_help::{brute_force, line, picks, run, worth};

/// A linear congruential generator (Knuth's MMIX constants), high bits.
pub struct Random(pub u64);

impl Random {
    pub fn uniform(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.uniform() * n as f64) as usize
    }

    pub fn flip(&mut self) -> bool {
        self.uniform() < 0.5
    }
}

/// Up to five lines of up to five quantities, with minimums as first blocks; values rise, less and
/// less, up to the line's own and fall from there.
pub fn lines(random: &mut Random) -> Vec<ReorderLine> {
    let count = 2 + random.below(4);
    (0..count)
        .map(|at| {
            let (lot, moq) = (1 + random.below(6) as i64, 1 + random.below(4) as i64);
            let options = 2 + random.below(4) as i64;
            let own = random.below(options as usize) as i64;
            let worth = 20.0 + 300.0 * random.uniform();
            let (mut qty, mut value) = (vec![0], vec![0.0]);
            for option in 1..options {
                let to = lot * (moq + option - 1);
                let more = (to - qty[option as usize - 1]) as f64;
                let slope = if option <= own { worth / option as f64 } else { -worth * 0.2 };
                qty.push(to);
                value.push((value[option as usize - 1] + slope * more).round());
            }
            let supplier = ["S", "T"][random.below(2)];
            let location = ["L", "M"][random.below(2)];
            let mut line = line(&format!("I{at}"), supplier, location, &qty, &value);
            line.facts.category = ["dairy", "tea"][random.below(2)].to_owned();
            line.facts.weight_g = Some(200 + random.below(2_000) as i64);
            line.facts.volume_ml = Some(200 + random.below(2_000) as i64);
            if random.uniform() < 0.3 {
                // An all-units break on the last quantity.
                let cost = line.choice.cost_minor.last_mut().expect("an option");
                *cost = (*cost * 0.8).round();
                line.value_minor = line.choice.cost_minor
                    [line.choice.qty.iter().position(|&q| q == line.qty).unwrap()]
                    as i64;
            }
            line
        })
        .collect()
}

fn wanted_money(lines: &[ReorderLine]) -> f64 {
    lines.iter().map(|line| line.value_minor as f64).sum()
}

fn budget(random: &mut Random, lines: &[ReorderLine]) -> Budget {
    Budget {
        currency: "EUR".to_owned(),
        amount_minor: (wanted_money(lines) * random.uniform()) as i64,
        supplier_id: None,
        category: None,
    }
}

fn budgets(random: &mut Random, lines: &[ReorderLine]) -> Vec<Budget> {
    let mut budgets = vec![budget(random, lines)];
    if random.flip() {
        let one = Budget { supplier_id: Some("S".to_owned()), ..budget(random, lines) };
        budgets.push(one);
    }
    if random.flip() {
        budgets.push(Budget { category: Some("tea".to_owned()), ..budget(random, lines) });
    }
    budgets
}

fn capacity(random: &mut Random) -> Capacity {
    let mut some = |most: usize| random.flip().then(|| 1 + random.below(most) as i64);
    Capacity { units: some(30), packs: None, weight_g: some(30_000), volume_ml: some(30_000) }
}

fn rule(supplier: &str) -> SupplierRule {
    SupplierRule {
        supplier_id: supplier.to_owned(),
        currency: "EUR".to_owned(),
        ..SupplierRule::default()
    }
}

/// What a family of instances limits.
type Family = fn(&mut Random, &[ReorderLine]) -> PlanLimits;

fn budgets_only(random: &mut Random, lines: &[ReorderLine]) -> PlanLimits {
    PlanLimits { budgets: budgets(random, lines), ..PlanLimits::default() }
}

fn budgets_and_capacity(random: &mut Random, lines: &[ReorderLine]) -> PlanLimits {
    let suppliers = ["S", "T"].map(|id| {
        let capacity = capacity(random);
        SupplierRule { capacity, ..rule(id) }
    });
    PlanLimits {
        budgets: budgets(random, lines),
        suppliers: suppliers.into(),
        ..Default::default()
    }
}

fn minimums(random: &mut Random, _: &[ReorderLine]) -> PlanLimits {
    let suppliers = ["S", "T"].map(|id| SupplierRule {
        min_order_units: random.below(40) as i64,
        min_order_value_minor: 100 * random.below(40) as i64,
        ..rule(id)
    });
    PlanLimits { suppliers: suppliers.into(), ..Default::default() }
}

fn minimums_and_budgets(random: &mut Random, lines: &[ReorderLine]) -> PlanLimits {
    PlanLimits { budgets: budgets(random, lines), ..minimums(random, lines) }
}

fn containers(random: &mut Random, _: &[ReorderLine]) -> PlanLimits {
    let suppliers = ["S", "T"].map(|id| {
        let mut holds = capacity(random);
        holds.units = Some(3 + random.below(12) as i64);
        let container = Container {
            holds,
            fixed_cost_minor: random.below(600) as i64,
            min_fill_share: if random.flip() { 0.0 } else { random.uniform() },
        };
        SupplierRule { container: Some(container), ..rule(id) }
    });
    PlanLimits { suppliers: suppliers.into(), ..Default::default() }
}

fn everything(random: &mut Random, lines: &[ReorderLine]) -> PlanLimits {
    let mut limits = containers(random, lines);
    for rule in &mut limits.suppliers {
        rule.min_order_units = random.below(15) as i64;
        rule.capacity = capacity(random);
    }
    PlanLimits { budgets: budgets(random, lines), ..limits }
}

/// How often the plan is the best of all, of `instances`; it must never be worth less than `share`
/// of the best, nor the bound less than the best.
fn check(name: &str, family: Family, instances: u64, least_equal: u64) {
    let (mut equal, mut worst) = (0, 0.0f64);
    for seed in 0..instances {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 7);
        random.uniform();
        let lines = lines(&mut random);
        let limits = family(&mut random, &lines);
        let best = brute_force(&lines, &limits);
        let (plan, settlement, _) = run(&lines, &limits);
        let ours = worth(&lines, &limits, &picks(&lines, &plan));
        let ours = ours.unwrap_or_else(|| panic!("{name} {seed}: a limit is broken, {limits:?}"));
        let report = &settlement.currencies[0];
        assert!((report.value_minor - ours).abs() < 1e-6, "{name} {seed}: {report:?}, {ours}");
        assert!(report.bound_minor >= best - 1e-6, "{name} {seed}: {report:?}, best {best}");
        assert!(ours >= 0.0 - 1e-9, "{name} {seed}: {ours}");
        let missing = (best - ours).max(0.0) / best.max(1.0);
        worst = worst.max(missing);
        equal += u64::from(missing < 1e-9);
    }
    println!("{name}: best in {equal} of {instances}, at worst {:.3}% short", 100.0 * worst);
    assert!(equal >= least_equal, "{name}: best in only {equal} of {instances}");
}

#[test]
fn budgets_are_spent_on_the_best_plan() {
    check("budgets", budgets_only, 600, 600);
}

#[test]
fn capacities_too() {
    check("budgets and capacities", budgets_and_capacity, 600, 600);
}

#[test]
fn minimums_are_taken_or_deferred_as_the_best_plan_does() {
    check("minimums", minimums, 600, 600);
    check("minimums and budgets", minimums_and_budgets, 600, 600);
}

#[test]
fn as_many_containers_as_the_best_plan_takes() {
    check("containers", containers, 600, 600);
    check("everything", everything, 600, 600);
}
