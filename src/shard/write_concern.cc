#include "shard/write_concern.h"

#include <charconv>

namespace tidal::shard {
namespace {

constexpr std::uint32_t kReplicasMax = 65'535;

struct Name {
    std::string_view text;
    WriteConcern::Level level;
};
constexpr Name kNames[] = {{"memory", WriteConcern::kMemory},
                           {"local", WriteConcern::kLocal},
                           {"majority", WriteConcern::kMajority},
                           {"quorum", WriteConcern::kMajority},
                           {"all", WriteConcern::kAll}};

}  // namespace

Result<WriteConcern> parse_write_concern(std::string_view text) {
    for (const Name& name : kNames)
        if (text == name.text) return WriteConcern(name.level);
    std::uint32_t count = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), count);
    if (parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() && count >= 1 &&
        count <= kReplicasMax)
        return WriteConcern::on(count);
    return Error(ErrorCode::kInvalidArgument, "no such write concern")
        .with_reason("write_concern")
        .with("value", text)
        .with_hint("memory, local, majority, all or a number of replicas");
}

std::string to_text(const WriteConcern& concern) {
    if (concern.level == WriteConcern::kReplicas) return std::to_string(concern.replicas);
    for (const Name& name : kNames)
        if (concern.level == name.level) return std::string(name.text);
    return {};
}

}  // namespace tidal::shard
