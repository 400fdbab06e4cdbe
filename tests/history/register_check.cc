// From values and versions to states, and what is wrong whatever the order.
#include <algorithm>
#include <map>
#include <unordered_map>

#include "tests/history/key_check.h"
#include "tests/history/register_search.h"

namespace tidal::history {
namespace {

std::string quoted(const std::string& text) {
    return "\"" + text + "\"";
}

class RegisterCheck {
public:
    explicit RegisterCheck(const History& operations) : operations_(operations) {
        writers_.push_back(nullptr);  // of kAbsent
    }

    KeyFinding run(std::uint64_t configurations_max) {
        number_values();
        for (const Operation& operation : operations_) learn_version(operation);
        for (const Operation& operation : operations_) add_observation(operation);
        if (!reason_.empty()) return {Answer::kViolation, reason_, kNeverNs};
        must_end();
        for (const Operation& operation : operations_) add_step(operation);
        return verdict(search_register(steps_, configurations_max));
    }

private:
    void fail(std::string reason) {
        if (reason_.empty()) reason_ = std::move(reason);
    }

    static bool writes(const Operation& operation) {
        return changes(operation.kind) && operation.outcome != Outcome::kMismatch;
    }
    static bool answered(const Operation& operation) {
        return operation.outcome == Outcome::kOk || operation.outcome == Outcome::kMismatch;
    }

    void number_values() {
        for (const Operation& operation : operations_) {
            if (!changes(operation.kind)) continue;
            states_.emplace(*operation.value, static_cast<RegisterState>(writers_.size()));
            writers_.push_back(&operation);
        }
    }

    RegisterState state_of(const std::optional<std::string>& value) const {
        if (!value) return kAbsent;
        const auto found = states_.find(*value);
        return found == states_.end() ? kUnseen : found->second;
    }

    void learn_version(const Operation& operation) {
        if (operation.version.empty() || !operation.value) return;
        if (operation.outcome == Outcome::kMismatch) return;
        const auto [value, first] = values_.emplace(operation.version, *operation.value);
        if (!first && value->second != *operation.value)
            fail("version " + operation.version + " was given for " + quoted(value->second) +
                 " and for " + quoted(*operation.value));
        const auto [version, first_time] = versions_.emplace(*operation.value, operation.version);
        if (!first_time && version->second != operation.version)
            fail(quoted(*operation.value) + " had the versions " + version->second + " and " +
                 operation.version + ": it was written twice");
    }

    /// The state a compare-and-set asks for; kUnseen for a version nobody was given.
    RegisterState expected_state(const Operation& operation) const {
        const auto found = values_.find(operation.expected);
        return found == values_.end() ? kUnseen : state_of(found->second);
    }

    /// Answers that prove that some write took effect.
    void add_observation(const Operation& operation) {
        if (operation.outcome != Outcome::kOk) return;
        RegisterState seen = kAbsent;
        if (operation.kind == Kind::kRead) {
            seen = state_of(operation.value);
            if (seen == kUnseen) return fail("nobody ever wrote " + quoted(*operation.value));
        } else if (operation.kind == Kind::kCompareAndSet) {
            seen = expected_state(operation);
            if (seen == kUnseen)
                return fail("a compare-and-set found version " + operation.expected +
                            ", which nobody was ever given");
        }
        if (seen == kAbsent) return;
        const Operation& writer = *writers_[seen];
        if (writer.kind == Kind::kCompareAndSet && expected_state(writer) == kUnseen)
            return fail(quoted(*writer.value) +
                        " was seen, although nobody was ever given version " + writer.expected +
                        ", which its write asked for");
        if (!writes(writer) || writer.outcome == Outcome::kRefused)
            return fail(quoted(*writer.value) + " was seen, although its write was answered " +
                        (writer.outcome == Outcome::kRefused ? "as refused" : "by a mismatch"));
        seen_by_[seen].push_back(&operation);
    }

