// Any bytes as what somebody searches for, with conditions in it, as rules of synonyms, as the
// beginning of a text and as a text to mark: never a crash, and what comes of them is what it is
// said to be.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "query/bound_filter.h"
#include "query/internal/query_conditions.h"
#include "text/completion.h"
#include "text/highlight.h"
#include "text/synonyms.h"
#include "text/text_index.h"

namespace {

using namespace tidal;

void require(bool holds) {
    if (!holds) std::abort();
}

/// Safe in a page, and no mark in another.
void check_html(std::string_view html) {
    bool marked = false;
    for (std::size_t at = 0; at < html.size(); ++at) {
        require(html[at] != '>' && html[at] != '"' && html[at] != '\'');
        if (html[at] != '<') continue;
        const std::string_view tag = marked ? "</em>" : "<em>";
        require(html.substr(at).starts_with(tag));
        at += tag.size() - 1;
        marked = !marked;
    }
    require(!marked);
}

void index_and_mark(const text::ParsedQuery& query, std::string_view text) {
    text::TextIndex index;
    index.set_fields({{FieldId(0), "title", {}, {}}});
    index.change(Slot(0), FieldId(0), "", text);
    for (const bool typos : {false, true}) {
        text::Statistics statistics;
        for (const text::QueryNode* word : text::words_of(query.root))
            index.gather(*word, typos, &statistics);
        statistics.choose_words();
        text::Highlighter marks({}, FieldId(0), "title", query, statistics, typos);
        if (const auto html = marks.mark(text)) check_html(*html);
    }
}

}  // namespace

/// The query ends at the first NUL, the rules at the next one; the rest is a text.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const schema::Schema kSchema = *schema::parse_schema(schema::default_schema_yaml());
    std::string_view rest(reinterpret_cast<const char*>(data), size);
    const auto take = [&] {
        const std::string_view out = rest.substr(0, rest.find('\0'));
        rest.remove_prefix(std::min(out.size() + 1, rest.size()));
        return out;
    };
    const std::string_view words = take(), rules = take(), text = rest;
    for (const EntityKind kind : {EntityKind::kItem, EntityKind::kUser, EntityKind::kCreator}) {
        const query::QueryConditions taken = query::take_conditions(words, kSchema, kind);
        require(taken.words.size() <= words.size());
        if (!taken.filter) continue;
        const auto again = query::parse_filter(query::print_filter(*taken.filter));
        require(again.ok() ? *again == *taken.filter
                           : again.error().code() == ErrorCode::kTooLarge);
    }
    text::ParsedQuery query = text::parse_query(
        query::take_conditions(words, kSchema, EntityKind::kItem).words, {"title"});
    const std::size_t before = text::words_of(query.root).size();
    if (const auto synonyms = text::Synonyms::parse(rules); synonyms.ok()) {
        synonyms->expand(&query.root);
        require(text::words_of(query.root).size() <= before + text::kSynonymsAddedMax);
    }
    index_and_mark(query, text);
    const text::ParsedQuery begun = text::parse_completion(words, "title");
    require(text::words_of(begun.root).size() <= text::kCompletionWordsMax + 1);  // The last twice.
    index_and_mark(begun, text);
    return 0;
}
