//! Cases as JSON: `{"id": …, "model": …, "input": {…}}` in, `{"id": …, "model": …, …}` with the
//! names of the answer out.

use serde_json::Value;

use super::check::ParameterError;
use super::fields::{self, Fields};
use super::models::MODELS;

/// Why a case has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CaseError {
    #[error("the case is no JSON: {0}")]
    Json(String),
    /// The case around its input is not as it must be.
    #[error("the case: {0}")]
    Case(ParameterError),
    #[error("model \"{model}\" is unknown{}; models are {}", hint(.near), names())]
    UnknownModel { model: String, near: Option<String> },
    #[error("{model}: field \"{field}\" is unknown{}; fields are {known}", hint(.near))]
    UnknownField { model: String, field: String, near: Option<String>, known: String },
    #[error("{model}: field \"{field}\" is missing; fields are {known}")]
    MissingField { model: String, field: String, known: String },
    #[error("{model}: {error}")]
    Parameter { model: String, error: ParameterError },
    /// No parameter is at fault alone, but together they leave the numbers.
    #[error("{model}: the answer's {name} is no number; these parameters are too far apart")]
    NoNumber { model: String, name: String },
    #[error("case {case}: {error}")]
    InCase { case: String, error: Box<CaseError> },
}

fn hint(near: &Option<String>) -> String {
    near.as_ref().map_or_else(String::new, |near| format!(", did you mean \"{near}\"?"))
}

fn names() -> String {
    MODELS.iter().map(|model| model.name).collect::<Vec<_>>().join(", ")
}

/// Names of the models that [`solve`] knows, with their required and their optional fields.
pub fn models()
-> impl Iterator<Item = (&'static str, &'static [&'static str], &'static [&'static str])> {
    MODELS.iter().map(|model| (model.name, model.required, model.optional))
}

/// Solves a case, or a list of cases in order.
///
/// A case is `{"id": "any text", "model": "eoq", "input": {"fixed_cost": 8, …}}`; `id` may be
/// missing, and `expected` and `relative_tolerance` may be there and are not looked at. The answer
/// is `{"id": …, "model": …, "order_quantity": …, …}`, on one line; a list of cases gives a list of
/// answers. Names of models and fields are those of [`models`].
///
/// ```
/// let case = r#"{"id": "example_3_1", "model": "eoq",
///     "input": {"fixed_cost": 8, "holding_cost": 0.225, "demand_rate": 1300}}"#;
/// let answer = granary_models::policy::textbook::solve(case).unwrap();
/// assert_eq!(answer, r#"{"cost_rate":68.41052550594829,"id":"example_3_1","model":"eoq","#.to_owned()
///     + r#""order_quantity":304.0467800264368}"#);
/// ```
///
/// # Errors
/// Text that is no JSON, an unknown model or field, a missing field, a value outside its range. Of
/// a list, the first case that has no answer; then nothing is answered.
pub fn solve(case: &str) -> Result<String, CaseError> {
    let answer = match fields::parse(case).map_err(CaseError::Json)? {
        Value::Array(cases) => {
            let answers = cases.iter().enumerate().map(|(at, case)| {
                one(case).map_err(|error| {
                    let id = case.get("id").and_then(Value::as_str).unwrap_or("without an id");
                    let case = format!("{} ({id})", at + 1);
                    CaseError::InCase { case, error: Box::new(error) }
                })
            });
            Value::Array(answers.collect::<Result<_, _>>()?)
        }
        case => one(&case)?,
    };
    Ok(answer.to_string())
}

fn one(case: &Value) -> Result<Value, CaseError> {
    let shape = |field: &str, value: String, legal: &str| {
        CaseError::Case(ParameterError::new(field, value, legal))
    };
    let legal = "an object with \"id\", \"model\" and \"input\"";
    let Value::Object(parts) = case else {
        return Err(shape("it", fields::brief(case), legal));
    };
    let known = ["id", "model", "input", "expected", "relative_tolerance"];
    if let Some(unknown) = parts.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(shape(&format!("field \"{unknown}\""), "unknown".to_owned(), legal));
    }
    let id = match parts.get("id") {
        None => None,
        Some(Value::String(id)) => Some(id),
        Some(other) => return Err(shape("id", fields::brief(other), "a text")),
    };
    let name = match parts.get("model") {
        Some(Value::String(name)) => name,
        Some(other) => return Err(shape("model", fields::brief(other), "a text")),
        None => return Err(shape("model", "missing".to_owned(), "the name of a model")),
    };
    let model = MODELS.iter().find(|model| model.name == name).ok_or_else(|| {
        let near = fields::nearest(name, MODELS.iter().map(|model| model.name));
        CaseError::UnknownModel { model: fields::shortened(name), near }
    })?;
    let input = match parts.get("input") {
        Some(Value::Object(input)) => input,
        Some(other) => return Err(shape("input", fields::brief(other), "an object of fields")),
        None => return Err(shape("input", "missing".to_owned(), "an object of fields")),
    };
    let mut answer = (model.solve)(&Fields::new(model, input)?)?.into_output(model.name)?;
    if let Some(id) = id {
        answer.insert("id".to_owned(), Value::from(id.as_str()));
    }
    answer.insert("model".to_owned(), Value::from(model.name));
    Ok(Value::Object(answer))
}
