//! Parquet: typed columns straight into chunks, slice by slice, under limits taken from the footer.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::Context;
use polars::prelude::{
    ArrowDataType, Column, DataFrame, DataType, ParallelStrategy, ParquetReader, PolarsResult,
    SerReader, TimeUnit,
};

use super::Limits;
use super::chunk::{Cells, Chunk, ChunkReader, TextColumn};

/// Rows decoded at a time, rounded up to whole row groups where those are smaller.
const SLICE_ROWS: usize = 262_144;

pub struct ParquetFile {
    path: PathBuf,
    name: String,
    headers: Vec<String>,
    types: Vec<String>,
    wanted: Vec<bool>,
    /// The type of each column that cannot be read; one that nothing uses may be of any.
    unreadable: Vec<Option<String>>,
    exact_floats: bool,
    /// Slices yet to read, as (offset, rows), last first.
    slices: Vec<(usize, usize)>,
}

impl ParquetFile {
    pub fn open(path: &Path, limits: &Limits) -> anyhow::Result<ParquetFile> {
        let name = path.display().to_string();
        let size = std::fs::metadata(path).with_context(|| format!("cannot read {name}"))?.len();
        let file = File::open(path).with_context(|| format!("cannot read {name}"))?;
        let mut reader = ParquetReader::new(file);
        let wrong = || format!("{name} is not a Parquet file that can be read");
        let schema = reader.schema().with_context(wrong)?;
        let metadata = reader.get_metadata().with_context(wrong)?;
        let rows = metadata.num_rows;
        anyhow::ensure!(
            rows as u64 <= limits.rows,
            "{name} claims {rows} rows, over the limit of {}",
            limits.rows
        );
        let mut groups = Vec::new();
        for group in &metadata.row_groups {
            let packed = group.compressed_size();
            anyhow::ensure!(
                packed as u64 <= size,
                "{name} claims a row group of {packed} bytes in a file of {size}"
            );
            let bytes = group.total_byte_size() as u64;
            anyhow::ensure!(
                bytes <= limits.unpacked_bytes,
                "{name} has a row group of {bytes} bytes when unpacked, over the limit of {}",
                limits.unpacked_bytes
            );
            groups.push(group.num_rows());
        }
        let headers = super::checked_headers(schema.iter_names().map(|n| n.as_str()), &name)?;
        let unreadable = |dtype: &ArrowDataType| (!readable(dtype)).then(|| format!("{dtype:?}"));
        let unreadable = schema.iter_values().map(|field| unreadable(field.dtype())).collect();
        Ok(ParquetFile {
            path: path.to_owned(),
            wanted: vec![true; headers.len()],
            headers,
            types: schema.iter_values().map(|field| format!("{:?}", field.dtype())).collect(),
            unreadable,
            exact_floats: false,
            slices: slices(&groups, rows),
            name,
        })
    }

    /// Takes 32-bit floats at their value, not at the shortest decimal that they stand for.
    pub fn with_exact_floats(mut self) -> ParquetFile {
        self.exact_floats = true;
        self
    }

    fn columns(&self, offset: usize, rows: usize) -> anyhow::Result<Vec<Cells>> {
        let frame = self
            .read(offset, rows)
            .with_context(|| format!("{}: cannot read rows from {offset}", self.name))?;
        anyhow::ensure!(
            frame.width() == 0 || frame.height() == rows,
            "{}: {} rows from {offset} where the footer has {rows}",
            self.name,
            frame.height()
        );
        let mut columns: Vec<Cells> = self.headers.iter().map(|_| Cells::Unread).collect();
        for (at, header) in self.headers.iter().enumerate() {
            if self.wanted[at] {
                let column = frame.columns().iter().find(|column| column.name().trim() == header);
                let column = column.with_context(|| format!("{}: no `{header}`", self.name))?;
                columns[at] = cells(column, self.exact_floats)
                    .with_context(|| format!("{}: cannot read `{header}`", self.name))?;
            }
        }
        Ok(columns)
    }

    fn read(&self, offset: usize, rows: usize) -> PolarsResult<DataFrame> {
        let file = File::open(&self.path)?;
        let wanted = (0..self.headers.len()).filter(|&at| self.wanted[at]).collect::<Vec<usize>>();
        ParquetReader::new(file)
            .with_projection(Some(wanted))
            .with_slice(Some((offset, rows)))
            .read_parallel(ParallelStrategy::Columns)
            .finish()
    }
}

