//! Workbooks that unpack to more than they look, or are none.

use std::io::Write;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::case::Case;
use super::random::Random;

const TYPES: &str = r#"<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/></Types>"#;
const RELS: &str = r#"<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#;
const BOOK: &str = r#"<?xml version="1.0"?><workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="S" sheetId="1" r:id="rId1"/></sheets></workbook>"#;
const BOOK_RELS: &str = r#"<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings" Target="sharedStrings.xml"/></Relationships>"#;
const HEAD: &str = r#"<row r="1"><c r="A1" t="inlineStr"><is><t>item_id</t></is></c><c r="B1" t="inlineStr"><is><t>location_id</t></is></c><c r="C1" t="inlineStr"><is><t>date</t></is></c><c r="D1" t="inlineStr"><is><t>qty</t></is></c></row>"#;

pub fn good() -> Vec<u8> {
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet();
    for (at, name) in ["item_id", "location_id", "date", "qty"].into_iter().enumerate() {
        sheet.write(0, at as u16, name).expect("a cell");
    }
    for row in 1..60u32 {
        sheet.write(row, 0, format!("A{row}")).expect("a cell");
        sheet.write(row, 1, "S1").expect("a cell");
        sheet.write(row, 2, format!("2026-02-{:02}", 1 + row % 28)).expect("a cell");
        sheet.write(row, 3, row).expect("a cell");
    }
    book.save_to_buffer().expect("a workbook")
}

fn archive(parts: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, bytes) in parts {
        zip.start_file(*name, options).expect("an entry");
        zip.write_all(bytes).expect("an entry");
    }
    zip.finish().expect("an archive").into_inner()
}

fn book(sheet: &str, shared: &str) -> Vec<u8> {
    archive(&[
        ("[Content_Types].xml", TYPES.into()),
        ("_rels/.rels", RELS.into()),
        ("xl/workbook.xml", BOOK.into()),
        ("xl/_rels/workbook.xml.rels", BOOK_RELS.into()),
        ("xl/worksheets/sheet1.xml", sheet.into()),
        ("xl/sharedStrings.xml", shared.into()),
    ])
}

fn sheet(inside: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><worksheet xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\">\
         {inside}</worksheet>"
    )
}

fn data(rows: &str) -> String {
    sheet(&format!("<sheetData>{HEAD}{rows}</sheetData>"))
}

fn strings(inside: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><sst xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\" {inside}</sst>"
    )
}

const NO_STRINGS: &str = "count=\"0\" uniqueCount=\"0\">";

