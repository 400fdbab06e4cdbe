// tests/history/tests/brute_force.h: linearizability by trying every order. For tiny histories.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "tests/history/operation.h"

namespace tidal::history {

/// Written against the definition and nothing else: some order of all operations that are known to
/// have happened and some of those that may have, in which each answer is right and no operation
/// stands before one that had ended when it started.
class BruteForce {
public:
    explicit BruteForce(const History& history) : history_(history) {
        for (const Operation& one : history)
            if (!one.version.empty() && one.value) values_.emplace(one.version, *one.value);
    }

    bool linearizable() {
        return versions_fit() && place(std::vector<bool>(history_.size()), {}, 0);
    }

private:
    bool versions_fit() const {
        for (const Operation& a : history_)
            for (const Operation& b : history_) {
                if (a.version.empty() || b.version.empty()) continue;
                if ((a.version == b.version) != (a.value == b.value)) return false;
            }
        return true;
    }

    bool place(const std::vector<bool>& placed, const std::optional<std::string>& value,
               std::uint64_t total) {
        bool complete = true;
        for (std::size_t i = 0; i < history_.size(); ++i)
            complete = complete && (placed[i] || history_[i].outcome == Outcome::kUnknown ||
                                    history_[i].outcome == Outcome::kRefused);
        if (complete) return true;
        for (std::size_t i = 0; i < history_.size(); ++i) {
            const Operation& one = history_[i];
            if (placed[i] || one.outcome == Outcome::kRefused || !first(placed, one)) continue;
            std::optional<std::string> next = value;
            std::uint64_t next_total = total;
            if (!apply(one, &next, &next_total)) continue;
            std::vector<bool> more = placed;
            more[i] = true;
            if (place(more, next, next_total)) return true;
        }
        return false;
    }

    /// Nothing that is left ended before it started.
    bool first(const std::vector<bool>& placed, const Operation& one) const {
        for (std::size_t i = 0; i < history_.size(); ++i)
            if (!placed[i] && history_[i].outcome != Outcome::kRefused &&
                history_[i].end_ns < one.start_ns)
                return false;
        return true;
    }

    bool apply(const Operation& one, std::optional<std::string>* value,
               std::uint64_t* total) const {
        switch (one.kind) {
            case Kind::kRead:
                return one.outcome == Outcome::kUnknown || *value == one.value;
            case Kind::kTotal:
                return one.outcome == Outcome::kUnknown || *total == one.total;
            case Kind::kAdd:
                ++*total;
                return true;
            case Kind::kWrite:
                *value = one.value;
                return true;
            case Kind::kCompareAndSet:
                break;
        }
        const auto expected = values_.find(one.expected);
        const bool fits = expected != values_.end() && *value == expected->second;
        if (one.outcome == Outcome::kMismatch) return !fits;
        if (fits) *value = one.value;
        return fits;
    }

    const History& history_;
    std::map<std::string, std::string> values_;
};

}  // namespace tidal::history
