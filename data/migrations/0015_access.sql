-- Tokens of the API. A token is shown once, when it is made; only its digest is kept, so whoever reads
-- this table cannot use what it finds.
CREATE TABLE api_token (
    token_id   TEXT PRIMARY KEY,   -- the first signs of the token, to speak of it
    digest     TEXT NOT NULL UNIQUE,  -- blake3 of the whole token, hexadecimal
    name       TEXT NOT NULL,      -- whose it is; written down beside what is done with it
    role       TEXT NOT NULL CHECK (role IN ('engine', 'planner', 'approver', 'purchasing', 'analyst', 'operator')),
    locations  TEXT NOT NULL DEFAULT '[]',  -- JSON; empty for all
    created_at TEXT NOT NULL,      -- UTC, RFC 3339
    created_by TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    revoked_at TEXT                -- NULL: not revoked
) WITHOUT ROWID;

-- Which locations a login of PostgreSQL may see. A login without a row sees all; see docs/roles.md.
CREATE TABLE location_access (
    login       TEXT NOT NULL,
    location_id TEXT NOT NULL,
    PRIMARY KEY (login, location_id)
) WITHOUT ROWID;

-- What was removed because it was older than its retention.
CREATE TABLE purge_log (
    purge_id   INTEGER PRIMARY KEY,
    purged_at  TEXT NOT NULL,
    table_name TEXT NOT NULL,
    before     TEXT NOT NULL,      -- rows of days before this one went
    row_count  INTEGER NOT NULL
);
