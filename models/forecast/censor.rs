//! Demand of days on which the stock ran out: what was sold, and what would have been.
//!
//! A day's demand comes at a rate that is a gamma with mean `mu` and variance `phi mu^2`, so demand
//! is negative binomial. A day that was open for the share `a` of its demand and sold `s` has the
//! likelihood of `s` events during `a`, whatever ended it: that the stock-out itself was caused by
//! demand changes nothing (the likelihood principle; Berger & Wolpert 1988). The rate given the day
//! is the gamma with shape `1/phi + s` and rate `1/(phi mu) + a`, and the expected demand
//! `s + (1 - a) mu (1 + phi s) / (1 + phi a mu)`.
//!
//! Means and dispersion come from all days with their exposures, by maximum likelihood. Whole days
//! alone would be too low, for a day stays whole because little was asked for. The dispersion may
//! come out a little negative: cut off at zero its estimates would be too high on average, and
//! with them the demand of days that sold out.

use crate::series::FULLY_AVAILABLE;

/// A day that was open for less is missing.
const OPEN_MIN: f64 = 1e-3;
/// Further passes move dispersions that few sales tell apart from their neighbours, at a cost.
const PASSES_MAX: usize = 4;
const LOCAL_PASSES_MAX: usize = 1;
const TOLERANCE: f64 = 5e-3;
/// Whole steps of the season's average that steady each step's factor.
const FACTOR_PRIOR_STEPS: f64 = 2.0;
/// Seasons, and steps at the least, over which the level is local.
const LOCAL_SEASONS: f64 = 3.0;
const LOCAL_STEPS_MIN: f64 = 21.0;
/// Poisson units of the series' level that steady the local one: it strays by an eighth or so.
const LOCAL_PRIOR_UNITS: f64 = 60.0;
const DISPERSION_MAX: f64 = 10.0;
/// Units that are added up one by one; beyond them an integral does.
const UNITS: usize = 64;

/// The share of a day's demand that falls into its first part: a shop that is open from eight to
/// twenty and sells most after work has seen little of its demand at noon.
#[derive(Clone, Debug, PartialEq)]
pub struct DayShare {
    /// Cumulative share of demand at equal distances over the selling hours.
    knots: Vec<f64>,
}

impl Default for DayShare {
    /// Demand spread evenly over the selling hours.
    fn default() -> DayShare {
        DayShare { knots: vec![0.0, 1.0] }
    }
}

impl DayShare {
    /// From cumulative shares at equal distances over the selling hours, which begin with 0, end
    /// with 1 and never fall.
    pub fn new(knots: Vec<f64>) -> Option<DayShare> {
        let rises = knots.windows(2).all(|pair| pair[0] <= pair[1]);
        let ends = knots.first() == Some(&0.0) && knots.last() == Some(&1.0);
        (rises && ends).then_some(DayShare { knots })
    }

    /// Share of demand in the first `available` of the selling hours.
    pub fn of(&self, available: f32) -> f64 {
        let at = f64::from(available).clamp(0.0, 1.0) * (self.knots.len() - 1) as f64;
        let below = (at as usize).min(self.knots.len() - 2);
        let (low, high) = (self.knots[below], self.knots[below + 1]);
        low + (high - low) * (at - below as f64)
    }
}

/// Demand of every step: what was sold on a whole one, NaN where nothing could be sold, and in
/// between the expected demand given the sales, which is never below them. `available` is as in
/// [`crate::series::Series`], and `season` the number of steps in a season, 1 for none.
pub fn expected_demand(
    sold: &[f64],
    available: &[f32],
    season: usize,
    share: &DayShare,
) -> Vec<f64> {
    let open = |(&sold, &available): (&f64, &f32)| {
        let open = if available >= FULLY_AVAILABLE { 1.0 } else { share.of(available) };
        if open >= OPEN_MIN && (0.0..f64::INFINITY).contains(&sold) { open } else { 0.0 }
    };
    let open: Vec<f64> = sold.iter().zip(available).map(open).collect();
    let mut demand: Vec<f64> =
        sold.iter().zip(&open).map(|(&s, &a)| if a > 0.0 { s } else { f64::NAN }).collect();
    let seen: f64 = demand.iter().filter(|d| !d.is_nan()).sum();
    if seen <= 0.0 || open.iter().all(|&a| a <= 0.0 || a >= 1.0) {
        return demand;
    }
    let mut rates = Rates::new(&demand, &open, season.max(1));
    rates.converge(PASSES_MAX, true);
    rates.localise();
    rates.converge(LOCAL_PASSES_MAX, false);
    rates.localise();
    let missed: Vec<f64> = rates.missed().collect();
    demand.iter_mut().zip(missed).for_each(|(demand, missed)| *demand += missed);
    demand
}

