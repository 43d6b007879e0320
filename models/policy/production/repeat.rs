//! A first run now, and repeat runs once more demand has been seen.
//!
//! At each review the category's Gamma and all that was seen give the demand still to come, and the
//! maker may make another lot: a dynamic program over (demand seen, net stock) with a negative
//! binomial in each interval (Fisher & Raman 1996; Eppen & Iyer 1997; Bayesian inventory as in
//! Azoury 1985). Tonight's lot is worth what it earns when every later review then decides for the
//! best; making all at once is the same with no later run. The difference is the value of waiting.
//!
//! Demand is counted net, after cancellations and resold returns: a thinned Gamma–Poisson process
//! is one with its rate divided by the share kept.

mod points;
mod tables;

use crate::calendar::Day;
use crate::finding::{Code, Finding};

use super::{Candidate, ProductionError, ReasonStep, dates, elapsed_share, reserved_qty, step};
use points::Grid;
use tables::{Review, Tables, solve};

/// Points of each of tonight's two intervals.
const DEMANDS_TONIGHT: usize = 16;
/// Lots that tonight's decision compares before it looks closer around the best.
const LOTS_TONIGHT: usize = 64;

/// When and how a run may be repeated. Name | default | purpose | range. Money is minor units per
/// smallest unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RepeatTerms {
    /// 7: days from one decision to the next, ≥ 1; a maker with a longer lead time sets the pace.
    pub review_days: i32,
    /// 8: decisions looked at after tonight's.
    pub reviews_max: usize,
    /// 0: share of customers who find no stock and wait for the next run, 0..=1.
    pub wait_share: f64,
    /// 0: what a day's wait of one unit costs, ≥ 0.
    pub waiting_minor_per_day: f64,
    /// 0: what a unit in stock costs a day, ≥ 0.
    pub holding_minor_per_day: f64,
}

impl Default for RepeatTerms {
    fn default() -> RepeatTerms {
        RepeatTerms {
            review_days: 7,
            reviews_max: 8,
            wait_share: 0.0,
            waiting_minor_per_day: 0.0,
            holding_minor_per_day: 0.0,
        }
    }
}

/// A later review as it looks tonight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlannedRepeat {
    pub review_on: Day,
    pub ready_on: Day,
    /// That a run is started then.
    pub probability: f64,
    /// Expected smallest units, 0 where no run is started counted in.
    pub qty_mean: f64,
}

/// Tonight's first run and what is expected to follow it.
#[derive(Clone, Debug, PartialEq)]
pub struct RunPlan {
    /// Smallest units, on the lot grid.
    pub first_qty: i64,
    /// Promised before a repeat could be ready, within the maker's largest lot.
    pub due_qty: i64,
    /// Of the first run and all repeats, against never making anything, minor units.
    pub profit_minor: f64,
    /// The best single run of tonight, and its profit.
    pub one_shot_qty: i64,
    pub one_shot_profit_minor: f64,
    pub repeats: Vec<PlannedRepeat>,
    /// (lot, profit) of the lots looked at, rising, from 0 on: each with the best repeats after it.
    pub profits_minor: Vec<(i64, f64)>,
}

impl RunPlan {
    /// What the later decisions are worth over making all at once, minor units, ≥ 0.
    pub fn waiting_value_minor(&self) -> f64 {
        (self.profit_minor - self.one_shot_profit_minor).max(0.0)
    }

    pub(super) fn explain(&self, reason: &mut Vec<ReasonStep>, findings: &mut Vec<Finding>) {
        let value = self.waiting_value_minor();
        reason.extend([
            step(
                "one_shot",
                "the best lot if nothing could be made later",
                self.one_shot_qty as f64,
            ),
            step("one_shot_profit", "minor units expected of it", self.one_shot_profit_minor),
            step("repeat_runs", "runs expected to follow", self.repeat_runs()),
            step("repeat_qty", "units expected of them", self.repeat_qty()),
            step("waiting_value", "minor units that deciding later is worth", value),
            step("first_run", "the best lot with the repeats to come", self.first_qty as f64),
        ]);
        if self.first_qty < self.due_qty {
            let detail = format!(
                "{} units are promised before a repeat could be ready, but making them loses more \
                 than the limit",
                self.due_qty
            );
            findings.push(Finding::new(Code::PromiseNotCovered, detail));
        }
    }

