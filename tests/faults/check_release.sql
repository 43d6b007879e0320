-- What must hold of released lines, in SQL that both databases take. Each query has a name and gives rows only where it is
-- broken; the first column says what. Run every one of them after every trial.

-- name: one_revision_of_a_line_in_force
SELECT line_key FROM released_line WHERE state IN ('released', 'confirmed') GROUP BY line_key HAVING count(*) > 1;

-- name: one_line_of_a_date_for_the_same_goods_from_the_same
SELECT min(line_key) FROM released_line WHERE state IN ('released', 'confirmed')
GROUP BY business_date, kind, item_id, location_id, supplier_id, source_location_id HAVING count(*) > 1;

-- name: a_revision_takes_the_place_of_the_one_before
SELECT l.line_key FROM released_line l
WHERE l.revision > 1
  AND NOT EXISTS (SELECT 1 FROM released_line b
                  WHERE b.line_key = l.line_key AND b.revision = l.revision - 1 AND b.state = 'cancelled');

-- name: a_manifest_counts_its_lines
SELECT m.release_id FROM release_manifest m
WHERE m.lines <> (SELECT count(*) FROM released_line l WHERE l.release_id = m.release_id);

-- name: a_manifest_sums_its_quantities
SELECT coalesce(s.release_id, t.release_id)
FROM (SELECT release_id, order_uom AS unit, sum(order_qty) AS total FROM released_line GROUP BY release_id, order_uom) s
FULL OUTER JOIN (SELECT release_id, unit, total FROM release_total WHERE measure = 'order_qty') t
  ON t.release_id = s.release_id AND t.unit = s.unit
WHERE s.total IS NULL OR t.total IS NULL OR s.total <> t.total;

-- name: a_manifest_sums_its_value
SELECT coalesce(s.release_id, t.release_id)
FROM (SELECT release_id, currency AS unit, sum(value_minor) AS total FROM released_line GROUP BY release_id, currency) s
FULL OUTER JOIN (SELECT release_id, unit, total FROM release_total WHERE measure = 'value_minor') t
  ON t.release_id = s.release_id AND t.unit = s.unit
WHERE s.total IS NULL OR t.total IS NULL OR s.total <> t.total;

-- name: a_line_is_of_its_manifests_run
SELECT l.line_key FROM released_line l JOIN release_manifest m ON m.release_id = l.release_id
WHERE l.run_id <> m.run_id OR l.job <> m.job OR l.business_date <> m.business_date;

-- name: a_line_is_worth_its_pieces
SELECT line_key FROM released_line WHERE qty_decimals = 0 AND value_minor <> qty * unit_cost_minor;

-- name: a_gate_is_lifted_by_somebody
SELECT l.line_key FROM released_line l
WHERE l.held_because <> ''
  AND NOT EXISTS (SELECT 1 FROM approval a
                  WHERE a.line_key = l.line_key AND a.verdict = 'approve' AND a.revision = l.revision AND a.qty = l.qty
                    AND a.held_because = l.held_because AND a.at <= l.released_at AND a.expires_at > l.released_at);

-- name: an_override_over_its_cap_is_approved_by_another
SELECT l.line_key FROM released_line l JOIN override o ON o.override_id = l.override_id
WHERE l.qty = o.qty AND (o.qty > o.cap_qty OR o.against_terms <> '') AND l.qty > 0
  AND NOT EXISTS (SELECT 1 FROM approval a
                  WHERE a.line_key = l.line_key AND a.verdict = 'approve' AND a.revision = l.revision AND a.qty = l.qty
                    AND lower(a.actor) <> lower(o.actor));

-- name: a_change_of_what_went_out_is_approved
SELECT line_key FROM released_line WHERE change <> 'order' AND approved_by = '';

-- name: nothing_goes_out_while_it_is_stopped
SELECT l.line_key FROM released_line l JOIN kill_switch k
  ON k.stopped = 1 AND k.at < l.released_at
 AND (k.scope = 'all' OR (k.scope = 'run' AND k.scope_id IN (l.run_id, l.job))
      OR (k.scope = 'supplier' AND k.scope_id = l.supplier_id)
      OR (k.scope = 'location' AND k.scope_id IN (l.location_id, l.source_location_id)))
WHERE l.change <> 'cancellation'
  AND NOT EXISTS (SELECT 1 FROM kill_switch g
                  WHERE g.scope = k.scope AND g.scope_id = k.scope_id AND g.switch_id > k.switch_id
                    AND g.at <= l.released_at);

-- name: what_was_taken_is_known_as_taken
SELECT a.line_key FROM acknowledgement a
WHERE NOT EXISTS (SELECT 1 FROM released_line l
                  WHERE l.line_key = a.line_key AND l.revision = a.revision AND l.state <> 'released');

-- name: a_plan_does_not_propose_anew_what_went_out
SELECT l.line_key FROM v_run_current r JOIN reorder_line l ON l.run_id = r.run_id
WHERE l.state IN ('proposed', 'held', 'approved') AND l.revises IS NULL
  AND EXISTS (SELECT 1 FROM released_line o WHERE o.line_key = l.line_key AND o.job = r.job);

-- name: a_plan_shows_as_released_only_what_went_out
SELECT l.line_key FROM reorder_line l
WHERE l.state IN ('released', 'confirmed', 'closed')
  AND NOT EXISTS (SELECT 1 FROM released_line o WHERE o.line_key = l.line_key);

-- name: a_closed_line_has_a_date
SELECT line_key FROM released_line WHERE (state IN ('closed', 'cancelled')) <> (closed_on IS NOT NULL);

-- name: a_step_of_a_line_is_written_down
SELECT l.line_key FROM released_line l
WHERE l.state <> 'released'
  AND NOT EXISTS (SELECT 1 FROM released_line_event e
                  WHERE e.line_key = l.line_key AND e.revision = l.revision AND e.new_state = l.state);
