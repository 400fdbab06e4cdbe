#include "text/internal/any_of_terms.h"

#include <algorithm>

namespace tidal::text {
namespace {

// Nanoseconds.
constexpr double kWindowCost = 300, kWindowTermCost = 60, kOpenCost = 3'000;
/// Bounds are added in another order than scores.
constexpr double kSlack = 1 + 1e-9;

}  // namespace

AnyOfTerms::AnyOfTerms(Terms* terms, Cursor* unwanted) : terms_(terms), unwanted_(unwanted) {}

void AnyOfTerms::forget() {
    for (const auto& term : *terms_) term->forget();
    if (unwanted_ != nullptr) unwanted_->forget();
}

std::size_t AnyOfTerms::split(std::vector<Ranked>& ranked, double least) {
    std::ranges::sort(ranked, [](const Ranked& a, const Ranked& b) {
        return a.bound != b.bound ? a.bound < b.bound : a.term < b.term;
    });
    before_.assign(1, 0);
    for (const Ranked& each : ranked) before_.push_back(before_.back() + each.bound);
    std::size_t idle = 0;
    while (idle < ranked.size() && before_[idle + 1] * kSlack < least) ++idle;
    return idle;
}

bool AnyOfTerms::run(Collector& out, const Roaring* accepted, Search::Take take) {
    forget();
    all_.clear();
    for (std::uint32_t i = 0; i < terms_->size(); ++i) all_.push_back({i, (*terms_)[i]->bound()});
    for (;;) {
        if (!take(kWindowCost + kWindowTermCost * static_cast<double>(all_.size()))) return false;
        const std::size_t idle = split(all_, out.least());
        std::uint32_t first = kNoSlot, last = kNoSlot;
        for (std::size_t i = idle; i < all_.size(); ++i) {
            const TermCursor::Window window = cursor(all_[i]).window(next_);
            first = std::min(first, window.first);
            last = std::min(last, window.last);
        }
        if (first == kNoSlot) return true;
        here_.clear();
        for (const Ranked& each : all_) {
            const double bound = cursor(each).bound(first, last);
            if (bound > 0) here_.push_back({each.term, bound});
        }
        double most = 0;
        for (const Ranked& each : here_) most += each.bound;
        if (most * kSlack >= out.least()) {
            if (!take(kOpenCost)) return false;
            search_window(first, last, out, accepted);
        }
        next_ = last + 1;
    }
}

void AnyOfTerms::search_window(std::uint32_t first, std::uint32_t last, Collector& out,
                               const Roaring* accepted) {
    std::size_t idle = split(here_, out.least());
    double least = out.least();
    for (std::uint32_t slot = first; slot <= last;) {
        std::uint32_t candidate = kNoSlot;
        for (std::size_t i = idle; i < here_.size(); ++i)
            candidate = std::min(candidate, cursor(here_[i]).seek(slot));
        if (candidate > last) return;
        slot = candidate + 1;
        if (accepted != nullptr && !accepted->contains(candidate)) continue;
        try_slot(candidate, idle, out);
        if (out.least() == least) continue;
        least = out.least();
        while (idle < here_.size() && before_[idle + 1] * kSlack < least) ++idle;
    }
}

/// The first `idle` terms of here_ have not been asked for the slot.
void AnyOfTerms::try_slot(std::uint32_t slot, std::size_t idle, Collector& out) {
    parts_.clear();
    double partial = 0;
    const auto add = [&](const Ranked& ranked) {
        TermCursor& term = cursor(ranked);
        if (term.seek(slot) != slot) return;
        parts_.push_back({ranked.term, term.score()});
        partial += parts_.back().score;
    };
    for (std::size_t i = idle; i < here_.size(); ++i) add(here_[i]);
    for (std::size_t i = idle; i-- > 0;) {
        if ((partial + before_[i + 1]) * kSlack < out.least()) return;
        add(here_[i]);
    }
    if (partial * kSlack < out.least()) return;
    if (unwanted_ != nullptr && unwanted_->seek(slot) == slot) return;
    out.offer(sum(), slot);
}

/// In the order of the query, whatever order found them.
double AnyOfTerms::sum() {
    std::ranges::sort(parts_, {}, &Part::term);
    double out = 0;
    for (const Part& part : parts_) out += part.score;
    return out;
}

void AnyOfTerms::scores(std::span<const Slot> slots, std::span<double> out) {
    forget();
    for (std::size_t i = 0; i < slots.size(); ++i) {
        const std::uint32_t slot = slots[i].value();
        parts_.clear();
        for (std::uint32_t term = 0; term < terms_->size(); ++term)
            if ((*terms_)[term]->seek(slot) == slot)
                parts_.push_back({term, (*terms_)[term]->score()});
        if (parts_.empty()) continue;
        if (unwanted_ != nullptr && unwanted_->seek(slot) == slot) continue;
        out[i] = sum();
    }
}

}  // namespace tidal::text
