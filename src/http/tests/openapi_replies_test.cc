// What the server answers is what /openapi.json says: no key more, none of the required less.
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <thread>

#include "http/door.h"
#include "http/openapi.h"
#include "raw_client.h"
#include "runtime/real_runtime.h"
#include "runtime/task.h"

namespace tidal::http {
namespace openapi_replies_test {

namespace json = boost::json;

/// The part of JSON Schema that the description uses; stricter in one thing: a key that neither
/// `properties` nor `additionalProperties` names is wrong.
class Description {
public:
    Description() : whole_(json::parse(std::string(openapi_json()))) {}

    /// What is wrong with a reply, one line each; empty = nothing.
    std::string check(const std::string& method, const std::string& route, int status,
                      const json::value& reply) {
        problems_.clear();
        const json::object& answers =
            whole_.at("paths").at(route).at(method).at("responses").as_object();
        const auto* answer = answers.if_contains(std::to_string(status));
        if (answer == nullptr) answer = answers.if_contains("default");
        if (answer == nullptr) return "no answer with this status is described\n";
        for (const auto& [type, content] : answer->at("content").as_object())
            if (type == "application/json" || type == "application/problem+json")
                check(content.at("schema"), reply, "");
        return problems_;
    }

private:
    void wrong(const std::string& path, const std::string& what) {
        problems_ += (path.empty() ? "(reply)" : path) + ": " + what + "\n";
    }

    const json::value& resolved(const json::value& schema) const {
        const auto* reference = schema.as_object().if_contains("$ref");
        if (reference == nullptr) return schema;
        const std::string name(reference->as_string());
        return whole_.at("components").at("schemas").at(name.substr(name.rfind('/') + 1));
    }

    static bool is_a(std::string_view type, const json::value& value) {
        if (type == "object") return value.is_object();
        if (type == "array") return value.is_array();
        if (type == "string") return value.is_string();
        if (type == "boolean") return value.is_bool();
        if (type == "null") return value.is_null();
        if (type == "integer") return value.is_int64() || value.is_uint64();
        return type == "number" && value.is_number();
    }

    static bool has_type(const json::value& types, const json::value& value) {
        if (types.is_string()) return is_a(types.as_string(), value);
        for (const json::value& type : types.as_array())
            if (is_a(type.as_string(), value)) return true;
        return false;
    }

    bool fits_one(const json::array& schemas, const json::value& value, const std::string& path) {
        const std::string kept = problems_;
        for (const json::value& each : schemas) {
            problems_.clear();
            check(each, value, path);
            const bool fits = problems_.empty();
            problems_ = kept;
            if (fits) return true;
        }
        return false;
    }

    void check(const json::value& schema_or_reference, const json::value& value,
               const std::string& path) {
        const json::object& schema = resolved(schema_or_reference).as_object();
        if (const auto* one_of = schema.if_contains("oneOf")) {
            if (!fits_one(one_of->as_array(), value, path)) wrong(path, "fits none of oneOf");
            return;
        }
        if (const auto* type = schema.if_contains("type"); type && !has_type(*type, value))
            return wrong(path, "is not " + json::serialize(*type) + ": " + json::serialize(value));
        if (const auto* values = schema.if_contains("enum")) {
            const json::array& allowed = values->as_array();
            if (std::find(allowed.begin(), allowed.end(), value) == allowed.end())
                wrong(path, "is none of " + json::serialize(*values));
        }
        if (value.is_array() && schema.contains("items"))
            for (const json::value& each : value.as_array())
                check(schema.at("items"), each, path + "[]");
        if (value.is_object()) check_members(schema, value.as_object(), path);
    }

    void check_members(const json::object& schema, const json::object& value,
                       const std::string& path) {
        if (const auto* required = schema.if_contains("required"))
            for (const json::value& name : required->as_array())
                if (!value.contains(name.as_string()))
                    wrong(path, "lacks " + json::serialize(name));
        const auto* properties = schema.if_contains("properties");
        const auto* others = schema.if_contains("additionalProperties");
        for (const auto& [name, member] : value) {
            const std::string at = path + "." + std::string(name);
            const auto* known =
                properties == nullptr ? nullptr : properties->as_object().if_contains(name);
            if (known != nullptr) {
                check(*known, member, at);
            } else if (others == nullptr || (others->is_bool() && !others->as_bool())) {
                wrong(at, "is not described");
            } else if (others->is_object()) {
                check(*others, member, at);
            }
        }
    }

