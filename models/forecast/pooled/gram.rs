//! Weighted least squares from sufficient statistics: rows are added up, never kept.

use linfa::Dataset;
use linfa::traits::Fit;
use linfa_elasticnet::ElasticNet;
use ndarray::{Array1, Array2};

use super::cholesky::Cholesky;

/// A row of the design, only what is not zero: (column, value), no column twice.
pub type Row = Vec<(u16, f32)>;

/// Sums over rows `x` with weight `w` and response `z`; the lower triangle of a p x p matrix.
#[derive(Clone, Debug)]
pub struct Gram {
    pub columns: usize,
    /// `xx[j * columns + k]` is the weighted sum of `x_j x_k`, for `k <= j`.
    pub xx: Vec<f64>,
    pub xz: Vec<f64>,
    pub weight: f64,
    /// Squared weighted response, for the residual scale.
    pub zz: f64,
    /// Rows less the block means that were taken out.
    pub freedom: f64,
    block_x: Vec<f64>,
    block_touched: Vec<u16>,
    block_z: f64,
    block_weight: f64,
}

impl Gram {
    pub fn new(columns: usize) -> Gram {
        Gram {
            columns,
            xx: vec![0.0; columns * columns],
            xz: vec![0.0; columns],
            weight: 0.0,
            zz: 0.0,
            freedom: 0.0,
            block_x: vec![0.0; columns],
            block_touched: Vec::new(),
            block_z: 0.0,
            block_weight: 0.0,
        }
    }

    /// Without columns, until [`Gram::widen`] makes room.
    pub fn empty() -> Gram {
        Gram::new(0)
    }

    /// Makes room for `columns` where there is none yet.
    pub fn widen(&mut self, columns: usize) {
        if self.columns != columns {
            *self = Gram::new(columns);
        }
    }

    pub fn clear(&mut self) {
        let columns = self.columns;
        self.xx.fill(0.0);
        self.xz.fill(0.0);
        self.block_x.fill(0.0);
        self.block_touched.clear();
        (self.weight, self.zz, self.freedom) = (0.0, 0.0, 0.0);
        (self.block_z, self.block_weight) = (0.0, 0.0);
        debug_assert_eq!(self.xz.len(), columns);
    }

    /// Adds a row to the open block.
    pub fn add(&mut self, row: &Row, weight: f64, response: f64) {
        for &(j, xj) in row {
            let j = usize::from(j);
            let wx = weight * f64::from(xj);
            for &(k, xk) in row {
                let k = usize::from(k);
                if k <= j {
                    self.xx[j * self.columns + k] += wx * f64::from(xk);
                }
            }
            self.xz[j] += wx * response;
            if self.block_x[j] == 0.0 {
                self.block_touched.push(j as u16);
            }
            self.block_x[j] += wx;
        }
        self.zz += weight * response * response;
        self.weight += weight;
        self.block_z += weight * response;
        self.block_weight += weight;
        self.freedom += 1.0;
    }

    /// Ends a block: takes its weighted means out of everything it added, which is to fit a level
    /// of its own to it (the within estimator).
    pub fn close_block(&mut self) {
        if self.block_weight > 0.0 {
            self.block_touched.sort_unstable();
            self.block_touched.dedup();
            let by = 1.0 / self.block_weight;
            for (n, &j) in self.block_touched.iter().enumerate() {
                let j = usize::from(j);
                let mean = self.block_x[j] * by;
                for &k in &self.block_touched[..=n] {
                    let k = usize::from(k);
                    self.xx[j * self.columns + k] -= mean * self.block_x[k];
                }
                self.xz[j] -= mean * self.block_z;
            }
            self.zz -= self.block_z * self.block_z * by;
            self.freedom -= 1.0;
        }
        for &j in &self.block_touched {
            self.block_x[usize::from(j)] = 0.0;
        }
        self.block_touched.clear();
        self.block_z = 0.0;
        self.block_weight = 0.0;
    }

