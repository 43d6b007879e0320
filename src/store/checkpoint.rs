//! The pieces of a night that are made so far.

use std::collections::BTreeSet;

use anyhow::Context;
use granary_models::calendar::Day;

use super::Store;
use super::attempt::check_fence;
use super::db::{self, Db};
use crate::config::clock;

/// Whose pieces they are.
#[derive(Clone, Debug)]
pub struct Keep {
    pub attempt_id: i64,
    pub job: String,
    pub business_date: Day,
    /// Of all that the pieces depend on.
    pub digest: String,
}

impl Store {
    /// The pieces that an attempt may go on from, by stage and partition. Forgets those of the same
    /// job that are of other inputs or of earlier dates.
    ///
    /// # Errors
    /// [`crate::config::Refused`] when a newer attempt has begun; and failures of the database.
    pub async fn open_checkpoints(&self, keep: &Keep) -> anyhow::Result<BTreeSet<(String, u32)>> {
        let date = keep.business_date.to_string();
        let mut transaction = self.write().await?;
        check_fence(&mut transaction, &keep.job, keep.attempt_id).await?;
        db::query(
            "DELETE FROM run_checkpoint WHERE job = $1 \
             AND (business_date < $2 OR (business_date = $2 AND digest <> $3))",
        )
        .bind(&keep.job)
        .bind(&date)
        .bind(&keep.digest)
        .execute(&mut transaction)
        .await
        .context("forgetting old checkpoints")?;
        let there: Vec<(String, i64)> = db::query_as(
            "SELECT stage, partition_no FROM run_checkpoint \
             WHERE job = $1 AND business_date = $2 AND digest = $3",
        )
        .bind(&keep.job)
        .bind(&date)
        .bind(&keep.digest)
        .fetch_all(&mut transaction)
        .await
        .context("reading the checkpoints")?;
        transaction.commit().await?;
        let known = there.into_iter().filter_map(|(stage, partition)| {
            u32::try_from(partition).ok().map(|partition| (stage, partition))
        });
        Ok(known.collect())
    }

    pub async fn load_checkpoint(
        &self,
        keep: &Keep,
        stage: &str,
        partition: u32,
    ) -> anyhow::Result<Option<Vec<u8>>> {
        db::query_scalar(
            "SELECT payload FROM run_checkpoint WHERE job = $1 AND business_date = $2 \
             AND digest = $3 AND stage = $4 AND partition_no = $5",
        )
        .bind(&keep.job)
        .bind(keep.business_date.to_string())
        .bind(&keep.digest)
        .bind(stage)
        .bind(i64::from(partition))
        .fetch_optional(&mut self.snapshot().await?)
        .await
        .context("reading a checkpoint")
    }

    /// Keeps a piece in a transaction of its own.
    ///
    /// # Errors
    /// [`crate::config::Refused`] when a newer attempt has begun; and failures of the database.
    pub async fn save_checkpoint(
        &self,
        keep: &Keep,
        stage: &str,
        partition: u32,
        payload: &[u8],
    ) -> anyhow::Result<()> {
        let date = keep.business_date.to_string();
        let mut transaction = self.write().await?;
        check_fence(&mut transaction, &keep.job, keep.attempt_id).await?;
        db::query(
            "INSERT INTO run_checkpoint (job, business_date, digest, stage, partition_no, \
             payload, attempt_id, saved_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
             ON CONFLICT (job, business_date, digest, stage, partition_no) DO UPDATE \
             SET payload = excluded.payload, attempt_id = excluded.attempt_id, \
             saved_at = excluded.saved_at",
        )
        .bind(&keep.job)
        .bind(&date)
        .bind(&keep.digest)
        .bind(stage)
        .bind(i64::from(partition))
        .bind(payload)
        .bind(keep.attempt_id)
        .bind(clock::stamp(clock::now()))
        .execute(&mut transaction)
        .await
        .context("keeping a checkpoint")?;
        transaction.commit().await.context("keeping a checkpoint")
    }
}

/// Forgets the pieces of a date that is being published.
pub async fn forget(db: &mut Db, job: &str, business_date: &str) -> anyhow::Result<()> {
    db::query("DELETE FROM run_checkpoint WHERE job = $1 AND business_date = $2")
        .bind(job)
        .bind(business_date)
        .execute(db)
        .await
        .context("forgetting the checkpoints")?;
    Ok(())
}
