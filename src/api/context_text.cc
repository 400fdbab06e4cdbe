#include "api/internal/context_text.h"

namespace tidal::api {
namespace {

class Scanner {
public:
    explicit Scanner(std::string_view text) : rest_(text) {}

    bool at(char c) const { return rest_.starts_with(c); }
    bool take(char c) {
        const bool there = at(c);
        if (there) rest_.remove_prefix(1);
        return there;
    }

    std::optional<std::string_view> string() {
        if (!take('"')) return std::nullopt;
        for (std::size_t end = 0; end < rest_.size(); ++end) {
            if (rest_[end] == '\\') {
                ++end;
            } else if (rest_[end] == '"') {
                const std::string_view out = rest_.substr(0, end);
                rest_.remove_prefix(end + 1);
                return out;
            }
        }
        return std::nullopt;
    }

    /// To the comma or brace behind a value. False = the text ends before.
    bool skip_value() {
        for (std::size_t depth = 0; !rest_.empty();) {
            if (at('"')) {
                if (!string()) return false;
                continue;
            }
            if (depth == 0 && (at(',') || at('}'))) return true;
            if (at('{') || at('[')) ++depth;
            if ((at('}') || at(']')) && depth > 0) --depth;
            rest_.remove_prefix(1);
        }
        return false;
    }

private:
    std::string_view rest_;
};

}  // namespace

std::optional<std::string_view> context_text(std::string_view context, std::string_view member) {
    Scanner in(context);
    if (!in.take('{')) return std::nullopt;
    do {
        const auto name = in.string();
        if (!name || !in.take(':')) return std::nullopt;
        if (*name == member) return in.string();
        if (!in.skip_value()) return std::nullopt;
    } while (in.take(','));
    return std::nullopt;
}

}  // namespace tidal::api
