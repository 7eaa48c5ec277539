-- The table of one client's events: `router provision` runs this file for each client, with
--   {database}   the client's database, quoted
-- in its place. Every statement can be run again and changes nothing that is there already; what changes later goes
-- into clickhouse/migrations/. The router names the columns it inserts, so migrations may add to them.

CREATE DATABASE IF NOT EXISTS {database};

-- ORDER BY (event_name, event_timestamp). Questions about product events name the event and a range of time; both are
-- then a range of the primary key, and a question that names only the time is still bounded by the month's partition
-- and, as events have few names, by the key's second column. Blocks arrive nearly in order of time, so they are cheap
-- to sort and merge: 2.2 CPU seconds for two million rows where a key with user_id in it took 3.0, and 83 MiB instead
-- of 88, because times and offsets next to each other are alike. What it costs: one user's events are spread over all
-- granules. A client that asks by user more than by event adds an index or a projection by a migration.
--
-- PARTITION BY month: retention drops whole partitions, a block seldom touches more than one or two (each is a part on
-- disk and takes a place in the deduplication window), and five years of events are sixty partitions.
--
-- INDEX source_offset_range: the router asks after a crash, or when an answer was lost, which offsets of a batch are in
-- the table, and an audit asks by ranges of offsets. Within one event name rows are ordered by time, and so nearly by
-- offset: the smallest and largest offset of each granule leave out what was written at other times. Measured on two
-- million rows of four partitions: a batch of 100,000 was read back from 530,000 rows merged and 400,000 unmerged, with
-- 2 KiB for the index. A bloom filter on batch_id left 466,000 and made inserts a third dearer.
--
-- Codecs: numbers that grow slowly (times, offsets) as differences; ids that are the same in every row, or in long
-- runs, and texts with ZSTD(1), which unpacks fast; event_id is random, so nothing would make it smaller.
CREATE TABLE IF NOT EXISTS {database}.events_base
(
    event_id         UUID CODEC(NONE),
    client_id        UUID CODEC(ZSTD(1)),
    event_name       LowCardinality(String) CODEC(ZSTD(1)),
    user_id          String CODEC(ZSTD(1)),
    session_id       String CODEC(ZSTD(1)),
    event_timestamp  DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    event_properties String CODEC(ZSTD(1)),
    extra_fields     String CODEC(ZSTD(1)),
    received_at      DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    ingested_at      DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    batch_id         UUID CODEC(ZSTD(1)),
    source_topic     LowCardinality(String) CODEC(ZSTD(1)),
    source_partition Int32 CODEC(ZSTD(1)),
    source_offset    Int64 CODEC(Delta, ZSTD(1)),

    INDEX source_offset_range source_offset TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(event_timestamp)
ORDER BY (event_name, event_timestamp)
-- How many of the newest parts the table knows the deduplication tokens of. The default is 0: a token would do nothing,
-- and an INSERT sent again while the first is still under way would double its rows.
SETTINGS non_replicated_deduplication_window = 10000;
