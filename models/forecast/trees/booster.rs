//! Trees on trees: each is grown on the slopes that the ones before it leave (Friedman 2001).

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::bins::{BinEdges, TrainingRows};
use super::grow::{GrowInput, GrowLimits, Grower, GrownLeaf};
use super::histogram::{Records, SLOPES_BYTES, Scale, SplitLimits};
use super::objective::{Objective, weighted_quantile};
use super::score::score_rows;
use super::tree::Tree;
use crate::distribution::paths::{mix, unit};

/// Rows that are sampled, sloped and updated by one task; sums are taken in their order.
const BLOCK_ROWS: usize = 8192;
/// On the log scale no single step multiplies a mean by more than `exp(3)`: a Newton step of the
/// Poisson deviance has no bound where the target is far above the mean.
const MAX_LOG_STEP: f64 = 3.0;

/// How trees are boosted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BoostConfig {
    pub objective: Objective,
    /// Trees.
    pub rounds: usize,
    /// Share of each tree's step that is taken.
    pub learning_rate: f64,
    /// Most leaves of a tree.
    pub leaves: usize,
    /// Fewest rows of a leaf, counted by their share of the parent's hessian.
    pub min_leaf_rows: f64,
    /// Hessian that pulls a leaf's value to zero.
    pub l2: f64,
    /// Share of the features that a tree sees.
    pub feature_share: f64,
    /// Share of the rows that a tree sees.
    pub row_share: f64,
    /// Least gain of a split.
    pub min_gain: f64,
    /// Most splits above a leaf.
    pub max_depth: usize,
    /// Seed of the shares.
    pub seed: u64,
}

impl Default for BoostConfig {
    fn default() -> Self {
        Self {
            objective: Objective::Tweedie { power: 1.3 },
            rounds: 200,
            learning_rate: 0.1,
            leaves: 64,
            min_leaf_rows: 100.0,
            l2: 1.0,
            feature_share: 0.6,
            row_share: 0.7,
            min_gain: 0.0,
            max_depth: usize::MAX,
            seed: 1,
        }
    }
}

/// Why nothing can be learned.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum BoostError {
    #[error("no rows to learn from")]
    NoRows,
    #[error("{rows} rows: a booster learns from at most {}", u32::MAX)]
    TooManyRows { rows: usize },
    #[error("{name} is {value}: must be {legal}")]
    Config { name: &'static str, value: f64, legal: &'static str },
    #[error("rows have {rows} features, the bins' edges {edges}")]
    Columns { rows: usize, edges: usize },
    #[error("row {row}: {name} is {value}: must be {legal}")]
    Row { row: usize, name: &'static str, value: f32, legal: &'static str },
}

/// Fitted trees, with the edges of the bins that they look at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Booster {
    objective: Objective,
    edges: BinEdges,
    start: f32,
    trees: Vec<Tree>,
    gain: Vec<f64>,
}

impl Booster {
    /// Learns from rows whose bins were cut by `edges`. The same rows, configuration and seed give
    /// the same trees, bit for bit, whatever the number of threads.
    ///
    /// # Errors
    /// Without rows, with a setting or a value outside its range, or with other features.
    pub fn fit(
        edges: BinEdges,
        rows: &TrainingRows,
        config: &BoostConfig,
    ) -> Result<Self, BoostError> {
        config.check()?;
        check_rows(&edges, rows, config.objective)?;
        let of_rows: Vec<(f32, f32, f32)> =
            (0..rows.len()).map(|i| (rows.target[i], rows.weight[i], rows.offset[i])).collect();
        let start = config.objective.start(&of_rows);
        drop(of_rows);
        let mut gain = vec![0.0; edges.columns()];
        let mut fit = Fit::new(&edges, rows, config, start);
        let trees = (0..config.rounds).map(|round| fit.round(round, &mut gain)).collect();
        Ok(Self { objective: config.objective, edges, start, trees, gain })
    }

