-- What inventory decisions look at beyond 0001, and what they come to. Every new input column has a
-- neutral default: a database without them plans as before.

ALTER TABLE item ADD COLUMN weight_g INTEGER CHECK (weight_g > 0);    -- per base_uom; NULL: not known
ALTER TABLE item ADD COLUMN volume_ml INTEGER CHECK (volume_ml > 0);
ALTER TABLE item ADD COLUMN issue TEXT NOT NULL DEFAULT 'fifo'        -- which lots leave the shelf first
    CHECK (issue IN ('fifo', 'lifo'));
ALTER TABLE item ADD COLUMN shortage TEXT NOT NULL DEFAULT ''         -- '' means: as the job says
    CHECK (shortage IN ('', 'lost', 'backordered'));
ALTER TABLE item ADD COLUMN fill_target REAL                          -- NULL: the job's service target
    CHECK (fill_target BETWEEN 0.5 AND 0.9999);
ALTER TABLE item ADD COLUMN supersedes_item_id TEXT NOT NULL DEFAULT '';  -- whose history and stock it takes over
ALTER TABLE item ADD COLUMN role TEXT NOT NULL DEFAULT ''             -- '' means: found from sales and views
    CHECK (role IN ('', 'traffic', 'profit', 'image', 'custom'));
ALTER TABLE item ADD COLUMN resaleable_share REAL                     -- of what shoppers return; NULL: none counts
    CHECK (resaleable_share BETWEEN 0 AND 1);
ALTER TABLE item ADD COLUMN return_delay_days INTEGER NOT NULL DEFAULT 7
    CHECK (return_delay_days BETWEEN 0 AND 365);

ALTER TABLE supply_terms ADD COLUMN break_kind TEXT NOT NULL DEFAULT 'all_units'
    CHECK (break_kind IN ('all_units', 'incremental'));
ALTER TABLE supply_terms ADD COLUMN landed_cost_minor INTEGER NOT NULL DEFAULT 0  -- freight and duty per base_uom
    CHECK (landed_cost_minor >= 0);
ALTER TABLE supply_terms ADD COLUMN fixed_cost_minor INTEGER NOT NULL DEFAULT 0   -- once per order line
    CHECK (fixed_cost_minor >= 0);
ALTER TABLE supply_terms ADD COLUMN order_weekdays TEXT NOT NULL DEFAULT '';  -- 'mon,thu'; '' means every day
ALTER TABLE supply_terms ADD COLUMN cut_off TEXT NOT NULL DEFAULT '';         -- 'HH:MM' local; '' means none

ALTER TABLE supplier ADD COLUMN min_order_qty INTEGER CHECK (min_order_qty >= 0);  -- over all lines of one order
ALTER TABLE supplier ADD COLUMN min_order_value_minor INTEGER CHECK (min_order_value_minor >= 0);
ALTER TABLE supplier ADD COLUMN capacity_qty INTEGER CHECK (capacity_qty >= 0);    -- per run, over all lines
ALTER TABLE supplier ADD COLUMN container_weight_g INTEGER CHECK (container_weight_g > 0);
ALTER TABLE supplier ADD COLUMN container_volume_ml INTEGER CHECK (container_volume_ml > 0);
ALTER TABLE supplier ADD COLUMN container_cost_minor INTEGER CHECK (container_cost_minor >= 0);

-- What must stand at a place whatever the demand.
CREATE TABLE stocking (
    item_id              TEXT NOT NULL,
    location_id          TEXT NOT NULL,
    presentation_min_qty INTEGER NOT NULL DEFAULT 0 CHECK (presentation_min_qty >= 0),
    reserve_qty          INTEGER NOT NULL DEFAULT 0 CHECK (reserve_qty >= 0),  -- a centre keeps so much back
    PRIMARY KEY (item_id, location_id)
) WITHOUT ROWID;

