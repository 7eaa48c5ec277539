#pragma once
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <sys/eventfd.h>

/// `rd_kafka_producev` is variadic, which Swift cannot call.
///
/// The manual on RD_KAFKA_MSG_F_COPY: "the payload data will be copied and the @p payload pointer will not be used by
/// rdkafka after the call returns"; the key is always copied. On RD_KAFKA_V_HEADERS: "The message object will assume
/// ownership of the headers unless produceva() fails".
static inline rd_kafka_resp_err_t crd_produce(
    rd_kafka_t *handle, rd_kafka_topic_t *topic, int32_t partition, const void *key, size_t key_bytes,
    const void *value, size_t value_bytes, int64_t timestamp_milliseconds, rd_kafka_headers_t *headers, void *opaque) {
    return rd_kafka_producev(
        handle, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_KEY(key, key_bytes), RD_KAFKA_V_VALUE((void *)value, value_bytes),
        RD_KAFKA_V_TIMESTAMP(timestamp_milliseconds), RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(opaque),
        RD_KAFKA_V_END);
}

/// Swift's Glibc module does not include `sys/eventfd.h`. Non-blocking, as `rd_kafka_queue_io_event_enable` demands.
static inline int crd_eventfd(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }
