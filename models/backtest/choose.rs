//! Which model makes a series' forecast.
//!
//! A series has few scored days and many candidates, so the least loss of its own is mostly luck.
//! Its relative losses are drawn to its class's averages, and every fitted parameter costs a
//! little.

/// A series' own loss weighs as much as the class's after this many scored days.
const CLASS_DAYS: f64 = 100.0;
/// Share of the loss charged for each fitted parameter.
const PARAMETER_PRICE: f64 = 0.001;

/// The candidate with the least shrunk loss, the next one, and the share by which it lost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    pub best: usize,
    pub runner_up: Option<usize>,
    pub margin: f64,
}

impl Choice {
    /// Not chosen but asked for.
    pub fn only(best: usize) -> Choice {
        Choice { best, runner_up: None, margin: 0.0 }
    }
}

/// Losses over their mean across the candidates that have one; NaN stays NaN.
pub fn relative(loss: &[f64], out: &mut [f64]) -> bool {
    let (sum, n) =
        loss.iter().filter(|l| l.is_finite()).fold((0.0, 0.0), |(sum, n), l| (sum + l, n + 1.0));
    let mean = sum / n;
    if !(mean > 0.0 && mean.is_finite()) {
        return false;
    }
    out.iter_mut().zip(loss).for_each(|(out, l)| *out = l / mean);
    true
}

/// Chooses from a series' `own` losses (NaN where a candidate has no fit) on `days` scored days and
/// its class's average `class` relative losses. `eligible` says what may be chosen at all.
pub fn choose(
    own: &[f64],
    days: f64,
    class: &[f64],
    parameters: &[usize],
    eligible: impl Fn(usize) -> bool,
) -> Option<Choice> {
    let mut ratio = vec![f64::NAN; own.len()];
    let has_own = days > 0.0 && relative(own, &mut ratio);
    let weight = if has_own { days / (days + CLASS_DAYS) } else { 0.0 };
    let mut order: Vec<(f64, usize)> = (0..own.len())
        .filter(|&c| eligible(c) && class[c].is_finite() && (!has_own || ratio[c].is_finite()))
        .map(|c| {
            let own = if has_own { weight * ratio[c] } else { 0.0 };
            let charge = 1.0 + PARAMETER_PRICE * parameters[c] as f64;
            ((own + (1.0 - weight) * class[c]) * charge, c)
        })
        .collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let &(least, best) = order.first()?;
    let runner_up = order.get(1).map(|&(_, c)| c);
    let margin =
        order.get(1).map_or(0.0, |&(next, _)| if next > 0.0 { 1.0 - least / next } else { 0.0 });
    Some(Choice { best, runner_up, margin })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(own: &[f64], days: f64, class: &[f64], want: Option<usize>) {
        let parameters = vec![0; own.len()];
        let got = choose(own, days, class, &parameters, |_| true);
        assert_eq!(got.map(|c| c.best), want, "{own:?} {days}");
    }

    #[test]
    fn a_series_departs_from_its_class_only_with_evidence() {
        let class = [0.9, 1.0, 1.1];
        check(&[1.05, 1.0, 1.2], 7.0, &class, Some(0));
        check(&[2.0, 1.0, 1.2], 100.0, &class, Some(1));
        check(&[f64::NAN, 1.0, 1.2], 60.0, &class, Some(1));
        check(&[f64::NAN; 3], 0.0, &class, Some(0));
        check(&[0.0; 3], 60.0, &class, Some(0));
        check(&[1.0; 3], 60.0, &[f64::NAN; 3], None);
    }
}
