//! Scores of finished forecasts, as the field reports them, per model and pooled over rows.
//!
//! WAPE and bias are shares of demand; MASE is Hyndman & Koehler (2006), RMSSE and SPL are those of
//! the M5 competition (Makridakis, Spiliotis & Assimakopoulos 2022), sMAPE is M4's, and FVA is what
//! a forecast saves of the seasonal naive's WAPE.

use super::scores::pinball;
use crate::distribution::LEVELS;

/// Pairs of [`LEVELS`] that enclose a central share, widest first.
const PAIRS: [(usize, usize); 4] = [(0, 8), (1, 7), (2, 6), (3, 5)];
/// The shares that the pairs enclose.
pub const COVERED: [f64; 4] = [0.98, 0.9, 0.8, 0.5];
/// Two quantiles cross when the lower is above the upper by more than this.
const CROSSING_SLACK: f64 = 1e-9;

/// What errors of one series after one cutoff are measured against: how much its history moves.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scale {
    /// Mean absolute difference of one season; `None` when it is zero or unknown.
    pub seasonal: Option<f64>,
    /// Mean absolute and mean squared difference of one row, from the first non-zero row on.
    pub step: Option<(f64, f64)>,
}

impl Scale {
    /// Of the rows up to a cutoff as their file has them: NaN is a row without a value, and a step
    /// without a row does not exist, so that `season` counts rows.
    pub fn of(rows: &[f64], season: usize) -> Scale {
        let (mut sum, mut n) = (0.0, 0.0);
        for (earlier, later) in rows.iter().zip(rows.iter().skip(season.max(1))) {
            let difference = (later - earlier).abs();
            if !difference.is_nan() {
                sum += difference;
                n += 1.0;
            }
        }
        let live = rows.iter().copied().filter(|y| !y.is_nan()).skip_while(|&y| y == 0.0);
        let (mut absolute, mut squared, mut steps) = (0.0, 0.0, 0.0);
        let mut last: Option<f64> = None;
        for y in live {
            if let Some(last) = last {
                absolute += (y - last).abs();
                squared += (y - last) * (y - last);
                steps += 1.0;
            }
            last = Some(y);
        }
        let seasonal = Some(sum / n).filter(|&scale| scale > 0.0);
        let step = Some((absolute / steps, squared / steps)).filter(|&(_, squared)| squared > 0.0);
        Scale { seasonal, step }
    }
}

/// Sums over scored rows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sums {
    pub rows: f64,
    /// Of the sizes of the actual values.
    pub actual: f64,
    pub error: f64,
    pub absolute: f64,
    pub squared: f64,
    /// Mean over the nine levels, added up over rows.
    pub pinball: f64,
    pub smape: f64,
    pub inside: [f64; 4],
    pub crossings: f64,
}

impl Sums {
    /// One row: the mean, the nine quantiles of [`LEVELS`], and what came.
    pub fn add(&mut self, mean: f64, nine: &[f64; 9], actual: f64) {
        let error = mean - actual;
        self.rows += 1.0;
        self.actual += actual.abs();
        self.error += error;
        self.absolute += error.abs();
        self.squared += error * error;
        let loss: f64 = LEVELS.iter().zip(nine).map(|(&p, &q)| pinball(p, q, actual)).sum();
        self.pinball += loss / 9.0;
        let size = actual.abs() + mean.abs();
        self.smape += if size > 0.0 { 200.0 * error.abs() / size } else { 0.0 };
        for (inside, (low, high)) in self.inside.iter_mut().zip(PAIRS) {
            *inside += f64::from(u8::from(nine[low] <= actual && actual <= nine[high]));
        }
        let crossed = nine.windows(2).filter(|pair| pair[0] > pair[1] + CROSSING_SLACK).count();
        self.crossings += crossed as f64;
    }

    pub fn merge(&mut self, other: &Sums) {
        self.rows += other.rows;
        self.actual += other.actual;
        self.error += other.error;
        self.absolute += other.absolute;
        self.squared += other.squared;
        self.pinball += other.pinball;
        self.smape += other.smape;
        self.inside.iter_mut().zip(other.inside).for_each(|(sum, other)| *sum += other);
        self.crossings += other.crossings;
    }
}

/// Sums and scaled scores of many series after many cutoffs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally {
    pub sums: Sums,
    /// Pairs of a series and a cutoff that had a row to score.
    cells: f64,
    /// Sums of a scaled score and how many pairs had the scale.
    mase: (f64, f64),
    rmsse: f64,
    spl: f64,
    stepped: f64,
}

impl Tally {
    /// The rows of one series after one cutoff. Without rows nothing changes.
    pub fn add(&mut self, cell: &Sums, scale: &Scale) {
        if cell.rows == 0.0 {
            return;
        }
        self.sums.merge(cell);
        self.cells += 1.0;
        if let Some(seasonal) = scale.seasonal {
            self.mase.0 += cell.absolute / cell.rows / seasonal;
            self.mase.1 += 1.0;
        }
        if let Some((absolute, squared)) = scale.step {
            self.rmsse += (cell.squared / cell.rows / squared).sqrt();
            self.spl += cell.pinball / cell.rows / absolute;
            self.stepped += 1.0;
        }
    }

