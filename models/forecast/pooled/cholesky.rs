//! Cholesky factors of small symmetric matrices.

/// Share of a diagonal entry that must be left when the columns before it were taken out.
const PIVOT_MIN: f64 = 1e-13;

/// Lower factor `L` of a symmetric positive definite matrix, `L L' = A`.
pub struct Cholesky {
    lower: Vec<f64>,
    n: usize,
}

impl Cholesky {
    /// From the lower triangle of `a`; `None` when `a` is not positive definite, or so nearly not
    /// that rounding alone would make the answer.
    pub fn new(mut a: Vec<f64>, n: usize) -> Option<Cholesky> {
        for j in 0..n {
            for k in 0..=j {
                let whole = a[j * n + k];
                let mut sum = whole;
                for m in 0..k {
                    sum -= a[j * n + m] * a[k * n + m];
                }
                if j == k {
                    if sum.is_nan() || sum <= PIVOT_MIN * whole {
                        return None;
                    }
                    a[j * n + j] = sum.sqrt();
                } else {
                    a[j * n + k] = sum / a[k * n + k];
                }
            }
        }
        Some(Cholesky { lower: a, n })
    }

    pub fn lower(&self, row: usize, column: usize) -> f64 {
        if column <= row { self.lower[row * self.n + column] } else { 0.0 }
    }

    /// Solves `L y = b`.
    pub fn forward(&self, b: &[f64]) -> Vec<f64> {
        let mut y = b.to_vec();
        for j in 0..self.n {
            for k in 0..j {
                y[j] -= self.lower[j * self.n + k] * y[k];
            }
            y[j] /= self.lower[j * self.n + j];
        }
        y
    }

    /// Solves `L' x = y`.
    pub fn backward(&self, y: &[f64]) -> Vec<f64> {
        let mut x = y.to_vec();
        for j in (0..self.n).rev() {
            for k in j + 1..self.n {
                x[j] -= self.lower[k * self.n + j] * x[k];
            }
            x[j] /= self.lower[j * self.n + j];
        }
        x
    }

    /// Solves `A x = b`.
    pub fn solve(&self, b: &[f64]) -> Vec<f64> {
        self.backward(&self.forward(b))
    }

    /// The diagonal of the inverse of `A`.
    pub fn inverse_diagonal(&self) -> Vec<f64> {
        let mut unit = vec![0.0; self.n];
        let mut diagonal = vec![0.0; self.n];
        for j in 0..self.n {
            unit[j] = 1.0;
            diagonal[j] = self.forward(&unit).iter().map(|v| v * v).sum();
            unit[j] = 0.0;
        }
        diagonal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factor_solves_and_inverts() {
        // [[4, 2, 0], [2, 5, 3], [0, 3, 6]] and the solution (1, -2, 3).
        let lower = vec![4.0, 0.0, 0.0, 2.0, 5.0, 0.0, 0.0, 3.0, 6.0];
        let factor = Cholesky::new(lower, 3).expect("it is positive definite");
        for (got, want) in factor.solve(&[0.0, 1.0, 12.0]).iter().zip([1.0, -2.0, 3.0]) {
            assert!((got - want).abs() < 1e-12, "{got} {want}");
        }
        // Cofactors over the determinant, 60.
        for (got, want) in factor.inverse_diagonal().iter().zip([21.0, 24.0, 16.0]) {
            assert!((got - want / 60.0).abs() < 1e-12, "{got} {want}");
        }
        assert!(Cholesky::new(vec![1.0, 0.0, 2.0, 1.0], 2).is_none());
        assert!(Cholesky::new(vec![1.0, 0.0, 1.0, 1.0], 2).is_none());
        assert!(Cholesky::new(vec![0.0], 1).is_none());
        assert!(Cholesky::new(vec![f64::NAN], 1).is_none());
    }
}
