use clap::Args;

use super::Global;
use super::actor::ActorArgs;
use super::text::{self, plain};
use crate::config::Exit;
use crate::jobs::release;

#[derive(Args)]
pub struct CloseArgs {
    /// Keys of released lines of which nothing more comes.
    #[arg(value_name = "LINE", required = true)]
    lines: Vec<String>,
    /// Which revision [default: the newest].
    #[arg(long, value_name = "N")]
    revision: Option<i64>,
    #[arg(long, default_value = "received", value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    actor: ActorArgs,
}

pub async fn run(global: &Global, args: CloseArgs) -> anyhow::Result<Exit> {
    let by = args.actor.by()?;
    let store = global.store().await?;
    let mut all = Vec::new();
    for line_key in &args.lines {
        all.push(release::close(&store, &by, (line_key, args.revision), &args.reason).await?);
    }
    if global.json {
        text::print_json(&all)?;
        return Ok(Exit::Ok);
    }
    let mut out = String::new();
    for line in &all {
        let before = if line.was_closed { " before" } else { "" };
        let (key, revision, on) = (&line.line_key, line.revision, &line.closed_on);
        out.push_str(&plain(&format!("{key} revision {revision}: closed{before} on {on}")));
        out.push('\n');
    }
    text::print(&out)?;
    Ok(Exit::Ok)
}
