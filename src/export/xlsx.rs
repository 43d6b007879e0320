//! Excel workbooks with typed cells: text stays text, so nothing in it can become a formula.

use std::io::{Seek, Write};

use chrono::NaiveDate;
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook};

use super::{ExportError, Piece, Sink, Values, rows};

/// Rows of a worksheet, the header among them.
pub const ROW_LIMIT: usize = 1_048_576;
/// Characters of a cell.
const CELL_LIMIT: usize = 32_767;
const COLUMN_WIDTH: f64 = 14.0;

/// One worksheet. The workbook is in memory until it is finished.
pub struct XlsxSink<W: Write + Seek + Send> {
    output: W,
    workbook: Workbook,
    sheet: &'static str,
    names: Option<Vec<&'static str>>,
    rows: usize,
    date: Format,
}

impl<W: Write + Seek + Send> XlsxSink<W> {
    pub fn new(output: W, sheet: &'static str) -> Result<XlsxSink<W>, ExportError> {
        let mut workbook = Workbook::new();
        // The library stamps the present time; equal plans must be equal files.
        let never = ExcelDateTime::from_ymd(2000, 1, 1)?;
        workbook.set_properties(&DocProperties::new().set_creation_datetime(&never));
        workbook.add_worksheet().set_name(sheet)?;
        let date = Format::new().set_num_format("yyyy-mm-dd");
        Ok(XlsxSink { output, workbook, sheet, names: None, rows: 0, date })
    }

    fn write_header(&mut self, names: &[&'static str]) -> Result<(), ExportError> {
        let header = Format::new().set_bold();
        let sheet = self.workbook.worksheet_from_name(self.sheet)?;
        for (n, name) in names.iter().enumerate() {
            let column = n as u16;
            sheet.write_string_with_format(0, column, *name, &header)?;
            sheet.set_column_width(column, COLUMN_WIDTH)?;
        }
        sheet.set_freeze_panes(1, 0)?;
        Ok(())
    }
}

impl<W: Write + Seek + Send> Sink for XlsxSink<W> {
    fn write(&mut self, piece: &Piece) -> Result<(), ExportError> {
        let names: Vec<&'static str> = piece.iter().map(|column| column.name).collect();
        match &self.names {
            None => {
                self.write_header(&names)?;
                self.names = Some(names);
            }
            Some(first) if *first != names => return Err(ExportError::OtherColumns),
            Some(_) => {}
        }
        let more = rows(piece);
        if 1 + self.rows + more > ROW_LIMIT {
            return Err(ExportError::TooManyRows { rows: self.rows + more, limit: ROW_LIMIT - 1 });
        }
        let first = 1 + self.rows;
        let sheet = self.workbook.worksheet_from_name(self.sheet)?;
        for (n, column) in piece.iter().enumerate() {
            let number = n as u16;
            for row in 0..more {
                let at = (first + row) as u32;
                match &column.values {
                    Values::Text(values) => {
                        let chars = values[row].encode_utf16().count();
                        if chars > CELL_LIMIT {
                            return Err(ExportError::CellTooLong {
                                row: first + row,
                                column: column.name,
                                chars,
                                limit: CELL_LIMIT,
                            });
                        }
                        sheet.write_string(at, number, &values[row])?;
                    }
                    Values::Integer(values) => {
                        sheet.write_number(at, number, values[row] as f64)?;
                    }
                    Values::Number(values) if values[row].is_finite() => {
                        sheet.write_number(at, number, values[row])?;
                    }
                    Values::Number(_) => {}
                    Values::Decimal(values) => {
                        let (units, decimals) = values[row];
                        sheet.write_number(at, number, as_float(units, decimals))?;
                    }
                    Values::Date(values) => match values[row].parse::<NaiveDate>() {
                        Ok(day) => {
                            let date = ExcelDateTime::parse_from_str(&day.to_string())?;
                            sheet.write_datetime_with_format(at, number, &date, &self.date)?;
                        }
                        Err(_) if values[row].is_empty() => {}
                        Err(_) => {
                            sheet.write_string(at, number, &values[row])?;
                        }
                    },
                }
            }
        }
        self.rows += more;
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), ExportError> {
        self.workbook.save_to_writer(&mut self.output)?;
        self.output.flush()?;
        Ok(())
    }
}

/// The nearest float of a decimal number.
pub(super) fn as_float(units: i64, decimals: u32) -> f64 {
    units as f64 / 10f64.powi(decimals.min(18) as i32)
}
