use clap::Args;

use super::Global;
use super::text::{self, Align, Style, Table};
use crate::config::{Exit, Refused};
use crate::jobs::calendars::{self, CalendarRow, Coverage, YEARS};
use crate::jobs::import::Report;
use crate::sources::nearest;

#[derive(Args)]
pub struct CalendarArgs {
    /// Countries and states, such as CN,JP or DE-BY; without any, what there is.
    #[arg(value_delimiter = ',', value_name = "CODES")]
    codes: Vec<String>,
    /// First year [default: all].
    #[arg(long, default_value_t = *YEARS.start(), hide_default_value = true, value_name = "YEAR")]
    from: i32,
    /// Last year [default: all].
    #[arg(long, default_value_t = *YEARS.end(), hide_default_value = true, value_name = "YEAR")]
    to: i32,
    /// Load the rows into calendar_event instead of printing them.
    #[arg(long, requires = "codes")]
    load: bool,
}

pub async fn run(global: &Global, args: CalendarArgs) -> anyhow::Result<Exit> {
    let all = calendars::coverage()?;
    if args.codes.is_empty() {
        if global.json {
            text::print_json(&all)?;
        } else {
            text::print(&table(&all).render(Style::of_stdout(), 0))?;
        }
        return Ok(Exit::Ok);
    }
    let rows = rows(&args, &all)?;
    if args.load {
        let report = calendars::load(&global.store().await?, &args.codes, &rows).await?;
        said(global, &report)?;
        if let Some(reason) = report.refused {
            let message = format!("{reason}; nothing was changed");
            return Err(Refused::new(Exit::DataRejected, message).into());
        }
    } else if global.json {
        text::print_json(&rows)?;
    } else {
        text::print(&calendars::as_csv(&rows)?)?;
    }
    Ok(Exit::Ok)
}

fn rows(args: &CalendarArgs, all: &[Coverage]) -> anyhow::Result<Vec<CalendarRow>> {
    if !(YEARS.contains(&args.from) && YEARS.contains(&args.to) && args.from <= args.to) {
        let message = format!(
            "from {} to {} cannot be: the calendars hold {} to {}",
            args.from,
            args.to,
            YEARS.start(),
            YEARS.end()
        );
        return Err(Refused::new(Exit::Usage, message).into());
    }
    let known = || {
        let states = all.iter().flat_map(|calendar| &calendar.states).map(String::as_str);
        all.iter().map(|calendar| calendar.code).chain(states)
    };
    let mut rows = Vec::new();
    for code in &args.codes {
        let found = calendars::rows_of_country(code, args.from, args.to)?;
        let found = found.ok_or_else(|| {
            let near = nearest(code, known())
                .map(|near| format!("; did you mean `{near}`?"))
                .unwrap_or_default();
            let message = format!("there is no calendar of {code:?}{near}");
            Refused::new(Exit::Usage, message)
        })?;
        rows.extend(found);
    }
    Ok(rows)
}

fn said(global: &Global, report: &Report) -> anyhow::Result<()> {
    if global.json {
        return text::print_json(report);
    }
    if let Some(table) = report.tables.first() {
        let books = &table.total;
        text::print(&format!(
            "calendar_event: {} rows, {} loaded ({} of them in place of others), {} there already\n",
            books.read, books.loaded, books.replaced, books.duplicate
        ))?;
    }
    Ok(())
}

fn table(all: &[Coverage]) -> Table {
    let mut table = Table::new(&[
        ("code", Align::Left, 4),
        ("country", Align::Left, 22),
        ("covers", Align::Left, 90),
        ("left out", Align::Left, 70),
        ("states", Align::Left, 60),
    ]);
    for calendar in all {
        table.row(vec![
            calendar.code.to_owned(),
            calendar.country.clone(),
            calendar.covers.clone(),
            calendar.left_out.clone(),
            calendar.states.join(" "),
        ]);
    }
    table
}
