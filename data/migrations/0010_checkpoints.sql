-- The pieces of a night's forecast that are made so far, so that one that was killed goes on from them. They live
-- from the moment they are made until the night is published or its inputs have changed; no reader looks here.
CREATE TABLE run_checkpoint (
    job           TEXT NOT NULL,
    business_date TEXT NOT NULL,
    digest        TEXT NOT NULL,      -- of all that the forecast is made of; pieces of anything else are of no use
    stage         TEXT NOT NULL,      -- trials, effects, trees, last_fits, …
    partition_no  INTEGER NOT NULL,   -- of the series, by a hash of their keys; 0 for what all of them share
    payload       BLOB NOT NULL,
    attempt_id    INTEGER NOT NULL,   -- the attempt that made it
    saved_at      TEXT NOT NULL,
    PRIMARY KEY (job, business_date, digest, stage, partition_no)
);
