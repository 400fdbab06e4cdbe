// query/tests/random_filter.h: random items over the sample schema, random filters about them, and
// what a filter means, written a second time one item at a time.
#pragma once

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "base/time_text.h"
#include "query/filter.h"
#include "ranking/tests/sample_shard.h"

namespace tidal::query {

inline constexpr UnixMillis kFilterNow = 1'767'225'600'000;  // 2026-01-01T00:00:00Z
inline constexpr std::int64_t kHourMs = 3'600'000;

inline std::size_t die(std::size_t n) {
    return *rc::gen::inRange<std::size_t>(0, n);
}

inline std::string random_word() {
    static const std::vector<std::string> kWords{"jazz", "jazzy", "ja", "rock", "it's", "", "p%p"};
    return kWords[die(kWords.size())];
}

inline ranking::SampleItem random_item(std::uint64_t id) {
    ranking::SampleItem item{.id = EntityId(id)};
    if (die(4) != 0) item.creator = EntityId(die(4));
    item.created_at = kFilterNow - static_cast<std::int64_t>(die(20)) * kHourMs;
    const auto maybe = [&](const char* field, record::Value value) {
        if (die(3) != 0) item.fields.emplace(field, std::move(value));
    };
    maybe("title", std::string("a title"));
    maybe("category", random_word());
    std::set<std::string> genres;
    for (std::size_t i = die(4); i > 0; --i) genres.insert(random_word());
    if (!genres.empty()) maybe("genres", std::vector<std::string>(genres.begin(), genres.end()));
    maybe("year", static_cast<std::int64_t>(die(7)) - 3);
    maybe("price", static_cast<double>(die(9)) / 4 - 1);
    maybe("featured", die(2) == 0);
    maybe("released", kFilterNow - static_cast<std::int64_t>(die(6)) * kHourMs);
    if (die(2) == 0) item.publish_at = kFilterNow - static_cast<std::int64_t>(die(4)) * kHourMs;
    if (die(2) == 0) item.expires_at = kFilterNow + static_cast<std::int64_t>(die(4)) * kHourMs;
    maybe("place",
          record::GeoPoint{static_cast<double>(die(5)) - 2, static_cast<double>(die(5)) - 2});
    maybe("length", static_cast<std::int64_t>(die(6)) * 1000);
    return item;
}

class RandomFilter {
public:
    static FilterNode make(int depth) {
        if (depth == 0 || die(4) == 0) return test();
        FilterNode out;
        const std::size_t kind = die(3);
        out.kind = kind == 0   ? FilterNode::Kind::kAnd
                   : kind == 1 ? FilterNode::Kind::kOr
                               : FilterNode::Kind::kNot;
        for (std::size_t i = kind == 2 ? 1 : 2 + die(2); i > 0; --i)
            out.children.push_back(make(depth - 1));
        return out;
    }

    /// One path `depth` levels deep.
    static FilterNode chain(int depth) {
        FilterNode out = test();
        for (int i = 0; i < depth; ++i) {
            FilterNode parent;
            parent.kind = static_cast<FilterNode::Kind>(die(3));
            parent.children.push_back(std::move(out));
            if (parent.kind != FilterNode::Kind::kNot) parent.children.push_back(test());
            out = std::move(parent);
        }
        return out;
    }

private:
    static Literal text(std::string value) {
        return {.kind = Literal::Kind::kString, .text = std::move(value)};
    }
    static Literal number(double value) {
        return {.kind = Literal::Kind::kNumber, .text = ranking_text(value), .number = value};
    }
    static std::string ranking_text(double value) {
        std::string out = std::to_string(value);
        while (out.back() == '0') out.pop_back();
        if (out.back() == '.') out.pop_back();
        return out;
    }

    static std::string pattern() {
        std::string out;
        for (const char c : random_word()) out += c == '%' ? "\\%" : std::string(1, c);
        return out + "%";
    }

