//! Rules compiled against one file's headers, and what they make of a row.

use std::collections::HashMap;

use crate::config::{Column, Kind, Need, Problem, RejectCode, Symbols, Value};

use super::chunk::{Cell, Chunk, write_cell};
use super::condition::Test;
use super::map::RuleTable;
use super::parse::{self, DateStyle, Number};
use super::words::{
    SHOPPER, TEXT_BYTES_MAX, check_text, choice, currency, formed, keyed_hash, refuse, shopper,
};

/// What all rules of a load share.
#[derive(Debug, Clone)]
pub struct Shared {
    pub null_values: Vec<String>,
    pub date_formats: Vec<String>,
    pub max_qty: i64,
    pub hash_key: Option<[u8; 32]>,
}

#[derive(Debug)]
enum Part {
    Text(String),
    Column(usize),
}

#[derive(Debug)]
enum Input {
    Column(usize),
    Product(usize, usize),
    Template(Vec<Part>),
    Hash(Vec<Part>),
    Fixed(Value),
}

/// How one column of a table is made of one file's cells.
#[derive(Debug)]
pub struct Rule {
    pub column: Column,
    input: Input,
    when: Option<(Test, bool)>,
    otherwise: Value,
    values: HashMap<String, String>,
    null_values: Vec<String>,
    dates: DateStyle,
    numbers: Numbers,
    upper: bool,
    /// For `distinct`: the symbol's number stands for the text.
    as_number_of_text: bool,
    last: Option<(i64, u32)>,
    /// Makes a hash of a shopper who is named otherwise.
    shopper_key: Option<[u8; 32]>,
}

#[derive(Debug)]
struct Numbers {
    scale: u32,
    factor: f64,
    offset: f64,
    linear: bool,
    clamp: Option<[f64; 2]>,
    round: bool,
    abs: bool,
    max_qty: i64,
}

pub struct Headers<'a>(pub &'a [String]);

impl Headers<'_> {
    /// The header's place; the message names the nearest one.
    pub fn find(&self, name: &str) -> anyhow::Result<usize> {
        let wanted = name.trim();
        let exact = self.0.iter().position(|header| header == wanted);
        exact.or_else(|| self.0.iter().position(|h| h.eq_ignore_ascii_case(wanted))).ok_or_else(
            || {
                let near = super::nearest(wanted, self.0.iter().map(String::as_str))
                    .map(|near| format!("; did you mean `{near}`?"))
                    .unwrap_or_default();
                anyhow::anyhow!("the file has no column `{wanted}`{near}")
            },
        )
    }

    fn parts(&self, template: &str) -> anyhow::Result<Vec<Part>> {
        let mut parts = Vec::new();
        let mut rest = template;
        while let Some(open) = rest.find('{') {
            let close = rest[open..]
                .find('}')
                .ok_or_else(|| anyhow::anyhow!("the template `{template}` has an open brace"))?;
            if open > 0 {
                parts.push(Part::Text(rest[..open].to_owned()));
            }
            parts.push(Part::Column(self.find(&rest[open + 1..open + close])?));
            rest = &rest[open + close + 1..];
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(parts)
    }
}

impl Rule {
    /// A column that no rule feeds: its default in every row.
    pub fn default_of(column: Column, symbols: &mut Symbols, shared: &Shared) -> Rule {
        let value = default_value(column.need, symbols);
        let mut rule = Rule::with_input(column, Input::Fixed(value), &RuleTable::default(), shared);
        rule.otherwise = value;
        rule
    }

