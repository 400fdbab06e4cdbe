#include "http/access.h"

#include <gtest/gtest.h>

namespace tidal::http {
namespace access_test {

TEST(Access, EachRouteAsksForARole) {
    const struct {
        Method method;
        const char* pattern;
        Access access;
    } routes[] = {
        {Method::kGet, "/items/{id}", Access::kRead},
        {Method::kHead, "/items/{id}", Access::kRead},
        {Method::kPost, "/items", Access::kWrite},
        {Method::kPatch, "/users/{id}", Access::kWrite},
        {Method::kDelete, "/creators/{id}", Access::kWrite},
        {Method::kPost, "/signals", Access::kWrite},
        {Method::kPost, "/import", Access::kWrite},
        {Method::kPost, "/feed", Access::kRead},
        {Method::kPost, "/query", Access::kRead},
        {Method::kGet, "/export/signals", Access::kRead},
        {Method::kGet, "/metrics", Access::kRead},
        {Method::kGet, "/cluster/nodes", Access::kRead},
        {Method::kPut, "/schema", Access::kDeclare},
        {Method::kPost, "/profiles", Access::kDeclare},
        {Method::kDelete, "/models/{name}", Access::kDeclare},
        {Method::kGet, "/backups", Access::kDeclare},
        {Method::kGet, "/keys", Access::kOperate},
        {Method::kDelete, "/keys/{name}", Access::kOperate},
        {Method::kPost, "/cluster/tokens", Access::kOperate},
        {Method::kDelete, "/cluster/nodes/{node}", Access::kOperate},
        {Method::kPost, "/health/drain", Access::kOperate},
        // Not below /items: what nobody listed is for administrators.
        {Method::kPost, "/itemsets", Access::kDeclare},
    };
    for (const auto& route : routes)
        EXPECT_EQ(access_for(route.method, route.pattern), route.access)
            << method_name(route.method) << " " << route.pattern;
}

TEST(Access, RolesIncludeThoseBefore) {
    EXPECT_EQ(access_of(api::KeyRole::kReader), Access::kRead);
    EXPECT_EQ(access_of(api::KeyRole::kWriter), Access::kWrite);
    EXPECT_EQ(access_of(api::KeyRole::kAdmin), Access::kOperate);
}

Request with_authorization(const char* value) {
    Request request;
    request.headers.add("Authorization", value);
    return request;
}

TEST(Access, TakesABearersKey) {
    EXPECT_EQ(**bearer_key(with_authorization("Bearer tdk1.a")), "tdk1.a");
    EXPECT_EQ(**bearer_key(with_authorization("bearer   tdk1.a")), "tdk1.a");
    EXPECT_EQ(*bearer_key(Request()), std::nullopt);
    for (const char* other : {"Basic dXNlcg==", "tdk1.a", "", "Bearer"}) {
        const auto key = bearer_key(with_authorization(other));
        ASSERT_FALSE(key.ok()) << other;
        EXPECT_EQ(key.error().code(), ErrorCode::kUnauthenticated);
    }
}

TEST(Access, OnlyProbesAreOpen) {
    Request request;
    for (const char* path : {"/healthz", "/health/live", "/health/ready"}) {
        request.path = path;
        EXPECT_TRUE(is_open_to_all(request)) << path;
    }
    for (const char* path : {"/health", "/metrics", "/health/drain", "/healthz/"}) {
        request.path = path;
        EXPECT_FALSE(is_open_to_all(request)) << path;
    }
    request.path = "/healthz";
    request.method = Method::kPost;
    EXPECT_FALSE(is_open_to_all(request));
}

}  // namespace access_test
}  // namespace tidal::http
