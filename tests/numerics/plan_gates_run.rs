//! What holds a whole plan, and what a first run says.

use std::collections::BTreeMap;

use granary_models::plan::gates::{
    GateLimits, PreviousRun, RunFacts, hold_plan, not_compared, proposed_value_minor,
    run_value_minor,
};
use granary_models::plan::line::{LineState, ReorderLine};
use granary_models::policy::terms::SupplyKind;

use crate::plan_gates::line;

fn money(minor: i64) -> BTreeMap<String, i64> {
    BTreeMap::from([("EUR".to_owned(), minor)])
}

fn named(name: &str, rows: u64) -> BTreeMap<String, u64> {
    BTreeMap::from([(name.to_owned(), rows)])
}

/// `n` lines of the given quantity; a line is worth 5,000.
fn plan(n: usize, qty: i64) -> Vec<ReorderLine> {
    let key = |at: usize| format!("2025-10-20/purchase/{at}/L/S");
    (0..n).map(|at| ReorderLine { line_key: key(at), qty, ..line() }).collect()
}

/// A run before that was just like [`plan`] of ten lines of 50 each.
fn previous() -> PreviousRun {
    PreviousRun {
        run_id: "nightly@2025-10-19".to_owned(),
        week_values_minor: vec![money(50_000)],
        week_lines: vec![10],
        released_values_minor: BTreeMap::new(),
        released_lines: 0,
        lines: (0..10).map(|at| (format!("purchase/{at}/L/S"), 50)).collect(),
        places: Some(100),
        defaults: Some(named("stock", 5)),
        inputs: Some(named("items", 100)),
        stock_rows: Some(100),
        empty_stock_rows: Some(10),
        open_orders: Some(40),
    }
}

/// Tonight, just like the run before.
fn same() -> RunFacts {
    RunFacts {
        series: 100,
        fallback_series: 0,
        places: 100,
        defaults: named("stock", 5),
        inputs: named("items", 100),
        sales_day_rows: 90,
        usual_sales_day_rows: Some(100.0),
        stock_rows: 100,
        empty_stock_rows: 10,
        open_orders: 38,
        open_orders_then: 40,
        previous: Some(previous()),
        ..RunFacts::default()
    }
}

fn check(limits: GateLimits, lines: &[ReorderLine], change: impl Fn(&mut RunFacts), held: &[&str]) {
    let mut facts = same();
    change(&mut facts);
    let findings = hold_plan(lines, &facts, &limits);
    let codes: Vec<&str> = findings.iter().map(|finding| finding.code.as_str()).collect();
    assert_eq!(codes, held, "{limits:?} on {facts:?}");
    assert!(findings.iter().all(|finding| !finding.detail.is_empty()));
}

fn off() -> GateLimits {
    GateLimits::off()
}

fn before(facts: &mut RunFacts) -> &mut PreviousRun {
    facts.previous.as_mut().expect("set above")
}

#[test]
fn a_plan_like_the_one_before_passes() {
    check(GateLimits::default(), &plan(10, 50), |_| {}, &[]);
}

#[test]
fn a_first_run_is_compared_with_nothing_and_says_so() {
    let first = |facts: &mut RunFacts| facts.previous = None;
    check(GateLimits::default(), &plan(10, 50), first, &[]);
    check(GateLimits { max_run_value_minor: 1, ..off() }, &plan(1, 50), first, &["gate_run_value"]);
    let told = |facts: &RunFacts| not_compared(facts).map(|finding| finding.detail);
    assert!(told(&RunFacts::default()).is_some_and(|detail| detail.contains("first")));
    assert_eq!(told(&same()), None);
    let older = PreviousRun { inputs: None, open_orders: None, ..previous() };
    let facts = RunFacts { previous: Some(older), ..same() };
    assert_eq!(
        told(&facts).as_deref(),
        Some("nightly@2025-10-19 did not store its inputs, open orders; not compared")
    );
    check(GateLimits::default(), &plan(10, 50), |f| before(f).inputs = None, &[]);
}

