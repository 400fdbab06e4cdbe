#include "text/internal/terms_search.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace tidal::text {
namespace {

// Nanoseconds.
constexpr double kWindowCost = 300, kWindowTermCost = 60, kBlockCost = 250;
// Likewise, of a block whose candidates are looked up in a term, and of each of these; of a posting
// that is added up, and of a slot of the window.
constexpr double kBlockLookUpCost = 40, kCandidateCost = 10, kLookUpCost = 6;
constexpr double kAddCost = 2.5, kSlotCost = 0.25;
/// Of all terms that choose: at first few, as what is needed rises fast.
constexpr std::size_t kFirstWindowBlocks = 4, kWindowBlocks = 64;
constexpr std::size_t kFewTerms = 4;           ///< So many are bounded block by block.
constexpr std::uint64_t kFewPostings = 1'024;  ///< Are looked up rather than added up.
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

void TermsSearch::mark(MatchWindow* out) {
    for (std::size_t at = 0; at < terms_.size();) {
        const std::uint32_t group = terms_[at].group();
        MatchWindow any(out->first());
        for (; at < terms_.size() && terms_[at].group() == group; ++at) terms_[at].mark(&any);
        if (group == 0)
            out->add(any);
        else
            out->keep(any);
    }
    if (unwanted_ == nullptr) return;
    MatchWindow unwanted(out->first());
    unwanted_->mark(&unwanted);
    out->drop(unwanted);
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
        owed_ = kLookUpCost * static_cast<double>(passing_ * order_.size());
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
    if (may_add_up && all && width >= WindowSums::kSlots &&
        out.blocks * kBlockPostings > kFewPostings)
        out.last = out.first + WindowSums::kSlots - 1;
    if (!may_add_up && order_.size() > kFewTerms && width >= kManyTermsSlots)
        out.last = out.first + kManyTermsSlots - 1;
    out.narrow = may_add_up && out.last - out.first < WindowSums::kSlots;
    return out;
}

void TermsSearch::search(const Window& window, Collector& out, const Roaring* accepted) {
    for (TermReader* const term : order_) term->start_window(window.first);
    const double least = out.least();
    chosen_.clear();
    passing_ = 0;
    const bool may_add_up = groups_ == 1 && order_.size() > 1;
    if (window.narrow && !(least > 0)) return add_up(window, out, accepted);
    choose_blocks(window, least);
    if (may_add_up && add_up_cost(window) < look_up_cost()) {
        passing_ = 0;  // Nothing is looked up.
        return add_up(window, out, accepted);
    }
    look_up_chosen(window, out, accepted);
}

/// Nanoseconds of looking up what was chosen.
double TermsSearch::look_up_cost() const {
    const auto others = static_cast<double>(order_.size() - 1);
    return kBlockLookUpCost * static_cast<double>(chosen_.size()) * others +
           (kCandidateCost + kLookUpCost * others) * static_cast<double>(passing_);
}

/// Nanoseconds of adding up all postings of the window instead.
double TermsSearch::add_up_cost(const Window& window) const {
    std::uint64_t blocks = 0;
    for (const TermReader* const term : order_) blocks += term->window_blocks(window.last);
    return kAddCost * static_cast<double>(blocks * kBlockPostings) +
           kSlotCost * static_cast<double>(end_of(window) - window.first);
}

/// The last slot of a window that any term has, or one before it.
std::uint32_t TermsSearch::end_of(const Window& window) const {
    std::uint32_t end = window.first;
    for (const TermReader* const term : order_)
        if (!term->blocks().empty()) end = std::max(end, term->blocks().back().last());
    return std::min(window.last, end);
}

/// What the terms behind `place` may add anywhere in the range. @return false  a group of which one
/// is needed has none there.
bool TermsSearch::others_in(std::size_t place, std::uint32_t first, std::uint32_t last,
                            OtherTerms* out, Chosen* chosen) {
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
            chosen->rest[at - place - 1] = range.bound;
            if (!one_field_) continue;
            out->weights[out->size] = order_[at]->scoring().weight;
            out->frequencies[out->size++] = range.frequency;
        }
        if (!any) return false;
    }
    for (std::size_t at = order_.size() - 1; at-- > place + 1;)
        chosen->rest[at - place - 1] += chosen->rest[at - place];
    return true;
}

void TermsSearch::choose_blocks(const Window& window, double least) {
    OtherTerms others;
    for (std::size_t place = 0; place < choosing_; ++place) {
        TermReader& term = *order_[place];
        if (order_.size() <= kFewTerms)  // Others are bounded as a whole.
            for (std::size_t at = place; at < order_.size(); ++at) order_[at]->rewind();
        const auto blocks = term.blocks();
        for (std::size_t at = term.window_at(); at < blocks.size(); ++at) {
            const PostingBlock& block = blocks[at];
            if (block.first() > window.last) break;
            if (at + 2 < blocks.size()) blocks[at + 2].prefetch();
            Chosen chosen{.place = static_cast<std::uint32_t>(place), .block = at};
            if (!others_in(place, std::max(window.first, block.first()),
                           std::min(window.last, block.last()), &others, &chosen))
                continue;
            chosen.bound = term.bound_of(block) + others.bound;
            if (chosen.bound * kBoundSlack < least) continue;
            looked_at_ += block.count();
            chosen.passing = block.passing(limits_.limits(
                term.scoring(), std::min(place, OtherTerms::kMost), others, least / kBoundSlack));
            const int passing = std::popcount(chosen.passing[0]) + std::popcount(chosen.passing[1]);
            if (passing == 0) continue;
            block.prefetch_slots();
            // Few are left for the terms behind the next group's first.
            if (groups_ > 1 && order_.size() <= kFewTerms)
                order_[lead_]->prefetch_range(block.last());
            chosen_.push_back(chosen);
            passing_ += static_cast<std::uint64_t>(passing);
        }
    }
}

