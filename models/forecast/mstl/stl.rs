//! Seasonal-trend decomposition by LOESS: Cleveland, Cleveland, McRae & Terpenning (1990), Journal
//! of Official Statistics 6(1), section 2.2, the inner loop; and several seasons one after the
//! other: Bandara, Hyndman & Bergmeir (2021), MSTL, algorithm 1. Windows are those of R's `stl` and
//! `mstl`.

use super::super::season_index::interpolated;
use super::loess::Loess;

const INNER_LOOPS: usize = 2;
/// Rounds over several seasons, or over missing steps that are filled from the round before.
const ROUNDS: usize = 2;
/// Seasons' windows are 7 + 4k for the k-th season.
const WINDOW_FIRST: usize = 11;
const WINDOW_MORE: usize = 4;
/// LOESS jumps over a tenth of its window.
const JUMP: usize = 10;

/// Every season and the trend of each step.
pub(super) struct Decomposition {
    pub(super) seasons: Vec<Vec<f64>>,
    pub(super) trend: Vec<f64>,
}

/// Decomposes demand with missing steps. Seasons are ascending, each at least 2 and at most half of
/// the history. Missing steps are straight lines at first and then what the decomposition says.
pub(super) fn decompose(demand: &[f64], seasons: &[usize]) -> Decomposition {
    let missing: Vec<usize> = (0..demand.len()).filter(|&t| demand[t].is_nan()).collect();
    let rounds = if seasons.len() > 1 || !missing.is_empty() { ROUNDS } else { 1 };
    let mut rest = interpolated(demand);
    let mut parts = Decomposition {
        seasons: vec![vec![0.0; demand.len()]; seasons.len()],
        trend: vec![0.0; demand.len()],
    };
    let mut smoothers: Vec<Stl> = seasons
        .iter()
        .enumerate()
        .map(|(k, m)| Stl::new(*m, WINDOW_FIRST + WINDOW_MORE * k, demand.len()))
        .collect();
    for round in 0..rounds {
        if round > 0 {
            // Without its seasons, which are taken out of `rest`, a missing step is its trend.
            missing.iter().for_each(|&t| rest[t] = parts.trend[t]);
        }
        for (stl, season) in smoothers.iter_mut().zip(&mut parts.seasons) {
            rest.iter_mut().zip(season.iter()).for_each(|(rest, season)| *rest += season);
            stl.decompose(&rest, season, &mut parts.trend);
            rest.iter_mut().zip(season.iter()).for_each(|(rest, season)| *rest -= season);
        }
    }
    parts
}

/// The smoothers of one season, and scratch.
struct Stl {
    m: usize,
    subseries: Loess,
    low_pass: Loess,
    trend: Loess,
    cycle: Vec<f64>,
    cycle_smooth: Vec<f64>,
    /// Smoothed subseries, a season longer than the history at either end.
    extended: Vec<f64>,
    averaged: Vec<f64>,
    scratch: Vec<f64>,
}

impl Stl {
    fn new(m: usize, window: usize, n: usize) -> Stl {
        let odd = |width: usize| width | 1;
        let low_pass = odd(m);
        let trend = odd((1.5 * m as f64 / (1.0 - 1.5 / window as f64)).ceil() as usize);
        let loess = |window: usize, line| Loess::new(window, line, window.div_ceil(JUMP));
        Stl {
            m,
            subseries: loess(window, false),
            low_pass: loess(low_pass, true),
            trend: loess(trend, true),
            cycle: Vec::with_capacity(n / m + 1),
            cycle_smooth: vec![0.0; n / m + 1],
            extended: vec![0.0; n + 2 * m],
            averaged: Vec::with_capacity(n + 2 * m),
            scratch: Vec::with_capacity(n + 2 * m),
        }
    }

    fn decompose(&mut self, values: &[f64], season: &mut [f64], trend: &mut [f64]) {
        let n = values.len();
        trend.fill(0.0);
        for _ in 0..INNER_LOOPS {
            self.smooth_subseries(values, trend);
            // What is left of level and trend in the smoothed subseries is not seasonal.
            average(&self.extended, self.m, &mut self.averaged);
            average(&self.averaged, self.m, &mut self.scratch);
            average(&self.scratch, 3, &mut self.averaged);
            self.scratch.resize(n, 0.0);
            self.low_pass.smooth(&self.averaged, &mut self.scratch);
            let cycles = &self.extended[self.m..self.m + n];
            for (season, (cycle, low)) in season.iter_mut().zip(cycles.iter().zip(&self.scratch)) {
                *season = cycle - low;
            }
            let without = values.iter().zip(season.iter()).map(|(value, season)| value - season);
            self.averaged.clear();
            self.averaged.extend(without);
            self.trend.smooth(&self.averaged, trend);
        }
    }

    /// Smooths the first, second, ... steps of all seasons each, and one beyond either end.
    fn smooth_subseries(&mut self, values: &[f64], trend: &[f64]) {
        let m = self.m;
        for step in 0..m {
            self.cycle.clear();
            let detrended = values.iter().zip(trend).map(|(value, trend)| value - trend);
            self.cycle.extend(detrended.skip(step).step_by(m));
            let count = self.cycle.len();
            let smooth = &mut self.cycle_smooth[..count];
            self.subseries.smooth(&self.cycle, smooth);
            self.extended[step] = self.subseries.at_end(&self.cycle, -1.0);
            for (k, value) in smooth.iter().enumerate() {
                self.extended[step + (k + 1) * m] = *value;
            }
            let beyond = self.subseries.at_end(&self.cycle, count as f64);
            self.extended[step + (count + 1) * m] = beyond;
        }
    }
}

/// Moving averages of all whole windows.
fn average(values: &[f64], width: usize, out: &mut Vec<f64>) {
    out.clear();
    let mut sum: f64 = values[..width].iter().sum();
    out.push(sum / width as f64);
    for (leaving, entering) in values.iter().zip(&values[width..]) {
        sum += entering - leaving;
        out.push(sum / width as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_two_seasons_falls_into_its_parts() {
        let day = |t: usize| [-3.0, 1.0, 5.0, -1.0, -2.0][t % 5];
        let week = |t: usize| ((t % 20) as f64 - 9.5).abs() - 5.0;
        let demand: Vec<f64> = (0..240)
            .map(|t| if t % 31 == 7 { f64::NAN } else { 40.0 + 0.1 * t as f64 + day(t) + week(t) })
            .collect();
        let parts = decompose(&demand, &[5, 20]);
        for t in 0..240 {
            let season = parts.seasons[0][t] + parts.seasons[1][t];
            assert!((season - day(t) - week(t)).abs() < 0.5, "{t}: {season}");
            assert!((parts.trend[t] - 40.0 - 0.1 * t as f64).abs() < 0.5, "{t}");
        }
    }
}
