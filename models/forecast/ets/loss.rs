//! The loss of a pass, its gradient and its curvature, summed error by error.

/// Rows of derivatives that are kept back before they are added to the curvature, so that each of
/// its sums stays in a register over this many of them.
const ROWS: usize = 16;
/// Products of means are folded into a logarithm when they leave `1 / PRODUCT_MAX .. PRODUCT_MAX`:
/// a logarithm a step would cost more than the recursion.
const PRODUCT_MAX: f64 = 1e200;

/// Loss, half its gradient, and the lower triangle of its Gauss–Newton curvature.
///
/// The loss is the sum of squared errors; with multiplicative errors it is
/// `Σ e² · exp(2/n · Σ ln mean)`. Either way `n · ln(loss)` is minus twice the log-likelihood
/// without its constant (Hyndman et al. 2008, equation 5.3), and the loss is a sum of squares.
#[derive(Clone)]
pub(super) struct Loss<const P: usize> {
    pub value: f64,
    pub gradient: [f64; P],
    pub curvature: [[f64; P]; P],
}

/// Sums over the errors of a pass.
pub(super) struct LossSums<const P: usize> {
    pub squares: f64,
    observed: f64,
    log_mean: f64,
    product: f64,
    error_by: [f64; P],
    log_mean_by: [f64; P],
    square_by: [[f64; P]; P],
    rows: [[f64; P]; ROWS],
    held: usize,
}

impl<const P: usize> LossSums<P> {
    pub fn new() -> LossSums<P> {
        LossSums {
            squares: 0.0,
            observed: 0.0,
            log_mean: 0.0,
            product: 1.0,
            error_by: [0.0; P],
            log_mean_by: [0.0; P],
            square_by: [[0.0; P]; P],
            rows: [[0.0; P]; ROWS],
            held: 0,
        }
    }

    /// Adds an error with its derivatives.
    #[inline(always)]
    pub fn add(&mut self, error: f64, by: &[f64; P]) {
        self.observed += 1.0;
        self.squares += error * error;
        for (sum, by) in self.error_by.iter_mut().zip(by) {
            *sum += error * by;
        }
        self.rows[self.held] = *by;
        self.held += 1;
        if self.held == ROWS {
            self.fold();
        }
    }

    /// Adds the relative error of a mean above zero.
    #[inline(always)]
    pub fn add_relative(&mut self, demand: f64, mean: f64, mean_by: &[f64; P]) {
        let inverse = 1.0 / mean;
        self.product *= mean;
        if !(1.0 / PRODUCT_MAX..PRODUCT_MAX).contains(&self.product) {
            self.log_mean += self.product.ln();
            self.product = 1.0;
        }
        let by = mean_by.map(|by| by * inverse);
        for (sum, by) in self.log_mean_by.iter_mut().zip(&by) {
            *sum += by;
        }
        let ratio = demand * inverse;
        self.add(ratio - 1.0, &by.map(|by| -by * ratio));
    }

    /// Adds the rows held back to the lower triangle, two lanes by two.
    fn fold(&mut self) {
        self.rows[self.held..].fill([0.0; P]);
        self.held = 0;
        for i in (0..P).step_by(2) {
            for j in (0..=i).step_by(2) {
                let mut sum = [0.0; 4];
                for row in &self.rows {
                    sum[0] += row[i] * row[j];
                    sum[1] += row[i] * row[j + 1];
                    sum[2] += row[i + 1] * row[j];
                    sum[3] += row[i + 1] * row[j + 1];
                }
                self.square_by[i][j] += sum[0];
                self.square_by[i][j + 1] += sum[1];
                self.square_by[i + 1][j] += sum[2];
                self.square_by[i + 1][j + 1] += sum[3];
            }
        }
    }

    /// The loss; none where it is not finite.
    pub fn finish<const RELATIVE: bool>(mut self) -> Option<Loss<P>> {
        self.fold();
        let mut gradient = self.error_by;
        let mut curvature = self.square_by;
        let mut unit = 1.0;
        if RELATIVE {
            let n = self.observed.max(1.0);
            unit = (2.0 * (self.log_mean + self.product.ln()) / n).exp();
            let drift = self.log_mean_by.map(|by| by / n);
            for i in 0..P {
                gradient[i] += self.squares * drift[i];
                for j in 0..=i {
                    curvature[i][j] += self.error_by[i] * drift[j]
                        + drift[i] * self.error_by[j]
                        + self.squares * drift[i] * drift[j];
                }
            }
        }
        gradient.iter_mut().chain(curvature.as_flattened_mut()).for_each(|x| *x *= unit);
        let value = self.squares * unit;
        value.is_finite().then_some(Loss { value, gradient, curvature })
    }
}
