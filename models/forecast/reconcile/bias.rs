//! What forecasts of a group are off by as a whole, as a factor per group.
//!
//! Small errors of one sign add up to a biased total. A factor is believed as far as the weeks
//! agree: empirical Bayes by moments (Efron & Morris 1973; Morris 1983), where what the groups'
//! deviations have in common from one week to another is the variance of lasting bias, and what
//! differs is noise. Without agreement every factor is 1.

/// Share of the normal distribution beyond which the variance of lasting bias is still doubted.
const DOUBT_Z: f64 = 1.64;
/// A larger factor says that something else is wrong.
const FACTOR_MAX: f64 = 1.4;

/// What was forecast and what came, summed over one group and one week, on the same days.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Week {
    pub forecast: f64,
    pub actual: f64,
}

/// A factor per group. `weeks[week][group]`; weeks must not overlap. Fewer than two say nothing.
pub fn factors(weeks: &[Vec<Week>]) -> Vec<f64> {
    let groups = weeks.first().map_or(0, Vec::len);
    let totals: Vec<Week> = weeks.iter().map(|week| total(week)).collect();
    if weeks.len() < 2 || totals.iter().any(|week| week.forecast <= 0.0 || week.actual <= 0.0) {
        return vec![1.0; groups];
    }
    let ratios: Vec<f64> = totals.iter().map(|week| week.actual / week.forecast).collect();
    let common = common(&ratios);
    let own = own(weeks, &ratios, groups);
    own.iter().map(|own| (common * own).clamp(1.0 / FACTOR_MAX, FACTOR_MAX)).collect()
}

fn total(week: &[Week]) -> Week {
    week.iter().fold(Week::default(), |sum, group| Week {
        forecast: sum.forecast + group.forecast,
        actual: sum.actual + group.actual,
    })
}

/// The mean log ratio of the weeks, drawn to zero as far as they disagree (the positive part of
/// James & Stein 1961). A variance from few weeks is itself uncertain and counts for more.
fn common(ratios: &[f64]) -> f64 {
    let n = ratios.len() as f64;
    let mean = ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / n;
    let squares: f64 = ratios.iter().map(|ratio| (ratio.ln() - mean).powi(2)).sum();
    let doubt = squares / (n - 1.0) / n * (1.0 + 2.0 / (n - 1.0));
    if mean * mean <= doubt { 1.0 } else { (mean * (1.0 - doubt / (mean * mean))).exp() }
}

/// What each group's ratio is beside that of all groups in the same week.
fn own(weeks: &[Vec<Week>], ratios: &[f64], groups: usize) -> Vec<f64> {
    // Sums over groups and pairs of weeks of deviations weighted by what was forecast, which has
    // the variance `noise` for every group and week when nothing lasts.
    let (mut products, mut weights, mut pairs) = (0.0, 0.0, 0.0);
    let (mut within, mut freedom) = (0.0, 0.0);
    let mut means = vec![(0.0, 0.0); groups];
    for (group, mean) in means.iter_mut().enumerate() {
        let seen: Vec<(f64, f64)> = weeks
            .iter()
            .zip(ratios)
            .map(|(week, ratio)| (week[group].forecast * ratio, week[group].actual))
            .filter(|&(expected, _)| expected > 0.0)
            .collect();
        let expected: f64 = seen.iter().map(|week| week.0).sum();
        let error: f64 = seen.iter().map(|week| week.1 - week.0).sum();
        *mean = (error, expected);
        if seen.len() < 2 {
            continue;
        }
        let average = error / expected;
        let scaled = |week: &(f64, f64)| (week.1 - week.0) / week.0.sqrt();
        for (n, one) in seen.iter().enumerate() {
            let deviation = (one.1 - one.0) / one.0 - average;
            within += one.0 * deviation * deviation;
            for other in &seen[..n] {
                products += scaled(one) * scaled(other);
                weights += (one.0 * other.0).sqrt();
                pairs += 1.0;
            }
        }
        freedom += seen.len() as f64 - 1.0;
    }
    if weights <= 0.0 {
        return vec![1.0; groups];
    }
    let noise = within / freedom;
    let lasting = (products - DOUBT_Z * noise * f64::sqrt(pairs)) / weights;
    if lasting <= 0.0 {
        return vec![1.0; groups];
    }
    let factor = |&(error, expected): &(f64, f64)| {
        if expected > 0.0 {
            1.0 + error / expected * lasting / (lasting + noise / expected)
        } else {
            1.0
        }
    };
    means.iter().map(factor).collect()
}
