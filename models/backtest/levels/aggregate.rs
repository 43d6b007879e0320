//! Sums of series as series of their own, to be forecast as any other.
//!
//! A sum is of demand and not of sales: days that sold out have what was to be expected of them, at
//! the level to which the members' forecasts are brought, so that forecasts of sums and sums of
//! forecasts mean the same. What a day on which nothing could be sold would have brought is guessed
//! from the same weekdays before it; a day of which too much is guessed counts as not seen. The
//! days before the last cutoff are made up for with what was known at each cutoff, so a trial of a
//! sum sees no more than that of its members.

use std::ops::Range;

use crate::backtest::trial::Origins;
use crate::calendar::Day;
use crate::forecast::drivers::{ForecastInput, SeriesMeta};
use crate::forecast::model::seen_demand;
use crate::forecast::reconcile::hierarchy::Hierarchy;
use crate::series::Panel;

use super::parts::Part;

/// A day counts as seen when at most this share of it was guessed.
const GUESSED_SHARE_MAX: f64 = 0.3;
/// Weight of the newest day in the mean of a weekday.
const WEEKDAY_SMOOTHING: f64 = 0.3;
/// A level whose nodes have fewer members on average says little beside its members.
const MEMBERS_MIN: usize = 3;
/// Fewer series are not worth summing.
const SERIES_MIN: usize = 6;

/// The series that are added up, and their sums so far.
pub struct Aggregates {
    pub hierarchy: Hierarchy,
    /// The panel's series of each series of the hierarchy: those that go to the panel's last day
    /// and have every cutoff with the whole horizon.
    pub members: Vec<usize>,
    pub origins: Origins,
    /// First day of the sums.
    start: Day,
    days: usize,
    /// `sums[node * days + day]`, and how much of it was guessed.
    sums: Vec<f64>,
    guessed: Vec<f64>,
    /// Per node the first day on which a member is there.
    first: Vec<usize>,
    /// Per member, mean demand before the first cutoff: its weight in what a sum's drivers are.
    volume: Vec<f64>,
}

impl Aggregates {
    /// Nothing when too few series have the same cutoffs, or nothing adds up.
    pub fn new(input: &ForecastInput, parts: &[Part], origins: &[Origins]) -> Option<Aggregates> {
        let panel = input.panel;
        let end = (0..panel.len()).map(|i| panel.series(i).end()).max()?;
        let current: Vec<usize> =
            (0..panel.len()).filter(|&i| panel.series(i).end() == end).collect();
        let most = current.iter().map(|&i| (origins[i].horizon, origins[i].count)).max()?;
        let members: Vec<usize> = current
            .into_iter()
            .filter(|&i| (origins[i].horizon, origins[i].count) == most)
            .collect();
        if members.len() < SERIES_MIN || most.1 == 0 {
            return None;
        }
        let hierarchy = hierarchy(parts, &members);
        let start = members.iter().map(|&i| panel.start[i]).min()?;
        let days = (end - start) as usize;
        let mut first = vec![days; hierarchy.nodes()];
        hierarchy.each(|node, at| {
            first[node] = first[node].min((panel.start[members[at]] - start) as usize);
        });
        let cells = hierarchy.nodes() * days;
        let longest = members.iter().copied().max_by_key(|&i| panel.series(i).len())?;
        Some(Aggregates {
            origins: origins[longest],
            start,
            days,
            sums: vec![0.0; cells],
            guessed: vec![0.0; cells],
            first,
            volume: vec![0.0; members.len()],
            members,
            hierarchy,
        })
    }

    /// Adds the days before the last cutoff, as they were known at the cutoffs.
    pub fn take_past(&mut self, known: &Panel, levels: &[f64], season: usize) {
        let last = self.days - self.origins.horizon;
        self.take(known, levels, season, 0..last);
        let cut = self.days - self.origins.horizon - (self.origins.count - 1) * self.origins.step;
        for (at, &i) in self.members.iter().enumerate() {
            let series = known.series(i);
            let before = series.before(self.start + cut as i32);
            let (sum, n) = before
                .demand()
                .filter(|demand| !demand.is_nan())
                .fold((0.0, 0.0), |(sum, n), demand| (sum + demand, n + 1.0));
            self.volume[at] = if n > 0.0 { sum / n } else { 0.0 };
        }
    }

    /// Adds the days after the last cutoff; `levels` are those of [`Aggregates::take_past`].
    pub fn take_rest(&mut self, known: &Panel, levels: &[f64], season: usize) {
        self.take(known, levels, season, self.days - self.origins.horizon..self.days);
    }

