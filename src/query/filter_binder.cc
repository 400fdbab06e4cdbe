#include <algorithm>
#include <cassert>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

#include "base/time_text.h"
#include "query/bound_filter.h"
#include "query/collections.h"
#include "ranking/embedding_name.h"
#include "ranking/feature.h"
#include "ranking/source_text.h"

namespace tidal::query {
namespace {

using schema::FieldType;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::string_view kFixedFields[] = {"created_at", "publish_at", "expires_at", "creator_id",
                                             "entity_id"};
constexpr std::string_view kUsualStates[] = {"seen", "liked", "in_progress"};
constexpr std::string_view kOfCreator[] = {"blocked", "followed"};
constexpr std::string_view kVectorWords[] = {"similarity", "ann", "mmr"};

/// As it is written with the NOTs that end in it.
std::string text_of(const FilterNode& node, bool negated) {
    if (!negated) return print_filter(node);
    FilterNode out;
    out.kind = FilterNode::Kind::kNot;
    out.children.push_back(node);
    return print_filter(out);
}

bool is_number(FieldType type) {
    return type == FieldType::kInt || type == FieldType::kFloat || type == FieldType::kTimestamp ||
           type == FieldType::kDuration;
}

class Binder {
public:
    Binder(std::string_view source, const schema::Schema& schema, EntityKind kind,
           const FilterInputs& inputs)
        : source_(source), schema_(schema), kind_(kind), inputs_(inputs) {}

    /// @param negated  An odd number of NOTs stands above. They end in the leaves, each of which
    ///                 knows its own opposite among entities that have the value.
    Result<BoundFilter> bind_node(const FilterNode& node, bool negated) {
        if (node.kind == FilterNode::Kind::kNot) return bind_node(node.children[0], !negated);
        BoundFilter out;
        out.index = nodes_++;
        if (node.kind == FilterNode::Kind::kTest) {
            out.text = text_of(node, negated);
            TIDAL_ASSIGN(out.leaf, bind_test(node, negated));
            return out;
        }
        const bool conjunction = (node.kind == FilterNode::Kind::kAnd) != negated;
        out.kind = conjunction ? BoundFilter::Kind::kAnd : BoundFilter::Kind::kOr;
        out.text = conjunction ? "AND" : "OR";
        for (const FilterNode& child : node.children) {
            TIDAL_ASSIGN(BoundFilter bound, bind_node(child, negated));
            out.children.push_back(std::move(bound));
        }
        return out;
    }

private:
    Error fail(ErrorCode code, std::uint32_t offset, std::string message) const {
        return ranking::error_at(code, source_, offset, std::move(message)).with_field("filter");
    }
    Error wrong_test(const FilterNode& node, std::string_view what, std::string_view right) const {
        return fail(ErrorCode::kInvalidArgument, node.offset,
                    "`" + node.field + "` (" + std::string(what) + ") cannot be compared like this")
            .with_hint(right);
    }
    Error wrong_value(const Literal& value, const FilterNode& node, std::string_view right) const {
        return fail(ErrorCode::kInvalidArgument, value.offset,
                    "`" + node.field + "` is compared with " + std::string(right));
    }

