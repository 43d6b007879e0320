//! Units moved from a shop that can spare them to one that will run short before its usual supply
//! helps.
//!
//! With sales lost, `q` units more on the shelf from day `a` on save `min(q, short)` of what a path
//! is short after `a`; `q` units fewer from today on cost `(q − m)⁺`, where `m` is the path's least
//! stock until the shop can be supplied again. Both follow from one projection each, so that a move
//! of `q` is worth the first less the second, in money, less freight and handling; concave in `q`,
//! but for what a move costs once.

use crate::plan::choice::Choice;
use crate::plan_sku::Line;
use crate::plan_sku::decide::{largest_over, lot_of, unit_money};
use crate::plan_sku::evidence::evidence_of;
use crate::plan_sku::input::Planned;
use crate::plan_sku::replenish::Replenish;
use crate::plan_sku::stage::{Scratch, Stage, set_window};
use crate::policy::order::{mean, needs};
use crate::policy::projection::project;
use crate::policy::reason::{Reason, ReasonStep, codes};
use crate::policy::rounding::{Lot, round_down};
use crate::policy::terms::{SupplyKind, SupplyTerms};

/// What a move has to earn, in minor units: less is noise.
const LEAST_GAIN_MINOR: f64 = 1.0;

/// A way between two shops that is not the usual one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Lane {
    from: usize,
    to: usize,
    /// Of the receiver's usable terms.
    terms: usize,
}

/// What a lane would carry tonight, and what that is worth in minor units.
#[derive(Clone, Copy)]
struct Weighed {
    qty: i64,
    /// As many as one by one earn their freight, before the lane's lot.
    wished: i64,
    worth_here: f64,
    worth_there: f64,
    /// Freight and handling.
    costs: f64,
    /// Arrival, in days from today.
    median: u32,
}

struct Move {
    weighed: Weighed,
    line: Line,
    arrive: Option<Vec<f64>>,
}

impl Weighed {
    fn gain(&self) -> f64 {
        self.worth_here - self.worth_there - self.costs
    }
}

/// What the units of a move are worth, minor units.
struct Worth<'a> {
    /// Per path: short at the receiver, and what the giver can spare.
    short: &'a [f64],
    spare: &'a [f64],
    /// Per unit.
    here: f64,
    there: f64,
    freight: f64,
    /// Per move.
    handling: f64,
}

impl Worth<'_> {
    fn here(&self, qty: f64) -> f64 {
        let saved: f64 = self.short.iter().map(|&short| qty.min(short.max(0.0))).sum();
        self.here * saved / self.short.len().max(1) as f64
    }

    fn there(&self, qty: f64) -> f64 {
        let lost: f64 = self.spare.iter().map(|&spare| (qty - spare.max(0.0)).max(0.0)).sum();
        self.there * lost / self.spare.len().max(1) as f64
    }

    fn costs(&self, qty: f64) -> f64 {
        self.freight * qty + self.handling
    }

    fn gain(&self, qty: i64) -> f64 {
        let qty = qty as f64;
        self.here(qty) - self.there(qty) - self.costs(qty)
    }

    /// The best quantity of the lot within `limit`, or 0 where none is allowed: the gain is concave,
    /// so the last block that adds to it is found by halving.
    fn best(&self, limit: i64, lot: Lot) -> i64 {
        let step = lot.multiple.max(1);
        let least = lot.moq.max(1).saturating_add(step - 1) / step * step;
        let most = round_down(limit, lot);
        if most < least {
            return 0;
        }
        let (mut good, mut bad) = (0, (most - least) / step + 1);
        while bad - good > 1 {
            let middle = good + (bad - good) / 2;
            let qty = least + middle * step;
            if self.gain(qty) > self.gain(qty - step) { good = middle } else { bad = middle }
        }
        least + good * step
    }
}

