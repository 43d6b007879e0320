//! One category: what its days say of its effects, region by region, and with what error.

use super::cholesky::Cholesky;
use super::columns;
use super::evidence::{DaySums, Departures, Evidence, SHOCK_DAYS};
use super::fit::Days;
use super::gram::Gram;
use super::learn::{CATEGORY_ROWS_MAX, GRADIENT_MAX, local};
use super::newton::{NoSolution, solve};
use super::pool::Pool;
use super::prior::Estimate;

const EVALUATIONS_MAX: usize = 8;
/// Rows less levels from which a category has effects of its own.
const FREEDOM_MIN: f64 = 100.0;
/// The variance between items is drawn to what the category's columns have in common as if by so
/// many items.
const CLUSTER_PRIOR: f64 = 4.0;
/// Share of a column's information from which an item's residual is no longer corrected.
const LEVERAGE_MAX: f64 = 0.9;

/// The pooled fit of one category, and the sums of its regions around it.
pub struct CategoryFit {
    pub beta: Vec<f64>,
    /// Regions of its series, ascending, and the sums of each at `beta`.
    pub regions: Vec<u32>,
    pub grams: Vec<Gram>,
    pub scale: f64,
    /// Whether its days were enough for effects of its own.
    pub own: bool,
    sample: Vec<usize>,
}

impl CategoryFit {
    /// Solves the category's equation from the panel's effects on, which stay where it has too few
    /// days or no solution.
    pub fn new(days: Days, members: &[usize], global: &[f64]) -> CategoryFit {
        let sample = days.sample(members, CATEGORY_ROWS_MAX);
        let region_of = |i: usize| days.features.input.meta[i].region;
        let mut regions: Vec<u32> = sample.iter().map(|&i| region_of(i)).collect();
        regions.sort_unstable();
        regions.dedup();
        let part = |i: usize| regions.binary_search(&region_of(i)).unwrap_or(0);
        let parts = regions.len().max(1);
        let mut grams = Vec::new();
        let mut freedom = 0.0;
        let solution = solve(global.to_vec(), EVALUATIONS_MAX, GRADIENT_MAX, |beta| {
            grams = days.grams(&sample, beta, parts, part);
            let total = merged(&grams);
            freedom = total.freedom;
            local(&total, beta, global)
        });
        let enough = freedom >= FREEDOM_MIN;
        let beta = match solution {
            Ok((beta, _)) if enough => Ok(beta),
            Ok(_) => Err(NoSolution::Singular),
            Err(error) => Err(error),
        };
        let own = beta.is_ok();
        let beta = beta.unwrap_or_else(|_| {
            grams = days.grams(&sample, global, parts, part);
            global.to_vec()
        });
        let scale = merged(&grams).residual_scale(&beta);
        CategoryFit { beta, regions, grams, scale, own, sample }
    }

    pub fn total(&self) -> Gram {
        merged(&self.grams)
    }

    /// How each region departs from the category with hardly any prior: estimates per column.
    pub fn region_departures(&self) -> Vec<Vec<Estimate>> {
        let precision = columns::weak_precision(self.beta.len(), self.scale);
        let of = |gram: &Gram| {
            let factor = Cholesky::new(gram.with_precision(&precision), self.beta.len());
            let Some(factor) = factor else { return vec![Estimate::UNKNOWN; self.beta.len()] };
            let values = factor.solve(&gram.score(&self.beta));
            let variances = factor.inverse_diagonal();
            (0..self.beta.len())
                .map(|j| {
                    if gram.diagonal(j) > precision[j] {
                        Estimate { value: values[j], variance: self.scale * variances[j] }
                    } else {
                        Estimate::UNKNOWN
                    }
                })
                .collect()
        };
        if self.own && self.regions.len() > 1 {
            self.grams.iter().map(of).collect()
        } else {
            Vec::new()
        }
    }

    /// Effects of each region, and what the series have on average with its error.
    pub fn solve(&self, days: Days, pool: &Pool) -> Solved {
        let regional: Vec<Vec<f64>> = self
            .grams
            .iter()
            .map(|gram| {
                if self.regions.len() < 2 {
                    return self.beta.clone();
                }
                let own = gram.departures(&self.beta, &pool.region_variance, self.scale);
                self.beta.iter().zip(own).map(|(beta, own)| beta + own).collect()
            })
            .collect();
        let region_of =
            |i: usize| self.regions.binary_search(&days.features.input.meta[i].region).unwrap_or(0);
        let evidence =
            Evidence::gather(&days, &self.sample, self.beta.len(), |i| &regional[region_of(i)]);
        let errors = Errors::new(self, days, pool, &evidence, &regional);
        Solved {
            average: errors.average(),
            scale: evidence.scale(),
            departures: evidence.departures(evidence.scale()),
            columns: errors.columns(),
            shock: evidence.days.shocks(evidence.scale(), errors.common)[0],
            days: evidence.days.clone(),
        }
    }
}

