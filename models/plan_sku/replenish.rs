//! The item's locations in turn: wishes from the shops up, then stock from the top down.

use crate::calendar::Day;
use crate::finding::{Code, Finding};
use crate::plan_sku::decide::{Ask, Decision, decide};
use crate::plan_sku::input::{ItemSupply, PlanConfig, Planned};
use crate::plan_sku::network::Network;
use crate::plan_sku::publish;
use crate::plan_sku::stage::{Scratch, Shape, Stage};
use crate::plan_sku::{ItemPlan, LocationPlan};

/// A decision that still has to see whether its source has as much.
pub(super) struct Wish {
    pub at: usize,
    /// Of the location's usable terms.
    pub terms: usize,
    /// Who delivers next, if not the same.
    pub next: Option<usize>,
    pub already: i64,
    pub with_backups: bool,
    pub decision: Decision,
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
    pub wishes: Vec<Wish>,
    /// What leaves each location tonight.
    pub outgoing: Vec<i64>,
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
        let locations = vec![LocationPlan::default(); places];
        let plan = ItemPlan { locations, ..ItemPlan::default() };
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
            self.move_between_shops();
            for at in 0..self.item.locations.len() {
                self.relieve(at);
            }
            for at in 0..self.item.locations.len() {
                self.publish(at);
                self.question_orders(at);
            }
        } else {
            self.question_orders_without_demand();
        }
        for at in 0..self.item.locations.len() {
            self.propose_exit(at);
        }
        (self.plan, self.findings)
    }

    pub(super) fn find(&mut self, at: usize, code: Code, detail: String) {
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
        let picked = self.pick_source(at, &stage);
        let stage = self.ask_sooner(at, stage, &picked);
        let (terms, next) = (picked.terms, picked.next);
        let decision = self.decide(at, &stage, terms, next, 0, None);
        let mut decision = self.within_room(at, &stage, terms, next, decision);
        if let Some((gain, text)) = picked.why {
            decision.say_source(gain, text);
        }
        let (cut, given) = (decision.cut, decision.qty);
        self.findings.extend(decision.findings.iter().map(|f| (at, f.clone())));
        self.wishes.push(Wish { at, terms, next, already: 0, with_backups: true, decision });
        if cut > 0 {
            self.add_standby(at, &stage, terms, given);
        }
    }

    pub(super) fn decide(
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

    fn write_lines(&mut self) {
        for wish in std::mem::take(&mut self.wishes) {
            let Wish { at, terms, with_backups, decision, .. } = wish;
            if with_backups && self.plan.locations[at].reason.is_empty() {
                self.plan.locations[at].reason = decision.final_reason(self.item);
            }
            if decision.qty == 0 && !decision.is_candidate() {
                continue;
            }
            let stage = self.network.stage(at, with_backups);
            let terms = &self.network.nodes[at].terms[terms];
            let line = decision.line(self.item, at, &stage, terms, self.today);
            if decision.qty == 0 {
                self.plan.candidates.push(line);
                continue;
            }
            self.plan.lines.push(line);
            self.network.nodes[at].planned.push(Planned {
                qty: decision.qty,
                median: decision.median_arrival,
                days: decision.arrive,
            });
        }
    }

    pub(super) fn publish(&mut self, at: usize) {
        let behind = self.network.descendants(at);
        publish::load(self.scratch, self.item, self.shape, at, &behind, self.outgoing[at]);
        let node = &self.network.nodes[at];
        Stage::of(at, node).load_receipts(self.scratch, self.item, self.shape);
        let location = &mut self.plan.locations[at];
        let sells = self.item.locations[at].demand.is_some();
        (location.projection, location.kpi) =
            publish::publish(self.scratch, self.item, node, sells, self.today);
    }
}
