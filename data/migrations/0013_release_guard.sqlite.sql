-- What is written once stays as it was written. Triggers rather than trust: whoever opens the file with another program is
-- held to the same rules. A BEFORE INSERT trigger stands for INSERT OR REPLACE, whose deletion fires no trigger.

CREATE TRIGGER released_line_written_once BEFORE UPDATE OF
    line_key, revision, revises, change, release_id, job, business_date, run_id, kind, item_id, supplier_id,
    source_location_id, location_id, qty, qty_decimals, base_uom, order_qty, order_uom, unit_cost_minor, value_minor,
    currency, order_on, expected_on, need_on, priority, expected_value_minor, reason, held_because, proposed_qty,
    override_id, approved_by, released_at, released_by ON released_line
BEGIN
    SELECT RAISE(ABORT, 'released_line: a released line does not change; a change is a new revision');
END;

-- The same transitions as models/plan/life.rs; a test compares them pair by pair.
CREATE TRIGGER released_line_moves_forward BEFORE UPDATE ON released_line
WHEN NOT (
       (OLD.state = 'released' AND NEW.state IN ('confirmed', 'closed', 'cancelled'))
    OR (OLD.state = 'confirmed' AND NEW.state IN ('confirmed', 'closed', 'cancelled')))
BEGIN
    SELECT RAISE(ABORT, 'released_line: the state only moves forward, from released to confirmed to closed or cancelled');
END;

CREATE TRIGGER released_line_begins_released BEFORE INSERT ON released_line
BEGIN
    SELECT RAISE(ABORT, 'released_line: a line begins as released')
    WHERE NEW.state <> 'released' OR NEW.confirmed_qty IS NOT NULL OR NEW.confirmed_on IS NOT NULL
       OR NEW.order_number <> '' OR NEW.closed_on IS NOT NULL;
    SELECT RAISE(ABORT, 'released_line: this revision was released before')
    WHERE EXISTS (SELECT 1 FROM released_line WHERE line_key = NEW.line_key AND revision = NEW.revision);
    SELECT RAISE(ABORT, 'released_line: a revision names the one before it')
    WHERE NEW.revision > 1
      AND NOT EXISTS (SELECT 1 FROM released_line WHERE line_key = NEW.line_key AND revision = NEW.revision - 1);
END;

CREATE TRIGGER released_line_stays BEFORE DELETE ON released_line
BEGIN SELECT RAISE(ABORT, 'released_line: what was released is never deleted'); END;

CREATE TRIGGER release_manifest_written_once BEFORE UPDATE ON release_manifest
BEGIN SELECT RAISE(ABORT, 'release_manifest: a manifest does not change'); END;
CREATE TRIGGER release_manifest_stays BEFORE DELETE ON release_manifest
BEGIN SELECT RAISE(ABORT, 'release_manifest: a manifest is never deleted'); END;
CREATE TRIGGER release_manifest_once BEFORE INSERT ON release_manifest
WHEN EXISTS (SELECT 1 FROM release_manifest WHERE release_id = NEW.release_id)
BEGIN SELECT RAISE(ABORT, 'release_manifest: a manifest does not change'); END;

CREATE TRIGGER release_total_written_once BEFORE UPDATE ON release_total
BEGIN SELECT RAISE(ABORT, 'release_total: a manifest does not change'); END;
CREATE TRIGGER release_total_stays BEFORE DELETE ON release_total
BEGIN SELECT RAISE(ABORT, 'release_total: a manifest is never deleted'); END;
CREATE TRIGGER release_total_once BEFORE INSERT ON release_total
WHEN EXISTS (SELECT 1 FROM release_total
             WHERE release_id = NEW.release_id AND measure = NEW.measure AND unit = NEW.unit)
BEGIN SELECT RAISE(ABORT, 'release_total: a manifest does not change'); END;

CREATE TRIGGER override_written_once BEFORE UPDATE ON override
BEGIN SELECT RAISE(ABORT, 'override: what was said does not change; say something new'); END;
CREATE TRIGGER override_stays BEFORE DELETE ON override
BEGIN SELECT RAISE(ABORT, 'override: what was said is never deleted'); END;
CREATE TRIGGER override_once BEFORE INSERT ON override
WHEN EXISTS (SELECT 1 FROM override WHERE override_id = NEW.override_id)
BEGIN SELECT RAISE(ABORT, 'override: what was said does not change; say something new'); END;

CREATE TRIGGER approval_written_once BEFORE UPDATE ON approval
BEGIN SELECT RAISE(ABORT, 'approval: what was said does not change; withdraw it'); END;
CREATE TRIGGER approval_stays BEFORE DELETE ON approval
BEGIN SELECT RAISE(ABORT, 'approval: what was said is never deleted'); END;
CREATE TRIGGER approval_once BEFORE INSERT ON approval
WHEN EXISTS (SELECT 1 FROM approval WHERE approval_id = NEW.approval_id)
BEGIN SELECT RAISE(ABORT, 'approval: what was said does not change; withdraw it'); END;

CREATE TRIGGER kill_switch_written_once BEFORE UPDATE ON kill_switch
BEGIN SELECT RAISE(ABORT, 'kill_switch: a switch is turned by a new row'); END;
CREATE TRIGGER kill_switch_stays BEFORE DELETE ON kill_switch
BEGIN SELECT RAISE(ABORT, 'kill_switch: a switch is turned by a new row'); END;
CREATE TRIGGER kill_switch_once BEFORE INSERT ON kill_switch
WHEN EXISTS (SELECT 1 FROM kill_switch WHERE switch_id = NEW.switch_id)
BEGIN SELECT RAISE(ABORT, 'kill_switch: a switch is turned by a new row'); END;

CREATE TRIGGER released_line_event_written_once BEFORE UPDATE ON released_line_event
BEGIN SELECT RAISE(ABORT, 'released_line_event: what happened does not change'); END;
CREATE TRIGGER released_line_event_stays BEFORE DELETE ON released_line_event
BEGIN SELECT RAISE(ABORT, 'released_line_event: what happened is never deleted'); END;
CREATE TRIGGER released_line_event_once BEFORE INSERT ON released_line_event
WHEN EXISTS (SELECT 1 FROM released_line_event WHERE event_no = NEW.event_no)
BEGIN SELECT RAISE(ABORT, 'released_line_event: what happened does not change'); END;

CREATE TRIGGER acknowledgement_stays BEFORE DELETE ON acknowledgement
BEGIN SELECT RAISE(ABORT, 'acknowledgement: what was acknowledged is never deleted'); END;
