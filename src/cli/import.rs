use clap::Args;

use super::Global;
use crate::config::Exit;

#[derive(Args)]
pub struct ImportArgs {}

pub async fn run(_global: &Global, _args: ImportArgs) -> anyhow::Result<Exit> {
    anyhow::bail!("being built")
}
