// Any bytes as a query and as texts: parsed, analysed, indexed, searched for and taken away again.
#include <cstdlib>
#include <string>
#include <string_view>

#include "text/search.h"

namespace {

struct Counter final : tidal::text::Collector {
    double least() const override { return 0; }
    void offer(double score, std::uint32_t) override {
        if (!(score >= 0)) std::abort();
        ++found;
    }
    int found = 0;
};

}  // namespace

/// The query ends at the first NUL; the rest are texts, each to a NUL.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace tidal;
    using namespace tidal::text;
    std::string_view rest(reinterpret_cast<const char*>(data), size);
    const std::string_view query = rest.substr(0, rest.find('\0'));
    rest.remove_prefix(query.size());
    const ParsedQuery parsed = parse_query(query, {"title", "body"});
    (void)print_node(parsed.root);
    static TextIndex& index = *new TextIndex;  // Empty again after each input.
    index.set_fields({{FieldId(0), "title", {}, {}}, {FieldId(1), "body", {"none", {"the"}}, {}}});
    std::vector<std::string> texts;
    for (std::size_t at = 0; at < rest.size() && texts.size() < 200;) {
        const std::size_t end = std::min(rest.find('\0', at), rest.size());
        texts.emplace_back(rest.substr(at, end - at));
        at = end + 1;
    }
    const auto change = [&](bool add) {
        for (std::uint32_t i = 0; i < texts.size(); ++i)
            index.change(Slot(i / 2), FieldId(i % 2), add ? "" : texts[i], add ? texts[i] : "");
    };
    change(true);
    Statistics statistics;
    index.gather_fields(&statistics);
    for (const QueryNode* word : words_of(parsed.root)) {
        index.gather(*word, false, &statistics);
        index.gather(*word, true, &statistics);
    }
    statistics.choose_words();
    Counter all;
    Search(index, parsed.root, statistics, true).run(all, nullptr, [](double) { return true; });
    std::vector<Slot> slots;
    for (std::uint32_t i = 0; i < 100; ++i) slots.emplace_back(i);
    std::vector<double> scores(slots.size());
    Search(index, parsed.root, statistics, true).scores(slots, scores);
    int scored = 0;
    for (const double score : scores) scored += score > 0 ? 1 : 0;
    if (scored != all.found) std::abort();
    change(false);
    if (index.stats().documents != 0 || index.stats().words != 0) std::abort();
    return 0;
}
