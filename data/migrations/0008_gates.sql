-- What gates look at beyond 0007: a cap of the item itself, what a run leaves for the next one to be
-- compared with, and the terms that plans were made on.

ALTER TABLE item ADD COLUMN max_order_qty INTEGER CHECK (max_order_qty > 0);  -- per line, base units; NULL: no cap of its own

-- Figures of a run, as whole numbers. kind is input (rows of an input), default (places at which a
-- default stood in), value (minor units by currency, of lines that nothing holds) or count.
CREATE TABLE run_fact (
    run_id TEXT NOT NULL,
    kind   TEXT NOT NULL CHECK (kind IN ('input', 'default', 'value', 'count')),
    name   TEXT NOT NULL,
    value  INTEGER NOT NULL,
    PRIMARY KEY (run_id, kind, name)
) WITHOUT ROWID;

-- The terms of published plans, a row whenever they change. A row with held = 1 changed so much that
-- its lines are held; it counts as known from the day on which a line of it is approved.
CREATE TABLE planned_terms (
    job                TEXT NOT NULL,
    item_id            TEXT NOT NULL,
    location_id        TEXT NOT NULL,
    supplier_id        TEXT NOT NULL,
    source_location_id TEXT NOT NULL,
    business_date      TEXT NOT NULL,     -- of the first plan that was made on them
    multiple           INTEGER NOT NULL,  -- smallest units
    moq                INTEGER NOT NULL,  -- smallest units
    unit_cost_minor    INTEGER NOT NULL,  -- per base_uom, before price breaks
    per_base           INTEGER NOT NULL,  -- smallest units in a base_uom
    base_uom           TEXT NOT NULL,
    pack_uom           TEXT NOT NULL,
    held               INTEGER NOT NULL CHECK (held IN (0, 1)),
    PRIMARY KEY (job, item_id, location_id, supplier_id, source_location_id, business_date)
) WITHOUT ROWID;
