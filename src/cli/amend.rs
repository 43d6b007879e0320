use clap::Args;

use super::Global;
use super::actor::ActorArgs;
use crate::config::Exit;
use crate::jobs::release::{self, Amend, Asked};

#[derive(Args)]
pub struct OverrideArgs {
    /// Key of a line of the current plan.
    #[arg(value_name = "LINE")]
    line: String,
    /// How much to order instead, in the item's base unit: `24`, `1.5`.
    #[arg(long, value_name = "QTY")]
    qty: String,
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Even against pack, minimum or capacity; another person has to approve it then.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    actor: ActorArgs,
}

pub async fn run(global: &Global, args: OverrideArgs) -> anyhow::Result<Exit> {
    let by = args.actor.by()?;
    let store = global.store().await?;
    let amend = Amend {
        line_key: &args.line,
        qty: Asked::Base(&args.qty),
        reason: &args.reason,
        force: args.force,
    };
    let said = release::amend(&store, &by, &amend).await?;
    super::approve::print(global, &[said], false)
}
