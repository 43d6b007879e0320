//! Parquet with damaged headers, footers and pages.

use polars::prelude::*;

use super::case::Case;
use super::random::Random;

pub fn good(rows: usize) -> Vec<u8> {
    let items: Vec<String> = (0..rows).map(|row| format!("item-{}", row / 28)).collect();
    let dates: Vec<String> = (0..rows).map(|row| format!("2026-02-{:02}", 1 + row % 28)).collect();
    let places = vec!["S1"; rows];
    let quantities: Vec<i64> = (0..rows as i64).map(|row| row % 17).collect();
    let prices: Vec<f64> = (0..rows).map(|row| row as f64).collect();
    let mut frame = df!(
        "item_id" => items,
        "location_id" => places,
        "date" => dates,
        "qty" => quantities,
        "price_minor" => prices,
    )
    .expect("a frame");
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes)
        .with_compression(ParquetCompression::Uncompressed)
        .with_row_group_size(Some(1_000))
        .finish(&mut frame)
        .expect("a file");
    bytes
}

/// Where the footer begins: its length stands before the last four bytes.
fn footer(bytes: &[u8]) -> usize {
    let length: [u8; 4] = bytes[bytes.len() - 8..bytes.len() - 4].try_into().expect("four");
    bytes.len() - 8 - u32::from_le_bytes(length) as usize
}

pub fn cases(random: &mut Random) -> Vec<Case> {
    let good = good(3_000);
    let start = footer(&good);
    let with_length = |length: u32| {
        let mut bytes = good.clone();
        let at = bytes.len() - 8;
        bytes[at..at + 4].copy_from_slice(&length.to_le_bytes());
        bytes
    };
    // Thrift's own bombs: a list that claims two thousand million members, a field of a huge text.
    let thrift = |footer: &[u8]| {
        let mut bytes = b"PAR1".to_vec();
        bytes.extend_from_slice(footer);
        bytes.extend_from_slice(&(footer.len() as u32).to_le_bytes());
        bytes.extend_from_slice(b"PAR1");
        bytes
    };
    let fixed: Vec<(&str, Vec<u8>)> = vec![
        ("empty.parquet", Vec::new()),
        ("magic.parquet", b"PAR1".to_vec()),
        ("two-magics.parquet", b"PAR1PAR1".to_vec()),
        ("no-footer.parquet", b"PAR1\0\0\0\0PAR1".to_vec()),
        ("csv.parquet", super::texts::good(5)),
        ("encrypted.parquet", b"PARE\x01\x02\x03\x04\x04\0\0\0PARE".to_vec()),
        ("length-max.parquet", with_length(u32::MAX)),
        ("length-half.parquet", with_length(i32::MAX as u32)),
        ("length-all.parquet", with_length(good.len() as u32 - 8)),
        ("length-more.parquet", with_length(good.len() as u32)),
        ("length-one.parquet", with_length(1)),
        ("list.parquet", thrift(b"\x15\x02\x19\xfc\xff\xff\xff\xff\x07")),
        ("list-structs.parquet", thrift(b"\x15\x02\x19\xfc\x80\x80\x80\x80\x01\x00")),
        ("text.parquet", thrift(b"\x15\x02\x28\xff\xff\xff\xff\x07")),
        (
            "rows.parquet",
            thrift(b"\x15\x02\x19\x0c\x16\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\x19\x0c\x00"),
        ),
        ("nested.parquet", thrift(&[0x1c; 100_000])),
        ("varint.parquet", thrift(&[0xff; 64])),
    ];
    let mut cases: Vec<Case> =
        fixed.into_iter().map(|(name, bytes)| Case::new(name, "sales", bytes)).collect();
    for n in 0..8 {
        let cut = good.len() * (n + 1) / 9;
        cases.push(Case::new(&format!("cut-{n}.parquet"), "sales", &good[..cut]));
    }
    for n in 0..50 {
        let mut bytes = good.clone();
        for _ in 0..=random.below(4) {
            let at = start + random.below(bytes.len() - 8 - start);
            bytes[at] = random.next() as u8;
        }
        cases.push(Case::new(&format!("footer-{n}.parquet"), "sales", bytes));
    }
    for n in 0..40 {
        let mut bytes = good.clone();
        for _ in 0..=random.below(6) {
            // The first bytes of a chunk are its page's header.
            let at = 4 + if n % 2 == 0 { random.below(60) } else { random.below(start - 4) };
            bytes[at] = random.next() as u8;
        }
        cases.push(Case::new(&format!("pages-{n}.parquet"), "sales", bytes));
    }
    for n in 0..10 {
        cases.push(Case::new(&format!("mutated-{n}.parquet"), "sales", random.mutate(&good)));
    }
    cases
}