    const json::value whole_;
    std::string problems_;
};

template <typename Start>
runtime::Task<Result<void>> finished(Start start) {
    runtime::Completion<void> done;
    start(done.completer());
    Result<void> result = co_await done;
    co_return result;
}

class OpenApiReplies : public ::testing::Test {
protected:
    OpenApiReplies() {
        const auto base = std::filesystem::temp_directory_path() /
                          ("tidal_openapi_" + std::to_string(::getpid()));
        directory_ = base.string();
        runtime_ = std::move(*runtime::make_real_runtime({directory_ + "/data", {}}));
        backup_runtime_ = std::move(*runtime::make_real_runtime({directory_ + "/backups", {}}));
        auto database = api::Database::open({}, *runtime_);
        EXPECT_TRUE(database.ok()) << database.error().to_string();
        database_ = std::move(*database);
        EXPECT_TRUE(runtime::sync_wait(finished([&](auto done) {
                        database_->start(std::move(done));
                    })).ok());
        DoorOptions options{"0"};
        options.backups =
            std::make_shared<api::Backups>(*database_, *runtime_, backup_runtime_->disk());
        EXPECT_TRUE(options.backups->open().ok());
        door_.emplace(*database_, *runtime_, metrics_, Logger(), options);
        ServerOptions server;
        server.listen = "127.0.0.1:0";
        auto started = Server::start(server, *runtime_, *door_, Logger(), &metrics_);
        EXPECT_TRUE(started.ok());
        server_ = std::move(*started);
    }
    ~OpenApiReplies() override {
        server_->stop(0);
        door_->stop();
        EXPECT_TRUE(runtime::sync_wait(finished([&](auto done) {
                        database_->stop([done = std::move(done)]() mutable { done({}); });
                    })).ok());
        door_.reset();
        database_.reset();
        std::filesystem::remove_all(directory_);
    }

    /// The reply, held against the description of `route`.
    json::value ask(const std::string& method, const std::string& route, const std::string& target,
                    const std::string& body = "", const std::string& headers = "") {
        std::string bytes = method + " " + target + " HTTP/1.1\r\nHost: localhost\r\n" + headers;
        if (!body.empty())
            bytes +=
                "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
                "\r\n";
        const RawReply reply = RawClient(server_->port()).ask(bytes + "\r\n" + body);
        json::error_code failed;
        const json::value value = json::parse(reply.body, failed);
        EXPECT_FALSE(failed) << method << " " << target << " " << reply.status << ": "
                             << reply.body;
        std::string lower = method;
        for (char& c : lower) c = static_cast<char>(std::tolower(c));
        EXPECT_EQ(description_.check(lower, route, reply.status, value), "")
            << method << " " << target << " " << reply.status << ": " << reply.body;
        last_ = reply.status;
        return value;
    }
    void write(const std::string& route, const std::string& body) {
        ask("POST", route, route, body);
        EXPECT_EQ(last_, 200) << body;
    }

