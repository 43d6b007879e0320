//! Grows one tree leaf by leaf: always the leaf whose split gains most (LightGBM's order).
//!
//! Rows of a leaf are a stretch of one list, so a split reorders a stretch in place and keeps the
//! order of the rows; only the smaller child is summed, the other is what it leaves of the parent.

use std::ops::Range;

use rayon::prelude::*;

use super::histogram::{Histogram, LeafSums, Records, Split, SplitLimits};
use super::tree::{Node, Tree};

/// A stretch that is worth more than one thread.
const PARALLEL_ROWS: usize = 16_384;

/// What one tree may become.
pub struct GrowLimits {
    pub leaves: usize,
    pub max_depth: usize,
    pub split: SplitLimits,
}

/// The rows and features of one tree.
pub struct GrowInput<'a> {
    pub records: Records<'a>,
    /// Bins feature by feature, of all features: a split looks at one only, and a million rows of
    /// one stay near the processor.
    pub by_column: &'a [u8],
    /// Rows, of which the tree grows on some.
    pub count: usize,
    /// Bins that hold values, of each of the tree's features.
    pub value_bins: &'a [usize],
}

/// A leaf of a grown tree.
pub struct GrownLeaf {
    /// Its stretch of the list of rows.
    pub rows: Range<usize>,
    /// Its summed slopes.
    pub sum: i64,
}

/// Memory that is used again from tree to tree.
#[derive(Default)]
pub struct Grower {
    /// Rows of the tree, ordered by leaf.
    pub rows: Vec<u32>,
    scratch: Vec<u32>,
    spare: Vec<Histogram>,
}

struct Open {
    rows: Range<usize>,
    sum: i64,
    depth: usize,
    /// The node it hangs from, and whether as the left child.
    parent: Option<(usize, bool)>,
    histogram: Option<Histogram>,
    best: Option<Split>,
}

impl Open {
    fn sums(&self) -> LeafSums {
        LeafSums { rows: self.rows.len(), sum: self.sum }
    }
}

impl Grower {
    /// Grows a tree on `self.rows`; leaves have no values yet. `gain` collects gain by feature.
    pub fn grow(
        &mut self,
        input: &GrowInput,
        limits: &GrowLimits,
        gain: &mut [f64],
    ) -> (Tree, Vec<GrownLeaf>) {
        self.scratch.resize(self.rows.len(), 0);
        let mut tree = Tree::default();
        let mut leaves = vec![self.root(input, limits)];
        while leaves.len() < limits.leaves {
            let Some((at, split)) = best_leaf(&leaves) else { break };
            let feature = input.records.features[split.feature];
            gain[usize::from(feature)] += split.gain;
            let node = Node::new(feature, split.bin, split.missing_left);
            tree.split(at, leaves[at].parent, node);
            let is_last = leaves.len() + 1 == limits.leaves;
            let right = self.split(&mut leaves[at], split, node, input);
            leaves.push(right);
            let last = leaves.len() - 1;
            let parent = tree.nodes.len() - 1;
            leaves[at].parent = Some((parent, true));
            leaves[last].parent = Some((parent, false));
            if !is_last {
                let (left, right) = leaves.split_at_mut(last);
                self.look(&mut left[at], &mut right[0], input, limits);
            }
        }
        tree.leaves = vec![0.0; leaves.len()];
        self.spare.extend(leaves.iter_mut().filter_map(|leaf| leaf.histogram.take()));
        let grown = leaves.into_iter().map(|l| GrownLeaf { rows: l.rows, sum: l.sum }).collect();
        (tree, grown)
    }

    fn root(&mut self, input: &GrowInput, limits: &GrowLimits) -> Open {
        let mut histogram = input.records.empty(self.spare.pop().unwrap_or_default());
        input.records.sum(&self.rows, &mut histogram);
        // Every row is in some bin of the first feature.
        let sum = histogram.first().map_or_else(
            || self.rows.iter().map(|&row| input.records.slopes(row)).sum(),
            |sums| sums.iter().sum(),
        );
        let mut root = Open {
            rows: 0..self.rows.len(),
            sum,
            depth: 0,
            parent: None,
            histogram: Some(histogram),
            best: None,
        };
        find_best(&mut root, input, limits);
        root
    }