/// What went out is not ordered again, so the plan after it is smaller by as much, and no larger.
#[test]
fn what_was_released_since_excuses_a_small_plan_and_no_large_one() {
    let limits = GateLimits { max_run_value_change: 0.5, max_line_count_change: 0.5, ..off() };
    let released = |minor: i64, lines: u64| {
        move |facts: &mut RunFacts| {
            before(facts).released_values_minor = money(minor);
            before(facts).released_lines = lines;
        }
    };
    let both = ["gate_run_value_change", "gate_line_count_change"];
    check(limits.clone(), &plan(1, 50), released(0, 0), &both);
    check(limits.clone(), &plan(1, 50), released(19_999, 9), &both[..1]);
    check(limits.clone(), &plan(1, 50), released(20_000, 9), &[]);
    check(limits.clone(), &[], released(50_000, 10), &[]);
    check(limits, &plan(40, 50), released(1_000_000, 100), &both);
}

#[test]
fn stale_inputs_and_books_hold_and_cannot_be_switched_off() {
    let stale = |facts: &mut RunFacts| facts.stale_inputs = vec!["stock is old".to_owned()];
    check(off(), &plan(1, 50), stale, &["gate_stale_input"]);
    let books = |facts: &mut RunFacts| {
        facts.unbalanced_books = vec!["a is not b".to_owned(), "c is not d".to_owned()];
    };
    check(off(), &plan(1, 50), books, &["gate_books", "gate_books"]);
}

#[test]
fn budgets_are_of_a_run_and_of_a_day() {
    let run = |max_run_value_minor| GateLimits { max_run_value_minor, ..off() };
    check(run(50_001), &plan(10, 50), |_| {}, &[]);
    check(run(50_000), &plan(10, 50), |_| {}, &[]);
    check(run(49_999), &plan(10, 50), |_| {}, &["gate_run_value"]);
    check(run(0), &plan(10, 50), |_| {}, &[]);
    let huge = [ReorderLine { value_minor: i64::MAX, ..line() }, line()];
    check(run(i64::MAX - 1), &huge, |_| {}, &["gate_run_value"]);

    let day = |max_day_value_minor| GateLimits { max_day_value_minor, ..off() };
    let other = |minor| move |facts: &mut RunFacts| facts.other_jobs_value_minor = money(minor);
    check(day(60_000), &plan(10, 50), other(9_999), &[]);
    check(day(60_000), &plan(10, 50), other(10_000), &[]);
    check(day(60_000), &plan(10, 50), other(10_001), &["gate_day_value"]);
    check(day(60_000), &plan(10, 50), other(i64::MAX), &["gate_day_value"]);
    check(day(0), &plan(10, 50), other(i64::MAX), &[]);
}

#[test]
fn what_is_held_already_and_what_is_moved_costs_nothing() {
    let mut lines = plan(2, 50);
    lines[0].state = LineState::Held;
    assert_eq!(run_value_minor(&lines), money(10_000));
    assert_eq!(proposed_value_minor(&lines), money(5_000));
    check(GateLimits { max_run_value_minor: 5_000, ..off() }, &lines, |_| {}, &[]);
    let moved = ReorderLine { kind: SupplyKind::Transfer, ..line() };
    assert!(run_value_minor(&[moved]).is_empty());
}

#[test]
fn value_is_compared_with_the_run_before() {
    let limits = |max_run_value_change| GateLimits { max_run_value_change, ..off() };
    let was =
        |minor| move |facts: &mut RunFacts| before(facts).week_values_minor = vec![money(minor)];
    check(limits(0.5), &plan(1, 50), was(5_000), &[]);
    check(limits(0.5), &plan(1, 50), was(3_334), &[]);
    check(limits(0.5), &plan(1, 50), was(3_333), &["gate_run_value_change"]);
    check(limits(0.5), &plan(1, 50), was(10_000), &[]);
    check(limits(0.5), &plan(1, 50), was(10_001), &["gate_run_value_change"]);
    check(limits(0.5), &plan(1, 50), was(0), &["gate_run_value_change"]);
    check(limits(0.5), &plan(1, 50), was(i64::MAX), &["gate_run_value_change"]);
    check(limits(0.5), &[], was(1), &["gate_run_value_change"]);
    check(limits(0.5), &[], was(0), &[]);
    check(limits(f64::NAN), &plan(1, 50), was(5_000), &["gate_run_value_change"]);
    check(limits(0.0), &plan(1, 50), was(i64::MAX), &[]);
    let dollars = |facts: &mut RunFacts| {
        let value = BTreeMap::from([("USD".to_owned(), 5_000)]);
        before(facts).week_values_minor = vec![value];
    };
    let both = ["gate_run_value_change", "gate_run_value_change"];
    check(limits(0.5), &plan(1, 50), dollars, &both);
    // A week with a day of large orders and one of small ones.
    let week = |facts: &mut RunFacts| {
        before(facts).week_values_minor = vec![money(40_000), money(10_000), money(20_000)];
    };
    check(limits(0.5), &plan(1, 50), week, &[]);
    check(limits(0.5), &plan(12, 50), week, &[]);
    check(limits(0.5), &plan(13, 50), week, &["gate_run_value_change"]);
    check(limits(0.5), &[], week, &["gate_run_value_change"]);
    check(limits(0.5), &[], |f| before(f).week_values_minor.clear(), &[]);
}