    static Literal value_for(const std::string& field) {
        if (field == "year") return number(static_cast<double>(die(9)) - 4);
        if (field == "price") return number(static_cast<double>(die(11)) / 4 - 1.25);
        if (field == "length") {
            const auto seconds = die(6);
            return {.kind = Literal::Kind::kDuration,
                    .text = std::to_string(seconds) + "s",
                    .number = static_cast<double>(seconds) * 1000};
        }
        if (field == "entity_id" || field == "creator_id") {
            const auto id = die(5);
            return die(2) == 0 ? number(static_cast<double>(id)) : text(std::to_string(id));
        }
        const UnixMillis time = kFilterNow - static_cast<std::int64_t>(die(22)) * kHourMs;
        return die(2) == 0 ? text(format_time(time)) : number(static_cast<double>(time));
    }

    static FilterNode test() {
        FilterNode out;
        static const std::vector<std::string> kNumbers{
            "year", "price", "released", "length", "created_at", "publish_at", "expires_at"};
        switch (die(6)) {
            case 0:
            case 1: {
                out.field = kNumbers[die(kNumbers.size())];
                out.test = static_cast<Test>(die(8));
                std::size_t values = out.test == Test::kBetween ? 2 : 1;
                if (out.test == Test::kIn) values = 1 + die(3);
                for (; values > 0; --values) out.values.push_back(value_for(out.field));
                return out;
            }
            case 2: {
                out.field = die(2) == 0 ? "category" : "genres";
                const Test tests[] = {Test::kEqual, Test::kNotEqual, Test::kIn, Test::kLike,
                                      Test::kHas};
                out.test = tests[die(5)];
                for (std::size_t n = out.test == Test::kIn ? 1 + die(3) : 1; n > 0; --n)
                    out.values.push_back(text(out.test == Test::kLike ? pattern() : random_word()));
                return out;
            }
            case 3: {
                const bool yes = die(2) == 0;
                out.field = "featured";
                out.test = die(2) == 0 ? Test::kEqual : Test::kNotEqual;
                out.values.push_back({.kind = Literal::Kind::kBool,
                                      .text = yes ? "true" : "false",
                                      .number = yes ? 1.0 : 0.0});
                return out;
            }
            case 4: {
                out.field = die(2) == 0 ? "entity_id" : "creator_id";
                const Test tests[] = {Test::kEqual, Test::kNotEqual, Test::kIn};
                out.test = tests[die(3)];
                for (std::size_t n = out.test == Test::kIn ? 1 + die(3) : 1; n > 0; --n)
                    out.values.push_back(value_for(out.field));
                return out;
            }
            default:
                break;
        }
        if (die(4) == 0) {
            out.test = Test::kNear;
            if (die(2) == 0) out.field = "place";
            out.values = {number(static_cast<double>(die(5)) - 2),
                          number(static_cast<double>(die(5)) - 2),
                          number(static_cast<double>(die(400)))};
            return out;
        }
        if (die(2) == 0) {
            const auto hours = die(22);
            out.test = Test::kCreatedWithin;
            out.values.push_back({.kind = Literal::Kind::kDuration,
                                  .text = std::to_string(hours) + "h",
                                  .number = static_cast<double>(hours) * kHourMs});
            return out;
        }
        static const std::vector<std::string> kAny{
            "title",      "category", "genres",   "year",      "price", "featured",   "creator_id",
            "created_at", "length",   "released", "entity_id", "place", "publish_at", "expires_at"};
        out.field = kAny[die(kAny.size())];
        out.test = Test::kIsNull;
        return out;
    }
};

/// SQL's three values: nullopt = unknown.
using Truth = std::optional<bool>;

class ReferenceFilter {
public:
    explicit ReferenceFilter(const ranking::SampleItem& item) : item_(item) {}

