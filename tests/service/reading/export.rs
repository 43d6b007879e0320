//! Tables as files: what is written reads back, and the same rows are the same bytes.

use std::io::{BufWriter, Cursor};
use std::process::Command;

use granary::export::csv::CsvSink;
use granary::export::parquet::ParquetSink;
use granary::export::xlsx::XlsxSink;
use granary::export::{Column, Sink, Values};

use super::fixture::{self, FORMULA, LINES};

fn piece() -> Vec<Column> {
    vec![
        Column {
            name: "text",
            values: Values::Text(["00123", "=1+1", "绿茶"].map(str::to_owned).to_vec()),
        },
        Column { name: "integer", values: Values::Integer(vec![-5, 0, 1 << 40]) },
        Column { name: "number", values: Values::Number(vec![0.1, -2.5, 1e-9]) },
        Column {
            name: "date",
            values: Values::Date(["2025-10-20", "", "1999-12-31"].map(str::to_owned).to_vec()),
        },
        Column { name: "amount", values: Values::Decimal(vec![(-5, 2), (1200, 0), (1234, 3)]) },
    ]
}

fn write(sink: impl Sink + 'static) {
    let mut sink: Box<dyn Sink> = Box::new(sink);
    sink.write(&piece()).expect("written");
    sink.finish().expect("finished");
}

/// Writes through `make` into a file and gives its bytes.
fn bytes(make: impl Fn(BufWriter<std::fs::File>) -> Box<dyn Sink>) -> Vec<u8> {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    let output = BufWriter::new(file.reopen().expect("writable"));
    let mut sink = make(output);
    sink.write(&piece()).expect("written");
    sink.finish().expect("finished");
    std::fs::read(file.path()).expect("readable")
}

#[test]
fn csv_is_safe_text_and_exact_numbers() {
    let written = bytes(|output| Box::new(CsvSink::new(output, true).expect("begun")));
    let text = String::from_utf8(written).expect("UTF-8");
    assert_eq!(
        text,
        "\u{feff}text,integer,number,date,amount\n00123,-5,0.1,2025-10-20,-0.05\n\
         '=1+1,0,-2.5,,1200\n绿茶,1099511627776,0.000000001,1999-12-31,1.234\n"
    );
}

#[test]
fn equal_rows_are_equal_files() {
    let workbook = || bytes(|output| Box::new(XlsxSink::new(output, "plan").expect("begun")));
    let first = workbook();
    // Stamps in a workbook have steps of two seconds.
    std::thread::sleep(std::time::Duration::from_millis(2100));
    assert_eq!(first, workbook());
    let parquet = || bytes(|output| Box::new(ParquetSink::new(output)));
    assert_eq!(parquet(), parquet());
}

#[test]
fn a_workbook_holds_text_as_text() {
    use calamine::{Data, Reader, Xlsx};
    let written = bytes(|output| Box::new(XlsxSink::new(output, "plan").expect("begun")));
    let mut book: Xlsx<_> = calamine::open_workbook_from_rs(Cursor::new(written)).expect("a book");
    let sheet = book.worksheet_range("plan").expect("the sheet");
    assert_eq!(sheet.get_value((1, 0)), Some(&Data::String("00123".into())));
    assert_eq!(sheet.get_value((2, 0)), Some(&Data::String("=1+1".into())));
    assert_eq!(sheet.get_value((1, 1)), Some(&Data::Float(-5.0)));
    assert!(book.worksheet_formula("plan").expect("the sheet").is_empty());
}

#[test]
fn parquet_keeps_values_and_types() {
    use polars::prelude::*;
    let written = bytes(|output| Box::new(ParquetSink::new(output)));
    let frame = ParquetReader::new(Cursor::new(written)).finish().expect("a frame");
    assert_eq!(frame.height(), 3);
    let text = frame.column("text").expect("a column").str().expect("text");
    assert_eq!(text.get(1), Some("=1+1"), "raw, without an apostrophe");
    assert_eq!(frame.column("date").expect("a column").dtype(), &DataType::Date);
    assert_eq!(frame.column("date").expect("a column").null_count(), 1);
}

#[test]
fn other_columns_are_refused() {
    let mut sink: Box<dyn Sink> = Box::new(CsvSink::new(Vec::new(), false).expect("begun"));
    sink.write(&piece()).expect("written");
    assert!(sink.write(&piece()[1..]).is_err());
    write(CsvSink::new(Vec::new(), false).expect("begun"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_writes_every_line_and_says_how_many() {
    let fixture = fixture::with_plan().await;
    let out = fixture.folder.path().join("plan.csv");
    let run = Command::new(env!("CARGO_BIN_EXE_granary"))
        .arg("--db")
        .arg(&fixture.address)
        .args(["export", "--format", "csv", "--out"])
        .arg(&out)
        .output()
        .expect("the program runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    assert!(String::from_utf8_lossy(&run.stderr).contains("260 rows"));
    let text = std::fs::read_to_string(&out).expect("written");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let names: Vec<String> = reader
        .deserialize::<std::collections::BTreeMap<String, String>>()
        .map(|row| row.expect("a row")["item_name"].clone())
        .collect();
    assert_eq!(names.len() as i64, LINES);
    assert!(names.contains(&format!("'{FORMULA}")));
}