impl Replenish<'_> {
    /// Takes the best move of all lanes, then the best of what is left to move, until none earns
    /// more than it costs. A shop that gave takes nothing, and the other way round.
    pub(super) fn move_between_shops(&mut self) {
        let lanes = self.lanes();
        if lanes.is_empty() {
            return;
        }
        let mut moves: Vec<Option<Move>> = lanes.iter().map(|&lane| self.weigh(lane)).collect();
        let places = self.item.locations.len();
        let (mut gave, mut took) = (vec![false; places], vec![false; places]);
        loop {
            let mut best: Option<(usize, f64)> = None;
            for (at, weighed) in moves.iter().enumerate() {
                let gain = weighed.as_ref().map_or(0.0, |m| m.weighed.gain());
                if weighed.is_some() && best.is_none_or(|(_, most)| gain > most) {
                    best = Some((at, gain));
                }
            }
            let Some((chosen, _)) = best else { return };
            let Some(taken) = moves[chosen].take() else { return };
            let lane = lanes[chosen];
            self.outgoing[lane.from] += taken.weighed.qty;
            self.network.nodes[lane.to].planned.push(Planned {
                qty: taken.weighed.qty,
                median: taken.weighed.median,
                days: taken.arrive,
            });
            self.plan.lines.push(taken.line);
            (gave[lane.from], took[lane.to]) = (true, true);
            let done = |other: Lane| self.plan.lines.iter().any(|line| other.carries(line));
            let closed: Vec<bool> = lanes
                .iter()
                .map(|&other| gave[other.to] || took[other.from] || done(other))
                .collect();
            for (at, &other) in lanes.iter().enumerate() {
                if closed[at] {
                    moves[at] = None;
                } else if other.from == lane.from || other.to == lane.to {
                    moves[at] = self.weigh(other);
                }
            }
        }
    }

    /// Lanes that can leave today, between shops that supply nobody as a matter of course.
    fn lanes(&self) -> Vec<Lane> {
        let mut lanes = Vec::new();
        for (to, node) in self.network.nodes.iter().enumerate() {
            let place = &self.item.locations[to];
            let sells = place.demand.as_ref().is_some_and(|d| self.shape.fits(d));
            if !sells || !self.network.children[to].is_empty() {
                continue;
            }
            for (terms, lane) in node.terms.iter().enumerate().skip(1) {
                if let Some(from) = lane.source.filter(|_| self.network.is_lateral(lane))
                    && self.item.locations[from].demand.as_ref().is_some_and(|d| self.shape.fits(d))
                    && lane.next_open(self.today) == self.today
                    && !self.plan.lines.iter().any(|l| Lane { from, to, terms }.carries(l))
                {
                    lanes.push(Lane { from, to, terms });
                }
            }
        }
        lanes
    }

    /// What the lane would carry if it were the only one; `None` where nothing is worth the way.
    fn weigh(&mut self, lane: Lane) -> Option<Move> {
        let terms = self.network.nodes[lane.to].terms[lane.terms].clone();
        let lot = lot_of(&terms);
        let limit = self.can_spare(lane.from, &terms);
        if round_down(limit, lot) == 0 {
            return None;
        }
        let spare = self.spare(lane.from);
        let stage = self.expect_shortage(lane.to, &terms);
        let per_unit = |at: usize, replenish: &Self| {
            let usual = replenish.network.nodes[at].terms.first().unwrap_or(&terms);
            let opening = &replenish.network.nodes[at].opening;
            unit_money(replenish.item, usual, opening, replenish.config).margin_and_penalty
        };
        let lane_minor = terms.unit_cost_minor.saturating_add(terms.landed_cost_minor);
        let worth = Worth {
            short: &self.scratch.needs.need,
            spare: &spare,
            here: per_unit(lane.to, self),
            there: per_unit(lane.from, self),
            freight: self.item.unit.minor_per_smallest(lane_minor),
            handling: terms.fixed_cost_minor as f64,
        };
        let qty = worth.best(limit, lot);
        if qty == 0 || worth.gain(qty) < LEAST_GAIN_MINOR {
            return None;
        }
        let wished = worth.best(limit, Lot { moq: 0, multiple: 1, capacity: None });
        let (here, there) = (worth.here(qty as f64), worth.there(qty as f64));
        let costs = worth.costs(qty as f64);
        let median = terms.arrival(self.today, terms.lead_time.quantile(0.5)) - self.today;
        let arrive = (!terms.lead_time.is_fixed()).then(|| self.scratch.window.arrive.clone());
        let weighed = Weighed {
            qty,
            wished,
            worth_here: here,
            worth_there: there,
            costs,
            median: median.max(0) as u32,
        };
        let line = self.lateral_line(lane, &terms, &stage, weighed);
        Some(Move { weighed, line, arrive })
    }

    /// What may leave a shop tonight: neither what is promised, nor what has to stand there.
    fn can_spare(&self, from: usize, terms: &SupplyTerms) -> i64 {
        let there = self.network.available(from, terms.lead_time.quantile(0.5));
        let kept = self.network.nodes[from].standing.wanted();
        (there - self.outgoing[from] - kept).max(0)
    }

    /// Per path, the least stock of a shop until it can be supplied again, over what has to stand
    /// there.
    fn spare(&mut self, from: usize) -> Vec<f64> {
        let mut stage = Stage::of(from, &self.network.nodes[from]);
        stage.opening.net -= self.outgoing[from];
        self.load_with_lines(from, &stage);
        self.window_until_next(from);
        let Scratch { demand, receipts, projection, window, .. } = &mut *self.scratch;
        project(demand, receipts, &stage.opening, self.item.shortage, projection);
        let kept = stage.standing.wanted() as f64;
        let mut least = vec![f64::INFINITY; demand.paths];
        for day in 0..demand.days {
            let rows = projection.closing.row(day).iter().zip(&window.until);
            for (least, (&closing, &until)) in least.iter_mut().zip(rows) {
                if (day as f64) < until || day == 0 {
                    *least = least.min(closing);
                }
            }
        }
        least.iter_mut().for_each(|least| *least -= kept);
        least
    }

    /// Loads into `needs` what the shop is short between the lane's arrival and the day from which
    /// an order that is not yet placed could help.
    fn expect_shortage(&mut self, to: usize, terms: &SupplyTerms) -> Stage {
        let stage = Stage::of(to, &self.network.nodes[to]);
        self.load_with_lines(to, &stage);
        self.window_until_next(to);
        let until = std::mem::take(&mut self.scratch.window.until);
        let Scratch { demand, receipts, needs: lack, window, .. } = &mut *self.scratch;
        let place = (self.item.locations[stage.at()].closed.as_slice(), 0);
        set_window(window, demand.paths, terms, None, self.today, place);
        window.until = until;
        needs(demand, receipts, &stage.opening, window, self.item.shortage, lack);
        stage
    }

    fn load_with_lines(&mut self, at: usize, stage: &Stage) {
        stage.load(self.scratch, self.item, self.shape);
        let receipts = &mut self.scratch.receipts;
        for line in &self.network.nodes[at].planned {
            match &line.days {
                Some(days) => receipts.add_on_days(days, line.qty as f64),
                None => receipts.add_on(line.median as usize, line.qty as f64),
            }
        }
    }

    /// Per path, the day on which the order after tonight's arrives; the end of the forecast where
    /// none will be placed.
    fn window_until_next(&mut self, at: usize) {
        let (paths, days) = (self.shape.paths, self.shape.days as f64);
        let window = &mut self.scratch.window;
        match self.network.nodes[at].terms.first().filter(|_| !self.item.status.is_ending()) {
            Some(usual) => {
                let place = (self.item.locations[at].closed.as_slice(), 0);
                set_window(window, paths, usual, None, self.today, place);
                window.until.iter_mut().for_each(|until| *until = until.min(days));
            }
            None => {
                window.until.clear();
                window.until.resize(paths, days);
            }
        }
    }

    fn lateral_line(
        &self,
        lane: Lane,
        terms: &SupplyTerms,
        stage: &Stage,
        weighed: Weighed,
    ) -> Line {
        let lack = &self.scratch.needs;
        let (_, until) = self.scratch.window.means();
        let history = self.item.locations[lane.to].history;
        let protection_days = until.ceil() as u32;
        let node = &self.network.nodes[lane.to];
        let planned: i64 = node.planned.iter().map(|line| line.qty).sum();
        Line {
            kind: SupplyKind::Transfer,
            location: lane.to,
            supplier_id: String::new(),
            source: Some(lane.from),
            qty: weighed.qty,
            multiple: terms.multiple,
            pack_uom: terms.pack_uom.clone(),
            unit_cost_minor: terms.unit_cost_minor,
            currency: terms.currency.clone(),
            order_on: self.today,
            expected_on: self.today + weighed.median as i32,
            need_on: self.today + self.half_short_day(weighed.median) as i32,
            expected_value_minor: weighed.gain().round() as i64,
            fill_without: lack.fill_with(0.0),
            fill_with: lack.fill_with(weighed.qty as f64),
            daily_demand: mean(&lack.demand_until) / until.max(1.0),
            position: stage.opening.net.saturating_add(stage.on_order()).saturating_add(planned),
            protection_days,
            largest_demand_seen: history.map(|h| largest_over(h.sold, protection_days)),
            history_days: history.map(|h| h.len() as u32),
            evidence: evidence_of(self.item, &[lane.to], terms, protection_days, weighed.median),
            reason: self.lateral_reason(lane, weighed, until),
            choice: Choice::default(),
        }
    }

    fn lateral_reason(&self, lane: Lane, weighed: Weighed, until: f64) -> Vec<ReasonStep> {
        let show = |qty: i64| self.item.unit.show(qty);
        let giver = &self.item.locations[lane.from].location_id;
        let mut reason = Reason::default();
        let text = format!(
            "The next order of the usual source arrives in {until:.1} days, this in {}.",
            weighed.median
        );
        reason.fact(codes::PROTECTION_INTERVAL, until.round() as i64, text);
        for (step, value, what) in [
            (codes::WORTH_HERE, weighed.worth_here, "Sales saved here"),
            (codes::WORTH_THERE, weighed.worth_there, "Sales at risk where it comes from"),
            (codes::FREIGHT, weighed.costs, "Freight and handling"),
        ] {
            let minor = value.round() as i64;
            reason.fact(step, minor, format!("{what}: {minor} minor units."));
        }
        let text = format!(
            "{} units are each worth more here than at {giver} by more than the way costs.",
            show(weighed.wished)
        );
        reason.term(codes::LATERAL, weighed.wished, text);
        reason.change(codes::MULTIPLE, weighed.qty - weighed.wished, || {
            format!("The lane's lot makes it {}.", show(weighed.qty))
        });
        reason.sum(codes::FINAL, |qty| format!("Move {} from {giver}.", show(qty)));
        reason.steps()
    }

    /// The first day by which half of the paths that will run short have done so.
    fn half_short_day(&self, arrival: u32) -> u32 {
        let running = &self.scratch.needs.running;
        let ever = self.scratch.needs.need.iter().filter(|&&need| need > 0.0).count();
        let short = |need: &&f32| **need > 0.0 && need.is_finite();
        let half = |day: &usize| 2 * running.row(*day).iter().filter(short).count() >= ever.max(1);
        (0..running.days).find(half).map_or(arrival, |day| day as u32)
    }
}

impl Lane {
    fn carries(self, line: &Line) -> bool {
        line.location == self.to && line.source == Some(self.from)
    }
}
