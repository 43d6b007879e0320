//! Demand paths by a Gaussian copula whose ranks are drawn once for all series.
//!
//! A latent value per path and day is a common path effect plus an AR(1). Per day the latent values
//! of all paths are replaced by their ranks, so each day's demands are the exact strata
//! `(rank + 0.5) / paths` of that day's distribution (Latin hypercube with rank coupling, Iman &
//! Conover 1982), and a series costs one quantile table a day. Series that share luck have ranks of
//! their own, made of what they share and what they do not; the others read the tables' paths each
//! in an order of its own, so that nobody shares by accident.

use super::DemandPaths;
use super::count::{CountDemand, Levels};
use super::luck::{Luck, SharedLuck, path_order, ranks};
use super::shape::SpreadShape;

/// Correlations between days for which rank tables exist.
const CORRELATIONS: [f64; 9] = [0.0, 0.03, 0.07, 0.12, 0.2, 0.3, 0.45, 0.65, 0.9];
/// Tables of one correlation.
const VARIANTS: usize = 4;
const AUTOREGRESSION_MAX: f64 = 0.8;

/// The rank tables of a run: one for all series, so they are built once.
#[derive(Clone, Debug)]
pub struct PathPlan {
    paths: usize,
    horizon: usize,
    levels: Levels,
    /// `ranks[correlation * VARIANTS + variant][day * paths + path]`.
    ranks: Vec<Vec<u16>>,
    luck: Luck,
}

/// How a series' demand spreads, over the days and with others.
#[derive(Clone, Copy, Debug)]
pub struct Spread<'a> {
    pub dispersion: f64,
    pub shape: &'a SpreadShape,
    /// Mean correlation of two different days.
    pub correlation: f64,
    pub shared: SharedLuck,
}

impl PathPlan {
    /// `paths` equally likely futures (1..=65535) of `horizon` days; the same seed, the same ranks.
    pub fn new(paths: usize, horizon: usize, seed: u64) -> PathPlan {
        let paths = paths.clamp(1, usize::from(u16::MAX));
        let levels = Levels::strata(paths);
        let ranks = (0..CORRELATIONS.len() * VARIANTS)
            .map(|table| {
                let correlation = CORRELATIONS[table / VARIANTS];
                let mut random = Random::new(seed ^ mix(table as u64 + 1));
                rank_table(paths, horizon, correlation, &mut random)
            })
            .collect();
        let luck = Luck::new(paths, horizon, seed);
        PathPlan { paths, horizon, levels, ranks, luck }
    }

    pub fn paths(&self) -> usize {
        self.paths
    }

    pub fn horizon(&self) -> usize {
        self.horizon
    }

    /// Paths of a series with these daily means. `key` picks its own luck. Days beyond `mean` have
    /// no demand.
    pub fn draw(&self, key: u64, mean: &[f64], spread: &Spread) -> DemandPaths {
        let days = self.horizon.min(mean.len());
        let mut values = vec![0.0f32; self.paths * self.horizon];
        let mut strata = vec![0.0f32; self.paths];
        let levels = spread.shape.strata(&self.levels);
        let mut of = (f64::NAN, usize::MAX);
        let mut of_day = |day: usize, ranks: &mut dyn Iterator<Item = u16>| {
            let stage = spread.shape.stage(day);
            if (mean[day], stage) != of {
                of = (mean[day], stage);
                let dispersion = spread.shape.growth(day) * spread.dispersion;
                CountDemand::new(mean[day], dispersion).quantiles(&levels[stage], &mut strata);
            }
            for (path, rank) in ranks.enumerate() {
                values[path * self.horizon + day] = strata[usize::from(rank)];
            }
        };
        if spread.shared.is_none() {
            let table = nearest(spread.correlation) * VARIANTS;
            let table = &self.ranks[table + (mix(key) % VARIANTS as u64) as usize];
            let order = path_order(key, self.paths);
            for (day, ranks) in table.chunks_exact(self.paths).enumerate().take(days) {
                of_day(day, &mut order.iter().map(|&path| ranks[usize::from(path)]));
            }
        } else {
            self.with_company(key, days, spread, &mut of_day);
        }
        DemandPaths { paths: self.paths, horizon: self.horizon, values }
    }

