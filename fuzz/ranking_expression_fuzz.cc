// Any text through the readers of expressions and profiles, and what reads through compiler and
// evaluator: it prints, reads again as the same tree, and scores to a finite number.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>

#include "ranking/evaluator.h"
#include "ranking/profile_registry.h"

namespace {

using namespace tidal;
using namespace tidal::ranking;

void require(bool holds) {
    if (!holds) std::abort();
}

class OddSource final : public FeatureSource {
public:
    Result<void> fill(const Feature& feature, std::span<const Slot> slots, const EvaluationContext&,
                      std::span<double> out) override {
        constexpr double kOdd[] = {0, -1, 1e300, -1e300, 0.5, 1e-300, 7};
        for (std::size_t i = 0; i < slots.size(); ++i)
            out[i] =
                kOdd[(i + feature.signal.value() + static_cast<std::size_t>(feature.kind)) % 7];
        return {};
    }
    bool is_missing(const Feature&, Slot) const override { return false; }
};

void score(const Program& program) {
    const std::vector<double> params(program.params.size(), -2.5);
    OddSource source;
    Evaluator evaluator(program, source, {.now_ms = 0, .seed = 1, .params = params});
    const std::vector<Slot> slots(7);
    const auto scores = evaluator.run(slots);
    require(scores.ok());
    for (const double value : *scores) require(std::abs(value) <= kMagnitudeMax);
}

/// What prints longer than a text may be does not read again.
template <typename T>
void same_again(const Result<T>& again, const T& first) {
    if (!again) return require(again.error().code() == ErrorCode::kTooLarge);
    require(*again == first);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const schema::Schema kSchema = *schema::parse_schema(schema::default_schema_yaml());
    const std::string text(reinterpret_cast<const char*>(data), size);
    if (const auto expr = parse_expression(text)) {
        same_again(parse_expression(print_expression(*expr)), *expr);
        const auto program = compile({.score = *expr, .definitions = {}, .source = text}, kSchema,
                                     EntityKind::kItem);
        if (program) score(*program);
    }
    if (const auto profile = parse_profile(text)) {
        same_again(parse_profile(print_profile(*profile)), *profile);
        const auto compiled = compile_profile(*profile, kSchema, EntityKind::kItem);
        if (compiled) score((*compiled)->explain);
    }
    return 0;
}
