-- Input tables (DESIGN.md §4.1). Files and upstream systems are imported into these.
--
-- Conventions, everywhere in the schema:
--   *_id            text keys, never numbers: `00123` stays `00123`
--   date, *_on      ISO 8601 calendar dates as text (`2025-10-20`); they sort as dates do
--   qty, *_qty      whole numbers of the item's smallest unit: base_uom × 10^-qty_decimals
--                   (pieces: qty_decimals = 0; goods weighed in kg to the gram: 3)
--   *_minor         money in minor units (cents, fen) of the row's `currency` (ISO 4217)
--   *_fraction      0..1

CREATE TABLE item (
    item_id          TEXT PRIMARY KEY,
    name             TEXT NOT NULL DEFAULT '',
    category         TEXT NOT NULL DEFAULT '',
    department       TEXT NOT NULL DEFAULT '',
    base_uom         TEXT NOT NULL DEFAULT 'each',
    qty_decimals     INTEGER NOT NULL DEFAULT 0 CHECK (qty_decimals BETWEEN 0 AND 6),
    unit_cost_minor  INTEGER CHECK (unit_cost_minor >= 0),   -- per base_uom; NULL: take the job's default
    unit_price_minor INTEGER CHECK (unit_price_minor >= 0),  -- usual selling price per base_uom
    currency         TEXT NOT NULL DEFAULT '',
    shelf_life_days  INTEGER CHECK (shelf_life_days > 0),    -- NULL: does not perish
    launched_on      TEXT,                                   -- NULL: long on sale
    status           TEXT NOT NULL DEFAULT 'active'
                     CHECK (status IN ('active', 'presale', 'phase_out', 'discontinued'))
) WITHOUT ROWID;

CREATE TABLE location (
    location_id      TEXT PRIMARY KEY,
    name             TEXT NOT NULL DEFAULT '',
    kind             TEXT NOT NULL DEFAULT 'store'
                     CHECK (kind IN ('store', 'online', 'dc', 'backup', 'maker')),
    region           TEXT NOT NULL DEFAULT '',  -- calendar region, e.g. CN-SOUTH; events apply by prefix
    weather_region   TEXT NOT NULL DEFAULT '',  -- '' means: the same as region
    capacity_qty     INTEGER CHECK (capacity_qty >= 0),  -- NULL: unlimited
    latitude         REAL,
    longitude        REAL
) WITHOUT ROWID;

