//! Small batches for items on pre-sale: how much to have made, and when to start.
//!
//! Demand of a season is Poisson with a rate drawn from its category's Gamma(a, b), a season being
//! exposure 1. After `n` paid reservations at exposure `w` the rest of the season is
//! `NegBin(a + n, (b + w) / (b + 1))`, and the batch is a newsvendor quantity with a setup cost on
//! the maker's lot grid (Arrow, Harris & Marschak 1951; Silver, Pyke & Thomas 2017, §10.2 and
//! §10.6): it runs only if some lot is expected to earn more than it costs. What customers have
//! already paid for is a promise and comes first, up to a stated loss.

pub mod demand;
pub mod lead_time;

use crate::calendar::Day;
use crate::finding::{Code, Finding};

use demand::{DEMAND_QTY_MAX, DemandPrior, NetDemand};
use lead_time::MakerLeadTime;

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

/// Name | default | purpose | range. Money is in minor units of one currency, per base unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchTerms {
    /// What a customer pays, ≥ 0.
    pub price_minor: i64,
    /// What the maker asks, > 0.
    pub unit_cost_minor: i64,
    /// Once per batch, ≥ 0.
    pub setup_cost_minor: i64,
    /// What an unsold unit brings, below the unit cost; negative where it costs to be rid of.
    pub salvage_minor: i64,
    /// Freight and handling of one returned unit, ≥ 0.
    pub return_cost_minor: i64,
    /// Share of reservations cancelled before they ship, 0..=1.
    pub cancellation_rate: f64,
    /// Share of shipped units that come back, 0..1.
    pub return_rate: f64,
    /// 1: share of returned units sold again in the season, 0..=1; the rest is salvaged.
    pub resold_share: f64,
    /// Smallest batch, ≥ 1.
    pub moq: i64,
    /// Batches are multiples of this, ≥ 1.
    pub multiple: i64,
    /// Largest batch, where the maker has one.
    pub capacity: Option<i64>,
    /// 0.95: probability with which the stock ships every reservation not cancelled, 0..1.
    pub promise_level: f64,
    /// 0.9: probability with which the batch is ready on the stated date, 0..1.
    pub ready_level: f64,
    /// 0.25: share of the promised units' price that may be lost to keep the promise, ≥ 0.
    pub loss_limit: f64,
}

impl Default for BatchTerms {
    /// The shares and levels above; the money and the unit cost are the caller's to set.
    fn default() -> Self {
        BatchTerms {
            price_minor: 0,
            unit_cost_minor: 0,
            setup_cost_minor: 0,
            salvage_minor: 0,
            return_cost_minor: 0,
            cancellation_rate: 0.0,
            return_rate: 0.0,
            resold_share: 1.0,
            moq: 1,
            multiple: 1,
            capacity: None,
            promise_level: 0.95,
            ready_level: 0.9,
            loss_limit: 0.25,
        }
    }
}

/// What keeps a batch from being judged at all.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ProductionError {
    #[error("{name} should be {legal}, but is {value}")]
    OutOfRange { name: &'static str, value: f64, legal: &'static str },
    #[error("salvage {salvage_minor} should be below the unit cost {unit_cost_minor}")]
    SalvageAboveCost { salvage_minor: i64, unit_cost_minor: i64 },
    #[error("the season should close after it opens on {opens}, but closes on {closes}")]
    SeasonEmpty { opens: Day, closes: Day },
    #[error("no past season of the category has a quantity and an exposure")]
    NoPastSeason,
    #[error("a mean demand of {mean_qty} base units is over 2000000: count in a larger unit")]
    DemandTooLarge { mean_qty: f64 },
}

/// Terms that passed `BatchTerms::check`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CheckedTerms(BatchTerms);

impl BatchTerms {
    pub fn check(self) -> Result<CheckedTerms, ProductionError> {
        /// Minor units and base units past this are a mistake in the data, and would not multiply.
        const AMOUNT_MAX: f64 = 1e12;
        let within = |name, value: f64, low: f64, high: f64, legal| {
            let fits = value >= low && value <= high;
            if fits { Ok(()) } else { Err(ProductionError::OutOfRange { name, value, legal }) }
        };
        let below_1 = 1.0 - f64::EPSILON;
        within("price", self.price_minor as f64, 0.0, AMOUNT_MAX, "0..=1e12")?;
        within("unit cost", self.unit_cost_minor as f64, 1.0, AMOUNT_MAX, "1..=1e12")?;
        within("setup cost", self.setup_cost_minor as f64, 0.0, AMOUNT_MAX, "0..=1e12")?;
        within("salvage", self.salvage_minor as f64, -AMOUNT_MAX, AMOUNT_MAX, "-1e12..=1e12")?;
        within("return cost", self.return_cost_minor as f64, 0.0, AMOUNT_MAX, "0..=1e12")?;
        within("cancellation rate", self.cancellation_rate, 0.0, 1.0, "0..=1")?;
        within("return rate", self.return_rate, 0.0, below_1, "0..1")?;
        within("resold share", self.resold_share, 0.0, 1.0, "0..=1")?;
        within("MOQ", self.moq as f64, 1.0, AMOUNT_MAX, "1..=1e12")?;
        within("multiple", self.multiple as f64, 1.0, AMOUNT_MAX, "1..=1e12")?;
        let capacity = self.capacity.map_or(0.0, |capacity| capacity as f64);
        within("capacity", capacity, 0.0, AMOUNT_MAX, "0..=1e12")?;
        within("promise level", self.promise_level, f64::EPSILON, below_1, "0..1")?;
        within("ready level", self.ready_level, f64::EPSILON, below_1, "0..1")?;
        within("loss limit", self.loss_limit, 0.0, AMOUNT_MAX, "at least 0")?;
        if self.salvage_minor >= self.unit_cost_minor {
            return Err(ProductionError::SalvageAboveCost {
                salvage_minor: self.salvage_minor,
                unit_cost_minor: self.unit_cost_minor,
            });
        }
        Ok(CheckedTerms(self))
    }
}

