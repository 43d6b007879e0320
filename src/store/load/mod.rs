//! Writing a load: one transaction in which the books balance, or nothing.

mod rows;

use std::collections::{BTreeMap, HashMap};

use anyhow::Context;
use sqlx::AssertSqlSafe;

use crate::config::{
    Books, Dimension, Load, OnUnknown, Problem, RejectCode, Rejection, Symbols, TableLoad, Value,
    faults,
};

use self::rows::Writer;
use super::Store;
use super::db::{self, Db};

#[derive(Clone, Copy, Debug)]
pub struct LoadOptions {
    /// Largest share of rejected rows per table, 0..=1.
    pub reject_limit: f64,
    pub dry_run: bool,
}

/// What a load came to, whether or not it was kept.
#[derive(Debug)]
pub struct Loaded {
    /// By table (as in the load) and file.
    pub books: Vec<Vec<Books>>,
    /// By table.
    pub rejections: Vec<Vec<Rejection>>,
    /// Items, locations and suppliers that were only known from other tables' rows.
    pub created: [u64; 3],
    /// Why nothing was kept.
    pub refused: Option<String>,
}

/// What a row is to the table it goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    New,
    Replaces,
    Same,
    Rejected,
}

impl Store {
    /// Decimals of every item's quantities.
    pub async fn item_decimals(&self) -> anyhow::Result<HashMap<String, u32>> {
        let mut decimals = HashMap::new();
        db::query("SELECT item_id, qty_decimals FROM item")
            .each(&mut self.snapshot().await?, |row| {
                decimals.insert(row.try_get(0)?, row.try_get(1)?);
                Ok::<(), anyhow::Error>(())
            })
            .await
            .context("cannot read the items")?;
        Ok(decimals)
    }