    /// Adds another's closed blocks.
    pub fn merge(&mut self, other: &Gram) {
        self.xx.iter_mut().zip(&other.xx).for_each(|(a, b)| *a += b);
        self.xz.iter_mut().zip(&other.xz).for_each(|(a, b)| *a += b);
        self.weight += other.weight;
        self.zz += other.zz;
        self.freedom += other.freedom;
    }

    fn at(&self, j: usize, k: usize) -> f64 {
        self.xx[j.max(k) * self.columns + j.min(k)]
    }

    pub fn diagonal(&self, j: usize) -> f64 {
        self.xx[j * self.columns + j]
    }

    /// `xz - xx * beta`, the score at `beta`.
    pub fn score(&self, beta: &[f64]) -> Vec<f64> {
        (0..self.columns)
            .map(|j| self.xz[j] - (0..self.columns).map(|k| self.at(j, k) * beta[k]).sum::<f64>())
            .collect()
    }

    /// Mean squared weighted residual at `beta`.
    pub fn residual_scale(&self, beta: &[f64]) -> f64 {
        let score = self.score(beta);
        let explained: f64 = (0..self.columns).map(|j| beta[j] * (self.xz[j] + score[j])).sum();
        ((self.zz - explained) / self.freedom.max(1.0)).max(1e-9)
    }

    /// Columns that vary: the rest cannot have an effect.
    fn active(&self) -> Vec<usize> {
        let least = 1e-9 * self.weight.max(1e-300);
        (0..self.columns).filter(|&j| self.diagonal(j) > least).collect()
    }

    /// The matrix, lower triangle, with `precision` added to its diagonal.
    pub fn with_precision(&self, precision: &[f64]) -> Vec<f64> {
        let p = self.columns;
        let mut matrix = vec![0.0; p * p];
        for j in 0..p {
            matrix[j * p..=j * p + j].copy_from_slice(&self.xx[j * p..=j * p + j]);
            matrix[j * p + j] += precision[j];
        }
        matrix
    }

    /// `xx * v`.
    pub fn times(&self, v: &[f64]) -> Vec<f64> {
        let p = self.columns;
        (0..p).map(|j| (0..p).map(|k| self.at(j, k) * v[k]).sum()).collect()
    }

    /// Elastic net around `center`, on columns scaled to equal spread, with `penalty` per unit of
    /// weight: minimises `|z - x b|^2_w / (2 w) + penalty * (l1 |u|_1 + (1 - l1) / 2 |u|^2)` for
    /// the scaled `u = b - center`.
    ///
    /// The rows are gone, but a Cholesky factor `R'R` of the scaled matrix is a least-squares
    /// problem of p rows with exactly the same solution, and that is what linfa is given.
    /// Columns that cannot be told from others keep `center`.
    pub fn elastic_net(&self, center: &[f64], penalty: f64, l1_ratio: f64) -> Vec<f64> {
        let mut beta = center.to_vec();
        let active = self.active();
        let p = active.len();
        if p == 0 {
            return beta;
        }
        let score = self.score(center);
        let spread: Vec<f64> =
            active.iter().map(|&j| (self.diagonal(j) / self.weight).sqrt()).collect();
        let mut scaled = vec![0.0; p * p];
        for (a, &j) in active.iter().enumerate() {
            for (b, &k) in active.iter().enumerate().take(a + 1) {
                scaled[a * p + b] = self.at(j, k) / (self.weight * spread[a] * spread[b]);
            }
            // Keeps exactly collinear columns solvable.
            scaled[a * p + a] += 1e-6;
        }
        let target: Vec<f64> =
            (0..p).map(|a| score[active[a]] / (self.weight * spread[a])).collect();
        let Some(factor) = Cholesky::new(scaled, p) else { return beta };
        let root = (p as f64).sqrt();
        let y: Array1<f64> = factor.forward(&target).into_iter().map(|v| v * root).collect();
        // Row r of R is column r of the lower factor.
        let x = Array2::from_shape_fn((p, p), |(r, c)| root * factor.lower(c, r));
        let fitted = ElasticNet::params()
            .penalty(penalty)
            .l1_ratio(l1_ratio)
            .with_intercept(false)
            .tolerance(1e-6)
            .max_iterations(500)
            .fit(&Dataset::new(x, y));
        if let Ok(fitted) = fitted {
            for (a, &j) in active.iter().enumerate() {
                let effect = fitted.hyperplane()[a] / spread[a];
                if effect.is_finite() {
                    beta[j] += effect;
                }
            }
        }
        beta
    }

