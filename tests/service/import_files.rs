//! What becomes of bad rows, odd encodings, repeated loads and hostile files.

#[path = "support/database.rs"]
mod database;
#[path = "support/postgres.rs"]
mod postgres;

use std::path::{Path, PathBuf};

use granary::config::{RejectCode, Table};
use granary::jobs::import::{ImportOptions, Report, import_files};
use granary::sources::{Limits, Map, parse};
use granary::store::{Store, db};
use proptest::prelude::*;

struct Shop {
    folder: tempfile::TempDir,
    store: Store,
}

impl Shop {
    async fn open() -> Shop {
        let folder = tempfile::tempdir().expect("a folder");
        let address = database::address(folder.path()).await;
        let store = database::open(&address).await;
        Shop { folder, store }
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).expect("a file");
        path
    }

    async fn import(&self, kind: &str, file: &Path, map: &str) -> anyhow::Result<Report> {
        let options = ImportOptions { reject_limit: Some(1.0), ..Default::default() };
        self.import_with(kind, file, map, &options).await
    }

    async fn import_with(
        &self,
        kind: &str,
        file: &Path,
        map: &str,
        options: &ImportOptions,
    ) -> anyhow::Result<Report> {
        let map = if map.is_empty() { Map::default() } else { Map::parse(map)? };
        let kind = Table::named(kind).expect(kind);
        import_files(&self.store, kind, &[file.to_owned()], &map, options, |_| ()).await
    }

    async fn text(&self, sql: &'static str) -> Vec<String> {
        db::query_scalar(sql)
            .fetch_all(&mut self.store.snapshot().await.expect("a snapshot"))
            .await
            .expect(sql)
    }
}

/// The last line need not end, in any encoding.
#[tokio::test]
async fn a_file_may_end_without_a_line_break() {
    let text = "item_id,location_id,date,qty\nA,S1,2026-01-02,3";
    let utf16: Vec<u8> =
        "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let shop = Shop::open().await;
    for (name, bytes) in [("a.csv", text.as_bytes()), ("b.csv", &utf16)] {
        let file = shop.file(name, bytes);
        let report = shop.import("sales", &file, "").await.expect(name);
        assert_eq!(report.tables[0].total.read, 1, "{name}");
    }
    let file = shop.file("c.csv", b"item_id,location_id,date,qty");
    assert_eq!(shop.import("sales", &file, "").await.expect("a header").tables[0].total.read, 0);
}