    fn with_input(column: Column, input: Input, rule: &RuleTable, shared: &Shared) -> Rule {
        let formats = if rule.formats.is_empty() { &shared.date_formats } else { &rule.formats };
        Rule {
            column,
            input,
            when: None,
            otherwise: Value::Null,
            values: rule.values.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
            null_values: shared.null_values.iter().chain(&rule.null_values).cloned().collect(),
            dates: DateStyle { formats: formats.clone(), shift_hours: rule.shift_hours },
            numbers: Numbers {
                scale: rule.scale,
                factor: rule.factor.unwrap_or(1.0),
                offset: rule.offset.unwrap_or(0.0),
                linear: rule.factor.is_some() || rule.offset.is_some(),
                clamp: rule.clamp,
                round: rule.round,
                abs: rule.abs,
                max_qty: shared.max_qty,
            },
            upper: rule.upper,
            as_number_of_text: false,
            last: None,
            shopper_key: shared.hash_key.filter(|_| column.name == SHOPPER),
        }
    }

    pub fn compile(
        column: Column,
        rule: &RuleTable,
        distinct: bool,
        headers: &Headers,
        symbols: &mut Symbols,
        shared: &Shared,
    ) -> anyhow::Result<Rule> {
        let given = [&rule.from, &rule.template, &rule.hash].iter().filter(|i| i.is_some()).count()
            + usize::from(rule.constant.is_some());
        anyhow::ensure!(
            given == 1,
            "`{}` needs exactly one of `from`, `template`, `hash` and `constant`",
            column.name
        );
        anyhow::ensure!(rule.scale <= 6, "`scale` should be in [0, 6], but is {}", rule.scale);
        anyhow::ensure!(
            rule.times.is_none() || rule.from.is_some(),
            "`times` needs `from` beside it"
        );
        let as_text = Column { kind: Kind::Text, ..column };
        let column = if distinct { as_text } else { column };
        let input = if let Some(from) = &rule.from {
            let from = headers.find(from)?;
            match &rule.times {
                Some(times) => Input::Product(from, headers.find(times)?),
                None => Input::Column(from),
            }
        } else if let Some(template) = &rule.template {
            Input::Template(headers.parts(template)?)
        } else if let Some(hash) = &rule.hash {
            anyhow::ensure!(
                shared.hash_key.is_some(),
                "a hash needs a key: set GRANARY_HASH_SALT, or `hash_salt` in the map"
            );
            Input::Hash(headers.parts(hash)?)
        } else {
            Input::Fixed(Value::Null)
        };
        let mut compiled = Rule::with_input(column, input, rule, shared);
        compiled.as_number_of_text = distinct;
        compiled.otherwise = default_value(column.need, symbols);
        if let Some(constant) = &rule.constant {
            compiled.input = Input::Fixed(compiled.fixed(constant, symbols)?);
        }
        if let Some(value) = &rule.otherwise {
            compiled.otherwise = compiled.fixed(value, symbols)?;
        }
        compiled.when = match (&rule.when, &rule.unless) {
            (Some(when), None) => Some((Test::compile(when, headers)?, true)),
            (None, Some(unless)) => Some((Test::compile(unless, headers)?, false)),
            (None, None) => None,
            (Some(_), Some(_)) => anyhow::bail!("`when` and `unless` exclude each other"),
        };
        Ok(compiled)
    }

    /// A value that the map itself gives. It is what the table shall hold, so the arithmetic for
    /// the source column's values does not touch it.
    fn fixed(&mut self, value: &toml::Value, symbols: &mut Symbols) -> anyhow::Result<Value> {
        let text = match value {
            toml::Value::String(text) => text.clone(),
            toml::Value::Array(_) | toml::Value::Table(_) => {
                anyhow::bail!("a constant is a text, a number or a date")
            }
            other => other.to_string(),
        };
        let (factor, offset) = (self.numbers.factor, self.numbers.offset);
        let abs = std::mem::replace(&mut self.numbers.abs, false);
        (self.numbers.factor, self.numbers.offset) = (1.0, 0.0);
        let value = self.cell_value(Cell::Text(&text), 0, symbols);
        (self.numbers.factor, self.numbers.offset) = (factor, offset);
        self.numbers.abs = abs;
        value.map_err(|problem| {
            anyhow::anyhow!("`{}` cannot be {text:?}: {}", self.column.name, problem.reason)
        })
    }