fn readable(dtype: &ArrowDataType) -> bool {
    use ArrowDataType as T;
    matches!(
        dtype,
        T::Boolean
            | T::Int8
            | T::Int16
            | T::Int32
            | T::Int64
            | T::UInt8
            | T::UInt16
            | T::UInt32
            | T::UInt64
            | T::Float32
            | T::Float64
            | T::Utf8
            | T::LargeUtf8
            | T::Utf8View
            | T::Date32
            | T::Timestamp(..)
            | T::Decimal(..)
            | T::Null
    )
}

/// Whole row groups together up to `SLICE_ROWS`; the last slice comes first, to be popped last.
fn slices(groups: &[usize], rows: usize) -> Vec<(usize, usize)> {
    let mut slices = Vec::new();
    let (mut start, mut end) = (0, 0);
    for &group in groups {
        if end > start && end + group - start > SLICE_ROWS {
            slices.push((start, end - start));
            start = end;
        }
        end += group;
    }
    if rows > start {
        slices.push((start, rows - start));
    }
    slices.reverse();
    slices
}

impl ChunkReader for ParquetFile {
    fn headers(&self) -> &[String] {
        &self.headers
    }

    fn types(&self) -> Vec<String> {
        self.types.clone()
    }

    fn select(&mut self, wanted: Vec<bool>) {
        self.wanted = wanted;
    }

    fn next_chunk(&mut self) -> anyhow::Result<Option<Chunk>> {
        for (at, dtype) in self.unreadable.iter().enumerate().filter(|(at, _)| self.wanted[*at]) {
            anyhow::ensure!(
                dtype.is_none(),
                "{}: the column `{}` is of a type that cannot be imported: {}; cast it to text, \
                 numbers or dates",
                self.name,
                self.headers[at],
                dtype.as_deref().unwrap_or_default()
            );
        }
        let Some((offset, rows)) = self.slices.pop() else { return Ok(None) };
        let columns = super::guarded(&self.name, || self.columns(offset, rows))?;
        // Row numbers count the header, as in the other formats: the first row is row 2.
        let first = offset as u32 + 2;
        let row_numbers = (first..first + rows as u32).collect();
        Ok(Some(Chunk { row_numbers, columns, bad: BTreeMap::new() }))
    }
}

fn cells(column: &Column, exact_floats: bool) -> PolarsResult<Cells> {
    let series = column.as_materialized_series();
    Ok(match series.dtype() {
        DataType::String => {
            let mut texts = TextColumn::default();
            series.str()?.iter().for_each(|text| texts.push(text));
            Cells::Text(texts)
        }
        DataType::Float64 => Cells::Real(series.f64()?.iter().collect()),
        DataType::Float32 => {
            let widen = if exact_floats { f64::from } else { shortest };
            Cells::Real(series.f32()?.iter().map(|value| value.map(widen)).collect())
        }
        DataType::Date => Cells::Day(series.cast(&DataType::Int32)?.i32()?.iter().collect()),
        DataType::Datetime(unit, _) => {
            let unit = *unit;
            let values = series.cast(&DataType::Int64)?;
            let micros = |value: i64| match unit {
                TimeUnit::Nanoseconds => value.div_euclid(1_000),
                TimeUnit::Microseconds => value,
                TimeUnit::Milliseconds => value.saturating_mul(1_000),
            };
            Cells::Stamp(values.i64()?.iter().map(|value| value.map(micros)).collect())
        }
        DataType::UInt64 | DataType::Decimal(..) | DataType::Boolean | DataType::Null => {
            // Exact as text; our own parser takes it from there.
            let mut texts = TextColumn::default();
            series.cast(&DataType::String)?.str()?.iter().for_each(|text| texts.push(text));
            Cells::Text(texts)
        }
        _ => Cells::Int(series.cast(&DataType::Int64)?.i64()?.iter().collect()),
    })
}

/// The shortest decimal that a 32-bit float stands for: 0.882, not 0.8820000290870667.
fn shortest(value: f32) -> f64 {
    let wide = f64::from(value);
    if wide.abs() < 16.0 {
        // Below 16 a 32-bit float has more than six true decimals, so six are all that was meant.
        return (wide * 1e6).round() / 1e6;
    }
    value.to_string().parse().unwrap_or(wide)
}
