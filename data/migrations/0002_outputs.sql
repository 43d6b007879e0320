-- Output tables and views (DESIGN.md §4.2). One run is written in one transaction, or not at all.

CREATE TABLE run (
    run_id         TEXT PRIMARY KEY,   -- `job@date`: a re-run takes its predecessor's place. A held plan is
                                       -- `job@date!held` and stands beside the published one, never over it
    job            TEXT NOT NULL,
    business_date  TEXT NOT NULL,
    state          TEXT NOT NULL CHECK (state IN ('published', 'held')),
    held_because   TEXT NOT NULL DEFAULT '',  -- gate code, when held
    config_digest  TEXT NOT NULL,
    input_digest   TEXT NOT NULL,
    plan_digest    TEXT NOT NULL,      -- over every published row: equal digests, equal plans
    seed           INTEGER NOT NULL,
    version        TEXT NOT NULL,
    counts         TEXT NOT NULL,      -- JSON: series, lines, findings, …
    UNIQUE (job, business_date, state)
) WITHOUT ROWID;

-- What the clock saw; kept apart so that a plan's bytes do not depend on it. attempt_id is also the
-- fencing token: only the newest attempt for a job and business date may publish.
CREATE TABLE run_attempt (
    attempt_id    INTEGER PRIMARY KEY,
    job           TEXT NOT NULL,
    business_date TEXT NOT NULL,
    started_at    TEXT NOT NULL,
    finished_at   TEXT,                -- NULL: running, or killed
    outcome       TEXT NOT NULL DEFAULT 'running',  -- running, published, held, failed, stale, abandoned
    detail        TEXT NOT NULL DEFAULT '',
    stage_ms      TEXT NOT NULL DEFAULT '{}',       -- JSON: stage → milliseconds
    process_id    INTEGER NOT NULL
);
CREATE INDEX run_attempt_job ON run_attempt (job, business_date);

-- One row per series of a run: which model, by how much, and what it was chosen on.
CREATE TABLE forecast_series (
    run_id         TEXT NOT NULL,
    item_id        TEXT NOT NULL,
    location_id    TEXT NOT NULL,
    demand_class   TEXT NOT NULL,      -- smooth, erratic, intermittent, lumpy, new, obsolete
    model          TEXT NOT NULL,
    runner_up      TEXT NOT NULL DEFAULT '',
    margin         REAL,               -- runner-up's pinball loss over the model's, less one
    history_days   INTEGER NOT NULL,
    censored_days  INTEGER NOT NULL,
    daily_mean     REAL NOT NULL,      -- over the horizon
    dispersion     REAL NOT NULL,      -- a day is negative binomial with variance mean + dispersion × mean²
    correlation    REAL NOT NULL,      -- mean correlation of two days of the horizon
    components     TEXT NOT NULL DEFAULT '{}',  -- JSON: what the forecast is made of, for `explain`
    PRIMARY KEY (run_id, item_id, location_id)
) WITHOUT ROWID;

CREATE TABLE forecast (
    run_id      TEXT NOT NULL,
    item_id     TEXT NOT NULL,
    location_id TEXT NOT NULL,
    date        TEXT NOT NULL,
    mean        REAL NOT NULL,
    q01 REAL NOT NULL, q05 REAL NOT NULL, q10 REAL NOT NULL, q25 REAL NOT NULL, q50 REAL NOT NULL,
    q75 REAL NOT NULL, q90 REAL NOT NULL, q95 REAL NOT NULL, q99 REAL NOT NULL,
    PRIMARY KEY (run_id, item_id, location_id, date)
) WITHOUT ROWID;

CREATE TABLE reorder_line (
    run_id             TEXT NOT NULL,
    line_key           TEXT NOT NULL,  -- stable across re-runs of the same business date
    kind               TEXT NOT NULL CHECK (kind IN ('purchase', 'transfer', 'produce')),
    state              TEXT NOT NULL CHECK (state IN
                       ('proposed', 'held', 'approved', 'released', 'confirmed', 'closed', 'cancelled')),
    item_id            TEXT NOT NULL,
    supplier_id        TEXT NOT NULL,
    source_location_id TEXT NOT NULL,
    location_id        TEXT NOT NULL,
    qty                INTEGER NOT NULL CHECK (qty > 0),   -- smallest units
    order_qty          INTEGER NOT NULL CHECK (order_qty > 0),  -- in order_uom
    order_uom          TEXT NOT NULL,
    unit_cost_minor    INTEGER NOT NULL,   -- per base_uom
    currency           TEXT NOT NULL,
    order_on           TEXT NOT NULL,
    expected_on        TEXT NOT NULL,
    need_on            TEXT NOT NULL,      -- first day on which stock runs short without this line
    priority           INTEGER NOT NULL,   -- 1 is the most urgent line of the run
    expected_value_minor INTEGER NOT NULL, -- what the line is worth over not ordering
    reason             TEXT NOT NULL,      -- JSON, every step from need to final quantity
    held_because       TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (run_id, line_key)
) WITHOUT ROWID;
CREATE INDEX reorder_line_sku ON reorder_line (item_id, location_id, run_id);

