//! What wakes the clock, and what stops it.

use std::future::Future;

use anyhow::Context;
use tokio::sync::mpsc;
use tokio_cron_scheduler::{Job as Alarm, JobScheduler};

/// Sends a wake-up at once and then every `seconds`, of which a minute is made of a whole number. A
/// wake-up that nobody takes is dropped: the next one sees the same rows.
pub async fn alarm(seconds: u32) -> anyhow::Result<(JobScheduler, mpsc::Receiver<()>)> {
    let (send, wake) = mpsc::channel(1);
    let _ = send.try_send(());
    // Seconds, minutes, hours, day, month, weekday: the same instants in any zone.
    let every = match seconds {
        60 => "0 * * * * *".to_owned(),
        seconds => format!("*/{seconds} * * * * *"),
    };
    let alarm = Alarm::new_async(every.as_str(), move |_, _| {
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
