//! Why a row was not loaded: stable codes and the rejection itself.

macro_rules! codes {
    ($($variant:ident, $text:literal, $explain:literal;)*) => {
        /// Every outcome of a row that is not loaded. The codes are stable; docs/import.md lists
        /// them and a test compares.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize,
            serde::Deserialize,
        )]
        pub enum RejectCode { $($variant),* }

        impl RejectCode {
            pub const ALL: &'static [RejectCode] = &[$(RejectCode::$variant),*];

            pub fn as_str(self) -> &'static str {
                match self { $(RejectCode::$variant => $text),* }
            }

            pub fn explain(self) -> &'static str {
                match self { $(RejectCode::$variant => $explain),* }
            }
        }
    };
}

codes! {
    ShortRow, "short_row", "The row has fewer fields than the header.";
    LongRow, "long_row", "The row has more fields than the header.";
    MissingValue, "missing_value", "A required cell is empty or holds one of the null texts.";
    ValueTooLong, "value_too_long", "A text is longer than 1,000 bytes (price breaks: 10,000).";
    ControlCharacter, "control_character", "A text holds a control character.";
    NotANumber, "not_a_number", "The cell is not a plain decimal number.";
    NotFinite, "not_finite", "The cell is NaN or infinite, or too large for any number.";
    NotWhole, "not_whole", "A whole number is wanted and the cell has decimals.";
    TooManyDecimals, "too_many_decimals",
        "The quantity or amount has more decimals than its unit; declare `round` to allow it.";
    NegativeQuantity, "negative_quantity", "The quantity or amount is negative.";
    AbsurdQuantity, "absurd_quantity", "The quantity is over `max_qty` (default 10,000,000).";
    OutOfRange, "out_of_range", "The number is outside the column's legal range.";
    NotADate, "not_a_date", "The cell is not a date of any declared format.";
    AmbiguousDate, "ambiguous_date",
        "The cell may be more than one date; declare `date_formats` in the map.";
    DateOutOfRange, "date_out_of_range", "The date is before 1900 or after 2100.";
    NotATime, "not_a_time", "The cell is not a date with a time.";
    NotAChoice, "not_a_choice", "The cell is none of the words that the column allows.";
    NotACurrency, "not_a_currency", "The cell is not an ISO 4217 code.";
    NotPriceBreaks, "not_price_breaks", "The cell is not JSON [[min_qty, unit_cost_minor], …].";
    NotWeekdays, "not_weekdays", "The cell is no list of weekdays such as mon,thu.";
    NotATimeOfDay, "not_a_time_of_day", "The cell is not HH:MM.";
    NotHashed, "not_hashed",
        "A shopper is named by something that is no hash of 32 hexadecimal digits or more, and GRANARY_HASH_SALT is not set to make one. The value is not kept.";
    EndsBeforeStart, "ends_before_start", "`ends_on` is before `starts_on`.";
    UnknownItem, "unknown_item", "No such item, and the policy is to reject.";
    UnknownLocation, "unknown_location", "No such location, and the policy is to reject.";
    UnknownSupplier, "unknown_supplier", "No such supplier, and the policy is to reject.";
    ConflictingDuplicate, "conflicting_duplicate",
        "Another row of this load has the same key and other values; neither is loaded.";
    UnsupportedEvent, "unsupported_event",
        "The iCalendar entry says something that the import does not understand; the reason says what.";
    DecimalsChanged, "decimals_changed",
        "The item has stored quantities in other decimals; changing them would rescale history.";
    Excluded, "excluded", "A rule of the map excludes the row; the reason says which.";
}

/// Longest excerpt of an offending value that is kept.
pub const VALUE_KEPT_BYTES: usize = 200;

/// Why a cell could not be taken.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Problem {
    pub code: RejectCode,
    pub value: String,
    pub reason: String,
}

impl Problem {
    pub fn new(code: RejectCode, value: &str, reason: impl Into<String>) -> Problem {
        Problem { code, value: excerpt(value), reason: reason.into() }
    }
}

/// A row that was not loaded.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejection {
    pub file: u32,
    /// As a person counts: 1 is the first line of the file.
    pub row: u32,
    pub column: String,
    pub problem: Problem,
}

fn excerpt(value: &str) -> String {
    if value.len() <= VALUE_KEPT_BYTES {
        return value.to_owned();
    }
    let mut end = VALUE_KEPT_BYTES;
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &value[..end])
}
