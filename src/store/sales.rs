//! Sales history, one packed row per series.

use anyhow::{Context, anyhow};
use granary_models::calendar::Day;

use super::db::{self, Db};

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SalesDay {
    pub date: Day,
    pub qty: i64,
    pub price_minor: Option<i64>,
    pub promo_depth: f32,
    pub available: f32,
    /// Of earlier days' sales, brought back on this one.
    pub returned_qty: u32,
}

/// The days that have a row, in order; the others are for the reader to judge.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesSales {
    pub item_id: String,
    pub location_id: String,
    pub days: Vec<SalesDay>,
}

/// Sales from `from` up to and without `to`, by item and location.
///
/// The days of a series come packed in one text, because a row that crosses from SQLite to the
/// async side costs a few microseconds, and there are millions of days but only thousands of series.
pub async fn sales(db: &mut Db, from: Day, to: Day) -> anyhow::Result<Vec<SeriesSales>> {
    let sql = "SELECT item_id, location_id, string_agg(date || ' ' || qty || ' ' || \
               coalesce(CAST(price_minor AS TEXT), '') || ' ' || \
               CASE promo_depth WHEN 0 THEN '' \
               ELSE CAST(CAST(round(promo_depth * 1000) AS BIGINT) AS TEXT) END \
               || ' ' || CASE available_fraction WHEN 1 THEN '' \
               ELSE CAST(CAST(round(available_fraction * 1000) AS BIGINT) AS TEXT) END \
               || CASE returned_qty WHEN 0 THEN '' ELSE ' ' || returned_qty END, ';') AS days \
               FROM sales WHERE date >= $1 AND date < $2 \
               GROUP BY item_id, location_id ORDER BY item_id, location_id";
    let mut all = Vec::new();
    db::query(sql)
        .bind(from)
        .bind(to)
        .each(db, |row| {
            let item_id: String = row.try_get("item_id")?;
            let location_id: String = row.try_get("location_id")?;
            let days = unpack(row.text("days")?)
                .with_context(|| format!("sales of item {item_id} at location {location_id}"))?;
            all.push(SeriesSales { item_id, location_id, days });
            Ok::<(), anyhow::Error>(())
        })
        .await
        .context("reading sales")?;
    Ok(all)
}

/// The newest day with a sales row.
pub async fn last_day(db: &mut Db) -> anyhow::Result<Option<Day>> {
    let text: Option<String> =
        db::query_scalar("SELECT max(date) FROM sales").fetch_one(db).await?;
    text.map(|text| text.parse().context("column date of sales")).transpose()
}

fn unpack(packed: &str) -> anyhow::Result<Vec<SalesDay>> {
    let mut days = Vec::with_capacity(packed.len() / 14);
    for entry in packed.split(';') {
        days.push(unpack_day(entry).ok_or_else(|| anyhow!("cannot read the day {entry:?}"))?);
    }
    // Rows come in key order in practice; SQL promises no order inside an aggregate.
    if !days.is_sorted_by_key(|day: &SalesDay| day.date) {
        days.sort_by_key(|day| day.date);
    }
    Ok(days)
}

fn unpack_day(entry: &str) -> Option<SalesDay> {
    let mut fields = entry.split(' ');
    let date = fields.next()?.parse().ok()?;
    let qty = fields.next()?.parse().ok()?;
    let price = fields.next()?;
    let price_minor = if price.is_empty() { None } else { Some(price.parse().ok()?) };
    let mut per_mille = |absent: f32| match fields.next()? {
        "" => Some(absent),
        text => text.parse::<u16>().ok().map(|value| f32::from(value) / 1000.0),
    };
    let promo_depth = per_mille(0.0)?;
    let available = per_mille(1.0)?;
    let returned_qty = fields.next().map_or(Some(0), |text| text.parse().ok())?;
    Some(SalesDay { date, qty, price_minor, promo_depth, available, returned_qty })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_days_are_unpacked_and_sorted() {
        let days = unpack("2024-03-29 0   500 3;2024-03-28 1500 880 120 ").expect("both are whole");
        let first = SalesDay {
            date: Day(19810),
            qty: 1500,
            price_minor: Some(880),
            promo_depth: 0.12,
            available: 1.0,
            returned_qty: 0,
        };
        let second = SalesDay {
            date: Day(19811),
            qty: 0,
            price_minor: None,
            promo_depth: 0.0,
            available: 0.5,
            returned_qty: 3,
        };
        assert_eq!(days, [first, second]);
        for broken in ["", "2024-03-28", "2024-03-28 x  ", "2024-13-28 1   ", "2024-03-28 1  "] {
            assert!(unpack(broken).is_err(), "{broken:?}");
        }
    }
}
