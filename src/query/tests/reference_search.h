// query/tests/reference_search.h: queries of words, and how well texts answer them, by the formula
// of docs/reference/search.md and one text at a time.
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ranking/tests/sample_shard.h"

namespace tidal::query {

/// Without the difference of upper and lower case, in the letters that the worlds have.
inline std::string folded(std::string text) {
    for (std::size_t at = 0; at < text.size(); ++at)
        if (text[at] >= 'A' && text[at] <= 'Z')
            text[at] = static_cast<char>(text[at] - 'A' + 'a');
        else if (text.compare(at, 2, "\xC3\x89") == 0)  // É
            text[at + 1] = '\xA9';                      // é
    return text;
}
inline std::vector<std::string> words_of_text(const std::string& text) {
    std::vector<std::string> out{""};
    for (const char c : folded(text)) {
        if (c != ' ') out.back() += c;
        if (c == ' ' && !out.back().empty()) out.emplace_back();
    }
    if (out.back().empty()) out.pop_back();
    return out;
}

struct SearchUnit {
    enum class Kind : std::uint8_t { kWord, kPhrase, kPrefix };
    Kind kind = Kind::kWord;
    std::string field;  ///< Empty = title and body.
    std::string text;
    bool excluded = false;
};
/// `#tag` or `creator:2`.
struct SearchCondition {
    std::string tag;  ///< Empty = of the creator.
    EntityId creator;
    bool excluded = false;
};

struct ReferenceSearch {
    std::vector<SearchCondition> conditions;
    std::vector<std::vector<SearchUnit>> parts;  ///< Any of them; of each all units.

    std::string text() const {
        std::string out;
        for (const SearchCondition& each : conditions)
            out += std::string(each.excluded ? "-" : "") +
                   (each.tag.empty() ? "creator:" + each.creator.to_string()
                                     : "#\"" + each.tag + "\"") +
                   " ";
        for (std::size_t part = 0; part < parts.size(); ++part) {
            if (part > 0) out += part % 2 == 0 && !parts[part][0].excluded ? " OR " : " ";
            for (std::size_t at = 0; at < parts[part].size(); ++at)
                out += (at > 0 ? " AND " : "") + print(parts[part][at], at > 0);
        }
        return out;
    }
    bool accepts(const ranking::SampleItem& item) const {
        return std::ranges::all_of(
            conditions, [&](const auto& each) { return holds(each, item) != each.excluded; });
    }

private:
    static std::string print(const SearchUnit& unit, bool in_words) {
        std::string out = !unit.excluded ? "" : in_words ? "NOT " : "-";
        if (!unit.field.empty()) out += unit.field + ":";
        if (unit.kind == SearchUnit::Kind::kPhrase) return out + "\"" + unit.text + "\"";
        return out + unit.text + (unit.kind == SearchUnit::Kind::kPrefix ? "*" : "");
    }
    static bool holds(const SearchCondition& condition, const ranking::SampleItem& item) {
        if (condition.tag.empty()) return item.creator == condition.creator;
        if (const auto found = item.fields.find("category");
            found != item.fields.end() && std::get<std::string>(found->second) == condition.tag)
            return true;
        const auto found = item.fields.find("genres");
        if (found == item.fields.end()) return false;
        const auto& genres = std::get<std::vector<std::string>>(found->second);
        return std::ranges::find(genres, condition.tag) != genres.end();
    }
};

/// The titles and bodies of all items, wherever they are. `title` is of English, `body` of no
/// language; the schema of the test says the same of how they are weighed.
class ReferenceTexts {
public:
    void add(const EntityId& id, const std::string& field, const std::string& text) {
        std::vector<Token> tokens;
        for (const std::string& word : words_of_text(text))
            tokens.push_back({word, field == "title" ? stem(word) : word});
        Field& in = fields_.at(field);
        in.length += static_cast<double>(tokens.size());
        in.texts[id] = std::move(tokens);
    }
    /// nullopt = it does not match.
    std::optional<double> score(const ReferenceSearch& search, const EntityId& id) const {
        std::optional<double> out;
        for (const auto& part : search.parts) {
            const bool excluded = part[0].excluded;
            const auto found = all_of(part, id);
            if (excluded && found) return std::nullopt;
            if (!excluded && found) out = out.value_or(0) + *found;
        }
        return out;
    }

private:
    struct Token {
        std::string word, term;
    };
    struct Field {
        double k1 = 1.2, b = 0.75, boost = 1;
        std::map<EntityId, std::vector<Token>> texts = {};
        double length = 0;  ///< Of all texts.
    };
    /// Of the words that worlds have.
    static std::string stem(const std::string& word) {
        static const std::map<std::string, std::string> kStems{
            {"songs", "song"},   {"blues", "blue"}, {"rocks", "rock"},
            {"singing", "sing"}, {"title", "titl"}, {"émile", "émil"}};
        const auto found = kStems.find(word);
        return found == kStems.end() ? word : found->second;
    }

