use std::fmt::Write;

use clap::Args;
use granary_models::finding::Code;
use serde::Serialize;

use super::Global;
use super::explain_parts;
use super::read::{RunArgs, hint, meaning, named};
use super::text::{self, Align, Style, Table, plain};
use crate::config::{Exit, Refused};
use crate::export::format;
use crate::store::db::Db;
use crate::store::read::lines::Step;
use crate::store::read::runs::Run;
use crate::store::read::series;
use crate::store::read::sku::{self, LineWithReason, Sku};

#[derive(Args)]
pub struct ExplainArgs {
    /// An item's id, or a finding's or gate's code.
    #[arg(value_name = "ITEM|CODE")]
    subject: String,
    /// The location's id.
    #[arg(value_name = "LOCATION")]
    location: Option<String>,
    #[command(flatten)]
    which: RunArgs,
}

#[derive(Serialize)]
struct CodeReport {
    code: &'static str,
    severity: &'static str,
    meaning: &'static str,
}

pub async fn run(global: &Global, args: ExplainArgs) -> anyhow::Result<Exit> {
    if args.location.is_none()
        && let Some(code) = Code::parse(&args.subject)
    {
        let report = CodeReport {
            code: code.as_str(),
            severity: code.severity().as_str(),
            meaning: code.explain(),
        };
        if global.json {
            text::print_json(&report)?;
        } else {
            text::print(&format!("{} ({})\n{}\n", report.code, report.severity, report.meaning))?;
        }
        return Ok(Exit::Ok);
    }
    let store = global.store().await?;
    let mut db = store.snapshot().await?;
    let run = args.which.find(&mut db).await?;
    let Some(location) = &args.location else {
        return Err(no_location(&mut db, &run, &args.subject).await?.into());
    };
    let Some(sku) = sku::load(&mut db, &run, &args.subject, location).await? else {
        return Err(unknown_sku(&mut db, &run, &args.subject, location).await?.into());
    };
    if global.json {
        text::print_json(&sku)?;
    } else {
        text::print(&render(&sku, Style::of_stdout())?)?;
    }
    Ok(Exit::Ok)
}

async fn no_location(db: &mut Db, run: &Run, subject: &str) -> anyhow::Result<Refused> {
    let places = series::locations_of_item(db, &run.run_id, subject).await?;
    let message = if places.is_empty() {
        let codes = Code::ALL.iter().map(|code| (code.as_str().to_owned(), String::new()));
        let known: Vec<_> = codes.chain(series::item_names(db).await?).collect();
        format!("{subject:?} is neither an item of this plan nor a code{}", hint(subject, &known))
    } else {
        format!("where? {subject} is planned at {}", some_of(&places))
    };
    Ok(Refused::new(Exit::Usage, message))
}

pub async fn unknown_sku(
    db: &mut Db,
    run: &Run,
    item: &str,
    location: &str,
) -> anyhow::Result<Refused> {
    let items = series::item_names(db).await?;
    let message = if items.iter().all(|(id, _)| id != item) {
        format!("no item {item:?}{}", hint(item, &items))
    } else {
        let places = series::locations_of_item(db, &run.run_id, item).await?;
        let locations = series::location_names(db).await?;
        if locations.iter().all(|(id, _)| id != location) {
            format!("no location {location:?}{}", hint(location, &locations))
        } else if places.is_empty() {
            format!("{item} has no history and is not part of the plan {}", run.run_id)
        } else {
            format!("{item} is not planned at {location}, but at {}", some_of(&places))
        }
    };
    Ok(Refused::new(Exit::Usage, message))
}

fn some_of(ids: &[String]) -> String {
    const SHOWN: usize = 8;
    let shown = ids.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if ids.len() > SHOWN { format!("{shown} and {} more", ids.len() - SHOWN) } else { shown }
}

