//! Scores of many rows at once.
//!
//! A tree is a table: for each of its features and each bin, the leaves that this bin leaves
//! possible. The bits that all features leave set are the leaves a row may come to; the first is
//! the one it comes to (QuickScorer, Lucchese et al. 2015). No branch depends on the data.

use rayon::prelude::*;

use super::tree::Tree;

/// Rows that one task scores: columns of its bins stay near the processor.
const TASK_ROWS: usize = 4096;
/// Leaves of a word.
const WORD: usize = 64;
/// Most words of leaves that a table is made of; larger trees are walked.
const MAX_WORDS: usize = 4;

/// Adds the trees' values to the scores of row-major rows of `columns` bins.
pub fn score_rows(trees: &[Tree], columns: usize, bins: &[u8], scores: &mut [f32]) {
    if columns == 0 {
        let constant = trees.iter().fold(0.0, |sum, tree| sum + tree.leaves[0]);
        scores.iter_mut().for_each(|score| *score += constant);
        return;
    }
    let most = trees.iter().map(|tree| tree.leaves.len()).max().unwrap_or(1);
    let of_task = |(bins, scores): (&[u8], &mut [f32])| match most.div_ceil(WORD) {
        ..=1 => score_task::<1>(trees, columns, bins, scores),
        2 => score_task::<2>(trees, columns, bins, scores),
        3..=MAX_WORDS => score_task::<MAX_WORDS>(trees, columns, bins, scores),
        _ => {
            for (row, score) in bins.chunks_exact(columns).zip(scores) {
                *score = trees.iter().fold(*score, |score, tree| score + tree.value(row));
            }
        }
    };
    bins.par_chunks(TASK_ROWS * columns).zip(scores.par_chunks_mut(TASK_ROWS)).for_each(of_task);
}

fn score_task<const WORDS: usize>(trees: &[Tree], columns: usize, bins: &[u8], scores: &mut [f32]) {
    let rows = scores.len();
    let mut by_column = vec![0; bins.len()];
    for (i, row) in bins.chunks_exact(columns).enumerate() {
        for (column, &bin) in row.iter().enumerate() {
            by_column[column * rows + i] = bin;
        }
    }
    let mut table = Table::<WORDS>::default();
    let mut possible = vec![[0; WORDS]; rows];
    for tree in trees {
        table.fill(tree);
        possible.fill([u64::MAX; WORDS]);
        for (column, allowed) in table.columns.iter().zip(&table.allowed) {
            let bins = &by_column[column * rows..(column + 1) * rows];
            for (possible, &bin) in possible.iter_mut().zip(bins) {
                let allowed = &allowed[usize::from(bin)];
                for word in 0..WORDS {
                    possible[word] &= allowed[word];
                }
            }
        }
        for (score, possible) in scores.iter_mut().zip(&possible) {
            *score += table.values[first(possible)];
        }
    }
}

fn first<const WORDS: usize>(possible: &[u64; WORDS]) -> usize {
    let mut before = 0;
    for word in possible {
        if *word != 0 {
            return before + word.trailing_zeros() as usize;
        }
        before += WORD;
    }
    0
}

/// Leaves that each bin of each feature leaves possible.
#[derive(Default)]
struct Table<const WORDS: usize> {
    columns: Vec<usize>,
    allowed: Vec<[[u64; WORDS]; 256]>,
    /// Values of the leaves from left to right.
    values: Vec<f32>,
}

impl<const WORDS: usize> Table<WORDS> {
    fn fill(&mut self, tree: &Tree) {
        self.columns.clear();
        self.columns.extend(tree.nodes.iter().map(|node| node.feature()));
        self.columns.sort_unstable();
        self.columns.dedup();
        self.allowed.clear();
        self.allowed.resize(self.columns.len(), [[u64::MAX; WORDS]; 256]);
        self.values.clear();
        if tree.nodes.is_empty() {
            self.values.push(tree.leaves[0]);
        } else {
            self.visit(tree, 0);
        }
    }

    /// Numbers the leaves below a child from left to right; a node forbids those of the side that a
    /// bin does not go to.
    fn visit(&mut self, tree: &Tree, child: i16) {
        if child < 0 {
            return self.values.push(tree.leaves[!child as usize]);
        }
        let node = &tree.nodes[child as usize];
        let (left, right) = node.children();
        let first = self.values.len();
        self.visit(tree, left);
        let middle = self.values.len();
        self.visit(tree, right);
        let (lefts, rights) =
            (bits::<WORDS>(first, middle), bits::<WORDS>(middle, self.values.len()));
        let at = self.columns.binary_search(&node.feature()).expect("columns are the nodes'");
        for (bin, allowed) in self.allowed[at].iter_mut().enumerate() {
            let forbidden = if node.goes_left(bin as u8) { &rights } else { &lefts };
            for word in 0..WORDS {
                allowed[word] &= !forbidden[word];
            }
        }
    }
}

/// Bits from one leaf to before another.
fn bits<const WORDS: usize>(from: usize, to: usize) -> [u64; WORDS] {
    let below = |leaf: usize, word: usize| match leaf.saturating_sub(word * WORD) {
        0 => 0,
        bits if bits >= WORD => u64::MAX,
        bits => (1 << bits) - 1,
    };
    std::array::from_fn(|word| below(to, word) & !below(from, word))
}
