//! How much the days say about the effects of a category.
//!
//! A thousand series on one Double-11 are not a thousand observations of it. The variance of an
//! effect has three parts: what differs between items, whose days hang together (scores summed by item,
//! the sandwich of Liang & Zeger 1986, with the leverage correction of Bell & McCaffrey 2002); what
//! happened to all items of a day or of neighbouring days (a common shock whose autocovariances are
//! estimated from the days' mean residuals, weighted as by Newey & West 1987); and how an event
//! differs from year to year.

use rayon::prelude::*;

use super::fit::{Days, Working, chunk_size};

/// Days over which common shocks may hang together.
pub const SHOCK_DAYS: usize = 7;

/// Sums over the series of a category on each day.
#[derive(Clone)]
pub struct DaySums {
    columns: usize,
    /// Sum of weighted residuals, and of weights.
    residual: Vec<f64>,
    weight: Vec<f64>,
    /// `x[day * columns + j]`: weighted regressor less its level's mean.
    x: Vec<f64>,
    touched: Vec<bool>,
}

impl DaySums {
    fn new(days: usize, columns: usize) -> DaySums {
        DaySums {
            columns,
            residual: vec![0.0; days],
            weight: vec![0.0; days],
            x: vec![0.0; days * columns],
            touched: vec![false; days * columns],
        }
    }

    fn merge(&mut self, other: &DaySums) {
        let add = |a: &mut Vec<f64>, b: &[f64]| a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        add(&mut self.residual, &other.residual);
        add(&mut self.weight, &other.weight);
        add(&mut self.x, &other.x);
        self.touched.iter_mut().zip(&other.touched).for_each(|(a, b)| *a |= b);
    }

    pub fn x(&self, day: usize) -> &[f64] {
        &self.x[day * self.columns..(day + 1) * self.columns]
    }

    /// Days on which a column was not zero.
    pub fn days_of(&self, column: usize) -> usize {
        let days = self.touched.chunks_exact(self.columns);
        days.filter(|touched| touched[column]).count()
    }

    pub fn len(&self) -> usize {
        self.weight.len()
    }

    /// Autocovariances of the shock that all series of a day share, tapered so that they are those
    /// of some process; nothing when the days' residuals are no larger than chance. `common`
    /// columns were fitted to the days and have taken their part of it away.
    pub fn shocks(&self, scale: f64, common: usize) -> [f64; SHOCK_DAYS] {
        let mut covariance = [0.0; SHOCK_DAYS];
        let seen = self.weight.iter().filter(|w| **w > 0.0).count();
        let lost = 1.0 - common.min(seen / 2) as f64 / seen.max(1) as f64;
        for (lag, covariance) in covariance.iter_mut().enumerate() {
            let (mut above, mut below) = (0.0, 0.0);
            for day in lag..self.len() {
                let weights = self.weight[day] * self.weight[day - lag];
                above += self.residual[day] * self.residual[day - lag];
                if lag == 0 {
                    above -= scale * self.weight[day] * lost;
                }
                below += weights * lost;
            }
            let taper = 1.0 - lag as f64 / SHOCK_DAYS as f64;
            *covariance = if below > 0.0 { taper * above / below } else { 0.0 };
        }
        let variance = covariance[0].max(0.0);
        covariance.map(|c| c.clamp(-variance, variance))
    }

    /// Of the days `from..to`: the squared sum of residuals, what noise and daily shocks alone make
    /// of it on average, and the square of their weight.
    pub fn span(&self, from: usize, to: usize, scale: f64, shock: f64) -> Option<Span> {
        let to = to.min(self.len());
        if from >= to {
            return None;
        }
        let sum = |of: &[f64]| of[from..to].iter().sum::<f64>();
        let weight = sum(&self.weight);
        let squares = self.weight[from..to].iter().map(|w| w * w).sum::<f64>();
        let residual = sum(&self.residual);
        (weight > 0.0).then_some(Span {
            squared: residual * residual,
            noise: scale * weight + shock * squares,
            squared_weight: weight * weight,
        })
    }
}

/// See [`DaySums::span`].
#[derive(Clone, Copy)]
pub struct Span {
    pub squared: f64,
    pub noise: f64,
    pub squared_weight: f64,
}

/// Scores and information of every series of a category around its effects.
pub struct Evidence {
    pub columns: usize,
    /// Per series, in the order of the members.
    pub score: Vec<f64>,
    pub information: Vec<f64>,
    pub days: DaySums,
    squares: f64,
    freedom: f64,
}

