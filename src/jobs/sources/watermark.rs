//! How far a query was read: the largest value of one column, and from where the next pull asks.

use anyhow::Context;
use chrono::{DateTime, Duration, NaiveDate, NaiveDateTime, Utc};

use crate::config::source::{Watermark, WatermarkKind};
use crate::config::{Exit, Refused};
use crate::sources::query::Answer;
use crate::sources::query::sql::ParameterKind;

/// A value so far ahead is a slip. Taken for the watermark it would end all pulls until that day.
const AHEAD_DAYS: i64 = 2;

/// A value of the column: whole numbers as they are, times in microseconds, days in days.
fn value(kind: WatermarkKind, text: &str) -> Option<i64> {
    let text = text.trim();
    match kind {
        WatermarkKind::Integer => text.parse().ok(),
        WatermarkKind::Date => {
            let day = text.get(..10)?;
            let day = NaiveDate::parse_from_str(day, "%Y-%m-%d").ok()?;
            let midnight = |rest: &str| rest.bytes().all(|byte| b" T0:.Z+".contains(&byte));
            midnight(&text[10..]).then(|| (day - NaiveDate::default()).num_days())
        }
        WatermarkKind::Timestamp => timestamp(text).map(|at| at.and_utc().timestamp_micros()),
    }
}

/// As databases write it: `2026-01-02 03:04:05.678+00`, with `T`, `Z`, or without an offset (UTC).
fn timestamp(text: &str) -> Option<NaiveDateTime> {
    let text = text.replacen('T', " ", 1);
    if let Ok(day) = NaiveDate::parse_from_str(&text, "%Y-%m-%d") {
        return day.and_hms_opt(0, 0, 0);
    }
    let plain = text.strip_suffix('Z').unwrap_or(&text).trim_end();
    NaiveDateTime::parse_from_str(plain, "%Y-%m-%d %H:%M:%S%.f").ok().or_else(|| {
        let full = match plain.rfind(['+', '-']) {
            // `+00` is short for `+00:00`.
            Some(at) if plain.len() - at == 3 => format!("{plain}:00"),
            _ => plain.to_owned(),
        };
        DateTime::parse_from_str(&full, "%Y-%m-%d %H:%M:%S%.f%:z").ok().map(|at| at.naive_utc())
    })
}

fn written(kind: WatermarkKind, value: i64) -> Option<String> {
    match kind {
        WatermarkKind::Integer => Some(value.to_string()),
        WatermarkKind::Date => {
            let day = NaiveDate::default().checked_add_signed(Duration::try_days(value)?)?;
            Some(day.to_string())
        }
        WatermarkKind::Timestamp => {
            let at = DateTime::from_timestamp_micros(value)?;
            let text = at.format("%Y-%m-%d %H:%M:%S%.6f").to_string();
            // SQLite compares times as texts, so this is the least of those that mean the instant.
            Some(text.trim_end_matches('0').trim_end_matches('.').to_owned())
        }
    }
}

impl From<WatermarkKind> for ParameterKind {
    fn from(kind: WatermarkKind) -> ParameterKind {
        match kind {
            WatermarkKind::Date => ParameterKind::Date,
            WatermarkKind::Timestamp => ParameterKind::Timestamp,
            WatermarkKind::Integer => ParameterKind::Integer,
        }
    }
}

/// What `:watermark` stands for: the stored value, or the start, less what may come late.
///
/// # Errors
/// A start that is no value of the type.
pub fn asked_from(of: &Watermark, stored: Option<&str>) -> anyhow::Result<String> {
    let wrong = || {
        let message =
            format!("watermark: start = {:?} is no {:?}", of.start, of.kind).to_lowercase();
        Refused::new(Exit::Usage, message)
    };
    let start = value(of.kind, &of.start).ok_or_else(wrong)?;
    let Some(stored) = stored else { return written(of.kind, start).context("watermark: start") };
    let stored = value(of.kind, stored)
        .with_context(|| format!("the stored watermark {stored:?} is no {:?}", of.kind))?;
    let late_days = i64::from(of.late_days.unwrap_or(0));
    let late = match of.kind {
        WatermarkKind::Date => late_days,
        WatermarkKind::Timestamp => late_days * 86_400_000_000,
        WatermarkKind::Integer => i64::try_from(of.late_by.unwrap_or(0)).unwrap_or(i64::MAX),
    };
    let from = stored.saturating_sub(late).max(start);
    written(of.kind, from).context("the watermark is out of range")
}

