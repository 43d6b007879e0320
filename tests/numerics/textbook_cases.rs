//! Cases in JSON: the reference file, the books' examples by name, and what is wrong with a case.

use granary_models::policy::textbook::{CaseError, case, solve};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Every number under `want` is in `got`, within a relative tolerance.
fn agrees(got: &Value, want: &Value, tolerance: f64) -> bool {
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

fn output(model: &str, input: &Value) -> Value {
    let case = json!({"id": "x", "model": model, "input": input}).to_string();
    let answer = solve(&case).unwrap_or_else(|error| panic!("{case}: {error}"));
    serde_json::from_str::<Value>(&answer).expect("JSON")["output"].clone()
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
        let (want, got) = (&case["expected"], &answer["output"]);
        assert!(agrees(got, want, tolerance), "{}: want {want}, got {got}", case["id"]);
    }
}

/// Book examples: model, input, expected, relative tolerance.
fn named() -> Vec<(&'static str, &'static str, Value, Value, f64)> {
    let lots = json!([10, 62, 12, 130, 154, 129, 88, 52, 124, 160, 238, 41]);
    vec![
        (
            "snyder_shen_example_3_1",
            "eoq",
            json!({"fixed_cost": 8, "holding_cost": 0.225, "demand_rate": 1300}),
            json!({"order_quantity": 304.046_780_026, "cost_rate": 68.410_525_506}),
            1e-9,
        ),
        (
            "snyder_shen_example_4_3",
            "newsvendor_normal",
            json!({"holding_cost": 0.18, "stockout_cost": 0.7, "demand_mean": 50, "demand_sd": 8}),
            json!({"base_stock_level": 56.603_955_927, "cost": 1.997_605_193}),
            1e-9,
        ),
        (
            "snyder_shen_example_4_4",
            "base_stock_normal",
            json!({"holding_cost": 0.18, "stockout_cost": 0.7, "demand_mean": 50, "demand_sd": 8,
                "lead_time": 4}),
            json!({"base_stock_level": 264.766_894_374, "safety_stock": 14.766_894_374,
                "cost": 4.466_781_004}),
            1e-9,
        ),
        (
            "snyder_shen_problem_3_22",
            "epq",
            json!({"fixed_cost": 4, "holding_cost": 0.08, "demand_rate": 80,
                "production_rate": 110}),
            json!({"order_quantity": 171.269_767_7}),
            1e-9,
        ),
        (
            "silver_pyke_thomas_silver_meal",
            "silver_meal",
            json!({"demand": lots, "holding_cost": 0.4, "fixed_cost": 54}),
            json!({"order_quantities": [84, 0, 0, 130, 283, 0, 140, 0, 124, 160, 279, 0],
                "cost": 501.2}),
            1e-9,
        ),
        (
            "silver_pyke_thomas_wagner_whitin",
            "dynamic_lot_size",
            json!({"num_periods": 12, "demand": lots, "holding_cost": 0.4, "fixed_cost": 54}),
            json!({"order_quantities": [84, 0, 0, 130, 283, 0, 140, 0, 124, 160, 279, 0],
                "cost": 501.2}),
            1e-9,
        ),
        (
            "silver_jrp_beside_the_best_multiples",
            "joint_replenishment",
            json!({"shared_fixed_cost": 10, "individual_fixed_costs": [1.87, 5.27, 7.94, 8.19, 8.87],
                "holding_costs": [0.2, 0.2, 0.2, 0.2, 0.2],
                "demand_rates": [1736, 656, 558, 170, 142]}),
            json!({"order_multiples": [1, 1, 1, 3, 3], "cost_rate": 218.686_320_25,
                "optimal_order_multiples": [1, 1, 2, 3, 3],
                "optimal_cost_rate": 218.251_585_714,
                "optimal_base_cycle_time": 0.245_557_589_687}),
            1e-9,
        ),
        // What stockpyl answers: it rounds normal demand to whole units as we do.
        (
            "stockpyl_finite_horizon",
            "finite_horizon_normal",
            json!({"num_periods": 5, "holding_cost": 1, "stockout_cost": 20,
                "terminal_holding_cost": 1, "terminal_stockout_cost": 20, "purchase_cost": 2,
                "fixed_cost": 50, "demand_mean": 100, "demand_sd": 20}),
            json!({"reorder_points": [110, 110, 110, 110, 111],
                "order_up_to_levels": [133, 133, 133, 133, 126], "total_cost": 1_558.694_6,
                "s_S_is_optimal": true}),
            1e-4,
        ),
        (
            "snyder_shen_example_6_1",
            "serial_normal",
            json!({"echelon_holding_costs": [2, 2, 3], "lead_times": [2, 1, 1],
                "stockout_cost": 37.12, "demand_mean": 5, "demand_sd": 1}),
            json!({"echelon_base_stock_levels": [22.70, 12.02, 6.49], "cost_rate": 47.65}),
            1e-3,
        ),
        (
            "snyder_shen_example_6_5",
            "guaranteed_service_tree",
            tree(
                1.0,
                json!([[1, 2, 1.0], [3, 1, 2.0], [2, 1, 3.0], [4, 1, 3.0]]),
                &[
                    ("1", "external_inbound_service_time", 1.0),
                    ("2", "demand_sd", 1.0),
                    ("2", "external_outbound_service_time", 0.0),
                    ("4", "demand_sd", 1.0),
                    ("4", "external_outbound_service_time", 1.0),
                ],
                json!([["1", "3"], ["3", "2"], ["3", "4"]]),
            ),
            json!({"service_times": {"1": 0, "2": 0, "3": 0, "4": 1},
                "cost_rate": 8.277_916_867_529}),
            1e-9,
        ),
        (
            "snyder_shen_figure_6_14",
            "guaranteed_service_tree",
            tree(
                1.644_853_626_951_472_2,
                json!([
                    [1, 2, 0.01],
                    [2, 3, 0.03],
                    [3, 2, 0.04],
                    [4, 4, 0.06],
                    [5, 2, 0.12],
                    [6, 3, 0.13],
                    [7, 6, 0.2],
                    [8, 4, 0.08],
                    [9, 3, 0.04],
                    [10, 2, 0.5]
                ]),
                &[("10", "demand_sd", 10.0), ("10", "external_outbound_service_time", 2.0)],
                json!([
                    ["1", "2"],
                    ["2", "3"],
                    ["3", "5"],
                    ["4", "5"],
                    ["5", "6"],
                    ["6", "10"],
                    ["7", "10"],
                    ["8", "10"],
                    ["9", "10"]
                ]),
            ),
            json!({"service_times": {"5": 7, "6": 0, "7": 0, "8": 0, "9": 0, "10": 2},
                "cost_rate": 18.824_004_472_592}),
            1e-9,
        ),
        (
            "snyder_shen_problem_6_7",
            "guaranteed_service_tree",
            tree(
                4.0,
                json!([[3, 1, 2.0], [2, 1, 3.0], [1, 2, 4.0]]),
                &[
                    ("3", "external_inbound_service_time", 1.0),
                    ("1", "demand_sd", 10.0),
                    ("1", "external_outbound_service_time", 0.0),
                ],
                json!([["3", "2"], ["2", "1"]]),
            ),
            json!({"service_times": {"1": 0, "2": 3, "3": 2}, "cost_rate": 357.770_876_399_966}),
            1e-9,
        ),
        (
            "snyder_shen_problem_6_9",
            "guaranteed_service_tree",
            tree(
                4.0,
                json!([
                    [1, 7, 0.120_547_945_205_479_46],
                    [2, 7, 0.076_712_328_767_123_29],
                    [3, 21, 0.049_315_068_493_150_684],
                    [4, 3, 0.002_739_726_027_397_260_3],
                    [5, 8, 0.010_958_904_109_589_041],
                    [6, 2, 0.004_109_589_041_095_89]
                ]),
                &[
                    ("1", "demand_sd", 4.1),
                    ("1", "external_outbound_service_time", 3.0),
                    ("2", "demand_sd", 6.2),
                    ("2", "external_outbound_service_time", 3.0),
                ],
                json!([["3", "1"], ["3", "2"], ["4", "3"], ["5", "3"], ["6", "5"]]),
            ),
            json!({"service_times": {"1": 3, "2": 3, "3": 0, "4": 0, "5": 0, "6": 2},
                "cost_rate": 15.649_530_249_501}),
            1e-9,
        ),
        (
            "three_equal_paths",
            "newsvendor_paths",
            json!({"holding_cost": 1, "stockout_cost": 2,
                "demand_paths": [[1, 2], [4, 0], [3, 6]]}),
            json!({"base_stock_level": 4, "cost": 11.0 / 3.0}),
            1e-9,
        ),
        (
            "a_newsvendor_by_hand",
            "newsvendor_discrete",
            json!({"holding_cost": 1, "stockout_cost": 3,
                "demand_pmf": {"0.5": 0.5, "2.5": 0.25, "10": 0.25}}),
            json!({"base_stock_level": 2.5, "cost": 6.625}),
            1e-9,
        ),
    ]
}

