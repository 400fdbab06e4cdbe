#include <algorithm>
#include <limits>

#include "query/bound_filter.h"
#include "query/slot_blocks.h"

namespace tidal::query {
namespace {

/// Whether answering takes a look at every slot of the domain; cheap conditions go first.
bool scans(const BoundFilter& filter) {
    if (filter.kind != BoundFilter::Kind::kLeaf) return std::ranges::any_of(filter.children, scans);
    return std::holds_alternative<InRange>(filter.leaf) ||
           std::holds_alternative<InNumbers>(filter.leaf) ||
           std::holds_alternative<CreatorPresent>(filter.leaf) ||
           std::holds_alternative<CreatedWithin>(filter.leaf);
}

class Evaluation {
public:
    Evaluation(const entity::EntityTable& entities, UnixMillis now_ms)
        : entities_(entities), now_ms_(now_ms) {}

    Roaring run(const BoundFilter& filter, const Roaring& domain) const {
        switch (filter.kind) {
            case BoundFilter::Kind::kLeaf:
                return std::visit([&](const auto& leaf) { return match(leaf, domain); },
                                  filter.leaf);
            case BoundFilter::Kind::kAnd:
                return run_all(filter, domain);
            case BoundFilter::Kind::kOr:
                return run_any(filter, domain);
        }
        return {};
    }

private:
    Roaring run_all(const BoundFilter& filter, const Roaring& domain) const {
        Roaring out = domain;
        for (const bool scanning : {false, true})
            for (const BoundFilter& child : filter.children)
                if (scans(child) == scanning && !out.isEmpty()) out = run(child, out);
        return out;
    }

    Roaring run_any(const BoundFilter& filter, const Roaring& domain) const {
        Roaring out, rest = domain;
        for (const bool scanning : {false, true}) {
            for (const BoundFilter& child : filter.children) {
                if (scans(child) != scanning || rest.isEmpty()) continue;
                const Roaring found = run(child, rest);
                out |= found;
                rest -= found;
            }
        }
        return out;
    }

    /// Calls `use` with a function from slot to number, NaN where absent.
    template <typename Use>
    Roaring over(const NumberColumn& column, Use use) const {
        if (column.created_at)
            return use([created = entities_.created_at_column()](std::uint32_t slot) {
                return static_cast<double>(created[slot]);
            });
        const auto numbers = entities_.number_column(column.field);
        if (numbers.empty()) return {};  // A field nobody has a value of.
        return use([numbers](std::uint32_t slot) { return numbers[slot]; });
    }

    Roaring match(const InRange& leaf, const Roaring& domain) const {
        return over(leaf.column, [&](auto number_of) {
            const double low = leaf.low, high = leaf.high;
            if (!leaf.outside)
                return select(domain, [&](std::uint32_t slot) {
                    const double v = number_of(slot);
                    return static_cast<bool>((v >= low) & (v <= high));
                });
            return select(domain, [&](std::uint32_t slot) {
                const double v = number_of(slot);
                return static_cast<bool>((v == v) & !((v >= low) & (v <= high)));
            });
        });
    }

    Roaring match(const InNumbers& leaf, const Roaring& domain) const {
        return over(leaf.column, [&](auto number_of) {
            return select(domain, [&](std::uint32_t slot) {
                const double v = number_of(slot);
                return v == v && std::ranges::binary_search(leaf.values, v) != leaf.outside;
            });
        });
    }

    /// `holders` have one of the wanted values.
    Roaring by_value(FieldId field, const Roaring& holders, bool negated, bool absent_is_empty,
                     const Roaring& domain) const {
        if (!negated) return domain & holders;
        if (absent_is_empty) return domain - holders;
        const Roaring* present = entities_.present_bitmap(field);
        return present == nullptr ? Roaring() : (domain & *present) - holders;
    }

    Roaring match(const HasValue& leaf, const Roaring& domain) const {
        Roaring holders;
        for (const std::string& value : leaf.values)
            if (const Roaring* slots = entities_.keyword_bitmap(leaf.field, value))
                holders |= *slots;
        return by_value(leaf.field, holders, leaf.negated, leaf.absent_is_empty, domain);
    }

    Roaring match(const HasPrefix& leaf, const Roaring& domain) const {
        Roaring holders;
        entities_.for_each_keyword(leaf.field, [&](std::string_view value, const Roaring& slots) {
            if (value.starts_with(leaf.prefix)) holders |= slots;
        });
        return by_value(leaf.field, holders, leaf.negated, leaf.absent_is_empty, domain);
    }

    Roaring match(const IsPresent& leaf, const Roaring& domain) const {
        const Roaring* present = entities_.present_bitmap(leaf.field);
        if (present == nullptr) return leaf.negated ? domain : Roaring();
        return leaf.negated ? domain - *present : domain & *present;
    }

    Roaring match(const CreatorPresent& leaf, const Roaring& domain) const {
        return select(domain, [&](std::uint32_t slot) {
            return (entities_.creator_of(Slot(slot)) == nullptr) == leaf.negated;
        });
    }

    Roaring match(const CreatorIs& leaf, const Roaring& domain) const {
        Roaring holders;
        for (const EntityId& id : leaf.ids)
            if (const Roaring* slots = entities_.creator_bitmap(id)) holders |= *slots;
        if (!leaf.negated) return domain & holders;
        return match(CreatorPresent{}, domain - holders);
    }

    Roaring match(const EntityIs& leaf, const Roaring& domain) const {
        Roaring named;
        for (const EntityId& id : leaf.ids)
            if (const auto slot = entities_.find(id)) named.add(slot->value());
        return leaf.negated ? domain - named : domain & named;
    }

    Roaring match(const CreatedWithin& leaf, const Roaring& domain) const {
        UnixMillis since = 0;
        if (__builtin_sub_overflow(now_ms_, leaf.age_ms, &since))
            since = std::numeric_limits<UnixMillis>::min();
        const auto created = entities_.created_at_column();
        return select(domain,
                      [&](std::uint32_t slot) { return (created[slot] >= since) != leaf.negated; });
    }

    Roaring match(const Constant& leaf, const Roaring& domain) const {
        return leaf.value ? domain : Roaring();
    }

    const entity::EntityTable& entities_;
    const UnixMillis now_ms_;
};

}  // namespace

Roaring evaluate(const BoundFilter& filter, const entity::EntityTable& entities,
                 const Roaring& domain, UnixMillis now_ms) {
    return Evaluation(entities, now_ms).run(filter, domain);
}

}  // namespace tidal::query
