//! The clock: wakes once a minute and starts what the rows say is due.
//!
//! `tokio-cron-scheduler` is the alarm and nothing more. It keeps a fixed offset from UTC, starts a
//! job again while it still runs and forgets one that panicked; so it only ever sends a wake-up,
//! and what is due is worked out from the database at that moment ([`crate::jobs::due`]).

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use anyhow::Context;
use chrono::{DateTime, Utc};
use granary_models::calendar::Day;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_cron_scheduler::{Job as Alarm, JobScheduler};

use crate::config::{Exit, Job, Refused};
use crate::jobs::due::{Timetable, due_now};
use crate::jobs::nightly::{self, RunOptions};
use crate::store::Store;

/// Seconds, minutes, hours, day, month, weekday: the start of every minute, in any zone.
const EVERY_MINUTE: &str = "0 * * * * *";

/// Carries out one job for one business date. The night itself, or a test's stand-in.
pub trait Runner: Send + Sync + 'static {
    fn run(&self, job: &Job, date: Day) -> anyhow::Result<String>;
}

/// Runs nights on threads of their own, so that the web server's threads stay free.
pub struct NightRunner {
    pub store: Store,
    pub threads: usize,
    pub runtime: tokio::runtime::Handle,
}

impl Runner for NightRunner {
    fn run(&self, job: &Job, date: Day) -> anyhow::Result<String> {
        let on_stage = |stage: &'static str| tracing::info!("{} {date}: {stage}", job.name);
        let options =
            RunOptions { threads: self.threads, on_stage: &on_stage, ..RunOptions::default() };
        let outcome = self.runtime.block_on(nightly::run(&self.store, job, date, &options))?;
        Ok(if outcome.held_because.is_empty() {
            format!("published, {} lines", outcome.counts.lines)
        } else {
            format!("HELD by {}", outcome.held_because.join(", "))
        })
    }
}

/// The jobs with a timetable. Building it checks every cron expression.
pub struct Scheduler {
    store: Store,
    jobs: Vec<(Job, Timetable)>,
    runner: Arc<dyn Runner>,
    /// The run at work, one at a time: a database has one writer, and a night takes every core.
    at_work: Option<AtWork>,
}

struct AtWork {
    job: String,
    date: Day,
    task: JoinHandle<anyhow::Result<String>>,
}

impl Scheduler {
    pub fn new(
        store: Store,
        jobs: &BTreeMap<String, Job>,
        runner: Arc<dyn Runner>,
    ) -> anyhow::Result<Scheduler> {
        let mut timed = Vec::new();
        for job in jobs.values() {
            if let Some(schedule) = &job.schedule {
                let timetable =
                    Timetable::of(schedule).with_context(|| format!("job {}", job.name))?;
                timed.push((job.clone(), timetable));
            }
        }
        Ok(Scheduler { store, jobs: timed, runner, at_work: None })
    }

    /// Starts the first job that is due, unless one is at work. Gives what it started.
    pub async fn tick(&mut self, now: DateTime<Utc>) -> anyhow::Result<Option<(String, Day)>> {
        self.clear_finished().await;
        if self.at_work.is_some() {
            return Ok(None);
        }
        let mut db = self.store.snapshot().await?;
        let mut found = None;
        for (job, timetable) in &self.jobs {
            if let Some(date) = due_now(&mut db, &job.name, timetable, now).await? {
                found = Some((job.clone(), date));
                break;
            }
        }
        drop(db);
        let Some((job, date)) = found else { return Ok(None) };
        tracing::info!("{} is due for {date}", job.name);
        let started = (job.name.clone(), date);
        let runner = self.runner.clone();
        let name = job.name.clone();
        let task = tokio::task::spawn_blocking(move || runner.run(&job, date));
        self.at_work = Some(AtWork { job: name, date, task });
        Ok(Some(started))
    }

    async fn clear_finished(&mut self) {
        if self.at_work.as_ref().is_some_and(|work| work.task.is_finished()) {
            self.finish().await;
        }
    }

    /// Waits for the run at work. Its trouble is logged and never stops the clock: the next tick
    /// finds the date without a run and decides anew.
    pub async fn finish(&mut self) {
        let Some(work) = self.at_work.take() else { return };
        let (job, date) = (work.job, work.date);
        match work.task.await {
            Ok(Ok(report)) => tracing::info!("{job} {date}: {report}"),
            Ok(Err(error)) => {
                let locked = error
                    .downcast_ref::<Refused>()
                    .is_some_and(|refused| refused.exit == Exit::LockHeld);
                if locked {
                    tracing::info!("{job} {date} waits: {error:#}");
                } else {
                    tracing::error!("{job} {date} failed: {error:#}");
                }
            }
            Err(panic) => tracing::error!("{job} {date} panicked: {panic}"),
        }
    }

    /// Ticks at every wake-up until `stop` is set, then lets the run at work finish.
    pub async fn keep_time(
        mut self,
        mut wake: mpsc::Receiver<()>,
        mut stop: watch::Receiver<bool>,
    ) {
        loop {
            // Only channels are waited for here; the database is touched in `tick`, to its end.
            let woken = tokio::select! {
                woken = wake.recv() => woken.is_some(),
                _ = stop.wait_for(|stop| *stop) => false,
            };
            if !woken {
                break;
            }
            if let Err(error) = self.tick(Utc::now()).await {
                tracing::error!("cannot tell what is due: {error:#}");
            }
        }
        if let Some(work) = &self.at_work {
            tracing::info!("waiting for {} {} to finish", work.job, work.date);
        }
        self.finish().await;
    }
}

/// Sends a wake-up at once and then every minute. A wake-up that nobody takes is dropped: the next
/// one sees the same rows.
pub async fn alarm() -> anyhow::Result<(JobScheduler, mpsc::Receiver<()>)> {
    let (send, wake) = mpsc::channel(1);
    let _ = send.try_send(());
    let alarm = Alarm::new_async(EVERY_MINUTE, move |_, _| {
        let send = send.clone();
        Box::pin(async move {
            let _ = send.try_send(());
        })
    })
    .context("the minute alarm")?;
    let scheduler = JobScheduler::new().await.context("the alarm clock")?;
    scheduler.add(alarm).await.context("the alarm clock")?;
    scheduler.start().await.context("the alarm clock")?;
    Ok((scheduler, wake))
}

/// Keeps time until `stop` is ready and the run at work has ended.
pub async fn run(scheduler: Scheduler, stop: watch::Receiver<bool>) -> anyhow::Result<()> {
    let (mut alarm, wake) = alarm().await?;
    scheduler.keep_time(wake, stop).await;
    alarm.shutdown().await.context("the alarm clock")
}

/// Ready at the first SIGINT or SIGTERM.
pub fn stop_signal() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
