//! The rows of a long table, settled: by series and step, each step once, with the books.

use std::ops::Range;

use rayon::prelude::*;
use serde::Serialize;

use super::drivers::draft::Draft;
use super::drivers::{Extras, block::DriverBlock};
use super::freq::{self, Clock, Freq};
use crate::config::{Exit, Refused};

/// More steps than this many per row, beyond [`STEPS_FREE`], are a slip in a date and not gaps.
const STEPS_PER_ROW_MAX: u64 = 50;
const STEPS_FREE: u64 = 10_000_000;

/// What became of the rows: `rows = observed + missing`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Books {
    pub rows: u64,
    /// Rows with a y.
    pub observed: u64,
    /// Rows without one.
    pub missing: u64,
    /// Rows with a y whose `available` is below 1 or empty.
    pub partly_available: u64,
    /// Steps between the first and the last row of a series that have no row.
    pub gaps: u64,
    /// Rows after the last observed step, which are in no window.
    pub future: u64,
}

impl Books {
    pub fn balanced(&self) -> bool {
        self.rows == self.observed + self.missing
            && self.partly_available <= self.observed
            && self.future <= self.missing
    }
}

/// Where rows come from.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    pub file: &'a str,
    /// The column of the series' names.
    pub id: &'a str,
}

/// Rows as they were read, in the file's order.
#[derive(Default)]
pub struct Gathered {
    pub names: Vec<Box<str>>,
    /// Index into `categories` for each name.
    pub category: Vec<u32>,
    pub categories: Vec<String>,
    pub series: Vec<u32>,
    pub label: Vec<i64>,
    /// Where the row is in the file, as a person counts.
    pub row: Vec<u32>,
    /// NaN without a value.
    pub y: Vec<f64>,
    pub available: Option<Vec<f32>>,
    pub promo: Option<Vec<f32>>,
    pub price: Option<Vec<f32>>,
    /// Columns that the analyst declared to be drivers, a value per row.
    pub drivers: Vec<Draft>,
}

/// Many series by id, the rows of each by step.
#[derive(Clone, Debug)]
pub struct LongTable {
    pub clock: Clock,
    pub ids: Vec<Box<str>>,
    pub category: Vec<u32>,
    pub categories: Vec<String>,
    /// `offsets[i]..offsets[i + 1]` are the rows of series `i`.
    pub offsets: Vec<usize>,
    pub step: Vec<i64>,
    /// NaN without a value.
    pub y: Vec<f64>,
    /// Without it everything was available.
    pub available: Option<Vec<f32>>,
    /// Depth of a promotion, NaN where the cell is empty.
    pub promo: Option<Vec<f32>>,
    /// Asked price, NaN where the cell is empty.
    pub price: Option<Vec<f32>>,
    /// The last step with a value.
    pub last: i64,
    pub first: i64,
    /// By how many steps each series was moved, see [`LongTable::align_ends`].
    pub moved: Vec<i64>,
    pub books: Books,
    pub notes: Vec<String>,
    /// What else is known of series and steps.
    pub extras: Extras,
}

impl LongTable {
    /// Moves every series so that all end together, for a table whose steps are no common time. A
    /// cutoff is then so many steps before each series' own end.
    pub fn align_ends(&mut self) {
        for series in 0..self.len() {
            let rows = self.rows(series);
            let observed = rows.clone().rev().find(|&row| !self.y[row].is_nan());
            let Some(end) = observed.map(|row| self.step[row]) else { continue };
            self.moved[series] = self.last - end;
            self.step[rows].iter_mut().for_each(|step| *step += self.last - end);
        }
        self.first = self.step.iter().copied().min().unwrap_or(self.last);
    }

