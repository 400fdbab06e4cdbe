// Any bytes as a tar archive, in two ways of cutting them: the same files, or the same refusal.
#include <cstdlib>
#include <string>

#include "transfer/tar_reader.h"

namespace {

using namespace tidal;

struct Trace final : transfer::TarReader::Handler {
    Result<void> on_file(std::string_view name, std::uint64_t bytes) override {
        trace.append(name).append("=").append(std::to_string(bytes)).append(":");
        return {};
    }
    Result<void> on_bytes(std::string_view bytes) override {
        trace.append(bytes);
        return {};
    }
    Result<void> on_file_end() override {
        trace += ';';
        return {};
    }
    std::string trace;
};

std::string trace_of(std::string_view bytes, std::size_t piece) {
    Trace handler;
    transfer::TarReader reader(handler);
    Result<void> result;
    for (std::size_t at = 0; at < bytes.size() && result.ok(); at += piece)
        result = reader.feed(bytes.substr(at, piece));
    if (result.ok()) result = reader.finish();
    return handler.trace + (result.ok() ? "" : result.error().to_string());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    if (trace_of(bytes, SIZE_MAX / 2) != trace_of(bytes, 3)) std::abort();
    return 0;
}
