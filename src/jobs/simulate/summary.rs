//! What a simulation found, for machines.

use std::path::PathBuf;

use granary_models::policy::projection::Shortage;
use granary_models::simulate::policy::{Policy, PolicyKind};
use granary_models::simulate::run::Simulation;
use granary_models::simulate::totals::{Costs, Units};
use serde::Serialize;

use super::options::{BusinessOptions, Options};
use super::setting::Setting;
use crate::jobs::backtest::{Books, LongTable};

/// The end of a simulation.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub summary: Summary,
    pub out: PathBuf,
}

/// `summary.json`.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    pub version: &'static str,
    pub input: Input,
    pub options: Options,
    pub periods: Periods,
    /// In the order of the options.
    pub policies: Vec<PolicySummary>,
    /// Names from the least cost to the greatest.
    pub leader_board: Vec<String>,
    pub business: Option<Business>,
    /// How often models were chosen and fitted anew.
    pub refits: usize,
}

#[derive(Clone, Debug, Serialize)]
pub struct Input {
    pub file: String,
    pub blake3: String,
    pub series: usize,
    /// Decimals of the smallest unit.
    pub qty_decimals: u32,
    #[serde(flatten)]
    pub books: Books,
    pub notes: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Periods {
    pub first: String,
    pub first_scored: String,
    pub last: String,
    pub unit: &'static str,
    /// Series-periods that are scored; those without a record of demand are not.
    pub scored: usize,
    pub unknown: usize,
}

/// Sums over the scored periods; quantities in base units, money as the options have it.
#[derive(Clone, Debug, Serialize)]
pub struct PolicySummary {
    pub name: String,
    pub kind: &'static str,
    pub total_cost: f64,
    pub holding_cost: f64,
    pub shortage_cost: f64,
    pub order_cost: f64,
    pub waste_cost: f64,
    pub fill_rate: Option<f64>,
    pub in_stock_rate: Option<f64>,
    pub orders: u64,
    pub ordered: f64,
    pub received: f64,
    pub demand: f64,
    pub sold: f64,
    pub lost: f64,
    pub wasted: f64,
    /// Units at the end of a period, all series together.
    pub average_stock: f64,
    pub average_stock_value: f64,
    /// After the last period; a policy that lives on its stock shows here.
    pub closing_stock: f64,
    pub on_order: f64,
    /// Running sum of the total cost over the scored periods.
    #[serde(skip)]
    pub curve: Vec<f64>,
}

/// What the first policy would have saved against what the business does now.
#[derive(Clone, Debug, Serialize)]
pub struct Business {
    pub policy: String,
    pub instead: String,
    pub periods: u64,
    pub saving: f64,
    pub saving_per_period: f64,
    pub saving_share: Option<f64>,
    pub software_cost: f64,
    pub introduction_cost: f64,
    /// The saving less both.
    pub net_gain: f64,
    /// The net gain over what is spent; none where nothing is.
    pub return_on_investment: Option<f64>,
    /// Periods until the saving, at its average, has paid for the introduction and the software.
    pub pay_back_periods: Option<f64>,
    /// The first scored period at whose end it had in fact paid, 1 being the first.
    pub paid_back_in_period: Option<usize>,
    /// Running sum of the saving less software and introduction.
    #[serde(skip)]
    pub curve: Vec<f64>,
}

/// Money to a millionth, so that sums of decimals look like what they are.
pub fn rounded(money: f64) -> f64 {
    (money * 1e6).round() / 1e6
}

pub fn kind(policy: &Policy) -> &'static str {
    match policy.kind {
        PolicyKind::Granary(_) => "granary",
        PolicyKind::MinMax(_) => "min_max",
        PolicyKind::BaseStock(_) => "base_stock",
        PolicyKind::SeasonalNaiveCover(_) => "seasonal_naive_cover",
        PolicyKind::PerfectInformation => "perfect_information",
        PolicyKind::Recorded => "recorded",
    }
}

/// A simulation with what it takes to price it.
pub struct Priced<'a> {
    pub setting: &'a Setting,
    pub simulation: &'a Simulation,
}