    /// Score of a row without its offset: the log of the mean for Tweedie and Poisson.
    ///
    /// # Panics
    /// If there is not a bin a feature.
    pub fn score(&self, bins: &[u8]) -> f32 {
        assert_eq!(bins.len(), self.edges.columns(), "a bin a feature");
        self.trees.iter().fold(self.start, |score, tree| score + tree.value(bins))
    }

    /// Scores of a row-major block of rows, the same as row by row, on all threads.
    ///
    /// # Panics
    /// If `bins` are not as many rows as `out` has scores.
    pub fn scores(&self, bins: &[u8], out: &mut [f32]) {
        assert_eq!(bins.len(), out.len() * self.edges.columns(), "a row a score");
        out.fill(self.start);
        score_rows(&self.trees, self.edges.columns(), bins, out);
    }

    /// What is minimised, and so what a score means.
    pub fn objective(&self) -> Objective {
        self.objective
    }

    /// Edges that make bins of features.
    pub fn edges(&self) -> &BinEdges {
        &self.edges
    }

    /// Summed gain of each feature's splits, in units of the objective.
    pub fn gain(&self) -> Vec<f64> {
        self.gain.clone()
    }

    /// Number of trees.
    pub fn rounds(&self) -> usize {
        self.trees.len()
    }
}

impl BoostConfig {
    fn check(&self) -> Result<(), BoostError> {
        let parameter = match self.objective {
            Objective::Tweedie { power } => power,
            Objective::Quantile { level } => level,
            Objective::Poisson | Objective::Squared => 0.0,
        };
        let is_share = |share: f64| share > 0.0 && share <= 1.0;
        let laws = [
            ("objective", parameter, self.objective.is_valid(), "inside its range"),
            ("learning_rate", self.learning_rate, is_share(self.learning_rate), "in (0, 1]"),
            ("leaves", self.leaves as f64, (2..=4096).contains(&self.leaves), "2 to 4096"),
            ("min_leaf_rows", self.min_leaf_rows, self.min_leaf_rows >= 0.0, "at least 0"),
            ("l2", self.l2, self.l2 >= 0.0, "at least 0"),
            ("feature_share", self.feature_share, is_share(self.feature_share), "in (0, 1]"),
            ("row_share", self.row_share, is_share(self.row_share), "in (0, 1]"),
            ("min_gain", self.min_gain, self.min_gain >= 0.0, "at least 0"),
        ];
        for (name, value, is_legal, legal) in laws {
            if !is_legal || !value.is_finite() {
                return Err(BoostError::Config { name, value, legal });
            }
        }
        Ok(())
    }
}

fn check_rows(
    edges: &BinEdges,
    rows: &TrainingRows,
    objective: Objective,
) -> Result<(), BoostError> {
    if rows.is_empty() {
        return Err(BoostError::NoRows);
    }
    if u32::try_from(rows.len()).is_err() {
        return Err(BoostError::TooManyRows { rows: rows.len() });
    }
    if rows.columns() != edges.columns() {
        return Err(BoostError::Columns { rows: rows.columns(), edges: edges.columns() });
    }
    for row in 0..rows.len() {
        let (target, weight, offset) = (rows.target[row], rows.weight[row], rows.offset[row]);
        let is_target = target.is_finite() && (target >= 0.0 || !objective.is_log());
        let laws = [
            ("target", target, is_target, "finite, and not negative on a log scale"),
            ("weight", weight, weight.is_finite() && weight > 0.0, "finite and positive"),
            ("offset", offset, offset.is_finite(), "finite"),
        ];
        for (name, value, is_legal, legal) in laws {
            if !is_legal {
                return Err(BoostError::Row { row, name, value, legal });
            }
        }
    }
    Ok(())
}

/// Rows of a block that a tree sees, with their slopes.
#[derive(Default)]
struct Block {
    rows: Vec<u32>,
    gradient: Vec<f32>,
    hessian: Vec<f32>,
    absolute_gradients: f64,
    hessians: f64,
}

