//! Generalised linear models with a log link, weights, offsets and a ridge.

use super::gram::{Gram, Row};
use super::newton::{Family, Local, NoSolution, Proof, solve};

const EVALUATIONS_MAX: usize = 100;
/// Of what observed and expected responses contribute to a score together.
const TOLERANCE: f64 = 1e-9;

/// What a model is fitted to: `E[y] = exp(intercept + x * beta + offset)`.
#[derive(Clone, Copy, Debug)]
pub struct GlmData<'a> {
    pub rows: &'a [Row],
    pub columns: usize,
    /// Never negative.
    pub y: &'a [f64],
    /// Per row; empty for one each.
    pub weights: &'a [f64],
    /// Per row, such as the logarithm of an exposure; empty for none.
    pub offsets: &'a [f64],
}

/// A fitted model.
#[derive(Clone, Debug, PartialEq)]
pub struct Glm {
    pub intercept: f64,
    pub beta: Vec<f64>,
    pub deviance: f64,
    /// Of the model with an intercept only.
    pub null_deviance: f64,
    pub proof: Proof,
}

#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum GlmError {
    #[error("there are {rows} rows but {got} {what}")]
    Length { what: &'static str, rows: usize, got: usize },
    #[error("row {row} has a {what} that no such model knows")]
    Value { what: &'static str, row: usize },
    #[error("all responses are zero")]
    NothingHappened,
    #[error(transparent)]
    NoSolution(#[from] NoSolution),
    /// No effects at all would have been a better fit.
    #[error("deviance {deviance} is above the mean model's {null_deviance}")]
    WorseThanTheMean { deviance: f64, null_deviance: f64 },
}

/// Maximises the penalised quasi-likelihood: `ridge / 2 * |beta|^2` is taken from the logarithm;
/// the intercept is free.
///
/// # Errors
/// When the data do not fit together, Newton's method does not solve the score equation to 1e-9 of
/// its terms, or the solution is worse than the mean.
pub fn fit(data: &GlmData, family: Family, ridge: f64) -> Result<Glm, GlmError> {
    check(data)?;
    let p = data.columns;
    let weight = |row: usize| data.weights.get(row).copied().unwrap_or(1.0);
    let offset = |row: usize| data.offsets.get(row).copied().unwrap_or(0.0);
    let (mut sold, mut exposure) = (0.0, 0.0);
    for (row, y) in data.y.iter().enumerate() {
        sold += weight(row) * y;
        exposure += weight(row) * offset(row).exp();
    }
    if sold <= 0.0 {
        return Err(GlmError::NothingHappened);
    }
    let linear = |row: usize, beta: &[f64]| -> f64 {
        let x = data.rows[row].iter();
        beta[p] + offset(row) + x.map(|&(j, x)| beta[usize::from(j)] * f64::from(x)).sum::<f64>()
    };
    let mut start = vec![0.0; p + 1];
    start[p] = (sold / exposure).ln();
    let null = null_model(data, family, start[p])?;
    start[p] = null.0;
    let mut entries = Row::new();
    let (beta, proof) = solve(start, EVALUATIONS_MAX, TOLERANCE, |beta| {
        let mut gram = Gram::new(p + 1);
        let mut scale = vec![1e-300; p + 1];
        for (row, y) in data.y.iter().enumerate() {
            let mean = linear(row, beta).exp();
            let weight = weight(row) * family.weight(mean);
            entries.clear();
            entries.extend_from_slice(&data.rows[row]);
            entries.push((p as u16, 1.0));
            let residual = (y - mean) / mean;
            gram.add(&entries, weight, residual);
            // Not of the residuals: they vanish where the fit is perfect.
            let size = weight * (y + mean) / mean;
            for &(j, x) in &entries {
                scale[usize::from(j)] += size * f64::from(x).abs();
            }
        }
        let mut precision = vec![ridge; p];
        precision.push(0.0);
        let score = gram.xz.iter().zip(&precision).zip(beta).map(|((s, r), b)| s - r * b);
        let score = score.collect();
        Local { information: gram.with_precision(&precision), score, scale }
    })?;
    let deviance = (0..data.y.len())
        .map(|row| weight(row) * family.deviance(data.y[row], linear(row, &beta).exp()))
        .sum();
    if f64::is_nan(deviance) || deviance > null.1 * (1.0 + 1e-9) {
        return Err(GlmError::WorseThanTheMean { deviance, null_deviance: null.1 });
    }
    let intercept = beta[p];
    let beta = beta[..p].to_vec();
    Ok(Glm { intercept, beta, deviance, null_deviance: null.1, proof })
}

/// The intercept alone, and its deviance.
fn null_model(data: &GlmData, family: Family, start: f64) -> Result<(f64, f64), GlmError> {
    let weight = |row: usize| data.weights.get(row).copied().unwrap_or(1.0);
    let offset = |row: usize| data.offsets.get(row).copied().unwrap_or(0.0);
    let (beta, _) = solve(vec![start], EVALUATIONS_MAX, TOLERANCE, |beta| {
        let (mut information, mut score, mut scale) = (1e-300, 0.0, 1e-300);
        for (row, y) in data.y.iter().enumerate() {
            let mean = (beta[0] + offset(row)).exp();
            let weight = weight(row) * family.weight(mean);
            information += weight;
            score += weight * (y - mean) / mean;
            scale += weight * (y + mean) / mean;
        }
        Local { information: vec![information], score: vec![score], scale: vec![scale] }
    })?;
    let of = |row: usize| weight(row) * family.deviance(data.y[row], (beta[0] + offset(row)).exp());
    Ok((beta[0], (0..data.y.len()).map(of).sum()))
}

fn check(data: &GlmData) -> Result<(), GlmError> {
    let rows = data.rows.len();
    for (what, got, optional) in [
        ("responses", data.y.len(), false),
        ("weights", data.weights.len(), true),
        ("offsets", data.offsets.len(), true),
    ] {
        if got != rows && !(optional && got == 0) {
            return Err(GlmError::Length { what, rows, got });
        }
    }
    let bad = |what: &'static str, values: &[f64], fits: fn(f64) -> bool| match values
        .iter()
        .position(|&value| !fits(value))
    {
        Some(row) => Err(GlmError::Value { what, row }),
        None => Ok(()),
    };
    bad("response", data.y, |y| y.is_finite() && y >= 0.0)?;
    bad("weight", data.weights, |w| w.is_finite() && w >= 0.0)?;
    bad("offset", data.offsets, f64::is_finite)?;
    let fits = |row: &Row| row.iter().all(|&(j, x)| usize::from(j) < data.columns && x.is_finite());
    match data.rows.iter().position(|row| !fits(row)) {
        Some(row) => Err(GlmError::Value { what: "regressor", row }),
        None => Ok(()),
    }
}
