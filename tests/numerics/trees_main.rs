//! Boosted trees: their arithmetic against brute force, and what they learn against known truth.

#[path = "retail.rs"]
mod retail;
mod trees_growth;
mod trees_leak;
mod trees_slopes;
mod trees_truth;

use granary_models::forecast::trees::bins::{BinEdges, TrainingRows};
use granary_models::forecast::trees::booster::{BoostConfig, Booster};
use granary_models::forecast::trees::objective::Objective;

/// Rows of features, with target, weight and offset of each.
#[derive(Clone, Default)]
pub struct Table {
    pub columns: usize,
    pub features: Vec<f32>,
    pub target: Vec<f32>,
    pub weight: Vec<f32>,
    pub offset: Vec<f32>,
}

impl Table {
    pub fn new(columns: usize) -> Self {
        Self { columns, ..Self::default() }
    }

    pub fn push(&mut self, features: &[f32], target: f32, weight: f32, offset: f32) {
        self.features.extend_from_slice(features);
        self.target.push(target);
        self.weight.push(weight);
        self.offset.push(offset);
    }

    pub fn rows(&self) -> usize {
        self.target.len()
    }

    pub fn row(&self, i: usize) -> &[f32] {
        &self.features[i * self.columns..(i + 1) * self.columns]
    }

    pub fn edges(&self) -> BinEdges {
        BinEdges::learn(&self.features, self.columns)
    }

    pub fn bins(&self, edges: &BinEdges) -> Vec<u8> {
        let mut bins = vec![0; self.features.len()];
        for (row, bins) in self.features.chunks(self.columns).zip(bins.chunks_mut(self.columns)) {
            edges.bin_row(row, bins);
        }
        bins
    }

    pub fn training(&self, edges: &BinEdges) -> TrainingRows {
        let mut rows = TrainingRows::new(self.columns);
        for (i, bins) in self.bins(edges).chunks(self.columns).enumerate() {
            rows.push(bins, self.target[i], self.weight[i], self.offset[i]);
        }
        rows
    }

    pub fn fit(&self, config: &BoostConfig) -> Booster {
        let edges = self.edges();
        let rows = self.training(&edges);
        Booster::fit(edges, &rows, config).expect("a table that can be learned from")
    }

    /// Scores with offset.
    pub fn scores(&self, booster: &Booster) -> Vec<f32> {
        let mut scores = vec![0.0; self.rows()];
        booster.scores(&self.bins(booster.edges()), &mut scores);
        scores.iter().zip(&self.offset).map(|(score, offset)| score + offset).collect()
    }

    /// Weighted mean loss of scores.
    pub fn loss(&self, objective: Objective, scores: &[f32]) -> f64 {
        let (mut sum, mut weight) = (0.0, 0.0);
        for (i, &score) in scores.iter().enumerate() {
            sum += f64::from(self.weight[i]) * objective.loss(self.target[i], score);
            weight += f64::from(self.weight[i]);
        }
        sum / weight
    }
}

/// All rows and features, small leaves, nothing drawn.
pub fn exact(objective: Objective) -> BoostConfig {
    BoostConfig {
        objective,
        rounds: 1,
        learning_rate: 1.0,
        leaves: 2,
        min_leaf_rows: 0.0,
        l2: 0.0,
        feature_share: 1.0,
        row_share: 1.0,
        ..BoostConfig::default()
    }
}

/// SplitMix64 (Steele, Lea & Flood 2014).
pub struct Random(pub u64);

impl Random {
    pub fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (((x ^ (x >> 31)) >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    pub fn normal(&mut self) -> f64 {
        (-2.0 * self.unit().ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// A Poisson number of exponential sizes: Tweedie with power 1.5.
    pub fn compound(&mut self, mean: f64) -> f64 {
        let (mut sum, mut arrival) = (0.0, -self.unit().ln());
        while arrival < mean {
            sum -= self.unit().ln();
            arrival -= self.unit().ln();
        }
        sum
    }
}
