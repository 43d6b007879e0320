//! A budgeted plan of 10,000 items from their demand paths to settled quantities, on one core:
//! `cargo bench -p granary-models --bench shared`; with a word behind `--`, only the
//! cases with it in their name.
//!
//! The paths are drawn beforehand; timed are needs, choices and the settlement.

use std::time::Instant;

use granary_models::calendar::Day;
use granary_models::plan::choice::Choice;
use granary_models::plan::hysteresis::Previous;
use granary_models::plan::limits::{Budget, Capacity, Container, PlanLimits, SupplierRule};
use granary_models::plan::line::{LineFacts, LineState, ReorderLine, line_key};
use granary_models::plan::settle::{OrderOutcome, settle};
use granary_models::policy::order::{Needs, UnitMoney, Window, needs};
use granary_models::policy::price::unit_cost_minor;
use granary_models::policy::projection::{Opening, PathMatrix, Shortage};
use granary_models::policy::reason::{Reason, codes};
use granary_models::policy::rounding::{Lot, round};
use granary_models::policy::terms::{PriceBreak, SupplyKind};

const ITEMS: usize = 10_000;
const PATHS: usize = 200;
const DAYS: usize = 21;
const SUPPLIERS: usize = 100;
const CATEGORIES: usize = 20;
const OPTIONS_MOST: usize = 64;
const TODAY: Day = Day(20_381);

struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    fn below(&mut self, n: usize) -> usize {
        (self.uniform() * n as f64) as usize
    }

    fn poisson(&mut self, mean: f64) -> f64 {
        let (limit, mut product, mut count) = ((-mean).exp(), 1.0, -1.0);
        while product > limit {
            product *= self.uniform();
            count += 1.0;
        }
        count
    }
}

struct Item {
    demand: PathMatrix,
    on_hand: i64,
    lead_time_days: usize,
    lot: Lot,
    unit_cost_minor: i64,
    breaks: Vec<PriceBreak>,
    money: UnitMoney,
    supplier: usize,
    category: usize,
    weight_g: i64,
    volume_ml: i64,
}

fn item(random: &mut Random) -> Item {
    // Most items sell little, a few much.
    let mean = 0.1 * (1.0 / (0.004 + random.uniform())).powf(1.1);
    let mut demand = PathMatrix::default();
    demand.reset(PATHS, DAYS, 0.0);
    for path in 0..PATHS {
        let luck = 0.5 + random.uniform();
        for day in 0..DAYS {
            demand.row_mut(day)[path] = random.poisson((mean * luck).min(40.0));
        }
    }
    let multiple = [1, 1, 6, 12, 24][random.below(5)];
    let moq = if random.uniform() < 0.4 { multiple * (1 + random.below(4) as i64) } else { 0 };
    let cost = (50.0 + 3_000.0 * random.uniform().powi(3)) as i64;
    let breaks = if random.uniform() < 0.2 {
        let step = multiple * (4 + random.below(8) as i64);
        vec![PriceBreak { min_qty: step, unit_cost_minor: cost * 93 / 100 }]
    } else {
        Vec::new()
    };
    let margin = cost as f64 * (0.2 + 0.6 * random.uniform());
    let holding = cost as f64 * 0.25 / 365.0;
    Item {
        demand,
        on_hand: (mean * 12.0 * random.uniform()) as i64,
        lead_time_days: 2 + random.below(8),
        lot: Lot { moq, multiple, capacity: None },
        unit_cost_minor: cost,
        breaks,
        money: UnitMoney {
            margin_and_penalty: 1.5 * margin,
            holding_per_day: holding,
            left_over: 14.0 * holding,
        },
        supplier: random.below(SUPPLIERS),
        category: random.below(CATEGORIES),
        weight_g: 50 + random.below(3_000) as i64,
        volume_ml: 50 + random.below(6_000) as i64,
    }
}

/// Buffers that are used again from item to item.
#[derive(Default)]
struct Scratch {
    receipts: PathMatrix,
    window: Window,
    needs: Needs,
    counts: Vec<(f64, f64)>,
}

