//! The report: one page that needs nothing beside itself.

use minijinja::{AutoEscape, Environment};
use serde::Serialize;

use super::summary::{PolicySummary, Priced, Summary};
use crate::export::format::{grouped, percent};
use crate::jobs::backtest::LongTable;
use crate::jobs::backtest::report::svg::{Line, Plot};
use crate::jobs::backtest::report::{COLOURS, OWN_STYLE, STYLE};

const PAGE: &str = include_str!("report.html");
const WORST: usize = 15;

#[derive(Serialize)]
struct Bar {
    name: String,
    colour: String,
    value: String,
    /// Percent of the width.
    width: f64,
}

#[derive(Serialize)]
struct Row {
    name: String,
    cells: Vec<String>,
}

#[derive(Serialize)]
struct Figure {
    name: &'static str,
    value: String,
}

/// What the template prints. `style` and the drawings are printed as they are.
#[derive(Serialize)]
struct Page<'a> {
    style: String,
    summary: &'a Summary,
    board: Vec<Row>,
    costs: Vec<Bar>,
    legend: Vec<(String, String)>,
    curve: String,
    trade: String,
    business: Vec<Figure>,
    gain: Option<String>,
    first: String,
    rival: String,
    worst: Vec<Row>,
    lost: Vec<Row>,
}

struct Pages<'a> {
    summary: &'a Summary,
    table: &'a LongTable,
    priced: &'a Priced<'a>,
    /// Policies from the least cost to the greatest.
    order: Vec<usize>,
}

/// The page as HTML. Everything from the table is escaped.
pub fn page(summary: &Summary, table: &LongTable, priced: &Priced) -> anyhow::Result<String> {
    let place = |name: &String| summary.policies.iter().position(|policy| policy.name == *name);
    let order = summary.leader_board.iter().filter_map(place).collect();
    let pages = Pages { summary, table, priced, order };
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    environment.add_filter("grouped", |number: i64| grouped(number, 0));
    environment.add_template("report", PAGE)?;
    let rival = pages.rival();
    let values = Page {
        style: format!("{STYLE}{OWN_STYLE}"),
        summary,
        board: pages.board(),
        costs: pages.costs(),
        legend: pages.legend(),
        curve: pages.curve(),
        trade: pages.trade(),
        business: pages.business(),
        gain: pages.gain(),
        first: summary.policies[0].name.clone(),
        rival: rival.map_or(String::new(), |rival| summary.policies[rival].name.clone()),
        worst: pages.worst(),
        lost: rival.map_or(Vec::new(), |rival| pages.lost_to(rival)),
    };
    Ok(environment.get_template("report")?.render(minijinja::value::Serde(&values))?)
}

/// An amount in few signs.
pub fn amount(money: f64) -> String {
    let decimals = if money.abs() >= 1_000.0 { 0 } else { 2 };
    grouped((money * 10f64.powi(decimals)).round() as i64, decimals as u32)
}

fn share(value: Option<f64>) -> String {
    value.map_or("–".to_owned(), percent)
}