    /// Expected number of repeat runs.
    pub fn repeat_runs(&self) -> f64 {
        self.repeats.iter().map(|repeat| repeat.probability).sum()
    }

    /// Expected smallest units of all repeat runs.
    pub fn repeat_qty(&self) -> f64 {
        self.repeats.iter().map(|repeat| repeat.qty_mean).sum()
    }
}

/// The first run of one item on pre-sale, its repeats, and the value of waiting. What is promised
/// before a repeat could be ready is part of the first run, up to the loss that the terms allow.
///
/// # Errors
/// As [`super::suggest`]; and a repeat term out of its range.
pub fn plan_runs(
    candidate: &Candidate,
    repeat: &RepeatTerms,
    today: Day,
) -> Result<RunPlan, ProductionError> {
    repeat.check()?;
    let season = Season::new(candidate, repeat, today)?;
    let (with, without) = (solve(&season, true), solve(&season, false));
    let (tonight, single) = (Tonight::new(&season, &with), Tonight::new(&season, &without));
    let nothing = single.value(0.0);
    let (one_shot_qty, one_shot) = best_of(&single.lots(0));
    let lots = tonight.lots(0);
    let (mut first_qty, mut profit) = best_of(&lots);
    let mut profits_minor: Vec<(i64, f64)> =
        lots.iter().map(|&(lot, value)| (lot, value - nothing)).collect();
    let due = season.due_before_repeat(candidate, today);
    let due = candidate.terms.lot_max().map_or(due, |most| due.min(most));
    if first_qty < due {
        let kept_lots: Vec<(i64, f64)> =
            tonight.lots(due).into_iter().filter(|&(lot, _)| lot > 0).collect();
        let limit = candidate.terms.0.loss_limit * candidate.terms.price_minor() * due as f64;
        if let Some((qty, kept)) = (!kept_lots.is_empty()).then(|| best_of(&kept_lots))
            && kept >= tonight.value(0.0) - limit
        {
            (first_qty, profit) = (qty, kept);
            profits_minor.extend(kept_lots.iter().map(|&(lot, value)| (lot, value - nothing)));
            profits_minor.sort_by_key(|&(lot, _)| lot);
            profits_minor.dedup_by_key(|&mut (lot, _)| lot);
        }
    }
    Ok(RunPlan {
        first_qty,
        due_qty: due,
        profit_minor: profit - nothing,
        one_shot_qty,
        one_shot_profit_minor: one_shot - nothing,
        repeats: tonight.repeats(first_qty as f64, &with, today),
        profits_minor,
    })
}

/// The most valuable lot, the smaller of equals.
fn best_of(lots: &[(i64, f64)]) -> (i64, f64) {
    lots.iter().copied().fold((0, f64::NEG_INFINITY), |best, lot| {
        if lot.1 > best.1 + 1e-9 * best.1.abs().clamp(1.0, 1e300) { lot } else { best }
    })
}

impl RepeatTerms {
    fn check(&self) -> Result<(), ProductionError> {
        for (name, value, most, legal) in [
            ("review days", f64::from(self.review_days) - 1.0, 1e6, "at least 1"),
            ("wait share", self.wait_share, 1.0, "0..=1"),
            ("waiting cost", self.waiting_minor_per_day, 1e12, "0..=1e12"),
            ("holding cost", self.holding_minor_per_day, 1e12, "0..=1e12"),
        ] {
            if !(value >= 0.0 && value <= most) {
                return Err(ProductionError::OutOfRange { name, value, legal });
            }
        }
        Ok(())
    }
}