/// Expected money of every quantity at once, in one pass over the needs and one over the held
/// stock: counts and sums by the block that each falls into.
fn values(lack: &Needs, qty: &[i64], money: UnitMoney, counts: &mut Vec<(f64, f64)>) -> Vec<f64> {
    let step = (qty[qty.len() - 1] - qty[1]).max(1) as f64 / (qty.len() - 2).max(1) as f64;
    let block = |need: f64| {
        let from_first = (need - qty[1] as f64) / step;
        // The first option that covers the need; the grid is even from the first order on.
        if need <= 0.0 { 0 } else { (from_first.ceil().max(0.0) as usize + 1).min(qty.len()) }
    };
    let mut below = |cells: &mut dyn Iterator<Item = f64>| -> Vec<(f64, f64)> {
        counts.clear();
        counts.resize(qty.len() + 1, (0.0, 0.0));
        for need in cells {
            let need = need.max(0.0);
            let count = &mut counts[block(need)];
            (count.0, count.1) = (count.0 + 1.0, count.1 + need);
        }
        let mut total = (0.0, 0.0);
        counts
            .iter()
            .map(|count| {
                total = (total.0 + count.0, total.1 + count.1);
                total
            })
            .collect()
    };
    let needs = below(&mut lack.need.iter().copied());
    let held = below(
        &mut lack.running.values.iter().copied().map(f64::from).filter(|used| used.is_finite()),
    );
    let paths = lack.need.len() as f64;
    (0..qty.len())
        .map(|option| {
            let q = qty[option] as f64;
            let (covered, used_by_covered) = needs[option];
            let left = q * covered - used_by_covered;
            let used = q * paths - left;
            let held_days = q * held[option].0 - held[option].1;
            (used * money.margin_and_penalty
                - left * money.left_over
                - held_days * money.holding_per_day)
                / paths
        })
        .collect()
}

/// The item's line, as a plan by money would make it, with its choice.
fn plan(at: usize, item: &Item, scratch: &mut Scratch) -> ReorderLine {
    let Scratch { receipts, window, needs: lack, counts } = scratch;
    receipts.reset(PATHS, DAYS, 0.0);
    window.arrive.clear();
    window.arrive.resize(PATHS, item.lead_time_days as f64);
    window.until.clear();
    window.until.resize(PATHS, (item.lead_time_days + 10).min(DAYS) as f64);
    let opening = Opening { net: item.on_hand, ..Opening::default() };
    needs(&item.demand, receipts, &opening, window, Shortage::Lost, lack);
    let most = lack.need.iter().copied().fold(0.0, f64::max) as i64;
    let first = round(1, item.lot).qty;
    let steps = ((most - first).max(0) / item.lot.multiple + 2) as usize;
    let stride = steps.div_ceil(OPTIONS_MOST - 2).max(1) as i64 * item.lot.multiple;
    let mut qty = vec![0];
    qty.extend((0..=(most - first).max(0) / stride + 1).map(|block| first + block * stride));
    let value = values(lack, &qty, item.money, counts);
    let cost: Vec<f64> = qty
        .iter()
        .map(|&q| (q * unit_cost_minor(item.unit_cost_minor, &item.breaks, q)) as f64)
        .collect();
    // What a tier saves is worth as much as it saves.
    let value: Vec<f64> = (0..qty.len())
        .map(|k| value[k] + (qty[k] * item.unit_cost_minor) as f64 - cost[k])
        .collect();
    let own = (0..qty.len()).fold(0, |best, k| if value[k] > value[best] { k } else { best });
    line(at, item, own, Choice { qty, value_minor: value, cost_minor: cost })
}

fn line(at: usize, item: &Item, own: usize, choice: Choice) -> ReorderLine {
    let (item_id, supplier_id) = (format!("I{at:05}"), format!("S{:02}", item.supplier));
    let mut reason = Reason::default();
    reason.term(codes::EXPECTED_DEMAND, choice.qty[own], "Asked for.".to_owned());
    reason.sum(codes::FINAL, |qty| format!("Order {qty}."));
    ReorderLine {
        line_key: line_key(TODAY, SupplyKind::Purchase, &item_id, "DC", &supplier_id, ""),
        kind: SupplyKind::Purchase,
        state: LineState::Proposed,
        item_id,
        supplier_id,
        source_location_id: String::new(),
        location_id: "DC".to_owned(),
        qty: choice.qty[own],
        order_qty: choice.qty[own],
        order_uom: "each".to_owned(),
        unit_cost_minor: item.unit_cost_minor,
        value_minor: choice.cost_minor[own] as i64,
        currency: "EUR".to_owned(),
        order_on: TODAY,
        expected_on: TODAY + item.lead_time_days as i32,
        need_on: TODAY + item.lead_time_days as i32,
        priority: 0,
        expected_value_minor: choice.value_minor[own] as i64,
        reason: reason.steps(),
        held_because: None,
        facts: LineFacts {
            multiple: item.lot.multiple,
            per_base: 1,
            base_uom: "each".to_owned(),
            category: format!("C{:02}", item.category),
            weight_g: Some(item.weight_g),
            volume_ml: Some(item.volume_ml),
            ..LineFacts::default()
        },
        choice,
    }
}

