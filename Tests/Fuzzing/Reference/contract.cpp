// The payload contract in the order in which its reasons win.
#include "decoder_reference.h"

#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "document.hpp"
#include "timestamps.hpp"

namespace {

struct Refused {
    const char *reason;
};

constexpr std::array<std::string_view, 8> names = {
    "client_id", "api_key_hash", "event_name", "event_id", "user_id", "session_id", "timestamp", "event_properties",
};

std::string_view view(reference_bytes bytes) {
    return {reinterpret_cast<const char *>(bytes.bytes), bytes.bytes ? bytes.count : 0};
}

reference_bytes bytes_of(std::string_view text) {
    return {reinterpret_cast<const uint8_t *>(text.data()), text.size()};
}

/// One of the contract's fields: how often it was given, and its last value.
struct Field {
    int times = 0;
    const Member *member = nullptr;

    bool is_missing() const { return times == 0 || (times == 1 && member->kind == Kind::null); }

    const Member &once() const {
        if (times > 1) throw Refused{"invalid_field"};
        return *member;
    }

    std::string_view text() const {
        const Member &value = once();
        if (value.kind != Kind::string || value.has_lone_surrogate) throw Refused{"invalid_field"};
        return value.text;
    }
};

/// Pairs of hex digits; a hyphen where `shape` has one.
template <size_t size>
std::array<uint8_t, size> hex(std::string_view text, std::string_view shape) {
    if (text.size() != shape.size()) throw Refused{"invalid_field"};
    std::string only;
    for (size_t at = 0; at < text.size(); at++) {
        if (shape[at] == '-' ? text[at] != '-' : std::string_view("0123456789abcdefABCDEF").find(text[at]) == std::string_view::npos) {
            throw Refused{"invalid_field"};
        }
        if (shape[at] != '-') only += text[at];
    }
    std::array<uint8_t, size> bytes;
    for (size_t at = 0; at < size; at++) bytes[at] = uint8_t(std::stoi(only.substr(2 * at, 2), nullptr, 16));
    return bytes;
}

std::array<uint8_t, 16> uuid(std::string_view text) { return hex<16>(text, "00000000-0000-0000-0000-000000000000"); }

std::array<uint8_t, 32> key_hash(std::string_view text) { return hex<32>(text, std::string(64, '0')); }

class Judge {
  public:
    Judge(const reference_record &record, reference_verdict &verdict) : record(record), verdict(verdict) {}

    void judge() {
        std::string_view value = view(record.value);
        if (value.find_first_not_of(" \t\r\n") == std::string_view::npos) throw Refused{"empty_payload"};
        if (value.size() > record.max_event_bytes) throw Refused{"payload_too_large"};
        static Document document;
        parse_document(value, document);
        static std::string disagreement;
        disagreement = document.disagreement;
        if (!disagreement.empty()) verdict.parsers_disagree = disagreement.c_str();
        verdict.is_valid_json = document.is_valid;
        if (!document.is_valid) throw Refused{"malformed_json"};
        if (document.kind != Kind::object) throw Refused{"not_an_object"};
        sort(document);
        credentials();
        other_fields();
    }

  private:
    const reference_record &record;
    reference_verdict &verdict;
    std::array<Field, names.size()> fields;

    Field &field(std::string_view name) {
        return fields[size_t(std::find(names.begin(), names.end(), name) - names.begin())];
    }

    void sort(const Document &document) {
        static std::string extra;
        extra = "{";
        for (const Member &member : document.members) {
            auto found = std::find(names.begin(), names.end(), member.key);
            if (found != names.end() && !member.key_has_lone_surrogate) {
                Field &known = fields[size_t(found - names.begin())];
                known.times++;
                known.member = &member;
                continue;
            }
            if (extra.size() > 1) extra += ',';
            extra += member.raw_key;
            extra += ':';
            extra += member.raw_value;
        }
        extra += '}';
        verdict.extra_fields = bytes_of(extra);
    }

