//! From lines and limits to the problem that is solved, one for each currency.

use std::collections::{BTreeMap, BTreeSet};

use crate::finding::Code;
use crate::plan::limits::{Budget, Measure, PlanLimits, SupplierRule};
use crate::plan::line::ReorderLine;
use crate::plan::settle::orders::Order;
use crate::plan::settle::{LimitKind, Notes, counts, is_bought};
use crate::plan::share::{Goods, Limit, Member, Problem};

/// What a limit of the problem is to people.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub kind: LimitKind,
    pub supplier_id: Option<String>,
    pub category: Option<String>,
    /// Of an order's limits.
    pub location_id: Option<String>,
    pub measure: Measure,
    /// Not at most but at least so much.
    pub at_least: bool,
    pub amount: f64,
    /// Taken by lines that cannot change.
    pub fixed: f64,
}

/// All lines in one currency that may change, and what limits them.
pub(super) struct Component {
    pub currency: String,
    /// Line of each of the problem's goods.
    pub rows: Vec<usize>,
    pub problem: Problem,
    pub named: Vec<Named>,
    pub orders: Vec<Order>,
}

/// What `qty` of the line's smallest units count for; `None` where the item's size is unknown.
pub(super) fn size(line: &ReorderLine, measure: Measure) -> Option<f64> {
    let facts = &line.facts;
    let per_base = facts.per_base.max(1) as f64;
    match measure {
        Measure::Money => None,
        Measure::Units => Some(1.0 / per_base),
        Measure::Packs => Some(1.0 / facts.multiple.max(1) as f64),
        Measure::WeightG => facts.weight_g.map(|grams| grams as f64 / per_base),
        Measure::VolumeMl => facts.volume_ml.map(|ml| ml as f64 / per_base),
    }
}

/// What the line takes as it stands.
pub(super) fn takes(line: &ReorderLine, measure: Measure) -> f64 {
    match measure {
        Measure::Money => line.value_minor as f64,
        _ => size(line, measure).unwrap_or(0.0) * line.qty as f64,
    }
}

pub(super) fn in_budget(budget: &Budget, line: &ReorderLine) -> bool {
    in_scope(budget, line) && line.currency == budget.currency
}

fn in_scope(budget: &Budget, line: &ReorderLine) -> bool {
    is_bought(line)
        && budget.supplier_id.as_ref().is_none_or(|id| *id == line.supplier_id)
        && budget.category.as_ref().is_none_or(|id| *id == line.facts.category)
}

pub(super) fn from_supplier(rule: &SupplierRule, line: &ReorderLine) -> bool {
    is_bought(line) && rule.supplier_id == line.supplier_id
}

/// The line's options as the problem takes them. Money is what the line would be published with.
fn goods(line: &ReorderLine) -> Goods {
    let choice = &line.choice;
    let own = choice.qty.iter().position(|&qty| qty == line.qty).unwrap_or(0);
    let mut money: Vec<f64> = choice.cost_minor.iter().map(|cost| cost.round()).collect();
    money[own] = money[own].max(line.value_minor as f64);
    let qty = choice.qty.iter().map(|&qty| qty as f64).collect();
    Goods::new(qty, money, choice.value_minor.clone(), own, Vec::new())
}

pub(super) fn components(
    lines: &[ReorderLine],
    free: &[bool],
    limits: &PlanLimits,
    notes: &mut Notes,
) -> Vec<Component> {
    let mut currencies: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for at in (0..lines.len()).filter(|&at| free[at]) {
        currencies.entry(&lines[at].currency).or_default().push(at);
    }
    warn_of_currencies(lines, limits, notes);
    warn_of_sizes(lines, limits, notes);
    let build = |(currency, rows): (&str, Vec<usize>)| {
        let mut book = Book::new(lines, free, rows, currency);
        limits.budgets.iter().for_each(|budget| book.budget(budget));
        for rule in &limits.suppliers {
            book.capacity(rule);
            book.orders(rule);
        }
        book.component()
    };
    currencies.into_iter().map(build).collect()
}

struct Book<'a> {
    lines: &'a [ReorderLine],
    free: &'a [bool],
    rows: Vec<usize>,
    currency: &'a str,
    goods: Vec<Goods>,
    limits: Vec<Limit>,
    named: Vec<Named>,
    orders: Vec<Order>,
}

impl<'a> Book<'a> {
    fn new(
        lines: &'a [ReorderLine],
        free: &'a [bool],
        rows: Vec<usize>,
        currency: &'a str,
    ) -> Book<'a> {
        let goods = rows.iter().map(|&at| goods(&lines[at])).collect();
        let (limits, named, orders) = (Vec::new(), Vec::new(), Vec::new());
        Book { lines, free, rows, currency, goods, limits, named, orders }
    }

    fn component(self) -> Component {
        Component {
            currency: self.currency.to_owned(),
            rows: self.rows,
            problem: Problem::new(self.goods, self.limits),
            named: self.named,
            orders: self.orders,
        }
    }

    /// What lines that cannot change take of a limit.
    fn fixed(&self, measure: Measure, concerns: impl Fn(&ReorderLine) -> bool) -> f64 {
        (0..self.lines.len())
            .filter(|&at| !self.free[at] && counts(&self.lines[at]))
            .map(|at| &self.lines[at])
            .filter(|line| line.currency == self.currency && concerns(line))
            .map(|line| takes(line, measure))
            .sum()
    }

    /// A limit on the lines at these places among the problem's goods.
    fn limit(&mut self, goods: &[usize], named: Named) -> usize {
        let limit = self.limits.len();
        let sign = if named.at_least { -1.0 } else { 1.0 };
        for &at in goods {
            let (per_money, per_qty) = match named.measure {
                Measure::Money => (sign, 0.0),
                measure => match size(&self.lines[self.rows[at]], measure) {
                    Some(size) => (0.0, sign * size),
                    None => continue,
                },
            };
            self.goods[at].members.push(Member { limit, per_money, per_qty });
        }
        let most = sign * (named.amount - named.fixed);
        self.limits.push(Limit { most: if sign > 0.0 { most.max(0.0) } else { most } });
        self.named.push(named);
        limit
    }

    fn matching(&self, concerns: impl Fn(&ReorderLine) -> bool) -> Vec<usize> {
        let concerned = |&at: &usize| concerns(&self.lines[self.rows[at]]);
        (0..self.rows.len()).filter(concerned).collect()
    }

    fn budget(&mut self, budget: &Budget) {
        if budget.currency != self.currency {
            return;
        }
        let concerns = |line: &ReorderLine| in_budget(budget, line);
        let named = Named {
            kind: LimitKind::Budget,
            supplier_id: budget.supplier_id.clone(),
            category: budget.category.clone(),
            location_id: None,
            measure: Measure::Money,
            at_least: false,
            amount: budget.amount_minor as f64,
            fixed: self.fixed(Measure::Money, concerns),
        };
        let goods = self.matching(concerns);
        self.limit(&goods, named);
    }

    fn capacity(&mut self, rule: &SupplierRule) {
        let concerns = |line: &ReorderLine| from_supplier(rule, line);
        for measure in Measure::SIZES {
            let Some(most) = rule.capacity.of(measure) else { continue };
            let named = Named {
                kind: LimitKind::SupplierCapacity,
                supplier_id: Some(rule.supplier_id.clone()),
                category: None,
                location_id: None,
                measure,
                at_least: false,
                amount: most as f64 * self.part_of(rule, measure),
                fixed: self.fixed(measure, concerns),
            };
            let goods = self.matching(concerns);
            self.limit(&goods, named);
        }
    }

    /// A supplier's capacity is shared among currencies by what lines in each want, because what
    /// they are worth cannot be compared.
    fn part_of(&self, rule: &SupplierRule, measure: Measure) -> f64 {
        let (mut all, mut here) = (0.0, 0.0);
        for line in self.lines.iter().filter(|line| from_supplier(rule, line) && counts(line)) {
            let wanted = takes(line, measure);
            all += wanted;
            here += if line.currency == self.currency { wanted } else { 0.0 };
        }
        if all > 0.0 { here / all } else { 1.0 }
    }

    /// The supplier's orders: one for each destination.
    fn orders(&mut self, rule: &SupplierRule) {
        if rule.min_order_units == 0 && rule.min_order_value_minor == 0 && rule.container.is_none()
        {
            return;
        }
        let mut destinations: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for at in self.matching(|line| from_supplier(rule, line)) {
            let line = &self.lines[self.rows[at]];
            destinations.entry(line.location_id.clone()).or_default().push(at);
        }
        for (location_id, goods) in destinations {
            self.order(rule, location_id, goods);
        }
    }

    fn order(&mut self, rule: &SupplierRule, location_id: String, goods: Vec<usize>) {
        let same_money = rule.currency == self.currency;
        let lines = self.lines;
        let concerns =
            |line: &ReorderLine| from_supplier(rule, line) && line.location_id == location_id;
        let mut order = Order::new(rule, &location_id);
        order.fixed_lines = (0..lines.len())
            .filter(|&at| !self.free[at] && counts(&lines[at]) && lines[at].qty > 0)
            .filter(|&at| lines[at].currency == self.currency && concerns(&lines[at]))
            .count();
        let named = |kind, measure, at_least, amount, fixed| Named {
            kind,
            supplier_id: Some(rule.supplier_id.clone()),
            category: None,
            location_id: Some(location_id.clone()),
            measure,
            at_least,
            amount,
            fixed,
        };
        let minimums = [
            (Measure::Units, rule.min_order_units),
            (Measure::Money, if same_money { rule.min_order_value_minor } else { 0 }),
        ];
        for (measure, least) in minimums.into_iter().filter(|&(_, least)| least > 0) {
            let fixed = self.fixed(measure, concerns);
            let named = named(LimitKind::SupplierMinimum, measure, true, least as f64, fixed);
            order.minimums.push(self.limit(&goods, named));
        }
        if let Some(container) = &rule.container {
            order.container_cost = if same_money { container.fixed_cost_minor as f64 } else { 0.0 };
            order.min_fill_share = container.min_fill_share;
            for measure in Measure::SIZES {
                let Some(holds) = container.holds.of(measure) else { continue };
                let fixed = self.fixed(measure, concerns);
                let kind = LimitKind::Container;
                let full = self.limit(&goods, named(kind, measure, false, holds as f64, fixed));
                let least = self.limit(&goods, named(kind, measure, true, holds as f64, fixed));
                order.holds.push((full, least, holds as f64));
            }
        }
        order.goods = goods;
        self.orders.push(order);
    }
}

