#include "query/query_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

#include "query/internal/query_words.h"

namespace tidal::query {
namespace {

constexpr EntityKind kKinds[] = {EntityKind::kItem, EntityKind::kUser, EntityKind::kCreator};

/// "items"
std::string kind_word(EntityKind kind) {
    return std::string(entity_kind_name(kind)) + "s";
}

using ranking::Token;
using ranking::TokenKind;
using ranking::TokenStream;

///   query   := RETRIEVE kind clauses | SEARCH kind FOR STRING clauses
///            | SUGGEST STRING { FOR USER id | LIMIT n }
///   clauses := { USING NAME [@ n] | EXPERIMENT NAME | WITH NAME = number { , NAME = number } |
///              FOR USER id | SESSION n [FRESH] | COHORT NAME | SIMILAR TO id | VECTOR ( number { ,
///              number } ) | WHERE filter | EXCLUDE id { , id } | FACETS facets | SEED n | LIMIT n
///              | ORDER BY sort | GROUP BY group | DIVERSIFY diversity | PIN id { , id } | BURY id
///              { , id } | FIELDS (NONE | NAME { , NAME }) | EFFORT (LOW | DEFAULT | HIGH | EXACT)
///              | AFTER STRING | EXPLAIN | LOG IMPRESSIONS }
class QueryParser {
public:
    explicit QueryParser(std::string_view text) : tokens_(text) {}

    Result<Query> parse() {
        note("");
        TIDAL_TRY(verb());
        while (tokens_.peek().kind != TokenKind::kEnd) {
            const std::uint32_t offset = tokens_.peek().offset;
            TIDAL_TRY(clause());
            if (!query_.profile.empty() && !query_.experiment.empty())
                return tokens_.error(ErrorCode::kInvalidArgument, offset,
                                     "USING and EXPERIMENT both choose the profile");
        }
        return std::move(query_);
    }

private:
    struct Clause {
        std::string_view word;
        Result<void> (QueryParser::*read)();
    };
    static constexpr std::size_t kClauses = 24;

    static const std::array<Clause, kClauses>& clauses() {
        static constexpr std::array<Clause, kClauses> kAll{{
            {"USING", &QueryParser::read_profile},   {"WITH", &QueryParser::read_params},
            {"FOR", &QueryParser::read_user},        {"COHORT", &QueryParser::read_cohort},
            {"SIMILAR", &QueryParser::read_similar}, {"VECTOR", &QueryParser::read_vector},
            {"WHERE", &QueryParser::read_filter},    {"EXCLUDE", &QueryParser::read_exclude},
            {"FACETS", &QueryParser::read_facets},   {"ORDER", &QueryParser::read_sort},
            {"GROUP", &QueryParser::read_group},     {"DIVERSIFY", &QueryParser::read_diversity},
            {"PIN", &QueryParser::read_pin},         {"BURY", &QueryParser::read_bury},
            {"FIELDS", &QueryParser::read_fields},   {"HIGHLIGHT", &QueryParser::read_highlight},
            {"EFFORT", &QueryParser::read_effort},   {"SEED", &QueryParser::read_seed},
            {"LIMIT", &QueryParser::read_limit},     {"AFTER", &QueryParser::read_cursor},
            {"EXPLAIN", &QueryParser::read_explain}, {"LOG", &QueryParser::read_log},
            {"SESSION", &QueryParser::read_session}, {"EXPERIMENT", &QueryParser::read_experiment},
        }};
        return kAll;
    }

    Error unknown_word(std::string_view what, std::span<const std::string_view> known) const {
        std::string upper(tokens_.peek().text);
        for (char& c : upper)
            if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
        Error error = tokens_.expected(what);
        if (tokens_.peek().kind == TokenKind::kName)
            return std::move(error).with_hint(ranking::suggestion(upper, "known", known));
        return error;
    }

    /// What comes next is what errors with this field are about.
    void note(std::string_view field) {
        query_.words[std::string(field)].push_back(tokens_.peek().offset);
    }

