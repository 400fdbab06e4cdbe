// docs/reference/errors.md and error_table() say the same.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "base/error.h"

namespace tidal {
namespace errors_page_test {

std::string rendered_table() {
    std::string out = "| code | HTTP | SQLSTATE | what the caller can do |\n|---|---|---|---|\n";
    for (const auto& row : error_table()) {
        out += "| `" + std::string(row.name) + "` | " + std::to_string(row.http_status) + " | " +
               std::string(row.sqlstate) + " | " + std::string(row.advice) + " |\n";
    }
    return out;
}

TEST(ErrorsPage, HoldsTheTable) {
    std::ifstream file(std::string(TIDAL_SOURCE_DIR) + "/docs/reference/errors.md");
    std::stringstream page;
    page << file.rdbuf();
    EXPECT_NE(page.str().find(rendered_table()), std::string::npos)
        << "docs/reference/errors.md must hold exactly this table:\n"
        << rendered_table();
}

}  // namespace errors_page_test
}  // namespace tidal
