#include <algorithm>
#include <memory>

#include "api/tests/cluster_calls.h"

namespace tidal::api {
namespace {

constexpr std::uint64_t kInSession = 80, kTold = 81, kErased = 82;  ///< Users.

/// Its number is known once it is open.
void add_sessions(ClusterCalls* calls) {
    const auto id = std::make_shared<std::uint64_t>(0);
    const auto is = [id](auto holds) {
        return [id, holds](Database& database) {
            const auto session = database.session(*id);
            return session.ok() && holds(*session);
        };
    };
    calls->push_back(
        {.name = "open a session",
         .method = "open_session",
         .ask =
             [id](Database& database, Database::Done done) {
                 SessionOpen open;
                 open.user_id = kInSession;
                 database.open_session(
                     open, {}, [id, done = std::move(done)](Result<SessionReply> reply) mutable {
                         if (!reply.ok()) return done(reply.take_error());
                         *id = reply->id;
                         done({});
                     });
             },
         .shows =
             is([](const SessionReply& session) { return session.user == EntityId(kInSession); }),
         .write = write_of<SessionWrite>()});
    calls->push_back({.name = "a signal in a session",
                      .method = "write",
                      .ask =
                          [id](Database& database, Database::Done done) {
                              SignalWrite like = signal(1, "share");
                              like.session_id = std::to_string(*id);
                              like.sequence = 1;
                              database.write({like}, {}, of_first(std::move(done)));
                          },
                      .shows = is([](const SessionReply& session) {
                          return session.last_sequence >= 1 && session.counts.size() == 1;
                      }),
                      .write = write_of<SignalWrite>()});
    calls->push_back({.name = "a signal with a key in a session",
                      .method = "write",
                      .ask =
                          [id](Database& database, Database::Done done) {
                              SignalWrite share = signal(1, "share", "share-2");
                              share.session_id = std::to_string(*id);
                              share.sequence = 2;
                              database.write({share}, {}, of_first(std::move(done)));
                          },
                      .shows = always,
                      .write = write_of<SignalWrite>()});
    calls->push_back(
        {.name = "an undo in a session",
         .method = "write",
         .ask =
             [id](Database& database, Database::Done done) {
                 const SignalUndo undo{std::uint64_t{1}, "share-2", {}, std::to_string(*id)};
                 database.write({undo}, {}, of_first(std::move(done)));
             },
         .shows = is([](const SessionReply& session) {
             return session.last_sequence == 2 && session.counts.size() == 1 &&
                    session.counts.front().second == 1;
         }),
         .write = write_of<SignalUndo>()});
    calls->push_back(
        {.name = "annotate a session",
         .method = "annotate_session",
         .ask =
             [id](Database& database, Database::Done done) {
                 database.annotate_session({.session = *id, .annotations = {{"page", "cart"}}}, {},
                                           only_whether<SessionReply>(std::move(done)));
             },
         .shows = is([](const SessionReply& session) { return session.annotations.size() == 1; }),
         .write = write_of<SessionWrite>()});
    calls->push_back({.name = "close a session",
                      .method = "close_session",
                      .ask =
                          [id](Database& database, Database::Done done) {
                              database.close_session(*id, {},
                                                     only_whether<SessionReply>(std::move(done)));
                          },
                      .shows = is([](const SessionReply& session) {
                          return session.end != audience::SessionEnd::kOpen && session.reward > 0;
                      }),
                      .write = write_of<SessionWrite>()});
    calls->push_back({.name = "open a session that ends by itself",
                      .method = "open_session",
                      .ask =
                          [](Database& database, Database::Done done) {
                              SessionOpen open;
                              open.user_id = kInSession;
                              open.policy = "brief";
                              database.open_session(open, {},
                                                    only_whether<SessionReply>(std::move(done)));
                          },
                      .shows = always,
                      .write = write_of<SessionWrite>()});
}

void add_collections(ClusterCalls* calls) {
    for (const std::string name : {"shelf", "later"})
        calls->push_back({.name = "collection " + name,
                          .method = "put_collection",
                          .ask =
                              [name](Database& database, Database::Done done) {
                                  database.put_collection(
                                      name, "", only_whether<CatalogReply>(std::move(done)));
                              },
                          .shows = always,
                          .write = {}});
    CollectionMemberWrite member;
    for (const std::uint64_t id : {1, 3}) {
        member.collection = "shelf";
        member.id = id;
        member.position = static_cast<double>(id);
        calls->push_back(of_write("put into a collection", member, always));
    }
    member.ends = true;
    calls->push_back(of_write("taken out of a collection", member, [](Database& database) {
        const auto held = database.collection_items({.name = "shelf", .limit = 10, .cursor = {}});
        return held.ok() && held->items.size() == 1 && held->items[0].id == EntityId(1) &&
               held->items[0].position == 1;
    }));
    calls->push_back(
        {.name = "end of a collection",
         .method = "delete_collection",
         .ask = [](Database& database,
                   Database::Done done) { database.delete_collection("later", std::move(done)); },
         .shows =
             [](Database& database) {
                 return database.collection("shelf").ok() && !database.collection("later").ok();
             },
         .write = {}});
}

/// Under a profile that counts what it tells a user.
void add_saved_searches(ClusterCalls* calls) {
    SavedSearchWrite search;
    search.user_id = kTold;
    for (const std::string name : {"mine", "gone"}) {
        search.name = name;
        search.query = "RETRIEVE items USING notification";
        calls->push_back(of_write("saved search " + name, search, always));
    }
    search.query.reset();
    calls->push_back(of_write("end of a saved search", search, always));
    search.name = "mine";
    search.looked = true;
    calls->push_back(of_write("look at a saved search", search, [](Database& database) {
        const auto kept = database.saved_searches(kTold);
        return kept.ok() && kept->size() == 1 && kept->front().name == "mine" &&
               kept->front().looked_ms > kept->front().saved_ms;
    }));
    calls->push_back({.name = "run a saved search",
                      .method = "run_saved_search",
                      .ask =
                          [](Database& database, Database::Done done) {
                              SavedSearchRequest request;
                              request.user_id = kTold;
                              request.name = "mine";
                              request.limit = 1;
                              database.run_saved_search(request,
                                                        only_whether<FeedReply>(std::move(done)));
                          },
                      .shows = always,
                      .write = {}});
}

std::int64_t impressions(Database& database) {
    std::int64_t sum = 0;
    for (const std::uint64_t id : {1, 3, 4, 5, 6}) sum += count_of(database, id, "impression");
    return sum;
}

/// The saved search above has told of one item.
void add_pages(ClusterCalls* calls) {
    FeedCall call;
    call.profile = "new";
    call.limit = 1;
    call.log_impressions = true;
    calls->push_back({.name = "page",
                      .method = "feed",
                      .ask =
                          [call](Database& database, Database::Done done) {
                              database.feed(call, only_whether<FeedReply>(std::move(done)));
                          },
                      .shows = always,
                      .write = {}});
    calls->push_back({.name = "two pages",
                      .method = "compare",
                      .ask =
                          [call](Database& database, Database::Done done) {
                              FeedCall plain = call;
                              plain.log_impressions = false;
                              database.compare(plain, "old",
                                               only_whether<FeedComparison>(std::move(done)));
                          },
                      .shows = always,
                      .write = {}});
    calls->push_back({.name = "query",
                      .method = "query",
                      .ask =
                          [](Database& database, Database::Done done) {
                              database.query("RETRIEVE items USING new LIMIT 1 LOG IMPRESSIONS", {},
                                             only_whether<QueryReply>(std::move(done)));
                          },
                      .shows = [](Database& database) { return impressions(database) == 3; },
                      .write = {}});
}

void add_erasure(ClusterCalls* calls) {
    EntityWrite user;
    user.kind = EntityKind::kUser;
    user.id = kErased;
    calls->push_back(of_write("upsert", user, always));
    RelationshipWrite saves;
    saves.user_id = kErased;
    saves.kind = record::RelationshipKind::kSaves;
    saves.target = std::uint64_t{1};
    calls->push_back(of_write("relationship", saves, always));
    calls->push_back(of_write("erase a user", EntityDelete{EntityKind::kUser, kErased, {}},
                              [](Database& database) {
                                  const auto kept = database.relationships({kErased, {}});
                                  return !database.get({EntityKind::kUser, kErased}).ok() &&
                                         kept.ok() && kept->relationships.empty();
                              }));
}

}  // namespace

ClusterCalls personal_calls() {
    ClusterCalls calls;
    add_sessions(&calls);
    add_collections(&calls);
    add_saved_searches(&calls);
    add_pages(&calls);
    add_erasure(&calls);
    return calls;
}

ClusterCalls operator_calls() {
    const auto ask = [](std::string method, auto how) {
        return ClusterCall{
            .name = method,
            .method = method,
            .ask = [how](Database& database,
                         Database::Done done) { how(*database.cluster(), std::move(done)); },
            .shows = always,
            .write = {}};
    };
    return {ask("create_join_token",
                [](Cluster& cluster, Database::Done done) {
                    cluster.create_join_token(60'000, only_whether<NewJoinToken>(std::move(done)));
                }),
            ask("transfer",
                [](Cluster& cluster, Database::Done done) {
                    cluster.transfer(ShardId(1), cluster::NodeId(2), std::move(done));
                }),
            ask("transfer",
                [](Cluster& cluster, Database::Done done) {
                    cluster.transfer(ShardId(1), cluster::NodeId(3), std::move(done));
                }),
            ask("undrain",
                [](Cluster& cluster, Database::Done done) {
                    cluster.drain([&cluster, done = std::move(done)](Result<void> drained) mutable {
                        cluster.undrain();
                        done(std::move(drained));
                    });
                }),
            ask("drain",
                [](Cluster& cluster, Database::Done done) { cluster.drain(std::move(done)); })};
}

}  // namespace tidal::api