    /// A first unit that is excluded stands alone, and is looked for as if it were not.
    std::optional<double> all_of(const std::vector<SearchUnit>& part, const EntityId& id) const {
        double out = 0;
        for (std::size_t at = 0; at < part.size(); ++at) {
            const auto found = in_fields(part[at], id);
            if (found.has_value() == (at > 0 && part[at].excluded)) return std::nullopt;
            out += found.value_or(0);
        }
        return out;
    }
    std::optional<double> in_fields(const SearchUnit& unit, const EntityId& id) const {
        std::optional<double> out;
        for (const auto& [name, field] : fields_) {
            if (!unit.field.empty() && unit.field != name) continue;
            const auto text = field.texts.find(id);
            if (text == field.texts.end()) continue;
            if (const auto found = in_text(unit, name, field, text->second))
                out = out.value_or(0) + *found;
        }
        return out;
    }
    static std::optional<double> in_text(const SearchUnit& unit, const std::string& name,
                                         const Field& field, const std::vector<Token>& text) {
        std::vector<std::string> terms = words_of_text(unit.text);
        if (name == "title" && unit.kind != SearchUnit::Kind::kPrefix)
            for (std::string& term : terms) term = stem(term);
        double weight = 0;
        if (unit.kind == SearchUnit::Kind::kPrefix) return in_beginning(terms[0], field, text);
        // A phrase has the weights of its words.
        for (const std::string& term : terms) weight += weight_of(field, holders(field, term));
        double times = 0;
        for (std::size_t at = 0; at + terms.size() <= text.size(); ++at)
            times += std::equal(terms.begin(), terms.end(), text.begin() + std::ptrdiff_t(at),
                                [](const auto& term, const Token& t) { return term == t.term; });
        if (times == 0) return std::nullopt;
        return weight * saturated(field, times, text);
    }
    /// All words that begin so count as one, held as often as they are; what they are the forms of
    /// is looked for, each by itself.
    static std::optional<double> in_beginning(const std::string& begin, const Field& field,
                                              const std::vector<Token>& text) {
        double held = 0;
        std::set<std::string> terms;
        for (const auto& [id, other] : field.texts) {
            std::set<std::string> words;
            for (const Token& token : other)
                if (token.word.starts_with(begin)) {
                    words.insert(token.word);
                    terms.insert(token.term);
                }
            held += static_cast<double>(words.size());
        }
        const double weight =
            weight_of(field, std::min(held, static_cast<double>(field.texts.size())));
        std::optional<double> out;
        for (const std::string& term : terms)
            if (const double times = count(text, term); times > 0)
                out = out.value_or(0) + weight * saturated(field, times, text);
        return out;
    }

    static double count(const std::vector<Token>& text, const std::string& term) {
        return static_cast<double>(
            std::ranges::count_if(text, [&](const Token& token) { return token.term == term; }));
    }
    static double holders(const Field& field, const std::string& term) {
        return static_cast<double>(std::ranges::count_if(
            field.texts, [&](const auto& each) { return count(each.second, term) > 0; }));
    }
    /// Robertson & Zaragoza 2009, equation 3.15.
    static double weight_of(const Field& field, double holders) {
        const auto all = static_cast<double>(field.texts.size());
        return field.boost * std::log(1 + (all - holders + 0.5) / (holders + 0.5));
    }
    static double saturated(const Field& field, double times, const std::vector<Token>& text) {
        const double mean = field.length / static_cast<double>(field.texts.size());
        const double shape = 1 - field.b + field.b * static_cast<double>(text.size()) / mean;
        return times * (field.k1 + 1) / (times + field.k1 * shape);
    }

    std::map<std::string, Field> fields_{{"title", {}}, {"body", {0.9, 0.4, 2}}};
};

}  // namespace tidal::query
