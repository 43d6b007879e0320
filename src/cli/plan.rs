use clap::Args;

use super::Global;
use crate::config::Exit;

#[derive(Args)]
pub struct PlanArgs {}

pub async fn run(_global: &Global, _args: PlanArgs) -> anyhow::Result<Exit> {
    anyhow::bail!("being built")
}
