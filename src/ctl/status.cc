// status and export: a running server.
#include <cstdio>

#include "ctl/client.h"
#include "ctl/commands.h"
#include "ctl/output.h"

namespace tidal::ctl {
Result<void> status(const Options& options) {
    TIDAL_ASSIGN(const std::string body, Client(options.url, options.key).get("/health"));
    return print_reply(body, options.json);
}

Result<void> export_signals(const Options& options) {
    if (options.json && options.format != "jsonl")
        return Error(ErrorCode::kInvalidArgument,
                     "--json and --format " + options.format + " exclude each other")
            .with_field("format");
    const bool shown = options.export_what == "impressions";
    const std::string& alien = shown ? options.signals : options.within;
    if (!alien.empty())
        return Error(ErrorCode::kInvalidArgument, shown ? "--signals is of `export signals`"
                                                        : "--within is of `export impressions`")
            .with_field(shown ? "signals" : "within");
    std::string path =
        "/export/" + options.export_what + "?format=" + percent_encode(options.format);
    const std::pair<const char*, const std::string*> parameters[] = {
        {"from", &options.from},       {"until", &options.until},
        {"signals", &options.signals}, {"within", &options.within},
        {"user_id", &options.user_id}, {"position", &options.position}};
    for (const auto& [name, value] : parameters)
        if (!value->empty()) path += std::string("&") + name + "=" + percent_encode(*value);
    if (options.gaps) path += "&gaps=on";
    return Client(options.url, options.key).get_stream(path, [](std::string_view bytes) {
        return std::fwrite(bytes.data(), 1, bytes.size(), stdout) == bytes.size();
    });
}

}  // namespace tidal::ctl
