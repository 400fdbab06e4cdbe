#include "raft/tests/scenario.h"

#include <algorithm>
#include <fstream>
#include <functional>
#include <sstream>

#include "raft/tests/checker.h"

namespace tidal::raft {
namespace {

std::vector<PeerId> peers_of(const std::string& list) {
    std::vector<PeerId> peers;
    std::istringstream in(list);
    for (std::string part; std::getline(in, part, ',');) peers.push_back(PeerId(std::stoull(part)));
    return peers;
}

std::string describe(const Message& m) {
    std::ostringstream out;
    out << m.from.value() << "->" << m.to.value() << ' ' << message_name(m)
        << " term=" << m.term.value();
    if (const auto* v = std::get_if<VoteRequest>(&m.body))
        out << (v->pre ? " pre" : "") << (v->transfer ? " transfer" : "")
            << " last=" << v->last_index.value() << '/' << v->last_term.value();
    if (const auto* v = std::get_if<VoteReply>(&m.body))
        out << (v->pre ? " pre" : "") << (v->granted ? " granted" : " refused");
    if (const auto* a = std::get_if<Append>(&m.body)) {
        out << " prev=" << a->prev_index.value() << '/' << a->prev_term.value()
            << " commit=" << a->commit.value();
        if (!a->entries.empty())
            out << " entries=" << a->entries.front().index.value() << ".."
                << a->entries.back().index.value();
    }
    if (const auto* r = std::get_if<AppendReply>(&m.body)) {
        out << (r->rejected ? " rejected" : "") << " match=" << r->match.value();
        if (r->rejected)
            out << " hint=" << r->hint_index.value() << '/' << r->hint_term.value();
        else if (r->received != r->match)
            out << " received=" << r->received.value();
    }
    if (const auto* h = std::get_if<Heartbeat>(&m.body))
        out << " round=" << h->round << " commit=" << h->commit.value();
    if (const auto* h = std::get_if<HeartbeatReply>(&m.body))
        out << " round=" << h->round << " match=" << h->match.value();
    if (const auto* r = std::get_if<ReadRequest>(&m.body)) out << " number=" << r->number;
    if (const auto* r = std::get_if<ReadReply>(&m.body))
        out << " number=" << r->number << " index=" << r->index.value();
    if (const auto* c = std::get_if<SnapshotChunk>(&m.body))
        out << " index=" << c->meta.index.value() << " bytes=" << c->offset << ".."
            << c->offset + c->size << " of " << c->meta.bytes;
    if (const auto* r = std::get_if<SnapshotReply>(&m.body))
        out << " durable=" << r->durable << " received=" << r->received
            << (r->resend ? " resend" : "");
    return out.str();
}

std::string describe(const Entry& entry) {
    std::string text =
        std::to_string(entry.index.value()) + '/' + std::to_string(entry.term.value());
    if (entry.kind == EntryKind::kEmpty) return text + " empty";
    if (entry.kind == EntryKind::kRecord) return text + ' ' + std::string(entry.bytes());
    return text + " members " + decode_configuration(entry.bytes())->to_string();
}

/// Checks, and prints.
class Printer final : public Observer {
public:
    Checker checker;
    std::ostringstream out;

    void on_send(const Message& m) override { checker.on_send(m); }
    void on_ready(PeerId id, const Ready& r) override { checker.on_ready(id, r); }
    void on_apply(PeerId id, const Entry& entry, const Machine& machine) override {
        checker.on_apply(id, entry, machine);
        line(id) << "applies " << describe(entry) << '\n';
    }
    void on_install(PeerId id, const Machine& machine) override {
        checker.on_install(id, machine);
        line(id) << "installs snapshot index=" << machine.index.value() << '\n';
    }
    void on_read(PeerId id, const ReadState& read) override {
        checker.on_read(id, read);
        line(id) << "read " << read.id;
        if (read.confirmed)
            out << " at index " << read.index.value() << '\n';
        else
            out << " refused\n";
    }
    void on_step(PeerId id) override {
        checker.on_step(id);
        if (!checker.cluster->up(id)) return;
        const Status now = checker.cluster->node(id).status();
        Status& then = last_[id];
        if (now.role != then.role || now.term != then.term || now.leader != then.leader) {
            line(id) << role_name(now.role) << " term=" << now.term.value();
            if (now.leader != kNobody) out << " leader=" << now.leader.value();
            out << '\n';
        }
        if (now.configuration != then.configuration)
            line(id) << "members " << now.configuration.to_string() << '\n';
        then = now;
    }
    void forget(PeerId id) { last_.erase(id); }

    std::ostream& line(PeerId id) { return out << id.value() << ' '; }

private:
    std::map<PeerId, Status> last_;
};

class Scenario {
public:
    Scenario() : cluster_(printer_) { printer_.checker.cluster = &cluster_; }

