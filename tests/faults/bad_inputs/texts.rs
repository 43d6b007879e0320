//! Texts that are no tables, or tables of nonsense.

use super::case::{Case, What};
use super::random::Random;

const HEADER: &str = "item_id,location_id,date,qty";

pub fn good(rows: usize) -> Vec<u8> {
    let mut text = format!("{HEADER}\n");
    for row in 0..rows {
        let day = 1 + row % 28;
        text.push_str(&format!("item-{},S{},2026-02-{day:02},{}\n", row / 28, row % 3, row % 17));
    }
    text.into_bytes()
}

fn utf16(text: &str, big: bool) -> Vec<u8> {
    let units = text.encode_utf16();
    units.flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
}

/// One row under the usual header.
fn row(cells: &str) -> Vec<u8> {
    format!("{HEADER}\n{cells}\nA,S1,2026-02-01,3\n").into_bytes()
}

pub fn cases(random: &mut Random) -> Vec<Case> {
    let mut cases = cells();
    cases.extend(shapes());
    cases.extend(encodings());
    for n in 0..40 {
        let bytes = random.mutate(&good(60));
        cases.push(Case::new(&format!("mutated-{n}.csv"), "sales", bytes));
    }
    for n in 0..6 {
        let bytes: Vec<u8> = (0..4_096).map(|_| random.next() as u8).collect();
        cases.push(Case::new(&format!("noise-{n}.csv"), "sales", bytes));
    }
    cases
}

fn cells() -> Vec<Case> {
    let numbers = [
        "1e309",
        "-1e309",
        "NaN",
        "inf",
        "-Infinity",
        "1e-400",
        "9e18",
        "-9223372036854775808",
        "99999999999999999999999999",
        "0x10",
        "1_000",
        "١٢٣",
        "３",
        "1e",
        ".",
        "-",
        "+",
        "--1",
        "1.2.3",
        "1e1e1",
        "\u{2212}3",
        "1/2",
        "#N/A",
        "=1+1",
        "TRUE",
        "1e2147483648",
        "0.1e-2147483649",
    ];
    let dates = [
        "0000-01-01",
        "0000-00-00",
        "99999-01-01",
        "-0001-01-01",
        "2026-02-29",
        "2026-13-01",
        "2026-00-10",
        "9999-12-31",
        "1970-01-01T25:00:00",
        "20260230",
        "1e9",
        "45000",
        "２０２６-01-01",
        "2026-01-01T00:00:00+99:99",
        "٢٠٢٦-01-01",
        "Feb 30 2026",
        "2026-W99-9",
        "2026-366",
    ];
    let long = "x".repeat(1_001);
    let ids = [
        "=cmd|' /C calc'!A0",
        "../../etc/passwd",
        "\u{202e}evil",
        "\u{0}",
        "\u{1b}[31m",
        "\u{feff}",
        "\u{200b}",
        "'; DROP TABLE sales; --",
        "{item_id}",
        "%s%n",
        long.as_str(),
        "\u{10ffff}",
    ];
    let mut cases = Vec::new();
    for (n, number) in numbers.iter().enumerate() {
        cases.push(Case::new(
            &format!("number-{n}.csv"),
            "sales",
            row(&format!("A,S1,2026-02-02,{number}")),
        ));
    }
    for (n, date) in dates.iter().enumerate() {
        cases.push(Case::new(&format!("date-{n}.csv"), "sales", row(&format!("A,S1,{date},3"))));
    }
    for (n, id) in ids.iter().enumerate() {
        cases.push(Case::new(
            &format!("id-{n}.csv"),
            "sales",
            row(&format!("{id},S1,2026-02-02,3")),
        ));
    }
    cases
}

