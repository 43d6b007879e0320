use clap::Args;

use super::Global;
use crate::config::Exit;

#[derive(Args)]
pub struct DoctorArgs {}

pub async fn run(_global: &Global, _args: DoctorArgs) -> anyhow::Result<Exit> {
    anyhow::bail!("being built")
}
