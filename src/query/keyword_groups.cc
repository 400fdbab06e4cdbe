#include <algorithm>

#include "query/internal/keyword_groups.h"

namespace tidal::query {
namespace {

// Nanoseconds.
constexpr double kReadCost = 5'000;     ///< Of a row.
constexpr double kValueCost = 300;      ///< Of a value, to meet its slots with those of a window.
constexpr double kMetCost = 5;          ///< Of a slot.
constexpr double kWindowCost = 20'000;  ///< To make room for its slots.
constexpr std::size_t kValuesAtOnce = 64;
constexpr std::uint64_t kFew = 4'096;  ///< Slots that are kept one by one.

}  // namespace

void KeywordGroups::begin(const Roaring& slots) {
    begun_ = true;
    const std::uint64_t count = slots.cardinality();
    few_ = count <= kFew;
    const double windows = few_ ? 1 : 1 + static_cast<double>(slots.maximum() >> kWindowBits);
    const double by_values =
        windows * kValueCost * static_cast<double>(entities_.keyword_count(field_));
    by_rows_ = kReadCost * static_cast<double>(count) < by_values;
}

Result<bool> KeywordGroups::find(const Roaring& slots, StepBudget& budget) {
    if (slots.isEmpty()) return true;
    if (!begun_) begin(slots);
    return by_rows_ ? read_rows(slots, budget) : Result<bool>(visit_values(slots, budget));
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

Roaring KeywordGroups::next_window(const Roaring& slots) const {
    if (few_) return next_ == 0 ? slots : Roaring();
    if (next_ > UINT32_MAX) return {};
    auto at = slots.begin();
    at.equalorlarger(static_cast<std::uint32_t>(next_));
    if (at == slots.end()) return {};
    const std::uint64_t begin = *at >> kWindowBits << kWindowBits;
    Roaring window;
    window.addRange(begin, begin + (1U << kWindowBits));
    return window & slots;
}

bool KeywordGroups::visit_values(const Roaring& slots, StepBudget& budget) {
    for (;;) {
        if (!window_) {
            Roaring window = next_window(slots);
            if (window.isEmpty()) return true;
            const double cost = kMetCost * static_cast<double>(window.cardinality());
            if (!budget.take(cost + (few_ ? 0 : kWindowCost))) return false;
            left_ = entities_.keyword_count(field_);
            window_ = std::move(window);
        }
        while (left_ > 0) {
            const std::size_t some = std::min(left_, kValuesAtOnce);
            if (!budget.take(kValueCost * static_cast<double>(some))) return false;
            left_ = entities_.visit_keywords(
                field_, left_, kValuesAtOnce,
                [this](std::string_view value, const Roaring& holding) { meet(value, holding); });
        }
        next_ = std::uint64_t{window_->maximum()} + 1;
        window_.reset();
    }
}

void KeywordGroups::meet(std::string_view value, const Roaring& slots) {
    const Roaring met = slots & *window_;
    if (met.isEmpty()) return;
    const std::uint32_t number = number_of_name(value);
    for (const std::uint32_t slot : met) put(Slot(slot), number);
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
    const std::size_t window = slot.value() >> kWindowBits;
    if (of_many_.size() <= window) of_many_.resize(window + 1);
    if (of_many_[window] == nullptr) of_many_[window] = std::make_unique<Window>();
    (*of_many_[window])[slot.value() & ((1U << kWindowBits) - 1)] = number;
}

std::uint32_t KeywordGroups::number_of(Slot slot) const {
    if (few_) {
        const auto found = of_few_.find(slot.value());
        return found == of_few_.end() ? 0 : found->second;
    }
    const std::size_t window = slot.value() >> kWindowBits;
    if (window >= of_many_.size() || of_many_[window] == nullptr) return 0;
    return (*of_many_[window])[slot.value() & ((1U << kWindowBits) - 1)];
}

}  // namespace tidal::query
