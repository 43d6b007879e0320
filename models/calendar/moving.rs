//! Days that a rule finds in every year: Easter, the n-th weekday of a month, and the terms of the
//! sun that are days off.

use super::Day;

/// Easter Sunday of the Gregorian calendar (Meeus, Astronomical Algorithms, chapter 8). `None` for a
/// year that no date has.
pub fn easter(year: i32) -> Option<Day> {
    let (a, b, c) = (year.rem_euclid(19), year.div_euclid(100), year.rem_euclid(100));
    let (d, e) = (b.div_euclid(4), b.rem_euclid(4));
    let f = (b + 8).div_euclid(25);
    let g = (b - f + 1).div_euclid(3);
    let h = (19 * a + b - d - g + 15).rem_euclid(30);
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k).rem_euclid(7);
    let m = (a + 11 * h + 22 * l) / 451;
    let n = h + l - 7 * m + 114;
    Day::from_ymd(year, (n / 31) as u32, (n % 31 + 1) as u32)
}

/// The `nth` (from 1; -1 is the last) of a weekday (0 is Monday) in a month; `None` when the month has
/// no such day.
pub fn nth_weekday(year: i32, month: u32, weekday: usize, nth: i32) -> Option<Day> {
    let first = Day::from_ymd(year, month, 1)?;
    let after = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    let next = Day::from_ymd(after.0, after.1, 1)?;
    let apart = |from: Day| (weekday as i32 - from.weekday() as i32).rem_euclid(7);
    let day = match nth {
        1.. => first + apart(first) + 7 * (nth - 1),
        0 => return None,
        _ => next + (apart(next) - 7) + 7 * (nth + 1),
    };
    (first <= day && day < next).then_some(day)
}

/// Years for which the terms of the sun below are right.
const SOLAR_TERM_YEARS: std::ops::RangeInclusive<i32> = 2000..=2099;

/// The day of March, April or September on which the sun reaches a term: a mean motion of 0.2422 days
/// a year less one for each leap year, from the term's `constant`.
fn solar_term(year: i32, month: u32, constant: f64) -> Option<Day> {
    if !SOLAR_TERM_YEARS.contains(&year) {
        return None;
    }
    let y = year - 2000;
    let day = (f64::from(y) * 0.2422 + constant).floor() as i32 - y / 4;
    Day::from_ymd(year, month, u32::try_from(day).ok()?)
}

/// Tomb sweeping (Qingming), in China's time: the sun at 15°. Shou Xingxing's formula for this
/// century. `None` outside 2000–2099.
pub fn qingming(year: i32) -> Option<Day> {
    solar_term(year, 4, 4.81)
}

/// The vernal equinox in Japan's time, by the formula of Japan's almanac (Shinkoyomi Benricho, for
/// 1980–2099). `None` outside 2000–2099. The law's day is the one announced a year ahead, which has
/// never differed.
pub fn vernal_equinox(year: i32) -> Option<Day> {
    equinox(year, 3, 20.8431)
}

/// The autumnal equinox in Japan's time; see [`vernal_equinox`].
pub fn autumnal_equinox(year: i32) -> Option<Day> {
    equinox(year, 9, 23.2488)
}

fn equinox(year: i32, month: u32, constant: f64) -> Option<Day> {
    if !SOLAR_TERM_YEARS.contains(&year) {
        return None;
    }
    let y = year - 1980;
    let day = (constant + 0.242_194 * f64::from(y)).floor() as i32 - y / 4;
    Day::from_ymd(year, month, u32::try_from(day).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Option<Day> {
        Some(text.parse().expect("a date"))
    }

    #[test]
    fn easter_is_where_the_tables_have_it() {
        for text in ["1818-03-22", "1943-04-25", "2000-04-23", "2008-03-23", "2024-03-31"] {
            let year = text[..4].parse().expect("a year");
            assert_eq!(easter(year), day(text));
        }
        for year in 1600..2400 {
            let sunday = easter(year).expect("a date");
            let first = Day::from_ymd(year, 3, 22).expect("a date");
            assert!(sunday.weekday() == 6 && (0..35).contains(&(sunday - first)), "{sunday}");
        }
    }

    #[test]
    fn weekdays_are_counted_from_either_end_of_the_month() {
        for (year, month, weekday, nth, want) in [
            (2024, 11, 3, 4, day("2024-11-28")),
            (2024, 5, 0, -1, day("2024-05-27")),
            (2024, 12, 1, -1, day("2024-12-31")),
            (2024, 12, 1, -2, day("2024-12-24")),
            (2024, 2, 3, 5, day("2024-02-29")),
            (2023, 2, 3, 5, None),
            (2023, 2, 3, -5, None),
            (2023, 2, 3, 0, None),
            (2023, 13, 3, 1, None),
        ] {
            assert_eq!(nth_weekday(year, month, weekday, nth), want, "{year}-{month} {nth}");
        }
    }

    #[test]
    fn the_sun_keeps_its_terms() {
        for text in ["2008-04-04", "2015-04-05", "2023-04-05", "2024-04-04", "2027-04-05"] {
            assert_eq!(qingming(text[..4].parse().expect("a year")), day(text));
        }
        for (spring, autumn) in [
            ("2012-03-20", "2012-09-22"),
            ("2019-03-21", "2019-09-23"),
            ("2024-03-20", "2024-09-22"),
            ("2027-03-21", "2027-09-23"),
        ] {
            let year = spring[..4].parse().expect("a year");
            assert_eq!((vernal_equinox(year), autumnal_equinox(year)), (day(spring), day(autumn)));
        }
        assert_eq!((qingming(1999), vernal_equinox(2100)), (None, None));
    }
}