/// Means of the steps, `level * local * factor of the season's step`, and their dispersion.
struct Rates<'a> {
    /// NaN where nothing could be sold, and `open` is 0.
    sold: &'a [f64],
    open: &'a [f64],
    level: f64,
    local: Vec<f64>,
    factor: Vec<f64>,
    dispersion: f64,
    /// `above[k]` steps sold more than `k` units.
    above: [f64; UNITS],
    most: f64,
    /// Sums of one pass per step of the season: weighted sales and weighted exposure.
    sums: Vec<(f64, f64)>,
}

/// Derivatives of the log-likelihood by the dispersion, and the information a Poisson would have.
#[derive(Default)]
struct Score {
    first: f64,
    second: f64,
    information: f64,
    most: f64,
}

impl<'a> Rates<'a> {
    fn new(sold: &'a [f64], open: &'a [f64], season: usize) -> Rates<'a> {
        let seen = || sold.iter().copied().filter(|s| !s.is_nan());
        let mut exactly = [0.0; UNITS + 1];
        seen().for_each(|s| exactly[(s as usize).min(UNITS)] += 1.0);
        let mut above = [0.0; UNITS];
        let mut more = exactly[UNITS];
        for k in (0..UNITS).rev() {
            above[k] = more;
            more += exactly[k];
        }
        Rates {
            sold,
            open,
            level: seen().sum::<f64>() / open.iter().sum::<f64>(),
            local: vec![1.0; sold.len()],
            factor: vec![1.0; season],
            dispersion: 0.0,
            above,
            most: seen().fold(0.0, f64::max),
            sums: vec![(0.0, 0.0); season],
        }
    }

    fn converge(&mut self, passes: usize, whole_level: bool) {
        for _ in 0..passes {
            if self.pass(whole_level) {
                break;
            }
        }
    }

    /// One step towards the maximum of the likelihood; whether it hardly moved.
    fn pass(&mut self, whole_level: bool) -> bool {
        let score = self.add_up();
        let before = (self.level, self.dispersion);
        self.move_dispersion(&score);
        let (sales, exposure) = self
            .sums
            .iter()
            .zip(&self.factor)
            .fold((0.0, 0.0), |(sales, exposure), (sums, factor)| {
                (sales + sums.0, exposure + sums.1 * factor)
            });
        if whole_level {
            self.level = sales / exposure;
        }
        let steps: f64 = self.open.iter().sum();
        let prior = FACTOR_PRIOR_STEPS * self.sums.iter().map(|sums| sums.1).sum::<f64>() / steps;
        for (factor, (sales, exposure)) in self.factor.iter_mut().zip(&self.sums) {
            *factor = (sales / self.level + prior) / (exposure + prior);
        }
        (self.level - before.0).abs() <= TOLERANCE * before.0
            && (self.dispersion - before.1).abs() <= TOLERANCE * (1.0 + before.1)
    }

    /// Fills `sums`, and adds up the score of the dispersion.
    fn add_up(&mut self) -> Score {
        let phi = self.dispersion;
        let mut score = Score::default();
        for (k, days) in self.above.iter().enumerate().take_while(|(_, days)| **days > 0.0) {
            let part = k as f64 / (1.0 + phi * k as f64);
            score.first += days * part;
            score.second -= days * part * part;
        }
        let inverse = 1.0 / phi;
        let first_units = integral(UNITS as f64 - 0.5, phi, inverse);
        self.sums.fill((0.0, 0.0));
        let mut step = 0;
        for ((&sold, &open), local) in self.sold.iter().zip(self.open).zip(&self.local) {
            if open > 0.0 {
                let exposure = open * local;
                let mean = self.level * self.factor[step] * exposure;
                let weight = 1.0 / (1.0 + phi * mean);
                let sums = &mut self.sums[step];
                *sums = (sums.0 + weight * sold, sums.1 + weight * exposure);
                let weighed = mean * weight;
                let (value, slope) = spread(mean, weighed, phi, inverse);
                score.first += value - sold * weighed;
                score.second += slope + sold * weighed * weighed;
                score.information += 0.5 * weighed * weighed;
                score.most = score.most.max(mean);
                if sold > UNITS as f64 {
                    let (value, slope) = integral(sold - 0.5, phi, inverse);
                    score.first += value - first_units.0;
                    score.second += slope - first_units.1;
                }
            }
            step = if step + 1 == self.sums.len() { 0 } else { step + 1 };
        }
        score
    }

    /// Newton's step, or the scoring step where the likelihood is no parabola at all.
    fn move_dispersion(&mut self, score: &Score) {
        let curved = -score.second;
        let trusted = 0.2 * score.information < curved && curved < score.information;
        let curvature = if trusted { curved } else { score.information };
        if curvature > 0.0 {
            let room = 1.0 + self.dispersion.abs();
            let step = (score.first / curvature).clamp(-0.5 * room, room);
            // Below this a mean or a sale would have a probability below zero.
            let least = -0.6 / self.most.max(score.most).max(0.2);
            self.dispersion = (self.dispersion + step).clamp(least, DISPERSION_MAX);
        }
    }

    /// The level around each step, from those before and after it and not from itself, or a day
    /// that sold out would raise what it is held against.
    fn localise(&mut self) {
        let season = self.factor.len();
        let keep = 1.0 - 1.0 / (LOCAL_SEASONS * season as f64).max(LOCAL_STEPS_MIN);
        let prior = LOCAL_PRIOR_UNITS / self.level;
        let n = self.sold.len();
        let weigh = |t: usize, step: usize, local: f64| {
            if self.open[t] <= 0.0 {
                return (0.0, 0.0);
            }
            let exposure = self.open[t] * self.factor[step];
            let weight = 1.0 / (1.0 + self.dispersion * self.level * local * exposure);
            (weight * self.sold[t], weight * exposure)
        };
        let (mut sales, mut exposure) = (0.0, 0.0);
        let mut step = 0;
        let mut weighed = Vec::with_capacity(n);
        for t in 0..n {
            let own = weigh(t, step, self.local[t]);
            weighed.push((own, (sales, exposure)));
            (sales, exposure) = (keep * (sales + own.0), keep * (exposure + own.1));
            step = if step + 1 == season { 0 } else { step + 1 };
        }
        (sales, exposure) = (0.0, 0.0);
        for (local, (own, before)) in self.local.iter_mut().zip(weighed).rev() {
            let (all, open) = (before.0 + sales, before.1 + exposure);
            *local = (all + LOCAL_PRIOR_UNITS) / ((open + prior) * self.level);
            (sales, exposure) = (keep * (sales + own.0), keep * (exposure + own.1));
        }
    }

    /// Expected demand of each step while nothing could be sold.
    fn missed(&self) -> impl Iterator<Item = f64> {
        let steps = self.sold.iter().zip(self.open).zip(&self.local);
        steps.zip(self.factor.iter().cycle()).map(|(((&sold, &open), local), factor)| {
            let mean = self.level * local * factor;
            let (more, less) = (1.0 + self.dispersion * sold, 1.0 + self.dispersion * open * mean);
            if open > 0.0 { ((1.0 - open) * mean * more / less).max(0.0) } else { 0.0 }
        })
    }
}

