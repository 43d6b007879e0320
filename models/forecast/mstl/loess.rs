//! LOESS on evenly spaced points (Cleveland 1979, as in the STL of Cleveland et al. 1990, section
//! 2): a local constant or line with tricube weights. Inside the series all windows are alike and
//! symmetric, so that a line's value at the centre is the weighted mean: one set of weights serves
//! all. Only near the ends is a line fitted. Values are taken every `jump` steps with straight
//! lines between, which makes a pass linear in the length for any window.

/// Distances beyond this part of the window's reach have no weight, those below it have all.
const FAR: f64 = 0.999;
const NEAR: f64 = 0.001;

/// A smoother with its weights.
pub(super) struct Loess {
    window: usize,
    line: bool,
    jump: usize,
    /// Weights of a window that lies inside the series, summing to 1.
    inside: Vec<f64>,
}

impl Loess {
    /// Of a window of an odd number of points; `line` for degree 1, else degree 0.
    pub(super) fn new(window: usize, line: bool, jump: usize) -> Loess {
        let half = (window / 2) as f64;
        let weights = (0..window).map(|k| tricube((k as f64 - half).abs(), half));
        let sum: f64 = weights.clone().sum();
        Loess { window, line, jump, inside: weights.map(|weight| weight / sum).collect() }
    }

    /// Smooths `values` into `out`, which has the same length.
    pub(super) fn smooth(&self, values: &[f64], out: &mut [f64]) {
        let last = values.len() - 1;
        let mut from = 0;
        out[0] = self.at(values, 0);
        while from < last {
            let to = (from + self.jump).min(last);
            out[to] = self.at(values, to);
            let slope = (out[to] - out[from]) / (to - from) as f64;
            for k in 1..to - from {
                out[from + k] = out[from] + slope * k as f64;
            }
            from = to;
        }
    }

    fn at(&self, values: &[f64], place: usize) -> f64 {
        let half = self.window / 2;
        if place < half || place + half >= values.len() {
            return self.at_end(values, place as f64);
        }
        let window = &values[place - half..=place + half];
        window.iter().zip(&self.inside).map(|(value, weight)| value * weight).sum()
    }

    /// The smooth at any place, also one step outside.
    pub(super) fn at_end(&self, values: &[f64], place: f64) -> f64 {
        let n = values.len();
        let width = self.window.min(n);
        let first = (place - (width / 2) as f64).clamp(0.0, (n - width) as f64) as usize;
        let reach = f64::max(place - first as f64, (first + width - 1) as f64 - place)
            + ((self.window - width) / 2) as f64;
        let window = || {
            let points = values[first..first + width].iter().enumerate();
            points.map(|(k, value)| ((first + k) as f64 - place, *value))
        };
        let mut sums = [0.0; 5];
        for (distance, value) in window() {
            let weight = tricube(distance.abs(), reach);
            sums[0] += weight;
            sums[1] += weight * distance;
            sums[2] += weight * distance * distance;
            sums[3] += weight * value;
            sums[4] += weight * distance * value;
        }
        let [total, distance, square, value, product] = sums;
        if total <= 0.0 {
            return values[(place.max(0.0) as usize).min(n - 1)];
        }
        let spread = total * square - distance * distance;
        // Points that lie together have no slope.
        if self.line && spread > 1e-9 * total * total {
            (square * value - distance * product) / spread
        } else {
            value / total
        }
    }
}

fn tricube(distance: f64, reach: f64) -> f64 {
    if distance <= NEAR * reach {
        return 1.0;
    }
    if distance > FAR * reach {
        return 0.0;
    }
    let part = distance / reach;
    (1.0 - part * part * part).powi(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_smoothed_to_itself_also_at_its_ends_and_beyond() {
        let line: Vec<f64> = (0..30).map(|t| 5.0 + 2.0 * f64::from(t)).collect();
        for (window, jump) in [(7, 1), (13, 3), (51, 6)] {
            let loess = Loess::new(window, true, jump);
            let mut out = vec![0.0; 30];
            loess.smooth(&line, &mut out);
            for (got, expected) in out.iter().zip(&line) {
                assert!((got - expected).abs() < 1e-9, "{window} {got} {expected}");
            }
            assert!((loess.at_end(&line, -1.0) - 3.0).abs() < 1e-9);
            assert!((loess.at_end(&line, 30.0) - 65.0).abs() < 1e-9);
        }
    }

    /// Window 5 around the centre of 0 0 1 0 0: weights 0, (1 - 1/8)^3, 1, (1 - 1/8)^3, 0.
    #[test]
    fn weights_by_hand() {
        let loess = Loess::new(5, false, 1);
        let mut out = [0.0; 5];
        loess.smooth(&[0.0, 0.0, 1.0, 0.0, 0.0], &mut out);
        assert!((out[2] - 1.0 / (1.0 + 2.0 * 0.669921875)).abs() < 1e-12, "{out:?}");
    }
}
