-- 01_events_base.sql, line 6
CREATE DATABASE IF NOT EXISTS `client_x` ON CLUSTER `main`;

-- 01_events_base.sql, line 26
CREATE TABLE IF NOT EXISTS `client_x`.events_base ON CLUSTER `main`
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
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
PARTITION BY toYYYYMM(event_timestamp)
ORDER BY (event_name, event_timestamp)
-- How many of the newest parts the table knows the deduplication tokens of. The default is 0: a token would do nothing,
-- and an INSERT sent again while the first is still under way would double its rows.
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

-- v2_event_fields_and_daily.sql, line 15
ALTER TABLE `client_x`.events_base ON CLUSTER `main`
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

-- v2_event_fields_and_daily.sql, line 31
ALTER TABLE `client_x`.events_base ON CLUSTER `main`
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

-- v2_event_fields_and_daily.sql, line 71
CREATE TABLE IF NOT EXISTS `client_x`.events_daily_states ON CLUSTER `main`
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
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
PARTITION BY toYYYYMM(day)
ORDER BY (day, event_name, source_topic, source_partition)
SETTINGS replicated_deduplication_window = 0, replicated_deduplication_window_seconds = 604800;

-- v2_event_fields_and_daily.sql, line 88
CREATE VIEW IF NOT EXISTS `client_x`.events_daily ON CLUSTER `main` AS
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
    FROM `client_x`.events_daily_states
    GROUP BY day, event_name, source_topic, source_partition
)
GROUP BY day, event_name;

-- v2_event_fields_and_daily.sql, line 112
CREATE MATERIALIZED VIEW IF NOT EXISTS `client_x`.events_daily_fill ON CLUSTER `main` TO `client_x`.events_daily_states AS
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
FROM `client_x`.events_base
GROUP BY day, event_name, source_topic, source_partition;

-- v2_event_fields_and_daily.sql, line 130
INSERT INTO `client_x`.events_daily_states
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
FROM `client_x`.events_base
GROUP BY day, event_name, source_topic, source_partition
SETTINGS max_partitions_per_insert_block = 0;

