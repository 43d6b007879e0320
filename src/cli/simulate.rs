use std::path::PathBuf;

use clap::Args;

use super::Global;
use super::backtest::{ColumnArgs, freq};
use super::progress::Stages;
use super::text::{self, Align, Style, Table};
use crate::config::Exit;
use crate::export::format::{grouped, percent};
use crate::jobs::backtest::Freq;
use crate::jobs::simulate::{self, Outcome, SimulateConfig};

/// Longest season, in periods.
const SEASON_MAX: u64 = 10_000;

#[derive(Args)]
pub struct SimulateArgs {
    /// CSV, XLSX or Parquet with the columns unique_id, ds and y, as for `granary backtest`.
    #[arg(long, value_name = "PANEL")]
    input: PathBuf,
    /// TOML with lead times, costs, periods and policies. See docs/simulate.md.
    #[arg(long, value_name = "FILE.toml")]
    options: PathBuf,
    /// Folder for periods.parquet, series.parquet, summary.json and report.html.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// What a period is: D day, W week, M month, H hour, 1 a whole number [default: the options'].
    #[arg(long, value_name = "D|W|M|H|1", value_parser = freq)]
    freq: Option<Freq>,
    /// Periods in each season [default: the options', or the frequency's usual ones].
    #[arg(long, value_name = "M", value_delimiter = ',',
          value_parser = clap::value_parser!(u64).range(1..=SEASON_MAX))]
    season: Vec<u64>,
    #[command(flatten)]
    columns: ColumnArgs,
}

pub async fn run(global: &Global, args: SimulateArgs) -> anyhow::Result<Exit> {
    let seasons = args.season.iter().map(|&season| season as usize).collect();
    let config = SimulateConfig {
        input: args.input,
        options: args.options,
        out: args.out,
        freq: args.freq,
        seasons: (!args.season.is_empty()).then_some(seasons),
        columns: args.columns.columns(),
        threads: global.threads,
    };
    let stages = Stages::new();
    let outcome = simulate::run(&config, &|stage| stages.begin(stage), &|note| stages.note(note));
    stages.finish();
    let outcome = outcome?;
    if global.json {
        text::print_json(&outcome.summary)?;
    } else {
        text::print(&board(&outcome))?;
    }
    Ok(Exit::Ok)
}

fn board(outcome: &Outcome) -> String {
    let summary = &outcome.summary;
    let mut table = Table::new(&[
        ("policy", Align::Left, 24),
        ("total cost", Align::Right, 14),
        ("holding", Align::Right, 14),
        ("shortage", Align::Right, 14),
        ("ordering", Align::Right, 14),
        ("waste", Align::Right, 12),
        ("fill", Align::Right, 8),
        ("in stock", Align::Right, 8),
        ("orders", Align::Right, 10),
        ("mean stock", Align::Right, 12),
    ]);
    let money = |amount: f64| grouped((amount * 100.0).round() as i64, 2);
    let share = |value: Option<f64>| value.map_or("–".to_owned(), percent);
    for name in &summary.leader_board {
        let Some(policy) = summary.policies.iter().find(|policy| policy.name == *name) else {
            continue;
        };
        table.row(vec![
            name.clone(),
            money(policy.total_cost),
            money(policy.holding_cost),
            money(policy.shortage_cost),
            money(policy.order_cost),
            money(policy.waste_cost),
            share(policy.fill_rate),
            share(policy.in_stock_rate),
            grouped(policy.orders as i64, 0),
            money(policy.average_stock),
        ]);
    }
    let unit = summary.periods.unit;
    let against = summary.business.as_ref().map_or(String::new(), |business| {
        let pays = business.pay_back_periods.map_or("never pays back".to_owned(), |periods| {
            format!("pays back in {periods:.1} {unit}s")
        });
        format!(
            "{} instead of {} saves {}, {} net of software and introduction; {pays}\n",
            business.instead,
            business.policy,
            money(business.saving),
            money(business.net_gain)
        )
    });
    format!(
        "{}{} series, {} {unit}s from {}\n{against}{}\n",
        table.render(Style::of_stdout(), 0),
        grouped(summary.input.series as i64, 0),
        summary.options.scored_periods,
        summary.periods.first_scored,
        outcome.out.join("report.html").display()
    )
}
