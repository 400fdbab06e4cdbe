#include "transfer/internal/pattern.h"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <regex>
#include <string>

namespace tidal::transfer {
namespace {

constexpr std::uint64_t kRepeatsMax = 64;

/// The product of all counts in braces: how often the largest part of the pattern is copied.
std::uint64_t repeats_of(std::string_view expression) {
    std::uint64_t product = 1;
    for (std::size_t at = 0; at < expression.size(); ++at) {
        if (expression[at] != '{') continue;
        std::uint64_t largest = 1;
        while (++at < expression.size() && expression[at] != '}') {
            std::uint64_t number = 0;
            const char* const begin = expression.data() + at;
            const auto [stop, error] =
                std::from_chars(begin, expression.data() + expression.size(), number);
            if (error == std::errc::result_out_of_range) return UINT64_MAX;
            if (error == std::errc()) at += static_cast<std::size_t>(stop - begin) - 1;
            largest = std::max(largest, number);
        }
        if (largest > kRepeatsMax) return largest;
        product *= largest;
        if (product > kRepeatsMax) return product;
    }
    return product;
}

}  // namespace

struct Pattern::Compiled {
    std::regex regex;
};

Pattern::Pattern(std::unique_ptr<Compiled> compiled) : compiled_(std::move(compiled)) {}
Pattern::~Pattern() = default;
Pattern::Pattern(Pattern&&) noexcept = default;
Pattern& Pattern::operator=(Pattern&&) noexcept = default;

Result<Pattern> Pattern::compile(std::string_view expression) {
    if (expression.size() > kPatternBytesMax)
        return Error(ErrorCode::kInvalidArgument, "regex is longer than 128 bytes");
    if (repeats_of(expression) > kRepeatsMax)
        return Error(ErrorCode::kInvalidArgument, "regex repeats a part more than 64 times");
    try {
        auto compiled = std::make_unique<Compiled>();
        // __polynomial is libstdc++'s name for the automaton without backtracking.
        compiled->regex =
            std::regex(std::string(expression),
                       std::regex_constants::ECMAScript | std::regex_constants::__polynomial);
        return Pattern(std::move(compiled));
    } catch (const std::exception& error) {
        return Error(ErrorCode::kInvalidArgument,
                     std::string("regex does not compile: ") + error.what());
    }
}

std::optional<std::string_view> Pattern::find(std::string_view text) const {
    assert(text.size() <= kPatternTextBytesMax);
    std::match_results<std::string_view::const_iterator> match;
    if (!std::regex_search(text.begin(), text.end(), match, compiled_->regex)) return std::nullopt;
    const auto& part = match.size() > 1 ? match[1] : match[0];
    if (!part.matched) return std::nullopt;
    return text.substr(static_cast<std::size_t>(part.first - text.begin()),
                       static_cast<std::size_t>(part.length()));
}

}  // namespace tidal::transfer
