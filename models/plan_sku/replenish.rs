//! The item's locations in turn: wishes from the shops up, then stock from the top down.

use crate::calendar::Day;
use crate::finding::{Code, Finding};
use crate::plan::choice::Choice;
use crate::plan_sku::allot::{Claim, allot};
use crate::plan_sku::decide::{Ask, Decision, decide, lot_of};
use crate::plan_sku::input::{ItemSupply, PlanConfig, Planned};
use crate::plan_sku::network::Network;
use crate::plan_sku::publish;
use crate::plan_sku::stage::{Scratch, Shape, Stage};
use crate::plan_sku::{ItemPlan, Line, LocationPlan};
use crate::policy::order::Target;
use crate::policy::projection::rank;
use crate::policy::reason::{Reason, codes};
use crate::policy::rounding::{Lot, round_down};
use crate::policy::terms::{SupplyKind, SupplyTerms};

/// A decision that still has to see whether its source has as much.
struct Wish {
    at: usize,
    /// Of the location's usable terms.
    terms: usize,
    /// Who delivers next, if not the same.
    next: Option<usize>,
    already: i64,
    with_backups: bool,
    decision: Decision,
}

pub(super) struct Replenish<'a> {
    pub scratch: &'a mut Scratch,
    pub item: &'a ItemSupply<'a>,
    pub today: Day,
    pub config: &'a PlanConfig,
    pub network: Network,
    pub shape: Shape,
    pub findings: Vec<(usize, Finding)>,
    pub plan: ItemPlan,
    wishes: Vec<Wish>,
    /// What leaves each location tonight.
    outgoing: Vec<i64>,
}