-- What the stock will be with and without tonight's lines, per series with supply terms.
CREATE TABLE stock_projection (
    run_id      TEXT NOT NULL,
    item_id     TEXT NOT NULL,
    location_id TEXT NOT NULL,
    projection  TEXT NOT NULL,   -- JSON: from, p10/p50/p90 with the line, p50 without, receipts
    PRIMARY KEY (run_id, item_id, location_id)
) WITHOUT ROWID;

CREATE TABLE production_suggestion (
    run_id           TEXT NOT NULL,
    item_id          TEXT NOT NULL,
    location_id      TEXT NOT NULL,
    qty              INTEGER NOT NULL CHECK (qty >= 0),
    start_on         TEXT NOT NULL,
    ready_on         TEXT NOT NULL,
    sell_all_probability REAL NOT NULL,
    expected_value_minor INTEGER NOT NULL,
    reason           TEXT NOT NULL,
    PRIMARY KEY (run_id, item_id, location_id)
) WITHOUT ROWID;

CREATE TABLE finding (
    run_id      TEXT NOT NULL,
    finding_no  INTEGER NOT NULL,
    severity    TEXT NOT NULL CHECK (severity IN ('info', 'warning', 'error')),
    code        TEXT NOT NULL,
    item_id     TEXT NOT NULL DEFAULT '',
    location_id TEXT NOT NULL DEFAULT '',
    detail      TEXT NOT NULL,
    occurrences INTEGER NOT NULL DEFAULT 1,  -- a default that served 50,000 series is one finding
    PRIMARY KEY (run_id, finding_no)
) WITHOUT ROWID;
CREATE INDEX finding_sku ON finding (item_id, location_id, run_id);

CREATE TABLE segment (
    run_id      TEXT NOT NULL,
    item_id     TEXT NOT NULL,
    location_id TEXT NOT NULL,
    abc         TEXT NOT NULL,  -- by revenue
    xyz         TEXT NOT NULL,  -- by demand class
    PRIMARY KEY (run_id, item_id, location_id)
) WITHOUT ROWID;

CREATE TABLE kpi (
    run_id TEXT NOT NULL,
    name   TEXT NOT NULL,
    value  REAL NOT NULL,
    unit   TEXT NOT NULL,
    PRIMARY KEY (run_id, name)
) WITHOUT ROWID;

CREATE TABLE backtest_score (
    run_id       TEXT NOT NULL,
    demand_class TEXT NOT NULL,  -- 'all' for the pooled row
    model        TEXT NOT NULL,  -- 'chosen' for what the night used
    series       INTEGER NOT NULL,
    wape         REAL,
    bias         REAL,
    pinball      REAL,
    coverage90   REAL,
    PRIMARY KEY (run_id, demand_class, model)
) WITHOUT ROWID;

-- People's words on a plan. Approvals and overrides are kept by line key, so a re-run does not lose them.
CREATE TABLE override (
    override_id INTEGER PRIMARY KEY,
    line_key    TEXT NOT NULL,
    qty         INTEGER NOT NULL CHECK (qty >= 0),
    actor       TEXT NOT NULL,
    at          TEXT NOT NULL,
    reason      TEXT NOT NULL
);

CREATE TABLE approval (
    line_key TEXT PRIMARY KEY,
    actor    TEXT NOT NULL,
    at       TEXT NOT NULL
) WITHOUT ROWID;

CREATE VIEW v_run_current AS
SELECT r.* FROM run r
WHERE r.state = 'published'
  AND r.business_date = (SELECT max(business_date) FROM run
                         WHERE job = r.job AND state = 'published');

CREATE VIEW v_plan_current AS
SELECT r.job, r.business_date, l.*
FROM v_run_current r JOIN reorder_line l ON l.run_id = r.run_id;

CREATE VIEW v_reorder_released AS
SELECT r.job, r.business_date, l.*
FROM v_run_current r JOIN reorder_line l ON l.run_id = r.run_id AND l.state = 'released';

CREATE VIEW v_production_current AS
SELECT r.job, r.business_date, p.*
FROM v_run_current r JOIN production_suggestion p ON p.run_id = r.run_id;

CREATE VIEW v_forecast_current AS
SELECT r.job, r.business_date, f.*
FROM v_run_current r JOIN forecast f ON f.run_id = r.run_id;
