-- For how many days each client's table keeps events, and for how many it once did.
--
-- ClickHouse drops the rows by itself (TTL on event_timestamp). The history stays here because of `router audit`: a row
-- that is not there has expired, and is not lost, when its event was older than some retention allowed while that held.

BEGIN;
SELECT pg_advisory_xact_lock(hashtext('router schema'));

CREATE TABLE IF NOT EXISTS public.client_retention (
    client_id  uuid        NOT NULL,
    days       integer     NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- NULL: it holds now. Two of one client can hold for a moment, while one takes the other's place.
    ended_at   timestamptz,
    operator   text        NOT NULL,

    CONSTRAINT client_retention_pkey PRIMARY KEY (client_id, started_at),
    CONSTRAINT client_retention_client_fkey FOREIGN KEY (client_id)
        REFERENCES public.clients (client_id) ON UPDATE CASCADE ON DELETE CASCADE,
    CONSTRAINT client_retention_days_check CHECK (days BETWEEN 1 AND 36500),
    CONSTRAINT client_retention_period_check CHECK (ended_at IS NULL OR ended_at >= started_at)
);

COMMIT;