impl Evidence {
    /// Reads the days of `members`, each around the effects that `beta_of` gives.
    pub fn gather<'b>(
        days: &Days,
        members: &[usize],
        columns: usize,
        beta_of: impl Fn(usize) -> &'b [f64] + Sync,
    ) -> Evidence {
        let span = days.features.days;
        let parts: Vec<Evidence> = members
            .par_chunks(chunk_size(members.len()))
            .map(|members| {
                let mut part = Evidence::new(members.len(), columns, span);
                let mut working = Vec::new();
                for (n, &i) in members.iter().enumerate() {
                    let offset = days.features.offset(i);
                    days.blocks(i, beta_of(i), &mut working, |block| part.add(n, offset, block));
                }
                part
            })
            .collect();
        let mut total = Evidence::new(0, columns, span);
        for part in parts {
            total.score.extend(part.score);
            total.information.extend(part.information);
            total.days.merge(&part.days);
            total.squares += part.squares;
            total.freedom += part.freedom;
        }
        total
    }

    fn new(series: usize, columns: usize, days: usize) -> Evidence {
        Evidence {
            columns,
            score: vec![0.0; series * columns],
            information: vec![0.0; series * columns],
            days: DaySums::new(days, columns),
            squares: 0.0,
            freedom: 0.0,
        }
    }

    /// Adds a block of the `n`-th series, whose first day is `offset`; its level is taken out.
    fn add(&mut self, n: usize, offset: usize, block: &[Working]) {
        let p = self.columns;
        let (mut weight, mut residual) = (0.0, 0.0);
        let mut mean = vec![0.0; p];
        for day in block {
            weight += day.weight;
            residual += day.weight * day.residual;
            self.squares += day.weight * day.residual * day.residual;
            for &(j, x) in &day.row {
                mean[usize::from(j)] += day.weight * f64::from(x);
            }
        }
        mean.iter_mut().for_each(|sum| *sum /= weight);
        self.squares -= residual * residual / weight;
        self.freedom += block.len() as f64 - 1.0;
        let (score, information) =
            (&mut self.score[n * p..(n + 1) * p], &mut self.information[n * p..(n + 1) * p]);
        for day in block {
            let at = offset + day.t;
            self.days.residual[at] += day.weight * (day.residual - residual / weight);
            self.days.weight[at] += day.weight;
            let x = &mut self.days.x[at * p..(at + 1) * p];
            x.iter_mut().zip(&mean).for_each(|(x, mean)| *x -= day.weight * mean);
            for &(j, value) in &day.row {
                let j = usize::from(j);
                let wx = day.weight * f64::from(value);
                x[j] += wx;
                self.days.touched[at * p + j] = true;
                score[j] += wx * day.residual;
                information[j] += wx * f64::from(value);
            }
        }
        for j in 0..p {
            score[j] -= mean[j] * residual;
            information[j] -= mean[j] * mean[j] * weight;
        }
    }

    /// Mean squared weighted residual.
    pub fn scale(&self) -> f64 {
        (self.squares / self.freedom.max(1.0)).max(1e-9)
    }

    pub fn score_of(&self, n: usize) -> &[f64] {
        &self.score[n * self.columns..(n + 1) * self.columns]
    }

    pub fn information_of(&self, n: usize) -> &[f64] {
        &self.information[n * self.columns..(n + 1) * self.columns]
    }

    /// Moment sums of the variance with which series depart from the effects, per column:
    /// `E[score^2 / information] = scale + information * variance`.
    pub fn departures(&self, scale: f64) -> Departures {
        let p = self.columns;
        let mut sums = Departures { above: vec![0.0; p], below: vec![0.0; p], series: 0.0 };
        for (score, information) in self.score.chunks(p).zip(self.information.chunks(p)) {
            sums.series += 1.0;
            for j in 0..p {
                if information[j] > 1e-6 {
                    let excess = score[j] * score[j] / information[j];
                    sums.above[j] += excess.min(25.0 * scale) - scale;
                    sums.below[j] += information[j];
                }
            }
        }
        sums
    }
}

/// See [`Evidence::departures`].
#[derive(Clone, Default)]
pub struct Departures {
    above: Vec<f64>,
    below: Vec<f64>,
    pub series: f64,
}

impl Departures {
    pub fn columns(&self) -> usize {
        self.below.len()
    }

    pub fn variance(&self, column: usize) -> f64 {
        if self.below[column] > 0.0 {
            (self.above[column] / self.below[column]).clamp(0.0, 1.0)
        } else {
            0.0
        }
    }

    pub fn add(&mut self, other: &Departures) {
        self.above.resize(other.above.len(), 0.0);
        self.below.resize(other.below.len(), 0.0);
        self.above.iter_mut().zip(&other.above).for_each(|(a, b)| *a += b);
        self.below.iter_mut().zip(&other.below).for_each(|(a, b)| *a += b);
        self.series += other.series;
    }
}
