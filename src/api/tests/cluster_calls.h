// What cluster_calls_test.cc asks of a cluster: every call that changes something, and how every
// node shows that it did.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "api/tests/sim_cluster.h"

namespace tidal::api {

struct ClusterCall {
    std::string name;
    std::string method;  ///< Of Database or Cluster, as their headers name it.
    std::function<void(Database&, Database::Done)> ask;
    std::function<bool(Database&)> shows;  ///< True on every node from then on.
    std::optional<std::size_t> write;      ///< Which alternative of api::Write it is.
};
using ClusterCalls = std::vector<ClusterCall>;

/// Place of an alternative in api::Write.
template <typename T>
std::size_t write_of() {
    return Write(T()).index();
}

/// Entities, vectors, signals, relationships, imports.
ClusterCalls write_calls();
/// The schema, what is declared, and keys: each made twice, one of them ended.
ClusterCalls catalog_calls();
/// Sessions, collections, saved searches, pages that count what they show, users who are erased.
ClusterCalls personal_calls();
/// Of operators, that leave the members as they are.
ClusterCalls operator_calls();

/// For calls that answer with more than yes.
template <typename T>
auto only_whether(Database::Done done) {
    return [done = std::move(done)](Result<T> reply) mutable {
        reply.ok() ? done({}) : done(reply.take_error());
    };
}
inline auto of_first(Database::Done done) {
    return [done = std::move(done)](WriteReplies replies) mutable {
        auto& reply = replies.front();
        reply.ok() ? done({}) : done(reply.take_error());
    };
}
inline ClusterCall of_write(std::string name, const Write& what,
                            std::function<bool(Database&)> shows) {
    return {.name = std::move(name),
            .method = "write",
            .ask =
                [what](Database& database, Database::Done done) {
                    database.write({what}, {}, of_first(std::move(done)));
                },
            .shows = std::move(shows),
            .write = what.index()};
}
inline bool always(Database&) {
    return true;
}
/// Of an item, since ever; -1 = there is no such item.
inline std::int64_t count_of(Database& database, std::uint64_t id, std::string_view signal) {
    const auto readings = database.signals({EntityKind::kItem, id});
    if (!readings.ok()) return -1;
    for (const auto& one : readings->signals)
        if (one.name == signal)
            return one.reading.windows[static_cast<std::size_t>(schema::Window::kAll)].count;
    return 0;
}

}  // namespace tidal::api