impl CheckedTerms {
    /// Probability that a gross unit of demand is net: neither cancelled nor served by a return.
    fn keep(&self) -> f64 {
        (1.0 - self.0.cancellation_rate) * (1.0 - self.0.return_rate * self.0.resold_share)
    }

    /// What a net unit earns once its returns are paid for, in minor units. Of `1` shipped, `r`
    /// comes back and `rρ` serves somebody else, so `1 − rρ` units carry the rest.
    fn revenue_minor(&self) -> f64 {
        let terms = &self.0;
        let returned = terms.return_rate;
        let resold = returned * terms.resold_share;
        ((1.0 - returned) * terms.price_minor as f64
            + (returned - resold) * terms.salvage_minor as f64
            - returned * terms.return_cost_minor as f64)
            / (1.0 - resold)
    }

    /// Smallest lot of at least `qty`, capacity aside.
    fn lot_at_least(&self, qty: i64) -> i64 {
        let terms = &self.0;
        let lots = (qty.max(terms.moq) + terms.multiple - 1) / terms.multiple;
        lots * terms.multiple
    }

    /// Largest legal lot, 0 where the capacity is below the smallest.
    fn lot_max(&self) -> Option<i64> {
        self.0.capacity.map(|capacity| {
            let lots = capacity / self.0.multiple * self.0.multiple;
            if lots >= self.lot_at_least(0) { lots } else { 0 }
        })
    }
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
    /// Against making nothing now, setup paid.
    pub expected_profit_minor: i64,
    /// Net of cancellations and resold returns, whole season, reserved units included.
    pub demand_mean_qty: f64,
    pub reason: Vec<ReasonStep>,
}

/// Tonight's batch for one item on pre-sale.
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
    let reserved = reserved_qty(presale)?;
    let elapsed = elapsed_share(presale, today)?;
    let demand = NetDemand::new(prior, reserved as usize, elapsed, terms.keep())?;
    let mut reason = vec![
        step("reserved", "paid reservations", reserved as f64),
        step("elapsed", "share of the season that is over", elapsed),
        step(
            "season_mean",
            "units that the whole season would reserve, from the category and this pre-sale",
            prior.updated_mean_qty(reserved as f64, elapsed),
        ),
        step("net_demand", "expected after cancellations and resold returns", demand.mean_qty()),
        step("net_demand_p90", "nine times in ten it stays within", demand.quantile(0.9) as f64),
        step("covered", "units on hand or already being made", presale.covered_qty as f64),
    ];
    let mut findings = Vec::new();
    let batch = Batch { demand: &demand, terms, covered: presale.covered_qty };
    let shipped = shipped_quantile_qty(reserved, terms.0.cancellation_rate, terms.0.promise_level);
    let promised = (shipped - presale.covered_qty).max(0);
    reason.push(step("promised", "reserved units that nothing covers yet", promised as f64));

    let qty = batch.choose(promised, &mut reason, &mut findings);
    let mut suggestion = ProductionSuggestion {
        qty,
        start_on: None,
        ready_on: None,
        sell_all_probability: demand.reaches((presale.covered_qty + qty) as usize),
        expected_profit_minor: batch.profit_minor(qty).round() as i64,
        demand_mean_qty: demand.mean_qty(),
        reason,
    };
    suggestion.reason.push(step("quantity", "to have made", qty as f64));
    suggestion.reason.push(step(
        "expected_profit",
        "minor units, against making nothing now",
        suggestion.expected_profit_minor as f64,
    ));
    suggestion.reason.push(step(
        "sell_all",
        "probability that the season takes all of it",
        suggestion.sell_all_probability,
    ));
    if qty > 0 {
        date(&mut suggestion, presale, terms, lead_time, today, &mut findings);
    }
    Ok((suggestion, findings))
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

