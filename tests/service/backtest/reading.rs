//! Tables to series: what is missing, what is refused, and that the books balance.

use std::path::Path;

use granary::jobs::backtest::{Columns, Freq, LongTable, read_table};
use proptest::prelude::*;

use super::*;

fn read(path: &Path, freq: Freq) -> anyhow::Result<LongTable> {
    read_table(path, freq, &Columns::default(), &|_| {})
}

/// `a: 2024-01-01=1 2024-01-03=.`, one line a series; `.` is a row without a value.
fn shown(table: &LongTable) -> String {
    let mut lines = Vec::new();
    for (series, id) in table.ids.iter().enumerate() {
        let rows = table.rows(series).map(|row| {
            let y = table.y[row];
            let value = if y.is_nan() { ".".to_owned() } else { y.to_string() };
            format!(" {}={value}", table.clock.text(table.step[row]))
        });
        lines.push(format!("{id}:{}", rows.collect::<String>()));
    }
    lines.join("\n")
}

fn check(csv: &str, freq: Freq, want: &str) {
    let desk = Desk::open();
    let table = read(&desk.file("panel.csv", csv), freq).expect(csv);
    assert_eq!(shown(&table), want, "{csv}");
    assert!(table.books.balanced(), "{:?}", table.books);
}

#[test]
fn rows_become_sorted_series() {
    check(
        "unique_id,ds,y\nb,2024-01-02,3\na,2024-01-03,1\nb,2024-01-01,2.5\na,2024-01-01,\n",
        Freq::Day,
        "a: 2024-01-01=. 2024-01-03=1\nb: 2024-01-01=2.5 2024-01-02=3",
    );
    check("unique_id,ds,y\n 007 ,2024-01-01, 1e2 \n", Freq::Day, "007: 2024-01-01=100");
    check(
        "ds,Y,unique_id,extra\n2024-01-01 00:00:00,NaN,a,?\n2024-01-02T00:00:00,0,a,\n",
        Freq::Day,
        "a: 2024-01-01=. 2024-01-02=0",
    );
    check("unique_id,ds,y\na,2024-01-07,1\na,2024-01-21,2\n", Freq::Week, {
        "a: 2024-01-07=1 2024-01-21=2"
    });
    check("unique_id,ds,y\na,2024-01-31,1\na,2024-02-29,2\n", Freq::Month, {
        "a: 2024-01-31=1 2024-02-29=2"
    });
    check("unique_id,ds,y\na,2024-01-01 23:30,1\na,2024-01-02 00:30,2\n", Freq::Hour, {
        "a: 2024-01-01T23:30:00=1 2024-01-02T00:30:00=2"
    });
    check("unique_id,ds,y\na,-3,1\na,4.0,2\n", Freq::Step, "a: -3=1 4=2");
}

#[test]
fn the_books_say_what_is_missing_and_unused() {
    let desk = Desk::open();
    let csv = "unique_id,ds,y,available,shop\n\
               a,2024-01-01,1,1,x\na,2024-01-04,,1,x\na,2024-01-05,2,0.5,x\na,2024-01-06,2,,x\n\
               a,2024-01-07,,,x\n";
    let table = read(&desk.file("panel.csv", csv), Freq::Day).expect("a table");
    let books = table.books;
    assert_eq!((books.rows, books.observed, books.missing), (5, 3, 2));
    assert_eq!((books.gaps, books.future, books.partly_available), (2, 1, 2));
    let notes = table.notes.join("; ");
    for said in [
        "steps inside series without a row, missing and not zero: 2",
        "rows without a y, missing and not zero: 1",
        "rows after the last y, in no window: 1",
        "rows that were not wholly available, in no score: 2",
        "not used: shop",
    ] {
        assert!(notes.contains(said), "{notes}");
    }
    let columns = Columns { ignore: vec!["available".into()], ..Columns::default() };
    let path = desk.path("panel.csv");
    let table = read_table(&path, Freq::Day, &columns, &|_| {}).expect("a table");
    assert_eq!((table.books.partly_available, table.available.is_none()), (0, true));
}

fn write_parquet(path: &Path, mut frame: DataFrame) {
    let file = std::fs::File::create(path).expect("a file");
    ParquetWriter::new(file).finish(&mut frame).expect("Parquet");
}

