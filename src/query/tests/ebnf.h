// query/tests/ebnf.h: a grammar as the documents write it: random sentences of it, and whether a
// text is one.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace tidal::query {

/// The blocks of that kind on a page of the documents.
inline std::vector<std::string> blocks_of_page(const std::string& page, const std::string& kind) {
    std::stringstream read;
    read << std::ifstream(std::string(TIDAL_SOURCE_DIR "/docs/") + page).rdbuf();
    const std::string text = read.str(), open = "\n```" + kind + "\n", close = "\n```\n";
    std::vector<std::string> out;
    for (auto at = text.find(open); at != std::string::npos; at = text.find(open, at + 1))
        out.push_back(text.substr(at + open.size(), text.find(close, at) + 1 - at - open.size()));
    return out;
}

/// What is in quotes as one, then words and numbers, then each other sign.
inline std::vector<std::string> tokens_of(const std::string& text) {
    std::vector<std::string> out;
    const auto in_word = [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.';
    };
    for (std::size_t at = 0; at < text.size();) {
        std::size_t end = at + 1;
        if (text[at] == '\'' || text[at] == '"') {
            for (end = text.find(text[at], end); end != text.npos; end = text.find(text[at], end)) {
                ++end;
                if (end == text.size() || text[end] != text[at]) break;
                ++end;
            }
            end = std::min(end, text.size());
        } else if (in_word(text[at])) {
            while (end < text.size() && in_word(text[end])) ++end;
        }
        if (std::isspace(static_cast<unsigned char>(text[at])) == 0)
            out.push_back(text.substr(at, end - at));
        at = end;
    }
    return out;
}

/// Rules `name = alternatives ;` of "WORD", other rules, { }, [ ], ( ), | and (* remarks *).
class Ebnf {
public:
    /// Of what no rule says: how a sentence has it, and where one from `at` on may end.
    using Leaf = std::function<std::string(const std::string& name)>;
    using Ends = std::function<std::set<std::size_t>(
        const std::string& name, const std::vector<std::string>& tokens, std::size_t at)>;
    using Die = std::function<std::size_t(std::size_t sides)>;

    explicit Ebnf(std::string text) {
        for (auto at = text.find("(*"); at != text.npos; at = text.find("(*"))
            text.erase(at, text.find("*)", at) + 2 - at);
        read_ = tokens_of(text);
        while (at_ < read_.size()) {
            const std::string name = take();
            EXPECT_EQ(take(), "=");
            rules_[name] = choice();
            EXPECT_EQ(take(), ";") << "of " << name;
        }
    }

    std::string sentence(const std::string& rule, const Leaf& leaf, const Die& die) const {
        std::string out;
        write(rules_.at(rule), leaf, die, &out);
        return out;
    }
    bool accepts(const std::string& rule, const std::string& text, const Ends& ends) const {
        const std::vector<std::string> tokens = tokens_of(text);
        return match(rules_.at(rule), tokens, {0}, ends).contains(tokens.size());
    }

private:
    enum class Kind { kWord, kName, kSequence, kChoice, kRepeat, kOption };
    struct Node {
        Kind kind = Kind::kSequence;
        std::string text;
        std::vector<Node> parts;
    };

    std::string take() { return at_ < read_.size() ? read_[at_++] : std::string(); }
    bool accept(const char* sign) {
        if (at_ == read_.size() || read_[at_] != sign) return false;
        ++at_;
        return true;
    }
    Node choice() {
        Node out{Kind::kChoice, "", {}};
        do out.parts.push_back(sequence());
        while (accept("|"));
        return out;
    }
    Node sequence() {
        static const std::set<std::string> kEnds{"|", ";", "}", "]", ")"};
        Node out;
        while (at_ < read_.size() && !kEnds.contains(read_[at_])) out.parts.push_back(part());
        return out;
    }
    Node part() {
        if (accept("{")) return in_brackets(Kind::kRepeat, "}");
        if (accept("[")) return in_brackets(Kind::kOption, "]");
        if (accept("(")) return in_brackets(Kind::kSequence, ")");
        const std::string text = take();
        if (text.front() != '"') return {Kind::kName, text, {}};
        return {Kind::kWord, text.substr(1, text.size() - 2), {}};
    }
    Node in_brackets(Kind kind, const char* end) {
        Node out{kind, "", {choice()}};
        EXPECT_TRUE(accept(end)) << end;
        return out;
    }