    std::string directory_;
    std::unique_ptr<runtime::Runtime> runtime_, backup_runtime_;
    std::unique_ptr<api::Database> database_;
    Metrics metrics_;
    std::optional<Door> door_;
    std::unique_ptr<Server> server_;
    Description description_;
    int last_ = 0;
};

TEST_F(OpenApiReplies, SessionsAndPolicies) {
    write("/items", R"({"entity_id":1,"metadata":{"title":"a"}})");
    ask("PUT", "/policies/{name}", "/policies/own",
        R"({"text":"signals like\nburst 3\nper_minute 1"})");
    EXPECT_EQ(last_, 200);
    ask("GET", "/policies", "/policies");
    ask("GET", "/policies/{name}", "/policies/own");
    EXPECT_EQ(last_, 200);
    const auto opened =
        ask("POST", "/sessions", "/sessions",
            R"({"user_id":5,"agent":"bot","policy":"own","annotations":{"goal":"a present"}})");
    ASSERT_EQ(last_, 200);
    const std::string path = "/sessions/" + json::serialize(opened.at("session_id"));
    const auto send = [&](const std::string& body) {
        ask("POST", "/sessions/{id}/signals", path + "/signals", body);
        return last_;
    };
    EXPECT_EQ(send(R"({"entity_id":1,"signal":"like","sequence":1})"), 200);
    EXPECT_EQ(send(R"({"entity_id":1,"signal":"share","sequence":2})"), 403);
    EXPECT_EQ(send(R"({"entity_id":1,"signal":"like","idempotency_key":"k"})"), 200);
    EXPECT_EQ(send(R"({"undo":"never","entity_id":1})"), 404);
    EXPECT_EQ(send(R"({"entity_id":1,"signal":"like"})"), 429);
    EXPECT_EQ(send(R"({"undo":"never","entity_id":1})"), 429);
    EXPECT_EQ(send(R"({"undo":"k","entity_id":1})"), 200);
    EXPECT_EQ(send(R"({"undo":"k","entity_id":1,"session_id":1025})"), 400);
    write("/signals", R"({"undo":"k","entity_id":1,"session_id":)" + path.substr(10) + "}");
    ask("PATCH", "/sessions/{id}", path, R"({"annotations":{"page":"cart"},"sequence":2})");
    EXPECT_EQ(last_, 200);
    ask("GET", "/feed", "/feed?profile=new&log_impressions=true&session_id=" + path.substr(10));
    EXPECT_EQ(last_, 200);
    const auto now = ask("GET", "/sessions/{id}", path);
    EXPECT_EQ(now.at("shown").as_array().size(), 1u);
    EXPECT_EQ(now.at("last_sequence").to_number<int>(), 2);
    ask("GET", "/users/{id}/sessions", "/users/5/sessions");
    EXPECT_EQ(last_, 200);
    ask("DELETE", "/sessions/{id}", path);
    EXPECT_EQ(last_, 200);
    EXPECT_EQ(send(R"({"entity_id":1,"signal":"like","sequence":9})"), 410);
    ask("DELETE", "/policies/{name}", "/policies/own");
    EXPECT_EQ(last_, 200);
}

TEST_F(OpenApiReplies, UsersAndCreators) {
    const std::pair<std::string, std::string> kinds[] = {
        {"/users", R"({"language":"fr","region":"lyon"})"},
        {"/creators", R"({"name":"Blue Note"})"}};
    for (const auto& [route, metadata] : kinds) {
        const std::string one = route + "/7", of_one = route + "/{id}";
        write(route, R"({"entity_id":7,"metadata":)" + metadata + "}");
        write(route, R"({"entity_id":"18446744073709551615"})");
        EXPECT_EQ(ask("GET", of_one, one).at("metadata"), json::parse(metadata));
        EXPECT_EQ(last_, 200);
        ask("GET", of_one, route + "/18446744073709551615");
        EXPECT_EQ(last_, 200);
        ask("PATCH", of_one, one, R"({"metadata":{}})");
        EXPECT_EQ(last_, 200);
        ask("PATCH", of_one, one, R"({"metadata":{"nosuch":1}})");
        EXPECT_EQ(last_, 400);
        ask("GET", route + "/{id}/signals", one + "/signals");
        EXPECT_EQ(last_, 200);
        ask("DELETE", of_one, one);
        EXPECT_EQ(last_, 200);
        ask("GET", of_one, one);
        EXPECT_EQ(last_, 404);
        ask("DELETE", of_one, one);
        // What a user did may be left though no such user is, so that deleting one is never in
        // vain.
        EXPECT_EQ(last_, route == "/users" ? 200 : 404);
    }
}

TEST_F(OpenApiReplies, RelationshipsSearchesAndSuggestions) {
    write("/items", R"({"entity_id":1,"creator_id":7,"metadata":{"title":"Jazz Piano"}})");
    const std::pair<const char*, const char*> all[] = {
        {"hides", "item_id"},     {"saves", "item_id"},    {"follows", "creator_id"},
        {"blocks", "creator_id"}, {"mutes", "creator_id"}, {"friends", "friend_id"}};
    const auto body = [](const char* kind, const char* target, int id) {
        return R"({"user_id":5,"kind":")" + std::string(kind) + R"(",")" + target + R"(":)" +
               std::to_string(id) + "}";
    };
    for (const auto& [kind, target] : all) write("/relationships", body(kind, target, 1));
    const auto listed = ask("GET", "/users/{id}/relationships", "/users/5/relationships");
    EXPECT_EQ(listed.at("relationships").as_array().size(), std::size(all));
    ask("GET", "/users/{id}/relationships", "/users/5/relationships?kind=mutes");
    EXPECT_EQ(last_, 200);
    ask("GET", "/users/{id}/relationships", "/users/5/relationships?kind=hates");
    EXPECT_EQ(last_, 400);
    ask("POST", "/relationships", "/relationships", body("hides", "item_id", 99));
    EXPECT_EQ(last_, 404);
    ask("POST", "/relationships", "/relationships", body("hates", "item_id", 1));
    EXPECT_EQ(last_, 400);
    for (const auto& [kind, target] : all)
        ask("DELETE", "/relationships", "/relationships", body(kind, target, 1));
    EXPECT_EQ(last_, 200);

    ask("GET", "/search", "/search?query=jazz&user_id=5");
    EXPECT_EQ(last_, 200);
    ask("GET", "/items/{id}/related", "/items/1/related?user_id=5");
    const auto suggested = ask("POST", "/suggest", "/suggest", R"({"query":"ja","user_id":5})");
    EXPECT_EQ(suggested.at("suggestions").as_array().size(), 1u);
    ask("POST", "/query", "/query", R"({"query":"SUGGEST 'ja' FOR USER 5"})");
    EXPECT_EQ(last_, 200);
    const std::string route = "/users/{id}/searches/{name}", one = "/users/5/searches/jazz";
    ask("PUT", route, one, R"({"query":"SEARCH items FOR 'jazz'"})");
    EXPECT_EQ(last_, 200);
    ask("GET", "/users/{id}/searches", "/users/5/searches");
    EXPECT_EQ(ask("GET", route, one).at("items").as_array().size(), 1u);
    ask("POST", route + "/look", one + "/look");
    EXPECT_EQ(last_, 200);
    ask("DELETE", route, one);
    EXPECT_EQ(last_, 200);
    ask("GET", route, one);
    EXPECT_EQ(last_, 404);
}

TEST_F(OpenApiReplies, FeedsQueriesAndComparisons) {
    write("/items",
          R"({"entity_id":1,"creator_id":7,"publish_at":1,"expires_at":9999999999999,)"
          R"("metadata":{"title":"B","category":"jazz","genres":["a","b"],"year":1990}})");
    write("/items", R"({"entity_id":"18446744073709551615","metadata":{"title":"a"}})");
    write("/items", R"({"entity_id":3,"metadata":{"category":"rock","year":2001}})");
    write("/signals", R"({"entity_id":1,"signal":"view","user_id":5,"idempotency_key":"k"})");
    write("/signals", R"({"undo":"k","entity_id":1})");
    ask("GET", "/items/{id}", "/items/1");
    ask("GET", "/items/{id}/signals", "/items/1/signals");
    ask("GET", "/items/{id}", "/items/99");
    EXPECT_EQ(last_, 404);
    write("/profiles", R"({"text":"profile mine version 1 { score sum(view, all) - age_hours; )"
                       R"(diversity max_per_creator 1; explore 50%; }"})");
    write("/experiments", R"({"text":"experiment e version 1 { arm mine@1; arm new@1; }"})");
    const auto all = ask("POST", "/feed", "/feed",
                         R"-({"profile":"mine","limit":2,"facets":"category, year ranges (1995)",)-"
                         R"("filter":"year > 1 OR title IS NOT NULL","explain":true,"seed":3,)"
                         R"("pin":[3],"group_by":"category","log_impressions":true})",
                         "Idempotency-Key: p1\r\n");
    EXPECT_EQ(last_, 200) << all;
    for (const char* key : {"facets", "filter", "impressions"})
        EXPECT_TRUE(all.as_object().contains(key)) << key;
    const auto explored = ask("GET", "/feed", "/feed?profile=mine&limit=2");
    EXPECT_NE(json::serialize(explored).find("\"explored\""), std::string::npos);
    ask("GET", "/feed", "/feed?experiment=e&user_id=5");
    EXPECT_EQ(last_, 200);
    ask("GET", "/feed", "/feed?experiment=e&profile=new&user_id=5");
    EXPECT_EQ(last_, 400) << "both choose the profile";
    ask("GET", "/feed", "/feed?profile=alphabetical_asc&limit=1");
    EXPECT_EQ(last_, 200);
    ask("GET", "/feed", "/feed?profile=nobody");
    EXPECT_EQ(last_, 400);
    ask("POST", "/query", "/query",
        R"({"query":"RETRIEVE items USING new FACETS category EXPLAIN LOG IMPRESSIONS"})");
    EXPECT_EQ(last_, 200);
    ask("POST", "/query", "/query", R"({"query":"RETRIEVE itmes"})");
    EXPECT_EQ(last_, 400);
    const auto compared = ask("GET", "/feed/compare", "/feed/compare?profile=new&with=old");
    EXPECT_FALSE(compared.at("moves").as_array().empty());
}

constexpr std::string_view kModel =
    "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nfeature_names=year\n"
    "feature_infos=none\n\nTree=0\nnum_leaves=2\nnum_cat=0\nsplit_feature=0\nthreshold=1\n"
    "decision_type=2\nleft_child=-1\nright_child=-2\nleaf_value=1 10\nis_linear=0\nshrinkage=1\n"
    "\n\nend of trees\n";

TEST_F(OpenApiReplies, TheCatalogue) {
    ask("GET", "/schema", "/schema");
    ask("GET", "/profiles", "/profiles");
    ask("GET", "/profiles/{name}", "/profiles/following");
    write("/profiles", R"({"text":"profile p version 1 { score unique(like, 24h); }"})");
    write("/experiments", R"({"text":"experiment e version 1 { arm p@1; arm new@1; }"})");
    ask("GET", "/experiments", "/experiments");
    ask("GET", "/experiments/{name}/results", "/experiments/e/results");
    ask("DELETE", "/experiments/{name}", "/experiments/e");
    write("/items", R"({"entity_id":1})");
    write("/cohorts", R"({"text":"cohort a version 1 { tracks view; where language = 'fr'; }"})");
    write("/cohorts", R"({"text":"cohort b version 1 { about 'B'; parent a; tracks view, like; )"
                      R"(at_least 5 events; where region = 'x'; }"})");
    EXPECT_EQ(ask("GET", "/cohorts", "/cohorts").at("cohorts").as_array().size(), 2u);
    EXPECT_EQ(ask("GET", "/cohorts/{name}", "/cohorts/b").at("events_7d"), 0);
    ask("GET", "/feed", "/feed?profile=cohort_trending&cohort=b");
    EXPECT_EQ(last_, 200);
    ask("DELETE", "/cohorts/{name}", "/cohorts/b");
    EXPECT_EQ(last_, 200);
    ask("PUT", "/collections/{name}", "/collections/shelf", R"({"description":"Ours"})");
    EXPECT_EQ(last_, 200);
    ask("POST", "/collections/{name}/items", "/collections/shelf/items",
        R"({"entity_id":1,"position":2})");
    EXPECT_EQ(last_, 200);
    EXPECT_EQ(ask("GET", "/collections", "/collections").at("collections").as_array().size(), 1u);
    ask("GET", "/collections/{name}", "/collections/shelf");
    ask("GET", "/collections/{name}/items", "/collections/shelf/items?limit=1");
    EXPECT_EQ(last_, 200);
    ask("DELETE", "/collections/{name}/items/{id}", "/collections/shelf/items/1");
    ask("DELETE", "/collections/{name}", "/collections/shelf");
    ask("DELETE", "/collections/{name}", "/collections/shelf");
    EXPECT_EQ(last_, 404);
    ask("DELETE", "/profiles/{name}", "/profiles/p");
    EXPECT_EQ(last_, 200);
    ask("PUT", "/models/{name}", "/models/m", json::serialize(json::object{{"text", kModel}}));
    EXPECT_EQ(last_, 200);
    EXPECT_EQ(ask("GET", "/models", "/models").at("models").as_array().size(), 1u);
    ask("GET", "/models/{name}", "/models/m");
    ask("DELETE", "/models/{name}", "/models/m");
    EXPECT_EQ(last_, 200);
    for (const char* route : {"/health", "/health/live", "/health/ready", "/healthz"})
        ask("GET", route, route);
}

