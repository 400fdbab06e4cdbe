// Any bytes through the readers of page files and of the page directory: what reads encodes back to
// the same bytes, and what does not is an error, not a crash.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "storage/internal/page_directory.h"
#include "storage/internal/page_file.h"

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace tidal;
    using namespace tidal::storage::internal;
    const std::string_view input(reinterpret_cast<const char*>(data), size);

    if (const auto head = decode_head(input)) require(encode_head(*head) == input);
    if (const auto head = decode_page_file_head(input))
        require(decode_page_file_head(encode_page_file_head(*head)).ok());
    if (const auto number = parse_page_file_name(input)) require(page_file_name(*number) == input);

    PageDirectory directory;
    if (directory.decode_chunk(3, input)) {
        PageDirectory again;
        const std::string bytes = directory.encode_chunk(3);
        require(bytes.empty() || again.decode_chunk(3, bytes).ok());
        require(again.encode_chunk(3) == bytes);
    }
    return 0;
}
