use std::collections::BTreeMap;
use std::fmt::Write;

use clap::Args;
use serde::Serialize;

use super::Global;
use super::read::{RunArgs, meaning};
use super::text::{self, Align, Style, Table};
use crate::config::Exit;
use crate::export::format;
use crate::store::read::advice::{self, OrderException, PlanLimit, StockExit, Wanted};
use crate::store::read::history::{self, Gone};
use crate::store::read::lines::{self, FindingGroup, Line, LineQuery, Production, Total};
use crate::store::read::runs::{self, Kpi, Run};

#[derive(Args)]
pub struct PlanArgs {
    #[command(flatten)]
    which: RunArgs,
    /// Show at most this many lines; 0 shows all.
    #[arg(long, default_value_t = 30, value_name = "N")]
    limit: i64,
    /// Only lines of this kind.
    #[arg(long, value_parser = ["purchase", "transfer", "produce"])]
    kind: Option<String>,
    /// Only lines that a gate holds.
    #[arg(long)]
    held: bool,
    /// Only lines whose item, location or supplier has this text in its id or name.
    #[arg(long, value_name = "TEXT")]
    find: Option<String>,
}

impl PlanArgs {
    /// The newest plan, its first lines.
    pub fn newest() -> PlanArgs {
        PlanArgs { which: RunArgs::default(), limit: 20, kind: None, held: false, find: None }
    }
}

#[derive(Serialize)]
struct Report {
    run: Run,
    /// A held plan of the same job that waits for a decision.
    held_run: Option<Run>,
    totals: Vec<Total>,
    kpis: Vec<Kpi>,
    findings: Vec<FindingGroup>,
    production: Vec<Production>,
    order_exceptions: Vec<OrderException>,
    stock_exits: Vec<StockExit>,
    limits: Vec<PlanLimit>,
    /// Released lines that the plan does not have any more: cancellations to approve.
    gone: Vec<Gone>,
    lines_matching: i64,
    lines_shown: usize,
    lines: Vec<Line>,
}

pub async fn run(global: &Global, args: PlanArgs) -> anyhow::Result<Exit> {
    let store = global.store().await?;
    let mut db = store.snapshot().await?;
    let run = args.which.find(&mut db).await?;
    let query = LineQuery {
        kind: args.kind,
        state: args.held.then(|| "held".to_owned()),
        text: args.find,
        limit: (args.limit > 0).then_some(args.limit),
        ..LineQuery::of_run(&run.run_id)
    };
    let shown = lines::lines(&mut db, &query).await?;
    let report = Report {
        held_run: runs::held_beside(&mut db, &run).await?,
        totals: lines::totals(&mut db, &run.run_id).await?,
        kpis: runs::kpis(&mut db, &run.run_id).await?,
        findings: lines::finding_groups(&mut db, &run.run_id).await?,
        production: lines::production(&mut db, &run.run_id, None).await?,
        order_exceptions: advice::exceptions(&mut db, &run.run_id, Wanted::All).await?,
        stock_exits: advice::exits(&mut db, &run.run_id, Wanted::All).await?,
        limits: advice::limits(&mut db, &run.run_id).await?,
        gone: history::gone(&mut db, &run).await?,
        lines_matching: lines::count_lines(&mut db, &query).await?,
        lines_shown: shown.len(),
        lines: shown,
        run,
    };
    if global.json {
        text::print_json(&report)?;
    } else {
        text::print(&render(&report, Style::of_stdout())?)?;
        if (report.lines_shown as i64) < report.lines_matching {
            eprintln!(
                "{} of {} lines shown; --limit 0 shows all",
                report.lines_shown, report.lines_matching
            );
        }
    }
    Ok(Exit::Ok)
}

fn render(report: &Report, style: Style) -> Result<String, std::fmt::Error> {
    let run = &report.run;
    let mut out = String::new();
    let title = format!("Plan of {} for {}", run.job, run.business_date);
    writeln!(out, "{}  {}", style.strong(&title), style.faint(&format!("run {}", run.run_id)))?;
    if run.is_held() {
        let text = format!("HELD: {} {}", run.held_because, meaning(&run.held_because));
        writeln!(out, "{}", style.alarm(text.trim_end()))?;
        writeln!(out, "granary publish {} --reason … publishes it as it stands.", run.job)?;
    }
    if let Some(held) = &report.held_run {
        let text = format!(
            "A plan for {} is held ({}); see it with --run '{}', publish it with granary publish {}.",
            held.business_date, held.held_because, held.run_id, held.job
        );
        writeln!(out, "{}", style.alarm(&text))?;
    }
    out.push('\n');
    render_totals(&mut out, &report.totals, style)?;
    render_kpis(&mut out, &report.kpis, lines::main_currency(&report.totals), style)?;
    render_exceptions(&mut out, report, style)?;
    render_advice(&mut out, report, style)?;
    render_production(&mut out, &report.production, style)?;
    render_gone(&mut out, &report.gone, style)?;
    render_lines(&mut out, &report.lines, style)?;
    Ok(out)
}

