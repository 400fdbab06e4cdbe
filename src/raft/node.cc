#include "raft/node.h"

#include "raft/internal/core.h"

namespace tidal::raft {
namespace {

Error bad_option(std::string_view name, std::string_view range) {
    return Error(ErrorCode::kInvalidArgument, "a Raft option is out of range")
        .with_field(name)
        .with_hint(range);
}

Result<void> check_options(const Options& o) {
    if (o.self == kNobody) return bad_option("self", "not 0");
    if (o.heartbeat_ticks < 1) return bad_option("heartbeat_ticks", ">= 1");
    if (o.election_ticks_min <= o.heartbeat_ticks)
        return bad_option("election_ticks_min", "> heartbeat_ticks");
    if (o.election_ticks_max <= o.election_ticks_min)
        return bad_option("election_ticks_max", "> election_ticks_min");
    if (o.inflight_messages_max < 1) return bad_option("inflight_messages_max", ">= 1");
    if (o.inflight_bytes_max < 1) return bad_option("inflight_bytes_max", ">= 1");
    if (o.uncommitted_bytes_max < 1) return bad_option("uncommitted_bytes_max", ">= 1");
    if (o.apply_bytes_max < 1) return bad_option("apply_bytes_max", ">= 1");
    if (o.chunk_bytes_max < 1) return bad_option("chunk_bytes_max", ">= 1");
    if (o.chunks_inflight_max < 1) return bad_option("chunks_inflight_max", ">= 1");
    return {};
}

Result<void> check_state(const DurableState& state) {
    const auto bad = [](std::string_view what) {
        return Error(ErrorCode::kInvalidArgument, "a group's durable state contradicts itself")
            .with_field(what);
    };
    if (state.terms.empty() || state.configurations.empty()) return bad("base");
    if (state.last < state.terms.back().first) return bad("last");
    if (state.applied < state.base_index() || state.applied > state.last) return bad("applied");
    // A leader's entries are written after its term: a log ahead of the term lost a hard state.
    if (state.hard.term < state.terms.back().term) return bad("hard.term");
    if (state.partial && state.partial_bytes > state.partial->bytes) return bad("partial_bytes");
    return {};
}

}  // namespace

std::string_view flow_name(Flow flow) {
    constexpr std::string_view names[] = {"probe", "replicate", "snapshot"};
    return names[static_cast<std::size_t>(flow)];
}

Result<std::unique_ptr<Node>> Node::create(const Options& options, DurableState state,
                                           LogStore& store) {
    TIDAL_TRY(check_options(options));
    TIDAL_TRY(check_state(state));
    return std::unique_ptr<Node>(std::make_unique<Core>(options, std::move(state), store));
}

}  // namespace tidal::raft
