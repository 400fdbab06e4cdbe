// text/internal/cursor.h: walks over what matches a part of a query, by rising slot.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "text/bm25.h"
#include "text/internal/field_index.h"
#include "text/internal/match_window.h"
#include "text/search_trace.h"

namespace tidal::text {

inline constexpr std::uint32_t kNoSlot = std::numeric_limits<std::uint32_t>::max();

class Cursor {
public:
    virtual ~Cursor() = default;
    /// The first match at or behind `target`, kNoSlot at the end. Targets rise.
    virtual std::uint32_t seek(std::uint32_t target) = 0;
    /// Of the slot seek() returned last.
    virtual double score() = 0;
    /// The greatest score of any match from `first` to `last`, or more. Firsts rise with targets.
    virtual double bound(std::uint32_t first, std::uint32_t last) = 0;
    /// A slot, at or behind the one seek() returned last, up to which bounds are near the scores.
    virtual std::uint32_t stretch() { return kNoSlot; }
    /// How many slots match, at most.
    virtual std::uint64_t matches() const = 0;
    /// From now on what scores less than this may be passed over.
    virtual void need(double /*least*/) {}
    /// Adds what matches in a window. Windows rise, as targets do.
    virtual void mark(MatchWindow* out);
    /// The index may have changed, or targets begin anew.
    virtual void forget() = 0;
    /// Adds its lists and what of them was looked at.
    virtual void trace(SearchTrace* out) const = 0;
};
using CursorPtr = std::unique_ptr<Cursor>;

/// One term of one field, as a query weighs it.
struct WeightedTerm {
    const FieldIndex* field = nullptr;
    TermNumber term = 0;
    Bm25 scoring;
    std::uint32_t group = 0;  ///< Of which a match has at least one.
};

class TermCursor final : public Cursor {
public:
    explicit TermCursor(const WeightedTerm& term)
        : field_(term.field), postings_(term.field->postings(term.term)), scoring_(term.scoring) {}

    std::uint32_t seek(std::uint32_t target) override;
    double score() override {
        return scoring_.score(block().frequency(at_), field_->length(slot_));
    }
    void forget() override {
        block_ = 0;
        opened_ = kNone;
        slot_ = 0;
        valid_ = false;
    }

    void trace(SearchTrace* out) const override {
        out->postings += postings_->size();
        out->looked_at += looked_at_;
    }
    std::uint32_t stretch() override { return block().last(); }
    std::uint64_t matches() const override { return postings_->size(); }
    double bound(std::uint32_t first, std::uint32_t last) override;
    void mark(MatchWindow* out) override { out->add(*postings_); }
    /// Positions at the slot seek() returned last.
    void positions(std::vector<std::uint32_t>* out) const { block().read_positions(at_, out); }

private:
    static constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();

    const PostingBlock& block() const { return postings_->blocks()[opened_]; }

    const FieldIndex* field_;
    std::shared_ptr<const PostingList> postings_;
    Bm25 scoring_;
    std::size_t opened_ = kNone;  ///< Which block slot_ is in.
    std::uint32_t at_ = 0;        ///< In that block.
    std::uint32_t slot_ = 0;      ///< That seek() returned.
    bool valid_ = false;
    std::size_t block_ = 0;  ///< Where bound() was.
    std::uint64_t looked_at_ = 0;
};

/// Any of its parts; the sum of those that match.
class AnyCursor final : public Cursor {
public:
    explicit AnyCursor(std::vector<CursorPtr> parts)
        : parts_(std::move(parts)), slots_(parts_.size(), 0), begun_(parts_.size(), false) {}
    std::uint32_t seek(std::uint32_t target) override;
    double score() override;
    double bound(std::uint32_t first, std::uint32_t last) override;
    std::uint64_t matches() const override;
    void mark(MatchWindow* out) override {
        for (const CursorPtr& part : parts_) part->mark(out);
    }
    void forget() override;
    void trace(SearchTrace* out) const override {
        for (const CursorPtr& part : parts_) part->trace(out);
    }

private:
    std::vector<CursorPtr> parts_;
    std::vector<std::uint32_t> slots_;
    std::vector<bool> begun_;
    std::uint32_t slot_ = kNoSlot;
};

/// All of its parts. The one with the fewest matches leads: the others are asked about its slots
/// alone, and not about those whose score there cannot be enough (Ding & Suel, SIGIR 2011).
class AllCursor final : public Cursor {
public:
    explicit AllCursor(std::vector<CursorPtr> parts);
    std::uint32_t seek(std::uint32_t target) override;
    double score() override;
    double bound(std::uint32_t first, std::uint32_t last) override;
    std::uint64_t matches() const override { return order_.front()->matches(); }
    void need(double least) override { least_ = least; }
    void mark(MatchWindow* out) override;
    void forget() override;
    void trace(SearchTrace* out) const override {
        for (const CursorPtr& part : parts_) part->trace(out);
    }

private:
    bool may_be_enough(std::uint32_t slot, std::uint32_t* next);

    std::vector<CursorPtr> parts_;  ///< In the order of the query, in which scores are added.
    std::vector<Cursor*> order_;    ///< By rising matches.
    double least_ = 0;
    // Of the stretch that the lead is in.
    std::uint32_t stretch_end_ = 0;
    bool in_stretch_ = false;
    double bound_ = 0, others_bound_ = 0;
};

/// `wanted` without what `unwanted` has.
class ExceptCursor final : public Cursor {
public:
    ExceptCursor(CursorPtr wanted, CursorPtr unwanted)
        : wanted_(std::move(wanted)), unwanted_(std::move(unwanted)) {}
    std::uint32_t seek(std::uint32_t target) override;
    double score() override { return wanted_->score(); }
    double bound(std::uint32_t first, std::uint32_t last) override {
        return wanted_->bound(first, last);
    }
    std::uint64_t matches() const override { return wanted_->matches(); }
    void need(double least) override { wanted_->need(least); }
    void mark(MatchWindow* out) override;
    void forget() override {
        wanted_->forget();
        unwanted_->forget();
    }
    void trace(SearchTrace* out) const override {
        wanted_->trace(out);
        unwanted_->trace(out);
    }

private:
    CursorPtr wanted_, unwanted_;
};

/// Terms of one field at places in a row; scored as one term that is there as often as they are in
/// a row, with the weights of all.
class PhraseCursor final : public Cursor {
public:
    struct Part {
        std::unique_ptr<TermCursor> term;
        std::uint32_t offset = 0;  ///< From the first part.
    };
    /// @param scoring  Its weight is the sum of the parts'.
    PhraseCursor(const FieldIndex& field, std::vector<Part> parts, const Bm25& scoring)
        : field_(&field), parts_(std::move(parts)), scoring_(scoring) {}
    std::uint32_t seek(std::uint32_t target) override;
    double score() override { return scoring_.score(frequency_, field_->length(slot_)); }
    double bound(std::uint32_t, std::uint32_t) override { return scoring_.weight; }
    std::uint64_t matches() const override { return parts_.front().term->matches(); }
    void forget() override {
        for (const Part& part : parts_) part.term->forget();
        valid_ = false;
    }
    void trace(SearchTrace* out) const override {
        ++out->phrases;
        for (const Part& part : parts_) part.term->trace(out);
    }

private:
    std::uint32_t count();

    const FieldIndex* field_;
    std::vector<Part> parts_;
    Bm25 scoring_;
    std::uint32_t slot_ = 0, frequency_ = 0;
    bool valid_ = false;
    std::vector<std::uint32_t> starts_, next_;
};

}  // namespace tidal::text