    const Node* rule(const std::string& name) const {
        const auto found = rules_.find(name);
        return found == rules_.end() ? nullptr : &found->second;
    }

    /// Of what is repeated and has alternatives each is taken once at most.
    void write_repeated(const Node& what, const Leaf& leaf, const Die& die,
                        std::string* out) const {
        const Node* choices = &what;
        while (choices->parts.size() == 1 && choices->kind != Kind::kRepeat) {
            const Node& only = choices->parts[0];
            const Node* const named = only.kind == Kind::kName ? rule(only.text) : nullptr;
            if (only.parts.empty() && named == nullptr) break;
            choices = named != nullptr ? named : &only;
        }
        if (choices->kind != Kind::kChoice || choices->parts.size() == 1) {
            for (std::size_t left = die(3); left > 0; --left) write(what, leaf, die, out);
            return;
        }
        std::vector<const Node*> left;
        for (const Node& each : choices->parts) left.push_back(&each);
        for (std::size_t count = die(6); count > 0 && !left.empty(); --count) {
            const auto at = left.begin() + static_cast<std::ptrdiff_t>(die(left.size()));
            write(**at, leaf, die, out);
            left.erase(at);
        }
    }
    void write(const Node& node, const Leaf& leaf, const Die& die, std::string* out) const {
        switch (node.kind) {
            case Kind::kWord:
                *out += node.text + " ";
                return;
            case Kind::kName:
                if (const Node* const named = rule(node.text)) return write(*named, leaf, die, out);
                *out += leaf(node.text) + " ";
                return;
            case Kind::kChoice:
                return write(node.parts[die(node.parts.size())], leaf, die, out);
            case Kind::kOption:
                if (die(2) == 0) return;
                [[fallthrough]];
            case Kind::kSequence:
                for (const Node& part : node.parts) write(part, leaf, die, out);
                return;
            case Kind::kRepeat:
                return write_repeated(node.parts[0], leaf, die, out);
        }
    }

    /// Where what begins at one of these may end.
    using Places = std::set<std::size_t>;
    Places match(const Node& node, const std::vector<std::string>& tokens, const Places& from,
                 const Ends& ends) const {
        Places out;
        switch (node.kind) {
            case Kind::kWord:
                for (const std::size_t at : from)
                    if (at < tokens.size() && is_word(tokens[at], node.text)) out.insert(at + 1);
                return out;
            case Kind::kName:
                if (const Node* const named = rule(node.text))
                    return match(*named, tokens, from, ends);
                for (const std::size_t at : from) out.merge(ends(node.text, tokens, at));
                return out;
            case Kind::kChoice:
                for (const Node& part : node.parts) out.merge(match(part, tokens, from, ends));
                return out;
            case Kind::kSequence:
                out = from;
                for (const Node& part : node.parts) out = match(part, tokens, out, ends);
                return out;
            case Kind::kOption:
                out = match(node.parts[0], tokens, from, ends);
                out.insert(from.begin(), from.end());
                return out;
            case Kind::kRepeat: {
                out = from;
                for (Places fresh = from; !fresh.empty();) {
                    Places next;
                    for (const std::size_t at : match(node.parts[0], tokens, fresh, ends))
                        if (out.insert(at).second) next.insert(at);
                    fresh = std::move(next);
                }
                return out;
            }
        }
        return out;
    }
    /// Words are read in any case.
    static bool is_word(const std::string& token, const std::string& word) {
        return token.size() == word.size() &&
               std::equal(token.begin(), token.end(), word.begin(), [](char a, char b) {
                   return std::tolower(static_cast<unsigned char>(a)) ==
                          std::tolower(static_cast<unsigned char>(b));
               });
    }

    std::vector<std::string> read_;
    std::size_t at_ = 0;
    std::map<std::string, Node> rules_;
};

}  // namespace tidal::query
