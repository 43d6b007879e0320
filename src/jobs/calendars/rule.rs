//! The rules of `data/calendars/rules/`: on which days of a year something recurs.
//!
//! ```text
//! 12-25                    a date of every year
//! mon#3 01   mon#-1 05     the third Monday of January, the last of May
//! wed before 11-23         the last Wednesday before a date
//! easter   qingming   vernal   autumnal
//! lunar 08-15              a day of the Chinese calendar that begins in the year (months 11 and 12:
//!                          in the year before)
//! … -2                     so many days before, or after, that
//! … if sat -1 if sun +1    only on these weekdays, and then so many days off
//! … unless sun             not on this weekday
//! … for 3                  days in all
//! 2011-04-29 2024-05-06..2024-05-08     days that follow no rule
//! ```

use anyhow::{Context, bail, ensure};
use granary_models::calendar::{
    self, Day, LunarDate, autumnal_equinox, easter, nth_weekday, qingming, vernal_equinox,
};

const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// A window that is longer was mistyped.
const LENGTH_MAX: i32 = 31;

#[derive(Clone, Debug, PartialEq)]
pub enum When {
    /// First and last days.
    Listed(Vec<(Day, Day)>),
    Yearly(Rule),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    base: Base,
    shift: i32,
    /// Days to add where the shifted day is this weekday; `None`: nothing happens then.
    moves: [Option<i32>; 7],
    days: i32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Base {
    Date { month: u32, day: u32 },
    Nth { weekday: usize, nth: i32, month: u32 },
    Before { weekday: usize, month: u32, day: u32 },
    Lunar { month: u32, day: u32 },
    Easter,
    Qingming,
    VernalEquinox,
    AutumnalEquinox,
}

impl Base {
    fn day(self, year: i32) -> Option<Day> {
        match self {
            Base::Date { month, day } => Day::from_ymd(year, month, day),
            Base::Nth { weekday, nth, month } => nth_weekday(year, month, weekday, nth),
            Base::Before { weekday, month, day } => {
                let last = Day::from_ymd(year, month, day)? - 1;
                Some(last - (last.weekday() as i32 - weekday as i32).rem_euclid(7))
            }
            Base::Lunar { month, day } => {
                let year = if month > 10 { year - 1 } else { year };
                calendar::solar_of_lunar(LunarDate { year, month, leap: false, day })
            }
            Base::Easter => easter(year),
            Base::Qingming => qingming(year),
            Base::VernalEquinox => vernal_equinox(year),
            Base::AutumnalEquinox => autumnal_equinox(year),
        }
    }
}

impl Rule {
    /// First and last day of what the rule finds in a year.
    pub fn window(&self, year: i32) -> Option<(Day, Day)> {
        let day = self.base.day(year)? + self.shift;
        let start = day + self.moves[day.weekday()]?;
        Some((start, start + (self.days - 1)))
    }
}

/// Reads one rule.
///
/// # Errors
/// A text that is none of the forms above.
pub fn parse(text: &str) -> anyhow::Result<When> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let first = *words.first().context("the rule is empty")?;
    if first.len() >= 10 && first.as_bytes()[..4].iter().all(u8::is_ascii_digit) {
        return Ok(When::Listed(words.into_iter().map(listed).collect::<anyhow::Result<_>>()?));
    }
    let mut words = words.into_iter().peekable();
    let base = base(&mut words)?;
    let mut rule = Rule { base, shift: 0, moves: [Some(0); 7], days: 1 };
    if let Some(shift) = words.next_if(|word| word.starts_with(['+', '-'])) {
        rule.shift = number(shift)?;
    }
    let mut conditional = false;
    while let Some(word) = words.next() {
        let next = words.next().with_context(|| format!("something should follow `{word}`"))?;
        match word {
            "if" => {
                if !conditional {
                    rule.moves = [None; 7];
                    conditional = true;
                }
                let days = words.next().context("a number of days should follow the weekday")?;
                rule.moves[weekday(next)?] = Some(number(days)?);
            }
            "unless" => rule.moves[weekday(next)?] = None,
            "for" => rule.days = number(next)?,
            _ => bail!("`{word}` is none of if, unless, for"),
        }
    }
    ensure!((1..=LENGTH_MAX).contains(&rule.days), "{} days are no length", rule.days);
    Ok(When::Yearly(rule))
}

