use clap::Args;

use super::Global;
use crate::config::Exit;

#[derive(Args)]
pub struct RunArgs {}

pub async fn run(_global: &Global, _args: RunArgs) -> anyhow::Result<Exit> {
    anyhow::bail!("being built")
}
