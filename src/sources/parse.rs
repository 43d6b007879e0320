//! Our own typed parser: text to numbers, dates and instants, with a stable code for what is not.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime};
use granary_models::calendar::Day;

use crate::config::{Problem, RejectCode};

/// A number as it was written, or as a float where the file holds floats.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// `mantissa × 10^-decimals`
    Exact {
        mantissa: i64,
        decimals: u32,
    },
    Float(f64),
}

impl Number {
    pub fn whole(value: i64) -> Number {
        Number::Exact { mantissa: value, decimals: 0 }
    }

    pub fn as_f64(self) -> f64 {
        match self {
            Number::Exact { mantissa, decimals } => mantissa as f64 / 10f64.powi(decimals as i32),
            Number::Float(value) => value,
        }
    }
}

/// Reads a plain decimal: sign, digits, one point, an exponent. No grouping, no other script.
pub fn number(text: &str) -> Result<Number, Problem> {
    let wrong = |code, reason: &str| Err(Problem::new(code, text, reason));
    let (negative, digits) = match text.as_bytes() {
        [b'-', ..] => (true, &text[1..]),
        [b'+', ..] => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    if matches!(lower.as_str(), "nan" | "inf" | "infinity" | "1.#inf" | "1.#qnan") {
        return wrong(RejectCode::NotFinite, "not a finite number");
    }
    let (plain, exponent) = match lower.split_once('e') {
        Some((plain, exponent)) => match exponent.parse::<i32>() {
            Ok(exponent) => (plain, exponent),
            Err(_) => return wrong(RejectCode::NotANumber, "want a plain decimal number"),
        },
        None => (lower.as_str(), 0),
    };
    let (whole, part) = plain.split_once('.').unwrap_or((plain, ""));
    let is_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.len() + part.len() == 0 || !is_digits(whole) || !is_digits(part) {
        return wrong(RejectCode::NotANumber, "want a plain decimal number");
    }
    let part = part.trim_end_matches('0');
    let mut mantissa: i64 = 0;
    for digit in whole.bytes().chain(part.bytes()) {
        let next = mantissa.checked_mul(10).and_then(|m| m.checked_add(i64::from(digit - b'0')));
        match next {
            Some(next) => mantissa = next,
            None => return wide(text, negative),
        }
    }
    if negative {
        mantissa = -mantissa;
    }
    let mut decimals = part.len() as i64 - i64::from(exponent);
    while decimals < 0 && mantissa != 0 {
        match mantissa.checked_mul(10) {
            Some(next) => mantissa = next,
            None => return wide(text, negative),
        }
        decimals += 1;
    }
    while decimals > 0 && mantissa % 10 == 0 && mantissa != 0 {
        mantissa /= 10;
        decimals -= 1;
    }
    if mantissa == 0 {
        decimals = 0;
    }
    if decimals > 18 {
        return Ok(Number::Float(mantissa as f64 / 10f64.powi(decimals.min(400) as i32)));
    }
    Ok(Number::Exact { mantissa, decimals: decimals.max(0) as u32 })
}

/// More digits than 64 bits hold: a float where that is finite, for columns that take floats.
fn wide(text: &str, negative: bool) -> Result<Number, Problem> {
    match text.trim_start_matches(['+', '-']).parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(Number::Float(if negative { -value } else { value })),
        _ => Err(Problem::new(RejectCode::NotFinite, text, "too large for any number")),
    }
}

/// `number × 10^shift` as a whole number. With `round`, halves go away from zero; without it a
/// remainder is refused.
pub fn scaled(number: Number, shift: u32, round: bool, text: &str) -> Result<i64, Problem> {
    let too_large =
        || Problem::new(RejectCode::OutOfRange, text, "more than a 64-bit whole number holds");
    let remainder = || {
        if shift == 0 {
            return Problem::new(RejectCode::NotWhole, text, "want a whole number");
        }
        let reason = format!("more than {shift} decimals; `round = true` would allow it");
        Problem::new(RejectCode::TooManyDecimals, text, reason)
    };
    match number {
        Number::Exact { mantissa, decimals } if decimals <= shift => {
            mantissa.checked_mul(10i64.pow(shift - decimals)).ok_or_else(too_large)
        }
        Number::Exact { mantissa, decimals } => {
            let unit = 10i64.checked_pow(decimals - shift).ok_or_else(remainder)?;
            if !round {
                return Err(remainder());
            }
            let half = unit / 2 * mantissa.signum();
            // A quotient of a 64-bit number by ten or more fits.
            Ok(((i128::from(mantissa) + i128::from(half)) / i128::from(unit)) as i64)
        }
        Number::Float(value) => {
            let value = value * 10f64.powi(shift as i32);
            // 2^53: beyond it a float no longer tells whole numbers apart.
            if !value.is_finite() || value.abs() > 9_007_199_254_740_992.0 {
                return Err(too_large());
            }
            let whole = value.round();
            // Sixteen digits hold about eleven beside a quantity of five.
            if !round && (value - whole).abs() > 1e-6 * value.abs().max(1.0) {
                return Err(remainder());
            }
            Ok(whole as i64)
        }
    }
}

/// How dates are written and how far the shop's day is from the stamps' clock.
#[derive(Clone, Debug, Default)]
pub struct DateStyle {
    /// Tried in order; empty: ISO 8601 and year-first forms only.
    pub formats: Vec<String>,
    /// Added to an instant before its date is taken.
    pub shift_hours: i64,
}