#[test]
fn the_number_of_lines_is_compared_with_the_run_before() {
    let limits = |max_line_count_change| GateLimits { max_line_count_change, ..off() };
    check(limits(0.5), &plan(15, 50), |_| {}, &[]);
    check(limits(0.5), &plan(16, 50), |_| {}, &["gate_line_count_change"]);
    check(limits(0.5), &plan(5, 50), |_| {}, &[]);
    check(limits(0.5), &plan(4, 50), |_| {}, &["gate_line_count_change"]);
    check(limits(0.5), &[], |_| {}, &["gate_line_count_change"]);
    check(limits(0.0), &[], |_| {}, &[]);
    check(limits(f64::NAN), &plan(15, 50), |_| {}, &["gate_line_count_change"]);
    let none = |facts: &mut RunFacts| before(facts).week_lines = vec![0];
    check(limits(0.5), &plan(1, 50), none, &[]);
    check(limits(0.5), &plan(2, 50), none, &["gate_line_count_change"]);
}

#[test]
fn lines_that_are_many_times_what_they_were_hold_the_plan() {
    let limits = |changed_line_times, max_changed_lines_share| GateLimits {
        changed_line_times,
        max_changed_lines_share,
        ..off()
    };
    let changed = |n: usize, qty| {
        let mut lines = plan(10, 50);
        lines[..n].iter_mut().for_each(|line| line.qty = qty);
        lines
    };
    // Ten a day sell and an order lasts ten days: a change by a hundred is within what sells.
    check(limits(2.0, 0.2), &changed(10, 150), |_| {}, &[]);
    check(limits(2.0, 0.2), &changed(10, 151), |_| {}, &["gate_lines_changed"]);
    let mut unknown = changed(10, 150);
    unknown.iter_mut().for_each(|line| line.facts.daily_demand = f64::NAN);
    check(limits(2.0, 0.2), &unknown, |_| {}, &["gate_lines_changed"]);
    check(limits(5.0, 0.2), &changed(10, 250), |_| {}, &[]);
    check(limits(5.0, 0.2), &changed(10, 10), |_| {}, &[]);
    check(limits(5.0, 0.2), &changed(2, 251), |_| {}, &[]);
    check(limits(5.0, 0.2), &changed(3, 251), |_| {}, &["gate_lines_changed"]);
    let were = |qty| {
        move |facts: &mut RunFacts| before(facts).lines.values_mut().for_each(|was| *was = qty)
    };
    check(limits(5.0, 0.2), &changed(3, 39), were(200), &["gate_lines_changed"]);
    check(limits(5.0, 0.2), &changed(3, 40), were(200), &[]);
    check(limits(5.0, 0.2), &changed(3, i64::MAX), |_| {}, &["gate_lines_changed"]);
    check(limits(5.0, 0.02), &changed(1, i64::MAX), |_| {}, &[]);
    check(limits(f64::NAN, 0.2), &changed(3, 251), |_| {}, &["gate_lines_changed"]);
    check(limits(5.0, f64::NAN), &changed(2, 251), |_| {}, &["gate_lines_changed"]);
    check(limits(0.0, 0.2), &changed(10, i64::MAX), |_| {}, &[]);
    check(limits(5.0, 0.0), &changed(10, i64::MAX), |_| {}, &[]);
    let mut held = changed(10, i64::MAX);
    held.iter_mut().for_each(|line| line.state = LineState::Held);
    check(limits(5.0, 0.2), &held, |_| {}, &[]);
}

