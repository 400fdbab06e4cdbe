// ranking/internal/value_graph.h: the values of a program before they have registers.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "ranking/program.h"

namespace tidal::ranking {

/// Whether all items have the same value of it.
inline bool is_uniform(Op op) {
    return op == Op::kConstant || op == Op::kParam;
}

/// Hash-consed values in the order they were first needed: an equal value is the same value, and an
/// operator over constants is a constant.
class ValueGraph {
public:
    using Value = std::uint32_t;

    Value constant(double number);
    Value param(const std::string& name);
    std::uint32_t param_index(const std::string& name);
    Value feature(const Feature& feature);
    Value apply(Op op, Value a, Value b = 0, Value c = 0);
    Value model(std::shared_ptr<const Model> model, std::vector<Value> inputs);

    /// The feature a value is, or -1.
    std::int32_t feature_of(Value value) const;

    struct Kept {
        std::string text;
        Value value = 0;
    };
    /// Registers for what `score`, `gate` and the kept values need, reused once nothing reads them
    /// again.
    /// kTooLarge when more than kRegistersMax are needed at once.
    Result<Program> emit(Value score, std::optional<Value> gate, const std::vector<Kept>& terms,
                         const std::vector<Kept>& features) const;

private:
    struct Node {
        Op op = Op::kConstant;
        Value a = 0, b = 0, c = 0;
        std::uint32_t index = 0;
        auto operator<=>(const Node&) const = default;
    };
    struct Call {
        std::shared_ptr<const Model> model;
        std::vector<Value> inputs;
        bool operator==(const Call&) const = default;
    };
    /// An addend of a sum before it has registers: see SumTerm.
    struct Addend {
        Value value = 0;
        std::optional<Value> factor;
        bool negated = false;
    };
    /// What emit computes, by value.
    struct Plan {
        std::vector<unsigned> reads;      ///< By what is needed; 0 = not needed itself.
        std::vector<unsigned> sum_reads;  ///< Of those, the ones of addends.
        std::vector<bool> within_sum;     ///< Only a part of a sum: has no register.
        std::map<Value, std::vector<Addend>> sums;
    };
    Value intern(const Node& node);
    /// What a node reads.
    std::vector<Value> operands(const Node& node) const;
    /// What the instruction of a value reads.
    std::vector<Value> operands(Value value, const Plan& plan) const;
    Instruction place(Value value, const std::vector<std::uint16_t>& reg, const Plan& plan,
                      Program* out) const;

    // Sums of products become one instruction: value_graph_sums.cc.
    Plan plan_of(const std::vector<Value>& kept) const;
    void plan_sum(Value root, Plan* plan) const;
    Addend addend(Value value, bool negated, const Plan& plan, std::vector<Value>* within) const;
    Sum place_sum(const std::vector<Addend>& addends, const std::vector<std::uint16_t>& reg,
                  const Plan& plan) const;
    /// A feature that a source may have as plain numbers.
    bool is_column(Value value) const;
    bool is_in_place(Value value, const Plan& plan) const;

    std::vector<Node> nodes_;
    std::map<Node, Value> by_node_;
    std::vector<double> constants_;
    std::vector<std::string> params_;
    std::vector<Feature> features_;
    std::vector<Call> calls_;
};

/// 16 MiB of scratch per query at most.
inline constexpr std::size_t kRegistersMax = 2048;

/// How many of a, b, c the operator reads. A model reads the inputs of its call.
int operand_count(Op op);

}  // namespace tidal::ranking
