-- From proposal to order: what people say of a line, what was released, and what came of it. docs/release.md tells the
-- life of a line. Everything here except released_line's state is written once and never changed; 0013 and 0014 see to it.

-- An override says how much to order instead. Only the newest of a line counts, and only until it expires. 0 cancels the line.
ALTER TABLE override ADD COLUMN old_qty INTEGER;               -- what the line said before; NULL: not recorded
ALTER TABLE override ADD COLUMN role TEXT NOT NULL DEFAULT '';
ALTER TABLE override ADD COLUMN expires_at TEXT;               -- NULL: never
ALTER TABLE override ADD COLUMN cap_qty INTEGER;               -- the most that the gates allow, where they say
ALTER TABLE override ADD COLUMN against_terms TEXT NOT NULL DEFAULT '';  -- pack, minimum or capacity that it goes against
CREATE INDEX override_line ON override (line_key);

-- An approval is of one offer: this revision, quantity, value and gate. It does not count for another. The newest word of a
-- person on an offer counts, and only until it expires.
CREATE TABLE approval_0011 (
    approval_id  INTEGER PRIMARY KEY,
    line_key     TEXT NOT NULL,
    verdict      TEXT NOT NULL CHECK (verdict IN ('approve', 'withdraw')),
    revision     INTEGER,                -- that the line would become; NULL: of before, counts for nothing
    qty          INTEGER,                -- 0 for a cancellation
    value_minor  INTEGER,
    currency     TEXT NOT NULL DEFAULT '',
    held_because TEXT NOT NULL DEFAULT '',  -- the gate that it lifts
    old_state    TEXT NOT NULL DEFAULT '',
    new_state    TEXT NOT NULL DEFAULT '',
    actor        TEXT NOT NULL,
    role         TEXT NOT NULL DEFAULT '',
    at           TEXT NOT NULL,
    reason       TEXT NOT NULL DEFAULT '',
    expires_at   TEXT
);
INSERT INTO approval_0011 (line_key, verdict, actor, at)
SELECT line_key, 'approve', actor, at FROM approval ORDER BY line_key;
DROP TABLE approval;
ALTER TABLE approval_0011 RENAME TO approval;
CREATE INDEX approval_line ON approval (line_key);

-- Stops and goes, in order. The newest row of a scope says whether it is stopped.
CREATE TABLE kill_switch (
    switch_id INTEGER PRIMARY KEY,
    scope     TEXT NOT NULL CHECK (scope IN ('all', 'run', 'supplier', 'location')),
    scope_id  TEXT NOT NULL DEFAULT '',  -- of a run: its run_id, or the job's name for all of its runs
    stopped   INTEGER NOT NULL CHECK (stopped IN (0, 1)),
    actor     TEXT NOT NULL,
    role      TEXT NOT NULL,
    at        TEXT NOT NULL,
    reason    TEXT NOT NULL,
    CHECK ((scope = 'all') = (scope_id = ''))
);
CREATE INDEX kill_switch_scope ON kill_switch (scope, scope_id);

CREATE VIEW v_kill_switch AS
SELECT k.scope, k.scope_id, k.actor, k.role, k.at, k.reason
FROM kill_switch k
WHERE k.stopped = 1
  AND k.switch_id = (SELECT max(n.switch_id) FROM kill_switch n WHERE n.scope = k.scope AND n.scope_id = k.scope_id);

-- Beside each published run: what its lines were, and the rules that it was made under.
CREATE TABLE run_release (
    run_id       TEXT PRIMARY KEY,
    lines        INTEGER NOT NULL,
    lines_digest TEXT NOT NULL,          -- blake3 over what the night decided of every line
    rules        TEXT NOT NULL           -- JSON: the job's [release]
) WITHOUT ROWID;

ALTER TABLE reorder_line ADD COLUMN cap_qty INTEGER;   -- the most that an override may say unseen; NULL: nothing is known
ALTER TABLE reorder_line ADD COLUMN revises INTEGER;   -- the released revision that it would change