struct Batch<'a> {
    demand: &'a NetDemand,
    terms: &'a CheckedTerms,
    covered: i64,
}

impl Batch<'_> {
    /// Expected gain of making `qty` now over making nothing, in minor units.
    fn profit_minor(&self, qty: i64) -> f64 {
        if qty <= 0 {
            return 0.0;
        }
        let terms = &self.terms.0;
        let sold = self.demand.expected_min((self.covered + qty) as usize)
            - self.demand.expected_min(self.covered as usize);
        self.terms.revenue_minor() * sold + terms.salvage_minor as f64 * (qty as f64 - sold)
            - terms.unit_cost_minor as f64 * qty as f64
            - terms.setup_cost_minor as f64
    }

    /// The most profitable lot of at least `from`, the smaller of equals; `None` if there is none.
    fn best(&self, from: i64) -> Option<(i64, f64)> {
        let first = self.terms.lot_at_least(from);
        // A unit past the largest demand only loses its cost.
        let useful = self.demand.qty_max() as i64 - self.covered;
        let last = self.terms.lot_max().unwrap_or(i64::MAX).min(useful.max(first));
        let mut best: Option<(i64, f64)> = None;
        let mut qty = first;
        while qty <= last {
            let profit = self.profit_minor(qty);
            if best.is_none_or(|(_, most)| profit > most + 1e-9 * most.abs().max(1.0)) {
                best = Some((qty, profit));
            }
            qty += self.terms.0.multiple;
        }
        best
    }

    fn choose(
        &self,
        promised: i64,
        reason: &mut Vec<ReasonStep>,
        findings: &mut Vec<Finding>,
    ) -> i64 {
        if self.terms.lot_max() == Some(0) {
            let detail = format!(
                "the maker's capacity of {} is below the smallest lot of {}",
                self.terms.0.capacity.unwrap_or(0),
                self.terms.lot_at_least(0)
            );
            reason.push(step("no_lot", &detail, 0.0));
            findings.push(Finding::new(Code::BatchCapacityShort, detail));
            return 0;
        }
        let (free, free_profit) = self.best(0).unwrap_or((0, 0.0));
        reason.push(step("best_lot", "the most profitable lot", free as f64));
        reason.push(step("best_lot_profit", "minor units expected of it", free_profit));
        let economic = if free_profit > 0.0 { free } else { 0 };
        if economic == 0 {
            reason.push(step("unprofitable", "no lot is expected to earn its cost", free_profit));
        }
        if promised == 0 || economic >= promised {
            return economic;
        }
        self.keep_promise(promised, economic, reason, findings)
    }

    /// The promise asks for more than the economics do.
    fn keep_promise(
        &self,
        promised: i64,
        economic: i64,
        reason: &mut Vec<ReasonStep>,
        findings: &mut Vec<Finding>,
    ) -> i64 {
        let reachable = self.terms.lot_max().map_or(promised, |most| promised.min(most));
        if reachable < promised {
            findings.push(Finding::new(
                Code::BatchCapacityShort,
                format!(
                    "{promised} units are promised, but the maker's largest lot is {reachable}"
                ),
            ));
        }
        let Some((qty, profit)) = self.best(reachable) else {
            return economic;
        };
        let limit = self.terms.0.loss_limit * self.terms.0.price_minor as f64 * promised as f64;
        if profit < -limit {
            let detail = format!(
                "{promised} units are promised, but making {qty} loses {:.0} minor units, over the \
                 limit of {limit:.0}",
                -profit
            );
            reason.push(step("promise_refused", &detail, profit));
            findings.push(Finding::new(Code::PromiseNotCovered, detail));
            return economic;
        }
        reason.push(step("promise_kept", "raised to what is already paid for", qty as f64));
        if profit < 0.0 {
            findings.push(Finding::new(
                Code::BatchAtLoss,
                format!("{qty} units for {promised} promised lose {:.0} minor units", -profit),
            ));
        }
        qty
    }
}

/// Starts as late as the first uncovered promise allows, so that the batch knows most, and today
/// where nothing is promised.
fn date(
    suggestion: &mut ProductionSuggestion,
    presale: &Presale,
    terms: &CheckedTerms,
    lead_time: &MakerLeadTime,
    today: Day,
    findings: &mut Vec<Finding>,
) {
    let lead_days = lead_time.quantile_days(terms.0.ready_level);
    let uncovered = uncovered_promises(presale);
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

/// (date, units) promised beyond what is covered, earliest first.
fn uncovered_promises(presale: &Presale) -> Vec<(Day, i64)> {
    let mut promises: Vec<(Day, i64)> = presale
        .reservations
        .iter()
        .filter_map(|reservation| Some((reservation.promised_on?, reservation.qty)))
        .collect();
    promises.sort_unstable();
    let mut covered = presale.covered_qty;
    promises.retain_mut(|(_, qty)| {
        let served = covered.min(*qty);
        covered -= served;
        *qty -= served;
        *qty > 0
    });
    promises
}
