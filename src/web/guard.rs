//! Who asks, and whether they may.
//!
//! Everything is refused that is not allowed here: each address is bound to an operation, and the one
//! table of [`crate::config::Role`] says whose it is. Without a token there is one case: somebody at
//! this very machine may read, when the server listens to nobody else.

use axum::extract::{Form, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::{App, Failure, page_values};
use crate::config::{Actor, Operation, Role, clock};

const COOKIE: &str = "granary_token";
/// A browser forgets a token after so long; it has to be pasted again.
const COOKIE_SECONDS: u32 = 12 * 3600;

/// What an address is, and where the server listens.
#[derive(Clone)]
pub struct Gate {
    pub app: App,
    pub operation: Operation,
    /// Whether an actor who may see some locations only can use it.
    pub by_location: bool,
}

/// Lets a request through with its [`Actor`], or says why not.
pub async fn guard(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let actor = match who(&gate.app, request.headers()).await {
        Ok(Some(actor)) => actor,
        Ok(None) => return unknown(&gate.app, request.headers()),
        Err(failure) => return failure.into_response(),
    };
    if !actor.role.may(gate.operation) {
        let text = format!("a token of the role {} may not do this\n", actor.role.as_str());
        return (StatusCode::FORBIDDEN, text).into_response();
    }
    if !actor.locations.is_empty() && !gate.by_location {
        let text = "this token is for some locations only, and this is about all of them\n";
        return (StatusCode::FORBIDDEN, text).into_response();
    }
    if request.method() != Method::GET && !from_own_page(request.headers()) {
        return (StatusCode::FORBIDDEN, "this came from another site's page\n").into_response();
    }
    request.extensions_mut().insert(actor);
    next.run(request).await
}

async fn who(app: &App, headers: &HeaderMap) -> Result<Option<Actor>, Failure> {
    let Some(token) = bearer(headers).or_else(|| cookie(headers)) else {
        let local =
            Actor { name: "this machine".to_owned(), role: Role::Analyst, locations: Vec::new() };
        return Ok(app.loopback.then_some(local));
    };
    let (app, token) = (app.clone(), token.to_owned());
    // A task of its own: a reader who goes away must not cut a query in two.
    let asked = tokio::spawn(async move {
        let now = clock::stamp(clock::now());
        app.store.actor_of_token(&token, &now).await
    });
    Ok(asked.await??)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ").map(str::trim)
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

/// A browser that sends its cookie also says which page made it ask; a program with a token of its
/// own has no page.
fn from_own_page(headers: &HeaderMap) -> bool {
    if bearer(headers).is_some() {
        return true;
    }
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    match (text(header::ORIGIN), text(header::HOST)) {
        (Some(origin), Some(host)) => {
            origin.split_once("://").is_some_and(|(_, from)| from == host)
        }
        _ => false,
    }
}

fn unknown(app: &App, headers: &HeaderMap) -> Response {
    let wants_page = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"));
    if wants_page {
        return match login_page(app, "") {
            Ok(page) => (StatusCode::UNAUTHORIZED, page).into_response(),
            Err(failure) => failure.into_response(),
        };
    }
    let text = "a valid token is needed: Authorization: Bearer granary_…\n";
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")], text).into_response()
}

fn login_page(app: &App, wrong: &str) -> Result<Html<String>, Failure> {
    app.page("login.html", page_values! { active => "", wrong => wrong })
}

pub async fn login_form(State(app): State<App>) -> Result<Html<String>, Failure> {
    login_page(&app, "")
}

#[derive(Deserialize)]
pub struct Login {
    token: String,
}

/// Keeps the token in a cookie that scripts and other sites' pages cannot use.
pub async fn login(
    State(app): State<App>,
    headers: HeaderMap,
    Form(login): Form<Login>,
) -> Result<Response, Failure> {
    let token = login.token.trim().to_owned();
    let now = clock::stamp(clock::now());
    let (store, asked) = (app.store.clone(), token.clone());
    let found = tokio::spawn(async move { store.actor_of_token(&asked, &now).await }).await??;
    if found.is_none() {
        let page = login_page(&app, "This token is unknown, expired or revoked.")?;
        return Ok((StatusCode::UNAUTHORIZED, page).into_response());
    }
    // Behind a proxy that speaks TLS the cookie never travels in the clear.
    let tls = headers.get("x-forwarded-proto").is_some_and(|proto| proto == "https");
    let secure = if tls { "; Secure" } else { "" };
    let cookie = format!(
        "{COOKIE}={token}; HttpOnly; SameSite=Strict; Path=/; Max-Age={COOKIE_SECONDS}{secure}"
    );
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to("/")).into_response())
}

pub async fn logout() -> Response {
    let gone = format!("{COOKIE}=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0");
    ([(header::SET_COOKIE, gone)], Redirect::to("/login")).into_response()
}