/// Stages `[id, processing time, holding cost]` with further fields by id.
fn tree(bound: f64, stages: Value, more: &[(&str, &str, f64)], arcs: Value) -> Value {
    let stages = stages.as_array().expect("a list").iter().map(|stage| {
        let id = stage[0].to_string();
        let mut stage = json!({"id": id, "processing_time": stage[1], "holding_cost": stage[2]});
        for (_, field, value) in more.iter().filter(|(of, ..)| *of == id) {
            stage[*field] = json!(value);
        }
        stage
    });
    json!({"stages": stages.collect::<Vec<_>>(), "arcs": arcs, "demand_bound_constant": bound})
}

#[test]
fn book_examples_agree() {
    for (name, model, input, want, tolerance) in named() {
        let got = output(model, &input);
        assert!(agrees(&got, &want, tolerance), "{name}: want {want}, got {got}");
    }
}

#[test]
fn one_law_gives_one_answer_however_it_is_written() {
    let costs = |more: Value| {
        let mut input = json!({"holding_cost": 1, "stockout_cost": 7, "fixed_cost": 12});
        for (name, value) in more.as_object().expect("fields") {
            input[name] = value.clone();
        }
        input
    };
    // Poisson as a table, and a negative binomial that is almost Poisson.
    let mut pmf = serde_json::Map::new();
    let mut p = (-3.0f64).exp();
    for k in 0..40 {
        pmf.insert(k.to_string(), json!(p));
        p *= 3.0 / f64::from(k + 1);
    }
    for lead_time in [0, 1, 4] {
        let poisson =
            output("s_S_poisson", &costs(json!({"demand_mean": 3, "lead_time": lead_time})));
        let table =
            output("s_S_discrete", &costs(json!({"demand_pmf": pmf, "lead_time": lead_time})));
        let near = costs(json!({"demand_mean": 3, "demand_sd": 3.000_001f64.sqrt(),
            "lead_time": lead_time}));
        let near = output("s_S_negative_binomial", &near);
        assert!(agrees(&table, &poisson, 1e-9), "{table} {poisson}");
        assert!(agrees(&near, &poisson, 1e-5), "{near} {poisson}");
    }
    // A horizon of one period without a fixed cost is a newsvendor.
    let mut horizon = costs(json!({"num_periods": 1, "demand_mean": 3}));
    horizon["fixed_cost"] = json!(0);
    let horizon = output("finite_horizon_poisson", &horizon);
    let news = json!({"holding_cost": 1, "stockout_cost": 7, "demand_mean": 3});
    let news = output("newsvendor_poisson", &news);
    assert!(agrees(&horizon["total_cost"], &news["cost"], 1e-9), "{horizon} {news}");
    assert!(agrees(&horizon["order_up_to_levels"][0], &news["base_stock_level"], 0.0));
    // A chain of one stage is a base stock of its lead time.
    let chain = json!({"echelon_holding_costs": [1], "lead_times": [5], "stockout_cost": 7,
        "demand_mean": 3, "demand_sd": 2});
    let base = json!({"holding_cost": 1, "stockout_cost": 7, "demand_mean": 3, "demand_sd": 2,
        "lead_time": 4});
    let (chain, base) = (output("serial_normal", &chain), output("base_stock_normal", &base));
    assert!(agrees(&chain["echelon_base_stock_levels"][0], &base["base_stock_level"], 1e-6));
    assert!(agrees(&chain["cost_rate"], &base["cost"], 1e-5), "{chain} {base}");
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

/// Legal numbers, numbers on the edge and numbers beyond.
fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        8 => (0.01..20.0f64).prop_map(|n| json!(n)),
        4 => (0u32..30).prop_map(|n| json!(n)),
        2 => prop::sample::select(vec![0.5, 0.9, 0.999_999, 1.0, 100.0, 1e4]).prop_map(|n| json!(n)),
        1 => prop::sample::select(vec![
            0.0, -1.0, 1e-12, 1e-9, 1e-300, 1e6, 1e9, 1e15, 1e16, f64::MAX, -1e9, -0.0,
        ]).prop_map(|n| json!(n)),
    ]
}

