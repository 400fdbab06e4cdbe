// tests/history/links.h: which node's bytes reach which other node.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tidal::history {

enum class LinkState : std::uint8_t {
    kOpen,
    kCut,    ///< Nothing arrives, nobody is told; what was sent arrives once it is open again.
    kReset,  ///< Connections end, and new ones are ended at once. Both directions of a pair.
};

struct Link {
    LinkState state = LinkState::kOpen;
    std::chrono::milliseconds delay{0};
    std::uint32_t damage = 0;  ///< One bit flips in every so many bytes; 0 = none does.
};

/// Directed links between nodes 1..count. Threads: any.
class Links {
public:
    explicit Links(std::uint32_t count) : count_(count), links_((count + 1) * (count + 1)) {}

    std::uint32_t count() const { return count_; }
    Link get(std::uint32_t from, std::uint32_t to) const {
        const std::lock_guard lock(mutex_);
        return links_[from * (count_ + 1) + to];
    }
    void set(std::uint32_t from, std::uint32_t to, Link link) {
        const std::lock_guard lock(mutex_);
        links_[from * (count_ + 1) + to] = link;
    }

    /// "1>2 cut", "1>* open", "*>* delay 30", "2>1 reset", "1>3 damage 5000"; several with commas.
    /// All or nothing.
    /// @return kInvalidArgument naming what is not such a command.
    Result<void> command(std::string_view text);
    /// One line per link that is not open and prompt, as command() takes it.
    std::string to_text() const;

private:
    const std::uint32_t count_;
    mutable std::mutex mutex_;
    std::vector<Link> links_;
};

}  // namespace tidal::history