-- What should become of an open order: bring it forward, ask where it is, put it off, cancel it, or
-- take less.
CREATE TABLE order_exception (
    run_id      TEXT NOT NULL,
    item_id     TEXT NOT NULL,
    location_id TEXT NOT NULL,
    po_id       TEXT NOT NULL,
    line_no     TEXT NOT NULL,
    supplier_id TEXT NOT NULL,
    action      TEXT NOT NULL CHECK (action IN ('expedite', 'chase', 'postpone', 'cancel', 'excess')),
    qty         INTEGER NOT NULL,      -- smallest units that the advice is about
    due_on      TEXT NOT NULL,         -- when it is expected as things stand
    move_to     TEXT NOT NULL,         -- when it should come; due_on where nothing moves
    value_minor INTEGER NOT NULL,      -- what following the advice is worth
    currency    TEXT NOT NULL,
    detail      TEXT NOT NULL,
    PRIMARY KEY (run_id, item_id, location_id, po_id, line_no)
) WITHOUT ROWID;

-- Stock that will not sell in time, and the way out that brings most.
CREATE TABLE stock_exit (
    run_id            TEXT NOT NULL,
    item_id           TEXT NOT NULL,
    location_id       TEXT NOT NULL,
    qty               INTEGER NOT NULL,
    days_without_sale INTEGER,         -- NULL: never sold
    cover_days        REAL,            -- NULL: no demand is expected
    value_minor       INTEGER NOT NULL,  -- at cost
    proposal          TEXT NOT NULL CHECK (proposal IN ('transfer', 'markdown', 'return', 'write_off')),
    to_location_id    TEXT NOT NULL DEFAULT '',  -- for a transfer
    depth             REAL,            -- for a markdown, share of the price
    expected_recovery_minor INTEGER NOT NULL,
    currency          TEXT NOT NULL,
    detail            TEXT NOT NULL,
    PRIMARY KEY (run_id, item_id, location_id)
) WITHOUT ROWID;

-- Limits that lines share, and what they cost the plan.
CREATE TABLE plan_limit (
    run_id      TEXT NOT NULL,
    limit_no    INTEGER NOT NULL,
    name        TEXT NOT NULL,         -- e.g. run budget, supplier budget, supplier capacity
    scope       TEXT NOT NULL,         -- the supplier or category, '' for the whole run
    unit        TEXT NOT NULL,         -- a currency, or what is counted
    amount      REAL NOT NULL,         -- the limit
    wanted      REAL NOT NULL,         -- what the lines would have taken without it
    used        REAL NOT NULL,
    price       REAL NOT NULL,         -- expected money that one more unit of the limit would bring
    PRIMARY KEY (run_id, limit_no)
) WITHOUT ROWID;

ALTER TABLE segment ADD COLUMN role TEXT NOT NULL DEFAULT '';      -- traffic, profit, image, custom
ALTER TABLE segment ADD COLUMN quadrant TEXT NOT NULL DEFAULT '';  -- exposure × conversion

-- A figure may be of the whole plan or of one location, category or supplier.
CREATE TABLE kpi_scoped (
    run_id      TEXT NOT NULL,
    name        TEXT NOT NULL,
    scope       TEXT NOT NULL DEFAULT '',  -- '', location, category or supplier
    scope_id    TEXT NOT NULL DEFAULT '',
    value       REAL NOT NULL,
    unit        TEXT NOT NULL,
    PRIMARY KEY (run_id, name, scope, scope_id)
) WITHOUT ROWID;
INSERT INTO kpi_scoped (run_id, name, value, unit) SELECT run_id, name, value, unit FROM kpi;
DROP TABLE kpi;
ALTER TABLE kpi_scoped RENAME TO kpi;

CREATE VIEW v_order_exception_current AS
SELECT r.job, r.business_date, e.*
FROM v_run_current r JOIN order_exception e ON e.run_id = r.run_id;

CREATE VIEW v_stock_exit_current AS
SELECT r.job, r.business_date, e.*
FROM v_run_current r JOIN stock_exit e ON e.run_id = r.run_id;
