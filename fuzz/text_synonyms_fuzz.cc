// Any text as synonyms, its first line also as a query that they are put beside.
#include <cstdint>
#include <string_view>

#include "text/query_parser.h"
#include "text/synonyms.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace tidal::text;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto synonyms = Synonyms::parse(text);
    if (!synonyms.ok()) return 0;
    ParsedQuery query = parse_query(std::string(text.substr(0, text.find('\n'))), {"title"});
    synonyms->expand(&query.root);
    return 0;
}
