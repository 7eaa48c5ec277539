-- Two things that most questions about product events begin with: typed columns for the common names inside of
-- event_properties, and a daily roll-up that stays exact whatever the router sends again.
--
-- {database} is the client's database, quoted. Every statement may be run again.

-- One parse per row, and not one per column: JSONExtract reads the whole text each time (measured on half a million
-- rows of 330 bytes: nine fields as one tuple 0.75 s, eleven fields one by one 2.0 s). So the fields are one tuple that
-- is written with the row, element by element, and the columns that people name are aliases of its elements, which cost
-- nothing. Rows from before this migration are parsed when they are read; where that is too slow:
--   ALTER TABLE … MATERIALIZE COLUMN event_fields
--
-- JSONExtract never throws, or an insert would: text that ClickHouse's parser refuses (the router takes lone surrogates
-- and numbers beyond a double) gives empty fields, and a value that is no number gives NULL for that field alone.
-- Numbers in quotes are numbers. Money is Decimal: sums of Float64 depend on their order.
ALTER TABLE {database}.events_base
    ADD COLUMN IF NOT EXISTS event_fields Tuple(
        page_url String, url String, page_path String, path String, page String, page_title String, referrer String,
        product_id String, order_id String, quantity Nullable(Int64), price Nullable(Decimal(18, 4)),
        revenue Nullable(Decimal(18, 4)), total Nullable(Decimal(18, 4)), currency LowCardinality(String),
        country LowCardinality(String), device LowCardinality(String), utm_source LowCardinality(String),
        utm_medium LowCardinality(String), utm_campaign String, utm_term String, utm_content String)
        MATERIALIZED JSONExtract(event_properties, 'Tuple(
        page_url String, url String, page_path String, path String, page String, page_title String, referrer String,
        product_id String, order_id String, quantity Nullable(Int64), price Nullable(Decimal(18, 4)),
        revenue Nullable(Decimal(18, 4)), total Nullable(Decimal(18, 4)), currency LowCardinality(String),
        country LowCardinality(String), device LowCardinality(String), utm_source LowCardinality(String),
        utm_medium LowCardinality(String), utm_campaign String, utm_term String, utm_content String)')
        CODEC(ZSTD(1));

-- Where one thing has several usual names, the first that is there.
ALTER TABLE {database}.events_base
    ADD COLUMN IF NOT EXISTS page_url String ALIAS
        if(event_fields.page_url != '', event_fields.page_url, event_fields.url),
    ADD COLUMN IF NOT EXISTS page_path String ALIAS multiIf(
        event_fields.page_path != '', event_fields.page_path, event_fields.path != '', event_fields.path,
        event_fields.page != '', event_fields.page, path(page_url)),
    ADD COLUMN IF NOT EXISTS page_title String ALIAS event_fields.page_title,
    ADD COLUMN IF NOT EXISTS referrer String ALIAS event_fields.referrer,
    ADD COLUMN IF NOT EXISTS product_id String ALIAS event_fields.product_id,
    ADD COLUMN IF NOT EXISTS order_id String ALIAS event_fields.order_id,
    ADD COLUMN IF NOT EXISTS quantity Nullable(Int64) ALIAS event_fields.quantity,
    ADD COLUMN IF NOT EXISTS price Nullable(Decimal(18, 4)) ALIAS event_fields.price,
    ADD COLUMN IF NOT EXISTS revenue Nullable(Decimal(18, 4)) ALIAS coalesce(event_fields.revenue, event_fields.total),
    ADD COLUMN IF NOT EXISTS currency LowCardinality(String) ALIAS event_fields.currency,
    ADD COLUMN IF NOT EXISTS country LowCardinality(String) ALIAS event_fields.country,
    ADD COLUMN IF NOT EXISTS device LowCardinality(String) ALIAS event_fields.device,
    ADD COLUMN IF NOT EXISTS utm_source LowCardinality(String) ALIAS event_fields.utm_source,
    ADD COLUMN IF NOT EXISTS utm_medium LowCardinality(String) ALIAS event_fields.utm_medium,
    ADD COLUMN IF NOT EXISTS utm_campaign String ALIAS event_fields.utm_campaign,
    ADD COLUMN IF NOT EXISTS utm_term String ALIAS event_fields.utm_term,
    ADD COLUMN IF NOT EXISTS utm_content String ALIAS event_fields.utm_content;