    /// The source columns that the value depends on.
    pub fn sources(&self, add: &mut impl FnMut(usize)) {
        match &self.input {
            Input::Column(from) => add(*from),
            Input::Product(a, b) => {
                add(*a);
                add(*b);
            }
            Input::Template(parts) | Input::Hash(parts) => parts.iter().for_each(|part| {
                if let Part::Column(column) = part {
                    add(*column);
                }
            }),
            Input::Fixed(_) => {}
        }
        if let Some((test, _)) = &self.when {
            add(test.column());
        }
    }

    /// The column's value in a row. `decimals` are those of the row's item.
    pub fn value(
        &mut self,
        chunk: &Chunk,
        row: usize,
        decimals: u32,
        hash_key: Option<&[u8; 32]>,
        symbols: &mut Symbols,
    ) -> Result<Value, Problem> {
        if let Some((test, wanted)) = &self.when
            && test.holds(chunk, row) != *wanted
        {
            return Ok(self.of_item(self.otherwise, decimals));
        }
        match &self.input {
            Input::Fixed(value) => Ok(self.of_item(*value, decimals)),
            Input::Column(from) => {
                self.cell_value(chunk.columns[*from].get(row), decimals, symbols)
            }
            Input::Product(a, b) => {
                let (a, b) = (chunk.columns[*a].get(row), chunk.columns[*b].get(row));
                match self.product(a, b)? {
                    Some(number) => self.number_value(number, "", decimals),
                    None => self.missing(),
                }
            }
            Input::Template(parts) => match fill(parts, chunk, row) {
                Some(text) => self.cell_value(Cell::Text(&text), decimals, symbols),
                None => self.missing(),
            },
            Input::Hash(parts) => match (fill(parts, chunk, row), hash_key) {
                (Some(text), Some(key)) => {
                    self.cell_value(Cell::Text(&keyed_hash(key, &text)), decimals, symbols)
                }
                _ => self.missing(),
            },
        }
    }

    /// A quantity fixed by the map, in the smallest units of the row's item.
    fn of_item(&self, value: Value, decimals: u32) -> Value {
        match (self.column.kind, value) {
            (Kind::Quantity { .. }, Value::Int(base)) => {
                Value::Int(base.saturating_mul(10i64.pow(decimals)))
            }
            _ => value,
        }
    }

    fn missing(&self) -> Result<Value, Problem> {
        match self.column.need {
            Need::Required if !self.as_number_of_text => {
                Err(Problem::new(RejectCode::MissingValue, "", "a value is required"))
            }
            Need::Required | Need::Null => Ok(Value::Null),
            _ => Ok(self.otherwise),
        }
    }

    fn product(&self, a: Cell, b: Cell) -> Result<Option<Number>, Problem> {
        let (Some(a), Some(b)) = (as_number(a)?, as_number(b)?) else { return Ok(None) };
        Ok(Some(match (a, b) {
            (
                Number::Exact { mantissa: a, decimals: x },
                Number::Exact { mantissa: b, decimals: y },
            ) if x + y <= 18 && a.checked_mul(b).is_some() => {
                Number::Exact { mantissa: a * b, decimals: x + y }
            }
            (a, b) => Number::Float(a.as_f64() * b.as_f64()),
        }))
    }

    fn cell_value(
        &mut self,
        cell: Cell,
        decimals: u32,
        symbols: &mut Symbols,
    ) -> Result<Value, Problem> {
        let cell = match cell {
            Cell::Null => return self.missing(),
            Cell::Text(text) => {
                let text = text.trim();
                if text.is_empty() || self.null_values.iter().any(|null| null == text) {
                    return self.missing();
                }
                match self.values.get(text) {
                    Some(word) if word.is_empty() => return self.missing(),
                    Some(word) => return self.typed(Cell::Text(&word.clone()), decimals, symbols),
                    None => Cell::Text(text),
                }
            }
            other if !self.values.is_empty() || !self.null_values.is_empty() => {
                // Only a text can be listed; give typed cells the same chance.
                let mut text = String::new();
                write_cell(other, &mut text);
                if self.null_values.contains(&text) {
                    return self.missing();
                }
                match self.values.get(&text) {
                    Some(word) => return self.typed(Cell::Text(&word.clone()), decimals, symbols),
                    None => other,
                }
            }
            other => other,
        };
        self.typed(cell, decimals, symbols)
    }

