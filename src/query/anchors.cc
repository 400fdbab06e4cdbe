#include <algorithm>
#include <optional>

#include "base/hash.h"
#include "query/internal/missing_inputs.h"
#include "query/internal/plan_anchors.h"
#include "ranking/embedding_name.h"

namespace tidal::query {
namespace {

using ranking::Anchor;
using ranking::Input;

/// One reader of vectors.
struct Use {
    EmbeddingSlotId slot;
    std::optional<Anchor> anchor;
    std::string by;         ///< As the language writes it.
    bool may_lack = false;  ///< One source of several: without its input it is empty.
};

void filter_uses(const BoundFilter& node, std::vector<Use>* uses) {
    if (const auto* leaf = std::get_if<SimilarityIs>(&node.leaf);
        node.kind == BoundFilter::Kind::kLeaf && leaf != nullptr)
        uses->push_back({leaf->slot, std::nullopt, node.text});
    for (const BoundFilter& child : node.children) filter_uses(child, uses);
}

std::vector<Use> uses_of(const FeedPlan& plan, const schema::Schema& schema) {
    std::vector<Use> uses;
    const auto& sources = plan.profile->profile.sources;
    for (const ranking::Source& source : sources)
        if (source.kind == ranking::SourceKind::kAnn &&
            !ranking::lacks_embeddings(source, sources, schema, plan.kind))
            uses.push_back({ranking::find_embedding(schema, plan.kind, source.name)->id,
                            source.anchor, print_source(source), sources.size() > 1});
    for (const ranking::Feature& feature : plan.profile->program.features)
        if (feature.kind == ranking::FeatureKind::kSimilarity)
            uses.push_back({feature.slot, std::nullopt,
                            "similarity(" +
                                schema.kind(plan.kind).embeddings[feature.slot.value()].name +
                                ")"});
    if (plan.filter) filter_uses(*plan.filter, &uses);
    return uses;
}

class AnchorPlan {
public:
    AnchorPlan(const FeedRequest& request, const schema::Schema& schema, FeedPlan* plan)
        : request_(request), schema_(schema), plan_(*plan) {}

    Result<void> run() {
        for (const Use& use : uses_of(plan_, schema_)) TIDAL_TRY(take(use));
        for (const ranking::Feature& feature : plan_.profile->program.features)
            if (feature.kind == ranking::FeatureKind::kNearestDisliked)
                plan_.disliked_slots.push_back(feature.slot);
        if (reads_item_) {
            plan_.similar_to = request_.similar_to;
            plan_.exclude.insert(*request_.similar_to);
        }
        const std::string name = plan_.profile->profile.name_and_version();
        if (request_.similar_to && !reads_item_)
            plan_.warnings.push_back("similar_to: nothing of " + name + " or the filter reads it");
        if (!request_.vector.empty() && !reads_vector_)
            plan_.warnings.push_back("vector: nothing of " + name + " or the filter reads it");
        return {};
    }

private:
    Result<void> take(const Use& use) {
        const bool vector = !request_.vector.empty(), item = request_.similar_to.has_value();
        if ((!use.anchor || use.anchor == Anchor::kVector) && vector) return take_vector(use);
        if ((!use.anchor || use.anchor == Anchor::kItem) && item) {
            if (std::ranges::find(plan_.item_slots, use.slot) == plan_.item_slots.end())
                plan_.item_slots.push_back(use.slot);
            reads_item_ = true;
            return {};
        }
        // Users like items: what they prefer is near to nothing else.
        if ((!use.anchor || use.anchor == Anchor::kUser) && request_.user &&
            plan_.kind == EntityKind::kItem) {
            if (std::ranges::find(plan_.user_slots, use.slot) == plan_.user_slots.end())
                plan_.user_slots.push_back(use.slot);
            return {};
        }
        const Input input = !use.anchor                     ? Input::kAnchor
                            : use.anchor == Anchor::kVector ? Input::kVector
                            : use.anchor == Anchor::kUser   ? Input::kUser
                                                            : Input::kItem;
        if (!use.may_lack) return placed_in_order(missing_input(use.by, input), request_, use.by);
        plan_.warnings.push_back("`" + use.by + "` is empty: it needs " +
                                 std::string(ranking::input_name(input)));
        return {};
    }

    Result<void> take_vector(const Use& use) {
        reads_vector_ = true;
        if (plan_.anchors.find(use.slot, Anchor::kVector) != nullptr) return {};
        const auto& spec = schema_.kind(plan_.kind).embeddings[use.slot.value()];
        auto probe = vector::make_probe(spec, request_.vector);
        if (!probe && request_.vector.size() != spec.dimensions)
            return probe.take_error().with_field("vector").with_reason("wrong_dimension");
        if (!probe) return probe.take_error().with_field("vector");
        plan_.anchors.set(use.slot, Anchor::kVector, *std::move(probe));
        return {};
    }

    const FeedRequest& request_;
    const schema::Schema& schema_;
    FeedPlan& plan_;
    bool reads_item_ = false, reads_vector_ = false;
};

}  // namespace

Error missing_input(const std::string& by, Input input) {
    std::string_view field = "vector";
    std::string_view hint = "vector=0.1,0.2,..., as many numbers as the slot has dimensions";
    if (input == Input::kItem) {
        field = "similar_to";
        hint = "similar_to=42, the id of an item";
    } else if (input == Input::kUser || input == Input::kUserOrItem) {
        field = "user_id";
        hint = "say for which user: user_id of the request, FOR USER of a query";
    }
    return Error(ErrorCode::kInvalidArgument,
                 "`" + by + "` needs " + std::string(ranking::input_name(input)))
        .with_field(field)
        .with_reason("missing_input")
        .with_hint(hint);
}

Result<void> plan_anchors(const FeedRequest& request, const schema::Schema& schema,
                          FeedPlan* plan) {
    return AnchorPlan(request, schema, plan).run();
}

std::string canonical_anchors(const FeedRequest& request) {
    std::string out;
    if (request.similar_to) out += " similar_to " + request.similar_to->to_string();
    if (!request.vector.empty()) {
        const auto* const bytes = reinterpret_cast<const char*>(request.vector.data());
        out += " vector ";
        out.append(bytes, request.vector.size() * sizeof(float));
    }
    if (request.effort != vector::Effort::kDefault)
        out += " effort " + std::string(vector::effort_name(request.effort));
    return out;
}

Result<void> read_anchor_item(const ranking::ShardView& view, FeedPlan* plan) {
    const auto slot = view.entities.find(*plan->similar_to);
    if (!slot)
        return Error(ErrorCode::kNotFound, "no item with this id")
            .with_reason("unknown_item")
            .with_field("similar_to")
            .with("similar_to", plan->similar_to->to_string());
    for (const EmbeddingSlotId embedding : plan->item_slots) {
        const auto& spec = view.schema.kind(plan->kind).embeddings[embedding.value()];
        const auto* const vectors =
            view.vectors == nullptr ? nullptr : view.vectors->find(embedding);
        if (vectors == nullptr || !vectors->has(*slot)) {
            plan->warnings.push_back("item " + plan->similar_to->to_string() +
                                     " has no vector in `" + spec.name +
                                     "`: nothing is near to it");
            continue;
        }
        TIDAL_ASSIGN(auto probe, vector::make_probe(spec, vectors->values(*slot)));
        plan->anchors.set(embedding, Anchor::kItem, std::move(probe));
    }
    return {};
}

}  // namespace tidal::query
