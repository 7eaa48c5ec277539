-- What the router needs in Postgres, and no more. Apply it as the owner of the tables, after `router db upgrade`, and
-- again after each upgrade:
--
--   psql --dbname router --file deploy/postgres-grants.sql
--   psql --dbname router --command "CREATE ROLE router LOGIN PASSWORD '…' IN ROLE router_run"
--   psql --dbname router --command "CREATE ROLE alice LOGIN PASSWORD '…' IN ROLE router_operator"
--
-- router_run       `router run`: reads the clients, notes how far it is.
-- router_operator  all other commands but `router db upgrade`, which the owner of the tables runs.
-- Tested by Tests/IntegrationTests/test_grants.py.

\set ON_ERROR_STOP on
BEGIN;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'router_run') THEN
        CREATE ROLE router_run NOLOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'router_operator') THEN
        CREATE ROLE router_operator NOLOGIN;
    END IF;
END
$$;

GRANT CONNECT ON DATABASE :"DBNAME" TO router_run, router_operator;
GRANT USAGE ON SCHEMA public TO router_run, router_operator;

-- The service.
GRANT SELECT ON public.clients, public.pauses, public.router_schema TO router_run;
GRANT SELECT, INSERT, UPDATE ON public.partition_progress TO router_run;
-- It takes what `router offsets accept` wrote down, and says when.
GRANT SELECT, UPDATE ON public.offset_acceptances TO router_run;
-- What retention took before it was delivered.
GRANT SELECT, INSERT ON public.retention_losses TO router_run;

-- Operators: every table of the router's, by name, because the database may hold others. router_schema is for reading:
-- only an upgrade writes it.
GRANT SELECT ON public.router_schema TO router_operator;
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'clients', 'schema_versions', 'partition_progress', 'offset_acceptances', 'retention_losses', 'schema_progress', 'schema_placement',
        'schema_repairs', 'replay_runs', 'dead_letter_attempts', 'replay_mended', 'dead_letter_discards',
        'dead_letter_discard_ranges', 'removals', 'removed_offsets', 'client_retention', 'pauses']
    LOOP
        -- An older schema lacks the newest of them.
        IF to_regclass('public.' || name) IS NOT NULL THEN
            EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON public.%I TO router_operator', name);
        END IF;
    END LOOP;
END
$$;
-- Tables with a serial column take its numbers from a sequence.
DO $$
DECLARE
    sequence regclass;
BEGIN
    FOR sequence IN
        SELECT d.objid::regclass FROM pg_depend d
          JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
         WHERE d.deptype = 'a' AND d.classid = 'pg_class'::regclass
           AND has_table_privilege('router_operator', d.refobjid, 'INSERT')
    LOOP
        EXECUTE format('GRANT USAGE ON SEQUENCE %s TO router_operator', sequence);
    END LOOP;
END
$$;

COMMIT;
