//! What the regression learned, as a dot with a whisker for each of a category's largest effects.

use std::collections::BTreeMap;
use std::fmt::{Result, Write};

use serde::Serialize;

use super::super::checkpoint::WindowFacts;
use super::super::table::LongTable;
use super::Row;
use crate::export::effects::{Answer, answers, factor, interval};
use crate::export::svg::{escaped, open};

/// Categories that are drawn, those with the most series first.
const CATEGORIES: usize = 12;
/// Effects of each, the largest first.
const EFFECTS: usize = 12;
const WIDTH: f64 = 540.0;
const LEFT: f64 = 250.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 8.0;
const ROW: f64 = 20.0;
const BOTTOM: f64 = 26.0;
/// Signs of a label that there is room for.
const LABEL_SIGNS: usize = 40;
/// Factors that the axis may name.
const TICKS: [f64; 15] =
    [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0];

/// One category's picture, and its numbers.
#[derive(Serialize)]
pub struct Picture {
    category: String,
    svg: String,
    rows: Vec<Row>,
}

#[derive(Serialize, Default)]
pub struct Pictures {
    pub shown: Vec<Picture>,
    /// Categories that are not drawn.
    pub left_out: usize,
    /// Windows beside the last.
    pub earlier: usize,
}

/// Of the last window; the windows before it show how far effects move.
pub fn pictures(table: &LongTable, windows: &[WindowFacts]) -> Pictures {
    let Some((last, earlier)) = windows.split_last() else { return Pictures::default() };
    let mut of_category: BTreeMap<String, Vec<Answer>> = BTreeMap::new();
    for answer in answers(&last.effects) {
        of_category.entry(answer.category.clone()).or_default().push(answer);
    }
    let mut before: BTreeMap<(String, String, String), Vec<f64>> = BTreeMap::new();
    for answer in earlier.iter().flat_map(|window| answers(&window.effects)) {
        before.entry(key(&answer)).or_default().push(answer.factor);
    }
    let mut series: BTreeMap<&str, usize> = BTreeMap::new();
    for &category in &table.category {
        *series.entry(&table.categories[category as usize]).or_default() += 1;
    }
    let mut order: Vec<&String> = of_category.keys().collect();
    order.sort_by_key(|name| std::cmp::Reverse(series.get(name.as_str()).copied().unwrap_or(0)));
    let shown: Vec<Picture> = order
        .iter()
        .take(CATEGORIES)
        .enumerate()
        .map(|(n, name)| picture(n, name, &of_category[*name], &before))
        .collect();
    Pictures { left_out: order.len() - shown.len(), shown, earlier: earlier.len() }
}

fn key(answer: &Answer) -> (String, String, String) {
    (answer.category.clone(), answer.driver.clone(), answer.what.clone())
}

fn picture(
    n: usize,
    category: &str,
    answers: &[Answer],
    before: &BTreeMap<(String, String, String), Vec<f64>>,
) -> Picture {
    let mut largest: Vec<&Answer> = answers.iter().collect();
    largest.sort_by(|a, b| b.factor.ln().abs().total_cmp(&a.factor.ln().abs()));
    largest.truncate(EFFECTS);
    let drawn: Vec<Whisker> = largest
        .iter()
        .map(|answer| Whisker {
            answer,
            before: before.get(&key(answer)).map_or(&[][..], Vec::as_slice),
        })
        .collect();
    let rows = drawn.iter().map(Whisker::row).collect();
    let name = if category.is_empty() { "all" } else { category };
    let mut svg = String::new();
    // Writing into a String cannot fail.
    let _ = write_picture(&mut svg, n, name, &drawn);
    Picture { category: name.to_owned(), svg, rows }
}

/// One effect of the last window, and its factors in the windows before.
struct Whisker<'a> {
    answer: &'a Answer,
    before: &'a [f64],
}

impl Whisker<'_> {
    fn label(&self) -> String {
        format!("{}: {}", self.answer.driver, self.answer.what)
    }

    fn row(&self) -> Row {
        let spread = match self.before {
            [] => String::new(),
            factors => {
                let least = factors.iter().copied().fold(f64::INFINITY, f64::min);
                let most = factors.iter().copied().fold(0.0, f64::max);
                format!("{least:.2}–{most:.2}")
            }
        };
        let cells = vec![factor(self.answer.factor), interval(self.answer), spread];
        Row { name: self.label(), cells, best: None }
    }

    fn factors(&self) -> impl Iterator<Item = f64> {
        let ends = [self.answer.low, self.answer.high];
        let own = ends.into_iter().flatten().chain([self.answer.factor]);
        own.chain(self.before.iter().copied()).filter(|f| f.is_finite() && *f > 0.0)
    }
}

