#include "schema/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <cassert>
#include <sstream>

namespace tidal::schema {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

YamlMark to_mark(const YAML::Mark& mark) {
    return {static_cast<std::uint32_t>(mark.line + 1), static_cast<std::uint32_t>(mark.column + 1)};
}

/// Leaves yaml-cpp's recursive parser with an Error of ours; caught in parse_yaml.
struct Stop {
    Error error;
};

/// yaml-cpp 0.7 takes the end of the text for the closing quote of a scalar.
/// @param at  Of the opening quote; of anything else nothing is asked.
bool is_closed(std::string_view text, std::size_t at) {
    if (at >= text.size() || (text[at] != '"' && text[at] != '\'')) return true;
    const char quote = text[at];
    for (std::size_t i = at + 1; i < text.size(); ++i) {
        if (quote == '"' && text[i] == '\\') {
            ++i;
        } else if (text[i] == quote) {
            // Two single quotes stand for one.
            if (quote == '"' || i + 1 == text.size() || text[i + 1] != quote) return true;
            ++i;
        }
    }
    return false;
}

/// Builds the tree from events instead of YAML::Node: refuses depth, anchors and tags before
/// yaml-cpp recurses into them.
class TreeBuilder final : public YAML::EventHandler {
public:
    TreeBuilder(std::string_view text, const YamlLimits& limits)
        : text_(text.substr(text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0)),
          limits_(limits) {}

    YamlNode take() { return std::move(root_); }

    void OnDocumentStart(const YAML::Mark&) override {}
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        refuse_anchor(mark, anchor);
        YamlNode node;
        node.mark = to_mark(mark);
        add(std::move(node));
    }
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
        throw Stop{yaml_error(to_mark(mark), "aliases are not accepted")};
    }
    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  const std::string& value) override {
        refuse_anchor(mark, anchor);
        refuse_tag(mark, tag);
        if (tag == "!" && !is_closed(text_, static_cast<std::size_t>(mark.pos)))
            throw Stop{yaml_error(to_mark(mark), "this quote is not closed")};
        YamlNode node;
        node.kind = YamlNode::Kind::kScalar;
        node.mark = to_mark(mark);
        node.scalar = value;
        node.quoted = tag == "!";
        add(std::move(node));
    }
    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value) override {
        open(mark, tag, anchor, YamlNode::Kind::kSequence);
    }
    void OnSequenceEnd() override { close(); }
    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value) override {
        open(mark, tag, anchor, YamlNode::Kind::kMap);
    }
    void OnMapEnd() override { close(); }

private:
    /// A container under construction; of a map, also the key that waits for its value.
    struct Level {
        YamlNode node;
        YamlNode key;
        bool has_key = false;
    };

    static void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
        if (anchor != 0) throw Stop{yaml_error(to_mark(mark), "anchors are not accepted")};
    }
    static void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
        if (!tag.empty() && tag != "?" && tag != "!")
            throw Stop{yaml_error(to_mark(mark), "tags are not accepted")};
    }

    void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
              YamlNode::Kind kind) {
        refuse_anchor(mark, anchor);
        refuse_tag(mark, tag);
        if (levels_.size() >= limits_.depth_max)
            throw Stop{
                yaml_error(to_mark(mark),
                           "nested deeper than " + std::to_string(limits_.depth_max) + " levels")};
        if (!levels_.empty() && levels_.back().node.is_map() && !levels_.back().has_key)
            throw Stop{yaml_error(to_mark(mark), "a key must be a plain name")
                           .with_hint("a `{` before it may not be closed")};
        Level level;
        level.node.kind = kind;
        level.node.mark = to_mark(mark);
        levels_.push_back(std::move(level));
    }

    void close() {
        YamlNode node = std::move(levels_.back().node);
        levels_.pop_back();
        add(std::move(node));
    }

    void add(YamlNode node) {
        if (levels_.empty()) {
            root_ = std::move(node);
            return;
        }
        Level& level = levels_.back();
        if (level.node.is_sequence()) {
            level.node.items.push_back(std::move(node));
        } else if (level.has_key) {
            add_entry(level, std::move(node));
        } else {
            if (!node.is_scalar())
                throw Stop{yaml_error(node.mark, "a key must be a plain name")
                               .with_hint("a `{` before it may not be closed")};
            level.key = std::move(node);
            level.has_key = true;
        }
    }

    static void add_entry(Level& level, YamlNode value) {
        for (const YamlEntry& other : level.node.entries) {
            if (other.key == level.key.scalar)
                throw Stop{yaml_error(level.key.mark, "key \"" + other.key + "\" is given twice")
                               .with("first_line", other.mark.line)};
        }
        level.node.entries.push_back(
            {std::move(level.key.scalar), level.key.mark, std::move(value)});
        level.has_key = false;
    }

    const std::string_view text_;  ///< What positions count in: without its byte order mark.
    const YamlLimits limits_;
    YamlNode root_;
    std::vector<Level> levels_;
};

}  // namespace

Error yaml_error(YamlMark mark, std::string_view message) {
    return Error(ErrorCode::kInvalidArgument, "line " + std::to_string(mark.line) + ", column " +
                                                  std::to_string(mark.column) + ": " +
                                                  std::string(message))
        .with("line", mark.line)
        .with("column", mark.column);
}

Result<YamlNode> parse_yaml(std::string_view text, const YamlLimits& limits) {
    if (text.size() > limits.bytes_max)
        return Error(ErrorCode::kTooLarge, "YAML text is too large")
            .with("bytes", text.size())
            .with("bytes_max", limits.bytes_max);
    try {
        std::istringstream stream{std::string(text)};
        YAML::Parser parser(stream);
        TreeBuilder builder(text, limits);
        if (!parser.HandleNextDocument(builder)) return YamlNode{};
        TreeBuilder rest(text, limits);
        if (parser.HandleNextDocument(rest))
            return yaml_error(rest.take().mark, "a second document follows; one is expected");
        return builder.take();
    } catch (Stop& stop) {
        return std::move(stop.error);
    } catch (const YAML::Exception& e) {
        return yaml_error(to_mark(e.mark.is_null() ? YAML::Mark() : e.mark), e.msg);
    } catch (const std::exception& e) {
        return Error(ErrorCode::kInvalidArgument, std::string("not YAML: ") + e.what());
    }
}

}  // namespace tidal::schema
