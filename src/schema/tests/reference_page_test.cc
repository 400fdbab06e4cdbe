// docs/reference/schema.md: what it shows is a schema.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "schema/schema.h"

namespace tidal::schema {
namespace reference_page_test {

/// The fenced blocks of a kind, in order.
std::vector<std::string> blocks_of(const std::string& path, const std::string& kind) {
    std::ifstream file(path);
    std::vector<std::string> blocks;
    bool inside = false;
    for (std::string line; std::getline(file, line);) {
        if (inside && line == "```")
            inside = false;
        else if (inside)
            blocks.back() += line + "\n";
        else if (line == "```" + kind)
            inside = true, blocks.emplace_back();
    }
    return blocks;
}

TEST(SchemaReferencePage, EveryBlockIsASchema) {
    std::size_t count = 0;
    for (const char* kind : {"yaml", "json"})
        for (const std::string& block :
             blocks_of(TIDAL_SOURCE_DIR "/docs/reference/schema.md", kind)) {
            ++count;
            const auto parsed = parse_schema(block);
            ASSERT_TRUE(parsed.ok()) << parsed.error().to_string() << "\n" << block;
            // What it prints means the same.
            EXPECT_EQ(fingerprint(*parse_schema(print_schema(*parsed))), fingerprint(*parsed));
        }
    EXPECT_GE(count, 2u);
}

}  // namespace reference_page_test
}  // namespace tidal::schema
