//! Runs the items in parallel and writes their rows in order.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as IoWrite};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rayon::prelude::*;

use super::DemoManifest;
use super::behaviour::{self, Shelves};
use super::catalogue::{Item, Role};
use super::demand::{Commerce, true_demand};
use super::inventory::{self, ItemHistory};
use super::places::{DC_NORTH, DC_SOUTH, LOCATIONS, LocationKind};
use super::tables::{self, HEADERS, row};
use super::truth::Effects;
use super::world::World;

/// Items whose rows are in memory at a time.
const BLOCK: usize = 64;

/// Room above the fullest evening that a distribution centre has.
const CAPACITY_MARGIN: f64 = 1.2;

const SERIES_HEADER: &str = "item_id,location_id,role,first_date,series_days,censored_days,\
                             sold_available,mean_available,variance_available";
const LEDGER_HEADER: &str = "item_id,location_id,opening,received,sold,shipped,wasted,closing";
const WEATHER_HEADER: &str = "region,date,temperature_c,precipitation_mm,humidity_pct,wind_ms";

struct Table {
    kind: &'static str,
    path: PathBuf,
    out: BufWriter<File>,
}

impl Table {
    fn create(kind: &'static str, path: PathBuf, header: &str) -> anyhow::Result<Table> {
        let file =
            File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        let mut table = Table { kind, path, out: BufWriter::with_capacity(1 << 16, file) };
        table.push(&format!("{header}\n"))?;
        Ok(table)
    }

    fn of(kind: &'static str, dir: &Path) -> anyhow::Result<Table> {
        Table::create(kind, dir.join(format!("{kind}.csv")), header(kind)?)
    }

    fn push(&mut self, text: &str) -> anyhow::Result<()> {
        let written = IoWrite::write_all(&mut self.out, text.as_bytes());
        written.with_context(|| format!("cannot write {}", self.path.display()))
    }

    fn finish(mut self) -> anyhow::Result<(&'static str, PathBuf)> {
        IoWrite::flush(&mut self.out)
            .with_context(|| format!("cannot write {}", self.path.display()))?;
        Ok((self.kind, self.path))
    }
}

fn header(kind: &str) -> anyhow::Result<&'static str> {
    let found = HEADERS.iter().find(|(table, _)| *table == kind);
    found.map(|(_, header)| *header).with_context(|| format!("{kind} has no header"))
}

/// One item's rows, per table.
#[derive(Default)]
struct ItemRows {
    item: String,
    supply_terms: String,
    sales: Vec<String>,
    stock: String,
    stock_lot: String,
    purchase_order: String,
    behaviour: String,
    presale: String,
    promotion: String,
    price_plan: String,
    truth: String,
    truth_series: String,
    truth_ledger: String,
    counts: DemoManifest,
    /// (distribution centre, day, stock) of every count.
    centre_stock: Vec<(usize, i32, i64)>,
}

pub fn write(
    world: &World,
    dir: &Path,
    progress: &mut impl FnMut(&str),
) -> anyhow::Result<DemoManifest> {
    let (input, truth) = (dir.join("in"), dir.join("truth"));
    for folder in [&input, &truth] {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
    }
    remove_old_sales(&input)?;
    progress("Simulating sales and stock");
    let (mut tables, mut sales) = (ItemTables::create(&input, &truth)?, Vec::new());
    for month in &world.months {
        let path = input.join(format!("sales-{month}.csv"));
        sales.push(Table::create("sales", path, header("sales")?)?);
    }
    let mut manifest = DemoManifest::default();
    let mut centre_stock = Vec::new();
    for block in world.items.chunks(BLOCK) {
        let rows: Vec<ItemRows> = block.par_iter().map(|item| simulate(world, item)).collect();
        for rows in rows {
            for (file, text) in sales.iter_mut().zip(&rows.sales) {
                file.push(text)?;
            }
            tables.push(&rows)?;
            add_counts(&mut manifest, &rows.counts);
            centre_stock.extend(rows.centre_stock);
        }
    }
    progress("Following the shoppers");
    let mut shared = shared_tables(world, &input, &centre_stock)?;
    let (event_log, event_log_rows) = event_log(world, &input)?;
    manifest.event_log_rows = event_log_rows;
    shared.push(event_log);
    write_truth(world, &truth)?;
    let mut files = tables.finish()?;
    for table in shared.into_iter().chain(sales) {
        files.push(table.finish()?);
    }
    let rank = |kind: &str| HEADERS.iter().position(|(table, _)| *table == kind);
    files.sort_by_key(|(kind, path)| (rank(kind), path.clone()));
    manifest.files = files;
    Ok(manifest)
}