/// Columns as pandas, polars and statsforecast write them are one table.
#[test]
fn parquet_types_are_read_for_what_they_are() {
    let desk = Desk::open();
    let days: Vec<i32> = vec![19_723, 19_724];
    let dates = Column::new("ds".into(), &days).cast(&DataType::Date).expect("dates");
    let texts = Column::new("ds".into(), ["2024-01-01", "2024-01-02"]);
    let mut instants = Vec::new();
    for unit in [TimeUnit::Nanoseconds, TimeUnit::Microseconds, TimeUnit::Milliseconds] {
        instants.push(dates.cast(&DataType::Datetime(unit, None)).expect("instants"));
    }
    let ids = [
        Column::new("unique_id".into(), [7i32, 7]),
        Column::new("unique_id".into(), [7i64, 7]),
        Column::new("unique_id".into(), ["7", "7"]),
    ];
    let values = [
        Column::new("y".into(), [1.5f64, 2.0]),
        Column::new("y".into(), [1.5f32, 2.0]),
        Column::new("y".into(), [Some(1.5f64), Some(2.0)]),
    ];
    for ds in [dates, texts].into_iter().chain(instants) {
        for id in &ids {
            for y in &values {
                let columns = vec![id.clone(), ds.clone(), y.clone()];
                let path = desk.path("panel.parquet");
                write_parquet(&path, DataFrame::new(2, columns).expect("a frame"));
                let table = read(&path, Freq::Day).expect("a table");
                assert_eq!(shown(&table), "7: 2024-01-01=1.5 2024-01-02=2");
            }
        }
    }
    let columns = vec![
        Column::new("unique_id".into(), ["a", "a"]),
        Column::new("ds".into(), [1u32, 2]),
        Column::new("y".into(), [3i16, 4]),
    ];
    let path = desk.path("whole.parquet");
    write_parquet(&path, DataFrame::new(2, columns).expect("a frame"));
    assert_eq!(shown(&read(&path, Freq::Step).expect("a table")), "a: 1=3 2=4");
}

/// A column that nothing uses may be of any type; one that is used is named when it cannot be read.
#[test]
fn a_type_that_cannot_be_read_matters_only_where_it_is_used() {
    let desk = Desk::open();
    let path = desk.path("panel.parquet");
    let columns = vec![
        Column::new("unique_id".into(), ["a"]),
        Column::new("ds".into(), [1i64]),
        Column::new("y".into(), [1.0f64]),
        Column::new("bytes".into(), [[1u8, 2].as_slice()]),
    ];
    write_parquet(&path, DataFrame::new(1, columns).expect("a frame"));
    let table = read(&path, Freq::Step).expect("a table");
    assert!(table.notes.join("; ").contains("not used: bytes"), "{:?}", table.notes);
    let columns = Columns { id: "bytes".into(), ..Columns::default() };
    let error = read_table(&path, Freq::Step, &columns, &|_| {}).expect_err("no name");
    assert!(format!("{error:#}").contains("`bytes` is of a type"), "{error:#}");
}

/// What was cut off, as by a full disk, is refused wherever the cut is.
#[test]
fn a_truncated_parquet_is_refused() {
    let desk = Desk::open();
    let path = desk.path("panel.parquet");
    let columns = vec![
        Column::new("unique_id".into(), ["a", "a", "b"]),
        Column::new("ds".into(), [1i64, 2, 1]),
        Column::new("y".into(), [1.0f64, 2.0, 3.0]),
    ];
    write_parquet(&path, DataFrame::new(3, columns).expect("a frame"));
    let bytes = std::fs::read(&path).expect("a file");
    for length in (0..bytes.len()).step_by(7) {
        std::fs::write(&path, &bytes[..length]).expect("a file");
        let error = read(&path, Freq::Step).expect_err("a part of a file");
        assert!(format!("{error:#}").contains("panel.parquet"), "{error:#}");
    }
}

/// A 32-bit float is its own value, or scores would not be those of the file.
#[test]
fn small_floats_keep_their_value() {
    let desk = Desk::open();
    let columns = vec![
        Column::new("unique_id".into(), ["a"]),
        Column::new("ds".into(), [1i64]),
        Column::new("y".into(), [0.1f32]),
    ];
    let path = desk.path("panel.parquet");
    write_parquet(&path, DataFrame::new(1, columns).expect("a frame"));
    assert_eq!(read(&path, Freq::Step).expect("a table").y, [f64::from(0.1f32)]);
}

/// Cells that have broken readers before.
const NASTY: [&str; 24] = [
    "",
    " ",
    "NaN",
    "inf",
    "-1",
    "1e400",
    "1e-400",
    "-0",
    "0x1f",
    "９",
    "\"",
    "\"\"",
    ",",
    "\n",
    "\r\n",
    "\0",
    "\u{feff}",
    "2024-02-30",
    "9999-12-31",
    "1e15",
    "null",
    "=1+1",
    "\u{1f600}",
    "9223372036854775808",
];

