-- What an import brings beside rows: the `[defaults]` of its map. They stand in for master data that
-- the upstream does not have; the night reads them after the job's own [defaults], and every use is
-- a `default_used` finding.
CREATE TABLE import_default (
    key   TEXT PRIMARY KEY,  -- lead_time_days, review_days, moq, multiple, unit_cost_minor, …
    value TEXT NOT NULL
) WITHOUT ROWID;
