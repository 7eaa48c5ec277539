-- How far each client's schema has come inside of one version, statement by statement: ClickHouse's DDL has no
-- transactions, so a file that failed at its third statement has done two. `schema_versions` says what is complete;
-- these
-- rows say where to go on, and stay afterwards as the record of what was run and how long it took.

BEGIN;
SELECT pg_advisory_xact_lock(hashtext('router schema'));

CREATE TABLE IF NOT EXISTS public.schema_progress (
    client_id          uuid        NOT NULL,
    version            integer     NOT NULL,
    -- Its place in the file, from 1.
    statement          integer     NOT NULL,
    -- SHA-256 of the statement as it stands in the file. One that is done may not change; one that failed may be mended.
    statement_checksum text        NOT NULL,
    -- started: sent, and its outcome was not written down: whoever goes on has to find out.
    state              text        NOT NULL,
    -- What the server's system.processes shows it by.
    query_id           text        NOT NULL,
    -- A checksum of the database's tables before it was sent: whether it took effect can be told from it.
    schema_before      text,
    started_at         timestamptz NOT NULL DEFAULT now(),
    finished_at        timestamptz,
    duration_ms        bigint,
    -- What ClickHouse said, when it refused.
    error              text,

    CONSTRAINT schema_progress_pkey PRIMARY KEY (client_id, version, statement),
    CONSTRAINT schema_progress_client_fkey FOREIGN KEY (client_id)
        REFERENCES public.clients (client_id) ON UPDATE CASCADE ON DELETE CASCADE,
    CONSTRAINT schema_progress_place_check CHECK (version >= 1 AND statement >= 1),
    CONSTRAINT schema_progress_state_check CHECK (state IN ('started', 'done', 'failed')),
    CONSTRAINT schema_progress_checksum_check CHECK (statement_checksum ~ '^[0-9a-f]{64}$')
);

-- Where a client's database was made, for those that are not simply on the one server: later migrations have to go
-- there.
CREATE TABLE IF NOT EXISTS public.schema_placement (
    client_id uuid NOT NULL,
    -- Made with ON CLUSTER of this name; NULL is one server.
    cluster   text,
    -- The ClickHouse user that was made for the client; its password is kept nowhere.
    ch_user   text,
    at        timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT schema_placement_pkey PRIMARY KEY (client_id),
    CONSTRAINT schema_placement_client_fkey FOREIGN KEY (client_id)
        REFERENCES public.clients (client_id) ON UPDATE CASCADE ON DELETE CASCADE
);

COMMIT;
