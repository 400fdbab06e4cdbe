#include "api/consistency.h"

#include <charconv>
#include <cmath>

namespace tidal::api {
namespace {

constexpr std::string_view kBounded = "bounded_staleness:";
constexpr double kSecondsMax = 3600;

Error bad(std::string_view text) {
    return Error(ErrorCode::kInvalidArgument,
                 "no such read consistency: '" + std::string(text) + "'")
        .with_field("read_consistency")
        .with_hint("strong, bounded_staleness:<seconds> (above 0, at most 3600), or eventual");
}

}  // namespace

Result<Consistency> parse_consistency(std::string_view text) {
    if (text == "strong") return Consistency{Consistency::Kind::kStrong, 0};
    if (text == "eventual") return Consistency{Consistency::Kind::kEventual, 0};
    if (!text.starts_with(kBounded)) return bad(text);
    const std::string_view number = text.substr(kBounded.size());
    double seconds = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), seconds,
                                              std::chars_format::fixed);
    if (error != std::errc() || end != number.data() + number.size() || !(seconds > 0) ||
        seconds > kSecondsMax)
        return bad(text);
    const double ms = std::floor(seconds * 1000);
    if (ms < 1) return bad(text);
    return Consistency{Consistency::Kind::kBounded, static_cast<std::uint64_t>(ms)};
}

std::string print_consistency(const Consistency& consistency) {
    switch (consistency.kind) {
        case Consistency::Kind::kStrong:
            return "strong";
        case Consistency::Kind::kEventual:
            return "eventual";
        case Consistency::Kind::kBounded:
            break;
    }
    std::string digits = std::to_string(consistency.staleness_ms_max % 1000);
    digits.insert(0, 3 - digits.size(), '0');
    while (!digits.empty() && digits.back() == '0') digits.pop_back();
    return std::string(kBounded) + std::to_string(consistency.staleness_ms_max / 1000) +
           (digits.empty() ? "" : "." + digits);
}

}  // namespace tidal::api
