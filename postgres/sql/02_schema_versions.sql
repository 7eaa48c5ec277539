-- Which migration each client's ClickHouse database has had, with the checksum of the file as it was applied.

BEGIN;
SELECT pg_advisory_xact_lock(hashtext('router schema'));

CREATE TABLE IF NOT EXISTS public.schema_versions (
    client_id   uuid        NOT NULL,
    version     integer     NOT NULL,
    name        text        NOT NULL,
    -- SHA-256 of the migration file in hex. A file that was changed after it was applied no longer matches.
    checksum    text        NOT NULL,
    applied_at  timestamptz NOT NULL DEFAULT now(),
    duration_ms bigint      NOT NULL,

    CONSTRAINT schema_versions_pkey PRIMARY KEY (client_id, version),
    CONSTRAINT schema_versions_client_fkey FOREIGN KEY (client_id)
        REFERENCES public.clients (client_id) ON UPDATE CASCADE ON DELETE CASCADE,
    CONSTRAINT schema_versions_version_check CHECK (version >= 1),
    CONSTRAINT schema_versions_checksum_check CHECK (checksum ~ '^[0-9a-f]{64}$'),
    CONSTRAINT schema_versions_duration_check CHECK (duration_ms >= 0)
);

COMMIT;
