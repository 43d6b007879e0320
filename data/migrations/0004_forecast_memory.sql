-- What a night remembers of its forecasts, so that the next nights follow instead of fitting again.
-- A row is written once and never changed; a night reads what was fitted before its own date, so a
-- date that is run again reads what it read the first time.
CREATE TABLE forecast_memory (
    job       TEXT NOT NULL,
    fitted_on TEXT NOT NULL,  -- business date of the night that refitted everything
    memory    BLOB NOT NULL,  -- what its series share: weights, effects, shapes of spread (postcard)
    PRIMARY KEY (job, fitted_on)
) WITHOUT ROWID;

CREATE TABLE forecast_memory_series (
    job        TEXT    NOT NULL,
    series_key INTEGER NOT NULL,  -- hash of item and location
    fitted_on  TEXT    NOT NULL,  -- the refit's date, or a later one if the series was fitted anew
    memory     BLOB    NOT NULL,  -- fitted models with their state (postcard)
    PRIMARY KEY (job, series_key, fitted_on)
) WITHOUT ROWID;
