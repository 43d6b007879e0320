//! Lines under their keys, priorities, and what holds a single one: each gate just under, at and just
//! over its limit, off, and with numbers that are none.

use std::collections::BTreeMap;

use granary_models::plan::assemble::assemble;
use granary_models::plan::gates::{
    GateLimits, OrderTerms, StockGone, UnseenRelease, hold_lines, usual_daily_demand,
};
use granary_models::plan::line::{LineState, ReorderLine, line_key, order_units};
use granary_models::plan_sku::{LocationKind, PlanConfig, plan_item};
use granary_models::policy::terms::SupplyKind;
use granary_models::policy::unit::QtyUnit;
use granary_models::series::Series;

use crate::plan_help::{TODAY, flat, item, location, purchase};

const SOLD: [f64; 60] = [10.0; 60];
const AVAILABLE: [f32; 60] = [1.0; 60];

pub fn line() -> ReorderLine {
    let mut shop = location("L", LocationKind::Store, 50, vec![purchase(3, 7)]);
    shop.demand = flat(10.0);
    shop.history = Some(Series { start: TODAY - 60, sold: &SOLD, available: &AVAILABLE });
    let item = item(vec![shop]);
    plan_item(&item, TODAY, &PlanConfig::default()).0.lines[0].reorder_line(&item, TODAY)
}

#[test]
fn a_line_is_known_by_a_key_that_no_other_has() {
    let key = |item, at, supplier, source| {
        line_key(TODAY, SupplyKind::Transfer, item, at, supplier, source)
    };
    assert_eq!(line().line_key, "2025-10-20/purchase/A/L/S");
    assert_eq!(key("A", "L", "", "DC"), "2025-10-20/transfer/A/L//DC");
    assert_ne!(key("A/B", "C", "S", ""), key("A", "B/C", "S", ""));
    assert_ne!(key("A%2FB", "C", "S", ""), key("A/B", "C", "S", ""));
}

#[test]
fn quantities_are_ordered_in_packs_where_they_have_a_name() {
    let kg = QtyUnit { name: "kg".to_owned(), decimals: 3 };
    let each = QtyUnit::default();
    for (qty, unit, multiple, pack, expected) in [
        (24, &each, 12, "case", (2, "case")),
        (24, &each, 12, "", (24, "each")),
        (25, &each, 12, "case", (25, "each")),
        (2_000, &kg, 1, "", (2, "kg")),
        (2_500, &kg, 1, "", (2_500, "0.001 kg")),
    ] {
        let (order_qty, uom) = order_units(qty, unit, multiple, pack);
        assert_eq!((order_qty, uom.as_str()), expected);
    }
}

#[test]
fn the_first_to_run_short_comes_first() {
    let base = line();
    let with = |key: &str, days: i32, value: i64| ReorderLine {
        line_key: key.to_owned(),
        need_on: TODAY + days,
        expected_value_minor: value,
        ..base.clone()
    };
    let lines = assemble(vec![with("d", 2, 5), with("a", 2, 9), with("c", 1, 1), with("b", 2, 5)]);
    let ranks: Vec<(&str, u32)> =
        lines.iter().map(|line| (line.line_key.as_str(), line.priority)).collect();
    assert_eq!(ranks, [("a", 2), ("b", 3), ("c", 1), ("d", 4)]);
}

/// One gate on, all others off: the codes that hold the line.
fn check(limits: GateLimits, change: impl Fn(&mut ReorderLine), held: &[&str]) {
    let mut line = line();
    change(&mut line);
    let mut lines = [line];
    let findings = hold_lines(&mut lines, &limits);
    let codes: Vec<&str> = findings.iter().map(|(_, finding)| finding.code.as_str()).collect();
    assert_eq!(codes, held, "{:?} under {limits:?}", lines[0]);
    assert!(findings.iter().all(|(at, finding)| *at == 0 && !finding.detail.is_empty()));
    assert_eq!(lines[0].held_because.map(|code| code.as_str()), held.first().copied());
    assert_eq!(lines[0].state == LineState::Held, !held.is_empty());
}

fn off() -> GateLimits {
    GateLimits::off()
}

