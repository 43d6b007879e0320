//! Passes over the days of series: working responses, within levels of their own.

use rayon::prelude::*;

use super::features::{Features, SeriesFeatures};
use super::gram::{Gram, Row};
use super::newton::Family;
use crate::series::{FULLY_AVAILABLE, Panel};

/// A level of its own for each block of about so many days.
const BLOCK_DAYS: usize = 21;
const ANNUAL_BLOCK_DAYS: usize = 364;
/// Keeps large series from deciding alone.
pub const FAMILY: Family = Family::NegativeBinomial { dispersion: 0.3 };
pub(super) const LOG_FACTOR_MAX: f64 = 4.0;
/// Days that a block needs.
const BLOCK_DAYS_MIN: usize = 3;
const SERIES_PER_TASK_MIN: usize = 64;
const TASKS_MAX: usize = 48;

/// What is read of the panel: the first `ends[i]` days of series `i`.
#[derive(Clone, Copy)]
pub struct Days<'a> {
    /// As models see it: partly available days made up for, or missing.
    pub panel: &'a Panel,
    pub features: &'a Features<'a>,
    pub ends: &'a [usize],
    /// The share that a day counts as open for when it sold out before its first hour was over:
    /// half of the least share that is ever told. `None` where days that sold out tell nothing.
    pub open_min: Option<f64>,
}

/// A day with its working response around some effects.
#[derive(Default)]
pub struct Working {
    pub row: Row,
    /// Day of the series.
    pub t: usize,
    log: f64,
    mean: f64,
    pub weight: f64,
    /// `(y - mean) / mean`.
    pub residual: f64,
    sold: f64,
    open: f64,
}

impl Working {
    fn read(
        &mut self,
        features: &SeriesFeatures,
        t: usize,
        beta: &[f64],
        (sold, open): (f64, f64),
    ) {
        features.row(t, &mut self.row);
        self.t = t;
        self.log = log_factor(&self.row, beta);
        self.mean = self.log.exp() * open;
        (self.sold, self.open) = (sold, open);
    }
}

pub fn log_factor(row: &Row, beta: &[f64]) -> f64 {
    let sum: f64 = row.iter().map(|&(j, x)| beta[usize::from(j)] * f64::from(x)).sum();
    sum.clamp(-LOG_FACTOR_MAX, LOG_FACTOR_MAX)
}

impl Days<'_> {
    /// What was sold on a day and during which share of it; `None` where that says nothing about
    /// demand.
    ///
    /// A day that sold out has the likelihood of its sales during the time that it was open,
    /// whatever ended it (see [`crate::forecast::censor`]): the share is an offset. To make up for
    /// the rest of the day first, from the level of usual days, would take the peaks' effects away,
    /// for it is on them that stock runs out.
    fn seen(&self, i: usize, t: usize) -> Option<(f64, f64)> {
        let at = self.panel.offsets[i] + t;
        let raw = self.features.input.panel;
        let open = f64::from(raw.available[at]);
        let (sold, open) = if raw.available[at] >= FULLY_AVAILABLE {
            (self.panel.sold[at], 1.0)
        } else if raw.sold[at] > 0.0 || open > 0.0 {
            // On a peak it is the fastest that are gone within the hour.
            (raw.sold[at], open.max(self.open_min?))
        } else {
            return None;
        };
        (0.0..f64::INFINITY).contains(&sold).then_some((sold, open))
    }

    /// Hands each block of a series at `beta` to `take`, its days with their weights and residuals.
    pub fn blocks(
        &self,
        i: usize,
        beta: &[f64],
        days: &mut Vec<Working>,
        mut take: impl FnMut(&[Working]),
    ) {
        let series = self.features.series(i);
        let end = self.ends[i];
        let length = if self.features.annual { ANNUAL_BLOCK_DAYS } else { BLOCK_DAYS };
        let blocks = (end / length).max(1);
        for b in 0..blocks {
            let (mut sold, mut effects, mut used) = (0.0, 0.0, 0);
            for t in b * end / blocks..(b + 1) * end / blocks {
                let Some(seen) = self.seen(i, t) else { continue };
                // A history that begins with its first sale has one on that day because of that.
                if t == 0 && seen.0 > 0.0 {
                    continue;
                }
                if used == days.len() {
                    days.push(Working::default());
                }
                days[used].read(&series, t, beta, seen);
                sold += days[used].sold;
                effects += days[used].mean;
                used += 1;
            }
            if sold <= 0.0 || used < BLOCK_DAYS_MIN {
                continue;
            }
            let level = sold / effects;
            for day in &mut days[..used] {
                let mean = level * day.mean;
                day.weight = FAMILY.weight(mean);
                day.residual = (day.sold - mean) / mean;
            }
            take(&days[..used]);
        }
    }

    /// Adds the working responses of one series at `beta`, block by block.
    pub fn add_series(&self, i: usize, beta: &[f64], days: &mut Vec<Working>, gram: &mut Gram) {
        self.blocks(i, beta, days, |block| {
            for day in block {
                gram.add(&day.row, day.weight, day.log + day.residual);
            }
            gram.close_block();
        });
    }

    /// Sums over series in chunks whose bounds depend on the data only, merged in their order; one
    /// for each of the `parts` that `part` sorts series into.
    pub fn grams(
        &self,
        members: &[usize],
        beta: &[f64],
        parts: usize,
        part: impl Fn(usize) -> usize + Sync,
    ) -> Vec<Gram> {
        let chunk = chunk_size(members.len());
        let sums: Vec<Vec<Gram>> = members
            .par_chunks(chunk)
            .map(|members| {
                let mut grams: Vec<Gram> = (0..parts).map(|_| Gram::empty()).collect();
                let mut days = Vec::new();
                for &i in members {
                    let gram = &mut grams[part(i)];
                    gram.widen(beta.len());
                    self.add_series(i, beta, &mut days, gram);
                }
                grams
            })
            .collect();
        let mut total: Vec<Gram> = (0..parts).map(|_| Gram::new(beta.len())).collect();
        for sums in &sums {
            total.iter_mut().zip(sums).filter(|(_, sum)| sum.columns > 0).for_each(|(t, s)| {
                t.merge(s);
            });
        }
        total
    }

    /// Every n-th series, so that about `rows_max` days remain.
    pub fn sample(&self, members: &[usize], rows_max: usize) -> Vec<usize> {
        let rows: usize = members.iter().map(|&i| self.ends[i]).sum();
        members.iter().copied().step_by(rows.div_ceil(rows_max).max(1)).collect()
    }
}

pub fn chunk_size(members: usize) -> usize {
    members.div_ceil(TASKS_MAX).max(SERIES_PER_TASK_MIN)
}
