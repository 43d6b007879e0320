//! Attempts at a run: what the clock saw, and the fencing token.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;

use anyhow::Context;
use granary_models::calendar::Day;

use super::{Store, db};
use crate::config::{Exit, Refused};

/// Held for the time of a run. The operating system lets go of it when the process ends, however it
/// ends, so a killed run never blocks the next.
#[derive(Debug)]
pub struct RunLock {
    _file: Option<File>,
}

impl Store {
    /// One run at a time per database.
    pub fn lock_run(&self) -> anyhow::Result<RunLock> {
        let Some(path) = &self.path else { return Ok(RunLock { _file: None }) };
        let mut path = path.clone().into_os_string();
        path.push(".lock");
        let path = PathBuf::from(path);
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .with_context(|| format!("cannot open the lock {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(RunLock { _file: Some(file) }),
            Err(std::fs::TryLockError::WouldBlock) => {
                let message = format!("another run holds {}", path.display());
                Err(Refused::new(Exit::LockHeld, message).into())
            }
            Err(std::fs::TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("cannot lock {}", path.display()))
            }
        }
    }

    /// Notes that a run begins and gives its fencing token. What an earlier attempt at the same
    /// date left running was killed, since the lock is ours.
    pub async fn begin_attempt(&self, job: &str, business_date: Day) -> anyhow::Result<i64> {
        let date = business_date.to_string();
        let mut transaction = self.write().await?;
        db::query(
            "UPDATE run_attempt SET outcome = 'abandoned' \
             WHERE job = $1 AND business_date = $2 AND outcome = 'running'",
        )
        .bind(job)
        .bind(&date)
        .execute(&mut transaction)
        .await?;
        let attempt_id = db::query_scalar(
            "INSERT INTO run_attempt (job, business_date, started_at, process_id) \
             VALUES ($1, $2, $3, $4) RETURNING attempt_id",
        )
        .bind(job)
        .bind(&date)
        .bind(now())
        .bind(std::process::id())
        .fetch_one(&mut transaction)
        .await?;
        transaction.commit().await?;
        Ok(attempt_id)
    }

    pub async fn end_attempt(
        &self,
        attempt_id: i64,
        outcome: &str,
        detail: &str,
        stage_ms: &BTreeMap<&str, u64>,
    ) -> anyhow::Result<()> {
        let mut transaction = self.write().await?;
        db::query(
            "UPDATE run_attempt SET finished_at = $2, outcome = $3, detail = $4, stage_ms = $5 \
             WHERE attempt_id = $1",
        )
        .bind(attempt_id)
        .bind(now())
        .bind(outcome)
        .bind(detail)
        .bind(serde_json::to_string(stage_ms)?)
        .execute(&mut transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }
}

fn now() -> String {
    chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string()
}
