//! Any model on the logarithm of demand: level, trend and season multiply instead of adding up
//! (Hyndman & Athanasopoulos, Forecasting: Principles and Practice, 3.1). The forecast is the
//! median that goes back through the exponential, without a correction to the mean.

use serde::{Deserialize, Serialize};

use super::model::{FitError, Fitted, FittedModel, History, Model};

/// A forecast further from the geometric mean than by this factor's logarithm is cut there.
const LOG_MAX: f64 = 50.0;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Logged {
    /// Mean logarithm, which is taken off, so that the unit of demand does not matter to the model.
    centre: f64,
    /// Least demand of the history; what comes later and is less counts as this.
    least: f64,
    model: Box<FittedModel>,
}

impl Logged {
    /// # Errors
    /// [`FitError::NotPositive`] when an observed step has no demand, and those of the model.
    pub fn fit(history: &History, model: Model) -> Result<Logged, FitError> {
        let seen = || history.demand.iter().filter(|d| !d.is_nan());
        let least = seen().fold(f64::INFINITY, |least, &demand| least.min(demand));
        if least <= 0.0 {
            return Err(FitError::NotPositive);
        }
        let n = seen().count().max(1) as f64;
        let centre = seen().map(|demand| demand.ln()).sum::<f64>() / n;
        let logs: Vec<f64> = history.demand.iter().map(|demand| demand.ln() - centre).collect();
        let model = model.fit(&History { demand: &logs, ..*history })?;
        Ok(Logged { centre, least, model: Box::new(model) })
    }
}

impl Fitted for Logged {
    fn update(&mut self, demand: f64) {
        let positive = if demand.is_nan() { demand } else { demand.max(self.least) };
        self.model.update(positive.ln() - self.centre);
    }

    fn forecast(&self, out: &mut [f64]) {
        self.model.forecast_signed(out);
        for out in out.iter_mut() {
            *out = (out.clamp(-LOG_MAX, LOG_MAX) + self.centre).exp();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_season_that_grows_with_its_level_goes_on() {
        let grown = |t: usize| 10.0 * 1.01_f64.powi(t as i32) * [0.5, 1.5, 1.0][t % 3];
        let demand: Vec<f64> =
            (0..150).map(|t| if t % 17 == 4 { f64::NAN } else { grown(t) }).collect();
        let history = History::with_seasons(&demand, &[3]);
        let mut fitted = Logged::fit(&history, Model::MstlTheta).unwrap();
        fitted.update(grown(150));
        let mut out = [0.0; 9];
        fitted.forecast(&mut out);
        for (step, got) in out.iter().enumerate() {
            let expected = grown(151 + step);
            assert!((got / expected - 1.0).abs() < 0.02, "{step}: {got} {expected}");
        }
    }

    #[test]
    fn demand_with_a_zero_has_no_logarithm() {
        let history = History::with_seasons(&[3.0, 0.0, 4.0], &[]);
        assert_eq!(Logged::fit(&history, Model::Ses).unwrap_err(), FitError::NotPositive);
        let mut fitted = Logged::fit(&History::with_seasons(&[3.0, 4.0], &[]), Model::Ses).unwrap();
        fitted.update(0.0);
        let mut out = [0.0];
        fitted.forecast(&mut out);
        assert!(out[0] >= 3.0 && out[0] < 4.0, "none counts as the least seen: {out:?}");
    }
}
