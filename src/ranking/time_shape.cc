#include "ranking/time_shape.h"

#include <algorithm>
#include <limits>

#include "ranking/internal/moving_value.h"
#include "ranking/internal/value_graph.h"
#include "ranking/shard_view.h"
#include "signal/cell_start.h"

namespace tidal::ranking {
namespace {

using schema::Window;

/// Of the features of a program, by their place in it: those that nothing in is below 0.
using Trusted = std::vector<bool>;

/// One walk over a program.
class TimeWalk {
public:
    TimeWalk(const Program& program, const schema::Schema& schema, const Trusted& trusted)
        : program_(program),
          schema_(schema),
          trusted_(trusted),
          registers_(program.register_count) {}

    TimeShape run(bool descending) {
        for (const Instruction& in : program_.uniform) {
            MovingValue& out = registers_[in.out];
            out = MovingValue{};
            if (in.op == Op::kConstant) out.low = out.high = program_.constants[in.index];
        }
        for (const Instruction& in : program_.code) step(in);
        const MovingValue& score = registers_[program_.score];
        const bool rises = descending ? score.may_rise : score.may_fall;
        shape_.never_rises = unsupported_.empty() && !rises;
        if (!shape_.never_rises)
            shape_.reason =
                unsupported_.empty() ? "time alone can move an entity up" : unsupported_;
        if (!score.moves()) {
            shape_.grains.clear();
            shape_.steady = true;
        }
        if (shape_.never_rises && descending) shape_.half_life_ms = lone_half_life_ms();
        return std::move(shape_);
    }

private:
    void step(const Instruction& in) {
        if (in.op == Op::kFeature) {
            registers_[in.out] = feature(program_.features[in.index], low_of(in.index));
            return;
        }
        if (in.op == Op::kSum) {
            registers_[in.out] = sum(program_.sums[in.index]);
            return;
        }
        // Copies: a register may be given back to the instruction that reads it last.
        const MovingValue a = registers_[in.a], b = registers_[in.b], c = registers_[in.c];
        registers_[in.out] = move_through(in.op, a, b, c);
    }

    std::int64_t lone_half_life_ms() const {
        if (program_.code.size() != 1 || program_.code[0].op != Op::kFeature) return 0;
        const Feature& feature = program_.features[program_.code[0].index];
        if (feature.kind != FeatureKind::kDecay || program_.score != program_.code[0].out) return 0;
        const schema::SignalSpec& signal = schema_.signals[feature.signal.value()];
        return signal.decay == schema::DecayKind::kExponential ? signal.half_life_ms : 0;
    }

    MovingValue sum(const Sum& terms) {
        const auto product = [&](const SumTerm& term) {
            const MovingValue& value = registers_[term.value];
            const MovingValue out =
                term.factor ? move_through(Op::kMultiply, value, registers_[*term.factor], {})
                            : value;
            return term.negated ? move_through(Op::kNegate, out, {}, {}) : out;
        };
        MovingValue out = product(terms[0]);
        for (const SumTerm& term : std::span(terms).subspan(1))
            out = move_through(Op::kAdd, out, product(term), {});
        return out;
    }

    double low_of(std::size_t feature) const { return trusted_[feature] ? 0 : -kMagnitudeMax; }

    /// @param low  The least that a sum or decay may be.
    MovingValue feature(const Feature& feature, double low) {
        if (feature.of_cohort) {
            unsupported_ = "the score depends on the request";
            return {};
        }
        switch (feature.kind) {
            case FeatureKind::kDecay:
                return decay(feature.signal, low);
            case FeatureKind::kCount:
                return window(feature.window, 0);
            case FeatureKind::kSum:
                return window(feature.window, low);
            case FeatureKind::kUnique: {
                const auto& unique = schema_.signals[feature.signal.value()].unique;
                if (unique) add_grain({unique->window, true});
                return {.low = 0, .may_fall = true};
            }
            case FeatureKind::kAgeHours:
                shape_.steady = false;
                return {.low = 0, .may_rise = true};
            case FeatureKind::kCreatedAt:
            case FeatureKind::kField:
                return {};
            case FeatureKind::kRandom:
                if (feature.seed_of_request) unsupported_ = "the score depends on the seed";
                return {.low = 0, .high = 1};
            default:
                unsupported_ = "the score depends on the request";
                return {};
        }
    }

    /// Cells leave a window one by one; each takes a sum >= 0 with it unless weights are negative.
    MovingValue window(Window window, double low) {
        if (window == Window::kAll) return {.low = low};
        add_grain({window, false});
        return {.low = low, .may_rise = low < 0, .may_fall = true};
    }

    MovingValue decay(SignalTypeId signal, double low) {
        if (schema_.signals[signal.value()].decay == schema::DecayKind::kPermanent)
            return {.low = low};
        shape_.steady = false;
        return {.low = low, .may_rise = low < 0, .may_fall = true};
    }

    void add_grain(TimeGrain grain) {
        if (std::ranges::find(shape_.grains, grain) == shape_.grains.end())
            shape_.grains.push_back(grain);
    }

    const Program& program_;
    const schema::Schema& schema_;
    const Trusted& trusted_;
    std::vector<MovingValue> registers_;
    std::string unsupported_;
    TimeShape shape_;
};

}  // namespace

UnixMillis TimeShape::steady_since(UnixMillis now) const {
    if (!steady) return now;
    UnixMillis since = std::numeric_limits<UnixMillis>::min();
    for (const TimeGrain& grain : grains)
        since = std::max(since, grain.slices ? signal::slice_start(grain.window, now)
                                             : signal::cell_start(grain.window, now));
    return since;
}

TimeShape time_shape(const Program& program, const schema::Schema& schema, bool descending) {
    Trusted trusted(program.features.size(), false);
    const auto walk = [&] { return TimeWalk(program, schema, trusted).run(descending); };
    // When a score may move has to hold for any values, also those of what mark_risers() marks.
    TimeShape out = walk();
    if (out.never_rises) return out;
    for (std::size_t i = 0; i < trusted.size(); ++i) {
        const FeatureKind kind = program.features[i].kind;
        trusted[i] = kind == FeatureKind::kSum || kind == FeatureKind::kDecay;
    }
    const TimeShape best = walk();
    out.never_rises = best.never_rises;
    out.reason = best.reason;
    out.half_life_ms = best.half_life_ms;
    if (!out.never_rises) return out;
    // As little as will do: what is not trusted marks nobody.
    for (std::size_t i = 0; i < trusted.size(); ++i) {
        if (!trusted[i]) continue;
        trusted[i] = false;
        if (walk().never_rises) continue;
        trusted[i] = true;
        out.trusted.push_back(program.features[i]);
    }
    return out;
}

Result<void> mark_risers(const ShardView& view, const TimeShape& shape, std::span<const Slot> slots,
                         UnixMillis now, std::span<std::uint8_t> marks) {
    for (const Feature& feature : shape.trusted)
        for (signal::LedgerTable* const ledger : view.ledgers) {
            if (!ledger->had_negative_weight(feature.signal)) continue;
            TIDAL_TRY(feature.kind == FeatureKind::kDecay
                          ? ledger->mark_negative_decay(feature.signal, slots, now, marks)
                          : ledger->mark_negative_window(feature.signal, feature.window, slots, now,
                                                         marks));
        }
    return {};
}

}  // namespace tidal::ranking