    void credentials() {
        const Field &client = field("client_id"), &key = field("api_key_hash");
        bool in_headers = record.has_client_id_header && record.has_api_key_hash_header;
        if (!in_headers && (client.is_missing() || key.is_missing())) throw Refused{"missing_field"};
        if (record.has_repeated_header) throw Refused{"invalid_field"};
        std::optional<std::array<uint8_t, 16>> id;
        std::optional<std::array<uint8_t, 32>> hash;
        if (in_headers) {
            id = uuid(view(record.client_id_header));
            hash = key_hash(view(record.api_key_hash_header));
        }
        if (!client.is_missing()) {
            auto given = uuid(client.text());
            if (id && *id != given) throw Refused{"invalid_field"};
            id = given;
        }
        if (!key.is_missing()) {
            auto given = key_hash(key.text());
            if (hash && *hash != given) throw Refused{"invalid_field"};
            hash = given;
        }
        std::memcpy(verdict.client_id, id->data(), id->size());
        std::memcpy(verdict.api_key_hash, hash->data(), hash->size());
    }

    void other_fields() {
        const Field &name = field("event_name");
        if (name.is_missing()) throw Refused{"missing_field"};
        if (name.text().empty() || name.text().size() > 256) throw Refused{"invalid_field"};
        verdict.event_name = bytes_of(name.text());
        auto id = field("event_id").is_missing() ? derived_id() : uuid(field("event_id").text());
        std::memcpy(verdict.event_id, id.data(), id.size());
        verdict.user_id = identifier(field("user_id"));
        verdict.session_id = identifier(field("session_id"));
        std::optional<int64_t> own;
        if (record.has_timestamp) own = record.timestamp_milliseconds;
        std::optional<int64_t> moment = own;
        const Field &timestamp = field("timestamp");
        if (!timestamp.is_missing()) {
            moment = timestamp.once().kind == Kind::number ? number_milliseconds(timestamp.member->raw_value)
                                                           : rfc3339_milliseconds(timestamp.text());
            if (!moment) throw Refused{"invalid_field"};
        } else if (!moment) {
            throw Refused{"missing_field"};
        }
        const Field &properties = field("event_properties");
        verdict.event_properties = bytes_of("{}");
        if (!properties.is_missing()) {
            if (properties.once().kind != Kind::object) throw Refused{"invalid_field"};
            verdict.event_properties = bytes_of(properties.member->raw_value);
        }
        if (!fits_column(*moment) || (own && !fits_column(*own))) throw Refused{"timestamp_out_of_range"};
        if (!timestamp.is_missing() && !is_in_range(*moment, own)) throw Refused{"timestamp_out_of_range"};
        verdict.timestamp_milliseconds = *moment;
    }

    static reference_bytes identifier(const Field &field) {
        if (field.is_missing()) return bytes_of("");
        return bytes_of(field.once().kind == Kind::number ? field.member->raw_value : field.text());
    }

    /// SHA-256 of topic, a zero byte, partition and offset in network order; version 8, variant 10.
    std::array<uint8_t, 16> derived_id() const {
        std::string origin(view(record.topic));
        origin += '\0';
        for (int shift = 24; shift >= 0; shift -= 8) origin += char(record.partition >> shift);
        for (int shift = 56; shift >= 0; shift -= 8) origin += char(record.offset >> shift);
        uint8_t digest[SHA256_DIGEST_LENGTH];
        SHA256(reinterpret_cast<const uint8_t *>(origin.data()), origin.size(), digest);
        std::array<uint8_t, 16> id;
        std::memcpy(id.data(), digest, id.size());
        id[6] = 0x80 | (id[6] & 0x0F);
        id[8] = 0x80 | (id[8] & 0x3F);
        return id;
    }
};

}  // namespace

void reference_judge(const reference_record *record, reference_verdict *verdict) {
    *verdict = reference_verdict{};
    try {
        Judge(*record, *verdict).judge();
    } catch (const Refused &refused) {
        verdict->reason = refused.reason;
    }
}