impl Pages<'_> {
    fn policy(&self, at: usize) -> &PolicySummary {
        &self.summary.policies[at]
    }

    /// A policy keeps its colour through the page.
    fn colour(&self, at: usize) -> String {
        let dashed = if at >= COLOURS { " dashed" } else { "" };
        format!("m{}{dashed}", at % COLOURS)
    }

    fn legend(&self) -> Vec<(String, String)> {
        let of = |&at: &usize| (self.colour(at), self.policy(at).name.clone());
        self.order.iter().map(of).collect()
    }

    /// The cheapest policy beside the first that knows no more than it does.
    fn rival(&self) -> Option<usize> {
        let fair = |at: &usize| *at > 0 && self.policy(*at).kind != "perfect_information";
        self.order.iter().copied().find(fair)
    }

    fn board(&self) -> Vec<Row> {
        let row = |&at: &usize| {
            let policy = self.policy(at);
            Row {
                name: policy.name.clone(),
                cells: vec![
                    amount(policy.total_cost),
                    amount(policy.holding_cost),
                    amount(policy.shortage_cost),
                    amount(policy.order_cost),
                    amount(policy.waste_cost),
                    share(policy.fill_rate),
                    share(policy.in_stock_rate),
                    grouped(policy.orders as i64, 0),
                    amount(policy.average_stock),
                    amount(policy.lost),
                    amount(policy.wasted),
                    amount(policy.closing_stock),
                ],
            }
        };
        self.order.iter().map(row).collect()
    }

    fn costs(&self) -> Vec<Bar> {
        let most = self.summary.policies.iter().map(|p| p.total_cost).fold(0.0, f64::max);
        let bar = |&at: &usize| {
            let cost = self.policy(at).total_cost;
            let width = if most > 0.0 { 100.0 * cost / most } else { 0.0 };
            Bar {
                name: self.policy(at).name.clone(),
                colour: self.colour(at),
                value: amount(cost),
                width: (width * 10.0).round() / 10.0,
            }
        };
        self.order.iter().map(bar).collect()
    }

    /// A plot over the scored periods.
    fn over_periods(&self, id: &str, title: &str, description: &str, lines: Vec<Line>) -> String {
        let rules = &self.priced.setting.rules;
        let first = self.priced.setting.first + rules.warm_up_periods as i64;
        let last = self.table.last;
        let every = ((last - first) / 5).max(1) as usize;
        let labels = (first..=last).step_by(every);
        Plot {
            id: id.to_owned(),
            title: title.to_owned(),
            description: description.to_owned(),
            from: first as f64,
            to: last as f64,
            labels: labels.map(|step| (step as f64, self.table.clock.text(step))).collect(),
            percent: false,
            floor: None,
            bands: Vec::new(),
            lines,
            dividers: Vec::new(),
        }
        .svg()
    }

    fn points(&self, curve: &[f64]) -> Vec<(f64, f64)> {
        let rules = &self.priced.setting.rules;
        let first = (self.priced.setting.first + rules.warm_up_periods as i64) as f64;
        curve.iter().enumerate().map(|(at, &money)| (first + at as f64, money)).collect()
    }

    /// The money curve: what each policy has cost so far.
    fn curve(&self) -> String {
        let line = |&at: &usize| Line {
            class: self.colour(at),
            points: self.points(&self.policy(at).curve),
            dots: self.policy(at).curve.len() <= 30,
        };
        // The cheapest is drawn last, above the others.
        let lines = self.order.iter().rev().map(line).collect();
        let description = "A line per policy: its costs added up over the scored periods.";
        self.over_periods("curve", "Cost so far", description, lines)
    }

    fn gain(&self) -> Option<String> {
        let business = self.summary.business.as_ref()?;
        let zero = vec![0.0; business.curve.len()];
        let lines = vec![
            Line { class: "ideal".into(), points: self.points(&zero), dots: false },
            Line { class: "m0".into(), points: self.points(&business.curve), dots: false },
        ];
        let description = "Saving so far less software and introduction; above zero it has paid.";
        Some(self.over_periods("gain", "Net gain so far", description, lines))
    }

    /// Stock against service, a dot per policy.
    fn trade(&self) -> String {
        let most = self.summary.policies.iter().map(|p| p.average_stock).fold(0.0, f64::max);
        let least = self.summary.policies.iter().filter_map(|p| p.fill_rate);
        let least = least.fold(1.0, f64::min);
        let dot = |&at: &usize| Line {
            class: self.colour(at),
            points: vec![(
                self.policy(at).average_stock,
                self.policy(at).fill_rate.unwrap_or(f64::NAN),
            )],
            dots: true,
        };
        let ticks = (0..=4).map(|tick| most * f64::from(tick) / 4.0);
        Plot {
            id: "trade".into(),
            title: "Fill rate by average stock".into(),
            description: "A dot per policy: left is less stock, up is more service.".into(),
            from: 0.0,
            to: most,
            labels: ticks.map(|at| (at, amount(at.round()))).collect(),
            percent: true,
            floor: Some(least),
            bands: Vec::new(),
            lines: self.order.iter().rev().map(dot).collect(),
            dividers: Vec::new(),
        }
        .svg()
    }

    fn business(&self) -> Vec<Figure> {
        let Some(business) = &self.summary.business else { return Vec::new() };
        let unit = self.summary.periods.unit;
        let periods = |value: Option<f64>| {
            value.map_or("never".to_owned(), |periods| format!("{periods:.1} {unit}s"))
        };
        let figure = |name, value| Figure { name, value };
        vec![
            figure("Saving", amount(business.saving)),
            figure("Of today's cost", share(business.saving_share)),
            figure("Software", amount(business.software_cost)),
            figure("Introduction", amount(business.introduction_cost)),
            figure("Net gain", amount(business.net_gain)),
            figure("Return on investment", share(business.return_on_investment)),
            figure("Pay-back", periods(business.pay_back_periods)),
        ]
    }

    /// The series that cost the first policy most.
    fn worst(&self) -> Vec<Row> {
        let costs = (0..self.table.len()).map(|one| (self.priced.series(0, one).1.total(), one));
        let total = self.policy(0).total_cost;
        let mut costs: Vec<(f64, usize)> = costs.filter(|(cost, _)| *cost > 0.0).collect();
        costs.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let row = |&(cost, one): &(f64, usize)| {
            let (units, costs) = self.priced.series(0, one);
            Row {
                name: self.table.ids[one].to_string(),
                cells: vec![
                    amount(cost),
                    percent(cost / total),
                    amount(costs.holding),
                    amount(costs.shortage),
                    share(units.fill_rate()),
                    amount(self.priced.base(units.demand)),
                ],
            }
        };
        costs.iter().take(WORST).map(row).collect()
    }

    /// The series on which the first policy loses most to its best rival.
    fn lost_to(&self, rival: usize) -> Vec<Row> {
        let cost = |policy: usize, one: usize| self.priced.series(policy, one).1.total();
        let losses = (0..self.table.len()).map(|one| (cost(0, one) - cost(rival, one), one));
        let mut losses: Vec<(f64, usize)> = losses.filter(|(loss, _)| *loss > 0.0).collect();
        losses.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let row = |&(loss, one): &(f64, usize)| Row {
            name: self.table.ids[one].to_string(),
            cells: vec![amount(loss), amount(cost(0, one)), amount(cost(rival, one))],
        };
        losses.iter().take(WORST).map(row).collect()
    }
}