fn render(sku: &Sku, style: Style) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    let item = plain(&named(&sku.item.item_id, &sku.item.name));
    let location = plain(&named(&sku.location.location_id, &sku.location.name));
    writeln!(out, "{}", style.strong(&format!("{item} at {location}")))?;
    writeln!(out, "{}\n", style.faint(&format!("run {}", sku.run.run_id)))?;
    render_model(&mut out, sku, style)?;
    render_forecast(&mut out, sku, style)?;
    explain_parts::render(&mut out, sku, style)?;
    render_stock(&mut out, sku, style)?;
    if sku.lines.is_empty() {
        writeln!(out, "{}\n  No order line tonight.\n", style.strong("Order"))?;
    }
    for line in &sku.lines {
        render_line(&mut out, sku, line, style)?;
    }
    for made in &sku.production {
        let title = format!(
            "Make {} {}, start {}, ready {}, sells all with probability {}",
            format::quantity(made.suggestion.qty, sku.item.qty_decimals),
            sku.item.base_uom,
            made.suggestion.start_on,
            made.suggestion.ready_on,
            format::percent(made.suggestion.sell_all_probability)
        );
        writeln!(out, "{}", style.strong(&plain(&title)))?;
        for step in &made.steps {
            let value = step.value.map_or(String::new(), |value| format::real_quantity(value, 0));
            writeln!(out, "  {value:>14}  {}", plain(&step.text))?;
        }
        out.push('\n');
    }
    render_told(&mut out, sku, style)?;
    render_findings(&mut out, sku, style)?;
    Ok(out)
}

fn render_model(out: &mut String, sku: &Sku, style: Style) -> std::fmt::Result {
    let Some(model) = &sku.model else { return Ok(()) };
    writeln!(out, "{}", style.strong("Model"))?;
    let margin = match model.margin {
        Some(margin) if !model.runner_up.is_empty() => {
            format!(", {} ahead of {}", format::percent(margin), model.runner_up)
        }
        _ => String::new(),
    };
    writeln!(out, "  {}{margin}", plain(&model.model))?;
    let segment = sku
        .segment
        .as_ref()
        .map_or(String::new(), |segment| format!(", segment {}{}", segment.abc, segment.xyz));
    writeln!(
        out,
        "  {} demand{segment}; {} days of history, {} of them out of stock for some time",
        model.demand_class, model.history_days, model.censored_days
    )?;
    for step in model.launch.as_ref().and_then(|steps| steps.as_array()).into_iter().flatten() {
        let value = step["value"].as_f64().map_or(String::new(), |value| format!("{value:.3} "));
        writeln!(out, "  {value}{}", plain(step["text"].as_str().unwrap_or_default()))?;
    }
    out.push('\n');
    Ok(())
}

fn render_forecast(out: &mut String, sku: &Sku, style: Style) -> std::fmt::Result {
    if sku.forecast.is_empty() {
        return Ok(());
    }
    let decimals = sku.item.qty_decimals;
    let title = format!("Forecast, {} a day", sku.item.base_uom);
    writeln!(out, "{}", style.strong(&plain(&title)))?;
    let mut table = Table::new(&[
        ("date", Align::Left, 10),
        ("mean", Align::Right, 12),
        ("5%", Align::Right, 12),
        ("25%", Align::Right, 12),
        ("median", Align::Right, 12),
        ("75%", Align::Right, 12),
        ("95%", Align::Right, 12),
    ]);
    for day in sku.forecast.iter().take(7) {
        let mut row = vec![day.date.clone()];
        row.extend(
            [day.mean, day.q05, day.q25, day.q50, day.q75, day.q95]
                .map(|units| format::real_quantity(units, decimals)),
        );
        table.row(row);
    }
    out.push_str(&table.render(style, 2));
    for days in [7, 28] {
        if let Some(mean) = sku.mean_demand(days) {
            let mean = format::real_quantity(mean, decimals);
            writeln!(out, "  expected in {days} days: {mean} {}", plain(&sku.item.base_uom))?;
        }
    }
    out.push('\n');
    Ok(())
}

