//! The command line: one file a command.

mod backtest;
mod calendar;
mod demo;
mod doctor;
mod drivers;
mod event;
mod explain;
mod explain_parts;
mod export;
mod export_rows;
mod import;
mod jobs;
mod plan;
mod policy;
mod progress;
mod pull;
mod read;
mod run;
mod serve;
mod simulate;
mod text;
mod what_if;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{Exit, Refused};
use crate::store::Store;

/// Demand forecasts and replenishment plans, every night.
#[derive(Parser)]
#[command(name = "granary", version, about, propagate_version = true)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Args, Clone)]
pub struct Global {
    /// SQLite file that holds inputs and plans.
    #[arg(
        long,
        global = true,
        env = "GRANARY_DB",
        default_value = "granary.db",
        value_name = "FILE"
    )]
    pub db: PathBuf,
    /// Folder with one TOML per job.
    #[arg(long, global = true, env = "GRANARY_JOBS", default_value = "jobs", value_name = "DIR")]
    pub jobs: PathBuf,
    /// Print the report as JSON on stdout.
    #[arg(long, global = true)]
    pub json: bool,
    /// Worker threads of the numerical part; 0 takes every core.
    #[arg(long, global = true, default_value_t = 0, value_name = "N")]
    pub threads: usize,
}

impl Global {
    pub async fn store(&self) -> anyhow::Result<Store> {
        Store::open(&self.db).await
    }
}

#[derive(Subcommand)]
enum Command {
    /// Make a realistic retailer, import it, run a night on it and show the plan.
    Demo(demo::DemoArgs),
    /// Load files into an input table and print the books.
    Import(import::ImportArgs),
    /// Show a country's holidays and festivals, or load them as calendar events.
    Calendar(calendar::CalendarArgs),
    /// Add, list and remove events that a planner knows of: tournaments, live streams, viral posts.
    Event(event::EventArgs),
    /// Pull a job's sources now, without its night, and print the books.
    Pull(pull::PullArgs),
    /// Reads one file for a pull, under limits.
    #[command(name = crate::sources::isolated::COMMAND, hide = true)]
    ReadRows,
    /// Run one job now; safe to repeat.
    Run(run::RunArgs),
    /// Run jobs when they are due and serve the plan as a web page.
    Serve(serve::ServeArgs),
    /// Forecast the past of a table of your own and score every model.
    Backtest(Box<backtest::BacktestArgs>),
    /// Replay ordering policies over the demand of a table of your own and count the money.
    Simulate(Box<simulate::SimulateArgs>),
    /// Solve textbook inventory cases: JSON in, JSON out.
    Policy(policy::PolicyArgs),
    /// Show the current plan.
    Plan(plan::PlanArgs),
    /// Why this quantity? Every step from history to the order line, or what a finding's code means.
    Explain(explain::ExplainArgs),
    /// What events, promotions, prices, weather and seasons do to the demand of each category.
    Drivers(drivers::DriversArgs),
    /// What if price, promotion or weather were different? The forecast again, before and after.
    WhatIf(what_if::WhatIfArgs),
    /// Write the current plan or its forecasts to a file.
    Export(export::ExportArgs),
    /// List the jobs, when they last ran and when they are due.
    Jobs(jobs::JobsArgs),
    /// Check the database, the clock, the jobs and the freshness of the data.
    Doctor(doctor::DoctorArgs),
}

impl Cli {
    pub async fn run(self) -> anyhow::Result<Exit> {
        let global = &self.global;
        match self.command {
            Command::Demo(args) => demo::run(global, args).await,
            Command::Import(args) => import::run(global, args).await,
            Command::Calendar(args) => calendar::run(global, args).await,
            Command::Event(args) => event::run(global, args).await,
            Command::Pull(args) => pull::run(global, args).await,
            Command::ReadRows => pull::read_rows(),
            Command::Run(args) => run::run(global, args).await,
            Command::Serve(args) => serve::run(global, args).await,
            Command::Backtest(args) => backtest::run(global, *args).await,
            Command::Simulate(args) => simulate::run(global, *args).await,
            Command::Policy(args) => policy::run(&args),
            Command::Plan(args) => plan::run(global, args).await,
            Command::Explain(args) => explain::run(global, args).await,
            Command::Drivers(args) => drivers::run(global, args).await,
            Command::WhatIf(args) => what_if::run(global, args).await,
            Command::Export(args) => export::run(global, args).await,
            Command::Jobs(args) => jobs::run(global, args).await,
            Command::Doctor(args) => doctor::run(global, args).await,
        }
    }
}

/// Files of sources are read by children that run this program, under limits.
pub fn read_files_with(program: PathBuf) {
    crate::sources::isolated::read_with(program);
}

/// Prints an error with its causes on stderr and gives the exit code it stands for.
pub fn report_error(error: &anyhow::Error) -> ExitCode {
    // A reader that has seen enough, such as `head`, is not an error.
    let closed = |cause: &std::io::Error| cause.kind() == std::io::ErrorKind::BrokenPipe;
    if error.chain().any(|cause| cause.downcast_ref().is_some_and(closed)) {
        return Exit::Ok.into();
    }
    eprintln!("error: {error:#}");
    let exit = error.downcast_ref::<Refused>().map_or(Exit::Failed, |refused| refused.exit);
    exit.into()
}
