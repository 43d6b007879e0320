//! The pages for people.

use std::collections::BTreeMap;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::api::how_jobs_stand;
use super::params::{PAGE_SIZES, PlanParams};
use super::render::url_part;
use super::what_if::Question;
use super::{App, Failure, page_values, reading, sku_charts};
use crate::export::format;
use crate::store::db::Db;
use crate::store::read::advice::{self, Wanted};
use crate::store::read::history;
use crate::store::read::jobs as job_books;
use crate::store::read::lines::{self, LineQuery, Sort, Total};
use crate::store::read::runs::{self, Run};
use crate::store::read::sku::{self, Sku};

const FINDINGS_PER_PAGE: i64 = 100;
/// Rows of advice on the plan page; exports have all.
const ADVICE_SHOWN: i64 = 20;

/// One kind of line, added up.
#[derive(Serialize)]
struct KindSum {
    kind: String,
    currency: String,
    lines: i64,
    held: i64,
    value_minor: i64,
}

/// Lines that one gate holds.
#[derive(Serialize)]
struct HeldSum {
    code: String,
    currency: String,
    lines: i64,
    value_minor: i64,
    link: String,
}

fn sum_kinds(totals: &[Total]) -> Vec<KindSum> {
    let mut kinds: BTreeMap<(&str, &str), KindSum> = BTreeMap::new();
    for total in totals {
        let sum = kinds.entry((&total.kind, &total.currency)).or_insert_with(|| KindSum {
            kind: total.kind.clone(),
            currency: total.currency.clone(),
            lines: 0,
            held: 0,
            value_minor: 0,
        });
        sum.lines += total.lines;
        sum.held += if total.state == "held" { total.lines } else { 0 };
        sum.value_minor += total.value_minor;
    }
    kinds.into_values().collect()
}

fn sum_held(totals: &[Total], params: &PlanParams) -> Vec<HeldSum> {
    let mut held: BTreeMap<(&str, &str), (i64, i64)> = BTreeMap::new();
    for total in totals.iter().filter(|total| total.state == "held") {
        let sum = held.entry((&total.held_because, &total.currency)).or_default();
        sum.0 += total.lines;
        sum.1 += total.value_minor;
    }
    held.into_iter()
        .map(|((code, currency), (lines, value_minor))| HeldSum {
            code: code.to_owned(),
            currency: currency.to_owned(),
            lines,
            value_minor,
            link: params.link(&[("held", code), ("state", "held"), ("page", "")]) + "#lines",
        })
        .collect()
}

/// A figure ready to print.
#[derive(Serialize)]
struct Figure {
    name: String,
    value: String,
}

fn figures(kpis: &[runs::Kpi], currency: &str) -> Vec<Figure> {
    kpis.iter()
        .map(|kpi| Figure {
            name: kpi.name.trim_end_matches("_minor").replace('_', " "),
            value: format::figure(kpi.value, &kpi.unit, currency),
        })
        .collect()
}

/// The head of a sortable column.
#[derive(Serialize)]
struct Heading {
    title: &'static str,
    link: String,
    /// `ascending`, `descending` or nothing, as ARIA has it.
    sorted: &'static str,
    numeric: bool,
}

fn headings(params: &PlanParams) -> Vec<Heading> {
    let columns = [
        ("#", Sort::Priority, true),
        ("Kind", Sort::Kind, false),
        ("State", Sort::State, false),
        ("Item", Sort::Item, false),
        ("To", Sort::Location, false),
        ("From", Sort::Supplier, false),
        ("Quantity", Sort::Qty, true),
        ("Value", Sort::Value, true),
        ("Order by", Sort::OrderOn, false),
        ("Short on", Sort::NeedOn, false),
        ("Worth", Sort::ExpectedValue, true),
    ];
    columns
        .into_iter()
        .map(|(title, sort, numeric)| {
            let current = params.sort() == sort;
            // The first click puts the largest on top where that is what one looks for.
            let largest_first = matches!(sort, Sort::Qty | Sort::Value | Sort::ExpectedValue);
            let descending = if current { !params.descending() } else { largest_first };
            let order = if descending { "desc" } else { "asc" };
            let changes = [("sort", sort.as_str()), ("order", order), ("page", "")];
            Heading {
                title,
                link: params.link(&changes) + "#lines",
                sorted: match (current, params.descending()) {
                    (false, _) => "",
                    (true, false) => "ascending",
                    (true, true) => "descending",
                },
                numeric,
            }
        })
        .collect()
}