void TermsSearch::look_up_chosen(const Window& window, Collector& out, const Roaring* accepted) {
    std::uint32_t place = 0;
    found_.clear();
    for (TermReader& term : terms_) term.rewind();
    for (const Chosen& chosen : chosen_) {
        if (chosen.place != place)
            for (TermReader& term : terms_) term.rewind();
        place = chosen.place;
        const double least = out.least();
        if (chosen.bound * kBoundSlack < least) continue;
        complete(chosen, window, least);
        offer(accepted, out);
    }
    std::ranges::sort(found_, {}, &Found::slot);
    for (const Found& found : found_) {
        if (unwanted_->seek(found.slot) == found.slot) continue;
        ++scored_;
        out.offer(found.score, found.slot);
    }
}

/// What the terms from a place on, behind that of the block, may add.
double TermsSearch::rest(const Chosen& chosen, std::size_t from) const {
    if (from == order_.size()) return 0;
    if (order_.size() > kFewTerms) return from_[from];
    return chosen.rest[from - chosen.place - 1];
}

/// Leaves those in candidates_ that may be among the best, and that none of the terms before their
/// own has. Where others are needed, what is not in all of these is never scored.
void TermsSearch::complete(const Chosen& chosen, const Window& window, double least) {
    TermReader& own = *order_[chosen.place];
    const PostingBlock& block = own.blocks()[chosen.block];
    candidates_.fill(block, chosen.passing, window.first, window.last, terms_.size());
    bool scored = groups_ == 1;
    if (scored) candidates_.score(own, block);
    for (std::size_t at = chosen.place + std::size_t{1}; at < order_.size();) {
        const std::uint32_t group = order_[at]->group();
        candidates_.forget_met();
        for (; at < order_.size() && order_[at]->group() == group; ++at) {
            if (scored) candidates_.keep_at_least(least, rest(chosen, at));
            if (candidates_.size() == 0) return;
            looked_at_ += candidates_.size();
            candidates_.look_up(*order_[at]);
        }
        if (group == own.group()) continue;
        candidates_.keep_met();
        if (!std::exchange(scored, true)) candidates_.score(own, block);
    }
    candidates_.keep_at_least(least, 0);
    candidates_.forget_met();
    for (std::size_t at = 0; at < chosen.place && candidates_.size() > 0; ++at) {
        candidates_.look_up(*order_[at]);
        candidates_.drop_met();
    }
}

void TermsSearch::offer(const Roaring* accepted, Collector& out) {
    for (std::size_t i = 0; i < candidates_.size(); ++i) {
        const std::uint32_t slot = candidates_.slot(i);
        if (accepted != nullptr && !accepted->contains(slot)) continue;
        const double score = candidates_.total(i, terms_);
        if (unwanted_ != nullptr) {
            found_.push_back({slot, score});
            continue;
        }
        ++scored_;
        out.offer(score, slot);
    }
}

/// A piece of the window after the other, as far as their sums have room.
void TermsSearch::add_up(const Window& window, Collector& out, const Roaring* accepted) {
    double least = out.least();
    const std::uint32_t end = end_of(window);
    for (std::uint64_t first = window.first; first <= end; first += WindowSums::kSlots) {
        const auto begin = static_cast<std::uint32_t>(first);
        const std::uint32_t last = begin + std::min(end - begin, WindowSums::kSlots - 1);
        for (TermReader& term : terms_) {
            term.start_window(begin);
            looked_at_ += sums_.add(term, begin, last);
        }
        sums_.take(begin, last, least, [&](double score, std::uint32_t slot) {
            if (score < least || (accepted != nullptr && !accepted->contains(slot))) return;
            if (unwanted_ != nullptr && unwanted_->seek(slot) == slot) return;
            ++scored_;
            out.offer(score, slot);
            least = out.least();
        });
    }
}

void TermsSearch::scores(std::span<const Slot> slots, std::span<double> out) {
    if (unwanted_ != nullptr) unwanted_->forget();
    for (TermReader& term : terms_) term.begin();
    for (std::size_t i = 0; i < slots.size(); ++i) {
        const std::uint32_t slot = slots[i].value();
        double total = 0, score = 0;
        bool all = true;
        for (std::size_t at = 0; at < terms_.size();) {
            const std::uint32_t group = terms_[at].group();
            double sum = 0;
            bool any = false;
            for (; at < terms_.size() && terms_[at].group() == group; ++at) {
                if (!terms_[at].look_up(slot, &score)) continue;
                any = true;
                sum += score;
            }
            all = all && any;
            total += sum;
        }
        if (!all || (unwanted_ != nullptr && unwanted_->seek(slot) == slot)) continue;
        out[i] = total;
    }
}

}  // namespace tidal::text