    Result<Leaf> bind_test(const FilterNode& node, bool negated) const {
        if (node.test == Test::kCreatedWithin)
            return Leaf(CreatedWithin{static_cast<std::int64_t>(node.values[0].number), negated});
        if (node.test == Test::kNear) return bind_near(node, negated);
        if (node.test == Test::kState) return bind_state(node, negated);
        if (node.test == Test::kFriendsEngaged) return bind_friends(node, negated);
        if (node.similarity || node.test == Test::kAnn || node.test == Test::kMmr)
            return bind_vectors(node, negated);
        if (node.test == Test::kInCollection) return bind_collection(node, negated);
        if (node.field == "created_at") return bind_created_at(node, negated);
        if (node.field == "entity_id") return bind_entity_id(node, negated);
        if (node.field == "creator_id" && kind_ == EntityKind::kItem)
            return bind_creator_id(node, negated);
        const schema::FieldSpec* field = schema_.find_field(kind_, node.field);
        if (field == nullptr && (node.field == "publish_at" || node.field == "expires_at"))
            return bind_fixed_time(node, negated);
        if (field == nullptr && node.field == "similarity")
            return bind_similarity(node, negated, "");
        if (field == nullptr) return unknown_field(node);
        if (node.test == Test::kIsNull) return Leaf(IsPresent{field->id, !negated});
        if (is_number(field->type))
            return bind_number(node, negated, {.field = field->id}, field->type);
        switch (field->type) {
            case FieldType::kBool:
                return bind_bool(node, negated, field->id);
            case FieldType::kKeyword:
            case FieldType::kKeywords:
                return bind_keyword(node, negated, *field);
            default:
                break;
        }
        return fail(ErrorCode::kInvalidArgument, node.offset,
                    "`" + node.field + "` is " + std::string(schema::field_type_name(field->type)) +
                        " and can only be tested with IS [NOT] NULL")
            .with_hint(field->type == FieldType::kGeo
                           ? "near(" + node.field + ", latitude, longitude, kilometres)"
                           : "declare a field of type keyword to filter by its value");
    }

    Error missing_user(const FilterNode& node, std::string_view name) const {
        return fail(ErrorCode::kInvalidArgument, node.offset,
                    "`" + std::string(name) + "` needs user_id")
            .with_hint("say for which user: user_id of the request, FOR USER of a query")
            .with_reason("missing_input");
    }

    /// What stands alone and is not compared.
    Error no_condition(const FilterNode& node, std::string_view word) const {
        if (word == "mmr")
            return fail(ErrorCode::kUnsupported, node.offset,
                        "`mmr` orders a page and is no condition")
                .with_hint("DIVERSIFY mmr(0.7, slot) of a query, `diversity` of a request")
                .with_reason("no_condition");
        if (word == "ann")
            return fail(ErrorCode::kUnsupported, node.offset,
                        "`ann` gives candidates and is no condition")
                .with_hint(
                    "similarity(slot) > 0.8, which is one, or a profile with "
                    "`candidates ann(slot, item)`")
                .with_reason("no_condition");
        return fail(ErrorCode::kInvalidArgument, node.offset, "`similarity` is compared")
            .with_hint("similarity > 0.8");
    }

    const schema::EmbeddingSpec* embedding_of(std::string_view name) const {
        return ranking::find_embedding(schema_, kind_, name);
    }
    Error unknown_embedding(const FilterNode& node, std::string_view name) const {
        auto [message, hint] = ranking::no_embedding(schema_, kind_, name);
        return fail(ErrorCode::kUnknownName, node.offset, std::move(message))
            .with_hint(hint)
            .with_reason("unknown_slot");
    }

    Result<Leaf> bind_vectors(const FilterNode& node, bool negated) const {
        if (node.similarity) return bind_similarity(node, negated, node.field);
        if (!node.field.empty() && embedding_of(node.field) == nullptr)
            return unknown_embedding(node, node.field);
        return no_condition(node, node.test == Test::kMmr ? "mmr" : "ann");
    }

