// The answers of a text index, computed from the texts themselves: every document against the
// query's tree, every sum from the formulas of bm25.h written once more.
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "text/text_index.h"

namespace tidal::text {

/// Fields by number: 0 and 1 of English, 2 of no language.
inline std::vector<TextIndex::Field> sample_fields() {
    return {{FieldId(0), "title", {"english", {}}, {1.2, 0.75, 2.0}},
            {FieldId(1), "body", {"english", {"the", "of"}}, {0.9, 0.4, 1.0}},
            {FieldId(3), "tags", {"none", {}}, {1.2, 0.75, 0.5}}};
}

class BruteForce {
public:
    using Document = std::map<std::uint16_t, std::string>;  ///< Text by field.

    explicit BruteForce(std::map<std::uint32_t, Document> documents) {
        for (const auto& field : sample_fields()) {
            Analyzer analyzer(field.analysis);
            for (const auto& [slot, document] : documents) {
                const auto text = document.find(field.id.value());
                if (text == document.end()) continue;
                std::vector<Token> tokens;
                analyzer.analyze(text->second, &tokens);
                if (!tokens.empty()) tokens_[field.id.value()][slot] = tokens;
            }
        }
        for (const auto& [slot, document] : documents) slots_.push_back(slot);
        for (const auto& [field, texts] : tokens_) {
            double total = 0;
            for (const auto& [slot, tokens] : texts) total += static_cast<double>(tokens.size());
            mean_[field] = total / static_cast<double>(texts.size());
        }
    }

    /// Score by slot of what matches.
    std::map<std::uint32_t, double> answers(const QueryNode& root) {
        std::map<std::uint32_t, double> out;
        for (const std::uint32_t slot : slots_)
            if (const auto score = match(root, slot, false)) out[slot] = *score;
        return out;
    }

private:
    using Kind = QueryNode::Kind;
    using Score = std::optional<double>;

    const std::vector<Token>* tokens(std::uint16_t field, std::uint32_t slot) {
        const auto found = tokens_[field].find(slot);
        return found == tokens_[field].end() ? nullptr : &found->second;
    }
    double weight(const TextIndex::Field& field, const std::string& term) {
        const auto [at, fresh] = weights_.try_emplace({field.id.value(), term});
        if (!fresh) return at->second;
        double holders = 0;
        for (const auto& [slot, all] : tokens_[field.id.value()])
            holders +=
                std::ranges::any_of(all, [&](const Token& token) { return token.term == term; })
                    ? 1
                    : 0;
        return at->second = weight_of(field, holders);
    }
    double weight_of(const TextIndex::Field& field, double holders) {
        const auto n = static_cast<double>(tokens_[field.id.value()].size());
        return field.scoring.boost * (field.scoring.k1 + 1) *
               std::log(1 + (n - holders + 0.5) / (holders + 0.5));
    }
    const std::vector<Token>& analyzed(const TextIndex::Field& field, const std::string& text) {
        const auto [at, fresh] = analyzed_.try_emplace({field.id.value(), text});
        if (fresh) Analyzer(field.analysis).analyze(text, &at->second);
        return at->second;
    }
    double saturated(const TextIndex::Field& field, std::uint32_t slot, double frequency) {
        const double mean = mean_[field.id.value()];
        const auto length = static_cast<double>(tokens_[field.id.value()][slot].size());
        const auto& [k1, b, boost] = field.scoring;
        return frequency / (frequency + k1 * (1 - b + b * length / mean));
    }

    Score term(const TextIndex::Field& field, std::uint32_t slot, const std::string& term) {
        const auto is = [&](const Token& token) { return token.term == term; };
        const auto* const all = tokens(field.id.value(), slot);
        const auto frequency =
            all == nullptr ? 0 : static_cast<double>(std::ranges::count_if(*all, is));
        if (frequency == 0) return std::nullopt;
        return weight(field, term) * saturated(field, slot, frequency);
    }

