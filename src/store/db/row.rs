//! Rows of an answer, read by column.

use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{ColumnIndex, Decode, Postgres, Row as _, Sqlite, Type};

use super::Value;

/// A row of an answer.
pub enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// A column by its name or its place.
pub trait At: ColumnIndex<SqliteRow> + ColumnIndex<PgRow> + Copy + std::fmt::Debug {}

impl<I: ColumnIndex<SqliteRow> + ColumnIndex<PgRow> + Copy + std::fmt::Debug> At for I {}

/// A type that both databases can give: whole numbers are 64 bits wide in the tables and are
/// narrowed here.
pub trait Column: Sized {
    fn read(row: &Row, at: impl At) -> sqlx::Result<Self>;
}

fn as_stored<T>(row: &Row, at: impl At) -> sqlx::Result<T>
where
    T: for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres>,
{
    match row {
        Row::Sqlite(row) => row.try_get(at),
        Row::Postgres(row) => row.try_get(at),
    }
}

macro_rules! stored {
    ($($kind:ty),+) => {$(
        impl Column for $kind {
            fn read(row: &Row, at: impl At) -> sqlx::Result<Self> {
                as_stored(row, at)
            }
        }
    )+};
}

stored!(i64, f64, bool, String, Vec<u8>);

macro_rules! narrowed {
    ($($kind:ty),+) => {$(
        impl Column for $kind {
            fn read(row: &Row, at: impl At) -> sqlx::Result<Self> {
                let wide: i64 = as_stored(row, at)?;
                <$kind>::try_from(wide).map_err(|error| sqlx::Error::ColumnDecode {
                    index: format!("{at:?}"),
                    source: format!("{wide}: {error}").into(),
                })
            }
        }
    )+};
}

narrowed!(i32, u32);

impl<T> Column for Option<T>
where
    T: Column,
{
    fn read(row: &Row, at: impl At) -> sqlx::Result<Self> {
        use sqlx::ValueRef;
        let missing = match row {
            Row::Sqlite(row) => row.try_get_raw(at)?.is_null(),
            Row::Postgres(row) => row.try_get_raw(at)?.is_null(),
        };
        if missing { Ok(None) } else { T::read(row, at).map(Some) }
    }
}

impl Row {
    /// Every value in column order, whatever its type.
    pub fn values(&self) -> sqlx::Result<Vec<Value>> {
        use sqlx::{Column as _, TypeInfo, ValueRef};
        let kinds: Vec<(usize, String)> = match self {
            Row::Sqlite(row) => row
                .columns()
                .iter()
                .map(|column| {
                    // A column of an expression has no declared type; the value has one.
                    let value = row.try_get_raw(column.ordinal())?;
                    Ok((column.ordinal(), value.type_info().name().to_owned()))
                })
                .collect::<sqlx::Result<_>>()?,
            Row::Postgres(row) => row
                .columns()
                .iter()
                .map(|column| (column.ordinal(), column.type_info().name().to_owned()))
                .collect(),
        };
        kinds
            .into_iter()
            .map(|(at, kind)| {
                Ok(match kind.as_str() {
                    "INTEGER" | "INT8" => Value::Int(self.try_get(at)?),
                    "REAL" | "FLOAT8" => Value::Real(self.try_get(at)?),
                    "BOOLEAN" | "BOOL" => Value::Bool(self.try_get(at)?),
                    "BLOB" | "BYTEA" => Value::Blob(self.try_get(at)?),
                    _ => Value::Text(self.optional_text(at)?.map(Into::into)),
                })
            })
            .collect()
    }

    pub fn try_get<T: Column>(&self, at: impl At) -> sqlx::Result<T> {
        T::read(self, at)
    }

    /// A text without a copy.
    pub fn text(&self, at: impl At) -> sqlx::Result<&str> {
        match self {
            Row::Sqlite(row) => row.try_get(at),
            Row::Postgres(row) => row.try_get(at),
        }
    }

    pub fn optional_text(&self, at: impl At) -> sqlx::Result<Option<&str>> {
        match self {
            Row::Sqlite(row) => row.try_get(at),
            Row::Postgres(row) => row.try_get(at),
        }
    }

    pub fn bytes(&self, at: impl At) -> sqlx::Result<&[u8]> {
        match self {
            Row::Sqlite(row) => row.try_get(at),
            Row::Postgres(row) => row.try_get(at),
        }
    }
}
