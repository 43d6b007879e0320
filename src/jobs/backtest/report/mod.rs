//! The report: one page that needs nothing beside itself.

mod effects;
pub(in crate::jobs) mod svg;

use granary_models::backtest::analyst::{COVERED, Metrics};
use granary_models::forecast::demand_class::DemandClass;
use minijinja::{AutoEscape, Environment};
use serde::Serialize;

use super::checkpoint::WindowFacts;
use super::outcome::Scores;
use super::scores::{Group, ScoreBook, Worst};
use super::table::LongTable;
use super::windows::Plan;
use crate::export::format::{grouped, percent};
use effects::Pictures;
use svg::{Band, Line, Plot};

const PAGE: &str = include_str!("report.html");
pub(in crate::jobs) const OWN_STYLE: &str = include_str!("report.css");
/// The look of the pages that the server makes.
pub(in crate::jobs) const STYLE: &str = include_str!("../../../web/static/granary.css");
/// Colours of lines; later models share them, dashed.
pub(in crate::jobs) const COLOURS: usize = 8;
/// Steps of history before the first drawn cutoff.
const TAIL_STEPS: (usize, usize) = (28, 60);
const WINDOWS_DRAWN: usize = 3;

/// A length on a scale from nothing to the longest.
#[derive(Serialize)]
struct Bar {
    name: &'static str,
    colour: String,
    value: String,
    /// Percent of the width.
    width: f64,
    negative: bool,
}

#[derive(Serialize)]
struct Row {
    name: String,
    cells: Vec<String>,
    /// The best of the cells.
    best: Option<usize>,
}

#[derive(Serialize)]
struct Picture {
    id: String,
    share: String,
    wape: String,
    svg: String,
}

/// What the template prints. `style` and the drawings are printed as they are.
#[derive(Serialize)]
struct Page<'a> {
    style: String,
    scores: &'a Scores,
    unit: &'static str,
    first: &'static str,
    board: Vec<Row>,
    names: Vec<&'static str>,
    legend: Vec<(String, &'static str)>,
    wape: Vec<Bar>,
    fva: Vec<Bar>,
    horizon: String,
    coverage: String,
    classes: Vec<Row>,
    cutoffs: Vec<Row>,
    levels: Vec<Row>,
    pictures: Vec<Picture>,
    effects: Pictures,
}

struct Pages<'a> {
    table: &'a LongTable,
    plan: &'a Plan,
    book: &'a ScoreBook,
    /// Models as the leader board has them.
    order: Vec<usize>,
}

/// The page as HTML. Everything from the table is escaped.
pub fn page(
    scores: &Scores,
    table: &LongTable,
    plan: &Plan,
    facts: &[WindowFacts],
    book: &ScoreBook,
) -> anyhow::Result<String> {
    let order = book.leader_board();
    let pages = Pages { table, plan, book, order };
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    environment.add_filter("grouped", |number: i64| grouped(number, 0));
    environment.add_template("report", PAGE)?;
    let values = Page {
        style: format!("{STYLE}{OWN_STYLE}"),
        scores,
        unit: table.clock.freq.unit(),
        first: plan.wanted[0].as_str(),
        board: pages.board(),
        names: pages.names(),
        legend: pages.legend(),
        wape: pages.bars(|metrics| metrics.wape),
        fva: pages.bars(|metrics| metrics.fva),
        horizon: pages.by_horizon(),
        coverage: pages.by_level(),
        classes: pages.classes(),
        cutoffs: pages.cutoffs(),
        levels: pages.levels(),
        pictures: pages.pictures(),
        effects: effects::pictures(table, facts),
    };
    Ok(environment.get_template("report")?.render(minijinja::value::Serde(&values))?)
}

fn real(value: Option<f64>, decimals: usize) -> String {
    value.map_or("–".to_owned(), |value| format!("{value:.decimals$}"))
}

fn share(value: Option<f64>) -> String {
    value.map_or("–".to_owned(), percent)
}

/// A row of shares, how many there are first; the least is the best.
fn row(name: String, count: u64, values: Vec<Option<f64>>) -> Row {
    let known = values.iter().enumerate().filter_map(|(at, value)| Some((at, (*value)?)));
    let best = known.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(at, _)| at);
    let mut cells = vec![grouped(count as i64, 0)];
    cells.extend(values.into_iter().map(share));
    Row { name, cells, best: best.map(|at| at + 1) }
}

