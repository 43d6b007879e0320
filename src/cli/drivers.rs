use std::collections::BTreeSet;
use std::fmt::Write;

use clap::Args;
use serde::Serialize;

use super::Global;
use super::read::{RunArgs, hint};
use super::text::{self, Align, Style, Table, plain};
use crate::config::{Exit, Refused};
use crate::export::effects::{self, Answer};
use crate::store::read;
use crate::store::read::runs::Run;

#[derive(Args)]
pub struct DriversArgs {
    /// Only of this category.
    #[arg(long, value_name = "CATEGORY")]
    category: Option<String>,
    /// Only this one: an event's name, `promotion`, `price`, `temperature`, `rain`, `weekday`.
    #[arg(long, value_name = "DRIVER")]
    driver: Option<String>,
    #[command(flatten)]
    which: RunArgs,
}

#[derive(Serialize)]
struct Report {
    run: Run,
    effects: Vec<Answer>,
}

pub async fn run(global: &Global, args: DriversArgs) -> anyhow::Result<Exit> {
    let store = global.store().await?;
    let mut db = store.snapshot().await?;
    let run = args.which.find(&mut db).await?;
    let learned = read::effects::effects(&mut db, &run.run_id).await?;
    let effects = chosen(effects::answers(&learned), &args)?;
    if global.json {
        text::print_json(&Report { run, effects })?;
    } else {
        text::print(&render(&run, &effects, Style::of_stdout())?)?;
    }
    Ok(Exit::Ok)
}

fn chosen(answers: Vec<Answer>, args: &DriversArgs) -> anyhow::Result<Vec<Answer>> {
    let known = |of: fn(&Answer) -> &str| -> Vec<(String, String)> {
        let names: BTreeSet<&str> = answers.iter().map(of).collect();
        names.into_iter().map(|name| (name.to_owned(), String::new())).collect()
    };
    for (what, asked, of) in [
        ("category", &args.category, (|answer| &answer.category) as fn(&Answer) -> &str),
        ("driver", &args.driver, |answer| &answer.driver),
    ] {
        let Some(asked) = asked else { continue };
        let known = known(of);
        if !known.is_empty() && known.iter().all(|(name, _)| name != asked) {
            let message = format!("nothing was learned of {what} {asked:?}{}", hint(asked, &known));
            return Err(Refused::new(Exit::Usage, message).into());
        }
    }
    let is = |asked: &Option<String>, name: &str| asked.as_ref().is_none_or(|asked| asked == name);
    let fits =
        |answer: &Answer| is(&args.category, &answer.category) && is(&args.driver, &answer.driver);
    Ok(answers.into_iter().filter(fits).collect())
}

fn render(run: &Run, answers: &[Answer], style: Style) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    if answers.is_empty() {
        writeln!(out, "No regression took part in {}; it learned no effects.", run.run_id)?;
        return Ok(out);
    }
    writeln!(out, "{}", style.faint(&format!("run {}", run.run_id)))?;
    for of_category in answers.chunk_by(|a, b| a.category == b.category) {
        let name = match of_category[0].category.as_str() {
            "" => "without a category",
            name => name,
        };
        writeln!(out, "\n{}", style.strong(&plain(name)))?;
        let mut table = Table::new(&[
            ("driver", Align::Left, 28),
            ("", Align::Left, 44),
            ("demand", Align::Right, 8),
            ("90% interval", Align::Right, 16),
            ("", Align::Left, 40),
        ]);
        let mut before = "";
        for answer in of_category {
            // A driver's name once, above its steps.
            let driver = if answer.driver == before { "" } else { answer.driver.as_str() };
            before = &answer.driver;
            table.row(vec![
                driver.to_owned(),
                answer.what.clone(),
                effects::factor(answer.factor),
                effects::interval(answer),
                answer.note.clone(),
            ]);
        }
        out.push_str(&table.render(style, 2));
    }
    Ok(out)
}
