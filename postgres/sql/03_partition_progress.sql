-- How far each consumer group has come in each partition, as the router last wrote it down.
--
-- A tripwire and never the truth: Kafka's committed offset decides where a router starts. This row only tells
-- "never started" from "had started, and the committed offset is gone", where starting over would do harm.

BEGIN;
SELECT pg_advisory_xact_lock(hashtext('router schema'));

CREATE TABLE IF NOT EXISTS public.partition_progress (
    group_id              text        NOT NULL,
    topic                 text        NOT NULL,
    partition             integer     NOT NULL,
    -- The highest offset of a completed batch: everything up to and including it is a row or a dead letter.
    last_completed_offset bigint      NOT NULL,
    at                    timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT partition_progress_pkey PRIMARY KEY (group_id, topic, partition),
    CONSTRAINT partition_progress_partition_check CHECK (partition >= 0),
    CONSTRAINT partition_progress_offset_check CHECK (last_completed_offset >= 0)
);

COMMIT;
