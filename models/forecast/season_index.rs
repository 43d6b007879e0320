//! A season that does not change: indices from classical decomposition, and the autocorrelation
//! test of whether there is a season at all, both as the Theta method takes them (Fiorucci et al.
//! 2016, section 4).

use serde::{Deserialize, Serialize};

/// One-sided 5% point of the normal distribution: the season is taken out when its autocorrelation
/// is significant at 90%.
const SIGNIFICANT: f64 = 1.644_853_626_951_472_2;
/// Dividing by less would blow up a step of the season.
const FACTOR_MIN: f64 = 0.01;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Form {
    Additive,
    Multiplicative,
}

/// One index per step of the season, and the step that comes next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeasonIndex {
    form: Form,
    index: Vec<f64>,
    next: usize,
}

impl SeasonIndex {
    /// No season is one step that adds nothing.
    pub fn none() -> SeasonIndex {
        SeasonIndex { form: Form::Additive, index: vec![0.0], next: 0 }
    }

    /// The season of `m` steps if there are two of them and it is significant, otherwise
    /// [`SeasonIndex::none`]. Multiplicative where demand is positive throughout, else additive.
    pub fn if_significant(demand: &[f64], m: usize) -> SeasonIndex {
        let demand = until_last_seen(demand);
        if m < 2 || demand.len() < 2 * m || !is_seasonal(demand, m) {
            return SeasonIndex::none();
        }
        let filled = interpolated(demand);
        let trend = moving_average(&filled, m);
        if demand.iter().all(|d| d.is_nan() || *d > 0.0) {
            let index = averaged(demand, &trend, m, Form::Multiplicative);
            if index.iter().all(|factor| *factor >= FACTOR_MIN) {
                return SeasonIndex { form: Form::Multiplicative, index, next: 0 };
            }
        }
        let index = averaged(demand, &trend, m, Form::Additive);
        SeasonIndex { form: Form::Additive, index, next: 0 }
    }

    /// What to add in each of the `m` steps of the season, by classical decomposition without a
    /// test; zeros under two seasons.
    pub fn additive(demand: &[f64], m: usize) -> Vec<f64> {
        let demand = until_last_seen(demand);
        if demand.len() < 2 * m {
            return vec![0.0; m];
        }
        averaged(demand, &moving_average(&interpolated(demand), m), m, Form::Additive)
    }

    pub fn is_none(&self) -> bool {
        self.index.len() == 1
    }

    /// The next step's demand without its season.
    #[inline]
    pub fn without(&self, demand: f64) -> f64 {
        match self.form {
            Form::Additive => demand - self.index[self.next],
            Form::Multiplicative => demand / self.index[self.next],
        }
    }

    #[inline]
    pub fn advance(&mut self) {
        self.next = if self.next + 1 == self.index.len() { 0 } else { self.next + 1 };
    }

    /// Puts the season of the next steps back.
    pub fn restore(&self, out: &mut [f64]) {
        let season = self.index.iter().cycle().skip(self.next);
        match self.form {
            Form::Additive => out.iter_mut().zip(season).for_each(|(out, s)| *out += s),
            Form::Multiplicative => out.iter_mut().zip(season).for_each(|(out, s)| *out *= s),
        }
    }
}

/// Demand up to the last step that was seen. What is missing after it tells nothing, so that a
/// model that is fitted with such a tail is the one that is fitted before and updated over it.
pub fn until_last_seen(demand: &[f64]) -> &[f64] {
    let last = demand.iter().rposition(|d| !d.is_nan());
    &demand[..last.map_or(0, |last| last + 1)]
}

/// Whether the autocorrelation at lag `m` exceeds what the shorter lags explain (Bartlett's
/// standard error). A pair with a missing step is left out and the rest stand for it.
fn is_seasonal(demand: &[f64], m: usize) -> bool {
    let seen = || demand.iter().filter(|d| !d.is_nan());
    let n = seen().count() as f64;
    let mean = seen().sum::<f64>() / n;
    let deviation: Vec<f64> =
        demand.iter().map(|d| if d.is_nan() { 0.0 } else { d - mean }).collect();
    let squares: f64 = deviation.iter().map(|d| d * d).sum();
    // Rounding alone makes a deviation of a constant.
    if squares <= 1e-20 * n * mean * mean || squares == 0.0 {
        return false;
    }
    let complete = n == demand.len() as f64;
    let correlation = |lag: usize| {
        let sum: f64 = deviation.iter().zip(&deviation[lag..]).map(|(a, b)| a * b).sum();
        if complete {
            return sum / squares;
        }
        let both = |(a, b): &(&f64, &f64)| !a.is_nan() && !b.is_nan();
        let pairs = demand.iter().zip(&demand[lag..]).filter(both).count();
        let expected = (demand.len() - lag) as f64 * n / demand.len() as f64;
        sum / squares * expected / pairs.max(1) as f64
    };
    let before: f64 = (1..m).map(|lag| correlation(lag).powi(2)).sum();
    correlation(m).abs() > SIGNIFICANT * ((1.0 + 2.0 * before) / n).sqrt()
}