    pub fn len(&self) -> usize {
        self.ids.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    pub fn rows(&self, series: usize) -> Range<usize> {
        self.offsets[series]..self.offsets[series + 1]
    }

    /// Rows of a series up to a step, that one included.
    pub fn rows_until(&self, series: usize, step: i64) -> Range<usize> {
        let rows = self.rows(series);
        let end = rows.start + self.step[rows.clone()].partition_point(|&at| at <= step);
        rows.start..end
    }

    /// The row of a step.
    pub fn row_of(&self, series: usize, step: i64) -> Option<usize> {
        let rows = self.rows(series);
        self.step[rows.clone()].binary_search(&step).ok().map(|at| rows.start + at)
    }

    pub fn availability(&self, row: usize) -> f32 {
        self.available.as_ref().map_or(1.0, |available| available[row])
    }

    /// Whether a row has a demand that was seen whole.
    pub fn is_scored(&self, row: usize) -> bool {
        !self.y[row].is_nan() && self.availability(row) >= 1.0
    }
}

fn rejected(message: String) -> anyhow::Error {
    Refused::new(Exit::DataRejected, message).into()
}

/// Sorts the rows and checks what only whole series can tell.
///
/// # Errors
/// The first place at which the rows are no series of this frequency.
pub fn settle(mut rows: Gathered, freq: Freq, from: Origin) -> anyhow::Result<LongTable> {
    sort_names(&mut rows);
    sort_rows(&mut rows);
    let offsets = offsets(&rows.series, rows.names.len());
    check_duplicates(&rows, &Clock::of(freq, &rows.label))?;
    let clock = Clock::of(freq, &rows.label);
    let step = steps(&rows, &offsets, &clock)?;
    let gaps = gaps(&rows.names, &offsets, &step, &clock)?;
    let observed = rows.y.iter().filter(|y| !y.is_nan()).count() as u64;
    let seen = step.iter().zip(&rows.y).filter(|(_, y)| !y.is_nan()).map(|(&step, _)| step);
    let Some(last) = seen.max() else {
        return Err(rejected("no row has a value of y".into()));
    };
    let partly = rows.available.as_ref().map_or(0, |available| {
        let rows = available.iter().zip(&rows.y);
        rows.filter(|(available, y)| !y.is_nan() && **available < 1.0).count()
    });
    let books = Books {
        rows: rows.y.len() as u64,
        observed,
        missing: rows.y.len() as u64 - observed,
        partly_available: partly as u64,
        gaps,
        future: step.iter().filter(|&&step| step > last).count() as u64,
    };
    let drivers = std::mem::take(&mut rows.drivers);
    let mut table = LongTable {
        moved: vec![0; rows.names.len()],
        clock,
        ids: rows.names,
        category: rows.category,
        categories: rows.categories,
        offsets,
        first: step.iter().copied().min().unwrap_or(last),
        step,
        y: rows.y,
        available: rows.available,
        promo: rows.promo,
        price: rows.price,
        last,
        notes: notes(&books),
        books,
        extras: Extras::default(),
    };
    if !drivers.is_empty() {
        let block = DriverBlock::of_rows(&table, drivers, from);
        table.extras.take(block, &mut table.notes);
    }
    Ok(table)
}

fn notes(books: &Books) -> Vec<String> {
    let mut notes = Vec::new();
    let mut say = |what: &str, count: u64| {
        if count > 0 {
            notes.push(format!("{what}: {count}"));
        }
    };
    say("steps inside series without a row, missing and not zero", books.gaps);
    say("rows without a y, missing and not zero", books.missing - books.future);
    say("rows after the last y, in no window", books.future);
    say("rows that were not wholly available, in no score", books.partly_available);
    notes
}

/// Series in the order of their ids, categories in that of their names.
fn sort_names(rows: &mut Gathered) {
    let ranks = |names: &[&str]| {
        let mut order: Vec<u32> = (0..names.len() as u32).collect();
        order.sort_unstable_by_key(|&at| names[at as usize]);
        let mut rank = vec![0u32; names.len()];
        order.iter().zip(0..).for_each(|(&at, place)| rank[at as usize] = place);
        (order, rank)
    };
    let texts: Vec<&str> = rows.categories.iter().map(String::as_str).collect();
    let (order, category_rank) = ranks(&texts);
    let categories = order.iter().map(|&at| rows.categories[at as usize].clone()).collect();
    let texts: Vec<&str> = rows.names.iter().map(|name| &**name).collect();
    let (order, rank) = ranks(&texts);
    rows.category =
        order.iter().map(|&at| category_rank[rows.category[at as usize] as usize]).collect();
    rows.categories = categories;
    rows.names = order.iter().map(|&at| std::mem::take(&mut rows.names[at as usize])).collect();
    rows.series.iter_mut().for_each(|series| *series = rank[*series as usize]);
}

fn sort_rows(rows: &mut Gathered) {
    let key = |at: usize| (rows.series[at], rows.label[at], at);
    if (1..rows.label.len()).all(|at| key(at - 1) <= key(at)) {
        return;
    }
    let mut order: Vec<u32> = (0..rows.label.len() as u32).collect();
    order.par_sort_unstable_by_key(|&at| key(at as usize));
    fn permute<T: Copy>(values: &mut Vec<T>, order: &[u32]) {
        *values = order.iter().map(|&at| values[at as usize]).collect();
    }
    permute(&mut rows.series, &order);
    permute(&mut rows.label, &order);
    permute(&mut rows.row, &order);
    permute(&mut rows.y, &order);
    for column in [&mut rows.available, &mut rows.promo, &mut rows.price].into_iter().flatten() {
        permute(column, &order);
    }
    rows.drivers.iter_mut().for_each(|draft| permute(&mut draft.values, &order));
}

fn offsets(series: &[u32], count: usize) -> Vec<usize> {
    let mut offsets = vec![0; count + 1];
    series.iter().for_each(|&at| offsets[at as usize + 1] += 1);
    for at in 1..offsets.len() {
        offsets[at] += offsets[at - 1];
    }
    offsets
}

fn check_duplicates(rows: &Gathered, clock: &Clock) -> anyhow::Result<()> {
    let same = |at: &usize| {
        rows.series[at - 1] == rows.series[*at] && rows.label[at - 1] == rows.label[*at]
    };
    let found: Vec<usize> = (1..rows.label.len()).filter(same).collect();
    let Some(&first) = found.iter().min_by_key(|&&at| rows.row[at]) else { return Ok(()) };
    Err(rejected(format!(
        "series {:?} has {} twice, in rows {} and {}; rows that repeat a series and time: {}",
        rows.names[rows.series[first] as usize],
        clock.label_text(rows.label[first]),
        rows.row[first - 1],
        rows.row[first],
        found.len()
    )))
}

fn steps(rows: &Gathered, offsets: &[usize], clock: &Clock) -> anyhow::Result<Vec<i64>> {
    let each = offsets.windows(2).map(|rows_of| &rows.label[rows_of[0]..rows_of[1]]);
    let mut steps = Vec::with_capacity(rows.label.len());
    for (at, &label) in rows.label.iter().enumerate() {
        match clock.step(label) {
            Some(step) => steps.push(step),
            None => return Err(misfit(rows, at, clock, freq::fitting(clock.freq, each))),
        }
    }
    if let Some(fits) = freq::coarser(clock, each) {
        return Err(rejected(format!(
            "no series has two rows that are one {} apart; --freq {fits} would fit",
            clock.freq.unit()
        )));
    }
    Ok(steps)
}

/// Says which two labels do not go together.
fn misfit(rows: &Gathered, at: usize, clock: &Clock, fits: Option<Freq>) -> anyhow::Error {
    let name = |at: usize| &rows.names[rows.series[at] as usize];
    let of = |at: usize| clock.label_text(rows.label[at]);
    let before = if at > 0 && rows.series[at - 1] == rows.series[at] { at - 1 } else { 0 };
    let whose = if rows.series[before] == rows.series[at] {
        String::new()
    } else {
        format!(" of series {:?}", name(before))
    };
    let why = match clock.freq {
        Freq::Month => "are not on the same day of their months, nor both the last".to_owned(),
        freq => format!("are not whole {}s apart", freq.unit()),
    };
    let fits = fits.map_or(String::new(), |fits| format!("; --freq {} would fit", fits.as_str()));
    rejected(format!(
        "row {}, series {:?}: {}{whose} and {} {why}{fits}",
        rows.row[at],
        name(at),
        of(before),
        of(at)
    ))
}

/// Steps without a row inside series. The series are laid out from their first row to the table's
/// last, and a slip in a date must not lay out a million years.
fn gaps(names: &[Box<str>], offsets: &[usize], step: &[i64], clock: &Clock) -> anyhow::Result<u64> {
    let end = step.iter().copied().max().unwrap_or(0);
    let (mut gaps, mut laid, mut widest) = (0u64, 0u64, (0u64, 0));
    for (series, rows) in offsets.windows(2).enumerate() {
        let steps = &step[rows[0]..rows[1]];
        let (Some(first), Some(last)) = (steps.first(), steps.last()) else { continue };
        gaps += (last - first + 1) as u64 - steps.len() as u64;
        let span = (end - first + 1) as u64;
        laid += span;
        widest = widest.max((span, series));
    }
    if laid > STEPS_FREE.max(STEPS_PER_ROW_MAX * step.len() as u64) {
        let series = widest.1;
        return Err(rejected(format!(
            "{} rows are spread over {laid} {}s: series {:?} begins with {} and the table ends \
             with {}; is one of them a slip?",
            step.len(),
            clock.freq.unit(),
            names[series],
            clock.text(step[offsets[series]]),
            clock.text(end)
        )));
    }
    Ok(gaps)
}
