//! What gates compare a night with: the run before, the terms that plans were made on, stock counts
//! before the newest ones, and what was released and not seen since.

use std::collections::{BTreeMap, HashMap};

use anyhow::Context;
use granary_models::calendar::Day;
use granary_models::plan::gates::{OrderTerms, PreviousRun};
use granary_models::plan::hysteresis::key_without_date;

use super::db::{self, Db};
use super::publish::previous_value_minor;

/// Item, location, supplier and source location of a row of terms.
pub type TermsKey = [String; 4];

/// The terms of one key in the plans before.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownTerms {
    /// What a change is measured from; `None` where every row so far is held.
    pub accepted: Option<OrderTerms>,
    /// The last row, and whether it is held and nobody has approved a line of it.
    pub newest: OrderTerms,
    pub newest_held: bool,
}

/// A count that found nothing where the one before found something.
#[derive(Clone, Debug, PartialEq)]
pub struct EmptiedStock {
    pub item_id: String,
    pub location_id: String,
    pub counted_on: Day,
    pub before_on: Day,
    pub before: i64,
    /// Whether the count before had lots, and what of them had expired by the newest.
    pub has_lots: bool,
    pub expired: i64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ReleasedLine {
    pub business_date: Day,
    pub item_id: String,
    pub location_id: String,
    pub supplier_id: String,
    pub source_location_id: String,
    pub qty: i64,
}

/// The last published run of a job before a date.
pub async fn previous_run(
    db: &mut Db,
    job: &str,
    business_date: Day,
) -> anyhow::Result<Option<PreviousRunRow>> {
    let found: Option<(String, String)> = db::query_as(
        "SELECT run_id, business_date FROM run \
         WHERE job = $1 AND business_date < $2 AND state = 'published' \
         ORDER BY business_date DESC LIMIT 1",
    )
    .bind(job)
    .bind(business_date.to_string())
    .fetch_optional(db)
    .await
    .context("reading the run before")?;
    let Some((run_id, date)) = found else { return Ok(None) };
    let lines: Vec<(String, i64)> =
        db::query_as("SELECT line_key, qty FROM reorder_line WHERE run_id = $1")
            .bind(&run_id)
            .fetch_all(db)
            .await
            .context("reading the lines of the run before")?;
    let facts: Vec<(String, String, i64)> =
        db::query_as("SELECT kind, name, value FROM run_fact WHERE run_id = $1")
            .bind(&run_id)
            .fetch_all(db)
            .await
            .context("reading the figures of the run before")?;
    let lines = lines.into_iter().map(|(key, qty)| (key_without_date(&key).to_owned(), qty));
    let business_date = date.parse().context("column business_date of run")?;
    let mut run = PreviousRun { run_id, lines: lines.collect(), ..PreviousRun::default() };
    if facts.is_empty() {
        // A run of before these figures were kept still counted what it bought.
        run.week_values_minor.extend(previous_value_minor(db, job, business_date + 1).await?);
        run.week_lines.push(run.lines.len() as u64);
    } else {
        fill(&mut run, facts)?;
        (run.week_values_minor, run.week_lines) = week(db, job, business_date).await?;
        (run.released_values_minor, run.released_lines) =
            released_of_week(db, job, business_date).await?;
    }
    Ok(Some(PreviousRunRow { business_date, run }))
}

/// What the published runs of the week that ends with `last` bought, and how many lines they
/// had, where they stored it.
async fn week(
    db: &mut Db,
    job: &str,
    last: Day,
) -> anyhow::Result<(Vec<BTreeMap<String, i64>>, Vec<u64>)> {
    let rows: Vec<(String, String, String, i64)> = db::query_as(
        "SELECT r.run_id, f.kind, f.name, f.value FROM run r \
         JOIN run_fact f ON f.run_id = r.run_id WHERE r.job = $1 AND r.state = 'published' \
           AND r.business_date > $2 AND r.business_date <= $3 \
           AND f.kind IN ('value', 'count') ORDER BY r.run_id, f.kind, f.name",
    )
    .bind(job)
    .bind((last - 7).to_string())
    .bind(last.to_string())
    .fetch_all(db)
    .await
    .context("reading the figures of the week before")?;
    let (mut values, mut lines) = (Vec::new(), Vec::new());
    for run in rows.chunk_by(|a, b| a.0 == b.0) {
        let of_kind = |kind: &'static str| run.iter().filter(move |row| row.1 == kind);
        values.push(of_kind("value").map(|row| (row.2.clone(), row.3)).collect());
        let count = of_kind("count").find(|row| row.2 == "lines");
        lines.extend(count.and_then(|row| u64::try_from(row.3).ok()));
    }
    Ok((values, lines))
}

/// What of these runs was released and is on its way, by currency, and how many lines.
async fn released_of_week(
    db: &mut Db,
    job: &str,
    last: Day,
) -> anyhow::Result<(BTreeMap<String, i64>, u64)> {
    let rows: Vec<(String, i64, i64)> = db::query_as(
        "SELECT currency, CAST(sum(value_minor) AS BIGINT), count(*) FROM released_line \
         WHERE job = $1 AND business_date > $2 AND business_date <= $3 \
           AND state IN ('released', 'confirmed') GROUP BY currency ORDER BY currency",
    )
    .bind(job)
    .bind(last - 7)
    .bind(last)
    .fetch_all(db)
    .await
    .context("reading what was released in the week before")?;
    let lines = rows.iter().map(|row| row.2.unsigned_abs()).sum();
    Ok((rows.into_iter().map(|row| (row.0, row.1)).collect(), lines))
}

/// What the published plans of other jobs for the date buy, by currency.
pub async fn other_jobs_value_minor(
    db: &mut Db,
    job: &str,
    business_date: Day,
) -> anyhow::Result<BTreeMap<String, i64>> {
    let rows: Vec<(String, i64)> = db::query_as(
        "SELECT f.name, f.value FROM run r JOIN run_fact f ON f.run_id = r.run_id \
         WHERE r.job <> $1 AND r.business_date = $2 AND r.state = 'published' \
           AND f.kind = 'value' ORDER BY r.job, f.name",
    )
    .bind(job)
    .bind(business_date.to_string())
    .fetch_all(db)
    .await
    .context("reading what other jobs buy")?;
    let mut values: BTreeMap<String, i64> = BTreeMap::new();
    for (currency, value) in rows {
        let sum = values.entry(currency).or_default();
        *sum = sum.saturating_add(value);
    }
    Ok(values)
}

/// The terms of published plans before the date.
pub async fn known_terms(
    db: &mut Db,
    job: &str,
    business_date: Day,
) -> anyhow::Result<HashMap<TermsKey, KnownTerms>> {
    let approved = approved_terms(db, job, business_date).await?;
    let rows = db::query(
        "SELECT item_id, location_id, supplier_id, source_location_id, business_date, \
         multiple, moq, unit_cost_minor, per_base, base_uom, pack_uom, held \
         FROM planned_terms WHERE job = $1 AND business_date < $2 \
         ORDER BY item_id, location_id, supplier_id, source_location_id, business_date",
    )
    .bind(job)
    .bind(business_date.to_string())
    .rows(db)
    .await
    .context("reading the terms of the plans before")?;
    let mut read = Vec::with_capacity(rows.len());
    for row in &rows {
        let key = [row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?];
        let terms = OrderTerms {
            multiple: row.try_get("multiple")?,
            moq: row.try_get("moq")?,
            unit_cost_minor: row.try_get("unit_cost_minor")?,
            per_base: row.try_get("per_base")?,
            base_uom: row.try_get("base_uom")?,
            pack_uom: row.try_get("pack_uom")?,
        };
        let date: String = row.try_get("business_date")?;
        read.push(TermsRow { key, terms, date, held: row.try_get::<i64>("held")? != 0 });
    }
    let by_key = read.chunk_by(|a, b| a.key == b.key);
    Ok(by_key.map(|rows| (rows[0].key.clone(), known(rows, &approved))).collect())
}

/// Business dates of approved lines, by the terms that they are ordered on, where some terms
/// are held.
async fn approved_terms(
    db: &mut Db,
    job: &str,
    business_date: Day,
) -> anyhow::Result<HashMap<TermsKey, Vec<String>>> {
    let rows: Vec<(String, String, String, String, String)> = db::query_as(
        "SELECT l.item_id, l.location_id, l.supplier_id, l.source_location_id, \
         r.business_date FROM run r JOIN reorder_line l ON l.run_id = r.run_id \
         WHERE r.job = $1 AND r.business_date < $2 AND r.state = 'published' \
           AND l.state IN ('approved', 'released', 'confirmed', 'closed') \
           AND EXISTS (SELECT 1 FROM planned_terms t WHERE t.job = r.job AND t.held = 1 \
             AND t.item_id = l.item_id AND t.location_id = l.location_id \
             AND t.supplier_id = l.supplier_id \
             AND t.source_location_id = l.source_location_id)",
    )
    .bind(job)
    .bind(business_date.to_string())
    .fetch_all(db)
    .await
    .context("reading which changed terms were approved")?;
    let mut dates: HashMap<TermsKey, Vec<String>> = HashMap::new();
    for (item, location, supplier, source, date) in rows {
        dates.entry([item, location, supplier, source]).or_default().push(date);
    }
    Ok(dates)
}

/// Places whose newest count before the date found nothing and whose count before that, not
/// older than `from`, did.
pub async fn emptied_stock(
    db: &mut Db,
    from: Day,
    business_date: Day,
) -> anyhow::Result<Vec<EmptiedStock>> {
    let rows: Vec<(String, String, String, String, i64, i64, i64)> = db::query_as(
        "SELECT b.item_id, b.location_id, n.date, b.date, b.on_hand, \
         (SELECT count(*) FROM stock_lot l WHERE l.item_id = b.item_id \
            AND l.location_id = b.location_id AND l.date = b.date), \
         (SELECT CAST(coalesce(sum(l.qty), 0) AS BIGINT) FROM stock_lot l \
            WHERE l.item_id = b.item_id AND l.location_id = b.location_id \
            AND l.date = b.date AND l.expires_on <= n.date) \
         FROM (SELECT item_id, location_id, max(date) AS date FROM stock WHERE date < $1 \
               GROUP BY item_id, location_id) n \
         JOIN stock z ON z.item_id = n.item_id AND z.location_id = n.location_id \
           AND z.date = n.date AND z.on_hand = 0 \
         JOIN stock b ON b.item_id = n.item_id AND b.location_id = n.location_id \
           AND b.date = (SELECT max(p.date) FROM stock p WHERE p.item_id = n.item_id \
                         AND p.location_id = n.location_id AND p.date < n.date) \
         WHERE b.on_hand > 0 AND b.date >= $2 ORDER BY b.item_id, b.location_id",
    )
    .bind(business_date.to_string())
    .bind(from.to_string())
    .fetch_all(db)
    .await
    .context("reading the stock counts before the newest")?;
    let read = |(item_id, location_id, counted_on, before_on, before, lots, expired): (
        String,
        String,
        String,
        String,
        i64,
        i64,
        i64,
    )| {
        Ok(EmptiedStock {
            item_id,
            location_id,
            counted_on: counted_on.parse().context("column date of stock")?,
            before_on: before_on.parse().context("column date of stock")?,
            before,
            has_lots: lots > 0,
            expired,
        })
    };
    rows.into_iter().map(read).collect()
}

/// Lines of any job that were released on a business date from `from` up to this one, but not by a
/// release of ours: those count as on order themselves.
pub async fn released_lines(
    db: &mut Db,
    from: Day,
    business_date: Day,
) -> anyhow::Result<Vec<ReleasedLine>> {
    let rows: Vec<(String, String, String, String, String, i64)> = db::query_as(
        "SELECT r.business_date, l.item_id, l.location_id, l.supplier_id, \
         l.source_location_id, l.qty FROM run r JOIN reorder_line l ON l.run_id = r.run_id \
         WHERE r.state = 'published' AND r.business_date >= $1 AND r.business_date < $2 \
           AND l.state IN ('released', 'confirmed') AND NOT EXISTS \
             (SELECT 1 FROM released_line x WHERE x.line_key = l.line_key) \
         ORDER BY r.business_date, l.line_key",
    )
    .bind(from.to_string())
    .bind(business_date.to_string())
    .fetch_all(db)
    .await
    .context("reading released lines")?;
    rows.into_iter()
        .map(|(date, item_id, location_id, supplier_id, source_location_id, qty)| {
            let business_date = date.parse().context("column business_date of run")?;
            Ok(ReleasedLine {
                business_date,
                item_id,
                location_id,
                supplier_id,
                source_location_id,
                qty,
            })
        })
        .collect()
}

/// Imports whose books do not add up, one sentence each.
pub async fn unbalanced_imports(db: &mut Db) -> anyhow::Result<Vec<String>> {
    let rows: Vec<(i64, String, i64, i64, i64, i64)> = db::query_as(
        "SELECT batch_id, kind, rows_read, rows_loaded, rows_duplicate, rows_rejected \
         FROM import_batch \
         WHERE rows_read <> rows_loaded + rows_duplicate + rows_rejected ORDER BY batch_id",
    )
    .fetch_all(db)
    .await
    .context("reading the books of imports")?;
    let told = |(batch, kind, read, loaded, duplicate, rejected)| {
        format!(
            "import {batch} of {kind} read {read} rows, loaded {loaded}, met {duplicate} \
             duplicates and rejected {rejected}"
        )
    };
    Ok(rows.into_iter().map(told).collect())
}

/// The last published run, and its date.
#[derive(Clone, Debug)]
pub struct PreviousRunRow {
    pub business_date: Day,
    pub run: PreviousRun,
}

struct TermsRow {
    key: TermsKey,
    terms: OrderTerms,
    date: String,
    held: bool,
}

/// `rows` are of one key, by date.
fn known(rows: &[TermsRow], approved: &HashMap<TermsKey, Vec<String>>) -> KnownTerms {
    let newest = &rows[rows.len() - 1];
    let mut known =
        KnownTerms { accepted: None, newest: newest.terms.clone(), newest_held: newest.held };
    let dates = approved.get(&newest.key).map_or(&[][..], Vec::as_slice);
    for (at, row) in rows.iter().enumerate() {
        let until = rows.get(at + 1).map(|next| &next.date);
        let in_force = |date: &String| *date >= row.date && until.is_none_or(|end| date < end);
        if !row.held || dates.iter().any(in_force) {
            known.accepted = Some(row.terms.clone());
            known.newest_held &= at + 1 != rows.len();
        }
    }
    known
}

fn fill(run: &mut PreviousRun, facts: Vec<(String, String, i64)>) -> anyhow::Result<()> {
    let whole = |name: &str, value: i64| {
        u64::try_from(value).with_context(|| format!("run_fact {name} is {value}"))
    };
    let (mut inputs, mut defaults) = (BTreeMap::new(), BTreeMap::new());
    for (kind, name, value) in facts {
        match (kind.as_str(), name.as_str()) {
            ("input", _) => {
                inputs.insert(name.clone(), whole(&name, value)?);
            }
            ("default", _) => {
                defaults.insert(name.clone(), whole(&name, value)?);
            }
            (_, "places") => run.places = Some(whole(&name, value)?),
            (_, "stock_rows") => run.stock_rows = Some(whole(&name, value)?),
            (_, "empty_stock_rows") => run.empty_stock_rows = Some(whole(&name, value)?),
            (_, "open_orders") => run.open_orders = Some(whole(&name, value)?),
            _ => {}
        }
    }
    (run.inputs, run.defaults) = (Some(inputs), Some(defaults));
    Ok(())
}