    /// Makes `leaf` the left child of its split and gives the right one. The left keeps the
    /// parent's histogram for now.
    fn split(&mut self, leaf: &mut Open, split: Split, node: Node, input: &GrowInput) -> Open {
        let bins = &input.by_column[node.feature() * input.count..][..input.count];
        let goes_left = |row: u32| node.goes_left(bins[row as usize]);
        let stretch = leaf.rows.clone();
        let left_count =
            partition(&mut self.rows[stretch.clone()], &mut self.scratch[stretch], goes_left);
        let middle = leaf.rows.start + left_count;
        let right = Open {
            rows: middle..leaf.rows.end,
            sum: leaf.sum - split.left,
            depth: leaf.depth + 1,
            parent: None,
            histogram: None,
            best: None,
        };
        leaf.rows.end = middle;
        leaf.sum = split.left;
        leaf.depth += 1;
        leaf.best = None;
        right
    }

    /// Histograms and best splits of two siblings; the left has the parent's histogram.
    fn look(&mut self, left: &mut Open, right: &mut Open, input: &GrowInput, limits: &GrowLimits) {
        let parents = left.histogram.take();
        let least = 2.0 * limits.split.min_leaf_rows.max(1.0);
        let hopeless =
            |leaf: &Open| leaf.depth >= limits.max_depth || (leaf.rows.len() as f64) < least;
        if hopeless(left) && hopeless(right) {
            self.spare.extend(parents);
            return;
        }
        let mut larger_sums = parents.expect("an open leaf has a histogram");
        let mut smaller_sums = input.records.empty(self.spare.pop().unwrap_or_default());
        let (smaller, larger) =
            if left.rows.len() <= right.rows.len() { (left, right) } else { (right, left) };
        input.records.sum(&self.rows[smaller.rows.clone()], &mut smaller_sums);
        for (sums, less) in larger_sums.iter_mut().zip(&smaller_sums) {
            sums.iter_mut().zip(less).for_each(|(sum, less)| *sum -= less);
        }
        smaller.histogram = Some(smaller_sums);
        larger.histogram = Some(larger_sums);
        rayon::join(
            || {
                if !hopeless(smaller) {
                    find_best(smaller, input, limits)
                }
            },
            || {
                if !hopeless(larger) {
                    find_best(larger, input, limits)
                }
            },
        );
    }
}

fn find_best(leaf: &mut Open, input: &GrowInput, limits: &GrowLimits) {
    let histogram = leaf.histogram.as_ref().expect("an open leaf has a histogram");
    leaf.best = limits.split.best(histogram, input.value_bins, leaf.sums());
}

/// The leaf whose split gains most; of equals the older.
fn best_leaf(leaves: &[Open]) -> Option<(usize, Split)> {
    let mut best: Option<(usize, Split)> = None;
    for (at, leaf) in leaves.iter().enumerate() {
        if let Some(split) = leaf.best
            && best.is_none_or(|(_, b)| split.gain > b.gain)
        {
            best = Some((at, split));
        }
    }
    best
}

/// Puts the rows that go left first, both sides in the order they had; gives how many go left.
fn partition(
    rows: &mut [u32],
    scratch: &mut [u32],
    goes_left: impl Fn(u32) -> bool + Sync,
) -> usize {
    let threads = rayon::current_num_threads().min(rows.len() / PARALLEL_ROWS).max(1);
    let part = rows.len().div_ceil(threads).max(1);
    let counts: Vec<usize> = rows
        .par_chunks(part)
        .zip(scratch.par_chunks_mut(part))
        .map(|(rows, scratch)| partition_part(rows, scratch, &goes_left))
        .collect();
    let left_count = counts.iter().sum();
    let (mut lefts, mut rights) = rows.split_at_mut(left_count);
    let mut copies = Vec::with_capacity(counts.len());
    for (scratch, &count) in scratch.chunks(part).zip(&counts) {
        let (left, right);
        (left, lefts) = lefts.split_at_mut(count);
        (right, rights) = rights.split_at_mut(scratch.len() - count);
        copies.push((left, right, scratch));
    }
    copies.into_par_iter().for_each(|(left, right, scratch)| {
        let (from_left, from_right) = scratch.split_at(left.len());
        left.copy_from_slice(from_left);
        right.iter_mut().zip(from_right.iter().rev()).for_each(|(to, from)| *to = *from);
    });
    left_count
}

/// Those that go left from the front, the others from the back in reverse.
fn partition_part(
    rows: &[u32],
    scratch: &mut [u32],
    goes_left: &(impl Fn(u32) -> bool + Sync),
) -> usize {
    let (mut left, mut right) = (0, rows.len());
    for &row in rows {
        let is_left = goes_left(row);
        right -= usize::from(!is_left);
        scratch[if is_left { left } else { right }] = row;
        left += usize::from(is_left);
    }
    left
}
