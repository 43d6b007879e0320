//! What the trees say of one series' next days, as a model among others.

use serde::{Deserialize, Serialize};

use crate::forecast::model::{FitError, Fitted, History, SEASON_DAYS};

/// Means of the days to come. The trees themselves are kept once for all series; each night asks
/// them anew, see [`TreesAhead::resume`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TreesAhead {
    #[serde(skip)]
    means: Vec<f32>,
    next: usize,
}

impl TreesAhead {
    /// # Errors
    /// When no trees were asked about this series.
    pub fn fit(history: &History) -> Result<TreesAhead, FitError> {
        let means = history.trees.filter(|means| !means.is_empty()).ok_or(FitError::NotFitted)?;
        Ok(TreesAhead { means: means.to_vec(), next: 0 })
    }

    /// Goes on with tonight's means, the first of which is the next day's.
    pub fn resume(&mut self, means: Vec<f32>) {
        self.means = means;
        self.next = 0;
    }
}

impl Fitted for TreesAhead {
    /// Days that pass move it on in what it was told; only asking the trees anew tells it more.
    fn update(&mut self, _demand: f64) {
        self.next += 1;
    }

    /// Beyond what it was told its last week goes on.
    fn forecast(&self, out: &mut [f64]) {
        let told = self.means.len();
        for (step, out) in out.iter_mut().enumerate() {
            let mut at = self.next + step;
            if at >= told {
                let week = SEASON_DAYS.min(told).max(1);
                at = (told - week.min(told)) + (at - told) % week;
            }
            *out = self.means.get(at).copied().map_or(0.0, f64::from);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_pass_and_the_last_week_goes_on() {
        let means: Vec<f32> = (0..10).map(|day| day as f32).collect();
        let mut ahead = TreesAhead { means, next: 0 };
        ahead.update(f64::NAN);
        let mut out = [0.0; 12];
        ahead.forecast(&mut out);
        assert_eq!(out, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 3.0, 4.0, 5.0]);
    }
}
