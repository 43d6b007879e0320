//! Whom to ask: the usual source, one of several that are as usual, or a standby.
//!
//! Priority ranks first. Among suppliers of the first priority the one is asked whose order is worth
//! most: sales saved until it arrives and after, less holding, less what its goods cost over those
//! of the cheapest, less what an order costs by itself. One that delivers sooner is asked as well
//! for what will be short until then, where that pays for its price.

use crate::finding::Code;
use crate::plan_sku::decide::{Decision, unit_money};
use crate::plan_sku::input::Arrival;
use crate::plan_sku::replenish::{Replenish, Wish};
use crate::plan_sku::stage::Stage;
use crate::policy::order::{UnitMoney, mean};
use crate::policy::terms::{SupplyKind, SupplyTerms};

/// Who delivers, and why.
pub(super) struct Picked {
    pub terms: usize,
    /// Who delivers the order after this one, where that is another source.
    pub next: Option<usize>,
    /// What it brings over the second best, minor units, and that in words.
    pub why: Option<(i64, String)>,
}

/// What an order of one source is worth beside those of the others.
struct Offer {
    terms: usize,
    worth: f64,
    arrival: u32,
    /// Days until the order after it arrives.
    until: f64,
    per_day: f64,
}

impl Replenish<'_> {
    pub(super) fn pick_source(&mut self, at: usize, stage: &Stage) -> Picked {
        let equals = self.equals(at);
        if let [open] = equals[..] {
            // With others of its kind closed, or alone.
            return Picked { terms: open, next: None, why: None };
        }
        if equals.is_empty() {
            let (terms, next) = self.usual_or_standby(at);
            return Picked { terms, next, why: None };
        }
        let mut offers = self.offers(at, stage, &equals);
        offers.sort_by(|a, b| b.worth.total_cmp(&a.worth).then(a.terms.cmp(&b.terms)));
        let why = self.compared(at, &offers);
        Picked { terms: offers[0].terms, next: None, why: Some(why) }
    }

    /// Open suppliers with the first priority, the usual one first.
    fn equals(&self, at: usize) -> Vec<usize> {
        let terms = &self.network.nodes[at].terms;
        let usual = &terms[0];
        let equal = |other: &SupplyTerms| {
            other.kind == SupplyKind::Purchase && other.priority == usual.priority
        };
        // Of one supplier's terms the first count, and while it is closed none.
        let first = |&i: &usize| {
            terms[..i]
                .iter()
                .all(|other| !equal(other) || other.supplier_id != terms[i].supplier_id)
        };
        let equals = (0..terms.len()).filter(|&i| equal(usual) && equal(&terms[i])).filter(first);
        let open = |&i: &usize| terms[i].next_open(self.today) == self.today;
        equals.filter(open).collect()
    }

    /// The cheapest of them to buy from: the others are measured by its prices.
    fn cheapest<'t>(&'t self, at: usize, equals: &[usize]) -> &'t SupplyTerms {
        let terms = &self.network.nodes[at].terms;
        let landed = |i: &&usize| terms[**i].unit_cost_minor + terms[**i].landed_cost_minor;
        &terms[equals.iter().min_by_key(landed).copied().unwrap_or(0)]
    }

    fn offers(&mut self, at: usize, stage: &Stage, equals: &[usize]) -> Vec<Offer> {
        let money = self.common_money(at, stage, equals);
        let mut offers: Vec<Offer> = Vec::new();
        for &terms in equals {
            let decision = self.decide(at, stage, terms, None, 0, None);
            let needs = &self.scratch.needs;
            let needed = needs.need.iter().map(|need| need.max(0.0)).sum::<f64>();
            let needed = needed / needs.need.len().max(1) as f64;
            let unserved = mean(&needs.lost_before) + needed;
            let (arrive, until) = self.scratch.window.means();
            let mut worth = self.worth(at, terms, equals, money, decision.qty);
            let others: Vec<usize> = equals.iter().copied().filter(|&i| i != terms).collect();
            if decision.cut > 0 && !others.is_empty() {
                worth += self.worth_of_rest(at, &others, equals, money, &decision);
            }
            offers.push(Offer {
                terms,
                worth: worth - unserved * money.margin_and_penalty,
                arrival: decision.median_arrival,
                until,
                per_day: self.over_per_day(
                    at,
                    terms,
                    equals,
                    decision.daily_demand,
                    until - arrive,
                ),
            });
        }
        // Whoever covers fewer days is asked again for the rest of them, at the same price.
        let last = offers.iter().map(|offer| offer.until).fold(0.0, f64::max);
        for offer in &mut offers {
            offer.worth -= offer.per_day * (last - offer.until);
            let sooner = self.sooner(at, stage, offer.terms, equals, money);
            offer.worth += sooner.map_or(0.0, |(worth, ..)| worth);
        }
        offers
    }

    /// What a day of demand costs from this source over what it would from the cheapest.
    fn over_per_day(
        &self,
        at: usize,
        terms: usize,
        equals: &[usize],
        daily_demand: f64,
        days: f64,
    ) -> f64 {
        let landed = |terms: &SupplyTerms| terms.unit_cost_minor + terms.landed_cost_minor;
        let own = &self.network.nodes[at].terms[terms];
        let over = landed(own) - landed(self.cheapest(at, equals));
        let over = self.item.unit.minor_per_smallest(over) * daily_demand;
        over + own.fixed_cost_minor as f64 / days.max(1.0)
    }

    fn common_money(&self, at: usize, stage: &Stage, equals: &[usize]) -> UnitMoney {
        unit_money(self.item, self.cheapest(at, equals), &stage.opening, self.config)
    }

    /// What `qty` of the source brings, of the needs that were just found for it.
    fn worth(&self, at: usize, terms: usize, equals: &[usize], money: UnitMoney, qty: i64) -> f64 {
        if qty == 0 {
            return 0.0;
        }
        let unit = &self.item.unit;
        let own = &self.network.nodes[at].terms[terms];
        let cheapest = self.cheapest(at, equals);
        let least = cheapest.unit_cost_minor + cheapest.landed_cost_minor;
        let over = own.cost_minor(unit, qty) - unit.minor_per_smallest(least) * qty as f64;
        // Only what comes is paid for.
        self.scratch.needs.value_of(qty as f64, money)
            - over * own.delivered.mean()
            - own.fixed_cost_minor as f64
    }

    /// What the cheapest of the others would add by what this one cannot hold.
    fn worth_of_rest(
        &self,
        at: usize,
        others: &[usize],
        equals: &[usize],
        money: UnitMoney,
        decision: &Decision,
    ) -> f64 {
        let unit = &self.item.unit;
        let landed = |terms: &SupplyTerms| terms.unit_cost_minor + terms.landed_cost_minor;
        let (other, least) = (self.cheapest(at, others), self.cheapest(at, equals));
        let over = unit.minor_per_smallest(landed(other) - landed(least)) * decision.cut as f64;
        let needs = &self.scratch.needs;
        let value = |qty: i64| needs.value_of(qty as f64, money);
        let more = value(decision.qty + decision.cut) - value(decision.qty);
        (more - over - other.fixed_cost_minor as f64).max(0.0)
    }

    fn compared(&self, at: usize, offers: &[Offer]) -> (i64, String) {
        let terms = |offer: &Offer| &self.network.nodes[at].terms[offer.terms];
        let costs = |offer: &Offer| {
            let terms = terms(offer);
            let landed = terms.unit_cost_minor + terms.landed_cost_minor;
            let name = &terms.supplier_id;
            format!("{name} at {landed} a unit with freight, in {} days", offer.arrival)
        };
        let (first, second) = (&offers[0], &offers[1]);
        let gain = (first.worth - second.worth).round() as i64;
        let (a, b) = (costs(first), costs(second));
        (gain, format!("{a}, is worth {gain} minor units more than {b}."))
    }

    /// Of the suppliers that deliver sooner than `usual` the one that brings most until it does, what
    /// that is, and its order.
    fn sooner(
        &mut self,
        at: usize,
        stage: &Stage,
        usual: usize,
        equals: &[usize],
        money: UnitMoney,
    ) -> Option<(f64, usize, Decision)> {
        let arrives = self.arrives(at, usual);
        let mut best: Option<(f64, usize, Decision)> = None;
        for &terms in equals.iter().filter(|&&terms| terms != usual) {
            if self.arrives(at, terms) >= arrives {
                continue;
            }
            let decision = self.decide(at, stage, terms, Some(usual), 0, None);
            let worth = self.worth(at, terms, equals, money, decision.qty);
            if decision.qty > 0 && worth > best.as_ref().map_or(0.0, |b| b.0) {
                best = Some((worth, terms, decision));
            }
        }
        best
    }

    /// Median days until an order of tonight is there.
    fn arrives(&self, at: usize, terms: usize) -> i32 {
        let receiving = &self.item.locations[at].closed;
        let terms = &self.network.nodes[at].terms[terms];
        let days = terms.lead_time.quantile(0.5);
        terms.arrival_at(receiving, terms.order_on(self.today), days) - self.today
    }

    /// Asks one of equal suppliers that delivers sooner for what will be short until the one picked
    /// does, where that is worth its price. The stage comes back with it on its way.
    pub(super) fn ask_sooner(&mut self, at: usize, mut stage: Stage, picked: &Picked) -> Stage {
        if picked.why.is_none() {
            return stage;
        }
        let equals = self.equals(at);
        let money = self.common_money(at, &stage, &equals);
        let sooner = self.sooner(at, &stage, picked.terms, &equals, money);
        let Some((worth, terms, mut decision)) = sooner else { return stage };
        let name = |terms: usize| &self.network.nodes[at].terms[terms].supplier_id;
        let text = format!(
            "{} delivers before {} can: that is worth {worth:.0} minor units over its price.",
            name(terms),
            name(picked.terms)
        );
        decision.say_source(worth.round() as i64, text);
        let own = &self.network.nodes[at].terms[terms];
        let arrival = if own.lead_time.is_fixed() {
            Arrival::On(decision.median_arrival)
        } else {
            let waits = (own.order_on(self.today) - self.today) as u32;
            Arrival::After(own.lead_time.moved(|days| days + waits))
        };
        stage.incoming.push((decision.qty, arrival, stage.later));
        stage.delivered.push(own.delivered);
        self.findings.extend(decision.findings.iter().map(|f| (at, f.clone())));
        let next = Some(picked.terms);
        self.wishes.push(Wish { at, terms, next, already: 0, with_backups: true, decision });
        stage
    }

    /// The usual source; while that is closed, a standby that is open and delivers sooner.
    fn usual_or_standby(&mut self, at: usize) -> (usize, Option<usize>) {
        let today = self.today;
        let node = &self.network.nodes[at];
        let arrival = |terms: &SupplyTerms| {
            terms.arrival(terms.order_on(today), terms.lead_time.quantile(0.5))
        };
        let usual = &node.terms[0];
        if usual.next_open(today) == today {
            return (0, None);
        }
        let standby = (1..node.terms.len()).find(|&other| {
            let terms = &node.terms[other];
            !self.network.is_backup(terms)
                && !self.network.is_lateral(terms)
                && terms.next_open(today) == today
                && arrival(terms) < arrival(usual)
        });
        let Some(standby) = standby else { return (0, None) };
        let detail = format!("{} is closed; {} is asked", name(usual), name(&node.terms[standby]));
        self.find(at, Code::BackupSource, detail);
        (standby, Some(0))
    }

    /// What did not fit the capacity of one source, from the best of those as usual, or from the
    /// one behind it.
    pub(super) fn add_standby(&mut self, at: usize, stage: &Stage, used: usize, given: i64) {
        let today = self.today;
        let asked: Vec<usize> =
            self.wishes.iter().filter(|wish| wish.at == at).map(|wish| wish.terms).collect();
        let mut equals = self.equals(at);
        equals.retain(|terms| !asked.contains(terms));
        let node = &self.network.nodes[at];
        let behind = (0..node.terms.len()).find(|&other| {
            let terms = &node.terms[other];
            other > used
                && !asked.contains(&other)
                && !self.network.is_backup(terms)
                && !self.network.is_lateral(terms)
                && terms.next_open(today) == today
        });
        let equal = self.offers(at, stage, &equals).into_iter();
        let equal = equal.max_by(|a, b| a.worth.total_cmp(&b.worth)).map(|offer| offer.terms);
        let Some(terms) = equal.or(behind) else { return };
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
}

fn name(terms: &SupplyTerms) -> String {
    match terms.source {
        Some(_) => "the usual location".to_owned(),
        None => format!("supplier {}", terms.supplier_id),
    }
}
