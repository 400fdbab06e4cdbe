// transfer/internal/pattern.h: regular expressions that cost time linear in the text.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "base/result.h"

namespace tidal::transfer {

inline constexpr std::size_t kPatternBytesMax = 128;
inline constexpr std::size_t kPatternTextBytesMax = 1024;

/// ECMAScript syntax without back references, over bytes. Thompson's construction: no exponential
/// backtracking and no recursion per character, whatever the pattern. A find is at most
/// quadratic in the text, which is why both are short.
class Pattern {
public:
    /// kInvalidArgument: syntax, too long, or repeated more than 64 times in all.
    static Result<Pattern> compile(std::string_view expression);
    ~Pattern();
    Pattern(Pattern&&) noexcept;
    Pattern& operator=(Pattern&&) noexcept;

    /// The first group of the first match, or the whole match when there is no group; nullopt when
    /// there is none. `text` is at most kPatternTextBytesMax long.
    std::optional<std::string_view> find(std::string_view text) const;

private:
    struct Compiled;
    explicit Pattern(std::unique_ptr<Compiled> compiled);
    std::unique_ptr<Compiled> compiled_;
};

}  // namespace tidal::transfer
