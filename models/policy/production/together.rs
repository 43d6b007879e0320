//! Tonight's batches of all items that one maker makes.

use crate::calendar::Day;
use crate::finding::{Code, Finding};

use super::schedule::{BatchCurve, MakerCapacity, Schedule, ScheduledBatch, schedule};
use super::{Candidate, Judged, ProductionError, ProductionSuggestion, dates, step};

/// Lots that a curve lists at most; a finer grid is listed at even distances.
const LOTS_LISTED: i64 = 4_096;

/// Hours that a batch takes at its maker.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BatchHours {
    /// Once per batch, ≥ 0.
    pub setup: f64,
    /// Per smallest unit, ≥ 0.
    pub per_unit: f64,
}

/// What all the candidates of one maker get.
#[derive(Clone, Debug, PartialEq)]
pub struct Together {
    /// As given; an error keeps one candidate out, not the others.
    pub suggestions: Vec<Result<(ProductionSuggestion, Vec<Finding>), ProductionError>>,
    /// As given: a candidate that is out, or may wait past the days planned, has an empty batch.
    pub schedule: Schedule,
}

/// As [`super::suggest`] for each candidate, with the hours of the maker shared between them. A
/// batch that its promises allow to start after the days planned waits, and takes no hours now.
/// With hours to spare every quantity is that of `suggest`.
///
/// # Errors
/// Hours that are not finite or below 0. What is wrong with one candidate is in its own place.
pub fn suggest_together(
    candidates: &[(Candidate, BatchHours)],
    maker: &MakerCapacity,
    today: Day,
) -> Result<Together, ProductionError> {
    let judged: Vec<Result<Judged, ProductionError>> =
        candidates.iter().map(|(candidate, _)| Judged::new(candidate, today)).collect();
    let curves: Vec<BatchCurve> = candidates
        .iter()
        .zip(&judged)
        .map(|((candidate, hours), judged)| match judged {
            Ok(judged) if !waits(candidate, maker, today) => {
                judged.curve(candidate, *hours, maker, today)
            }
            _ => BatchCurve { qty: vec![0], worth_minor: vec![0.0], ..BatchCurve::default() },
        })
        .collect();
    let (schedule, found) = schedule(&curves, maker, today)?;
    let mut suggestions: Vec<_> = judged
        .into_iter()
        .zip(candidates.iter().zip(&schedule.batches))
        .map(|(judged, ((candidate, _), batch))| {
            let judged = judged?;
            if waits(candidate, maker, today) {
                return Ok(judged.alone(candidate, today));
            }
            Ok(scheduled(judged, batch, schedule.hour_price_minor))
        })
        .collect();
    for (i, finding) in found {
        if let Ok((_, findings)) = &mut suggestions[i] {
            findings.push(finding);
        }
    }
    Ok(Together { suggestions, schedule })
}

/// Whether the first uncovered promise leaves time to start after the days planned.
fn waits(candidate: &Candidate, maker: &MakerCapacity, today: Day) -> bool {
    let lead_days = candidate.lead_time.quantile_days(candidate.terms.0.ready_level);
    dates::uncovered_promises(&candidate.presale, candidate.gone_qty)
        .first()
        .is_some_and(|&(due_on, _)| due_on - lead_days >= today + maker.hours.len() as i32)
}

fn scheduled(
    mut judged: Judged,
    batch: &ScheduledBatch,
    hour_price_minor: f64,
) -> (ProductionSuggestion, Vec<Finding>) {
    if batch.qty != judged.wanted_qty {
        let cut = batch.qty - judged.wanted_qty;
        judged.reason.push(step("hours", "the maker's hours of the coming days", cut as f64));
        let text = "minor units at most for making the rest later";
        judged.reason.push(step("deferred", text, batch.deferred_minor));
    }
    if hour_price_minor > 0.0 {
        let text = "minor units that one more of the maker's hours is worth";
        judged.reason.push(step("hour_price", text, hour_price_minor));
    }
    let promised = judged.promised.min(judged.wanted_qty);
    let (mut suggestion, mut findings) = judged.suggestion(batch.qty);
    if batch.qty < promised {
        // What was said about a lot that is not made no longer holds.
        findings.retain(|finding| finding.code != Code::BatchAtLoss);
        let detail = format!(
            "{promised} units are promised, but the maker's hours allow {} in the coming days",
            batch.qty
        );
        findings.push(Finding::new(Code::PromiseNotCovered, detail));
    }
    (suggestion.start_on, suggestion.ready_on) = (batch.starts_on, batch.ready_on);
    (suggestion, findings)
}

