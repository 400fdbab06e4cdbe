// ranking/tests/transcript.h: cases as text files: input lines, `----`, the answer, a blank line.
//
// Lines that start with `//` between cases are kept as they are. TIDAL_REWRITE_TESTDATA=1 writes
// what the code answers back to the file, to be read as a diff.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>

namespace tidal::ranking {

inline void run_transcript(const std::string& path,
                           const std::function<std::string(const std::string&)>& answer) {
    std::ifstream file(path);
    ASSERT_TRUE(file) << "no such transcript: " << path;
    std::string line, output, input;
    int cases = 0;
    int line_number = 0;
    while (std::getline(file, line)) {
        ++line_number;
        if (line != "----") {
            const bool between = input.empty() && (line.empty() || line.starts_with("//"));
            (between ? output : input) += line + "\n";
            continue;
        }
        ASSERT_FALSE(input.empty()) << path << ":" << line_number << ": a case without input";
        std::string expected;
        while (std::getline(file, line) && !line.empty()) {
            ++line_number;
            expected += line + "\n";
        }
        ++line_number;
        ++cases;
        const std::string got = answer(input.substr(0, input.size() - 1)) + "\n";
        EXPECT_EQ(got, expected) << path << ":" << line_number << "\n" << input;
        output += input + "----\n" + got + "\n";
        input.clear();
    }
    ASSERT_TRUE(input.empty()) << path << ": the last case has no answer";
    EXPECT_GT(cases, 0) << path;
    if (std::getenv("TIDAL_REWRITE_TESTDATA") != nullptr) {
        while (output.ends_with("\n\n")) output.pop_back();
        std::ofstream(path) << output;
    }
}

}  // namespace tidal::ranking
