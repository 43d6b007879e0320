use std::process::ExitCode;

use clap::Parser;
use granary::cli::{Cli, report_error};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are data and go to stdout; a usage error is 2, as clap has it.
            let _ = error.print();
            return ExitCode::from(error.exit_code() as u8);
        }
    };
    log_to_stderr(cli.is_under_a_server());
    if let Ok(program) = std::env::current_exe() {
        granary::cli::read_files_with(program);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start the runtime: {error}");
            return ExitCode::from(1);
        }
    };
    match runtime.block_on(cli.run()) {
        Ok(exit) => exit.into(),
        Err(error) => report_error(&error),
    }
}

/// What the service did, on stderr. `GRANARY_LOG=debug` says more; `GRANARY_LOG_FORMAT=json` makes each
/// line an object with the run's job and date as fields. Under a server, which has the time and the
/// place itself, lines are bare.
fn log_to_stderr(bare: bool) {
    let filter = EnvFilter::try_from_env("GRANARY_LOG")
        .unwrap_or_else(|_| EnvFilter::new("warn,granary=info,sqlx=error"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::env::var("GRANARY_LOG_FORMAT").is_ok_and(|format| format == "json") {
        log.json().flatten_event(true).init();
    } else if bare {
        log.without_time().with_target(false).with_ansi(false).init();
    } else {
        log.init();
    }
}
