//! The plan as pages and as JSON, without scripts from elsewhere, offline; and the API of its release.

mod api;
mod chart;
mod guard;
mod metrics;
mod pages;
mod params;
mod render;
mod sku_charts;
mod v1;
mod what_if;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use minijinja::{Environment, context};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::config::{Job, Operation};
use crate::store::Store;
use crate::store::db::Db;

/// What a template is given, by name.
macro_rules! page_values {
    ($($name:ident => $value:expr),* $(,)?) => {
        minijinja::context! { $($name => minijinja::Value::from(minijinja::value::Serde(&$value))),* }
    };
}
use page_values;

/// What every handler needs.
#[derive(Clone)]
pub struct App {
    store: Store,
    jobs: Arc<BTreeMap<String, Job>>,
    templates: Arc<Environment<'static>>,
    /// Whose turn it is to ask what would be.
    questions: Arc<Semaphore>,
    /// Whether only this machine can reach the server.
    loopback: bool,
}

impl App {
    pub fn new(store: Store, jobs: BTreeMap<String, Job>) -> anyhow::Result<App> {
        let templates = render::environment().context("the page templates")?;
        let questions = Arc::new(Semaphore::new(1));
        Ok(App { store, jobs: Arc::new(jobs), templates, questions, loopback: false })
    }

    fn render(&self, template: &str, values: minijinja::Value) -> Result<Response, Failure> {
        Ok(self.page(template, values)?.into_response())
    }

    fn page(&self, template: &str, values: minijinja::Value) -> Result<Html<String>, Failure> {
        let values = context! {
            version => env!("CARGO_PKG_VERSION"),
            css => stylesheet_address(),
            js => script_address(),
            ..values
        };
        Ok(Html(self.templates.get_template(template)?.render(values)?))
    }
}

/// Anything that goes wrong below a handler. The reader sees that it did; the log says what.
struct Failure(anyhow::Error);

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure(error.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        tracing::error!("page failed: {:#}", self.0);
        let text = "Something went wrong; the server's log says what.";
        (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
    }
}

/// Runs a handler's queries in a task of their own: a reader who goes away drops the handler, and
/// a query that is dropped halfway can leave its connection in an open transaction.
async fn reading<T, F, Work>(app: &App, work: Work) -> Result<T, Failure>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Failure>> + Send,
    Work: FnOnce(App, Db) -> F + Send + 'static,
{
    let app = app.clone();
    let task = tokio::spawn(async move {
        let db = app.store.snapshot().await?;
        work(app, db).await
    });
    task.await.context("a page's task ended early")?
}

const STYLESHEET: &str = include_str!("static/granary.css");
const SCRIPT: &str = include_str!("static/granary.js");

/// The digest is in the address, so a browser may keep the file for good.
fn stylesheet_address() -> String {
    format!("/static/granary.css?v={}", &blake3::hash(STYLESHEET.as_bytes()).to_hex()[..12])
}

fn script_address() -> String {
    format!("/static/granary.js?v={}", &blake3::hash(SCRIPT.as_bytes()).to_hex()[..12])
}

async fn stylesheet() -> Response {
    kept_file("text/css; charset=utf-8", STYLESHEET)
}

async fn script() -> Response {
    kept_file("text/javascript; charset=utf-8", SCRIPT)
}

fn kept_file(kind: &'static str, content: &'static str) -> Response {
    let headers =
        [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "max-age=31536000, immutable")];
    (headers, content).into_response()
}

const CONTENT_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; \
    img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; \
    frame-ancestors 'none'";

async fn with_safe_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CONTENT_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // A plan is replaced by the next night under the same address.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
    response
}

/// A page from elsewhere that had its own name point to this machine could otherwise read the plan
/// through the visitor's browser (DNS rebinding). Names that no browser can be led to are fine.
async fn from_this_machine(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let name = host.map(|host| match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    });
    match name {
        None | Some("localhost" | "127.0.0.1" | "[::1]") => next.run(request).await,
        Some(_) => {
            let text = "This server answers only to localhost. Start it with --listen on an \
                        address of the network to serve others.";
            (StatusCode::MISDIRECTED_REQUEST, text).into_response()
        }
    }
}

/// Every address of the service. `loopback` restricts it to readers on this machine.
pub fn router(mut app: App, loopback: bool) -> Router {
    app.loopback = loopback;
    let gated = |operation: Operation, by_location: bool, handler: MethodRouter<App>| {
        let gate = guard::Gate { app: app.clone(), operation, by_location };
        handler.layer(middleware::from_fn_with_state(gate, guard::guard))
    };
    let guarded = |operation, handler| gated(operation, false, handler);
    let read = |handler| guarded(Operation::ReadPlan, handler);
    let router = Router::new()
        .route("/", read(get(pages::plan)))
        .route("/line/{line_key}", read(get(pages::line)))
        .route("/sku/{item_id}/{location_id}", read(get(pages::sku)))
        .route("/what-if/{item_id}/{location_id}", read(get(what_if::page)))
        .route("/findings", read(get(pages::findings)))
        .route("/jobs", guarded(Operation::ReadJobs, get(pages::jobs)))
        .route("/metrics", guarded(Operation::ReadJobs, get(metrics::metrics)))
        .route("/api/jobs.json", guarded(Operation::ReadJobs, get(api::jobs)))
        .route("/api/plan.json", read(get(api::plan)))
        .route("/api/sku/{item_id}/{location_file}", read(get(api::sku)))
        .route("/v1/released", gated(Operation::ReadReleased, true, get(v1::released)))
        .route("/v1/ack", gated(Operation::Acknowledge, true, post(v1::acknowledge)))
        .route("/v1/close", guarded(Operation::Close, post(v1::close)))
        .route("/v1/approve", guarded(Operation::Approve, post(v1::approve)))
        .route("/v1/withdraw", guarded(Operation::Approve, post(v1::withdraw)))
        .route("/v1/override", guarded(Operation::Override, post(v1::amend)))
        .route("/v1/cancel", guarded(Operation::Cancel, post(v1::cancel)))
        .route("/v1/release", guarded(Operation::Release, post(v1::release)))
        .route("/v1/stop", guarded(Operation::Stop, post(v1::stop)))
        .route("/v1/go", guarded(Operation::Go, post(v1::go)))
        .route("/login", get(guard::login_form).post(guard::login))
        .route("/logout", post(guard::logout))
        .route("/healthz", get(api::health))
        .route("/static/granary.css", get(stylesheet))
        .route("/static/granary.js", get(script))
        .fallback(pages::nothing_here)
        .with_state(app);
    let router =
        if loopback { router.layer(middleware::from_fn(from_this_machine)) } else { router };
    router.layer(middleware::from_fn(with_safe_headers))
}

/// Serves until `stop` is ready; requests that have begun are answered.
pub async fn serve(
    listener: TcpListener,
    app: App,
    stop: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let loopback = listener.local_addr()?.ip().is_loopback();
    axum::serve(listener, router(app, loopback))
        .with_graceful_shutdown(stop)
        .await
        .context("the web server stopped")
}
