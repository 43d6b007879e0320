//! Past dates, in order: which have no plan yet, and why each is run or left.

use anyhow::Context;
use granary_models::calendar::Day;
use serde::Serialize;

use super::timetable::Timetable;
use crate::config::{Exit, Job, Refused};
use crate::store::Store;
use crate::store::read::jobs::{self, JobDate};

/// More than ten years at once is a slip of the pen.
const MOST_DAYS: i32 = 3660;

/// What a backfill does about one date.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    pub business_date: Day,
    pub to_run: bool,
    pub why: String,
}

/// The dates from `from` to `to`, both included and in order. A date with a published plan is left,
/// unless `again`; so is one that the job's timetable does not name.
///
/// # Errors
/// `Refused` with [`Exit::Usage`] when `to` is before `from` or more than ten years after it.
pub async fn plan(
    store: &Store,
    job: &Job,
    from: Day,
    to: Day,
    again: bool,
) -> anyhow::Result<Vec<Step>> {
    if !(0..=MOST_DAYS).contains(&(to - from)) {
        let message =
            format!("from {from} to {to} are {} days, should be in 0..={MOST_DAYS}", to - from);
        return Err(Refused::new(Exit::Usage, message).into());
    }
    let timetable = job.schedule.as_ref().map(Timetable::of).transpose()?;
    let known = jobs::dates_between(&mut store.snapshot().await?, &job.name, from, to)
        .await
        .context("reading what became of the dates")?;
    let step = |date: Day| {
        let text = date.to_string();
        let row = known.iter().find(|row| row.business_date == text);
        let named = timetable.as_ref().is_none_or(|timetable| timetable.due_at(date).is_some());
        let (to_run, why) = match row {
            _ if !named => (false, "the timetable leaves it out".to_owned()),
            None => (true, "no run yet".to_owned()),
            Some(row) if row.state == "published" && !again => (false, "published".to_owned()),
            Some(row) => (true, said(row)),
        };
        Step { business_date: date, to_run, why }
    };
    Ok(from.until(to + 1).map(step).collect())
}

fn said(row: &JobDate) -> String {
    let state = row.state.replace('_', " ");
    if row.detail.is_empty() { state } else { format!("{state}: {}", row.detail) }
}
