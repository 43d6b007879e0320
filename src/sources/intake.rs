//! One table's way in: chunks of a file become typed rows, rejections and books.

use std::collections::{HashMap, HashSet};

use crate::config::{Batch, Books, Origin, Problem, RejectCode, Rejection, Symbols, Table, Value};

use super::chunk::{Cell, Chunk};
use super::condition::Test;
use super::map::{Combine, Condition, Conflict, Rule as RuleText, UnknownPolicy};
use super::rule::{Headers, Rule, Shared};

/// Decimals of quantities, by item; an item that is not listed has the default.
#[derive(Clone, Debug, Default)]
pub struct Scales {
    pub default: u32,
    pub by_item: HashMap<String, u32>,
}

impl Scales {
    pub fn of(&self, item: &str) -> u32 {
        match self.by_item.is_empty() {
            true => self.default,
            false => self.by_item.get(item).copied().unwrap_or(self.default),
        }
    }
}

/// What the map says about one table.
#[derive(Clone, Debug)]
pub struct Feed {
    pub table: &'static Table,
    /// By place in the table's columns.
    pub rules: Vec<Option<RuleText>>,
    /// By place in the table's columns.
    pub combine: Vec<Option<Combine>>,
    pub conflict: Conflict,
    pub unknown: UnknownPolicy,
    pub when: Option<Condition>,
}

impl Feed {
    pub fn sums(&self) -> bool {
        self.combine.iter().any(Option::is_some)
    }
}

/// The rules of one table compiled against one file.
pub struct Compiled {
    rules: Vec<Rule>,
    when: Option<Test>,
    /// Source columns that the table's rows depend on.
    pub sources: Vec<usize>,
}

/// What every row of a load is read with.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    pub shared: &'a Shared,
    pub scales: &'a Scales,
}

/// Gathers one table's rows over all files.
pub struct Intake {
    pub feed: Feed,
    pub batch: Batch,
    pub books: Vec<Books>,
    pub rejections: Vec<Rejection>,
    /// Source rows already taken: a store's row repeats with every sale of that store. Exact bytes,
    /// so a hit is a true repeat. `None` where repeats count or are rare.
    seen: Option<HashSet<Box<[u8]>>>,
    seen_hits: u64,
    seen_misses: u64,
    item_at: Option<usize>,
    order: Option<(usize, usize)>,
}

/// After this many source rows a table whose rows hardly repeat stops remembering them.
const SEEN_TRIAL: u64 = 50_000;

impl Intake {
    /// `fields` are the columns that some file or the map gives, key columns first.
    pub fn new(feed: Feed, fields: Vec<usize>, files: usize) -> Intake {
        let batch = Batch::new(feed.table, fields);
        let order = batch.position("starts_on").zip(batch.position("ends_on"));
        let repeats_count = feed.sums() || feed.conflict == Conflict::Last;
        Intake {
            item_at: batch.position("item_id"),
            order,
            batch,
            books: vec![Books::default(); files],
            rejections: Vec::new(),
            seen: (!repeats_count).then(HashSet::new),
            seen_hits: 0,
            seen_misses: 0,
            feed,
        }
    }

    pub fn compile(
        &self,
        headers: &Headers,
        symbols: &mut Symbols,
        shared: &Shared,
    ) -> anyhow::Result<Compiled> {
        let mut rules = Vec::new();
        for &field in &self.batch.fields {
            let column = self.feed.table.columns[field];
            let distinct = self.feed.combine[field] == Some(Combine::Distinct);
            rules.push(match &self.feed.rules[field] {
                Some(rule) => Rule::compile(column, &rule.0, distinct, headers, symbols, shared)?,
                None => match headers.find(column.name) {
                    Ok(_) => {
                        let rule = RuleText::from_text(column.name);
                        Rule::compile(column, &rule.0, distinct, headers, symbols, shared)?
                    }
                    Err(_) => Rule::default_of(column, symbols, shared),
                },
            });
        }
        let when = match &self.feed.when {
            Some(when) => Some(Test::compile(when, headers)?),
            None => None,
        };
        let mut sources: Vec<usize> = when.iter().map(Test::column).collect();
        for rule in &rules {
            rule.sources(&mut |column| sources.push(column));
        }
        sources.sort_unstable();
        sources.dedup();
        Ok(Compiled { rules, when, sources })
    }

