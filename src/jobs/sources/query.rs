//! Rows that a query brings.

use super::drift::{self, Drift};
use super::{Pull, SourceReport, as_rejected, watermark};
use crate::config::source::{Query, WatermarkKind};
use crate::config::{Exit, Load, PullNote, Refused, Secret, clock};
use crate::jobs::import::import_inputs;
use crate::sources::query::sql::{self, Parameter, ParameterKind};
use crate::sources::query::{self, Answer, Ask};
use crate::sources::{Input, Limits, columns_wanted};

pub async fn pull(pull: &Pull<'_>, of: &Query, report: &mut SourceReport) -> anyhow::Result<()> {
    let (job, source) = (&pull.job.name, &pull.source.name);
    let state = pull.store.source_state(job, source).await?.unwrap_or_default();
    report.watermark_before.clone_from(&state.watermark);
    report.watermark.clone_from(&state.watermark);
    let url = of.url.read(&pull.job.folder)?;
    let ask = Ask {
        sql: of.sql.clone(),
        parameters: parameters(pull, of, state.watermark.as_deref())?,
        timeout: std::time::Duration::from_secs(of.timeout_seconds),
        rows_max: of.rows_max,
        hosts: of.hosts.clone(),
    };
    check_watermark(pull, of, &url, &ask)?;
    let answer = query::ask(&url, &ask).await?;

    let wanted = columns_wanted(pull.source.kind, &pull.map);
    let drift = drift::compare(&state.columns, &answer.columns, &wanted);
    accept(drift, pull.options.accept_schema, report)?;
    let new_mark = match &of.watermark {
        Some(of) => {
            let (mark, note) =
                watermark::after(of, state.watermark.as_deref(), &answer, clock::now())?;
            report.notes.extend(note);
            mark
        }
        None => None,
    };
    let note = PullNote {
        job: job.clone(),
        source: source.clone(),
        watermark: new_mark.clone(),
        columns: answer.columns.clone(),
        rows: answer.rows,
        file: None,
    };
    // A column that came later was told of above; the watermark's may serve nothing else.
    let mut map = pull.map.clone();
    if state.columns.is_empty() {
        map.ignore.extend(of.watermark.iter().flat_map(|of| headers_like(&answer, &of.column)));
    } else {
        map.ignore.push("*".to_owned());
    }
    let input =
        Input { name: source.clone(), digest: answer.digest(), reader: answer.into_reader() };
    let options = pull.import_options(Limits::default());
    let open = move || Ok(vec![input]);
    let settled = move |_: &Load| Ok(Some(note));
    let done =
        import_inputs(pull.store, pull.source.kind, &map, &options, open, settled, |_| {}).await;
    report.take("its rows", done.map_err(|error| as_rejected(error, "the query's rows"))?)?;
    if !pull.options.dry_run {
        report.watermark = new_mark;
    }
    Ok(())
}

fn headers_like(answer: &Answer, name: &str) -> Option<String> {
    let mut names = answer.columns.iter().map(|column| &column.name);
    names.find(|column| column.eq_ignore_ascii_case(name)).cloned()
}

/// What a statement may name.
fn parameters(pull: &Pull<'_>, of: &Query, stored: Option<&str>) -> anyhow::Result<Vec<Parameter>> {
    let date = |name, value: String| Parameter { name, kind: ParameterKind::Date, value };
    let from = pull.business_date - pull.job.forecast.history_days;
    let mut parameters =
        vec![date("business_date", pull.business_date.to_string()), date("from", from.to_string())];
    if let Some(of) = &of.watermark {
        let (kind, value) = (of.kind.into(), watermark::asked_from(of, stored)?);
        parameters.push(Parameter { name: "watermark", kind, value });
    }
    Ok(parameters)
}

/// A watermark that the statement does not ask for reads everything, every night; and one that moves
/// within a row's lines would replace whole sums by parts of them.
fn check_watermark(pull: &Pull<'_>, of: &Query, url: &Secret, ask: &Ask) -> anyhow::Result<()> {
    let Some(watermark) = &of.watermark else { return Ok(()) };
    let usage = |message: &str| Refused::new(Exit::Usage, message);
    let statement = sql::translate(&ask.sql, query::dialect(url)?, &ask.parameters)
        .map_err(|error| usage(&format!("sql: {error}")))?;
    if !statement.used.contains(&"watermark") {
        return Err(usage("the source has a watermark, but its sql has no `:watermark`").into());
    }
    if pull.map.combines() && watermark.kind != WatermarkKind::Date {
        return Err(usage(
            "the map sums lines, and a watermark within a day would bring a part of them; sum in \
             the sql, or use a watermark of type date",
        )
        .into());
    }
    Ok(())
}

/// Tells what is different, and stops the pull where the import reads it.
pub fn accept(drift: Drift, accept_schema: bool, report: &mut SourceReport) -> anyhow::Result<()> {
    report.notes.extend(drift.notes);
    if accept_schema {
        report.notes.extend(drift.breaks);
        return Ok(());
    }
    if drift.breaks.is_empty() {
        return Ok(());
    }
    let message = format!(
        "the schema has changed since the last pull: {} (correct the source or its map, or run \
         `granary pull` with --accept-schema)",
        drift.breaks.join("; ")
    );
    Err(Refused::new(Exit::DataRejected, message).into())
}
