#include "storage/internal/overlay.h"

namespace tidal::storage::internal {

void Overlay::set(std::string_view key, std::optional<std::string_view> value) {
    auto [it, inserted] = rows_.try_emplace(std::string(key));
    if (!inserted) bytes_ -= cost(key, it->second);
    if (!value)
        it->second.reset();
    else if (it->second)
        it->second->assign(*value);
    else
        it->second.emplace(*value);
    bytes_ += cost(key, it->second);
}

void Overlay::absorb(Overlay&& newer) {
    for (auto& [key, value] : newer.rows_) {
        auto [it, inserted] = rows_.try_emplace(key);
        if (!inserted) bytes_ -= cost(key, it->second);
        it->second = std::move(value);
        bytes_ += cost(key, it->second);
    }
    newer.rows_.clear();
    newer.bytes_ = 0;
}

void Overlay::shed(std::size_t rows_max) {
    while (rows_max-- > 0 && !rows_.empty()) {
        const auto last = std::prev(rows_.end());
        bytes_ -= cost(last->first, last->second);
        rows_.erase(last);
    }
}

std::string prefix_end(std::string_view prefix) {
    std::string end(prefix);
    while (!end.empty() && static_cast<unsigned char>(end.back()) == 0xff) end.pop_back();
    if (!end.empty()) end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
    return end;
}

OverlayCursor::OverlayCursor(const Overlay& newer, const Overlay& older, std::string_view prefix) {
    const std::string end = prefix_end(prefix);
    const auto range = [&](const Overlay::Map& rows, auto& from, auto& to) {
        from = rows.lower_bound(prefix);
        to = end.empty() ? rows.end() : rows.lower_bound(end);
    };
    range(newer.rows(), newer_at_, newer_end_);
    range(older.rows(), older_at_, older_end_);
}

void OverlayCursor::step() {
    const bool both =
        newer_at_ != newer_end_ && older_at_ != older_end_ && newer_at_->first == older_at_->first;
    if (both) {
        ++newer_at_;
        ++older_at_;
    } else if (at_newer()) {
        ++newer_at_;
    } else {
        ++older_at_;
    }
}

}  // namespace tidal::storage::internal