    Result<void> verb() {
        constexpr std::string_view kVerbs[] = {"RETRIEVE", "SEARCH", "SUGGEST"};
        if (accept_keyword(&tokens_, "suggest")) {
            query_.verb = Query::Verb::kSuggest;
            return read_text("the beginning of a word in single quotes");
        }
        if (accept_keyword(&tokens_, "search")) {
            query_.verb = Query::Verb::kSearch;
            TIDAL_TRY(ranked_kind());
            if (!accept_keyword(&tokens_, "for")) return tokens_.expected("FOR 'text'");
            return read_text("the text to search for in single quotes");
        }
        if (!accept_keyword(&tokens_, "retrieve"))
            return unknown_word("RETRIEVE, SEARCH or SUGGEST", kVerbs);
        return ranked_kind();
    }

    Result<void> ranked_kind() {
        for (const EntityKind kind : kKinds)
            if (accept_keyword(&tokens_, kind_word(kind))) {
                query_.kind = kind;
                return {};
            }
        return tokens_.expected("`items`, `users` or `creators`");
    }

    Result<void> read_text(std::string_view what) {
        if (tokens_.peek().kind != TokenKind::kString) return tokens_.expected(what);
        note("query");
        query_.text = ranking::unquote(tokens_.take());
        return {};
    }

    Result<void> clause() {
        const std::uint32_t offset = tokens_.peek().offset;
        const bool suggest = query_.verb == Query::Verb::kSuggest;
        std::vector<std::string_view> known;
        for (std::size_t i = 0; i < kClauses; ++i) {
            const Clause& clause = clauses()[i];
            if (suggest && clause.word != "FOR" && clause.word != "LIMIT") continue;
            known.push_back(clause.word);
            if (!at_keyword(tokens_, lower(clause.word))) continue;
            if (std::exchange(seen_[i], true))
                return tokens_.error(ErrorCode::kInvalidArgument, offset,
                                     std::string(clause.word) + " is given twice");
            if (clause.word == "LOG") note("log_impressions");
            tokens_.take();
            return (this->*clause.read)();
        }
        return unknown_word(
            suggest ? "FOR USER, LIMIT or the end" : "a clause such as WHERE, or the end", known);
    }

    Result<void> read_profile() {
        note("profile");
        TIDAL_ASSIGN(query_.profile, take_name(&tokens_, "the name of a profile"));
        if (!tokens_.accept_symbol("@")) return {};
        TIDAL_ASSIGN(const std::uint64_t version,
                     take_whole_number(&tokens_, 0, std::numeric_limits<std::uint32_t>::max()));
        query_.profile += "@" + std::to_string(version);
        return {};
    }

    Result<double> take_number() {
        const bool minus = tokens_.accept_symbol("-");
        const Token token = tokens_.peek();
        if (token.kind != TokenKind::kNumber) return tokens_.expected("a number");
        if (!std::isfinite(token.number))
            return tokens_.error(ErrorCode::kInvalidArgument, token.offset, "number out of range");
        tokens_.take();
        return minus ? -token.number : token.number;
    }

    Result<void> read_params() {
        do {
            const std::uint32_t offset = tokens_.peek().offset;
            TIDAL_ASSIGN(std::string name, take_name(&tokens_, "the name of a parameter"));
            query_.words["params." + name].push_back(offset);
            TIDAL_TRY(tokens_.expect_symbol("="));
            TIDAL_ASSIGN(const double number, take_number());
            if (!query_.params.emplace(name, number).second)
                return tokens_.error(ErrorCode::kInvalidArgument, offset,
                                     "the parameter `" + name + "` is given twice");
        } while (tokens_.accept_symbol(","));
        return {};
    }

    Result<Literal> take_id(std::string_view what) {
        const Token token = tokens_.peek();
        const bool number = token.kind == TokenKind::kNumber &&
                            token.text.find_first_not_of("0123456789") == std::string_view::npos;
        if (!number && token.kind != TokenKind::kString) return tokens_.expected(what);
        Literal out{.kind = number ? Literal::Kind::kNumber : Literal::Kind::kString,
                    .text = number ? std::string(token.text) : ranking::unquote(token),
                    .number = number ? token.number : 0,
                    .offset = token.offset};
        tokens_.take();
        return out;
    }