fn shapes() -> Vec<Case> {
    let wide = (0..10_000).map(|n| format!("c{n}")).collect::<Vec<_>>().join(",");
    let many_fields = format!("{HEADER}\nA{}\n", ",x".repeat(500_000));
    let mut conflicts = format!("{HEADER}\n");
    for n in 0..20_000 {
        conflicts.push_str(&format!("A,S1,2026-02-01,{n}\n"));
    }
    let open = |before: &str| {
        let mut bytes = format!("{HEADER}\n{before}\"A,S1,2026-02-01,3\n").into_bytes();
        while bytes.len() < 40 << 20 {
            bytes.extend_from_slice(b"A,S1,2026-02-01,3\n");
        }
        bytes
    };
    let texts: Vec<(&str, Vec<u8>)> = vec![
        ("empty.csv", Vec::new()),
        ("newline.csv", b"\n".to_vec()),
        ("newlines.csv", b"\r\n\n\r\r\n".to_vec()),
        ("bom.csv", b"\xef\xbb\xbf".to_vec()),
        ("header.csv", HEADER.as_bytes().to_vec()),
        ("header-bom.csv", format!("\u{feff}{HEADER}\n").into_bytes()),
        ("two-boms.csv", format!("\u{feff}\u{feff}{HEADER}\nA,S1,2026-02-01,3\n").into_bytes()),
        ("bom-inside.csv", row("\u{feff}A,S1,2026-02-02,3")),
        ("nul-header.csv", b"item\0_id,location_id,date,qty\nA,S1,2026-02-01,3\n".to_vec()),
        ("nul-cell.csv", row("A\0B,S1,2026-02-02,3")),
        ("nuls.csv", vec![0; 3 << 20]),
        ("twice.csv", b"item_id,item_id,location_id,date,qty\nA,B,S1,2026-02-01,3\n".to_vec()),
        ("twice-case.csv", b"item_id,ITEM_ID,location_id,date,qty\nA,B,S1,2026-02-01,3\n".to_vec()),
        ("blank-name.csv", b"item_id,,location_id,date,qty\nA,B,S1,2026-02-01,3\n".to_vec()),
        ("wide.csv", wide.into_bytes()),
        ("long-name.csv", format!("{},b\n1,2\n", "n".repeat(2 << 20)).into_bytes()),
        ("commas.csv", ",".repeat(2 << 20).into_bytes()),
        ("many-fields.csv", many_fields.into_bytes()),
        ("open-quote.csv", open("")),
        ("open-quote-later.csv", open("A,S1,2026-02-02,1\n")),
        ("open-quote-end.csv", format!("{HEADER}\nA,S1,2026-02-01,\"3").into_bytes()),
        ("quotes.csv", format!("{HEADER}\n{}\n", "\"".repeat(3 << 20)).into_bytes()),
        ("quote-inside.csv", row("A\"B\"C,S1,2026-02-02,3")),
        ("long-cell.csv", row(&format!("{},S1,2026-02-02,3", "x".repeat(900_000)))),
        ("longer-cell.csv", row(&format!("{},S1,2026-02-02,3", "x".repeat(5 << 20)))),
        ("short-rows.csv", format!("{HEADER}\n{}", "A\n".repeat(30_000)).into_bytes()),
        (
            "long-rows.csv",
            format!("{HEADER}\n{}", "A,S1,2026-02-01,3,,,\n".repeat(20_000)).into_bytes(),
        ),
        (
            "ragged.csv",
            format!("{HEADER}\nA\nA,S1\nA,S1,2026-02-01\n\nA,S1,2026-02-01,3,4\n").into_bytes(),
        ),
        ("cr-only.csv", format!("{HEADER}\rA,S1,2026-02-01,3\r").into_bytes()),
        (
            "mixed-ends.csv",
            format!("{HEADER}\r\nA,S1,2026-02-01,3\nB,S1,2026-02-01,3\r\r\nC,S1,2026-02-01,3")
                .into_bytes(),
        ),
        ("semicolons.csv", b"item_id;location_id;date;qty\nA;S1;2026-02-01;3\n".to_vec()),
        ("conflicts.csv", conflicts.into_bytes()),
        (
            "unknown-column.csv",
            b"item_id,location_id,date,qty,qtty\nA,S1,2026-02-01,3,4\n".to_vec(),
        ),
        (
            "gzip.csv",
            b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xcb\x48\xcd\xc9\xc9\x07\0\x86\xa6\x10\x36\x05\0\0\0"
                .to_vec(),
        ),
        ("elf.csv", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0>\0".to_vec()),
        ("zip.csv", b"PK\x03\x04\x14\0\0\0\x08\0".to_vec()),
        ("no-ending", good(2)),
        ("other.pdf", b"%PDF-1.7".to_vec()),
        ("old.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec()),
    ];
    let mut cases: Vec<Case> =
        texts.into_iter().map(|(name, bytes)| Case::new(name, "sales", bytes)).collect();
    cases.push(Case { file: "folder.csv".to_owned(), kind: "sales", what: What::Folder });
    for (name, to) in [
        ("zero.csv", "/dev/zero"),
        ("zero.xlsx", "/dev/zero"),
        ("zero.parquet", "/dev/zero"),
        ("zero.ics", "/dev/zero"),
        ("null.csv", "/dev/null"),
        ("urandom.csv", "/dev/urandom"),
        ("gone.csv", "nowhere"),
    ] {
        cases.push(Case { file: name.to_owned(), kind: "sales", what: What::Link(to) });
    }
    let log = "shopper_hash,item_id,event,at\nme,A,view,0000-00-00T99:99:99Z\n\u{0},A,view,x\n";
    cases.push(Case::new("log.csv", "event_log", log));
    let terms = "item_id,location_id,supplier_id,price_breaks\nA,S1,V,[[1e99,1]]\nA,S1,V,[[[[[[\n";
    cases.push(Case::new("terms.csv", "supply_terms", terms));
    let nested =
        format!("item_id,location_id,supplier_id,price_breaks\nA,S1,V,{}\n", "[".repeat(9_000));
    cases.push(Case::new("nested.csv", "supply_terms", nested));
    cases
}

fn encodings() -> Vec<Case> {
    let text = String::from_utf8(good(20)).expect("ASCII");
    let chinese = "item_id,location_id,date,qty\n咖啡,店,2026-02-01,3\n";
    let mut latin = row("X,S1,2026-02-02,3");
    latin.extend_from_slice(b"caf\xe9,S1,2026-02-03,3\n");
    let mut mixed = chinese.as_bytes().to_vec();
    mixed.extend_from_slice(b"\xbf\xa7\xb7\xc8,S1,2026-02-03,3\n");
    let mut odd = b"\xff\xfe".to_vec();
    odd.extend(utf16(&text, false));
    odd.push(0x41);
    let with = |mark: &[u8], bytes: Vec<u8>| [mark.to_vec(), bytes].concat();
    let lone = with(b"\xff\xfe", [utf16(HEADER, false), b"\n\0\x00\xd8\x41\0".to_vec()].concat());
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("utf16le.csv", with(b"\xff\xfe", utf16(chinese, false))),
        ("utf16be.csv", with(b"\xfe\xff", utf16(chinese, true))),
        ("utf16-odd.csv", odd),
        ("utf16-no-bom.csv", utf16(&text, false)),
        ("utf16-lone.csv", lone),
        (
            "utf32.csv",
            with(b"\xff\xfe\0\0", text.chars().flat_map(|c| (c as u32).to_le_bytes()).collect()),
        ),
        (
            "gb18030.csv",
            b"item_id,location_id,date,qty\n\xbf\xa7\xb7\xc8,S1,2026-02-01,3\n".to_vec(),
        ),
        ("latin1.csv", latin),
        ("mixed.csv", mixed),
        ("overlong.csv", row("A").into_iter().chain(*b"\xc0\xaf,S1,2026-02-02,3\n").collect()),
        ("surrogate.csv", row("A").into_iter().chain(*b"\xed\xa0\x80,S1,2026-02-02,3\n").collect()),
        ("cut-utf8.csv", [row("A,S1,2026-02-02,3"), b"\xe5\x92".to_vec()].concat()),
        ("latin1.ics", b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:caf\xe9\r\n".to_vec()),
    ];
    cases.into_iter().map(|(name, bytes)| Case::new(name, "sales", bytes)).collect()
}
