// Timestamps as the payload contract describes them.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

/// Far outside every range, and still an Int64.
constexpr int64_t far_away = int64_t(1) << 62;

/// Milliseconds since 1970 of an RFC 3339 date and time, or nothing where the text is none.
std::optional<int64_t> rfc3339_milliseconds(std::string_view text);

/// Milliseconds since 1970 of a JSON number; `far_away` or its negative where no range reaches.
int64_t number_milliseconds(std::string_view number);

/// Whether the event's time may stand beside the record's.
bool is_in_range(int64_t milliseconds, std::optional<int64_t> record);

/// Whether a DateTime64(3) column can hold the time: the years 1900 to 2299.
bool fits_column(int64_t milliseconds);
