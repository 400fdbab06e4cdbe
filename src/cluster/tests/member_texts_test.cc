// The texts a cluster keeps of itself: their golden form, and that nothing else is taken for one.
#include "cluster/member_texts.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace tidal::cluster {
namespace member_texts_test {

Member a_member() {
    return {.node = NodeId(7),
            .instance_id = "00112233445566778899aabbccddeeff",
            .region = RegionId(2),
            .peer_address = "db7.example.org:9600",
            .http_address = "[::1]:9500",
            .state = MemberState::kActive,
            .joined_ms = 1'767'225'600'000};
}
constexpr std::string_view kMember =
    "node 7\n"
    "instance_id 00112233445566778899aabbccddeeff\n"
    "region 2\n"
    "peer_address db7.example.org:9600\n"
    "http_address [::1]:9500\n"
    "state active\n"
    "joined_ms 1767225600000\n";

JoinTokenRecord a_token() {
    return {.id = 0xfedcba9876543210,
            .key = std::string(31, 'k') + '\0',
            .expires_ms = 1'767'225'600'001,
            .used_by = NodeId(3),
            .nonce = std::string(16, '\xff')};
}
constexpr std::string_view kToken =
    "id 18364758544493064720\n"
    "key 6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b00\n"
    "expires_ms 1767225600001\n"
    "used_by 3\n"
    "nonce ffffffffffffffffffffffffffffffff\n";

ApiKeyRecord a_key() {
    return {.id = "nightly_reports-2",
            .hash = std::string(32, 'h'),
            .role = ApiRole::kWriter,
            .created_ms = 5,
            .expires_ms = 6};
}
constexpr std::string_view kKey =
    "id nightly_reports-2\n"
    "hash 6868686868686868686868686868686868686868686868686868686868686868\n"
    "role writer\n"
    "created_ms 5\n"
    "expires_ms 6\n";

TEST(MemberTexts, AreTheGoldenOnes) {
    EXPECT_EQ(print_member(a_member()), kMember);
    EXPECT_EQ(print_join_token_record(a_token()), kToken);
    EXPECT_EQ(print_api_key(a_key()), kKey);
    EXPECT_TRUE(parse_member(kMember).ok() && *parse_member(kMember) == a_member());
    EXPECT_TRUE(parse_join_token_record(kToken).ok() &&
                *parse_join_token_record(kToken) == a_token());
    EXPECT_TRUE(parse_api_key(kKey).ok() && *parse_api_key(kKey) == a_key());
    EXPECT_EQ(member_name(NodeId(7)), "7");
    EXPECT_EQ(join_token_name(0xab), "00000000000000ab");
    EXPECT_EQ(*parse_member_name("4294967295"), NodeId(4294967295U));
    for (const char* name : {"", "0", "07", "-1", "4294967296", "7 ", "x"})
        EXPECT_EQ(parse_member_name(name).error().code(), ErrorCode::kCorruption) << name;
}

TEST(MemberTexts, WhatIsNotSetHasNoLine) {
    Member member = a_member();
    member.http_address.clear();
    EXPECT_EQ(print_member(member).find("http_address"), std::string::npos);
    EXPECT_EQ(*parse_member(print_member(member)), member);
    JoinTokenRecord token = a_token();
    token.used_by = kNoNode;
    token.nonce.clear();
    EXPECT_EQ(*parse_join_token_record(print_join_token_record(token)), token);
    ApiKeyRecord key = a_key();
    key.expires_ms = 0;
    EXPECT_EQ(*parse_api_key(print_api_key(key)), key);
}

/// `text` with the line of `key` in another form.
std::string with_line(std::string_view text, std::string_view key, std::string_view line) {
    std::string out(text);
    const std::size_t at = out.find(std::string(key) + " ");
    EXPECT_NE(at, std::string::npos) << key;
    out.replace(at, out.find('\n', at) + 1 - at, line);
    return out;
}

TEST(MemberTexts, UnknownKeysAreIncompatible) {
    for (const auto& text : {std::string(kMember) + "zone eu\n", "zone eu\n" + std::string(kMember),
                             with_line(kMember, "state", "state active\nzone eu\n"),
                             with_line(kMember, "http_address", "zone eu\n")})
        EXPECT_EQ(parse_member(text).error().code(), ErrorCode::kIncompatible) << text;
    EXPECT_EQ(parse_api_key(std::string(kKey) + "quota 7\n").error().code(),
              ErrorCode::kIncompatible);
    EXPECT_EQ(parse_join_token_record(std::string(kToken) + "uses 7\n").error().code(),
              ErrorCode::kIncompatible);
}

TEST(MemberTexts, AnyOtherFormIsDamage) {
    const std::string cases[] = {
        "",
        std::string(kMember) + "\n",
        std::string(kMember) + std::string(kMember),
        std::string(kMember.substr(0, kMember.size() - 1)),
        with_line(kMember, "state", ""),
        with_line(kMember, "region", "region 2\nregion 2\n"),
        with_line(kMember, "node", "node 0\n"),
        with_line(kMember, "node", "node 07\n"),
        with_line(kMember, "node", "node +7\n"),
        with_line(kMember, "node", "node 4294967296\n"),
        with_line(kMember, "region", "region 65536\n"),
        with_line(kMember, "instance_id", "instance_id 0011\n"),
        with_line(kMember, "instance_id", "instance_id 00112233445566778899AABBCCDDEEFF\n"),
        with_line(kMember, "peer_address", "peer_address \n"),
        with_line(kMember, "peer_address", "peer_address a b\n"),
        with_line(kMember, "http_address", "http_address \n"),
        with_line(kMember, "state", "state gone\n"),
        with_line(kMember, "joined_ms", "joined_ms -1\n"),
    };
    for (const std::string& text : cases) {
        ASSERT_FALSE(parse_member(text).ok()) << text;
        EXPECT_EQ(parse_member(text).error().code(), ErrorCode::kCorruption) << text;
    }
    EXPECT_FALSE(parse_join_token_record(with_line(kToken, "nonce", "")).ok());
    EXPECT_FALSE(parse_join_token_record(with_line(kToken, "used_by", "")).ok());
    EXPECT_FALSE(parse_join_token_record(with_line(kToken, "used_by", "used_by 0\n")).ok());
    EXPECT_FALSE(parse_join_token_record(with_line(kToken, "key", "key 6b\n")).ok());
    EXPECT_FALSE(parse_api_key(with_line(kKey, "expires_ms", "expires_ms 0\n")).ok());
    EXPECT_FALSE(parse_api_key(with_line(kKey, "role", "role root\n")).ok());
    EXPECT_FALSE(parse_api_key(with_line(kKey, "id", "id A\n")).ok());
}

TEST(MemberTexts, WhatOthersGaveIsCheckedBeforeItIsPrinted) {
    EXPECT_TRUE(check_member(a_member()).ok());
    Member member = a_member();
    member.peer_address = "host:1\nstate left";
    EXPECT_EQ(check_member(member).error().field(), "peer_address");
    member = a_member();
    member.http_address = std::string(256, 'x');
    EXPECT_EQ(check_member(member).error().field(), "http_address");
    ApiKeyRecord key = a_key();
    key.id = "Reports";
    EXPECT_EQ(check_api_key(key).error().field(), "id");
    JoinTokenRecord token = a_token();
    token.nonce.clear();
    EXPECT_EQ(check_join_token(token).error().field(), "nonce");
}

RC_GTEST_PROP(MemberTextsProperty, OneChangedByteIsNeverTakenForTheSameText, ()) {
    const std::string_view texts[] = {kMember, kToken, kKey};
    std::string text(texts[*rc::gen::inRange(0, 3)]);
    const auto at = *rc::gen::inRange<std::size_t>(0, text.size());
    text[at] =
        *rc::gen::suchThat(rc::gen::arbitrary<char>(), [&](char c) { return c != text[at]; });
    if (const auto member = parse_member(text)) RC_ASSERT(print_member(*member) == text);
    if (const auto token = parse_join_token_record(text))
        RC_ASSERT(print_join_token_record(*token) == text);
    if (const auto key = parse_api_key(text)) RC_ASSERT(print_api_key(*key) == text);
}

}  // namespace member_texts_test
}  // namespace tidal::cluster
