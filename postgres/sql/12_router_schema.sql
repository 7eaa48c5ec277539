-- Which of these files this database has had, as `router db upgrade` wrote it down. Files that were applied by hand are
-- not in it; the router then goes by the tables that are there.

BEGIN;
SELECT pg_advisory_xact_lock(hashtext('router schema'));

CREATE TABLE IF NOT EXISTS public.router_schema (
    -- The number at the start of the file's name.
    version    integer     NOT NULL,
    name       text        NOT NULL,
    -- SHA-256 of the file in hex. A file is not changed any more once it has been applied anywhere.
    checksum   text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT router_schema_pkey PRIMARY KEY (version),
    CONSTRAINT router_schema_version_check CHECK (version >= 1),
    CONSTRAINT router_schema_checksum_check CHECK (checksum ~ '^[0-9a-f]{64}$')
);

COMMIT;