fn base<'a>(words: &mut impl Iterator<Item = &'a str>) -> anyhow::Result<Base> {
    let first = words.next().context("the rule is empty")?;
    let mut next = || words.next().with_context(|| format!("a date should follow `{first}`"));
    Ok(match first {
        "easter" => Base::Easter,
        "qingming" => Base::Qingming,
        "vernal" => Base::VernalEquinox,
        "autumnal" => Base::AutumnalEquinox,
        "lunar" => {
            let (month, day) = month_day(next()?)?;
            Base::Lunar { month, day }
        }
        word => match word.split_once('#') {
            Some((name, nth)) => {
                let month = number(next()?)?;
                ensure!((1..=12).contains(&month), "{month} is no month");
                Base::Nth { weekday: weekday(name)?, nth: number(nth)?, month: month as u32 }
            }
            None if WEEKDAYS.contains(&word) => {
                ensure!(next()? == "before", "`before` should follow `{word}`");
                let (month, day) = month_day(next()?)?;
                Base::Before { weekday: weekday(word)?, month, day }
            }
            None => {
                let (month, day) = month_day(word)?;
                Base::Date { month, day }
            }
        },
    })
}

fn listed(word: &str) -> anyhow::Result<(Day, Day)> {
    let (first, last) = word.split_once("..").unwrap_or((word, word));
    let (first, last): (Day, Day) = (first.parse()?, last.parse()?);
    ensure!((0..LENGTH_MAX).contains(&(last - first)), "{word} is no window");
    Ok((first, last))
}

fn month_day(word: &str) -> anyhow::Result<(u32, u32)> {
    let wrong = || format!("`{word}` is no day of the year: want MM-DD");
    let (month, day) = word.split_once('-').with_context(wrong)?;
    ensure!(month.len() == 2 && day.len() == 2, wrong());
    let (month, day): (u32, u32) =
        (month.parse().with_context(wrong)?, day.parse().with_context(wrong)?);
    ensure!((1..=12).contains(&month) && (1..=31).contains(&day), wrong());
    Ok((month, day))
}

fn weekday(word: &str) -> anyhow::Result<usize> {
    let place = WEEKDAYS.iter().position(|day| *day == word);
    place.with_context(|| format!("`{word}` is no weekday: want one of {}", WEEKDAYS.join(", ")))
}

fn number(word: &str) -> anyhow::Result<i32> {
    word.parse().with_context(|| format!("`{word}` is no number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rule: &str, year: i32, want: &str) {
        let When::Yearly(parsed) = parse(rule).expect(rule) else { panic!("{rule} is a list") };
        let got = match parsed.window(year) {
            Some((first, last)) if first == last => first.to_string(),
            Some((first, last)) => format!("{first}..{last}"),
            None => String::new(),
        };
        assert_eq!(got, want, "{rule} in {year}");
    }

    #[test]
    fn rules_find_their_days() {
        for (rule, year, want) in [
            ("12-25", 2024, "2024-12-25"),
            ("02-29", 2023, ""),
            ("mon#3 01", 2024, "2024-01-15"),
            ("mon#-1 05", 2024, "2024-05-27"),
            ("thu#4 11 +1", 2024, "2024-11-29"),
            ("wed before 11-23", 2016, "2016-11-16"),
            ("mon before 05-25", 2015, "2015-05-18"),
            ("mon before 05-25", 2026, "2026-05-18"),
            ("easter -2", 2024, "2024-03-29"),
            ("easter -48 for 2", 2024, "2024-02-12..2024-02-13"),
            ("lunar 08-15", 2023, "2023-09-29"),
            ("lunar 12-29 for 7", 2024, "2024-02-08..2024-02-14"),
            ("lunar 01-01 -1 for 3", 2024, "2024-02-09..2024-02-11"),
            ("qingming +1", 2024, "2024-04-05"),
            ("vernal if sun +1", 2022, ""),
            ("vernal if sun +1", 2016, "2016-03-21"),
            ("autumnal if sun +1", 2024, "2024-09-23"),
            ("01-01 if sat -1 if sun +1", 2022, "2021-12-31"),
            ("01-01 if sat -1 if sun +1", 2023, "2023-01-02"),
            ("01-01 if sat -1 if sun +1", 2024, ""),
            ("04-27 unless sun", 2025, ""),
            ("04-27 if sun -1", 2025, "2025-04-26"),
        ] {
            check(rule, year, want);
        }
    }

    #[test]
    fn lists_are_days_and_windows() {
        let day = |text: &str| text.parse::<Day>().expect("a date");
        let want = When::Listed(vec![
            (day("2011-04-29"), day("2011-04-29")),
            (day("2024-05-06"), day("2024-05-08")),
        ]);
        assert_eq!(parse("2011-04-29 2024-05-06..2024-05-08").expect("a list"), want);
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for text in [
            "",
            "13-01",
            "1-1",
            "12-25 +",
            "12-25 sat",
            "12-25 if sat",
            "12-25 if funday +1",
            "mon#3",
            "mon#3 13",
            "mon after 05-25",
            "lunar",
            "easter for 0",
            "easter for 90",
            "2024-02-30",
            "2024-05-08..2024-05-06",
            "2011-04-29 12-25",
        ] {
            assert!(parse(text).is_err(), "{text:?} passed");
        }
    }
}
