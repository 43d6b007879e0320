//! Scarce stock shared among the locations that ask for it.
//!
//! Each claim is cut into blocks whose value per unit does not rise from one to the next, for it is
//! a mean over paths of concave functions. Taking the best block that fits, again and again, is then
//! at most one block's value below the best of all divisions (the greedy bound of the knapsack with
//! concave items); what a large first block loses by that, an exchange makes good.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::policy::rounding::Lot;

/// Blocks into which a claim is cut at most; finer shares are not worth the work.
const MOST_BLOCKS: i64 = 64;

/// Claims with nothing for which an exchange is tried, those worth most first.
const MOST_EXCHANGES: usize = 8;

/// One location's claim on a source.
pub(super) struct Claim<'a> {
    /// What it would take, a quantity that its lot allows.
    pub qty: i64,
    pub lot: Lot,
    /// What each path lacks.
    pub need: &'a [f64],
    /// Money per unit short.
    pub worth: f64,
    /// Units that fill the shelf: they go before everything else.
    pub shelf_first: i64,
}

/// A claim's next block. The heap's greatest is the one to give.
struct Block {
    claim: usize,
    qty: i64,
    fills_shelf: bool,
    /// Money per unit.
    worth: f64,
    /// Given so far, of what is asked: equally good ones take turns.
    share: f64,
}

impl Ord for Block {
    fn cmp(&self, other: &Block) -> Ordering {
        let shelf = self.fills_shelf.cmp(&other.fills_shelf);
        // On the shelf all are equally good.
        let worth = if self.fills_shelf && other.fills_shelf {
            Ordering::Equal
        } else {
            self.worth.total_cmp(&other.worth)
        };
        shelf
            .then(worth)
            .then(other.share.total_cmp(&self.share))
            .then(other.claim.cmp(&self.claim))
    }
}