-- One row per release, in order of release_id: what purchasing may rely on having got whole.
CREATE TABLE release_manifest (
    release_id    INTEGER PRIMARY KEY,
    job           TEXT NOT NULL,
    business_date TEXT NOT NULL,
    run_id        TEXT NOT NULL,
    plan_digest   TEXT NOT NULL,
    released_at   TEXT NOT NULL,
    actor         TEXT NOT NULL,
    role          TEXT NOT NULL,
    lines         INTEGER NOT NULL CHECK (lines > 0),
    lines_hash    TEXT NOT NULL          -- blake3 over the canonical lines, see docs/release.md
);

-- Sums over the lines of a release: order_qty by order_uom, value_minor by currency.
CREATE TABLE release_total (
    release_id INTEGER NOT NULL REFERENCES release_manifest (release_id),
    measure    TEXT NOT NULL CHECK (measure IN ('order_qty', 'value_minor')),
    unit       TEXT NOT NULL,
    total      INTEGER NOT NULL,
    PRIMARY KEY (release_id, measure, unit)
) WITHOUT ROWID;

-- What went out. A re-run of the night does not touch it. A change is a new revision with the whole new quantity.
CREATE TABLE released_line (
    line_key             TEXT NOT NULL,
    revision             INTEGER NOT NULL CHECK (revision >= 1),
    revises              INTEGER,        -- the revision that it takes the place of; NULL on the first
    change               TEXT NOT NULL CHECK (change IN ('order', 'revision', 'cancellation')),
    release_id           INTEGER NOT NULL REFERENCES release_manifest (release_id),
    job                  TEXT NOT NULL,
    business_date        TEXT NOT NULL,
    run_id               TEXT NOT NULL,
    kind                 TEXT NOT NULL CHECK (kind IN ('purchase', 'transfer', 'produce')),
    item_id              TEXT NOT NULL,
    supplier_id          TEXT NOT NULL,
    source_location_id   TEXT NOT NULL,
    location_id          TEXT NOT NULL,
    qty                  INTEGER NOT NULL CHECK (qty >= 0),        -- smallest units
    qty_decimals         INTEGER NOT NULL,
    base_uom             TEXT NOT NULL,
    order_qty            INTEGER NOT NULL CHECK (order_qty >= 0),  -- in order_uom
    order_uom            TEXT NOT NULL,
    unit_cost_minor      INTEGER NOT NULL,                         -- per base_uom
    value_minor          INTEGER NOT NULL,                         -- qty at unit_cost_minor
    currency             TEXT NOT NULL,
    order_on             TEXT NOT NULL,
    expected_on          TEXT NOT NULL,
    need_on              TEXT NOT NULL,
    priority             INTEGER NOT NULL,
    expected_value_minor INTEGER NOT NULL,
    reason               TEXT NOT NULL,                            -- JSON, as the night gave it
    held_because         TEXT NOT NULL,                            -- the gate that people lifted
    proposed_qty         INTEGER NOT NULL CHECK (proposed_qty >= 0),  -- what the night said
    override_id          INTEGER NOT NULL DEFAULT 0,               -- that it follows; 0: none
    approved_by          TEXT NOT NULL,                            -- names, one a line; empty: by the job's rules
    released_at          TEXT NOT NULL,
    released_by          TEXT NOT NULL,
    -- From here on what comes of it; state only moves forward.
    state                TEXT NOT NULL CHECK (state IN ('released', 'confirmed', 'closed', 'cancelled')),
    confirmed_qty        INTEGER CHECK (confirmed_qty >= 0),       -- smallest units; NULL: not told
    confirmed_on         TEXT,                                     -- when it is to arrive; NULL: not told
    order_number         TEXT NOT NULL DEFAULT '',                 -- the purchasing system's
    closed_on            TEXT,                                     -- the date on which it no longer counts
    closed_because       TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (line_key, revision),
    CHECK ((revision = 1) = (revises IS NULL)),
    CHECK (revises IS NULL OR revises = revision - 1),
    CHECK ((change = 'order') = (revision = 1)),
    CHECK ((change = 'cancellation') = (qty = 0)),
    CHECK ((qty = 0) = (order_qty = 0))
) WITHOUT ROWID;
CREATE INDEX released_line_state ON released_line (state, closed_on);
CREATE INDEX released_line_release ON released_line (release_id);
CREATE INDEX released_line_place ON released_line (item_id, location_id);
CREATE INDEX released_line_date ON released_line (business_date, job);