    fn typed(
        &mut self,
        cell: Cell,
        decimals: u32,
        symbols: &mut Symbols,
    ) -> Result<Value, Problem> {
        match self.column.kind {
            Kind::Text if self.column.name == SHOPPER => {
                let symbol = symbols.intern(&shopper(cell, self.shopper_key.as_ref())?);
                Ok(self.symbol_value(symbol))
            }
            Kind::Text => self.text(cell, symbols),
            Kind::Choice(words) => choice(cell, words, symbols),
            Kind::Currency => currency(cell, symbols),
            Kind::Form(form) => formed(cell, form, symbols),
            Kind::Day => self.day(cell),
            Kind::Stamp => self.stamp(cell),
            Kind::Quantity { .. } | Kind::Money { .. } | Kind::Whole { .. } | Kind::Real { .. } => {
                let mut text = String::new();
                if let Cell::Text(from) = cell {
                    text.push_str(from);
                }
                match as_number(cell)? {
                    Some(number) => self.number_value(number, &text, decimals),
                    None => self.missing(),
                }
            }
        }
    }

    fn text(&mut self, cell: Cell, symbols: &mut Symbols) -> Result<Value, Problem> {
        if let (Cell::Int(value), Some((last, symbol))) = (cell, self.last)
            && value == last
        {
            return Ok(self.symbol_value(symbol));
        }
        let mut scratch = String::new();
        let text = match cell {
            Cell::Text(text) => text,
            other => {
                write_cell(other, &mut scratch);
                &scratch
            }
        };
        check_text(text, TEXT_BYTES_MAX)?;
        let symbol =
            if self.upper { symbols.intern(&text.to_uppercase()) } else { symbols.intern(text) };
        if let Cell::Int(value) = cell {
            self.last = Some((value, symbol));
        }
        Ok(self.symbol_value(symbol))
    }

    fn symbol_value(&self, symbol: u32) -> Value {
        if self.as_number_of_text { Value::Int(i64::from(symbol)) } else { Value::Symbol(symbol) }
    }

    fn day(&self, cell: Cell) -> Result<Value, Problem> {
        match cell {
            Cell::Text(text) => parse::day(text, &self.dates).map(|day| Value::Day(day.0)),
            Cell::Day(days) => parse::day_in_range(i64::from(days), "").map(Value::Day),
            Cell::Stamp(micros) => {
                let seconds = micros.div_euclid(1_000_000) + self.dates.shift_hours * 3_600;
                parse::day_in_range(seconds.div_euclid(86_400), "").map(Value::Day)
            }
            other => Err(refuse(other, RejectCode::NotADate, "a number is not a date")),
        }
    }

    fn stamp(&self, cell: Cell) -> Result<Value, Problem> {
        match cell {
            Cell::Text(text) => parse::stamp(text, &self.dates).map(Value::Stamp),
            Cell::Stamp(micros) => {
                parse::stamp_in_range(micros.div_euclid(1_000_000), "").map(Value::Stamp)
            }
            other => Err(refuse(other, RejectCode::NotATime, "want a date with a time")),
        }
    }

