// Any bytes as a segment of texts whose checksums fit: opened, met with texts, searched, written
// again and opened once more.
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/codec.h"
#include "text/search.h"

namespace {

using namespace tidal;
using namespace tidal::text;

struct Nothing final : Collector {
    double least() const override { return -1; }
    void offer(double, std::uint32_t) override {}
};

const std::vector<TextIndex::Field>& fields() {
    static const std::vector<TextIndex::Field> kFields = {{FieldId(0), "title", {"none", {}}, {}}};
    return kFields;
}

/// The corpus has the parts of one field; what is around them is of this machine's libraries.
Segment around(std::string_view index, std::string_view documents) {
    Segment out;
    Encoder parts;
    parts.u16(0);
    parts.u64(fingerprint(fields()[0].analysis));
    parts.bytes(index);
    out.index = parts.take();
    parts.clear();
    parts.bytes(documents);
    out.documents = parts.take();
    out.head.seed = 7;
    seal_segment(&out);
    return out;
}

void search(const TextIndex& index) {
    const QueryNode root = parse_query("blue piano OR \"blue piano\" pia* -bleu", {"title"}).root;
    Statistics statistics;
    index.gather_fields(&statistics);
    for (const QueryNode* word : words_of(root)) {
        index.gather(*word, false, &statistics);
        index.gather(*word, true, &statistics);
    }
    Nothing nothing;
    Search(index, root, statistics, true).run(nothing, nullptr, [](double) { return true; });
}

}  // namespace

/// The first two bytes say how long the index is; the rest are the documents.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size >= kSegmentHeadBytes)
        (void)decode_segment_head({reinterpret_cast<const char*>(data), size});
    if (size < 2) return 0;
    const std::string_view rest(reinterpret_cast<const char*>(data) + 2, size - 2);
    const std::size_t cut = std::min<std::size_t>(data[0] | data[1] << 8, rest.size());
    TextIndex index;
    index.keep_documents(7);
    index.set_fields(fields());
    if (!index.open(around(rest.substr(0, cut), rest.substr(cut))).ok()) return 0;
    search(index);
    index.meet(Slot(0), FieldId(0), "blue piano blue");
    index.meet(Slot(5), FieldId(0), "blue");
    index.finish_open();
    search(index);
    index.change(Slot(0), FieldId(0), "blue piano blue", "piano");
    search(index);
    auto again = index.encode({});
    if (!again.ok()) std::abort();
    TextIndex other;
    other.set_fields(fields());
    (void)other.open(std::move(*again));
    search(other);
    return 0;
}
