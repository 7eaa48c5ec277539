// One JSON document, its outermost members with their bytes.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

enum class Kind { null, boolean, number, string, array, object };

struct Member {
    /// The key's characters; has_lone_surrogate where they have no UTF-8 form.
    std::string key;
    bool key_has_lone_surrogate = false;
    /// As they stand in the document, the quotes of strings included.
    std::string_view raw_key;
    std::string_view raw_value;
    Kind kind = Kind::null;
    /// The characters of a string.
    std::string text;
    bool has_lone_surrogate = false;
};

struct Document {
    bool is_valid = false;
    Kind kind = Kind::null;
    std::vector<Member> members;
    /// What the two parsers contradict each other in; empty when they do not.
    std::string disagreement;
};

/// Judged by RFC 8259 in UTF-8, nesting up to 512.
void parse_document(std::string_view text, Document &document);
