//! XLSX: cells streamed as text, so that our parser decides what they are. The unpacked size is
//! counted before anything is parsed: half a megabyte can hold half a gigabyte.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use anyhow::Context;
use calamine::{DataRef, ExcelDateTime, Reader, Xlsx};

use crate::config::{Problem, RejectCode};

use super::Limits;
use super::chunk::{Cells, Chunk, ChunkReader, TextColumn};
use super::map::Map;

const ENTRIES_MAX: usize = 10_000;

/// A worksheet read into one chunk; its size is bounded by the limit on unpacked bytes.
pub struct WorkbookReader {
    headers: Vec<String>,
    chunk: Option<Chunk>,
}

impl WorkbookReader {
    pub fn open(path: &Path, map: &Map, limits: &Limits) -> anyhow::Result<WorkbookReader> {
        let name = path.display().to_string();
        check_unpacked(path, &name, limits)?;
        let file = File::open(path).with_context(|| format!("cannot read {name}"))?;
        let mut book: Xlsx<_> = Xlsx::new(BufReader::new(file))
            .with_context(|| format!("{name} is not a workbook that can be read"))?;
        let sheets = book.sheet_names();
        let sheet = match &map.sheet {
            Some(sheet) if sheets.contains(sheet) => sheet.clone(),
            Some(sheet) => {
                anyhow::bail!("{name} has no sheet `{sheet}`; it has {}", sheets.join(", "))
            }
            None => sheets.first().cloned().with_context(|| format!("{name} has no sheet"))?,
        };
        let rows = rows(&mut book, &sheet, &name)?;
        let mut rows = rows.into_iter();
        let (_, header) =
            rows.next().with_context(|| format!("{name}: the sheet `{sheet}` is empty"))?;
        let width = header.keys().next_back().map_or(0, |last| *last as usize + 1);
        anyhow::ensure!(width <= 1_000, "{name}: the header is {width} columns wide");
        let blank = String::new();
        let headers = super::checked_headers(
            (0..width as u32).map(|at| header.get(&at).unwrap_or(&blank).as_str()),
            &name,
        )?;
        let mut columns: Vec<TextColumn> = headers.iter().map(|_| TextColumn::default()).collect();
        let mut row_numbers = Vec::new();
        let mut bad = BTreeMap::new();
        for (number, cells) in rows {
            if let Some((&last, _)) = cells.last_key_value()
                && last as usize >= width
            {
                let reason = format!("a value in column {}; the header has {width}", last + 1);
                bad.insert(row_numbers.len(), Problem::new(RejectCode::LongRow, "", reason));
            }
            for (at, column) in columns.iter_mut().enumerate() {
                column.push(cells.get(&(at as u32)).map(String::as_str));
            }
            row_numbers.push(number + 1);
        }
        let columns = columns.into_iter().map(Cells::Text).collect();
        Ok(WorkbookReader { headers, chunk: Some(Chunk { row_numbers, columns, bad }) })
    }
}

/// Refuses an archive whose entries claim, or turn out, to unpack to more than the limit.
fn check_unpacked(path: &Path, name: &str, limits: &Limits) -> anyhow::Result<()> {
    let file = File::open(path).with_context(|| format!("cannot read {name}"))?;
    let mut archive = zip::ZipArchive::new(BufReader::new(file))
        .with_context(|| format!("{name} is not a workbook that can be read"))?;
    anyhow::ensure!(archive.len() <= ENTRIES_MAX, "{name} holds {} files", archive.len());
    let over = |bytes: u64| {
        anyhow::anyhow!(
            "{name} unpacks to {bytes} bytes or more, over the limit of {}",
            limits.unpacked_bytes
        )
    };
    let mut declared = 0u64;
    for at in 0..archive.len() {
        let entry = archive.by_index_raw(at).with_context(|| format!("cannot read {name}"))?;
        declared = declared.saturating_add(entry.size());
    }
    if declared > limits.unpacked_bytes {
        return Err(over(declared));
    }
    let mut actual = 0u64;
    for at in 0..archive.len() {
        let entry = archive.by_index(at).with_context(|| format!("cannot unpack {name}"))?;
        let mut rest = entry.take(limits.unpacked_bytes + 1 - actual);
        actual += std::io::copy(&mut rest, &mut std::io::sink())
            .with_context(|| format!("cannot unpack {name}"))?;
        if actual > limits.unpacked_bytes {
            return Err(over(actual));
        }
    }
    Ok(())
}

type Cellsets = Vec<(u32, BTreeMap<u32, String>)>;

/// Rows that hold something, as sparse cells: a lone cell in the last corner costs one entry.
fn rows<R: Read + std::io::Seek>(
    book: &mut Xlsx<R>,
    sheet: &str,
    name: &str,
) -> anyhow::Result<Cellsets> {
    let wrong = || format!("{name}: cannot read the sheet `{sheet}`");
    let mut reader = book.worksheet_cells_reader(sheet).with_context(wrong)?;
    let mut rows: Cellsets = Vec::new();
    while let Some(cell) = reader.next_cell().with_context(wrong)? {
        let (row, column) = cell.get_position();
        let Some(text) = text(cell.get_value()) else { continue };
        match rows.last_mut() {
            Some((last, cells)) if *last == row => {
                cells.insert(column, text);
            }
            Some((last, _)) if *last > row => {
                anyhow::bail!("{name}: the rows of the sheet `{sheet}` are out of order")
            }
            _ => rows.push((row, BTreeMap::from([(column, text)]))),
        }
    }
    Ok(rows)
}

/// `None` for an empty cell. An error value (#N/A) stays as text and fails as any wrong text does.
fn text(value: &DataRef) -> Option<String> {
    let text = match value {
        DataRef::Empty => return None,
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => {
            text.clone()
        }
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::Int(value) => value.to_string(),
        DataRef::Float(value) => value.to_string(),
        DataRef::Bool(value) => value.to_string(),
        DataRef::Error(error) => error.to_string(),
        DataRef::DateTime(at) => date_text(at),
    };
    (!text.trim().is_empty()).then_some(text)
}

/// A cell with a date format, as ISO 8601. Day 60 of the 1900 system never was.
fn date_text(at: &ExcelDateTime) -> String {
    let serial = at.as_f64();
    if at.is_duration() || !(0.0..=3_000_000.0).contains(&serial) {
        return serial.to_string();
    }
    let (year, month, day, hour, minute, second, _) = at.to_ymd_hms_milli();
    if serial.fract() == 0.0 {
        return format!("{year:04}-{month:02}-{day:02}");
    }
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
}

impl ChunkReader for WorkbookReader {
    fn headers(&self) -> &[String] {
        &self.headers
    }

    fn select(&mut self, _wanted: Vec<bool>) {}

    fn next_chunk(&mut self) -> anyhow::Result<Option<Chunk>> {
        Ok(self.chunk.take().filter(|chunk| !chunk.is_empty()))
    }
}
