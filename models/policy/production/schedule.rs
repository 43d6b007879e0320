//! Several batches at one maker whose hours of the coming days are few.
//!
//! Each batch takes `setup_hours + hours_per_unit · q`. Which lots to make is a multiple-choice
//! knapsack over hours (Sinha & Zoltners 1979): its linear relaxation gives the price of an hour λ
//! and a bound that no schedule exceeds. Batches are made in the order of their promised dates, for
//! which no order has a smaller largest delay (Jackson 1955), one after another, so that the hours
//! made so far say when a batch is ready, and its lot is chosen with its delay known (Lawler &
//! Moore 1969).

mod hours;

use crate::calendar::Day;
use crate::finding::{Code, Finding};

use super::ProductionError;

/// Hours that count as the same: a batch may run over by so little.
const SLACK_HOURS: f64 = 1e-9;

/// What may be made of one item, and what each lot is worth.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BatchCurve {
    /// Lots that the maker accepts, smallest units, rising; the first is 0.
    pub qty: Vec<i64>,
    /// Expected money of each lot over making nothing, set-up paid, minor units; the first is 0.
    pub worth_minor: Vec<f64>,
    pub setup_hours: f64,
    pub hours_per_unit: f64,
    /// The first date promised to a customer whom nothing covers yet.
    pub due_on: Option<Day>,
    /// Units promised.
    pub promised_qty: i64,
    /// `in_time_minor[k]`: what it is worth to have all promised units on the k-th day from today
    /// rather than after the days planned; minor units, ≥ 0, not rising, 0 past its end. A lot
    /// below what is promised earns its share of it.
    pub in_time_minor: Vec<f64>,
}

/// What a maker can do in the coming days, and nothing beyond them.
#[derive(Clone, Debug, PartialEq)]
pub struct MakerCapacity {
    /// Hours on today and each day after it; 0 on a closed day.
    pub hours: Vec<f64>,
    /// Days until the material is there: nothing is made before.
    pub material_days: u32,
    /// Days from the last hour of a batch until it can be sold.
    pub transit_days: u32,
}

impl MakerCapacity {
    /// As many hours on each of the next 7 days.
    pub fn weekly(hours_per_day: f64, material_days: u32, transit_days: u32) -> MakerCapacity {
        MakerCapacity { hours: vec![hours_per_day; 7], material_days, transit_days }
    }

    /// Days, counted from today, on which something can be made that is ready in time.
    fn days(&self) -> std::ops::Range<usize> {
        let end = self.hours.len().saturating_sub(self.transit_days as usize);
        let start = (self.material_days as usize).min(end);
        start..end
    }
}

/// One batch of a schedule, in the place of its curve.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScheduledBatch {
    /// Smallest units; 0: not made in these days.
    pub qty: i64,
    /// What would be made if hours were free.
    pub wanted_qty: i64,
    /// The first day with hours for it.
    pub starts_on: Option<Day>,
    /// By the end of this day it can be sold.
    pub ready_on: Option<Day>,
    pub hours: f64,
    /// Of the lot, with what being in time is worth.
    pub worth_minor: f64,
    /// What the lot of free hours, in time, would be worth more: the most that putting the rest off
    /// costs, as some of it can still be earned later.
    pub deferred_minor: f64,
    /// Past `due_on`; 0 where nothing is made.
    pub days_late: i32,
}

/// What a maker does in the coming days.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schedule {
    /// As given.
    pub batches: Vec<ScheduledBatch>,
    /// λ: what one more hour is worth, minor units; 0 where hours are left over.
    pub hour_price_minor: f64,
    /// Minor units.
    pub worth_minor: f64,
    /// No schedule is worth more.
    pub bound_minor: f64,
    /// Today and each day after it.
    pub hours_used: Vec<f64>,
    pub hours_available: f64,
}

impl Schedule {
    /// What is at most lost against the best schedule, minor units.
    pub fn gap_minor(&self) -> f64 {
        (self.bound_minor - self.worth_minor).max(0.0)
    }