/// `(ln(1 + phi x) - phi x / (1 + phi x)) / phi^2` and its derivative by `phi`, with `weighed` for
/// `x / (1 + phi x)` and `inverse` for `1 / phi`.
#[inline]
fn spread(x: f64, weighed: f64, phi: f64, inverse: f64) -> (f64, f64) {
    let u = phi * x;
    if u.abs() < 0.02 {
        let value = 0.5 + u * (-2.0 / 3.0 + u * (0.75 - 0.8 * u));
        return (x * x * value, x * x * x * (-2.0 / 3.0 + u * (1.5 - 2.4 * u)));
    }
    let value = ((1.0 + u).ln() * inverse - weighed) * inverse;
    (value, (weighed * weighed - 2.0 * value) * inverse)
}

/// The integral of `k / (1 + phi k)` over `k` to `x`, and its derivative by `phi`.
#[inline]
fn integral(x: f64, phi: f64, inverse: f64) -> (f64, f64) {
    let u = phi * x;
    if u.abs() < 0.02 {
        let value = 0.5 + u * (-1.0 / 3.0 + u * (0.25 - 0.2 * u));
        return (x * x * value, x * x * x * (-1.0 / 3.0 + u * (0.5 - 0.6 * u)));
    }
    let value = (x - (1.0 + u).ln() * inverse) * inverse;
    (value, (x * x / (1.0 + u) - 2.0 * value) * inverse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_days_are_themselves_and_empty_days_are_missing() {
        let demand = expected_demand(
            &[3.0, 0.0, 5.0, f64::NAN, 2.0],
            &[1.0, 0.0, 0.999, 1.0, 0.9995],
            7,
            &DayShare::default(),
        );
        assert_eq!(demand[0], 3.0);
        assert!(demand[1].is_nan() && demand[3].is_nan());
        assert_eq!(demand[4], 2.0);
        assert!(expected_demand(&[], &[], 7, &DayShare::default()).is_empty());
    }

    #[test]
    fn a_steady_series_misses_its_rate() {
        let mut sold = vec![10.0; 60];
        let mut available = vec![1.0; 60];
        (sold[30], available[30]) = (4.0, 0.5);
        let demand = expected_demand(&sold, &available, 1, &DayShare::default());
        assert!((demand[30] - 9.0).abs() < 0.5, "{}", demand[30]);
        let late = DayShare::new(vec![0.0, 0.2, 1.0]).unwrap();
        let later = expected_demand(&sold, &available, 1, &late);
        assert!((later[30] - 12.0).abs() < 1.2, "{}", later[30]);
        assert!((late.of(0.75) - 0.6).abs() < 1e-12);
        assert_eq!(DayShare::new(vec![0.0, 1.1, 1.0]), None);
    }

    #[test]
    fn nothing_is_lost_or_broken_on_odd_series() {
        let part = |t: usize| [1.0, 0.4, 0.0, 0.9][t % 4];
        let available: Vec<f32> = (0..90).map(part).collect();
        for scale in [0.0, 1e-3, 0.37, 1.0, 80.0, 1e13] {
            let sold: Vec<f64> = (0..90).map(|t| scale * ((t * t) % 17) as f64).collect();
            for season in [0, 1, 7, 168] {
                let demand = expected_demand(&sold, &available, season, &DayShare::default());
                for (t, (&d, &s)) in demand.iter().zip(&sold).enumerate() {
                    let fine = if part(t) == 0.0 { d.is_nan() } else { d.is_finite() && d >= s };
                    assert!(fine, "{scale} {season} {t} {d} {s}");
                }
            }
        }
    }

    #[test]
    fn derivatives_are_continuous_where_the_series_takes_over() {
        let spread = |x: f64, phi: f64| spread(x, x / (1.0 + phi * x), phi, 1.0 / phi);
        let integral = |x: f64, phi: f64| integral(x, phi, 1.0 / phi);
        let both: [&dyn Fn(f64, f64) -> (f64, f64); 2] = [&spread, &integral];
        for f in both {
            let (below, above) = (f(2.0, 0.009_999), f(2.0, 0.010_001));
            assert!((below.0 - above.0).abs() < 1e-4 && (below.1 - above.1).abs() < 1e-3);
            let slope = (f(3.0, 0.4 + 1e-6).0 - f(3.0, 0.4 - 1e-6).0) / 2e-6;
            assert!((f(3.0, 0.4).1 - slope).abs() < 1e-5);
        }
    }
}