/// The current plan: summary, exceptions, what to make, lines.
pub async fn plan(
    State(app): State<App>,
    Query(params): Query<PlanParams>,
) -> Result<Response, Failure> {
    reading(&app, async move |app, mut db| {
        let Some(run) = runs::find(&mut db, &params.choice()).await? else {
            let jobs: Vec<&String> = app.jobs.keys().collect();
            return app.render("empty.html", page_values! { active => "plan", jobs => jobs });
        };
        let totals = lines::totals(&mut db, &run.run_id).await?;
        let currency = lines::main_currency(&totals).to_owned();
        let query = params.query(&run.run_id);
        let matching = lines::count_lines(&mut db, &query).await?;
        let pages = (matching.max(1) + params.page_size() - 1) / params.page_size();
        let page = params.page().min(pages);
        let query = LineQuery { offset: (page - 1) * params.page_size(), ..query };
        let page_link = |page: i64| params.link(&[("page", &page.to_string())]) + "#lines";
        let (all_exceptions, all_exits) = advice::counts(&mut db, &run.run_id).await?;
        let most = Wanted::Most(ADVICE_SHOWN);
        let values = page_values! {
            active => "plan",
            kinds => sum_kinds(&totals),
            held => sum_held(&totals, &params),
            lines_total => totals.iter().map(|total| total.lines).sum::<i64>(),
            held_total => totals.iter().filter(|total| total.state == "held")
                .map(|total| total.lines).sum::<i64>(),
            figures => figures(&runs::kpis_of_plan(&mut db, &run.run_id).await?, &currency),
            counts => run.counts(),
            findings => lines::finding_groups(&mut db, &run.run_id).await?,
            production => lines::production(&mut db, &run.run_id, None).await?,
            order_exceptions => advice::exceptions(&mut db, &run.run_id, most).await?,
            order_exceptions_all => all_exceptions,
            stock_exits => advice::exits(&mut db, &run.run_id, most).await?,
            stock_exits_all => all_exits,
            limits => advice::limits(&mut db, &run.run_id).await?,
            gone => history::gone(&mut db, &run).await?,
            advice_shown => ADVICE_SHOWN,
            current => runs::newest_per_job(&mut db).await?,
            held_run => runs::held_beside(&mut db, &run).await?,
            headings => headings(&params),
            lines => lines::lines(&mut db, &query).await?,
            matching => matching,
            first_shown => if matching == 0 { 0 } else { query.offset + 1 },
            last_shown => (query.offset + params.page_size()).min(matching),
            page => page,
            pages => pages,
            previous => (page > 1).then(|| page_link(page - 1)),
            next => (page < pages).then(|| page_link(page + 1)),
            first => page_link(1),
            last => page_link(pages),
            suppliers => lines::suppliers(&mut db, &run.run_id).await?,
            locations => lines::locations(&mut db, &run.run_id).await?,
            page_sizes => PAGE_SIZES,
            page_size => params.page_size(),
            run_query => run_query(&params, &run),
            reset => params.link(&[
                ("q", ""), ("kind", ""), ("state", ""), ("held", ""), ("supplier", ""),
                ("location", ""), ("page", ""),
            ]),
            filtered => [&params.q, &params.kind, &params.state, &params.held, &params.supplier,
                &params.location].iter().any(|field| !field.is_empty()),
            asked => page_values! {
                run => params.run, job => params.job, date => params.date, q => params.q,
                kind => params.kind, state => params.state, held => params.held,
                supplier => params.supplier, location => params.location,
                sort => params.sort, order => params.order,
            },
            run => run,
        };
        app.render("plan.html", values)
    })
    .await
}

/// `?run=…` for links from a plan that is not the current one, else nothing.
fn run_query(params: &PlanParams, run: &Run) -> String {
    let chosen = [&params.run, &params.job, &params.date].iter().any(|field| !field.is_empty());
    if chosen || run.is_held() { format!("?run={}", url_part(&run.run_id)) } else { String::new() }
}

/// One line: its item and location, with the line on top.
pub async fn line(
    State(app): State<App>,
    Path(line_key): Path<String>,
    Query(params): Query<PlanParams>,
) -> Result<Response, Failure> {
    reading(&app, async move |app, mut db| {
        let Some(run) = runs::find(&mut db, &params.choice()).await? else {
            return missing(&app, "There is no such plan.");
        };
        let wanted =
            LineQuery { line_key: Some(line_key.clone()), ..LineQuery::of_run(&run.run_id) };
        let Some(line) = lines::lines(&mut db, &wanted).await?.into_iter().next() else {
            let text = "This plan has no such line. A line that a re-run no longer needs is gone.";
            return missing(&app, text);
        };
        let Some(mut sku) = sku::load(&mut db, &run, &line.item_id, &line.location_id).await?
        else {
            return missing(&app, "Nothing is known of this line's item at its location.");
        };
        sku.lines.sort_by_key(|other| other.line.line_key != line_key);
        sku_page(&app, &mut db, &params, &sku, &line_key).await
    })
    .await
}

pub async fn sku(
    State(app): State<App>,
    Path((item_id, location_id)): Path<(String, String)>,
    Query(params): Query<PlanParams>,
) -> Result<Response, Failure> {
    reading(&app, async move |app, mut db| {
        let Some(run) = runs::find(&mut db, &params.choice()).await? else {
            return missing(&app, "There is no such plan.");
        };
        match sku::load(&mut db, &run, &item_id, &location_id).await? {
            Some(sku) => sku_page(&app, &mut db, &params, &sku, "").await,
            None => missing(&app, "This plan knows no such item at this location."),
        }
    })
    .await
}

