//! The command line: one file a command.

mod ack;
mod actor;
mod amend;
mod approve;
mod backtest;
mod calendar;
mod cancel;
mod close;
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
mod release;
mod run;
mod serve;
mod simulate;
mod stop;
mod text;
mod what_if;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{Database, Exit, Refused};
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
    /// What holds inputs and plans: an SQLite file or the address of a PostgreSQL database
    /// [default: as DATABASE_URL or granary.toml say, else granary.db].
    #[arg(
        long,
        global = true,
        env = "GRANARY_DB",
        hide_env_values = true,
        value_name = "FILE|URL"
    )]
    pub db: Option<String>,
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
    pub fn database(&self) -> anyhow::Result<Database> {
        let url = std::env::var("DATABASE_URL").ok();
        Database::choose(self.db.as_deref(), url.as_deref(), Path::new("granary.toml"))
    }

    pub async fn store(&self) -> anyhow::Result<Store> {
        Store::connect(&self.database()?).await
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
    /// Say yes to lines of the plan as they stand.
    Approve(approve::ApproveArgs),
    /// Order another quantity than the night proposes.
    Override(amend::OverrideArgs),
    /// Cancel a line, before its release or after.
    #[command(alias = "cancel-line")]
    Cancel(cancel::CancelArgs),
    /// Send out what may go of a job's newest plan, in one transaction.
    Release(release::ReleaseArgs),
    /// Show what a purchasing system has still to take; reading marks nothing.
    Pull(pull::PullArgs),
    /// Say that a purchasing system has taken lines, and what it knows of them.
    Ack(ack::AckArgs),
    /// Close released lines of which nothing more comes.
    Close(close::CloseArgs),
    /// Stop releases of everything, a run, a supplier or a location; or list what is stopped.
    Stop(stop::StopArgs),
    /// Take a stop back.
    Go(stop::GoArgs),
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
            Command::Run(args) => run::run(global, args).await,
            Command::Serve(args) => serve::run(global, args).await,
            Command::Backtest(args) => backtest::run(global, *args).await,
            Command::Simulate(args) => simulate::run(global, *args).await,
            Command::Policy(args) => policy::run(&args),
            Command::Plan(args) => plan::run(global, args).await,
            Command::Approve(args) => approve::run(global, args).await,
            Command::Override(args) => amend::run(global, args).await,
            Command::Cancel(args) => cancel::run(global, args).await,
            Command::Release(args) => release::run(global, args).await,
            Command::Pull(args) => pull::run(global, args).await,
            Command::Ack(args) => ack::run(global, args).await,
            Command::Close(args) => close::run(global, args).await,
            Command::Stop(args) => stop::stop(global, args).await,
            Command::Go(args) => stop::go(global, args).await,
            Command::Explain(args) => explain::run(global, args).await,
            Command::Drivers(args) => drivers::run(global, args).await,
            Command::WhatIf(args) => what_if::run(global, args).await,
            Command::Export(args) => export::run(global, args).await,
            Command::Jobs(args) => jobs::run(global, args).await,
            Command::Doctor(args) => doctor::run(global, args).await,
        }
    }
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