impl Priced<'_> {
    pub fn shortage(&self) -> Shortage {
        self.setting.rules.shortage
    }

    pub fn base(&self, units: i64) -> f64 {
        units as f64 / 10f64.powi(self.setting.decimals as i32)
    }

    pub fn series(&self, policy: usize, series: usize) -> (Units, Costs) {
        let units = self.simulation.units(policy, series);
        (units, units.costs(&self.setting.items[series].money, self.shortage()))
    }

    fn policy(&self, at: usize, policy: &Policy) -> PolicySummary {
        let (mut units, mut costs, mut value) = (Units::default(), Costs::default(), 0.0);
        let (mut closing, mut on_order) = (0, 0);
        for series in 0..self.simulation.series {
            let (of_units, of_costs) = self.series(at, series);
            units.merge(&of_units);
            costs.add(&of_costs);
            value += of_units.held as f64 * self.setting.items[series].money.unit;
            let (left, due) = self.simulation.left[at][series];
            closing += left;
            on_order += due;
        }
        let rules = &self.setting.rules;
        let periods = (rules.periods - rules.warm_up_periods) as f64;
        PolicySummary {
            name: policy.name.clone(),
            kind: kind(policy),
            total_cost: rounded(costs.total()),
            holding_cost: rounded(costs.holding),
            shortage_cost: rounded(costs.shortage),
            order_cost: rounded(costs.order),
            waste_cost: rounded(costs.waste),
            fill_rate: units.fill_rate(),
            in_stock_rate: units.in_stock_rate(),
            orders: units.orders,
            ordered: self.base(units.ordered),
            received: self.base(units.received),
            demand: self.base(units.demand),
            sold: self.base(units.sold),
            lost: self.base(units.lost),
            wasted: self.base(units.wasted),
            average_stock: rounded(self.base(units.held) / periods),
            average_stock_value: rounded(value / periods),
            closing_stock: self.base(closing),
            on_order: self.base(on_order),
            curve: self.curve(at),
        }
    }

    /// Running sum of a policy's cost over the scored periods.
    fn curve(&self, policy: usize) -> Vec<f64> {
        let (simulation, rules) = (self.simulation, &self.setting.rules);
        let mut sum = 0.0;
        let mut curve = Vec::with_capacity(rules.periods - rules.warm_up_periods);
        for period in rules.warm_up_periods..rules.periods {
            for series in 0..simulation.series {
                if simulation.scored(series)[period] {
                    let books = &simulation.book(policy, series)[period];
                    let money = &self.setting.items[series].money;
                    sum += Costs::of(books, money, self.shortage()).total();
                }
            }
            curve.push(rounded(sum));
        }
        curve
    }
}

impl Summary {
    pub fn new(
        input: Input,
        options: &Options,
        table: &LongTable,
        policies: &[Policy],
        priced: &Priced,
    ) -> Summary {
        let of: Vec<PolicySummary> =
            policies.iter().enumerate().map(|(at, policy)| priced.policy(at, policy)).collect();
        let mut order: Vec<usize> = (0..of.len()).collect();
        order.sort_by(|&a, &b| of[a].total_cost.total_cmp(&of[b].total_cost).then(a.cmp(&b)));
        let rules = &priced.setting.rules;
        let (first, warm_up) = (priced.setting.first, rules.warm_up_periods as i64);
        let possible = priced.simulation.series * (rules.periods - rules.warm_up_periods);
        let scored = priced.simulation.scored.iter().filter(|scored| **scored).count();
        Summary {
            version: env!("CARGO_PKG_VERSION"),
            periods: Periods {
                first: table.clock.text(first),
                first_scored: table.clock.text(first + warm_up),
                last: table.clock.text(table.last),
                unit: table.clock.freq.unit(),
                scored,
                unknown: possible - scored,
            },
            input,
            leader_board: order.into_iter().map(|at| of[at].name.clone()).collect(),
            business: options.business.as_ref().and_then(|business| judged(business, &of)),
            policies: of,
            options: options.clone(),
            refits: priced.simulation.refits,
        }
    }
}

/// The first policy against that of the business.
fn judged(options: &BusinessOptions, policies: &[PolicySummary]) -> Option<Business> {
    let now = policies.iter().find(|policy| policy.name == options.policy)?;
    let instead = policies.iter().find(|policy| policy.name != options.policy)?;
    let periods = now.curve.len();
    let software = options.software_cost_per_period;
    let net = |period: usize| {
        let saving = now.curve[period] - instead.curve[period];
        rounded(saving - software * (period + 1) as f64 - options.introduction_cost)
    };
    let curve: Vec<f64> = (0..periods).map(net).collect();
    let saving = now.total_cost - instead.total_cost;
    let software_cost = software * periods as f64;
    let spent = software_cost + options.introduction_cost;
    let each = saving / periods as f64 - software;
    Some(Business {
        policy: now.name.clone(),
        instead: instead.name.clone(),
        periods: periods as u64,
        saving: rounded(saving),
        saving_per_period: rounded(saving / periods as f64),
        saving_share: (now.total_cost > 0.0).then(|| saving / now.total_cost),
        software_cost: rounded(software_cost),
        introduction_cost: options.introduction_cost,
        net_gain: rounded(saving - spent),
        return_on_investment: (spent > 0.0).then(|| rounded((saving - spent) / spent)),
        pay_back_periods: (each > 0.0).then(|| rounded(options.introduction_cost / each)),
        paid_back_in_period: curve.iter().position(|net| *net >= 0.0).map(|at| at + 1),
        curve,
    })
}
