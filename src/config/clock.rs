//! The one place that asks this machine's clock, and how long a lease is.
//!
//! Two variables of the environment change it, for tests of what happens when clocks disagree and
//! processes stop: `GRANARY_CLOCK_OFFSET_SECONDS` sets the clock of this process off by so many
//! seconds, and `GRANARY_LEASE_SECONDS` makes leases shorter or longer.

use std::sync::OnceLock;
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};

use super::{Exit, Refused};

const OFFSET: &str = "GRANARY_CLOCK_OFFSET_SECONDS";
const LEASE: &str = "GRANARY_LEASE_SECONDS";
/// Long enough for a process that waits for a busy disk, short enough for a night that has to begin
/// elsewhere.
const LEASE_SECONDS: f64 = 60.0;
const WEEK_SECONDS: f64 = 7.0 * 86_400.0;

/// The time on this process's wall clock.
pub fn now() -> DateTime<Utc> {
    static BY: OnceLock<TimeDelta> = OnceLock::new();
    let by = BY.get_or_init(|| {
        let seconds = read(OFFSET, -WEEK_SECONDS, WEEK_SECONDS).ok().flatten().unwrap_or(0.0);
        TimeDelta::milliseconds((seconds * 1000.0) as i64)
    });
    Utc::now() + *by
}

/// How long a lease lasts that is not renewed.
pub fn lease() -> Duration {
    static LENGTH: OnceLock<Duration> = OnceLock::new();
    *LENGTH.get_or_init(|| {
        let seconds = read(LEASE, 0.2, 86_400.0).ok().flatten().unwrap_or(LEASE_SECONDS);
        Duration::from_secs_f64(seconds)
    })
}

/// How often a lease is renewed: three renewals may be lost before it ends.
pub fn renewal() -> Duration {
    lease() / 4
}

/// A time that only goes forward and is the same for every process of this machine, in milliseconds.
/// Setting the clock does not move it.
#[cfg(target_os = "linux")]
pub fn since_boot_ms() -> i64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    time.tv_sec * 1000 + time.tv_nsec / 1_000_000
}

/// Without such a time the wall clock has to do.
#[cfg(not(target_os = "linux"))]
pub fn since_boot_ms() -> i64 {
    now().timestamp_millis()
}

/// RFC 3339 to the second, in UTC, as the tables have it. It sorts as time does.
pub fn stamp(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Refuses variables that cannot be read, before anything relies on them.
pub fn check() -> anyhow::Result<()> {
    read(OFFSET, -WEEK_SECONDS, WEEK_SECONDS)?;
    read(LEASE, 0.2, 86_400.0)?;
    Ok(())
}

fn read(name: &str, low: f64, high: f64) -> anyhow::Result<Option<f64>> {
    let Some(text) = std::env::var_os(name) else { return Ok(None) };
    let text = text.to_string_lossy();
    let wrong = || {
        let message = format!("{name} is {text:?}, should be seconds in {low}..={high}");
        Refused::new(Exit::Usage, message)
    };
    let seconds: f64 = text.parse().ok().with_context(wrong)?;
    if (low..=high).contains(&seconds) { Ok(Some(seconds)) } else { Err(wrong().into()) }
}
