use clap::Args;
use granary_models::calendar::Day;

use super::Global;
use super::actor::ActorArgs;
use super::text::{self, plain};
use crate::config::Exit;
use crate::jobs::release::{self, Asked, Novelty, Told};

#[derive(Args)]
pub struct AckArgs {
    /// Name of the system that has taken the lines.
    #[arg(value_name = "CONSUMER")]
    consumer: String,
    /// Keys of released lines.
    #[arg(value_name = "LINE", required = true)]
    lines: Vec<String>,
    /// Which revision was taken [default: the newest].
    #[arg(long, value_name = "N")]
    revision: Option<i64>,
    /// How much the supplier confirms, in the item's base unit.
    #[arg(long, value_name = "QTY")]
    qty: Option<String>,
    /// When it is to arrive.
    #[arg(long, value_name = "YYYY-MM-DD")]
    date: Option<Day>,
    /// The order's number in that system.
    #[arg(long, value_name = "NUMBER")]
    order_number: Option<String>,
    #[command(flatten)]
    actor: ActorArgs,
}

pub async fn run(global: &Global, args: AckArgs) -> anyhow::Result<Exit> {
    let by = args.actor.by()?;
    let store = global.store().await?;
    let mut all = Vec::new();
    for line_key in &args.lines {
        let told = Told {
            confirmed_qty: None,
            confirmed_on: args.date.map(|day| day.to_string()),
            order_number: args.order_number.clone(),
        };
        let qty = args.qty.as_deref().map(Asked::Base);
        let of = (line_key.as_str(), args.revision);
        all.push(release::acknowledge(&store, &by, &args.consumer, of, qty, told).await?);
    }
    if global.json {
        text::print_json(&all)?;
        return Ok(Exit::Ok);
    }
    let mut out = String::new();
    for line in &all {
        let known = match line.novelty {
            Novelty::New => "",
            Novelty::Changed => ", changed",
            Novelty::Known => ", known before",
        };
        let superseded = match line.superseded_by {
            Some(newest) => format!("; revision {newest} has taken its place"),
            None => String::new(),
        };
        let (key, revision, state) = (&line.line_key, line.revision, &line.state);
        out.push_str(&plain(&format!("{key} revision {revision}: {state}{known}{superseded}")));
        out.push('\n');
    }
    text::print(&out)?;
    Ok(Exit::Ok)
}
