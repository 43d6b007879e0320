//! Teunter, Syntetos & Babai (2011): the probability of demand is smoothed every day, so a series
//! that stopped selling fades, and its size only when demand occurs.

use serde::{Deserialize, Serialize};

use super::model::{FitError, Fitted, History};
use super::smoothing::Smoother;

const SIZE_ALPHAS: [f64; 2] = [0.05, 0.15];
const PROBABILITY_ALPHAS: [f64; 4] = [0.01, 0.03, 0.07, 0.15];
/// Days whose share with demand is the first probability.
const START_DAYS: usize = 28;
/// Steps that are taken at a time, a multiple of the smoother's block.
const PIECE: usize = 256;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tsb {
    size: Smoother,
    probability: Smoother,
}

impl Tsb {
    /// Fits both constants by squared one-step error. The first size is that of the first sale, the
    /// first probability the share of the first days with one.
    ///
    /// # Errors
    /// [`FitError::TooFewSales`] without any demand.
    pub fn fit(history: &History) -> Result<Tsb, FitError> {
        let observed = || history.demand.iter().copied().filter(|d| !d.is_nan());
        let size = first_size(history)?;
        let (sales, days) = observed().take(START_DAYS).fold((0.0, 0.0), |(sales, days), d| {
            (sales + f64::from(u8::from(d > 0.0)), days + 1.0)
        });
        let mut best: Option<(f64, f64, f64)> = None;
        for size_alpha in SIZE_ALPHAS {
            for probability_alpha in PROBABILITY_ALPHAS {
                let start = (size, sales / days);
                let loss = loss(observed(), start, (size_alpha, probability_alpha));
                if best.is_none_or(|(least, _, _)| loss < least) {
                    best = Some((loss, size_alpha, probability_alpha));
                }
            }
        }
        let (_, size_alpha, probability_alpha) = best.ok_or(FitError::NoFiniteLoss)?;
        Ok(follow(
            history.demand,
            Smoother::new(size_alpha, size),
            Smoother::new(probability_alpha, sales / days),
        ))
    }

    /// With given constants; the first size is that of the first sale and the first probability
    /// is whether the first observed step had one, the peers' convention.
    ///
    /// # Errors
    /// [`FitError::TooFewSales`] without any demand.
    pub fn with_alphas(
        history: &History,
        size_alpha: f64,
        probability_alpha: f64,
    ) -> Result<Tsb, FitError> {
        let size = first_size(history)?;
        let first = history.demand.iter().find(|d| !d.is_nan());
        let occurred = f64::from(u8::from(first.is_some_and(|&d| d > 0.0)));
        Ok(follow(
            history.demand,
            Smoother::new(size_alpha, size),
            Smoother::new(probability_alpha, occurred),
        ))
    }
}

fn first_size(history: &History) -> Result<f64, FitError> {
    let first = history.demand.iter().copied().find(|&d| d > 0.0);
    first.ok_or(FitError::TooFewSales { needed: 1, got: 0 })
}

/// Squared one-step error from given first size and probability, with given constants of both.
fn loss(observed: impl Iterator<Item = f64>, start: (f64, f64), alphas: (f64, f64)) -> f64 {
    let (mut size, mut probability) = start;
    let mut loss = 0.0;
    for demand in observed {
        loss += (demand - probability * size).powi(2);
        let occurred = f64::from(u8::from(demand > 0.0));
        probability += alphas.1 * (occurred - probability);
        if demand > 0.0 {
            size += alphas.0 * (demand - size);
        }
    }
    loss
}

/// The state at the end of `demand`, taken in pieces that fit on the stack. Every step is written
/// and only what counts moves on: whether a step has a sale is the processor's guess too.
fn follow(demand: &[f64], size: Smoother, probability: Smoother) -> Tsb {
    let mut fitted = Tsb { size, probability };
    let mut sizes = [0.0; PIECE];
    let mut occurred = [0.0; PIECE];
    for piece in demand.chunks(PIECE) {
        let mut sales = 0;
        for &demand in piece {
            sizes[sales] = demand;
            sales += usize::from(demand > 0.0);
        }
        for (occurred, &demand) in occurred.iter_mut().zip(piece) {
            // NaN stays NaN, and the smoother leaves it out.
            *occurred = f64::from(u8::from(demand > 0.0)) + 0.0 * demand;
        }
        fitted.size.follow(&sizes[..sales]);
        fitted.probability.follow(&occurred[..piece.len()]);
    }
    fitted
}

impl Fitted for Tsb {
    fn update(&mut self, demand: f64) {
        if demand.is_nan() {
            return;
        }
        self.probability.push(f64::from(u8::from(demand > 0.0)));
        if demand > 0.0 {
            self.size.push(demand);
        }
    }

    fn forecast(&self, out: &mut [f64]) {
        out.fill(self.probability.level() * self.size.level());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tsb_by_hand() {
        // Two sales in four days: probability starts at 1/2, size at 3.
        let demand = [0.0, 3.0, 0.0, 5.0];
        let p = [0.5, 0.45, 0.505, 0.4545];
        let want: f64 = demand.iter().zip(p).map(|(d, p)| (d - p * 3.0) * (d - p * 3.0)).sum();
        assert!((loss(demand.into_iter(), (3.0, 0.5), (0.2, 0.1)) - want).abs() < 1e-12);
        // The probability starts at 0, as the first day was without a sale.
        let tsb = Tsb::with_alphas(&History::of(&demand), 0.2, 0.1).unwrap();
        assert!((tsb.size.level() - 3.4).abs() < 1e-12);
        assert!((tsb.probability.level() - 0.181).abs() < 1e-12);
    }
}
