//! Labels of time and the steps that they stand for.

use chrono::{DateTime, Datelike, NaiveDate};
use granary_models::calendar::Day;
use serde::Serialize;

use crate::sources::{Cell, parse};

const HOUR_SECONDS: i64 = 3600;
const DAY_HOURS: i64 = 24;
/// Whole numbers of time beyond this are no count of steps.
const STEP_MAX: i64 = 1_000_000_000_000_000;
/// So many distances between rows have to agree before a coarser frequency is suggested.
const EVIDENCE_MIN: usize = 3;

/// What one step of a series is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Freq {
    #[serde(rename = "D")]
    Day,
    #[serde(rename = "W")]
    Week,
    #[serde(rename = "M")]
    Month,
    #[serde(rename = "H")]
    Hour,
    #[serde(rename = "1")]
    Step,
}

impl Freq {
    pub const ALL: [Freq; 5] = [Freq::Day, Freq::Week, Freq::Month, Freq::Hour, Freq::Step];

    pub fn as_str(self) -> &'static str {
        match self {
            Freq::Day => "D",
            Freq::Week => "W",
            Freq::Month => "M",
            Freq::Hour => "H",
            Freq::Step => "1",
        }
    }

    /// `D`, `W`, `M`, `H` or `1`; also as pandas writes them: `W-MON`, `MS`, `ME`, `h`.
    pub fn parse(text: &str) -> Option<Freq> {
        match text.to_ascii_uppercase().as_str() {
            "D" => Some(Freq::Day),
            "W" | "W-MON" | "W-TUE" | "W-WED" | "W-THU" | "W-FRI" | "W-SAT" | "W-SUN" => {
                Some(Freq::Week)
            }
            "M" | "MS" | "ME" => Some(Freq::Month),
            "H" => Some(Freq::Hour),
            "1" => Some(Freq::Step),
            _ => None,
        }
    }

    pub fn unit(self) -> &'static str {
        match self {
            Freq::Day => "day",
            Freq::Week => "week",
            Freq::Month => "month",
            Freq::Hour => "hour",
            Freq::Step => "step",
        }
    }

    /// Reads a label as days since 1970, hours' seconds since 1970, or the whole number that it is.
    ///
    /// # Errors
    /// Says what the cell should have been.
    pub fn read(self, cell: Cell<'_>) -> Result<i64, String> {
        match self {
            Freq::Day | Freq::Week | Freq::Month => read_day(cell),
            Freq::Hour => read_hour(cell),
            Freq::Step => read_number(cell),
        }
    }
}

fn read_day(cell: Cell<'_>) -> Result<i64, String> {
    let midnight = |seconds: i64, micros: i64| {
        if micros != 0 || seconds % (HOUR_SECONDS * DAY_HOURS) != 0 {
            return Err("it has a time of day; --freq H would fit".to_owned());
        }
        in_years(seconds.div_euclid(HOUR_SECONDS * DAY_HOURS))
    };
    match cell {
        Cell::Day(day) => in_years(i64::from(day)),
        Cell::Stamp(micros) => midnight(micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000)),
        Cell::Text(text) => {
            let text = text.trim();
            if let Ok(day) = text.parse::<Day>() {
                return in_years(i64::from(day.0));
            }
            match parse::stamp(text, &parse::DateStyle::default()) {
                Ok(seconds) => midnight(seconds, 0),
                Err(_) => parse::day(text, &parse::DateStyle::default())
                    .map(|day| i64::from(day.0))
                    .map_err(|problem| not_a(problem.reason, text)),
            }
        }
        Cell::Int(_) | Cell::Real(_) => {
            Err("it is a number, not a date; --freq 1 would fit".into())
        }
        Cell::Null => Err("it is missing; want a date".into()),
    }
}

/// The parser's word for a text that is no date, with the frequency of one that is a number.
fn not_a(reason: String, text: &str) -> String {
    if text.parse::<i64>().is_ok() {
        return "it is a number, not a date; --freq 1 would fit".into();
    }
    reason
}

fn in_years(day: i64) -> Result<i64, String> {
    parse::day_in_range(day, "").map(i64::from).map_err(|problem| problem.reason)
}

