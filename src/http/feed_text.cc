#include "http/feed_text.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cassert>
#include <charconv>
#include <cstring>
#include <iterator>
#include <utility>

#include "base/time_text.h"
#include "http/json_text.h"
#include "http/problem.h"

namespace tidal::http {
namespace {

template <typename Integer>
void append_integer(Integer number, std::string* out) {
    char buffer[24];
    out->append(buffer, std::to_chars(buffer, buffer + sizeof buffer, number).ptr);
}

void append_id(const EntityId& id, std::string* out) {
    if (id.is_text()) return append_json_string(id.text(), out);
    if (id.number() <= kExactIdMax) return append_integer(id.number(), out);
    *out += '"';
    append_integer(id.number(), out);
    *out += '"';
}

void append_texts(const std::vector<std::string>& texts, std::string* out) {
    *out += '[';
    for (std::size_t i = 0; i < texts.size(); ++i) {
        if (i > 0) *out += ',';
        append_json_string(texts[i], out);
    }
    *out += ']';
}

struct AppendValue {
    std::string* out;

    void operator()(const std::string& text) const { append_json_string(text, out); }
    void operator()(const std::vector<std::string>& texts) const { append_texts(texts, out); }
    void operator()(std::int64_t number) const { append_integer(number, out); }
    void operator()(double number) const { append_json_number(number, out); }
    void operator()(bool flag) const { *out += flag ? "true" : "false"; }
    void operator()(const record::GeoPoint& point) const {
        *out += "{\"lat\":";
        append_json_number(point.latitude, out);
        *out += ",\"lon\":";
        append_json_number(point.longitude, out);
        *out += '}';
    }
};

/// Text of a known greatest length, so that its parts are put together without asking for room.
class ShortText {
public:
    void add(std::string_view part) {
        assert(part.size() <= static_cast<std::size_t>(std::end(bytes_) - end_));
        std::memcpy(end_, part.data(), part.size());
        end_ += part.size();
    }
    void add(std::uint64_t number) { end_ = std::to_chars(end_, std::end(bytes_), number).ptr; }
    void add(double number) { end_ = write_json_number(number, end_); }
    void move_to(std::string* out) {
        out->append(bytes_, end_);
        end_ = bytes_;
    }

private:
    char bytes_[160 + kJsonNumberBytesMax];
    char* end_ = bytes_;
};

/// {"entity_id":1,"rank":1,"score":2.5
void add_place(const api::FeedItem& item, ShortText* text, std::string* out) {
    text->add("{\"entity_id\":");
    const EntityId& id = item.entity.id;
    if (id.is_text()) {
        text->move_to(out);
        append_json_string(id.text(), out);
    } else {
        const std::string_view quote = id.number() > kExactIdMax ? "\"" : "";
        text->add(quote);
        text->add(id.number());
        text->add(quote);
    }
    text->add(",\"rank\":");
    text->add(item.rank);
    text->add(",\"score\":");
    text->add(item.score);
}

void append_metadata(const api::EntityReply& entity, const std::set<std::string>* fields,
                     std::string* out) {
    bool first = true;
    for (const auto& [name, value] : entity.metadata) {
        if (fields != nullptr && !fields->contains(name)) continue;
        *out += std::exchange(first, false) ? '{' : ',';
        append_json_string(name, out);
        *out += ':';
        // A json field's text was parsed on the way in.
        if (entity.json_fields.contains(name)) {
            *out += json_text(boost::json::parse(std::get<std::string>(value)));
        } else {
            std::visit(AppendValue{out}, value);
        }
    }
    *out += first ? "{}" : "}";
}

void append_highlights(const std::vector<std::pair<std::string, std::string>>& highlights,
                       std::string* out) {
    *out += ",\"highlights\":";
    for (std::size_t i = 0; i < highlights.size(); ++i) {
        *out += i == 0 ? '{' : ',';
        append_json_string(highlights[i].first, out);
        *out += ':';
        append_json_string(highlights[i].second, out);
    }
    *out += '}';
}

void append_time(std::string_view name, const std::optional<UnixMillis>& time, std::string* out) {
    if (!time) return;
    *out += name;
    *out += format_time(*time);
    *out += '"';
}

void append_fixed(const api::EntityReply& entity, const ShownFields& fields, std::string* out) {
    if (fields.creator_id) {
        *out += ",\"creator_id\":";
        if (entity.creator_id) {
            append_id(*entity.creator_id, out);
        } else {
            *out += "null";
        }
    }
    if (fields.created_at) append_time(",\"created_at\":\"", entity.created_at_ms, out);
    if (fields.publish_at) append_time(",\"publish_at\":\"", entity.publish_at_ms, out);
    if (fields.expires_at) append_time(",\"expires_at\":\"", entity.expires_at_ms, out);
}

void append_score(std::string_view name, double score, std::string* out) {
    *out += ",\"";
    *out += name;
    *out += "\":";
    append_json_number(score, out);
}

void append_explored(const api::FeedItem::Explored& explored, std::string* out) {
    *out += ",\"explored\":{\"impressions\":";
    append_json_number(explored.impressions, out);
    *out += ",\"positives\":";
    append_json_number(explored.positives, out);
    *out += ",\"draw\":";
    append_json_number(explored.draw, out);
    *out += explored.outside ? ",\"outside\":true}" : ",\"outside\":false}";
}

/// Lists, not members by name: a score may add the same term twice.
void append_explanation(const api::FeedExplanation& explain, std::string* out) {
    const auto append = [out](std::string_view begin, std::string_view text, double value) {
        *out += begin;
        append_json_string(text, out);
        *out += ",\"value\":";
        append_json_number(value, out);
    };
    *out += ",\"explain\":{\"terms\":[";
    for (const auto& term : explain.terms) {
        append("{\"term\":", term.text, term.value);
        *out += "},";
    }
    if (!explain.terms.empty()) out->pop_back();
    *out += "],\"features\":[";
    for (const auto& feature : explain.features) {
        append("{\"feature\":", feature.text, feature.value);
        *out += feature.missing ? ",\"missing\":true}," : ",\"missing\":false},";
    }
    if (!explain.features.empty()) out->pop_back();
    *out += "]}";
}

}  // namespace

ShownFields::ShownFields(const std::set<std::string>* fields)
    : names(fields),
      creator_id(fields == nullptr || fields->contains("creator_id")),
      created_at(fields == nullptr || fields->contains("created_at")),
      publish_at(fields == nullptr || fields->contains("publish_at")),
      expires_at(fields == nullptr || fields->contains("expires_at")) {}

void append_feed_item(const api::FeedItem& item, std::string* out, const ShownFields& fields) {
    ShortText text;
    add_place(item, &text, out);
    // Behind what is short, which pages of ids and scores have nothing beside.
    const auto behind = [&]() -> std::string* {
        text.move_to(out);
        return out;
    };
    if (item.text_score) append_score("text_score", *item.text_score, behind());
    if (item.vector_score) append_score("vector_score", *item.vector_score, behind());
    if (item.fused_score) append_score("fused_score", *item.fused_score, behind());
    if (!item.highlights.empty()) append_highlights(item.highlights, behind());
    if (fields.names != nullptr && fields.names->empty()) {
        text.add(",\"metadata\":{}");
    } else {
        text.add(",\"metadata\":");
        append_metadata(item.entity, fields.names, behind());
        append_fixed(item.entity, fields, out);
    }
    if (item.pinned) text.add(",\"pinned\":true");
    if (item.explored) append_explored(*item.explored, behind());
    if (item.group) {
        text.add(",\"group\":");
        append_json_string(*item.group, behind());
    }
    if (item.explain) append_explanation(*item.explain, behind());
    text.add("}");
    text.move_to(out);
}

void append_feed_facts(const api::FeedReply& reply, std::optional<std::uint64_t> staleness_ms,
                       std::string* out) {
    const auto integer = [out](std::string_view name, std::uint64_t number) {
        *out += name;
        append_integer(number, out);
    };
    *out += ",\"next_cursor\":";
    if (reply.next_cursor.empty()) {
        *out += "null";
    } else {  // In base64url, so that nothing is escaped.
        *out += '"';
        *out += reply.next_cursor;
        *out += '"';
    }
    *out += ",\"profile\":";
    append_json_string(reply.profile, out);
    integer(",\"candidates\":", reply.candidates);
    integer(",\"matched\":", reply.matched);
    integer(",\"scored\":", reply.scored);
    *out += ",\"constraints_satisfied\":";
    *out += reply.constraints_satisfied ? "true" : "false";
    *out += ",\"warnings\":";
    append_texts(reply.warnings, out);
    integer(",\"degradation\":", reply.degradation);
    if (staleness_ms) return integer(",\"staleness_ms\":", *staleness_ms);
    *out += ",\"staleness_ms\":null";
}

}  // namespace tidal::http
