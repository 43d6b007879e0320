//! Parquet: raw values with their types, for programs.

use std::io::Write;

use chrono::NaiveDate;
use polars::io::parquet::write::BatchedWriter;
use polars::prelude::*;

use super::xlsx::as_float;
use super::{ExportError, Piece, Sink, Values, rows};

pub struct ParquetSink<W: Write> {
    output: Option<W>,
    batches: Option<BatchedWriter<W>>,
    names: Vec<&'static str>,
}

impl<W: Write> ParquetSink<W> {
    pub fn new(output: W) -> ParquetSink<W> {
        ParquetSink { output: Some(output), batches: None, names: Vec::new() }
    }
}

fn frame(piece: &Piece) -> PolarsResult<DataFrame> {
    let columns = piece
        .iter()
        .map(|column| {
            let name = PlSmallStr::from_static(column.name);
            Ok(match &column.values {
                Values::Text(values) => Column::new(name, values.as_slice()),
                Values::Integer(values) => Column::new(name, values.as_slice()),
                Values::Number(values) => {
                    let finite = |value: &f64| value.is_finite().then_some(*value);
                    Column::new(name, values.iter().map(finite).collect::<Vec<Option<f64>>>())
                }
                Values::Decimal(values) => {
                    let floats: Vec<f64> =
                        values.iter().map(|&(units, decimals)| as_float(units, decimals)).collect();
                    Column::new(name, floats)
                }
                Values::Date(values) => {
                    let dates: Vec<Option<i32>> = values
                        .iter()
                        .map(|text| {
                            let day: NaiveDate = text.parse().ok()?;
                            i32::try_from((day - NaiveDate::default()).num_days()).ok()
                        })
                        .collect();
                    Column::new(name, dates).cast(&DataType::Date)?
                }
            })
        })
        .collect::<PolarsResult<Vec<_>>>()?;
    DataFrame::new(rows(piece), columns)
}

impl<W: Write> Sink for ParquetSink<W> {
    fn write(&mut self, piece: &Piece) -> Result<(), ExportError> {
        let frame = frame(piece)?;
        if let Some(output) = self.output.take() {
            self.names = piece.iter().map(|column| column.name).collect();
            let writer = ParquetWriter::new(output).with_compression(ParquetCompression::Snappy);
            self.batches = Some(writer.batched(frame.schema())?);
        }
        if !piece.iter().map(|column| column.name).eq(self.names.iter().copied()) {
            return Err(ExportError::OtherColumns);
        }
        if let Some(batches) = self.batches.as_mut()
            && frame.height() > 0
        {
            batches.write_batch(&frame)?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), ExportError> {
        if let Some(batches) = self.batches.as_mut() {
            batches.finish()?;
        }
        Ok(())
    }
}
