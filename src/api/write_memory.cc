#include "api/internal/write_memory.h"

#include <variant>

namespace tidal::api {
namespace {

/// Beside the write itself. Ids and names are short: they lie in it.
struct Elsewhere {
    template <typename Small>
    std::uint64_t operator()(const Small&) const {
        return 0;
    }
    std::uint64_t operator()(const std::string& text) const { return text.size(); }
    std::uint64_t operator()(const JsonText& json) const { return json.text.size(); }
    std::uint64_t operator()(const std::vector<std::string>& texts) const {
        std::uint64_t out = texts.size() * sizeof(std::string);
        for (const std::string& text : texts) out += text.size();
        return out;
    }
    std::uint64_t operator()(const EntityWrite& write) const {
        std::uint64_t out = 0;
        for (const auto& field : write.metadata)
            out += sizeof field + field.first.size() + std::visit(*this, field.second);
        return out;
    }
    std::uint64_t operator()(const EmbeddingWrite& write) const {
        return write.values.size() * sizeof write.values[0];
    }
    std::uint64_t operator()(const SignalWrite& write) const {
        return write.context.size() + write.idempotency_key.size();
    }
    std::uint64_t operator()(const SavedSearchWrite& write) const {
        return write.query ? write.query->size() : 0;
    }
    std::uint64_t operator()(const PreparedWrite& write) const {
        return std::visit(*this, write.body);
    }
    std::uint64_t operator()(const record::UpsertBody& body) const {
        std::uint64_t out = 0;
        for (const record::FieldChange& change : body.fields)
            out += sizeof change + (change.value ? std::visit(*this, *change.value) : 0);
        return out;
    }
    std::uint64_t operator()(const record::SignalBody& body) const { return body.context.size(); }
    std::uint64_t operator()(const record::EmbeddingBody& body) const {
        return body.values.size() * sizeof body.values[0];
    }
};

}  // namespace

std::uint64_t memory_of(std::span<const Write> writes) {
    std::uint64_t out = 0;
    for (const Write& write : writes) out += sizeof write + std::visit(Elsewhere(), write);
    return out;
}

}  // namespace tidal::api
