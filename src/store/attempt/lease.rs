//! Leases: one run at a time for a job, and a token that tells the one that may write.

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};

use super::owner::{self, Owner};
use crate::config::{Exit, Refused, clock};
use crate::store::db::{self, Db, Dialect};
use crate::store::read::jobs::LeaseRow;

/// The time as the database has it, so that processes whose clocks differ agree.
///
/// PostgreSQL has a clock of its own. The processes of an SQLite database share a machine: leases are
/// judged by the time since that started, which nobody can set, and only the wall clock is a process's
/// own.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub at: DateTime<Utc>,
    /// On the clock that judges leases, in milliseconds.
    lease_ms: i64,
    dialect: Dialect,
}

impl Moment {
    pub async fn of(db: &mut Db) -> anyhow::Result<Moment> {
        let dialect = db.dialect();
        if dialect == Dialect::Sqlite {
            return Ok(Moment { at: clock::now(), lease_ms: clock::since_boot_ms(), dialect });
        }
        let lease_ms =
            db::query_scalar("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)")
                .fetch_one(db)
                .await?;
        let at = DateTime::from_timestamp_millis(lease_ms).context("the database's clock")?;
        Ok(Moment { at, lease_ms, dialect })
    }

    pub fn stamp(&self) -> String {
        clock::stamp(self.at)
    }
}

impl LeaseRow {
    /// Whether its owner may still be at work: it is not known to be gone, and the time is not up.
    pub fn is_valid(&self, now: &Moment) -> bool {
        let gone = Owner::parse(&self.owner).is_some_and(|owner| owner.is_gone(now.dialect));
        !gone && now.lease_ms < self.until_ms
    }

    pub fn is_owner_gone(&self, now: &Moment) -> bool {
        Owner::parse(&self.owner).is_some_and(|owner| owner.is_gone(now.dialect))
    }

    pub fn holder(&self) -> String {
        owner::label(&self.owner)
    }
}

/// The valid lease that keeps a run of `job` from beginning.
///
/// In SQLite that is one of any job: its processes share a machine and a writer, and a night takes every
/// core.
pub fn in_the_way<'l>(leases: &'l [LeaseRow], job: &str, now: &Moment) -> Option<&'l LeaseRow> {
    leases
        .iter()
        .filter(|lease| lease.job == job || now.dialect == Dialect::Sqlite)
        .find(|lease| lease.is_valid(now))
}

pub(super) async fn of_job(db: &mut Db, job: &str) -> sqlx::Result<Option<LeaseRow>> {
    db::query_as("SELECT * FROM job_lease WHERE job = $1").bind(job).fetch_optional(db).await
}

pub(super) async fn take(
    db: &mut Db,
    job: &str,
    business_date: &str,
    attempt_id: i64,
    now: &Moment,
) -> sqlx::Result<()> {
    let (renewed_at, until_at, until_ms) = times(now);
    db::query(
        "INSERT INTO job_lease (job, business_date, attempt_id, owner, renewed_at, until_at, until_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (job) DO UPDATE SET \
         business_date = excluded.business_date, attempt_id = excluded.attempt_id, \
         owner = excluded.owner, renewed_at = excluded.renewed_at, until_at = excluded.until_at, \
         until_ms = excluded.until_ms",
    )
    .bind(job)
    .bind(business_date)
    .bind(attempt_id)
    .bind(Owner::current().to_string())
    .bind(renewed_at)
    .bind(until_at)
    .bind(until_ms)
    .execute(db)
    .await?;
    Ok(())
}

/// Makes the lease last longer; `false` when it is no longer this attempt's.
pub(super) async fn renew(db: &mut Db, job: &str, attempt_id: i64) -> anyhow::Result<bool> {
    let now = Moment::of(db).await?;
    let (renewed_at, until_at, until_ms) = times(&now);
    let rows = db::query(
        "UPDATE job_lease SET renewed_at = $3, until_at = $4, until_ms = $5 \
         WHERE job = $1 AND attempt_id = $2",
    )
    .bind(job)
    .bind(attempt_id)
    .bind(renewed_at)
    .bind(until_at)
    .bind(until_ms)
    .execute(db)
    .await?;
    Ok(rows == 1)
}

fn times(now: &Moment) -> (String, String, i64) {
    let length_ms = i64::try_from(clock::lease().as_millis()).unwrap_or(i64::MAX / 2);
    let text = |at: DateTime<Utc>| at.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
    let until = now.at + TimeDelta::milliseconds(length_ms);
    (text(now.at), text(until), now.lease_ms + length_ms)
}

pub(super) async fn release(db: &mut Db, job: &str, attempt_id: i64) -> sqlx::Result<bool> {
    let delete = db::query("DELETE FROM job_lease WHERE job = $1 AND attempt_id = $2");
    Ok(delete.bind(job).bind(attempt_id).execute(db).await? == 1)
}

/// Whether the lease is this attempt's, its time up or not: then nobody has taken over.
pub(super) async fn is_ours(db: &mut Db, job: &str, attempt_id: i64) -> sqlx::Result<bool> {
    Ok(of_job(db, job).await?.is_some_and(|lease| lease.attempt_id == attempt_id))
}

/// The fence. Every write of a run asks it first, in the transaction of the write.
///
/// # Errors
/// `Refused` with [`Exit::LockHeld`] when the job's lease is no longer this attempt's.
pub async fn check_fence(db: &mut Db, job: &str, attempt_id: i64) -> anyhow::Result<()> {
    match of_job(db, job).await? {
        Some(lease) if lease.attempt_id == attempt_id => Ok(()),
        taken => {
            let by = match taken {
                Some(lease) => {
                    let holder = lease.holder();
                    format!("attempt {} for {}, {holder}", lease.attempt_id, lease.business_date)
                }
                None => "nobody: it was cancelled, or another attempt ended".to_owned(),
            };
            let message = format!(
                "attempt {attempt_id} of {job} lost its lease; now it belongs to {by}. \
                 Nothing was written"
            );
            Err(Refused::new(Exit::LockHeld, message).into())
        }
    }
}