/// Minor units per smallest unit, of a set-up, or per day.
#[derive(Clone, Copy, Debug)]
struct Money {
    revenue: f64,
    cost: f64,
    setup: f64,
    salvage: f64,
    holding: f64,
    waiting: f64,
    wait_share: f64,
}

/// Part of the season: how long it is, how much of the season's demand falls in it, and the Gamma's
/// rate at its start.
#[derive(Clone, Copy, Debug)]
struct Interval {
    days: f64,
    exposure: f64,
    rate: f64,
}

/// From one decision to the next: until its run arrives, and from then on.
#[derive(Clone, Copy, Debug)]
struct Stage {
    /// Days from tonight.
    decided: i32,
    arrives: i32,
    before: Interval,
    after: Interval,
    /// Demand since tonight hardly ever is above this by the next decision.
    seen_high: f64,
}

/// All that the dynamic program is about.
#[derive(Clone, Debug)]
struct Season {
    /// Of the Gamma tonight.
    size: f64,
    /// Net stock tonight: what is there, less what is paid for and waits.
    stock: f64,
    stock_low: f64,
    stock_high: f64,
    /// Tonight's first, each with what follows.
    stages: Vec<Stage>,
    lot_first: i64,
    lot_multiple: i64,
    lot_most: Option<i64>,
    money: Money,
}

impl Season {
    fn new(
        candidate: &Candidate,
        repeat: &RepeatTerms,
        today: Day,
    ) -> Result<Season, ProductionError> {
        let Candidate { presale, prior, terms, lead_time, .. } = candidate;
        let reserved = reserved_qty(presale)?;
        let elapsed = elapsed_share(presale, today)?;
        let keep = terms.keep().max(1e-6);
        let season_days = f64::from(presale.closes - presale.opens);
        // A feed that runs ahead has brought part of the days to come.
        let days_left = ((1.0 - elapsed) * season_days).round() as i32;
        let lead_days = lead_time.quantile_days(terms.0.ready_level);
        let rate_at = |day: i32| {
            (prior.rate() + elapsed) / keep + f64::from(day.min(days_left)) / season_days
        };
        let size = prior.shape() + reserved as f64;
        let high_by = |day: i32| {
            let mean = size * f64::from(day.min(days_left)) / season_days / rate_at(0);
            mean + 3.5 * (mean + mean * mean / size).sqrt() + 2.0
        };
        let interval = |from: i32, to: i32| Interval {
            days: f64::from(to - from),
            exposure: f64::from(to.min(days_left) - from.min(days_left)) / season_days,
            rate: rate_at(from),
        };
        let end = days_left.max(lead_days);
        let apart = repeat.review_days.max(lead_days).max(1);
        let reviews: Vec<i32> = (0..=repeat.reviews_max as i32)
            .map(|k| k.saturating_mul(apart))
            .take_while(|&day| day == 0 || day.saturating_add(lead_days) < end)
            .collect();
        let stages = reviews
            .iter()
            .enumerate()
            .map(|(k, &decided)| {
                let (arrives, next) =
                    (decided + lead_days, reviews.get(k + 1).copied().unwrap_or(end));
                let (before, after) = (interval(decided, arrives), interval(arrives, next));
                Stage { decided, arrives, before, after, seen_high: high_by(next) }
            })
            .collect();
        let waiting = (reserved - candidate.gone_qty).max(0) as f64 * keep;
        let stock = presale.covered_qty as f64 - waiting;
        let demand_high = high_by(end);
        Ok(Season {
            size,
            stock,
            stock_low: stock.min(0.0) - repeat.wait_share * demand_high,
            stock_high: stock.max(0.0).max(demand_high + waiting),
            stages,
            lot_first: terms.lot_at_least(0),
            lot_multiple: terms.0.multiple,
            lot_most: terms.lot_max(),
            money: Money {
                revenue: terms.revenue_minor(),
                cost: terms.cost_minor(),
                setup: terms.0.setup_cost_minor as f64,
                salvage: terms.salvage_minor(),
                holding: repeat.holding_minor_per_day,
                waiting: repeat.waiting_minor_per_day,
                wait_share: repeat.wait_share,
            },
        })
    }

