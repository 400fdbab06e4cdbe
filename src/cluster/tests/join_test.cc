#include "cluster/join.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "cluster/certificates.h"
#include "cluster/peer_packet.h"
#include "runtime/secret.h"

namespace tidal::cluster {
namespace join_test {

const std::string kCluster = "0123456789abcdef0123456789abcdef";
const std::string kInstance = "fedcba9876543210fedcba9876543210";
constexpr UnixMillis kNow = 1'800'000'000'000;

class Joining : public ::testing::Test {
protected:
    Joining() {
        token_ = {77, std::move(runtime::secret_bytes(kJoinKeyBytes)).value(), kCluster,
                  *certificate_hash(authority_.certificate), kNow + 3'600'000};
        request_.token_id = token_.id;
        request_.nonce = std::move(runtime::secret_bytes(16)).value();
        request_.instance_id = kInstance;
        request_.region = RegionId(2);
        request_.public_key = *public_key_of(key_);
        request_.address = "node-3:9502";
        request_.http_address = "node-3:9500";
        bytes_ = encode_join_request(request_, token_.key);
    }
    JoinAccepted accepted() {
        JoinAccepted accepted;
        accepted.identity = {kCluster, NodeId(3), kInstance, RegionId(2)};
        accepted.secret = std::string(64, 'e');
        accepted.shards = 8;
        accepted.replicas = 3;
        accepted.authority = authority_.certificate;
        accepted.authority_key = authority_.key;
        accepted.certificate =
            std::move(issue_certificate(authority_, request_.public_key, accepted.identity, kNow))
                .value();
        accepted.peers = {{NodeId(1), "node-1:9502"}, {NodeId(2), "node-2:9502"}};
        return accepted;
    }
    Result<JoinAccepted> answered(const JoinAccepted& accepted) {
        const auto sealed = seal_join_answer(accepted, bytes_, token_.key);
        EXPECT_TRUE(sealed.ok());
        EXPECT_LT(sealed->size(), kJoinBytesMax);
        return open_join_answer(*sealed, token_, request_, bytes_, kNow);
    }

    KeyAndCertificate authority_ = std::move(create_authority(kCluster, kNow)).value();
    std::string key_ = std::move(create_key()).value();
    JoinToken token_;
    JoinRequest request_;
    std::string bytes_;
};

TEST_F(Joining, ATokenIsOneLineOfTextThatNoticesEveryChange) {
    const std::string text = print_join_token(token_);
    EXPECT_EQ(text.find_first_of(" \n+/="), std::string::npos);
    const auto parsed = parse_join_token("  " + text + "\n");
    ASSERT_TRUE(parsed.ok());
    EXPECT_EQ(*parsed, token_);
    for (std::size_t at = 0; at < text.size(); ++at) {
        std::string bad = text;
        bad[at] = bad[at] == 'A' ? 'B' : 'A';
        const auto refused = parse_join_token(bad);
        ASSERT_FALSE(refused.ok()) << at;
        EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidArgument);
        EXPECT_FALSE(parse_join_token(text.substr(0, at)).ok());
    }
    EXPECT_FALSE(parse_join_token(text + "A").ok());
}

TEST_F(Joining, ARequestIsBelievedWithItsTokenOnly) {
    const auto decoded = decode_join_request(bytes_);
    ASSERT_TRUE(decoded.ok()) << decoded.error().to_string();
    EXPECT_EQ(*decoded, request_);
    EXPECT_TRUE(check_join_request(bytes_, token_.key).ok());
    EXPECT_EQ(bytes_.find(token_.key), std::string::npos) << "the key never travels";
    EXPECT_FALSE(check_join_request(bytes_, std::string(32, 'k')).ok());
    for (std::size_t at = 0; at < bytes_.size(); ++at) {
        std::string bad = bytes_;
        bad[at] = static_cast<char>(bad[at] ^ 1);
        EXPECT_FALSE(check_join_request(bad, token_.key).ok()) << at;
    }
}

TEST_F(Joining, TheAnswerMakesTheNewNodeAMember) {
    const JoinAccepted sent = accepted();
    const auto got = answered(sent);
    ASSERT_TRUE(got.ok()) << got.error().to_string();
    EXPECT_EQ(*got, sent);
    EXPECT_TRUE(check_certificate(got->certificate, got->authority, got->identity, kNow).ok());
}

TEST_F(Joining, NobodyElseOpensOrChangesTheAnswer) {
    const std::string sealed = *seal_join_answer(accepted(), bytes_, token_.key);
    EXPECT_EQ(sealed.find("BEGIN"), std::string::npos);
    JoinToken other = token_;
    other.key = std::string(32, 'k');
    EXPECT_EQ(open_join_answer(sealed, other, request_, bytes_, kNow).error().code(),
              ErrorCode::kUnauthenticated);
    JoinRequest again = request_;
    again.nonce = std::string(16, 'n');
    const std::string again_bytes = encode_join_request(again, token_.key);
    EXPECT_FALSE(open_join_answer(sealed, token_, again, again_bytes, kNow).ok())
        << "an answer of an earlier request";
    for (std::size_t at = 0; at < sealed.size(); at += 7) {
        std::string bad = sealed;
        bad[at] = static_cast<char>(bad[at] ^ 1);
        EXPECT_FALSE(open_join_answer(bad, token_, request_, bytes_, kNow).ok()) << at;
        EXPECT_FALSE(open_join_answer(sealed.substr(0, at), token_, request_, bytes_, kNow).ok());
    }
}

TEST_F(Joining, AnAnswerThatDoesNotFitIsRefused) {
    JoinAccepted wrong = accepted();
    wrong.identity.cluster_id = std::string(32, 'b');
    EXPECT_NE(answered(wrong).error().to_string().find("another cluster"), std::string::npos);
    wrong = accepted();
    wrong.identity.instance_id = std::string(32, 'b');
    EXPECT_NE(answered(wrong).error().to_string().find("another data directory"),
              std::string::npos);
    wrong = accepted();
    wrong.identity.node = NodeId(4);
    EXPECT_NE(answered(wrong).error().to_string().find("for another node"), std::string::npos);
    const auto strangers = std::move(create_authority(kCluster, kNow)).value();
    wrong = accepted();
    wrong.authority = strangers.certificate;
    EXPECT_NE(answered(wrong).error().to_string().find("not the one of the token"),
              std::string::npos);
}

TEST_F(Joining, ARefusalSaysWhy) {
    const auto refused =
        open_join_answer(refuse_join(Error(ErrorCode::kConflict, "the token was used")), token_,
                         request_, bytes_, kNow);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code(), ErrorCode::kConflict);
    EXPECT_EQ(refused.error().message(), "the token was used");
}

RC_GTEST_PROP(JoinBytes, AnyBytesAreReadOrRefused, (const std::string& noise)) {
    const std::string request = encode_join_request({}, "key");
    const JoinToken token{1, "key", kCluster, "", 0};
    for (const std::string& bytes :
         {noise, request.substr(0, 5) + noise, std::string("TDJA\1\1") + noise,
          std::string("TDJA\1\2") + noise}) {
        (void)decode_join_request(bytes);
        (void)check_join_request(bytes, "key");
        RC_ASSERT(!open_join_answer(bytes, token, {}, request, 0).ok());
        (void)parse_join_token("tdj1." + noise);
    }
}

}  // namespace join_test
}  // namespace tidal::cluster
