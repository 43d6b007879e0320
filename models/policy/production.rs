//! Small batches for items on pre-sale: how much to have made, and when to start.
//!
//! Demand of a season is Poisson with a rate drawn from its category's Gamma(a, b), a season being
//! exposure 1. After `n` paid reservations at exposure `w` the rest of the season is
//! `NegBin(a + n, (b + w) / (b + 1))`, and the batch is a newsvendor quantity with a setup cost on
//! the maker's lot grid (Arrow, Harris & Marschak 1951; Silver, Pyke & Thomas 2017, §10.2 and
//! §10.6): it runs only if some lot is expected to earn more than it costs. What customers have
//! already paid for is a promise and comes first, up to a stated loss.

mod batch;
mod dates;
pub mod demand;
pub mod lead_time;
pub mod lots;
pub mod repeat;
pub mod schedule;
mod terms;
mod together;

use crate::calendar::Day;
use crate::finding::Finding;

use batch::Batch;
use demand::{DEMAND_QTY_MAX, DemandPrior, NetDemand};
use lead_time::MakerLeadTime;
use repeat::{RepeatTerms, RunPlan, plan_runs};
pub use terms::{BatchTerms, CheckedTerms, ProductionError};
pub use together::{BatchHours, Together, suggest_together};

/// One day's paid reservations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reservation {
    pub day: Day,
    /// Base units, ≥ 0.
    pub qty: i64,
    /// The date on which the customer was told the goods would leave.
    pub promised_on: Option<Day>,
}

/// A pre-sale as it stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Presale<'a> {
    pub reservations: &'a [Reservation],
    /// First day of the season.
    pub opens: Day,
    /// The day after its last.
    pub closes: Day,
    /// Base units on hand or already being made, ≥ 0.
    pub covered_qty: i64,
}

/// One step from what was reserved to the quantity suggested.
#[derive(Clone, Debug, PartialEq)]
pub struct ReasonStep {
    pub step: &'static str,
    pub text: String,
    pub value: f64,
}

/// What to have made now. A quantity of 0 has no dates; its reason says why.
#[derive(Clone, Debug, PartialEq)]
pub struct ProductionSuggestion {
    /// Base units, on the lot grid.
    pub qty: i64,
    pub start_on: Option<Day>,
    /// Ready with probability `ready_level`.
    pub ready_on: Option<Day>,
    /// That the season takes everything covered and this batch.
    pub sell_all_probability: f64,
    /// Against making nothing now, setup paid; where a run may be repeated, with the best repeats
    /// after either.
    pub expected_profit_minor: i64,
    /// Net of cancellations and resold returns, whole season, reserved units included.
    pub demand_mean_qty: f64,
    /// The repeats that are expected to follow, where a run may be repeated.
    pub runs: Option<RunPlan>,
    pub reason: Vec<ReasonStep>,
}

/// One item on pre-sale and all that decides its batch.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    pub presale: Presale<'a>,
    /// Reserved units that need no stock any more: shipped, or turned away.
    pub gone_qty: i64,
    pub prior: DemandPrior,
    pub terms: CheckedTerms,
    pub lead_time: &'a MakerLeadTime,
    /// `None`: all is made at once.
    pub repeat: Option<RepeatTerms>,
}

impl<'a> Candidate<'a> {
    /// Nothing is gone yet, and all is made at once.
    pub fn new(
        presale: Presale<'a>,
        prior: DemandPrior,
        terms: CheckedTerms,
        lead_time: &'a MakerLeadTime,
    ) -> Candidate<'a> {
        Candidate { presale, gone_qty: 0, prior, terms, lead_time, repeat: None }
    }
}

/// Tonight's batch for one item on pre-sale, at a maker who has time for it.
///
/// # Errors
/// A season without days, a negative quantity, or a demand too large to write out.
pub fn suggest(
    presale: &Presale,
    prior: &DemandPrior,
    terms: &CheckedTerms,
    lead_time: &MakerLeadTime,
    today: Day,
) -> Result<(ProductionSuggestion, Vec<Finding>), ProductionError> {
    let candidate = Candidate::new(*presale, *prior, *terms, lead_time);
    suggest_run(&candidate, today)
}

/// As [`suggest`], for a candidate whose run may be repeated or some of whose goods are gone.
///
/// # Errors
/// As [`suggest`], and those of [`plan_runs`].
pub fn suggest_run(
    candidate: &Candidate,
    today: Day,
) -> Result<(ProductionSuggestion, Vec<Finding>), ProductionError> {
    Ok(Judged::new(candidate, today)?.alone(candidate, today))
}

/// A candidate with its demand worked out and its lot chosen.
struct Judged<'a> {
    terms: &'a CheckedTerms,
    demand: NetDemand,
    covered: i64,
    promised: i64,
    /// What is best for this item alone.
    wanted_qty: i64,
    /// Where a run may be repeated.
    runs: Option<RunPlan>,
    reason: Vec<ReasonStep>,
    findings: Vec<Finding>,
}

