//! The page that answers "what if": an item's forecast with another price, promotion or weather.

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use granary_models::calendar::Day;
use serde::{Deserialize, Serialize};

use super::chart::{Chart, Layer};
use super::pages::missing;
use super::sku_charts::{Drawn, in_base_units};
use super::{App, Failure, page_values, reading};
use crate::config::Refused;
use crate::export::format::real_quantity;
use crate::jobs::nightly::what_if::{
    Asked, Change, DayDemand, PriceChange, WhatIf, minor_units, orders, share, what_if,
};
use crate::store::read::runs::{self, Run, RunChoice};
use crate::store::read::sku;

/// The form's fields as they were sent.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Question {
    run: String,
    price: String,
    price_change: String,
    promo: String,
    temperature: String,
    rain: String,
    from: String,
    to: String,
}

fn given(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

fn number(text: &str, what: &str) -> Result<f64, String> {
    let value = text.replace('−', "-").parse::<f64>().ok().filter(|value| value.is_finite());
    value.ok_or_else(|| format!("{text:?} is not a number of {what}"))
}

fn date(text: &str) -> Result<Day, String> {
    text.parse().map_err(|_| format!("{text:?} is not a date such as 2025-11-11"))
}

impl Question {
    /// An empty form about a run, or about the current one.
    pub fn of_run(run_id: &str) -> Question {
        Question { run: run_id.to_owned(), ..Question::default() }
    }

    fn change(&self, currency: &str) -> Result<Change, String> {
        let price = match (given(&self.price), given(&self.price_change)) {
            (Some(_), Some(_)) => return Err("either a price or a change of it".to_owned()),
            (Some(price), None) => Some(PriceChange::To(minor_units(price, currency)?)),
            (None, Some(change)) => Some(PriceChange::By(share(change)?)),
            (None, None) => None,
        };
        Ok(Change {
            price,
            promo_depth: given(&self.promo).map(share).transpose()?,
            temperature_step_c: given(&self.temperature)
                .map(|text| number(text, "degrees"))
                .transpose()?,
            rain_mm: given(&self.rain).map(|text| number(text, "mm")).transpose()?,
            from: given(&self.from).map(date).transpose()?,
            to: given(&self.to).map(date).transpose()?,
        })
    }
}

pub async fn page(
    State(app): State<App>,
    Path((item_id, location_id)): Path<(String, String)>,
    Query(question): Query<Question>,
) -> Result<Response, Failure> {
    let choice =
        RunChoice { run_id: given(&question.run).map(str::to_owned), ..RunChoice::default() };
    let ids = (item_id.clone(), location_id.clone());
    let found = reading(&app, async move |_, mut db| {
        let Some(run) = runs::find(&mut db, &choice).await? else { return Ok(None) };
        let sku = sku::load(&mut db, &run, &ids.0, &ids.1).await?;
        Ok(sku.map(|sku| (run, sku.item)))
    })
    .await?;
    let Some((run, item)) = found else {
        return missing(&app, "This plan knows no such item at this location.");
    };
    let answered = match question.change(&item.currency) {
        Err(message) => Err(message),
        Ok(change) if change.is_nothing() => Err("Fill in at least one of the fields.".to_owned()),
        Ok(change) => ask(&app, &run, (&item_id, &location_id), change).await?,
    };
    let (status, answer, refusal) = match answered {
        Ok(answer) => (StatusCode::OK, Some(answer), String::new()),
        Err(message) => (StatusCode::BAD_REQUEST, None, message),
    };
    let drawn = answer.as_ref().map(drawing).unwrap_or_default();
    let told = answer.as_ref().map(|answer| Told {
        before: orders(&answer.orders.before),
        after: orders(&answer.orders.after),
    });
    let values = page_values! {
        active => "plan",
        item => item,
        item_id => item_id,
        location_id => location_id,
        question => question,
        refusal => refusal,
        answer => answer,
        orders => told,
        drawn => drawn,
        run => run,
    };
    Ok((status, app.render("what_if.html", values)?).into_response())
}

#[derive(Serialize)]
struct Told {
    before: String,
    after: String,
}

/// One question at a time: an answer takes as long as two nights' forecasts, on all cores.
async fn ask(
    app: &App,
    run: &Run,
    (item_id, location_id): (&str, &str),
    change: Change,
) -> Result<Result<WhatIf, String>, Failure> {
    let Some(job) = app.jobs.get(&run.job).cloned() else {
        return Ok(Err(format!("The job {} is not among this server's jobs.", run.job)));
    };
    let Ok(turn) = app.questions.clone().try_acquire_owned() else {
        return Ok(Err("Another question is being answered. Ask again in a moment.".to_owned()));
    };
    let (store, run) = (app.store.clone(), run.clone());
    let (item_id, location_id) = (item_id.to_owned(), location_id.to_owned());
    let here = tokio::runtime::Handle::current();
    let answer = tokio::task::spawn_blocking(move || {
        let asked = Asked { item_id: &item_id, location_id: &location_id, change };
        let answer = here.block_on(what_if(&store, &job, &run, asked, 0));
        drop(turn);
        answer
    })
    .await?;
    match answer {
        Ok(answer) => Ok(Ok(answer)),
        Err(error) if error.is::<Refused>() => Ok(Err(format!("{error:#}"))),
        Err(error) => Err(error.into()),
    }
}

/// The bands of 90% before and after, and both means.
fn drawing(answer: &WhatIf) -> Drawn {
    let Some(first) = answer.days.first().map(|day| day.date) else { return Drawn::default() };
    let base = |units: f64| in_base_units(units, answer.qty_decimals);
    let column = |of: &dyn Fn(&DayDemand) -> f64, after: bool| -> Vec<f64> {
        let days = answer.days.iter();
        days.map(|day| base(of(if after { &day.after } else { &day.before }))).collect()
    };
    let band = |after: bool, class: &'static str| Layer::Band {
        from: 0,
        low: column(&|day| day.quantiles[1], after),
        high: column(&|day| day.quantiles[7], after),
        class,
    };
    let line = |after: bool, class: &'static str| Layer::Line {
        from: 0,
        values: column(&|day| day.mean, after),
        class,
    };
    let cell = |units: f64| real_quantity(units, answer.qty_decimals);
    let rows: Vec<Vec<String>> = answer
        .days
        .iter()
        .map(|day| {
            let ends = |of: &DayDemand| [of.mean, of.quantiles[1], of.quantiles[7]].map(cell);
            let mut row = vec![day.date.to_string()];
            row.extend(ends(&day.before));
            row.extend(ends(&day.after));
            row
        })
        .collect();
    let note = |row: &Vec<String>| format!("{}: mean {}, then {}", row[0], row[1], row[4]);
    let svg = Chart {
        id: "what-if",
        title: format!("Demand per day before and after, {}", answer.base_uom),
        description: format!(
            "{} days: the mean and the middle 90% as published, and as they would be. The numbers \
             are in the table below.",
            answer.days.len()
        ),
        first,
        days: answer.days.len(),
        layers: vec![
            band(false, "stock80"),
            band(true, "band90"),
            line(false, "stock50"),
            line(true, "median"),
        ],
        notes: rows.iter().map(note).collect(),
    }
    .svg();
    let headers = vec!["date", "mean", "5%", "95%", "then mean", "5%", "95%"];
    Drawn { svg, headers, rows }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_as_people_fill_it_in() {
        let form = |promo: &str, from: &str, temperature: &str| Question {
            promo: promo.into(),
            from: from.into(),
            temperature: temperature.into(),
            ..Question::default()
        };
        let change = form(" 30% ", "2025-11-09", "−5").change("CNY").expect("legal");
        assert_eq!(change.promo_depth.map(|depth| (100.0 * depth).round()), Some(30.0));
        assert_eq!(change.temperature_step_c, Some(-5.0));
        assert_eq!(change.from, "2025-11-09".parse().ok());
        assert!(form("", "", "").change("CNY").expect("legal").is_nothing());
        for odd in [form("much", "", ""), form("", "soon", ""), form("", "", "warm")] {
            assert!(odd.change("CNY").is_err(), "{odd:?}");
        }
        let both = Question { price: "3".into(), price_change: "5%".into(), ..form("", "", "") };
        assert!(both.change("CNY").is_err());
    }
}
