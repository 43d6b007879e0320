//! The numerical part of a night on threads of its own, and the database that keeps its pieces.
//!
//! Threads that make numbers never wait for a database by themselves: they send what they made, or
//! ask for what was kept, and the async side answers, one message after the other. Nothing there is
//! raced against anything, so no call of the database is ever left half done.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Instant;

use anyhow::Context;
use granary_models::backtest::checkpoint::{Checkpoints, FORMAT};
use granary_models::backtest::memory::Memory;
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use super::RunOptions;
use crate::config::{Job, Refused, faults};
use crate::store::Store;
use crate::store::checkpoint::Keep;

/// About as many series as take some seconds of one core at a refit.
pub const PARTITION_SERIES: usize = 2000;

/// Pieces on their way to the database. More would only take memory where a disk is slow.
const WAITING_MAX: usize = 4;

/// How much of a night was made by an attempt before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Resumed {
    /// Partitions, and pieces about all series, that did not have to be made again.
    pub pieces: usize,
    /// All that were asked for.
    pub of: usize,
}

impl Resumed {
    /// `resumed 7 of 26 partitions`; `None` for a night that was made in one go.
    pub fn told(&self) -> Option<String> {
        (self.pieces > 0).then(|| format!("resumed {} of {} partitions", self.pieces, self.of))
    }
}

/// What stands for everything that the forecast depends on. Another number of series a partition
/// makes other partitions.
pub fn digest(
    input_digest: &str,
    job: &Job,
    memory: Option<&Memory>,
    partition_series: usize,
) -> anyhow::Result<String> {
    let mut hasher = blake3::Hasher::new();
    let version = env!("CARGO_PKG_VERSION");
    for text in [input_digest, &job.digest, version] {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    for number in [job.forecast.seed, u64::from(FORMAT), partition_series as u64] {
        hasher.update(&number.to_le_bytes());
    }
    if let Some(memory) = memory {
        let mut series: Vec<_> = memory.series.values().collect();
        series.sort_unstable_by_key(|series| series.key);
        postcard::to_io(&(&memory.panel, series), &mut hasher).context("the memory's digest")?;
    }
    Ok(hasher.finalize().to_hex().to_string())
}

enum Message {
    Stage(&'static str),
    Load { stage: &'static str, partition: u32, answer: oneshot::Sender<Option<Vec<u8>>> },
    Save { stage: &'static str, partition: u32, bytes: Vec<u8> },
}

/// The numerical side of the channel.
pub struct Desk {
    async_side: mpsc::Sender<Message>,
    partition_series: usize,
    kept: BTreeSet<(String, u32)>,
    asked: Mutex<Asked>,
}

#[derive(Default)]
struct Asked {
    pieces: usize,
    /// Those that were there.
    found: BTreeSet<(&'static str, u32)>,
}

/// The async side takes no more pieces.
#[derive(Debug)]
pub struct Stopped;

impl Desk {
    /// Tells that a stage begins.
    pub fn stage(&self, name: &'static str) {
        // Nobody is left to hear it when the night was stopped.
        let _ = self.async_side.blocking_send(Message::Stage(name));
    }

    fn asked(&self) -> std::sync::MutexGuard<'_, Asked> {
        // The counts are whole after every statement, so a panic elsewhere leaves them right.
        self.asked.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub fn resumed(&self) -> Resumed {
        let asked = self.asked();
        Resumed { pieces: asked.found.len(), of: asked.pieces }
    }
}

impl Checkpoints for Desk {
    type Stop = Stopped;

    fn partition_series(&self) -> Option<usize> {
        Some(self.partition_series)
    }

    fn load(&self, stage: &'static str, partition: u32) -> Option<Vec<u8>> {
        self.asked().pieces += 1;
        if !self.kept.contains(&(stage.to_owned(), partition)) {
            return None;
        }
        let (answer, answered) = oneshot::channel();
        self.async_side.blocking_send(Message::Load { stage, partition, answer }).ok()?;
        let bytes = answered.blocking_recv().ok()??;
        self.asked().found.insert((stage, partition));
        Some(bytes)
    }

    fn save(&self, stage: &'static str, partition: u32, bytes: Vec<u8>) -> Result<(), Stopped> {
        // What was found but could not be read was made again.
        self.asked().found.remove(&(stage, partition));
        let message = Message::Save { stage, partition, bytes };
        self.async_side.blocking_send(message).map_err(|_| Stopped)
    }
}

/// Runs `work` on threads of its own and keeps the pieces that it makes until it is done.
///
/// A piece that cannot be written is no reason to stop a night, and is told in the log.
///
/// # Errors
/// What `work` says, a panic in it, and that a newer attempt has begun.
pub async fn run<T: Send + 'static>(
    store: &Store,
    keep: Keep,
    options: &RunOptions<'_>,
    work: impl FnOnce(&Desk) -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<(T, Resumed)> {
    let kept = match store.open_checkpoints(&keep).await {
        Ok(kept) => kept,
        Err(error) if error.is::<Refused>() => return Err(error),
        Err(error) => {
            tracing::warn!("the night cannot go on from an earlier one: {error:#}");
            BTreeSet::new()
        }
    };
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(options.threads)
        .build()
        .context("cannot start the worker threads")?;
    let (async_side, messages) = mpsc::channel(WAITING_MAX);
    let partition_series = options.partition_series;
    let desk = Desk { async_side, partition_series, kept, asked: Mutex::default() };
    let worker = tokio::task::spawn_blocking(move || {
        let made = pool.install(|| work(&desk));
        made.map(|made| (made, desk.resumed()))
    });
    // Work that is stopped ends at the next piece it makes.
    let stopped = answer(store, &keep, options, messages).await;
    let worked = worker.await.context("the numerical part of the night panicked")?;
    stopped?;
    worked
}

/// Answers until the work is done.
///
/// # Errors
/// When the work is to stop.
async fn answer(
    store: &Store,
    keep: &Keep,
    options: &RunOptions<'_>,
    mut messages: mpsc::Receiver<Message>,
) -> anyhow::Result<()> {
    let mut warned = false;
    while let Some(message) = messages.recv().await {
        match message {
            Message::Stage(name) => (options.on_stage)(name),
            Message::Load { stage, partition, answer } => {
                let found = store.load_checkpoint(keep, stage, partition).await;
                let found = found.unwrap_or_else(|error| {
                    tracing::warn!("{stage} {partition} is made again: {error:#}");
                    None
                });
                // The asking thread is gone only when its work panicked.
                let _ = answer.send(found);
            }
            Message::Save { stage, partition, bytes } => {
                let begun = Instant::now();
                match store.save_checkpoint(keep, stage, partition, &bytes).await {
                    Ok(()) => {
                        let (bytes, took) = (bytes.len(), begun.elapsed());
                        tracing::debug!(stage, partition, bytes, ?took, "kept a piece");
                        faults::point("checkpoint.saved")?;
                    }
                    Err(error) if error.is::<Refused>() => return Err(error),
                    Err(error) if !warned => {
                        tracing::warn!("the night goes on without checkpoints: {error:#}");
                        warned = true;
                    }
                    Err(_) => {}
                }
            }
        }
    }
    Ok(())
}
