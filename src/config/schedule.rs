//! `[schedule]` of a job: when it is due, and what happens when a run does not go as planned.

use chrono_tz::Tz;
use serde::Deserialize;

/// When a job is due and on what terms it is tried.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Seconds, minutes, hours, day of month, month, day of week. It only wakes the job.
    pub cron: String,
    /// IANA name. The business date is the local date there when the job is due.
    pub time_zone: Tz,
    /// How many missed business dates are run late; 0 runs only today's.
    #[serde(default)]
    pub catch_up_days: u32,
    #[serde(default)]
    pub overlap: Overlap,
    #[serde(default)]
    pub retry: Retry,
    /// So many failures in a row pause the job until a person resumes it; 0 never does.
    #[serde(default)]
    pub pause_after_failures: u32,
    /// A run that the clock started is killed after so many minutes.
    #[serde(default = "default_max_minutes")]
    pub max_minutes: f64,
}

/// What happens when a date is due while the job still runs an earlier one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// The newer date waits until the run has ended.
    #[default]
    Skip,
    /// The newer date takes the lease; the run of the older date can write no more and is ended.
    Replace,
}

/// When a date whose run failed is tried again: after `first_minutes`, then after twice as long as the
/// time before, up to `longest_minutes`; `max` times in all.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retry {
    pub max: u32,
    pub first_minutes: f64,
    pub longest_minutes: f64,
}

impl Default for Retry {
    fn default() -> Retry {
        Retry { max: 8, first_minutes: 5.0, longest_minutes: 60.0 }
    }
}

impl Retry {
    /// Minutes from the `tries`-th failure (1 is the first) to the next try; `None` when there is none.
    pub fn minutes_after(&self, tries: i64) -> Option<f64> {
        if tries > i64::from(self.max) {
            return None;
        }
        let doublings = i32::try_from(tries - 1).unwrap_or(0).clamp(0, 60);
        Some((self.first_minutes * 2f64.powi(doublings)).min(self.longest_minutes))
    }
}

fn default_max_minutes() -> f64 {
    240.0
}

const DAY_MINUTES: f64 = 1440.0;

impl Schedule {
    /// Names the key, its value and the legal range of the first that is out of range.
    pub(super) fn check(&self) -> Result<(), String> {
        let range = |name: &str, value: f64, low: f64, high: f64| {
            if (low..=high).contains(&value) {
                Ok(())
            } else {
                Err(format!("{name} is {value}, should be in {low}..={high}"))
            }
        };
        range("catch_up_days", f64::from(self.catch_up_days), 0.0, 366.0)?;
        range("retry.max", f64::from(self.retry.max), 0.0, 1000.0)?;
        range("retry.first_minutes", self.retry.first_minutes, 0.0, DAY_MINUTES)?;
        let first = self.retry.first_minutes;
        range("retry.longest_minutes", self.retry.longest_minutes, first, DAY_MINUTES)?;
        range("pause_after_failures", f64::from(self.pause_after_failures), 0.0, 1000.0)?;
        range("max_minutes", self.max_minutes, 0.001, 7.0 * DAY_MINUTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_waits_longer_each_time_until_it_gives_up() {
        let retry = Retry { max: 5, first_minutes: 5.0, longest_minutes: 30.0 };
        for (tries, minutes) in [
            (1, Some(5.0)),
            (2, Some(10.0)),
            (3, Some(20.0)),
            (4, Some(30.0)),
            (5, Some(30.0)),
            (6, None),
        ] {
            assert_eq!(retry.minutes_after(tries), minutes, "{tries}");
        }
        assert_eq!(Retry { max: 0, ..retry }.minutes_after(1), None);
        assert_eq!(Retry { max: 1000, ..retry }.minutes_after(900), Some(30.0));
    }

    #[test]
    fn what_is_out_of_range_is_named_with_its_value() {
        let base = "cron = \"0 0 3 * * *\"\ntime_zone = \"Asia/Shanghai\"\n";
        for (line, words) in [
            ("", ""),
            ("overlap = \"replace\"", ""),
            ("retry = { max = 3 }", ""),
            ("max_minutes = 0", "max_minutes is 0, should be in 0.001..=10080"),
            ("retry = { first_minutes = 90 }", "longest_minutes is 60, should be in 90..=1440"),
            ("catch_up_days = 400", "catch_up_days is 400"),
            ("retry = { maximum = 3 }", "unknown field `maximum`"),
            ("overlap = \"both\"", "unknown variant `both`"),
        ] {
            let read = toml::from_str::<Schedule>(&format!("{base}{line}"))
                .map_err(|error| error.to_string())
                .and_then(|schedule| schedule.check());
            match read {
                Ok(()) => assert_eq!(words, "", "{line}"),
                Err(error) => {
                    assert!(!words.is_empty() && error.contains(words), "{line}: {error}")
                }
            }
        }
    }
}
