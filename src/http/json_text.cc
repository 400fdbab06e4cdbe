#include "http/json_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <cmath>
#include <cstring>

#include "http/problem.h"

namespace tidal::http {
namespace {

namespace json = boost::json;

void append(const json::value& value, std::string* out);

void append_object(const json::object& object, std::string* out) {
    *out += '{';
    bool first = true;
    for (const auto& [key, value] : object) {
        if (!std::exchange(first, false)) *out += ',';
        append_json_string(std::string_view(key.data(), key.size()), out);
        *out += ':';
        append(value, out);
    }
    *out += '}';
}

void append_array(const json::array& array, std::string* out) {
    *out += '[';
    bool first = true;
    for (const json::value& value : array) {
        if (!std::exchange(first, false)) *out += ',';
        append(value, out);
    }
    *out += ']';
}

void append(const json::value& value, std::string* out) {
    switch (value.kind()) {
        case json::kind::object:
            return append_object(value.get_object(), out);
        case json::kind::array:
            return append_array(value.get_array(), out);
        case json::kind::double_:
            return append_json_number(value.get_double(), out);
        case json::kind::string: {
            const json::string& text = value.get_string();
            return append_json_string(std::string_view(text.data(), text.size()), out);
        }
        case json::kind::int64:
            *out += std::to_string(value.get_int64());
            return;
        case json::kind::uint64:
            *out += std::to_string(value.get_uint64());
            return;
        case json::kind::bool_:
            *out += value.get_bool() ? "true" : "false";
            return;
        case json::kind::null:
            *out += "null";
            return;
    }
}

constexpr std::size_t kSignificandBytesMax = 20;  ///< The digits of any 64 bits.
static_assert(kSignificandBytesMax < kJsonNumberBytesMax, "a sign goes before them");

/// Without an exponent, and with a point: a float stays one for readers that tell 40 from 40.0.
/// The digits are those of std::to_chars, found in a quarter of the time (Dragonbox, Jeon 2020):
/// a page has one of these per item.
/// @param size  0, or from 1e-5 to below 1e15.
char* write_plain(double size, char* to) {
    const auto decimal = fmt::detail::dragonbox::to_decimal(size);
    char* end = std::to_chars(to, to + kSignificandBytesMax, decimal.significand).ptr;
    if (decimal.exponent >= 0) {
        end = std::fill_n(end, decimal.exponent, '0');
        return std::ranges::copy(std::string_view(".0"), end).out;
    }
    const std::ptrdiff_t before_point = end - to + decimal.exponent;
    if (before_point > 0) {
        char* const point = to + before_point;
        std::memmove(point + 1, point, static_cast<std::size_t>(end - point));
        *point = '.';
        return end + 1;
    }
    const std::ptrdiff_t shift = 2 - before_point;  // "0." and zeros
    std::memmove(to + shift, to, static_cast<std::size_t>(end - to));
    std::fill_n(to, shift, '0');
    to[1] = '.';
    return end + shift;
}

}  // namespace

char* write_json_number(double number, char* to) {
    constexpr std::string_view kNull = "null";
    if (!std::isfinite(number)) return std::ranges::copy(kNull, to).out;
    // Shortest either way; sizes people read keep the form they know.
    const double size = std::fabs(number);
    if (size != 0 && (size < 1e-5 || size >= 1e15))
        return std::to_chars(to, to + kJsonNumberBytesMax, number, std::chars_format::scientific)
            .ptr;
    if (std::signbit(number)) *to++ = '-';
    return write_plain(size, to);
}

void append_json_number(double number, std::string* out) {
    char buffer[kJsonNumberBytesMax];
    out->append(buffer, write_json_number(number, buffer));
}

std::string json_text(const json::value& value) {
    std::string out;
    append(value, &out);
    return out;
}

json::value id_value(const EntityId& id) {
    if (id.is_text()) return json::string(id.text());
    if (id.number() > kExactIdMax) return json::string(std::to_string(id.number()));
    return id.number();
}

}  // namespace tidal::http
