// Segments of a TextIndex: opened at a start, and made.
#include <utility>

#include "base/codec.h"
#include "text/internal/field_index.h"
#include "text/text_index.h"

namespace tidal::text {
namespace {

/// One field in both parts of a segment.
struct FieldPart {
    FieldId field;
    std::uint64_t fingerprint = 0;
    std::string_view index, documents;
};

Result<std::vector<FieldPart>> read_parts(const Segment& segment) {
    Decoder index(segment.index), documents(segment.documents);
    std::vector<FieldPart> out;
    while (!index.failed() && index.remaining() > 0) {
        FieldPart part;
        part.field = FieldId(index.u16());
        part.fingerprint = index.u64();
        part.index = index.bytes();
        part.documents = documents.bytes();
        if (!out.empty() && part.field <= out.back().field) index.fail();
        out.push_back(part);
    }
    TIDAL_TRY(index.finish("fields of a text segment"));
    TIDAL_TRY(documents.finish("fields of a text segment"));
    return out;
}

}  // namespace

Result<void> TextIndex::open(Segment segment) {
    TIDAL_TRY(check_segment(segment));
    auto kept = std::make_unique<Segment>(std::move(segment));
    TIDAL_ASSIGN(const auto parts, read_parts(*kept));
    std::vector<std::pair<FieldIndex*, FieldBase>> bases;
    for (const FieldPart& part : parts) {
        FieldIndex* const index = index_of(part.field);
        if (index == nullptr || index->fingerprint() != part.fingerprint) continue;
        TIDAL_ASSIGN(FieldBase base, FieldBase::read(part.index, kept->head.seed));
        TIDAL_TRY(base.read_documents(part.documents));
        bases.emplace_back(index, base);
    }
    for (const auto& [index, base] : bases) index->open(base);
    if (seed_)
        for (const auto& index : indexes_)
            if (index != nullptr) index->keep_documents(kept->head.seed);
    segment_ = std::move(kept);
    return {};
}

bool TextIndex::meet(Slot slot, FieldId field, std::string_view text) {
    return index_of(field)->meet(slot.value(), text);
}

void TextIndex::finish_open() {
    for (const auto& index : indexes_)
        if (index != nullptr) index->finish_open();
    if (segment_ != nullptr && !seed_) segment_->documents = {};
}

Result<Segment> TextIndex::encode(const SegmentHead& head) const {
    Segment out;
    out.head = head;
    out.head.seed = segment_ != nullptr ? segment_->head.seed : *seed_;
    Encoder index, documents, field_index, field_documents;
    for (std::size_t at = 0; at < indexes_.size(); ++at) {
        if (indexes_[at] == nullptr) continue;
        field_index.clear();
        field_documents.clear();
        TIDAL_TRY(indexes_[at]->encode(&field_index, &field_documents));
        index.u16(static_cast<std::uint16_t>(at));
        index.u64(indexes_[at]->fingerprint());
        index.bytes(field_index.view());
        documents.bytes(field_documents.view());
    }
    out.index = index.take();
    out.documents = documents.take();
    seal_segment(&out);
    return out;
}

}  // namespace tidal::text