    /// A write of unknown fate that somebody saw is in the order before the first who did.
    void must_end() {
        std::vector<std::pair<RegisterState, std::int64_t>> waiting;
        for (const auto& [state, observers] : seen_by_)
            for (const Operation* observer : observers)
                waiting.emplace_back(state, observer->end_ns);
        while (!waiting.empty()) {
            const auto [state, end_ns] = waiting.back();
            waiting.pop_back();
            const Operation& writer = *writers_[state];
            if (writer.outcome != Outcome::kUnknown) continue;
            const auto [known, first] = seen_ends_.emplace(state, end_ns);
            if (!first && known->second <= end_ns) continue;
            known->second = end_ns;
            // It saw a version itself: that write, too, was there by then.
            if (writer.kind != Kind::kCompareAndSet) continue;
            const RegisterState before = expected_state(writer);
            if (before != kUnseen && before != kAbsent) waiting.emplace_back(before, end_ns);
        }
    }

    void add_step(const Operation& operation) {
        Step step;
        step.start_ns = operation.start_ns;
        step.end_ns = operation.end_ns;
        if (operation.kind == Kind::kRead) {
            if (operation.outcome != Outcome::kOk) return;
            step.needs = state_of(operation.value);
        } else {
            if (operation.outcome == Outcome::kRefused) return;
            step.becomes = state_of(operation.value);
            step.kind = StepKind::kWrite;
            if (operation.kind == Kind::kCompareAndSet) {
                step.kind = answered(operation) && !writes(operation) ? StepKind::kNotSwap
                                                                      : StepKind::kSwap;
                step.needs = expected_state(operation);
                if (step.kind == StepKind::kNotSwap && step.needs == kUnseen) return;
            }
            if (operation.outcome == Outcome::kUnknown && !bound_end(&step)) return;
        }
        steps_.push_back(step);
        step_operations_.push_back(&operation);
    }

    /// False for a step that can have no part in any order.
    bool bound_end(Step* step) const {
        const auto seen = seen_ends_.find(step->becomes);
        step->end_ns = seen == seen_ends_.end() ? kNeverNs : std::max(seen->second, step->start_ns);
        if (step->end_ns != kNeverNs) return true;
        step->becomes = kUnseen;
        return step->kind == StepKind::kWrite || step->needs != kUnseen;
    }

    KeyFinding verdict(const SearchResult& result) const {
        if (result.answer == SearchResult::Answer::kLinearizable) return {};
        if (result.answer == SearchResult::Answer::kUndecided)
            return {Answer::kUndecided, "too many operations at once to try all orders", kNeverNs};
        const Operation& at = *step_operations_[result.at];
        std::string held;
        for (const RegisterState state : result.states)
            held += (held.empty() ? "" : " or ") + text_of(state);
        return {Answer::kViolation, what_is_wrong(at) + "; the register held " + held, at.end_ns};
    }

    std::string text_of(RegisterState state) const {
        if (state == kAbsent) return "nothing";
        if (state == kUnseen) return "what nobody saw";
        return quoted(*writers_[state]->value);
    }

    static std::string what_is_wrong(const Operation& at) {
        const std::string who = "client " + std::to_string(at.client);
        if (at.kind == Kind::kRead)
            return who + " read " + (at.value ? quoted(*at.value) : "nothing");
        if (at.outcome == Outcome::kMismatch)
            return who + " was told that version " + at.expected + " is not the newest";
        if (at.kind == Kind::kCompareAndSet)
            return who + " set " + quoted(*at.value) + " for version " + at.expected;
        return "no order has a place for " + quoted(*at.value);
    }

    const History& operations_;
    std::vector<const Operation*> writers_;  // by state
    std::unordered_map<std::string, RegisterState> states_;
    std::unordered_map<std::string, std::string> values_;    // by version
    std::unordered_map<std::string, std::string> versions_;  // by value
    std::map<RegisterState, std::vector<const Operation*>> seen_by_;
    std::map<RegisterState, std::int64_t> seen_ends_;
    std::vector<Step> steps_;
    std::vector<const Operation*> step_operations_;
    std::string reason_;
};

}  // namespace

KeyFinding check_register(const History& operations, std::uint64_t configurations_max) {
    return RegisterCheck(operations).run(configurations_max);
}

}  // namespace tidal::history
