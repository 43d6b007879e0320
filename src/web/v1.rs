//! The API that programs change things with: the operations of `jobs/release`, for whoever has a token
//! of the right role. Every answer is JSON; a refusal says why.

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::App;
use crate::config::{Actor, Exit, Refused, clock};
use crate::jobs::release::{self, Amend, Asked, By, Scope, Told, Wish};
use crate::store::release::lines;

/// Runs an operation in a task of its own: a client that goes away must not cut a transaction in two.
async fn answer<T, F>(work: F) -> Response
where
    T: Serialize + Send + 'static,
    F: Future<Output = anyhow::Result<T>> + Send + 'static,
{
    match tokio::spawn(work).await {
        Ok(Ok(done)) => Json(done).into_response(),
        Ok(Err(error)) => refused(&error),
        Err(error) => {
            tracing::error!("an operation panicked: {error}");
            problem(StatusCode::INTERNAL_SERVER_ERROR, "the server's log says what went wrong")
        }
    }
}

fn problem(status: StatusCode, text: &str) -> Response {
    (status, Json(json!({ "error": text }))).into_response()
}

/// What is wrong with a request is told; what is wrong with the service is logged.
fn refused(error: &anyhow::Error) -> Response {
    let Some(refused) = error.downcast_ref::<Refused>() else {
        tracing::error!("an operation failed: {error:#}");
        let text = "the server's log says what went wrong";
        return problem(StatusCode::INTERNAL_SERVER_ERROR, text);
    };
    let status = match refused.exit {
        Exit::Usage => StatusCode::BAD_REQUEST,
        Exit::PlanHeld | Exit::LockHeld | Exit::StaleData => StatusCode::CONFLICT,
        Exit::DataRejected => StatusCode::UNPROCESSABLE_ENTITY,
        Exit::Ok | Exit::Failed => StatusCode::INTERNAL_SERVER_ERROR,
    };
    problem(status, &format!("{error:#}"))
}

fn by(actor: Actor) -> By {
    By { actor, at: clock::now() }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Taking {
    /// Name of the system that takes lines.
    consumer: String,
    /// Only lines of later releases.
    #[serde(default)]
    after: i64,
    limit: Option<i64>,
}

/// What a consumer has still to take; of a token for some locations, theirs.
pub async fn released(
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    Query(taking): Query<Taking>,
) -> Response {
    answer(async move {
        let limit = taking.limit.filter(|limit| *limit > 0);
        let found = release::pull(&app.store, &taking.consumer, taking.after, None).await?;
        let seen =
            |location: &String| actor.locations.is_empty() || actor.locations.contains(location);
        let most = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        let lines = found.into_iter().filter(|line| seen(&line.location_id)).take(most);
        Ok(lines.collect::<Vec<_>>())
    })
    .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acknowledging {
    consumer: String,
    line_key: String,
    revision: i64,
    /// Smallest units.
    confirmed_qty: Option<i64>,
    confirmed_on: Option<String>,
    order_number: Option<String>,
}

pub async fn acknowledge(
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    Json(asked): Json<Acknowledging>,
) -> Response {
    answer(async move {
        if !actor.locations.is_empty() {
            let mut db = app.store.snapshot().await?;
            let line = lines::released(&mut db, &asked.line_key, Some(asked.revision)).await?;
            if !line.is_some_and(|line| actor.locations.contains(&line.location_id)) {
                let message =
                    format!("no line {:?} was released for your locations", asked.line_key);
                return Err(Refused::new(Exit::Usage, message).into());
            }
        }
        let told = Told {
            confirmed_qty: None,
            confirmed_on: asked.confirmed_on,
            order_number: asked.order_number,
        };
        let of = (asked.line_key.as_str(), Some(asked.revision));
        let qty = asked.confirmed_qty.map(Asked::Smallest);
        release::acknowledge(&app.store, &by(actor), &asked.consumer, of, qty, told).await
    })
    .await
}

/// A line, and why.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Of {
    line_key: String,
    revision: Option<i64>,
    #[serde(default)]
    reason: String,
}

pub async fn approve(
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    Json(of): Json<Of>,
) -> Response {
    answer(async move { release::approve(&app.store, &by(actor), &of.line_key, &of.reason).await })
        .await
}

pub async fn withdraw(
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    Json(of): Json<Of>,
) -> Response {
    answer(async move { release::withdraw(&app.store, &by(actor), &of.line_key, &of.reason).await })
        .await
}

pub async fn cancel(
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    Json(of): Json<Of>,
) -> Response {
    answer(async move { release::cancel(&app.store, &by(actor), &of.line_key, &of.reason).await })
        .await
}

pub async fn close(
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    Json(of): Json<Of>,
) -> Response {
    answer(async move {
        let line = (of.line_key.as_str(), of.revision);
        release::close(&app.store, &by(actor), line, &of.reason).await
    })
    .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Amending {
    line_key: String,
    /// Smallest units.
    qty: i64,
    reason: String,
    #[serde(default)]
    force: bool,
}

pub async fn amend(
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    Json(asked): Json<Amending>,
) -> Response {
    answer(async move {
        let amend = Amend {
            line_key: &asked.line_key,
            qty: Asked::Smallest(asked.qty),
            reason: &asked.reason,
            force: asked.force,
        };
        release::amend(&app.store, &by(actor), &amend).await
    })
    .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Releasing {
    job: String,
    date: Option<String>,
    /// The plan that was looked at; another one is refused.
    plan_digest: Option<String>,
    #[serde(default)]
    dry_run: bool,
}

pub async fn release(
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    Json(asked): Json<Releasing>,
) -> Response {
    answer(async move {
        let date = asked.date.as_deref().map(str::parse).transpose();
        let date = date.map_err(|error| {
            let message = format!("date is {:?}, should be YYYY-MM-DD: {error}", asked.date);
            Refused::new(Exit::Usage, message)
        })?;
        let Releasing { job, plan_digest, dry_run, .. } = asked;
        let wish = Wish { job, date, plan_digest, dry_run };
        release::release(&app.store, &by(actor), &wish).await
    })
    .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Switching {
    scope: Scope,
    #[serde(default)]
    scope_id: String,
    reason: String,
}

pub async fn stop(
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    Json(asked): Json<Switching>,
) -> Response {
    let Switching { scope, scope_id, reason } = asked;
    answer(async move { release::stop(&app.store, &by(actor), scope, &scope_id, &reason).await })
        .await
}

pub async fn go(
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    Json(asked): Json<Switching>,
) -> Response {
    let Switching { scope, scope_id, reason } = asked;
    answer(async move { release::go(&app.store, &by(actor), scope, &scope_id, &reason).await })
        .await
}
