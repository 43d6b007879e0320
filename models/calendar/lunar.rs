//! The Chinese lunisolar calendar as a table: a month begins on the day of the new moon at 120° east,
//! and the year has a leap month when thirteen moons lie between two winter solstices (GB/T
//! 33661-2017). The table holds what those rules give, so nothing here computes the sky.

use std::ops::RangeInclusive;

use super::Day;

/// Lunar years that the table knows.
pub const LUNAR_YEARS: RangeInclusive<i32> = 1990..=2050;

/// 1990-01-27, the first day of lunar year 1990.
const FIRST_DAY: Day = Day(7331);

/// A year each. Bit `i` is set when its month `i`, counted in order from 0, has 30 days instead of
/// 29; bits 13 to 16 are the month that is followed by a leap month of its number, or 0.
const YEARS: [u32; 61] = [
    0x0be92, 0x00e92, 0x00d26, 0x06a56, 0x00a57, 0x114d6, 0x0035a, 0x006d5, // 1990
    0x0b6c9, 0x00749, 0x00693, 0x0952b, 0x0052b, 0x00a5b, 0x0555a, 0x0056a, // 1998
    0x0fb55, 0x00ba4, 0x00b49, 0x0ba93, 0x00a95, 0x0052d, 0x08aad, 0x00ab5, // 2006
    0x135aa, 0x005d2, 0x00da5, 0x0dd4a, 0x00d4a, 0x00c95, 0x0952e, 0x00556, // 2014
    0x00ab5, 0x055b2, 0x006d2, 0x0cea5, 0x00725, 0x0064b, 0x0ac97, 0x00cab, // 2022
    0x0055a, 0x06ad6, 0x00b69, 0x17752, 0x00b52, 0x00b25, 0x0da4b, 0x00a4b, // 2030
    0x004ab, 0x0a55b, 0x005ad, 0x00b6a, 0x05b52, 0x00d92, 0x0fd25, 0x00d25, // 2038
    0x00a55, 0x0b4ad, 0x004b6, 0x005b5, 0x06daa, // 2046
];

/// A day of the Chinese lunisolar calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LunarDate {
    /// The Gregorian year in which the lunar year begins.
    pub year: i32,
    /// 1 to 12.
    pub month: u32,
    /// The month is the second one of its number.
    pub leap: bool,
    /// 1 to 30.
    pub day: u32,
}

struct Month {
    number: u32,
    leap: bool,
    days: i32,
}

fn months(code: u32) -> impl Iterator<Item = Month> {
    let leap_after = code >> 13;
    let count = if leap_after > 0 { 13 } else { 12 };
    (0..count).map(move |place| {
        let leap = leap_after > 0 && place == leap_after;
        let later = leap_after > 0 && place >= leap_after;
        let number = place + 1 - u32::from(later);
        Month { number, leap, days: 29 + (code >> place & 1) as i32 }
    })
}

fn days_of_year(code: u32) -> i32 {
    months(code).map(|month| month.days).sum()
}

/// The lunar year that `day` lies in, its first day and its code.
fn year_of(day: Day) -> Option<(i32, Day, u32)> {
    let mut start = FIRST_DAY;
    if day < start {
        return None;
    }
    for (year, &code) in LUNAR_YEARS.zip(&YEARS) {
        let next = start + days_of_year(code);
        if day < next {
            return Some((year, start, code));
        }
        start = next;
    }
    None
}

/// `day` in the Chinese calendar; `None` outside [`LUNAR_YEARS`].
pub fn lunar(day: Day) -> Option<LunarDate> {
    let (year, mut start, code) = year_of(day)?;
    for month in months(code) {
        let next = start + month.days;
        if day < next {
            let day = (day - start + 1) as u32;
            return Some(LunarDate { year, month: month.number, leap: month.leap, day });
        }
        start = next;
    }
    None
}

/// The day that the Chinese calendar calls so; `None` for a month or day that the year has not.
pub fn solar_of_lunar(date: LunarDate) -> Option<Day> {
    let mut start = FIRST_DAY;
    for (year, &code) in LUNAR_YEARS.zip(&YEARS) {
        if year < date.year {
            start += days_of_year(code);
            continue;
        }
        if year > date.year {
            return None;
        }
        for month in months(code) {
            if (month.number, month.leap) == (date.month, date.leap) {
                let fits = (1..=month.days as u32).contains(&date.day);
                return fits.then(|| start + (date.day as i32 - 1));
            }
            start += month.days;
        }
    }
    None
}

/// How much of the lunar year has passed on `day`: 0 on lunar new year, below 1 on its eve. A season
/// of this phase follows the feasts, which the solar year moves about by a month.
pub fn lunar_year_phase(day: Day) -> Option<f64> {
    let (_, start, code) = year_of(day)?;
    Some(f64::from(day - start) / f64::from(days_of_year(code)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(solar: &str, year: i32, month: u32, day: u32, leap: bool) {
        let solar: Day = solar.parse().expect("a date");
        let date = LunarDate { year, month, leap, day };
        assert_eq!(lunar(solar), Some(date), "{solar}");
        assert_eq!(solar_of_lunar(date), Some(solar), "{date:?}");
    }

    #[test]
    fn feasts_are_where_almanacs_have_them() {
        check("1990-01-27", 1990, 1, 1, false);
        check("2000-02-05", 2000, 1, 1, false);
        check("2020-05-23", 2020, 4, 1, true);
        check("2020-06-25", 2020, 5, 5, false);
        check("2023-09-29", 2023, 8, 15, false);
        check("2033-12-22", 2033, 11, 1, true);
        check("2034-02-18", 2033, 12, 30, false);
        check("2050-01-23", 2050, 1, 1, false);
    }

    #[test]
    fn every_day_goes_there_and_back_and_the_phase_rises_within_a_year() {
        let end = Day::from_ymd(2051, 2, 11).expect("a date");
        assert_eq!(lunar(FIRST_DAY + -1), None);
        assert_eq!(lunar(end), None);
        assert_eq!(lunar_year_phase(end), None);
        let mut before: Option<(LunarDate, f64)> = None;
        for day in FIRST_DAY.until(end) {
            let date = lunar(day).expect("inside the table");
            let phase = lunar_year_phase(day).expect("inside the table");
            assert_eq!(solar_of_lunar(date), Some(day));
            assert!((0.0..1.0).contains(&phase), "{day}: {phase}");
            assert_eq!(phase == 0.0, (date.month, date.day) == (1, 1), "{day}");
            if let Some((last, was)) = before {
                let next = date.day == last.day + 1 || (date.day == 1 && last.day >= 29);
                assert!(next, "{last:?} is followed by {date:?}");
                assert_eq!(phase > was, date.year == last.year, "{day}");
            }
            before = Some((date, phase));
        }
    }

    #[test]
    fn days_that_no_lunar_year_has_are_none() {
        for (year, month, leap, day) in [
            (1989, 12, false, 1),
            (2051, 1, false, 1),
            (2023, 3, true, 1),
            (2023, 13, false, 1),
            (2023, 1, false, 0),
            (2023, 1, false, 30),
        ] {
            assert_eq!(solar_of_lunar(LunarDate { year, month, leap, day }), None);
        }
    }
}
