// Vectors of texts for tests of hybrid searches: latent semantic analysis (Deerwester et al. 1990).
#pragma once

#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "text/analyzer.h"

namespace tidal::api {

/// Texts as sums of weighted words, projected on the first right singular vectors of all documents,
/// which orthogonal iteration finds.
class LatentSemantics {
public:
    LatentSemantics(const std::map<std::uint32_t, std::string>& documents, std::size_t dimensions)
        : dimensions_(dimensions), analyzer_({.language = "english", .stop_words = {}}) {
        for (const auto& [number, text] : documents) count(text);
        std::vector<Row> rows;
        for (const auto& [number, text] : documents) rows.push_back(weigh(text));
        begin();
        for (int round = 0; round < kRounds; ++round) {
            std::vector<double> next(basis_.size());
            for (const Row& row : rows) {
                const std::vector<double> image = project(row);
                for (const auto& [term, weight] : row)
                    for (std::size_t d = 0; d < dimensions_; ++d)
                        next[term * dimensions_ + d] += weight * image[d];
            }
            basis_ = std::move(next);
            make_orthonormal();
        }
    }

    /// Empty where no word is known.
    std::vector<double> vector(const std::string& text) {
        const std::vector<double> out = project(weigh(text));
        for (const double value : out)
            if (value != 0) return out;
        return {};
    }

private:
    using Row = std::map<std::size_t, double>;
    static constexpr int kRounds = 6;

    void count(const std::string& text) {
        analyzer_.analyze(text, &tokens_);
        std::map<std::string, int> seen;
        for (const text::Token& token : tokens_) ++seen[token.term];
        for (const auto& [term, times] : seen) ++holders_[term];
        ++documents_;
    }

    Row weigh(const std::string& text) {
        analyzer_.analyze(text, &tokens_);
        std::map<std::string, int> seen;
        for (const text::Token& token : tokens_) ++seen[token.term];
        Row out;
        double squares = 0;
        for (const auto& [term, times] : seen) {
            const auto known = holders_.find(term);
            if (known == holders_.end() || known->second < 2) continue;
            const auto number = numbers_.emplace(term, numbers_.size()).first->second;
            const double weight =
                (1 + std::log(times)) * std::log(static_cast<double>(documents_) / known->second);
            out[number] = weight;
            squares += weight * weight;
        }
        for (auto& [term, weight] : out) weight /= std::sqrt(squares);
        return out;
    }

    std::vector<double> project(const Row& row) const {
        std::vector<double> out(dimensions_);
        for (const auto& [term, weight] : row)
            for (std::size_t d = 0; d < dimensions_ && term < terms_; ++d)
                out[d] += weight * basis_[term * dimensions_ + d];
        return out;
    }

    /// Any numbers that are not alike.
    void begin() {
        terms_ = numbers_.size();
        basis_.resize(terms_ * dimensions_);
        std::uint64_t state = 1;
        for (double& value : basis_) {
            state = state * 6'364'136'223'846'793'005ULL + 1'442'695'040'888'963'407ULL;
            value = static_cast<double>(state >> 40) - 8'388'608;
        }
        make_orthonormal();
    }

    /// By Gram and Schmidt; columns lie `dimensions_` apart.
    void make_orthonormal() {
        for (std::size_t d = 0; d < dimensions_; ++d) {
            for (std::size_t e = 0; e < d; ++e) {
                double dot = 0;
                for (std::size_t t = 0; t < basis_.size(); t += dimensions_)
                    dot += basis_[t + d] * basis_[t + e];
                for (std::size_t t = 0; t < basis_.size(); t += dimensions_)
                    basis_[t + d] -= dot * basis_[t + e];
            }
            double squares = 0;
            for (std::size_t t = 0; t < basis_.size(); t += dimensions_)
                squares += basis_[t + d] * basis_[t + d];
            for (std::size_t t = 0; t < basis_.size(); t += dimensions_)
                basis_[t + d] /= std::sqrt(squares);
        }
    }

    const std::size_t dimensions_;
    text::Analyzer analyzer_;
    std::vector<text::Token> tokens_;
    std::map<std::string, int> holders_;
    int documents_ = 0;
    std::map<std::string, std::size_t> numbers_;
    std::size_t terms_ = 0;
    std::vector<double> basis_;  ///< terms_ rows of dimensions_.
};

}  // namespace tidal::api