CREATE TABLE supplier (
    supplier_id      TEXT PRIMARY KEY,
    name             TEXT NOT NULL DEFAULT '',
    region           TEXT NOT NULL DEFAULT '',
    currency         TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;

-- How an item reaches a location: bought from a supplier, moved from another location, or made.
CREATE TABLE supply_terms (
    item_id            TEXT NOT NULL,
    location_id        TEXT NOT NULL,
    supplier_id        TEXT NOT NULL DEFAULT '',  -- '' for a transfer
    source_location_id TEXT NOT NULL DEFAULT '',  -- '' for a purchase
    kind               TEXT NOT NULL DEFAULT 'purchase' CHECK (kind IN ('purchase', 'transfer', 'produce')),
    priority           INTEGER NOT NULL DEFAULT 1,  -- 1 is the usual source; 2 and up stand behind it
    lead_time_days     INTEGER CHECK (lead_time_days >= 0),  -- as promised; learned from purchase_order when there is history
    review_days        INTEGER CHECK (review_days > 0),
    moq                INTEGER CHECK (moq >= 0),
    multiple           INTEGER CHECK (multiple > 0),
    pack_uom           TEXT NOT NULL DEFAULT '',  -- what one `multiple` is called, e.g. case
    unit_cost_minor    INTEGER CHECK (unit_cost_minor >= 0),
    currency           TEXT NOT NULL DEFAULT '',
    price_breaks       TEXT NOT NULL DEFAULT '',  -- JSON [[min_qty, unit_cost_minor], …], all-units
    shelf_life_days    INTEGER CHECK (shelf_life_days > 0),
    capacity_qty       INTEGER CHECK (capacity_qty > 0),  -- most that one order may hold
    PRIMARY KEY (item_id, location_id, supplier_id, source_location_id)
) WITHOUT ROWID;

-- One row per item, location and day. A day without a row between the first and the last is a day
-- on which nothing was sold although it was available; say otherwise with available_fraction.
CREATE TABLE sales (
    item_id            TEXT NOT NULL,
    location_id        TEXT NOT NULL,
    date               TEXT NOT NULL,
    qty                INTEGER NOT NULL CHECK (qty >= 0),
    returned_qty       INTEGER NOT NULL DEFAULT 0 CHECK (returned_qty >= 0),
    revenue_minor      INTEGER,
    price_minor        INTEGER CHECK (price_minor >= 0),  -- unit price asked that day
    promo_depth        REAL NOT NULL DEFAULT 0 CHECK (promo_depth BETWEEN 0 AND 1),  -- 0.2: twenty percent off
    available_fraction REAL NOT NULL DEFAULT 1 CHECK (available_fraction BETWEEN 0 AND 1),
    PRIMARY KEY (item_id, location_id, date)
) WITHOUT ROWID;

CREATE TABLE stock (
    item_id          TEXT NOT NULL,
    location_id      TEXT NOT NULL,
    date             TEXT NOT NULL,  -- counted at the end of this day
    on_hand          INTEGER NOT NULL CHECK (on_hand >= 0),
    reserved         INTEGER NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    backordered      INTEGER NOT NULL DEFAULT 0 CHECK (backordered >= 0),
    PRIMARY KEY (item_id, location_id, date)
) WITHOUT ROWID;

-- Part of `stock.on_hand` by age. What the lots do not cover has no known expiry.
CREATE TABLE stock_lot (
    item_id          TEXT NOT NULL,
    location_id      TEXT NOT NULL,
    date             TEXT NOT NULL,
    lot_id           TEXT NOT NULL,
    qty              INTEGER NOT NULL CHECK (qty > 0),
    expires_on       TEXT NOT NULL,  -- last day on which it may be sold
    PRIMARY KEY (item_id, location_id, date, lot_id)
) WITHOUT ROWID;

-- Orders placed, open and received; received ones teach lead times.
CREATE TABLE purchase_order (
    po_id              TEXT NOT NULL,
    line_no            TEXT NOT NULL DEFAULT '1',
    item_id            TEXT NOT NULL,
    location_id        TEXT NOT NULL,
    supplier_id        TEXT NOT NULL DEFAULT '',
    source_location_id TEXT NOT NULL DEFAULT '',
    ordered_on         TEXT,           -- NULL: not recorded
    expected_on        TEXT,
    received_on        TEXT,           -- NULL: still open (unless closed)
    qty                INTEGER NOT NULL CHECK (qty > 0),
    received_qty       INTEGER NOT NULL DEFAULT 0 CHECK (received_qty >= 0),
    unit_cost_minor    INTEGER,
    currency           TEXT NOT NULL DEFAULT '',
    state              TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'received', 'cancelled')),
    PRIMARY KEY (po_id, line_no)
) WITHOUT ROWID;

CREATE TABLE behaviour (
    item_id     TEXT NOT NULL,
    location_id TEXT NOT NULL DEFAULT '',  -- a location, a region, or '' for everywhere
    date        TEXT NOT NULL,
    views       INTEGER NOT NULL DEFAULT 0 CHECK (views >= 0),
    visitors    INTEGER NOT NULL DEFAULT 0 CHECK (visitors >= 0),
    carts       INTEGER NOT NULL DEFAULT 0 CHECK (carts >= 0),
    favourites  INTEGER NOT NULL DEFAULT 0 CHECK (favourites >= 0),
    orders      INTEGER NOT NULL DEFAULT 0 CHECK (orders >= 0),
    PRIMARY KEY (item_id, location_id, date)
) WITHOUT ROWID;

CREATE TABLE event_log (
    shopper_hash TEXT NOT NULL,
    item_id      TEXT NOT NULL,
    event        TEXT NOT NULL CHECK (event IN ('view', 'cart', 'favourite', 'buy')),
    at           TEXT NOT NULL,  -- UTC, `2015-05-03T03:25:10Z`
    PRIMARY KEY (shopper_hash, item_id, event, at)
) WITHOUT ROWID;

CREATE TABLE presale (
    item_id     TEXT NOT NULL,
    location_id TEXT NOT NULL,
    date        TEXT NOT NULL,
    qty         INTEGER NOT NULL CHECK (qty >= 0),  -- paid reservations taken on this date
    promised_on TEXT,                               -- latest date promised to the shoppers
    PRIMARY KEY (item_id, location_id, date)
) WITHOUT ROWID;

