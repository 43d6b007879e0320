//! Cells that hold words of a certain form: free text, choices, currencies, price breaks, weekdays.

use crate::config::{Form, Problem, RejectCode, Symbols, Value, time_of_day, weekdays};

use super::chunk::{Cell, write_cell};

/// Longest text of a cell.
pub const TEXT_BYTES_MAX: usize = 1_000;
const FORMED_BYTES_MAX: usize = 10_000;

/// A problem with the cell as a person would write it.
pub fn refuse(cell: Cell, code: RejectCode, reason: &str) -> Problem {
    let mut text = String::new();
    write_cell(cell, &mut text);
    Problem::new(code, &text, reason)
}

pub fn check_text(text: &str, bytes_max: usize) -> Result<(), Problem> {
    if text.len() > bytes_max {
        let reason = format!("{} bytes; at most {bytes_max} are kept", text.len());
        return Err(Problem::new(RejectCode::ValueTooLong, text, reason));
    }
    if text.chars().any(char::is_control) {
        let reason = "a line break, tab or other control character";
        return Err(Problem::new(RejectCode::ControlCharacter, text, reason));
    }
    Ok(())
}

/// The column that names shoppers.
pub const SHOPPER: &str = "shopper_hash";
/// Hexadecimal digits of a hash: 128 bits.
const HASH_DIGITS: usize = 32;

pub fn keyed_hash(key: &[u8; 32], text: &str) -> String {
    blake3::keyed_hash(key, text.as_bytes()).to_hex()[..HASH_DIGITS].to_owned()
}

/// A shopper is stored as a keyed hash from the first byte on. What is one already stays; with a key,
/// anything else becomes one; without, the row is refused and its value not kept.
pub fn shopper(cell: Cell, key: Option<&[u8; 32]>) -> Result<String, Problem> {
    let mut text = String::new();
    write_cell(cell, &mut text);
    if text.len() >= HASH_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        check_text(&text, TEXT_BYTES_MAX)?;
        return Ok(text);
    }
    let reason = "a shopper is named by no hash; set GRANARY_HASH_SALT, or hash it before it comes \
                  here";
    key.map(|key| keyed_hash(key, &text))
        .ok_or_else(|| Problem::new(RejectCode::NotHashed, "", reason))
}

pub fn choice(cell: Cell, words: &[&str], symbols: &mut Symbols) -> Result<Value, Problem> {
    let mut text = String::new();
    write_cell(cell, &mut text);
    match words.iter().find(|word| word.eq_ignore_ascii_case(&text)) {
        Some(word) => Ok(Value::Symbol(symbols.intern(word))),
        None => {
            let reason = format!("want one of {}", words.join(", "));
            Err(Problem::new(RejectCode::NotAChoice, &text, reason))
        }
    }
}

pub fn currency(cell: Cell, symbols: &mut Symbols) -> Result<Value, Problem> {
    match cell {
        Cell::Text(text) if text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase()) => {
            Ok(Value::Symbol(symbols.intern(text)))
        }
        other => Err(refuse(other, RejectCode::NotACurrency, "want three capital letters")),
    }
}

pub fn formed(cell: Cell, form: Form, symbols: &mut Symbols) -> Result<Value, Problem> {
    let (code, want) = match form {
        Form::PriceBreaks => (RejectCode::NotPriceBreaks, "want JSON"),
        Form::Weekdays => (RejectCode::NotWeekdays, "want weekdays such as mon,thu"),
        Form::TimeOfDay => (RejectCode::NotATimeOfDay, "want HH:MM"),
    };
    let Cell::Text(text) = cell else { return Err(refuse(cell, code, want)) };
    check_text(text, FORMED_BYTES_MAX)?;
    let fits = match form {
        Form::PriceBreaks => return price_breaks(text, symbols),
        Form::Weekdays => weekdays(text).is_some(),
        Form::TimeOfDay => time_of_day(text).is_some(),
    };
    if fits { Ok(Value::Symbol(symbols.intern(text))) } else { Err(Problem::new(code, text, want)) }
}

fn price_breaks(text: &str, symbols: &mut Symbols) -> Result<Value, Problem> {
    match serde_json::from_str::<Vec<(u64, u64)>>(text) {
        Ok(breaks) if breaks.is_sorted_by(|a, b| a.0 < b.0) => {
            Ok(Value::Symbol(symbols.intern(text)))
        }
        Ok(_) => {
            let reason = "the quantities should grow";
            Err(Problem::new(RejectCode::NotPriceBreaks, text, reason))
        }
        Err(_) => {
            let reason = "want [[min_qty, unit_cost_minor], …]";
            Err(Problem::new(RejectCode::NotPriceBreaks, text, reason))
        }
    }
}