/// Every code of a rejected row, and a row that earns it beside one that is good.
#[tokio::test]
async fn every_bad_cell_has_its_code() {
    let sales = "item_id,location_id,date,qty";
    let cases: &[(&str, &str, &str, &str)] = &[
        ("sales", sales, "A,S1,2026-01-02", "short_row"),
        ("sales", sales, "A", "short_row"),
        ("sales", sales, "A,S1,2026-01-02,3,9", "long_row"),
        ("sales", sales, ",S1,2026-01-02,3", "missing_value"),
        ("sales", sales, "A,,2026-01-02,3", "missing_value"),
        ("sales", sales, "A,S1,,3", "missing_value"),
        ("sales", sales, "A,S1,2026-01-02,", "missing_value"),
        ("sales", sales, "A,S1,2026-01-02,  ", "missing_value"),
        ("sales", sales, "A,S1,2026-01-02,three", "not_a_number"),
        ("sales", sales, "A,S1,2026-01-02,\"1,000\"", "not_a_number"),
        ("sales", sales, "A,S1,2026-01-02,1.2.3", "not_a_number"),
        ("sales", sales, "A,S1,2026-01-02,--3", "not_a_number"),
        ("sales", sales, "A,S1,2026-01-02,0x10", "not_a_number"),
        ("sales", sales, "A,S1,2026-01-02,３", "not_a_number"),
        ("sales", sales, "A,S1,2026-01-02,.", "not_a_number"),
        ("sales", sales, "A,S1,2026-01-02,1e", "not_a_number"),
        ("sales", sales, "A,S1,2026-01-02,NaN", "not_finite"),
        ("sales", sales, "A,S1,2026-01-02,inf", "not_finite"),
        ("sales", sales, "A,S1,2026-01-02,-Infinity", "not_finite"),
        ("sales", sales, "A,S1,2026-01-02,1e309", "not_finite"),
        ("sales", sales, "A,S1,2026-01-02,-1", "negative_quantity"),
        ("sales", sales, "A,S1,2026-01-02,-0.5", "negative_quantity"),
        ("sales", sales, "A,S1,2026-01-02,10000001", "absurd_quantity"),
        ("sales", sales, "A,S1,2026-01-02,9e18", "absurd_quantity"),
        ("sales", sales, "A,S1,2026-01-02,1.5", "not_whole"),
        ("sales", sales, "A,S1,01/02/2026,3", "ambiguous_date"),
        ("sales", sales, "A,S1,3/4/15,3", "ambiguous_date"),
        ("sales", sales, "A,S1,13.01.2026,3", "ambiguous_date"),
        ("sales", sales, "A,S1,2026-02-30,3", "not_a_date"),
        ("sales", sales, "A,S1,yesterday,3", "not_a_date"),
        ("sales", sales, "A,S1,20260102,3", "not_a_date"),
        ("sales", sales, "A,S1,1899-12-31,3", "date_out_of_range"),
        ("sales", sales, "A,S1,2101-01-01,3", "date_out_of_range"),
        (
            "sales",
            "item_id,location_id,date,qty,promo_depth",
            "A,S1,2026-01-02,3,1.2",
            "out_of_range",
        ),
        (
            "sales",
            "item_id,location_id,date,qty,price_minor",
            "A,S1,2026-01-02,3,-5",
            "negative_quantity",
        ),
        (
            "sales",
            "item_id,location_id,date,qty,price_minor",
            "A,S1,2026-01-02,3,1.25",
            "not_whole",
        ),
        ("stock", "item_id,location_id,date,on_hand", "Z,S1,2026-01-02,3", "unknown_item"),
        ("stock", "item_id,location_id,date,on_hand", "KNOWN,S9,2026-01-02,3", "unknown_location"),
        ("item", "item_id,status", "A,retired", "not_a_choice"),
        ("item", "item_id,currency", "A,euro", "not_a_currency"),
        ("item", "item_id,qty_decimals", "A,7", "out_of_range"),
        ("item", "item_id,name", "A,\"two\nlines\"", "control_character"),
        ("item", "item_id,shelf_life_days", "A,0", "out_of_range"),
        (
            "event_log",
            "shopper_hash,item_id,event,at",
            "alice@example.com,A,view,2026-01-02T03:04:05Z",
            "not_hashed",
        ),
        (
            "event_log",
            "shopper_hash,item_id,event,at",
            "0123456789abcdef0123456789abcdef,A,view,2026-01-02",
            "not_a_time",
        ),
        (
            "event_log",
            "shopper_hash,item_id,event,at",
            "0123456789abcdef0123456789abcdef,A,stare,2026-01-02T03:04:05Z",
            "not_a_choice",
        ),
        (
            "promotion",
            "promotion_id,starts_on,ends_on",
            "P,2026-02-01,2026-01-01",
            "ends_before_start",
        ),
        ("supply_terms", "item_id,location_id,price_breaks", "KNOWN,S1,[[2]]", "not_price_breaks"),
        ("supply_terms", "item_id,location_id,order_weekdays", "KNOWN,S1,monday", "not_weekdays"),
        ("supply_terms", "item_id,location_id,cut_off", "KNOWN,S1,9:30", "not_a_time_of_day"),
        ("item", "item_id,role", "NEW,hero", "not_a_choice"),
        ("stocking", "item_id,location_id,reserve_qty", "KNOWN,S1,-1", "negative_quantity"),
        ("weather", "region,date,humidity_pct", "R,2026-01-02,101", "out_of_range"),
    ];
    let shop = Shop::open().await;
    let known = shop.file("item.csv", b"item_id\nKNOWN\n");
    shop.import("item", &known, "").await.expect("items");
    let known = shop.file("location.csv", b"location_id\nS1\n");
    shop.import("location", &known, "").await.expect("locations");
    for (kind, header, row, code) in cases {
        let file = shop.file("bad.csv", format!("{header}\n{row}\n").as_bytes());
        let report = shop.import(kind, &file, "").await.expect(row);
        let table = &report.tables[0];
        assert_eq!((table.total.read, table.total.rejected), (1, 1), "{row}: {table:?}");
        let rejection = &report.rejections[0].rejection;
        assert_eq!(rejection.problem.code.as_str(), *code, "{row}: {rejection:?}");
        assert_eq!(rejection.row, 2, "{row}");
    }
}