fn read_hour(cell: Cell<'_>) -> Result<i64, String> {
    let whole = |seconds: i64, micros: i64| {
        if micros != 0 {
            return Err("it has a fraction of a second; want one row an hour".to_owned());
        }
        parse::stamp_in_range(seconds, "").map_err(|problem| problem.reason)
    };
    match cell {
        Cell::Day(day) => whole(i64::from(day) * HOUR_SECONDS * DAY_HOURS, 0),
        Cell::Stamp(micros) => whole(micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000)),
        Cell::Text(text) => {
            let text = text.trim();
            if let Ok(day) = text.parse::<Day>() {
                return whole(i64::from(day.0) * HOUR_SECONDS * DAY_HOURS, 0);
            }
            parse::stamp(text, &parse::DateStyle::default())
                .map_err(|problem| not_a(problem.reason, text))
        }
        Cell::Int(_) | Cell::Real(_) => {
            Err("it is a number, not an instant; --freq 1 would fit".into())
        }
        Cell::Null => Err("it is missing; want a date with a time".into()),
    }
}

fn read_number(cell: Cell<'_>) -> Result<i64, String> {
    let legal = |value: i64| {
        let inside = (-STEP_MAX..=STEP_MAX).contains(&value);
        inside.then_some(value).ok_or_else(|| format!("legal is -{STEP_MAX} to {STEP_MAX}"))
    };
    match cell {
        Cell::Int(value) => legal(value),
        Cell::Real(value) if value.fract() == 0.0 && value.abs() <= STEP_MAX as f64 => {
            legal(value as i64)
        }
        Cell::Text(text) => {
            let text = text.trim();
            let value = parse::number(text)
                .and_then(|number| parse::scaled(number, 0, false, text))
                .map_err(|problem| match parse::day(text, &parse::DateStyle::default()) {
                    Ok(_) => "it is a date; --freq D, W, M or H would fit".to_owned(),
                    Err(_) => problem.reason,
                })?;
            legal(value)
        }
        Cell::Day(_) | Cell::Stamp(_) => Err("it is a date; --freq D, W, M or H would fit".into()),
        Cell::Real(_) => Err("want a whole number".into()),
        Cell::Null => Err("it is missing; want a whole number".into()),
    }
}

/// Where a step's label lies within the step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Days after a Thursday, or seconds after a full hour.
    Offset(i64),
    DayOfMonth(u32),
    EndOfMonth,
}

/// Labels to steps and back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    pub freq: Freq,
    phase: Phase,
}

fn date(day: i64) -> NaiveDate {
    Day(day as i32).to_date()
}

fn is_month_end(day: i64) -> bool {
    date(day + 1).day() == 1
}

impl Clock {
    /// The clock of labels; the first one sets the phase, months are dated alike or by their ends.
    pub fn of(freq: Freq, labels: &[i64]) -> Clock {
        let first = labels.first().copied().unwrap_or(0);
        let phase = match freq {
            Freq::Day | Freq::Step => Phase::Offset(0),
            Freq::Week => Phase::Offset(first.rem_euclid(7)),
            Freq::Hour => Phase::Offset(first.rem_euclid(HOUR_SECONDS)),
            Freq::Month if labels.iter().all(|&day| is_month_end(day)) => Phase::EndOfMonth,
            Freq::Month => Phase::DayOfMonth(date(first).day()),
        };
        Clock { freq, phase }
    }

    /// `None` for a label that is not one of this clock's.
    pub fn step(&self, label: i64) -> Option<i64> {
        let every = |size: i64, phase: i64| {
            (label.rem_euclid(size) == phase).then(|| label.div_euclid(size))
        };
        match (self.freq, self.phase) {
            (Freq::Week, Phase::Offset(phase)) => every(7, phase),
            (Freq::Hour, Phase::Offset(phase)) => every(HOUR_SECONDS, phase),
            (Freq::Month, phase) => {
                let at = date(label);
                let fits = match phase {
                    Phase::DayOfMonth(day) => at.day() == day,
                    _ => is_month_end(label),
                };
                fits.then(|| i64::from(at.year()) * 12 + i64::from(at.month0()))
            }
            _ => Some(label),
        }
    }

    pub fn label(&self, step: i64) -> i64 {
        match (self.freq, self.phase) {
            (Freq::Week, Phase::Offset(phase)) => step * 7 + phase,
            (Freq::Hour, Phase::Offset(phase)) => step * HOUR_SECONDS + phase,
            (Freq::Month, phase) => {
                let month = |step: i64, day: u32| {
                    let (year, month) = (step.div_euclid(12), step.rem_euclid(12) as u32 + 1);
                    let date = NaiveDate::from_ymd_opt(year as i32, month, day);
                    date.map(|date| i64::from(Day::from(date).0))
                };
                let end = || month(step + 1, 1).map_or(0, |next| next - 1);
                match phase {
                    // A month without that day ends before it.
                    Phase::DayOfMonth(day) => month(step, day).unwrap_or_else(end),
                    _ => end(),
                }
            }
            _ => step,
        }
    }

    /// A step as people read it.
    pub fn text(&self, step: i64) -> String {
        self.label_text(self.label(step))
    }