-- Promotions planned or past. '' in item_id means the whole category; '' in location_id means everywhere.
CREATE TABLE promotion (
    promotion_id TEXT NOT NULL,
    item_id      TEXT NOT NULL DEFAULT '',
    category     TEXT NOT NULL DEFAULT '',
    location_id  TEXT NOT NULL DEFAULT '',
    starts_on    TEXT NOT NULL,
    ends_on      TEXT NOT NULL,
    depth        REAL NOT NULL DEFAULT 0 CHECK (depth BETWEEN 0 AND 1),
    kind         TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (promotion_id, item_id, location_id)
) WITHOUT ROWID;

-- Holidays, festivals, shopping peaks, hot events and supplier shutdowns.
CREATE TABLE calendar_event (
    event_id    TEXT NOT NULL,           -- one occurrence: spring-festival-2025
    name        TEXT NOT NULL,           -- what recurs: spring-festival
    kind        TEXT NOT NULL DEFAULT 'holiday'
                CHECK (kind IN ('holiday', 'festival', 'peak', 'hot', 'workday', 'shutdown')),
    region      TEXT NOT NULL DEFAULT '', -- prefix of a location's region; '' means everywhere
    category    TEXT NOT NULL DEFAULT '', -- '' means every category
    supplier_id TEXT NOT NULL DEFAULT '', -- for a shutdown
    starts_on   TEXT NOT NULL,
    ends_on     TEXT NOT NULL,
    lead_days   INTEGER NOT NULL DEFAULT 0 CHECK (lead_days BETWEEN 0 AND 60),  -- days before with an effect of their own
    lag_days    INTEGER NOT NULL DEFAULT 0 CHECK (lag_days BETWEEN 0 AND 60),
    PRIMARY KEY (event_id, region, category, supplier_id)
) WITHOUT ROWID;

CREATE TABLE weather (
    region           TEXT NOT NULL,
    date             TEXT NOT NULL,
    kind             TEXT NOT NULL DEFAULT 'observed' CHECK (kind IN ('observed', 'forecast')),
    temperature_c    REAL,
    precipitation_mm REAL,
    humidity_pct     REAL,
    wind_ms          REAL,
    PRIMARY KEY (region, date, kind)
) WITHOUT ROWID;

CREATE TABLE price_plan (
    item_id     TEXT NOT NULL,
    location_id TEXT NOT NULL DEFAULT '',  -- '' means everywhere
    starts_on   TEXT NOT NULL,
    price_minor INTEGER NOT NULL CHECK (price_minor >= 0),
    PRIMARY KEY (item_id, location_id, starts_on)
) WITHOUT ROWID;

-- The books of every import: read = loaded + duplicate + rejected.
CREATE TABLE import_batch (
    batch_id     INTEGER PRIMARY KEY,
    imported_at  TEXT NOT NULL,
    kind         TEXT NOT NULL,       -- input table
    file         TEXT NOT NULL,
    file_digest  TEXT NOT NULL,       -- blake3 of the file's bytes
    map_digest   TEXT NOT NULL DEFAULT '',
    rows_read      INTEGER NOT NULL,
    rows_loaded    INTEGER NOT NULL,  -- of these, `rows_replaced` took the place of an older row
    rows_duplicate INTEGER NOT NULL,
    rows_rejected  INTEGER NOT NULL,
    rows_replaced  INTEGER NOT NULL DEFAULT 0,
    rows_written   INTEGER NOT NULL,  -- rows of the table written; fewer than loaded when lines are summed by day
    CHECK (rows_read = rows_loaded + rows_duplicate + rows_rejected)
);

CREATE TABLE import_rejection (
    batch_id    INTEGER NOT NULL REFERENCES import_batch (batch_id),
    file        TEXT NOT NULL,
    row_no      INTEGER NOT NULL,     -- as a person counts: 1 is the first line of the file, headers included
    column_name TEXT NOT NULL,
    value       TEXT NOT NULL,
    code        TEXT NOT NULL,        -- stable, e.g. ambiguous_date
    reason      TEXT NOT NULL
);
CREATE INDEX import_rejection_batch ON import_rejection (batch_id);
