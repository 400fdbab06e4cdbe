#include "cluster/certificates.h"

#include <gtest/gtest.h>

namespace tidal::cluster {
namespace certificates_test {

const std::string kCluster = "0123456789abcdef0123456789abcdef";
constexpr UnixMillis kNow = 1'800'000'000'000;
constexpr UnixMillis kDayMs = 86'400'000;

NodeIdentity node(std::uint32_t number) {
    return {kCluster, NodeId(number), std::string(32, 'd'), kFirstRegion};
}

class Certificates : public ::testing::Test {
protected:
    KeyAndCertificate authority_ = std::move(create_authority(kCluster, kNow)).value();
    std::string key_ = std::move(create_key()).value();
    std::string public_ = std::move(public_key_of(key_)).value();
    std::string certificate_ =
        std::move(issue_certificate(authority_, public_, node(3), kNow)).value();
};

TEST_F(Certificates, ANodeIsWhoItsAuthoritySaysItIs) {
    EXPECT_TRUE(check_certificate(certificate_, authority_.certificate, node(3), kNow).ok());
    const auto other = check_certificate(certificate_, authority_.certificate, node(4), kNow);
    ASSERT_FALSE(other.ok());
    EXPECT_EQ(other.error().code(), ErrorCode::kUnauthenticated);
    EXPECT_NE(other.error().to_string().find("/node/4/"), std::string::npos);
    EXPECT_NE(other.error().to_string().find("/node/3/"), std::string::npos);
}

TEST_F(Certificates, AnotherAuthorityOfTheSameNameDoesNotCount) {
    const auto other = std::move(create_authority(kCluster, kNow)).value();
    EXPECT_EQ(check_certificate(certificate_, other.certificate, node(3), kNow).error().code(),
              ErrorCode::kUnauthenticated);
    EXPECT_EQ(issue_certificate({authority_.key, other.certificate}, public_, node(3), kNow)
                  .error()
                  .code(),
              ErrorCode::kInvalidArgument);
}

TEST_F(Certificates, TheyCountInTheirTimeAndAnHourBefore) {
    const auto at = [&](UnixMillis now_ms) {
        return check_certificate(certificate_, authority_.certificate, node(3), now_ms).ok();
    };
    EXPECT_TRUE(at(kNow - 3'000'000));
    EXPECT_FALSE(at(kNow - 4'000'000));
    EXPECT_TRUE(at(kNow + (kNodeCertificateDays - 1) * kDayMs));
    EXPECT_FALSE(at(kNow + (kNodeCertificateDays + 1) * kDayMs));
}

TEST_F(Certificates, ANodeCannotSignForAnother) {
    const auto forged = issue_certificate({key_, certificate_}, public_, node(9), kNow);
    ASSERT_TRUE(forged.ok()) << "anyone can write such a thing";
    EXPECT_FALSE(check_certificate(*forged, authority_.certificate, node(9), kNow).ok());
    EXPECT_FALSE(check_certificate(*forged, certificate_, node(9), kNow).ok());
}

TEST_F(Certificates, TheHashNamesTheCertificate) {
    const auto hash = certificate_hash(authority_.certificate);
    ASSERT_TRUE(hash.ok());
    EXPECT_EQ(hash->size(), 32U);
    EXPECT_NE(*hash, *certificate_hash(certificate_));
    EXPECT_EQ(certificate_hash("nonsense").error().code(), ErrorCode::kInvalidArgument);
    EXPECT_EQ(public_key_of("nonsense").error().code(), ErrorCode::kInvalidArgument);
    EXPECT_EQ(issue_certificate(authority_, key_, node(3), kNow).error().code(),
              ErrorCode::kInvalidArgument)
        << "a private key is not a public one";
}

}  // namespace certificates_test
}  // namespace tidal::cluster
