-- The clients: who may send events, with which key, and into which ClickHouse database they go.
-- This table is the truth; Redis and the memory of each router only remember what it said.
--
-- Safe to apply again, and by two processes at once: the lock makes the second one wait for the first.
-- Needs Postgres 14 or later (CREATE OR REPLACE TRIGGER).

BEGIN;
SELECT pg_advisory_xact_lock(hashtext('router schema'));

CREATE TABLE IF NOT EXISTS public.clients (
    client_id                   uuid        NOT NULL DEFAULT gen_random_uuid(),
    -- For people only: any characters, need not be unique.
    client_name                 text        NOT NULL,
    -- SHA-256 of the API key in hex, which is what a producer sends. The key itself is stored nowhere.
    api_key_hash                text        NOT NULL,
    -- The key before a rotation. It is accepted until the time beside it, so that producers can change over
    -- while events flow. Both are set or neither is.
    previous_api_key_hash       text,
    previous_api_key_expires_at timestamptz,
    -- pending: no database yet; active: events are accepted; suspended: refused for now; deprovisioned: gone.
    status                      text        NOT NULL DEFAULT 'pending',
    -- The only ClickHouse database that this client's rows may go to. A trigger below fills it in when it is not given.
    ch_database_name            text        NOT NULL,
    created_at                  timestamptz NOT NULL DEFAULT now(),
    updated_at                  timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT clients_pkey PRIMARY KEY (client_id),
    -- Two clients in one database would mix their rows: this is what makes that impossible.
    CONSTRAINT clients_ch_database_name_key UNIQUE (ch_database_name),
    CONSTRAINT clients_name_check CHECK (client_name ~ '\S' AND length(client_name) <= 200),
    CONSTRAINT clients_status_check CHECK (status IN ('pending', 'active', 'suspended', 'deprovisioned')),
    CONSTRAINT clients_api_key_hash_check CHECK (api_key_hash ~ '^[0-9A-Fa-f]{64}$'),
    CONSTRAINT clients_previous_api_key_hash_check CHECK (previous_api_key_hash ~ '^[0-9A-Fa-f]{64}$'),
    CONSTRAINT clients_previous_api_key_check CHECK (
        (previous_api_key_hash IS NULL) = (previous_api_key_expires_at IS NULL)),
    -- A name that ClickHouse takes without quotes, and none of the server's own databases.
    CONSTRAINT clients_ch_database_name_check CHECK (
        ch_database_name ~ '^[A-Za-z_][A-Za-z0-9_]{0,62}$'
        AND lower(ch_database_name) NOT IN (
            'system', 'default', 'information_schema', '_temporary_and_external_tables'))
);

-- Fills in what the writer left out, and keeps updated_at true whoever changes the row and with whatever tool.
CREATE OR REPLACE FUNCTION public.router_clients_before_write() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    IF NEW.ch_database_name IS NULL THEN
        NEW.ch_database_name := 'client_' || replace(NEW.client_id::text, '-', '_');
    END IF;
    IF TG_OP = 'UPDATE' THEN
        -- The clock and not now(): two changes in one transaction are two times. Never backwards.
        NEW.updated_at := greatest(clock_timestamp(), OLD.updated_at);
    END IF;
    RETURN NEW;
END
$$;

CREATE OR REPLACE TRIGGER router_clients_before_write
    BEFORE INSERT OR UPDATE ON public.clients
    FOR EACH ROW EXECUTE FUNCTION public.router_clients_before_write();

-- Tells every running router which client changed. Postgres delivers a notification when the transaction
-- commits and to whoever listens at that moment; a router that was not listening forgets all it knew when it is back.
CREATE OR REPLACE FUNCTION public.router_clients_notify() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        PERFORM pg_notify('router_clients', '*');
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        PERFORM pg_notify('router_clients', OLD.client_id::text);
    END IF;
    IF TG_OP = 'INSERT' OR (TG_OP = 'UPDATE' AND NEW.client_id <> OLD.client_id) THEN
        PERFORM pg_notify('router_clients', NEW.client_id::text);
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER router_clients_notify
    AFTER INSERT OR UPDATE OR DELETE ON public.clients
    FOR EACH ROW EXECUTE FUNCTION public.router_clients_notify();

CREATE OR REPLACE TRIGGER router_clients_notify_truncate
    AFTER TRUNCATE ON public.clients
    FOR EACH STATEMENT EXECUTE FUNCTION public.router_clients_notify();

COMMIT;
