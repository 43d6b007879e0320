//! CSV: bytes to checked text, and rows to chunks. Nothing is guessed and nothing is lossy.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context;
use encoding_rs::{Decoder, DecoderResult, Encoding, GB18030, UTF_8, UTF_16BE, UTF_16LE};

use crate::config::{Problem, RejectCode};

use super::chunk::{Cells, Chunk, ChunkReader, TextColumn};
use super::map::Map;

const CHUNK_ROWS: usize = 32_768;
/// Longer than any honest row; an unclosed quote would otherwise swallow the whole file.
const ROW_BYTES_MAX: usize = 1 << 20;

/// Bytes of a declared encoding as UTF-8. Bytes that the encoding does not allow are an error that
/// names the line.
struct Decoded<R> {
    inner: R,
    decoder: Decoder,
    raw: Vec<u8>,
    raw_at: usize,
    text: Vec<u8>,
    text_at: usize,
    line: u64,
    ended: bool,
    /// The decoder has given its last byte.
    finished: bool,
    /// Bytes given out since the last whole row; the reader of rows sets it back.
    since_row: Arc<AtomicUsize>,
}

impl<R: Read> Decoded<R> {
    fn new(inner: R, encoding: &'static Encoding, since_row: Arc<AtomicUsize>) -> Decoded<R> {
        Decoded {
            inner,
            decoder: encoding.new_decoder_without_bom_handling(),
            raw: Vec::new(),
            raw_at: 0,
            text: Vec::new(),
            text_at: 0,
            line: 1,
            ended: false,
            finished: false,
            since_row,
        }
    }

    fn refill(&mut self) -> io::Result<()> {
        self.text.resize(1 << 16, 0);
        self.text_at = 0;
        if self.raw_at == self.raw.len() && !self.ended {
            self.raw.resize(1 << 15, 0);
            let read = self.inner.read(&mut self.raw)?;
            self.raw.truncate(read);
            self.raw_at = 0;
            self.ended = read == 0;
        }
        let (result, read, written) = self.decoder.decode_to_utf8_without_replacement(
            &self.raw[self.raw_at..],
            &mut self.text,
            self.ended,
        );
        self.raw_at += read;
        self.finished = self.ended && matches!(result, DecoderResult::InputEmpty);
        self.text.truncate(written);
        self.line += self.text.iter().filter(|&&byte| byte == b'\n').count() as u64;
        match result {
            DecoderResult::Malformed(..) => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!(
                    "line {} holds bytes that are not {}; declare the file's `encoding` in the map",
                    self.line,
                    self.decoder.encoding().name()
                ),
            )),
            DecoderResult::InputEmpty | DecoderResult::OutputFull => Ok(()),
        }
    }
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        // An unclosed quote makes one row of the rest of the file, which need not fit in memory.
        if self.since_row.load(Ordering::Relaxed) > ROW_BYTES_MAX {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!(
                    "the row that ends after line {} is longer than {ROW_BYTES_MAX} bytes; a \
                     quote may be missing",
                    self.line
                ),
            ));
        }
        while self.text_at == self.text.len() {
            // A reader asks again after the end, which a decoder does not survive.
            if self.finished {
                return Ok(0);
            }
            self.refill()?;
        }
        let count = to.len().min(self.text.len() - self.text_at);
        to[..count].copy_from_slice(&self.text[self.text_at..self.text_at + count]);
        self.text_at += count;
        self.since_row.fetch_add(count, Ordering::Relaxed);
        Ok(count)
    }
}

/// The encoding by byte-order mark, else as declared, else UTF-8; and the mark's length.
fn encoding_of(start: &[u8], declared: Option<&str>) -> anyhow::Result<(&'static Encoding, usize)> {
    if let Some((encoding, mark)) = Encoding::for_bom(start) {
        return Ok((encoding, mark));
    }
    let encoding = match declared.map(str::to_ascii_lowercase).as_deref() {
        None | Some("utf-8" | "utf8") => UTF_8,
        Some("utf-16le") => UTF_16LE,
        Some("utf-16be") => UTF_16BE,
        Some("gb18030" | "gbk" | "gb2312") => GB18030,
        Some(other) => anyhow::bail!(
            "`encoding` should be utf-8, utf-16le, utf-16be or gb18030, but is {other:?}"
        ),
    };
    Ok((encoding, 0))
}