/// Factors to the right on a logarithmic scale.
struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    fn of(drawn: &[Whisker]) -> Scale {
        let factors = || drawn.iter().flat_map(Whisker::factors);
        let least = factors().fold(0.9, f64::min).max(TICKS[0]);
        let most = factors().fold(1.1, f64::max).min(TICKS[TICKS.len() - 1]);
        Scale { low: least.ln() - 0.05, high: most.ln() + 0.05 }
    }

    fn x(&self, factor: f64) -> f64 {
        let log = factor.max(f64::MIN_POSITIVE).ln().clamp(self.low, self.high);
        LEFT + (log - self.low) / (self.high - self.low) * (WIDTH - LEFT - RIGHT)
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        TICKS.into_iter().filter(|tick| (self.low..=self.high).contains(&tick.ln()))
    }
}

fn write_picture(out: &mut String, n: usize, category: &str, drawn: &[Whisker]) -> Result {
    let scale = Scale::of(drawn);
    let height = TOP + ROW * drawn.len() as f64 + BOTTOM;
    let description = "By how much each multiplies demand, with its 90% interval; pale dots are \
                       the windows before. The numbers are in the table below.";
    let id = format!("effects{n}");
    let title = format!("Largest effects on {category}");
    open(out, (WIDTH, height), &id, &title, description)?;
    for tick in scale.ticks() {
        let class = if tick == 1.0 { "axis" } else { "grid" };
        write!(
            out,
            "<line class=\"{class}\" x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"{TOP}\" y2=\"{1:.1}\"/>\
             <text class=\"tick\" x=\"{0:.1}\" y=\"{2:.1}\" text-anchor=\"middle\">×{tick}</text>",
            scale.x(tick),
            height - BOTTOM,
            height - 9.0
        )?;
    }
    for (row, whisker) in drawn.iter().enumerate() {
        write_whisker(out, &scale, TOP + ROW * (row as f64 + 0.5), whisker)?;
    }
    out.write_str("</svg>")
}

fn write_whisker(out: &mut String, scale: &Scale, y: f64, whisker: &Whisker) -> Result {
    let mut label: String = whisker.label().chars().take(LABEL_SIGNS).collect();
    if whisker.label().chars().count() > LABEL_SIGNS {
        label.push('…');
    }
    write!(
        out,
        "<text class=\"tick\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
        LEFT - 8.0,
        y + 4.0,
        escaped(&label)
    )?;
    let answer = whisker.answer;
    if let (Some(low), Some(high)) = (answer.low, answer.high) {
        write!(
            out,
            "<line class=\"whisker\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>",
            scale.x(low),
            scale.x(high)
        )?;
    }
    for &factor in whisker.before {
        let x = scale.x(factor);
        write!(out, "<circle class=\"faint-dot\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\"/>")?;
    }
    let x = scale.x(answer.factor);
    write!(out, "<circle class=\"effect-dot\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.8\"/>")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(what: &str, factor: f64, ends: Option<(f64, f64)>) -> Answer {
        Answer {
            category: "tea".to_owned(),
            driver: "price".to_owned(),
            kind: "price",
            what: what.to_owned(),
            factor,
            low: ends.map(|ends| ends.0),
            high: ends.map(|ends| ends.1),
            note: String::new(),
        }
    }

    #[test]
    fn the_largest_are_drawn_and_no_value_breaks_the_picture() {
        let mut all: Vec<Answer> = (0..20)
            .map(|n| answer(&format!("step {n}"), 1.0 + f64::from(n) / 10.0, None))
            .collect();
        all.push(answer("</svg><b>", 0.01, Some((0.0, 1e9))));
        all.push(answer("odd", 1e300, Some((0.0, f64::INFINITY))));
        let before = [(key(&all[19]), vec![2.5, 3.5])].into();
        let drawn = picture(0, "tea", &all, &before);
        assert_eq!(drawn.rows.len(), EFFECTS);
        assert_eq!(drawn.rows[0].name, "price: odd");
        let nineteen = drawn.rows.iter().find(|row| row.name == "price: step 19");
        assert_eq!(nineteen.expect("it is large").cells[2], "2.50–3.50");
        let svg = &drawn.svg;
        assert!(!svg.contains("NaN") && !svg.contains("inf") && !svg.contains("<b>"), "{svg}");
        assert_eq!(svg.matches("</svg>").count(), 1);
        assert_eq!(svg.matches("faint-dot").count(), 2);
        assert_eq!(svg.matches("effect-dot").count(), EFFECTS);
    }
}