    std::string run(const std::string& text) {
        std::istringstream in(text);
        std::string name;
        in >> name;
        words_.clear();
        values_.clear();
        for (std::string word; in >> word;) {
            const auto equals = word.find('=');
            if (equals == std::string::npos)
                words_.push_back(word);
            else
                values_[word.substr(0, equals)] = word.substr(equals + 1);
        }
        printer_.out.str("");
        command(name);
        if (!printer_.checker.ok())
            printer_.out << "BROKEN PROMISE " << printer_.checker.failure() << '\n';
        return printer_.out.str();
    }

private:
    PeerId peer(std::size_t word) const { return PeerId(std::stoull(words_.at(word))); }
    std::uint64_t number(const std::string& name, std::uint64_t otherwise) const {
        const auto found = values_.find(name);
        return found == values_.end() ? otherwise : std::stoull(found->second);
    }
    std::vector<PeerId> list(const std::string& name) const {
        const auto found = values_.find(name);
        return found == values_.end() ? std::vector<PeerId>{} : peers_of(found->second);
    }
    std::ostream& out() { return printer_.out; }

    template <typename T>
    bool say(const Result<T>& result) {
        if (!result.ok())
            out() << "refused: " << result.error().reason() << ": " << result.error().to_string()
                  << '\n';
        return result.ok();
    }

    void command(const std::string& name) {
        if (name == "group") return group();
        if (name == "tick") return tick();
        if (name == "trace") return void(trace_ = words_.at(0) == "on");
        if (name == "deliver") return pass(true);
        if (name == "drop") return pass(false);
        if (name == "settle") return settle();
        if (name == "heal") return cluster_.heal();
        if (name == "net") {
            for (const Message& message : cluster_.network()) out() << describe(message) << '\n';
            return;
        }
        if (name == "status") return status();
        const PeerId id = peer(0);
        if (name == "start") return cluster_.start(id);
        if (name == "isolate") return isolate(id);
        if (name == "cut") {
            cluster_.cut(id, peer(1));
            return cluster_.cut(peer(1), id);
        }
        if (name == "log") return log(id);
        if (name == "peers") return peers(id);
        if (name == "disk") return void(cluster_.at(id).disk_slow = words_.at(1) == "slow");
        if (name == "install") return void(cluster_.install(id));
        if (name == "compact") return cluster_.compact(id, LogIndex(std::stoull(words_.at(1))));
        if (name == "sync") {
            for (std::uint64_t i = 0; i < number("count", 1); ++i) cluster_.sync(id);
            return;
        }
        if (name == "crash") {
            cluster_.crash(id);
            printer_.checker.crashed(id);
            return printer_.forget(id);
        }
        call(name, id);
        cluster_.turn(id);
    }

    void call(const std::string& name, PeerId id) {
        Node& node = cluster_.node(id);
        if (name == "campaign") return node.campaign();
        if (name == "unreachable") return node.unreachable(peer(1));
        if (name == "transfer") return void(say(node.transfer(peer(1))));
        if (name == "propose") {
            std::vector<Payload> records(number("count", 1), make_payload(words_.at(1)));
            return void(say(node.propose(std::move(records))));
        }
        if (name == "members")
            return void(say(node.change_members({list("voters"), list("learners")})));
        if (name == "read") {
            const std::uint64_t read = std::stoull(words_.at(1));
            printer_.checker.read_asked(id, read);
            return void(say(node.read(read)));
        }
        out() << "unknown command " << name << '\n';
    }

    void group() {
        Configuration configuration{.voters = list("voters"),
                                    .outgoing = {},
                                    .learners = list("learners"),
                                    .learners_next = {}};
        std::vector<PeerId> all = configuration.all();
        for (const PeerId other : list("others")) all.push_back(other);
        for (const PeerId id : all) {
            Options options{.self = id, .seed = id.value()};
            options.message_bytes_max = number("message_bytes", options.message_bytes_max);
            options.inflight_messages_max =
                static_cast<std::uint32_t>(number("inflight", options.inflight_messages_max));
            options.inflight_bytes_max = number("inflight_bytes", options.inflight_bytes_max);
            options.uncommitted_bytes_max =
                number("uncommitted_bytes", options.uncommitted_bytes_max);
            options.cache_bytes_max = number("cache_bytes", options.cache_bytes_max);
            options.chunk_bytes_max = number("chunk_bytes", options.chunk_bytes_max);
            options.chunks_inflight_max =
                static_cast<std::uint32_t>(number("chunks", options.chunks_inflight_max));
            cluster_.add(options, configuration.contains(id) ? configuration : Configuration{});
            cluster_.start(id);
        }
    }

    void tick() {
        for (std::uint64_t i = 0; i < number("count", 1); ++i)
            for (const auto& [id, replica] : cluster_.replicas()) {
                if (!replica.node || (words_.at(0) != "all" && id != peer(0))) continue;
                cluster_.node(id).tick();
                cluster_.turn(id);
            }
    }