    /// Calls `of_day` with each day's ranks of a series that shares its luck.
    fn with_company(
        &self,
        key: u64,
        days: usize,
        spread: &Spread,
        of_day: &mut dyn FnMut(usize, &mut dyn Iterator<Item = u16>),
    ) {
        let (common, a) = split(CORRELATIONS[nearest(spread.correlation)], self.horizon);
        let (stays, fades) = (common.sqrt() as f32, (1.0 - common).sqrt() as f32);
        let (a, fresh) = (a as f32, (1.0 - a * a).sqrt() as f32);
        let drawn = self.luck.draw(key, &spread.shared);
        let (effect, days_of) = drawn.split_at(self.paths);
        let mut fading = days_of[..self.paths].to_vec();
        let mut latent = vec![0.0; self.paths];
        let (mut keys, mut rank) = (Vec::with_capacity(self.paths), vec![0; self.paths]);
        for (day, row) in days_of.chunks_exact(self.paths).enumerate().take(days) {
            if day > 0 {
                fading.iter_mut().zip(row).for_each(|(e, row)| *e = a * *e + fresh * row);
            }
            for ((latent, effect), fading) in latent.iter_mut().zip(effect).zip(&fading) {
                *latent = stays * effect + fades * fading;
            }
            ranks(&latent, &mut keys, &mut rank);
            of_day(day, &mut rank.iter().copied());
        }
    }
}

fn nearest(correlation: f64) -> usize {
    let mut best = 0;
    for (k, c) in CORRELATIONS.iter().enumerate() {
        if (c - correlation).abs() < (CORRELATIONS[best] - correlation).abs() {
            best = k;
        }
    }
    best
}

/// Mean correlation of two different days of an AR(1) with coefficient `a` over `horizon` days.
fn autoregressive_mean(a: f64, horizon: usize) -> f64 {
    if horizon < 2 {
        return 0.0;
    }
    let h = horizon as f64;
    let mut power = 1.0;
    let mut sum = 0.0;
    for lag in 1..horizon {
        power *= a;
        sum += (h - lag as f64) * power;
    }
    2.0 * sum / (h * (h - 1.0))
}

/// Splits a mean correlation into (share of the common path effect, AR(1) coefficient): half of it
/// fades with the lag, half stays over the horizon, as an error of the level does.
fn split(correlation: f64, horizon: usize) -> (f64, f64) {
    let (mut low, mut high) = (0.0, AUTOREGRESSION_MAX);
    for _ in 0..40 {
        let middle = 0.5 * (low + high);
        if autoregressive_mean(middle, horizon) < 0.5 * correlation {
            low = middle;
        } else {
            high = middle;
        }
    }
    let fading = autoregressive_mean(low, horizon);
    (((correlation - fading) / (1.0 - fading)).clamp(0.0, 1.0), low)
}

fn rank_table(paths: usize, horizon: usize, correlation: f64, random: &mut Random) -> Vec<u16> {
    let (common, a) = split(correlation, horizon);
    let common_effect: Vec<f64> = (0..paths).map(|_| common.sqrt() * random.normal()).collect();
    let mut fading: Vec<f64> = (0..paths).map(|_| random.normal()).collect();
    let mut order: Vec<(f64, u16)> = Vec::with_capacity(paths);
    let mut ranks = vec![0u16; paths * horizon];
    for day in 0..horizon {
        if day > 0 {
            let fresh = (1.0 - a * a).sqrt();
            fading.iter_mut().for_each(|e| *e = a * *e + fresh * random.normal());
        }
        order.clear();
        let latent = common_effect.iter().zip(&fading);
        order.extend(
            latent.enumerate().map(|(p, (c, e))| (c + (1.0 - common).sqrt() * e, p as u16)),
        );
        order.sort_by(|x, y| x.0.total_cmp(&y.0).then(x.1.cmp(&y.1)));
        for (rank, &(_, path)) in order.iter().enumerate() {
            ranks[day * paths + usize::from(path)] = rank as u16;
        }
    }
    ranks
}

/// The finaliser of SplitMix64 (Steele, Lea & Flood 2014).
pub(crate) fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// A number in (0, 1) for each `x`.
pub(crate) fn unit(x: u64) -> f64 {
    ((mix(x) >> 11) as f64 + 0.5) / (1u64 << 53) as f64
}