-- The roll-up's states. A view sees what is inserted, and sees it again when an insert is repeated after its view had
-- succeeded and its table had not, when a token was forgotten, or when somebody fills it a second time. A sum would
-- count twice. So every state here is a set, and a set does not change when the same element comes again:
--
--   offsets   which offsets of a partition: a bitmap of some two bits to two bytes an event; their number is the
--             number of events
--   users, sessions   uniqExact: the set of 16-byte hashes, so no id stands in clear
--   revenues  the set of (offset, amount, currency) of the events that have an amount, which are few
--
-- The key holds the partition, since an offset is only unique there.
--
-- Rows can be missing and never double: a view that throws makes its INSERT fail after the rows are in the table, and
-- the read-back then finds nothing left to send. The last statement of this file, run again, repairs that at any time.
--
-- A deduplication window (as events_base has) would change nothing for the better here: what it would drop, the sets
-- already absorb; and it could drop a block under a known token whose rows are not the same ones as before (a verdict
-- that changed between two lives of the router), which nothing would bring back. It is switched off, also where a
-- replicated table would have one by default.
CREATE TABLE IF NOT EXISTS {database}.events_daily_states
(
    day              Date CODEC(Delta, ZSTD(1)),
    event_name       LowCardinality(String) CODEC(ZSTD(1)),
    source_topic     LowCardinality(String) CODEC(ZSTD(1)),
    source_partition Int32 CODEC(ZSTD(1)),
    offsets          AggregateFunction(groupBitmap, UInt64) CODEC(ZSTD(1)),
    users            AggregateFunction(uniqExact, String) CODEC(ZSTD(1)),
    sessions         AggregateFunction(uniqExact, String) CODEC(ZSTD(1)),
    revenues         AggregateFunction(groupUniqArray, Tuple(UInt64, Decimal(18, 4), String)) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(day)
ORDER BY (day, event_name, source_topic, source_partition)
SETTINGS non_replicated_deduplication_window = 0;

-- What people ask: one line per day (UTC) and event name, merged when read, exact at any moment.
CREATE VIEW IF NOT EXISTS {database}.events_daily AS
SELECT
    day,
    event_name,
    sum(event_count) AS events,
    uniqExactMerge(user_states) AS users,
    uniqExactMerge(session_states) AS sessions,
    sumMap(revenue_by_currency) AS revenue
FROM
(
    SELECT
        day,
        event_name,
        groupBitmapMerge(offsets) AS event_count,
        uniqExactMergeState(users) AS user_states,
        uniqExactMergeState(sessions) AS session_states,
        arrayReduce('sumMap', arrayMap(each -> map(each.3, each.2), groupUniqArrayMerge(revenues)))
            AS revenue_by_currency
    FROM {database}.events_daily_states
    GROUP BY day, event_name, source_topic, source_partition
)
GROUP BY day, event_name;

-- The view comes before the rows that are there already: events that arrive in between are in both, which counts once.
CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.events_daily_fill TO {database}.events_daily_states AS
SELECT
    toDate(event_timestamp) AS day,
    event_name,
    source_topic,
    source_partition,
    groupBitmapState(toUInt64(source_offset)) AS offsets,
    uniqExactStateIf(user_id, user_id != '') AS users,
    uniqExactStateIf(session_id, session_id != '') AS sessions,
    groupUniqArrayStateIf(
        (toUInt64(source_offset), assumeNotNull(coalesce(event_fields.revenue, event_fields.total)),
            toString(event_fields.currency)),
        coalesce(event_fields.revenue, event_fields.total) IS NOT NULL) AS revenues
FROM {database}.events_base
GROUP BY day, event_name, source_topic, source_partition;

-- router:repeatable, because sets absorb what they have already. Before it is sent, `router migrate` waits for the
-- inserts to end that began before the view was there.
INSERT INTO {database}.events_daily_states
SELECT
    toDate(event_timestamp) AS day,
    event_name,
    source_topic,
    source_partition,
    groupBitmapState(toUInt64(source_offset)) AS offsets,
    uniqExactStateIf(user_id, user_id != '') AS users,
    uniqExactStateIf(session_id, session_id != '') AS sessions,
    groupUniqArrayStateIf(
        (toUInt64(source_offset), assumeNotNull(coalesce(event_fields.revenue, event_fields.total)),
            toString(event_fields.currency)),
        coalesce(event_fields.revenue, event_fields.total) IS NOT NULL) AS revenues
FROM {database}.events_base
GROUP BY day, event_name, source_topic, source_partition
SETTINGS max_partitions_per_insert_block = 0;