    /// Writes a load in one transaction. Nothing is kept on a dry run, when a table's rejected
    /// share is over the limit, or when books do not balance.
    pub async fn load(
        &self,
        load: Load,
        options: LoadOptions,
        imported_at: &str,
    ) -> anyhow::Result<Loaded> {
        let mut transaction =
            self.write().await.context("cannot start the import's transaction")?;
        faults::point("import.before_rows")?;
        let mut loaded =
            Loaded { books: Vec::new(), rejections: Vec::new(), created: [0; 3], refused: None };
        let Load { symbols, files, tables, defaults, map_digest, note } = load;
        let defaults_by_key: BTreeMap<&str, &str> =
            defaults.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let mut names = Vec::new();
        for mut table in tables {
            names.push(table.batch.table.name);
            let written =
                write_table(&mut transaction, &mut table, &symbols, &defaults_by_key, &mut loaded)
                    .await
                    .with_context(|| format!("cannot write `{}`", table.batch.table.name));
            written?;
            loaded.books.push(table.books);
            loaded.rejections.push(table.rejections);
        }
        faults::point("import.after_rows")?;
        loaded.refused = verdict(&names, &loaded, options.reject_limit);
        if loaded.refused.is_some() || options.dry_run {
            transaction.rollback().await.context("cannot roll the import back")?;
            return Ok(loaded);
        }
        for (at, name) in names.iter().enumerate() {
            for (file, read) in files.iter().enumerate() {
                let books = &loaded.books[at][file];
                let batch_id = db::query_scalar::<i64>(
                    "INSERT INTO import_batch (imported_at, kind, file, file_digest, map_digest, \
                     rows_read, rows_loaded, rows_duplicate, rows_rejected, rows_replaced, \
                     rows_written) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
                     RETURNING batch_id",
                )
                .bind(imported_at)
                .bind(*name)
                .bind(&read.name)
                .bind(&read.digest)
                .bind(&map_digest)
                .bind(books.read as i64)
                .bind(books.loaded as i64)
                .bind(books.duplicate as i64)
                .bind(books.rejected as i64)
                .bind(books.replaced as i64)
                .bind(books.written as i64)
                .fetch_one(&mut transaction)
                .await
                .context("cannot write the books")?;
                let rejections = loaded.rejections[at].iter().filter(|r| r.file == file as u32);
                write_rejections(&mut transaction, batch_id, &read.name, rejections).await?;
            }
        }
        for (key, value) in &defaults {
            db::query(
                "INSERT INTO import_default (key, value) VALUES ($1, $2) \
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            )
            .bind(key)
            .bind(value)
            .execute(&mut transaction)
            .await
            .context("cannot write the map's defaults")?;
        }
        if let Some(note) = &note {
            super::pulls::write_note(&mut transaction, note, imported_at).await?;
        }
        faults::point("import.before_commit")?;
        transaction.commit().await.context("cannot commit the import")?;
        faults::point("import.after_commit")?;
        Ok(loaded)
    }
}

/// Why a load may not stand, if it may not.
fn verdict(names: &[&str], loaded: &Loaded, reject_limit: f64) -> Option<String> {
    for (name, books) in names.iter().zip(&loaded.books) {
        let mut total = Books::default();
        for books in books {
            if !books.balance() {
                return Some(format!("the books of `{name}` do not balance: {books:?}"));
            }
            total.read += books.read;
            total.rejected += books.rejected;
        }
        if total.rejected as f64 > reject_limit * total.read as f64 {
            return Some(format!(
                "{} of {} rows for `{name}` were rejected, {:.2}%, over the limit of {:.2}%",
                total.rejected,
                total.read,
                100.0 * total.rejected as f64 / total.read as f64,
                100.0 * reject_limit
            ));
        }
    }
    None
}

async fn write_rejections(
    db: &mut Db,
    batch_id: i64,
    file: &str,
    rejections: impl Iterator<Item = &Rejection>,
) -> anyhow::Result<()> {
    for rejection in rejections {
        db::query(
            "INSERT INTO import_rejection (batch_id, file, row_no, column_name, value, code, \
             reason) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(batch_id)
        .bind(file)
        .bind(rejection.row)
        .bind(&rejection.column)
        .bind(&rejection.problem.value)
        .bind(rejection.problem.code.as_str())
        .bind(&rejection.problem.reason)
        .execute(db)
        .await
        .context("cannot write the rejections")?;
    }
    Ok(())
}

async fn write_table(
    db: &mut Db,
    table: &mut TableLoad,
    symbols: &Symbols,
    defaults: &BTreeMap<&str, &str>,
    loaded: &mut Loaded,
) -> anyhow::Result<()> {
    let mut fates = vec![Fate::New; table.batch.len()];
    check_references(db, table, symbols, defaults, &mut fates, loaded).await?;
    check_decimals(db, table, symbols, &mut fates).await?;
    let name = table.batch.table.name;
    let exists = format!("SELECT EXISTS (SELECT 1 FROM {name})");
    let old = db::query_scalar::<bool>(AssertSqlSafe(exists)).fetch_one(db).await?;
    let mut writer = Writer::new(table, symbols);
    if old {
        let rows: Vec<u32> =
            (0..fates.len() as u32).filter(|&row| fates[row as usize] == Fate::New).collect();
        writer.compare(db, &rows, &mut fates).await?;
    }
    let rows: Vec<u32> = (0..fates.len() as u32)
        .filter(|&row| matches!(fates[row as usize], Fate::New | Fate::Replaces))
        .collect();
    writer.write(db, &rows, old).await?;
    for (row, fate) in fates.iter().enumerate() {
        let (batch, books) = (&table.batch, &mut table.books);
        batch.tally(row, |file, lines| {
            let books = &mut books[file as usize];
            match fate {
                Fate::New => books.loaded += lines,
                Fate::Replaces => {
                    books.loaded += lines;
                    books.replaced += lines;
                }
                Fate::Same => books.duplicate += lines,
                Fate::Rejected => books.rejected += lines,
            }
        });
        if matches!(fate, Fate::New | Fate::Replaces) {
            table.books[table.batch.origins[row].file as usize].written += 1;
        }
    }
    Ok(())
}

/// Rejects or creates what rows refer to and no table has.
async fn check_references(
    db: &mut Db,
    table: &mut TableLoad,
    symbols: &Symbols,
    defaults: &BTreeMap<&str, &str>,
    fates: &mut [Fate],
    loaded: &mut Loaded,
) -> anyhow::Result<()> {
    for (place, dimension) in Dimension::ALL.into_iter().enumerate() {
        let columns: Vec<usize> = (0..table.batch.fields.len())
            .filter(|&at| {
                table.batch.table.columns[table.batch.fields[at]].refers == Some(dimension)
            })
            .collect();
        if columns.is_empty() {
            continue;
        }
        let mut known = known_keys(db, dimension, symbols).await?;
        let mut unknown = Vec::new();
        for (row, fate) in fates.iter_mut().enumerate() {
            for &at in &columns {
                let Value::Symbol(symbol) = table.batch.columns[at].get(row) else { continue };
                if known[symbol as usize] || *fate == Fate::Rejected {
                    continue;
                }
                if table.unknown.0[place] == OnUnknown::Create {
                    known[symbol as usize] = true;
                    unknown.push(symbol);
                    continue;
                }
                *fate = Fate::Rejected;
                let text = symbols.text(symbol);
                let reason = format!("the table `{}` has no such key", dimension.table());
                table.rejections.push(Rejection {
                    file: table.batch.origins[row].file,
                    row: table.batch.origins[row].row,
                    column: table.batch.table.columns[table.batch.fields[at]].name.to_owned(),
                    problem: Problem::new(unknown_code(dimension), text, reason),
                });
            }
        }
        loaded.created[place] += unknown.len() as u64;
        create(db, dimension, &unknown, symbols, defaults).await?;
    }
    Ok(())
}

fn unknown_code(dimension: Dimension) -> RejectCode {
    match dimension {
        Dimension::Item => RejectCode::UnknownItem,
        Dimension::Location => RejectCode::UnknownLocation,
        Dimension::Supplier => RejectCode::UnknownSupplier,
    }
}

/// By symbol: whether the dimension has it. The empty text refers to nothing and is always known.
async fn known_keys(
    db: &mut Db,
    dimension: Dimension,
    symbols: &Symbols,
) -> anyhow::Result<Vec<bool>> {
    let mut known = vec![false; symbols.len()];
    if let Some(empty) = symbols.find("") {
        known[empty as usize] = true;
    }
    let sql = format!("SELECT {0}_id FROM {0}", dimension.table());
    db::query(AssertSqlSafe(sql))
        .each(db, |row| {
            if let Some(symbol) = symbols.find(row.text(0)?) {
                known[symbol as usize] = true;
            }
            Ok::<(), sqlx::Error>(())
        })
        .await?;
    Ok(known)
}

/// Rows that hold a key and, for an item, the map's unit and decimals.
async fn create(
    db: &mut Db,
    dimension: Dimension,
    keys: &[u32],
    symbols: &Symbols,
    defaults: &BTreeMap<&str, &str>,
) -> anyhow::Result<()> {
    for &key in keys {
        let query = match dimension {
            Dimension::Item => {
                let decimals: i64 =
                    defaults.get("qty_decimals").and_then(|text| text.parse().ok()).unwrap_or(0);
                db::query("INSERT INTO item (item_id, base_uom, qty_decimals) VALUES ($1, $2, $3)")
                    .bind(symbols.text(key))
                    .bind(defaults.get("base_uom").copied().unwrap_or("each"))
                    .bind(decimals)
            }
            Dimension::Location => {
                db::query("INSERT INTO location (location_id) VALUES ($1)").bind(symbols.text(key))
            }
            Dimension::Supplier => {
                db::query("INSERT INTO supplier (supplier_id) VALUES ($1)").bind(symbols.text(key))
            }
        };
        query.execute(db).await?;
    }
    Ok(())
}

/// An item's decimals are the unit of its stored quantities; they may not change under them.
async fn check_decimals(
    db: &mut Db,
    table: &mut TableLoad,
    symbols: &Symbols,
    fates: &mut [Fate],
) -> anyhow::Result<()> {
    let Some(at) = table.batch.position("qty_decimals") else { return Ok(()) };
    let old: HashMap<String, i64> = db::query_as::<(String, i64)>(
        "SELECT item_id, qty_decimals FROM item WHERE EXISTS \
         (SELECT 1 FROM sales WHERE sales.item_id = item.item_id) OR EXISTS \
         (SELECT 1 FROM stock WHERE stock.item_id = item.item_id) OR EXISTS \
         (SELECT 1 FROM supply_terms WHERE supply_terms.item_id = item.item_id)",
    )
    .fetch_all(db)
    .await?
    .into_iter()
    .collect();
    for (row, fate) in fates.iter_mut().enumerate() {
        let (Value::Symbol(item), Value::Int(new)) =
            (table.batch.columns[0].get(row), table.batch.columns[at].get(row))
        else {
            continue;
        };
        if let Some(&old) = old.get(symbols.text(item))
            && old != new
        {
            *fate = Fate::Rejected;
            let origin = table.batch.origins[row];
            table.rejections.push(Rejection {
                file: origin.file,
                row: origin.row,
                column: "qty_decimals".to_owned(),
                problem: Problem::new(
                    RejectCode::DecimalsChanged,
                    &new.to_string(),
                    format!("item {} has quantities stored with {old}", symbols.text(item)),
                ),
            });
        }
    }
    Ok(())
}
