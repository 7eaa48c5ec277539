// yajl reads the grammar: it takes numbers of any size as text, and escaped lone surrogates. simdjson checks UTF-8, and
// stands beside yajl wherever it can: what it accepts yajl has to accept, with the same keys, kinds and strings; what it
// refuses yajl has to refuse, unless simdjson's reason is one of its gaps (numbers beyond 64 bits, 1e400, lone
// surrogates). Differences of yajl that are taken out here: it takes vertical tab and form feed for white space, its
// own check of UTF-8 is loose, it decodes a lone surrogate to "?", it does not see a token that is begun behind the
// document and not ended, and it has no limit of depth.
#include "document.hpp"

#include <simdjson.h>
#include <yajl/yajl_parse.h>

namespace {

constexpr int max_depth = 512;

struct Walk {
    std::string_view text;
    Document *document;
    yajl_handle handle = nullptr;
    int depth = 0;
    bool too_deep = false;
    /// Behind the last key's closing quote, and the outermost member that has no value yet.
    size_t after_key = 0;
    /// Where the next key of the outermost object may start: behind its brace, or behind the last member.
    size_t after_member = 0;
    /// Behind the document itself.
    size_t end = 0;

    size_t position() const { return yajl_get_bytes_consumed(handle); }

    size_t skip(size_t at, char separator) const {
        while (at < text.size() && (std::string_view(" \t\r\n").find(text[at]) != std::string_view::npos || text[at] == separator)) at++;
        return at;
    }

