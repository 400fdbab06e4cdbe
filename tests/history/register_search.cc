// Reads and failed swaps change no state, so they enter the order as soon as the state allows it:
// that costs no order anything. Steps that may be in no order serve only to make a failed swap
// legal, because nobody ever saw what they wrote; they enter only for that, and which of several
// equal ones does is of no matter: their number is enough.
#include "tests/history/register_search.h"

#include <algorithm>
#include <bitset>
#include <tuple>
#include <unordered_map>

namespace tidal::history {
namespace {

constexpr std::size_t kSlots = 256;  // steps under way at once
using Slots = std::bitset<kSlots>;

struct Configuration {
    RegisterState state = kAbsent;
    Slots done;  // of the steps under way: those in the order
    bool operator==(const Configuration&) const = default;
};

struct ConfigurationHash {
    std::size_t operator()(const Configuration& one) const {
        return std::hash<Slots>()(one.done) * 31 + one.state;
    }
};

/// With the fewest unseen writes it takes: whatever follows more of them follows fewer, too.
using Configurations = std::unordered_map<Configuration, std::uint32_t, ConfigurationHash>;

struct SearchEvent {
    std::int64_t at_ns;
    bool end;
    std::size_t step;
    /// Times that are equal overlap: starts come first.
    bool operator<(const SearchEvent& other) const {
        return std::tie(at_ns, end, step) < std::tie(other.at_ns, other.end, other.step);
    }
};

class RegisterSearch {
public:
    RegisterSearch(std::span<const Step> steps, std::uint64_t configurations_max)
        : steps_(steps), slot_of_(steps.size(), kSlots), left_(configurations_max) {
        now_.emplace(Configuration{}, 0);
    }

    SearchResult run() {
        for (const SearchEvent& event : events()) {
            const bool fits = event.end ? end(event.step) : start(event.step);
            if (!fits) {
                result_.answer = SearchResult::Answer::kUndecided;
                return result_;
            }
            if (!now_.empty()) continue;
            result_.answer = SearchResult::Answer::kViolation;
            result_.at = event.step;
            return result_;
        }
        return result_;
    }

private:
    static bool may_be_missing(const Step& step) { return step.end_ns == kNeverNs; }

    std::vector<SearchEvent> events() const {
        std::vector<SearchEvent> out;
        for (std::size_t i = 0; i < steps_.size(); ++i) {
            out.push_back({steps_[i].start_ns, false, i});
            if (!may_be_missing(steps_[i])) out.push_back({steps_[i].end_ns, true, i});
        }
        std::sort(out.begin(), out.end());
        return out;
    }

    /// False when there is no slot left.
    bool start(std::size_t number) {
        const Step& step = steps_[number];
        if (may_be_missing(step)) {
            if (step.kind == StepKind::kWrite) ++unseen_writes_;
            if (step.kind == StepKind::kSwap) unseen_swaps_.push_back(step.needs);
            return true;
        }
        std::size_t slot = 0;
        while (slot < kSlots && taken_[slot]) ++slot;
        if (slot == kSlots) return false;
        taken_.set(slot);
        slot_of_[number] = slot;
        under_way_.push_back(number);
        if (step.kind == StepKind::kWrite || step.kind == StepKind::kSwap) return true;
        Configurations next;
        for (const auto& [one, used] : now_) {
            Configuration settled = one;
            if (settle(&settled)) add_fewest(&next, settled, used);
        }
        if (next.empty()) note_states();
        now_ = std::move(next);
        return true;
    }

    /// False when the bound is reached.
    bool end(std::size_t number) {
        const std::size_t slot = slot_of_[number];
        Configurations reached;
        Configurations finished;
        std::vector<std::pair<Configuration, std::uint32_t>> waiting(now_.begin(), now_.end());
        while (!waiting.empty()) {
            const auto [one, used] = waiting.back();
            waiting.pop_back();
            if (left_-- == 0) return false;
            if (one.done[slot]) {
                Configuration left = one;
                left.done.reset(slot);
                add_fewest(&finished, left, used);
                continue;
            }
            const auto go_on = [&](Configuration next, std::uint32_t next_used) {
                if (!settle(&next) || !add_fewest(&reached, next, next_used)) return;
                waiting.emplace_back(next, next_used);
            };
            for_each_next(one, used, go_on);
        }
        if (finished.empty()) note_states();
        retire(number, slot);
        now_ = std::move(finished);
        return true;
    }