/// A limit in one currency is silent about lines in another: say so, unless they have their own.
fn warn_of_currencies(lines: &[ReorderLine], limits: &PlanLimits, notes: &mut Notes) {
    let mut said = BTreeSet::new();
    for budget in &limits.budgets {
        for line in lines.iter().filter(|line| in_scope(budget, line) && !in_budget(budget, line)) {
            let has_own = limits.budgets.iter().any(|other| {
                other.currency == line.currency
                    && other.supplier_id == budget.supplier_id
                    && other.category == budget.category
            });
            let scope = (&budget.supplier_id, &budget.category, &line.currency);
            if !has_own && said.insert(scope) {
                let detail = format!(
                    "a budget in {} does not limit lines in {}, which have none",
                    budget.currency, line.currency
                );
                notes.night(Code::LimitCurrency, detail);
            }
        }
    }
    for rule in &limits.suppliers {
        let currencies: BTreeSet<&str> = lines
            .iter()
            .filter(|line| from_supplier(rule, line))
            .map(|line| line.currency.as_str())
            .collect();
        let name = &rule.supplier_id;
        let money = rule.min_order_value_minor > 0
            || rule.container.as_ref().is_some_and(|container| container.fixed_cost_minor > 0);
        for currency in currencies.iter().filter(|&&currency| money && currency != rule.currency) {
            let detail = format!(
                "what supplier {name} asks is in {}; its lines in {currency} are not held to it",
                rule.currency
            );
            notes.night(Code::LimitCurrency, detail);
        }
        if currencies.len() > 1 && rule.capacity != Default::default() {
            let list: Vec<&str> = currencies.into_iter().collect();
            let detail = format!(
                "the capacity of supplier {name} is shared between {} by what lines want",
                list.join(" and ")
            );
            notes.night(Code::LimitCurrency, detail);
        }
    }
}

fn warn_of_sizes(lines: &[ReorderLine], limits: &PlanLimits, notes: &mut Notes) {
    for rule in &limits.suppliers {
        let holds = rule.container.as_ref().map(|container| &container.holds);
        for measure in [Measure::WeightG, Measure::VolumeMl] {
            let limited = rule.capacity.of(measure).is_some()
                || holds.is_some_and(|holds| holds.of(measure).is_some());
            let unknown = lines
                .iter()
                .filter(|line| from_supplier(rule, line) && line.qty > 0)
                .filter(|line| size(line, measure).is_none())
                .count();
            if limited && unknown > 0 {
                let detail = format!(
                    "{unknown} lines from supplier {} have no {}",
                    rule.supplier_id,
                    measure.as_str()
                );
                notes.night(Code::LimitSizeUnknown, detail);
            }
        }
    }
}
