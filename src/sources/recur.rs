//! Recurrence rules of iCalendar (RFC 5545, 3.3.10) over whole days: the parts that calendars of
//! holidays, paydays and terms use. What is not understood is refused by name.

use chrono::{Datelike, NaiveTime};
use granary_models::calendar::{Day, nth_weekday};

/// A rule without an end goes on until here.
pub const OPEN_RULES_END: &str = "2040-12-31";
/// No rule finds days after this year.
const LAST_YEAR: i32 = 2100;
/// More occurrences than this are a mistake, not a calendar.
const OCCURRENCES_MAX: usize = 5_000;
const WEEKDAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Every {
    Day,
    Week,
    Month,
    Year,
}

/// A date, and the time on it where there is one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    pub day: Day,
    pub time: Option<NaiveTime>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Recurrence {
    every: Every,
    interval: i32,
    count: Option<usize>,
    until: Option<Moment>,
    /// The n-th, from the end where negative, or all of a weekday.
    by_day: Vec<(Option<i32>, usize)>,
    by_month_day: Vec<i32>,
    by_month: Vec<u32>,
    week_start: usize,
}

impl Recurrence {
    /// Reads the value of an RRULE; `moment` reads the value of UNTIL.
    pub fn parse(
        text: &str,
        moment: impl Fn(&str) -> Result<Moment, String>,
    ) -> Result<Recurrence, String> {
        let mut every = None;
        let mut rule = Recurrence {
            every: Every::Day,
            interval: 1,
            count: None,
            until: None,
            by_day: Vec::new(),
            by_month_day: Vec::new(),
            by_month: Vec::new(),
            week_start: 0,
        };
        let mut seen = Vec::new();
        for part in text.split(';') {
            let (name, value) = part.split_once('=').ok_or(format!("`{part}` in RRULE"))?;
            let name = name.to_ascii_uppercase();
            if seen.contains(&name) {
                return Err(format!("{name} twice in RRULE"));
            }
            let wrong = || format!("{name}={value} in RRULE");
            match name.as_str() {
                "FREQ" => every = Some(frequency(value).ok_or_else(wrong)?),
                "INTERVAL" => rule.interval = within(value, 1, 1_000).ok_or_else(wrong)?,
                "COUNT" => {
                    rule.count = Some(within(value, 1, 1_000_000).ok_or_else(wrong)? as usize);
                }
                "UNTIL" => rule.until = Some(moment(value)?),
                "BYDAY" => rule.by_day = list(value, weekday).ok_or_else(wrong)?,
                "BYMONTHDAY" => {
                    let day = |text: &str| within(text, -31, 31).filter(|&day| day != 0);
                    rule.by_month_day = list(value, day).ok_or_else(wrong)?;
                }
                "BYMONTH" => {
                    let month = |text: &str| within(text, 1, 12).map(|month| month as u32);
                    rule.by_month = list(value, month).ok_or_else(wrong)?;
                }
                "WKST" => {
                    let (_, day) = weekday(value).filter(|(n, _)| n.is_none()).ok_or_else(wrong)?;
                    rule.week_start = day;
                }
                _ => return Err(wrong()),
            }
            seen.push(name);
        }
        rule.every = every.ok_or("RRULE without FREQ")?;
        rule.check()?;
        Ok(rule)
    }

    fn check(&self) -> Result<(), String> {
        if self.count.is_some() && self.until.is_some() {
            return Err("COUNT beside UNTIL in RRULE".to_owned());
        }
        let ordinals = self.by_day.iter().any(|(nth, _)| nth.is_some());
        let whole_year = self.every == Every::Year && self.by_month.is_empty();
        if ordinals && (matches!(self.every, Every::Day | Every::Week) || whole_year) {
            return Err("a counted weekday in RRULE that is of no month".to_owned());
        }
        if whole_year && !self.by_day.is_empty() {
            return Err("BYDAY of a whole year in RRULE".to_owned());
        }
        if self.every == Every::Week && !self.by_month_day.is_empty() {
            return Err("BYMONTHDAY of a week in RRULE".to_owned());
        }
        if ordinals && !self.by_month_day.is_empty() {
            return Err("a counted weekday beside BYMONTHDAY in RRULE".to_owned());
        }
        Ok(())
    }

    /// The first days of every occurrence, in order.
    pub fn days(&self, start: Moment) -> Result<Vec<Day>, String> {
        let open = self.count.is_none() && self.until.is_none();
        let last = if open {
            OPEN_RULES_END.parse::<Day>().map_err(|error| error.to_string())?
        } else {
            Day::from_ymd(LAST_YEAR, 12, 31).ok_or("no such day")?
        };
        let mut days = Vec::new();
        for period in 0.. {
            let Some((first, candidates)) = self.candidates(start.day, period) else { break };
            if first > last {
                break;
            }
            for day in candidates {
                let over = self.until.is_some_and(|until| later(Moment { day, ..start }, until));
                if over || day > last || self.count == Some(days.len()) {
                    return self.found(days, start.day);
                }
                if day >= start.day {
                    days.push(day);
                }
                if days.len() > OCCURRENCES_MAX {
                    return Err(format!("more than {OCCURRENCES_MAX} occurrences"));
                }
            }
        }
        self.found(days, start.day)
    }

