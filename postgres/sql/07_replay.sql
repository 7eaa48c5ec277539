-- Runs that put rows into clients' tables beside the pipeline: `router dlq replay` and `router rebuild`.
--
-- One at a time for each raw topic: a session lock (pg_advisory_lock) excludes the others, and this row says whose it
-- is. A run that was killed leaves its row without `quiet_at`; what it may have left under way at ClickHouse is waited
-- out by the next run, which then fills the column in.

BEGIN;
SELECT pg_advisory_xact_lock(hashtext('router schema'));

CREATE TABLE IF NOT EXISTS public.replay_runs (
    run_id       uuid        NOT NULL,
    kind         text        NOT NULL,
    -- The raw topic, whose coordinates the rows have.
    topic        text        NOT NULL,
    -- Who started it: the user and the machine, as the command saw them.
    operator     text        NOT NULL,
    -- The options it was started with.
    options      jsonb       NOT NULL DEFAULT '{}',
    state        text        NOT NULL DEFAULT 'running',
    started_at   timestamptz NOT NULL DEFAULT now(),
    -- It starts no insert unless this is younger than its lease.
    heartbeat_at timestamptz NOT NULL DEFAULT now(),
    ended_at     timestamptz,
    -- Since when it is known that nothing of it is under way any more.
    quiet_at     timestamptz,
    delivered    bigint      NOT NULL DEFAULT 0,
    failed       bigint      NOT NULL DEFAULT 0,

    CONSTRAINT replay_runs_pkey PRIMARY KEY (run_id),
    CONSTRAINT replay_runs_kind_check CHECK (kind IN ('replay', 'rebuild')),
    CONSTRAINT replay_runs_state_check CHECK (state IN ('running', 'done', 'failed', 'lost'))
);

CREATE INDEX IF NOT EXISTS replay_runs_unquiet ON public.replay_runs (topic) WHERE quiet_at IS NULL;

-- How often replays tried a dead letter in vain. A replay writes nothing to Kafka, so the count has to live here;
-- `--max-attempts` goes by it. The row is removed by nobody: it is a few bytes, and part of the letter's history.
CREATE TABLE IF NOT EXISTS public.dead_letter_attempts (
    topic        text        NOT NULL,
    partition    integer     NOT NULL,
    kafka_offset      bigint      NOT NULL,
    attempts     integer     NOT NULL,
    -- The reason of the last attempt; never a value of the record.
    last_reason  text        NOT NULL,
    last_at      timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT dead_letter_attempts_pkey PRIMARY KEY (topic, partition, kafka_offset),
    CONSTRAINT dead_letter_attempts_check CHECK (attempts >= 1 AND partition >= 0 AND kafka_offset >= 0)
);

-- Records that a fix-up (`--jq`) gave to a client that the record itself does not name: written before the row is, so
-- that an audit knows whose the row may be.
CREATE TABLE IF NOT EXISTS public.replay_mended (
    topic        text        NOT NULL,
    partition    integer     NOT NULL,
    kafka_offset bigint      NOT NULL,
    client_id    uuid        NOT NULL,
    run_id       uuid        NOT NULL,
    at           timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT replay_mended_pkey PRIMARY KEY (topic, partition, kafka_offset)
);

COMMIT;
