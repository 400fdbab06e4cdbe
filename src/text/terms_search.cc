#include "text/internal/terms_search.h"

#include <algorithm>
#include <bit>

namespace tidal::text {
namespace {

// Nanoseconds.
constexpr double kWindowCost = 300, kWindowTermCost = 60, kBlockCost = 250, kLookUpCost = 10;
/// Of all terms that choose: at first few, as what is needed rises fast.
constexpr std::size_t kFirstWindowBlocks = 4, kWindowBlocks = 64;
constexpr std::uint32_t kSumsMax = 8'192;      ///< Slots of a narrow window.
constexpr std::size_t kFewTerms = 4;           ///< So many are bounded block by block.
constexpr std::uint64_t kFewPostings = 1'024;  ///< Are looked up rather than added up.
/// What it takes to look one slot up in a term, in postings that are added up.
constexpr std::uint64_t kLookUpPostings = 8;
/// Slots of a window in which each candidate is looked up in many terms.
constexpr std::uint32_t kManyTermsSlots = 1'024;

}  // namespace

TermsSearch::TermsSearch(const std::vector<WeightedTerm>& terms, Cursor* unwanted)
    : unwanted_(unwanted) {
    for (const WeightedTerm& term : terms)
        terms_.emplace_back(term, static_cast<std::uint32_t>(terms_.size()));
    groups_ = terms.back().group + 1;
    for (const TermReader& term : terms_)
        one_field_ = one_field_ && &term.field() == &terms_.front().field();
}

/// Lists and bounds may have changed.
void TermsSearch::begin() {
    if (unwanted_ != nullptr) unwanted_->forget();
    std::vector<std::uint64_t> sizes(groups_);
    order_.clear();
    limits_.begin();
    window_blocks_ = kFirstWindowBlocks / 2;
    for (TermReader& term : terms_) {
        term.begin();
        sizes[term.group()] += term.size();
        order_.push_back(&term);
    }
    const auto lead = static_cast<std::uint32_t>(std::ranges::min_element(sizes) - sizes.begin());
    std::ranges::sort(order_, [&](const TermReader* a, const TermReader* b) {
        if (a->group() != b->group()) {
            if (a->group() == lead || b->group() == lead) return a->group() == lead;
            const std::uint64_t size_a = sizes[a->group()], size_b = sizes[b->group()];
            return size_a != size_b ? size_a < size_b : a->group() < b->group();
        }
        return a->bound() != b->bound() ? a->bound() > b->bound() : a->number() < b->number();
    });
    lead_ = static_cast<std::size_t>(
        std::ranges::count(order_, lead, [](const TermReader* term) { return term->group(); }));
    from_.assign(order_.size() + 1, 0);
    for (std::size_t at = order_.size(); at-- > 0;) from_[at] = from_[at + 1] + order_[at]->bound();
}

void TermsSearch::trace(SearchTrace* out) const {
    if (unwanted_ != nullptr) unwanted_->trace(out);
    out->phrases = 0;  // Of what is not wanted.
    (groups_ > 1 ? out->intersections : out->unions) += 1;
    for (const TermReader& term : terms_) out->postings += term.size();
    out->looked_at += looked_at_;
    out->scored += scored_;
}

bool TermsSearch::run(Collector& out, const Roaring* accepted, Search::Take take) {
    begin();
    for (;;) {
        const Window window = choose_window(out.least());
        if (window.first == kNoSlot) return true;
        if (!take(kWindowCost + kWindowTermCost * static_cast<double>(order_.size()) +
                  kBlockCost * static_cast<double>(window.blocks) + owed_))
            return false;
        search(window, out, accepted);
        owed_ = kLookUpCost * static_cast<double>(candidates_.size() * order_.size());
        if (window.last == kNoSlot) return true;
        next_ = window.last + 1;
    }
}

TermsSearch::Window TermsSearch::choose_window(double least) {
    choosing_ = 0;
    while (choosing_ < lead_ && from_[choosing_] * kBoundSlack >= least) ++choosing_;
    Window out;
    if (choosing_ == 0) return out;
    window_blocks_ = std::min(window_blocks_ * 2, kWindowBlocks);
    const std::size_t most = std::max<std::size_t>(1, window_blocks_ / choosing_);
    for (std::size_t place = 0; place < choosing_; ++place) {
        TermReader& term = *order_[place];
        term.start_window(next_);
        const auto blocks = term.blocks().subspan(term.window_at());
        if (blocks.empty()) continue;
        out.first = std::min(out.first, std::max(next_, blocks.front().first()));
        if (blocks.size() > most) out.last = std::min(out.last, blocks[most - 1].last());
        out.blocks += std::min(blocks.size(), most);
    }
    const std::uint64_t width = std::uint64_t{out.last} - out.first;
    const bool may_add_up = groups_ == 1 && order_.size() > 1;
    const bool all = !(least > 0) || order_.size() > kFewTerms;
    if (may_add_up && all && width >= kSumsMax && out.blocks * kBlockPostings > kFewPostings)
        out.last = out.first + kSumsMax - 1;
    if (!may_add_up && order_.size() > kFewTerms && width >= kManyTermsSlots)
        out.last = out.first + kManyTermsSlots - 1;
    out.narrow = may_add_up && out.last - out.first < kSumsMax;
    return out;
}

void TermsSearch::search(const Window& window, Collector& out, const Roaring* accepted) {
    for (TermReader* const term : order_) term->start_window(window.first);
    candidates_.clear();
    const double least = out.least();
    if ((window.narrow && !(least > 0)) || !find_candidates(window, least))
        return add_up(window, out, accepted);
    look_up_candidates(out, accepted);
}

/// What the terms behind `place` may add anywhere in the range. @return false  a group of which one
/// is needed has none there.
bool TermsSearch::others_in(std::size_t place, std::uint32_t first, std::uint32_t last,
                            OtherTerms* out) {
    *out = OtherTerms();
    if (order_.size() > kFewTerms) {
        out->bound = from_[place + 1];
        return true;
    }
    for (std::size_t at = place + 1; at < order_.size();) {
        const std::uint32_t group = order_[at]->group();
        bool any = group == order_.front()->group();
        for (; at < order_.size() && order_[at]->group() == group; ++at) {
            const TermReader::Range range = order_[at]->range(first, last);
            any = any || range.frequency > 0;
            out->bound += range.bound;
            if (!one_field_) continue;
            out->weights[out->size] = order_[at]->scoring().weight;
            out->frequencies[out->size++] = range.frequency;
        }
        if (!any) return false;
    }
    return true;
}

/// @return false  they are so many that adding up is cheaper.
bool TermsSearch::find_candidates(const Window& window, double least) {
    OtherTerms others;
    const std::uint64_t postings = window.blocks * kBlockPostings;
    for (std::size_t place = 0; place < choosing_; ++place) {
        TermReader& term = *order_[place];
        if (order_.size() <= kFewTerms)  // Others are bounded as a whole.
            for (std::size_t at = place; at < order_.size(); ++at) order_[at]->rewind();
        const auto blocks = term.blocks();
        for (std::size_t at = term.window_at(); at < blocks.size(); ++at) {
            const PostingBlock& block = blocks[at];
            if (block.first() > window.last) break;
            if (at + 2 < blocks.size()) blocks[at + 2].prefetch();
            if (!others_in(place, std::max(window.first, block.first()),
                           std::min(window.last, block.last()), &others) ||
                (term.bound_of(block) + others.bound) * kBoundSlack < least)
                continue;
            find_in_block(block, place, others, window, least);
            const std::uint64_t look_ups = candidates_.size() * (order_.size() - 1);
            if (window.narrow && look_ups * kLookUpPostings > postings) return false;
        }
    }
    return true;
}

void TermsSearch::find_in_block(const PostingBlock& block, std::size_t place,
                                const OtherTerms& others, const Window& window, double least) {
    const TermReader& term = *order_[place];
    const Bm25& scoring = term.scoring();
    looked_at_ += block.count();
    const auto passing = block.passing(
        limits_.limits(scoring, std::min(place, OtherTerms::kMost), others, least / kBoundSlack));
    for (std::uint32_t half = 0; half < 2; ++half)
        for (std::uint64_t bits = passing[half]; bits != 0; bits &= bits - 1) {
            const std::uint32_t at = half * 64 + static_cast<std::uint32_t>(std::countr_zero(bits));
            const std::uint32_t slot = block.slot(at), length = term.length(block, at);
            if (slot < window.first || slot > window.last) continue;
            const double score = scoring.score(block.frequency(at), length);
            const double more = others.at(scoring.norm(length));
            if ((score + more) * kBoundSlack < least) continue;
            candidates_.push_back({slot, static_cast<std::uint32_t>(place), score, more});
        }
}

void TermsSearch::look_up_candidates(Collector& out, const Roaring* accepted) {
    double least = out.least();
    std::uint32_t place = 0;
    found_.clear();
    for (TermReader& term : terms_) term.rewind();
    for (const Candidate& candidate : candidates_) {
        if (candidate.place != place)
            for (TermReader& term : terms_) term.rewind();
        place = candidate.place;
        if ((candidate.score + candidate.others) * kBoundSlack < least) continue;
        if (accepted != nullptr && !accepted->contains(candidate.slot)) continue;
        if (!complete(candidate, least)) continue;
        const double score = sum_parts();
        if (unwanted_ != nullptr) {
            found_.push_back({candidate.slot, score});
            continue;
        }
        ++scored_;
        out.offer(score, candidate.slot);
        least = out.least();
    }
    std::ranges::sort(found_, {}, &Found::slot);
    for (const Found& found : found_) {
        if (unwanted_->seek(found.slot) == found.slot) continue;
        ++scored_;
        out.offer(found.score, found.slot);
    }
}

/// Whether the candidate may be among the best, and none of the terms before its own has it; then
/// parts_ has its scores.
bool TermsSearch::complete(const Candidate& candidate, double least) {
    parts_.assign(1, {order_[candidate.place]->number(), candidate.score});
    double partial = candidate.score, score = 0;
    for (std::size_t at = candidate.place + std::size_t{1}; at < order_.size();) {
        const std::uint32_t group = order_[at]->group();
        bool any = group == order_[candidate.place]->group();
        for (; at < order_.size() && order_[at]->group() == group; ++at) {
            if ((partial + std::min(candidate.others, from_[at])) * kBoundSlack < least)
                return false;
            ++looked_at_;
            if (!order_[at]->look_up(candidate.slot, &score)) continue;
            any = true;
            partial += score;
            parts_.push_back({order_[at]->number(), score});
        }
        if (!any) return false;
    }
    if (partial * kBoundSlack < least) return false;
    for (std::size_t at = 0; at < candidate.place; ++at)
        if (order_[at]->look_up(candidate.slot, &score)) return false;
    return true;
}

/// In the order of the query, whatever order found them: those of a group, and then groups.
double TermsSearch::sum_parts() {
    if (parts_.size() > 1) std::ranges::sort(parts_, {}, &Part::number);
    double out = 0;
    for (std::size_t at = 0; at < parts_.size();) {
        const std::uint32_t group = terms_[parts_[at].number].group();
        double sum = 0;
        for (; at < parts_.size() && terms_[parts_[at].number].group() == group; ++at)
            sum += parts_[at].score;
        out += sum;
    }
    return out;
}

void TermsSearch::add_up(const Window& window, Collector& out, const Roaring* accepted) {
    sums_.resize(kSumsMax);
    summed_.resize(kSumsMax / 64);
    for (TermReader& term : terms_) add_term(term, window);
    for (std::uint32_t word = 0; word <= (window.last - window.first) / 64; ++word)
        for (; summed_[word] != 0; summed_[word] &= summed_[word] - 1) {
            const auto at = word * 64 + static_cast<std::uint32_t>(std::countr_zero(summed_[word]));
            const double score = std::exchange(sums_[at], 0.0);
            const std::uint32_t slot = window.first + at;
            if (score < out.least() || (accepted != nullptr && !accepted->contains(slot))) continue;
            if (unwanted_ != nullptr && unwanted_->seek(slot) == slot) continue;
            ++scored_;
            out.offer(score, slot);
        }
}

void TermsSearch::add_term(TermReader& term, const Window& window) {
    const auto blocks = term.blocks();
    for (std::size_t i = term.window_at(); i < blocks.size(); ++i) {
        if (blocks[i].first() > window.last) break;
        blocks[i].open(&open_);
        looked_at_ += open_.count;
        for (std::uint32_t at = blocks[i].find(window.first); at < open_.count; ++at) {
            const std::uint32_t slot = open_.slots[at];
            if (slot > window.last) break;
            const std::uint32_t place = slot - window.first;
            const std::uint32_t length =
                open_.lengths[at] < kLengthMax ? open_.lengths[at] : term.field().length(slot);
            sums_[place] += term.scoring().score(open_.frequencies[at], length);
            summed_[place / 64] |= std::uint64_t{1} << (place % 64);
        }
    }
}

void TermsSearch::scores(std::span<const Slot> slots, std::span<double> out) {
    begin();
    std::vector<bool> groups(groups_);
    for (std::size_t i = 0; i < slots.size(); ++i) {
        const std::uint32_t slot = slots[i].value();
        parts_.clear();
        groups.assign(groups_, false);
        double score = 0;
        for (TermReader& term : terms_) {
            if (!term.look_up(slot, &score)) continue;
            parts_.push_back({term.number(), score});
            groups[term.group()] = true;
        }
        if (std::ranges::find(groups, false) != groups.end()) continue;
        if (unwanted_ != nullptr && unwanted_->seek(slot) == slot) continue;
        out[i] = sum_parts();
    }
}

}  // namespace tidal::text
