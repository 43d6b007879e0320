//! Cases in JSON: the reference file, the books' examples by name, and what is wrong with a case.

use granary_models::policy::textbook::{CaseError, case, solve};
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
