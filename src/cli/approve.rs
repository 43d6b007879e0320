use clap::Args;

use super::Global;
use super::actor::ActorArgs;
use super::text::{self, plain};
use crate::config::{Exit, Refused};
use crate::jobs::release::{self, Filter, Said};

#[derive(Args)]
pub struct ApproveArgs {
    /// Keys of lines, as `granary plan --json` and the page of a line show them.
    #[arg(value_name = "LINE", required_unless_present = "all", conflicts_with = "all")]
    lines: Vec<String>,
    /// Every proposed line of this job's newest plan; held lines are approved one by one.
    #[arg(long, value_name = "JOB")]
    all: Option<String>,
    /// With --all: only lines from this supplier.
    #[arg(long, requires = "all", value_name = "ID")]
    supplier: Option<String>,
    /// With --all: only lines to this location.
    #[arg(long, requires = "all", value_name = "ID")]
    location: Option<String>,
    /// Why; needed to lift a gate and to withdraw.
    #[arg(long, default_value = "", value_name = "TEXT")]
    reason: String,
    /// Take your approval back.
    #[arg(long, conflicts_with = "all")]
    withdraw: bool,
    #[command(flatten)]
    actor: ActorArgs,
}

pub async fn run(global: &Global, args: ApproveArgs) -> anyhow::Result<Exit> {
    let by = args.actor.by()?;
    let store = global.store().await?;
    let mut said = Vec::new();
    if let Some(job) = args.all {
        let filter = Filter { job, supplier_id: args.supplier, location_id: args.location };
        said = release::approve_all(&store, &by, &filter, &args.reason).await?;
        if said.is_empty() {
            let message = "no proposed line matches; held ones are approved by their keys";
            return Err(Refused::new(Exit::Failed, message).into());
        }
    }
    for line_key in &args.lines {
        said.push(if args.withdraw {
            release::withdraw(&store, &by, line_key, &args.reason).await?
        } else {
            release::approve(&store, &by, line_key, &args.reason).await?
        });
    }
    print(global, &said, args.withdraw)
}

/// Tells what is now said of lines; exit code 4 where one waits for somebody.
pub fn print(global: &Global, said: &[Said], withdrawn: bool) -> anyhow::Result<Exit> {
    if global.json {
        text::print_json(&said)?;
    } else {
        let mut out = String::new();
        for line in said {
            let change = match line.change {
                Some("order") | None => String::new(),
                Some(change) => format!(" ({change})"),
            };
            let waits = match (line.waits_for.as_str(), line.release_id) {
                (_, Some(id)) => format!(", sent out as release {id}"),
                ("", None) => String::new(),
                (waits_for, None) => format!(", waits for {waits_for}"),
            };
            out.push_str(&plain(&format!("{}: {}{change}{waits}", line.line_key, line.state)));
            out.push('\n');
        }
        text::print(&out)?;
    }
    let waits = said.iter().any(|line| line.exit() == Exit::PlanHeld);
    Ok(if waits && !withdrawn { Exit::PlanHeld } else { Exit::Ok })
}
