//! Comma-separated text that a spreadsheet can open without running anything.

use std::borrow::Cow;
use std::io::Write;

use super::{ExportError, Piece, Sink, Values, format, rows};

/// UTF-8 byte order mark: with it, Excel reads Chinese as Chinese.
pub const BOM: &[u8] = "\u{feff}".as_bytes();

pub struct CsvSink<W: Write> {
    writer: ::csv::Writer<W>,
    names: Option<Vec<&'static str>>,
}

impl<W: Write> CsvSink<W> {
    pub fn new(mut output: W, bom: bool) -> Result<CsvSink<W>, ExportError> {
        if bom {
            output.write_all(BOM)?;
        }
        Ok(CsvSink { writer: ::csv::Writer::from_writer(output), names: None })
    }
}

/// Text that a spreadsheet would take for a formula, made harmless by a leading apostrophe
/// (OWASP, "CSV Injection"). Numbers are never text here, so `-5` stays a number.
pub fn harmless(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

fn cell(values: &Values, row: usize) -> Cow<'_, str> {
    match values {
        Values::Text(values) => harmless(&values[row]),
        Values::Date(values) => Cow::Borrowed(values[row].as_str()),
        Values::Integer(values) => Cow::Owned(values[row].to_string()),
        // The shortest text that reads back as the same number.
        Values::Number(values) if values[row].is_finite() => Cow::Owned(values[row].to_string()),
        Values::Number(_) => Cow::Borrowed(""),
        Values::Decimal(values) => {
            let (units, decimals) = values[row];
            Cow::Owned(format::decimal(units, decimals))
        }
    }
}

impl<W: Write> Sink for CsvSink<W> {
    fn write(&mut self, piece: &Piece) -> Result<(), ExportError> {
        let names: Vec<&'static str> = piece.iter().map(|column| column.name).collect();
        match &self.names {
            None => {
                self.writer.write_record(&names)?;
                self.names = Some(names);
            }
            Some(first) if *first != names => return Err(ExportError::OtherColumns),
            Some(_) => {}
        }
        for row in 0..rows(piece) {
            for column in piece {
                self.writer.write_field(cell(&column.values, row).as_bytes())?;
            }
            self.writer.write_record(None::<&[u8]>)?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), ExportError> {
        self.writer.flush()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn what_could_be_a_formula_gets_an_apostrophe() {
        for (text, cell) in [
            ("=1+1", "'=1+1"),
            ("+86 10", "'+86 10"),
            ("-5", "'-5"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("\r=1", "'\r=1"),
            ("＝1", "'＝1"),
            ("00123", "00123"),
            ("a=b", "a=b"),
            ("", ""),
        ] {
            assert_eq!(harmless(text), cell);
        }
    }
}
