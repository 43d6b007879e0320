use clap::Args;

use super::Global;
use crate::config::Exit;

#[derive(Args)]
pub struct DemoArgs {}

pub async fn run(_global: &Global, _args: DemoArgs) -> anyhow::Result<Exit> {
    anyhow::bail!("being built")
}
