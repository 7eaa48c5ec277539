-- Dead letters that an operator has given up, with `router dlq discard`: who, why, and how many.
--
-- Ranges of offsets of the raw topic, and no tombstones in the dead-letter topic: that one is not compacted (two dead
-- letters may share a key), the record stays readable for as long as Kafka keeps it, and undoing is a DELETE here.

BEGIN;
SELECT pg_advisory_xact_lock(hashtext('router schema'));

CREATE TABLE IF NOT EXISTS public.dead_letter_discards (
    discard_id   uuid        NOT NULL,
    topic        text        NOT NULL,
    operator     text        NOT NULL,
    why          text        NOT NULL,
    -- The filters that chose them.
    options      jsonb       NOT NULL DEFAULT '{}',
    dead_letters bigint      NOT NULL,
    discarded_at timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT dead_letter_discards_pkey PRIMARY KEY (discard_id),
    CONSTRAINT dead_letter_discards_why_check CHECK (why ~ '\S'),
    CONSTRAINT dead_letter_discards_count_check CHECK (dead_letters >= 0)
);

CREATE TABLE IF NOT EXISTS public.dead_letter_discard_ranges (
    discard_id  uuid    NOT NULL,
    topic       text    NOT NULL,
    partition   integer NOT NULL,
    -- Both ends belong to it. Every offset of the range was a dead letter when it was discarded.
    from_offset bigint  NOT NULL,
    to_offset   bigint  NOT NULL,

    CONSTRAINT dead_letter_discard_ranges_pkey PRIMARY KEY (topic, partition, from_offset, discard_id),
    CONSTRAINT dead_letter_discard_ranges_discard_fkey FOREIGN KEY (discard_id)
        REFERENCES public.dead_letter_discards (discard_id) ON DELETE CASCADE,
    CONSTRAINT dead_letter_discard_ranges_check CHECK (
        partition >= 0 AND from_offset >= 0 AND to_offset >= from_offset)
);

COMMIT;
