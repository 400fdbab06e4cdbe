// Sums of products as one instruction. What is computed stays the same: each product and each
// addition happens in its order and saturates alone. Only what nothing else reads is taken in, so
// that terms which are to be shown keep registers of their own.
#include <algorithm>

#include "ranking/internal/value_graph.h"

namespace tidal::ranking {
ValueGraph::Plan ValueGraph::plan_of(const std::vector<Value>& kept) const {
    const std::size_t count = nodes_.size();
    Plan out{
        std::vector<unsigned>(count), std::vector<unsigned>(count), std::vector<bool>(count), {}};
    for (const Value value : kept) out.reads[value] = 2;  // Never a part of only one thing.
    for (std::size_t v = count; v-- > 0;)
        if (out.reads[v] > 0)
            for (const Value operand : operands(nodes_[v])) ++out.reads[operand];
    for (Value v = static_cast<Value>(count); v-- > 0;)
        if (out.reads[v] > 0 && !out.within_sum[v]) plan_sum(v, &out);
    for (const auto& [root, addends] : out.sums)
        for (const Addend& addend : addends) ++out.sum_reads[addend.value];
    return out;
}

/// Walks down the left operands: those additions happen first.
void ValueGraph::plan_sum(Value root, Plan* plan) const {
    const auto adds = [&](Value value) {
        return nodes_[value].op == Op::kAdd || nodes_[value].op == Op::kSubtract;
    };
    if (!adds(root)) return;
    std::vector<Addend> addends;
    std::vector<Value> within;
    Value rest = root;
    do {
        if (rest != root) within.push_back(rest);
        const Node& node = nodes_[rest];
        addends.push_back(addend(node.b, node.op == Op::kSubtract, *plan, &within));
        rest = node.a;
    } while (adds(rest) && plan->reads[rest] == 1 && addends.size() + 1 < kSumTermsMax);
    addends.push_back(addend(rest, false, *plan, &within));
    const auto lies_in_column = [&](const Addend& each) { return is_column(each.value); };
    // One addition of two registers is faster as what it is.
    if (within.empty() && std::ranges::none_of(addends, lies_in_column)) return;
    for (const Value value : within) plan->within_sum[value] = true;
    std::ranges::reverse(addends);
    plan->sums.emplace(root, std::move(addends));
}

/// A product with a constant gives its factor, a negation its sign: -(w * x) = (-w) * x exactly.
ValueGraph::Addend ValueGraph::addend(Value value, bool negated, const Plan& plan,
                                      std::vector<Value>* within) const {
    const auto is_part = [&](Op op) { return nodes_[value].op == op && plan.reads[value] == 1; };
    Addend out{value, std::nullopt, negated};
    if (is_part(Op::kNegate)) {
        within->push_back(value);
        out.negated = !out.negated;
        out.value = value = nodes_[value].a;
    }
    if (!is_part(Op::kMultiply)) return out;
    const Value a = nodes_[value].a, b = nodes_[value].b;
    if (is_uniform(nodes_[a].op) == is_uniform(nodes_[b].op)) return out;
    within->push_back(value);
    const bool first = is_uniform(nodes_[a].op);
    out.factor = first ? a : b;
    out.value = first ? b : a;
    return out;
}

Sum ValueGraph::place_sum(const std::vector<Addend>& addends, const std::vector<std::uint16_t>& reg,
                          const Plan& plan) const {
    Sum out;
    for (const Addend& addend : addends) {
        SumTerm& term = out.emplace_back();
        term.value = reg[addend.value];
        if (addend.factor) term.factor = reg[*addend.factor];
        term.negated = addend.negated;
        if (is_in_place(addend.value, plan))
            term.missing = features_[nodes_[addend.value].index].missing;
    }
    return out;
}

bool ValueGraph::is_column(Value value) const {
    if (nodes_[value].op != Op::kFeature) return false;
    const FeatureKind kind = features_[nodes_[value].index].kind;
    return kind == FeatureKind::kField || kind == FeatureKind::kText;
}

bool ValueGraph::is_in_place(Value value, const Plan& plan) const {
    return is_column(value) && plan.sum_reads[value] == plan.reads[value];
}

}  // namespace tidal::ranking
