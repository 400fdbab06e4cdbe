// A violation is made small by taking operations back: a read is dropped, a write may be lost.
// Whatever is left and still has no order explains the violation alone.
#include "tests/history/check.h"

#include <algorithm>
#include <map>
#include <set>

#include "tests/history/key_check.h"

namespace tidal::history {
namespace {

/// Tries to shrink more often than this would be slow on a history of many thousands.
constexpr int kTriesMax = 2'000;

KeyFinding find(const History& operations, const CheckOptions& options) {
    const bool counter = !operations.empty() && is_counter(operations.front().kind);
    return counter ? check_counter(operations)
                   : check_register(operations, options.configurations_max);
}

bool is_observation(const Operation& one) {
    return !changes(one.kind) || one.outcome == Outcome::kMismatch;
}

/// Versions are known by the writes themselves, so that a read which told one can be dropped.
void move_versions(History* operations) {
    std::map<std::string, std::string> versions;
    for (const Operation& one : *operations)
        if (!one.version.empty() && one.value) versions.emplace(*one.value, one.version);
    for (Operation& one : *operations) {
        if (!changes(one.kind) || !one.value || !one.version.empty()) continue;
        if (const auto found = versions.find(*one.value); found != versions.end())
            one.version = found->second;
    }
}

/// Values that a read saw, or a compare-and-set asked for that was answered or was itself seen.
std::set<std::string> spoken_values(const History& operations) {
    std::map<std::string, std::string> values;
    for (const Operation& one : operations)
        if (!one.version.empty() && one.value) values.emplace(one.version, *one.value);
    std::set<std::string> out;
    for (const Operation& one : operations)
        if (one.kind == Kind::kRead && one.value) out.insert(*one.value);
    for (std::size_t before = out.size() + 1; before != out.size();) {
        before = out.size();
        for (const Operation& one : operations) {
            if (one.kind != Kind::kCompareAndSet) continue;
            const bool answered = one.outcome == Outcome::kOk || one.outcome == Outcome::kMismatch;
            if (answered || out.contains(*one.value)) out.insert(values[one.expected]);
        }
    }
    return out;
}

/// Fewer promises: an order of `operations` is also one of what this gives.
History weakened(const History& operations, std::size_t from, std::size_t to) {
    const std::set<std::string> spoken = spoken_values(operations);
    History out;
    for (std::size_t i = 0; i < operations.size(); ++i) {
        Operation one = operations[i];
        if (i >= from && i < to) {
            // A failed write of a value that was seen stays: it says who wrote it.
            const bool writer = changes(one.kind) && one.value && spoken.contains(*one.value);
            if (is_observation(one) && !writer) continue;
            if (one.outcome == Outcome::kOk) {
                one.outcome = Outcome::kUnknown;
                one.end_ns = kNeverNs;
            }
        }
        out.push_back(std::move(one));
    }
    return out;
}

/// Drops writes that may be lost, or are, of values that nothing left speaks of. They could only
/// explain why a compare-and-set failed.
History without_idle_writes(const History& operations) {
    if (is_counter(operations.front().kind)) return operations;
    const std::set<std::string> spoken = spoken_values(operations);
    bool mismatch = false;
    for (const Operation& one : operations)
        mismatch = mismatch || one.outcome == Outcome::kMismatch;
    History out;
    for (const Operation& one : operations) {
        const bool lost =
            one.outcome == Outcome::kRefused || (one.outcome == Outcome::kUnknown && !mismatch);
        if (!changes(one.kind) || !lost || spoken.contains(*one.value)) out.push_back(one);
    }
    return out;
}

class Shrinker {
public:
    Shrinker(History operations, KeyFinding finding, const CheckOptions& options)
        : operations_(std::move(operations)), finding_(std::move(finding)), options_(options) {}

    KeyVerdict run() {
        if (!is_counter(operations_.front().kind)) move_versions(&operations_);
        for (const Operation& one : operations_)
            if (changes(one.kind) && one.value) originals_.emplace(*one.value, one);
        keep_if_bad(early());
        for (std::size_t size = operations_.size(); size > 0; size /= 2) {
            keep_if_bad(without_idle_writes(operations_));
            pass(std::min(size, operations_.size()));
        }
        pass(1);
        keep_if_bad(without_idle_writes(operations_));
        KeyVerdict out{Answer::kViolation, finding_.reason, {}, 0};
        for (Operation& one : operations_) {
            const bool unknown_add = one.kind == Kind::kAdd && one.outcome == Outcome::kUnknown;
            if (unknown_add) ++out.unknown_adds;
            if (one.value && changes(one.kind)) one = originals_.at(*one.value);
            if (!unknown_add && !(one.kind == Kind::kAdd && one.outcome == Outcome::kRefused))
                out.operations.push_back(std::move(one));
        }
        return out;
    }

private:
    /// Without what starts after the first answer that is wrong, unless it wrote what was seen.
    History early() const {
        const std::set<std::string> spoken = spoken_values(operations_);
        History out;
        for (const Operation& one : operations_) {
            const bool writer = changes(one.kind) && one.value && spoken.contains(*one.value);
            if (one.start_ns <= finding_.until_ns || writer) out.push_back(one);
        }
        return out;
    }

    /// From the end: what came first is more often what matters.
    void pass(std::size_t size) {
        for (std::size_t end = operations_.size(); end > 0 && tries_ < kTriesMax;) {
            const std::size_t from = end > size ? end - size : 0;
            if (promises(from, end)) keep_if_bad(weakened(operations_, from, end));
            end = from;
        }
    }

    /// Whether there is anything to take back.
    bool promises(std::size_t from, std::size_t to) const {
        for (std::size_t i = from; i < to; ++i)
            if (is_observation(operations_[i]) || operations_[i].outcome == Outcome::kOk)
                return true;
        return false;
    }

    void keep_if_bad(History fewer) {
        ++tries_;
        KeyFinding found = find(fewer, options_);
        if (found.answer != Answer::kViolation) return;
        operations_ = std::move(fewer);
        finding_ = std::move(found);
    }

    History operations_;
    std::map<std::string, Operation> originals_;  // by the value they wrote
    KeyFinding finding_;
    const CheckOptions& options_;
    int tries_ = 0;
};

}  // namespace

KeyVerdict check_key(const History& operations, const CheckOptions& options) {
    KeyFinding found = find(operations, options);
    if (found.answer != Answer::kViolation) return {found.answer, found.reason, {}, 0};
    History sorted = operations;
    std::stable_sort(sorted.begin(), sorted.end(), [](const Operation& a, const Operation& b) {
        return a.start_ns < b.start_ns;
    });
    return Shrinker(std::move(sorted), std::move(found), options).run();
}

HistoryVerdict check_history(const History& history, const CheckOptions& options) {
    std::map<std::string, History> keys;
    for (const Operation& operation : history) keys[operation.key].push_back(operation);
    HistoryVerdict out;
    out.operations = history.size();
    out.keys = keys.size();
    for (const auto& [key, operations] : keys) {
        KeyVerdict verdict = check_key(operations, options);
        if (verdict.answer == Answer::kLinearizable) continue;
        if (out.answer != Answer::kViolation) out.answer = verdict.answer;
        out.findings.emplace_back(key, std::move(verdict));
    }
    return out;
}

}  // namespace tidal::history