fn value(field: &'static str) -> BoxedStrategy<Value> {
    let list = prop::collection::vec(number(), 0..5).prop_map(Value::from);
    match field {
        "demand_pmf" => prop::collection::btree_map(0u32..12, 0.01..1.0f64, 1..5)
            .prop_map(|weights| {
                let sum: f64 = weights.values().sum();
                let pmf = weights.iter().map(|(k, w)| (k.to_string(), json!(w / sum)));
                Value::Object(pmf.collect())
            })
            .boxed(),
        "num_periods" => (0u32..7).prop_map(|n| json!(n)).boxed(),
        "demand_paths" => prop::collection::vec(list, 0..4).prop_map(Value::from).boxed(),
        "stages" => prop::collection::vec((number(), number(), number(), number()), 0..4)
            .prop_map(|stages| {
                stages
                    .into_iter()
                    .enumerate()
                    .map(|(k, (time, cost, sd, out))| {
                        json!({"id": k.to_string(), "processing_time": time, "holding_cost": cost,
                            "demand_sd": sd, "external_outbound_service_time": out})
                    })
                    .collect::<Vec<_>>()
                    .into()
            })
            .boxed(),
        "arcs" => prop::collection::vec((0u32..4, 0u32..4), 0..4)
            .prop_map(|arcs| {
                arcs.into_iter()
                    .map(|(a, b)| json!([a.to_string(), b.to_string()]))
                    .collect::<Vec<_>>()
                    .into()
            })
            .boxed(),
        "breakpoints"
        | "unit_costs"
        | "individual_fixed_costs"
        | "holding_costs"
        | "demand_rates"
        | "echelon_holding_costs"
        | "lead_times" => list.boxed(),
        "demand" => prop_oneof![list, number()].boxed(),
        _ => prop_oneof![12 => number(), 1 => list, 1 => Just(Value::Null)].boxed(),
    }
}

