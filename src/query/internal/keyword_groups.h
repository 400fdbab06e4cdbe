// query/internal/keyword_groups.h: which values of a keyword or bool field some slots have.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <roaring/roaring.hh>
#include <string>
#include <string_view>
#include <vector>

#include "entity/entity_table.h"
#include "query/step_budget.h"

namespace tidal::query {

/// Few slots are looked up in their rows; many where the values' bitmaps meet them: in one pass
/// over the values, after which those that many slots have meet one window of slots after the
/// other. Lifetime: borrows the table, for one query.
class KeywordGroups {
public:
    struct Limits {
        std::uint64_t few = 4'096;        ///< Slots that are kept one by one; of rows, more.
        std::uint64_t met_whole = 1'024;  ///< Slots of a value that meets all windows at once.
        std::uint32_t window_bits = 16;   ///< Of a slot, within its window.
    };
    KeywordGroups(FieldId field, entity::EntityTable& entities)
        : KeywordGroups(field, entities, Limits()) {}
    KeywordGroups(FieldId field, entity::EntityTable& entities, const Limits& limits)
        : field_(field), entities_(entities), limits_(limits) {}

    /// Some more of it; between two calls, which are for the same slots, the table may change: a
    /// slot that does has its value of before, of then, or none (changed()).
    /// @return whether that is all. kIo  of a row.
    Result<bool> find(const Roaring& slots, StepBudget& budget);
    /// From 1; 0 = no value, or not one of those that were found.
    std::uint32_t number_of(Slot slot) const;
    /// Whether it has a value now though none was found.
    bool changed(Slot slot) const;
    const std::string& name(std::uint32_t number) const { return names_[number - 1]; }
    /// As the row has it now; nullopt = it has no value.
    Result<std::optional<std::string>> read(Slot slot);

private:
    enum class Stage : std::uint8_t { kRoom, kValues, kWindows };

    void begin(const Roaring& slots);
    Result<bool> read_rows(const Roaring& slots, StepBudget& budget);
    bool visit_few(const Roaring& slots, StepBudget& budget);
    bool visit_many(const Roaring& slots, StepBudget& budget);
    bool make_room(const Roaring& slots, StepBudget& budget);
    bool visit_values(const Roaring& slots, StepBudget& budget);
    bool meet_windows(const Roaring& slots, StepBudget& budget);
    /// Of the first slot from next_ on.
    std::optional<std::uint64_t> next_window(const Roaring& slots) const;
    std::uint64_t after(std::uint64_t window) const { return (window + 1) << limits_.window_bits; }
    /// @return  how many there were.
    std::uint64_t meet(std::string_view value, const Roaring& holding, const Roaring& slots);
    std::uint32_t number_of_name(std::string_view value);
    void put(Slot slot, std::uint32_t number);

    const FieldId field_;
    entity::EntityTable& entities_;
    const Limits limits_;
    bool begun_ = false, by_rows_ = false, few_ = false;
    Stage stage_ = Stage::kRoom;
    std::uint64_t next_ = 0;          ///< Slots before it are done.
    std::optional<Roaring> window_;   ///< Slots of the one under way.
    std::size_t left_ = 0;            ///< Values to visit, for it.
    std::vector<std::string> large_;  ///< Values that are met by windows.
    absl::flat_hash_map<std::string, std::uint32_t> numbers_;
    std::vector<std::string> names_;
    absl::flat_hash_map<std::uint32_t, std::uint32_t> of_few_;
    std::vector<std::unique_ptr<std::uint32_t[]>> of_many_;
};

}  // namespace tidal::query