    /// RFC 5545 leaves open what a rule means that its own start does not follow.
    fn found(&self, days: Vec<Day>, start: Day) -> Result<Vec<Day>, String> {
        if days.first() == Some(&start) {
            Ok(days)
        } else {
            Err(format!("RRULE that does not find its own start, {start}"))
        }
    }

    /// First day of the `period`-th interval and the days that the rule finds in it, in order.
    fn candidates(&self, start: Day, period: i32) -> Option<(Day, Vec<Day>)> {
        let step = period.checked_mul(self.interval)?;
        let date = start.to_date();
        match self.every {
            Every::Day => {
                let day = Day(start.0.checked_add(step)?);
                Some((day, if self.allows(day) { vec![day] } else { Vec::new() }))
            }
            Every::Week => {
                let into = (start.weekday() + 7 - self.week_start) % 7;
                let first = Day((start.0 - into as i32).checked_add(step.checked_mul(7)?)?);
                let wanted = |day: &Day| match self.by_day.is_empty() {
                    true => day.weekday() == start.weekday(),
                    false => self.allows(*day),
                };
                let of_month = |day: &Day| {
                    self.by_month.is_empty() || self.by_month.contains(&day.to_date().month())
                };
                Some((first, first.until(first + 7).filter(wanted).filter(of_month).collect()))
            }
            Every::Month => {
                let months = date.month0() as i32 + step;
                let (year, month) = (date.year() + months / 12, (months % 12) as u32 + 1);
                let first = Day::from_ymd(year, month, 1)?;
                let applies = self.by_month.is_empty() || self.by_month.contains(&month);
                let days =
                    if applies { self.of_month(year, month, date.day()) } else { Vec::new() };
                Some((first, days))
            }
            Every::Year => {
                let year = date.year().checked_add(step)?;
                let first = Day::from_ymd(year, 1, 1)?;
                let mut months = match (self.by_month.is_empty(), self.by_month_day.is_empty()) {
                    (false, _) => self.by_month.clone(),
                    (true, true) => vec![date.month()],
                    (true, false) => (1..=12).collect(),
                };
                months.sort_unstable();
                months.dedup();
                let of_month = |month| self.of_month(year, month, date.day());
                Some((first, months.into_iter().flat_map(of_month).collect()))
            }
        }
    }

    /// Whether the lists that only limit allow the day.
    fn allows(&self, day: Day) -> bool {
        let date = day.to_date();
        let weekday = self.by_day.is_empty()
            || self.by_day.iter().any(|&(_, weekday)| weekday == day.weekday());
        let month = self.by_month.is_empty() || self.by_month.contains(&date.month());
        let of_month = |&wanted: &i32| month_day(date.year(), date.month(), wanted) == Some(day);
        weekday && month && (self.by_month_day.is_empty() || self.by_month_day.iter().any(of_month))
    }

    fn of_month(&self, year: i32, month: u32, start_day: u32) -> Vec<Day> {
        let mut days: Vec<Day> = if !self.by_month_day.is_empty() {
            let days = self.by_month_day.iter().filter_map(|&day| month_day(year, month, day));
            days.filter(|&day| self.allows(day)).collect()
        } else if !self.by_day.is_empty() {
            let nths = |&(nth, weekday): &(Option<i32>, usize)| -> Vec<Day> {
                let of = |nth| nth_weekday(year, month, weekday, nth);
                match nth {
                    Some(nth) => of(nth).into_iter().collect(),
                    None => (1..=5).filter_map(of).collect(),
                }
            };
            self.by_day.iter().flat_map(nths).collect()
        } else {
            Day::from_ymd(year, month, start_day).into_iter().collect()
        };
        days.sort_unstable();
        days.dedup();
        days
    }
}

/// Whether `moment` is past `until`; a date without a time lasts all day.
fn later(moment: Moment, until: Moment) -> bool {
    let same_day = moment.day == until.day;
    let past = moment.time.zip(until.time).is_some_and(|(time, until)| time > until);
    moment.day > until.day || (same_day && past)
}