    pub fn take(
        &mut self,
        chunk: &Chunk,
        excluded: &[Option<Problem>],
        file: u32,
        compiled: &mut Compiled,
        context: Context,
        symbols: &mut Symbols,
    ) {
        let mut row_values = vec![Value::Null; compiled.rules.len()];
        let mut bytes = Vec::new();
        for row in 0..chunk.len() {
            if compiled.when.as_ref().is_some_and(|when| !when.holds(chunk, row)) {
                continue;
            }
            let origin = Origin { file, row: chunk.row_numbers[row] };
            self.books[file as usize].read += 1;
            let problem = chunk.bad.get(&row).or(excluded.get(row).and_then(Option::as_ref));
            if let Some(problem) = problem {
                self.reject(origin, "", problem.clone());
                continue;
            }
            if let Some(seen) = &self.seen {
                row_bytes(chunk, row, &compiled.sources, &mut bytes);
                if seen.contains(bytes.as_slice()) {
                    self.books[file as usize].duplicate += 1;
                    self.seen_hits += 1;
                    continue;
                }
                self.seen_misses += 1;
            }
            match self.row(chunk, row, compiled, context, symbols, &mut row_values) {
                Ok(()) => {
                    if let Some(seen) = &mut self.seen {
                        seen.insert(bytes.as_slice().into());
                    }
                    self.batch.push(&row_values, origin);
                }
                Err((column, problem)) => self.reject(origin, column, problem),
            }
            if self.seen_misses > SEEN_TRIAL && self.seen_hits < self.seen_misses {
                self.seen = None;
            }
        }
    }

    fn row(
        &self,
        chunk: &Chunk,
        row: usize,
        compiled: &mut Compiled,
        context: Context,
        symbols: &mut Symbols,
        values: &mut [Value],
    ) -> Result<(), (&'static str, Problem)> {
        let mut decimals = context.scales.default;
        // Key columns come first, so the item is known before its first quantity.
        for (at, rule) in compiled.rules.iter_mut().enumerate() {
            let value = rule
                .value(chunk, row, decimals, context.shared.hash_key.as_ref(), symbols)
                .map_err(|problem| (rule.column.name, problem))?;
            values[at] = value;
            if Some(at) == self.item_at
                && let Value::Symbol(item) = value
            {
                decimals = context.scales.of(symbols.text(item));
            }
        }
        if let Some((starts, ends)) = self.order
            && let (Value::Day(starts), Value::Day(ends)) = (values[starts], values[ends])
            && ends < starts
        {
            let day = granary_models::calendar::Day;
            let reason = format!("it starts on {}", day(starts));
            let ends = day(ends).to_string();
            return Err(("ends_on", Problem::new(RejectCode::EndsBeforeStart, &ends, reason)));
        }
        Ok(())
    }

    pub fn reject(&mut self, origin: Origin, column: &str, problem: Problem) {
        self.books[origin.file as usize].rejected += 1;
        self.rejections.push(Rejection {
            file: origin.file,
            row: origin.row,
            column: column.to_owned(),
            problem,
        });
    }
}

/// The cells that decide a row, byte for byte.
fn row_bytes(chunk: &Chunk, row: usize, sources: &[usize], to: &mut Vec<u8>) {
    to.clear();
    for &source in sources {
        match chunk.columns[source].get(row) {
            Cell::Null => to.push(0),
            Cell::Text(text) => {
                to.push(1);
                to.extend_from_slice(&(text.len() as u32).to_le_bytes());
                to.extend_from_slice(text.as_bytes());
            }
            Cell::Int(value) | Cell::Stamp(value) => {
                to.push(2);
                to.extend_from_slice(&value.to_le_bytes());
            }
            Cell::Real(value) => {
                to.push(3);
                to.extend_from_slice(&value.to_bits().to_le_bytes());
            }
            Cell::Day(value) => {
                to.push(4);
                to.extend_from_slice(&value.to_le_bytes());
            }
        }
    }
}
