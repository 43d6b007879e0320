-- What calendars and planners know beyond 0001: paydays, school terms, and events of single items.
-- SQLite cannot change a CHECK or a key, so the table is made anew and its rows are copied.

CREATE TABLE calendar_event_0006 (
    event_id    TEXT NOT NULL,           -- one occurrence: spring-festival-2025
    name        TEXT NOT NULL,           -- what recurs: spring-festival
    kind        TEXT NOT NULL DEFAULT 'holiday'
                CHECK (kind IN ('holiday', 'festival', 'peak', 'hot', 'workday', 'shutdown', 'payday', 'school')),
    region      TEXT NOT NULL DEFAULT '', -- prefix of a location's region; '' means everywhere
    category    TEXT NOT NULL DEFAULT '', -- '' means every category
    supplier_id TEXT NOT NULL DEFAULT '', -- for a shutdown
    item_id     TEXT NOT NULL DEFAULT '', -- '' means every item; several items are several rows
    starts_on   TEXT NOT NULL,
    ends_on     TEXT NOT NULL,
    lead_days   INTEGER NOT NULL DEFAULT 0 CHECK (lead_days BETWEEN 0 AND 60),  -- days before with an effect of their own
    lag_days    INTEGER NOT NULL DEFAULT 0 CHECK (lag_days BETWEEN 0 AND 60),
    PRIMARY KEY (event_id, region, category, supplier_id, item_id)
) WITHOUT ROWID;

INSERT INTO calendar_event_0006
    (event_id, name, kind, region, category, supplier_id, item_id, starts_on, ends_on, lead_days, lag_days)
SELECT event_id, name, kind, region, category, supplier_id, '', starts_on, ends_on, lead_days, lag_days
FROM calendar_event;

DROP TABLE calendar_event;
ALTER TABLE calendar_event_0006 RENAME TO calendar_event;
