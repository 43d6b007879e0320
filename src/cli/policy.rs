use std::io::Read;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use granary_models::policy::textbook;

use super::text;
use crate::config::{Exit, Refused};

/// No case of a textbook is longer.
const CASE_BYTES_MAX: u64 = 64 << 20;

#[derive(Args)]
pub struct PolicyArgs {
    /// A case, or a list of cases, as JSON [default: standard input].
    #[arg(value_name = "FILE")]
    case: Option<PathBuf>,
}

pub fn run(args: &PolicyArgs) -> anyhow::Result<Exit> {
    let mut case = String::new();
    match &args.case {
        Some(path) => std::fs::File::open(path)
            .and_then(|file| file.take(CASE_BYTES_MAX).read_to_string(&mut case))
            .with_context(|| format!("cannot read the case {}", path.display()))?,
        None => std::io::stdin()
            .take(CASE_BYTES_MAX)
            .read_to_string(&mut case)
            .context("cannot read the case from standard input")?,
    };
    let answer = textbook::solve(&case)
        .map_err(|error| Refused::new(Exit::DataRejected, error.to_string()))?;
    text::print(&(answer + "\n"))?;
    Ok(Exit::Ok)
}
