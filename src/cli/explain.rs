use clap::Args;

use super::Global;
use crate::config::Exit;

#[derive(Args)]
pub struct ExplainArgs {}

pub async fn run(_global: &Global, _args: ExplainArgs) -> anyhow::Result<Exit> {
    anyhow::bail!("being built")
}
