//! Forecast scores, pooled over days.

use serde::{Deserialize, Serialize};

use crate::distribution::LEVELS;

/// Loss of quantile `quantile` at `level` when `actual` came (Koenker & Bassett 1978).
pub fn pinball(level: f64, quantile: f64, actual: f64) -> f64 {
    let miss = actual - quantile;
    if miss >= 0.0 { level * miss } else { (level - 1.0) * miss }
}

/// Mean pinball loss over the nine levels.
pub fn pinball_nine(nine: &[f64; 9], actual: f64) -> f64 {
    LEVELS.iter().zip(nine).map(|(&p, &q)| pinball(p, q, actual)).sum::<f64>() / 9.0
}

/// Sums from which the pooled scores come. Days without full availability never enter.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ScoreSums {
    pub days: f64,
    pub series: f64,
    pub actual: f64,
    pub error: f64,
    pub absolute_error: f64,
    pub pinball: f64,
    /// Days whose demand lay within the 5% and 95% quantiles, both included.
    pub inside_90: f64,
}

impl ScoreSums {
    pub fn add(&mut self, mean: f64, nine: &[f64; 9], actual: f64) {
        self.days += 1.0;
        self.actual += actual;
        self.error += mean - actual;
        self.absolute_error += (mean - actual).abs();
        self.pinball += pinball_nine(nine, actual);
        self.inside_90 += f64::from(u8::from(nine[1] <= actual && actual <= nine[7]));
    }

    pub fn merge(&mut self, other: &ScoreSums) {
        self.days += other.days;
        self.series += other.series;
        self.actual += other.actual;
        self.error += other.error;
        self.absolute_error += other.absolute_error;
        self.pinball += other.pinball;
        self.inside_90 += other.inside_90;
    }
}

/// Scores of one model on one class of demand, over all cutoffs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScoreRow {
    /// A demand class, or `all`.
    pub class: String,
    /// A model, or `chosen`.
    pub model: String,
    pub series: usize,
    /// Scored days.
    pub days: usize,
    /// Sum of absolute errors over the sum of demand; NaN without demand.
    pub wape: f64,
    /// Sum of errors over the sum of demand; positive is too high.
    pub bias: f64,
    /// Mean over days and the nine levels, units.
    pub pinball: f64,
    /// Share of days inside the central 90% interval.
    pub coverage_90: f64,
}

impl ScoreRow {
    pub fn new(class: &str, model: &str, sums: &ScoreSums) -> ScoreRow {
        ScoreRow {
            class: class.to_owned(),
            model: model.to_owned(),
            series: sums.series as usize,
            days: sums.days as usize,
            wape: sums.absolute_error / sums.actual,
            bias: sums.error / sums.actual,
            pinball: sums.pinball / sums.days,
            coverage_90: sums.inside_90 / sums.days,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pinball_charges_the_side_of_the_miss() {
        for (level, quantile, actual, want) in [
            (0.5, 4.0, 10.0, 3.0),
            (0.9, 4.0, 10.0, 5.4),
            (0.9, 10.0, 4.0, 0.6),
            (0.1, 10.0, 4.0, 5.4),
            (0.7, 5.0, 5.0, 0.0),
        ] {
            let got = pinball(level, quantile, actual);
            assert!((got - want).abs() < 1e-12, "{level} {quantile} {actual}: {got}");
        }
    }

    #[test]
    fn pooled_scores_by_hand() {
        let mut sums = ScoreSums::default();
        sums.add(4.0, &[4.0; 9], 2.0);
        sums.add(6.0, &[0.0, 1.0, 2.0, 3.0, 6.0, 7.0, 8.0, 12.0, 15.0], 10.0);
        sums.series = 1.0;
        let row = ScoreRow::new("all", "chosen", &sums);
        // |4-2| + |6-10| over 2 + 10, and (2 - 4) over 12.
        assert!((row.wape - 0.5).abs() < 1e-12);
        assert!((row.bias + 2.0 / 12.0).abs() < 1e-12);
        assert_eq!(row.coverage_90, 0.5);
        // First day: 2 * sum(1 - level) over 9 = 2 * 4.5 / 9 = 1. Second, level by level:
        // .1 .45 .8 1.75 2 2.25 1.8 .1 .05 = 9.3 over 9.
        assert!((row.pinball - (1.0 + 9.3 / 9.0) / 2.0).abs() < 1e-12, "{}", row.pinball);
    }
}
