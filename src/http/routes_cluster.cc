// A cluster: what this node knows of it, and what an operator does with it.
#include <algorithm>
#include <boost/json.hpp>
#include <charconv>

#include "base/time_text.h"
#include "http/access.h"
#include "http/call.h"
#include "http/cluster_json.h"
#include "http/door.h"
#include "http/json_read.h"
#include "http/json_text.h"

namespace tidal::http {
namespace {

namespace json = boost::json;
using cluster::NodeId;

constexpr std::uint64_t kTokenTtlSDefault = 3600;

Error no_cluster() {
    return Error(ErrorCode::kConflict, "this server is no member of a cluster")
        .with_reason("single_node")
        .with_hint("tidal-server init makes one, in a new directory");
}

/// Answers {"status":"ok"} or why not.
api::Cluster::Done answer_done(Responder responder) {
    return [responder = std::move(responder)](Result<void> done) mutable {
        if (!done.ok()) return responder.fail(done.error());
        responder.send(Response::json("{\"status\":\"ok\"}"));
    };
}

Result<NodeId> known_node(const api::ClusterStatus& status, std::uint64_t number,
                          std::string_view field) {
    for (const api::NodeStatus& node : status.nodes)
        if (node.node.value() == number) return node.node;
    return Error(ErrorCode::kNotFound, "no node " + std::to_string(number))
        .with_field(field)
        .with_hint("GET /cluster/nodes lists them");
}

/// Whether `content_hash` is asked for: work for every entity of this node, so for an operator.
Result<bool> wants_content(const Request& request) {
    TIDAL_TRY(check_parameters(request, {"content_hash"}));
    const std::string* asked = request.query.find("content_hash");
    if (asked == nullptr || *asked == "off") return false;
    if (*asked != "on")
        return Error(ErrorCode::kInvalidArgument, "content_hash is on or off")
            .with_field("content_hash");
    TIDAL_TRY(check_access(request, Access::kOperate));
    return true;
}

struct Transfer {
    ShardId shard;
    NodeId to;
};
/// To the node asked for; else to a voter that is up, the one that has the most where that is
/// known.
Result<Transfer> read_transfer(const api::ClusterStatus& status, const Request& request) {
    TIDAL_TRY(check_json(request));
    TIDAL_ASSIGN(const std::uint64_t number, request.parameters.number("shard"));
    TIDAL_ASSIGN(const auto asked, JsonReader().optional_number(request.body, "node"));
    const auto shard = std::ranges::find_if(
        status.shards, [&](const api::ShardStatus& s) { return s.shard.value() == number; });
    if (shard == status.shards.end())
        return Error(ErrorCode::kNotFound, "no shard " + std::to_string(number))
            .with_field("shard")
            .with_hint("GET /cluster/shards lists them");
    if (asked) {
        TIDAL_ASSIGN(const NodeId to, known_node(status, *asked, "node"));
        return Transfer{shard->shard, to};
    }
    std::optional<Transfer> best;
    std::uint64_t best_lag = UINT64_MAX;
    for (const NodeId voter : shard->voters) {
        const auto node = std::ranges::find(status.nodes, voter, &api::NodeStatus::node);
        if (voter == shard->leader || node == status.nodes.end() || !node->up) continue;
        const auto replica = std::ranges::find(shard->replicas, voter, &api::ReplicaStatus::node);
        const std::uint64_t lag =
            replica == shard->replicas.end() ? UINT64_MAX - 1 : replica->lag_entries;
        if (lag >= best_lag) continue;
        best = Transfer{shard->shard, voter};
        best_lag = lag;
    }
    if (best) return *best;
    return Error(ErrorCode::kConflict, "no other voter is up").with_reason("no_other_voter");
}

}  // namespace

void Door::add_cluster_act(Method method, const std::string& pattern, ClusterAct act) {
    whole_.add(method, pattern, [this, act = std::move(act)](Request request, Responder responder) {
        if (auto known = check_parameters(request, {}); !known.ok())
            return responder.fail(known.error());
        api::Cluster* cluster = database_.cluster();
        if (cluster == nullptr) return responder.fail(no_cluster());
        act(*cluster, request, std::move(responder));
    });
}

void Door::answer_shards(const Request& request, Responder responder) {
    auto with_content = wants_content(request);
    if (!with_content.ok()) return responder.fail(with_content.error());
    if (!*with_content)
        return responder.send(Response::json(cluster_shards_json(database_.cluster_status())));
    // All of the state is walked.
    exports_->post([this, responder = std::move(responder)]() mutable {
        const auto contents = database_.contents();
        if (!contents.ok()) return responder.fail(contents.error());
        api::ClusterStatus status = database_.cluster_status();
        for (api::ShardStatus& shard : status.shards)
            shard.content = contents->at(shard.shard.value());
        responder.send(Response::json(cluster_shards_json(status)));
    });
}

void Door::add_cluster_routes() {
    const auto show = [this](const char* path, std::string (*text)(const api::ClusterStatus&)) {
        whole_.add(Method::kGet, path, [this, text](Request request, Responder responder) {
            if (auto known = check_parameters(request, {}); !known.ok())
                return responder.fail(known.error());
            responder.send(Response::json(text(database_.cluster_status())));
        });
    };
    show("/cluster/status", cluster_status_json);
    show("/cluster/nodes", cluster_nodes_json);
    whole_.add(Method::kGet, "/cluster/shards", [this](Request request, Responder responder) {
        answer_shards(request, std::move(responder));
    });
    add_cluster_act(
        Method::kPost, "/cluster/tokens",
        [](api::Cluster& cluster, const Request& request, Responder responder) {
            auto ttl_s = [&]() -> Result<std::optional<std::uint64_t>> {
                TIDAL_TRY(check_json(request));
                return JsonReader().optional_number(request.body, "expires_in_s");
            }();
            if (!ttl_s.ok()) return responder.fail(ttl_s.error());
            const std::uint64_t seconds = ttl_s->value_or(kTokenTtlSDefault);
            if (seconds == 0 || seconds > api::Cluster::kTokenTtlMsMax / 1000)
                return responder.fail(Error(ErrorCode::kInvalidArgument, "out of range")
                                          .with_field("expires_in_s")
                                          .with_hint("seconds, at most 7 days"));
            cluster.create_join_token(seconds * 1000, [responder = std::move(responder)](
                                                          Result<api::NewJoinToken> made) mutable {
                if (!made.ok()) return responder.fail(made.error());
                responder.send(Response::json(json_text(json::object{
                    {"token", made->token}, {"expires_at", format_time(made->expires_ms)}})));
            });
        });
    add_cluster_act(Method::kPost, "/cluster/shards/{shard}/transfer",
                    [this](api::Cluster& cluster, const Request& request, Responder responder) {
                        const auto transfer = read_transfer(database_.cluster_status(), request);
                        if (!transfer.ok()) return responder.fail(transfer.error());
                        cluster.transfer(transfer->shard, transfer->to,
                                         answer_done(std::move(responder)));
                    });
    add_cluster_act(Method::kDelete, "/cluster/nodes/{node}",
                    [this](api::Cluster& cluster, const Request& request, Responder responder) {
                        auto node = [&]() -> Result<NodeId> {
                            TIDAL_ASSIGN(const auto number, request.parameters.number("node"));
                            return known_node(database_.cluster_status(), number, "node");
                        }();
                        if (!node.ok()) return responder.fail(node.error());
                        cluster.remove_node(*node, answer_done(std::move(responder)));
                    });
}

void Door::add_drain_routes() {
    add_cluster_act(Method::kPost, "/health/drain",
                    [](api::Cluster& cluster, const Request&, Responder responder) {
                        cluster.drain(answer_done(std::move(responder)));
                    });
    add_cluster_act(Method::kDelete, "/health/drain",
                    [](api::Cluster& cluster, const Request&, Responder responder) {
                        cluster.undrain();
                        responder.send(Response::json("{\"status\":\"ok\"}"));
                    });
}

}  // namespace tidal::http