    Result<void> read_user() {
        if (!accept_keyword(&tokens_, "user")) return tokens_.expected("USER");
        note("user_id");
        TIDAL_ASSIGN(query_.user, take_id("the id of a user: digits, or text in single quotes"));
        return {};
    }

    Result<void> read_session() {
        note("session_id");
        TIDAL_ASSIGN(query_.session, take_whole_number(&tokens_, 1, record::kSessionIdMax));
        if (at_keyword(tokens_, "fresh")) note("fresh");
        query_.fresh = accept_keyword(&tokens_, "fresh");
        return {};
    }

    Result<void> read_cohort() {
        note("cohort");
        TIDAL_ASSIGN(query_.cohort, take_name(&tokens_, "the name of a cohort"));
        return {};
    }

    Result<void> read_experiment() {
        note("experiment");
        TIDAL_ASSIGN(query_.experiment, take_name(&tokens_, "the name of an experiment"));
        return {};
    }

    Result<void> read_similar() {
        if (!accept_keyword(&tokens_, "to")) return tokens_.expected("TO");
        note("similar_to");
        TIDAL_ASSIGN(query_.similar_to,
                     take_id("the id of an item: digits, or text in single quotes"));
        return {};
    }

    Result<void> read_vector() {
        note("vector");
        TIDAL_TRY(tokens_.expect_symbol("("));
        do {
            TIDAL_ASSIGN(const double number, take_number());
            query_.vector.push_back(number);
        } while (tokens_.accept_symbol(","));
        return tokens_.expect_symbol(")");
    }

    Result<void> read_filter() {
        query_.filter_at.begin = tokens_.peek().offset;
        TIDAL_ASSIGN(query_.filter, parse_filter_part(&tokens_));
        query_.filter_at.end = tokens_.peek().offset;
        return {};
    }

    Result<void> read_ids(std::string_view field, std::size_t most, std::vector<Literal>* out) {
        do {
            note(field);
            if (out->size() == most)
                return tokens_.error(ErrorCode::kTooLarge, tokens_.peek().offset, "too many ids")
                    .with_hint("at most " + std::to_string(most));
            TIDAL_ASSIGN(Literal id,
                         take_id("the id of an item: digits, or text in single quotes"));
            out->push_back(std::move(id));
        } while (tokens_.accept_symbol(","));
        return {};
    }

    Result<void> read_exclude() { return read_ids("exclude", kExcludedMax, &query_.exclude); }
    Result<void> read_pin() { return read_ids("pin", kPinnedMax, &query_.pin); }
    Result<void> read_bury() { return read_ids("bury", kPinnedMax, &query_.bury); }

    Result<void> by() {
        if (accept_keyword(&tokens_, "by")) return {};
        return tokens_.expected("BY");
    }

    Result<void> read_sort() {
        TIDAL_TRY(by());
        query_.sort_at.begin = tokens_.peek().offset;
        TIDAL_ASSIGN(query_.sort, parse_sort_part(&tokens_));
        query_.sort_at.end = tokens_.peek().offset;
        return {};
    }

    Result<void> read_group() {
        TIDAL_TRY(by());
        query_.group_at.begin = tokens_.peek().offset;
        TIDAL_ASSIGN(query_.group, parse_group_part(&tokens_));
        query_.group_at.end = tokens_.peek().offset;
        return {};
    }

    Result<void> read_diversity() {
        query_.diversity_at.begin = tokens_.peek().offset;
        TIDAL_ASSIGN(query_.diversity, parse_rules_part(&tokens_));
        query_.diversity_at.end = tokens_.peek().offset;
        return {};
    }