#[test]
fn an_ordinary_line_passes_every_gate() {
    check(GateLimits::default(), |_| {}, &[]);
}

#[test]
fn an_item_may_have_a_cap_of_its_own() {
    let cap = |qty, cap| {
        move |line: &mut ReorderLine| {
            (line.qty, line.facts.evidence.max_order_qty) = (qty, Some(cap));
        }
    };
    check(off(), cap(19, 20), &[]);
    check(off(), cap(20, 20), &[]);
    check(off(), cap(21, 20), &["gate_item_cap"]);
    check(off(), cap(i64::MAX, 20), &["gate_item_cap"]);
    check(off(), |line| line.qty = i64::MAX, &[]);
}

#[test]
fn a_line_of_any_item_has_a_cap_in_units_and_in_value() {
    let units = |max_line_qty| GateLimits { max_line_qty, ..off() };
    let qty = |qty| move |line: &mut ReorderLine| line.qty = qty;
    check(units(100), qty(99), &[]);
    check(units(100), qty(100), &[]);
    check(units(100), qty(101), &["gate_line_cap"]);
    check(units(100), qty(i64::MAX), &["gate_line_cap"]);
    check(units(i64::MAX), qty(i64::MAX), &[]);
    check(units(0), qty(i64::MAX), &[]);
    // The cap is in base units, the line in grams.
    let grams = |qty| move |line: &mut ReorderLine| (line.qty, line.facts.per_base) = (qty, 1_000);
    check(units(100), grams(100_000), &[]);
    check(units(100), grams(100_001), &["gate_line_cap"]);

    let value = |max_line_value_minor| GateLimits { max_line_value_minor, ..off() };
    let worth = |minor| move |line: &mut ReorderLine| line.value_minor = minor;
    check(value(5_000), worth(4_999), &[]);
    check(value(5_000), worth(5_000), &[]);
    check(value(5_000), worth(5_001), &["gate_line_cap"]);
    check(value(5_000), worth(i64::MAX), &["gate_line_cap"]);
    check(value(0), worth(i64::MAX), &[]);
    // Without a cost no value can be compared, except of what is already owned.
    check(value(5_000), |line| line.unit_cost_minor = 0, &["gate_line_cap"]);
    check(value(0), |line| line.unit_cost_minor = 0, &[]);
    let moved = |line: &mut ReorderLine| {
        (line.unit_cost_minor, line.kind) = (0, SupplyKind::Transfer);
    };
    check(value(5_000), moved, &[]);
}

