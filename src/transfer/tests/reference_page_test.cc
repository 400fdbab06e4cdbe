// docs/reference/mapping.md: what it shows is a mapping, and the one that it says runs is that one.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "transfer/mapping.h"

namespace tidal::transfer {
namespace reference_page_test {

std::string text_of(const std::string& path) {
    std::ifstream file(path);
    std::ostringstream out;
    out << file.rdbuf();
    return out.str();
}

std::vector<std::string> file_names(const Mapping& mapping) {
    std::vector<std::string> names;
    for (const FileMapping& file : mapping.files) names.push_back(file.name);
    return names;
}

TEST(MappingReferencePage, EveryBlockIsAMapping) {
    const std::string page = text_of(TIDAL_SOURCE_DIR "/docs/reference/mapping.md");
    const std::string open = "```yaml\n", close = "\n```\n";
    std::vector<Mapping> found;
    for (auto at = page.find(open); at != std::string::npos; at = page.find(open, at)) {
        const auto begin = at + open.size();
        at = page.find(close, begin);
        ASSERT_NE(at, std::string::npos);
        const std::string block = page.substr(begin, at + 1 - begin);
        auto parsed = parse_mapping(block);
        ASSERT_TRUE(parsed.ok()) << parsed.error().to_string() << "\n" << block;
        found.push_back(std::move(*parsed));
    }
    ASSERT_GE(found.size(), 2u);
    const auto sample = parse_mapping(text_of(TIDAL_SOURCE_DIR "/examples/movielens/mapping.yaml"));
    ASSERT_TRUE(sample.ok()) << sample.error().to_string();
    EXPECT_EQ(file_names(found[0]), file_names(*sample));
    EXPECT_EQ(found[0].files[0].entity->fields.size(), sample->files[0].entity->fields.size());
}

}  // namespace reference_page_test
}  // namespace tidal::transfer
