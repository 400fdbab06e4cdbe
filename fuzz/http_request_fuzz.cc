// Any bytes through the request parser, whole and cut at a place the input names: the same
// requests, or the same refusal, come out either way.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "http/internal/guard.h"
#include "http/internal/request_parser.h"

namespace {

using tidal::http::RequestParser;

constexpr std::size_t kHeaderMax = 2048;

/// What came out: line, headers and body of each whole request.
std::string parse(std::string_view bytes, std::size_t cut) {
    std::string out;
    std::string buffer(bytes.substr(0, cut));
    std::string_view rest = bytes.substr(cut);
    for (int requests = 0; requests < 16; ++requests) {
        RequestParser parser(kHeaderMax);
        std::string body;
        while (!parser.done()) {
            auto step = parser.put(buffer);
            if (!step) return out;
            if (step->consumed > buffer.size()) std::abort();
            buffer.erase(0, step->consumed);
            body += parser.take_body();
            if (step->progress != RequestParser::Progress::kNeedMore) continue;
            if (rest.empty()) return out;
            buffer += rest;
            rest = {};
        }
        tidal::http::Request& request = parser.request();
        out += std::string(method_name(request.method)) + ' ' + request.raw_path + '\n';
        for (const auto& header : request.headers.all())
            out += header.name + '=' + header.value + '\n';
        out += body + (parser.keep_alive() ? "\nkeep\n" : "\nclose\n");
        (void)tidal::http::check_loopback_guard(request, parser.has_body());
    }
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    const std::size_t cut = bytes.empty() ? 0 : data[0] % (bytes.size() + 1);
    if (parse(bytes, bytes.size()) != parse(bytes, cut)) std::abort();
    return 0;
}
