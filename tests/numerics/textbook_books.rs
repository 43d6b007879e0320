//! The books' examples by name, and one case written in several ways.

use serde_json::{Value, json};

use crate::textbook_cases::{agrees, output};

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
        // What stockpyl 1.0 answers when it looks at demand 7 standard deviations wide, as its 4 lose
        // a coin in 5,000.
        (
            "stockpyl_finite_horizon",
            "finite_horizon_normal",
            json!({"num_periods": 5, "holding_cost": 1, "stockout_cost": 20,
                "terminal_holding_cost": 1, "terminal_stockout_cost": 20, "purchase_cost": 2,
                "fixed_cost": 50, "demand_mean": 100, "demand_sd": 20}),
            json!({"reorder_points": [110, 110, 110, 110, 111],
                "order_up_to_levels": [133, 133, 133, 133, 126], "total_cost": 1_558.901_5,
                "s_S_is_optimal": true}),
            1e-6,
        ),
        (
            "snyder_shen_example_6_1",
            "serial_normal",
            json!({"echelon_holding_costs": [2, 2, 3], "lead_times": [2, 1, 1],
                "stockout_cost": 37.12, "demand_mean": 5, "demand_sd": 1}),
            json!({"echelon_base_stock_levels": [22.70, 12.02, 6.49], "cost_rate": 47.65}),
            1e-3,
        ),
        // Levels and costs of stockpyl 1.0, which cuts demand at 4 standard deviations.
        (
            "snyder_shen_problem_6_1",
            "serial_normal",
            json!({"echelon_holding_costs": [1, 1], "lead_times": [1, 1], "stockout_cost": 15,
                "demand_mean": 100, "demand_sd": 15}),
            json!({"echelon_base_stock_levels": [228.49, 123.48], "cost_rate": 166.26}),
            2e-3,
        ),
        (
            "snyder_shen_problem_6_2b",
            "serial_poisson",
            json!({"echelon_holding_costs": [1, 1, 1, 2, 2], "lead_times": [0.5, 0.5, 0.5, 0.5, 0.5],
                "stockout_cost": 24, "demand_mean": 64}),
            json!({"echelon_base_stock_levels": [174, 142, 109, 74, 41], "cost_rate": 453.69}),
            1e-4,
        ),
        (
            "shang_song_1",
            "serial_poisson",
            json!({"echelon_holding_costs": [0.25, 0.25, 0.25, 0.25],
                "lead_times": [0.25, 0.25, 0.25, 0.25], "stockout_cost": 9, "demand_mean": 16}),
            json!({"echelon_base_stock_levels": [22, 18, 13, 8], "cost_rate": 12.687}),
            1e-4,
        ),
        (
            "shang_song_9",
            "serial_poisson",
            json!({"echelon_holding_costs": [0.25, 2.5, 2.5, 0.25],
                "lead_times": [0.25, 0.25, 0.25, 0.25], "stockout_cost": 9, "demand_mean": 16}),
            json!({"echelon_base_stock_levels": [19, 13, 10, 9], "cost_rate": 53.006}),
            1e-4,
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