fn merged(grams: &[Gram]) -> Gram {
    let mut total = Gram::new(grams.first().map_or(0, |gram| gram.columns));
    grams.iter().for_each(|gram| total.merge(gram));
    total
}

/// What is known of one effect of one category.
#[derive(Clone, Copy, Debug)]
pub struct ColumnEvidence {
    /// Of the items' part, on top of which what is common to all of them comes.
    pub variance: f64,
    /// What the variance would be if every day of every series stood for itself.
    pub plain_variance: f64,
    /// Items that speak, weighed by how evenly they do.
    pub freedom: f64,
    pub days: u32,
    pub items: u32,
}

/// A category's effects after its second pass.
pub struct Solved {
    /// Mean effects of its series.
    pub average: Vec<f64>,
    pub columns: Vec<ColumnEvidence>,
    pub scale: f64,
    pub departures: Departures,
    pub days: DaySums,
    /// Variance of what happens to all series on one day.
    pub shock: f64,
}

/// The sums from which errors follow.
struct Errors<'a> {
    fit: &'a CategoryFit,
    evidence: &'a Evidence,
    regional: &'a [Vec<f64>],
    /// Per sampled series, its item and its region.
    of: Vec<(u32, usize)>,
    /// `share[region][column]` of the series that have the column.
    share: Vec<Vec<f64>>,
    pool: &'a Pool<'a>,
    common: usize,
}

