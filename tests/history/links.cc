#include "tests/history/links.h"

#include <charconv>

namespace tidal::history {
namespace {

struct Change {
    std::uint32_t from = 0, to = 0;  // 0: all
    Link link;
};

bool read_number(std::string_view text, std::uint32_t* out) {
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), *out);
    return failed == std::errc() && end == text.data() + text.size();
}

bool read_node(std::string_view text, std::uint32_t count, std::uint32_t* out) {
    if (text == "*") return *out = 0, true;
    return read_number(text, out) && *out >= 1 && *out <= count;
}

std::string_view trimmed(std::string_view text) {
    while (text.starts_with(' ')) text.remove_prefix(1);
    while (text.ends_with(' ') || text.ends_with('\n')) text.remove_suffix(1);
    return text;
}

Result<Change> read_change(std::string_view text, std::uint32_t count) {
    const Error bad = Error(ErrorCode::kInvalidArgument, "not a change of links")
                          .with("text", text)
                          .with_hint("1>2 cut, *>3 reset, 1>* delay 30, 2>3 damage 5000, *>* open");
    const std::size_t arrow = text.find('>'), space = text.find(' ');
    if (arrow == std::string_view::npos || space == std::string_view::npos || arrow > space)
        return bad;
    Change out;
    if (!read_node(text.substr(0, arrow), count, &out.from) ||
        !read_node(text.substr(arrow + 1, space - arrow - 1), count, &out.to))
        return bad;
    const std::string_view what = trimmed(text.substr(space));
    std::uint32_t number = 0;
    if (what == "cut") return out.link.state = LinkState::kCut, out;
    if (what == "reset") return out.link.state = LinkState::kReset, out;
    if (what == "open") return out;
    const std::size_t end = std::min(what.find(' '), what.size());
    if (end == what.size() || !read_number(what.substr(end + 1), &number)) return bad;
    if (what.substr(0, end) == "delay")
        out.link.delay = std::chrono::milliseconds(number);
    else if (what.substr(0, end) == "damage" && number > 0)
        out.link.damage = number;
    else
        return bad;
    return out;
}

std::string text_of(const Link& link) {
    if (link.state == LinkState::kCut) return "cut";
    if (link.state == LinkState::kReset) return "reset";
    if (link.damage > 0) return "damage " + std::to_string(link.damage);
    return "delay " + std::to_string(link.delay.count());
}

}  // namespace

Result<void> Links::command(std::string_view text) {
    std::vector<Change> changes;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(','), text.size());
        TIDAL_ASSIGN(const Change change, read_change(trimmed(text.substr(0, end)), count_));
        changes.push_back(change);
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    const std::lock_guard lock(mutex_);
    for (const Change& change : changes)
        for (std::uint32_t from = 1; from <= count_; ++from)
            for (std::uint32_t to = 1; to <= count_; ++to)
                if ((change.from == 0 || change.from == from) &&
                    (change.to == 0 || change.to == to))
                    links_[from * (count_ + 1) + to] = change.link;
    return {};
}

std::string Links::to_text() const {
    std::string out;
    for (std::uint32_t from = 1; from <= count_; ++from)
        for (std::uint32_t to = 1; to <= count_; ++to) {
            const Link link = get(from, to);
            if (link.state == LinkState::kOpen && link.delay.count() == 0 && link.damage == 0)
                continue;
            out += std::to_string(from) + ">" + std::to_string(to) + " " + text_of(link) + "\n";
        }
    return out;
}

}  // namespace tidal::history