    fn number_value(&self, number: Number, text: &str, decimals: u32) -> Result<Value, Problem> {
        let own = &self.numbers;
        let mut number = number;
        if own.linear || own.clamp.is_some() {
            let mut value = number.as_f64() * own.factor + own.offset;
            if let Some([low, high]) = own.clamp {
                value = value.clamp(low, high);
            }
            number = Number::Float(value);
        }
        if own.abs {
            number = match number {
                Number::Exact { mantissa, decimals } => {
                    Number::Exact { mantissa: mantissa.saturating_abs(), decimals }
                }
                Number::Float(value) => Number::Float(value.abs()),
            };
        }
        let shown = |number: Number| {
            if text.is_empty() { number.as_f64().to_string() } else { text.to_owned() }
        };
        let refuse = |code, reason: String| Err(Problem::new(code, &shown(number), reason));
        match self.column.kind {
            Kind::Quantity { min } => {
                let value = number.as_f64();
                if value < 0.0 {
                    return refuse(
                        RejectCode::NegativeQuantity,
                        "a quantity is not negative".to_owned(),
                    );
                }
                if value > own.max_qty as f64 {
                    let reason = format!("over max_qty = {}", own.max_qty);
                    return refuse(RejectCode::AbsurdQuantity, reason);
                }
                let units = parse::scaled(number, decimals, own.round, &shown(number))?;
                if units < min {
                    return refuse(RejectCode::OutOfRange, format!("want at least {min}"));
                }
                Ok(Value::Int(units))
            }
            Kind::Money { min } => {
                let minor = parse::scaled(number, own.scale, own.round, &shown(number))?;
                if minor < min {
                    return refuse(
                        RejectCode::NegativeQuantity,
                        "an amount is not negative here".to_owned(),
                    );
                }
                if minor.unsigned_abs() > 1_000_000_000_000_000 {
                    return refuse(
                        RejectCode::OutOfRange,
                        "more than 10^15 minor units".to_owned(),
                    );
                }
                Ok(Value::Int(minor))
            }
            Kind::Whole { min, max } => {
                let value = parse::scaled(number, 0, own.round, &shown(number))?;
                if !(min..=max).contains(&value) {
                    return refuse(RejectCode::OutOfRange, format!("want {min} to {max}"));
                }
                Ok(Value::Int(value))
            }
            _ => self.real(number, &shown(number)),
        }
    }

    fn real(&self, number: Number, text: &str) -> Result<Value, Problem> {
        let Kind::Real { min, max } = self.column.kind else {
            return Err(Problem::new(RejectCode::NotANumber, text, "the column is no number"));
        };
        // Nine decimals: what a linear rule leaves behind (0.11799999999999999) is not data.
        let value = (number.as_f64() * 1e9).round() / 1e9;
        if !(min..=max).contains(&value) {
            let reason = format!("want {min} to {max}");
            return Err(Problem::new(RejectCode::OutOfRange, text, reason));
        }
        Ok(Value::Real(value))
    }
}

fn default_value(need: Need, symbols: &mut Symbols) -> Value {
    match need {
        Need::Required | Need::Null => Value::Null,
        Need::Text(text) => Value::Symbol(symbols.intern(text)),
        Need::Whole(value) => Value::Int(value),
        Need::Real(value) => Value::Real(value),
    }
}

/// `None` for a null.
fn as_number(cell: Cell) -> Result<Option<Number>, Problem> {
    match cell {
        Cell::Null => Ok(None),
        Cell::Text(text) if text.trim().is_empty() => Ok(None),
        Cell::Text(text) => parse::number(text.trim()).map(Some),
        Cell::Int(value) => Ok(Some(Number::whole(value))),
        Cell::Real(value) if value.is_finite() => Ok(Some(Number::Float(value))),
        Cell::Real(value) => {
            Err(Problem::new(RejectCode::NotFinite, &value.to_string(), "not a finite number"))
        }
        other => Err(refuse(other, RejectCode::NotANumber, "a date is not a number")),
    }
}

/// `None` when a column of the template is empty: half a key is not a key.
fn fill(parts: &[Part], chunk: &Chunk, row: usize) -> Option<String> {
    let mut text = String::new();
    for part in parts {
        match part {
            Part::Text(fixed) => text.push_str(fixed),
            Part::Column(column) => {
                let before = text.len();
                match chunk.columns[*column].get(row) {
                    Cell::Text(cell) => text.push_str(cell.trim()),
                    other => write_cell(other, &mut text),
                }
                if text.len() == before {
                    return None;
                }
            }
        }
    }
    Some(text)
}