    /// @param name  Of the slot; empty = embedding_name.h says.
    Result<Leaf> bind_similarity(const FilterNode& node, bool negated,
                                 std::string_view name) const {
        const std::string shown =
            name.empty() ? "similarity" : "similarity(" + std::string(name) + ")";
        const auto* const slot = embedding_of(name);
        if (slot == nullptr) return unknown_embedding(node, name);
        if (node.test == Test::kIsNull || node.test == Test::kLike || node.test == Test::kHas)
            return fail(ErrorCode::kInvalidArgument, node.offset,
                        "`" + shown + "` cannot be compared like this")
                .with_hint("use = != < <= > >= IN BETWEEN");
        for (const Literal& value : node.values)
            if (value.kind != Literal::Kind::kNumber)
                return fail(ErrorCode::kInvalidArgument, value.offset,
                            "`" + shown + "` is compared with a number");
        if (!inputs_.anchor && inputs_.user == nullptr)
            return fail(ErrorCode::kInvalidArgument, node.offset,
                        "`" + shown + "` needs " +
                            std::string(ranking::input_name(ranking::Input::kAnchor)))
                .with_hint(
                    "user_id, similar_to or vector of the request; FOR USER 7, SIMILAR TO 42 or "
                    "VECTOR (0.1, 0.2) of a query")
                .with_reason("missing_input");
        TIDAL_ASSIGN(const Leaf numbers, bind_number(node, negated, {}, FieldType::kFloat));
        SimilarityIs out{.slot = slot->id, .cost = vector::FlatVectors::cost(*slot)};
        if (const auto* range = std::get_if<InRange>(&numbers)) {
            out.low = range->low;
            out.high = range->high;
            out.outside = range->outside;
        } else {
            out.values = std::get<InNumbers>(numbers).values;
            out.outside = std::get<InNumbers>(numbers).outside;
        }
        return Leaf(std::move(out));
    }

    Result<Leaf> bind_state(const FilterNode& node, bool negated) const {
        const audience::StateNames states(schema_);
        const bool of_creator = std::ranges::find(kOfCreator, node.field) != std::end(kOfCreator);
        const auto state = of_creator ? std::nullopt : states.find(node.field);
        const bool usual = std::ranges::find(kUsualStates, node.field) != std::end(kUsualStates);
        if (!inputs_.user && (of_creator || state || usual)) return missing_user(node, node.field);
        if (of_creator || state) {
            if (of_creator) return bind_creators(node, negated);
            if (kind_ != EntityKind::kItem)
                return fail(ErrorCode::kInvalidArgument, node.offset,
                            "`" + node.field + "` is a state of items");
            return Leaf(InUserState{inputs_.user->id, *state, negated});
        }
        if (std::ranges::find(kVectorWords, node.field) != std::end(kVectorWords))
            return no_condition(node, node.field);
        return unknown_state(node, states, usual);
    }

    Result<Leaf> bind_creators(const FilterNode& node, bool negated) const {
        if (kind_ != EntityKind::kItem)
            return fail(ErrorCode::kInvalidArgument, node.offset,
                        "`" + node.field + "` is about the creators of items");
        const Creators& creators =
            node.field == "followed" ? inputs_.user->followed : inputs_.user->blocked;
        return Leaf(OfCreators{{creators.begin(), creators.end()}, negated});
    }

    Error unknown_state(const FilterNode& node, const audience::StateNames& states,
                        bool usual) const {
        Error error =
            fail(ErrorCode::kUnknownName, node.offset, "unknown user state `" + node.field + "`")
                .with_reason("unknown_state");
        const bool field = schema_.find_field(kind_, node.field) != nullptr ||
                           std::ranges::find(kFixedFields, node.field) != std::end(kFixedFields);
        if (field)
            return std::move(error).with_hint(
                "a field is compared: a comparison, IN, BETWEEN, LIKE, HAS or IS follows");
        if (usual)
            return std::move(error).with_hint("no signal of the schema sets it: `sets: [" +
                                              node.field + "]`");
        std::vector<std::string_view> known(std::begin(kOfCreator), std::end(kOfCreator));
        known.insert(known.end(), std::begin(kUsualStates), std::end(kUsualStates));
        for (std::uint16_t id = 0; id < states.size(); ++id)
            known.push_back(states.name(audience::StateId(id)));
        return std::move(error).with_hint(ranking::suggestion(node.field, "states", known));
    }

