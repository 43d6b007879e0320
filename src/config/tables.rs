//! The input tables (DESIGN.md §4.1) as the import sees them: columns, types, keys, defaults.
//!
//! `data/migrations/` creates the same tables; a test compares the two.

/// What a cell of a column may hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Trimmed text; never read as a number.
    Text,
    /// A calendar date between 1900 and 2100.
    Day,
    /// An instant, kept in UTC to the second.
    Stamp,
    /// Written in the item's base unit, kept in its smallest unit (× 10^qty_decimals).
    Quantity {
        min: i64,
    },
    /// Minor units of the row's currency.
    Money {
        min: i64,
    },
    Whole {
        min: i64,
        max: i64,
    },
    Real {
        min: f64,
        max: f64,
    },
    Choice(&'static [&'static str]),
    /// ISO 4217: three capital letters, or empty.
    Currency,
    /// Empty, or a text of this form.
    Form(Form),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// JSON `[[min_qty, unit_cost_minor], …]`.
    PriceBreaks,
    /// `mon,thu`.
    Weekdays,
    /// `HH:MM`.
    TimeOfDay,
}

/// What an empty cell, or a column that no file has, becomes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Need {
    Required,
    Null,
    Text(&'static str),
    Whole(i64),
    Real(f64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dimension {
    Item,
    Location,
    Supplier,
}

impl Dimension {
    pub const ALL: [Dimension; 3] = [Dimension::Item, Dimension::Location, Dimension::Supplier];

    pub fn table(self) -> &'static str {
        match self {
            Dimension::Item => "item",
            Dimension::Location => "location",
            Dimension::Supplier => "supplier",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Column {
    pub name: &'static str,
    pub kind: Kind,
    pub need: Need,
    /// The value is a key of this table; the empty text refers to nothing.
    pub refers: Option<Dimension>,
}

impl Column {
    const fn or(self, need: Need) -> Column {
        Column { need, ..self }
    }

    const fn of(self, dimension: Dimension) -> Column {
        Column { refers: Some(dimension), ..self }
    }
}

#[derive(Debug, PartialEq)]
pub struct Table {
    pub name: &'static str,
    /// The first `key` columns are the primary key.
    pub key: usize,
    pub columns: &'static [Column],
}

impl Table {
    /// `sales`, or the obvious plural of a table's name.
    pub fn named(name: &str) -> Option<&'static Table> {
        let name = name.trim().to_ascii_lowercase().replace('-', "_");
        let singular = match name.as_str() {
            "supply_term" => "supply_terms",
            "sale" => "sales",
            "behaviors" | "behavior" | "behaviours" => "behaviour",
            "events" => "event_log",
            other => other,
        };
        ALL.iter().find(|table| {
            table.name == singular
                || singular.strip_suffix('s') == Some(table.name)
                || singular.strip_suffix("es") == Some(table.name)
        })
    }

    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}

const fn column(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, need: Need::Required, refers: None }
}

const fn text(name: &'static str) -> Column {
    column(name, Kind::Text)
}

const fn free(name: &'static str) -> Column {
    text(name).or(Need::Text(""))
}

const fn form(name: &'static str, form: Form) -> Column {
    column(name, Kind::Form(form)).or(Need::Text(""))
}

const fn day(name: &'static str) -> Column {
    column(name, Kind::Day)
}

const fn qty(name: &'static str, min: i64) -> Column {
    column(name, Kind::Quantity { min })
}

const fn money(name: &'static str) -> Column {
    column(name, Kind::Money { min: 0 }).or(Need::Null)
}

const fn whole(name: &'static str, min: i64, max: i64) -> Column {
    column(name, Kind::Whole { min, max })
}

const fn real(name: &'static str, min: f64, max: f64) -> Column {
    column(name, Kind::Real { min, max })
}

const fn count(name: &'static str) -> Column {
    whole(name, 0, 1_000_000_000_000).or(Need::Whole(0))
}

const fn fraction(name: &'static str, otherwise: f64) -> Column {
    real(name, 0.0, 1.0).or(Need::Real(otherwise))
}

const ITEM_ID: Column = text("item_id").of(Dimension::Item);
const LOCATION_ID: Column = text("location_id").of(Dimension::Location);
const SUPPLIER_ID: Column = free("supplier_id").of(Dimension::Supplier);
const SOURCE_LOCATION_ID: Column = free("source_location_id").of(Dimension::Location);
const CURRENCY: Column = column("currency", Kind::Currency).or(Need::Text(""));
const DATE: Column = day("date");
/// Longer than any shelf or lead: a mistyped number of days.
const DAYS_MAX: i64 = 36_500;
/// Past this a quantity, weight or volume is a slip of the pen.
const AMOUNT_MAX: i64 = 1_000_000_000_000;

/// What a calendar event may be; events of one kind lend their effect to one never seen.
pub const EVENT_KINDS: &[&str] =
    &["holiday", "festival", "peak", "hot", "workday", "shutdown", "payday", "school"];

/// Every input table, dimensions first: the order in which they are written.
pub static ALL: [Table; 16] = [
    Table {
        name: "item",
        key: 1,
        columns: &[
            text("item_id"),
            free("name"),
            free("category"),
            free("department"),
            text("base_uom").or(Need::Text("each")),
            whole("qty_decimals", 0, 6).or(Need::Whole(0)),
            money("unit_cost_minor"),
            money("unit_price_minor"),
            CURRENCY,
            whole("shelf_life_days", 1, DAYS_MAX).or(Need::Null),
            day("launched_on").or(Need::Null),
            column("status", Kind::Choice(&["active", "presale", "phase_out", "discontinued"]))
                .or(Need::Text("active")),
            whole("weight_g", 1, AMOUNT_MAX).or(Need::Null),
            whole("volume_ml", 1, AMOUNT_MAX).or(Need::Null),
            column("issue", Kind::Choice(&["fifo", "lifo"])).or(Need::Text("fifo")),
            column("shortage", Kind::Choice(&["lost", "backordered"])).or(Need::Text("")),
            real("fill_target", 0.5, 0.9999).or(Need::Null),
            free("supersedes_item_id"),
            column("role", Kind::Choice(&["traffic", "profit", "image", "custom"]))
                .or(Need::Text("")),
            real("resaleable_share", 0.0, 1.0).or(Need::Null),
            whole("return_delay_days", 0, 365).or(Need::Whole(7)),
            whole("max_order_qty", 1, AMOUNT_MAX).or(Need::Null),
        ],
    },
    Table {
        name: "location",
        key: 1,
        columns: &[
            text("location_id"),
            free("name"),
            column("kind", Kind::Choice(&["store", "online", "dc", "backup", "maker"]))
                .or(Need::Text("store")),
            free("region"),
            free("weather_region"),
            whole("capacity_qty", 0, i64::MAX).or(Need::Null),
            real("latitude", -90.0, 90.0).or(Need::Null),
            real("longitude", -180.0, 180.0).or(Need::Null),
        ],
    },
    Table {
        name: "supplier",
        key: 1,
        columns: &[
            text("supplier_id"),
            free("name"),
            free("region"),
            CURRENCY,
            whole("min_order_qty", 0, AMOUNT_MAX).or(Need::Null),
            money("min_order_value_minor"),
            whole("capacity_qty", 0, AMOUNT_MAX).or(Need::Null),
            whole("container_weight_g", 1, AMOUNT_MAX).or(Need::Null),
            whole("container_volume_ml", 1, AMOUNT_MAX).or(Need::Null),
            money("container_cost_minor"),
        ],
    },
    Table {
        name: "supply_terms",
        key: 4,
        columns: &[
            ITEM_ID,
            LOCATION_ID,
            SUPPLIER_ID,
            SOURCE_LOCATION_ID,
            column("kind", Kind::Choice(&["purchase", "transfer", "produce"]))
                .or(Need::Text("purchase")),
            whole("priority", 1, 1_000).or(Need::Whole(1)),
            whole("lead_time_days", 0, DAYS_MAX).or(Need::Null),
            whole("review_days", 1, DAYS_MAX).or(Need::Null),
            qty("moq", 0).or(Need::Null),
            qty("multiple", 1).or(Need::Null),
            free("pack_uom"),
            money("unit_cost_minor"),
            CURRENCY,
            form("price_breaks", Form::PriceBreaks),
            whole("shelf_life_days", 1, DAYS_MAX).or(Need::Null),
            qty("capacity_qty", 1).or(Need::Null),
            column("break_kind", Kind::Choice(&["all_units", "incremental"]))
                .or(Need::Text("all_units")),
            money("landed_cost_minor").or(Need::Whole(0)),
            money("fixed_cost_minor").or(Need::Whole(0)),
            form("order_weekdays", Form::Weekdays),
            form("cut_off", Form::TimeOfDay),
        ],
    },
    Table {
        name: "stocking",
        key: 2,
        columns: &[
            ITEM_ID,
            LOCATION_ID,
            qty("presentation_min_qty", 0).or(Need::Whole(0)),
            qty("reserve_qty", 0).or(Need::Whole(0)),
        ],
    },
    Table {
        name: "sales",
        key: 3,
        columns: &[
            ITEM_ID,
            LOCATION_ID,
            DATE,
            qty("qty", 0),
            qty("returned_qty", 0).or(Need::Whole(0)),
            column("revenue_minor", Kind::Money { min: i64::MIN }).or(Need::Null),
            money("price_minor"),
            fraction("promo_depth", 0.0),
            fraction("available_fraction", 1.0),
        ],
    },
    Table {
        name: "stock",
        key: 3,
        columns: &[
            ITEM_ID,
            LOCATION_ID,
            DATE,
            qty("on_hand", 0),
            qty("reserved", 0).or(Need::Whole(0)),
            qty("backordered", 0).or(Need::Whole(0)),
        ],
    },
    Table {
        name: "stock_lot",
        key: 4,
        columns: &[ITEM_ID, LOCATION_ID, DATE, text("lot_id"), qty("qty", 1), day("expires_on")],
    },
    Table {
        name: "purchase_order",
        key: 2,
        columns: &[
            text("po_id"),
            text("line_no").or(Need::Text("1")),
            ITEM_ID,
            LOCATION_ID,
            SUPPLIER_ID,
            SOURCE_LOCATION_ID,
            day("ordered_on").or(Need::Null),
            day("expected_on").or(Need::Null),
            day("received_on").or(Need::Null),
            qty("qty", 1),
            qty("received_qty", 0).or(Need::Whole(0)),
            money("unit_cost_minor"),
            CURRENCY,
            column("state", Kind::Choice(&["open", "received", "cancelled"]))
                .or(Need::Text("open")),
            free("released_line_key"),
        ],
    },
    Table {
        name: "behaviour",
        key: 3,
        columns: &[
            ITEM_ID,
            free("location_id"),
            DATE,
            count("views"),
            count("visitors"),
            count("carts"),
            count("favourites"),
            count("orders"),
        ],
    },
    Table {
        name: "event_log",
        key: 4,
        columns: &[
            text("shopper_hash"),
            ITEM_ID,
            column("event", Kind::Choice(&["view", "cart", "favourite", "buy"])),
            column("at", Kind::Stamp),
        ],
    },
    Table {
        name: "presale",
        key: 3,
        columns: &[ITEM_ID, LOCATION_ID, DATE, qty("qty", 0), day("promised_on").or(Need::Null)],
    },
    Table {
        name: "promotion",
        key: 3,
        columns: &[
            text("promotion_id"),
            free("item_id").of(Dimension::Item),
            free("location_id").of(Dimension::Location),
            free("category"),
            day("starts_on"),
            day("ends_on"),
            fraction("depth", 0.0),
            free("kind"),
        ],
    },
    Table {
        name: "calendar_event",
        key: 5,
        columns: &[
            text("event_id"),
            free("region"),
            free("category"),
            SUPPLIER_ID,
            free("item_id").of(Dimension::Item),
            text("name"),
            column("kind", Kind::Choice(EVENT_KINDS)).or(Need::Text("holiday")),
            day("starts_on"),
            day("ends_on"),
            whole("lead_days", 0, 60).or(Need::Whole(0)),
            whole("lag_days", 0, 60).or(Need::Whole(0)),
        ],
    },
    Table {
        name: "weather",
        key: 3,
        columns: &[
            text("region"),
            DATE,
            column("kind", Kind::Choice(&["observed", "forecast"])).or(Need::Text("observed")),
            real("temperature_c", -90.0, 60.0).or(Need::Null),
            real("precipitation_mm", 0.0, 2_000.0).or(Need::Null),
            real("humidity_pct", 0.0, 100.0).or(Need::Null),
            real("wind_ms", 0.0, 120.0).or(Need::Null),
        ],
    },
    Table {
        name: "price_plan",
        key: 3,
        columns: &[
            ITEM_ID,
            free("location_id").of(Dimension::Location),
            day("starts_on"),
            column("price_minor", Kind::Money { min: 0 }),
        ],
    },
];
