#include <algorithm>

#include "query/internal/keyword_groups.h"

namespace tidal::query {
namespace {

// Nanoseconds.
constexpr double kReadCost = 5'000;     ///< Of a row.
constexpr double kValueCost = 300;      ///< Of a value, to look at its slots.
constexpr double kMetCost = 5;          ///< Of a slot.
constexpr double kWindowCost = 20'000;  ///< To make room for its slots.
constexpr std::size_t kValuesAtOnce = 64;
constexpr std::size_t kWholeAtOnce = 16;  ///< Values that meet all slots.

}  // namespace

void KeywordGroups::begin(const Roaring& slots) {
    begun_ = true;
    const std::uint64_t count = slots.cardinality();
    left_ = entities_.keyword_count(field_);
    by_rows_ = kReadCost * static_cast<double>(count) < kValueCost * static_cast<double>(left_);
    few_ = by_rows_ || count <= limits_.few;
}

Result<bool> KeywordGroups::find(const Roaring& slots, StepBudget& budget) {
    if (slots.isEmpty()) return true;
    if (!begun_) begin(slots);
    if (by_rows_) return read_rows(slots, budget);
    return few_ ? visit_few(slots, budget) : visit_many(slots, budget);
}

Result<bool> KeywordGroups::read_rows(const Roaring& slots, StepBudget& budget) {
    if (next_ > UINT32_MAX) return true;
    auto at = slots.begin();
    at.equalorlarger(static_cast<std::uint32_t>(next_));
    for (; at != slots.end(); ++at) {
        if (!budget.take(kReadCost)) return false;
        TIDAL_ASSIGN(const auto value, read(Slot(*at)));
        if (value) put(Slot(*at), number_of_name(*value));
        next_ = std::uint64_t{*at} + 1;
    }
    return true;
}

Result<std::optional<std::string>> KeywordGroups::read(Slot slot) {
    const EntityId id = entities_.id_of(slot);
    TIDAL_ASSIGN(const auto entity, entities_.get(id));
    std::optional<std::string> out;
    if (!entity) return out;
    for (const auto& [field, value] : entity->fields) {
        if (field != field_) continue;
        if (const auto* text = std::get_if<std::string>(&value)) out = *text;
        if (const auto* flag = std::get_if<bool>(&value)) out = *flag ? "true" : "false";
    }
    return out;
}

bool KeywordGroups::visit_few(const Roaring& slots, StepBudget& budget) {
    while (left_ > 0) {
        const std::size_t some = std::min(left_, kValuesAtOnce);
        if (!budget.take(kValueCost * static_cast<double>(some))) return false;
        left_ = entities_.visit_keywords(
            field_, left_, some,
            [&](std::string_view value, const Roaring& holding) { meet(value, holding, slots); });
    }
    return true;
}

bool KeywordGroups::visit_many(const Roaring& slots, StepBudget& budget) {
    switch (stage_) {
        case Stage::kRoom:
            if (!make_room(slots, budget)) return false;
            stage_ = Stage::kValues;
            [[fallthrough]];
        case Stage::kValues:
            if (!visit_values(slots, budget)) return false;
            stage_ = Stage::kWindows;
            next_ = 0;
            [[fallthrough]];
        case Stage::kWindows:
            break;
    }
    return meet_windows(slots, budget);
}

std::optional<std::uint64_t> KeywordGroups::next_window(const Roaring& slots) const {
    if (next_ > UINT32_MAX) return std::nullopt;
    auto at = slots.begin();
    at.equalorlarger(static_cast<std::uint32_t>(next_));
    if (at == slots.end()) return std::nullopt;
    return std::uint64_t{*at} >> limits_.window_bits;
}

/// Before the values, of which the first may have a slot in each window.
bool KeywordGroups::make_room(const Roaring& slots, StepBudget& budget) {
    while (const auto window = next_window(slots)) {
        if (!budget.take(kWindowCost)) return false;
        if (of_many_.size() <= *window) of_many_.resize(*window + 1);
        of_many_[*window] =
            std::make_unique<std::uint32_t[]>(std::size_t{1} << limits_.window_bits);
        next_ = after(*window);
    }
    return true;
}

/// Those that few slots have, which may be nearly as many as there are slots, are done with it.
bool KeywordGroups::visit_values(const Roaring& slots, StepBudget& budget) {
    while (left_ > 0) {
        const std::size_t some = std::min(left_, kWholeAtOnce);
        if (!budget.take(kValueCost * static_cast<double>(some))) return false;
        std::uint64_t met = 0;
        left_ = entities_.visit_keywords(field_, left_, some,
                                         [&](std::string_view value, const Roaring& holding) {
                                             if (holding.cardinality() > limits_.met_whole)
                                                 large_.emplace_back(value);
                                             else
                                                 met += meet(value, holding, slots);
                                         });
        if (!budget.take(kMetCost * static_cast<double>(met))) return false;
    }
    return true;
}

bool KeywordGroups::meet_windows(const Roaring& slots, StepBudget& budget) {
    if (large_.empty()) return true;
    while (const auto window = next_window(slots)) {
        if (!window_) {
            Roaring members;
            members.addRange(*window << limits_.window_bits, after(*window));
            members &= slots;
            if (!budget.take(kMetCost * static_cast<double>(members.cardinality()))) return false;
            left_ = large_.size();
            window_ = std::move(members);
        }
        while (left_ > 0) {
            const std::size_t some = std::min(left_, kValuesAtOnce);
            if (!budget.take(kValueCost * static_cast<double>(some))) return false;
            for (std::size_t i = 0; i < some; ++i) {
                const std::string& value = large_[--left_];
                const Roaring* const holding = entities_.keyword_bitmap(field_, value);
                if (holding != nullptr) meet(value, *holding, *window_);
            }
        }
        next_ = after(*window);
        window_.reset();
    }
    return true;
}

std::uint64_t KeywordGroups::meet(std::string_view value, const Roaring& holding,
                                  const Roaring& slots) {
    const Roaring met = holding & slots;
    if (met.isEmpty()) return 0;
    const std::uint32_t number = number_of_name(value);
    for (const std::uint32_t slot : met) put(Slot(slot), number);
    return met.cardinality();
}

std::uint32_t KeywordGroups::number_of_name(std::string_view value) {
    const auto [place, is_new] =
        numbers_.try_emplace(std::string(value), static_cast<std::uint32_t>(names_.size() + 1));
    if (is_new) names_.emplace_back(value);
    return place->second;
}

void KeywordGroups::put(Slot slot, std::uint32_t number) {
    if (few_) {
        of_few_[slot.value()] = number;
        return;
    }
    const std::uint32_t in_window = slot.value() & ((1U << limits_.window_bits) - 1);
    of_many_[slot.value() >> limits_.window_bits][in_window] = number;
}

std::uint32_t KeywordGroups::number_of(Slot slot) const {
    if (few_) {
        const auto found = of_few_.find(slot.value());
        return found == of_few_.end() ? 0 : found->second;
    }
    const std::size_t window = slot.value() >> limits_.window_bits;
    if (window >= of_many_.size() || of_many_[window] == nullptr) return 0;
    return of_many_[window][slot.value() & ((1U << limits_.window_bits) - 1)];
}

bool KeywordGroups::changed(Slot slot) const {
    if (number_of(slot) != 0) return false;
    const Roaring* const present = entities_.present_bitmap(field_);
    return present != nullptr && present->contains(slot.value());
}

}  // namespace tidal::query
