-- The plan's page shows lines by priority, a page at a time; without this each page sorts them all.
CREATE INDEX reorder_line_priority ON reorder_line (run_id, priority);