    void value_ended(Kind kind) {
        if (depth == 0) {
            document->kind = kind;
            end = position();
        }
        if (depth != 1 || document->kind != Kind::object) return;
        Member &member = document->members.back();
        size_t start = skip(after_key, ':');
        member.raw_value = text.substr(start, position() - start);
        member.kind = kind;
        after_member = position();
    }
};

/// The characters of a string as UTF-8, escape sequences as UTF-16 units first; true where a surrogate has no partner.
bool decode(std::string_view raw, std::string &characters) {
    characters.clear();
    bool lone = false;
    uint32_t high = 0;
    auto put = [&](uint32_t scalar) {
        if (scalar < 0x80) {
            characters += char(scalar);
        } else if (scalar < 0x800) {
            characters += {char(0xC0 | scalar >> 6), char(0x80 | (scalar & 0x3F))};
        } else if (scalar < 0x10000) {
            characters += {char(0xE0 | scalar >> 12), char(0x80 | (scalar >> 6 & 0x3F)), char(0x80 | (scalar & 0x3F))};
        } else {
            characters += {char(0xF0 | scalar >> 18), char(0x80 | (scalar >> 12 & 0x3F)),
                           char(0x80 | (scalar >> 6 & 0x3F)), char(0x80 | (scalar & 0x3F))};
        }
    };
    for (size_t at = 1; at + 1 < raw.size();) {
        bool is_unit = raw[at] == '\\' && raw[at + 1] == 'u';
        uint32_t unit = is_unit ? uint32_t(std::stoul(std::string(raw.substr(at + 2, 4)), nullptr, 16)) : 0;
        bool is_low = is_unit && unit >= 0xDC00 && unit <= 0xDFFF;
        if (high != 0) {
            if (is_low) put(0x10000 + ((high - 0xD800) << 10) + (unit - 0xDC00)); else lone = true;
            high = 0;
            if (is_low) { at += 6; continue; }
        }
        if (is_unit) {
            if (is_low) lone = true; else if (unit >= 0xD800 && unit <= 0xDBFF) high = unit; else put(unit);
            at += 6;
        } else if (raw[at] == '\\') {
            switch (raw[at + 1]) {
            case 'b': characters += '\b'; break;
            case 'f': characters += '\f'; break;
            case 'n': characters += '\n'; break;
            case 'r': characters += '\r'; break;
            case 't': characters += '\t'; break;
            default: characters += raw[at + 1];
            }
            at += 2;
        } else {
            characters += raw[at++];
        }
    }
    return lone || high != 0;
}

Walk &walk(void *context) { return *static_cast<Walk *>(context); }

int on_null(void *context) { walk(context).value_ended(Kind::null); return 1; }
int on_boolean(void *context, int) { walk(context).value_ended(Kind::boolean); return 1; }
int on_number(void *context, const char *, size_t) { walk(context).value_ended(Kind::number); return 1; }

int on_string(void *context, const unsigned char *bytes, size_t count) {
    Walk &here = walk(context);
    here.value_ended(Kind::string);
    if (here.depth != 1 || here.document->kind != Kind::object) return 1;
    Member &member = here.document->members.back();
    member.has_lone_surrogate = decode(member.raw_value, member.text);
    std::string_view theirs(reinterpret_cast<const char *>(bytes), count);
    if (!member.has_lone_surrogate && theirs != member.text) here.document->disagreement = "yajl decodes a string otherwise";
    return 1;
}

int opened(void *context, Kind kind) {
    Walk &here = walk(context);
    if (here.depth == 0) {
        here.document->kind = kind;
        here.after_member = here.position();
    }
    here.too_deep |= ++here.depth > max_depth;
    return 1;
}

int closed(void *context, Kind kind) {
    walk(context).depth--;
    walk(context).value_ended(kind);
    return 1;
}

int on_key(void *context, const unsigned char *bytes, size_t count) {
    Walk &here = walk(context);
    if (here.depth != 1) return 1;
    Member &member = here.document->members.emplace_back();
    size_t start = here.skip(here.after_member, ',');
    here.after_key = here.position();
    member.raw_key = here.text.substr(start, here.after_key - start);
    member.key_has_lone_surrogate = decode(member.raw_key, member.key);
    std::string_view theirs(reinterpret_cast<const char *>(bytes), count);
    if (!member.key_has_lone_surrogate && theirs != member.key) here.document->disagreement = "yajl decodes a key otherwise";
    return 1;
}

const yajl_callbacks callbacks = {
    on_null, on_boolean, nullptr, nullptr, on_number, on_string,
    [](void *context) { return opened(context, Kind::object); }, on_key,
    [](void *context) { return closed(context, Kind::object); },
    [](void *context) { return opened(context, Kind::array); },
    [](void *context) { return closed(context, Kind::array); },
};

bool yajl_accepts(Walk &here) {
    here.handle = yajl_alloc(&callbacks, nullptr, &here);
    auto bytes = reinterpret_cast<const unsigned char *>(here.text.data());
    bool accepted = yajl_parse(here.handle, bytes, here.text.size()) == yajl_status_ok;
    bool only_space_follows = here.skip(here.end, ' ') == here.text.size();
    // It closes a number that is the whole text, and tells whether something is missing.
    constexpr size_t none = SIZE_MAX;
    here.end = none;
    accepted = accepted && yajl_complete_parse(here.handle) == yajl_status_ok;
    bool is_closed_now = here.end != none;
    yajl_free(here.handle);
    return accepted && (only_space_follows || is_closed_now);
}

Kind kind_of(simdjson::dom::element element) {
    switch (element.type()) {
    case simdjson::dom::element_type::ARRAY: return Kind::array;
    case simdjson::dom::element_type::OBJECT: return Kind::object;
    case simdjson::dom::element_type::STRING: return Kind::string;
    case simdjson::dom::element_type::BOOL: return Kind::boolean;
    case simdjson::dom::element_type::NULL_VALUE: return Kind::null;
    default: return Kind::number;
    }
}

/// Members are compared only where the document is valid for both.
void compare_members(simdjson::dom::element root, Document &document) {
    if (kind_of(root) != document.kind) document.disagreement = "simdjson finds another kind of document";
    if (document.kind != Kind::object) return;
    simdjson::dom::object object = root;
    size_t index = 0;
    for (auto [key, value] : object) {
        if (index == document.members.size()) break;
        Member &member = document.members[index++];
        if (member.key != key || kind_of(value) != member.kind) document.disagreement = "simdjson finds another member";
        if (member.kind == Kind::string && std::string_view(value) != member.text) {
            document.disagreement = "simdjson decodes a string otherwise";
        }
    }
    if (index != document.members.size() || index != object.size()) {
        document.disagreement = "simdjson finds another number of members";
    }
}

}  // namespace

void parse_document(std::string_view text, Document &document) {
    static simdjson::dom::parser simd;
    document = Document();
    if (!simdjson::validate_utf8(text.data(), text.size())) return;
    if (text.starts_with("\xEF\xBB\xBF")) return;
    // Neither of them stands anywhere in a valid document, escaped ones aside.
    if (text.find_first_of("\v\f") != std::string_view::npos) return;

    Walk here{text, &document};
    bool accepted = yajl_accepts(here);

    simdjson::dom::element root;
    simdjson::padded_string padded(text);
    auto error = simd.parse(padded).get(root);
    bool is_gap = error == simdjson::NUMBER_ERROR || error == simdjson::STRING_ERROR;
    if (error == simdjson::SUCCESS && !accepted) document.disagreement = "simdjson accepts what yajl refuses";
    if (error != simdjson::SUCCESS && !is_gap && accepted && !here.too_deep) {
        document.disagreement = std::string("yajl accepts what simdjson refuses: ") + simdjson::error_message(error);
    }
    if (error == simdjson::SUCCESS && accepted) compare_members(root, document);
    document.is_valid = accepted && !here.too_deep;
}
