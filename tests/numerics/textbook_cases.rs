//! Cases in JSON: the reference file, and what is wrong with a case.

use granary_models::policy::textbook::solve;
use serde_json::{Value, json};

/// Every number under `want` is in `got`, within a relative tolerance.
pub fn agrees(got: &Value, want: &Value, tolerance: f64) -> bool {
    match (got, want) {
        (Value::Object(got), Value::Object(want)) => want
            .iter()
            .all(|(name, want)| got.get(name).is_some_and(|got| agrees(got, want, tolerance))),
        (Value::Array(got), Value::Array(want)) => {
            got.len() == want.len()
                && got.iter().zip(want).all(|(got, want)| agrees(got, want, tolerance))
        }
        (Value::Number(got), Value::Number(want)) => {
            let (got, want) = (got.as_f64().unwrap_or(f64::NAN), want.as_f64().unwrap_or(0.0));
            (got - want).abs() <= tolerance * want.abs().max(1e-9)
        }
        (got, want) => got == want,
    }
}

pub fn output(model: &str, input: &Value) -> Value {
    let case = json!({"id": "x", "model": model, "input": input}).to_string();
    let answer = solve(&case).unwrap_or_else(|error| panic!("{case}: {error}"));
    let mut answer: Value = serde_json::from_str(&answer).expect("JSON");
    // The names of the answer alone.
    answer.as_object_mut().expect("an object").remove("model");
    answer
}

#[test]
fn the_reference_cases_agree() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/reference/inventory_cases.json");
    let Ok(text) = std::fs::read_to_string(path) else {
        eprintln!("skipped: {path} is not there");
        return;
    };
    let cases: Vec<Value> = serde_json::from_str(&text).expect("a list of cases");
    // The file as it is, `expected` and all, is a list of cases.
    let answers: Vec<Value> =
        serde_json::from_str(&solve(&text).expect("every case")).expect("a list");
    assert!(cases.len() == answers.len() && cases.len() >= 29);
    for (case, answer) in cases.iter().zip(&answers) {
        let tolerance = case["relative_tolerance"].as_f64().expect("a tolerance");
        assert_eq!((&case["id"], &case["model"]), (&answer["id"], &answer["model"]));
        let (want, got) = (&case["expected"], answer);
        assert!(agrees(got, want, tolerance), "{}: want {want}, got {got}", case["id"]);
    }
}

