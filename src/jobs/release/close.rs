//! Closing a released line: nothing more comes of it.

use granary_models::plan::life::LineEvent;
use granary_models::plan::line::LineState;
use serde::Serialize;

use super::By;
use super::acknowledge::find;
use crate::config::Operation;
use crate::store::Store;
use crate::store::release::lines::{self, Step};
use crate::store::release::{current_run, note};

/// What closing came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Closed {
    pub line_key: String,
    pub revision: i64,
    pub state: String,
    /// Nights of later dates no longer count it as on order.
    pub closed_on: String,
    pub was_closed: bool,
}

/// Closes a released line, as received or as given up. Closing it again changes nothing.
///
/// # Errors
/// When no such line was released, or it is cancelled.
pub async fn close(
    store: &Store,
    by: &By,
    (line_key, revision): (&str, Option<i64>),
    reason: &str,
) -> anyhow::Result<Closed> {
    let mut db = store.write().await?;
    let line = find(&mut db, line_key, revision).await?;
    let old = line.state()?;
    if old == LineState::Closed {
        return Ok(Closed {
            line_key: line.line_key,
            revision: line.revision,
            state: line.state,
            closed_on: line.closed_on.unwrap_or_default(),
            was_closed: true,
        });
    }
    let state = old.after(LineEvent::Close)?;
    // What arrives on the day of the newest plan is in no count that this plan has seen.
    let closed_on = match current_run(&mut db, &line.job).await? {
        Some(run) if run.business_date >= line.business_date => run.business_date,
        _ => by.today().to_string(),
    };
    let reason = if reason.trim().is_empty() { "received" } else { reason.trim() };
    let step =
        Step { closed_on: Some(&closed_on), closed_because: Some(reason), ..Step::default() };
    note(&mut db, by, Operation::Close, &line, state, reason).await?;
    lines::advance(&mut db, &line, state, &step).await?;
    db.commit().await?;
    Ok(Closed {
        line_key: line.line_key,
        revision: line.revision,
        state: state.as_str().to_owned(),
        closed_on,
        was_closed: false,
    })
}
