use clap::Args;

use super::Global;
use crate::config::Exit;

#[derive(Args)]
pub struct ServeArgs {}

pub async fn run(_global: &Global, _args: ServeArgs) -> anyhow::Result<Exit> {
    anyhow::bail!("being built")
}
