#include "ranking/internal/value_graph.h"

#include <algorithm>
#include <bit>
#include <cassert>

#include "ranking/internal/score_math.h"

namespace tidal::ranking {
namespace {

double fold(Op op, double a, double b, double c) {
    using namespace score_math;
    switch (op) {
        case Op::kNegate:
            return negate(a);
        case Op::kLog:
            return natural_log(a);
        case Op::kLog10:
            return decimal_log(a);
        case Op::kLog1p:
            return log_plus_one(a);
        case Op::kExp:
            return exponential(a);
        case Op::kSqrt:
            return square_root(a);
        case Op::kAbs:
            return absolute(a);
        case Op::kSign:
            return sign(a);
        case Op::kSigmoid:
            return sigmoid(a);
        case Op::kAdd:
            return add(a, b);
        case Op::kSubtract:
            return subtract(a, b);
        case Op::kMultiply:
            return multiply(a, b);
        case Op::kDivide:
            return divide(a, b);
        case Op::kPower:
            return power(a, b);
        case Op::kLess:
            return less(a, b);
        case Op::kLessEqual:
            return less_equal(a, b);
        case Op::kEqual:
            return equal(a, b);
        case Op::kNotEqual:
            return not_equal(a, b);
        case Op::kMin:
            return minimum(a, b);
        case Op::kMax:
            return maximum(a, b);
        case Op::kWilson:
            return wilson(a, b);
        case Op::kIf:
            return select(a, b, c);
        case Op::kConstant:
        case Op::kParam:
        case Op::kFeature:
        case Op::kModel:
        case Op::kSum:
            break;
    }
    assert(false && "not a computation");
    return 0;
}

/// Index of an equal element, appended when there is none.
template <typename T, typename Same>
std::uint32_t index_of(std::vector<T>* all, const T& wanted, Same same) {
    const auto found = std::ranges::find_if(*all, [&](const T& x) { return same(x, wanted); });
    const auto index = static_cast<std::uint32_t>(found - all->begin());
    if (found == all->end()) all->push_back(wanted);
    return index;
}

/// Hands out registers, the one freed last first: it is still in the cache.
class RegisterPool {
public:
    std::uint16_t take() {
        if (free_.empty()) return next_++;
        const auto out = free_.back();
        free_.pop_back();
        return out;
    }
    void give_back(std::uint16_t reg) { free_.push_back(reg); }
    std::uint16_t count() const { return next_; }

private:
    std::vector<std::uint16_t> free_;
    std::uint16_t next_ = 0;
};

}  // namespace

int operand_count(Op op) {
    if (op == Op::kModel || op == Op::kSum) return 0;  // Counted by their tables.
    if (op == Op::kIf) return 3;
    if (op >= Op::kAdd) return 2;
    return op >= Op::kNegate ? 1 : 0;
}

ValueGraph::Value ValueGraph::intern(const Node& node) {
    const auto [found, fresh] = by_node_.try_emplace(node, static_cast<Value>(nodes_.size()));
    if (fresh) nodes_.push_back(node);
    return found->second;
}

ValueGraph::Value ValueGraph::constant(double number) {
    const auto same = [](double x,
                         double y) {  // 0 and -0 differ: 1 / x is 0 for both, but so say bits.
        return std::bit_cast<std::uint64_t>(x) == std::bit_cast<std::uint64_t>(y);
    };
    return intern({Op::kConstant, 0, 0, 0, index_of(&constants_, number, same)});
}

ValueGraph::Value ValueGraph::param(const std::string& name) {
    return intern({Op::kParam, 0, 0, 0, param_index(name)});
}

std::uint32_t ValueGraph::param_index(const std::string& name) {
    return index_of(&params_, name, std::equal_to<>{});
}

ValueGraph::Value ValueGraph::feature(const Feature& feature) {
    return intern({Op::kFeature, 0, 0, 0, index_of(&features_, feature, std::equal_to<>{})});
}

ValueGraph::Value ValueGraph::apply(Op op, Value a, Value b, Value c) {
    const Value operands[] = {a, b, c};
    const int count = operand_count(op);
    double numbers[3] = {};
    bool constant_operands = true;
    for (int i = 0; i < count; ++i) {
        const Node& node = nodes_[operands[i]];
        constant_operands = constant_operands && node.op == Op::kConstant;
        if (constant_operands) numbers[i] = constants_[node.index];
    }
    if (constant_operands) return constant(fold(op, numbers[0], numbers[1], numbers[2]));
    return intern({op, a, count > 1 ? b : 0, count > 2 ? c : 0, 0});
}

ValueGraph::Value ValueGraph::model(std::shared_ptr<const Model> model, std::vector<Value> inputs) {
    const Call call{std::move(model), std::move(inputs)};
    return intern({Op::kModel, 0, 0, 0, index_of(&calls_, call, std::equal_to<>{})});
}

std::vector<ValueGraph::Value> ValueGraph::operands(const Node& node) const {
    if (node.op == Op::kModel) return calls_[node.index].inputs;
    const Value all[] = {node.a, node.b, node.c};
    return {all, all + operand_count(node.op)};
}

std::vector<ValueGraph::Value> ValueGraph::operands(Value value, const Plan& plan) const {
    const auto sum = plan.sums.find(value);
    if (sum == plan.sums.end()) return operands(nodes_[value]);
    std::vector<Value> out;
    for (const Addend& addend : sum->second) {
        out.push_back(addend.value);
        if (addend.factor) out.push_back(*addend.factor);
    }
    return out;
}

Instruction ValueGraph::place(Value value, const std::vector<std::uint16_t>& reg, const Plan& plan,
                              Program* out) const {
    const Node& node = nodes_[value];
    Instruction in{node.op, reg[value], 0, 0, 0, node.index, is_in_place(value, plan)};
    if (const auto sum = plan.sums.find(value); sum != plan.sums.end()) {
        in.op = Op::kSum;
        in.index = static_cast<std::uint32_t>(out->sums.size());
        out->sums.push_back(place_sum(sum->second, reg, plan));
        return in;
    }
    if (node.op == Op::kModel) {
        in.index = static_cast<std::uint32_t>(out->model_calls.size());
        ModelCall& call = out->model_calls.emplace_back();
        call.model = calls_[node.index].model;
        for (const Value input : calls_[node.index].inputs) call.inputs.push_back(reg[input]);
        return in;
    }
    std::uint16_t* const slots[] = {&in.a, &in.b, &in.c};
    const Value values[] = {node.a, node.b, node.c};
    for (int i = 0; i < operand_count(node.op); ++i) *slots[i] = reg[values[i]];
    return in;
}

std::int32_t ValueGraph::feature_of(Value value) const {
    const Node& node = nodes_[value];
    return node.op == Op::kFeature ? static_cast<std::int32_t>(node.index) : -1;
}

Result<Program> ValueGraph::emit(Value score, std::optional<Value> gate,
                                 const std::vector<Kept>& terms,
                                 const std::vector<Kept>& features) const {
    constexpr std::size_t kUnused = 0;
    const std::size_t kToTheEnd = nodes_.size() + 1;
    std::vector<Value> to_the_end{score};
    if (gate) to_the_end.push_back(*gate);
    for (const auto* kept : {&terms, &features})
        for (const Kept& output : *kept) to_the_end.push_back(output.value);
    const Plan plan = plan_of(to_the_end);
    // last_use[v] - 1 is the value that reads v last.
    std::vector<std::size_t> last_use(nodes_.size(), kUnused);
    for (const Value value : to_the_end) last_use[value] = kToTheEnd;
    for (Value v = static_cast<Value>(nodes_.size()); v-- > 0;) {
        if (last_use[v] == kUnused) continue;
        for (const Value operand : operands(v, plan))
            last_use[operand] = std::max<std::size_t>(last_use[operand], v + 1);
    }

    Program out;
    out.constants = constants_;
    out.params = params_;
    out.features = features_;
    RegisterPool pool;
    std::vector<std::uint16_t> reg(nodes_.size());
    for (std::size_t v = 0; v < nodes_.size(); ++v) {
        const Node& node = nodes_[v];
        if (last_use[v] == kUnused) continue;
        if (pool.count() == kRegistersMax)
            return Error(ErrorCode::kTooLarge, "the expression needs too many values at once")
                .with_reason("expression_too_large");
        if (is_uniform(node.op)) {
            last_use[v] = kToTheEnd;  // Filled once per query, so never reused.
            reg[v] = pool.take();
            out.uniform.push_back({node.op, reg[v], 0, 0, 0, node.index});
        }
    }
    for (Value v = 0; v < nodes_.size(); ++v) {
        if (last_use[v] == kUnused || is_uniform(nodes_[v].op)) continue;
        reg[v] = pool.take();
        if (pool.count() > kRegistersMax)
            return Error(ErrorCode::kTooLarge, "the expression needs too many values at once")
                .with_reason("expression_too_large");
        out.code.push_back(place(v, reg, plan, &out));
        for (const Value operand : operands(v, plan)) {
            if (last_use[operand] != v + 1) continue;
            pool.give_back(reg[operand]);
            last_use[operand] = v;  // Given back once even when it is read twice.
        }
    }
    out.register_count = pool.count();
    out.score = reg[score];
    if (gate) out.gate = reg[*gate];
    const auto name = [&](const std::vector<Kept>& kept, std::vector<NamedOutput>* to) {
        for (const Kept& k : kept) to->push_back({k.text, reg[k.value], feature_of(k.value)});
    };
    name(terms, &out.terms);
    name(features, &out.feature_values);
    return out;
}

}  // namespace tidal::ranking