#[test]
fn fallbacks_and_defaults_may_not_stand_in_for_too_much() {
    let limits = |max_fallback_share| GateLimits { max_fallback_share, ..off() };
    let series =
        |n, of| move |facts: &mut RunFacts| (facts.fallback_series, facts.series) = (n, of);
    check(limits(0.2), &[], series(19, 100), &[]);
    check(limits(0.2), &[], series(20, 100), &[]);
    check(limits(0.2), &[], series(21, 100), &["gate_fallback_share"]);
    check(limits(0.2), &[], series(0, 0), &["gate_fallback_share"]);
    check(limits(f64::NAN), &[], series(0, 100), &["gate_fallback_share"]);
    check(limits(0.0), &[], series(100, 100), &[]);

    let limits = |max_default_share_rise| GateLimits { max_default_share_rise, ..off() };
    let defaults = |n| move |facts: &mut RunFacts| facts.defaults = named("stock", n);
    check(limits(0.1), &[], defaults(14), &[]);
    check(limits(0.1), &[], defaults(15), &[]);
    check(limits(0.1), &[], defaults(16), &["gate_default_share"]);
    check(limits(0.1), &[], |f| f.defaults = named("moq", 11), &["gate_default_share"]);
    check(limits(0.1), &[], |f| before(f).places = Some(0), &[]);
    let no_places = |facts: &mut RunFacts| {
        defaults(9)(facts);
        before(facts).places = Some(0);
    };
    check(limits(0.1), &[], no_places, &[]);
    check(limits(f64::NAN), &[], defaults(7), &["gate_default_share"]);
    check(limits(0.0), &[], defaults(100), &[]);
}

#[test]
fn an_input_may_not_shrink() {
    let limits = |max_input_shrink| GateLimits { max_input_shrink, ..off() };
    let rows = |n| move |facts: &mut RunFacts| facts.inputs = named("items", n);
    check(limits(0.2), &[], rows(81), &[]);
    check(limits(0.2), &[], rows(80), &[]);
    check(limits(0.2), &[], rows(79), &["gate_input_shrunk"]);
    check(limits(0.2), &[], rows(0), &["gate_input_shrunk"]);
    check(limits(0.2), &[], rows(u64::MAX), &[]);
    check(limits(0.2), &[], |f| f.inputs.clear(), &["gate_input_shrunk"]);
    check(limits(f64::NAN), &[], rows(99), &["gate_input_shrunk"]);
    check(limits(0.0), &[], rows(0), &[]);

    let limits = |max_sales_day_shrink| GateLimits { max_sales_day_shrink, ..off() };
    let day = |n, usual| {
        move |facts: &mut RunFacts| {
            (facts.sales_day_rows, facts.usual_sales_day_rows) = (n, usual);
        }
    };
    check(limits(0.5), &[], day(51, Some(100.0)), &[]);
    check(limits(0.5), &[], day(50, Some(100.0)), &[]);
    check(limits(0.5), &[], day(49, Some(100.0)), &["gate_input_shrunk"]);
    check(limits(0.5), &[], day(0, Some(f64::NAN)), &["gate_input_shrunk"]);
    check(limits(0.5), &[], day(1, None), &[]);
    check(limits(0.0), &[], day(0, Some(100.0)), &[]);
}

#[test]
fn orders_and_stock_may_not_be_lost() {
    let limits = |max_orders_lost_share| GateLimits { max_orders_lost_share, ..off() };
    let left = |n| move |facts: &mut RunFacts| facts.open_orders_then = n;
    check(limits(0.3), &[], left(29), &[]);
    check(limits(0.3), &[], left(28), &[]);
    check(limits(0.3), &[], left(27), &["gate_orders_lost"]);
    check(limits(0.3), &[], left(0), &["gate_orders_lost"]);
    check(limits(f64::NAN), &[], left(39), &["gate_orders_lost"]);
    check(limits(0.0), &[], left(0), &[]);
    check(limits(0.3), &[], |f| before(f).open_orders = Some(0), &[]);

    let limits = |max_empty_stock_rise| GateLimits { max_empty_stock_rise, ..off() };
    let empty = |n| move |facts: &mut RunFacts| facts.empty_stock_rows = n;
    check(limits(0.1), &[], empty(19), &[]);
    check(limits(0.1), &[], empty(20), &[]);
    check(limits(0.1), &[], empty(21), &["gate_stock_lost"]);
    check(limits(0.1), &[], empty(100), &["gate_stock_lost"]);
    check(limits(f64::NAN), &[], empty(15), &["gate_stock_lost"]);
    // Four places more are the matter of their lines.
    check(limits(0.001), &[], empty(14), &[]);
    check(limits(0.0), &[], empty(100), &[]);
    let never = |facts: &mut RunFacts| (facts.stock_rows, facts.empty_stock_rows) = (0, 0);
    check(limits(0.1), &[], never, &[]);
}
