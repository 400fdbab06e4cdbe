#include "text/highlight.h"

#include <algorithm>

#include "text/internal/word_breaker.h"

namespace tidal::text {
namespace {

void append_html(std::string_view text, std::string* out) {
    for (const char c : text) {
        switch (c) {
            case '&':
                *out += "&amp;";
                break;
            case '<':
                *out += "&lt;";
                break;
            case '>':
                *out += "&gt;";
                break;
            case '"':
                *out += "&quot;";
                break;
            case '\'':
                *out += "&#39;";
                break;
            default:
                *out += c;
        }
    }
}

/// Not within a character.
std::string_view first_bytes(std::string_view text, std::size_t most) {
    if (text.size() <= most) return text;
    while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0) == 0x80) --most;
    return text.substr(0, most);
}

}  // namespace

Highlighter::Highlighter(const Analyzer::Options& analysis, FieldId field, std::string_view name,
                         const ParsedQuery& query, const Statistics& statistics, bool typos)
    : analyzer_(analysis), breaker_(std::make_unique<WordBreaker>()) {
    want(query.root, field, name, statistics, typos);
}

Highlighter::~Highlighter() = default;

void Highlighter::want(const QueryNode& node, FieldId field, std::string_view name,
                       const Statistics& statistics, bool typos) {
    using Kind = QueryNode::Kind;
    if (node.kind == Kind::kNot) return;
    for (const QueryNode& child : node.children) want(child, field, name, statistics, typos);
    if (node.kind > Kind::kPrefix || (!node.field.empty() && node.field != name)) return;
    if (node.kind == Kind::kPrefix) {
        if (std::string prefix = fold(node.text); !prefix.empty())
            prefixes_.push_back(std::move(prefix));
        return;
    }
    analyzer_.analyze(node.text, &tokens_);
    for (const Token& token : tokens_) {
        terms_.insert(token.term);
        if (!typos || node.kind == Kind::kPhrase) continue;
        const auto meant = statistics.words.find({field, Expansion::Kind::kTypo, token.word});
        if (meant == statistics.words.end()) continue;
        for (const auto& [word, expanded] : meant->second) terms_.insert(expanded.term);
    }
}

bool Highlighter::is_wanted(std::string_view word) {
    analyzer_.analyze(word, &tokens_);
    return std::ranges::any_of(tokens_, [&](const Token& token) {
        return terms_.contains(token.term) ||
               std::ranges::any_of(prefixes_, [&](const std::string& prefix) {
                   return token.word.starts_with(prefix);
               });
    });
}

/// Rising, apart: pairs of characters that overlap are one.
std::vector<Highlighter::Range> Highlighter::find_words(std::string_view text) {
    std::vector<Range> out;
    breaker_->for_each(text, [&](std::string_view word, bool /*pair*/) {
        if (!is_wanted(word)) return;
        const auto begin = static_cast<std::size_t>(word.data() - text.data());
        if (!out.empty() && begin < out.back().end)
            out.back().end = begin + word.size();
        else
            out.push_back({begin, begin + word.size()});
    });
    return out;
}

std::optional<std::string> Highlighter::mark(std::string_view whole) {
    const std::string_view text = first_bytes(whole, kHighlightBytesMax);
    const std::vector<Range> words = find_words(text);
    if (words.empty()) return std::nullopt;
    std::size_t begin = 0, end = text.size();
    if (text.size() > kFragmentBytesMax) {
        constexpr std::size_t kBefore = 40;
        std::size_t most = 0;
        for (std::size_t i = 0, j = 0; i < words.size(); ++i) {
            while (j < words.size() && words[j].end <= words[i].begin + kFragmentBytesMax - kBefore)
                ++j;
            if (j - std::min(i, j) <= most) continue;
            most = j - i;
            begin = words[i].begin;
        }
        if (most == 0) begin = words.front().begin;  // One word longer than a fragment.
        const std::size_t from = begin > kBefore ? begin - kBefore : 0;
        if (const std::size_t blank = text.find(' ', from); from > 0 && blank < begin)
            begin = blank + 1;
        else if (from == 0)
            begin = 0;
        end = begin + first_bytes(text.substr(begin), kFragmentBytesMax).size();
        const std::size_t blank = end < text.size() ? text.rfind(' ', end) : std::string::npos;
        if (blank != std::string::npos && blank > begin) end = blank;
    }
    std::string out = begin > 0 ? "…" : "";
    std::size_t at = begin;
    for (const Range& word : words) {
        if (word.begin < begin || word.end > end) continue;
        append_html(text.substr(at, word.begin - at), &out);
        out += "<em>";
        append_html(text.substr(word.begin, word.end - word.begin), &out);
        out += "</em>";
        at = word.end;
    }
    append_html(text.substr(at, end - at), &out);
    if (end < whole.size()) out += "…";
    return out;
}

}  // namespace tidal::text