#[test]
fn a_pack_unit_or_cost_that_changed_holds() {
    let limits = |max_terms_change| GateLimits { max_terms_change, ..off() };
    let now = OrderTerms {
        multiple: 12,
        moq: 24,
        unit_cost_minor: 300,
        per_base: 1_000,
        base_uom: "kg".to_owned(),
        pack_uom: "case".to_owned(),
    };
    type Change<'a> = (&'a str, &'a dyn Fn(&mut OrderTerms), bool);
    let cases: [Change<'_>; 22] = [
        ("the same", &|_| {}, false),
        ("a pack a little smaller", &|terms| terms.multiple = 7, false),
        ("half the pack", &|terms| terms.multiple = 6, true),
        ("nearly twice the pack", &|terms| terms.multiple = 23, false),
        ("twice the pack", &|terms| terms.multiple = 24, true),
        ("a pack of nothing", &|terms| terms.multiple = 0, true),
        ("a pack past counting", &|terms| terms.multiple = i64::MAX, true),
        ("a minimum a little larger", &|terms| terms.moq = 47, false),
        ("a minimum in grams", &|terms| terms.moq = 24_000, true),
        ("no minimum any more", &|terms| terms.moq = 0, true),
        ("a cost a little lower", &|terms| terms.unit_cost_minor = 151, false),
        ("half the cost", &|terms| terms.unit_cost_minor = 150, true),
        ("a cost a little higher", &|terms| terms.unit_cost_minor = 599, false),
        ("twice the cost", &|terms| terms.unit_cost_minor = 600, true),
        ("a cost per gram", &|terms| terms.unit_cost_minor = 0, true),
        ("a negative cost", &|terms| terms.unit_cost_minor = -300, true),
        ("another number of decimals", &|terms| terms.per_base = 1, true),
        ("another unit", &|terms| terms.base_uom = "g".to_owned(), true),
        ("the unit in capitals", &|terms| terms.base_uom = " KG".to_owned(), false),
        ("another pack", &|terms| terms.pack_uom = "pallet".to_owned(), true),
        ("a pack that lost its name", &|terms| terms.pack_uom = String::new(), true),
        ("everything", &|terms| *terms = OrderTerms::default(), true),
    ];
    for (case, change, held) in cases {
        let mut after = now.clone();
        change(&mut after);
        let with = |line: &mut ReorderLine| {
            let evidence = &mut line.facts.evidence;
            (evidence.terms, evidence.terms_before) = (Some(after.clone()), Some(now.clone()));
        };
        let codes: &[&str] = if held { &["gate_terms_changed"] } else { &[] };
        assert_eq!(after.changed(&now, 2.0).is_some(), held, "{case}");
        check(limits(2.0), with, codes);
        check(limits(0.0), with, &[]);
        let differs: &[&str] = if case == "the same" || case == "the unit in capitals" {
            &[]
        } else {
            &["gate_terms_changed"]
        };
        check(limits(f64::NAN), with, differs);
    }
    // What was not there before cannot have changed.
    let first = |line: &mut ReorderLine| line.facts.evidence.terms = Some(now.clone());
    check(limits(2.0), first, &[]);
    let costed = now.changed(&OrderTerms { unit_cost_minor: 0, ..now.clone() }, 2.0);
    assert_eq!(costed, None, "a cost that was not known before");
    let named = now.changed(&OrderTerms { pack_uom: String::new(), ..now.clone() }, 2.0);
    assert_eq!(named, None, "a pack that had no name before");
}

#[test]
fn a_line_is_compared_with_the_largest_demand_ever_seen() {
    let limits = |max_times_largest_demand| GateLimits { max_times_largest_demand, ..off() };
    // The history saw 100 in the ten days of the protection interval.
    let qty = |qty| move |line: &mut ReorderLine| line.qty = qty;
    check(limits(3.0), qty(299), &[]);
    check(limits(3.0), qty(300), &[]);
    check(limits(3.0), qty(301), &["gate_quantity"]);
    check(limits(3.0), qty(i64::MAX), &["gate_quantity"]);
    check(limits(0.0), qty(i64::MAX), &[]);
    check(limits(f64::NAN), qty(1), &["gate_quantity"]);
    check(limits(3.0), |line| (line.qty, line.facts.multiple) = (301, 301), &[]);
    // Nothing was ever sold: one pack, and no more.
    let unsold = |qty| {
        move |line: &mut ReorderLine| {
            (line.qty, line.facts.largest_demand_seen) = (qty, Some(0));
        }
    };
    check(limits(3.0), unsold(1), &[]);
    check(limits(3.0), unsold(2), &["gate_quantity"]);
}

#[test]
fn a_forecast_is_compared_with_plain_means() {
    let limits = |max_times_usual_demand| GateLimits { max_times_usual_demand, ..off() };
    // Ten a day are usual.
    let plain = |daily| move |line: &mut ReorderLine| line.facts.evidence.plain_daily = Some(daily);
    check(limits(4.0), plain(39.9), &[]);
    check(limits(4.0), plain(40.0), &[]);
    check(limits(4.0), plain(40.1), &["gate_forecast"]);
    check(limits(4.0), plain(1e300), &["gate_forecast"]);
    check(limits(4.0), plain(f64::INFINITY), &["gate_forecast"]);
    check(limits(4.0), plain(f64::NAN), &["gate_forecast"]);
    check(limits(f64::NAN), plain(10.0), &["gate_forecast"]);
    check(limits(0.0), plain(f64::NAN), &[]);
    // Where events were not taken out, the line's own demand is compared.
    let whole = |daily| {
        move |line: &mut ReorderLine| {
            (line.facts.evidence.plain_daily, line.facts.daily_demand) = (None, daily);
        }
    };
    check(limits(4.0), whole(40.0), &[]);
    check(limits(4.0), whole(40.1), &["gate_forecast"]);
    let usual = |daily: Option<f64>, plain: f64| {
        move |line: &mut ReorderLine| {
            let evidence = &mut line.facts.evidence;
            (evidence.usual_daily, evidence.plain_daily) = (daily, Some(plain));
        }
    };
    check(limits(4.0), usual(None, 5.0), &["gate_forecast"]);
    check(limits(4.0), usual(Some(f64::NAN), 5.0), &["gate_forecast"]);
    check(limits(4.0), usual(Some(0.0), 5.0), &["gate_forecast"]);
    // A tenth of a unit a day over ten days is one unit: too little to do harm.
    check(limits(4.0), usual(Some(0.0), 0.1), &[]);
    check(limits(4.0), usual(Some(0.0), 0.101), &["gate_forecast"]);
    let new = |line: &mut ReorderLine| {
        usual(None, 5.0)(line);
        line.facts.evidence.by_neighbours = true;
    };
    check(limits(4.0), new, &[]);
}

