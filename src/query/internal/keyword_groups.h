// query/internal/keyword_groups.h: which values of a keyword or bool field some slots have.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <array>
#include <memory>
#include <optional>
#include <roaring/roaring.hh>
#include <string>
#include <string_view>
#include <vector>

#include "entity/entity_table.h"
#include "query/step_budget.h"

namespace tidal::query {

/// Few slots are looked up in their rows; many where the values' bitmaps meet them, a window of
/// slots after the other. Lifetime: borrows the table, for one query.
class KeywordGroups {
public:
    KeywordGroups(FieldId field, entity::EntityTable& entities)
        : field_(field), entities_(entities) {}

    /// Some more of it; between two calls, which are for the same slots, the table may change: a
    /// slot that does has its value of before, of then, or none.
    /// @return whether that is all. kIo  of a row.
    Result<bool> find(const Roaring& slots, StepBudget& budget);
    /// From 1; 0 = no value, or not one of those that were found.
    std::uint32_t number_of(Slot slot) const;
    const std::string& name(std::uint32_t number) const { return names_[number - 1]; }
    /// As the row has it now; nullopt = it has no value.
    Result<std::optional<std::string>> read(Slot slot);

private:
    static constexpr std::uint32_t kWindowBits = 16;
    using Window = std::array<std::uint32_t, 1U << kWindowBits>;

    void begin(const Roaring& slots);
    Result<bool> read_rows(const Roaring& slots, StepBudget& budget);
    bool visit_values(const Roaring& slots, StepBudget& budget);
    /// The members of the next window that has some, from next_ on.
    Roaring next_window(const Roaring& slots) const;
    void meet(std::string_view value, const Roaring& slots);
    std::uint32_t number_of_name(std::string_view value);
    void put(Slot slot, std::uint32_t number);

    const FieldId field_;
    entity::EntityTable& entities_;
    bool begun_ = false, by_rows_ = false, few_ = false;
    std::uint64_t next_ = 0;         ///< Slots before it are done.
    std::optional<Roaring> window_;  ///< Under way.
    std::size_t left_ = 0;           ///< Values to visit for it.
    absl::flat_hash_map<std::string, std::uint32_t> numbers_;
    std::vector<std::string> names_;
    absl::flat_hash_map<std::uint32_t, std::uint32_t> of_few_;
    std::vector<std::unique_ptr<Window>> of_many_;
};

}  // namespace tidal::query