fn render_stock(out: &mut String, sku: &Sku, style: Style) -> std::fmt::Result {
    let decimals = sku.item.qty_decimals;
    writeln!(out, "{}", style.strong("Stock"))?;
    match &sku.stock {
        None => writeln!(out, "  never counted here")?,
        Some(stock) => {
            let position = sku.position().unwrap_or_default();
            writeln!(
                out,
                "  {} on hand ({}) + {} on order − {} reserved − {} backordered = {} {}",
                format::quantity(stock.on_hand, decimals),
                stock.date,
                format::quantity(sku.on_order(), decimals),
                format::quantity(stock.reserved, decimals),
                format::quantity(stock.backordered, decimals),
                format::quantity(position, decimals),
                plain(&sku.item.base_uom)
            )?;
        }
    }
    for order in &sku.open_orders {
        let from = if order.supplier_id.is_empty() {
            &order.source_location_id
        } else {
            &order.supplier_id
        };
        writeln!(
            out,
            "  open order {}: {} expected {} from {}",
            plain(&order.po_id),
            format::quantity(order.open_qty, decimals),
            order.expected_on.as_deref().unwrap_or("on an unknown date"),
            plain(from)
        )?;
    }
    out.push('\n');
    Ok(())
}

fn render_line(
    out: &mut String,
    sku: &Sku,
    line: &LineWithReason,
    style: Style,
) -> std::fmt::Result {
    let order = &line.line;
    let from =
        if order.supplier_id.is_empty() { &order.source_location_id } else { &order.supplier_id };
    let title = format!(
        "{} {} {} from {from}: order {}, expected {}, short on {}",
        order.kind,
        format::quantity(order.qty, order.qty_decimals),
        order.base_uom,
        order.order_on,
        order.expected_on,
        order.need_on
    );
    writeln!(out, "{}", style.strong(&plain(&title)))?;
    writeln!(
        out,
        "  {} {} · {} · {} · priority {}",
        format::grouped(order.order_qty, 0),
        plain(&order.order_uom),
        format::money(order.value_minor, &order.currency),
        order.state,
        order.priority
    )?;
    if !order.held_because.is_empty() {
        let text = format!("held: {} {}", order.held_because, meaning(&order.held_because));
        writeln!(out, "  {}", style.alarm(text.trim_end()))?;
    }
    for step in &line.reason {
        writeln!(out, "  {:>14}  {}", step_value(step, sku.item.qty_decimals), plain(&step.text))?;
    }
    out.push('\n');
    Ok(())
}

/// What happened to the lines here after the night.
fn render_told(out: &mut String, sku: &Sku, style: Style) -> std::fmt::Result {
    if sku.told.is_empty() {
        return Ok(());
    }
    writeln!(out, "{}", style.strong("What became of it"))?;
    for entry in &sku.told {
        let qty = |qty: i64| format::quantity(qty, sku.item.qty_decimals);
        let qty = match (entry.old_qty, entry.new_qty) {
            (Some(old), Some(new)) if old != new => format!(" {} → {}", qty(old), qty(new)),
            (_, Some(new)) => format!(" {}", qty(new)),
            (_, None) => String::new(),
        };
        let revision = entry.revision.map_or(String::new(), |n| format!(", revision {n}"));
        let detail = if entry.detail.is_empty() { "" } else { ": " };
        let text = format!(
            "{}  {}{qty} by {}{revision}, {}{detail}{}",
            entry.at, entry.what, entry.actor, entry.line_key, entry.detail
        );
        writeln!(out, "  {}", plain(&text))?;
    }
    out.push('\n');
    Ok(())
}

/// A step's number in base units; facts that are no part of the sum have theirs in their sentence.
fn step_value(step: &Step, qty_decimals: i64) -> String {
    match (step.role, step.value) {
        ("fact", _) | (_, None) => String::new(),
        ("sum", Some(value)) => {
            format!("= {}", format::real_quantity(value, qty_decimals))
        }
        (_, Some(value)) if value > 0.0 => {
            format!("+ {}", format::real_quantity(value, qty_decimals))
        }
        (_, Some(value)) => format!("− {}", format::real_quantity(-value, qty_decimals)),
    }
}

fn render_findings(out: &mut String, sku: &Sku, style: Style) -> std::fmt::Result {
    if sku.findings.is_empty() {
        return Ok(());
    }
    writeln!(out, "{}", style.strong("Findings"))?;
    for finding in &sku.findings {
        let code = format!("{} {}", finding.severity, finding.code);
        let code = match finding.severity.as_str() {
            "error" => style.alarm(&code),
            "warning" => style.warn(&code),
            _ => style.faint(&code),
        };
        writeln!(out, "  {code}: {}", plain(&finding.detail))?;
    }
    Ok(())
}
