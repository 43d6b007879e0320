use std::fmt::Write;

use clap::Args;
use granary_models::calendar::Day;

use super::Global;
use super::explain_parts::signed;
use super::read::RunArgs;
use super::text::{self, Align, Style, Table, plain};
use crate::config::{Exit, Job, Refused};
use crate::export::format;
use crate::jobs::nightly::what_if::{
    Asked, Change, DayDemand, Demand, PriceChange, WhatIf, minor_units, orders, share, what_if,
};
use crate::store::read::sku;

/// Days that are shown, from so many before the first change on.
const DAYS_SHOWN: usize = 14;
const DAYS_BEFORE: i32 = 2;

/// Forecasts again with another price, promotion or weather; writes nothing.
#[derive(Args)]
pub struct WhatIfArgs {
    item: String,
    location: String,
    /// Price per base unit before any promotion, in the item's currency.
    #[arg(long, value_name = "PRICE", conflicts_with = "price_change")]
    price: Option<String>,
    /// Change of the planned price: `-10%`, `0.15`.
    #[arg(long, value_name = "SHARE", allow_hyphen_values = true, value_parser = share)]
    price_change: Option<f64>,
    /// Depth of a promotion: `30%`, `0.3`; 0 ends one.
    #[arg(long, value_name = "DEPTH", allow_hyphen_values = true, value_parser = share)]
    promo: Option<f64>,
    /// Degrees Celsius warmer, or colder: `-5`.
    #[arg(long, value_name = "DEGREES", allow_hyphen_values = true)]
    temperature: Option<f64>,
    /// Rain of each day in mm.
    #[arg(long, value_name = "MM", allow_hyphen_values = true)]
    rain: Option<f64>,
    /// First day of the change [default: the first of the forecast].
    #[arg(long, value_name = "YYYY-MM-DD")]
    from: Option<Day>,
    /// Its last day [default: the last of the forecast].
    #[arg(long, value_name = "YYYY-MM-DD")]
    to: Option<Day>,
    #[command(flatten)]
    which: RunArgs,
}

pub async fn run(global: &Global, args: WhatIfArgs) -> anyhow::Result<Exit> {
    let store = global.store().await?;
    let mut db = store.snapshot().await?;
    let run = args.which.find(&mut db).await?;
    let Some(sku) = sku::load(&mut db, &run, &args.item, &args.location).await? else {
        return Err(super::explain::unknown_sku(&mut db, &run, &args.item, &args.location)
            .await?
            .into());
    };
    drop(db);
    let price = match (&args.price, args.price_change) {
        (Some(price), _) => Some(PriceChange::To(price_of(price, &sku.item.currency)?)),
        (None, Some(share)) => Some(PriceChange::By(share)),
        (None, None) => None,
    };
    let change = Change {
        price,
        promo_depth: args.promo,
        temperature_step_c: args.temperature,
        rain_mm: args.rain,
        from: args.from,
        to: args.to,
    };
    if change.is_nothing() {
        let message =
            "what if what? give --price, --price-change, --promo, --temperature or --rain";
        return Err(Refused::new(Exit::Usage, message).into());
    }
    let job = Job::find(&global.jobs, &run.job)?;
    let asked = Asked { item_id: &args.item, location_id: &args.location, change };
    let answer = what_if(&store, &job, &run, asked, global.threads).await?;
    if global.json {
        text::print_json(&answer)?;
    } else {
        text::print(&render(&answer, Style::of_stdout())?)?;
    }
    Ok(Exit::Ok)
}

fn render(answer: &WhatIf, style: Style) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    let decimals = answer.qty_decimals;
    let title = format!("{} at {}", answer.item_id, answer.location_id);
    writeln!(out, "{}", style.strong(&plain(&title)))?;
    let under = format!(
        "run {}, {}; changed from {} to {}",
        answer.run_id, answer.model, answer.from, answer.to
    );
    writeln!(out, "{}\n", style.faint(&plain(&under)))?;
    let unit = plain(&answer.base_uom);
    writeln!(out, "{}", style.strong(&format!("Demand, {unit} a day")))?;
    let mut table = Table::new(&[
        ("date", Align::Left, 22),
        ("mean", Align::Right, 12),
        ("then", Align::Right, 12),
        ("change", Align::Right, 12),
        ("5–95%", Align::Right, 20),
        ("then", Align::Right, 20),
    ]);
    let units = |units: f64| format::real_quantity(units, decimals);
    let range =
        |day: &DayDemand| format!("{}–{}", units(day.quantiles[1]), units(day.quantiles[7]));
    let ahead = answer.days.first().map_or(0, |first| answer.from - first.date - DAYS_BEFORE);
    for day in answer.days.iter().skip(ahead.max(0) as usize).take(DAYS_SHOWN) {
        table.row(vec![
            day.date.to_string(),
            units(day.before.mean),
            units(day.after.mean),
            signed(day.after.mean - day.before.mean, decimals),
            range(&day.before),
            range(&day.after),
        ]);
    }
    let (before, after) = (answer.mean.before, answer.mean.after);
    table.row(vec![
        format!("all {} days", answer.days.len()),
        units(before),
        units(after),
        signed(after - before, decimals),
        String::new(),
        String::new(),
    ]);
    out.push_str(&table.render(style, 2));
    let days = answer.protection_days;
    let title = format!("Demand until the order after tonight's arrives, {days} days");
    writeln!(out, "\n{}", style.strong(&title))?;
    let told = |demand: &Demand| {
        format!(
            "{} {unit}, 90% between {} and {}",
            units(demand.mean),
            units(demand.q05),
            units(demand.q95)
        )
    };
    writeln!(out, "  before  {}", told(&answer.protection.before))?;
    writeln!(out, "  then    {}", told(&answer.protection.after))?;
    writeln!(out, "\n{}", style.strong("Order tonight, before limits that lines share"))?;
    writeln!(out, "  before  {}", plain(&orders(&answer.orders.before)))?;
    writeln!(out, "  then    {}", plain(&orders(&answer.orders.after)))?;
    for note in &answer.notes {
        writeln!(out, "\n{}", style.warn(&plain(note)))?;
    }
    Ok(out)
}

fn price_of(text: &str, currency: &str) -> anyhow::Result<i64> {
    minor_units(text, currency).map_err(|message| Refused::new(Exit::Usage, message).into())
}
