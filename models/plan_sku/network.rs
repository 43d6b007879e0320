//! Who supplies whom within one item.

use crate::calendar::Day;
use crate::finding::{Code, Finding};
use crate::plan_sku::input::{ItemSupply, LocationKind, Node, check};
use crate::plan_sku::stage::Stage;
use crate::policy::terms::{SupplyKind, SupplyTerms};

/// The item's locations, with their usual sources as edges.
#[derive(Clone, Debug, Default)]
pub(super) struct Network {
    pub nodes: Vec<Node>,
    /// Locations that a location usually supplies, in the item's order.
    pub children: Vec<Vec<usize>>,
    /// Warehouses that only hold stock for this location. Each has one owner.
    pub backups: Vec<Vec<usize>>,
    /// Every location after those it supplies.
    pub order: Vec<usize>,
    /// Days from a location to where its goods sell; 0 where they sell.
    pub transit_days: Vec<u32>,
    holds_only: Vec<bool>,
    /// Shops, which sell what they have and deliver to no other place as a matter of course.
    sells_only: Vec<bool>,
}

impl Network {
    pub(super) fn new(
        item: &ItemSupply,
        today: Day,
        findings: &mut Vec<(usize, Finding)>,
    ) -> Network {
        let places = item.locations.len();
        let mut network = Network {
            children: vec![Vec::new(); places],
            backups: vec![Vec::new(); places],
            transit_days: vec![0; places],
            holds_only: item
                .locations
                .iter()
                .map(|l| l.kind == LocationKind::Backup && l.demand.is_none())
                .collect(),
            sells_only: item
                .locations
                .iter()
                .map(|l| {
                    l.demand.is_some()
                        && matches!(l.kind, LocationKind::Store | LocationKind::Online)
                })
                .collect(),
            ..Network::default()
        };
        for at in 0..places {
            let (node, odd) = check(item, at, today);
            findings.extend(odd.into_iter().map(|finding| (at, finding)));
            network.nodes.push(node);
        }
        network.cut_cycles(item, findings);
        for at in 0..places {
            if let Some(source) = network.parent(at).filter(|_| !network.holds_only[at]) {
                network.children[source].push(at);
            }
        }
        network.own_backups();
        for at in 0..places {
            network.visit(at);
        }
        network
    }

    /// The source of the usual terms, where that is another location.
    pub(super) fn parent(&self, at: usize) -> Option<usize> {
        let usual = self.nodes[at].terms.first()?;
        usual.source.filter(|_| usual.kind == SupplyKind::Transfer)
    }

    fn cut_cycles(&mut self, item: &ItemSupply, findings: &mut Vec<(usize, Finding)>) {
        for at in 0..self.nodes.len() {
            // Dropping the usual terms puts the next ones in their place, so look again.
            while self.reaches_itself(at) {
                let source = self.parent(at).map_or("", |p| &item.locations[p].location_id);
                let detail = format!("the transfer from {source} closes a circle and is left out");
                findings.push((at, Finding::new(Code::SupplyCycle, detail)));
                self.nodes[at].terms.remove(0);
            }
        }
    }

    fn reaches_itself(&self, at: usize) -> bool {
        let mut here = at;
        for _ in 0..self.nodes.len() {
            match self.parent(here) {
                Some(source) if source == at => return true,
                Some(source) => here = source,
                None => return false,
            }
        }
        false
    }

    /// A backup belongs to the location it usually gets its stock from, else to the first that may
    /// draw on it.
    fn own_backups(&mut self) {
        for backup in (0..self.nodes.len()).filter(|&at| self.holds_only[at]) {
            let draws_on =
                |at: usize| self.nodes[at].terms.iter().any(|terms| terms.source == Some(backup));
            let parent = self.parent(backup).filter(|&at| draws_on(at));
            let first = || (0..self.nodes.len()).find(|&at| !self.holds_only[at] && draws_on(at));
            if let Some(owner) = parent.or_else(first) {
                self.backups[owner].push(backup);
            }
        }
    }

    /// Depth first, children before parents. Cycles have been cut.
    fn visit(&mut self, at: usize) {
        if self.order.contains(&at) {
            return;
        }
        for child in self.children[at].clone() {
            self.visit(child);
            let lead_time_days =
                self.nodes[child].terms.first().map_or(0, |terms| terms.lead_time.quantile(0.5));
            let through = lead_time_days + self.transit_days[child];
            self.transit_days[at] = self.transit_days[at].max(through);
        }
        self.order.push(at);
    }

    /// All locations behind `at`, without itself.
    pub(super) fn descendants(&self, at: usize) -> Vec<usize> {
        let mut found = self.children[at].clone();
        let mut next = 0;
        while next < found.len() {
            found.extend(self.children[found[next]].iter().copied());
            next += 1;
        }
        found
    }

    /// The place with everything it supplies; with its backups' stock or without.
    pub(super) fn stage(&self, at: usize, with_backups: bool) -> Stage {
        let mut stage = Stage::of(at, &self.nodes[at]);
        stage.later = self.transit_days[at];
        for (_, _, later) in &mut stage.incoming {
            *later = self.transit_days[at];
        }
        for behind in self.descendants(at) {
            stage.serve(behind, &self.nodes[behind]);
            stage.add(&self.nodes[behind], self.transit_days[behind]);
            if with_backups {
                for &backup in &self.backups[behind] {
                    stage.add(&self.nodes[backup], self.transit_days[behind]);
                }
            }
        }
        if with_backups {
            for &backup in &self.backups[at] {
                stage.add(&self.nodes[backup], self.transit_days[at]);
            }
        }
        stage
    }

    /// Whether these terms draw on a warehouse that only holds stock.
    pub(super) fn is_backup(&self, terms: &SupplyTerms) -> bool {
        terms.source.is_some_and(|source| self.holds_only[source])
    }

    /// Whether these terms, not the usual ones, are a lane between shops.
    pub(super) fn is_lateral(&self, terms: &SupplyTerms) -> bool {
        terms.kind == SupplyKind::Transfer
            && terms
                .source
                .is_some_and(|source| self.sells_only[source] && self.children[source].is_empty())
    }

    /// Stock that may leave today and can still be sold on arrival.
    pub(super) fn available(&self, at: usize, lead_time_days: u32) -> i64 {
        let opening = &self.nodes[at].opening;
        let too_old: i64 = opening
            .lots
            .iter()
            .filter(|lot| lot.last_day < lead_time_days as i32)
            .map(|lot| lot.qty)
            .sum();
        (opening.net - too_old).max(0)
    }
}
