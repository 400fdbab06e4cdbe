#include "vector/shard_vectors.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <random>

#include "entity/tests/memory_store.h"
#include "schema/schema.h"

namespace tidal::vector {
namespace shard_vectors_test {

constexpr std::string_view kSchema = R"(
items:
  embeddings:
    small: {dimensions: 3, metric: cosine, storage: f32}
    half: {dimensions: 5, metric: l2, storage: f16}
    tiny: {dimensions: 4, metric: dot, storage: int8}
)";

HybridTime at(std::uint64_t tick) {
    return HybridTime::from_bits(tick << 16);
}

bool same(const ShardVectors& a, const ShardVectors& b, std::uint32_t slots) {
    for (std::uint16_t slot = 0; slot < 3; ++slot) {
        const FlatVectors& left = *a.find(EmbeddingSlotId(slot));
        const FlatVectors& right = *b.find(EmbeddingSlotId(slot));
        if (left.present() != right.present()) return false;
        for (std::uint32_t s = 0; s < slots; ++s)
            if (left.has(Slot(s)) && left.values(Slot(s)) != right.values(Slot(s))) return false;
    }
    return a.size() == b.size();
}

/// Whatever happens, in whatever order stamps arrive: memory is what the rows say.
TEST(ShardVectors, EqualARebuildFromRows) {
    EXPECT_TRUE(rc::check([] {
        auto parsed = schema::parse_schema(kSchema);
        RC_ASSERT(parsed.ok());
        const auto schema = std::make_shared<const schema::Schema>(*std::move(parsed));
        entity::MemoryStore store;
        auto entities = *entity::EntityTable::open(EntityKind::kItem, store, schema);
        ShardVectors kept(EntityKind::kItem);
        RC_ASSERT(kept.load(*schema, *entities).ok());
        std::mt19937_64 random(*rc::gen::arbitrary<std::uint64_t>());
        std::normal_distribution<float> normal;
        const int steps = *rc::gen::inRange(0, 120);
        for (int step = 0; step < steps; ++step) {
            const EntityId id(random() % 12);
            const HybridTime stamp = at(1 + random() % 60);
            if (const auto what = random() % 8; what < 2) {
                record::UpsertBody body;
                body.id = id;
                RC_ASSERT(entities->upsert(body, stamp).ok());
            } else if (what == 2) {
                record::DeleteBody body;
                body.id = id;
                (void)entities->erase(body, stamp);
                RC_ASSERT(kept.refresh(id, *entities).ok());
            } else {
                record::EmbeddingBody body;
                body.id = id;
                body.slot = EmbeddingSlotId(static_cast<std::uint16_t>(random() % 3));
                const auto& spec = schema->kind(EntityKind::kItem).embeddings[body.slot.value()];
                for (std::uint32_t d = 0; d < spec.dimensions; ++d)
                    body.values.push_back(normal(random));
                (void)entities->set_embedding(body, stamp);
                RC_ASSERT(kept.refresh(id, body.slot, *entities).ok());
            }
        }
        entities = *entity::EntityTable::open(EntityKind::kItem, store, schema);
        ShardVectors rebuilt(EntityKind::kItem);
        RC_ASSERT(rebuilt.load(*schema, *entities).ok());
        RC_ASSERT(same(kept, rebuilt, entities->slot_count()));
    }));
}

TEST(ShardVectors, AnAdditionToTheSchemaAddsASlot) {
    const auto schema = *schema::parse_schema(kSchema);
    ShardVectors vectors(EntityKind::kUser);
    vectors.set_schema(schema);
    EXPECT_EQ(vectors.find(EmbeddingSlotId(0)), nullptr);
    ShardVectors items(EntityKind::kItem);
    items.set_schema(schema);
    items.set_schema(schema);
    EXPECT_NE(items.find(EmbeddingSlotId(2)), nullptr);
    EXPECT_EQ(items.find(EmbeddingSlotId(3)), nullptr);
    EXPECT_EQ(items.size(), 0U);
}

}  // namespace shard_vectors_test
}  // namespace tidal::vector
