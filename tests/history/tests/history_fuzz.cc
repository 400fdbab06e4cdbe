// Any bytes as a history: refused, or read, checked, written and read again as they were.
#include <cstdlib>
#include <string_view>

#include "tests/history/check.h"
#include "tests/history/history_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace tidal::history;
    const auto history = parse_history({reinterpret_cast<const char*>(data), size});
    if (!history.ok()) return 0;
    std::string text = file_head();
    for (const Operation& one : *history) text += to_line(one);
    const auto again = parse_history(text);
    if (!again.ok() || again->size() != history->size()) std::abort();
    const HistoryVerdict verdict = check_history(*history, {.configurations_max = 10'000});
    if (check_history(*again, {.configurations_max = 10'000}).answer != verdict.answer)
        std::abort();
    if (to_text(verdict).empty()) std::abort();
    return 0;
}
