//! Which lots to make when their hours are few.

use super::{BatchCurve, SLACK_HOURS, TimeLine};

/// Steps into which the hours are cut for the dynamic program.
const TICKS: usize = 1_000;

/// Lots of one batch that the dynamic program looks at; the sweeps after it look at all.
const LOTS_TRIED: usize = 48;

/// Sweeps over all batches, each giving a batch the best lot beside the others'.
const SWEEPS_MAX: usize = 12;

/// Pairs are exchanged only up to so many batches that want hours.
const PAIRED_MAX: usize = 12;

pub(super) struct Chosen {
    /// Index into the lots of each curve.
    pub lots: Vec<usize>,
    pub hour_price_minor: f64,
    pub bound_minor: f64,
}

pub(super) fn choose(curves: &[BatchCurve], order: &[usize], line: &TimeLine) -> Chosen {
    if line.total() <= 0.0 {
        // Not even what takes no time has a day on which to be made.
        return Chosen { lots: vec![0; curves.len()], hour_price_minor: 0.0, bound_minor: 0.0 };
    }
    let relaxed = relax(curves, line);
    let mut best: Option<(f64, Vec<usize>)> = None;
    for mut lots in [relaxed.lots, by_ticks(curves, order, line)] {
        sweep(curves, order, line, &mut lots);
        exchange(curves, order, line, &mut lots);
        let worth = worth_of(curves, order, line, &lots);
        if best.as_ref().is_none_or(|(most, _)| worth > *most) {
            best = Some((worth, lots));
        }
    }
    Chosen {
        lots: best.map_or_else(Vec::new, |(_, lots)| lots),
        hour_price_minor: relaxed.hour_price_minor,
        bound_minor: relaxed.bound_minor,
    }
}

/// A step up the upper hull of one curve's (hours, worth).
struct Block {
    batch: usize,
    lot: usize,
    hours: f64,
    worth: f64,
}

impl Block {
    fn density(&self) -> f64 {
        if self.hours > 0.0 { self.worth / self.hours } else { f64::INFINITY }
    }
}

struct Relaxed {
    /// The blocks that fit whole, up to the first that does not.
    lots: Vec<usize>,
    hour_price_minor: f64,
    bound_minor: f64,
}

/// The linear relaxation, every batch as if it were the first: hull blocks by falling worth per
/// hour until the hours end; the block that ends them sets the price.
fn relax(curves: &[BatchCurve], line: &TimeLine) -> Relaxed {
    let soonest = line.ready(0.0);
    let mut blocks: Vec<Block> = Vec::new();
    for (batch, curve) in curves.iter().enumerate() {
        hull(batch, curve, soonest, &mut blocks);
    }
    // Within a batch densities fall, and a stable sort keeps the order of equals.
    blocks.sort_by(|a, b| b.density().total_cmp(&a.density()));
    let mut relaxed =
        Relaxed { lots: vec![0; curves.len()], hour_price_minor: 0.0, bound_minor: 0.0 };
    let mut left = line.total();
    for block in blocks {
        if block.hours > left + SLACK_HOURS {
            relaxed.hour_price_minor = block.density();
            relaxed.bound_minor += left.max(0.0) * block.density();
            break;
        }
        left -= block.hours;
        relaxed.bound_minor += block.worth;
        relaxed.lots[block.batch] = block.lot;
    }
    relaxed
}

/// Adds the rising part of the curve's upper hull, from (0, 0) on, as blocks.
fn hull(batch: usize, curve: &BatchCurve, ready: usize, blocks: &mut Vec<Block>) {
    let at = |lot: usize| (curve.hours(lot), curve.worth(lot, ready));
    let mut corners = vec![0];
    for lot in 1..curve.qty.len() {
        let (hours, worth) = at(lot);
        // A later lot takes no fewer hours.
        if worth <= at(corners[corners.len() - 1]).1 {
            continue;
        }
        while let [.., first, last] = corners[..] {
            let ((h0, w0), (h1, w1)) = (at(first), at(last));
            if (w1 - w0) * (hours - h1) > (worth - w1) * (h1 - h0) {
                break;
            }
            corners.pop();
        }
        corners.push(lot);
    }
    for pair in corners.windows(2) {
        let ((h0, w0), (h1, w1)) = (at(pair[0]), at(pair[1]));
        blocks.push(Block { batch, lot: pair[1], hours: h1 - h0, worth: w1 - w0 });
    }
}

/// Exact but for the grid: the most worth with each number of ticks spent, batch by batch in the
/// order in which they are made, so that a batch's last tick says when it is ready. Hours are
/// rounded up to ticks, which never promises more than there is.
fn by_ticks(curves: &[BatchCurve], order: &[usize], line: &TimeLine) -> Vec<usize> {
    let mut lots = vec![0; curves.len()];
    let tick = line.total() / TICKS as f64;
    let ready: Vec<usize> = (0..=TICKS).map(|t| line.ready(t as f64 * tick)).collect();
    let mut most = vec![0.0f64; TICKS + 1];
    let mut taken: Vec<Vec<u16>> = Vec::with_capacity(order.len());
    for &batch in order {
        let curve = &curves[batch];
        let in_time: Vec<f64> =
            ready.iter().map(|&day| curve.in_time_minor.get(day).copied().unwrap_or(0.0)).collect();
        let (mut next, mut choice) = (most.clone(), vec![0u16; TICKS + 1]);
        for (k, &lot) in tried(curve).iter().enumerate() {
            let ticks = (curve.hours(lot) / tick - 1e-9).ceil().max(0.0) as usize;
            if ticks > TICKS {
                break;
            }
            let (worth, covers) = (curve.worth_minor[lot], curve.covers(lot));
            let rows = next[ticks..].iter_mut().zip(&mut choice[ticks..]);
            for ((best, choice), (before, in_time)) in rows.zip(most.iter().zip(&in_time[ticks..]))
            {
                let value = before + worth + covers * in_time;
                if value > *best {
                    (*best, *choice) = (value, k as u16 + 1);
                }
            }
        }
        most = next;
        taken.push(choice);
    }
    // Idle hours earn nothing, so the best end need not be the last.
    let mut at = (0..=TICKS).fold(0, |best, t| if most[t] > most[best] { t } else { best });
    for (&batch, choice) in order.iter().zip(&taken).rev() {
        let curve = &curves[batch];
        if let Some(k) = usize::from(choice[at]).checked_sub(1) {
            lots[batch] = tried(curve)[k];
            at -= (curve.hours(lots[batch]) / tick - 1e-9).ceil().max(0.0) as usize;
        }
    }
    lots
}

