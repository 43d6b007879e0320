-- A view of PostgreSQL reads with the rights of its owner unless it is told otherwise; then a reader of a
-- view would see what the tables refuse. Migrations that make views anew repeat this.
DO $$
DECLARE name TEXT;
BEGIN
    FOR name IN SELECT viewname FROM pg_views WHERE schemaname = current_schema() LOOP
        EXECUTE format('ALTER VIEW %I SET (security_invoker = true)', name);
    END LOOP;
END
$$;