/// Money wanted by supplier, by category, and in all.
struct Wanted {
    all: f64,
    suppliers: Vec<f64>,
    units: Vec<f64>,
    weight_g: Vec<f64>,
    volume_ml: Vec<f64>,
    categories: Vec<f64>,
}

fn wanted(items: &[Item], lines: &[ReorderLine]) -> Wanted {
    let mut wanted = Wanted {
        all: 0.0,
        suppliers: vec![0.0; SUPPLIERS],
        units: vec![0.0; SUPPLIERS],
        weight_g: vec![0.0; SUPPLIERS],
        volume_ml: vec![0.0; SUPPLIERS],
        categories: vec![0.0; CATEGORIES],
    };
    for (item, line) in items.iter().zip(lines) {
        let money = line.value_minor as f64;
        wanted.all += money;
        wanted.suppliers[item.supplier] += money;
        wanted.units[item.supplier] += line.qty as f64;
        wanted.weight_g[item.supplier] += (line.qty * item.weight_g) as f64;
        wanted.volume_ml[item.supplier] += (line.qty * item.volume_ml) as f64;
        wanted.categories[item.category] += money;
    }
    wanted
}

fn run_budget(wanted: &Wanted, share: f64) -> Budget {
    Budget {
        currency: "EUR".to_owned(),
        amount_minor: (share * wanted.all) as i64,
        supplier_id: None,
        category: None,
    }
}

fn rule(supplier: usize) -> SupplierRule {
    SupplierRule {
        supplier_id: format!("S{supplier:02}"),
        currency: "EUR".to_owned(),
        ..SupplierRule::default()
    }
}

/// The run's budget and those of every supplier and category.
fn many_budgets(wanted: &Wanted, share: f64) -> PlanLimits {
    let mut budgets = vec![run_budget(wanted, share)];
    for supplier in 0..SUPPLIERS {
        let part = [0.5, 0.9, 1.2][supplier % 3] * share * wanted.suppliers[supplier];
        let supplier_id = Some(format!("S{supplier:02}"));
        let amount_minor = part as i64;
        budgets.push(Budget { amount_minor, supplier_id, ..run_budget(wanted, share) });
    }
    for category in 0..CATEGORIES {
        let part = [0.7, 1.1][category % 2] * share * wanted.categories[category];
        let category = Some(format!("C{category:02}"));
        budgets.push(Budget { amount_minor: part as i64, category, ..run_budget(wanted, share) });
    }
    PlanLimits { budgets, ..PlanLimits::default() }
}

fn capacities(wanted: &Wanted, share: f64) -> PlanLimits {
    let suppliers = (0..SUPPLIERS).map(|supplier| SupplierRule {
        capacity: Capacity {
            units: Some((0.7 * wanted.units[supplier]) as i64 + 1),
            weight_g: Some((0.6 * wanted.weight_g[supplier]) as i64 + 1),
            ..Capacity::default()
        },
        ..rule(supplier)
    });
    PlanLimits { suppliers: suppliers.collect(), ..many_budgets(wanted, share) }
}

fn minimums(wanted: &Wanted, share: f64) -> PlanLimits {
    let suppliers = (0..SUPPLIERS).map(|supplier| SupplierRule {
        min_order_value_minor: ([0.3, 0.8, 1.2][supplier % 3] * wanted.suppliers[supplier]) as i64,
        ..rule(supplier)
    });
    let budgets = vec![run_budget(wanted, share)];
    PlanLimits { budgets, suppliers: suppliers.collect(), ..PlanLimits::default() }
}

fn containers(wanted: &Wanted, share: f64) -> PlanLimits {
    let suppliers = (0..SUPPLIERS).map(|supplier| SupplierRule {
        container: Some(Container {
            holds: Capacity {
                weight_g: Some((wanted.weight_g[supplier] / 2.6) as i64 + 1),
                volume_ml: Some((wanted.volume_ml[supplier] / 2.4) as i64 + 1),
                ..Capacity::default()
            },
            fixed_cost_minor: (0.03 * wanted.suppliers[supplier]) as i64,
            min_fill_share: 0.9,
        }),
        ..rule(supplier)
    });
    let budgets = vec![run_budget(wanted, share)];
    PlanLimits { budgets, suppliers: suppliers.collect(), ..PlanLimits::default() }
}

/// Time on the core, where the system tells it: a machine that others use as well says little else.
struct Clock {
    wall: Instant,
    core: Option<u64>,
}