impl<'a> Errors<'a> {
    fn new(
        fit: &'a CategoryFit,
        days: Days,
        pool: &'a Pool<'a>,
        evidence: &'a Evidence,
        regional: &'a [Vec<f64>],
    ) -> Errors<'a> {
        let meta = &days.features.input.meta;
        let of: Vec<(u32, usize)> = fit
            .sample
            .iter()
            .map(|&i| (meta[i].item, fit.regions.binary_search(&meta[i].region).unwrap_or(0)))
            .collect();
        let p = evidence.columns;
        let mut share = vec![vec![0.0; p]; fit.regions.len()];
        for (n, (_, region)) in of.iter().enumerate() {
            let information = evidence.information_of(n);
            (0..p).filter(|&j| information[j] > 1e-9).for_each(|j| share[*region][j] += 1.0);
        }
        for j in 0..p {
            let all: f64 = share.iter().map(|share| share[j]).sum();
            share.iter_mut().for_each(|share| share[j] /= all.max(1.0));
        }
        let total = fit.total();
        let common = (0..p).filter(|&j| columns::is_common(j) && total.diagonal(j) > 1e-9).count();
        Errors { fit, evidence, regional, of, share, pool, common }
    }

    fn average(&self) -> Vec<f64> {
        (0..self.evidence.columns)
            .map(|j| {
                let regions = self.regional.iter().zip(&self.share);
                let mean: f64 = regions.map(|(beta, share)| share[j] * beta[j]).sum();
                let any = self.share.iter().any(|share| share[j] > 0.0);
                if any { mean } else { self.fit.beta[j] }
            })
            .collect()
    }

    fn columns(&self) -> Vec<ColumnEvidence> {
        let p = self.evidence.columns;
        let scale = self.evidence.scale();
        let weak = columns::weak_precision(p, scale);
        let total = self.fit.total();
        let unknown = ColumnEvidence {
            variance: f64::INFINITY,
            plain_variance: f64::INFINITY,
            freedom: 0.0,
            days: 0,
            items: 0,
        };
        let Some(factor) = Cholesky::new(total.with_precision(&weak), p) else {
            return vec![unknown; p];
        };
        let plain: Vec<f64> = factor.inverse_diagonal().iter().map(|v| scale * v).collect();
        let (items, between, effective) = self.between_items(&factor, &total);
        let (shared, own) = (self.shocks(&factor, scale), self.regional_error(scale));
        // One ratio for the columns that few items speak of.
        let known = |j: &usize| effective[*j] > 1.0 && plain[*j] < 0.5;
        let weight: f64 = (0..p).filter(known).map(|j| effective[j]).sum();
        let inflation = (0..p).filter(known).map(|j| effective[j] * between[j] / plain[j]);
        let inflation = if weight > 0.0 { (inflation.sum::<f64>() / weight).max(1.0) } else { 1.0 };
        (0..p)
            .map(|j| {
                let items_speak = effective[j].max(0.0);
                let mixed = (items_speak * between[j] + CLUSTER_PRIOR * inflation * plain[j])
                    / (items_speak + CLUSTER_PRIOR);
                let days = self.evidence.days.days_of(j);
                if total.diagonal(j) <= weak[j] || days == 0 {
                    return ColumnEvidence { days: days as u32, items: items[j], ..unknown };
                }
                ColumnEvidence {
                    variance: mixed + shared[j] + own[j],
                    plain_variance: plain[j],
                    freedom: items_speak + CLUSTER_PRIOR - 1.0,
                    days: days as u32,
                    items: items[j],
                }
            })
            .collect()
    }

    /// Per column: items that have it, the sandwich variance over items, and how many items it
    /// comes to when they speak with unequal weight.
    fn between_items(&self, factor: &Cholesky, total: &Gram) -> (Vec<u32>, Vec<f64>, Vec<f64>) {
        let p = self.evidence.columns;
        let mut order: Vec<usize> = (0..self.of.len()).collect();
        order.sort_by_key(|&n| self.of[n].0);
        let solvers: Vec<Option<Cholesky>> =
            self.fit.grams.iter().map(|gram| self.region_solver(gram)).collect();
        let (mut items, mut between) = (vec![0u32; p], vec![0.0; p]);
        let (mut squares, mut sums) = (vec![0.0; p], vec![0.0; p]);
        for series in order.chunk_by(|&a, &b| self.of[a].0 == self.of[b].0) {
            let mut information = vec![0.0; p];
            let mut score = vec![vec![0.0; p]; self.regional.len()];
            for &n in series {
                let region = self.of[n].1;
                for j in 0..p {
                    score[region][j] += self.evidence.score_of(n)[j];
                    information[j] += self.evidence.information_of(n)[j];
                }
            }
            let influence = self.influence(factor, &solvers, &score);
            for j in 0..p {
                if information[j] <= 1e-9 {
                    continue;
                }
                items[j] += 1;
                let leverage = (information[j] / total.diagonal(j).max(1e-300)).min(LEVERAGE_MAX);
                between[j] += influence[j] * influence[j] / (1.0 - leverage);
                sums[j] += information[j];
                squares[j] += information[j] * information[j];
            }
        }
        let effective = sums
            .iter()
            .zip(&squares)
            .map(|(sum, squares)| if *squares > 0.0 { sum * sum / squares } else { 0.0 });
        let effective = effective.collect();
        (items, between, effective)
    }

    fn region_solver(&self, gram: &Gram) -> Option<Cholesky> {
        let variance = &self.pool.region_variance;
        if self.regional.len() < 2 {
            return None;
        }
        let precision = variance.iter().map(|v| self.fit.scale / v.max(1e-9)).collect::<Vec<_>>();
        Cholesky::new(gram.with_precision(&precision), self.evidence.columns)
    }

    /// By how much an item's scores, per region, move the average effects.
    fn influence(
        &self,
        factor: &Cholesky,
        solvers: &[Option<Cholesky>],
        score: &[Vec<f64>],
    ) -> Vec<f64> {
        let p = self.evidence.columns;
        let mut sum = vec![0.0; p];
        score.iter().for_each(|score| sum.iter_mut().zip(score).for_each(|(a, b)| *a += b));
        let mut influence = factor.solve(&sum);
        let pooled = influence.clone();
        for (region, solver) in solvers.iter().enumerate() {
            let Some(solver) = solver else { continue };
            let moved = self.fit.grams[region].times(&pooled);
            let left: Vec<f64> = score[region].iter().zip(moved).map(|(s, m)| s - m).collect();
            let departure = solver.solve(&left);
            for j in 0..p {
                influence[j] += self.share[region][j] * departure[j];
            }
        }
        influence
    }

    /// Variance from what happened to all series of a day or of neighbouring days.
    fn shocks(&self, factor: &Cholesky, scale: f64) -> Vec<f64> {
        let p = self.evidence.columns;
        let days = &self.evidence.days;
        let covariance = days.shocks(scale, self.common);
        let mut variance = vec![0.0; p];
        if covariance[0] <= 0.0 {
            return variance;
        }
        let influence: Vec<Vec<f64>> = (0..days.len()).map(|t| factor.solve(days.x(t))).collect();
        for t in 0..days.len() {
            for (lag, covariance) in covariance.iter().enumerate().take(SHOCK_DAYS.min(t + 1)) {
                let twice = if lag == 0 { 1.0 } else { 2.0 };
                for j in 0..p {
                    variance[j] += twice * covariance * influence[t][j] * influence[t - lag][j];
                }
            }
        }
        variance.iter().map(|v| v.max(0.0)).collect()
    }

    /// Variance from regions whose own effects could not be told from the category's.
    fn regional_error(&self, scale: f64) -> Vec<f64> {
        let p = self.evidence.columns;
        let mut variance = vec![0.0; p];
        for (region, gram) in self.fit.grams.iter().enumerate() {
            let Some(solver) = self.region_solver(gram) else { continue };
            let left = solver.inverse_diagonal();
            for j in 0..p {
                let of = self.pool.region_variance[j];
                let bias = scale * left[j];
                let share = self.share[region][j];
                variance[j] += share * share * bias * bias / of.max(1e-9);
            }
        }
        variance
    }
}
