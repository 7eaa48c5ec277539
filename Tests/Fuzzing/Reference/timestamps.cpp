#include "timestamps.hpp"

#include <algorithm>
#include <chrono>
#include <string>

namespace {

using namespace std::chrono;

constexpr int64_t day_milliseconds = 86'400'000;
/// The calendar repeats every 400 years, and std::chrono knows years up to 32767 only.
constexpr int64_t cycle_days = 146'097;

bool digits(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

int number(std::string_view text) { return std::stoi(std::string(text)); }

int64_t start_of_year(int year) { return int64_t(sys_days(year_month_day(std::chrono::year(year), January, day(1))).time_since_epoch().count()) * day_milliseconds; }

}  // namespace

std::optional<int64_t> rfc3339_milliseconds(std::string_view text) {
    // date-time = 4DIGIT "-" 2DIGIT "-" 2DIGIT ("T" / "t" / " ") 2DIGIT ":" 2DIGIT ":" 2DIGIT ["." 1*DIGIT] zone
    if (text.size() < 20) return {};
    const std::string shape = "0000-00-00T00:00:00";
    for (size_t at = 0; at < shape.size(); at++) {
        bool fits = shape[at] == '0' ? digits(text.substr(at, 1))
                  : shape[at] == 'T' ? std::string_view("Tt ").find(text[at]) != std::string_view::npos
                                     : text[at] == shape[at];
        if (!fits) return {};
    }
    std::string_view rest = text.substr(shape.size());
    std::string fraction;
    if (rest.starts_with('.')) {
        size_t count = 0;
        while (1 + count < rest.size() && digits(rest.substr(1 + count, 1))) count++;
        if (count == 0) return {};
        fraction = rest.substr(1, count);
        rest = rest.substr(1 + count);
    }
    minutes zone(0);
    if (rest != "Z" && rest != "z") {
        if (rest.size() != 6 || (rest[0] != '+' && rest[0] != '-') || rest[3] != ':') return {};
        if (!digits(rest.substr(1, 2)) || !digits(rest.substr(4, 2))) return {};
        int hour = number(rest.substr(1, 2)), minute = number(rest.substr(4, 2));
        if (hour > 23 || minute > 59) return {};
        zone = (rest[0] == '-' ? -1 : 1) * (hours(hour) + minutes(minute));
    }
    year_month_day date(year(number(text.substr(0, 4))), month(unsigned(number(text.substr(5, 2)))),
                        day(unsigned(number(text.substr(8, 2)))));
    int hour = number(text.substr(11, 2)), minute = number(text.substr(14, 2)), second = number(text.substr(17, 2));
    if (!date.ok() || hour > 23 || minute > 59 || second > 60) return {};
    sys_seconds moment = sys_days(date) + hours(hour) + minutes(minute) + seconds(second) - zone;
    if (second == 60) {
        // A leap second is the last one of a month in UTC, so the moment behind it is the first of a month.
        auto midnight = floor<days>(moment);
        if (midnight != moment || year_month_day(midnight).day() != day(1)) return {};
    }
    fraction = (fraction + "000").substr(0, 3);
    return int64_t(moment.time_since_epoch().count()) * 1000 + number(fraction);
}

int64_t number_milliseconds(std::string_view text) {
    bool is_negative = text.starts_with('-');
    if (is_negative) text.remove_prefix(1);
    std::string mantissa(text.substr(0, text.find_first_of("eE")));
    std::string exponent_text(text.size() > mantissa.size() ? text.substr(mantissa.size() + 1) : "0");
    size_t point = std::min(mantissa.find('.'), mantissa.size());
    std::string all = mantissa.substr(0, point) + (point < mantissa.size() ? mantissa.substr(point + 1) : "");
    size_t zeros = std::min(all.find_first_not_of('0'), all.size());
    if (zeros == all.size()) return 0;
    bool exponent_is_negative = exponent_text[0] == '-';
    if (!digits(exponent_text.substr(0, 1))) exponent_text.erase(0, 1);
    exponent_text.erase(0, std::min(exponent_text.find_first_not_of('0'), exponent_text.size() - 1));
    if (exponent_text.size() > 9) return exponent_is_negative ? 0 : is_negative ? -far_away : far_away;
    // The number is all[zeros...] with `places` digits before the point, which may be negative.
    int64_t places = int64_t(point) - int64_t(zeros) + (exponent_is_negative ? -1 : 1) * std::stoll(exponent_text);
    std::string significant = all.substr(zeros);
    bool is_seconds = is_negative || places <= 11;
    if (is_seconds) places += 3;
    if (places <= 0) return 0;
    if (places > 18) return is_negative ? -far_away : far_away;
    significant.resize(size_t(places), '0');
    int64_t whole = std::stoll(significant);
    return is_negative ? -whole : whole;
}

bool is_in_range(int64_t milliseconds, std::optional<int64_t> record) {
    if (!record) return milliseconds >= start_of_year(2000) && milliseconds < start_of_year(2101);
    // __int128 since a record may have any 64-bit number for a timestamp.
    __int128 wide = *record;
    if (milliseconds > wide + day_milliseconds) return false;
    __int128 record_days = wide / day_milliseconds - (wide % day_milliseconds < 0);
    int64_t time_of_day = int64_t(wide - record_days * day_milliseconds);
    int64_t cycles = int64_t(record_days / cycle_days);
    int64_t day_in_cycle = int64_t(record_days % cycle_days);
    year_month_day date{sys_days(days(day_in_cycle))};
    year_month_day earlier = date - years(5);
    if (!earlier.ok()) earlier = earlier.year() / February / 28;
    __int128 earliest = (__int128(cycles) * cycle_days + sys_days(earlier).time_since_epoch().count()) * day_milliseconds + time_of_day;
    return milliseconds >= earliest;
}

bool fits_column(int64_t milliseconds) {
    return milliseconds >= start_of_year(1900) && milliseconds < start_of_year(2300);
}