#[test]
fn what_is_wrong_with_a_case_is_named() {
    let eoq = |input: &str| format!(r#"{{"model": "eoq", "input": {input}}}"#);
    let of = |model: &str, input: &str| format!(r#"{{"model": "{model}", "input": {input}}}"#);
    let full = r#"{"fixed_cost": 8, "holding_cost": 1, "demand_rate": 13"#;
    let tiers = |breakpoints: &str, unit_costs: &str| {
        of(
            "eoq_all_units_discount",
            &format!(
                r#"{{"fixed_cost": 8, "holding_cost_rate": 0.3, "demand_rate": 13,
                "breakpoints": {breakpoints}, "unit_costs": {unit_costs}}}"#
            ),
        )
    };
    let pmf = |pmf: &str| {
        of(
            "s_S_discrete",
            &format!(
                r#"{{"holding_cost": 1, "stockout_cost": 4, "fixed_cost": 5, "demand_pmf": {pmf}}}"#
            ),
        )
    };
    let fill = |rate: &str| {
        of(
            "safety_stock_s_Q_normal",
            &format!(
                r#"{{"demand_mean": 5, "demand_sd": 1, "lead_time": 2, "order_quantity": 9 {rate}}}"#
            ),
        )
    };
    let cases: Vec<(String, &[&str])> = vec![
        ("{".to_owned(), &["no JSON"]),
        ("[1]".to_owned(), &["case 1 (without an id)", "it is 1", "\"model\""]),
        (r#"{"model": "eoq"}"#.to_owned(), &["input is missing"]),
        (r#"{"model": "eoq", "input": {}, "inputs": {}}"#.to_owned(), &["inputs", "unknown"]),
        (
            of("eoq_backorder", "{}"),
            &["eoq_backorder", "did you mean \"eoq_backorders\"", "s_S_poisson"],
        ),
        (of("s_s_poisson", "{}"), &["did you mean \"s_S_poisson\""]),
        (eoq(&format!("{full}, \"holding\": 1}}")), &["\"holding\" is unknown", "holding_cost"]),
        (eoq(r#"{"fixed_cost": 8, "demand_rate": 13}"#), &["\"holding_cost\" is missing"]),
        (
            eoq(r#"{"fixed_cost": -8, "holding_cost": 1, "demand_rate": 13}"#),
            &["eoq: fixed_cost is -8", "above 0"],
        ),
        (
            eoq(r#"{"fixed_cost": "8", "holding_cost": 1, "demand_rate": 13}"#),
            &["fixed_cost is \"8\"", "a number"],
        ),
        (eoq(r#"{"fixed_cost": 1e999, "holding_cost": 1, "demand_rate": 13}"#), &["no JSON"]),
        (eoq(r#"{"fixed_cost": NaN, "holding_cost": 1, "demand_rate": 13}"#), &["no JSON"]),
        (eoq(&format!("{full}, \"fixed_cost\": 9}}")), &["fixed_cost", "there twice"]),
        (
            of("epq", &format!("{full}, \"production_rate\": 13}}")),
            &["production_rate is 13", "above demand_rate, which is 13"],
        ),
        (tiers("[0, 400, 400]", "[3, 2, 1]"), &["breakpoints[2] is 400", "above", "400"]),
        (tiers("[1, 400]", "[3, 2]"), &["breakpoints[0] is 1"]),
        (tiers("[0, 400]", "[3]"), &["unit_costs", "2 numbers"]),
        (tiers("[0, 400]", "[3, 4]"), &["unit_costs[1] is 4", "at most", "3"]),
        (tiers("[]", "[]"), &["breakpoints is empty"]),
        (pmf(r#"{"0": 0.5, "2": 0.4}"#), &["the sum of demand_pmf is 0.9", "1, within"]),
        (pmf(r#"{"0": 1.5, "2": -0.5}"#), &["demand_pmf[\"0\"] is 1.5", "from 0 to 1"]),
        (pmf(r#"{"0": 0.5, "x": 0.5}"#), &["demand_pmf[\"x\"]", "a number"]),
        (pmf(r#"{"0": 0.5, "2.5": 0.5}"#), &["demand_pmf[\"2.5\"]", "whole count"]),
        (pmf(r#"{"0": 0.5, "1": 0.25, "1.0": 0.25}"#), &["demand_pmf[\"1\"]", "there once"]),
        (pmf(r#"{"0": 1}"#), &["demand_pmf", "some demand above 0"]),
        (pmf("{}"), &["the sum of demand_pmf is 0"]),
        (fill(", \"fill_rate\": 1"), &["fill_rate is 1", "below 1"]),
        (fill(", \"fill_rate\": 0.9, \"cycle_service_level\": 0.9"), &["given twice"]),
        (fill(""), &["cycle_service_level or fill_rate", "missing"]),
        (
            of(
                "s_S_poisson",
                r#"{"holding_cost": 1e-9, "stockout_cost": 4, "fixed_cost": 1e12,
            "demand_mean": 6}"#,
            ),
            &["fixed_cost is 1000000000000", "small enough"],
        ),
        (
            of(
                "s_S_poisson",
                r#"{"holding_cost": 1, "stockout_cost": 4, "fixed_cost": 1,
            "demand_mean": 6e6, "lead_time": 9}"#,
            ),
            &["demand_mean is 6000000", "larger unit"],
        ),
        (
            of(
                "s_S_negative_binomial",
                r#"{"holding_cost": 1, "stockout_cost": 4, "fixed_cost": 1,
            "demand_mean": 9, "demand_sd": 3}"#,
            ),
            &["demand_sd is 3", "above 3"],
        ),
        (
            of(
                "dynamic_lot_size",
                r#"{"num_periods": 3, "holding_cost": 1, "fixed_cost": 5,
            "demand": [1, 2]}"#,
            ),
            &["demand is [1,2]", "list of 3"],
        ),
        (
            of(
                "dynamic_lot_size",
                r#"{"holding_cost": [1, -1], "fixed_cost": 5,
            "demand": [1, 2]}"#,
            ),
            &["holding_cost[1] is -1"],
        ),
        (
            of(
                "finite_horizon_normal",
                r#"{"num_periods": 2, "holding_cost": 1,
            "stockout_cost": 2, "fixed_cost": 5, "demand_mean": 9, "demand_sd": 1,
            "discount_factor": 1.1}"#,
            ),
            &["discount_factor[0] is 1.1", "at most 1"],
        ),
        (
            of(
                "serial_normal",
                r#"{"echelon_holding_costs": [1, 2], "lead_times": [1],
            "stockout_cost": 9, "demand_mean": 5, "demand_sd": 1}"#,
            ),
            &["lead_times", "2 numbers"],
        ),
        (
            of(
                "guaranteed_service_tree",
                r#"{"stages": [{"id": "a", "processing_time": 1,
            "holding_cost": 1}], "arcs": []}"#,
            ),
            &["stages[0].external_outbound_service_time", "missing"],
        ),
        (
            of(
                "guaranteed_service_tree",
                r#"{"stages": [{"id": "a", "processing": 1}],
            "arcs": []}"#,
            ),
            &["stages[0].processing", "did you mean \"processing_time\""],
        ),
        (
            of(
                "guaranteed_service_tree",
                r#"{"stages": [{"id": "a", "processing_time": 1,
            "holding_cost": 1}, {"id": "b", "processing_time": 1, "holding_cost": 1}],
            "arcs": [["a", "c"]]}"#,
            ),
            &["arcs[0] is c"],
        ),
        (
            of(
                "newsvendor_paths",
                r#"{"holding_cost": 1, "stockout_cost": 2,
            "demand_paths": [[1, 2], []]}"#,
            ),
            &["demand_paths[1] is empty"],
        ),
    ];
    for (case, needles) in cases {
        let error = solve(&case).expect_err(&case).to_string();
        for needle in needles {
            assert!(error.contains(needle), "{case}: \"{needle}\" not in \"{error}\"");
        }
    }
}