/// At most [`LOTS_TRIED`] lots above 0, evenly spread, with the first and the last.
fn tried(curve: &BatchCurve) -> Vec<usize> {
    let last = curve.qty.len() - 1;
    if last <= LOTS_TRIED {
        return (1..=last).collect();
    }
    (0..LOTS_TRIED).map(|k| 1 + k * (last - 1) / (LOTS_TRIED - 1)).collect()
}

fn worth_of(curves: &[BatchCurve], order: &[usize], line: &TimeLine, lots: &[usize]) -> f64 {
    let mut spent = 0.0;
    let mut worth = 0.0;
    for &batch in order {
        if lots[batch] > 0 {
            spent += curves[batch].hours(lots[batch]);
            worth += curves[batch].worth(lots[batch], line.ready(spent));
        }
    }
    worth
}

fn hours_of(curves: &[BatchCurve], lots: &[usize]) -> f64 {
    curves.iter().zip(lots).map(|(curve, &lot)| curve.hours(lot)).sum()
}

/// Gives each batch in turn the lot that is best beside the others', until none changes.
fn sweep(curves: &[BatchCurve], order: &[usize], line: &TimeLine, lots: &mut [usize]) {
    for _ in 0..SWEEPS_MAX {
        let mut changed = false;
        for at in 0..order.len() {
            let free =
                line.total() - hours_of(curves, lots) + curves[order[at]].hours(lots[order[at]]);
            let best = best_beside(curves, order, line, lots, at, free);
            changed |= best != lots[order[at]];
            lots[order[at]] = best;
        }
        if !changed {
            break;
        }
    }
}

/// The best lot of the batch at `at` within `free` hours, the others' lots kept; what it does to
/// the dates of those behind it counts.
fn best_beside(
    curves: &[BatchCurve],
    order: &[usize],
    line: &TimeLine,
    lots: &[usize],
    at: usize,
    free: f64,
) -> usize {
    let curve = &curves[order[at]];
    let before: f64 = order[..at].iter().map(|&i| curves[i].hours(lots[i])).sum();
    // Only those behind it with something to lose by a later day; the rest just take their hours.
    let mut hours_behind = 0.0;
    let behind: Vec<(usize, f64)> = order[at + 1..]
        .iter()
        .filter_map(|&i| {
            hours_behind += curves[i].hours(lots[i]);
            let waits = lots[i] > 0 && !curves[i].in_time_minor.is_empty();
            waits.then_some((i, hours_behind))
        })
        .collect();
    let value = |lot: usize| {
        let end = before + curve.hours(lot);
        let own = if lot == 0 { 0.0 } else { curve.worth(lot, line.ready(end)) };
        let later: f64 = behind
            .iter()
            .map(|&(i, hours)| curves[i].worth(lots[i], line.ready(end + hours)))
            .sum();
        own + later
    };
    let mut best = (value(lots[order[at]]), lots[order[at]]);
    for lot in (0..curve.qty.len()).take_while(|&lot| curve.hours(lot) <= free + SLACK_HOURS) {
        let worth = value(lot);
        if worth > best.0 + 1e-9 * best.0.abs().max(1.0) {
            best = (worth, lot);
        }
    }
    best.1
}

/// Tries every lot of one batch with the best answer of every other: what a sweep cannot find
/// because two must move at once.
fn exchange(curves: &[BatchCurve], order: &[usize], line: &TimeLine, lots: &mut [usize]) {
    let movable: Vec<usize> =
        (0..order.len()).filter(|&at| curves[order[at]].qty.len() > 1).collect();
    if movable.len() > PAIRED_MAX {
        return;
    }
    for _ in 0..SWEEPS_MAX {
        let before = worth_of(curves, order, line, lots);
        for &one in &movable {
            exchange_one(curves, order, line, lots, (one, &movable));
        }
        if worth_of(curves, order, line, lots) <= before {
            break;
        }
    }
}

fn exchange_one(
    curves: &[BatchCurve],
    order: &[usize],
    line: &TimeLine,
    lots: &mut [usize],
    (one, movable): (usize, &[usize]),
) {
    let mut best = (worth_of(curves, order, line, lots), lots.to_vec());
    let curve = &curves[order[one]];
    for lot in std::iter::once(0).chain(tried(curve)) {
        for &other in movable.iter().filter(|&&other| other != one) {
            let mut trial = lots.to_vec();
            (trial[order[one]], trial[order[other]]) = (lot, 0);
            let free = line.total() - hours_of(curves, &trial);
            if free < -SLACK_HOURS {
                continue;
            }
            trial[order[other]] = best_beside(curves, order, line, &trial, other, free);
            let worth = worth_of(curves, order, line, &trial);
            if worth > best.0 + 1e-9 * best.0.abs().max(1.0) {
                best = (worth, trial);
            }
        }
    }
    lots.copy_from_slice(&best.1);
}