    /// Units promised for a day before the run of the next review is ready.
    fn due_before_repeat(&self, candidate: &Candidate, today: Day) -> i64 {
        let until = self.stages.get(1).map(|stage| today + stage.arrives);
        let due: i64 = dates::uncovered_promises(&candidate.presale, candidate.gone_qty)
            .iter()
            .filter(|&&(due_on, _)| until.is_none_or(|until| due_on < until))
            .map(|&(_, qty)| qty)
            .sum();
        let kept = (due as f64 * (1.0 - candidate.terms.0.cancellation_rate)).ceil() as i64;
        kept.min(due)
    }
}

/// Tonight's decision: demand before the run arrives, and for each the demand after it.
struct Tonight<'a> {
    season: &'a Season,
    next: &'a Review,
    earned: f64,
    branches: Vec<Branch>,
}

struct Branch {
    probability: f64,
    seen: f64,
    /// Net stock before the run is added.
    stock: f64,
    /// (demand, probability, money of the rest over stock).
    then: Vec<(f64, f64, Vec<f64>)>,
}

impl<'a> Tonight<'a> {
    fn new(season: &'a Season, tables: &'a Tables) -> Tonight<'a> {
        let (stage, next) = (&season.stages[0], tables.after(0));
        let mut earned = 0.0;
        let branches = season
            .demand(0.0, stage.before, DEMANDS_TONIGHT)
            .into_iter()
            .map(|(seen, probability)| {
                let (stock, money) = season.money.interval(season.stock, seen, stage.before.days);
                earned += probability * money;
                let then = season
                    .demand(seen, stage.after, DEMANDS_TONIGHT)
                    .into_iter()
                    .map(|(demand, p)| (demand, p, next.row(seen + demand)))
                    .collect();
                Branch { probability, seen, stock, then }
            })
            .collect();
        Tonight { season, next, earned, branches }
    }

    /// Expected money of the rest of the season when `lot` is made tonight.
    fn value(&self, lot: f64) -> f64 {
        let days = self.season.stages[0].after.days;
        let mut value = self.earned - self.season.money.of_run(lot);
        for branch in &self.branches {
            for (demand, p, row) in &branch.then {
                let (left, money) = self.season.money.interval(branch.stock + lot, *demand, days);
                value += branch.probability * p * (money + self.next.stock.read(row, left));
            }
        }
        value
    }

    /// (lot, value) of 0 and of lots of at least `from`: at even distances, and every one (or
    /// nearly) around the best of those.
    fn lots(&self, from: i64) -> Vec<(i64, f64)> {
        let season = self.season;
        let multiple = season.lot_multiple;
        let first = ((from.max(season.lot_first) + multiple - 1) / multiple) * multiple;
        let reach = ((season.stock_high - season.stock).ceil() as i64).max(first);
        let most = season.lot_most.map_or(reach, |most| most.min(reach));
        let mut lots = vec![(0, self.value(0.0))];
        let add = |from: i64, to: i64, count: i64, lots: &mut Vec<(i64, f64)>| {
            let apart = ((to - from) / multiple / count + 1) * multiple;
            let mut lot = from;
            while lot <= to {
                lots.push((lot, self.value(lot as f64)));
                lot += apart;
            }
            apart
        };
        if first <= most {
            let apart = add(first, most, LOTS_TONIGHT as i64, &mut lots);
            let best = best_of(&lots).0;
            if apart > multiple && best > 0 {
                let (low, high) = ((best - apart + multiple).max(first), best + apart - multiple);
                add(low, high.min(most), LOTS_TONIGHT as i64, &mut lots);
            }
        }
        lots.sort_by_key(|&(lot, _)| lot);
        lots.dedup_by_key(|&mut (lot, _)| lot);
        lots
    }

    /// How likely each later review starts a run, and how large, when `lot` is made tonight.
    fn repeats(&self, lot: f64, tables: &Tables, today: Day) -> Vec<PlannedRepeat> {
        let season = self.season;
        let Some(first) = tables.reviews.first() else { return Vec::new() };
        let mut mass = vec![0.0; first.seen.len * first.stock.len];
        let days = season.stages[0].after.days;
        for branch in &self.branches {
            for &(demand, p, _) in &branch.then {
                let (left, _) = season.money.interval(branch.stock + lot, demand, days);
                spread(&mut mass, first, branch.seen + demand, left, branch.probability * p);
            }
        }
        let mut repeats = Vec::with_capacity(tables.reviews.len());
        for (k, review) in tables.reviews.iter().enumerate() {
            let stage = &season.stages[k + 1];
            let (next, probability, qty_mean) =
                follow(season, stage, review, tables.after(k + 1), &mass);
            mass = next;
            repeats.push(PlannedRepeat {
                review_on: today + stage.decided,
                ready_on: today + stage.arrives,
                probability,
                qty_mean,
            });
        }
        repeats
    }
}

