//! Sums of slopes by bin, and the split that they make best.
//!
//! A row's gradient and hessian are fixed-point numbers in one `i64`: the gradient in the upper 32
//! bits and the hessian in the lower. Both are summed by one addition, exactly, so that neither the
//! order of the rows nor the number of threads changes a bit, and a sibling's histogram is the
//! parent's less the other's without loss. The scale uses the whole width for the sum over all
//! rows; with a million rows a row of average gradient has 2,000 steps.

use rayon::prelude::*;

/// Sums of one feature's bins.
pub type FeatureSums = [i64; 256];
/// Sums of each feature of a tree.
pub type Histogram = Vec<FeatureSums>;

/// A share of a leaf that is worth a thread.
const PARALLEL_ROWS: usize = 4096;
/// Adding and subtracting it rounds to a whole number, ties to even.
const ROUNDING: f64 = 6_755_399_441_055_744.0;

/// Steps a unit of gradient and of hessian.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scale {
    gradient: f64,
    hessian: f64,
}

impl Scale {
    /// Steps such that no sum over any of the rows leaves its 32 bits.
    pub fn new(absolute_gradients: f64, hessians: f64, rows: usize) -> Self {
        let room = rows as f64 + 1.0;
        let over = |width: f64, sum: f64| if sum > 0.0 { (width - room) / sum } else { 0.0 };
        Self {
            gradient: over(f64::from(i32::MAX), absolute_gradients),
            hessian: over(f64::from(u32::MAX), hessians),
        }
    }

    /// A row's slopes as one number.
    pub fn pack(self, gradient: f32, hessian: f32) -> i64 {
        let whole = |x: f64| (x + ROUNDING - ROUNDING) as i64;
        (whole(f64::from(gradient) * self.gradient) << 32)
            + whole(f64::from(hessian) * self.hessian)
    }

    /// Gradient and hessian of a sum.
    pub fn unpack(self, sum: i64) -> (f64, f64) {
        let (gradient, hessian) = steps(sum);
        let by = |steps: f64, scale: f64| if scale > 0.0 { steps / scale } else { 0.0 };
        (by(gradient, self.gradient), by(hessian, self.hessian))
    }
}

fn steps(sum: i64) -> (f64, f64) {
    (f64::from((sum >> 32) as i32), f64::from(sum as u32))
}

/// All rows, of which a tree grows on some: packed slopes and the bins of its features, row by row
/// and side by side, so that a row is one or two lines of memory.
pub struct Records<'a> {
    bytes: &'a [u8],
    stride: usize,
    pub features: &'a [u16],
}

/// Bytes of a record before its bins: the packed slopes.
const SLOPES_BYTES: usize = 8;
/// Features that are summed by one unrolled step; a record's last are filled up with bin 0.
const STEP: usize = 4;
/// Rows that are written together: one feature's bins at a time, while their records stay near.
const WRITE_ROWS: usize = 256;

/// Bytes of a record of so many features.
pub fn stride(features: usize) -> usize {
    SLOPES_BYTES + features.next_multiple_of(STEP)
}

/// Writes records of the rows from `first` on, from bins feature by feature.
pub fn write_records(
    records: &mut [u8],
    slopes: impl ExactSizeIterator<Item = i64>,
    features: &[u16],
    by_column: &[u8],
    first: usize,
    count: usize,
) {
    let stride = stride(features.len());
    for (record, slopes) in records.chunks_exact_mut(stride).zip(slopes) {
        record[..SLOPES_BYTES].copy_from_slice(&slopes.to_le_bytes());
    }
    for (part, records) in records.chunks_mut(WRITE_ROWS * stride).enumerate() {
        let first = first + part * WRITE_ROWS;
        let rows = records.len() / stride;
        for (step, features) in features.chunks(STEP).enumerate() {
            let columns: [&[u8]; STEP] = std::array::from_fn(|k| match features.get(k) {
                Some(&feature) => &by_column[usize::from(feature) * count + first..][..rows],
                None => &[0; WRITE_ROWS][..rows],
            });
            let at = SLOPES_BYTES + step * STEP;
            for (i, record) in records.chunks_exact_mut(stride).enumerate() {
                let bins = columns.map(|column| column[i]);
                record[at..at + STEP].copy_from_slice(&bins);
            }
        }
    }
}

impl<'a> Records<'a> {
    /// Records as [`write_records`] wrote them.
    pub fn new(bytes: &'a [u8], features: &'a [u16]) -> Self {
        Self { bytes, stride: stride(features.len()), features }
    }

    /// An empty histogram of the tree's features, in memory that may have been used before.
    pub fn empty(&self, mut used: Histogram) -> Histogram {
        used.clear();
        used.resize(self.features.len().next_multiple_of(STEP), [0; 256]);
        used
    }

    /// A row's packed slopes.
    pub fn slopes(&self, row: u32) -> i64 {
        let at = row as usize * self.stride;
        read_slopes(&self.bytes[at..at + SLOPES_BYTES])
    }

