use clap::Args;

use super::Global;
use super::actor::ActorArgs;
use super::text::{self, plain};
use crate::config::{Exit, Refused};
use crate::jobs::release::{self, Scope};

#[derive(Args)]
pub struct StopArgs {
    /// What to stop; without it, what is stopped is listed.
    #[arg(value_name = "SCOPE", value_parser = ["all", "run", "supplier", "location"])]
    scope: Option<String>,
    /// Which: a run's id or a job's name, a supplier, a location.
    #[arg(value_name = "ID", default_value = "")]
    id: String,
    /// Why; needed to stop something.
    #[arg(long, default_value = "", value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    actor: ActorArgs,
}

#[derive(Args)]
pub struct GoArgs {
    #[arg(value_name = "SCOPE", value_parser = ["all", "run", "supplier", "location"])]
    scope: String,
    #[arg(value_name = "ID", default_value = "")]
    id: String,
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    actor: ActorArgs,
}

fn scope(name: &str) -> Result<Scope, Refused> {
    Scope::parse(name).ok_or_else(|| Refused::new(Exit::Usage, format!("no scope {name:?}")))
}

pub async fn stop(global: &Global, args: StopArgs) -> anyhow::Result<Exit> {
    let store = global.store().await?;
    let Some(name) = &args.scope else { return list(global, &store).await };
    let by = args.actor.by()?;
    let turned = release::stop(&store, &by, scope(name)?, &args.id, &args.reason).await?;
    print(global, &turned)
}

pub async fn go(global: &Global, args: GoArgs) -> anyhow::Result<Exit> {
    let by = args.actor.by()?;
    let store = global.store().await?;
    let turned = release::go(&store, &by, scope(&args.scope)?, &args.id, &args.reason).await?;
    print(global, &turned)
}

fn print(global: &Global, turned: &release::Turned) -> anyhow::Result<Exit> {
    if global.json {
        text::print_json(turned)?;
        return Ok(Exit::Ok);
    }
    let blank = if turned.scope_id.is_empty() { "" } else { " " };
    let state = match (turned.stopped, turned.changed) {
        (true, true) => "stopped",
        (true, false) => "was stopped before; the new reason counts",
        (false, true) => "goes again",
        (false, false) => "was not stopped",
    };
    let name = format!("{}{blank}{}", turned.scope.as_str(), turned.scope_id);
    text::print(&plain(&format!("{name}: {state}")))?;
    text::print("\n")?;
    Ok(Exit::Ok)
}

async fn list(global: &Global, store: &crate::store::Store) -> anyhow::Result<Exit> {
    let stops = release::stops(store).await?;
    if global.json {
        text::print_json(&stops)?;
        return Ok(Exit::Ok);
    }
    if stops.is_empty() {
        text::print("nothing is stopped\n")?;
    }
    for stop in &stops {
        text::print(&plain(&format!("{} since {}", stop.told(), stop.at)))?;
        text::print("\n")?;
    }
    Ok(Exit::Ok)
}
