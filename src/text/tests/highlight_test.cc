#include "text/highlight.h"

#include <gtest/gtest.h>

namespace tidal::text {
namespace highlight_test {

std::string marked(std::string_view query, std::string_view text, const std::string& field = "t") {
    const ParsedQuery parsed = parse_query(query, {"t", "other"});
    Highlighter highlighter({}, FieldId(0), field, parsed, {}, false);
    return highlighter.mark(text).value_or("nothing");
}

TEST(Highlight, MarksWhatTheQueryAsksFor) {
    EXPECT_EQ(marked("jazz pianos", "Piano, and all that JAZZ"),
              "<em>Piano</em>, and all that <em>JAZZ</em>");
    EXPECT_EQ(marked("\"so what\" pia*", "So what? Pianists."),
              "<em>So</em> <em>what</em>? <em>Pianists</em>.");
    EXPECT_EQ(marked("jazz -piano", "piano jazz"), "piano <em>jazz</em>");
    EXPECT_EQ(marked("(jazz OR blues) AND night", "a blue night"),
              "a <em>blue</em> <em>night</em>");
    EXPECT_EQ(marked("rock", "piano"), "nothing");
    EXPECT_EQ(marked("", "piano"), "nothing");
    EXPECT_EQ(marked("jazz", ""), "nothing");
}

TEST(Highlight, OfAFieldMarksWhatIsAskedOfThatField) {
    EXPECT_EQ(marked("t:jazz other:piano", "jazz piano"), "<em>jazz</em> piano");
    EXPECT_EQ(marked("t:jazz other:piano", "jazz piano", "other"), "jazz <em>piano</em>");
}

TEST(Highlight, IsSafeInAPage) {
    EXPECT_EQ(marked("jazz", "<script>jazz & \"more\"'s</script>"),
              "&lt;script&gt;<em>jazz</em> &amp; &quot;more&quot;&#39;s&lt;/script&gt;");
}

TEST(Highlight, KeepsAccentsAndPairsOfCharacters) {
    EXPECT_EQ(marked("CAFÉ", "le café noir"), "le <em>café</em> noir");
    EXPECT_EQ(marked("東京物語", "映画 東京物語 1953"), "映画 <em>東京物語</em> 1953");
    EXPECT_EQ(marked("東京", "東京物語"), "<em>東京</em>物語");
}

TEST(Highlight, OfALongTextIsWhereMostMarksAre) {
    std::string text = "jazz first";
    for (int i = 0; i < 100; ++i) text += " filler";
    text += " jazz piano and more jazz";
    for (int i = 0; i < 100; ++i) text += " filler";
    const std::string got = marked("jazz piano", text);
    EXPECT_NE(got.find("<em>jazz</em> <em>piano</em> and more <em>jazz</em>"), std::string::npos);
    EXPECT_EQ(got.find("first"), std::string::npos);
    EXPECT_TRUE(got.starts_with("…") && got.ends_with("…")) << got;
    EXPECT_LT(got.size(), kFragmentBytesMax + 50);
}

TEST(Highlight, NeverCutsACharacterOrFailsOnOddBytes) {
    std::string text;
    for (int i = 0; i < 400; ++i) text += "東";
    EXPECT_NE(marked("東東", text), "nothing");
    EXPECT_EQ(marked("jazz", "\xff\xfejazz\xc3"), "\xff\xfe<em>jazz</em>\xc3");
    EXPECT_NE(marked("a*", std::string(100'000, 'a')), "");
}

}  // namespace highlight_test
}  // namespace tidal::text