TEST_F(OpenApiReplies, Backups) {
    write("/items", R"({"entity_id":1})");
    ask("POST", "/backups", "/backups", R"({"name":"one"})");
    EXPECT_EQ(last_, 202);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (ask("GET", "/backups/{name}", "/backups/one").at("state") == "running") {
        ASSERT_LT(std::chrono::steady_clock::now(), deadline);
        std::this_thread::yield();
    }
    EXPECT_EQ(ask("GET", "/backups", "/backups").at("backups").at(0).at("state"), "done");
    ask("DELETE", "/backups/{name}", "/backups/one");
    EXPECT_EQ(last_, 200);
    ask("GET", "/backups/{name}", "/backups/one");
    EXPECT_EQ(last_, 404);
}

/// The test of the test: it can fail.
TEST(OpenApiDescription, FindsWhatIsNotDescribed) {
    Description description;
    const auto check = [&](const char* reply) {
        return description.check("get", "/feed/compare", 200, json::parse(reply));
    };
    EXPECT_NE(check(R"({"left":1})").find(".left: is not \"object\""), std::string::npos);
    EXPECT_NE(check(R"({"common":1,"commun":2})").find(".commun: is not described"),
              std::string::npos);
    EXPECT_NE(check(R"({"common":1})").find("lacks \"moves\""), std::string::npos);
}

