//! Brings the schema up to date.

use clap::Args;

use super::Global;
use super::text;
use crate::config::Exit;
use crate::store::read::series;

#[derive(Args)]
pub struct MigrateArgs {}

/// Opening a database migrates it; this says to which version, and needs no job and no data.
pub async fn run(global: &Global, _args: MigrateArgs) -> anyhow::Result<Exit> {
    let store = global.store().await?;
    let applied = series::migrations(&mut store.snapshot().await?).await?;
    let version = applied.last().map_or(0, |&(version, _)| version);
    if global.json {
        text::print_json(&serde_json::json!({ "schema": version }))?;
    } else {
        text::print(&format!("schema {version}\n"))?;
    }
    Ok(Exit::Ok)
}
