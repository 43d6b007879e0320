use std::path::PathBuf;

use clap::Args;
use granary_models::backtest::levels::Reconcile;
use granary_models::backtest::panel::Wanted;
use granary_models::backtest::partial::PartialDays;
use granary_models::forecast::model::Model;

use super::Global;
use super::progress::Stages;
use super::text::{self, Align, Style, Table};
use crate::config::{Exit, Refused};
use crate::export::format::percent;
use crate::jobs::backtest::{self, BacktestConfig, Columns, Declared, DriverConfig, Freq, Outcome};
use crate::sources::nearest;

/// Longest horizon; beyond it a row a step and model is no longer something to look at.
const HORIZON_MAX: u64 = 10_000;
const WINDOWS_MAX: u64 = 1_000;

#[derive(Args)]
pub struct BacktestArgs {
    /// CSV or Parquet with the columns unique_id, ds and y; optional: available, category, promo,
    /// price. See docs/backtest.md.
    #[arg(long, value_name = "PANEL")]
    input: PathBuf,
    /// What a step is: D day, W week, M month, H hour, 1 a whole number.
    #[arg(long, value_name = "D|W|M|H|1", value_parser = freq)]
    freq: Freq,
    /// Steps to forecast after each cutoff.
    #[arg(long, value_name = "H", value_parser = clap::value_parser!(u64).range(1..=HORIZON_MAX))]
    horizon: u64,
    /// Cutoffs, the last of them one horizon before the table's end.
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u64).range(1..=WINDOWS_MAX))]
    windows: u64,
    /// Steps between cutoffs [default: the horizon].
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..=HORIZON_MAX))]
    step: Option<u64>,
    /// Steps in each season. The first is that of MASE and of models that have one; those that take
    /// several have all, and the frequency's longer ones [default: D 7, W 1,52 from 130 weeks on,
    /// M 12, H 24,168].
    #[arg(long, value_name = "M", value_delimiter = ',',
          value_parser = clap::value_parser!(u64).range(1..=HORIZON_MAX))]
    season: Vec<u64>,
    /// Models by name, `auto` for the portfolio's choice, `all` for every one. The seasonal naive is
    /// always run beside them.
    #[arg(long, value_name = "MODEL", value_delimiter = ',', default_value = "auto")]
    models: Vec<String>,
    /// What a step on which the stock ran out tells: its expected demand at the level of steps that
    /// were seen whole, the same at the level of all, or nothing.
    #[arg(long, value_name = "HOW", default_value = "calibrated",
          value_parser = ["calibrated", "expected", "missing"])]
    partial_days: String,
    /// Whether `auto` is brought into line with forecasts of its sums by category and property: where
    /// that earns its place at past cutoffs, always, or never.
    #[arg(long, value_name = "HOW", default_value = "off", num_args = 0..=1,
          default_missing_value = "auto", value_parser = ["auto", "on", "off"])]
    reconcile: String,
    /// Whether a cutoff is one date for all series, or so many steps before each series' own end
    /// [default: date; end for --freq 1, whose steps are no common time].
    #[arg(long, value_name = "HOW", value_parser = ["date", "end"])]
    align: Option<String>,
    /// Folder for forecasts.parquet, scores.parquet, scores.json and report.html.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Start over, whatever an earlier run has finished.
    #[arg(long)]
    fresh: bool,
    #[command(flatten)]
    columns: ColumnArgs,
    #[command(flatten)]
    drivers: DriverArgs,
}

#[derive(Args)]
struct DriverArgs {
    /// CSV or Parquet of more that is known of steps: the time column, one that says which series a
    /// row belongs to (the series' name, columns of --static, or none for all), and drivers. May be
    /// given several times.
    #[arg(long, value_name = "FILE")]
    drivers: Vec<PathBuf>,
    /// CSV or Parquet with a row per series: its name and what does not change about it.
    #[arg(long = "static", value_name = "FILE")]
    statics: Option<PathBuf>,
    /// Drivers whose future is known too: plans, calendars, forecasts as they were made.
    #[arg(long, value_name = "COL", value_delimiter = ',')]
    known: Vec<String>,
    /// Drivers that are known only when they are over: anything that was measured.
    #[arg(long, value_name = "COL", value_delimiter = ',')]
    past: Vec<String>,
    /// Country whose calendar touches all series, such as CN.
    #[arg(long, value_name = "CC")]
    country: Option<String>,
}

impl DriverArgs {
    fn config(self) -> DriverConfig {
        let names = |names: Vec<String>| -> Vec<String> {
            let trimmed = names.iter().map(|name| name.trim().to_owned());
            trimmed.filter(|name| !name.is_empty()).collect()
        };
        DriverConfig {
            drivers: self.drivers,
            statics: self.statics,
            declared: Declared { known: names(self.known), past: names(self.past) },
            country: self.country,
        }
    }
}

#[derive(Args)]
pub(super) struct ColumnArgs {
    /// Column of the series' names.
    #[arg(long, value_name = "COL", default_value = "unique_id")]
    id_col: String,
    /// Column of dates, instants or whole numbers.
    #[arg(long, value_name = "COL", default_value = "ds")]
    time_col: String,
    /// Column of what is forecast.
    #[arg(long, value_name = "COL", default_value = "y")]
    target_col: String,
    /// Column of the share of the step on which there was something to sell, 0 to 1.
    #[arg(long, value_name = "COL", default_value = "available")]
    available_col: String,
    /// Column of the group that a series learns with.
    #[arg(long, value_name = "COL", default_value = "category")]
    category_col: String,
    /// Column of the depth of a discount, 0 to 1, also known for the future.
    #[arg(long, value_name = "COL", default_value = "promo")]
    promo_col: String,
    /// Column of the asked price, also known for the future.
    #[arg(long, value_name = "COL", default_value = "price")]
    price_col: String,
    /// Columns that feed nothing, whatever their names.
    #[arg(long, value_name = "COL", value_delimiter = ',')]
    ignore: Vec<String>,
}

