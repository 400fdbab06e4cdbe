// text/internal/query_binder.h: a query's tree as cursors over one shard's postings.
#pragma once

#include <optional>
#include <vector>

#include "text/internal/cursor.h"
#include "text/query_parser.h"
#include "text/statistics.h"
#include "text/text_index.h"

namespace tidal::text {

struct BoundQuery {
    CursorPtr wanted;  ///< nullptr = nothing matches here; else...
    /// ...instead of it, where one of each group matches: their scores are added, in this order
    /// those of a group, and then those of groups.
    std::vector<WeightedTerm> terms;
    CursorPtr unwanted;  ///< Beside `terms`; nullptr = nothing is.
    bool empty() const { return wanted == nullptr && terms.empty(); }
};

class QueryBinder {
public:
    QueryBinder(const TextIndex& index, const Statistics& statistics, bool typos)
        : index_(index), statistics_(statistics), typos_(typos) {}

    BoundQuery bind(const QueryNode& root);

private:
    using Terms = std::vector<WeightedTerm>;

    /// nullptr = nothing matches.
    CursorPtr cursor(const QueryNode& node, bool needed);
    CursorPtr word_cursor(const QueryNode& node, bool needed);
    CursorPtr all_cursor(const QueryNode& node);
    CursorPtr any_cursor(const QueryNode& node, bool needed);
    CursorPtr phrase_cursor(FieldId field, const std::vector<Token>& tokens);
    /// False = it is more than terms of which any may match.
    bool flatten(const QueryNode& node, Terms* out);
    /// False = it is more than words each of which is needed; else `terms` has a group for each of
    /// them, or nothing where one is not there.
    bool flatten_all(const QueryNode& root, BoundQuery* out);
    bool is_one_term(const QueryNode& word);
    void append_unwanted(const QueryNode& node, std::vector<CursorPtr>* out);
    void append_terms(const QueryNode& node, Terms* out);
    void append_words(FieldId field, Expansion::Kind kind, const std::string& text, Terms* out);
    void append_term(FieldId field, const std::string& term, const Bm25& scoring, Terms* out);
    Bm25 scoring(FieldId field, std::uint64_t holders) const;
    std::uint64_t holders(FieldId field, const std::string& term) const;

    const TextIndex& index_;
    const Statistics& statistics_;
    const bool typos_;
};

}  // namespace tidal::text