    Score phrase(const TextIndex::Field& field, std::uint32_t slot,
                 const std::vector<Token>& wanted) {
        const auto* const all = tokens(field.id.value(), slot);
        if (all == nullptr) return std::nullopt;
        double frequency = 0, weights = 0;
        for (const Token& start : *all)
            frequency += std::ranges::all_of(wanted, [&](const Token& each) {
                return std::ranges::any_of(*all, [&](const Token& token) {
                    return token.term == each.term &&
                           token.position + wanted[0].position == start.position + each.position;
                });
            });
        if (frequency == 0) return std::nullopt;
        for (const Token& each : wanted) weights += weight(field, each.term);
        return weights * saturated(field, slot, frequency);
    }

    struct Beginning {
        double weight = 0;
        std::set<std::string> terms;
    };
    /// The words with the prefix as one: its weight from how many documents hold them, counted once
    /// a word.
    const Beginning& beginning(const TextIndex::Field& field, const std::string& text) {
        const auto [at, fresh] = beginnings_.try_emplace({field.id.value(), text});
        if (!fresh) return at->second;
        double holders = 0;
        for (auto& [each, all] : tokens_[field.id.value()]) {
            std::set<std::string> here;
            for (const Token& token : all) {
                if (!token.word.starts_with(text)) continue;
                here.insert(token.word);
                at->second.terms.insert(token.term);
            }
            holders += static_cast<double>(here.size());
        }
        holders = std::min(holders, static_cast<double>(tokens_[field.id.value()].size()));
        at->second.weight = weight_of(field, holders);
        return at->second;
    }

    Score prefix(const TextIndex::Field& field, std::uint32_t slot, const std::string& text) {
        const Beginning& begun = beginning(field, text);
        const auto* const all = tokens(field.id.value(), slot);
        Score out;
        for (const std::string& term : begun.terms) {
            if (all == nullptr) break;
            const auto frequency = static_cast<double>(std::ranges::count_if(
                *all, [&](const Token& token) { return token.term == term; }));
            if (frequency > 0)
                out = out.value_or(0) + begun.weight * saturated(field, slot, frequency);
        }
        return out;
    }

    Score word(const QueryNode& node, std::uint32_t slot, bool needed) {
        Score out;
        for (const auto& field : sample_fields()) {
            if (!node.field.empty() && node.field != field.name) continue;
            const std::vector<Token>& wanted = analyzed(field, node.text);
            std::vector<Score> scores;
            if (node.kind == Kind::kPrefix)
                scores.push_back(prefix(field, slot, fold(node.text)));
            else if ((node.kind == Kind::kPhrase || needed) && wanted.size() > 1)
                scores.push_back(phrase(field, slot, wanted));
            else
                for (const Token& token : wanted) scores.push_back(term(field, slot, token.term));
            for (const Score& score : scores)
                if (score) out = out.value_or(0) + *score;
        }
        return out;
    }

    Score match(const QueryNode& node, std::uint32_t slot, bool needed) {
        if (node.kind <= Kind::kPrefix) return word(node, slot, needed);
        if (node.kind == Kind::kNot) return std::nullopt;
        const bool all = node.kind == Kind::kAll;
        Score out;
        for (const QueryNode& child : node.children) {
            const bool inverted = child.kind == Kind::kNot;
            const Score score = match(inverted ? child.children[0] : child, slot,
                                      all || inverted || (needed && node.children.size() == 1));
            if (inverted ? score.has_value() : all && !score) return std::nullopt;
            if (!inverted && score) out = out.value_or(0) + *score;
        }
        return out;
    }

    std::map<std::uint16_t, std::map<std::uint32_t, std::vector<Token>>> tokens_;
    std::vector<std::uint32_t> slots_;
    std::map<std::uint16_t, double> mean_;  ///< Length, by field.
    // What was computed before, by field and text.
    using Key = std::pair<std::uint16_t, std::string>;
    std::map<Key, double> weights_;
    std::map<Key, std::vector<Token>> analyzed_;
    std::map<Key, Beginning> beginnings_;
};

}  // namespace tidal::text
