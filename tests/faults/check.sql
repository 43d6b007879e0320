-- What must hold of a database after every trial of a fault, whatever happened to the processes.
--
-- Each query has a name and finds rows only where its invariant is broken: one text a row, which
-- says where. Both SQLite and PostgreSQL take them. They know nothing of the code that they check.

-- part: nights

-- check: books_balance
SELECT 'import_batch ' || batch_id || ': ' || rows_read || ' read'
FROM import_batch
WHERE rows_read <> rows_loaded + rows_duplicate + rows_rejected OR rows_replaced > rows_loaded;

-- check: rejections_are_kept
SELECT 'import_batch ' || b.batch_id || ': ' || b.rows_rejected || ' rejected without a reason'
FROM import_batch b
WHERE b.rows_rejected > 0
  AND NOT EXISTS (SELECT 1 FROM import_rejection r WHERE r.batch_id = b.batch_id);

-- check: one_published_run_per_date
SELECT job || ' ' || business_date || ': ' || count(*) || ' published runs'
FROM run WHERE state = 'published'
GROUP BY job, business_date HAVING count(*) > 1;

-- check: one_running_attempt_per_date
SELECT job || ' ' || business_date || ': ' || count(*) || ' running attempts'
FROM run_attempt WHERE outcome = 'running'
GROUP BY job, business_date HAVING count(*) > 1;

-- check: published_attempts_have_a_run
SELECT 'attempt ' || a.attempt_id || ' published ' || a.job || ' ' || a.business_date
FROM run_attempt a
WHERE a.outcome = 'published'
  AND NOT EXISTS (SELECT 1 FROM run r WHERE r.job = a.job AND r.business_date = a.business_date
                    AND r.state = 'published')
  AND NOT EXISTS (SELECT 1 FROM purge_log p WHERE p.table_name = 'run'
                    AND a.business_date < p.before);

-- check: rows_have_their_run
SELECT t.name || ' of ' || t.run_id
FROM (SELECT DISTINCT 'effect' AS name, run_id FROM effect
      UNION SELECT DISTINCT 'order_exception', run_id FROM order_exception
      UNION SELECT DISTINCT 'stock_exit', run_id FROM stock_exit
      UNION SELECT DISTINCT 'plan_limit', run_id FROM plan_limit
      UNION SELECT DISTINCT 'forecast_series', run_id FROM forecast_series
      UNION SELECT DISTINCT 'forecast', run_id FROM forecast
      UNION SELECT DISTINCT 'reorder_line', run_id FROM reorder_line
      UNION SELECT DISTINCT 'stock_projection', run_id FROM stock_projection
      UNION SELECT DISTINCT 'production_suggestion', run_id FROM production_suggestion
      UNION SELECT DISTINCT 'finding', run_id FROM finding
      UNION SELECT DISTINCT 'segment', run_id FROM segment
      UNION SELECT DISTINCT 'kpi', run_id FROM kpi
      UNION SELECT DISTINCT 'backtest_score', run_id FROM backtest_score) t
WHERE NOT EXISTS (SELECT 1 FROM run r WHERE r.run_id = t.run_id);

-- check: counts_are_the_rows
SELECT r.run_id || ': ' || t.name || ' ' || t.rows_there || ' is not in ' || r.counts
FROM run r
JOIN (SELECT r.run_id, 'series' AS name,
             (SELECT count(*) FROM forecast_series s WHERE s.run_id = r.run_id) AS rows_there
      FROM run r
      UNION ALL
      SELECT r.run_id, 'lines', (SELECT count(*) FROM reorder_line l WHERE l.run_id = r.run_id)
      FROM run r
      UNION ALL
      SELECT r.run_id, 'production_suggestions',
             (SELECT count(*) FROM production_suggestion p WHERE p.run_id = r.run_id)
      FROM run r
      UNION ALL
      SELECT r.run_id, 'findings', (SELECT count(*) FROM finding f WHERE f.run_id = r.run_id)
      FROM run r) t ON t.run_id = r.run_id
WHERE r.counts NOT LIKE '%"' || t.name || '":' || t.rows_there || ',%'
  AND r.counts NOT LIKE '%"' || t.name || '":' || t.rows_there || '}%';

-- check: forecasts_are_series_times_horizon
SELECT t.run_id || ': ' || t.forecasts || ' forecasts of ' || t.series || ' series and '
       || t.days || ' days'
FROM (SELECT r.run_id,
             (SELECT count(*) FROM forecast f WHERE f.run_id = r.run_id) AS forecasts,
             (SELECT count(DISTINCT f.date) FROM forecast f WHERE f.run_id = r.run_id) AS days,
             (SELECT count(*) FROM forecast_series s WHERE s.run_id = r.run_id) AS series
      FROM run r) t