    fn take(&mut self, known: &Panel, levels: &[f64], season: usize, days: Range<usize>) {
        let mut values: Vec<(f64, f64)> = Vec::new();
        for (at, &i) in self.members.iter().enumerate() {
            let series = known.series(i);
            let offset = (series.start - self.start) as usize;
            guess_missing(&seen_demand(&series), season, &mut values);
            let from = days.start.max(offset);
            for level in 0..self.hierarchy.levels().len() {
                let row = self.hierarchy.node(level, at) * self.days;
                for day in from..days.end {
                    let (demand, guessed) = values[day - offset];
                    self.sums[row + day] += levels[i] * demand;
                    self.guessed[row + day] += levels[i] * guessed;
                }
            }
        }
    }

    /// Sum of a node's demand on a day before the panel's end, NaN when too little of it was seen.
    pub fn seen(&self, node: usize, day: usize) -> f64 {
        let at = node * self.days + day;
        if self.guessed[at] <= GUESSED_SHARE_MAX * self.sums[at] { self.sums[at] } else { f64::NAN }
    }

    /// Days of the sums.
    pub fn days(&self) -> usize {
        self.days
    }

    /// The sums as a panel, with the calendar of the region that most of a node's demand is from
    /// and its members' promotions and prices by their volumes.
    pub fn panel(&self, input: &ForecastInput) -> (Panel, Vec<SeriesMeta>, Vec<String>) {
        let horizon = input.panel.horizon_days;
        let mut panel = Panel { offsets: vec![0], horizon_days: horizon, ..Panel::default() };
        let drivers = self.drivers(input);
        let regions = self.regions(input);
        let mut meta = Vec::with_capacity(self.hierarchy.nodes());
        for (level, of) in self.hierarchy.levels().iter().enumerate() {
            for node in self.hierarchy.nodes_of(level) {
                for day in self.first[node]..self.days {
                    let seen = self.seen(node, day);
                    panel.available.push(f32::from(u8::from(!seen.is_nan())));
                    panel.sold.push(if seen.is_nan() { 0.0 } else { seen });
                }
                panel.offsets.push(panel.sold.len());
                panel.start.push(self.start + self.first[node] as i32);
                let (depth, ratio) = &drivers[node];
                panel.promo_depth.extend(&depth[self.first[node]..]);
                panel.price_ratio.extend(&ratio[self.first[node]..]);
                meta.push(SeriesMeta {
                    key: crate::distribution::paths::mix(node as u64 + 1),
                    category: level as u32,
                    item: u32::MAX,
                    region: regions[node].0,
                    weather_region: regions[node].1,
                    location: node as u32,
                });
            }
            debug_assert_eq!(self.hierarchy.nodes_of(level).len(), of.nodes);
        }
        let names = self.hierarchy.levels().iter().map(|level| level.name.clone()).collect();
        (panel, meta, names)
    }

    /// Depth of promotion and price per node and day, history and horizon.
    fn drivers(&self, input: &ForecastInput) -> Vec<(Vec<f32>, Vec<f32>)> {
        let all = self.days + input.panel.horizon_days;
        let plain = (vec![0.0f32; all], vec![0.0f32; all]);
        let mut sums = vec![plain; self.hierarchy.nodes()];
        let mut weights = vec![vec![0.0f32; all]; self.hierarchy.nodes()];
        // Where nothing was sold before, all members count alike.
        let least = 1e-6 + 1e-3 * self.volume.iter().sum::<f64>() / self.volume.len() as f64;
        self.hierarchy.each(|node, at| {
            let i = self.members[at];
            let weight = (self.volume[at] + least) as f32;
            let from = (input.panel.start[i] - self.start) as usize;
            let drivers = input.panel.drivers(i);
            let (depth, ratio) = &mut sums[node];
            for (day, (&d, &r)) in drivers.promo_depth.iter().zip(drivers.price_ratio).enumerate() {
                depth[from + day] += weight * d;
                ratio[from + day] += weight * r;
                weights[node][from + day] += weight;
            }
        });
        for ((depth, ratio), weight) in sums.iter_mut().zip(&weights) {
            for day in 0..all {
                if weight[day] > 0.0 {
                    depth[day] /= weight[day];
                    ratio[day] /= weight[day];
                } else {
                    ratio[day] = 1.0;
                }
            }
        }
        sums
    }

    /// The calendar's and the weather's region of most of each node's volume.
    fn regions(&self, input: &ForecastInput) -> Vec<(u32, u32)> {
        let count = input.regions.len();
        let mut volumes = vec![vec![(0.0, 0.0); count]; self.hierarchy.nodes()];
        self.hierarchy.each(|node, at| {
            let meta = &input.meta[self.members[at]];
            let volume = self.volume[at] + 1e-9;
            volumes[node][meta.region as usize].0 += volume;
            volumes[node][meta.weather_region as usize].1 += volume;
        });
        let most = |of: &[(f64, f64)], pick: fn(&(f64, f64)) -> f64| {
            (0..count).rev().max_by(|&a, &b| pick(&of[a]).total_cmp(&pick(&of[b]))).unwrap_or(0)
        };
        volumes.iter().map(|of| (most(of, |v| v.0) as u32, most(of, |v| v.1) as u32)).collect()
    }
}

