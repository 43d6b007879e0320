//! Cases of any model with any numbers: an answer or an error that says where, and never long.

use granary_models::policy::textbook::{CaseError, case, solve};
use proptest::prelude::*;
use serde_json::{Value, json};

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
        failure_persistence: None, cases: 1500, ..ProptestConfig::default()
    })]

    #[test]
    fn every_case_has_an_answer_or_an_error_that_says_where(case in any_case()) {
        let text = case.to_string();
        let begun = std::time::Instant::now();
        match solve(&text) {
            Ok(answer) => {
                let answer: Value = serde_json::from_str(&answer).expect("JSON");
                prop_assert!(no_null(&answer), "{text}: {answer}");
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
