//! Trees on trees: each is grown on the slopes that the ones before it leave (Friedman 2001).

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::bins::{BinEdges, TrainingRows};
use super::grow::{GrowInput, GrowLimits, Grower, GrownLeaf};
use super::histogram::{Records, Scale, SplitLimits, stride, write_records};
use super::objective::{Objective, Slopes, weighted_quantile};
use super::score::score_rows;
use super::tree::Tree;
use crate::distribution::paths::mix;

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

/// Rows of a block that a tree sees, with the sums of their slopes.
#[derive(Default)]
struct Drawn {
    rows: Vec<u32>,
    absolute_gradients: f64,
    hessians: f64,
}

/// What is kept from round to round.
struct Fit<'a> {
    edges: &'a BinEdges,
    rows: &'a TrainingRows,
    config: &'a BoostConfig,
    /// Bins feature by feature.
    by_column: Vec<u8>,
    /// With offset.
    score: Vec<f32>,
    drawn: Vec<Drawn>,
    slopes: Vec<Slopes>,
    records: Vec<u8>,
    /// What the last tree adds to each row; NaN where the tree did not see the row.
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
        let mut drawn = Vec::new();
        drawn.resize_with(rows.len().div_ceil(BLOCK_ROWS), Drawn::default);
        Self {
            edges,
            rows,
            config,
            by_column: by_column(rows),
            score: rows.offset.iter().map(|offset| offset + start).collect(),
            drawn,
            slopes: vec![Slopes::default(); rows.len()],
            records: Vec::new(),
            step: vec![0.0; rows.len()],
            grower: Grower::default(),
        }
    }

    fn round(&mut self, round: usize, gain: &mut [f64]) -> Tree {
        let key = mix(self.config.seed ^ mix(round as u64));
        let features = self.features(key);
        let value_bins: Vec<usize> =
            features.iter().map(|&f| self.edges.value_bins(usize::from(f))).collect();
        self.draw(mix(key ^ 1));
        let scale = self.pack(&features);
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
        let input = GrowInput {
            records: Records::new(&self.records, &features),
            by_column: &self.by_column,
            count: self.rows.len(),
            value_bins: &value_bins,
        };
        self.grower.rows.clear();
        self.grower.rows.extend(self.drawn.iter().flat_map(|block| &block.rows));
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
    fn draw(&mut self, key: u64) {
        let (rows, score, config) = (self.rows, &self.score, self.config);
        let blocks = self.drawn.par_iter_mut().zip(self.slopes.par_chunks_mut(BLOCK_ROWS));
        blocks.enumerate().for_each(|(b, (drawn, slopes))| {
            drawn.rows.clear();
            (drawn.absolute_gradients, drawn.hessians) = (0.0, 0.0);
            let mut draws = Draws::new(key ^ b as u64, config.row_share);
            for (k, slopes) in slopes.iter_mut().enumerate() {
                if !draws.next() {
                    *slopes = Slopes::default();
                    continue;
                }
                let i = b * BLOCK_ROWS + k;
                let (of_one, weight) =
                    (config.objective.slopes(rows.target[i], score[i]), rows.weight[i]);
                slopes.gradient = of_one.gradient * weight;
                slopes.hessian = of_one.hessian * weight;
                drawn.rows.push(i as u32);
                drawn.absolute_gradients += f64::from(slopes.gradient.abs());
                drawn.hessians += f64::from(slopes.hessian);
            }
        });
    }

    /// Makes whole numbers of the rows' slopes and records of the tree's features.
    fn pack(&mut self, features: &[u16]) -> Scale {
        let (count, drawn) = (self.rows.len(), self.drawn.iter().map(|d| d.rows.len()).sum());
        let absolute = self.drawn.iter().map(|d| d.absolute_gradients).sum();
        let scale = Scale::new(absolute, self.drawn.iter().map(|d| d.hessians).sum(), drawn);
        let stride = stride(features.len());
        self.records.resize(count * stride, 0);
        let by_column = &self.by_column;
        let blocks = self.records.par_chunks_mut(BLOCK_ROWS * stride);
        blocks.zip(self.slopes.par_chunks(BLOCK_ROWS)).enumerate().for_each(
            |(b, (records, slopes))| {
                let packed = slopes.iter().map(|s| scale.pack(s.gradient, s.hessian));
                write_records(records, packed, features, by_column, b * BLOCK_ROWS, count);
            },
        );
        scale
    }

    /// Values of a tree's leaves, times the learning rate.
    fn values(&self, leaves: &[GrownLeaf], scale: Scale) -> Vec<f32> {
        let rate = self.config.learning_rate;
        let value = |leaf: &GrownLeaf| match self.config.objective {
            // A Newton step says nothing where the loss has corners.
            Objective::Quantile { level } => {
                let mut over: Vec<(f32, f32)> = self.grower.rows[leaf.rows.clone()]
                    .iter()
                    .map(|&row| row as usize)
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

    /// Adds a tree to the scores: by its leaves where a row was drawn, else by its splits.
    fn advance(&mut self, tree: &Tree, leaves: &[GrownLeaf]) {
        self.step.fill(f32::NAN);
        for (leaf, &value) in leaves.iter().zip(&tree.leaves) {
            for &row in &self.grower.rows[leaf.rows.clone()] {
                self.step[row as usize] = value;
            }
        }
        let rows = self.rows;
        let blocks = self.score.par_chunks_mut(BLOCK_ROWS).zip(self.step.par_chunks(BLOCK_ROWS));
        blocks.enumerate().for_each(|(b, (scores, steps))| {
            for (k, (score, &step)) in scores.iter_mut().zip(steps).enumerate() {
                let is_drawn = !step.is_nan();
                *score += if is_drawn { step } else { tree.value(rows.row(b * BLOCK_ROWS + k)) };
            }
        });
    }
}

/// Whether each row of a block is drawn: four rows a hash.
struct Draws {
    key: u64,
    bits: u64,
    count: u64,
    below: u64,
}

impl Draws {
    fn new(key: u64, share: f64) -> Self {
        // Steps of 1/65,536 are fine enough for a share of rows.
        Self { key: mix(key), bits: 0, count: 0, below: (share * 65_536.0).round() as u64 }
    }

    fn next(&mut self) -> bool {
        if self.count.is_multiple_of(4) {
            self.bits = mix(self.key ^ self.count);
        }
        let drawn = self.bits & 0xFFFF;
        self.bits >>= 16;
        self.count += 1;
        drawn < self.below
    }
}

/// Bins of all rows, feature by feature.
fn by_column(rows: &TrainingRows) -> Vec<u8> {
    let (count, columns) = (rows.len(), rows.columns);
    let mut turned = vec![0; rows.bins.len()];
    // A few features at a time, so that a line of the rows serves all of them.
    turned.par_chunks_mut(8 * count).enumerate().for_each(|(group, turned)| {
        for first in (0..count).step_by(256) {
            for (k, column) in turned.chunks_mut(count).enumerate() {
                let last = (first + 256).min(count);
                for (bin, i) in column[first..last].iter_mut().zip(first..) {
                    *bin = rows.bins[i * columns + 8 * group + k];
                }
            }
        }
    });
    turned
}