    pub fn label_text(&self, label: i64) -> String {
        match self.freq {
            Freq::Day | Freq::Week | Freq::Month => date(label).to_string(),
            Freq::Hour => DateTime::from_timestamp(label, 0)
                .map_or_else(|| label.to_string(), |at| at.format("%Y-%m-%dT%H:%M:%S").to_string()),
            Freq::Step => label.to_string(),
        }
    }
}

/// A coarser or finer frequency that every label fits, for the message of one that does not.
/// `series` are the labels of each series in their order.
pub fn fitting<'a>(freq: Freq, series: impl Iterator<Item = &'a [i64]> + Clone) -> Option<Freq> {
    let candidates: &[Freq] = match freq {
        Freq::Day | Freq::Week | Freq::Month => &[Freq::Month, Freq::Week, Freq::Day],
        Freq::Hour | Freq::Step => return None,
    };
    let all: Vec<i64> = series.flatten().copied().collect();
    let fits = |freq: &Freq| {
        let clock = Clock::of(*freq, &all);
        all.iter().all(|&label| clock.step(label).is_some())
    };
    candidates.iter().copied().filter(|other| *other != freq).find(fits)
}

/// The coarser frequency of labels that a finer one would take for a series full of gaps: no two
/// rows are one step apart, and all fit the coarser.
pub fn coarser<'a>(
    clock: &Clock,
    series: impl Iterator<Item = &'a [i64]> + Clone,
) -> Option<&'static str> {
    let mut found = 0;
    for labels in series.clone() {
        for pair in labels.windows(2) {
            if clock.step(pair[1])? - clock.step(pair[0])? <= 1 {
                return None;
            }
            found += 1;
        }
    }
    if found < EVIDENCE_MIN {
        return None;
    }
    match clock.freq {
        Freq::Day => fitting(Freq::Day, series).map(Freq::as_str),
        Freq::Hour => {
            let day = DAY_HOURS * HOUR_SECONDS;
            let first = series.clone().flatten().next().copied()?.rem_euclid(day);
            series.flatten().all(|label| label.rem_euclid(day) == first).then_some("D")
        }
        Freq::Week | Freq::Month | Freq::Step => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> i64 {
        i64::from(text.parse::<Day>().expect(text).0)
    }

    fn check(freq: Freq, labels: &[&str], apart: &[Option<i64>]) {
        let days: Vec<i64> = labels.iter().map(|text| day(text)).collect();
        let clock = Clock::of(freq, &days);
        let first = clock.step(days[0]).expect("the first label sets the phase");
        let steps: Vec<Option<i64>> =
            days.iter().map(|&day| clock.step(day).map(|step| step - first)).collect();
        assert_eq!(steps, apart, "{labels:?}");
        for (&label, step) in days.iter().zip(&steps) {
            if let Some(step) = step {
                assert_eq!(clock.label(step + first), label, "{labels:?}");
            }
        }
    }

    #[test]
    fn labels_become_steps_and_labels_again() {
        check(Freq::Day, &["2024-02-28", "2024-03-01"], &[Some(0), Some(2)]);
        check(Freq::Week, &["2024-01-01", "2024-01-15", "2024-01-16"], &[Some(0), Some(2), None]);
        check(Freq::Month, &["2023-12-01", "2024-02-01"], &[Some(0), Some(2)]);
        check(
            Freq::Month,
            &["2024-01-31", "2024-02-29", "2024-04-30"],
            &[Some(0), Some(1), Some(3)],
        );
        check(Freq::Month, &["2024-01-01", "2024-02-02"], &[Some(0), None]);
        check(Freq::Month, &["1969-12-31", "1970-01-31"], &[Some(0), Some(1)]);
    }

    #[test]
    fn a_frequency_that_would_fit_is_found() {
        let check = |freq, labels: &[&str], want| {
            let days: Vec<i64> = labels.iter().map(|text| day(text)).collect();
            assert_eq!(fitting(freq, [days.as_slice()].into_iter()), want, "{labels:?}");
        };
        check(Freq::Week, &["2024-01-01", "2024-01-02"], Some(Freq::Day));
        check(Freq::Month, &["2024-01-01", "2024-01-08"], Some(Freq::Week));
        check(Freq::Week, &["2024-01-01", "2024-02-01"], Some(Freq::Month));
        let weekly: Vec<i64> = (0..5).map(|week| 19_000 + 7 * week).collect();
        let clock = Clock::of(Freq::Day, &weekly);
        assert_eq!(coarser(&clock, [weekly.as_slice()].into_iter()), Some("W"));
        let gappy = [19_000, 19_002, 19_009, 19_013];
        assert_eq!(coarser(&clock, [gappy.as_slice()].into_iter()), None);
    }
}
