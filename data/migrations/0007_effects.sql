-- What the pooled regression learned of each category, as of a run: the refit's, on the nights that follow it too.
-- Demand is multiplied by exp(log_effect) per unit of the regressor; low and high end its 90% interval.
CREATE TABLE effect (
    run_id     TEXT NOT NULL,
    category   TEXT NOT NULL,
    regressor  TEXT NOT NULL,           -- event:double-11:during, promo:depth, price:log-ratio, weekday:0, …
    log_effect REAL NOT NULL,
    low        REAL NOT NULL,
    high       REAL NOT NULL,
    days       INTEGER NOT NULL,        -- of the calendar, on which it acted
    items      INTEGER NOT NULL,
    occurrences INTEGER NOT NULL,       -- of an event; 0 for one that the category has not seen: its class's effect
    PRIMARY KEY (run_id, category, regressor),
    CHECK (low <= log_effect AND log_effect <= high)
) WITHOUT ROWID;