TEST_F(OpenApiReplies, ASingleServerSaysThatItIsOne) {
    const auto status = ask("GET", "/cluster/status", "/cluster/status");
    EXPECT_EQ(status.at("mode"), "standalone");
    EXPECT_EQ(status.at("nodes"), 1);
    EXPECT_EQ(ask("GET", "/cluster/nodes", "/cluster/nodes").at("nodes").as_array().size(), 1u);
    const auto shards = ask("GET", "/cluster/shards", "/cluster/shards");
    for (const json::value& shard : shards.at("shards").as_array())
        EXPECT_EQ(shard.at("role"), "leader");
    for (const json::value& shard : shards.at("shards").as_array())
        EXPECT_FALSE(shard.as_object().contains("content_hash"));
    const std::pair<const char*, const char*> acts[] = {
        {"/cluster/tokens", "/cluster/tokens"},
        {"/cluster/shards/{shard}/transfer", "/cluster/shards/1/transfer"},
        {"/health/drain", "/health/drain"}};
    for (const auto& [route, target] : acts) {
        EXPECT_EQ(ask("POST", route, target, "{}").at("code"), "single_node") << target;
        EXPECT_EQ(last_, 409);
    }
    ask("DELETE", "/cluster/nodes/{node}", "/cluster/nodes/1");
    EXPECT_EQ(last_, 409);
}

