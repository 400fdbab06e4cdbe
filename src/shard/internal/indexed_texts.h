// shard/internal/indexed_texts.h: the text index of one kind, kept current by its entity table.
#pragma once

#include "entity/entity_table.h"
#include "schema/schema.h"
#include "text/text_index.h"

namespace tidal::shard {

/// Derived: outside the content hash, made anew from the rows at every start.
class IndexedTexts final : public entity::TextListener {
public:
    explicit IndexedTexts(EntityKind kind) : kind_(kind) {}

    void set_schema(const schema::Schema& schema) {
        std::vector<text::TextIndex::Field> fields;
        for (const schema::FieldSpec& field : schema.kind(kind_).fields)
            if (field.type == schema::FieldType::kText)
                fields.push_back({field.id,
                                  field.name,
                                  {field.language, field.text.stop_words},
                                  {field.text.k1, field.text.b, field.text.boost}});
        index_.set_fields(fields);
    }
    void text_changed(Slot slot, FieldId field, std::string_view before,
                      std::string_view after) override {
        index_.change(slot, field, before, after);
    }
    text::TextIndex& index() { return index_; }

private:
    const EntityKind kind_;
    text::TextIndex index_;
};

}  // namespace tidal::shard