/// The levels that are worth forecasting.
fn hierarchy(parts: &[Part], members: &[usize]) -> Hierarchy {
    let codes: Vec<Vec<u32>> =
        parts.iter().map(|part| members.iter().map(|&i| part.codes[i]).collect()).collect();
    let levels = |keep: &dyn Fn(&str) -> bool| {
        let named = parts.iter().zip(&codes).filter(|(part, _)| keep(&part.name));
        Hierarchy::new(members.len(), named.map(|(part, codes)| (&*part.name, &**codes)))
    };
    let whole = levels(&|_| true);
    let worth: Vec<&str> = whole
        .levels()
        .iter()
        .filter(|level| level.nodes * MEMBERS_MIN <= members.len())
        .map(|level| &*level.name)
        .collect();
    levels(&|name| worth.contains(&name))
}

/// Demand per day and how much of it was guessed: the mean of the same step of the season so far,
/// or of all days so far.
fn guess_missing(demand: &[f64], season: usize, out: &mut Vec<(f64, f64)>) {
    out.clear();
    let season = season.max(1);
    let mut means = vec![f64::NAN; season];
    let mut all = f64::NAN;
    let blend = |mean: f64, demand: f64| {
        if mean.is_nan() { demand } else { mean + WEEKDAY_SMOOTHING * (demand - mean) }
    };
    for (day, &demand) in demand.iter().enumerate() {
        let mean = &mut means[day % season];
        if demand.is_nan() {
            let guess = if mean.is_nan() { all } else { *mean };
            let guess = if guess.is_nan() { 0.0 } else { guess };
            out.push((guess, guess));
        } else {
            *mean = blend(*mean, demand);
            all = blend(all, demand);
            out.push((demand, 0.0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backtest::partial::PartialDays;

    #[test]
    fn what_could_not_be_sold_is_guessed_from_the_same_weekdays_before() {
        let gap = f64::NAN;
        let mut out = Vec::new();
        guess_missing(&[gap, 4.0, 8.0, gap, gap, 4.0, gap], 2, &mut out);
        let guessed: Vec<f64> = out.iter().map(|day| day.1).collect();
        // Odd days of 4, even days of 8; before the first nothing is known.
        assert_eq!(guessed, [0.0, 0.0, 0.0, 4.0, 8.0, 0.0, 8.0]);
        assert_eq!(out[1], (4.0, 0.0));
    }

    #[test]
    fn the_past_of_a_sum_does_not_see_what_comes_after_a_cutoff() {
        let (days, series) = (60, 8);
        let mut panel = Panel { offsets: vec![0], ..Panel::default() };
        for i in 0..series {
            panel.sold.extend((0..days).map(|day| ((day * 7 + i * 3) % 11) as f64));
            panel.available.extend((0..days).map(|day| if (day + i) % 5 == 0 { 0.5 } else { 1.0 }));
            panel.offsets.push(panel.sold.len());
            panel.start.push(Day(100));
        }
        panel.promo_depth = vec![0.0; panel.sold.len()];
        panel.price_ratio = vec![1.0; panel.sold.len()];
        let origins = vec![Origins::new(days, 7, 3, 7); series];
        let codes = (0..series as u32).map(|i| i % 2).collect();
        let parts = [Part { name: "half".to_owned(), codes }];
        let past = |panel: &Panel| {
            let meta = vec![SeriesMeta::default(); series];
            let input = ForecastInput { panel, meta: &meta, categories: &[], regions: &[] };
            let tried = PartialDays::Calibrated.training(panel, 7, |i| origins[i].ends());
            let mut sums = Aggregates::new(&input, &parts, &origins).expect("they add up");
            sums.take_past(&tried.panel, &tried.whole_days, 7);
            let upto = |k: usize| -> Vec<f64> {
                (0..3)
                    .flat_map(|node| sums.sums[node * days..][..origins[0].at(k)].to_vec())
                    .collect()
            };
            (0..3).map(upto).collect::<Vec<Vec<f64>>>()
        };
        let before = past(&panel);
        for k in 0..3 {
            let mut changed = panel.clone();
            for i in 0..series {
                for day in origins[0].at(k)..days {
                    changed.sold[i * days + day] = 50.0;
                    changed.available[i * days + day] = if day % 3 == 0 { 0.2 } else { 1.0 };
                }
            }
            assert_eq!(past(&changed)[k], before[k], "cutoff {k}");
            assert_ne!(past(&changed).last(), if k < 2 { before.last() } else { None });
        }
    }
}
