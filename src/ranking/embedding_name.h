// ranking/embedding_name.h: which embedding slot a request or a profile means.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "ranking/candidate_source.h"
#include "schema/schema.h"

namespace tidal::ranking {

/// @param name  Empty = the only slot of the kind, else the one called `default`.
/// @return nullptr  no such slot.
const schema::EmbeddingSpec* find_embedding(const schema::Schema& schema, EntityKind kind,
                                            std::string_view name);
/// Whether a source among others is always empty: `ann` without a slot where the schema has none.
bool lacks_embeddings(const Source& source, std::span<const Source> sources,
                      const schema::Schema& schema, EntityKind kind);
/// Why not, as message, hint and reason.
struct NoEmbedding {
    std::string message, hint;
};
NoEmbedding no_embedding(const schema::Schema& schema, EntityKind kind, std::string_view name);

}  // namespace tidal::ranking
