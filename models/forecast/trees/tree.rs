//! One tree: a few bytes a split, and a value a leaf.

use serde::{Deserialize, Serialize};

/// A split of rows by one feature's bin. Children are nodes, or leaves as the complement of their
/// number.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    feature: u16,
    /// A row goes left when its bin less `shift`, wrapped, is at most `bin`; so bin 0, what is
    /// missing, goes left without a shift and right with one.
    bin: u8,
    shift: u8,
    left: i16,
    right: i16,
}

impl Node {
    pub fn new(feature: u16, bin: u8, missing_left: bool) -> Self {
        let shift = u8::from(!missing_left);
        Self { feature, bin: bin - shift, shift, left: 0, right: 0 }
    }

    pub fn feature(&self) -> usize {
        usize::from(self.feature)
    }

    #[inline]
    pub fn goes_left(&self, bin: u8) -> bool {
        bin.wrapping_sub(self.shift) <= self.bin
    }

    pub fn children(&self) -> (i16, i16) {
        (self.left, self.right)
    }
}

/// A grown tree. Parents come before children; the first node is the root.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tree {
    pub(super) nodes: Vec<Node>,
    pub(super) leaves: Vec<f32>,
}

impl Tree {
    /// Hangs a node where a leaf was, which becomes its left child; the new leaf is its right.
    pub(super) fn split(&mut self, leaf: usize, parent: Option<(usize, bool)>, mut node: Node) {
        let at = self.nodes.len() as i16;
        (node.left, node.right) = (!(leaf as i16), !(at + 1));
        if let Some((parent, is_left)) = parent {
            let parent = &mut self.nodes[parent];
            *(if is_left { &mut parent.left } else { &mut parent.right }) = at;
        }
        self.nodes.push(node);
    }

    /// The value of the leaf that a row comes to.
    #[inline]
    pub fn value(&self, bins: &[u8]) -> f32 {
        if self.nodes.is_empty() {
            return self.leaves[0];
        }
        let mut next = 0i16;
        while next >= 0 {
            let node = &self.nodes[next as usize];
            next = if node.goes_left(bins[node.feature()]) { node.left } else { node.right };
        }
        self.leaves[!next as usize]
    }
}