pub fn cases(random: &mut Random) -> Vec<Case> {
    let mut cases = sheets();
    cases.extend(archives());
    let good = good();
    for n in 0..12 {
        let cut = good.len() * (n + 1) / 14;
        cases.push(Case::new(&format!("cut-{n}.xlsx"), "sales", &good[..cut]));
    }
    for n in 0..25 {
        cases.push(Case::new(&format!("mutated-{n}.xlsx"), "sales", random.mutate(&good)));
    }
    // The same damage inside of an archive that is whole.
    let inside = data(r#"<row r="2"><c r="A2" t="s"><v>0</v></c><c r="D2"><v>3</v></c></row>"#);
    for n in 0..25 {
        let damaged = String::from_utf8_lossy(&random.mutate(inside.as_bytes())).into_owned();
        let shared = strings("count=\"1\" uniqueCount=\"1\"><si><t>A</t></si>");
        cases.push(Case::new(&format!("xml-{n}.xlsx"), "sales", book(&damaged, &shared)));
    }
    cases
}

fn sheets() -> Vec<Case> {
    let laughs = {
        let mut text = "<?xml version=\"1.0\"?><!DOCTYPE l [<!ENTITY a \"ha\">".to_owned();
        for (at, name) in ('b'..='j').enumerate() {
            let before = (b'a' + at as u8) as char;
            text.push_str(&format!("<!ENTITY {name} \"{}\">", format!("&{before};").repeat(10)));
        }
        format!(
            "{text}]><worksheet><sheetData><row r=\"1\"><c t=\"inlineStr\"><is><t>&j;</t></is></c></row></sheetData></worksheet>"
        )
    };
    let cell = |r: &str, v: &str| format!("<c r=\"{r}\"><v>{v}</v></c>");
    let row = |n: u64, cells: &str| format!("<row r=\"{n}\">{cells}</row>");
    let far: String = (0..200)
        .map(|n| row(1_000_000 + n, &cell(&format!("XFD{}", 1_000_000 + n), "1")))
        .collect();
    let many: String = (2..40_000).map(|n| row(n, &cell(&format!("A{n}"), "1"))).collect();
    let texts: Vec<(&str, String, String)> = vec![
        ("no-rows.xlsx", sheet("<sheetData/>"), strings(NO_STRINGS)),
        ("no-data.xlsx", sheet(""), strings(NO_STRINGS)),
        ("not-xml.xlsx", "not xml".to_owned(), strings(NO_STRINGS)),
        ("laughs.xlsx", laughs, strings(NO_STRINGS)),
        ("far.xlsx", data(&far), strings(NO_STRINGS)),
        ("last-cell.xlsx", data(&row(1_048_576, &cell("XFD1048576", "1"))), strings(NO_STRINGS)),
        (
            "beyond.xlsx",
            data(&row(4_294_967_295, &cell("ZZZZZZ4294967295", "1"))),
            strings(NO_STRINGS),
        ),
        ("zero-row.xlsx", data(&row(0, &cell("A0", "1"))), strings(NO_STRINGS)),
        ("no-letter.xlsx", data(&row(2, &cell("22", "1"))), strings(NO_STRINGS)),
        (
            "backwards.xlsx",
            data(&(row(9, &cell("A9", "1")) + &row(3, &cell("A3", "1")))),
            strings(NO_STRINGS),
        ),
        (
            "dimension.xlsx",
            sheet(&format!("<dimension ref=\"A1:XFD1048576\"/><sheetData>{HEAD}</sheetData>")),
            strings(NO_STRINGS),
        ),
        (
            "dimension-odd.xlsx",
            sheet(&format!("<dimension ref=\"ZZZZ99999999999:A\"/><sheetData>{HEAD}</sheetData>")),
            strings(NO_STRINGS),
        ),
        (
            "count.xlsx",
            data(""),
            strings("count=\"4294967295\" uniqueCount=\"4294967295\"><si><t>A</t></si>"),
        ),
        (
            "count-huge.xlsx",
            data(""),
            strings("count=\"1\" uniqueCount=\"18446744073709551615\"><si><t>A</t></si>"),
        ),
        (
            "index.xlsx",
            data("<row r=\"2\"><c r=\"A2\" t=\"s\"><v>999</v></c></row>"),
            strings(NO_STRINGS),
        ),
        (
            "index-text.xlsx",
            data("<row r=\"2\"><c r=\"A2\" t=\"s\"><v>-1</v></c></row>"),
            strings(NO_STRINGS),
        ),
        (
            "style.xlsx",
            data("<row r=\"2\"><c r=\"A2\" s=\"99999\"><v>1</v></c></row>"),
            strings(NO_STRINGS),
        ),
        (
            "numbers.xlsx",
            data(&row(
                2,
                &["1e309", "NaN", "-inf", "1e-999"]
                    .iter()
                    .enumerate()
                    .map(|(at, v)| cell(&format!("{}2", (b'A' + at as u8) as char), v))
                    .collect::<String>(),
            )),
            strings(NO_STRINGS),
        ),
        (
            "type.xlsx",
            data("<row r=\"2\"><c r=\"A2\" t=\"zz\"><v>1</v></c></row>"),
            strings(NO_STRINGS),
        ),
        (
            "open.xlsx",
            data("<row r=\"2\"><c r=\"A2\"><v>1").replace("</sheetData></worksheet>", ""),
            strings(NO_STRINGS),
        ),
        ("deep.xlsx", data(&"<row r=\"2\">".repeat(20_000)), strings(NO_STRINGS)),
        ("many.xlsx", data(&many), strings(NO_STRINGS)),
        (
            "merged.xlsx",
            sheet(&format!(
                "<sheetData>{HEAD}</sheetData><mergeCells count=\"99999999\"><mergeCell ref=\"A1:XFD1048576\"/></mergeCells>"
            )),
            strings(NO_STRINGS),
        ),
        (
            "long-string.xlsx",
            data("<row r=\"2\"><c r=\"A2\" t=\"s\"><v>0</v></c></row>"),
            strings(&format!(
                "count=\"1\" uniqueCount=\"1\"><si><t>{}</t></si>",
                "x".repeat(8 << 20)
            )),
        ),
    ];
    texts
        .into_iter()
        .map(|(name, inside, shared)| Case::new(name, "sales", book(&inside, &shared)))
        .collect()
}

fn archives() -> Vec<Case> {
    let zeros = vec![b' '; 300 << 20];
    let bomb = archive(&[("xl/worksheets/sheet1.xml", zeros)]);
    // The directory claims eleven bytes where 64 MiB come out.
    let mut lying = book(&data(&" ".repeat(64 << 20)), &strings(NO_STRINGS));
    for at in 0..lying.len() - 4 {
        let near = u32::from_le_bytes(lying[at..at + 4].try_into().expect("four"));
        if (64 << 20..(64 << 20) + 4_096).contains(&near) {
            lying[at..at + 4].copy_from_slice(&11u32.to_le_bytes());
        }
    }
    let entries: Vec<(String, Vec<u8>)> =
        (0..10_050).map(|n| (format!("xl/x{n}.xml"), Vec::new())).collect();
    let entries: Vec<(&str, Vec<u8>)> =
        entries.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
    let nested = archive(&[("xl/workbook.xml", bomb.clone())]);
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("bomb.xlsx", bomb),
        ("lying.xlsx", lying),
        ("nested.xlsx", nested),
        ("entries.xlsx", archive(&entries)),
        ("no-book.xlsx", archive(&[("[Content_Types].xml", TYPES.into())])),
        ("empty-zip.xlsx", b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec()),
        ("empty.xlsx", Vec::new()),
        ("csv.xlsx", super::texts::good(3)),
        ("ole.xlsx", [b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec(), vec![0; 4_096]].concat()),
        (
            "traversal.xlsx",
            archive(&[("../../etc/passwd", b"x".to_vec()), ("xl/workbook.xml", BOOK.into())]),
        ),
        (
            "no-sheet.xlsx",
            archive(&[
                ("_rels/.rels", RELS.into()),
                ("xl/workbook.xml", BOOK.into()),
                ("xl/_rels/workbook.xml.rels", BOOK_RELS.into()),
            ]),
        ),
    ];
    cases.into_iter().map(|(name, bytes)| Case::new(name, "sales", bytes)).collect()
}
