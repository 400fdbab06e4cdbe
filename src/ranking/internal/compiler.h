// ranking/internal/compiler.h: from a tree of names to a graph of values; compiler.cc walks the
// tree, feature_compiler.cc knows the features.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ranking/internal/functions.h"
#include "ranking/internal/value_graph.h"
#include "ranking/program.h"
#include "ranking/source_text.h"

namespace tidal::ranking {

/// One walk over the tree resolves names, checks arguments and makes values.
class Compiler {
public:
    using Value = ValueGraph::Value;

    Compiler(const CompileInput& input, const schema::Schema& schema, EntityKind kind)
        : input_(input), schema_(schema), kind_(kind) {}

    Result<Program> run();

private:
    Result<Value> lower(const Expr& expr);
    Result<Value> lower_name(const Expr& expr);
    Result<Value> lower_binary(const Expr& expr);
    Result<Value> lower_call(const Expr& expr);
    Result<Value> lower_pure(const Function& function, const Expr& expr);
    Result<Value> lower_feature(const Function& function, const Expr& expr);
    Result<Value> lower_windowed(Form form, const Expr& expr);
    Result<Value> lower_unique(const schema::SignalSpec& signal, schema::Window window);
    Result<Value> lower_rate(const Expr& expr);
    Result<Value> lower_random(const Expr& expr);
    Result<Value> lower_field(const Expr& name);
    Result<Value> lower_order(const Expr& score);
    Result<void> keep_terms(const Expr& score);
    Result<Value> lower_penalty(const Penalty& penalty, Value score);
    Result<std::optional<Value>> lower_gates();
    std::optional<audience::StateId> refused_state(const Expr& gate) const;

    Result<Value> lower_bare_feature(const Expr& expr);
    Result<Value> lower_request_feature(const Function& function, const Expr& expr);
    Result<Value> lower_similarity(const Function& function, const Expr& expr,
                                   const Expr* argument);
    Result<Value> lower_state(const Expr& expr);
    Result<Value> lower_since_last(const Expr& expr);
    Result<Value> lower_rank(const Expr& expr);
    Result<Value> lower_fused(const Expr& expr);
    Result<Value> lower_distance(const Expr& expr);
    Result<Value> lower_cohort(const Expr& expr);
    Result<void> check_cohort_window(const Function& function, const Expr& expr);
    Result<Value> lower_model(const Expr& expr);
    Result<Coordinate> coordinate(const Expr& expr, double most);
    /// A part that the schema lacks what it takes for.
    Value zero(std::string warning);
    Error unknown_source(const Expr& at) const;
    Value needing(Input input, const Expr& expr, const Feature& feature);
    void need(Input input, const Expr& expr);

    Value by_polarity(schema::Polarity polarity, schema::Window window);
    Value engagement(const schema::SignalSpec& signal, schema::Window window);
    template <typename Wanted>
    Value total(FeatureKind kind, schema::Window window, Wanted wanted);
    Value windowed(FeatureKind kind, const schema::SignalSpec& signal, schema::Window window);
    Result<const schema::SignalSpec*> signal_named(const Expr& expr);
    Result<schema::Window> window_named(const Expr& expr);
    Error unknown_field(const Expr& expr) const;
    /// Items and creators have ledgers: items of the signals aimed at them, creators also of those
    /// that their items got.
    bool has_ledger(const schema::SignalSpec& signal) const {
        if (kind_ == EntityKind::kCreator) return signal.target != EntityKind::kUser;
        return kind_ == EntityKind::kItem && signal.target == EntityKind::kItem;
    }
    Error fail(ErrorCode code, const Expr& at, std::string message) const {
        if (input_.source.empty()) return Error(code, std::move(message));
        return error_at(code, input_.source, at.offset, std::move(message));
    }
    void keep_feature(const Expr& expr, Value value);

    const CompileInput& input_;
    const schema::Schema& schema_;
    const EntityKind kind_;
    ValueGraph graph_;
    std::map<std::string, Value, std::less<>> definitions_;
    std::vector<ValueGraph::Kept> terms_, features_;
    std::vector<audience::StateId> refused_states_;
    std::vector<std::string> warnings_;
    std::vector<Need> needs_;
    bool in_cohort_ = false;
};

/// text, keyword.
bool is_order_text(schema::FieldType type);
/// int, float, bool, timestamp, duration.
bool is_score_number(schema::FieldType type);

}  // namespace tidal::ranking