fn render_totals(out: &mut String, totals: &[Total], style: Style) -> std::fmt::Result {
    let mut kinds: BTreeMap<(&str, &str), (i64, i64, i64)> = BTreeMap::new();
    for total in totals {
        let sum = kinds.entry((&total.kind, &total.currency)).or_default();
        sum.0 += total.lines;
        sum.1 += if total.state == "held" { total.lines } else { 0 };
        sum.2 += total.value_minor;
    }
    if kinds.is_empty() {
        return writeln!(out, "  Nothing to order.\n");
    }
    let mut table = Table::new(&[
        ("kind", Align::Left, 10),
        ("lines", Align::Right, 12),
        ("held", Align::Right, 12),
        ("value", Align::Right, 30),
    ]);
    for ((kind, currency), (lines, held, value_minor)) in kinds {
        table.row(vec![
            kind.to_owned(),
            format::grouped(lines, 0),
            format::grouped(held, 0),
            format::money(value_minor, currency),
        ]);
    }
    writeln!(out, "{}", table.render(style, 2))
}

fn render_kpis(out: &mut String, kpis: &[Kpi], currency: &str, style: Style) -> std::fmt::Result {
    if kpis.is_empty() {
        return Ok(());
    }
    let shown: Vec<String> = kpis
        .iter()
        .filter(|kpi| kpi.scope.is_empty())
        .map(|kpi| {
            let name = kpi.name.trim_end_matches("_minor").replace('_', " ");
            format!("{name} {}", format::figure(kpi.value, &kpi.unit, currency))
        })
        .collect();
    writeln!(out, "  {}\n", style.faint(&shown.join(" · ")))
}

fn render_exceptions(out: &mut String, report: &Report, style: Style) -> std::fmt::Result {
    let mut held: BTreeMap<&str, i64> = BTreeMap::new();
    for total in report.totals.iter().filter(|total| total.state == "held") {
        *held.entry(&total.held_because).or_default() += total.lines;
    }
    let odd: Vec<&FindingGroup> =
        report.findings.iter().filter(|group| group.severity != "info").collect();
    if held.is_empty() && odd.is_empty() {
        return writeln!(out, "{}\n", style.faint("  No exceptions."));
    }
    writeln!(out, "{}", style.strong("Exceptions"))?;
    for (code, count) in held {
        let text = format!("held     {:>8}  {code}", format::grouped(count, 0));
        writeln!(out, "  {}  {}", style.alarm(&text), style.faint(meaning(code)))?;
    }
    for group in odd {
        let text = format!(
            "{:<7}  {:>8}  {}",
            group.severity,
            format::grouped(group.occurrences, 0),
            group.code
        );
        let text = if group.severity == "error" { style.alarm(&text) } else { style.warn(&text) };
        writeln!(out, "  {text}  {}", style.faint(meaning(&group.code)))?;
    }
    out.push('\n');
    Ok(())
}