TEST_F(OpenApiReplies, ContentHashesAreOfWhatIsThere) {
    const auto hashes = [&] {
        json::array out;
        const auto reply = ask("GET", "/cluster/shards", "/cluster/shards?content_hash=on");
        EXPECT_EQ(last_, 200);
        for (const json::value& shard : reply.at("shards").as_array()) {
            EXPECT_EQ(shard.at("content_hash").as_string().size(), 16u);
            EXPECT_GT(shard.at("content_index").to_number<int>(), 0);
            out.push_back(json::array{shard.at("content_index"), shard.at("content_hash")});
        }
        return out;
    };
    const json::array before = hashes();
    write("/items", R"({"entity_id":1})");
    EXPECT_NE(hashes(), before);
    for (const char* other : {"", "true", "ON"})
        EXPECT_EQ(
            ask("GET", "/cluster/shards", std::string("/cluster/shards?content_hash=") + other)
                .at("field"),
            "content_hash");
    ask("GET", "/cluster/shards", "/cluster/shards?content_hash=off");
    EXPECT_EQ(last_, 200);
}

TEST_F(OpenApiReplies, ASingleServerTakesEveryConsistency) {
    write("/items", R"({"entity_id":1})");
    for (const char* level : {"strong", "bounded_staleness:0.5", "eventual"}) {
        ask("GET", "/items/{id}", std::string("/items/1?read_consistency=") + level);
        EXPECT_EQ(last_, 200) << level;
        const auto page = ask("POST", "/feed", "/feed", R"({"profile":"new"})",
                              std::string("Tidal-Read-Consistency: ") + level + "\r\n");
        EXPECT_EQ(page.at("staleness_ms"), 0);
    }
    EXPECT_EQ(ask("GET", "/schema", "/schema?read_consistency=weak").at("field"),
              "read_consistency");
    EXPECT_EQ(ask("GET", "/feed", "/feed", "", "Tidal-Read-Consistency: weak\r\n").at("field"),
              "Tidal-Read-Consistency");
    ask("GET", "/items/{id}", "/items/1?redirect=on");  // the leader is here
    EXPECT_EQ(last_, 200);
    EXPECT_EQ(ask("GET", "/items/{id}", "/items/1?redirect=yes").at("field"), "redirect");
    EXPECT_EQ(ask("GET", "/feed", "/feed?redirect=on").at("code"), "unknown_parameter");
}