/// The day of a month, counted from its end where negative.
fn month_day(year: i32, month: u32, day: i32) -> Option<Day> {
    if day > 0 {
        return Day::from_ymd(year, month, day as u32);
    }
    let first = Day::from_ymd(year, month, 1)?;
    let (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    let found = Day::from_ymd(year, month, 1)? + day;
    (found >= first).then_some(found)
}

fn frequency(text: &str) -> Option<Every> {
    match text.to_ascii_uppercase().as_str() {
        "DAILY" => Some(Every::Day),
        "WEEKLY" => Some(Every::Week),
        "MONTHLY" => Some(Every::Month),
        "YEARLY" => Some(Every::Year),
        _ => None,
    }
}

fn within(text: &str, min: i32, max: i32) -> Option<i32> {
    text.parse().ok().filter(|value| (min..=max).contains(value))
}

fn list<T>(text: &str, one: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    text.split(',').map(one).collect()
}

/// `MO`, `2MO`, `-1FR`.
fn weekday(text: &str) -> Option<(Option<i32>, usize)> {
    let text = text.to_ascii_uppercase();
    let name = text.get(text.len().checked_sub(2)?..)?;
    let weekday = WEEKDAYS.iter().position(|day| *day == name)?;
    match &text[..text.len() - 2] {
        "" => Some((None, weekday)),
        nth => Some((Some(within(nth, -5, 5).filter(|&nth| nth != 0)?), weekday)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Result<Moment, String> {
        let day = text.parse().map_err(|_| format!("{text} is no date"))?;
        Ok(Moment { day, time: None })
    }

    /// The days as text, or what is wrong.
    fn days(start: &str, rule: &str) -> Result<Vec<String>, String> {
        let days = Recurrence::parse(rule, at)?.days(at(start)?)?;
        Ok(days.into_iter().map(|day| day.to_string()).collect())
    }

    #[test]
    fn rules_find_their_days() {
        for (start, rule, want) in [
            ("2024-02-29", "FREQ=YEARLY;COUNT=2", "2024-02-29 2028-02-29"),
            ("2024-05-12", "FREQ=YEARLY;BYMONTH=5;BYDAY=2SU;COUNT=2", "2024-05-12 2025-05-11"),
            (
                "2024-01-31",
                "FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=3",
                "2024-01-31 2024-02-29 2024-03-31",
            ),
            ("2024-01-31", "FREQ=MONTHLY;COUNT=3", "2024-01-31 2024-03-31 2024-05-31"),
            (
                "2024-01-15",
                "FREQ=MONTHLY;BYMONTHDAY=15,-1;COUNT=3",
                "2024-01-15 2024-01-31 2024-02-15",
            ),
            ("2024-01-26", "FREQ=MONTHLY;BYDAY=-1FR;UNTIL=2024-03-01", "2024-01-26 2024-02-23"),
            ("2024-09-13", "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13;COUNT=2", "2024-09-13 2024-12-13"),
            ("2024-01-05", "FREQ=WEEKLY;INTERVAL=2;COUNT=3", "2024-01-05 2024-01-19 2024-02-02"),
            ("2024-01-02", "FREQ=WEEKLY;BYDAY=TH,TU;COUNT=3", "2024-01-02 2024-01-04 2024-01-09"),
            // The two examples of RFC 5545 that differ in the start of the week only.
            (
                "1997-08-05",
                "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO",
                "1997-08-05 1997-08-10 1997-08-19 1997-08-24",
            ),
            (
                "1997-08-05",
                "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU",
                "1997-08-05 1997-08-17 1997-08-19 1997-08-31",
            ),
            (
                "2024-02-27",
                "FREQ=DAILY;INTERVAL=2;UNTIL=2024-03-02",
                "2024-02-27 2024-02-29 2024-03-02",
            ),
            ("2024-01-10", "FREQ=YEARLY;BYMONTHDAY=10;UNTIL=2024-03-09", "2024-01-10 2024-02-10"),
        ] {
            assert_eq!(days(start, rule).expect(rule).join(" "), want, "{rule}");
        }
        let open = days("2030-06-01", "FREQ=YEARLY").expect("an open rule");
        assert_eq!((open.len(), open.last().map(String::as_str)), (11, Some("2040-06-01")));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for rule in [
            "",
            "COUNT=2",
            "FREQ=HOURLY",
            "FREQ=YEARLY;COUNT=0",
            "FREQ=YEARLY;INTERVAL=0",
            "FREQ=YEARLY;COUNT=2;UNTIL=2030-01-01",
            "FREQ=YEARLY;COUNT=2;COUNT=3",
            "FREQ=YEARLY;UNTIL=soon",
            "FREQ=YEARLY;BYDAY=2MO",
            "FREQ=YEARLY;BYWEEKNO=20",
            "FREQ=YEARLY;BYYEARDAY=100",
            "FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=-1",
            "FREQ=MONTHLY;BYDAY=6MO",
            "FREQ=MONTHLY;BYMONTHDAY=32",
            "FREQ=WEEKLY;BYDAY=2MO",
            "FREQ=WEEKLY;BYMONTHDAY=1",
            "FREQ=DAILY;COUNT=6000",
            // 2 January 2024 is no Monday.
            "FREQ=WEEKLY;BYDAY=MO;COUNT=2",
            "FREQ=MONTHLY;BYDAY=é",
        ] {
            assert!(days("2024-01-02", rule).is_err(), "{rule:?} passed");
        }
        assert!(days("2024-02-30", "FREQ=YEARLY").is_err());
        // No February has 30 days: the search ends.
        assert!(days("2024-01-30", "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30;COUNT=1").is_err());
    }
}
