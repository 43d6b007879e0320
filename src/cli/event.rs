use clap::{Args, Subcommand};
use granary_models::calendar::Day;

use super::Global;
use super::text::{self, Align, Style, Table};
use crate::config::Exit;
use crate::jobs::events::{self, Listed, Wanted};

#[derive(Args)]
pub struct EventArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Add an event, or change it: the same id again replaces it.
    Add(AddArgs),
    /// List events in order of time.
    List(ListArgs),
    /// Remove an event.
    Remove {
        /// As `granary event list` shows it.
        #[arg(value_name = "ID")]
        id: String,
    },
}

#[derive(Args)]
struct AddArgs {
    /// What recurs, such as world-cup: its effect is learned under this name.
    #[arg(long, value_name = "NAME")]
    name: String,
    /// Of this occurrence [default: name and first day].
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// What it is one of: an event never seen before takes the effect of its class.
    #[arg(long, default_value = "hot", value_name = "CLASS")]
    class: String,
    /// First day.
    #[arg(long, value_name = "DATE")]
    from: Day,
    /// Last day.
    #[arg(long, value_name = "DATE")]
    to: Day,
    /// Regions of locations, or what they begin with [default: everywhere].
    #[arg(long, value_delimiter = ',', value_name = "REGIONS")]
    region: Vec<String>,
    /// Items that it touches, beside the categories [default: all].
    #[arg(long, value_delimiter = ',', value_name = "ITEMS")]
    item: Vec<String>,
    /// Categories that it touches, beside the items [default: all].
    #[arg(long, value_delimiter = ',', value_name = "CATEGORIES")]
    category: Vec<String>,
    /// Days before it on which buying may already differ.
    #[arg(long, default_value_t = 0, value_name = "DAYS")]
    lead: i32,
    /// Days after it on which buying may still differ.
    #[arg(long, default_value_t = 0, value_name = "DAYS")]
    lag: i32,
}

#[derive(Args)]
struct ListArgs {
    /// Only events of this class.
    #[arg(long, default_value = "hot", value_name = "CLASS")]
    class: String,
    /// Events of every class, holidays included.
    #[arg(long, conflicts_with = "class")]
    all: bool,
}

pub async fn run(global: &Global, args: EventArgs) -> anyhow::Result<Exit> {
    let store = global.store().await?;
    match args.action {
        Action::Add(add) => {
            let wanted = Wanted {
                name: add.name,
                event_id: add.id,
                class: add.class,
                from: add.from,
                to: add.to,
                regions: add.region,
                items: add.item,
                categories: add.category,
                lead_days: add.lead,
                lag_days: add.lag,
            };
            let added = events::add(&store, &wanted).await?;
            if global.json {
                text::print_json(&added)?;
            } else {
                let before = match added.replaced {
                    0 => "",
                    _ => ", in place of the same event before",
                };
                let id = text::plain(&added.event_id);
                text::print(&format!("{id}: {} rows{before}\n", added.rows))?;
            }
        }
        Action::List(list) => {
            let class = (!list.all).then_some(list.class.as_str());
            let listed = events::list(&store, class).await?;
            if global.json {
                text::print_json(&listed)?;
            } else {
                text::print(&table(&listed).render(Style::of_stdout(), 0))?;
            }
        }
        Action::Remove { id } => {
            let removed = events::remove(&store, &id).await?;
            if global.json {
                text::print_json(&serde_json::json!({ "event_id": id, "removed_rows": removed }))?;
            } else {
                text::print(&format!("{}: {removed} rows removed\n", text::plain(&id)))?;
            }
        }
    }
    Ok(Exit::Ok)
}

fn table(listed: &[Listed]) -> Table {
    let mut table = Table::new(&[
        ("id", Align::Left, 40),
        ("name", Align::Left, 24),
        ("class", Align::Left, 8),
        ("from", Align::Left, 10),
        ("to", Align::Left, 10),
        ("lead", Align::Right, 4),
        ("lag", Align::Right, 4),
        ("region", Align::Left, 24),
        ("touches", Align::Left, 40),
    ]);
    for event in listed {
        let mut touched = event.categories.clone();
        touched.extend(event.items.iter().cloned());
        touched.extend(event.suppliers.iter().cloned());
        let or = |names: Vec<String>, none: &str| match names.is_empty() {
            true => none.to_owned(),
            false => names.join(", "),
        };
        table.row(vec![
            event.event_id.clone(),
            event.name.clone(),
            event.class.clone(),
            event.from.to_string(),
            event.to.to_string(),
            event.lead_days.to_string(),
            event.lag_days.to_string(),
            or(event.regions.clone(), "everywhere"),
            or(touched, "everything"),
        ]);
    }
    table
}