#[tokio::test]
async fn leading_zeros_survive_and_repeats_are_counted() {
    let shop = Shop::open().await;
    let csv = b"item_id,location_id,date,qty\n00123,01,2026-01-02,3\n00123,01,2026-01-02,3\n\
        00124,01,2026-01-02,1\n00124,01,2026-01-02,2\n";
    let file = shop.file("sales.csv", csv);
    let report = shop.import("sales", &file, "").await.expect("a load");
    let books = report.tables[0].total;
    assert_eq!((books.read, books.loaded, books.duplicate, books.rejected), (4, 1, 1, 2));
    assert_eq!(shop.text("SELECT item_id FROM sales").await, ["00123"]);
    for (rejection, rival) in report.rejections.iter().zip(["row 5", "row 4"]) {
        let problem = &rejection.rejection.problem;
        assert_eq!(problem.code, RejectCode::ConflictingDuplicate);
        assert!(problem.reason.starts_with(rival), "{}", problem.reason);
    }
    let again = shop.import("sales", &file, "").await.expect("a second load").tables[0].total;
    assert_eq!((again.loaded, again.duplicate, again.written), (0, 2, 0));
    let newer = shop.file("newer.csv", b"item_id,location_id,date,qty\n00123,01,2026-01-02,7\n");
    let newer = shop.import("sales", &newer, "").await.expect("a newer load").tables[0].total;
    assert_eq!((newer.loaded, newer.replaced, newer.duplicate), (1, 1, 0));
    assert_eq!(shop.text("SELECT qty || '' FROM sales").await, ["7"]);
}

#[tokio::test]
async fn too_many_rejections_and_dry_runs_change_nothing() {
    let shop = Shop::open().await;
    let file = shop.file("sales.csv", b"item_id,location_id,date,qty\nA,S,2026-01-02,3\nA,S,x,3\n");
    let usual = ImportOptions::default();
    let report = shop.import_with("sales", &file, "", &usual).await.expect("a report");
    assert!(report.refused.is_some_and(|why| why.contains("50.00%")));
    let dry = ImportOptions { dry_run: true, reject_limit: Some(1.0), ..Default::default() };
    shop.import_with("sales", &file, "", &dry).await.expect("a report");
    for sql in
        ["SELECT item_id FROM sales", "SELECT item_id FROM item", "SELECT kind FROM import_batch"]
    {
        assert!(shop.text(sql).await.is_empty(), "{sql}");
    }
    let books = shop.import("sales", &file, "").await.expect("a load").tables[0].total;
    assert_eq!((books.read, books.loaded, books.rejected), (2, 1, 1));
    assert_eq!(shop.text("SELECT code FROM import_rejection").await, ["not_a_date"]);
}

#[tokio::test]
async fn encodings_are_declared_or_marked_and_never_guessed() {
    let text = "item_id,name\n00123,除湿机\n";
    let utf16 = |bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
        std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(bytes).collect()
    };
    let (gb, _, _) = encoding_rs::GB18030.encode(text);
    let cases: [(&str, Vec<u8>, &str, bool); 6] = [
        ("utf-8", text.as_bytes().to_vec(), "", true),
        ("utf-8 with a mark", [b"\xef\xbb\xbf", text.as_bytes()].concat(), "", true),
        ("utf-16le", utf16(u16::to_le_bytes), "", true),
        ("utf-16be", utf16(u16::to_be_bytes), "", true),
        ("gb18030 declared", gb.to_vec(), "encoding = 'gb18030'", true),
        ("gb18030 undeclared", gb.to_vec(), "", false),
    ];
    for (name, bytes, map, readable) in cases {
        let shop = Shop::open().await;
        let file = shop.file("item.csv", &bytes);
        let result = shop.import("item", &file, map).await;
        if readable {
            result.expect(name);
            assert_eq!(shop.text("SELECT name FROM item").await, ["除湿机"], "{name}");
        } else {
            let error = format!("{:#}", result.expect_err(name));
            assert!(error.contains("line 2"), "{error}");
        }
    }
}

#[tokio::test]
async fn headers_and_maps_that_do_not_fit_are_errors_with_a_hint() {
    let shop = Shop::open().await;
    let cases = [
        ("item_id,nmae\nA,b\n", "", "did you mean `name`?"),
        ("name\nb\n", "", "needs the column `item_id`"),
        ("item_id,item_id\nA,b\n", "", "two columns"),
        ("", "", "empty"),
        ("item_id,x\nA,b\n", "[columns]\nnmae = 'x'", "did you mean `name`?"),
        ("item_id,x\nA,b\n", "[columns]\nname = 'y'", "no column `y`"),
        ("item_id\nA\n", "kind = 'sales'", "not for item"),
        ("item_id\nA\n", "ignroe = []", "ignore"),
    ];
    for (csv, map, hint) in cases {
        let file = shop.file("item.csv", csv.as_bytes());
        let error = shop.import("item", &file, map).await.expect_err(hint);
        assert!(format!("{error:#}").contains(hint), "{error:#}");
    }
}