impl<'a> Judged<'a> {
    fn new(candidate: &'a Candidate, today: Day) -> Result<Judged<'a>, ProductionError> {
        let Candidate { presale, prior, terms, .. } = candidate;
        let reserved = reserved_qty(presale)?;
        let open = (reserved - candidate.gone_qty.max(0)).max(0);
        let elapsed = elapsed_share(presale, today)?;
        let seen = (reserved as usize, open as usize);
        let demand = NetDemand::with_open(prior, seen, elapsed, terms.keep())?;
        let mut reason = vec![
            step("reserved", "paid reservations", reserved as f64),
            step("elapsed", "share of the season that is over", elapsed),
            step(
                "season_mean",
                "units that the whole season would reserve, from the category and this pre-sale",
                prior.updated_mean_qty(reserved as f64, elapsed),
            ),
            step(
                "net_demand",
                "expected after cancellations and resold returns",
                demand.mean_qty(),
            ),
            step(
                "net_demand_p90",
                "nine times in ten it stays within",
                demand.quantile(0.9) as f64,
            ),
            step("covered", "units on hand or already being made", presale.covered_qty as f64),
        ];
        let mut findings = Vec::new();
        let shipped = shipped_quantile_qty(open, terms.0.cancellation_rate, terms.0.promise_level);
        let promised = (shipped - presale.covered_qty).max(0);
        reason.push(step("promised", "reserved units that nothing covers yet", promised as f64));
        let covered = presale.covered_qty;
        let mut judged = Judged {
            terms,
            demand,
            covered,
            promised,
            wanted_qty: 0,
            runs: None,
            reason: Vec::new(),
            findings: Vec::new(),
        };
        judged.wanted_qty = match candidate.repeat {
            None => judged.batch().choose(&mut reason, &mut findings),
            Some(repeat) => {
                let plan = plan_runs(candidate, &repeat, today)?;
                plan.explain(&mut reason, &mut findings);
                judged.runs.insert(plan).first_qty
            }
        };
        (judged.reason, judged.findings) = (reason, findings);
        Ok(judged)
    }

    /// Expected gain of `qty` now over nothing now, with what is made later for the best.
    fn profit_minor(&self, qty: i64) -> f64 {
        let Some(runs) = &self.runs else { return self.batch().profit_minor(qty) };
        let place = runs.profits_minor.binary_search_by_key(&qty, |&(lot, _)| lot);
        place.map_or(0.0, |at| runs.profits_minor[at].1 - runs.profits_minor[0].1)
    }

    fn batch(&self) -> Batch<'_> {
        let (covered, promised) = (self.covered, self.promised);
        Batch { demand: &self.demand, terms: self.terms, covered, promised }
    }

    /// What is best where the maker has time for it.
    fn alone(self, candidate: &Candidate, today: Day) -> (ProductionSuggestion, Vec<Finding>) {
        let qty = self.wanted_qty;
        let (mut suggestion, mut findings) = self.suggestion(qty);
        if qty > 0 {
            dates::date(&mut suggestion, candidate, today, &mut findings);
        }
        (suggestion, findings)
    }

    /// The suggestion of `qty`, without its dates.
    fn suggestion(self, qty: i64) -> (ProductionSuggestion, Vec<Finding>) {
        let profit_minor = self.profit_minor(qty).round();
        let sell_all = self.demand.reaches((self.covered + qty) as usize);
        let mut reason = self.reason;
        reason.push(step("quantity", "to have made", qty as f64));
        reason.push(step(
            "expected_profit",
            "minor units, against making nothing now",
            profit_minor,
        ));
        reason.push(step("sell_all", "probability that the season takes all of it", sell_all));
        let suggestion = ProductionSuggestion {
            qty,
            start_on: None,
            ready_on: None,
            sell_all_probability: sell_all,
            expected_profit_minor: profit_minor as i64,
            demand_mean_qty: self.demand.mean_qty(),
            runs: self.runs,
            reason,
        };
        (suggestion, self.findings)
    }
}

fn step(step: &'static str, text: &str, value: f64) -> ReasonStep {
    ReasonStep { step, text: text.to_owned(), value }
}

fn shipped_quantile_qty(reserved: i64, cancellation_rate: f64, level: f64) -> i64 {
    demand::shipped_quantile(reserved as usize, cancellation_rate, level) as i64
}

fn reserved_qty(presale: &Presale) -> Result<i64, ProductionError> {
    let mut reserved = 0i64;
    let quantities = presale.reservations.iter().map(|reservation| reservation.qty);
    for qty in quantities.chain([presale.covered_qty]) {
        if !(0..=DEMAND_QTY_MAX as i64).contains(&qty) {
            return Err(ProductionError::OutOfRange {
                name: "reserved or covered quantity",
                value: qty as f64,
                legal: "0..=2000000",
            });
        }
        reserved = reserved.saturating_add(qty);
    }
    Ok(reserved - presale.covered_qty)
}

/// A reservation of today or later, as a feed that runs ahead brings, is part of what is over.
fn elapsed_share(presale: &Presale, today: Day) -> Result<f64, ProductionError> {
    let (opens, closes) = (presale.opens, presale.closes);
    if closes <= opens {
        return Err(ProductionError::SeasonEmpty { opens, closes });
    }
    let last = presale.reservations.iter().map(|reservation| reservation.day + 1).max();
    let over = last.map_or(today, |last| last.max(today));
    Ok((f64::from(over - opens) / f64::from(closes - opens)).clamp(0.0, 1.0))
}