    /// `name=a,b`: one of them; anything when it is not given.
    bool one_of(const std::string& name, const std::string& value) const {
        const auto found = values_.find(name);
        if (found == values_.end()) return true;
        return (',' + found->second + ',').find(',' + value + ',') != std::string::npos;
    }
    bool wanted(const Message& m) const {
        return one_of("from", std::to_string(m.from.value())) &&
               one_of("to", std::to_string(m.to.value())) &&
               one_of("kind", std::string(message_name(m)));
    }

    void pass(bool deliver) {
        std::deque<Message> now;
        std::swap(now, cluster_.network());
        std::deque<Message> kept;
        std::uint64_t left = number("count", ~std::uint64_t{0});
        for (Message& message : now) {
            if (left == 0 || !wanted(message)) {
                kept.push_back(std::move(message));
                continue;
            }
            --left;
            one(message, deliver);
        }
        cluster_.network().insert(cluster_.network().begin(), kept.begin(), kept.end());
    }

    void one(const Message& message, bool deliver) {
        const bool lost =
            !deliver || !cluster_.connected(message.from, message.to) || !cluster_.up(message.to);
        if (trace_) out() << "  " << describe(message) << (lost ? " LOST" : "") << '\n';
        if (!lost) say(cluster_.deliver(message));
    }

    void settle() {
        auto& network = cluster_.network();
        for (int i = 0; i < 10000; ++i) {
            const auto next = std::find_if(network.begin(), network.end(),
                                           [&](const Message& m) { return wanted(m); });
            if (next == network.end()) return;
            const Message message = std::move(*next);
            network.erase(next);
            one(message, true);
        }
    }

    void isolate(PeerId id) {
        for (const auto& [other, replica] : cluster_.replicas()) {
            cluster_.cut(id, other);
            cluster_.cut(other, id);
        }
    }

    void status() {
        for (const auto& [id, replica] : cluster_.replicas()) {
            if (!words_.empty() && id != peer(0)) continue;
            if (!replica.node) {
                printer_.line(id) << "down\n";
                continue;
            }
            const Status s = replica.node->status();
            printer_.line(id) << role_name(s.role) << " term=" << s.term.value()
                              << " leader=" << s.leader.value() << " log=" << s.first.value()
                              << ".." << s.last.value() << " durable=" << s.durable.value()
                              << " commit=" << s.commit.value() << " applied=" << s.applied.value()
                              << '\n';
        }
    }

    void peers(PeerId id) {
        for (const PeerStatus& p : cluster_.node(id).status().peers) {
            out() << p.peer.value() << ' ' << flow_name(p.flow) << " match=" << p.match.value()
                  << " next=" << p.next.value() << " inflight=" << p.inflight_messages;
            if (p.snapshot_id) out() << " snapshot_durable=" << p.snapshot_offset;
            out() << '\n';
        }
    }

    void log(PeerId id) {
        const Disk& disk = cluster_.at(id).disk;
        out() << "behind " << disk.base.value() << '/' << disk.base_term.value() << '\n';
        for (const Entry& entry : disk.entries) out() << describe(entry) << '\n';
    }

    Printer printer_;
    Cluster cluster_;
    std::vector<std::string> words_;
    std::map<std::string, std::string> values_;
    bool trace_ = false;
};

/// Calls `block(commands, expected)` for each block and copies the rest through `text`.
void each_block(const std::string& path, const std::function<void(const std::string&)>& text,
                const std::function<void(const std::string&, const std::string&)>& block) {
    std::ifstream in(path);
    std::string commands, expected;
    bool output = false;
    for (std::string line; std::getline(in, line);) {
        if (output) {
            if (!line.empty()) {
                expected += line + '\n';
                continue;
            }
            block(commands, expected);
            commands = expected = "";
            output = false;
        }
        text(line);
        if (line == "----")
            output = true;
        else if (!line.empty() && line[0] != '#')
            commands += line + '\n';
    }
    if (output) block(commands, expected);
}

std::string run_block(Scenario& scenario, const std::string& commands) {
    std::istringstream in(commands);
    std::string printed;
    for (std::string command; std::getline(in, command);) printed += scenario.run(command);
    return printed;
}

}  // namespace

std::string replay_scenario(const std::string& path) {
    Scenario scenario;
    std::string difference;
    bool any = false;
    each_block(
        path, [](const std::string&) {},
        [&](const std::string& commands, const std::string& expected) {
            any = true;
            const std::string printed = run_block(scenario, commands);
            if (printed == expected || !difference.empty()) return;
            difference = commands + "printed:\n" + printed + "expected:\n" + expected;
        });
    return any ? difference : path + ": no block";
}

std::string rewrite_scenario(const std::string& path) {
    Scenario scenario;
    std::string out;
    each_block(
        path, [&](const std::string& line) { out += line + '\n'; },
        [&](const std::string& commands, const std::string&) {
            out += run_block(scenario, commands);
        });
    return out;
}

}  // namespace tidal::raft