#[tokio::test]
async fn a_workbook_keeps_its_text_and_a_bomb_is_refused() {
    let shop = Shop::open().await;
    let path = shop.folder.path().join("sales.xlsx");
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet();
    for (at, header) in ["item_id", "location_id", "date", "qty"].into_iter().enumerate() {
        sheet.write(0, at as u16, header).expect("a cell");
    }
    for (at, cell) in ["00123", "S1", "2026-01-02"].into_iter().enumerate() {
        sheet.write(1, at as u16, cell).expect("a cell");
    }
    sheet.write(1, 3, 12.0).expect("a cell");
    sheet.write(1_048_575, 16_383, "far").expect("the last cell");
    book.save(&path).expect("a workbook");
    let report = shop.import("sales", &path, "").await.expect("a load");
    let books = report.tables[0].total;
    assert_eq!((books.read, books.loaded, books.rejected), (2, 1, 1));
    assert_eq!(shop.text("SELECT item_id || ':' || qty FROM sales").await, ["00123:12"]);
    let limits = Limits { unpacked_bytes: 1_000, ..Limits::default() };
    let options = ImportOptions { limits, ..Default::default() };
    let error = shop.import_with("sales", &path, "", &options).await.expect_err("a bomb");
    assert!(format!("{error:#}").contains("over the limit of 1000"), "{error:#}");
}

/// Half a megabyte of archive that unpacks to 320 MiB: the program says so and lives.
#[test]
fn the_program_survives_a_bomb() {
    use std::io::Write;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("bomb.xlsx");
    let mut archive = zip::ZipWriter::new(std::fs::File::create(&path).expect("a file"));
    let options = zip::write::SimpleFileOptions::default();
    archive.start_file("xl/worksheets/sheet1.xml", options).expect("an entry");
    let zeros = vec![b'0'; 1 << 20];
    for _ in 0..320 {
        archive.write_all(&zeros).expect("bytes");
    }
    archive.finish().expect("an archive");
    assert!(std::fs::metadata(&path).expect("a file").len() < 1 << 20);
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_granary"))
        .args(["import", "sales"])
        .arg(&path)
        .arg("--db")
        .arg(folder.path().join("granary.db"))
        .output()
        .expect("the program runs");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("unpacks to") && said.contains("over the limit"), "{said}");
}

/// The import's own description of the tables is the schema's.
#[tokio::test]
async fn tables_are_those_of_the_schema() {
    if database::on_postgres() {
        // Both databases' tables are made of the same files; SQLite tells of their keys in one line.
        return;
    }
    let shop = Shop::open().await;
    for table in &granary::config::ALL_TABLES {
        let sql = "SELECT name, pk FROM pragma_table_info($1) ORDER BY name";
        let schema: Vec<(String, i64)> = db::query_as(sql)
            .bind(table.name)
            .fetch_all(&mut shop.store.snapshot().await.expect("a snapshot"))
            .await
            .expect(table.name);
        let place = |at: usize| if at < table.key { at as i64 + 1 } else { 0 };
        let mut ours: Vec<(String, i64)> = table
            .columns
            .iter()
            .enumerate()
            .map(|(at, column)| (column.name.to_owned(), place(at)))
            .collect();
        ours.sort();
        assert_eq!(ours, schema, "{}", table.name);
    }
}

#[test]
fn every_code_is_documented() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/import.md");
    let page = std::fs::read_to_string(path).expect("docs/import.md");
    for code in RejectCode::ALL {
        let line = format!("| `{}` | {} |", code.as_str(), code.explain());
        assert!(page.contains(&line), "docs/import.md lacks: {line}");
    }
}

proptest! {
    #[test]
    fn numbers_never_panic(text in "\\PC{0,40}", shift in 0u32..7, round: bool) {
        if let Ok(number) = parse::number(&text) {
            let _ = parse::scaled(number, shift, round, &text);
        }
    }

    #[test]
    fn decimals_round_trip(units in -1_000_000_000_000i64..1_000_000_000_000, decimals in 0u32..7) {
        let unit = 10i64.pow(decimals);
        let sign = if units < 0 { "-" } else { "" };
        let (whole, part) = (units.abs() / unit, units.abs() % unit);
        let text = format!("{sign}{whole}.{part:0>width$}", width = decimals as usize);
        let text = if decimals == 0 { format!("{sign}{whole}") } else { text };
        let number = parse::number(&text).expect("a plain decimal");
        prop_assert_eq!(parse::scaled(number, decimals, false, &text), Ok(units));
    }

    #[test]
    fn dates_never_panic_and_stay_in_range(text in "\\PC{0,24}", year in 0i32..9999, month in 0u32..14, day in 0u32..33) {
        let style = parse::DateStyle::default();
        let _ = parse::day(&text, &style);
        let _ = parse::stamp(&text, &style);
        let written = format!("{year:04}-{month:02}-{day:02}");
        if let Ok(read) = parse::day(&written, &style) {
            prop_assert_eq!(read.to_string(), written);
            prop_assert!((1900..=2100).contains(&year));
        }
    }
}

