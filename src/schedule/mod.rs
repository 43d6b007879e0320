//! The clock: wakes once a minute and starts what the rows say is due.
//!
//! `tokio-cron-scheduler` is the alarm and nothing more. It keeps a fixed offset from UTC, starts a
//! job again while it still runs and forgets one that panicked; so it only ever sends a wake-up,
//! and what is due is worked out from the database at that moment ([`crate::jobs::due`]).
//!
//! Any number of servers may do so on one database: the rows let one of them begin a date.

mod alarm;
mod child;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use chrono::{DateTime, Utc};
use granary_models::calendar::Day;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::config::{Job, Overlap, clock};
use crate::jobs::due;
use crate::jobs::timetable::Timetable;
use crate::store::Store;
use crate::store::read::jobs;

pub use alarm::stop_signal;
pub use child::{ChildRunner, this_program};

/// Carries out one job for one business date. A child process, or a test's stand-in.
pub trait Runner: Send + Sync + 'static {
    /// Runs to the end, on a thread of its own; soon after `stop` is set it gives up. The run begins by
    /// [`Store::begin_run`] and keeps its own books; what it cannot write down itself is in the answer.
    fn run(&self, job: &Job, date: Day, stop: &Stop) -> Ended;
}

/// How a run ended, as far as its server can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It said so itself in the rows.
    InOrder(String),
    /// Another run is at work, or the date is not to be done any more.
    NotBegun(String),
    /// By an error, a panic or a signal, which the rows may not know of.
    BrokeOff(String),
}

/// Asks a run to end.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    pub fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// The jobs with a timetable. Building it checks every cron expression.
pub struct Scheduler {
    store: Store,
    jobs: Vec<(Job, Timetable)>,
    runner: Arc<dyn Runner>,
    /// The run at work, one at a time: a night takes every core.
    at_work: Option<AtWork>,
}

struct AtWork {
    job: Job,
    date: Day,
    started: Instant,
    /// The newest attempt at the date before this one.
    before: Option<i64>,
    /// This one, once it has begun.
    attempt_id: Option<i64>,
    /// When the rows were last asked about it.
    asked_at: Instant,
    /// How often in a row it was then at work without the lease.
    without_lease: u32,
    stop: Stop,
    stopped: Option<Stopped>,
    task: JoinHandle<Ended>,
}

/// Why a run was asked to end.
#[derive(Clone, Debug)]
enum Stopped {
    TimedOut {
        minutes: f64,
    },
    /// It was cancelled, or another process took over.
    LeaseLost,
    Replaced {
        by: Day,
    },
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

    /// Whether no run is at work, as far as it was looked after.
    pub fn is_idle(&self) -> bool {
        self.at_work.is_none()
    }

    /// Starts the first job that is due, unless one is at work. Gives what it started.
    pub async fn tick(&mut self, now: DateTime<Utc>) -> anyhow::Result<Option<(String, Day)>> {
        self.look_after().await?;
        let mut found = None;
        for (job, timetable) in &self.jobs {
            if let Some(date) = self.look(job, timetable, now).await? {
                found = found.or(Some((job.clone(), date)));
            }
        }
        let Some((job, date)) = found else { return Ok(None) };
        if let Some(work) = &mut self.at_work {
            let overlap = job.schedule.as_ref().map(|schedule| schedule.overlap);
            let replaces =
                overlap == Some(Overlap::Replace) && work.job.name == job.name && work.date < date;
            if !replaces {
                return Ok(None);
            }
            // First in the rows: whatever the run still does, it writes nothing.
            self.store.replace_date(&job.name, work.date, date).await?;
            work.stop(Stopped::Replaced { by: date });
            self.finish().await;
        }
        self.start(job, date).await.map(Some)
    }

    /// The date that a job should start; first writes down what it sees.
    async fn look(
        &self,
        job: &Job,
        timetable: &Timetable,
        now: DateTime<Utc>,
    ) -> anyhow::Result<Option<Day>> {
        let mut seen = due::look(&mut self.store.snapshot().await?, job, timetable, now).await?;
        if seen.has_news() {
            self.store.note_dates(job, &seen.unnoted, &seen.missed).await?;
            seen = due::look(&mut self.store.snapshot().await?, job, timetable, now).await?;
        }
        if let (Some(reason), false) = (&seen.waits_for, self.at_work.is_some()) {
            tracing::debug!("{} waits: {reason}", job.name);
        }
        Ok(seen.start)
    }

    async fn start(&mut self, job: Job, date: Day) -> anyhow::Result<(String, Day)> {
        tracing::info!("{} is due for {date}", job.name);
        let before =
            jobs::newest_attempt(&mut self.store.snapshot().await?, &job.name, date).await?;
        let (runner, stop) = (self.runner.clone(), Stop::default());
        let (task_job, task_stop) = (job.clone(), stop.clone());
        let task = tokio::task::spawn_blocking(move || runner.run(&task_job, date, &task_stop));
        let started = (job.name.clone(), date);
        self.at_work = Some(AtWork {
            job,
            date,
            started: Instant::now(),
            before,
            attempt_id: None,
            asked_at: Instant::now(),
            without_lease: 0,
            stop,
            stopped: None,
            task,
        });
        Ok(started)
    }

