// Any bytes as a mapping, and behind a zero byte rows for each of its files: what can be read can
// be bound to a schema or is refused with an error, and takes its rows or rejects them.
#include <cstdint>
#include <string_view>

#include "schema/schema.h"
#include "transfer/file_mapper.h"

namespace {

struct DroppingSink final : tidal::transfer::ImportSink {
    bool on_row(tidal::transfer::ImportRow, const tidal::transfer::RowPlace&,
                std::string_view) override {
        return true;
    }
    void on_rejected(const tidal::transfer::RejectedRow&) override {}
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace tidal;
    static const schema::Schema schema = *schema::parse_schema(schema::default_schema_yaml());
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const std::string_view text = bytes.substr(0, bytes.find('\0'));
    const std::string_view rows = text.size() == size ? "" : bytes.substr(text.size() + 1);
    const auto mapping = transfer::parse_mapping(text);
    if (!mapping.ok()) return 0;
    for (const transfer::FileMapping& file : mapping->files) {
        DroppingSink sink;
        const transfer::FirstSignals first;
        const auto mapper = transfer::FileMapper::create(file, schema, &first, sink);
        if (mapper.ok() && (*mapper)->feed(rows).ok()) (void)(*mapper)->finish();
    }
    return 0;
}
