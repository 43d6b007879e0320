-- How far each source of a job was read. Written in the transaction of the rows themselves, so a pull
-- that failed has changed nothing here either.
CREATE TABLE source_state (
    job          TEXT NOT NULL,
    source       TEXT NOT NULL,
    watermark    TEXT NOT NULL DEFAULT '', -- largest value of the watermark's column; '' without one
    columns_seen TEXT NOT NULL,            -- JSON [{name, type}, …] of the last pull that was kept
    rows_read    INTEGER NOT NULL,         -- in that pull
    succeeded_at TEXT NOT NULL,
    PRIMARY KEY (job, source)
) WITHOUT ROWID;

-- Files and objects that were loaded. One whose version or digest is here is not loaded again.
CREATE TABLE source_file (
    job        TEXT NOT NULL,
    source     TEXT NOT NULL,
    name       TEXT NOT NULL,    -- path below the folder, or key below the prefix
    size_bytes INTEGER NOT NULL,
    version    TEXT NOT NULL,    -- an object's ETag; a file's times and inode
    digest     TEXT NOT NULL,    -- blake3 of the bytes
    loaded_at  TEXT NOT NULL,
    PRIMARY KEY (job, source, name)
) WITHOUT ROWID;
