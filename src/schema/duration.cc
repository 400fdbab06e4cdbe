#include "schema/duration.h"

#include <array>
#include <cassert>
#include <charconv>

namespace tidal::schema {
namespace {

struct Unit {
    std::string_view name;
    std::int64_t ms;
};
constexpr std::array<Unit, 6> kUnits{{{"w", 7 * 86'400'000LL},
                                      {"d", 86'400'000},
                                      {"h", 3'600'000},
                                      {"m", 60'000},
                                      {"s", 1'000},
                                      {"ms", 1}}};

}  // namespace

Result<std::int64_t> parse_duration_ms(std::string_view text) {
    const auto bad = [&](std::string_view why) {
        return Error(ErrorCode::kInvalidArgument, "\"" + std::string(text.substr(0, 40)) +
                                                      "\" is no duration: " + std::string(why))
            .with_hint("write a whole number and a unit: 1500ms, 90s, 30m, 24h, 7d or 4w");
    };
    std::int64_t count = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (status == std::errc::result_out_of_range) return bad("too long");
    if (status != std::errc() || text.front() == '-') return bad("no number in front");
    const std::string_view unit_name = text.substr(static_cast<std::size_t>(end - text.data()));
    for (const Unit& unit : kUnits) {
        if (unit.name != unit_name) continue;
        std::int64_t ms = 0;
        if (__builtin_mul_overflow(count, unit.ms, &ms)) return bad("too long");
        return ms;
    }
    return bad(unit_name.empty() ? "no unit" : "unknown unit");
}

std::string print_duration(std::int64_t ms) {
    assert(ms >= 0);
    for (const Unit& unit : kUnits) {
        if (unit.name == "w") continue;
        if (ms % unit.ms == 0 && (ms != 0 || unit.ms == 1))
            return std::to_string(ms / unit.ms) + std::string(unit.name);
    }
    return std::to_string(ms) + "ms";
}

}  // namespace tidal::schema