/// A demo over fewer months must not leave an earlier one's sales lying beside its own.
fn remove_old_sales(input: &Path) -> anyhow::Result<()> {
    let entries =
        std::fs::read_dir(input).with_context(|| format!("cannot list {}", input.display()))?;
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with("sales-") && name.ends_with(".csv") {
            std::fs::remove_file(&path)
                .with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

fn add_counts(sum: &mut DemoManifest, of_item: &DemoManifest) {
    sum.items += 1;
    sum.series += of_item.series;
    sum.series_days += of_item.series_days;
    sum.censored_days += of_item.censored_days;
    sum.sales_rows += of_item.sales_rows;
    sum.purchase_order_rows += of_item.purchase_order_rows;
    sum.truth_rows += of_item.truth_rows;
}

/// The tables to which every item adds rows, but for the sales.
struct ItemTables {
    item: Table,
    supply_terms: Table,
    stock: Table,
    stock_lot: Table,
    purchase_order: Table,
    behaviour: Table,
    presale: Table,
    promotion: Table,
    price_plan: Table,
    truth: Table,
    truth_series: Table,
    truth_ledger: Table,
}

impl ItemTables {
    fn create(input: &Path, truth: &Path) -> anyhow::Result<ItemTables> {
        Ok(ItemTables {
            item: Table::of("item", input)?,
            supply_terms: Table::of("supply_terms", input)?,
            stock: Table::of("stock", input)?,
            stock_lot: Table::of("stock_lot", input)?,
            purchase_order: Table::of("purchase_order", input)?,
            behaviour: Table::of("behaviour", input)?,
            presale: Table::of("presale", input)?,
            promotion: Table::of("promotion", input)?,
            price_plan: Table::of("price_plan", input)?,
            truth: Table::create("truth", truth.join("demand.csv"), header("truth")?)?,
            truth_series: Table::create("truth", truth.join("series.csv"), SERIES_HEADER)?,
            truth_ledger: Table::create("truth", truth.join("ledger.csv"), LEDGER_HEADER)?,
        })
    }

    fn push(&mut self, rows: &ItemRows) -> anyhow::Result<()> {
        self.item.push(&rows.item)?;
        self.supply_terms.push(&rows.supply_terms)?;
        self.stock.push(&rows.stock)?;
        self.stock_lot.push(&rows.stock_lot)?;
        self.purchase_order.push(&rows.purchase_order)?;
        self.behaviour.push(&rows.behaviour)?;
        self.presale.push(&rows.presale)?;
        self.promotion.push(&rows.promotion)?;
        self.price_plan.push(&rows.price_plan)?;
        self.truth.push(&rows.truth)?;
        self.truth_series.push(&rows.truth_series)?;
        self.truth_ledger.push(&rows.truth_ledger)
    }

    /// The input files; those of the truth are only closed.
    fn finish(self) -> anyhow::Result<Vec<(&'static str, PathBuf)>> {
        for table in [self.truth, self.truth_series, self.truth_ledger] {
            table.finish()?;
        }
        let inputs = [
            self.item,
            self.supply_terms,
            self.stock,
            self.stock_lot,
            self.purchase_order,
            self.behaviour,
            self.presale,
            self.promotion,
            self.price_plan,
        ];
        inputs.into_iter().map(Table::finish).collect()
    }
}

fn simulate(world: &World, item: &Item) -> ItemRows {
    let commerce = Commerce::plan(world, item);
    let demand = true_demand(world, item, &commerce);
    let history = inventory::simulate(world, item, &demand);
    let mut rows =
        ItemRows { sales: vec![String::new(); world.months.len()], ..Default::default() };
    tables::item(&mut rows.item, world, item, &commerce);
    tables::supply_terms(&mut rows.supply_terms, world, item);
    tables::promotions(&mut rows.promotion, world, &commerce.promotions);
    tables::price_plan(&mut rows.price_plan, world, item, &commerce);
    for (demand, shop) in demand.iter().zip(&history.shops) {
        tables::sales(&mut rows.sales, world, item, &commerce, demand.shop, shop);
        rows.counts.truth_rows += tables::truth(&mut rows.truth, world, item, demand, shop);
        series_row(&mut rows, world, item, demand, shop);
    }
    let newlines = |text: &String| text.bytes().filter(|b| *b == b'\n').count() as u64;
    rows.counts.sales_rows = rows.sales.iter().map(newlines).sum();
    tables::stock(&mut rows.stock, &mut rows.stock_lot, world, item, &history.counts);
    rows.counts.purchase_order_rows =
        tables::purchase_orders(&mut rows.purchase_order, world, item, &history);
    let counts = behaviour::daily_counts(world, item, &demand, &history.shops);
    tables::behaviour(&mut rows.behaviour, world, item, &counts);
    tables::presale(&mut rows.presale, world, item);
    ledgers(&mut rows, item, &history);
    let centre = |count: &&inventory::Count| LOCATIONS[count.location].kind == LocationKind::Dc;
    let centre_counts = history.counts.iter().filter(centre);
    rows.centre_stock = centre_counts.map(|c| (c.location, c.day, c.on_hand)).collect();
    rows
}

fn series_row(
    rows: &mut ItemRows,
    world: &World,
    item: &Item,
    demand: &super::demand::TrueDemand,
    shop: &inventory::ShopHistory,
) {
    let from = item.launch_day.max(0) as usize;
    let (mut sold, mut mean, mut variance, mut censored) = (0, 0.0, 0.0, 0);
    for t in from..world.days() {
        if shop.available[t] < 1.0 {
            censored += 1;
        } else {
            sold += shop.sold[t];
            mean += demand.mean[t];
            variance += super::demand::daily_variance(item, demand.mean[t]);
        }
    }
    let days = world.days().saturating_sub(from) as u64;
    if days > 0 && item.role != Role::Presale {
        rows.counts.series += 1;
    }
    rows.counts.series_days += days;
    rows.counts.censored_days += censored;
    let role = serde_json::to_string(&item.role).unwrap_or_default();
    row!(
        rows.truth_series,
        "{},{},{},{},{days},{censored},{sold},{mean:.4},{variance:.4}",
        item.item_id,
        LOCATIONS[demand.shop].location_id,
        role.trim_matches('"'),
        world.date(from as i32),
    );
}

fn ledgers(rows: &mut ItemRows, item: &Item, history: &ItemHistory) {
    for (location, ledger) in &history.ledgers {
        row!(
            rows.truth_ledger,
            "{},{},{},{},{},{},{},{}",
            item.item_id,
            LOCATIONS[*location].location_id,
            ledger.opening,
            ledger.received,
            ledger.sold,
            ledger.shipped,
            ledger.wasted,
            ledger.closing
        );
    }
}

fn shared_tables(
    world: &World,
    input: &Path,
    centre_stock: &[(usize, i32, i64)],
) -> anyhow::Result<Vec<Table>> {
    let mut text = String::new();
    let mut tables = Vec::new();
    let mut put = |kind: &'static str, text: &mut String| -> anyhow::Result<()> {
        let mut table = Table::of(kind, input)?;
        table.push(text)?;
        text.clear();
        tables.push(table);
        Ok(())
    };
    tables::locations(&mut text, &capacities(centre_stock));
    put("location", &mut text)?;
    world.suppliers.iter().for_each(|supplier| tables::supplier(&mut text, supplier));
    put("supplier", &mut text)?;
    tables::calendar(&mut text, &world.events);
    put("calendar_event", &mut text)?;
    tables::weather(&mut text, world);
    put("weather", &mut text)?;
    // The whole categories' promotions come from another desk, and so in a file of their own.
    let mut table =
        Table::create("promotion", input.join("promotion-category.csv"), header("promotion")?)?;
    tables::promotions(&mut text, world, &world.promotions);
    table.push(&text)?;
    tables.push(table);
    Ok(tables)
}

/// A centre has room for its fullest counted evening and a little more.
fn capacities(centre_stock: &[(usize, i32, i64)]) -> Vec<Option<i64>> {
    let mut capacity = vec![None; LOCATIONS.len()];
    for dc in [DC_NORTH, DC_SOUTH] {
        let mut by_day = std::collections::BTreeMap::new();
        for (_, day, qty) in centre_stock.iter().filter(|(location, ..)| *location == dc) {
            *by_day.entry(*day).or_insert(0) += qty;
        }
        let fullest = by_day.into_values().max().unwrap_or(0);
        capacity[dc] = Some((fullest as f64 * CAPACITY_MARGIN / 100.0).ceil() as i64 * 100);
    }
    capacity
}

fn event_log(world: &World, input: &Path) -> anyhow::Result<(Table, u64)> {
    let mut table = Table::of("event_log", input)?;
    let shelves = Shelves::new(world);
    let count = shelves.shoppers(world.items.len());
    let texts: Vec<(String, u64)> = (0..count)
        .into_par_iter()
        .map(|shopper| {
            let (hash, events) = shelves.shopper(world, shopper);
            let mut text = String::new();
            tables::event_log(&mut text, world, &hash, &events);
            (text, events.len() as u64)
        })
        .collect();
    let mut rows = 0;
    for (text, events) in &texts {
        table.push(text)?;
        rows += events;
    }
    Ok((table, rows))
}

fn write_truth(world: &World, truth: &Path) -> anyhow::Result<()> {
    let path = truth.join("effects.json");
    let text = serde_json::to_string_pretty(&Effects::of(world))?;
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    let mut table = Table::create("truth", truth.join("weather.csv"), WEATHER_HEADER)?;
    let mut text = String::new();
    for region in &world.weather {
        for (t, day) in region.days.iter().enumerate().skip(world.days()) {
            row!(
                text,
                "{},{},{:.1},{:.1},{:.0},{:.1}",
                region.region,
                world.date(t as i32),
                day.temperature_c,
                day.precipitation_mm,
                day.humidity_pct,
                day.wind_ms
            );
        }
    }
    table.push(&text)?;
    table.finish()?;
    Ok(())
}