impl PartialOrd for Block {
    fn partial_cmp(&self, other: &Block) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Block {
    fn eq(&self, other: &Block) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Block {}

/// Gives each claim a quantity that its lot allows, in all at most `available`. While there is not
/// enough for all, the next block goes where it saves the most expected shortage, in money, per
/// unit; a first block is as large as the MOQ. Shelves are filled before that. Equally good ones
/// take turns.
pub(super) fn allot(available: i64, claims: &[Claim]) -> Vec<i64> {
    let asked = claims.iter().fold(0i64, |sum, claim| sum.saturating_add(claim.qty));
    if asked <= available {
        return claims.iter().map(|claim| claim.qty).collect();
    }
    let mut given = vec![0i64; claims.len()];
    let mut left = fill(claims, &mut given, available.max(0));
    let worth = |at: &usize| claims[*at].saved(0, claims[*at].first_block());
    let mut shut_out: Vec<usize> =
        (0..claims.len()).filter(|&at| given[at] == 0 && claims[at].qty > 0).collect();
    shut_out.sort_by(|a, b| worth(b).total_cmp(&worth(a)));
    for at in shut_out.into_iter().take(MOST_EXCHANGES) {
        if let Some((better, rest)) = exchange(claims, &given, left, at) {
            (given, left) = (better, rest);
        }
    }
    given
}

/// Gives blocks as long as any fits, and returns what is left.
fn fill(claims: &[Claim], given: &mut [i64], mut left: i64) -> i64 {
    let next = |claim: usize, given: i64, left: i64| claims[claim].next(claim, given, left);
    let mut heap: BinaryHeap<Block> =
        (0..claims.len()).filter_map(|at| next(at, given[at], left)).collect();
    while let Some(block) = heap.pop() {
        let at = block.claim;
        if block.qty <= left {
            given[at] += block.qty;
            left -= block.qty;
        }
        heap.extend(next(at, given[at], left));
    }
    left
}

/// Makes room for the first block of `claim` by taking back what is worth least elsewhere; shelves
/// stay filled. `None` unless all in all that is worth more.
fn exchange(claims: &[Claim], given: &[i64], left: i64, claim: usize) -> Option<(Vec<i64>, i64)> {
    let first = claims[claim].first_block();
    let mut better = given.to_vec();
    let mut room = left;
    while room < first {
        let cheapest = (0..claims.len())
            .filter_map(|at| Some((at, claims[at].last_block(better[at])?)))
            .map(|(at, qty)| (at, qty, claims[at].saved(better[at] - qty, better[at])))
            .min_by(|(_, a, x), (_, b, y)| (x / *a as f64).total_cmp(&(y / *b as f64)));
        let (at, qty, _) = cheapest?;
        better[at] -= qty;
        room += qty;
    }
    if first > claims[claim].qty {
        return None;
    }
    better[claim] = first;
    let left = fill(claims, &mut better, room - first);
    let value = |given: &[i64]| -> f64 {
        claims.iter().zip(given).map(|(claim, &qty)| claim.saved(0, qty)).sum()
    };
    (value(&better) > value(given) * (1.0 + 1e-9)).then_some((better, left))
}

impl Claim<'_> {
    /// The smallest order there is.
    fn first_block(&self) -> i64 {
        let step = self.lot.multiple.max(1);
        self.lot.moq.max(1).saturating_add(step - 1) / step * step
    }

    fn coarse(&self) -> i64 {
        let step = self.lot.multiple.max(1);
        (self.qty / MOST_BLOCKS / step).max(1) * step
    }

    /// Expected shortage, in money, that the units after `from` up to `to` save.
    fn saved(&self, from: i64, to: i64) -> f64 {
        let (from, to) = (from as f64, to as f64);
        let saved: f64 = self.need.iter().map(|&n| n.clamp(from, to) - from).sum();
        self.worth * saved / self.need.len().max(1) as f64
    }

    /// The next block after `given` within `left`; `None` when none fits.
    fn next(&self, claim: usize, given: i64, left: i64) -> Option<Block> {
        let step = self.lot.multiple.max(1);
        let room = (self.qty - given).min(left);
        let qty = if given == 0 {
            let first = self.first_block();
            if first > room { 0 } else { first }
        } else {
            self.coarse().min(room - room % step)
        };
        (qty > 0).then(|| Block {
            claim,
            qty,
            fills_shelf: given < self.shelf_first,
            worth: self.saved(given, given + qty) / qty as f64,
            share: given as f64 / self.qty.max(1) as f64,
        })
    }

    /// What can be taken back first of `given`: a block, or all of it where the MOQ allows no less.
    fn last_block(&self, given: i64) -> Option<i64> {
        let kept = given - self.coarse();
        let kept = if kept < self.first_block() { 0 } else { kept };
        (given > kept && kept >= self.shelf_first.min(given)).then_some(given - kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Claims as (asked, MOQ, multiple, worth, needs), what is there, and how it is shared.
    type Asked<'a> = (i64, i64, i64, f64, &'a [f64]);

    fn claims<'a>(asked: &[Asked<'a>]) -> Vec<Claim<'a>> {
        asked
            .iter()
            .map(|&(qty, moq, multiple, worth, need)| Claim {
                qty,
                lot: Lot { moq, multiple, capacity: None },
                need,
                worth,
                shelf_first: 0,
            })
            .collect()
    }

    fn value(claims: &[Claim], given: &[i64]) -> f64 {
        claims.iter().zip(given).map(|(claim, &qty)| claim.saved(0, qty)).sum()
    }

    /// The best of all divisions, by trying them.
    fn best(claims: &[Claim], available: i64) -> f64 {
        let Some((claim, others)) = claims.split_first() else { return 0.0 };
        let step = claim.lot.multiple.max(1);
        let least = claim.first_block();
        let quantities = std::iter::once(0).chain((least..=claim.qty).step_by(step as usize));
        quantities
            .filter(|&qty| qty <= available)
            .map(|qty| claim.saved(0, qty) + best(others, available - qty))
            .fold(0.0, f64::max)
    }

    fn check(available: i64, asked: &[Asked], shared: &[i64]) {
        let claims = claims(asked);
        assert_eq!(allot(available, &claims), shared);
        let gap = best(&claims, available) - value(&claims, shared);
        assert!(gap.abs() < 1e-9, "{gap} lost");
    }

    #[test]
    fn worked_divisions() {
        check(30, &[(10, 0, 1, 1.0, &[10.0]), (15, 0, 1, 1.0, &[15.0])], &[10, 15]);
        // Equally good ones take turns; the dearer one goes first.
        check(10, &[(10, 0, 1, 1.0, &[10.0]), (10, 0, 1, 1.0, &[10.0])], &[5, 5]);
        check(10, &[(8, 0, 1, 1.0, &[8.0]), (8, 0, 1, 3.0, &[8.0])], &[2, 8]);
        // The sure unit before the one in doubt.
        check(6, &[(8, 0, 1, 1.0, &[4.0, 8.0]), (8, 0, 1, 1.0, &[2.0, 2.0])], &[4, 2]);
        // A small claim that is worth a little more per unit would shut out a large first block.
        check(24, &[(24, 24, 24, 1.0, &[24.0]), (2, 0, 1, 1.1, &[2.0])], &[24, 0]);
        // An MOQ over what is there gives its place to others.
        check(20, &[(24, 24, 1, 9.0, &[24.0]), (20, 0, 1, 1.0, &[20.0])], &[0, 20]);
        check(0, &[(5, 0, 1, 1.0, &[5.0])], &[0]);
    }

    #[test]
    fn shelves_are_filled_first() {
        let need = [9.0];
        let mut asked = claims(&[(10, 0, 1, 9.0, &need), (6, 0, 2, 1.0, &[1.0])]);
        asked[1].shelf_first = 3;
        assert_eq!(allot(8, &asked), [4, 4]);
        asked[1].shelf_first = 6;
        assert_eq!(allot(8, &asked), [2, 6]);
        asked[0].shelf_first = 4;
        assert_eq!(allot(5, &asked), [3, 2]);
    }

    proptest::proptest! {
        #[test]
        fn never_a_block_below_the_best(
            available in 0i64..40,
            asked in proptest::collection::vec(
                (0i64..6, 0i64..14, 1i64..6, 1u8..9, proptest::collection::vec(-4i8..16, 3)),
                1..5,
            ),
        ) {
            let needs: Vec<Vec<f64>> =
                asked.iter().map(|a| a.4.iter().map(|&n| f64::from(n)).collect()).collect();
            let asked: Vec<Asked> = asked
                .iter()
                .zip(&needs)
                .map(|(&(steps, moq, step, worth, _), need)| {
                    let least = (moq.max(1) + step - 1) / step * step;
                    (least + steps * step, moq, step, f64::from(worth), need.as_slice())
                })
                .collect();
            let claims = claims(&asked);
            let given = allot(available, &claims);
            let all: i64 = claims.iter().map(|claim| claim.qty).sum();
            proptest::prop_assert!(given.iter().sum::<i64>() <= available.max(all.min(available)));
            let mut largest = 0.0f64;
            for (claim, &qty) in claims.iter().zip(&given) {
                proptest::prop_assert!(qty <= claim.qty && qty % claim.lot.multiple == 0);
                proptest::prop_assert!(qty == 0 || qty >= claim.lot.moq);
                largest = largest.max(claim.saved(0, claim.first_block()));
            }
            let (ours, theirs) = (value(&claims, &given), best(&claims, available));
            proptest::prop_assert!(ours <= theirs + 1e-9);
            proptest::prop_assert!(ours + largest + 1e-9 >= theirs, "{ours} of {theirs}");
            // Where all come in the same steps, there is nothing to lose.
            let step = claims[0].lot.multiple;
            if claims.iter().all(|c| c.lot.multiple == step && c.lot.moq <= step) {
                proptest::prop_assert!((theirs - ours).abs() < 1e-9, "{ours} of {theirs}");
            }
        }
    }
}
