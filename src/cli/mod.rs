//! The command line: one file a command.

mod ack;
mod actor;
mod amend;
mod approve;
mod backfill;
mod backtest;
mod backup;
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
mod migrate;
mod plan;
mod policy;
mod progress;
mod publish;
mod pull;
mod purge;
mod read;
mod release;
mod released;
mod roles;
mod run;
mod serve;
mod simulate;
mod stop;
mod text;
mod token;
mod what_if;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{Database, Exit, Refused, clock};
use crate::jobs::nightly::PARTITION_SERIES;
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
    /// About how many series a night makes, and keeps in case of a kill, at a time. No byte of a plan
    /// depends on it.
    #[arg(
        long,
        global = true,
        hide = true,
        env = "GRANARY_PARTITION_SERIES",
        default_value_t = PARTITION_SERIES,
        value_parser = partition_series,
        value_name = "N"
    )]
    pub partition_series: usize,
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

fn partition_series(text: &str) -> Result<usize, String> {
    let series = text.parse().ok().filter(|&series| series >= 1);
    series.ok_or_else(|| format!("a whole number from 1 on is wanted, not {text:?}"))
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
    /// Run a job for every past date of a range that has no published plan, in order.
    Backfill(backfill::BackfillArgs),
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
    /// Publish a plan that gates hold, as somebody who has looked at it.
    Publish(publish::PublishArgs),
    /// Send out what may go of a job's newest plan, in one transaction.
    Release(release::ReleaseArgs),
    /// Show what a purchasing system has still to take; reading marks nothing.
    Released(released::ReleasedArgs),
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
    /// List the jobs, when they last ran and when they are due; pause, resume or cancel one.
    Jobs(jobs::JobsArgs),
    /// Copy an SQLite database while it is at work.
    Backup(backup::BackupArgs),
    /// Put a backup in the place of the database.
    Restore(backup::RestoreArgs),
    /// Remove what is older than a purge job's retention.
    Purge(purge::PurgeArgs),
    /// Show or make the roles of PostgreSQL.
    Roles(roles::RolesArgs),
    /// Bring the database's schema up to date, as the role that may.
    Migrate(migrate::MigrateArgs),
    /// Make, list and revoke tokens of the API.
    Token(token::TokenArgs),
    /// Check the database, the clock, the jobs and the freshness of the data.
    Doctor(doctor::DoctorArgs),
}

impl Cli {
    /// Whether a server started this process and hands on what it says.
    pub fn is_under_a_server(&self) -> bool {
        matches!(&self.command, Command::Run(args) if args.under_a_server)
    }

    pub async fn run(self) -> anyhow::Result<Exit> {
        clock::check()?;
        let global = &self.global;
        match self.command {
            Command::Demo(args) => demo::run(global, args).await,
            Command::Import(args) => import::run(global, args).await,
            Command::Calendar(args) => calendar::run(global, args).await,
            Command::Event(args) => event::run(global, args).await,
            Command::Pull(args) => pull::run(global, args).await,
            Command::ReadRows => pull::read_rows(),
            Command::Run(args) => run::run(global, args).await,
            Command::Backfill(args) => backfill::run(global, args).await,
            Command::Serve(args) => serve::run(global, args).await,
            Command::Backtest(args) => backtest::run(global, *args).await,
            Command::Simulate(args) => simulate::run(global, *args).await,
            Command::Policy(args) => policy::run(&args),
            Command::Plan(args) => plan::run(global, args).await,
            Command::Approve(args) => approve::run(global, args).await,
            Command::Override(args) => amend::run(global, args).await,
            Command::Cancel(args) => cancel::run(global, args).await,
            Command::Publish(args) => publish::run(global, args).await,
            Command::Release(args) => release::run(global, args).await,
            Command::Released(args) => released::run(global, args).await,
            Command::Ack(args) => ack::run(global, args).await,
            Command::Close(args) => close::run(global, args).await,
            Command::Stop(args) => stop::stop(global, args).await,
            Command::Go(args) => stop::go(global, args).await,
            Command::Explain(args) => explain::run(global, args).await,
            Command::Drivers(args) => drivers::run(global, args).await,
            Command::WhatIf(args) => what_if::run(global, args).await,
            Command::Export(args) => export::run(global, args).await,
            Command::Jobs(args) => jobs::run(global, args).await,
            Command::Backup(args) => backup::run(global, args).await,
            Command::Restore(args) => backup::restore(global, args).await,
            Command::Purge(args) => purge::run(global, args).await,
            Command::Roles(args) => roles::run(global, args).await,
            Command::Migrate(args) => migrate::run(global, args).await,
            Command::Token(args) => token::run(global, args).await,
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
