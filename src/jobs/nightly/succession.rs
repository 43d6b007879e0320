//! Which item takes over from which.

use granary_models::finding::{Code, Finding};

use super::facts::Facts;
use super::findings::Findings;
use super::panel::Index;
use crate::store::inputs::master::Item;

/// Longest chain of successors that is followed.
const GENERATIONS_MAX: usize = 8;

/// Per item, those whose history and stock it takes over: its predecessor first, then that one's.
pub struct Succession {
    before: Vec<Vec<usize>>,
    successor: Vec<Option<usize>>,
}

impl Succession {
    pub fn new(facts: &Facts, index: &Index, findings: &mut Findings) -> Succession {
        let mut successor: Vec<Option<usize>> = vec![None; facts.items.len()];
        let mut predecessor: Vec<Option<usize>> = vec![None; facts.items.len()];
        for (item, row) in facts.items.iter().enumerate() {
            if row.supersedes_item_id.is_empty() {
                continue;
            }
            let mut refuse = |why: &str| {
                let detail = format!("supersedes {:?}, {why}", row.supersedes_item_id);
                findings.sku(&row.item_id, "", Finding::new(Code::BadTerms, detail));
            };
            match index.item(&row.supersedes_item_id) {
                None => refuse("which is not an item; it starts without a history"),
                Some(before) if before == item => refuse("itself; that is left out"),
                Some(before) if !same_unit(&facts.items[before], row) => {
                    refuse("which is counted in another unit; its history is left out")
                }
                Some(before) => match successor[before] {
                    Some(first) => refuse(&format!(
                        "which {} supersedes already; its history is counted there only",
                        facts.items[first].item_id
                    )),
                    None => {
                        successor[before] = Some(item);
                        predecessor[item] = Some(before);
                    }
                },
            }
        }
        let before = (0..facts.items.len()).map(|item| chain(&predecessor, item)).collect();
        Succession { before, successor }
    }

    pub fn before(&self, item: usize) -> &[usize] {
        &self.before[item]
    }

    pub fn successor(&self, item: usize) -> Option<usize> {
        self.successor[item]
    }
}

fn same_unit(a: &Item, b: &Item) -> bool {
    (&a.base_uom, a.qty_decimals) == (&b.base_uom, b.qty_decimals)
}

/// A circle ends where it closes.
fn chain(predecessor: &[Option<usize>], item: usize) -> Vec<usize> {
    let mut chain = Vec::new();
    let mut here = item;
    while let Some(before) = predecessor[here] {
        if before == item || chain.contains(&before) || chain.len() >= GENERATIONS_MAX {
            break;
        }
        chain.push(before);
        here = before;
    }
    chain
}