/// Demand with straight lines across missing steps, level before the first and after the last seen;
/// zeros where nothing was seen.
pub fn interpolated(demand: &[f64]) -> Vec<f64> {
    let mut filled = demand.to_vec();
    let mut last: Option<usize> = None;
    for t in 0..demand.len() {
        if demand[t].is_nan() {
            continue;
        }
        let (from, start) = last.map_or((0, demand[t]), |l| (l + 1, demand[l]));
        let width = (t + 1 - from) as f64;
        for (k, gap) in filled[from..t].iter_mut().enumerate() {
            *gap = start + (demand[t] - start) * (k + 1) as f64 / width;
        }
        last = Some(t);
    }
    let (from, end) = last.map_or((0, 0.0), |l| (l + 1, demand[l]));
    filled[from..].fill(end);
    filled
}

/// Centred moving average over one season, of order 2 × m when m is even; it begins at step m / 2.
fn moving_average(filled: &[f64], m: usize) -> Vec<f64> {
    let width = if m.is_multiple_of(2) { m + 1 } else { m };
    // The ends of an even season's window are the same step of the season, half of each counts.
    let end = if m.is_multiple_of(2) { 0.5 } else { 0.0 };
    let mut sum: f64 = filled[..width].iter().sum();
    let mut out = Vec::with_capacity(filled.len() + 1 - width);
    for first in 0..=filled.len() - width {
        let last = first + width - 1;
        out.push((sum - end * (filled[first] + filled[last])) / m as f64);
        if last + 1 < filled.len() {
            sum += filled[last + 1] - filled[first];
        }
    }
    out
}

/// Mean distance of each step of the season from the trend, centred.
fn averaged(demand: &[f64], trend: &[f64], m: usize, form: Form) -> Vec<f64> {
    let mut sums = vec![(0.0, 0.0); m];
    let begin = m / 2;
    let mut step = begin;
    for (&demand, &trend) in demand[begin..].iter().zip(trend) {
        if !demand.is_nan() {
            sums[step].0 += match form {
                Form::Additive => demand - trend,
                Form::Multiplicative => demand / trend,
            };
            sums[step].1 += 1.0;
        }
        step = if step + 1 == m { 0 } else { step + 1 };
    }
    let seen = || sums.iter().filter(|(_, n)| *n > 0.0).map(|(sum, n)| sum / n);
    let mean = seen().sum::<f64>() / seen().count().max(1) as f64;
    let centred = |(sum, n): &(f64, f64)| match (form, *n > 0.0) {
        (Form::Additive, true) => sum / n - mean,
        (Form::Additive, false) => 0.0,
        (Form::Multiplicative, true) => sum / n / mean,
        (Form::Multiplicative, false) => 1.0,
    };
    sums.iter().map(centred).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_straight_lines() {
        let nan = f64::NAN;
        assert_eq!(interpolated(&[nan, 2.0, nan, nan, 8.0, nan]), [2.0, 2.0, 4.0, 6.0, 8.0, 8.0]);
        assert_eq!(interpolated(&[nan, nan]), [0.0, 0.0]);
    }

    #[test]
    fn classical_decomposition_of_a_line_with_a_season_returns_the_season() {
        let season = [-3.0, 1.0, 4.0, -2.0];
        let demand: Vec<f64> = (0..24).map(|t| 50.0 + 2.0 * t as f64 + season[t % 4]).collect();
        let index = SeasonIndex::additive(&demand, 4);
        for (got, expected) in index.iter().zip(season) {
            assert!((got - expected).abs() < 1e-12, "{index:?}");
        }
    }

    #[test]
    fn positive_demand_has_factors_and_demand_with_zeros_has_addends() {
        let factor = [0.5, 1.0, 1.5];
        let demand: Vec<f64> = (0..30).map(|t| 10.0 * factor[t % 3]).collect();
        let index = SeasonIndex::if_significant(&demand, 3);
        assert_eq!(index.form, Form::Multiplicative);
        assert!((index.index[2] - 1.5).abs() < 1e-12, "{index:?}");
        let lower: Vec<f64> = demand.iter().map(|d| d - 5.0).collect();
        let index = SeasonIndex::if_significant(&lower, 3);
        assert_eq!(index.form, Form::Additive);
        assert!((index.index[0] + 5.0).abs() < 1e-12, "{index:?}");
    }

    #[test]
    fn noise_and_constants_have_no_season() {
        assert!(SeasonIndex::if_significant(&[8.0; 60], 7).is_none());
        let noise: Vec<f64> = (0..70_u64).map(|t| ((t * t * 7919 + t * 31) % 101) as f64).collect();
        assert!(SeasonIndex::if_significant(&noise, 7).is_none());
        assert!(SeasonIndex::if_significant(&[f64::NAN; 60], 7).is_none());
    }
}