-- Every step of a line after its release, with who took it.
CREATE TABLE released_line_event (
    event_no  INTEGER PRIMARY KEY,
    line_key  TEXT NOT NULL,
    revision  INTEGER NOT NULL,
    operation TEXT NOT NULL,
    old_state TEXT NOT NULL,
    new_state TEXT NOT NULL,
    actor     TEXT NOT NULL,
    role      TEXT NOT NULL,
    at        TEXT NOT NULL,
    detail    TEXT NOT NULL DEFAULT ''
);
CREATE INDEX released_line_event_line ON released_line_event (line_key);

-- Who has taken a line, and what they told of it. Telling it again is nothing new.
CREATE TABLE acknowledgement (
    consumer      TEXT NOT NULL,
    line_key      TEXT NOT NULL,
    revision      INTEGER NOT NULL,
    confirmed_qty INTEGER CHECK (confirmed_qty >= 0),
    confirmed_on  TEXT,
    order_number  TEXT NOT NULL DEFAULT '',
    actor         TEXT NOT NULL,
    at            TEXT NOT NULL,         -- of the first time
    changed_at    TEXT NOT NULL,         -- of the last time that it told something new
    PRIMARY KEY (consumer, line_key, revision)
) WITHOUT ROWID;
CREATE INDEX acknowledgement_line ON acknowledgement (line_key, revision);

-- An upstream that echoes the key of the line that its order came from, so that both count once.
ALTER TABLE purchase_order ADD COLUMN released_line_key TEXT NOT NULL DEFAULT '';

DROP VIEW v_reorder_released;
DROP VIEW v_plan_current;

CREATE VIEW v_plan_current AS
SELECT r.job, r.business_date, l.*
FROM v_run_current r JOIN reorder_line l ON l.run_id = r.run_id;

-- What has gone out and is not done: read it to know what is on its way.
CREATE VIEW v_reorder_in_force AS
SELECT l.release_id, l.line_key, l.revision, l.revises, l.change, l.state, l.job, l.business_date, l.run_id,
       l.kind, l.item_id, l.supplier_id, l.source_location_id, l.location_id,
       l.qty, l.qty_decimals, l.base_uom, l.order_qty, l.order_uom, l.unit_cost_minor, l.value_minor, l.currency,
       l.order_on, l.expected_on, l.need_on, l.priority, l.expected_value_minor, l.reason, l.held_because,
       l.released_at, l.released_by, l.approved_by, l.confirmed_qty, l.confirmed_on, l.order_number
FROM released_line l
WHERE l.state IN ('released', 'confirmed');

-- What a purchasing system has to do: released, not acknowledged by anybody, and not stopped by a switch. Read it in order
-- of release_id, line_key. A line leaves the view when it is acknowledged, never because it was read.
CREATE VIEW v_reorder_released AS
SELECT l.*
FROM v_reorder_in_force l
WHERE l.state = 'released'
  AND NOT EXISTS (SELECT 1 FROM v_kill_switch k
                  WHERE k.scope = 'all'
                     OR (k.scope = 'run' AND k.scope_id IN (l.run_id, l.job))
                     OR (k.scope = 'supplier' AND k.scope_id = l.supplier_id)
                     OR (k.scope = 'location' AND k.scope_id IN (l.location_id, l.source_location_id)));

CREATE VIEW v_release_manifest AS
SELECT m.release_id, m.job, m.business_date, m.run_id, m.plan_digest, m.released_at, m.actor, m.role, m.lines,
       m.lines_hash, t.measure, t.unit, t.total
FROM release_manifest m JOIN release_total t ON t.release_id = m.release_id;
