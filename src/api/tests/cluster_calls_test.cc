// Every call of Database that changes something, asked of one node of three: each of them then
// holds the same, and still does after all were killed and after all stopped. What a call did is
// looked for on every node. Doors: tests/process/cluster_routes_test.sh.
#include <gtest/gtest.h>
#include <algorithm>

#include "api/tests/sim_cluster.h"

namespace tidal::api {
namespace {

constexpr const char* kModel = R"(tree
version=v4
num_class=1
num_tree_per_iteration=1
feature_names=year
feature_infos=none

Tree=0
num_leaves=1
leaf_value=0.25


end of trees
)";

class ClusterCalls : public ::testing::Test {
protected:
    using Probe = std::function<bool(Database&)>;
    struct Call {
        std::string name;
        std::function<void(Database&, Database::Done)> ask;
        Probe shows;  ///< True on every node from then on.
    };

    /// For calls that answer with more than yes.
    template <typename T>
    static auto only_whether(Database::Done done) {
        return [done = std::move(done)](Result<T> reply) mutable {
            reply.ok() ? done({}) : done(reply.take_error());
        };
    }
    static void write(Database& database, Write write, Database::Done done,
                      const CallContext& context = {}) {
        database.write({std::move(write)}, context,
                       [done = std::move(done)](WriteReplies replies) mutable {
                           auto& reply = replies.front();
                           reply.ok() ? done({}) : done(reply.take_error());
                       });
    }
    static Call of_write(std::string name, Write what, Probe shows) {
        return {std::move(name),
                [what](Database& database, Database::Done done) {
                    write(database, what, std::move(done));
                },
                std::move(shows)};
    }
    /// What it did is awaited where it goes on to.
    static Call in_session(std::string name, std::function<Write(std::uint64_t)> what,
                           Probe shows) {
        const auto ask = [what](Database& database, Database::Done done) {
            SessionOpen opening;
            opening.user_id = std::uint64_t{7};
            CallContext visit;
            visit.idempotency_key = "visit";
            database.open_session(
                opening, visit,
                [&database, what, done = std::move(done)](Result<SessionReply> session) mutable {
                    if (!session.ok()) return done(session.take_error());
                    database.write(
                        {what(session->id)}, {},
                        [&database, done = std::move(done)](WriteReplies replies) mutable {
                            auto& reply = replies.front();
                            if (!reply.ok()) return done(reply.take_error());
                            database.when_visible(reply->token, 10'000, std::move(done));
                        });
                });
        };
        return {std::move(name), ask, std::move(shows)};
    }
    static std::int64_t count_of(Database& database, std::uint64_t id, const std::string& name) {
        const auto readings = database.signals({EntityKind::kItem, id});
        if (!readings.ok()) return -1;
        for (const auto& one : readings->signals)
            if (one.name == name)
                return one.reading.windows[static_cast<std::size_t>(schema::Window::kAll)].count;
        return 0;
    }
    static bool has(Database& database, EntityKind kind, std::uint64_t id) {
        return database.get({kind, id}).ok();
    }

    /// What is declared: each made twice, one of them retired.
    static void add_catalog(std::vector<Call>* calls) {
        using Put = void (Database::*)(std::string, bool, Database::CatalogDone);
        const auto put = [&](std::string name, Put how, std::string text, Probe shows) {
            calls->push_back({std::move(name),
                              [how, text](Database& database, Database::Done done) {
                                  (database.*how)(text, false,
                                                  only_whether<CatalogReply>(std::move(done)));
                              },
                              std::move(shows)});
        };
        const auto retire = [&](record::CatalogKind kind, std::string name, Probe shows) {
            calls->push_back({"retire " + name,
                              [kind, name](Database& database, Database::Done done) {
                                  database.retire(kind, name, std::move(done));
                              },
                              std::move(shows)});
        };
        const auto profile = [](const std::string& name) {
            return "profile " + name + " version 1 { score sum(applaud, all); }";
        };
        put("profile", &Database::put_profile, profile("kept"), [](Database& database) {
            return database.profiles()->find("kept", EntityKind::kItem).ok();
        });
        put("profile", &Database::put_profile, profile("gone"), [](Database&) { return true; });
        retire(record::CatalogKind::kProfile, "gone", [](Database& database) {
            return !database.profiles()->find("gone", EntityKind::kItem).ok();
        });
        const auto experiment = [](const std::string& name) {
            return "experiment " + name + " version 1 { arm kept@1; arm trending@1; }";
        };
        put("experiment", &Database::put_experiment, experiment("spring"),
            [](Database&) { return true; });
        put("experiment", &Database::put_experiment, experiment("autumn"),
            [](Database&) { return true; });
        retire(record::CatalogKind::kExperiment, "autumn", [](Database& database) {
            return database.experiments()->size() == 1 &&
                   database.experiments()->front().name == "spring";
        });
        const auto cohort = [](const std::string& name) {
            return "cohort " + name + " version 1 { tracks like; where language = 'fr'; }";
        };
        put("cohort", &Database::put_cohort, cohort("french"), [](Database&) { return true; });
        put("cohort", &Database::put_cohort, cohort("idle"), [](Database&) { return true; });
        retire(record::CatalogKind::kCohort, "idle", [](Database& database) {
            return database.cohorts()->all().size() == 1 &&
                   database.cohorts()->find("french") != nullptr;
        });
        for (const std::string name : {"hits", "misses"})
            calls->push_back({"model",
                              [name](Database& database, Database::Done done) {
                                  database.put_model(name, kModel, false,
                                                     only_whether<CatalogReply>(std::move(done)));
                              },
                              [](Database& database) { return !database.models()->empty(); }});
        retire(record::CatalogKind::kModel, "misses",
               [](Database& database) { return database.models()->size() == 1; });
        for (const std::string name : {"people", "places"})
            calls->push_back({"synonyms",
                              [name](Database& database, Database::Done done) {
                                  database.put_synonyms(
                                      name, "tv, television", false,
                                      only_whether<CatalogReply>(std::move(done)));
                              },
                              [](Database& database) { return !database.synonyms().empty(); }});
        retire(record::CatalogKind::kSynonyms, "places",
               [](Database& database) { return database.synonyms().size() == 1; });
    }

    void run(const std::vector<Call>& calls) {
        cluster_.begin(3);
        std::uint32_t by = 0;
        for (const Call& call : calls) {
            SCOPED_TRACE(call.name);
            by = by % 3 + 1;
            const Result<void> done = cluster_.wait(
                [&](Database::Done answer) { call.ask(*cluster_.node(by), std::move(answer)); });
            ASSERT_TRUE(done.ok()) << done.error().to_string();
            expect_shown(call);
            cluster_.expect_equal();
        }
        for (const bool cleanly : {false, true}) {
            SCOPED_TRACE(cleanly ? "stopped" : "killed");
            for (std::uint32_t node = 1; node <= 3; ++node) end(node, cleanly);
            for (std::uint32_t node = 1; node <= 3; ++node) cluster_.restart(node);
            ASSERT_TRUE(
                cluster_.until([&] { return cluster_.all_voters(3) && cluster_.all_lead(); }));
            for (const Call& call : calls) expect_shown(call);
            cluster_.expect_equal();
        }
    }
    void end(std::uint32_t node, bool cleanly) {
        if (cleanly) {
            bool stopped = false;
            cluster_.node(node)->stop([&] { stopped = true; });
            ASSERT_TRUE(cluster_.until([&] { return stopped; }));
        }
        cluster_.kill(node);
    }
    void expect_shown(const Call& call) {
        for (std::uint32_t node = 1; node <= 3; ++node) {
            ASSERT_OK(cluster_.fence(node, {}));
            EXPECT_TRUE(call.shows(*cluster_.node(node))) << call.name << " on node " << node;
        }
    }

    SimCluster cluster_{11};
};

TEST_F(ClusterCalls, EachReachesEveryReplica) {
    const auto count = [](std::uint64_t id, const char* name, std::int64_t want) {
        return [=](Database& database) { return count_of(database, id, name) == want; };
    };
    EntityWrite titled = item(1, 7);
    titled.metadata.push_back({"title", std::string("Jazz")});
    SignalWrite keyed = signal(1, "like", "like-1");
    std::string wider(schema::default_schema_yaml());
    wider += "  applaud: {polarity: positive, half_life: 1d, windows: [24h, all]}\n";

    std::vector<Call> calls;
    calls.push_back(of_write("upsert", titled, [](Database& database) {
        const auto found = database.get({EntityKind::kItem, std::uint64_t{1}});
        return found.ok() && found->creator_id.has_value();
    }));
    for (const EntityKind kind : {EntityKind::kUser, EntityKind::kCreator}) {
        EntityWrite one;
        one.kind = kind;
        one.id = std::uint64_t{7};
        calls.push_back(of_write("upsert of another kind", one,
                                 [kind](Database& database) { return has(database, kind, 7); }));
    }
    calls.push_back(of_write("upsert", item(2), [](Database&) { return true; }));
    calls.push_back(
        of_write("delete", EntityDelete{EntityKind::kItem, std::uint64_t{2}, {}},
                 [](Database& database) { return !has(database, EntityKind::kItem, 2); }));
    calls.push_back(of_write("embedding",
                             EmbeddingWrite{EntityKind::kItem, std::uint64_t{1}, "", {1, 0, 0, 0}},
                             [](Database&) { return true; }));
    calls.push_back(of_write("signal", signal(1, "view"), count(1, "view", 1)));
    calls.push_back(of_write("signal with a key", keyed, [](Database&) { return true; }));
    calls.push_back(
        of_write("undo", SignalUndo{std::uint64_t{1}, "like-1", ""}, count(1, "like", 0)));
    const auto in_session_like = [](std::uint64_t session) -> Write {
        SignalWrite like = signal(1, "like", "like-2");
        like.session_id = std::to_string(session);
        return like;
    };
    calls.push_back(
        in_session("signal of a session", in_session_like, [](Database&) { return true; }));
    const auto in_session_undo = [](std::uint64_t session) -> Write {
        return SignalUndo{std::uint64_t{1}, "like-2", {}, std::to_string(session)};
    };
    calls.push_back(in_session("undo in a session", in_session_undo, count(1, "like", 0)));
    SignalWrite hide = signal(3, "hide");
    hide.user_id = IdInput(std::uint64_t{7});
    calls.push_back(of_write("upsert", item(3, 9), [](Database&) { return true; }));
    calls.push_back(of_write("hide", hide, [](Database& database) {
        FeedCall call;
        call.profile = "new";
        call.user_id = IdInput(std::uint64_t{7});
        call.confirmed = true;
        const auto page = database.feed(call);
        return page.ok() && std::ranges::none_of(page->items, [](const FeedItem& shown) {
                   return shown.entity.id == EntityId(3);
               });
    }));
    RelationshipWrite blocks;
    blocks.user_id = std::uint64_t{7};
    blocks.kind = record::RelationshipKind::kBlocks;
    blocks.target = std::uint64_t{9};
    calls.push_back(of_write("relationship", blocks, [](Database& database) {
        const auto found =
            database.relationships({std::uint64_t{7}, record::RelationshipKind::kBlocks});
        return found.ok() && found->relationships.size() == 1;
    }));
    calls.push_back({"import",
                     [](Database& database, Database::Done done) {
                         database.write_import(
                             {item(3)}, {.import_id = "films", .first_position = 1}, {},
                             [done = std::move(done)](WriteReplies replies) mutable {
                                 auto& reply = replies.front();
                                 reply.ok() ? done({}) : done(reply.take_error());
                             });
                     },
                     [](Database& database) { return has(database, EntityKind::kItem, 3); }});
    calls.push_back({"import note",
                     [](Database& database, Database::Done done) {
                         database.put_import_note("films", 17, std::move(done));
                     },
                     [](Database& database) {
                         const auto note = database.import_note("films");
                         return note.ok() && *note == 17;
                     }});
    calls.push_back(
        {"schema",
         [wider](Database& database, Database::Done done) {
             database.put_schema(wider, std::move(done));
         },
         [](Database& database) { return database.schema()->find_signal("applaud") != nullptr; }});
    add_catalog(&calls);
    calls.push_back({"API key",
                     [](Database& database, Database::Done done) {
                         database.create_api_key("ops", KeyRole::kAdmin,
                                                 only_whether<NewApiKey>(std::move(done)));
                     },
                     [](Database& database) { return database.api_keys().size() == 1; }});
    calls.push_back({"join token",
                     [](Database& database, Database::Done done) {
                         database.cluster()->create_join_token(
                             60'000, only_whether<NewJoinToken>(std::move(done)));
                     },
                     [](Database&) { return true; }});
    run(calls);
}

}  // namespace
}  // namespace tidal::api
