//! A person looks at a plan that gates hold, and publishes it as it stands.
//!
//! The night of its date runs again without pulling anything anew. The plan is published if it is, to
//! the byte, the one that was looked at; the gates that held it are written down with who lifted them.

use granary_models::calendar::Day;

use super::RunOutcome;
use crate::config::{Exit, Refused};
use crate::jobs::release::{By, checked_text};
use crate::store::Store;
use crate::store::publish::{Lifted, RunRows, plan_digest};
use crate::store::read::runs;

/// What somebody has looked at and says yes to.
#[derive(Clone, Debug)]
pub struct Lift {
    pub business_date: Day,
    pub plan_digest: String,
    by: By,
    reason: String,
}

impl Lift {
    /// Of the newest held plan of a job, or of that of a date; a digest that is given must be its.
    ///
    /// # Errors
    /// When no such plan is held, a newer one is published, or no reason is given.
    pub async fn of(
        store: &Store,
        (job, date): (&str, Option<Day>),
        seen_digest: Option<&str>,
        by: By,
        reason: &str,
    ) -> anyhow::Result<Lift> {
        let reason = checked_text("reason for lifting a gate", reason)?;
        let refuse = |exit, message: String| Err(Refused::new(exit, message).into());
        let mut db = store.snapshot().await?;
        let Some(held) = runs::newest_held(&mut db, job, date).await? else {
            let of = date.map_or(String::new(), |date| format!(" for {date}"));
            return refuse(Exit::Usage, format!("no plan of job {job:?}{of} is held"));
        };
        let newest = crate::store::release::current_run(&mut db, job).await?;
        if let Some(newest) = newest.filter(|newest| newest.business_date > held.business_date) {
            let message = format!(
                "{} is held, and the newer plan of {} is published already",
                held.run_id, newest.business_date
            );
            return refuse(Exit::Usage, message);
        }
        if let Some(seen) = seen_digest.filter(|seen| *seen != held.plan_digest) {
            let message =
                format!("{} is plan {}, and {seen} was looked at", held.run_id, held.plan_digest);
            return refuse(Exit::Failed, message);
        }
        let business_date = held.business_date.parse()?;
        Ok(Lift { business_date, plan_digest: held.plan_digest, by, reason })
    }

    /// Publishes what the gates hold if it is what was looked at.
    pub(super) fn apply(&self, rows: &mut RunRows, outcome: &mut RunOutcome) {
        if outcome.held_because.is_empty() {
            return;
        }
        let digest = plan_digest(rows);
        if digest != self.plan_digest {
            outcome.not_lifted = Some(format!(
                "it is plan {digest}, and {} was looked at; look again",
                self.plan_digest
            ));
            return;
        }
        outcome.lifted = std::mem::take(&mut outcome.held_because);
        let (by, reason, gates) = (self.by.clone(), self.reason.clone(), outcome.lifted.join(", "));
        rows.lifted = Some(Lifted { by, reason, gates });
        rows.run.held_because.clear();
        outcome.run_id = rows.run.run_id();
    }

    /// For the history of the job.
    pub(super) fn told(&self, outcome: &RunOutcome) -> Option<String> {
        let name = &self.by.actor.name;
        let lifted = outcome.lifted.join(", ");
        (!lifted.is_empty()).then(|| format!("{lifted} lifted by {name}: {}", self.reason))
    }
}
