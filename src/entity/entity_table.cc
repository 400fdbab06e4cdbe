#include "entity/entity_table.h"

#include "entity/internal/table.h"

namespace tidal::entity {

Result<std::unique_ptr<EntityTable>> EntityTable::open(EntityKind kind, storage::ShardStore& store,
                                                       std::shared_ptr<const schema::Schema> schema,
                                                       TextListener* texts) {
    auto table = std::make_unique<StoredEntityTable>(kind, store, std::move(schema), texts);
    TIDAL_TRY(table->load());
    return std::unique_ptr<EntityTable>(std::move(table));
}

}  // namespace tidal::entity
