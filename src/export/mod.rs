//! Tables as they leave the system: CSV, XLSX, Parquet, and numbers as people read them.
//!
//! A table is written in pieces of the same columns, so a file's size is not bounded by memory
//! (XLSX aside), and the same rows in the same pieces give the same bytes.

pub mod csv;
pub mod effects;
pub mod format;
pub mod parquet;
pub mod svg;
pub mod xlsx;

/// One column of one piece of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    pub name: &'static str,
    pub values: Values,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    Text(Vec<String>),
    Integer(Vec<i64>),
    /// What is not finite is an empty cell.
    Number(Vec<f64>),
    /// ISO 8601 calendar dates; empty where there is none.
    Date(Vec<String>),
    /// (units, decimals): `(1234, 2)` is 12.34. Exact in CSV, a float elsewhere.
    Decimal(Vec<(i64, u32)>),
}

impl Values {
    pub fn len(&self) -> usize {
        match self {
            Values::Text(values) | Values::Date(values) => values.len(),
            Values::Integer(values) => values.len(),
            Values::Number(values) => values.len(),
            Values::Decimal(values) => values.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Columns of equal length.
pub type Piece = [Column];

/// Rows of a piece.
pub fn rows(piece: &Piece) -> usize {
    piece.first().map_or(0, |column| column.values.len())
}

#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error("{rows} rows do not fit into a worksheet of {limit}: export CSV or Parquet instead")]
    TooManyRows { rows: usize, limit: usize },
    #[error("row {row}, column {column}: {chars} characters do not fit into a cell of {limit}")]
    CellTooLong { row: usize, column: &'static str, chars: usize, limit: usize },
    #[error("a piece with other columns than the first one")]
    OtherColumns,
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Csv(#[from] ::csv::Error),
    #[error(transparent)]
    Xlsx(#[from] rust_xlsxwriter::XlsxError),
    #[error(transparent)]
    Parquet(#[from] polars::error::PolarsError),
}

/// Takes a table piece by piece. The first piece, which may have no rows, names the columns.
pub trait Sink {
    fn write(&mut self, piece: &Piece) -> Result<(), ExportError>;
    /// Ends the file. A sink that is dropped without it leaves an incomplete one.
    fn finish(self: Box<Self>) -> Result<(), ExportError>;
}