impl Clock {
    fn core() -> Option<u64> {
        std::fs::read_to_string("/proc/self/schedstat").ok()?.split(' ').next()?.parse().ok()
    }

    fn start() -> Clock {
        Clock { wall: Instant::now(), core: Clock::core() }
    }

    fn seconds(&self) -> f64 {
        match (self.core, Clock::core()) {
            (Some(from), Some(to)) => (to - from) as f64 / 1e9,
            _ => self.wall.elapsed().as_secs_f64(),
        }
    }
}

fn report(name: &str, items: &[Item], limits: &PlanLimits) {
    let only = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    if only.is_some_and(|word| !name.contains(&word)) {
        return;
    }
    let mut times = Vec::new();
    let mut last = None;
    for _ in 0..3 {
        let start = Clock::start();
        let mut scratch = Scratch::default();
        let lines: Vec<ReorderLine> =
            items.iter().enumerate().map(|(at, item)| plan(at, item, &mut scratch)).collect();
        let planned = start.seconds();
        let settled = settle(lines, limits, &Previous::default(), TODAY);
        times.push((start.seconds(), planned));
        last = Some(settled);
    }
    times.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (total, planned) = times[0];
    let (lines, settlement, _) = last.expect("three runs");
    let euro = &settlement.currencies[0];
    let binding = settlement.limits.iter().filter(|limit| limit.price > 0.0).count();
    let run = settlement.limits.iter().find(|limit| limit.supplier_id.is_none());
    let orders = |outcome| settlement.orders.iter().filter(|o| o.outcome == outcome).count();
    println!(
        "{name:38} {total:5.2} s (choices {planned:.2}), value {:.4}% of the bound, {:.1}% of what \
         was wanted; {} of {} lines changed, {} left out; {binding} limits bind, run price {:.3}; \
         orders: {} raised, {} deferred",
        100.0 * euro.value_minor / euro.bound_minor,
        100.0 * euro.value_minor / euro.wanted_value_minor,
        settlement.changed,
        lines.len() + settlement.left_out.len(),
        settlement.left_out.len(),
        run.map_or(0.0, |limit| limit.price),
        orders(OrderOutcome::Raised),
        orders(OrderOutcome::Deferred),
    );
}

fn main() {
    let mut random = Random(5);
    let items: Vec<Item> = (0..ITEMS).map(|_| item(&mut random)).collect();
    let mut scratch = Scratch::default();
    let lines: Vec<ReorderLine> =
        items.iter().enumerate().map(|(at, item)| plan(at, item, &mut scratch)).collect();
    let options: usize = lines.iter().map(|line| line.choice.qty.len()).sum();
    println!("{ITEMS} items x {PATHS} paths x {DAYS} days, {options} options in all");
    let wanted = wanted(&items, &lines);
    for share in [0.2, 0.5, 0.8] {
        let limits = PlanLimits { budgets: vec![run_budget(&wanted, share)], ..Default::default() };
        report(&format!("budget {share} of what is wanted"), &items, &limits);
        scaled_alike(&lines, share * wanted.all);
    }
    for share in [0.2, 0.5, 0.8] {
        report(&format!("{share}: run, supplier, category"), &items, &many_budgets(&wanted, share));
    }
    for share in [0.5, 0.8] {
        report(&format!("{share}: and supplier capacity"), &items, &capacities(&wanted, share));
    }
    for share in [0.2, 0.5, 0.8, 1.5] {
        report(&format!("{share}: order minimums"), &items, &minimums(&wanted, share));
    }
    for share in [0.5, 0.8, 1.5] {
        report(&format!("{share}: containers 90% full"), &items, &containers(&wanted, share));
    }
}

/// What a spreadsheet does: every line cut by the same share, down to its grid.
fn scaled_alike(lines: &[ReorderLine], budget: f64) {
    let (mut low, mut high) = (0.0, 1.0);
    let cut = |share: f64| {
        let (mut cost, mut value) = (0.0, 0.0);
        for line in lines {
            let most = (share * line.qty as f64) as i64;
            let option = line.choice.qty.iter().rposition(|&qty| qty <= most).unwrap_or(0);
            cost += line.choice.cost_minor[option];
            value += line.choice.value_minor[option];
        }
        (cost, value)
    };
    for _ in 0..40 {
        let middle = 0.5 * (low + high);
        if cut(middle).0 <= budget { low = middle } else { high = middle }
    }
    let wanted = cut(1.0).1;
    println!(
        "{:38} {:.1}% of what was wanted",
        "  the same, all lines cut alike",
        100.0 * cut(low).1 / wanted
    );
}
