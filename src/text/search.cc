#include "text/search.h"

#include <algorithm>
#include <optional>

#include "text/internal/query_binder.h"
#include "text/internal/terms_search.h"

namespace tidal::text {
namespace {

// Nanoseconds.
constexpr double kMatchCost = 100;                        ///< Of a cursor's, and of one score.
constexpr double kMarkWindowCost = 5'000, kMarkCost = 2;  ///< Of a window, and of a posting.

}  // namespace

class Search::Impl {
public:
    Impl(const TextIndex& index, const QueryNode& root, const Statistics& statistics, bool typos)
        : query_(QueryBinder(index, statistics, typos).bind(root)) {
        if (query_.terms.empty()) return;
        terms_.emplace(query_.terms, query_.unwanted.get());
    }

    bool run(Collector& out, const Roaring* accepted, Take take) {
        if (terms_) return terms_->run(out, accepted, take);
        if (query_.wanted == nullptr) return true;
        query_.wanted->forget();
        query_.wanted->need(out.least());
        for (;;) {
            if (!take(kMatchCost)) return false;
            const std::uint32_t slot = query_.wanted->seek(next_);
            if (slot == kNoSlot) return true;
            next_ = slot + 1;
            if (accepted != nullptr && !accepted->contains(slot)) continue;
            ++scored_;
            out.offer(query_.wanted->score(), slot);
            query_.wanted->need(out.least());
        }
    }

    bool match(std::uint32_t slots, Roaring* out, Take take) {
        if (query_.empty()) return true;
        terms_ ? terms_->forget() : query_.wanted->forget();
        const double share = static_cast<double>(MatchWindow::kSlots) /
                             static_cast<double>(std::max(slots, MatchWindow::kSlots));
        const double cost = kMarkWindowCost + kMarkCost * share * static_cast<double>(postings());
        while (next_ < slots) {
            if (!take(cost)) return false;
            MatchWindow window(next_);
            terms_ ? terms_->mark(&window) : query_.wanted->mark(&window);
            window.append_to(out);
            if (kNoSlot - next_ <= MatchWindow::kSlots) break;
            next_ += MatchWindow::kSlots;
        }
        return true;
    }

    void scores(std::span<const Slot> slots, std::span<double> out) {
        std::ranges::fill(out, 0);
        if (terms_) return terms_->scores(slots, out);
        if (query_.wanted == nullptr) return;
        query_.wanted->forget();
        for (std::size_t i = 0; i < slots.size(); ++i)
            if (query_.wanted->seek(slots[i].value()) == slots[i].value())
                out[i] = query_.wanted->score();
    }

    SearchTrace trace() const {
        SearchTrace out;
        if (terms_) {
            terms_->trace(&out);
        } else if (query_.wanted != nullptr) {
            query_.wanted->trace(&out);
            out.phrases = std::min<std::uint64_t>(out.phrases, 1);
            out.cursors = 1 - out.phrases;
            out.scored = scored_;
        }
        return out;
    }

private:
    std::uint64_t postings() const {
        SearchTrace lists;
        terms_ ? terms_->trace(&lists) : query_.wanted->trace(&lists);
        return lists.postings;
    }

    BoundQuery query_;
    std::optional<TermsSearch> terms_;
    std::uint32_t next_ = 0;  ///< First slot that is not looked at.
    std::uint64_t scored_ = 0;
};

Search::Search(const TextIndex& index, const QueryNode& root, const Statistics& statistics,
               bool typos)
    : impl_(std::make_unique<Impl>(index, root, statistics, typos)) {}
Search::~Search() = default;
Search::Search(Search&&) noexcept = default;
bool Search::run(Collector& out, const Roaring* accepted, Take take) {
    return impl_->run(out, accepted, take);
}
bool Search::match(std::uint32_t slots, Roaring* out, Take take) {
    return impl_->match(slots, out, take);
}
SearchTrace Search::trace() const {
    return impl_->trace();
}
void Search::scores(std::span<const Slot> slots, std::span<double> out) {
    impl_->scores(slots, out);
}

}  // namespace tidal::text