WHERE t.forecasts <> t.series * t.days OR t.series = 0 OR t.days = 0;

-- check: forecasts_have_their_series
SELECT DISTINCT f.run_id || ' ' || f.item_id || ' ' || f.location_id
FROM forecast f
WHERE NOT EXISTS (SELECT 1 FROM forecast_series s WHERE s.run_id = f.run_id
                    AND s.item_id = f.item_id AND s.location_id = f.location_id);

-- check: forecasts_begin_at_the_business_date
SELECT r.run_id || ': the first forecast is of ' || (SELECT min(f.date) FROM forecast f
                                                    WHERE f.run_id = r.run_id)
FROM run r
WHERE (SELECT min(f.date) FROM forecast f WHERE f.run_id = r.run_id) <> r.business_date;

-- check: quantiles_ascend
SELECT run_id || ' ' || item_id || ' ' || location_id || ' ' || date
FROM forecast
WHERE NOT (q01 <= q05 AND q05 <= q10 AND q10 <= q25 AND q25 <= q50 AND q50 <= q75 AND q75 <= q90
           AND q90 <= q95 AND q95 <= q99 AND q01 >= 0 AND mean >= 0);

-- check: effects_lie_in_their_interval
SELECT run_id || ' ' || category || ' ' || regressor
FROM effect WHERE NOT (low <= log_effect AND log_effect <= high);

-- check: line_keys_are_unique
SELECT run_id || ' ' || line_key || ': ' || count(*) || ' lines'
FROM reorder_line GROUP BY run_id, line_key HAVING count(*) > 1;

-- check: quantities_are_whole_packs
SELECT run_id || ' ' || line_key || ': ' || qty || ' in ' || order_qty || ' ' || order_uom
FROM reorder_line WHERE qty <= 0 OR order_qty <= 0 OR qty % order_qty <> 0;

-- check: priorities_count_from_one
SELECT run_id || ': ' || count(*) || ' lines, priorities to ' || max(priority)
FROM reorder_line GROUP BY run_id
HAVING min(priority) <> 1 OR max(priority) <> count(*) OR count(DISTINCT priority) <> count(*);

-- check: held_lines_say_why
SELECT run_id || ' ' || line_key FROM reorder_line
WHERE (state = 'held' AND held_because = '') OR (state = 'proposed' AND held_because <> '');

-- check: held_runs_say_why
SELECT run_id FROM run
WHERE (state = 'held' AND held_because = '') OR (state = 'published' AND held_because <> '');

-- check: findings_count_from_one
SELECT run_id || ': ' || count(*) || ' findings, numbers to ' || max(finding_no)
FROM finding GROUP BY run_id HAVING min(finding_no) <> 1 OR max(finding_no) <> count(*);

-- check: finished_nights_leave_no_checkpoints
SELECT c.job || ' ' || c.business_date || ': ' || count(*) || ' checkpoints'
FROM run_checkpoint c
WHERE (SELECT a.outcome FROM run_attempt a
       WHERE a.attempt_id = (SELECT max(b.attempt_id) FROM run_attempt b
                             WHERE b.job = c.job AND b.business_date = c.business_date))
      IN ('published', 'held')
GROUP BY c.job, c.business_date;

-- check: memory_is_of_known_refits
SELECT s.job || ' ' || s.fitted_on || ': ' || count(*) || ' series remembered before any refit'
FROM forecast_memory_series s
WHERE NOT EXISTS (SELECT 1 FROM forecast_memory m WHERE m.job = s.job AND m.fitted_on <= s.fitted_on)
GROUP BY s.job, s.fitted_on;

-- part: releases

-- check: one_revision_of_a_line_in_force
SELECT line_key FROM released_line WHERE state IN ('released', 'confirmed') GROUP BY line_key HAVING count(*) > 1;

-- check: one_line_of_a_date_for_the_same_goods_from_the_same
SELECT min(line_key) FROM released_line WHERE state IN ('released', 'confirmed')
GROUP BY business_date, kind, item_id, location_id, supplier_id, source_location_id HAVING count(*) > 1;

-- check: a_revision_takes_the_place_of_the_one_before
SELECT l.line_key FROM released_line l
WHERE l.revision > 1
  AND NOT EXISTS (SELECT 1 FROM released_line b
                  WHERE b.line_key = l.line_key AND b.revision = l.revision - 1 AND b.state = 'cancelled');

-- check: a_manifest_counts_its_lines
SELECT 'release ' || m.release_id FROM release_manifest m
WHERE m.lines <> (SELECT count(*) FROM released_line l WHERE l.release_id = m.release_id);

