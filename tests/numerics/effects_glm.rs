//! Generalised linear models: known truth, equations that hold, and fits that are refused.

use granary_models::forecast::pooled::glm::{Glm, GlmData, GlmError, fit};
use granary_models::forecast::pooled::gram::Row;
use granary_models::forecast::pooled::newton::Family;
use proptest::prelude::*;

use crate::retail::Random;

struct Data {
    rows: Vec<Row>,
    columns: usize,
    y: Vec<f64>,
    weights: Vec<f64>,
    offsets: Vec<f64>,
}

impl Data {
    fn view(&self) -> GlmData<'_> {
        GlmData {
            rows: &self.rows,
            columns: self.columns,
            y: &self.y,
            weights: &self.weights,
            offsets: &self.offsets,
        }
    }
}

fn truth(columns: usize) -> Vec<f64> {
    (0..columns).map(|j| [0.4, -0.3, 0.0, 0.15][j % 4]).collect()
}

/// Standard normal regressors, of the size at which linfa's TweedieRegressor returned zeros.
fn simulate(rows: usize, columns: usize, intercept: f64, dispersion: f64, seed: u64) -> Data {
    let mut random = Random(seed);
    let beta = truth(columns);
    let mut data = Data {
        rows: Vec::with_capacity(rows),
        columns,
        y: Vec::with_capacity(rows),
        weights: Vec::new(),
        offsets: Vec::with_capacity(rows),
    };
    for _ in 0..rows {
        let row: Row = (0..columns).map(|j| (j as u16, random.normal() as f32)).collect();
        let offset = 0.5 * random.uniform();
        let log: f64 = row.iter().map(|&(j, x)| beta[usize::from(j)] * f64::from(x)).sum();
        data.y.push(random.count((intercept + offset + log).exp(), dispersion));
        data.rows.push(row);
        data.offsets.push(offset);
    }
    data
}

/// The largest entry of the penalised score over the sum of its terms, from the data alone.
fn gradient(data: &Data, family: Family, ridge: f64, glm: &Glm) -> f64 {
    let mut score = vec![0.0; data.columns + 1];
    let mut scale = vec![1e-300; data.columns + 1];
    for (i, row) in data.rows.iter().enumerate() {
        let x = row.iter().map(|&(j, x)| glm.beta[usize::from(j)] * f64::from(x)).sum::<f64>();
        let offset = data.offsets.get(i).copied().unwrap_or(0.0);
        let mean = (glm.intercept + offset + x).exp();
        let weight = data.weights.get(i).copied().unwrap_or(1.0);
        let part = weight * family.weight(mean) * (data.y[i] - mean) / mean;
        for &(j, x) in row.iter().chain([&(data.columns as u16, 1.0)]) {
            score[usize::from(j)] += part * f64::from(x);
            let size = weight * family.weight(mean) * (data.y[i] + mean) / mean;
            scale[usize::from(j)] += size * f64::from(x).abs();
        }
    }
    for (score, beta) in score.iter_mut().zip(&glm.beta) {
        *score -= ridge * beta;
    }
    score.iter().zip(&scale).map(|(s, m)| (s / m).abs()).fold(0.0, f64::max)
}

fn check(rows: usize, family: Family, within: f64) {
    let data = simulate(rows, 20, 0.5, 0.2, 11);
    let glm = fit(&data.view(), family, 1e-6).expect("a solution");
    for (j, (got, want)) in glm.beta.iter().zip(truth(20)).enumerate() {
        assert!((got - want).abs() < within, "{family:?}, {rows} rows, column {j}: {got} {want}");
    }
    assert!((glm.intercept - 0.5).abs() < within, "{family:?}: {}", glm.intercept);
    assert!(gradient(&data, family, 1e-6, &glm) < 1e-8, "{family:?}: {:?}", glm.proof);
    assert!(glm.proof.gradient < 1e-9 && glm.proof.evaluations < 30, "{:?}", glm.proof);
    assert!(glm.deviance < 0.8 * glm.null_deviance, "{family:?}: {glm:?}");
}

#[test]
fn the_sizes_that_others_fail_at_are_solved() {
    for family in [
        Family::Poisson,
        Family::Tweedie { power: 1.3 },
        Family::Tweedie { power: 1.7 },
        Family::NegativeBinomial { dispersion: 0.2 },
    ] {
        check(10_000, family, 0.05);
    }
    check(20_000, Family::Poisson, 0.04);
    check(20_000, Family::Tweedie { power: 1.5 }, 0.04);
}