/// Puts probability on the four points around (seen, stock), its means kept.
fn spread(mass: &mut [f64], to: &Review, seen: f64, stock: f64, probability: f64) {
    let ((n, up), (i, right)) = (to.seen.place(seen), to.stock.place(stock));
    for (n, share) in [(n, 1.0 - up), (n + 1, up)] {
        mass[n * to.stock.len + i] += probability * share * (1.0 - right);
        mass[n * to.stock.len + i + 1] += probability * share * right;
    }
}

/// From one review's probabilities to the next one's, with P(run) and E(lot) on the way.
fn follow(
    season: &Season,
    stage: &Stage,
    review: &Review,
    next: &Review,
    mass: &[f64],
) -> (Vec<f64>, f64, f64) {
    /// Too little to be worth following; what is followed is scaled to the whole in the end.
    const UNLIKELY: f64 = 1e-6;
    const POINTS: usize = 5;
    let mut to = vec![0.0; next.seen.len * next.stock.len];
    let (mut runs, mut qty) = (0.0, 0.0);
    let grid: &Grid = &review.seen;
    for n in 0..grid.len {
        let row = &mass[n * review.stock.len..(n + 1) * review.stock.len];
        if row.iter().all(|&here| here < UNLIKELY) {
            continue;
        }
        let pairs = pairs(season, stage, grid.at(n), POINTS);
        for (i, &here) in row.iter().enumerate().filter(|&(_, &here)| here >= UNLIKELY) {
            let lot = review.lot(n, i);
            runs += if lot > 0.0 { here } else { 0.0 };
            qty += here * lot;
            for &(before, after, p) in &pairs {
                let (left, _) = season.money.interval(review.stock.at(i), before, 0.0);
                let (left, _) = season.money.interval(left + lot, after, 0.0);
                spread(&mut to, next, grid.at(n) + before + after, left, here * p);
            }
        }
    }
    let total: f64 = to.iter().sum();
    if total > 0.0 {
        to.iter_mut().for_each(|value| *value /= total);
    }
    (to, runs, qty)
}

/// (demand before a run arrives, demand after it, probability) of a stage.
fn pairs(season: &Season, stage: &Stage, seen: f64, count: usize) -> Vec<(f64, f64, f64)> {
    let before = season.demand(seen, stage.before, count);
    let with_after = |&(before, p): &(f64, f64)| {
        let after = season.demand(seen + before, stage.after, count);
        after.into_iter().map(move |(after, q)| (before, after, p * q))
    };
    before.iter().flat_map(with_after).collect()
}
