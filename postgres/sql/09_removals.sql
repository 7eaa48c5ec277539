-- Rows that were taken out of clients' tables on purpose: with the whole database (`router deprovision`), or those of one
-- user (`router client erase-user`). Written before the rows go, so that `router audit` can tell a row that was removed
-- from one that was lost, and so that a replay of dead letters or a rebuild from Kafka does not bring it back.
--
-- No user's id stands here, nor a hash of one: ids are often short numbers, and whoever can read a hash and its salt
-- finds such an id by trying all of them. `reason` is where an operator names the request that asked for the erasure.

BEGIN;
SELECT pg_advisory_xact_lock(hashtext('router schema'));

CREATE TABLE IF NOT EXISTS public.removals (
    removal_id   uuid        NOT NULL,
    client_id    uuid        NOT NULL,
    kind         text        NOT NULL,
    -- started: nothing is gone yet; counted: what goes is in removed_offsets; done: it is gone.
    state        text        NOT NULL DEFAULT 'started',
    -- Who asked for it: the user and the machine, as the command saw them.
    operator     text        NOT NULL,
    reason       text        NOT NULL DEFAULT '',
    -- Rows in all, also those whose offsets Kafka no longer has.
    row_count    bigint      NOT NULL DEFAULT 0,
    started_at   timestamptz NOT NULL DEFAULT now(),
    counted_at   timestamptz,
    ended_at     timestamptz,

    CONSTRAINT removals_pkey PRIMARY KEY (removal_id),
    CONSTRAINT removals_client_fkey FOREIGN KEY (client_id)
        REFERENCES public.clients (client_id) ON UPDATE CASCADE ON DELETE CASCADE,
    CONSTRAINT removals_kind_check CHECK (kind IN ('deprovision', 'erasure')),
    CONSTRAINT removals_state_check CHECK (state IN ('started', 'counted', 'done')),
    CONSTRAINT removals_row_count_check CHECK (row_count >= 0)
);

-- A client leaves once; the command that is repeated goes on with the same record.
CREATE UNIQUE INDEX IF NOT EXISTS removals_one_deprovision ON public.removals (client_id) WHERE kind = 'deprovision';

-- Which origins: one row for each stretch of 65,536 offsets of a partition that holds some.
CREATE TABLE IF NOT EXISTS public.removed_offsets (
    removal_id   uuid           NOT NULL,
    topic        text           NOT NULL,
    partition    integer        NOT NULL,
    -- row: it was in the table; dead_letter: it was not, and a replay must not put it there.
    what         text           NOT NULL,
    first_offset bigint         NOT NULL,
    last_offset  bigint         NOT NULL,
    row_count    bigint         NOT NULL,
    -- Exactly these; `offsets @> 42::bigint` asks for one. Empty where Kafka had dropped the records already, in a
    -- removal of everything: then nothing can be judged any more, and only the count is of use.
    offsets      int8multirange NOT NULL,

    CONSTRAINT removed_offsets_pkey PRIMARY KEY (removal_id, topic, partition, what, first_offset),
    CONSTRAINT removed_offsets_removal_fkey FOREIGN KEY (removal_id)
        REFERENCES public.removals (removal_id) ON DELETE CASCADE,
    CONSTRAINT removed_offsets_what_check CHECK (what IN ('row', 'dead_letter')),
    CONSTRAINT removed_offsets_range_check CHECK (first_offset >= 0 AND last_offset >= first_offset AND row_count >= 0)
);

CREATE INDEX IF NOT EXISTS removed_offsets_place ON public.removed_offsets (topic, partition, first_offset);

COMMIT;