    Result<Leaf> bind_friends(const FilterNode& node, bool negated) const {
        if (!node.values.empty() && schema_.find_signal(node.values[0].text) == nullptr) {
            std::vector<std::string_view> known;
            for (const auto& signal : schema_.signals) known.push_back(signal.name);
            return fail(ErrorCode::kUnknownName, node.values[0].offset,
                        "unknown signal `" + node.values[0].text + "`")
                .with_hint(ranking::suggestion(node.values[0].text, "signals", known))
                .with_reason("unknown_signal");
        }
        if (!inputs_.user) return missing_user(node, "friends_engaged");
        if (kind_ != EntityKind::kItem)
            return fail(ErrorCode::kInvalidArgument, node.offset,
                        "`friends_engaged` is about items");
        const auto* signal =
            node.values.empty() ? nullptr : schema_.find_signal(node.values[0].text);
        EngagedBy out{.users = inputs_.user->friends, .states = {}, .negated = negated};
        const audience::StateNames names(schema_);
        const auto given = signal == nullptr ? std::nullopt : std::optional(signal->id);
        out.states = names.of_engagement(schema_, given);
        if (out.states.empty())
            return fail(ErrorCode::kInvalidArgument, node.offset,
                        "no state tells which friends engaged")
                .with_hint(names.lacks_for_engagement(schema_, given))
                .with_reason("no_state_of_signal");
        return Leaf(std::move(out));
    }

    Result<Leaf> bind_collection(const FilterNode& node, bool negated) const {
        if (kind_ != EntityKind::kItem)
            return fail(ErrorCode::kInvalidArgument, node.offset, "`in_collection` is about items");
        static const Collections kNone;
        const Collections& known = inputs_.collections == nullptr ? kNone : *inputs_.collections;
        const std::string& name = node.values[0].text;
        if (const Collection* const found = known.find(name))
            return Leaf(InCollection{found->id, negated});
        const Error why = known.unknown(name);
        return fail(ErrorCode::kUnknownName, node.values[0].offset, why.message())
            .with_hint(why.hint())
            .with_reason(why.reason());
    }

    Result<FieldId> place_of(const FilterNode& node) const {
        std::vector<std::string_view> places;
        const schema::FieldSpec* found = nullptr;
        for (const auto& field : schema_.kind(kind_).fields) {
            if (field.type != FieldType::kGeo) continue;
            places.push_back(field.name);
            if (node.field.empty() || field.name == node.field) found = &field;
        }
        if (found != nullptr && (!node.field.empty() || places.size() == 1)) return found->id;
        if (node.field.empty())
            return fail(ErrorCode::kInvalidArgument, node.offset,
                        places.empty() ? "there is no geo field" : "there are several geo fields")
                .with_hint(places.empty() ? "declare a field of type geo"
                                          : "near(" + std::string(places[0]) +
                                                ", latitude, longitude, kilometres)");
        if (schema_.find_field(kind_, node.field) == nullptr) return unknown_field(node);
        return fail(ErrorCode::kInvalidArgument, node.offset,
                    "`" + node.field + "` is no geo field")
            .with_hint(ranking::suggestion(node.field, "geo fields", places));
    }