impl ColumnArgs {
    pub(super) fn columns(self) -> Columns {
        Columns {
            id: self.id_col,
            time: self.time_col,
            target: self.target_col,
            available: self.available_col,
            category: self.category_col,
            promo: self.promo_col,
            price: self.price_col,
            ignore: self.ignore,
        }
    }
}

pub(super) fn freq(text: &str) -> Result<Freq, String> {
    Freq::parse(text).ok_or_else(|| {
        let all: Vec<&str> = Freq::ALL.iter().map(|freq| freq.as_str()).collect();
        format!("want one of {}", all.join(", "))
    })
}

/// The models of `--models`, each once.
fn wanted(names: &[String], freq: Freq) -> anyhow::Result<Vec<Wanted>> {
    let usable =
        |model: &Model| *model != Model::Launch && (freq == Freq::Day || !model.is_pooled());
    let all = || Model::ALL.iter().copied().filter(usable);
    let mut wanted = Vec::new();
    for name in names.iter().map(|name| name.trim()) {
        if name.eq_ignore_ascii_case("all") {
            wanted.push(Wanted::Auto);
            wanted.extend(all().map(Wanted::Model));
            continue;
        }
        let found = Wanted::parse(name).ok_or_else(|| {
            let known = || ["auto", "all"].into_iter().chain(all().map(Model::as_str));
            let near = nearest(name, known())
                .map_or(String::new(), |near| format!("; did you mean `{near}`?"));
            let known: Vec<&str> = known().collect();
            let message = format!("{name:?} is no model{near} (want {})", known.join(", "));
            Refused::new(Exit::Usage, message)
        })?;
        if let Wanted::Model(model) = found
            && !usable(&model)
        {
            let message =
                format!("{} learns from calendar days and needs --freq D", model.as_str());
            return Err(Refused::new(Exit::Usage, message).into());
        }
        wanted.push(found);
    }
    Ok(wanted)
}

pub async fn run(global: &Global, args: BacktestArgs) -> anyhow::Result<Exit> {
    let models = wanted(&args.models, args.freq)?;
    let config = BacktestConfig {
        input: args.input,
        out: args.out,
        freq: args.freq,
        horizon: args.horizon as usize,
        windows: args.windows as usize,
        step: args.step.unwrap_or(args.horizon) as usize,
        seasons: (!args.season.is_empty())
            .then(|| args.season.iter().map(|&season| season as usize).collect()),
        align_ends: match args.align.as_deref() {
            Some(align) => align == "end",
            None => args.freq == Freq::Step,
        },
        partial_days: match args.partial_days.as_str() {
            "expected" => PartialDays::Expected,
            "missing" => PartialDays::Missing,
            _ => PartialDays::Calibrated,
        },
        reconcile: match args.reconcile.as_str() {
            "on" => Reconcile::On,
            "auto" => Reconcile::Auto,
            _ => Reconcile::Off,
        },
        models,
        columns: args.columns.columns(),
        drivers: args.drivers.config(),
        fresh: args.fresh,
        threads: global.threads,
    };
    let stages = Stages::new();
    let outcome = backtest::run(&config, &|stage| stages.begin(stage), &|note| stages.note(note));
    stages.finish();
    let outcome = outcome?;
    if global.json {
        text::print_json(&outcome.scores)?;
    } else {
        text::print(&leader_board(&outcome))?;
    }
    Ok(Exit::Ok)
}

fn leader_board(outcome: &Outcome) -> String {
    let scores = &outcome.scores;
    let mut table = Table::new(&[
        ("model", Align::Left, 20),
        ("WAPE", Align::Right, 10),
        ("FVA", Align::Right, 10),
        ("bias", Align::Right, 10),
        ("MASE", Align::Right, 10),
        ("RMSSE", Align::Right, 10),
        ("SPL", Align::Right, 10),
        ("sMAPE", Align::Right, 10),
        ("in 90%", Align::Right, 10),
        ("in 50%", Align::Right, 10),
    ]);
    let real = |value: Option<f64>, decimals: usize| {
        value.map_or("–".to_owned(), |value| format!("{value:.decimals$}"))
    };
    let share = |value: Option<f64>| value.map_or("–".to_owned(), percent);
    for name in &scores.leader_board {
        let model = &scores.models[name];
        let inside = |share: &str| model.coverage.get(share).copied().flatten();
        table.row(vec![
            (*name).to_owned(),
            real(model.wape, 4),
            share(model.fva),
            share(model.bias),
            real(model.mase, 3),
            real(model.rmsse, 3),
            real(model.spl, 4),
            real(model.smape, 1),
            share(inside("0.9")),
            share(inside("0.5")),
        ]);
    }
    let rows = scores.models.values().map(|model| model.rows).max().unwrap_or(0);
    let counted =
        |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    format!(
        "{}{} series, {} of {}, {rows} scored rows a model\n{}\n",
        table.render(Style::of_stdout(), 0),
        scores.input.series,
        counted(scores.config.windows, "window"),
        counted(scores.config.horizon, scores.config.freq.unit()),
        outcome.out.join("report.html").display()
    )
}