#[test]
fn what_is_usual_is_the_largest_of_plain_means() {
    let usual = |sold: &[f64], available: &[f32]| {
        usual_daily_demand(&Series { start: TODAY - sold.len() as i32, sold, available })
    };
    assert_eq!(usual(&[], &[]), None);
    assert_eq!(usual(&[0.0; 5], &[0.0; 5]), None, "never available");
    assert_eq!(usual(&[3.0; 5], &[0.5; 5]), Some(6.0), "sales over availability");
    assert_eq!(usual(&[f64::NAN, 4.0], &[1.0, 1.0]), Some(4.0));
    // A year of 2, four weeks of 8 a year before the coming ones, and now.
    let mut sold = vec![2.0; 364];
    let available = vec![1.0; 364];
    assert_eq!(usual(&sold, &available), Some(2.0));
    sold[..28].fill(8.0);
    assert_eq!(usual(&sold, &available), Some(8.0));
    sold[336..].fill(9.0);
    assert_eq!(usual(&sold, &available), Some(9.0));
}

#[test]
fn cover_is_compared_with_days() {
    let limits = |max_cover_days| GateLimits { max_cover_days, ..off() };
    // Fifty are on hand and ten sell a day.
    let seen = |qty, largest| {
        move |line: &mut ReorderLine| {
            (line.qty, line.facts.largest_demand_seen) = (qty, largest);
        }
    };
    check(limits(120.0), seen(1_149, None), &[]);
    check(limits(120.0), seen(1_150, None), &[]);
    check(limits(120.0), seen(1_151, None), &["gate_cover"]);
    check(limits(120.0), seen(i64::MAX, None), &["gate_cover"]);
    check(limits(120.0), seen(i64::MAX, Some(i64::MAX)), &[]);
    check(limits(0.0), seen(i64::MAX, None), &[]);
    check(limits(f64::NAN), seen(1_151, None), &["gate_cover"]);
    check(limits(120.0), |line| (line.qty, line.facts.position) = (101, 5_000), &["gate_cover"]);
    let demand = |daily| {
        move |line: &mut ReorderLine| {
            (line.facts.daily_demand, line.facts.largest_demand_seen) = (daily, None);
        }
    };
    check(limits(120.0), demand(0.0), &["gate_cover"]);
    check(limits(120.0), demand(f64::NAN), &["gate_cover"]);
    check(limits(120.0), demand(f64::INFINITY), &[]);
}