/// The watermark after these rows, and a note where values were too far ahead to count.
///
/// # Errors
/// The result lacks the column, or a cell is no value of its type.
pub fn after(
    of: &Watermark,
    stored: Option<&str>,
    answer: &Answer,
    now: DateTime<Utc>,
) -> anyhow::Result<(Option<String>, Option<String>)> {
    let rejected = |message: String| Refused::new(Exit::DataRejected, message);
    let column = answer
        .columns
        .iter()
        .position(|column| column.name.eq_ignore_ascii_case(&of.column))
        .ok_or_else(|| {
            rejected(format!("the result has no column `{}`, the watermark's", of.column))
        })?;
    let limit = match of.kind {
        WatermarkKind::Integer => i64::MAX,
        WatermarkKind::Date => now.timestamp().div_euclid(86_400) + AHEAD_DAYS,
        WatermarkKind::Timestamp => now.timestamp_micros() + AHEAD_DAYS * 86_400_000_000,
    };
    let mut largest = stored.and_then(|stored| value(of.kind, stored));
    let mut ahead = 0u64;
    for (row, text) in answer.texts(column) {
        let found = value(of.kind, text).ok_or_else(|| {
            let kind = format!("{:?}", of.kind).to_lowercase();
            rejected(format!("row {row}: `{}` is {text:?}, want a {kind}", of.column))
        })?;
        if found > limit {
            ahead += 1;
        } else {
            largest = largest.max(Some(found));
        }
    }
    let note = (ahead > 0).then(|| {
        format!(
            "{ahead} rows have `{}` more than {AHEAD_DAYS} days ahead of the clock; they do not move \
             the watermark",
            of.column
        )
    });
    let text = match largest {
        Some(value) => Some(written(of.kind, value).context("the watermark is out of range")?),
        None => None,
    };
    Ok((text, note))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: WatermarkKind, start: &str, late_days: u32, late_by: u64) -> Watermark {
        Watermark {
            column: "at".to_owned(),
            kind,
            start: start.to_owned(),
            late_days: Some(late_days),
            late_by: Some(late_by),
        }
    }

    #[test]
    fn the_next_pull_asks_from_the_watermark_less_what_comes_late() {
        use WatermarkKind::*;
        let cases = [
            (Date, "2026-01-01", None, 3, 0, "2026-01-01"),
            (Date, "2026-01-01", Some("2026-03-01"), 3, 0, "2026-02-26"),
            (Date, "2026-01-01", Some("2026-01-02"), 3, 0, "2026-01-01"),
            (
                Timestamp,
                "2026-01-01",
                Some("2026-03-01 01:02:03.000004"),
                1,
                0,
                "2026-02-28 01:02:03.000004",
            ),
            (Integer, "0", Some("100"), 0, 30, "70"),
            (Integer, "0", Some("10"), 0, 30, "0"),
        ];
        for (kind, start, stored, late_days, late_by, want) in cases {
            let got = asked_from(&of(kind, start, late_days, late_by), stored).expect(want);
            assert_eq!(got, want);
        }
        let error = asked_from(&of(Date, "soon", 0, 0), None).expect_err("no date");
        assert!(error.to_string().contains("\"soon\" is no date"), "{error}");
    }

    #[test]
    fn times_as_servers_write_them() {
        let want = timestamp("2026-01-02 03:04:05.5").expect("plain");
        for text in [
            "2026-01-02T03:04:05.5",
            "2026-01-02 03:04:05.500000",
            "2026-01-02 03:04:05.5Z",
            "2026-01-02 03:04:05.5+00",
            "2026-01-02 05:04:05.5+02:00",
            "2026-01-01 22:04:05.5-05",
        ] {
            assert_eq!(timestamp(text), Some(want), "{text}");
        }
        for text in ["", "yesterday", "2026-13-01", "2026-01-02 25:00:00", "02/01/2026"] {
            assert_eq!(timestamp(text), None, "{text}");
        }
        assert_eq!(value(WatermarkKind::Date, "2026-01-02 00:00:00"), Some(20_455));
        assert_eq!(value(WatermarkKind::Date, "2026-01-02 10:00:00"), None);
    }
}
