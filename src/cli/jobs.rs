use clap::Args;

use super::Global;
use crate::config::Exit;

#[derive(Args)]
pub struct JobsArgs {}

pub async fn run(_global: &Global, _args: JobsArgs) -> anyhow::Result<Exit> {
    anyhow::bail!("being built")
}