    /// What waiting costs at most, over all batches, minor units.
    pub fn deferred_minor(&self) -> f64 {
        self.batches.iter().map(|batch| batch.deferred_minor).sum()
    }
}

/// Chooses lots and days for the batches of one maker; findings carry the index of their batch.
///
/// # Errors
/// A curve whose lots do not rise from 0, or a number that is not finite or below 0.
pub fn schedule(
    curves: &[BatchCurve],
    maker: &MakerCapacity,
    today: Day,
) -> Result<(Schedule, Vec<(usize, Finding)>), ProductionError> {
    check(curves, maker)?;
    let line = TimeLine::new(maker);
    let mut order: Vec<usize> = (0..curves.len()).collect();
    order.sort_by_key(|&i| (curves[i].due_on.is_none(), curves[i].due_on, i));
    let chosen = hours::choose(curves, &order, &line);
    let mut schedule = Schedule {
        batches: vec![ScheduledBatch::default(); curves.len()],
        hour_price_minor: chosen.hour_price_minor,
        bound_minor: chosen.bound_minor,
        hours_used: vec![0.0; maker.hours.len()],
        hours_available: line.total(),
        ..Schedule::default()
    };
    let (mut findings, mut spent) = (Vec::new(), 0.0);
    for &i in &order {
        let lot = chosen.lots[i];
        let placed = &mut schedule.batches[i];
        *placed = place(&curves[i], lot, spent, &line, today);
        line.fill(&mut schedule.hours_used, spent, spent + placed.hours);
        spent += placed.hours;
        schedule.worth_minor += placed.worth_minor;
        findings.extend(findings_of(&curves[i], placed).into_iter().map(|finding| (i, finding)));
    }
    // Sums in another order than the bound's may differ in their last digits.
    schedule.bound_minor = schedule.bound_minor.max(schedule.worth_minor);
    findings.sort_by_key(|&(i, _)| i);
    Ok((schedule, findings))
}

fn check(curves: &[BatchCurve], maker: &MakerCapacity) -> Result<(), ProductionError> {
    let legal = |name, value: f64| {
        let good = value.is_finite() && value >= 0.0;
        let legal = "finite and at least 0";
        if good { Ok(()) } else { Err(ProductionError::OutOfRange { name, value, legal }) }
    };
    for &hours in &maker.hours {
        legal("hours of a day", hours)?;
    }
    for curve in curves {
        legal("set-up hours", curve.setup_hours)?;
        legal("hours per unit", curve.hours_per_unit)?;
        legal("promised quantity", curve.promised_qty as f64)?;
        for &minor in &curve.in_time_minor {
            legal("worth of being in time", minor)?;
        }
        let rising = curve.qty.first() == Some(&0) && curve.qty.is_sorted_by(|a, b| a < b);
        let known = curve.worth_minor.iter().all(|worth| worth.is_finite());
        let falls = curve.in_time_minor.is_sorted_by(|a, b| a >= b);
        if !(rising && known && falls && curve.worth_minor.len() == curve.qty.len()) {
            return Err(ProductionError::BadCurve);
        }
    }
    Ok(())
}

impl BatchCurve {
    fn hours(&self, lot: usize) -> f64 {
        match self.qty[lot] {
            0 => 0.0,
            qty => self.setup_hours + self.hours_per_unit * qty as f64,
        }
    }

    /// Share of what is promised that the lot covers.
    fn covers(&self, lot: usize) -> f64 {
        if self.promised_qty == 0 {
            return 0.0;
        }
        (self.qty[lot] as f64 / self.promised_qty as f64).min(1.0)
    }

    /// Worth of a lot that is ready on the given day from today.
    fn worth(&self, lot: usize, ready: usize) -> f64 {
        let in_time = self.in_time_minor.get(ready).copied().unwrap_or(0.0);
        self.worth_minor[lot] + self.covers(lot) * in_time
    }

