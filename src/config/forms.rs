//! Texts of a fixed form that cells and settings hold.

const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// `mon,thu` as weekdays, Monday first; every day where the text is empty. `None` for any other
/// word.
pub fn weekdays(text: &str) -> Option<[bool; 7]> {
    if text.trim().is_empty() {
        return Some([true; 7]);
    }
    let mut days = [false; 7];
    for word in text.split(',') {
        let word = word.trim().to_ascii_lowercase();
        days[WEEKDAYS.iter().position(|day| *day == word)?] = true;
    }
    Some(days)
}

/// `HH:MM` as minutes after midnight.
pub fn time_of_day(text: &str) -> Option<u32> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let two = |text: &str| (text.len() == 2).then(|| text.parse::<u32>().ok()).flatten();
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    (hours < 24 && minutes < 60).then_some(60 * hours + minutes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weekdays_are_named_and_nothing_else_passes() {
        assert_eq!(weekdays(""), Some([true; 7]));
        assert_eq!(weekdays("mon, THU"), Some([true, false, false, true, false, false, false]));
        for wrong in ["1,2", "monday", "mon,", "mon;thu"] {
            assert_eq!(weekdays(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn times_have_two_digits_each() {
        assert_eq!(time_of_day("09:30"), Some(570));
        assert_eq!(time_of_day("00:00"), Some(0));
        for wrong in ["", "9:30", "24:00", "12:60", "12", "12:3", "-1:00", "12:30:00"] {
            assert_eq!(time_of_day(wrong), None, "{wrong:?}");
        }
    }
}
