//! What a purchasing system takes and tells.

use granary_models::calendar::Day;
use serde::Serialize;

use super::{Asked, By, Novelty, Told, checked_qty};
use crate::config::{Actor, Exit, Refused, faults};
use crate::store::Store;
use crate::store::db::Db;
use crate::store::release::acknowledge as book;
use crate::store::release::lines::{self, ReleasedLine};

/// What an acknowledgement came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Acknowledged {
    pub consumer: String,
    pub line_key: String,
    pub revision: i64,
    /// `new`, `changed`, or `known` where every word of it was known.
    pub novelty: Novelty,
    /// Of the line; a line that was revised, closed or cancelled meanwhile keeps its state.
    pub state: String,
    /// The newest revision, where it is not this one.
    pub superseded_by: Option<i64>,
}

/// Notes that a consumer has taken a line and what it knows of it. Say it as often as you like.
///
/// `revision` of `None` is the newest.
///
/// # Errors
/// When there is no such line, or a number is out of range.
pub async fn acknowledge(
    store: &Store,
    by: &By,
    consumer: &str,
    (line_key, revision): (&str, Option<i64>),
    confirmed_qty: Option<Asked<'_>>,
    told: Told,
) -> anyhow::Result<Acknowledged> {
    let consumer = consumer_name(consumer)?;
    if let Some(on) = &told.confirmed_on {
        on.parse::<Day>().map_err(|error| {
            let message = format!("confirmed_on is {on:?}, should be a date YYYY-MM-DD: {error}");
            Refused::new(Exit::Usage, message)
        })?;
    }
    let mut db = store.write().await?;
    let line = find(&mut db, line_key, revision).await?;
    let confirmed_qty = match confirmed_qty {
        Some(asked) => Some(checked_qty(asked.smallest(line.qty_decimals)?, 0)?),
        None => told.confirmed_qty,
    };
    let told = Told { confirmed_qty, ..told };
    let (novelty, state) = book::acknowledge(&mut db, by, &consumer, &line, &told).await?;
    let newest = find(&mut db, line_key, None).await?.revision;
    faults::point("acknowledge.before_commit")?;
    db.commit().await?;
    faults::point("acknowledge.after_commit")?;
    Ok(Acknowledged {
        consumer,
        line_key: line_key.to_owned(),
        revision: line.revision,
        novelty,
        state: state.as_str().to_owned(),
        superseded_by: (newest > line.revision).then_some(newest),
    })
}

/// What a consumer has still to take, in order of release. Reading marks nothing: read it as often as
/// you like, until it is acknowledged.
pub async fn pull(
    store: &Store,
    consumer: &str,
    after_release_id: i64,
    limit: Option<i64>,
) -> anyhow::Result<Vec<ReleasedLine>> {
    let consumer = consumer_name(consumer)?;
    let mut db = store.snapshot().await?;
    book::pending(&mut db, &consumer, after_release_id, limit.unwrap_or(i64::MAX)).await
}

pub(super) async fn find(
    db: &mut Db,
    line_key: &str,
    revision: Option<i64>,
) -> anyhow::Result<ReleasedLine> {
    lines::released(db, line_key, revision).await?.ok_or_else(|| {
        let which = revision.map_or(String::new(), |revision| format!(" revision {revision}"));
        Refused::new(Exit::Usage, format!("no line {line_key:?}{which} was released")).into()
    })
}

/// A consumer's name obeys the rules of an actor's.
fn consumer_name(consumer: &str) -> anyhow::Result<String> {
    let actor = Actor::new(consumer, crate::config::Role::Purchasing)
        .map_err(|refused| Refused::new(refused.exit, format!("the consumer: {refused}")))?;
    Ok(actor.name)
}
