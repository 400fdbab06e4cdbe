// Why the one order tried is as good as any. An add taken earlier than something needs it makes the
// total larger for the reads in between and gains nothing: it can be taken later. Of those that may
// be taken, the one that must end first leaves the others the most time; those of unknown fate
// never have to be taken, so they come last.
#include <algorithm>
#include <set>
#include <tuple>
#include <vector>

#include "tests/history/key_check.h"

namespace tidal::history {
namespace {

struct Event {
    std::int64_t at_ns;
    bool end;
    std::size_t operation;
    /// Times that are equal overlap: starts come first.
    bool operator<(const Event& other) const {
        return std::tie(at_ns, end, operation) < std::tie(other.at_ns, other.end, other.operation);
    }
};

class CounterCheck {
public:
    explicit CounterCheck(const History& operations)
        : operations_(operations), open_(operations.size(), false) {}

    KeyFinding run() {
        for (const Event& event : events()) {
            const Operation& operation = operations_[event.operation];
            const bool add = operation.kind == Kind::kAdd;
            KeyFinding found;
            if (!event.end)
                found = add ? start_add(event.operation) : start_total(event.operation);
            else if (open_[event.operation])
                found = add ? end_add(event.operation) : end_total(event.operation);
            if (found.answer != Answer::kLinearizable) return found;
        }
        return {};
    }

private:
    std::vector<Event> events() const {
        std::vector<Event> out;
        for (std::size_t i = 0; i < operations_.size(); ++i) {
            const Operation& one = operations_[i];
            const bool ok = one.outcome == Outcome::kOk;
            if (!ok && (one.kind == Kind::kTotal || one.outcome == Outcome::kRefused)) continue;
            out.push_back({one.start_ns, false, i});
            if (ok) out.push_back({one.end_ns, true, i});
        }
        std::sort(out.begin(), out.end());
        return out;
    }

    KeyFinding start_add(std::size_t number) {
        if (operations_[number].outcome == Outcome::kUnknown) {
            ++spare_;
            return {};
        }
        open_[number] = true;
        adds_.emplace(operations_[number].end_ns, number);
        return {};
    }

    KeyFinding end_add(std::size_t number) {
        count(number);
        return {};
    }

    KeyFinding start_total(std::size_t number) {
        const Operation& read = operations_[number];
        if (read.total < total_)
            return {Answer::kViolation,
                    told(read) + " after " + std::to_string(total_) + " must have counted",
                    read.start_ns};
        if (read.total == total_) return {};
        open_[number] = true;
        reads_.emplace(read.total, number);
        return {};
    }

    KeyFinding end_total(std::size_t number) {
        const Operation& read = operations_[number];
        const std::uint64_t most = total_ + adds_.size() + spare_;
        if (read.total > most)
            return {Answer::kViolation,
                    told(read) + " when at most " + std::to_string(most) + " can have counted",
                    read.end_ns};
        while (total_ < read.total) {
            if (!adds_.empty()) {
                count(adds_.begin()->second);
            } else {
                --spare_;
                grow();
            }
        }
        return {};
    }

    void count(std::size_t add) {
        adds_.erase({operations_[add].end_ns, add});
        open_[add] = false;
        grow();
    }

    void grow() {
        ++total_;
        while (!reads_.empty() && reads_.begin()->first == total_) {
            open_[reads_.begin()->second] = false;
            reads_.erase(reads_.begin());
        }
    }

    static std::string told(const Operation& read) {
        return "client " + std::to_string(read.client) + " was told " + std::to_string(read.total);
    }

    const History& operations_;
    std::vector<bool> open_;  // under way and not counted, or not seen, yet
    std::uint64_t total_ = 0;
    std::set<std::pair<std::int64_t, std::size_t>> adds_;    // by their end
    std::set<std::pair<std::uint64_t, std::size_t>> reads_;  // by what they were told
    std::uint64_t spare_ = 0;  // adds of unknown fate, not counted yet
};

}  // namespace

KeyFinding check_counter(const History& operations) {
    return CounterCheck(operations).run();
}

}  // namespace tidal::history