/// The shipped map of an order book, on a file with what the real one hardly has: returns.
#[tokio::test]
async fn order_lines_become_days_and_c_invoices_become_returns() {
    let shop = Shop::open().await;
    let map = include_str!("../../data/maps/online_retail.toml");
    let text = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n\
        1,85123a,HOLDER,6,2010-12-01 08:26:00,2.55,17850,France\n\
        2,85123A,HOLDER,4,2010-12-01 17:02:00,2.05,,France\n\
        C3,85123A,HOLDER,-3,2010-12-01 18:00:00,2.55,17850,France\n\
        C4,85123A,HOLDER,-2,2010-12-02 09:00:00,2.55,17850,France\n\
        5,POST,POSTAGE,1,2010-12-02 09:00:00,18.00,17850,France\n";
    let file = shop.file("lines.csv", text.as_bytes());
    let report = shop.import("sales", &file, map).await.expect("an import");
    assert_eq!(report.refused, None);
    let books = report.table("sales").expect("sales").total;
    assert_eq!((books.read, books.loaded, books.rejected, books.written), (5, 4, 1, 2));
    let days: Vec<(String, String, i64, i64, i64)> = db::query_as(
        "SELECT item_id, date, qty, returned_qty, revenue_minor FROM sales ORDER BY date",
    )
    .fetch_all(&mut shop.store.snapshot().await.expect("a snapshot"))
    .await
    .expect("daily rows");
    assert_eq!(
        days,
        [
            ("85123A".to_owned(), "2010-12-01".to_owned(), 10, 3, 2350),
            ("85123A".to_owned(), "2010-12-02".to_owned(), 0, 2, 0),
        ]
    );
}

/// What a map gives itself is what the table holds; the arithmetic is for the source's values.
#[tokio::test]
async fn a_fixed_value_is_not_run_through_the_columns_arithmetic() {
    let shop = Shop::open().await;
    let map = "kind = \"sales\"\nignore = [\"on\"]\n[columns]\nitem_id = \"item\"\n\
        location_id = { constant = \"S1\" }\ndate = \"date\"\nqty = \"qty\"\n\
        promo_depth = { from = \"price\", factor = -1.0, offset = 1.0, clamp = [0.0, 1.0], \
        when = { column = \"on\", is = [\"1\"] }, otherwise = 0.0 }\n";
    let text = "item,date,qty,price,on\nA,2026-01-02,3,0.75,1\nA,2026-01-03,3,0.75,0\n";
    let file = shop.file("sales.csv", text.as_bytes());
    shop.import("sales", &file, map).await.expect("an import");
    let depths: Vec<f64> = db::query_scalar("SELECT promo_depth FROM sales ORDER BY date")
        .fetch_all(&mut shop.store.snapshot().await.expect("a snapshot"))
        .await
        .expect("depths");
    assert_eq!(depths, [0.25, 0.0]);
}

/// Running out of memory ends a process; it is the child's, and the database is as it was.
#[tokio::test]
async fn a_load_that_needs_more_memory_than_it_may_have_changes_nothing() {
    let shop = Shop::open().await;
    let mut text = String::from("item_id,location_id,date,qty\n");
    for i in 0..1_000_000 {
        text.push_str(&format!("I{i},S1,2026-01-02,{}\n", i % 7));
    }
    let file = shop.file("sales.csv", text.as_bytes());
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_granary"))
        .arg("--db")
        .arg(shop.folder.path().join("granary.db"))
        .args(["import", "sales", "--memory-limit-mib", "192"])
        .arg(&file)
        .output()
        .expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("limits of 192 MiB") && said.contains("nothing was changed"), "{said}");
    assert_eq!(shop.text("SELECT item_id FROM sales").await, Vec::<String>::new());
    assert_eq!(shop.text("SELECT kind FROM import_batch").await, Vec::<String>::new());
}