impl<'a> Replenish<'a> {
    pub(super) fn new(
        scratch: &'a mut Scratch,
        item: &'a ItemSupply<'a>,
        today: Day,
        config: &'a PlanConfig,
    ) -> Replenish<'a> {
        let mut findings = Vec::new();
        let shape = Shape::of(item, &mut findings);
        let network = Network::new(item, today, &mut findings);
        let places = item.locations.len();
        let plan = ItemPlan { lines: Vec::new(), locations: vec![LocationPlan::default(); places] };
        Replenish {
            scratch,
            item,
            today,
            config,
            network,
            shape,
            findings,
            plan,
            wishes: Vec::new(),
            outgoing: vec![0; places],
        }
    }

    pub(super) fn run(mut self) -> (ItemPlan, Vec<(usize, Finding)>) {
        if self.shape.paths > 0 {
            for at in self.network.order.clone() {
                self.wish(at);
            }
            for source in 0..self.item.locations.len() {
                self.share(source);
            }
            self.write_lines();
            for at in 0..self.item.locations.len() {
                self.relieve(at);
            }
            for at in 0..self.item.locations.len() {
                self.publish(at);
            }
        }
        (self.plan, self.findings)
    }

    fn find(&mut self, at: usize, code: Code, detail: String) {
        self.findings.push((at, Finding::new(code, detail)));
    }

    /// What the location would order if every source had enough.
    fn wish(&mut self, at: usize) {
        let stage = self.network.stage(at, true);
        let serves = |&at: &usize| {
            self.item.locations[at].demand.as_ref().is_some_and(|d| self.shape.fits(d))
        };
        if !stage.serves.iter().any(serves) {
            return;
        }
        if self.network.nodes[at].terms.is_empty() {
            let detail = "the item is asked for, but nothing supplies it".to_owned();
            return self.find(at, Code::NoSupplyTerms, detail);
        }
        self.draw_on_backups(at);
        let (terms, next) = self.pick_source(at);
        let decision = self.decide(at, &stage, terms, next, 0, None);
        let (cut, given) = (decision.cut, decision.qty);
        self.findings.extend(decision.findings.iter().map(|f| (at, f.clone())));
        self.wishes.push(Wish { at, terms, next, already: 0, with_backups: true, decision });
        if cut > 0 {
            self.add_standby(at, &stage, terms, given);
        }
    }

    fn decide(
        &mut self,
        at: usize,
        stage: &Stage,
        terms: usize,
        next: Option<usize>,
        already: i64,
        limit: Option<(i64, &'static str, String)>,
    ) -> Decision {
        let node = &self.network.nodes[at];
        let next = next.map(|next| &node.terms[next]);
        let ask = Ask { terms: &node.terms[terms], next, already, limit };
        decide(self.scratch, self.item, stage, self.shape, &ask, self.today, self.config)
    }

    /// The usual source; while that is closed, a standby that is open and delivers sooner.
    fn pick_source(&mut self, at: usize) -> (usize, Option<usize>) {
        let today = self.today;
        let node = &self.network.nodes[at];
        let arrival = |terms: &SupplyTerms| {
            terms.arrival(terms.next_open(today), terms.lead_time.quantile(0.5))
        };
        let usual = &node.terms[0];
        if usual.next_open(today) == today {
            return (0, None);
        }
        let standby = (1..node.terms.len()).find(|&other| {
            let terms = &node.terms[other];
            !self.network.is_backup(terms)
                && terms.next_open(today) == today
                && arrival(terms) < arrival(usual)
        });
        let Some(standby) = standby else { return (0, None) };
        let detail = format!("{} is closed; {} is asked", name(usual), name(&node.terms[standby]));
        self.find(at, Code::BackupSource, detail);
        (standby, Some(0))
    }

    /// What did not fit the capacity of one source, from the one behind it.
    fn add_standby(&mut self, at: usize, stage: &Stage, used: usize, given: i64) {
        let node = &self.network.nodes[at];
        let today = self.today;
        let standby = (0..node.terms.len()).find(|&other| {
            let terms = &node.terms[other];
            other > used && !self.network.is_backup(terms) && terms.next_open(today) == today
        });
        let Some(terms) = standby else { return };
        let decision = self.decide(at, stage, terms, None, given, None);
        if decision.qty > 0 {
            let node = &self.network.nodes[at];
            let (full, other) = (name(&node.terms[used]), name(&node.terms[terms]));
            let detail = format!("{full} is at capacity; {other} is asked for the rest");
            self.find(at, Code::BackupSource, detail);
            self.wishes.push(Wish {
                at,
                terms,
                next: None,
                already: given,
                with_backups: true,
                decision,
            });
        }
    }

    /// Asks each backup warehouse for what will be short before the usual source can deliver.
    fn draw_on_backups(&mut self, at: usize) {
        let node = &self.network.nodes[at];
        let draws: Vec<usize> =
            (1..node.terms.len()).filter(|&i| self.network.is_backup(&node.terms[i])).collect();
        let mut already = 0;
        for terms in draws {
            let stage = self.network.stage(at, false);
            let decision = self.decide(at, &stage, terms, Some(0), already, None);
            already += decision.qty;
            if decision.qty > 0 {
                let before = already - decision.qty;
                self.wishes.push(Wish {
                    at,
                    terms,
                    next: Some(0),
                    already: before,
                    with_backups: false,
                    decision,
                });
            }
        }
    }

    /// Shares what `source` has among those that ask for it, and decides again for whom it cuts.
    fn share(&mut self, source: usize) {
        let asking: Vec<usize> = (0..self.wishes.len())
            .filter(|&i| {
                let wish = &self.wishes[i];
                wish.decision.qty > 0 && self.terms_of(wish).source == Some(source)
            })
            .collect();
        if asking.is_empty() {
            return;
        }
        let slowest = asking
            .iter()
            .map(|&i| self.terms_of(&self.wishes[i]).lead_time.quantile(0.5))
            .max()
            .unwrap_or(0);
        let available = self.network.available(source, slowest);
        let own_need = self.own_need(source);
        let own = own_need.as_ref().map(|(qty, need)| Claim {
            qty: *qty,
            lot: Lot { moq: 0, multiple: 1, capacity: None },
            need,
            worth: self.wishes[asking[0]].decision.money.margin_and_penalty,
        });
        let keeps = usize::from(own.is_some());
        let claims: Vec<Claim> = own
            .into_iter()
            .chain(asking.iter().map(|&i| {
                let decision = &self.wishes[i].decision;
                Claim {
                    qty: decision.qty,
                    lot: decision.lot,
                    need: &decision.need,
                    worth: decision.money.margin_and_penalty,
                }
            }))
            .collect();
        let wanted: i64 = claims.iter().map(|claim| claim.qty).sum();
        let given = allot(available, &claims);
        if wanted > available {
            let show = |qty: i64| self.item.unit.show(qty);
            let sent: i64 = given[keeps..].iter().sum();
            let detail = format!(
                "{} asked for by {} locations, {} there to send; {} sent",
                show(wanted),
                claims.len(),
                show(available),
                show(sent)
            );
            self.find(source, Code::DcShort, detail);
        }
        for (&wish, &qty) in asking.iter().zip(&given[keeps..]) {
            if qty < self.wishes[wish].decision.qty {
                self.cut(wish, source, qty);
            }
            self.outgoing[source] += qty;
        }
    }

    fn terms_of(&self, wish: &Wish) -> &SupplyTerms {
        &self.network.nodes[wish.at].terms[wish.terms]
    }

    fn cut(&mut self, wish: usize, source: usize, qty: i64) {
        let Wish { at, terms, next, already, with_backups, .. } = self.wishes[wish];
        let stage = self.network.stage(at, with_backups);
        let text = format!(
            "{} has {} to share: this location gets {}.",
            self.item.locations[source].location_id,
            self.item.unit.show(self.network.available(source, 0)),
            self.item.unit.show(qty)
        );
        let limit = Some((qty, codes::DC_SHORT, text));
        self.wishes[wish].decision = self.decide(at, &stage, terms, next, already, limit);
    }

    /// What a source that sells itself keeps back until its own order arrives.
    fn own_need(&self, source: usize) -> Option<(i64, Vec<f64>)> {
        let demand = self.item.locations[source].demand.as_ref()?;
        let wish = self.wishes.iter().find(|wish| wish.at == source && wish.with_backups)?;
        let days = (wish.decision.median_arrival as usize).min(self.shape.days);
        if !self.shape.fits(demand) {
            return None;
        }
        let need: Vec<f64> = (0..self.shape.paths)
            .map(|path| demand.path(path)[..days].iter().map(|&d| f64::from(d.max(0.0))).sum())
            .collect();
        let level = match self.item.target.unwrap_or(self.config.target) {
            Target::Cycle(level) | Target::Fill(level) => level,
            Target::Economics => 0.5,
        };
        let mut sorted = need.clone();
        let at = rank(level, sorted.len());
        let qty = sorted.select_nth_unstable_by(at, f64::total_cmp).1.ceil() as i64;
        Some((qty, need))
    }

    fn write_lines(&mut self) {
        for wish in std::mem::take(&mut self.wishes) {
            let Wish { at, terms, with_backups, decision, .. } = wish;
            if with_backups && self.plan.locations[at].reason.is_empty() {
                self.plan.locations[at].reason = decision.final_reason(self.item);
            }
            if decision.qty == 0 {
                continue;
            }
            let stage = self.network.stage(at, with_backups);
            let terms = &self.network.nodes[at].terms[terms];
            let line = decision.line(self.item, at, &stage, terms, self.today);
            self.plan.lines.push(line);
            self.network.nodes[at].planned.push(Planned {
                qty: decision.qty,
                median: decision.median_arrival,
                days: decision.arrive,
            });
        }
    }

    fn publish(&mut self, at: usize) {
        let behind = self.network.descendants(at);
        publish::load(self.scratch, self.item, self.shape, at, &behind, self.outgoing[at]);
        let node = &self.network.nodes[at];
        Stage::of(at, node).load_receipts(self.scratch);
        let location = &mut self.plan.locations[at];
        let sells = self.item.locations[at].demand.is_some();
        (location.projection, location.kpi) =
            publish::publish(self.scratch, self.item, node, sells, self.today);
    }

    /// Moves what a location will not have room for into a backup warehouse that takes from it.
    fn relieve(&mut self, at: usize) {
        let Some(capacity) = self.item.locations[at].capacity_qty else { return };
        self.publish(at);
        let highest = &self.plan.locations[at].projection.p50;
        let Some((day, &peak)) = highest.iter().enumerate().rev().max_by_key(|(_, p50)| **p50)
        else {
            return;
        };
        if peak <= capacity {
            return;
        }
        let show = |qty: i64| self.item.unit.show(qty);
        let first = highest.iter().position(|&p50| p50 > capacity).unwrap_or(day);
        let detail = format!(
            "{} projected for {}, room for {}",
            show(peak),
            self.today + day as i32,
            show(capacity)
        );
        self.find(at, Code::OverCapacity, detail);
        let takes = |backup: &usize| {
            let node = &self.network.nodes[*backup];
            node.terms.iter().position(|terms| terms.source == Some(at)).map(|t| (*backup, t))
        };
        let Some((backup, terms)) = self.network.backups[at].iter().find_map(takes) else {
            return;
        };
        let terms = self.network.nodes[backup].terms[terms].clone();
        let lead_time_days = terms.lead_time.quantile(0.5);
        let excess = peak - capacity;
        let there = (self.network.available(at, lead_time_days) - self.outgoing[at]).max(0);
        let qty = round_down(excess.min(there), lot_of(&terms));
        if qty > 0 {
            let line =
                self.overflow_line(at, backup, &terms, excess, qty, self.today + first as i32);
            self.plan.lines.push(line);
            self.outgoing[at] += qty;
            self.network.nodes[backup].planned.push(Planned {
                qty,
                median: lead_time_days,
                days: None,
            });
        }
    }

    fn overflow_line(
        &self,
        at: usize,
        backup: usize,
        terms: &SupplyTerms,
        excess: i64,
        qty: i64,
        need_on: Day,
    ) -> Line {
        let show = |qty: i64| self.item.unit.show(qty);
        let mut reason = Reason::default();
        let text = format!("{} more than there is room for are projected.", show(excess));
        reason.term(codes::OVER_CAPACITY, excess, text);
        reason.change(codes::MULTIPLE, qty - excess, || {
            format!("{} are there to move, in multiples of {}.", show(qty), show(terms.multiple))
        });
        reason.sum(codes::FINAL, |qty| format!("Move {}.", show(qty)));
        let order_on = terms.next_open(self.today);
        let kpi = &self.plan.locations[at].kpi;
        Line {
            kind: SupplyKind::Transfer,
            location: backup,
            supplier_id: String::new(),
            source: Some(at),
            qty,
            multiple: terms.multiple,
            pack_uom: terms.pack_uom.clone(),
            unit_cost_minor: terms.unit_cost_minor,
            currency: terms.currency.clone(),
            order_on,
            expected_on: terms.arrival(order_on, terms.lead_time.quantile(0.5)),
            need_on,
            expected_value_minor: 0,
            fill_without: 1.0,
            fill_with: 1.0,
            daily_demand: kpi.expected_demand / self.shape.days.max(1) as f64,
            position: self.network.nodes[backup].opening.net,
            protection_days: 0,
            largest_demand_seen: None,
            history_days: None,
            reason: reason.steps(),
            choice: Choice::default(),
        }
    }
}

fn name(terms: &SupplyTerms) -> String {
    match terms.source {
        Some(_) => "the usual location".to_owned(),
        None => format!("supplier {}", terms.supplier_id),
    }
}