#[derive(Clone, Debug)]
enum Change {
    Byte(usize, u8),
    Insert(usize, usize),
    Cut(usize, usize),
    Repeat(usize),
    Swap(usize, usize),
    Cell(usize, usize, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let at = || any::<usize>();
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        (at(), at()).prop_map(|(at, nasty)| Change::Insert(at, nasty)),
        (at(), 0usize..40).prop_map(|(at, length)| Change::Cut(at, length)),
        at().prop_map(Change::Repeat),
        (at(), at()).prop_map(|(a, b)| Change::Swap(a, b)),
        (at(), at(), at()).prop_map(|(row, cell, nasty)| Change::Cell(row, cell, nasty)),
    ]
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let lines = |bytes: &[u8]| -> Vec<Vec<u8>> {
            bytes.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect()
        };
        let size = bytes.len().max(1);
        match *self {
            Change::Byte(at, byte) => {
                if let Some(place) = bytes.get_mut(at % size) {
                    *place = byte;
                }
            }
            Change::Insert(at, nasty) => {
                let at = (at % size).min(bytes.len());
                bytes.splice(at..at, NASTY[nasty % NASTY.len()].bytes());
            }
            Change::Cut(at, length) => {
                let from = (at % size).min(bytes.len());
                bytes.drain(from..(from + length).min(bytes.len()));
            }
            Change::Repeat(row) => {
                let mut rows = lines(bytes);
                let row = rows[row % rows.len()].clone();
                rows.push(row);
                *bytes = rows.join(&b'\n');
            }
            Change::Swap(a, b) => {
                let mut rows = lines(bytes);
                let count = rows.len();
                rows.swap(a % count, b % count);
                *bytes = rows.join(&b'\n');
            }
            Change::Cell(row, cell, nasty) => {
                let mut rows = lines(bytes);
                let at = row % rows.len();
                let mut cells: Vec<Vec<u8>> =
                    rows[at].split(|&byte| byte == b',').map(<[u8]>::to_vec).collect();
                let cell = cell % cells.len();
                cells[cell] = NASTY[nasty % NASTY.len()].bytes().collect();
                rows[at] = cells.join(&b',');
                *bytes = rows.join(&b'\n');
            }
        }
    }
}

fn valid() -> Vec<u8> {
    let mut text = "unique_id,ds,y,available,category,promo,price\n".to_owned();
    for series in ["a", "b", "ü"] {
        for day in 1..=9 {
            text.push_str(&format!("{series},2024-01-0{day},{day}.5,1,food,0.1,2.99\n"));
        }
    }
    text.into_bytes()
}

/// Rows of a CSV by an ordinary reader, the header left out.
fn rows_of(path: &Path) -> u64 {
    let reader = csv::ReaderBuilder::new().flexible(true).from_path(path);
    reader.expect("a file").into_byte_records().count() as u64
}

proptest! {
    /// A slice of it; `PROPTEST_CASES=100000 cargo test --test backtest mutated` is all of it.
    #[test]
    fn a_mutated_table_is_read_whole_or_refused_with_a_place(
        changes in prop::collection::vec(change(), 1..6),
        freq in prop::sample::select(Freq::ALL.to_vec()),
    ) {
        let mut bytes = valid();
        changes.iter().for_each(|change| change.apply(&mut bytes));
        let desk = Desk::open();
        let path = desk.path("panel.csv");
        std::fs::write(&path, &bytes).expect("a file");
        match read(&path, freq) {
            Ok(table) => {
                prop_assert!(table.books.balanced(), "{:?}", table.books);
                prop_assert_eq!(table.books.rows, rows_of(&path));
                prop_assert_eq!(table.offsets.last().copied(), Some(table.y.len()));
                prop_assert_eq!(table.books.rows, table.y.len() as u64);
                for series in 0..table.len() {
                    let steps = &table.step[table.rows(series)];
                    prop_assert!(!steps.is_empty() && steps.windows(2).all(|w| w[0] < w[1]));
                }
                let inside = |y: &f64| y.is_nan() || (0.0..=1e15).contains(y);
                prop_assert!(table.y.iter().all(inside));
            }
            Err(error) => {
                let said = format!("{error:#}");
                prop_assert!(said.contains("panel.csv") || said.contains("column"), "{said}");
            }
        }
    }
}