#[test]
fn a_saturated_poisson_gives_the_means_of_its_groups_whatever_the_start() {
    // Means 2, 400 and 0.01: a first step from the common mean would overshoot by far.
    let means = [2.0, 400.0, 0.01];
    let mut data = Data {
        rows: Vec::new(),
        columns: 2,
        y: Vec::new(),
        weights: Vec::new(),
        offsets: Vec::new(),
    };
    for k in 0..300 {
        let group = k % 3;
        data.rows.push(if group > 0 { vec![(group as u16 - 1, 1.0)] } else { Row::new() });
        data.y.push(means[group]);
        data.weights.push(1.0 + (k % 2) as f64);
    }
    let glm = fit(&data.view(), Family::Poisson, 0.0).expect("a solution");
    assert!((glm.intercept - 2f64.ln()).abs() < 1e-6, "{glm:?}");
    assert!((glm.beta[0] - 200f64.ln()).abs() < 1e-6, "{glm:?}");
    assert!((glm.beta[1] - 0.005f64.ln()).abs() < 1e-4, "{glm:?}");
    assert!(glm.deviance.abs() < 1e-6, "{glm:?}");
}

#[test]
fn what_is_no_data_or_has_no_solution_is_an_error() {
    let refuse = |change: fn(&mut Data), want: fn(&GlmError) -> bool| {
        let mut data = simulate(200, 3, 0.5, 0.2, 3);
        change(&mut data);
        let error = fit(&data.view(), Family::Poisson, 0.0).expect_err("it cannot be fitted");
        assert!(want(&error), "{error}");
    };
    refuse(|d| d.y[7] = -1.0, |e| matches!(e, GlmError::Value { what: "response", row: 7 }));
    refuse(|d| d.y[7] = f64::NAN, |e| matches!(e, GlmError::Value { what: "response", .. }));
    refuse(|d| d.rows[2][0].1 = f32::INFINITY, |e| matches!(e, GlmError::Value { row: 2, .. }));
    refuse(|d| d.rows[2][0].0 = 9, |e| matches!(e, GlmError::Value { what: "regressor", .. }));
    refuse(|d| d.y.truncate(9), |e| matches!(e, GlmError::Length { what: "responses", .. }));
    refuse(|d| d.weights = vec![1.0], |e| matches!(e, GlmError::Length { what: "weights", .. }));
    refuse(|d| d.y.fill(0.0), |e| *e == GlmError::NothingHappened);
    // Two columns that are one cannot be told apart without a ridge.
    refuse(
        |d| d.rows.iter_mut().for_each(|row| row[1].1 = row[0].1),
        |e| matches!(e, GlmError::NoSolution(_)),
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// More demand everywhere moves the intercept and nothing else; an offset is an intercept.
    #[test]
    fn a_common_factor_goes_to_the_intercept(seed in 0u64..1000, factor in 0.1f64..20.0) {
        let data = simulate(300, 4, 1.0, 0.3, seed);
        let mut more = simulate(300, 4, 1.0, 0.3, seed);
        more.y.iter_mut().for_each(|y| *y *= factor);
        let family = Family::Poisson;
        let (one, two) = (fit(&data.view(), family, 0.0), fit(&more.view(), family, 0.0));
        let (one, two) = (one.expect("a solution"), two.expect("a solution"));
        prop_assert!((two.intercept - one.intercept - factor.ln()).abs() < 1e-5);
        for (a, b) in one.beta.iter().zip(&two.beta) {
            prop_assert!((a - b).abs() < 1e-5);
        }
        let mut shifted = data;
        shifted.offsets.iter_mut().for_each(|offset| *offset += factor.ln());
        let three = fit(&shifted.view(), family, 0.0).expect("a solution");
        prop_assert!((three.intercept + factor.ln() - one.intercept).abs() < 1e-5);
    }

    /// Every fit solves its own equation, and a ridge makes it smaller.
    #[test]
    fn every_fit_proves_its_gradient(
        seed in 0u64..1000,
        power in 1.05f64..1.95,
        ridge in 0.0f64..100.0,
        rows in 40usize..300,
    ) {
        let data = simulate(rows, 5, 0.0, 0.5, seed);
        let family = Family::Tweedie { power };
        if let Ok(glm) = fit(&data.view(), family, ridge) {
            prop_assert!(gradient(&data, family, ridge, &glm) < 1e-7);
            prop_assert!(glm.deviance <= glm.null_deviance * (1.0 + 1e-9));
            let size = |glm: &Glm| glm.beta.iter().map(|b| b * b).sum::<f64>();
            if let Ok(more) = fit(&data.view(), family, 2.0 * ridge + 1.0) {
                prop_assert!(size(&more) <= size(&glm) * (1.0 + 1e-6));
            }
        }
    }
}
