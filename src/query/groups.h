// query/groups.h: at most so many entities of each value of a field, over all pages of a sequence.
//
//   parse_group() -> bind_group(), once; ShardGroups, in each shard; GroupLimit, once.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "entity/entity_table.h"
#include "query/internal/item_order.h"
#include "query/internal/keyword_groups.h"
#include "query/shown_set.h"
#include "schema/schema.h"

namespace tidal::query {

inline constexpr std::uint32_t kGroupTopMax = 100;

struct GroupRequest {
    std::string field;
    std::uint32_t top = 1;     ///< Entities of a value; 1..kGroupTopMax.
    std::uint32_t offset = 0;  ///< In the source; not compared.
    bool operator==(const GroupRequest& other) const {
        return field == other.field && top == other.top;
    }
};

///   group := FIELD [TOP n]
/// @return kInvalidArgument with line, column and offset.
Result<GroupRequest> parse_group(std::string_view text);
std::string print_group(const GroupRequest& group);

struct BoundGroup {
    enum class Kind : std::uint8_t { kKeyword, kNumber, kCreator };
    Kind kind = Kind::kKeyword;
    FieldId field;                ///< Of kKeyword, which bool is too.
    entity::NumberSource column;  ///< Of kNumber.
    std::uint32_t top = 1;
};
/// @param source  The text the request's offset counts in.
/// @return kUnknownName, kInvalidArgument with line, column and offset.
Result<BoundGroup> bind_group(const GroupRequest& request, std::string_view source,
                              const schema::Schema& schema, EntityKind kind);

/// Of the text of a value.
inline ShortHash group_hash(const std::string& name) {
    return short_hash(EntityId(name));
}

/// The groups of one shard. Lifetime: borrows group and table, for one query.
class ShardGroups {
public:
    ShardGroups(const BoundGroup& group, const ShardOrder& order, entity::EntityTable& entities);

    /// Which groups these slots are in, before they are offered: some more of it with each call,
    /// between which the table may change. @return whether that is all.
    Result<bool> find(const Roaring& slots, StepBudget& budget) {
        return keywords_ ? keywords_->find(slots, budget) : Result<bool>(true);
    }
    /// Makes room for an entity that may be on the page, at the cost of the last of its group.
    /// False, and nothing is done, for one without a value: it is in no group, and nothing holds it
    /// back. One that moved to another group while they were looked for, and was found in none, is
    /// left out.
    bool offer(double key, Slot slot);
    /// nullopt = it has no value. @param slot  One of those that were found.
    std::optional<std::string> name_of(Slot slot);
    /// Of any slot: of a keyword field by its row.
    Result<std::optional<std::string>> read_name(Slot slot);

    /// Calls `take(key, slot)` with what is left in each group, some more with each call. @return
    /// whether that was all.
    template <typename Take>
    bool drain(StepBudget& budget, Take take) {
        for (; drained_ < groups_.size(); ++drained_) {
            const auto& best = groups_[drained_].best;
            if (!budget.take(kDrainCost * static_cast<double>(1 + best.size()))) return false;
            for (const auto& [key, slot] : best) take(key, slot);
        }
        return true;
    }

private:
    static constexpr double kDrainCost = 30;  ///< Nanoseconds, of an entity.
    struct Group {
        std::string name;
        std::vector<std::pair<double, Slot>> best;  ///< Best first.
    };
    Group* group_of(Slot slot);

    const BoundGroup& group_;
    const ShardOrder order_;
    const entity::EntityTable& entities_;
    std::optional<KeywordGroups> keywords_;  ///< Of kKeyword: 1 + index in groups_, 0 = none.
    absl::flat_hash_map<double, std::uint32_t> by_number_;
    absl::flat_hash_map<EntityId, std::uint32_t> by_creator_;
    std::vector<Group> groups_;
    std::size_t drained_ = 0;
};

}  // namespace tidal::query