/// SplitMix64 with normal deviates by Box and Muller.
pub(super) struct Random {
    state: u64,
    spare: Option<f64>,
}

impl Random {
    pub fn new(seed: u64) -> Random {
        Random { state: mix(seed), spare: None }
    }

    fn uniform(&mut self) -> f64 {
        let drawn = unit(self.state);
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        drawn
    }

    pub fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * self.uniform()).sin_cos();
        self.spare = Some(radius * sin);
        radius * cos
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
        let n = values.clone().count() as f64;
        let mean = values.clone().sum::<f64>() / n;
        (mean, values.map(|v| (v - mean).powi(2)).sum::<f64>() / n)
    }

    fn draw(
        plan: &PathPlan,
        key: u64,
        mean: &[f64],
        of: (f64, f64),
        luck: (f32, f32),
    ) -> DemandPaths {
        let shared = SharedLuck { group: 3, all: luck.0, of_group: luck.1 };
        let shape = SpreadShape::default();
        let (dispersion, correlation) = of;
        plan.draw(key, mean, &Spread { dispersion, shape: &shape, correlation, shared })
    }

    const LUCK: [(f32, f32); 4] = [(0.0, 0.0), (0.1, 0.0), (0.05, 0.3), (0.6, 0.4)];

    #[test]
    fn every_day_of_the_paths_is_that_days_strata() {
        let plan = PathPlan::new(400, 3, 7);
        let mean = [0.4, 6.0, 900.0];
        for luck in LUCK {
            let paths = draw(&plan, 11, &mean, (0.3, 0.2), luck);
            for (day, &mean) in mean.iter().enumerate() {
                let mut got: Vec<f32> = (0..400).map(|p| paths.path(p)[day]).collect();
                got.sort_by(f32::total_cmp);
                let mut want = vec![0.0; 400];
                CountDemand::new(mean, 0.3).quantiles(&Levels::strata(400), &mut want);
                assert_eq!(got, want, "{luck:?}");
            }
        }
    }

    #[test]
    fn sums_along_paths_have_the_asked_variance() {
        let plan = PathPlan::new(2000, 14, 3);
        let mean = [200.0f64; 14];
        let daily = CountDemand::new(200.0, 0.05).variance();
        for correlation in CORRELATIONS {
            for (key, luck) in (0..4).zip(LUCK) {
                let paths = draw(&plan, key, &mean, (0.05, correlation), luck);
                let sums = (0..2000).map(|p| paths.path(p).iter().map(|&v| f64::from(v)).sum());
                let (average, variance) = moments(sums);
                let want = daily * (14.0 + 14.0 * 13.0 * correlation);
                assert!((average / 2800.0 - 1.0).abs() < 0.01, "{average}");
                let off = (variance / want - 1.0).abs();
                assert!(off < 0.15, "{correlation} {luck:?} {variance} {want}");
            }
        }
    }

    #[test]
    fn series_go_together_as_far_as_they_share_their_luck() {
        let plan = PathPlan::new(1000, 7, 5);
        let mean = [300.0f64; 7];
        for luck in LUCK {
            let of = |key| draw(&plan, key, &mean, (0.04, 0.3), luck).values;
            let all: Vec<Vec<f32>> = (0..30).map(of).collect();
            let totals = (0..7000).map(|at| all.iter().map(|of| f64::from(of[at])).sum());
            let (_, variance) = moments(totals);
            let daily = 30.0 * CountDemand::new(300.0, 0.04).variance();
            // Every pair adds its correlation twice.
            let got = (variance / daily - 1.0) / 29.0;
            let want = f64::from(luck.0 + luck.1);
            assert!((got - want).abs() < 0.02 + 0.06 * want, "{luck:?}: {got}");
        }
    }

    #[test]
    fn a_seed_fixes_the_paths_and_another_changes_them() {
        for luck in LUCK {
            let of = |seed| draw(&PathPlan::new(50, 5, seed), 1, &[5.0; 5], (0.2, 0.3), luck);
            assert_eq!(of(1), of(1));
            assert_ne!(of(1), of(2));
        }
    }
}