    /// The scores; `naive` is the seasonal naive's tally of the same rows.
    pub fn metrics(&self, naive: &Tally) -> Metrics {
        let Sums { rows, actual, .. } = self.sums;
        let ratio = |sum: f64, of: f64| Some(sum / of).filter(|ratio| ratio.is_finite());
        let wape = ratio(self.sums.absolute, actual);
        let naive_wape = ratio(naive.sums.absolute, naive.sums.actual);
        Metrics {
            rows: rows as u64,
            unscaled: (self.cells - self.stepped) as u64,
            crossings: self.sums.crossings as u64,
            wape,
            bias: ratio(self.sums.error, actual),
            mase: ratio(self.mase.0, self.mase.1),
            rmsse: ratio(self.rmsse, self.stepped),
            pinball: ratio(self.sums.pinball, rows),
            spl: ratio(self.spl, self.stepped),
            smape: ratio(self.sums.smape, rows),
            fva: wape.zip(naive_wape).and_then(|(own, naive)| ratio(naive - own, naive)),
            coverage: self.sums.inside.map(|inside| ratio(inside, rows)),
        }
    }
}

/// Scores of one model; `None` where nothing defines one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metrics {
    pub rows: u64,
    /// Pairs of a series and a cutoff without a scale, left out of RMSSE and SPL.
    pub unscaled: u64,
    pub crossings: u64,
    pub wape: Option<f64>,
    pub bias: Option<f64>,
    pub mase: Option<f64>,
    pub rmsse: Option<f64>,
    pub pinball: Option<f64>,
    pub spl: Option<f64>,
    pub smape: Option<f64>,
    pub fva: Option<f64>,
    /// Share of rows inside each of [`COVERED`].
    pub coverage: [Option<f64>; 4],
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAP: f64 = f64::NAN;

    fn check_scale(rows: &[f64], season: usize, seasonal: Option<f64>, step: Option<(f64, f64)>) {
        assert_eq!(Scale::of(rows, season), Scale { seasonal, step }, "{rows:?}");
    }

    #[test]
    fn scales_by_hand() {
        // |3-1|, |5-2| and |1-3| over a season of two rows; steps 1, 1, 2, 4 from the first sale on.
        let rows = [1.0, 2.0, 3.0, 5.0, 1.0];
        check_scale(&rows, 2, Some(7.0 / 3.0), Some((2.0, 22.0 / 4.0)));
        check_scale(&[0.0, 0.0, 4.0, 2.0], 1, Some(2.0), Some((2.0, 4.0)));
        // A row without a value breaks the season's differences and is stepped over by the others.
        check_scale(&[2.0, GAP, 6.0], 1, None, Some((4.0, 16.0)));
        check_scale(&[3.0; 5], 1, None, None);
        check_scale(&[0.0; 5], 1, None, None);
        check_scale(&[7.0], 1, None, None);
        check_scale(&[], 7, None, None);
    }

    #[test]
    fn scores_by_hand() {
        let nine = [0.0, 1.0, 2.0, 3.0, 6.0, 7.0, 8.0, 12.0, 15.0];
        let mut cell = Sums::default();
        cell.add(4.0, &[4.0; 9], 2.0);
        cell.add(6.0, &nine, 10.0);
        let mut tally = Tally::default();
        tally.add(&cell, &Scale { seasonal: Some(2.0), step: Some((3.0, 10.0)) });
        tally.add(&Sums::default(), &Scale::default());
        let mut naive = Tally::default();
        let mut double = cell;
        double.absolute *= 2.0;
        naive.add(&double, &Scale::default());
        let got = tally.metrics(&naive);
        let near = |got: Option<f64>, want: f64| {
            assert!(got.is_some_and(|got| (got - want).abs() < 1e-12), "{got:?} {want}");
        };
        near(got.wape, 6.0 / 12.0);
        near(got.bias, -2.0 / 12.0);
        near(got.mase, 3.0 / 2.0);
        near(got.rmsse, (((4.0 + 16.0) / 2.0) / 10.0f64).sqrt());
        // 1 and 9.3/9 a row, as in `scores`.
        near(got.pinball, (1.0 + 9.3 / 9.0) / 2.0);
        near(got.spl, (1.0 + 9.3 / 9.0) / 2.0 / 3.0);
        near(got.smape, (200.0 * 2.0 / 6.0 + 200.0 * 4.0 / 16.0) / 2.0);
        near(got.fva, 0.5);
        assert_eq!(got.coverage, [Some(0.5), Some(0.5), Some(0.0), Some(0.0)]);
        assert_eq!((got.rows, got.unscaled, got.crossings), (2, 0, 0));
        assert_eq!(naive.metrics(&naive).unscaled, 1);
    }

    #[test]
    fn nothing_scored_has_no_scores() {
        let empty = Tally::default().metrics(&Tally::default());
        assert_eq!((empty.rows, empty.wape, empty.mase, empty.fva), (0, None, None, None));
        let mut zero = Sums::default();
        zero.add(0.0, &[0.0; 9], 0.0);
        let mut tally = Tally::default();
        tally.add(&zero, &Scale::default());
        let got = tally.metrics(&tally);
        assert_eq!((got.wape, got.smape, got.coverage[0]), (None, Some(0.0), Some(1.0)));
    }
}
