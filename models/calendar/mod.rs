//! Calendar days as numbers, so that a series is a start and a slice; the Chinese lunisolar calendar
//! and the feasts that move with the moon or the sun.

mod lunar;
mod moving;

pub use lunar::{LUNAR_YEARS, LunarDate, lunar, lunar_year_phase, solar_of_lunar};
pub use moving::{autumnal_equinox, easter, nth_weekday, qingming, vernal_equinox};

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::str::FromStr;

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A calendar date, counted in days from 1970-01-01. Written and read as ISO 8601.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i32);

/// Text that is not an ISO 8601 calendar date.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a date: want YYYY-MM-DD")]
pub struct NotADay(pub String);

impl Day {
    /// `None` for a date that no calendar has, such as 30 February.
    pub fn from_ymd(year: i32, month: u32, day: u32) -> Option<Day> {
        NaiveDate::from_ymd_opt(year, month, day).map(Day::from)
    }

    pub fn to_date(self) -> NaiveDate {
        NaiveDate::default() + chrono::Duration::days(i64::from(self.0))
    }

    /// 0 is Monday, 6 is Sunday.
    pub fn weekday(self) -> usize {
        // 1970-01-01 was a Thursday.
        (self.0 + 3).rem_euclid(7) as usize
    }

    /// 1 to 31.
    pub fn day_of_month(self) -> u32 {
        self.to_date().day()
    }

    /// 0-based day of the year.
    pub fn day_of_year(self) -> u32 {
        self.to_date().ordinal0()
    }

    /// Every day from this one up to, and without, `end`.
    pub fn until(self, end: Day) -> impl DoubleEndedIterator<Item = Day> + ExactSizeIterator {
        (self.0..end.0.max(self.0)).map(Day)
    }
}

impl From<NaiveDate> for Day {
    fn from(date: NaiveDate) -> Day {
        Day((date - NaiveDate::default()).num_days() as i32)
    }
}

impl Add<i32> for Day {
    type Output = Day;
    fn add(self, days: i32) -> Day {
        Day(self.0 + days)
    }
}

impl AddAssign<i32> for Day {
    fn add_assign(&mut self, days: i32) {
        self.0 += days;
    }
}

impl Sub<i32> for Day {
    type Output = Day;
    fn sub(self, days: i32) -> Day {
        Day(self.0 - days)
    }
}

/// Days from `other` to `self`.
impl Sub for Day {
    type Output = i32;
    fn sub(self, other: Day) -> i32 {
        self.0 - other.0
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_date().fmt(f)
    }
}

impl FromStr for Day {
    type Err = NotADay;
    fn from_str(text: &str) -> Result<Day, NotADay> {
        let bytes = text.as_bytes();
        let digits = |range: std::ops::Range<usize>| {
            bytes[range]
                .iter()
                .try_fold(0u32, |n, b| b.is_ascii_digit().then(|| n * 10 + u32::from(b - b'0')))
        };
        let day = if bytes.len() == 10 && bytes[4] == b'-' && bytes[7] == b'-' {
            match (digits(0..4), digits(5..7), digits(8..10)) {
                (Some(year), Some(month), Some(day)) => Day::from_ymd(year as i32, month, day),
                _ => None,
            }
        } else {
            None
        };
        day.ok_or_else(|| NotADay(text.to_owned()))
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Day, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, days: i32, weekday: usize) {
        let day: Day = text.parse().expect(text);
        assert_eq!(day.0, days, "{text}");
        assert_eq!(day.weekday(), weekday, "{text}");
        assert_eq!(day.to_string(), text);
    }

    #[test]
    fn days_are_counted_from_1970_and_weekdays_from_monday() {
        check("1970-01-01", 0, 3);
        check("1969-12-28", -4, 6);
        check("2024-02-29", 19782, 3);
        check("2025-10-20", 20381, 0);
    }

    #[test]
    fn what_is_not_an_iso_date_is_refused() {
        for text in
            ["", "2024-2-9", "2023-02-29", "20240229", "2024-02-29 ", "２024-02-29", "2024/02/29"]
        {
            assert_eq!(text.parse::<Day>(), Err(NotADay(text.to_owned())));
        }
    }
}