fn any_case() -> impl Strategy<Value = Value> {
    let models: Vec<_> = case::models().collect();
    prop::sample::select(models).prop_flat_map(|(model, required, optional)| {
        let needed: Vec<_> = required.iter().map(|field| (Just(*field), value(field))).collect();
        let more: Vec<_> = optional
            .iter()
            .map(|field| (Just(*field), prop::option::weighted(0.4, value(field))))
            .collect();
        (needed, more).prop_map(move |(needed, more)| {
            let mut input = serde_json::Map::new();
            let given = more.into_iter().filter_map(|(field, value)| Some((field, value?)));
            for (field, value) in needed.into_iter().chain(given) {
                input.insert(field.to_owned(), value);
            }
            json!({"model": model, "input": input})
        })
    })
}

/// Every number in an answer is one.
fn no_null(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(values) => values.iter().all(no_null),
        Value::Object(values) => values.iter().all(|(name, value)| {
            matches!(&name[..], "reorder_points" | "order_up_to_levels") || no_null(value)
        }),
        _ => true,
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None, cases: 3000, ..ProptestConfig::default()
    })]

    #[test]
    fn every_case_has_an_answer_or_an_error_that_says_where(case in any_case()) {
        let text = case.to_string();
        let begun = std::time::Instant::now();
        match solve(&text) {
            Ok(answer) => {
                let answer: Value = serde_json::from_str(&answer).expect("JSON");
                prop_assert!(no_null(&answer["output"]), "{text}: {answer}");
            }
            Err(error) => {
                let named = !matches!(
                    error, CaseError::Json(_) | CaseError::UnknownModel { .. }
                        | CaseError::UnknownField { .. } | CaseError::MissingField { .. });
                let says = error.to_string().starts_with(case["model"].as_str().expect("a name"));
                prop_assert!(named && says, "{text}: {error}");
            }
        }
        prop_assert!(begun.elapsed().as_secs() < 60, "{text} took long");
    }

    #[test]
    fn no_text_is_too_strange(text in "\\PC{0,60}", model in "[a-zA-Z_]{0,20}") {
        prop_assert!(solve(&text).is_err() || text.trim() == "[]");
        let case = json!({"model": model, "input": {model.clone(): text}}).to_string();
        prop_assert!(solve(&case).is_err());
    }
}