const YEARS: std::ops::RangeInclusive<i32> = 1900..=2100;

/// Reads a date. Year-first forms are always understood; any other needs a declared format.
pub fn day(text: &str, style: &DateStyle) -> Result<Day, Problem> {
    if style.formats.is_empty() {
        return undeclared(text, style);
    }
    let text_fixed = short_september(text);
    let mut outside = false;
    for format in &style.formats {
        let parsed = if has_time(format) {
            NaiveDateTime::parse_from_str(&text_fixed, format)
                .ok()
                .and_then(|at| shifted(at, style.shift_hours))
                .map(|at| at.date())
        } else {
            NaiveDate::parse_from_str(&text_fixed, format).ok()
        };
        match parsed {
            Some(date) if YEARS.contains(&date.year()) => return Ok(Day::from(date)),
            Some(_) => outside = true,
            None => {}
        }
    }
    if let Ok(day) = undeclared(text, style) {
        return Ok(day);
    }
    let (code, reason) = if outside {
        (RejectCode::DateOutOfRange, "the year is not between 1900 and 2100".to_owned())
    } else {
        (RejectCode::NotADate, format!("fits none of the formats {}", style.formats.join(", ")))
    };
    Err(Problem::new(code, text, reason))
}

fn has_time(format: &str) -> bool {
    ["%H", "%I", "%T", "%R", "%X"].iter().any(|part| format.contains(part))
}

/// Four-letter `Sept` is common in English and unknown to strptime.
fn short_september(text: &str) -> std::borrow::Cow<'_, str> {
    match text.to_ascii_lowercase().find("sept") {
        Some(at) if !text[at..].to_ascii_lowercase().starts_with("september") => {
            format!("{}Sep{}", &text[..at], &text[at + 4..]).into()
        }
        _ => text.into(),
    }
}

fn shifted(at: NaiveDateTime, hours: i64) -> Option<NaiveDateTime> {
    at.checked_add_signed(chrono::Duration::try_hours(hours)?)
}

fn undeclared(text: &str, style: &DateStyle) -> Result<Day, Problem> {
    if let Ok(day) = text.parse::<Day>() {
        return in_range(day.to_date(), text);
    }
    if let Some(at) = instant(text) {
        return match shifted(at, style.shift_hours) {
            Some(at) => in_range(at.date(), text),
            None => Err(Problem::new(RejectCode::DateOutOfRange, text, "no such date")),
        };
    }
    let parts: Vec<&str> = text.split(['/', '-', '.']).collect();
    let is_number = |part: &&str| {
        !part.is_empty() && part.len() <= 4 && part.bytes().all(|b| b.is_ascii_digit())
    };
    if parts.len() != 3 || !parts.iter().all(is_number) {
        return Err(Problem::new(
            RejectCode::NotADate,
            text,
            "want YYYY-MM-DD, or a declared format",
        ));
    }
    if parts[0].len() == 4 && parts[1].len() <= 2 && parts[2].len() <= 2 {
        let number = |i: usize| parts[i].parse::<u32>().unwrap_or(0);
        return match NaiveDate::from_ymd_opt(number(0) as i32, number(1), number(2)) {
            Some(date) => in_range(date, text),
            None => Err(Problem::new(RejectCode::NotADate, text, "no such date")),
        };
    }
    Err(Problem::new(
        RejectCode::AmbiguousDate,
        text,
        "day, month and year cannot be told apart; declare `date_formats` in the map",
    ))
}

fn in_range(date: NaiveDate, text: &str) -> Result<Day, Problem> {
    if YEARS.contains(&date.year()) {
        return Ok(Day::from(date));
    }
    let reason = "the year is not between 1900 and 2100";
    Err(Problem::new(RejectCode::DateOutOfRange, text, reason))
}

/// ISO 8601 date and time; without an offset it is UTC.
fn instant(text: &str) -> Option<NaiveDateTime> {
    if text.len() < 16 {
        return None;
    }
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.naive_utc());
    }
    ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
}

/// Seconds since 1970 in UTC.
pub fn stamp(text: &str, style: &DateStyle) -> Result<i64, Problem> {
    let declared = style
        .formats
        .iter()
        .filter(|format| has_time(format))
        .find_map(|format| NaiveDateTime::parse_from_str(&short_september(text), format).ok());
    match declared.or_else(|| instant(text)) {
        Some(at) => stamp_in_range(at.and_utc().timestamp(), text),
        None => Err(Problem::new(
            RejectCode::NotATime,
            text,
            "want YYYY-MM-DDTHH:MM:SSZ, or a declared format with hours",
        )),
    }
}

/// Refuses an instant outside 1900..=2100.
pub fn stamp_in_range(seconds: i64, text: &str) -> Result<i64, Problem> {
    match DateTime::from_timestamp(seconds, 0) {
        Some(at) if YEARS.contains(&at.year()) => Ok(seconds),
        _ => {
            let reason = "the year is not between 1900 and 2100";
            Err(Problem::new(RejectCode::DateOutOfRange, text, reason))
        }
    }
}

/// Refuses a date outside 1900..=2100.
pub fn day_in_range(day: i64, text: &str) -> Result<i32, Problem> {
    // 1900-01-01 and 2100-12-31 in days since 1970.
    if (-25_567..=47_846).contains(&day) {
        return Ok(day as i32);
    }
    let reason = "the year is not between 1900 and 2100";
    Err(Problem::new(RejectCode::DateOutOfRange, text, reason))
}