#[test]
fn a_perishable_is_compared_with_what_sells_until_it_expires() {
    let limits = |max_times_shelf_life_demand| GateLimits { max_times_shelf_life_demand, ..off() };
    // Three days to come and five on the shelf at ten a day: 80 sell, and 50 are there already.
    let fresh = |qty| {
        move |line: &mut ReorderLine| {
            line.qty = qty;
            let evidence = &mut line.facts.evidence;
            (evidence.shelf_life_days, evidence.largest_in_shelf_life) = (Some(5), Some(10));
        }
    };
    check(limits(1.5), fresh(69), &[]);
    check(limits(1.5), fresh(70), &[]);
    check(limits(1.5), fresh(71), &["gate_shelf_life"]);
    check(limits(1.5), fresh(i64::MAX), &["gate_shelf_life"]);
    check(limits(0.0), fresh(i64::MAX), &[]);
    check(limits(f64::NAN), fresh(71), &["gate_shelf_life"]);
    let but = |change: fn(&mut ReorderLine)| {
        move |line: &mut ReorderLine| {
            fresh(71)(line);
            change(line);
        }
    };
    check(limits(1.5), but(|line| line.facts.multiple = 71), &[]);
    check(limits(1.5), but(|line| line.facts.evidence.largest_in_shelf_life = Some(71)), &[]);
    check(limits(1.5), but(|line| line.facts.evidence.shelf_life_days = None), &[]);
    check(limits(1.5), but(|line| line.facts.daily_demand = f64::NAN), &["gate_shelf_life"]);
    check(limits(1.5), but(|line| line.facts.daily_demand = f64::INFINITY), &[]);
}

#[test]
fn a_new_items_line_may_not_be_worth_much() {
    let limits =
        |days, value| GateLimits { new_item_days: days, new_item_max_value_minor: value, ..off() };
    let new = |days, value| {
        move |line: &mut ReorderLine| {
            (line.facts.history_days, line.value_minor) = (days, value);
        }
    };
    check(limits(28, 1_000), new(Some(27), 1_000), &[]);
    check(limits(28, 1_000), new(Some(27), 1_001), &["gate_new_item"]);
    check(limits(28, 1_000), new(Some(28), 1_001), &[]);
    check(limits(28, 1_000), new(Some(1), i64::MAX), &["gate_new_item"]);
    check(limits(28, 1_000), new(None, 1_001), &["gate_new_item"]);
    check(limits(0, 1_000), new(None, 1_001), &[]);
    check(limits(28, 0), new(Some(1), i64::MAX), &[]);
    let neighbours = |line: &mut ReorderLine| {
        new(Some(300), 1_001)(line);
        line.facts.evidence.by_neighbours = true;
    };
    check(limits(28, 1_000), neighbours, &["gate_new_item"]);
    let moved = |line: &mut ReorderLine| {
        new(None, 1_001)(line);
        line.kind = SupplyKind::Transfer;
    };
    check(limits(28, 1_000), moved, &[]);
}

#[test]
fn stock_that_is_gone_without_a_reason_holds() {
    let limits = |max_stock_gone_share| GateLimits { max_stock_gone_share, ..off() };
    let gone = |before, unexplained| {
        move |line: &mut ReorderLine| {
            line.facts.evidence.stock_gone = Some(StockGone {
                counted_on: TODAY - 1,
                before_on: TODAY - 2,
                before,
                unexplained,
            });
        }
    };
    check(limits(0.5), gone(100, 49), &[]);
    check(limits(0.5), gone(100, 50), &[]);
    check(limits(0.5), gone(100, 51), &["gate_stock_gone"]);
    check(limits(0.5), gone(i64::MAX, i64::MAX), &["gate_stock_gone"]);
    check(limits(f64::NAN), gone(100, 1), &["gate_stock_gone"]);
    check(limits(0.0), gone(100, 100), &[]);
    // Less than a pack changes the order by a pack at most.
    let pack = |line: &mut ReorderLine| {
        gone(11, 11)(line);
        line.facts.multiple = 12;
    };
    check(limits(0.5), pack, &[]);
}

#[test]
fn what_was_released_and_not_seen_is_not_ordered_again() {
    let limits = |unseen_release_days| GateLimits { unseen_release_days, ..off() };
    let released = |age_days| {
        move |line: &mut ReorderLine| {
            line.facts.evidence.unseen_release =
                Some(UnseenRelease { business_date: TODAY - age_days as i32, qty: 9, age_days });
        }
    };
    check(limits(30), released(1), &["gate_unseen_release"]);
    check(limits(30), released(30), &["gate_unseen_release"]);
    check(limits(30), released(31), &[]);
    check(limits(0), released(1), &[]);
}