impl Judged<'_> {
    /// The lots up to the one that is best alone, with what a kept promise is worth: as much as may
    /// be lost for it, over what the best lot without it earns, so that free hours give the lot
    /// that [`super::suggest`] gives.
    fn curve(
        &self,
        candidate: &Candidate,
        hours: BatchHours,
        maker: &MakerCapacity,
        today: Day,
    ) -> BatchCurve {
        let promises = dates::uncovered_promises(&candidate.presale, candidate.gone_qty);
        let mut curve = BatchCurve {
            qty: vec![0],
            worth_minor: vec![0.0],
            setup_hours: hours.setup,
            hours_per_unit: hours.per_unit,
            due_on: promises.first().map(|&(due_on, _)| due_on),
            promised_qty: self.promised,
            in_time_minor: Vec::new(),
        };
        if self.wanted_qty <= 0 {
            return curve;
        }
        let (kept_from, kept_minor) = self.kept_promise();
        for qty in self.lots() {
            let kept = if qty >= kept_from { kept_minor } else { 0.0 };
            curve.qty.push(qty);
            curve.worth_minor.push(self.profit_minor(qty) + kept);
        }
        curve.in_time_minor = in_time_minor(&promises, candidate, maker, today);
        curve
    }
}

impl Judged<'_> {
    /// Lots above 0 up to the wanted one.
    fn lots(&self) -> Vec<i64> {
        if let Some(runs) = &self.runs {
            let lots = runs.profits_minor.iter().map(|&(lot, _)| lot);
            return lots.filter(|lot| (1..=self.wanted_qty).contains(lot)).collect();
        }
        let multiple = self.terms.0.multiple;
        let first = self.terms.lot_at_least(0);
        let apart = ((self.wanted_qty - first) / multiple / LOTS_LISTED + 1) * multiple;
        let mut lots: Vec<i64> =
            (0..).map(|i| first + i * apart).take_while(|&lot| lot < self.wanted_qty).collect();
        lots.push(self.wanted_qty);
        lots
    }

    /// The lot from which on the promise is kept, and what that is worth.
    fn kept_promise(&self) -> (i64, f64) {
        let batch = self.batch();
        let most = self.terms.lot_max().unwrap_or(i64::MAX);
        let (from, economic) = match &self.runs {
            Some(runs) => {
                let best = runs.profits_minor.iter().map(|&(_, profit)| profit);
                let nothing = runs.profits_minor[0].1;
                (runs.due_qty, best.fold(nothing, f64::max) - nothing)
            }
            None => (self.promised, batch.best(0).map_or(0.0, |(_, profit)| profit.max(0.0))),
        };
        let worth = if from > 0 { batch.loss_limit_minor() + economic } else { 0.0 };
        (from.min(most), worth)
    }
}

/// Worth of having what is promised on each day rather than after the days planned.
fn in_time_minor(
    promises: &[(Day, i64)],
    candidate: &Candidate,
    maker: &MakerCapacity,
    today: Day,
) -> Vec<f64> {
    let per_day = candidate.terms.0.late_share_per_day * candidate.terms.price_minor();
    let end = today + maker.hours.len() as i32;
    (0..maker.hours.len() as i32)
        .map(|k| {
            let days_saved = |due_on: Day| f64::from((end - (today + k).max(due_on)).max(0));
            promises.iter().map(|&(due_on, qty)| per_day * qty as f64 * days_saved(due_on)).sum()
        })
        .collect()
}
