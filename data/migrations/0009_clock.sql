-- The clock: who may write for a job, what became of its business dates, and how.

-- Who is at work. attempt_id is the fencing token: a run writes only while this row has its own. A run that
-- has ended has no row.
CREATE TABLE job_lease (
    job           TEXT PRIMARY KEY,
    business_date TEXT NOT NULL,
    attempt_id    INTEGER NOT NULL,
    owner         TEXT NOT NULL,       -- host/process/start/namespace/boot: tells on the same machine whether it is gone
    renewed_at    TEXT NOT NULL,
    until_at      TEXT NOT NULL,       -- for people
    until_ms      INTEGER NOT NULL     -- until_at on the clock that judges it: the server's in PostgreSQL; in SQLite,
                                       -- whose processes share a machine, the time since that machine started
) WITHOUT ROWID;

-- One row a job and business date, whatever happens.
CREATE TABLE job_date (
    job           TEXT NOT NULL,
    business_date TEXT NOT NULL,
    state         TEXT NOT NULL CHECK (state IN
                  ('waiting', 'running', 'published', 'held', 'stale', 'failed', 'gave_up', 'skipped', 'cancelled')),
    due_at        TEXT,                -- NULL: it was asked for by hand
    tries         INTEGER NOT NULL DEFAULT 0,  -- that failed
    retry_at      TEXT,                -- failed and stale: not before
    attempt_id    INTEGER,             -- the newest that changed the state
    detail        TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (job, business_date)
) WITHOUT ROWID;

CREATE TABLE job_control (
    job       TEXT PRIMARY KEY,
    failures  INTEGER NOT NULL DEFAULT 0,      -- in a row
    paused_at TEXT,                            -- NULL: not paused
    paused_by TEXT NOT NULL DEFAULT '',
    reason    TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;

-- Every change of the three tables above but the renewals.
CREATE TABLE job_event (
    event_id      INTEGER PRIMARY KEY,
    job           TEXT NOT NULL,
    business_date TEXT NOT NULL DEFAULT '',    -- empty: of the job as a whole
    at            TEXT NOT NULL,
    what          TEXT NOT NULL,
    attempt_id    INTEGER,
    actor         TEXT NOT NULL,
    detail        TEXT NOT NULL DEFAULT ''
);
CREATE INDEX job_event_job ON job_event (job, event_id);

-- What ran before there were such rows. A published plan goes before a held one beside it.
INSERT INTO job_date (job, business_date, state, attempt_id)
SELECT r.job, r.business_date, max(r.state),
       (SELECT max(a.attempt_id) FROM run_attempt a
        WHERE a.job = r.job AND a.business_date = r.business_date AND a.outcome IN ('published', 'held'))
FROM run r
GROUP BY r.job, r.business_date;
