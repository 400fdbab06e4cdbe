// Random histories against a brute-force reference that remembers every write.
#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "entity/entity_table.h"
#include "entity/tests/memory_store.h"
#include "entity/tests/sample.h"
#include "record/value.h"

namespace tidal::entity {
namespace entity_model_test {

/// Raw numbers that a history is drawn from: which id, what to do, when, with which values.
using Draw = std::tuple<std::uint8_t, std::uint8_t, std::uint8_t, std::uint8_t, std::uint8_t>;
using Draws = std::vector<Draw>;

EntityId id_of(std::uint8_t draw) {
    switch (draw % 5) {
        case 0:
            return EntityId("ann");
        case 1:
            return EntityId("bob");
        default:
            return EntityId(draw % 5);
    }
}

record::Value value_for(SampleField field, std::uint8_t draw) {
    using Strings = std::vector<std::string>;
    const int n = draw % 3;
    switch (field) {
        case kTitle:
            return std::string(n, 't');
        case kCategory:
            return std::string(1, static_cast<char>('a' + n));
        case kTags:
            return n == 0 ? Strings{} : n == 1 ? Strings{"p"} : Strings{"p", "q"};
        case kRating:
            return n * 0.5;
        case kActive:
            return n == 1;
        case kPlace:
            return record::GeoPoint{n * 1.0, -n * 1.0};
        case kExtra:
            return std::string(n == 0 ? "{}" : "[1]");
        default:
            return static_cast<std::int64_t>(n) - 1;
    }
}

/// Two fields (or removals) and two fixed fields, as the draw says.
record::UpsertBody upsert_from(const Draw& draw) {
    const auto& [id, what, when, a, b] = draw;
    auto body = upsert_of(id_of(id));
    for (const std::uint8_t pick : {a, b}) {
        const auto field = static_cast<SampleField>(pick % kSampleFieldCount);
        record::FieldChange change{field_id(field), std::nullopt};
        if ((pick & 0x40) == 0) change.value = value_for(field, pick / 16);
        body.fields.push_back(change);
    }
    if ((a & 0x20) != 0)
        body.creator = (a & 0x80) != 0 ? std::optional<EntityId>() : EntityId(a % 3u);
    if ((b & 0x20) != 0) body.created_at = (b & 0x80) != 0 ? std::optional<UnixMillis>() : b % 7;
    if ((b & 0x10) != 0) body.expires_at = (a & 0x10) != 0 ? std::optional<UnixMillis>() : a % 7;
    return body;
}

std::string bytes_of(const record::Value& value) {
    Encoder out;
    record::encode_value(value, &out);
    return out.take();
}
std::string bytes_of(const EntityId& id) {
    Encoder out;
    out.u8(id.is_text() ? 1 : 0);
    if (id.is_text())
        out.raw(id.text());
    else
        out.u64(id.number());
    return out.take();
}
std::string bytes_of(UnixMillis time) {
    Encoder out;
    out.svarint(time);
    return out.take();
}

/// Everything ever written to one id, never thrown away.
struct History {
    struct Write {
        HybridTime stamp;
        std::optional<std::string> bytes;
        auto operator<=>(const Write&) const = default;
    };
    std::multimap<int, Write> writes;  ///< -4..-1 fixed fields, then FieldId.
    std::set<HybridTime> upserts;
    HybridTime deleted, generation;