impl Pages<'_> {
    fn name(&self, model: usize) -> &'static str {
        self.plan.wanted[model].as_str()
    }

    fn names(&self) -> Vec<&'static str> {
        self.order.iter().map(|&model| self.name(model)).collect()
    }

    /// A model keeps its colour through the page.
    fn colour(&self, model: usize) -> String {
        let place = self.order.iter().position(|&other| other == model).unwrap_or(0);
        let dashed = if place >= COLOURS { " dashed" } else { "" };
        format!("m{}{dashed}", place % COLOURS)
    }

    fn legend(&self) -> Vec<(String, &'static str)> {
        self.order.iter().map(|&model| (self.colour(model), self.name(model))).collect()
    }

    fn board(&self) -> Vec<Row> {
        let row = |&model: &usize| {
            let metrics = self.book.metrics(&self.book.all, model);
            Row {
                name: self.name(model).to_owned(),
                cells: vec![
                    share(metrics.wape),
                    share(metrics.fva),
                    share(metrics.bias),
                    real(metrics.mase, 3),
                    real(metrics.rmsse, 3),
                    real(metrics.pinball, 4),
                    real(metrics.spl, 4),
                    real(metrics.smape, 1),
                    share(metrics.coverage[1]),
                    share(metrics.coverage[3]),
                ],
                best: None,
            }
        };
        self.order.iter().map(row).collect()
    }

    fn bars(&self, pick: fn(&Metrics) -> Option<f64>) -> Vec<Bar> {
        let value = |model: usize| pick(&self.book.metrics(&self.book.all, model));
        let sizes = self.order.iter().filter_map(|&model| value(model)).map(f64::abs);
        let longest = sizes.fold(0.0, f64::max);
        let bar = |&model: &usize| {
            let value = value(model);
            let size = value.map_or(0.0, f64::abs);
            let width = if longest > 0.0 { 100.0 * size / longest } else { 0.0 };
            Bar {
                name: self.name(model),
                colour: self.colour(model),
                value: share(value),
                width: (width * 10.0).round() / 10.0,
                negative: value.is_some_and(|value| value < 0.0),
            }
        };
        self.order.iter().map(bar).collect()
    }

    fn by_horizon(&self) -> String {
        let steps = self.book.horizon.len();
        let wape = |step: usize, model: usize| {
            self.book.metrics(&self.book.horizon[step], model).wape.unwrap_or(f64::NAN)
        };
        let line = |&model: &usize| Line {
            class: self.colour(model),
            points: (0..steps).map(|step| ((step + 1) as f64, wape(step, model))).collect(),
            dots: steps <= 30,
        };
        // The leader is drawn last, above the others.
        let lines: Vec<Line> = self.order.iter().rev().map(line).collect();
        let values = lines.iter().flat_map(|line| &line.points).map(|point| point.1);
        Plot {
            id: "horizon".into(),
            title: format!("WAPE by {} of the horizon", self.table.clock.freq.unit()),
            description: format!("A line per model over {steps} steps after the cutoff."),
            from: 1.0,
            to: steps as f64,
            labels: (1..=steps).map(|step| (step as f64, step.to_string())).collect(),
            percent: true,
            floor: Some(values.fold(f64::INFINITY, f64::min)).filter(|floor| floor.is_finite()),
            bands: Vec::new(),
            lines,
            dividers: Vec::new(),
        }
        .svg()
    }

    fn by_level(&self) -> String {
        let last = (COVERED.len() - 1) as f64;
        let line = |&model: &usize| {
            let metrics = self.book.metrics(&self.book.all, model);
            let pairs = COVERED.into_iter().zip(metrics.coverage).rev().enumerate();
            Line {
                class: self.colour(model),
                points: pairs
                    .map(|(at, (level, got))| (at as f64, got.map_or(f64::NAN, |got| got - level)))
                    .collect(),
                dots: true,
            }
        };
        let ideal = vec![(0.0, 0.0), (last, 0.0)];
        let mut lines = vec![Line { class: "ideal".into(), points: ideal, dots: false }];
        lines.extend(self.order.iter().rev().map(line));
        let labels = COVERED.into_iter().rev().enumerate();
        Plot {
            id: "coverage".into(),
            title: "Actual less nominal share inside the central intervals".into(),
            description: "Zero is a promise kept; below zero a model is too sure of itself.".into(),
            from: 0.0,
            to: last,
            labels: labels.map(|(at, level)| (at as f64, percent_short(level))).collect(),
            percent: true,
            floor: None,
            bands: Vec::new(),
            lines,
            dividers: Vec::new(),
        }
        .svg()
    }

    fn group_row(&self, name: String, group: &Group) -> Row {
        let wape = |&model: &usize| self.book.metrics(group, model).wape;
        row(name, group.series, self.order.iter().map(wape).collect())
    }

    fn classes(&self) -> Vec<Row> {
        let classes = DemandClass::ALL.iter().zip(&self.book.class);
        classes
            .filter(|(_, group)| group.series > 0)
            .map(|(class, group)| self.group_row(class.as_str().to_owned(), group))
            .collect()
    }

    fn cutoffs(&self) -> Vec<Row> {
        let cutoffs = self.plan.cutoffs.iter().zip(&self.book.cutoff);
        cutoffs
            .map(|(&cutoff, group)| self.group_row(self.table.clock.text(cutoff), group))
            .collect()
    }

    fn levels(&self) -> Vec<Row> {
        let of = |(level, (name, nodes)): (usize, (&str, usize))| {
            let wapes = self.order.iter().map(|&model| self.book.level_metrics(level, model).wape);
            row(name.to_owned(), nodes as u64, wapes.collect())
        };
        self.book.levels.levels().enumerate().map(of).collect()
    }

    fn pictures(&self) -> Vec<Picture> {
        let total = self.book.all.models[0].sums.absolute;
        let picture = |(n, worst): (usize, &Worst)| Picture {
            id: self.table.ids[worst.series].to_string(),
            share: percent(worst.absolute / total),
            wape: share(self.book.series_metrics(self.plan.wanted.len(), worst.series, 0).wape),
            svg: self.picture(n, worst),
        };
        self.book.worst.iter().enumerate().map(picture).collect()
    }

    /// History, then the last windows that do not overlap.
    fn picture(&self, n: usize, worst: &Worst) -> String {
        let horizon = self.plan.horizon as i64;
        let mut drawn: Vec<usize> = Vec::new();
        for window in (0..self.plan.cutoffs.len()).rev() {
            let ends = self.plan.cutoffs[window] + horizon;
            let free = drawn.last().is_none_or(|&later| ends <= self.plan.cutoffs[later]);
            if free && drawn.len() < WINDOWS_DRAWN {
                drawn.push(window);
            }
        }
        let earliest = drawn.last().map_or(0, |&window| self.plan.cutoffs[window]);
        let tail = (2 * self.plan.horizon).clamp(TAIL_STEPS.0, TAIL_STEPS.1) as i64;
        let (from, to) = (earliest - tail + 1, self.table.last);
        let actual = |step: i64| {
            let row = self.table.row_of(worst.series, step);
            (step as f64, row.map_or(f64::NAN, |row| self.table.y[row]))
        };
        let (mut bands, mut lines) = (Vec::new(), Vec::new());
        for &window in &drawn {
            let cutoff = self.plan.cutoffs[window];
            let column = |at: usize| -> Vec<(f64, f64)> {
                let rows = worst.forecasts[window].iter().zip(1..);
                rows.map(|(row, step): (_, i64)| ((cutoff + step) as f64, row[at])).collect()
            };
            bands.push(Band { class: "band90", low: column(2), high: column(8) });
            bands.push(Band { class: "band50", low: column(4), high: column(6) });
            lines.push(Line { class: "mean".into(), points: column(0), dots: false });
        }
        lines.push(Line {
            class: "actual".into(),
            points: (from..=to).map(actual).collect(),
            dots: to - from < 120,
        });
        let every = ((to - from) / 5).max(1) as usize;
        let labels = (from..=to).rev().step_by(every).collect::<Vec<i64>>().into_iter().rev();
        let id = &self.table.ids[worst.series];
        Plot {
            id: format!("series{n}"),
            title: format!("{id}: actual and {}", self.name(0)),
            description: "Actual values, the mean forecast, and its central 50% and 90%.".into(),
            from: from as f64,
            to: to as f64,
            labels: labels.map(|step| (step as f64, self.table.clock.text(step))).collect(),
            percent: false,
            floor: None,
            bands,
            lines,
            dividers: drawn.iter().map(|&window| self.plan.cutoffs[window] as f64 + 0.5).collect(),
        }
        .svg()
    }
}

fn percent_short(share: f64) -> String {
    format!("{:.0}%", share * 100.0)
}
