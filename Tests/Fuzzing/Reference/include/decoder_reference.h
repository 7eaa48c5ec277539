// The payload contract, judged a second time: independent of the router's code, on top of parsers of others.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    const uint8_t *_Nullable bytes;
    size_t count;
} reference_bytes;

typedef struct {
    reference_bytes value;
    bool has_client_id_header;
    reference_bytes client_id_header;
    bool has_api_key_hash_header;
    reference_bytes api_key_hash_header;
    bool has_repeated_header;
    bool has_timestamp;
    int64_t timestamp_milliseconds;
    reference_bytes topic;
    int32_t partition;
    int64_t offset;
    size_t max_event_bytes;
} reference_record;

typedef struct {
    /// The dead letter's reason; NULL where the event is accepted.
    const char *_Nullable reason;
    /// NULL, or how the two parsers contradict each other: then there is no verdict.
    const char *_Nullable parsers_disagree;
    /// One RFC 8259 document in UTF-8, not deeper than 512.
    bool is_valid_json;
    /// Of an accepted event. Memory that is valid until the next call.
    uint8_t client_id[16];
    uint8_t api_key_hash[32];
    uint8_t event_id[16];
    reference_bytes event_name;
    reference_bytes user_id;
    reference_bytes session_id;
    int64_t timestamp_milliseconds;
    reference_bytes event_properties;
    reference_bytes extra_fields;
} reference_verdict;

/// Not thread-safe: it keeps its memory from call to call.
void reference_judge(const reference_record *_Nonnull record, reference_verdict *_Nonnull verdict);

#ifdef __cplusplus
}
#endif