/// What is kept from round to round.
struct Fit<'a> {
    edges: &'a BinEdges,
    rows: &'a TrainingRows,
    config: &'a BoostConfig,
    /// With offset.
    score: Vec<f32>,
    blocks: Vec<Block>,
    records: Vec<u8>,
    /// Step of each record.
    step: Vec<f32>,
    grower: Grower,
}

impl<'a> Fit<'a> {
    fn new(
        edges: &'a BinEdges,
        rows: &'a TrainingRows,
        config: &'a BoostConfig,
        start: f32,
    ) -> Self {
        let mut blocks = Vec::new();
        blocks.resize_with(rows.len().div_ceil(BLOCK_ROWS), Block::default);
        Self {
            edges,
            rows,
            config,
            score: rows.offset.iter().map(|offset| offset + start).collect(),
            blocks,
            records: Vec::new(),
            step: Vec::new(),
            grower: Grower::default(),
        }
    }

    fn round(&mut self, round: usize, gain: &mut [f64]) -> Tree {
        let key = mix(self.config.seed ^ mix(round as u64));
        let features = self.features(key);
        let value_bins: Vec<usize> =
            features.iter().map(|&f| self.edges.value_bins(usize::from(f))).collect();
        self.sample(mix(key ^ 1));
        let count: usize = self.blocks.iter().map(|b| b.rows.len()).sum();
        let absolute = self.blocks.iter().map(|b| b.absolute_gradients).sum();
        let scale = Scale::new(absolute, self.blocks.iter().map(|b| b.hessians).sum(), count);
        let stride = SLOPES_BYTES + features.len().next_multiple_of(8);
        self.record(&features, scale, stride, count);
        let limits = GrowLimits {
            leaves: self.config.leaves,
            max_depth: self.config.max_depth,
            split: SplitLimits {
                min_leaf_rows: self.config.min_leaf_rows,
                l2: self.config.l2,
                min_gain: self.config.min_gain,
                scale,
            },
        };
        let records = Records { bytes: &self.records, stride, features: features.len() };
        let input = GrowInput { records, features: &features, value_bins: &value_bins };
        let (mut tree, leaves) = self.grower.grow(&input, &limits, gain);
        tree.leaves = self.values(&leaves, scale);
        self.advance(&tree, &leaves);
        tree
    }

    /// Features of one tree, in order: a share of those that have something to split.
    fn features(&self, key: u64) -> Vec<u16> {
        let mut usable: Vec<u16> = (0..self.edges.columns() as u16)
            .filter(|&f| self.edges.has_split(usize::from(f)))
            .collect();
        let wanted = (self.config.feature_share * usable.len() as f64).ceil() as usize;
        usable.sort_by_key(|&f| mix(key ^ mix(u64::from(f))));
        usable.truncate(wanted);
        usable.sort_unstable();
        usable
    }

    /// Draws each block's rows by a hash of their number and takes their slopes.
    fn sample(&mut self, key: u64) {
        let (rows, score, config) = (self.rows, &self.score, self.config);
        self.blocks.par_iter_mut().enumerate().for_each(|(b, block)| {
            let first = b * BLOCK_ROWS;
            *block = Block {
                rows: std::mem::take(&mut block.rows),
                gradient: std::mem::take(&mut block.gradient),
                hessian: std::mem::take(&mut block.hessian),
                ..Block::default()
            };
            block.rows.clear();
            block.gradient.clear();
            block.hessian.clear();
            for i in first..(first + BLOCK_ROWS).min(rows.len()) {
                if config.row_share < 1.0 && unit(key ^ i as u64) >= config.row_share {
                    continue;
                }
                let slopes = config.objective.slopes(rows.target[i], score[i]);
                let weight = rows.weight[i];
                let (gradient, hessian) = (slopes.gradient * weight, slopes.hessian * weight);
                block.rows.push(i as u32);
                block.gradient.push(gradient);
                block.hessian.push(hessian);
                block.absolute_gradients += f64::from(gradient.abs());
                block.hessians += f64::from(hessian);
            }
        });
    }

    /// Writes what was drawn as records.
    fn record(&mut self, features: &[u16], scale: Scale, stride: usize, count: usize) {
        self.records.resize(count * stride, 0);
        let mut rest = self.records.as_mut_slice();
        let mut parts = Vec::with_capacity(self.blocks.len());
        for block in &self.blocks {
            let part;
            (part, rest) = rest.split_at_mut(block.rows.len() * stride);
            parts.push((block, part));
        }
        let rows = self.rows;
        parts.into_par_iter().for_each(|(block, part)| {
            for (k, record) in part.chunks_exact_mut(stride).enumerate() {
                let (slopes, bins) = record.split_at_mut(SLOPES_BYTES);
                let packed = scale.pack(block.gradient[k], block.hessian[k]);
                slopes.copy_from_slice(&packed.to_le_bytes());
                let row = rows.row(block.rows[k] as usize);
                for (bin, &feature) in bins.iter_mut().zip(features) {
                    *bin = row[usize::from(feature)];
                }
            }
        });
    }

    /// Values of a tree's leaves, times the learning rate.
    fn values(&self, leaves: &[GrownLeaf], scale: Scale) -> Vec<f32> {
        let rate = self.config.learning_rate;
        let drawn = match self.config.objective {
            Objective::Quantile { .. } => self.drawn(),
            _ => Vec::new(),
        };
        let value = |leaf: &GrownLeaf| match self.config.objective {
            // A Newton step says nothing where the loss has corners.
            Objective::Quantile { level } => {
                let mut over: Vec<(f32, f32)> = self.grower.rows[leaf.rows.clone()]
                    .iter()
                    .map(|&record| drawn[record as usize] as usize)
                    .map(|i| (self.rows.target[i] - self.score[i], self.rows.weight[i]))
                    .collect();
                if over.is_empty() { 0.0 } else { f64::from(weighted_quantile(&mut over, level)) }
            }
            objective => {
                let (gradient, hessian) = scale.unpack(leaf.sum);
                let below = hessian + self.config.l2;
                let step = if below > 0.0 { -gradient / below } else { 0.0 };
                if objective.is_log() { step.clamp(-MAX_LOG_STEP, MAX_LOG_STEP) } else { step }
            }
        };
        leaves.par_iter().map(|leaf| (rate * value(leaf)) as f32).collect()
    }

    /// Rows of the records.
    fn drawn(&self) -> Vec<u32> {
        self.blocks.iter().flat_map(|block| &block.rows).copied().collect()
    }

    /// Adds a tree to the scores: by its leaves where a row was drawn, else by its splits.
    fn advance(&mut self, tree: &Tree, leaves: &[GrownLeaf]) {
        self.step.resize(self.grower.rows.len(), 0.0);
        for (leaf, &value) in leaves.iter().zip(&tree.leaves) {
            for &record in &self.grower.rows[leaf.rows.clone()] {
                self.step[record as usize] = value;
            }
        }
        let mut rest = self.step.as_slice();
        let mut parts = Vec::with_capacity(self.blocks.len());
        for (block, score) in self.blocks.iter().zip(self.score.chunks_mut(BLOCK_ROWS)) {
            let steps;
            (steps, rest) = rest.split_at(block.rows.len());
            parts.push((block, score, steps));
        }
        let rows = self.rows;
        parts.into_par_iter().enumerate().for_each(|(b, (block, scores, steps))| {
            let first = b * BLOCK_ROWS;
            let mut drawn = block.rows.iter().zip(steps).peekable();
            for (k, score) in scores.iter_mut().enumerate() {
                let i = first + k;
                *score += match drawn.next_if(|(row, _)| **row as usize == i) {
                    Some((_, step)) => *step,
                    None => tree.value(rows.row(i)),
                };
            }
        });
    }
}
