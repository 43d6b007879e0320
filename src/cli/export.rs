use clap::Args;

use super::Global;
use crate::config::Exit;

#[derive(Args)]
pub struct ExportArgs {}

pub async fn run(_global: &Global, _args: ExportArgs) -> anyhow::Result<Exit> {
    anyhow::bail!("being built")
}
