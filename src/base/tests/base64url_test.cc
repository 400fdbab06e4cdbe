#include "base/base64url.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace tidal {
namespace base64url_test {

TEST(Base64Url, MatchesTheVectorsOfRfc4648) {
    EXPECT_EQ(base64url_encode(""), "");
    EXPECT_EQ(base64url_encode("f"), "Zg");
    EXPECT_EQ(base64url_encode("fo"), "Zm8");
    EXPECT_EQ(base64url_encode("foo"), "Zm9v");
    EXPECT_EQ(base64url_encode("foobar"), "Zm9vYmFy");
    EXPECT_EQ(base64url_encode("\xfb\xff"), "-_8");
}

TEST(Base64Url, RefusesWhatItNeverWrites) {
    EXPECT_FALSE(base64url_decode("A"));
    EXPECT_FALSE(base64url_decode("Zg=="));
    EXPECT_FALSE(base64url_decode("Zh")) << "spare bits set";
    EXPECT_FALSE(base64url_decode("a+b/"));
}

RC_GTEST_PROP(Base64Url, RoundTrips, (const std::string& bytes)) {
    RC_ASSERT(base64url_decode(base64url_encode(bytes)) == bytes);
}

}  // namespace base64url_test
}  // namespace tidal
