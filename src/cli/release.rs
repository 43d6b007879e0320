use std::fmt::Write;

use clap::Args;
use granary_models::calendar::Day;

use super::Global;
use super::actor::ActorArgs;
use super::text::{self, Align, Style, Table, plain};
use crate::config::Exit;
use crate::export::format;
use crate::jobs::release::{self, ReleaseReport, Wish};

/// Lines that are named on a terminal; --json has all.
const SHOWN: usize = 20;

#[derive(Args)]
pub struct ReleaseArgs {
    /// Name of the job whose newest published plan goes out.
    #[arg(value_name = "JOB")]
    job: String,
    /// Only if that plan is of this business date.
    #[arg(long, value_name = "YYYY-MM-DD")]
    date: Option<Day>,
    /// Only if that plan has this digest, as `granary plan --json` shows it.
    #[arg(long, value_name = "DIGEST")]
    plan: Option<String>,
    /// Say what would go out, and write nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    actor: ActorArgs,
}

pub async fn run(global: &Global, args: ReleaseArgs) -> anyhow::Result<Exit> {
    let by = args.actor.by()?;
    let store = global.store().await?;
    let wish =
        Wish { job: args.job, date: args.date, plan_digest: args.plan, dry_run: args.dry_run };
    let report = release::release(&store, &by, &wish).await?;
    if global.json {
        text::print_json(&report)?;
    } else {
        text::print(&render(&report, Style::of_stdout())?)?;
    }
    Ok(report.exit())
}

fn render(report: &ReleaseReport, style: Style) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    let head = match (report.release_id, report.dry_run) {
        (Some(id), _) => format!("Release {id} of {}", report.run_id),
        (None, true) => format!("A release of {} would be", report.run_id),
        (None, false) => format!("Nothing of {} goes out", report.run_id),
    };
    writeln!(out, "{}", style.strong(&plain(&head)))?;
    for total in &report.totals {
        let amount = match total.measure.as_str() {
            "value_minor" => format::money(total.total, &total.unit),
            _ => format!("{} {}", format::grouped(total.total, 0), total.unit),
        };
        writeln!(out, "  {:<12} {}", total.measure.trim_end_matches("_minor"), plain(&amount))?;
    }
    if let Some(hash) = &report.lines_hash {
        writeln!(out, "  {}", style.faint(&format!("lines {hash}")))?;
    }
    if !report.released.is_empty() {
        let mut table = Table::new(&[
            ("line", Align::Left, 60),
            ("revision", Align::Right, 8),
            ("change", Align::Left, 12),
            ("order", Align::Right, 16),
            ("value", Align::Right, 20),
        ]);
        for line in report.released.iter().take(SHOWN) {
            table.row(vec![
                line.line_key.clone(),
                line.revision.to_string(),
                line.change.clone(),
                format!("{} {}", format::grouped(line.order_qty, 0), line.order_uom),
                format::money(line.value_minor, &line.currency),
            ]);
        }
        out.push_str(&table.render(style, 2));
        more(&mut out, report.released.len())?;
    }
    if report.as_released > 0 {
        writeln!(out, "{} lines went out before as they are.", report.as_released)?;
    }
    if !report.left.is_empty() {
        let title = format!("Left behind: {}", report.left.len());
        writeln!(out, "{}", style.alarm(&title))?;
        for left in report.left.iter().take(SHOWN) {
            writeln!(out, "  {}: {}", plain(&left.line_key), plain(&left.detail))?;
        }
        more(&mut out, report.left.len())?;
    }
    Ok(out)
}

fn more(out: &mut String, all: usize) -> std::fmt::Result {
    if all > SHOWN { writeln!(out, "  and {} more; --json has all", all - SHOWN) } else { Ok(()) }
}