TEST_F(OpenApiReplies, FromTheFirstKeyOnEveryRequestNeedsOne) {
    const auto make = [&](const char* name, const char* role, const std::string& as) {
        const auto made = ask("POST", "/keys", "/keys",
                              json::serialize(json::object{{"name", name}, {"role", role}}), as);
        const auto* key = made.as_object().if_contains("key");
        return key == nullptr ? std::string()
                              : "Authorization: Bearer " + std::string(key->as_string()) + "\r\n";
    };
    make("early", "reader", "");
    EXPECT_EQ(last_, 400);
    const std::string admin = make("root", "admin", "");
    const std::string writer = make("shop", "writer", admin);
    const std::string reader = make("page", "reader", admin);
    ask("GET", "/health", "/health");
    EXPECT_EQ(last_, 401);
    ask("GET", "/health", "/health", "", "Authorization: Bearer tdk1.none\r\n");
    EXPECT_EQ(last_, 401);
    ask("GET", "/healthz", "/healthz");
    EXPECT_EQ(last_, 200);
    const struct {
        const std::string& key;
        int read, written, declared;
    } roles[] = {{reader, 200, 403, 403}, {writer, 200, 200, 403}, {admin, 200, 200, 200}};
    for (const auto& role : roles) {
        ask("GET", "/feed", "/feed?profile=new", "", role.key);
        EXPECT_EQ(last_, role.read);
        ask("GET", "/feed", "/feed?profile=new&log_impressions=true", "", role.key);
        EXPECT_EQ(last_, role.written);
        ask("POST", "/query", "/query", R"({"query":"RETRIEVE items USING new LOG IMPRESSIONS"})",
            role.key);
        EXPECT_EQ(last_, role.written);
        ask("POST", "/items", "/items", R"({"entity_id":1})", role.key);
        EXPECT_EQ(last_, role.written);
        ask("POST", "/profiles", "/profiles",
            R"({"text":"profile p version 1 { score 1; }","dry_run":true})", role.key);
        EXPECT_EQ(last_, role.declared);
        ask("GET", "/keys", "/keys", "", role.key);
        EXPECT_EQ(last_, role.declared);
        ask("GET", "/cluster/shards", "/cluster/shards?content_hash=on", "", role.key);
        EXPECT_EQ(last_, role.declared);
        ask("GET", "/cluster/shards", "/cluster/shards", "", role.key);
        EXPECT_EQ(last_, 200);
    }
    EXPECT_EQ(ask("DELETE", "/keys/{name}", "/keys/root", "", admin).at("code"), "last_admin_key");
    ask("DELETE", "/keys/{name}", "/keys/shop", "", admin);
    EXPECT_EQ(last_, 200);
    ask("GET", "/items/{id}", "/items/1", "", writer);
    EXPECT_EQ(last_, 401);
}

}  // namespace openapi_replies_test
}  // namespace tidal::http
