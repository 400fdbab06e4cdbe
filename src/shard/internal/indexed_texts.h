// shard/internal/indexed_texts.h: the text index of one kind, kept current by its entity table.
#pragma once

#include <algorithm>

#include "base/log.h"
#include "entity/entity_table.h"
#include "schema/schema.h"
#include "shard/internal/text_files.h"

namespace tidal::shard {

/// Derived: outside the content hash. A start takes it from its file, in which the table's texts
/// are looked for one by one as the table opens, and analyses those that are not there.
class IndexedTexts final : public entity::TextListener {
public:
    /// A file is made anew once one in so many of its texts has changed: then making it costs each
    /// change about as much as the change did, and a start analyses at most that share.
    static constexpr std::uint64_t kShare = 8;

    explicit IndexedTexts(EntityKind kind) : kind_(kind) {}

    void set_schema(const schema::Schema& schema) { index_.set_fields(text_fields(schema, kind_)); }
    /// Between the first set_schema() and the table's open; finish_open() after that.
    void begin_open(const TextFiles& files, const Logger& logger) {
        opening_ = true;
        if (files.disk == nullptr) return;
        auto segment = files.read(kind_);
        Result<void> opened;
        if (!segment.ok())
            opened = segment.take_error();
        else if (*segment)
            opened = index_.open(std::move(**segment));
        if (!opened.ok())
            logger.warning("a file of indexed texts cannot be used: all are analysed again",
                           {{"file", files.path(kind_)}, {"cause", opened.error().to_string()}});
    }
    void finish_open() {
        index_.finish_open();
        opening_ = false;
    }
    void text_changed(Slot slot, FieldId field, std::string_view before,
                      std::string_view after) override {
        if (!opening_) {
            ++changes_;
            index_.change(slot, field, before, after);
        } else if (!after.empty() && !index_.meet(slot, field, after)) {
            ++changes_;
        }
    }
    text::TextIndex& index() { return index_; }

    // What a file of now would have, and the one there is has not.
    bool file_due(std::uint64_t changes_min) const {
        return changes_ >= std::max(changes_min, index_.documents() / kShare);
    }
    std::uint64_t changes() const { return changes_; }
    /// A file has so many of them.
    void filed(std::uint64_t changes) { changes_ -= changes; }

private:
    const EntityKind kind_;
    text::TextIndex index_;
    bool opening_ = false;
    std::uint64_t changes_ = 0;
};

}  // namespace tidal::shard
