// Any bytes as a mapping: one that can be read can be bound to a schema or is refused with an
// error.
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
    const auto mapping =
        transfer::parse_mapping(std::string_view(reinterpret_cast<const char*>(data), size));
    if (!mapping.ok()) return 0;
    for (const transfer::FileMapping& file : mapping->files) {
        DroppingSink sink;
        const transfer::FirstSignals first;
        (void)transfer::FileMapper::create(file, schema, &first, sink);
    }
    return 0;
}
