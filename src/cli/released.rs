use clap::Args;

use super::Global;
use super::text::{self, Align, Style, Table};
use crate::config::Exit;
use crate::export::format;
use crate::jobs::release;

#[derive(Args)]
pub struct ReleasedArgs {
    /// Name of the system that takes the lines.
    #[arg(value_name = "CONSUMER")]
    consumer: String,
    /// Only lines of later releases.
    #[arg(long, default_value_t = 0, value_name = "RELEASE")]
    after: i64,
    /// At most so many; 0 takes all.
    #[arg(long, default_value_t = 0, value_name = "N")]
    limit: i64,
}

pub async fn run(global: &Global, args: ReleasedArgs) -> anyhow::Result<Exit> {
    let store = global.store().await?;
    let limit = (args.limit > 0).then_some(args.limit);
    let lines = release::pull(&store, &args.consumer, args.after, limit).await?;
    if global.json {
        text::print_json(&lines)?;
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&[
        ("release", Align::Right, 8),
        ("line", Align::Left, 60),
        ("revision", Align::Right, 8),
        ("change", Align::Left, 12),
        ("order", Align::Right, 16),
        ("value", Align::Right, 20),
        ("order by", Align::Left, 10),
        ("expected", Align::Left, 10),
    ]);
    for line in &lines {
        table.row(vec![
            line.release_id.to_string(),
            line.line_key.clone(),
            line.revision.to_string(),
            line.change.clone(),
            format!("{} {}", format::grouped(line.order_qty, 0), line.order_uom),
            format::money(line.value_minor, &line.currency),
            line.order_on.clone(),
            line.expected_on.clone(),
        ]);
    }
    text::print(&table.render(Style::of_stdout(), 0))?;
    Ok(Exit::Ok)
}