async fn sku_page(
    app: &App,
    db: &mut Db,
    params: &PlanParams,
    sku: &Sku,
    line_key: &str,
) -> Result<Response, Failure> {
    let projection = sku
        .projection
        .as_ref()
        .map(|projection| sku_charts::projection(sku, projection))
        .unwrap_or_default();
    let elsewhere: Vec<String> =
        crate::store::read::series::locations_of_item(db, &sku.run.run_id, &sku.item.item_id)
            .await?
            .into_iter()
            .filter(|location| *location != sku.location.location_id)
            .collect();
    let values = page_values! {
        active => "plan",
        sku => sku,
        line_key => line_key,
        on_order => sku.on_order(),
        position => sku.position(),
        mean_7 => sku.mean_demand(7),
        mean_28 => sku.mean_demand(28),
        mean_14 => sku.mean_demand(14),
        demand => sku_charts::demand(sku),
        parts => sku_charts::parts(sku),
        question => Question::of_run(if run_query(params, &sku.run).is_empty() {
            ""
        } else {
            &sku.run.run_id
        }),
        projection => projection,
        elsewhere => elsewhere,
        run => sku.run,
        run_query => run_query(params, &sku.run),
    };
    app.render("sku.html", values)
}

#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct FindingParams {
    run: String,
    code: String,
    page: String,
}

pub async fn findings(
    State(app): State<App>,
    Query(params): Query<FindingParams>,
) -> Result<Response, Failure> {
    reading(&app, async move |app, mut db| {
        let choice = runs::RunChoice {
            run_id: (!params.run.is_empty()).then(|| params.run.clone()),
            ..Default::default()
        };
        let Some(run) = runs::find(&mut db, &choice).await? else {
            let jobs: Vec<&String> = app.jobs.keys().collect();
            return app.render("empty.html", page_values! { active => "findings", jobs => jobs });
        };
        let groups = lines::finding_groups(&mut db, &run.run_id).await?;
        let code = (!params.code.is_empty()).then_some(params.code.as_str());
        let matching: i64 = groups
            .iter()
            .filter(|group| code.is_none_or(|code| group.code == code))
            .map(|group| group.findings)
            .sum();
        let pages = (matching.max(1) + FINDINGS_PER_PAGE - 1) / FINDINGS_PER_PAGE;
        let page = params.page.parse().unwrap_or(1_i64).clamp(1, pages);
        let offset = (page - 1) * FINDINGS_PER_PAGE;
        let found = lines::findings(&mut db, &run.run_id, code, FINDINGS_PER_PAGE, offset).await?;
        let run_part = if params.run.is_empty() {
            String::new()
        } else {
            format!("&run={}", url_part(&params.run))
        };
        let link =
            |page: i64| format!("/findings?code={}&page={page}{run_part}", url_part(&params.code));
        let values = page_values! {
            active => "findings",
            groups => groups,
            code => params.code,
            findings => found,
            matching => matching,
            page => page,
            pages => pages,
            previous => (page > 1).then(|| link(page - 1)),
            next => (page < pages).then(|| link(page + 1)),
            run_part => run_part,
            run_query => if params.run.is_empty() { String::new() }
                else { format!("?run={}", url_part(&params.run)) },
            run => run,
        };
        app.render("findings.html", values)
    })
    .await
}

/// Changes of the past on the job page; `/api/jobs.json` and `granary jobs history` have more.
const EVENTS_SHOWN: i64 = 60;
const ATTEMPTS_SHOWN: i64 = 20;

/// Jobs: how they stand, what is due, what happened.
pub async fn jobs(State(app): State<App>) -> Result<Response, Failure> {
    reading(&app, async move |app, mut db| {
        let (statuses, attempts) = how_jobs_stand(&app, &mut db, ATTEMPTS_SHOWN).await?;
        let holders: BTreeMap<&str, String> = statuses
            .iter()
            .filter_map(|status| status.lease.as_ref())
            .map(|lease| (lease.job.as_str(), lease.holder()))
            .collect();
        let events = job_books::events(&mut db, None, EVENTS_SHOWN).await?;
        let values = page_values! {
            active => "jobs",
            jobs => statuses,
            holders => holders,
            events => events,
            attempts => attempts,
        };
        app.render("jobs.html", values)
    })
    .await
}

pub async fn nothing_here(State(app): State<App>) -> Result<Response, Failure> {
    missing(&app, "There is no page at this address.")
}

pub fn missing(app: &App, text: &str) -> Result<Response, Failure> {
    let page = app.render("message.html", page_values! { active => "", text => text })?;
    Ok((StatusCode::NOT_FOUND, page).into_response())
}
