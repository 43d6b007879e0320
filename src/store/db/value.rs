//! Values on their way into a statement.

use std::sync::Arc;

use granary_models::calendar::Day;
use sqlx::Arguments;
use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;

/// A value for a `$n`. What is missing still has a type, because PostgreSQL asks for one.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Int(Option<i64>),
    Real(Option<f64>),
    Bool(Option<bool>),
    Text(Option<Arc<str>>),
    Blob(Option<Vec<u8>>),
}

type Added = Result<(), Box<dyn std::error::Error + Send + Sync>>;

impl Value {
    pub(super) fn add_to_sqlite(self, arguments: &mut SqliteArguments) -> Added {
        match self {
            Value::Int(value) => arguments.add(value),
            Value::Real(value) => arguments.add(value),
            Value::Bool(value) => arguments.add(value),
            Value::Text(value) => arguments.add(value),
            Value::Blob(value) => arguments.add(value),
        }
    }

    pub(super) fn add_to_postgres(self, arguments: &mut PgArguments) -> Added {
        match self {
            Value::Int(value) => arguments.add(value),
            Value::Real(value) => arguments.add(value),
            Value::Bool(value) => arguments.add(value),
            Value::Text(value) => arguments.add(value),
            Value::Blob(value) => arguments.add(value),
        }
    }
}

/// What can be bound to a `$n`.
pub trait Bind {
    fn value(self) -> Value;
    /// The missing value of this type.
    fn missing() -> Value
    where
        Self: Sized;
}

macro_rules! bind {
    ($($kind:ty => $variant:ident, $convert:expr;)+) => {$(
        impl Bind for $kind {
            fn value(self) -> Value {
                let convert: fn($kind) -> _ = $convert;
                Value::$variant(Some(convert(self)))
            }
            fn missing() -> Value {
                Value::$variant(None)
            }
        }
    )+};
}

bind! {
    i64 => Int, |value| value;
    i32 => Int, i64::from;
    u32 => Int, i64::from;
    f64 => Real, |value| value;
    f32 => Real, f64::from;
    bool => Bool, |value| value;
    &str => Text, |text| Arc::from(text);
    String => Text, Arc::from;
    &String => Text, |text| Arc::from(text.as_str());
    Arc<str> => Text, |text| text;
    &Arc<str> => Text, Arc::clone;
    Day => Text, |day| day.to_string().into();
    Vec<u8> => Blob, |bytes| bytes;
    &Vec<u8> => Blob, Vec::clone;
    &[u8] => Blob, <[u8]>::to_vec;
}

impl<T: Bind> Bind for Option<T> {
    fn value(self) -> Value {
        self.map_or_else(T::missing, T::value)
    }
    fn missing() -> Value {
        T::missing()
    }
}

impl<'a, T> Bind for &'a Option<T>
where
    &'a T: Bind,
{
    fn value(self) -> Value {
        self.as_ref().map_or_else(<&'a T>::missing, <&'a T>::value)
    }
    fn missing() -> Value {
        <&'a T>::missing()
    }
}

impl Bind for Value {
    fn value(self) -> Value {
        self
    }
    fn missing() -> Value {
        Value::Text(None)
    }
}