    Truth operator()(const FilterNode& node) const {
        if (node.kind == FilterNode::Kind::kTest) return test(node);
        if (node.kind == FilterNode::Kind::kNot) {
            const Truth inner = (*this)(node.children[0]);
            return inner ? Truth(!*inner) : Truth();
        }
        const bool decisive = node.kind == FilterNode::Kind::kOr;
        Truth out = !decisive;
        for (const FilterNode& child : node.children) {
            const Truth one = (*this)(child);
            if (one == Truth(decisive)) return decisive;
            if (!one) out = Truth();
        }
        return out;
    }

private:
    Truth test(const FilterNode& node) const {
        if (node.test == Test::kCreatedWithin)
            return static_cast<double>(kFilterNow - *item_.created_at) <= node.values[0].number;
        if (node.test == Test::kNear) return near(node);
        const auto found = item_.fields.find(node.field);
        if (node.field == "publish_at") return time(node, item_.publish_at);
        if (node.field == "expires_at") return time(node, item_.expires_at);
        const bool fixed = node.field == "created_at" || node.field == "entity_id" ||
                           (node.field == "creator_id" && item_.creator.has_value());
        const bool present = fixed || found != item_.fields.end();
        if (node.test == Test::kIsNull) return !present;
        if (node.field == "genres") {
            bool any = false;
            if (present)
                for (const auto& genre : std::get<std::vector<std::string>>(found->second))
                    any = any || matches_text(node, genre);
            return node.test == Test::kNotEqual ? !any : any;
        }
        if (!present) return Truth();
        if (node.field == "category") {
            const bool match = matches_text(node, std::get<std::string>(found->second));
            return node.test == Test::kNotEqual ? !match : match;
        }
        if (node.field == "entity_id") return matches_number(node, double(item_.id.number()));
        if (node.field == "creator_id")
            return matches_number(node, double(item_.creator->number()));
        if (node.field == "created_at") return matches_number(node, double(*item_.created_at));
        const record::Value& value = found->second;
        if (const bool* b = std::get_if<bool>(&value)) return matches_number(node, *b);
        if (const double* d = std::get_if<double>(&value)) return matches_number(node, *d);
        return matches_number(node, static_cast<double>(std::get<std::int64_t>(value)));
    }

    static Truth time(const FilterNode& node, const std::optional<UnixMillis>& time) {
        if (node.test == Test::kIsNull) return !time.has_value();
        if (!time) return Truth();
        return matches_number(node, static_cast<double>(*time));
    }

    /// By the law of cosines, not by haversines: far from the poles both are exact enough.
    Truth near(const FilterNode& node) const {
        const auto found = item_.fields.find("place");
        if (found == item_.fields.end()) return Truth();
        const auto& place = std::get<record::GeoPoint>(found->second);
        constexpr double kRadians = 3.14159265358979323846 / 180;
        const double a = place.latitude * kRadians, b = node.values[0].number * kRadians;
        const double east = (place.longitude - node.values[1].number) * kRadians;
        const double cosine =
            std::sin(a) * std::sin(b) + std::cos(a) * std::cos(b) * std::cos(east);
        return 6371.0088 * std::acos(std::min(1.0, cosine)) <= node.values[2].number + 1e-3;
    }

    static bool matches_text(const FilterNode& node, const std::string& value) {
        for (const Literal& wanted : node.values) {
            if (node.test == Test::kLike) {
                std::string prefix = wanted.text.substr(0, wanted.text.size() - 1);
                std::erase(prefix, '\\');
                if (value.substr(0, prefix.size()) == prefix) return true;
            } else if (value == wanted.text) {
                return true;
            }
        }
        return false;
    }

    static double number_of(const Literal& literal, const std::string& field) {
        if (literal.kind != Literal::Kind::kString) return literal.number;
        if (field == "entity_id" || field == "creator_id") return std::stod(literal.text);
        return static_cast<double>(*parse_time(literal.text, field));
    }

    static bool matches_number(const FilterNode& node, double v) {
        std::vector<double> to;
        for (const Literal& literal : node.values) to.push_back(number_of(literal, node.field));
        switch (node.test) {
            case Test::kEqual:
                return v == to[0];
            case Test::kNotEqual:
                return v != to[0];
            case Test::kLess:
                return v < to[0];
            case Test::kLessEqual:
                return v <= to[0];
            case Test::kGreater:
                return v > to[0];
            case Test::kGreaterEqual:
                return v >= to[0];
            case Test::kBetween:
                return to[0] <= v && v <= to[1];
            case Test::kIn:
                return std::find(to.begin(), to.end(), v) != to.end();
            default:
                ADD_FAILURE() << "not a test of numbers";
                return false;
        }
    }

    const ranking::SampleItem& item_;
};

}  // namespace tidal::query
