#include "shard/internal/text_files.h"

#include "entity/stored_texts.h"

namespace tidal::shard {
namespace {

Result<std::string> read_part(runtime::File& file, std::uint64_t offset, std::uint64_t bytes) {
    std::string out(bytes, '\0');
    TIDAL_ASSIGN(const std::size_t got, file.read_at(offset, out));
    if (got == bytes) return out;
    return Error(ErrorCode::kCorruption, "text segment: the file ends too early");
}

}  // namespace

std::string TextFiles::path(EntityKind kind) const {
    return directory + "/" + std::string(entity_kind_name(kind)) + "s.texts";
}

Result<std::optional<text::Segment>> TextFiles::read(EntityKind kind) const {
    auto file = disk->open(path(kind), runtime::OpenMode::kRead);
    if (!file && file.error().code() == ErrorCode::kNotFound) return std::optional<text::Segment>();
    if (!file) return file.take_error();
    TIDAL_ASSIGN(const std::uint64_t size, (*file)->size());
    text::Segment out;
    TIDAL_ASSIGN(const std::string head,
                 read_part(**file, 0, std::min<std::uint64_t>(size, text::kSegmentHeadBytes)));
    TIDAL_ASSIGN(out.head, text::decode_segment_head(head));
    const std::uint64_t rest = size - text::kSegmentHeadBytes;
    if (out.head.shard != shard || out.head.kind != kind || out.head.index_bytes > rest ||
        out.head.documents_bytes != rest - out.head.index_bytes)
        return Error(ErrorCode::kCorruption, "text segment: not the one of this place");
    TIDAL_ASSIGN(out.index, read_part(**file, text::kSegmentHeadBytes, out.head.index_bytes));
    TIDAL_ASSIGN(out.documents, read_part(**file, text::kSegmentHeadBytes + out.head.index_bytes,
                                          out.head.documents_bytes));
    return std::optional(std::move(out));
}

Result<void> TextFiles::write(const text::Segment& segment) const {
    std::string bytes = text::encode_segment_head(segment.head);
    bytes.reserve(bytes.size() + segment.index.size() + segment.documents.size());
    bytes += segment.index;
    bytes += segment.documents;
    return runtime::write_file(*disk, path(segment.head.kind), bytes);
}

std::vector<text::TextIndex::Field> text_fields(const schema::Schema& schema, EntityKind kind) {
    std::vector<text::TextIndex::Field> fields;
    for (const schema::FieldSpec& field : schema.kind(kind).fields)
        if (field.type == schema::FieldType::kText)
            fields.push_back({field.id,
                              field.name,
                              {field.language, field.text.stop_words},
                              {field.text.k1, field.text.b, field.text.boost}});
    return fields;
}

Result<void> renew_text_file(const TextFiles& files, EntityKind kind, const schema::Schema& schema,
                             storage::ShardStore& store, LogIndex index, std::uint64_t seed) {
    text::TextIndex texts;
    texts.keep_documents(seed);
    texts.set_fields(text_fields(schema, kind));
    // One that cannot be used is replaced.
    if (auto before = files.read(kind); before.ok() && *before)
        (void)texts.open(std::move(**before));
    Result<void> outcome;
    TIDAL_TRY(store.scan_checkpoint(entity::stored_rows_prefix(kind), [&](std::string_view,
                                                                          std::string_view row) {
        outcome = entity::visit_stored_texts(schema.kind(kind).fields, row,
                                             [&](Slot slot, FieldId field, std::string_view text) {
                                                 if (!text.empty()) texts.meet(slot, field, text);
                                             });
        return outcome.ok();
    }));
    TIDAL_TRY(std::move(outcome));
    texts.finish_open();
    TIDAL_ASSIGN(const text::Segment segment,
                 texts.encode({.shard = files.shard, .kind = kind, .index = index}));
    return files.write(segment);
}

}  // namespace tidal::shard