    /// The best lot where hours are free and the batch is ready on `ready`; the smaller of equals.
    fn best(&self, ready: usize) -> usize {
        (1..self.qty.len()).fold(0, |best, lot| {
            if self.worth(lot, ready) > self.worth(best, ready) { lot } else { best }
        })
    }
}

/// Hours of work laid end to end, and the days on which they fall.
struct TimeLine {
    /// Usable hours up to the end of each day from today.
    until: Vec<f64>,
    transit_days: usize,
    /// The first day that has hours.
    first: usize,
}

impl TimeLine {
    fn new(maker: &MakerCapacity) -> TimeLine {
        let days = maker.days();
        let mut sum = 0.0;
        let until: Vec<f64> = (0..maker.hours.len())
            .map(|day| {
                sum += if days.contains(&day) { maker.hours[day] } else { 0.0 };
                sum
            })
            .collect();
        let first = until.iter().position(|&hours| hours > 0.0).unwrap_or(0);
        TimeLine { until, transit_days: maker.transit_days as usize, first }
    }

    fn total(&self) -> f64 {
        self.until.last().copied().unwrap_or(0.0)
    }

    /// The day on which a batch ends when `spent` hours have been worked by its end.
    fn day_of_end(&self, spent: f64) -> usize {
        let day = self.until.partition_point(|&until| until < spent - SLACK_HOURS);
        day.clamp(self.first, self.until.len().max(1) - 1)
    }

    /// The day of the first hour after `spent`.
    fn day_of_start(&self, spent: f64) -> usize {
        let day = self.until.partition_point(|&until| until <= spent + SLACK_HOURS);
        day.clamp(self.first, self.until.len().max(1) - 1)
    }

    /// When a batch that ends after `spent` hours can be sold, in days from today.
    fn ready(&self, spent: f64) -> usize {
        self.day_of_end(spent) + self.transit_days
    }

    /// Books the hours from `start` to `end` on their days.
    fn fill(&self, used: &mut [f64], start: f64, end: f64) {
        let mut before = 0.0;
        for (used, &until) in used.iter_mut().zip(&self.until) {
            *used += (end.min(until) - start.max(before)).max(0.0);
            before = until;
        }
    }
}

fn place(
    curve: &BatchCurve,
    lot: usize,
    spent: f64,
    line: &TimeLine,
    today: Day,
) -> ScheduledBatch {
    let soonest = line.ready(0.0);
    let wanted = curve.best(soonest);
    let mut placed = ScheduledBatch {
        wanted_qty: curve.qty[wanted],
        deferred_minor: curve.worth(wanted, soonest),
        ..ScheduledBatch::default()
    };
    if lot == 0 {
        return placed;
    }
    let hours = curve.hours(lot);
    let ready = line.ready(spent + hours);
    let start = line.day_of_start(spent).min(line.day_of_end(spent + hours));
    placed.qty = curve.qty[lot];
    placed.hours = hours;
    placed.worth_minor = curve.worth(lot, ready);
    placed.deferred_minor = (placed.deferred_minor - placed.worth_minor).max(0.0);
    placed.starts_on = Some(today + start as i32);
    let ready_on = today + ready as i32;
    placed.ready_on = Some(ready_on);
    placed.days_late = curve.due_on.map_or(0, |due| (ready_on - due).max(0));
    placed
}

fn findings_of(curve: &BatchCurve, placed: &ScheduledBatch) -> Vec<Finding> {
    let mut findings = Vec::new();
    if placed.qty < placed.wanted_qty {
        let detail = format!(
            "{} wanted, the maker's hours allow {}; making the rest later costs at most {:.0} \
             minor units",
            placed.wanted_qty, placed.qty, placed.deferred_minor
        );
        findings.push(Finding::new(Code::BatchDeferred, detail));
    }
    if let (Some(due_on), Some(ready_on)) = (curve.due_on, placed.ready_on)
        && placed.days_late > 0
    {
        let detail = format!(
            "{} units are promised from {due_on} on, but the batch is ready on {ready_on}",
            curve.promised_qty
        );
        findings.push(Finding::new(Code::PromiseLate, detail));
    }
    findings
}