    Result<Leaf> bind_near(const FilterNode& node, bool negated) const {
        TIDAL_ASSIGN(const FieldId field, place_of(node));
        constexpr double kMost[] = {90, 180, 40'000};
        constexpr std::string_view kRight[] = {"a latitude is -90 to 90 degrees",
                                               "a longitude is -180 to 180 degrees",
                                               "a distance is 0 to 40000 km"};
        for (std::size_t i = 0; i < 3; ++i) {
            const double value = node.values[i].number;
            if (value >= (i == 2 ? 0 : -kMost[i]) && value <= kMost[i]) continue;
            return fail(ErrorCode::kInvalidArgument, node.values[i].offset,
                        "`" + node.values[i].text + "` is out of range")
                .with_hint(kRight[i]);
        }
        return Leaf(Near{
            field, {node.values[0].number, node.values[1].number}, node.values[2].number, negated});
    }

    /// publish_at and expires_at.
    Result<Leaf> bind_fixed_time(const FilterNode& node, bool negated) const {
        const entity::NumberSource column{.kind = node.field == "publish_at"
                                                      ? entity::NumberSource::Kind::kPublishAt
                                                      : entity::NumberSource::Kind::kExpiresAt,
                                          .field = {}};
        if (node.test == Test::kIsNull) return Leaf(TimePresent{column, !negated});
        return bind_number(node, negated, column, FieldType::kTimestamp);
    }

    Error unknown_field(const FilterNode& node) const {
        std::vector<std::string_view> known;
        for (const auto& field : schema_.kind(kind_).fields) known.push_back(field.name);
        for (const auto name : kFixedFields)
            if (name != "creator_id" || kind_ == EntityKind::kItem) known.push_back(name);
        return fail(ErrorCode::kUnknownName, node.offset, "unknown field `" + node.field + "`")
            .with_hint(ranking::suggestion(node.field, "fields", known))
            .with_reason("unknown_field");
    }

    Result<double> number_of(const Literal& value, const FilterNode& node, FieldType type) const {
        if (value.kind == Literal::Kind::kNumber) return value.number;
        if (type == FieldType::kDuration) {
            if (value.kind == Literal::Kind::kDuration) return value.number;
            return wrong_value(value, node, "a duration such as 90s, or milliseconds");
        }
        if (type != FieldType::kTimestamp) return wrong_value(value, node, "a number");
        if (value.kind != Literal::Kind::kString)
            return wrong_value(value, node, "a time such as '2026-01-31T09:00:00Z'");
        auto time = parse_time(value.text, node.field);
        if (time) return static_cast<double>(*time);
        return fail(ErrorCode::kInvalidArgument, value.offset, time.error().message())
            .with_hint("a time is written like '2026-01-31T09:00:00Z', or as milliseconds");
    }

    Result<Leaf> bind_number(const FilterNode& node, bool negated, entity::NumberSource column,
                             FieldType type) const {
        if (node.test == Test::kLike || node.test == Test::kHas)
            return wrong_test(node, schema::field_type_name(type), "use = != < <= > >= IN BETWEEN");
        std::vector<double> values;
        for (const Literal& value : node.values) {
            TIDAL_ASSIGN(const double number, number_of(value, node, type));
            values.push_back(number);
        }
        InRange range{.column = column, .low = -kInfinity, .high = kInfinity, .outside = negated};
        switch (node.test) {
            case Test::kIn:
                std::ranges::sort(values);
                return Leaf(InNumbers{column, std::move(values), negated});
            case Test::kNotEqual:
                range.outside = !negated;
                [[fallthrough]];
            case Test::kEqual:
                range.low = range.high = values[0];
                break;
            case Test::kLess:
                range.high = std::nextafter(values[0], -kInfinity);
                break;
            case Test::kLessEqual:
                range.high = values[0];
                break;
            case Test::kGreater:
                range.low = std::nextafter(values[0], kInfinity);
                break;
            case Test::kGreaterEqual:
                range.low = values[0];
                break;
            default:
                assert(node.test == Test::kBetween);
                range.low = values[0];
                range.high = values[1];
        }
        return Leaf(range);
    }

    Result<Leaf> bind_created_at(const FilterNode& node, bool negated) const {
        if (node.test == Test::kIsNull) return Leaf(Constant{negated});
        return bind_number(node, negated,
                           {.kind = entity::NumberSource::Kind::kCreatedAt, .field = {}},
                           FieldType::kTimestamp);
    }

    Result<Leaf> bind_bool(const FilterNode& node, bool negated, FieldId field) const {
        if (node.test != Test::kEqual && node.test != Test::kNotEqual)
            return wrong_test(node, "bool", "use = TRUE or = FALSE");
        if (node.values[0].kind != Literal::Kind::kBool)
            return wrong_value(node.values[0], node, "TRUE or FALSE");
        return Leaf(HasValue{.field = field,
                             .values = {node.values[0].text},
                             .negated = (node.test == Test::kNotEqual) != negated});
    }

    Result<Leaf> bind_keyword(const FilterNode& node, bool negated,
                              const schema::FieldSpec& field) const {
        const bool many = field.type == FieldType::kKeywords;
        for (const Literal& value : node.values)
            if (value.kind != Literal::Kind::kString)
                return wrong_value(value, node, "a text in single quotes");
        if (node.test == Test::kLike) {
            auto prefix = like_prefix(node.values[0].text);
            assert(prefix.has_value() && "the parser made sure");
            return Leaf(HasPrefix{field.id, std::move(*prefix), negated, many});
        }
        HasValue out{.field = field.id, .values = {}, .negated = negated, .absent_is_empty = many};
        switch (node.test) {
            case Test::kNotEqual:
                out.negated = !negated;
                [[fallthrough]];
            case Test::kEqual:
            case Test::kHas:
            case Test::kIn:
                for (const Literal& value : node.values) out.values.push_back(value.text);
                return Leaf(std::move(out));
            default:
                return wrong_test(node, schema::field_type_name(field.type),
                                  "use = != IN HAS or LIKE 'p%'");
        }
    }

    Result<std::vector<EntityId>> ids_of(const FilterNode& node, EntityKind of) const {
        std::vector<EntityId> out;
        for (const Literal& value : node.values) {
            if (schema_.kind(of).string_ids) {
                if (value.kind != Literal::Kind::kString)
                    return wrong_value(value, node, "an id in single quotes");
                out.emplace_back(value.text);
                continue;
            }
            std::uint64_t number = 0;
            const char* end = value.text.data() + value.text.size();
            const auto parsed = std::from_chars(value.text.data(), end, number);
            const bool plain =
                value.kind == Literal::Kind::kNumber || value.kind == Literal::Kind::kString;
            if (!plain || parsed.ec != std::errc() || parsed.ptr != end)
                return wrong_value(value, node, "an id, a whole number from 0 to 2^64 - 1");
            out.emplace_back(number);
        }
        return out;
    }

    Result<Leaf> bind_entity_id(const FilterNode& node, bool negated) const {
        if (node.test == Test::kIsNull) return Leaf(Constant{negated});
        if (node.test != Test::kEqual && node.test != Test::kNotEqual && node.test != Test::kIn)
            return wrong_test(node, "id", "use = != IN");
        TIDAL_ASSIGN(auto ids, ids_of(node, kind_));
        return Leaf(EntityIs{std::move(ids), (node.test == Test::kNotEqual) != negated});
    }

    Result<Leaf> bind_creator_id(const FilterNode& node, bool negated) const {
        if (node.test == Test::kIsNull) return Leaf(CreatorPresent{!negated});
        if (node.test != Test::kEqual && node.test != Test::kNotEqual && node.test != Test::kIn)
            return wrong_test(node, "id", "use = != IN or IS NULL");
        TIDAL_ASSIGN(auto ids, ids_of(node, EntityKind::kCreator));
        return Leaf(CreatorIs{std::move(ids), (node.test == Test::kNotEqual) != negated});
    }

    std::string_view source_;
    const schema::Schema& schema_;
    const EntityKind kind_;
    const FilterInputs& inputs_;
    std::uint32_t nodes_ = 0;
};

void describe(const BoundFilter& node, std::uint32_t depth, std::vector<FilterExplanation>* out) {
    out->push_back({.text = node.text, .depth = depth, .trace = {}});
    for (const BoundFilter& child : node.children) describe(child, depth + 1, out);
}

}  // namespace

Result<BoundFilter> bind_filter(const FilterNode& filter, std::string_view source,
                                const schema::Schema& schema, EntityKind kind,
                                const FilterInputs& inputs) {
    return Binder(source, schema, kind, inputs).bind_node(filter, false);
}

std::vector<FilterExplanation> describe_nodes(const BoundFilter& filter) {
    std::vector<FilterExplanation> out;
    describe(filter, 0, &out);
    return out;
}

}  // namespace tidal::query
