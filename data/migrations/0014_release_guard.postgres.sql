-- What is written once stays as it was written, whoever writes: 0013 is the same for SQLite.

CREATE FUNCTION granary_written_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%: what is written here is never changed or deleted', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;

-- The same transitions as models/plan/life.rs; a test compares them pair by pair.
CREATE FUNCTION granary_released_line_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    later text[] := ARRAY['state', 'confirmed_qty', 'confirmed_on', 'order_number', 'closed_on', 'closed_because'];
BEGIN
    IF to_jsonb(OLD) - later IS DISTINCT FROM to_jsonb(NEW) - later THEN
        RAISE EXCEPTION 'released_line: a released line does not change; a change is a new revision'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NOT ((OLD.state = 'released' AND NEW.state IN ('confirmed', 'closed', 'cancelled'))
            OR (OLD.state = 'confirmed' AND NEW.state IN ('confirmed', 'closed', 'cancelled'))) THEN
        RAISE EXCEPTION 'released_line: the state only moves forward, from released to confirmed to closed or cancelled'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION granary_released_line_begin() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state <> 'released' OR NEW.confirmed_qty IS NOT NULL OR NEW.confirmed_on IS NOT NULL
       OR NEW.order_number <> '' OR NEW.closed_on IS NOT NULL THEN
        RAISE EXCEPTION 'released_line: a line begins as released' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.revision > 1 AND NOT EXISTS (SELECT 1 FROM released_line
                                        WHERE line_key = NEW.line_key AND revision = NEW.revision - 1) THEN
        RAISE EXCEPTION 'released_line: a revision names the one before it' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER released_line_moves_forward BEFORE UPDATE ON released_line
    FOR EACH ROW EXECUTE FUNCTION granary_released_line_guard();
CREATE TRIGGER released_line_begins_released BEFORE INSERT ON released_line
    FOR EACH ROW EXECUTE FUNCTION granary_released_line_begin();

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['release_manifest', 'release_total', 'override', 'approval', 'kill_switch',
                             'released_line_event'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE ON %I
                        FOR EACH ROW EXECUTE FUNCTION granary_written_once()', t || '_written_once', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['released_line', 'acknowledgement'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE DELETE ON %I
                        FOR EACH ROW EXECUTE FUNCTION granary_written_once()', t || '_stays', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['released_line', 'release_manifest', 'release_total', 'override', 'approval',
                             'kill_switch', 'released_line_event', 'acknowledgement'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I
                        FOR EACH STATEMENT EXECUTE FUNCTION granary_written_once()', t || '_not_emptied', t);
    END LOOP;
END $$;

-- What a purchasing role may do beside reading: say that it has taken a line, and what it knows of it. It answers with the
-- line's state. Saying the same again changes nothing; what is NULL leaves what was said before. It is the same as
-- `granary ack`, and a test runs both. It runs with the rights of its owner, so its search path is fixed below; nobody may
-- call it until it is granted.
CREATE FUNCTION acknowledge_line(p_line_key text, p_revision bigint, p_consumer text, p_confirmed_qty bigint DEFAULT NULL,
                                 p_confirmed_on text DEFAULT NULL, p_order_number text DEFAULT NULL)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    line    released_line%ROWTYPE;
    told    acknowledgement%ROWTYPE;
    known   boolean;
    now_utc text := to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"');
    after   text;
BEGIN
    IF coalesce(trim(p_consumer), '') = '' OR p_consumer <> trim(p_consumer) THEN
        RAISE EXCEPTION 'the consumer % is empty or has blanks around it', quote_nullable(p_consumer);
    END IF;
    IF p_confirmed_qty < 0 THEN
        RAISE EXCEPTION 'confirmed_qty is %, should be 0 or more', p_confirmed_qty;
    END IF;
    IF p_confirmed_on IS NOT NULL AND to_char(p_confirmed_on::date, 'YYYY-MM-DD') <> p_confirmed_on THEN
        RAISE EXCEPTION 'confirmed_on is %, should be a date YYYY-MM-DD', quote_literal(p_confirmed_on);
    END IF;
    -- The lock of every other writer, so that a release cannot supersede the line meanwhile.
    PERFORM pg_advisory_xact_lock(4737295);
    SELECT * INTO line FROM released_line WHERE line_key = p_line_key AND revision = p_revision FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no released line % revision %', quote_nullable(p_line_key), p_revision
            USING ERRCODE = 'no_data_found';
    END IF;
    SELECT * INTO told FROM acknowledgement
    WHERE consumer = p_consumer AND line_key = p_line_key AND revision = p_revision;
    known := FOUND;
    IF known AND coalesce(p_confirmed_qty, told.confirmed_qty) IS NOT DISTINCT FROM told.confirmed_qty
             AND coalesce(p_confirmed_on, told.confirmed_on) IS NOT DISTINCT FROM told.confirmed_on
             AND coalesce(p_order_number, told.order_number) = told.order_number THEN
        RETURN line.state;
    END IF;
    INSERT INTO acknowledgement (consumer, line_key, revision, confirmed_qty, confirmed_on, order_number, actor, at, changed_at)
    VALUES (p_consumer, p_line_key, p_revision, p_confirmed_qty, p_confirmed_on, coalesce(p_order_number, ''),
            session_user, now_utc, now_utc)
    ON CONFLICT (consumer, line_key, revision) DO UPDATE SET
        confirmed_qty = coalesce(p_confirmed_qty, acknowledgement.confirmed_qty),
        confirmed_on = coalesce(p_confirmed_on, acknowledgement.confirmed_on),
        order_number = coalesce(p_order_number, acknowledgement.order_number),
        changed_at = now_utc;
    after := CASE WHEN line.state IN ('released', 'confirmed') THEN 'confirmed' ELSE line.state END;
    IF after = 'confirmed' THEN
        UPDATE released_line SET state = 'confirmed',
            confirmed_qty = coalesce(p_confirmed_qty, confirmed_qty),
            confirmed_on = coalesce(p_confirmed_on, confirmed_on),
            order_number = coalesce(p_order_number, order_number)
        WHERE line_key = p_line_key AND revision = p_revision;
        UPDATE reorder_line SET state = 'confirmed'
        WHERE run_id = line.run_id AND line_key = p_line_key AND state = 'released';
    END IF;
    INSERT INTO released_line_event (line_key, revision, operation, old_state, new_state, actor, role, at, detail)
    VALUES (p_line_key, p_revision, 'acknowledge', line.state, after, session_user, 'purchasing', now_utc, p_consumer);
    RETURN after;
END $$;

REVOKE ALL ON FUNCTION acknowledge_line(text, bigint, text, bigint, text, text) FROM PUBLIC;
DO $$
DECLARE
    f text;
BEGIN
    FOREACH f IN ARRAY ARRAY['acknowledge_line(text, bigint, text, bigint, text, text)', 'granary_written_once()',
                             'granary_released_line_guard()', 'granary_released_line_begin()'] LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', f, current_schema());
    END LOOP;
END $$;