    bool live() const { return !upserts.empty() && *upserts.rbegin() > deleted; }
    /// The greatest write newer than the deletion; nullopt = none.
    std::optional<Write> winner(int key) const {
        std::optional<Write> best;
        for (auto [at, end] = writes.equal_range(key); at != end; ++at)
            if (at->second.stamp > deleted && (!best || *best < at->second)) best = at->second;
        return best;
    }
    void upsert(const record::UpsertBody& body, HybridTime stamp) {
        if (stamp > deleted) generation = live() ? std::min(generation, stamp) : stamp;
        upserts.insert(stamp);
        const auto note = [&](int key, const auto& change) {
            Write write{stamp, std::nullopt};
            if (change) write.bytes = bytes_of(*change);
            writes.emplace(key, write);
        };
        if (body.creator) note(-4, *body.creator);
        if (body.created_at) note(-3, *body.created_at);
        if (body.publish_at) note(-2, *body.publish_at);
        if (body.expires_at) note(-1, *body.expires_at);
        // Of a field named twice in one body the later one counts.
        std::map<int, std::optional<record::Value>> last;
        for (const auto& change : body.fields) last[change.field.value()] = change.value;
        for (const auto& [key, value] : last) note(key, value);
    }
    void erase(HybridTime stamp) {
        deleted = std::max(deleted, stamp);
        if (!live() || generation > deleted) return;
        generation = *upserts.rbegin();
        for (int key = -4; key < kSampleFieldCount; ++key)
            if (const auto write = winner(key)) generation = std::min(generation, write->stamp);
    }
};

class Model {
public:
    void apply(EntityTable& table, const Draw& draw, HybridTime stamp) {
        const EntityId id = id_of(std::get<0>(draw));
        History& history = histories_[id];
        const unsigned what = std::get<1>(draw) % 8;
        if (what == 0) {
            const bool expected = history.live() && stamp >= history.generation;
            RC_ASSERT(table.erase(delete_of(id), stamp).ok() == expected);
            history.erase(stamp);
        } else if (what == 1) {
            table.find_or_reserve(id);
        } else {
            auto body = upsert_from(draw);
            body.must_exist = what == 2;
            const bool refused = body.must_exist && !history.live();
            const bool superseded = stamp <= history.deleted;
            const bool created = !history.live();
            const auto outcome = table.upsert(body, stamp);
            RC_ASSERT(outcome.ok() == !refused);
            if (refused) return;
            RC_ASSERT(*outcome == (superseded ? UpsertOutcome::kSuperseded
                                   : created  ? UpsertOutcome::kCreated
                                              : UpsertOutcome::kUpdated));
            history.upsert(body, stamp);
        }
    }
    void check(EntityTable& table) const {
        std::uint64_t live = 0;
        for (const auto& [id, history] : histories_) {
            live += history.live() ? 1 : 0;
            check_one(table, id, history);
        }
        RC_ASSERT(table.live_count() == live);
        RC_ASSERT(table.live().cardinality() == live);
    }

private:
    static void check_one(EntityTable& table, const EntityId& id, const History& history) {
        auto got = table.get(id);
        RC_ASSERT(got.ok());
        RC_ASSERT(got->has_value() == history.live());
        RC_ASSERT(table.find(id).has_value() == history.live());
        if (!history.live()) return;
        const EntityView& view = **got;
        RC_ASSERT(view.version == *history.upserts.rbegin());
        RC_ASSERT(view.generation == history.generation);
        RC_ASSERT(table.generation_of(view.slot) == history.generation);
        RC_ASSERT(table.id_of(view.slot) == id);
        const auto expected = [&](int key) {
            const auto write = history.winner(key);
            return write ? write->bytes : std::nullopt;
        };
        const auto bytes = [](const auto& value) {
            return value ? std::optional(bytes_of(*value)) : std::nullopt;
        };
        RC_ASSERT(bytes(view.creator) == expected(-4));
        RC_ASSERT(bytes_of(view.created_at_ms) ==
                  expected(-3).value_or(bytes_of(history.generation.wall_ms())));
        RC_ASSERT(bytes(view.publish_at_ms) == expected(-2));
        RC_ASSERT(bytes(view.expires_at_ms) == expected(-1));
        std::map<int, std::string> fields;
        for (const auto& [field, value] : view.fields) fields[field.value()] = bytes_of(value);
        for (int field = 0; field < kSampleFieldCount; ++field) {
            const auto at = fields.find(field);
            RC_ASSERT((at == fields.end() ? std::nullopt : std::optional(at->second)) ==
                      expected(field));
        }
    }
    std::map<EntityId, History> histories_;
};

bool same_number(double a, double b) {
    return a == b || (std::isnan(a) && std::isnan(b));
}

/// Every accelerator of `table` equals that of a table rebuilt from rows.
void check_equals_rebuild(EntityTable& table, EntityTable& rebuilt) {
    RC_ASSERT(table.slot_count() == rebuilt.slot_count());
    RC_ASSERT(table.sorted_ids() == rebuilt.sorted_ids());
    RC_ASSERT(table.live() == rebuilt.live());
    const auto same = [](const Roaring* a, const Roaring* b) {
        RC_ASSERT((a == nullptr) == (b == nullptr));
        if (a != nullptr) RC_ASSERT(*a == *b);
    };
    for (std::uint16_t f = 0; f < kSampleFieldCount; ++f) {
        const FieldId field(f);
        same(table.present_bitmap(field), rebuilt.present_bitmap(field));
        for (const char* value : {"a", "b", "c", "p", "q", "true", "false", ""})
            same(table.keyword_bitmap(field, value), rebuilt.keyword_bitmap(field, value));
        const auto numbers = table.number_column(field), others = rebuilt.number_column(field);
        RC_ASSERT(
            std::equal(numbers.begin(), numbers.end(), others.begin(), others.end(), same_number));
    }
    for (std::uint64_t creator = 0; creator < 3; ++creator)
        same(table.creator_bitmap(EntityId(creator)), rebuilt.creator_bitmap(EntityId(creator)));
    for (std::uint32_t s = 0; s < table.slot_count(); ++s) {
        RC_ASSERT(table.created_at_column()[s] == rebuilt.created_at_column()[s]);
        RC_ASSERT(table.publish_at_column()[s] == rebuilt.publish_at_column()[s]);
        for (const EntityTable* each : {&table, &rebuilt})
            RC_ASSERT((each->always_open()[s / 64] >> (s % 64) & 1) ==
                      (each->live().contains(s) && each->publish_at_column()[s] == INT64_MIN &&
                       each->expires_at_column()[s] == INT64_MAX));
        RC_ASSERT(table.expires_at_column()[s] == rebuilt.expires_at_column()[s]);
        const EntityId *a = table.creator_of(Slot(s)), *b = rebuilt.creator_of(Slot(s));
        RC_ASSERT((a == nullptr) == (b == nullptr) && (a == nullptr || *a == *b));
        RC_ASSERT(*table.content_hash(Slot(s)) == *rebuilt.content_hash(Slot(s)));
    }
}

HybridTime stamp_of(const Draw& draw) {
    return at(std::get<2>(draw) % 32 + 1);
}

RC_GTEST_PROP(EntityModel, AnyHistoryEqualsTheReferenceAndItsRebuild, (const Draws& draws)) {
    MemoryStore store;
    auto table = *EntityTable::open(EntityKind::kItem, store, sample_schema());
    Model model;
    for (const Draw& draw : draws) {
        model.apply(*table, draw, stamp_of(draw));
        model.check(*table);
    }
    auto rebuilt = *EntityTable::open(EntityKind::kItem, store, sample_schema());
    model.check(*rebuilt);
    check_equals_rebuild(*table, *rebuilt);
}

RC_GTEST_PROP(EntityModel, LogOrderWithReopeningsEqualsTheReference, (const Draws& draws)) {
    MemoryStore store;
    auto table = *EntityTable::open(EntityKind::kItem, store, sample_schema());
    Model model;
    std::uint64_t tick = 1;
    for (const Draw& draw : draws) {
        model.apply(*table, draw, at(tick++));
        if (std::get<2>(draw) % 8 == 0)
            table = *EntityTable::open(EntityKind::kItem, store, sample_schema());
    }
    model.check(*table);
}

/// The hash of each id after applying `draws` to an empty table.
std::map<EntityId, std::uint64_t> hashes_after(const Draws& draws, bool upserts_only) {
    MemoryStore store;
    auto table = *EntityTable::open(EntityKind::kItem, store, sample_schema());
    for (const Draw& draw : draws) {
        if (!upserts_only && std::get<1>(draw) % 4 == 0)
            (void)table->erase(delete_of(id_of(std::get<0>(draw))), stamp_of(draw));
        else
            (void)table->upsert(upsert_from(draw), stamp_of(draw));
    }
    std::map<EntityId, std::uint64_t> hashes;
    for (const EntityId& id : table->sorted_ids())
        hashes[id] = *table->content_hash(*table->find_reserved(id));
    return hashes;
}

RC_GTEST_PROP(EntityModel, UpsertsInAnyOrderGiveTheSameHash, (const Draws& draws)) {
    Draws shuffled = draws;
    std::sort(shuffled.begin(), shuffled.end(),
              [](const Draw& a, const Draw& b) { return std::get<4>(a) < std::get<4>(b); });
    RC_ASSERT(hashes_after(draws, true) == hashes_after(shuffled, true));
}

RC_GTEST_PROP(EntityModel, InterleavingOfIdsDoesNotReachTheHash, (const Draws& draws)) {
    Draws grouped = draws;  // the same order within each id
    std::stable_sort(grouped.begin(), grouped.end(), [](const Draw& a, const Draw& b) {
        return id_of(std::get<0>(b)) < id_of(std::get<0>(a));
    });
    RC_ASSERT(hashes_after(draws, false) == hashes_after(grouped, false));
}

}  // namespace entity_model_test
}  // namespace tidal::entity