    /// Closes the books of a run that has ended, and ends one that has no right to go on: it takes too
    /// long, or has lost its lease and does not notice.
    pub async fn look_after(&mut self) -> anyhow::Result<()> {
        let Some(work) = &mut self.at_work else { return Ok(()) };
        if work.task.is_finished() {
            self.finish().await;
            return Ok(());
        }
        let minutes = work.job.schedule.as_ref().map_or(f64::INFINITY, |s| s.max_minutes);
        if work.started.elapsed().as_secs_f64() > minutes * 60.0 {
            work.stop(Stopped::TimedOut { minutes });
            return Ok(());
        }
        if work.asked_at.elapsed() < clock::renewal() / 3 {
            return Ok(());
        }
        work.asked_at = Instant::now();
        let mut db = self.store.snapshot().await?;
        let newest = jobs::newest_attempt(&mut db, &work.job.name, work.date).await?;
        let leases = jobs::leases(&mut db).await?;
        drop(db);
        if work.attempt_id.is_none() {
            work.attempt_id = newest.filter(|newest| work.before.is_none_or(|old| *newest > old));
        }
        let Some(attempt_id) = work.attempt_id else { return Ok(()) };
        if leases.iter().any(|lease| lease.attempt_id == attempt_id) {
            work.without_lease = 0;
        } else {
            // Once may be the moment between its last word and its end.
            work.without_lease += 1;
            if work.without_lease > 1 {
                work.stop(Stopped::LeaseLost);
            }
        }
        Ok(())
    }

    /// Waits for the run at work. Its trouble is logged and written down, and never stops the clock.
    pub async fn finish(&mut self) {
        let Some(work) = self.at_work.take() else { return };
        let (job, date) = (&work.job, work.date);
        let ended = work.task.await.unwrap_or_else(|panic| Ended::BrokeOff(format!("{panic}")));
        let why = match (ended, work.stopped) {
            (Ended::InOrder(report), _) => {
                tracing::info!("{} {date}: {report}", job.name);
                return;
            }
            (_, Some(Stopped::Replaced { by })) => {
                tracing::info!("{} {date} makes way for {by}", job.name);
                return;
            }
            (Ended::NotBegun(reason), _) => {
                tracing::info!("{} {date} is left: {reason}", job.name);
                return;
            }
            (Ended::BrokeOff(_), Some(Stopped::TimedOut { minutes })) => {
                format!("it took longer than {minutes} minutes and was ended")
            }
            (Ended::BrokeOff(_), Some(Stopped::LeaseLost)) => {
                "it went on without its lease and was ended".to_owned()
            }
            (Ended::BrokeOff(reason), None) => reason,
        };
        tracing::error!("{} {date} failed: {why}", job.name);
        if let Err(error) = self.store.close_run(job, date, work.before, &why).await {
            // The next look finds the run without a process and closes it then.
            tracing::error!("cannot write down how {} {date} ended: {error:#}", job.name);
        }
    }

    /// Ticks at every wake-up until `stop` is set, then lets the run at work finish.
    pub async fn keep_time(
        mut self,
        mut wake: mpsc::Receiver<()>,
        mut stop: watch::Receiver<bool>,
    ) {
        let mut look = tokio::time::interval(look_interval());
        loop {
            // Only channels and timers are waited for here; the database is touched below, to its end.
            let woken = tokio::select! {
                woken = wake.recv() => if woken.is_some() { Woken::Tick } else { Woken::Stop },
                _ = look.tick() => Woken::Look,
                _ = stop.wait_for(|stop| *stop) => Woken::Stop,
            };
            let result = match woken {
                Woken::Tick => self.tick_now().await,
                Woken::Look => self.look_after().await,
                Woken::Stop => break,
            };
            if let Err(error) = result {
                tracing::error!("cannot tell what is due: {error:#}");
            }
        }
        if let Some(work) = &self.at_work {
            tracing::info!("waiting for {} {} to finish", work.job.name, work.date);
        }
        while self.at_work.is_some() {
            look.tick().await;
            if let Err(error) = self.look_after().await {
                tracing::error!("cannot look after the run at work: {error:#}");
            }
        }
    }

    async fn tick_now(&mut self) -> anyhow::Result<()> {
        let now = self.store.now().await?;
        self.tick(now).await?;
        Ok(())
    }
}

enum Woken {
    Tick,
    Look,
    Stop,
}

impl AtWork {
    fn stop(&mut self, why: Stopped) {
        if self.stopped.is_none() {
            tracing::warn!("ending {} {}: {why:?}", self.job.name, self.date);
            self.stopped = Some(why);
        }
        self.stop.set();
    }
}

/// How often the run at work is looked after, a few times a renewal.
fn look_interval() -> Duration {
    (clock::renewal() / 3).min(Duration::from_secs(1))
}

/// Keeps time until `stop` is set and the run at work has ended. `tick_seconds` is a minute but in
/// tests.
pub async fn run(
    scheduler: Scheduler,
    tick_seconds: u32,
    stop: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let (mut alarm, wake) = alarm::alarm(tick_seconds).await?;
    scheduler.keep_time(wake, stop).await;
    alarm.shutdown().await.context("the alarm clock")
}