-- check: a_manifest_sums_its_quantities
SELECT 'release ' || coalesce(s.release_id, t.release_id)
FROM (SELECT release_id, order_uom AS unit, sum(order_qty) AS total FROM released_line GROUP BY release_id, order_uom) s
FULL OUTER JOIN (SELECT release_id, unit, total FROM release_total WHERE measure = 'order_qty') t
  ON t.release_id = s.release_id AND t.unit = s.unit
WHERE s.total IS NULL OR t.total IS NULL OR s.total <> t.total;

-- check: a_manifest_sums_its_value
SELECT 'release ' || coalesce(s.release_id, t.release_id)
FROM (SELECT release_id, currency AS unit, sum(value_minor) AS total FROM released_line GROUP BY release_id, currency) s
FULL OUTER JOIN (SELECT release_id, unit, total FROM release_total WHERE measure = 'value_minor') t
  ON t.release_id = s.release_id AND t.unit = s.unit
WHERE s.total IS NULL OR t.total IS NULL OR s.total <> t.total;

-- check: a_line_is_of_its_manifests_run
SELECT l.line_key FROM released_line l JOIN release_manifest m ON m.release_id = l.release_id
WHERE l.run_id <> m.run_id OR l.job <> m.job OR l.business_date <> m.business_date;

-- check: a_line_is_worth_its_pieces
SELECT line_key FROM released_line WHERE qty_decimals = 0 AND value_minor <> qty * unit_cost_minor;

-- check: a_gate_is_lifted_by_somebody
SELECT l.line_key FROM released_line l
WHERE l.held_because <> ''
  AND NOT EXISTS (SELECT 1 FROM approval a
                  WHERE a.line_key = l.line_key AND a.verdict = 'approve' AND a.revision = l.revision AND a.qty = l.qty
                    AND a.held_because = l.held_because AND a.at <= l.released_at AND a.expires_at > l.released_at);

-- check: an_override_over_its_cap_is_approved_by_another
SELECT l.line_key FROM released_line l JOIN override o ON o.override_id = l.override_id
WHERE l.qty = o.qty AND (o.qty > o.cap_qty OR o.against_terms <> '') AND l.qty > 0
  AND NOT EXISTS (SELECT 1 FROM approval a
                  WHERE a.line_key = l.line_key AND a.verdict = 'approve' AND a.revision = l.revision AND a.qty = l.qty
                    AND lower(a.actor) <> lower(o.actor));

-- check: a_change_of_what_went_out_is_approved
SELECT line_key FROM released_line WHERE change <> 'order' AND approved_by = '';

-- check: nothing_goes_out_while_it_is_stopped
SELECT l.line_key FROM released_line l JOIN kill_switch k
  ON k.stopped = 1 AND k.at < l.released_at
 AND (k.scope = 'all' OR (k.scope = 'run' AND k.scope_id IN (l.run_id, l.job))
      OR (k.scope = 'supplier' AND k.scope_id = l.supplier_id)
      OR (k.scope = 'location' AND k.scope_id IN (l.location_id, l.source_location_id)))
WHERE l.change <> 'cancellation'
  AND NOT EXISTS (SELECT 1 FROM kill_switch g
                  WHERE g.scope = k.scope AND g.scope_id = k.scope_id AND g.switch_id > k.switch_id
                    AND g.at <= l.released_at);

-- check: what_was_taken_is_known_as_taken
SELECT a.line_key FROM acknowledgement a
WHERE NOT EXISTS (SELECT 1 FROM released_line l
                  WHERE l.line_key = a.line_key AND l.revision = a.revision AND l.state <> 'released');

-- check: a_plan_does_not_propose_anew_what_went_out
SELECT l.line_key FROM v_run_current r JOIN reorder_line l ON l.run_id = r.run_id
WHERE l.state IN ('proposed', 'held', 'approved') AND l.revises IS NULL
  AND EXISTS (SELECT 1 FROM released_line o WHERE o.line_key = l.line_key AND o.job = r.job);

-- check: a_plan_shows_as_released_only_what_went_out
SELECT l.line_key FROM reorder_line l
WHERE l.state IN ('released', 'confirmed', 'closed')
  AND NOT EXISTS (SELECT 1 FROM released_line o WHERE o.line_key = l.line_key);

-- check: a_closed_line_has_a_date
SELECT line_key FROM released_line WHERE (state IN ('closed', 'cancelled')) <> (closed_on IS NOT NULL);

-- check: a_step_of_a_line_is_written_down
SELECT l.line_key FROM released_line l
WHERE l.state <> 'released'
  AND NOT EXISTS (SELECT 1 FROM released_line_event e
                  WHERE e.line_key = l.line_key AND e.revision = l.revision AND e.new_state = l.state);
