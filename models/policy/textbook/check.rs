//! Parameters and what is wrong with one.

use std::fmt::Display;

/// A parameter outside its legal range. Nothing is computed from it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {value}, but must be {legal}")]
pub struct ParameterError {
    /// The name of the input, with its place in a list: `demand[3]`.
    pub field: String,
    pub value: String,
    /// The legal range in words, after "must be".
    pub legal: String,
}

impl ParameterError {
    pub fn new(
        field: impl Into<String>,
        value: impl Display,
        legal: impl Into<String>,
    ) -> ParameterError {
        ParameterError { field: field.into(), value: value.to_string(), legal: legal.into() }
    }
}

/// Beyond this a product of three parameters could leave the numbers.
pub const NUMBER_MAX: f64 = 1e15;
/// Below this a quotient of parameters could.
pub const POSITIVE_MIN: f64 = 1e-12;

pub fn positive(field: &str, value: f64) -> Result<f64, ParameterError> {
    between(field, value, POSITIVE_MIN, NUMBER_MAX, "a number above 0 (1e-12 to 1e15)")
}

pub fn not_negative(field: &str, value: f64) -> Result<f64, ParameterError> {
    between(field, value, 0.0, NUMBER_MAX, "a number from 0 to 1e15")
}

/// Any number that is one.
pub fn finite(field: &str, value: f64) -> Result<f64, ParameterError> {
    between(field, value, -NUMBER_MAX, NUMBER_MAX, "a number from -1e15 to 1e15")
}

/// Strictly between 0 and 1.
pub fn share(field: &str, value: f64) -> Result<f64, ParameterError> {
    let legal = "above 0 and below 1 (1e-9 to 0.999999999)";
    between(field, value, 1e-9, 1.0 - 1e-9, legal)
}

pub fn between(
    field: &str,
    value: f64,
    from: f64,
    to: f64,
    legal: &str,
) -> Result<f64, ParameterError> {
    // No comparison holds for what is no number.
    if value >= from && value <= to {
        Ok(value)
    } else {
        Err(ParameterError::new(field, value, legal))
    }
}

/// Checks each number of a list by `check`, naming the place of the one that fails.
pub fn each(
    field: &str,
    values: &[f64],
    check: fn(&str, f64) -> Result<f64, ParameterError>,
) -> Result<(), ParameterError> {
    for (at, &value) in values.iter().enumerate() {
        check(field, value)
            .map_err(|error| ParameterError { field: format!("{field}[{at}]"), ..error })?;
    }
    Ok(())
}

/// A list must have as many entries as another.
pub fn as_many(field: &str, got: usize, want: usize, of: &str) -> Result<(), ParameterError> {
    if got == want {
        return Ok(());
    }
    let legal = format!("{want} numbers, as many as {of}");
    Err(ParameterError::new(field, format!("a list of {got}"), legal))
}
