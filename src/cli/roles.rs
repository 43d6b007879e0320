//! The roles of PostgreSQL: shown, or made.

use clap::Args;

use super::Global;
use super::text;
use crate::config::Exit;
use crate::store::roles::{ByLocation, statements};

#[derive(Args)]
pub struct RolesArgs {
    /// Make them, instead of showing the statements. Wants a superuser's address.
    #[arg(long)]
    apply: bool,
    /// Show rows of a location only to logins that may see it (table `location_access`).
    #[arg(long)]
    by_location: bool,
}

pub async fn run(global: &Global, args: RolesArgs) -> anyhow::Result<Exit> {
    let by_location = if args.by_location { ByLocation::Yes } else { ByLocation::No };
    if args.apply {
        global.store().await?.apply_roles(by_location).await?;
        eprintln!("roles made; repeat this after every migration");
        return Ok(Exit::Ok);
    }
    let statements = statements(by_location)?;
    if global.json {
        text::print_json(&statements)?;
    } else {
        text::print(&format!("{};\n", statements.join(";\n")))?;
    }
    Ok(Exit::Ok)
}
