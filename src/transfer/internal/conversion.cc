#include "transfer/internal/conversion.h"

#include <charconv>
#include <cmath>

#include "base/time_text.h"

namespace tidal::transfer {
namespace {

constexpr std::size_t kIdTextBytesMax = 255;

Error not_a(const char* what) {
    return Error(ErrorCode::kInvalidArgument, std::string("not ") + what);
}

template <typename Number>
bool read_whole(std::string_view text, Number* number) {
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, *number);
    return error == std::errc() && stop == end;
}

Result<record::Value> to_bool(std::string_view text) {
    if (text == "true" || text == "1") return record::Value(true);
    if (text == "false" || text == "0") return record::Value(false);
    return not_a("true, false, 1 or 0");
}

Result<record::Value> to_geo(std::string_view text) {
    const std::size_t comma = text.find(',');
    if (comma == std::string_view::npos) return not_a("a place 'latitude,longitude'");
    std::string_view longitude = text.substr(comma + 1);
    while (longitude.starts_with(' ')) longitude.remove_prefix(1);
    record::GeoPoint point;
    if (!read_whole(text.substr(0, comma), &point.latitude) ||
        !read_whole(longitude, &point.longitude))
        return not_a("a place 'latitude,longitude'");
    return record::Value(point);
}

/// Exact for every count of seconds, which a double is not.
Result<UnixMillis> seconds_to_ms(std::string_view text) {
    const std::size_t point = text.find('.');
    std::int64_t seconds = 0;
    if (!read_whole(text.substr(0, point), &seconds)) return not_a("a number of seconds");
    std::int64_t fraction = 0;
    if (point != std::string_view::npos) {
        const std::string_view digits = text.substr(point + 1);
        if (digits.empty()) return not_a("a number of seconds");
        std::int64_t unit = 100;
        for (const char c : digits) {
            if (c < '0' || c > '9') return not_a("a number of seconds");
            fraction += (c - '0') * unit;
            unit /= 10;
        }
    }
    if (text.starts_with('-')) fraction = -fraction;
    std::int64_t ms = 0;
    if (__builtin_mul_overflow(seconds, std::int64_t{1000}, &ms) ||
        __builtin_add_overflow(ms, fraction, &ms))
        return not_a("a time that fits 64 bits of milliseconds");
    return ms;
}

}  // namespace

Result<double> to_number(std::string_view text) {
    double number = 0;
    if (!read_whole(text, &number) || !std::isfinite(number)) return not_a("a number");
    return number;
}

Result<EntityId> to_id(std::string_view text, bool text_ids) {
    if (text_ids) {
        if (text.empty() || text.size() > kIdTextBytesMax) return not_a("an id of 1 to 255 bytes");
        return EntityId(std::string(text));
    }
    std::uint64_t number = 0;
    if (!read_whole(text, &number)) return not_a("an id: a whole number below 2^64");
    return EntityId(number);
}

Result<UnixMillis> to_time(std::string_view text, TimeUnit unit) {
    switch (unit) {
        case TimeUnit::kSeconds:
            return seconds_to_ms(text);
        case TimeUnit::kMilliseconds: {
            std::int64_t ms = 0;
            if (!read_whole(text, &ms)) return not_a("a whole number of milliseconds");
            return ms;
        }
        case TimeUnit::kText: {
            auto time = parse_time(text, {});
            if (!time.ok()) return not_a("a time like 2026-01-31T09:00:00Z");
            return *time;
        }
    }
    return not_a("a time");
}

Result<record::Value> to_value(std::string_view text, schema::FieldType type, TimeUnit unit) {
    using enum schema::FieldType;
    switch (type) {
        case kInt: {
            std::int64_t number = 0;
            if (!read_whole(text, &number)) return not_a("a whole number of 64 bits");
            return record::Value(number);
        }
        case kFloat: {
            TIDAL_ASSIGN(const double number, to_number(text));
            return record::Value(number);
        }
        case kTimestamp:
        case kDuration: {
            TIDAL_ASSIGN(const UnixMillis time, to_time(text, unit));
            return record::Value(time);
        }
        case kBool:
            return to_bool(text);
        case kGeo:
            return to_geo(text);
        case kText:
        case kKeyword:
        case kKeywords:
        case kJson:
            break;
    }
    return record::Value(std::string(text));
}

}  // namespace tidal::transfer
