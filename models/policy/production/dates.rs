//! When a batch starts, when it is ready, and whom that is too late for.

use crate::calendar::Day;
use crate::finding::{Code, Finding};

use super::{Candidate, Presale, ProductionSuggestion, step};

/// Starts as late as the first uncovered promise allows, so that the batch knows most, and today
/// where nothing is promised.
pub(super) fn date(
    suggestion: &mut ProductionSuggestion,
    candidate: &Candidate,
    today: Day,
    findings: &mut Vec<Finding>,
) {
    let Candidate { presale, terms, lead_time, .. } = candidate;
    let lead_days = lead_time.quantile_days(terms.0.ready_level);
    let uncovered = uncovered_promises(presale, candidate.gone_qty);
    let start_on = match uncovered.first() {
        Some(&(promised_on, _)) => today.max(promised_on - lead_days),
        None => today,
    };
    let ready_on = start_on + lead_days;
    suggestion.start_on = Some(start_on);
    suggestion.ready_on = Some(ready_on);
    suggestion.reason.push(step("lead_time", "days until ready", f64::from(lead_days)));
    suggestion.reason.push(step("wait", "days until the start", f64::from(start_on - today)));
    let Some(&(promised_on, _)) = uncovered.first() else {
        return;
    };
    let in_time = lead_time.ready_within(promised_on - start_on);
    suggestion.reason.push(step("in_time", "probability of keeping the first date", in_time));
    let late_qty: i64 =
        uncovered.iter().filter(|&&(promised, _)| promised < ready_on).map(|&(_, qty)| qty).sum();
    if late_qty > 0 {
        findings.push(Finding::new(
            Code::PromiseLate,
            format!(
                "{late_qty} units are promised from {promised_on} on, but a batch started on \
                 {start_on} is ready on {ready_on}"
            ),
        ));
    }
}

/// (date, units) promised beyond what is covered or gone, earliest first.
pub(super) fn uncovered_promises(presale: &Presale, gone_qty: i64) -> Vec<(Day, i64)> {
    let mut promises: Vec<(Day, i64)> = presale
        .reservations
        .iter()
        .filter_map(|reservation| Some((reservation.promised_on?, reservation.qty)))
        .collect();
    promises.sort_unstable();
    let mut covered = presale.covered_qty.saturating_add(gone_qty);
    promises.retain_mut(|(_, qty)| {
        let served = covered.min(*qty);
        covered -= served;
        *qty -= served;
        *qty > 0
    });
    promises
}
