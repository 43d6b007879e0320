//! Features as small whole numbers, and the rows that trees learn from.
//!
//! A feature's range is cut once, at quantiles of a sample; after that a value is a bin of one
//! byte. Trees look at nothing else, so a row costs one byte a feature and a split is found by
//! summing over bins (Ke et al. 2017, LightGBM).

use serde::{Deserialize, Serialize};

/// Bins that hold values; bin 0 holds what is missing.
pub const VALUE_BINS: usize = 254;

/// Upper edges of each feature's bins.
///
/// A value is in bin `1 + k` when `k` of its feature's edges are below it; NaN is in bin 0.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BinEdges {
    edges: Vec<Vec<f32>>,
}

impl BinEdges {
    /// Cuts each column of a row-major sample into at most 254 bins of about as many rows each.
    ///
    /// Values that are few get a bin each, and a value that is common has one to itself. A cut lies
    /// halfway between its neighbours.
    ///
    /// # Panics
    /// If the sample is not whole rows.
    pub fn learn(sample: &[f32], columns: usize) -> Self {
        assert_eq!(sample.len() % columns.max(1), 0, "a sample of whole rows");
        let rows = sample.len() / columns.max(1);
        let mut values: Vec<f32> = Vec::with_capacity(rows);
        let mut edges = Vec::with_capacity(columns);
        for column in 0..columns {
            values.clear();
            values.extend(sample.iter().skip(column).step_by(columns).filter(|v| !v.is_nan()));
            values.sort_unstable_by(f32::total_cmp);
            let found = distinct(&values);
            // One value that may be missing: an edge above it makes the two a split.
            let is_one = found.len() == 1 && values.len() < rows;
            edges.push(if is_one {
                vec![found[0].0.clamp(f32::MIN, f32::MAX)]
            } else {
                cuts(&found)
            });
        }
        Self { edges }
    }

    /// Features of a row.
    pub fn columns(&self) -> usize {
        self.edges.len()
    }

    /// Bins of a feature that hold values, at least one.
    pub fn value_bins(&self, column: usize) -> usize {
        self.edges[column].len() + 1
    }

    /// Whether a feature can split rows: it has two values, or one that may be missing.
    pub(super) fn has_split(&self, column: usize) -> bool {
        !self.edges[column].is_empty()
    }

    /// Bins of one row, in the order of its features.
    ///
    /// # Panics
    /// If the row or `out` has not as many values as there are features.
    pub fn bin_row(&self, row: &[f32], out: &mut [u8]) {
        assert_eq!((row.len(), out.len()), (self.columns(), self.columns()), "a value a feature");
        for ((edges, &value), bin) in self.edges.iter().zip(row).zip(out) {
            *bin = bin_of(edges, value);
        }
    }

    /// Largest value of a bin, or `None` for the last bin, which has no end.
    pub fn upper_edge(&self, column: usize, bin: u8) -> Option<f32> {
        usize::from(bin).checked_sub(1).and_then(|k| self.edges[column].get(k).copied())
    }
}

fn bin_of(edges: &[f32], value: f32) -> u8 {
    if value.is_nan() {
        return 0;
    }
    // At most 253 edges.
    1 + edges.partition_point(|&edge| edge < value) as u8
}

/// Values of an ascending list, each once, and how often they come.
fn distinct(sorted: &[f32]) -> Vec<(f32, usize)> {
    let mut found: Vec<(f32, usize)> = Vec::new();
    for &value in sorted {
        match found.last_mut() {
            Some((last, count)) if *last == value => *count += 1,
            _ => found.push((value, 1)),
        }
    }
    found
}

/// Upper edges of bins that hold about as many rows each.
fn cuts(values: &[(f32, usize)]) -> Vec<f32> {
    if values.len() <= VALUE_BINS {
        return values.windows(2).map(|pair| between(pair[0].0, pair[1].0)).collect();
    }
    let total: usize = values.iter().map(|v| v.1).sum();
    // What is common enough to fill a bin has one to itself and counts in no share.
    let common = |count: usize| count * VALUE_BINS >= total;
    let mut rows_left: usize = values.iter().map(|v| v.1).filter(|&c| !common(c)).sum();
    let mut bins_left = VALUE_BINS - values.iter().filter(|v| common(v.1)).count();
    let mut edges = Vec::with_capacity(VALUE_BINS - 1);
    let (mut inside, mut share) = (0, rows_left.div_ceil(bins_left.max(1)));
    for pair in values.windows(2) {
        let (count, next) = (pair[0].1, pair[1].1);
        if !common(count) {
            inside += count;
            rows_left -= count;
        }
        // A bin ends before a common value even if it is not full; that may take one bin more than
        // was planned, so the planned ones grow.
        if common(count) || inside >= share || (common(next) && inside > 0) {
            if edges.len() + 1 == VALUE_BINS {
                break;
            }
            edges.push(between(pair[0].0, pair[1].0));
            if !common(count) {
                bins_left = bins_left.saturating_sub(1).max(1);
                (inside, share) = (0, rows_left.div_ceil(bins_left));
            }
        }
    }
    edges
}

/// A cut that keeps `low` on its own side and `high` on the other.
fn between(low: f32, high: f32) -> f32 {
    let middle = low + (high - low) / 2.0;
    // Infinite neighbours, or none between the two.
    let low = low.max(f32::MIN);
    if middle >= low && middle < high && middle.is_finite() { middle } else { low }
}

/// Binned rows with what is learned from them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrainingRows {
    pub(super) columns: usize,
    /// Row-major, `columns` a row.
    pub(super) bins: Vec<u8>,
    pub(super) target: Vec<f32>,
    pub(super) weight: Vec<f32>,
    /// What is known of the prediction before learning: on the log scale where the objective's link
    /// is the logarithm, else on the target's.
    pub(super) offset: Vec<f32>,
}

impl TrainingRows {
    /// No rows yet, of so many features.
    pub fn new(columns: usize) -> Self {
        Self { columns, ..Self::default() }
    }

    /// Room for so many more rows.
    pub fn reserve(&mut self, rows: usize) {
        self.bins.reserve(rows * self.columns);
        self.target.reserve(rows);
        self.weight.reserve(rows);
        self.offset.reserve(rows);
    }

    /// Adds a row. One of no weight teaches nothing and is left out.
    ///
    /// # Panics
    /// If there is not a bin a feature.
    pub fn push(&mut self, bins: &[u8], target: f32, weight: f32, offset: f32) {
        assert_eq!(bins.len(), self.columns, "a bin a feature");
        if weight == 0.0 {
            return;
        }
        self.bins.extend_from_slice(bins);
        self.target.push(target);
        self.weight.push(weight);
        self.offset.push(offset);
    }

    /// Adds the rows of a block after these; blocks joined in order make the same rows whoever made
    /// them.
    ///
    /// # Panics
    /// If the block's rows have another number of features.
    pub fn append(&mut self, mut block: Self) {
        assert_eq!(block.columns, self.columns, "blocks of the same features");
        self.bins.append(&mut block.bins);
        self.target.append(&mut block.target);
        self.weight.append(&mut block.weight);
        self.offset.append(&mut block.offset);
    }

    /// Rows.
    pub fn len(&self) -> usize {
        self.target.len()
    }

    /// Whether there is nothing to learn from.
    pub fn is_empty(&self) -> bool {
        self.target.is_empty()
    }

    /// Features of a row.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Bins of all rows, row-major.
    pub fn bins(&self) -> &[u8] {
        &self.bins
    }

    pub(super) fn row(&self, i: usize) -> &[u8] {
        &self.bins[i * self.columns..(i + 1) * self.columns]
    }
}