#[test]
fn a_supplier_over_its_budget_loses_all_its_lines_and_no_other_does() {
    let of = |supplier: &str, key: &str, value_minor, kind| ReorderLine {
        supplier_id: supplier.to_owned(),
        line_key: key.to_owned(),
        value_minor,
        kind,
        ..line()
    };
    let check = |limits: GateLimits, held: &[&str]| {
        let mut lines = [
            of("S", "a", 600, SupplyKind::Purchase),
            of("S", "b", 400, SupplyKind::Produce),
            of("T", "c", 900, SupplyKind::Purchase),
            of("S", "d", 900, SupplyKind::Transfer),
            ReorderLine { state: LineState::Held, ..of("S", "e", 900, SupplyKind::Purchase) },
            ReorderLine { currency: "CNY".into(), ..of("S", "f", 1_000, SupplyKind::Purchase) },
        ];
        let findings = hold_lines(&mut lines, &limits);
        let keys: Vec<&str> = findings.iter().map(|(at, _)| lines[*at].line_key.as_str()).collect();
        assert_eq!(keys, held, "{limits:?}");
        assert!(findings.iter().all(|(_, f)| f.code.as_str() == "gate_supplier_value"));
    };
    let all = |max_supplier_value_minor| GateLimits { max_supplier_value_minor, ..off() };
    check(all(0), &[]);
    check(all(1_001), &[]);
    check(all(1_000), &[]);
    check(all(999), &["a", "b", "f"]);
    let one = |limit| GateLimits {
        supplier_max_value_minor: BTreeMap::from([("T".to_owned(), limit)]),
        ..all(999)
    };
    check(one(899), &["a", "b", "c", "f"]);
    check(one(0), &["a", "b", "f"]);
    let mut huge = [
        of("S", "a", i64::MAX, SupplyKind::Purchase),
        of("S", "b", i64::MAX, SupplyKind::Purchase),
    ];
    assert_eq!(hold_lines(&mut huge, &all(i64::MAX - 1)).len(), 2, "a sum past counting");
}

#[test]
fn every_gate_that_stops_a_line_says_so() {
    let everything = |line: &mut ReorderLine| {
        (line.qty, line.value_minor) = (1_000_000, i64::MAX);
        line.facts.evidence.max_order_qty = Some(10);
        line.facts.evidence.plain_daily = Some(f64::NAN);
        line.facts.evidence.shelf_life_days = Some(3);
        line.facts.evidence.stock_gone =
            Some(StockGone { counted_on: TODAY, before_on: TODAY, before: 9, unexplained: 9 });
        line.facts.evidence.unseen_release =
            Some(UnseenRelease { business_date: TODAY, qty: 1, age_days: 1 });
    };
    let held = [
        "gate_item_cap",
        "gate_line_cap",
        "gate_quantity",
        "gate_forecast",
        "gate_cover",
        "gate_shelf_life",
        "gate_stock_gone",
        "gate_unseen_release",
    ];
    check(GateLimits::default(), everything, &held);
    check(off(), |line| line.qty = i64::MAX, &[]);
}

#[test]
fn limits_that_make_no_sense_are_refused() {
    let check = |limits: GateLimits, message: Option<&str>| {
        assert_eq!(limits.check().err().map(|bad| bad.to_string()).as_deref(), message);
    };
    check(GateLimits::default(), None);
    check(off(), None);
    check(
        GateLimits { max_cover_days: f64::NAN, ..off() },
        Some("max_cover_days is NaN, should be 0 (off) or in 1..=1e12"),
    );
    check(
        GateLimits { max_terms_change: 0.5, ..off() },
        Some("max_terms_change is 0.5, should be 0 (off) or in 1..=1e12"),
    );
    check(
        GateLimits { max_line_qty: -1, ..off() },
        Some("max_line_qty is -1, should be 0 (off) or more"),
    );
    check(
        GateLimits { max_input_shrink: 20.0, ..off() },
        Some("max_input_shrink is 20, should be in 0 (off)..=1"),
    );
    check(
        GateLimits { max_run_value_change: f64::INFINITY, ..off() },
        Some("max_run_value_change is inf, should be in 0 (off)..=1e12"),
    );
    let supplier = BTreeMap::from([("S-9".to_owned(), -5)]);
    check(
        GateLimits { supplier_max_value_minor: supplier, ..off() },
        Some("supplier_max_value_minor.S-9 is -5, should be 0 (off) or more"),
    );
}