    /// Ridge step from `beta` with prior variances per column: the posterior mean of the
    /// departures, given residual scale `scale`. A prior variance of zero allows no departure.
    pub fn departures(&self, beta: &[f64], prior_variance: &[f64], scale: f64) -> Vec<f64> {
        let mut out = vec![0.0; self.columns];
        let active: Vec<usize> = (0..self.columns)
            .filter(|&j| prior_variance[j] > 0.0 && self.diagonal(j) > 1e-9)
            .collect();
        let p = active.len();
        let score = self.score(beta);
        let mut matrix = vec![0.0; p * p];
        for (a, &j) in active.iter().enumerate() {
            for (b, &k) in active.iter().enumerate().take(a + 1) {
                matrix[a * p + b] = self.at(j, k);
            }
            matrix[a * p + a] += scale / prior_variance[j];
        }
        let target: Vec<f64> = active.iter().map(|&j| score[j]).collect();
        if let Some(factor) = Cholesky::new(matrix, p) {
            let solved = factor.backward(&factor.forward(&target));
            active.iter().zip(solved).for_each(|(&j, v)| out[j] = v.clamp(-2.0, 2.0));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two blocks with levels 5 and -3, effects 2 and -1, no noise.
    fn two_blocks() -> Gram {
        let mut gram = Gram::new(3);
        for (block, level) in [5.0, -3.0].into_iter().enumerate() {
            for t in 0..40usize {
                let x0 = ((t * 7 + block) % 5) as f32;
                let x1 = ((t * 3) % 4) as f32 - 1.0;
                let mut row = Row::new();
                row.push((0, x0));
                if x1 != 0.0 {
                    row.push((1, x1));
                }
                let weight = 1.0 + (t % 3) as f64;
                gram.add(&row, weight, level + 2.0 * f64::from(x0) - f64::from(x1));
            }
            gram.close_block();
        }
        gram
    }

    #[test]
    fn effects_are_found_within_blocks() {
        let gram = two_blocks();
        let beta = gram.elastic_net(&[0.0; 3], 1e-9, 0.5);
        for (got, want) in beta.iter().zip([2.0, -1.0, 0.0]) {
            assert!((got - want).abs() < 1e-3, "{beta:?}");
        }
        assert!(gram.residual_scale(&[2.0, -1.0, 0.0]) < 1e-8);
    }

    #[test]
    fn the_reduced_problem_has_the_elastic_nets_optimality() {
        // At the optimum of an active column, score / weight = penalty terms (KKT).
        let gram = two_blocks();
        let (penalty, l1) = (0.3, 0.5);
        let beta = gram.elastic_net(&[0.0; 3], penalty, l1);
        let score = gram.score(&beta);
        for j in 0..2 {
            let spread = (gram.diagonal(j) / gram.weight).sqrt();
            let u = beta[j] * spread;
            let want = penalty * (l1 * u.signum() + (1.0 - l1) * u);
            let got = score[j] / (gram.weight * spread);
            assert!(u != 0.0 && (got - want).abs() < 1e-3, "column {j}: {got} {want}");
        }
    }

    #[test]
    fn departures_go_from_the_prior_to_the_data_as_the_prior_widens() {
        let gram = two_blocks();
        let from = [1.0, 0.0, 0.0];
        let tight = gram.departures(&from, &[1e-9; 3], 1.0);
        let wide = gram.departures(&from, &[1e6; 3], 1.0);
        assert!(tight.iter().all(|d| d.abs() < 1e-3), "{tight:?}");
        assert!((wide[0] - 1.0).abs() < 1e-3 && (wide[1] + 1.0).abs() < 1e-3, "{wide:?}");
    }
}
