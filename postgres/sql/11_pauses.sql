-- What an operator holds back, and since when: single partitions, and single clients. Routers that run follow within a
-- second. A row stays after its pause is over: who, when and why.

BEGIN;
SELECT pg_advisory_xact_lock(hashtext('router schema'));

CREATE TABLE IF NOT EXISTS public.pauses (
    pause_id   bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    -- Either a client ...
    client_id  uuid,
    -- ... or a partition, as one consumer group reads it.
    group_id   text,
    topic      text,
    partition  integer,
    reason     text        NOT NULL,
    paused_by  text        NOT NULL,
    paused_at  timestamptz NOT NULL DEFAULT now(),
    -- NULL while it holds.
    resumed_at timestamptz,
    resumed_by text,

    CONSTRAINT pauses_pkey PRIMARY KEY (pause_id),
    CONSTRAINT pauses_client_fkey FOREIGN KEY (client_id)
        REFERENCES public.clients (client_id) ON UPDATE CASCADE ON DELETE CASCADE,
    CONSTRAINT pauses_subject_check CHECK (
        (client_id IS NOT NULL AND group_id IS NULL AND topic IS NULL AND partition IS NULL)
        OR (client_id IS NULL AND group_id IS NOT NULL AND topic IS NOT NULL AND partition IS NOT NULL)),
    CONSTRAINT pauses_partition_check CHECK (partition >= 0),
    CONSTRAINT pauses_reason_check CHECK (reason ~ '\S' AND length(reason) <= 500),
    CONSTRAINT pauses_resumed_check CHECK ((resumed_at IS NULL) = (resumed_by IS NULL))
);

-- One pause at a time; and what running routers ask for stays small, however long the history grows.
CREATE UNIQUE INDEX IF NOT EXISTS pauses_client_key ON public.pauses (client_id)
    WHERE resumed_at IS NULL AND client_id IS NOT NULL;
CREATE UNIQUE INDEX IF NOT EXISTS pauses_partition_key ON public.pauses (group_id, topic, partition)
    WHERE resumed_at IS NULL AND partition IS NOT NULL;

-- A word to every running router: read the table.
CREATE OR REPLACE FUNCTION public.router_pauses_notify() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    PERFORM pg_notify('router_pauses', '');
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER router_pauses_notify
    AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON public.pauses
    FOR EACH STATEMENT EXECUTE FUNCTION public.router_pauses_notify();

COMMIT;