    Result<void> read_fields() {
        query_.fields.emplace();
        if (accept_keyword(&tokens_, "none")) return {};
        return read_names("fields", "the name of a field, or NONE", &*query_.fields);
    }
    Result<void> read_highlight() {
        return read_names("highlight", "the name of a field", &query_.highlight);
    }

    Result<void> read_names(std::string_view field, std::string_view what,
                            std::vector<std::string>* out) {
        do {
            note(field);
            const std::uint32_t offset = tokens_.peek().offset;
            TIDAL_ASSIGN(std::string name, take_name(&tokens_, what));
            if (std::ranges::find(*out, name) != out->end())
                return tokens_.error(ErrorCode::kInvalidArgument, offset,
                                     "the field `" + name + "` is given twice");
            out->push_back(std::move(name));
        } while (tokens_.accept_symbol(","));
        return {};
    }

    Result<void> read_effort() {
        for (const std::string_view name : vector::kEffortNames)
            if (accept_keyword(&tokens_, name)) {
                query_.effort = name;
                return {};
            }
        constexpr std::string_view kNames[] = {"LOW", "DEFAULT", "HIGH", "EXACT"};
        return unknown_word("LOW, DEFAULT, HIGH or EXACT", kNames);
    }

    Result<void> read_facets() {
        query_.facets_at.begin = tokens_.peek().offset;
        TIDAL_ASSIGN(query_.facets, parse_facets_part(&tokens_));
        query_.facets_at.end = tokens_.peek().offset;
        return {};
    }

    Result<void> read_seed() {
        TIDAL_ASSIGN(query_.seed,
                     take_whole_number(&tokens_, 0, std::numeric_limits<std::uint64_t>::max()));
        return {};
    }

    Result<void> read_limit() {
        note("limit");
        TIDAL_ASSIGN(const std::uint64_t limit, take_whole_number(&tokens_, 1, kLimitMax));
        query_.limit = static_cast<std::uint32_t>(limit);
        return {};
    }

    Result<void> read_cursor() {
        const Token token = tokens_.peek();
        if (token.kind != TokenKind::kString || token.text.size() == 2)
            return tokens_.expected("a cursor in single quotes");
        note("cursor");
        query_.after = ranking::unquote(tokens_.take());
        return {};
    }

    Result<void> read_explain() {
        query_.explain = true;
        return {};
    }

    Result<void> read_log() {
        if (!accept_keyword(&tokens_, "impressions")) return tokens_.expected("IMPRESSIONS");
        query_.log_impressions = true;
        if (!at_keyword(tokens_, "with") || at_parameters()) return {};
        note("log_features");
        tokens_.take();
        if (!accept_keyword(&tokens_, "features")) return tokens_.expected("FEATURES");
        query_.log_features = true;
        return {};
    }

    /// Whether the WITH that comes next is a clause, `WITH name = ...`, not that of LOG
    /// IMPRESSIONS.
    bool at_parameters() const {
        TokenStream ahead = tokens_;
        ahead.take();
        ahead.take();
        return ahead.at_symbol("=");
    }

