-- What a person decided about partitions that stood still (`router offsets accept`), and what retention took before it
-- was delivered. Both are read by `router offsets show` and `router audit`, which count accepted loss as accepted.

BEGIN;
SELECT pg_advisory_xact_lock(hashtext('router schema'));

CREATE TABLE IF NOT EXISTS public.offset_acceptances (
    acceptance_id      bigint      GENERATED ALWAYS AS IDENTITY,
    group_id           text        NOT NULL,
    topic              text        NOT NULL,
    partition          integer     NOT NULL,
    -- The partition goes on here.
    accepted_offset    bigint      NOT NULL,
    -- Records from here up to accepted_offset that were not delivered are given up; equal: none are.
    skipped_from       bigint      NOT NULL,
    -- The log when it was accepted. Below its end rows may exist already, and are looked for before an insert.
    log_start          bigint      NOT NULL,
    log_end            bigint      NOT NULL,
    -- What it was accepted for: it counts only while the group's committed state and the tripwire are these.
    committed_offset   bigint,
    committed_metadata text,
    progress_offset    bigint,
    -- Who and why, in their own words.
    accepted_by        text        NOT NULL,
    reason             text        NOT NULL,
    accepted_at        timestamptz NOT NULL DEFAULT now(),
    -- When the router that owns the partition took it: once.
    taken_at           timestamptz,
    -- When a later acceptance took its place before a router did.
    replaced_at        timestamptz,

    CONSTRAINT offset_acceptances_pkey PRIMARY KEY (acceptance_id),
    CONSTRAINT offset_acceptances_offset_check CHECK (accepted_offset BETWEEN log_start AND log_end),
    CONSTRAINT offset_acceptances_skipped_check CHECK (skipped_from BETWEEN 0 AND accepted_offset),
    CONSTRAINT offset_acceptances_reason_check CHECK (reason ~ '\S' AND accepted_by ~ '\S'),
    CONSTRAINT offset_acceptances_end_check CHECK (taken_at IS NULL OR replaced_at IS NULL)
);

-- One acceptance at most waits for a router.
CREATE UNIQUE INDEX IF NOT EXISTS offset_acceptances_waiting ON public.offset_acceptances (group_id, topic, partition)
    WHERE taken_at IS NULL AND replaced_at IS NULL;

CREATE TABLE IF NOT EXISTS public.retention_losses (
    group_id     text        NOT NULL,
    topic        text        NOT NULL,
    partition    integer     NOT NULL,
    -- The offsets from first_offset up to, and without, end_offset could not be read any more when their turn came.
    first_offset bigint      NOT NULL,
    end_offset   bigint      NOT NULL,
    at           timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT retention_losses_pkey PRIMARY KEY (group_id, topic, partition, first_offset, end_offset),
    CONSTRAINT retention_losses_range_check CHECK (0 <= first_offset AND first_offset < end_offset)
);

COMMIT;