/// Shared limits, and the best of the advice on open orders and stock.
fn render_advice(out: &mut String, report: &Report, style: Style) -> std::fmt::Result {
    const SHOWN: usize = 10;
    if !report.limits.is_empty() {
        writeln!(out, "{}", style.strong("Limits that lines share"))?;
        for limit in &report.limits {
            let name = format!("{} {}", limit.name, limit.scope);
            writeln!(
                out,
                "  {:<34} {:>16} of {:>16} {}, wanted {}; one more would bring {:.2}",
                name.trim_end(),
                format::grouped(limit.used.round() as i64, 0),
                format::grouped(limit.amount.round() as i64, 0),
                limit.unit,
                format::grouped(limit.wanted.round() as i64, 0),
                limit.price
            )?;
        }
        out.push('\n');
    }
    if !report.order_exceptions.is_empty() {
        let count = format!("Open orders to act on: {}", report.order_exceptions.len());
        writeln!(out, "{}", style.strong(&count))?;
        for advice in report.order_exceptions.iter().take(SHOWN) {
            let worth = format::money(advice.value_minor, &advice.currency);
            let head = format!("{:<9} {} {}", advice.action, advice.po_id, advice.line_no);
            writeln!(out, "  {head:<28} {worth:>18}  {}", style.faint(&advice.detail))?;
        }
        out.push('\n');
    }
    if !report.stock_exits.is_empty() {
        let count = format!("Stock that should go: {}", report.stock_exits.len());
        writeln!(out, "{}", style.strong(&count))?;
        for exit in report.stock_exits.iter().take(SHOWN) {
            let worth = format::money(exit.value_minor, &exit.currency);
            let head = format!("{:<9} {} at {}", exit.proposal, exit.item_id, exit.location_id);
            writeln!(out, "  {head:<40} {worth:>18}  {}", style.faint(&exit.detail))?;
        }
        out.push('\n');
    }
    Ok(())
}

fn render_production(out: &mut String, made: &[Production], style: Style) -> std::fmt::Result {
    if made.is_empty() {
        return Ok(());
    }
    writeln!(out, "{}", style.strong("To make"))?;
    let mut table = Table::new(&[
        ("item", Align::Left, 34),
        ("at", Align::Left, 18),
        ("quantity", Align::Right, 16),
        ("start", Align::Left, 10),
        ("ready", Align::Left, 10),
        ("sells all", Align::Right, 9),
        ("worth", Align::Right, 20),
    ]);
    for suggestion in made {
        table.row(vec![
            item_label(&suggestion.item_id, &suggestion.item_name),
            suggestion.location_id.clone(),
            format!(
                "{} {}",
                format::quantity(suggestion.qty, suggestion.qty_decimals),
                suggestion.base_uom
            ),
            suggestion.start_on.clone(),
            suggestion.ready_on.clone(),
            format::percent(suggestion.sell_all_probability),
            format::money(suggestion.expected_value_minor, &suggestion.currency),
        ]);
    }
    writeln!(out, "{}", table.render(style, 2))
}

fn render_gone(out: &mut String, gone: &[Gone], style: Style) -> std::fmt::Result {
    const SHOWN: usize = 5;
    if gone.is_empty() {
        return Ok(());
    }
    let title = format!("Released and planned no more: {}; approve to cancel", gone.len());
    writeln!(out, "{}", style.warn(&title))?;
    for line in gone.iter().take(SHOWN) {
        let worth = format::money(line.value_minor, &line.currency);
        writeln!(out, "  {}  {worth}", text::plain(&line.line_key))?;
    }
    out.push('\n');
    Ok(())
}

fn render_lines(out: &mut String, shown: &[Line], style: Style) -> std::fmt::Result {
    if shown.is_empty() {
        return Ok(());
    }
    writeln!(out, "{}", style.strong("Lines, the most urgent first"))?;
    let mut table = Table::new(&[
        ("#", Align::Right, 7),
        ("kind", Align::Left, 8),
        ("state", Align::Left, 18),
        ("item", Align::Left, 34),
        ("to", Align::Left, 14),
        ("from", Align::Left, 16),
        ("quantity", Align::Right, 16),
        ("order", Align::Right, 16),
        ("value", Align::Right, 20),
        ("order by", Align::Left, 10),
        ("short on", Align::Left, 10),
    ]);
    for line in shown {
        let mut state = line.state.clone();
        if line.state == "held" {
            state = format!("{state}: {}", line.held_because);
        }
        if let Some(revision) = line.revises {
            state = format!("{state}, revises {revision}");
        }
        let from =
            if line.supplier_id.is_empty() { &line.source_location_id } else { &line.supplier_id };
        table.row(vec![
            line.priority.to_string(),
            line.kind.clone(),
            state,
            item_label(&line.item_id, &line.item_name),
            line.location_id.clone(),
            from.clone(),
            format!("{} {}", format::quantity(line.qty, line.qty_decimals), line.base_uom),
            format!("{} {}", format::grouped(line.order_qty, 0), line.order_uom),
            format::money(line.value_minor, &line.currency),
            line.order_on.clone(),
            line.need_on.clone(),
        ]);
    }
    out.push_str(&table.render(style, 2));
    Ok(())
}

fn item_label(item_id: &str, name: &str) -> String {
    if name.is_empty() { item_id.to_owned() } else { format!("{item_id} {name}") }
}