    TokenStream tokens_;
    Query query_;
    std::array<bool, kClauses> seen_{};
};

/// Shortest decimal that reads back as the same number.
std::string print_number(double number) {
    std::array<char, 32> text;  // NOLINT: written by to_chars
    const auto done = std::to_chars(text.data(), text.data() + text.size(), number);
    return {text.data(), done.ptr};
}

/// A name in double quotes may itself hold an @.
std::string print_profile_name(std::string_view name_and_version) {
    const auto at = name_and_version.rfind('@');
    if (at == std::string_view::npos) return print_query_name(name_and_version);
    const auto version = name_and_version.substr(at + 1);
    const bool number = !version.empty() && version.size() < 10 && version[0] != '0' &&
                        version.find_first_not_of("0123456789") == std::string_view::npos;
    if (!number) return ranking::quote(name_and_version, '"');
    return print_query_name(name_and_version.substr(0, at)) +
           std::string(name_and_version.substr(at));
}

std::string print_params(const Query& query) {
    std::string out;
    for (const auto& [name, value] : query.params)
        out +=
            (out.empty() ? " WITH " : ", ") + print_query_name(name) + " = " + print_number(value);
    return out;
}

std::string print_ids(std::string_view clause, const std::vector<Literal>& ids) {
    std::string out;
    for (const Literal& id : ids)
        out += (out.empty() ? std::string(clause) : ", ") + print_literal(id);
    return out;
}

std::string print_vector(const std::vector<double>& vector) {
    std::string out;
    for (const double number : vector)
        out += (out.empty() ? " VECTOR (" : ", ") + print_number(number);
    return out + ")";
}

std::string print_names(const std::string& clause, const std::vector<std::string>& names) {
    std::string out;
    for (const std::string& name : names)
        out += (out.empty() ? clause : ", ") + print_query_name(name);
    return out;
}

std::string print_effort(std::string_view effort) {
    std::string out = " EFFORT ";
    for (const char c : effort) out += static_cast<char>(c - 'a' + 'A');
    return out;
}

}  // namespace

Result<Query> parse_query(std::string_view text) {
    if (text.size() > ranking::kTextBytesMax)
        return Error(ErrorCode::kTooLarge, "the query is too long")
            .with("bytes", text.size())
            .with_hint("at most " + std::to_string(ranking::kTextBytesMax) + " bytes")
            .with_field("query");
    auto parsed = QueryParser(text).parse();
    if (!parsed) return parsed.take_error().with_field("query");
    return parsed;
}

std::string print_query(const Query& query) {
    std::string out = "RETRIEVE " + kind_word(query.kind);
    if (query.verb == Query::Verb::kSearch)
        out = "SEARCH " + kind_word(query.kind) + " FOR " + ranking::quote(query.text, '\'');
    if (query.verb == Query::Verb::kSuggest) out = "SUGGEST " + ranking::quote(query.text, '\'');
    if (!query.profile.empty()) out += " USING " + print_profile_name(query.profile);
    if (!query.experiment.empty()) out += " EXPERIMENT " + print_query_name(query.experiment);
    out += print_params(query);
    if (query.user) out += " FOR USER " + print_literal(*query.user);
    if (query.session != 0) out += " SESSION " + std::to_string(query.session);
    if (query.fresh) out += " FRESH";
    if (!query.cohort.empty()) out += " COHORT " + print_query_name(query.cohort);
    if (query.similar_to) out += " SIMILAR TO " + print_literal(*query.similar_to);
    if (!query.vector.empty()) out += print_vector(query.vector);
    if (query.filter) out += " WHERE " + print_filter(*query.filter);
    out += print_ids(" EXCLUDE ", query.exclude);
    if (query.sort) out += " ORDER BY " + print_sort(*query.sort);
    if (query.group) out += " GROUP BY " + print_group(*query.group);
    if (query.diversity) out += " DIVERSIFY " + print_diversity(*query.diversity);
    out += print_ids(" PIN ", query.pin) + print_ids(" BURY ", query.bury);
    if (!query.facets.empty()) out += " FACETS " + print_facets(query.facets);
    if (query.fields)
        out += query.fields->empty() ? " FIELDS NONE" : print_names(" FIELDS ", *query.fields);
    out += print_names(" HIGHLIGHT ", query.highlight);
    if (!query.effort.empty()) out += print_effort(query.effort);
    if (query.seed) out += " SEED " + std::to_string(*query.seed);
    if (query.limit) out += " LIMIT " + std::to_string(*query.limit);
    if (!query.after.empty()) out += " AFTER " + ranking::quote(query.after, '\'');
    if (query.explain) out += " EXPLAIN";
    if (query.log_impressions) out += " LOG IMPRESSIONS";
    if (query.log_features) out += " WITH FEATURES";
    return out;
}

std::string part_in_place(std::string_view text, const Query::Place& place) {
    std::string out(text.substr(0, place.end));
    for (std::size_t i = 0; i < place.begin; ++i)
        if (out[i] != '\n') out[i] = ' ';
    return out;
}

}  // namespace tidal::query
