#include "text/internal/cursor.h"

#include <algorithm>

namespace tidal::text {

void Cursor::mark(MatchWindow* out) {
    for (std::uint32_t slot = seek(out->first()); slot != kNoSlot && slot <= out->last();
         slot = seek(slot + 1))
        out->add(slot);
}

std::uint32_t TermCursor::seek(std::uint32_t target) {
    if (valid_ && slot_ >= target) return slot_;
    const std::size_t before = opened_;
    opened_ = postings_->find_block(target, before == kNone ? 0 : before);
    if (opened_ == postings_->blocks().size()) {
        valid_ = true;
        return slot_ = kNoSlot;
    }
    ++looked_at_;
    // Most targets are the next slot.
    if (valid_ && opened_ == before && block().slot(at_ + 1) >= target)
        ++at_;
    else
        at_ = block().find(target);
    valid_ = true;
    return slot_ = block().slot(at_);
}

double TermCursor::bound(std::uint32_t first, std::uint32_t last) {
    constexpr std::size_t kBlocksMax = 8;
    double most = 0;
    const auto blocks = postings_->blocks();
    block_ = postings_->find_block(first, block_);
    for (std::size_t i = block_; i < blocks.size() && blocks[i].first() <= last; ++i) {
        if (i == block_ + kBlocksMax) return scoring_.bound(postings_->frontier());
        most = std::max(most, scoring_.bound(blocks[i].frontier()));
    }
    return most;
}

std::uint32_t AnyCursor::seek(std::uint32_t target) {
    slot_ = kNoSlot;
    for (std::size_t i = 0; i < parts_.size(); ++i) {
        if (!begun_[i] || slots_[i] < target) slots_[i] = parts_[i]->seek(target);
        begun_[i] = true;
        slot_ = std::min(slot_, slots_[i]);
    }
    return slot_;
}

double AnyCursor::score() {
    double sum = 0;
    for (std::size_t i = 0; i < parts_.size(); ++i)
        if (slots_[i] == slot_) sum += parts_[i]->score();
    return sum;
}

void AnyCursor::forget() {
    for (const CursorPtr& part : parts_) part->forget();
    begun_.assign(parts_.size(), false);
}

double AnyCursor::bound(std::uint32_t first, std::uint32_t last) {
    double sum = 0;
    for (const CursorPtr& part : parts_) sum += part->bound(first, last);
    return sum;
}

std::uint64_t AnyCursor::matches() const {
    std::uint64_t sum = 0;
    for (const CursorPtr& part : parts_) sum += part->matches();
    return sum;
}

AllCursor::AllCursor(std::vector<CursorPtr> parts) : parts_(std::move(parts)) {
    for (const CursorPtr& part : parts_) order_.push_back(part.get());
    std::ranges::stable_sort(order_, {}, &Cursor::matches);
}

void AllCursor::forget() {
    for (const CursorPtr& part : parts_) part->forget();
    least_ = 0;
    in_stretch_ = false;
}

double AllCursor::bound(std::uint32_t first, std::uint32_t last) {
    double sum = 0;
    for (const CursorPtr& part : parts_) sum += part->bound(first, last);
    return sum;
}

/// Whether all parts together may reach what is needed at the slot of the lead. @param next  Else,
/// where it may be so again; kNoSlot = nowhere.
bool AllCursor::may_be_enough(std::uint32_t slot, std::uint32_t* next) {
    // Bounds are sums in another order than scores: by so much they may be too small.
    constexpr double kRounding = 1 + 1e-9;
    if (!in_stretch_ || slot > stretch_end_) {
        stretch_end_ = order_.front()->stretch();
        in_stretch_ = true;
        others_bound_ = 0;
        for (std::size_t i = 1; i < order_.size(); ++i)
            others_bound_ += order_[i]->bound(slot, stretch_end_);
        bound_ = others_bound_ + order_.front()->bound(slot, stretch_end_);
    }
    if (bound_ * kRounding < least_) {
        *next = stretch_end_ == kNoSlot ? kNoSlot : stretch_end_ + 1;
        return false;
    }
    *next = slot + 1;
    return (order_.front()->score() + others_bound_) * kRounding >= least_;
}

std::uint32_t AllCursor::seek(std::uint32_t target) {
    for (;;) {
        const std::uint32_t slot = order_.front()->seek(target);
        if (slot == kNoSlot) return kNoSlot;
        if (least_ > 0 && !may_be_enough(slot, &target)) {
            if (target == kNoSlot) return kNoSlot;
            continue;
        }
        target = slot;
        for (std::size_t i = 1; i < order_.size() && target == slot; ++i)
            target = order_[i]->seek(slot);
        if (target == slot || target == kNoSlot) return target;
    }
}

void AllCursor::mark(MatchWindow* out) {
    MatchWindow all(out->first());
    order_.front()->mark(&all);
    for (std::size_t i = 1; i < order_.size(); ++i) {
        MatchWindow other(out->first());
        order_[i]->mark(&other);
        all.keep(other);
    }
    out->add(all);
}

double AllCursor::score() {
    double sum = 0;
    for (const CursorPtr& part : parts_) sum += part->score();
    return sum;
}

void ExceptCursor::mark(MatchWindow* out) {
    MatchWindow wanted(out->first()), unwanted(out->first());
    wanted_->mark(&wanted);
    unwanted_->mark(&unwanted);
    wanted.drop(unwanted);
    out->add(wanted);
}

std::uint32_t ExceptCursor::seek(std::uint32_t target) {
    for (;;) {
        const std::uint32_t slot = wanted_->seek(target);
        if (slot == kNoSlot || unwanted_->seek(slot) != slot) return slot;
        target = slot + 1;
    }
}

std::uint32_t PhraseCursor::count() {
    parts_[0].term->positions(&starts_);
    for (std::size_t i = 1; i < parts_.size() && !starts_.empty(); ++i) {
        parts_[i].term->positions(&next_);
        std::size_t at = 0;
        std::erase_if(starts_, [&](std::uint32_t start) {
            const std::uint32_t wanted = start + parts_[i].offset;
            while (at < next_.size() && next_[at] < wanted) ++at;
            return at == next_.size() || next_[at] != wanted;
        });
    }
    return static_cast<std::uint32_t>(starts_.size());
}

std::uint32_t PhraseCursor::seek(std::uint32_t target) {
    if (valid_ && slot_ >= target) return slot_;
    valid_ = true;
    for (;;) {
        for (std::size_t i = 0; i < parts_.size();) {
            const std::uint32_t slot = parts_[i].term->seek(target);
            if (slot == kNoSlot) return slot_ = kNoSlot;
            i = slot == target ? i + 1 : (i == 0 ? 1 : 0);
            target = slot;
        }
        frequency_ = count();
        slot_ = target;
        if (frequency_ > 0) return slot_;
        ++target;
    }
}

}  // namespace tidal::text