    /// Adds the slopes of rows to the bins that they are in.
    pub fn sum(&self, rows: &[u32], histogram: &mut Histogram) {
        let threads = rayon::current_num_threads().min(rows.len() / PARALLEL_ROWS).max(1);
        if threads == 1 {
            return self.add(rows, histogram);
        }
        let parts: Vec<Histogram> = rows
            .par_chunks(rows.len().div_ceil(threads))
            .map(|part| {
                let mut sums = self.empty(Vec::new());
                self.add(part, &mut sums);
                sums
            })
            .collect();
        for part in &parts {
            for (sums, more) in histogram.iter_mut().zip(part) {
                sums.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
            }
        }
    }

    fn add(&self, rows: &[u32], histogram: &mut [FeatureSums]) {
        let (steps, _) = histogram.as_chunks_mut::<STEP>();
        for &row in rows {
            let at = row as usize * self.stride;
            let (slopes, bins) = self.bytes[at..at + self.stride].split_at(SLOPES_BYTES);
            let slopes = read_slopes(slopes);
            for (sums, bins) in steps.iter_mut().zip(bins.as_chunks::<STEP>().0) {
                for (sums, &bin) in sums.iter_mut().zip(bins) {
                    sums[usize::from(bin)] += slopes;
                }
            }
        }
    }
}

fn read_slopes(bytes: &[u8]) -> i64 {
    let mut eight = [0; SLOPES_BYTES];
    eight.copy_from_slice(bytes);
    i64::from_le_bytes(eight)
}

/// What a split must keep to.
#[derive(Clone, Copy, Debug)]
pub struct SplitLimits {
    /// Rows in a leaf, estimated by their share of the parent's hessian.
    pub min_leaf_rows: f64,
    pub l2: f64,
    pub min_gain: f64,
    pub scale: Scale,
}

/// Rows and slopes of a leaf.
#[derive(Clone, Copy, Debug)]
pub struct LeafSums {
    pub rows: usize,
    pub sum: i64,
}

/// A split of a leaf: bins `1..=bin` of `feature` go left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Split {
    pub gain: f64,
    pub feature: usize,
    pub bin: u8,
    pub missing_left: bool,
    /// Slopes of the rows that go left.
    pub left: i64,
}

impl SplitLimits {
    /// The split of a leaf with the largest gain; of equals the first feature and bin.
    pub fn best(
        &self,
        histogram: &Histogram,
        value_bins: &[usize],
        leaf: LeafSums,
    ) -> Option<Split> {
        let mut best: Option<Split> = None;
        for (feature, (sums, &bins)) in histogram.iter().zip(value_bins).enumerate() {
            if let Some((gain, bin, missing_left, left)) = self.best_of(sums, bins, leaf)
                && best.is_none_or(|b| gain > b.gain)
            {
                best = Some(Split { gain, feature, bin, missing_left, left });
            }
        }
        best
    }

    fn best_of(
        &self,
        sums: &FeatureSums,
        value_bins: usize,
        leaf: LeafSums,
    ) -> Option<(f64, u8, bool, i64)> {
        let missing = sums[0];
        let found = self.scan(&sums[..value_bins], 0, leaf);
        if missing == 0 {
            // What was never missing here goes with the heavier side.
            return found.map(|(gain, bin, left)| {
                let (left_h, all_h) = (steps(left).1, steps(leaf.sum).1);
                (gain, bin, 2.0 * left_h >= all_h, left)
            });
        }
        let right = self.scan(&sums[..=value_bins], 0, leaf);
        let left = self.scan(&sums[..value_bins], missing, leaf);
        match (left, right) {
            (Some(l), Some(r)) if r.0 > l.0 => Some((r.0, r.1, false, r.2)),
            (Some(l), _) => Some((l.0, l.1, true, l.2)),
            (None, r) => r.map(|r| (r.0, r.1, false, r.2)),
        }
    }

    /// The best of the cuts after each bin from 1 on, with `left` on the left from the beginning.
    ///
    /// Gain is `GL^2 / (HL + l2) + GR^2 / (HR + l2) - G^2 / (H + l2)` (Chen & Guestrin 2016, eq. 7,
    /// without its half).
    fn scan(&self, sums: &[i64], mut left: i64, leaf: LeafSums) -> Option<(f64, u8, i64)> {
        let Scale { gradient: g_scale, hessian: h_scale } = self.scale;
        if g_scale == 0.0 || h_scale == 0.0 {
            return None;
        }
        let (g, h) = steps(leaf.sum);
        let l2 = self.l2 * h_scale;
        let min_h = (self.min_leaf_rows * h / leaf.rows as f64).max(1.0);
        // In steps a gain is larger by this.
        let unit = h_scale / (g_scale * g_scale);
        let before = g * g / (h + l2);
        let mut best: Option<(f64, u8, i64)> = None;
        let mut best_gain = before + self.min_gain / unit;
        for (bin, &sum) in sums.iter().enumerate().skip(1) {
            left += sum;
            let (left_g, left_h) = steps(left);
            let (right_g, right_h) = (g - left_g, h - left_h);
            if right_h < min_h {
                break;
            }
            if sum == 0 || left_h < min_h {
                continue;
            }
            let (a, b) = (left_h + l2, right_h + l2);
            let gain = (left_g * left_g * b + right_g * right_g * a) / (a * b);
            if gain > best_gain {
                best_gain = gain;
                best = Some(((gain - before) * unit, bin as u8, left));
            }
        }
        best
    }
}
