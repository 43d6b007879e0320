//! What purchasing systems take, and what they tell of it.

use anyhow::Context;
use granary_models::plan::life::LineEvent;
use granary_models::plan::line::LineState;
use serde::Serialize;
use sqlx::FromRow;

use super::lines::{self, ReleasedLine, Step};
use super::{By, note};
use crate::config::Operation;
use crate::store::db::{self, Db};

/// What a consumer tells of a line; `None` leaves what it told before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Smallest units.
    pub confirmed_qty: Option<i64>,
    /// When it is to arrive.
    pub confirmed_on: Option<String>,
    pub order_number: Option<String>,
}

/// What an acknowledgement was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Novelty {
    New,
    /// Known, with other numbers than before.
    Changed,
    /// Known in every word.
    Known,
}

#[derive(Clone, Debug, PartialEq, FromRow)]
struct Known {
    confirmed_qty: Option<i64>,
    confirmed_on: Option<String>,
    order_number: String,
}

/// Notes that a consumer has taken a line, and gives the line's state. Saying it again is nothing
/// new. A line that was revised, closed or cancelled meanwhile is noted too, and keeps its state.
pub async fn acknowledge(
    db: &mut Db,
    by: &By,
    consumer: &str,
    line: &ReleasedLine,
    told: &Told,
) -> anyhow::Result<(Novelty, LineState)> {
    let known: Option<Known> = db::query_as(
        "SELECT confirmed_qty, confirmed_on, order_number FROM acknowledgement \
         WHERE consumer = $1 AND line_key = $2 AND revision = $3",
    )
    .bind(consumer)
    .bind(&line.line_key)
    .bind(line.revision)
    .fetch_optional(db)
    .await?;
    let old = line.state()?;
    let novelty = match &known {
        None => Novelty::New,
        Some(known) if says_nothing_new(known, told) => return Ok((Novelty::Known, old)),
        Some(_) => Novelty::Changed,
    };
    db::query(
        "INSERT INTO acknowledgement (consumer, line_key, revision, confirmed_qty, confirmed_on, \
         order_number, actor, at, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) \
         ON CONFLICT (consumer, line_key, revision) DO UPDATE SET \
         confirmed_qty = coalesce(excluded.confirmed_qty, acknowledgement.confirmed_qty), \
         confirmed_on = coalesce(excluded.confirmed_on, acknowledgement.confirmed_on), \
         order_number = coalesce($9, acknowledgement.order_number), changed_at = excluded.changed_at",
    )
    .bind(consumer)
    .bind(&line.line_key)
    .bind(line.revision)
    .bind(told.confirmed_qty)
    .bind(&told.confirmed_on)
    .bind(told.order_number.as_deref().unwrap_or_default())
    .bind(&by.actor.name)
    .bind(by.stamp())
    .bind(&told.order_number)
    .execute(db)
    .await
    .context("writing the acknowledgement")?;
    let state = if old.is_in_force() { old.after(LineEvent::Confirm)? } else { old };
    if old.is_in_force() {
        let step = Step {
            confirmed_qty: told.confirmed_qty,
            confirmed_on: told.confirmed_on.as_deref(),
            order_number: told.order_number.as_deref(),
            ..Step::default()
        };
        lines::advance(db, line, state, &step).await?;
    }
    note(db, by, Operation::Acknowledge, line, state, consumer).await?;
    Ok((novelty, state))
}

fn says_nothing_new(known: &Known, told: &Told) -> bool {
    told.confirmed_qty.is_none_or(|qty| known.confirmed_qty == Some(qty))
        && told.confirmed_on.as_ref().is_none_or(|on| known.confirmed_on.as_ref() == Some(on))
        && told.order_number.as_ref().is_none_or(|number| known.order_number == *number)
}

/// What a consumer has still to take, in order of release: everything in force that it has not
/// acknowledged and no switch stops, also where another consumer has. Reading marks nothing.
pub async fn pending(
    db: &mut Db,
    consumer: &str,
    after_release_id: i64,
    limit: i64,
) -> anyhow::Result<Vec<ReleasedLine>> {
    db::query_as(
        "SELECT l.* FROM released_line l WHERE l.state IN ('released', 'confirmed') \
         AND l.release_id > $2 \
         AND NOT EXISTS (SELECT 1 FROM acknowledgement a WHERE a.consumer = $1 \
           AND a.line_key = l.line_key AND a.revision = l.revision) \
         AND NOT EXISTS (SELECT 1 FROM v_kill_switch k WHERE k.scope = 'all' \
           OR (k.scope = 'run' AND k.scope_id IN (l.run_id, l.job)) \
           OR (k.scope = 'supplier' AND k.scope_id = l.supplier_id) \
           OR (k.scope = 'location' AND k.scope_id IN (l.location_id, l.source_location_id))) \
         ORDER BY l.release_id, l.line_key, l.revision LIMIT $3",
    )
    .bind(consumer)
    .bind(after_release_id)
    .bind(limit)
    .fetch_all(db)
    .await
    .context("reading what is to be taken")
}
