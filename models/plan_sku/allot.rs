//! Scarce stock shared among the locations that ask for it.

use crate::policy::rounding::Lot;

/// Blocks into which a claim is cut at most; finer shares are not worth the work.
const MOST_BLOCKS: i64 = 64;

/// One location's claim on a source.
pub(super) struct Claim<'a> {
    /// What it would take, a quantity that its lot allows.
    pub qty: i64,
    pub lot: Lot,
    /// What each path lacks.
    pub need: &'a [f64],
    /// Money per unit short.
    pub worth: f64,
}

/// Gives each claim a quantity that its lot allows, in all at most `available`. While there is not
/// enough for all, the next block goes where it saves the most expected shortage, in money, per
/// unit; a first block is as large as the MOQ. Equally good ones take turns.
pub(super) fn allot(available: i64, claims: &[Claim]) -> Vec<i64> {
    let asked = claims.iter().fold(0i64, |sum, claim| sum.saturating_add(claim.qty));
    if asked <= available {
        return claims.iter().map(|claim| claim.qty).collect();
    }
    let mut left = available.max(0);
    let mut given = vec![0i64; claims.len()];
    let mut next: Vec<(i64, f64)> = claims.iter().map(|claim| claim.next(0, left)).collect();
    loop {
        let mut best: Option<usize> = None;
        for at in 0..claims.len() {
            if next[at].0 > left {
                next[at] = claims[at].next(given[at], left);
            }
            let share = |at: usize| given[at] as f64 / claims[at].qty.max(1) as f64;
            let better = |b: usize| {
                let worth = next[at].1.total_cmp(&next[b].1);
                worth.then(share(b).total_cmp(&share(at))).is_gt()
            };
            if next[at].0 > 0 && best.is_none_or(better) {
                best = Some(at);
            }
        }
        let Some(at) = best else { return given };
        given[at] += next[at].0;
        left -= next[at].0;
        next[at] = claims[at].next(given[at], left);
    }
}

impl Claim<'_> {
    /// The next block after `given` within `left`, and its value per unit; a block of 0 when none
    /// fits.
    fn next(&self, given: i64, left: i64) -> (i64, f64) {
        let step = self.lot.multiple.max(1);
        let room = (self.qty - given).min(left);
        let block = if given == 0 {
            // The smallest order there is.
            let moq = self.lot.moq.max(1);
            let first = moq.saturating_add(step - 1) / step * step;
            if first > room { 0 } else { first }
        } else {
            let coarse = (self.qty / MOST_BLOCKS / step).max(1) * step;
            coarse.min(room - room % step)
        };
        if block <= 0 {
            return (0, 0.0);
        }
        let (from, to) = (given as f64, (given + block) as f64);
        let saved: f64 = self.need.iter().map(|&n| n.clamp(from, to) - from).sum();
        let paths = self.need.len().max(1) as f64;
        (block, self.worth * saved / paths / block as f64)
    }
}
