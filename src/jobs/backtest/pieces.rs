//! Parquet files that are written piece by piece.

use std::io::Write;

use polars::io::parquet::write::BatchedWriter;
use polars::prelude::*;

/// A Parquet file that grows by row groups. Without any it has no columns either.
pub struct Pieces<W: Write> {
    output: Option<W>,
    batches: Option<BatchedWriter<W>>,
}

impl<W: Write> Pieces<W> {
    pub fn new(output: W) -> Pieces<W> {
        Pieces { output: Some(output), batches: None }
    }

    pub fn write(&mut self, frame: &DataFrame) -> PolarsResult<()> {
        if let Some(output) = self.output.take() {
            let writer = ParquetWriter::new(output).with_compression(ParquetCompression::Snappy);
            self.batches = Some(writer.batched(frame.schema())?);
        }
        self.batches.as_mut().map_or(Ok(()), |batches| batches.write_batch(frame))
    }

    pub fn finish(mut self) -> PolarsResult<()> {
        self.batches.as_mut().map_or(Ok(()), |batches| batches.finish().map(|_| ()))
    }
}

/// A column under one of our own names.
pub fn named<T, Values: ?Sized>(name: &'static str, values: T) -> Column
where
    Series: NamedFrom<T, Values>,
{
    Column::new(PlSmallStr::from_static(name), values)
}
