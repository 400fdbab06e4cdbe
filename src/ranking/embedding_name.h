// ranking/embedding_name.h: which embedding slot a request or a profile means.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "schema/schema.h"

namespace tidal::ranking {

/// @param name  Empty = the only slot of the kind, else the one called `default`.
/// @return nullptr  no such slot.
const schema::EmbeddingSpec* find_embedding(const schema::Schema& schema, EntityKind kind,
                                            std::string_view name);
/// Why not, as message, hint and reason.
struct NoEmbedding {
    std::string message, hint;
};
NoEmbedding no_embedding(const schema::Schema& schema, EntityKind kind, std::string_view name);

}  // namespace tidal::ranking
