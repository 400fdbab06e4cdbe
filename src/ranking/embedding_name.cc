#include "ranking/embedding_name.h"

#include <vector>

#include "ranking/source_text.h"

namespace tidal::ranking {

const schema::EmbeddingSpec* find_embedding(const schema::Schema& schema, EntityKind kind,
                                            std::string_view name) {
    const auto& slots = schema.kind(kind).embeddings;
    if (name.empty() && slots.size() == 1) return &slots[0];
    return schema.find_embedding(kind, name.empty() ? "default" : name);
}

bool lacks_embeddings(const Source& source, std::span<const Source> sources,
                      const schema::Schema& schema, EntityKind kind) {
    return source.kind == SourceKind::kAnn && source.name.empty() && sources.size() > 1 &&
           schema.kind(kind).embeddings.empty();
}

NoEmbedding no_embedding(const schema::Schema& schema, EntityKind kind, std::string_view name) {
    std::vector<std::string_view> known;
    for (const auto& slot : schema.kind(kind).embeddings) known.push_back(slot.name);
    if (known.empty()) return {"there is no embedding slot", "declare one in the schema"};
    if (name.empty())
        return {"there are several embedding slots and none is called `default`: name one",
                suggestion("", "embedding slots", known)};
    return {"unknown embedding slot `" + std::string(name) + "`",
            suggestion(name, "embedding slots", known)};
}

}  // namespace tidal::ranking