    /// Every way the order goes on by one step that changes the state.
    template <typename GoOn>
    void for_each_next(const Configuration& one, std::uint32_t used, const GoOn& go_on) const {
        bool wants_unseen = false;
        for (const std::size_t number : under_way_) {
            const Step& step = steps_[number];
            const std::size_t slot = slot_of_[number];
            if (one.done[slot]) continue;
            if (step.kind == StepKind::kNotSwap) wants_unseen = true;
            if (step.kind == StepKind::kRead || step.kind == StepKind::kNotSwap) continue;
            if (step.kind == StepKind::kSwap && step.needs != one.state) continue;
            Configuration next = one;
            next.state = step.becomes;
            next.done.set(slot);
            go_on(next, used);
        }
        if (!wants_unseen || one.state == kUnseen) return;
        Configuration next = one;
        next.state = kUnseen;
        // A state never comes back, so one such swap is as good as many.
        if (std::find(unseen_swaps_.begin(), unseen_swaps_.end(), one.state) != unseen_swaps_.end())
            go_on(next, used);
        else if (used < unseen_writes_)
            go_on(next, used + 1);
    }

    /// Lets what is legal now and changes nothing enter; false when some step can never enter.
    bool settle(Configuration* one) const {
        for (const std::size_t number : under_way_) {
            const Step& step = steps_[number];
            const std::size_t slot = slot_of_[number];
            if (one->done[slot]) continue;
            const bool there = one->state == step.needs;
            if (step.kind == StepKind::kRead && there) one->done.set(slot);
            if (step.kind == StepKind::kNotSwap && !there) one->done.set(slot);
            const bool needs = step.kind == StepKind::kRead || step.kind == StepKind::kSwap;
            if (needs && !there && is_past(*one, step.needs)) return false;
        }
        return true;
    }

    /// The state was, and cannot come back.
    bool is_past(const Configuration& one, RegisterState state) const {
        if (state == kAbsent) return true;  // it was at first
        if (past_.size() > state && past_[state]) return true;
        for (const std::size_t number : under_way_)
            if (steps_[number].becomes == state && one.done[slot_of_[number]] &&
                steps_[number].kind != StepKind::kRead && steps_[number].kind != StepKind::kNotSwap)
                return true;
        return false;
    }

    static bool add_fewest(Configurations* to, const Configuration& one, std::uint32_t used) {
        const auto [at, added] = to->emplace(one, used);
        if (added) return true;
        if (at->second <= used) return false;
        at->second = used;
        return true;
    }

    void retire(std::size_t number, std::size_t slot) {
        taken_.reset(slot);
        under_way_.erase(std::find(under_way_.begin(), under_way_.end(), number));
        const Step& step = steps_[number];
        if (step.kind == StepKind::kRead || step.kind == StepKind::kNotSwap) return;
        if (past_.size() <= step.becomes) past_.resize(step.becomes + 1);
        past_[step.becomes] = true;
    }

    void note_states() {
        for (const auto& entry : now_) result_.states.push_back(entry.first.state);
        std::sort(result_.states.begin(), result_.states.end());
        result_.states.erase(std::unique(result_.states.begin(), result_.states.end()),
                             result_.states.end());
    }

    const std::span<const Step> steps_;
    std::vector<std::size_t> slot_of_;
    std::uint64_t left_;
    Configurations now_;
    Slots taken_;
    std::vector<std::size_t> under_way_;
    std::vector<bool> past_;  // by state: the write of it has ended
    std::uint32_t unseen_writes_ = 0;
    std::vector<RegisterState> unseen_swaps_;
    SearchResult result_;
};

}  // namespace

SearchResult search_register(std::span<const Step> steps, std::uint64_t configurations_max) {
    return RegisterSearch(steps, configurations_max).run();
}

}  // namespace tidal::history
