-- Every time that a person overruled what the program knew of a client's schema (`router migrate repair`): what, why,
-- who.
-- Rows are only ever added.

BEGIN;
SELECT pg_advisory_xact_lock(hashtext('router schema'));

CREATE TABLE IF NOT EXISTS public.schema_repairs (
    id        bigint      GENERATED ALWAYS AS IDENTITY,
    -- No foreign key: the record outlives the client.
    client_id uuid        NOT NULL,
    version   integer     NOT NULL,
    -- NULL: the file as a whole.
    statement integer,
    -- accept_checksum: the file may be another one than was applied; mark_done, mark_not_done: the statement was, or
    -- was not, carried out.
    action    text        NOT NULL,
    -- What was there before: a checksum or a state.
    before    text        NOT NULL,
    after     text        NOT NULL,
    reason    text        NOT NULL,
    -- The user of the operating system, as the program saw it, and Postgres' own.
    operator  text        NOT NULL,
    db_user   text        NOT NULL DEFAULT session_user,
    at        timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT schema_repairs_pkey PRIMARY KEY (id),
    CONSTRAINT schema_repairs_action_check CHECK (action IN ('accept_checksum', 'mark_done', 'mark_not_done')),
    CONSTRAINT schema_repairs_reason_check CHECK (reason ~ '\S')
);

CREATE INDEX IF NOT EXISTS schema_repairs_client ON public.schema_repairs (client_id, version);

COMMIT;