type Rows = csv::Reader<Box<dyn Read + Send>>;

pub struct DelimitedReader {
    rows: Rows,
    headers: Vec<String>,
    wanted: Vec<bool>,
    name: String,
    since_row: Arc<AtomicUsize>,
}

impl DelimitedReader {
    pub fn open(path: &Path, map: &Map) -> anyhow::Result<DelimitedReader> {
        let name = path.display().to_string();
        let mut file = File::open(path).with_context(|| format!("cannot read {name}"))?;
        let mut start = [0u8; 4];
        let mut filled = 0;
        while filled < start.len() {
            match file.read(&mut start[filled..]).with_context(|| format!("cannot read {name}"))? {
                0 => break,
                read => filled += read,
            }
        }
        let (encoding, mark) = encoding_of(&start[..filled], map.encoding.as_deref())?;
        let head = io::Cursor::new(start[mark..filled].to_vec());
        let since_row = Arc::new(AtomicUsize::new(0));
        let text = Decoded::new(BufReader::new(head.chain(file)), encoding, since_row.clone());
        let delimiter = match map.delimiter {
            None if path.extension().is_some_and(|ext| ext.eq_ignore_ascii_case("tsv")) => b'\t',
            None => b',',
            Some(delimiter) => u8::try_from(delimiter)
                .ok()
                .filter(u8::is_ascii)
                .with_context(|| format!("`delimiter` should be ASCII, but is {delimiter:?}"))?,
        };
        let mut rows: Rows = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .from_reader(Box::new(text));
        let mut first = csv::StringRecord::new();
        let found = rows.read_record(&mut first).with_context(|| format!("cannot read {name}"))?;
        anyhow::ensure!(found, "{name} is empty: want a header line");
        let headers = super::checked_headers(first.iter(), &name)?;
        let wanted = vec![true; headers.len()];
        Ok(DelimitedReader { rows, headers, wanted, name, since_row })
    }
}

/// `None` where the row has as many fields as the header.
fn width_problem(found: usize, wanted: usize) -> Option<Problem> {
    let code = match found.cmp(&wanted) {
        std::cmp::Ordering::Less => RejectCode::ShortRow,
        std::cmp::Ordering::Equal => return None,
        std::cmp::Ordering::Greater => RejectCode::LongRow,
    };
    Some(Problem::new(code, "", format!("{found} fields; the header has {wanted}")))
}

impl ChunkReader for DelimitedReader {
    fn headers(&self) -> &[String] {
        &self.headers
    }

    fn select(&mut self, wanted: Vec<bool>) {
        self.wanted = wanted;
    }

    fn next_chunk(&mut self) -> anyhow::Result<Option<Chunk>> {
        let mut columns: Vec<TextColumn> =
            self.headers.iter().map(|_| TextColumn::default()).collect();
        let mut row_numbers = Vec::new();
        let mut bad = BTreeMap::new();
        let mut record = csv::StringRecord::new();
        while row_numbers.len() < CHUNK_ROWS {
            self.since_row.store(0, Ordering::Relaxed);
            let more = self
                .rows
                .read_record(&mut record)
                .with_context(|| format!("cannot read {}", self.name))?;
            if !more {
                break;
            }
            let line = record.position().map_or(0, csv::Position::line);
            if let Some(problem) = width_problem(record.len(), self.headers.len()) {
                bad.insert(row_numbers.len(), problem);
            }
            row_numbers.push(u32::try_from(line).unwrap_or(u32::MAX));
            for (at, column) in columns.iter_mut().enumerate() {
                column.push(if self.wanted[at] { record.get(at) } else { None });
            }
        }
        if row_numbers.is_empty() {
            return Ok(None);
        }
        let columns = columns.into_iter().map(Cells::Text).collect();
        Ok(Some(Chunk { row_numbers, columns, bad }))
    }
}
