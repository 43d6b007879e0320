use clap::Args;

use super::Global;
use super::actor::ActorArgs;
use crate::config::Exit;
use crate::jobs::release;

#[derive(Args)]
pub struct CancelArgs {
    /// Key of a line of the current plan, or of any that was released.
    #[arg(value_name = "LINE")]
    line: String,
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    actor: ActorArgs,
}

pub async fn run(global: &Global, args: CancelArgs) -> anyhow::Result<Exit> {
    let by = args.actor.by()?;
    let store = global.store().await?;
    let said = release::cancel(&store, &by, &args.line, &args.reason).await?;
    super::approve::print(global, &[said], false)
}
