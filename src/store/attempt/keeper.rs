//! Keeps a lease for as long as its run is at work.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::{Duration, Instant};

use granary_models::calendar::Day;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::{Asked, lease};
use crate::config::{Exit, Job, Refused, clock};
use crate::store::Store;

/// The right to write for a job until it ends, is taken away, or this is dropped.
pub struct Lease {
    store: Store,
    job: Job,
    business_date: Day,
    attempt_id: i64,
    /// Says that the run has ended in order; dropped, that it broke off.
    ended: Option<oneshot::Sender<()>>,
    keeper: Option<JoinHandle<()>>,
    lost: watch::Receiver<Option<String>>,
}

impl Lease {
    pub(super) fn keep(
        store: Store,
        job: Job,
        business_date: Day,
        attempt_id: i64,
        asked: Asked,
    ) -> Lease {
        let (ended, end) = oneshot::channel();
        let (send_lost, lost) = watch::channel(None);
        let keeper = Keeper {
            store: store.clone(),
            job: job.clone(),
            business_date,
            attempt_id,
            limit: limit(&job, asked),
            lost: send_lost,
        };
        let keeper = Some(tokio::spawn(keeper.keep(end)));
        Lease { store, job, business_date, attempt_id, ended: Some(ended), keeper, lost }
    }

    /// The fencing token.
    pub fn attempt_id(&self) -> i64 {
        self.attempt_id
    }

    /// # Errors
    /// `Refused` with [`Exit::LockHeld`] once the lease is known to be lost.
    pub fn check(&self) -> anyhow::Result<()> {
        match &*self.lost.borrow() {
            None => Ok(()),
            Some(why) => Err(Refused::new(Exit::LockHeld, why.clone()).into()),
        }
    }

    /// Ready with the reason when the lease is lost, with `None` when the run ends before that.
    pub fn lost(&self) -> impl Future<Output = Option<String>> + Send + 'static {
        let mut lost = self.lost.clone();
        async move { lost.wait_for(Option::is_some).await.ok()?.clone() }
    }

    /// Writes down how the run ended and lets go of the lease. `outcome` is `published` or `held`, which
    /// the publication has written down already, `stale` or `failed`.
    pub async fn end(
        mut self,
        outcome: &str,
        detail: &str,
        stage_ms: &BTreeMap<&str, u64>,
    ) -> anyhow::Result<()> {
        if let Some(ended) = self.ended.take() {
            // A keeper that has lost the lease no longer listens.
            let _ = ended.send(());
        }
        if let Some(keeper) = self.keeper.take() {
            keeper.await?;
        }
        let said = (outcome, detail);
        self.store.end_run(&self.job, self.business_date, self.attempt_id, said, stage_ms).await
    }
}

/// A run of the clock's is killed by its server when it takes too long. Should that be stopped as well,
/// the lease runs out by itself soon after.
fn limit(job: &Job, asked: Asked) -> Option<Duration> {
    let schedule = job.schedule.as_ref().filter(|_| asked != Asked::ByHand)?;
    Some(Duration::from_secs_f64(schedule.max_minutes * 60.0) + clock::lease())
}

struct Keeper {
    store: Store,
    job: Job,
    business_date: Day,
    attempt_id: i64,
    limit: Option<Duration>,
    lost: watch::Sender<Option<String>>,
}

impl Keeper {
    async fn keep(self, mut end: oneshot::Receiver<()>) {
        let started = Instant::now();
        loop {
            // The timeout is around a channel; the database is asked to its end.
            match tokio::time::timeout(clock::renewal(), &mut end).await {
                Ok(Ok(())) => return,
                Ok(Err(_)) => return self.break_off().await,
                Err(_) => {}
            }
            if self.limit.is_some_and(|limit| started.elapsed() > limit) {
                self.lost.send_replace(Some("the run took longer than max_minutes".to_owned()));
                return;
            }
            match self.renew().await {
                Ok(true) => {}
                Ok(false) => {
                    self.lost.send_replace(Some(format!(
                        "attempt {} of {} for {} no longer holds the lease: it was cancelled or \
                         another process took over",
                        self.attempt_id, self.job.name, self.business_date
                    )));
                    return;
                }
                // Nobody else can take it without the database either, and the fence is checked last.
                Err(error) => {
                    tracing::warn!("cannot renew the lease of {}: {error:#}", self.job.name)
                }
            }
        }
    }

    async fn renew(&self) -> anyhow::Result<bool> {
        let mut db = self.store.touch().await?;
        let renewed = lease::renew(&mut db, &self.job.name, self.attempt_id).await?;
        db.commit().await?;
        Ok(renewed)
    }

    /// The run was dropped on its way, by a panic or an early return.
    async fn break_off(&self) {
        let said = ("failed", "the run broke off");
        let none = BTreeMap::new();
        let ended =
            self.store.end_run(&self.job, self.business_date, self.attempt_id, said, &none).await;
        if let Err(error) = ended {
            tracing::error!("cannot let go of the lease of {}: {error:#}", self.job.name);
        }
    }
}
