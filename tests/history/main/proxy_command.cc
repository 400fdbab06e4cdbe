#include "tests/history/main/proxy_command.h"

#include <httplib.h>
#include <pthread.h>

#include <csignal>
#include <cstdio>
#include <fstream>
#include <thread>

#include "tests/history/proxy.h"

namespace tidal::history {
namespace {

Result<ProxyNode> read_node(const std::string& text) {
    const std::size_t first = text.find(':');
    const std::size_t second = text.find(':', first == std::string::npos ? first : first + 1);
    unsigned listen = 0, other = 0, target = 0;
    const char* const at = text.c_str();
    const bool read = std::sscanf(at, "%u:%u:", &listen, &target) == 2 ||
                      std::sscanf(at, "%u,%u:%u:", &listen, &other, &target) == 3;
    if (second == std::string::npos || !read || listen > 65'535 || other > 65'535 ||
        target > 65'535)
        return Error(ErrorCode::kInvalidArgument, "--node is LISTEN[,LISTEN]:TARGET:PIDFILE")
            .with("node", text);
    ProxyNode out;
    out.listen_port = static_cast<std::uint16_t>(listen);
    out.other_port = static_cast<std::uint16_t>(other);
    out.target_port = static_cast<std::uint16_t>(target);
    out.pid = [file = text.substr(second + 1)] {
        pid_t pid = 0;
        std::ifstream(file) >> pid;
        return pid;
    };
    return out;
}

void add_routes(httplib::Server* server, Links* links, const Proxy& proxy) {
    server->Post("/links", [links](const httplib::Request& request, httplib::Response& response) {
        const auto done = links->command(request.body);
        response.status = done.ok() ? 200 : 400;
        response.set_content(done.ok() ? links->to_text() : done.error().to_string() + "\n",
                             "text/plain");
    });
    server->Get("/links", [links](const httplib::Request&, httplib::Response& response) {
        response.set_content(links->to_text(), "text/plain");
    });
    server->Get("/stats", [&proxy, nodes = links->count()](const httplib::Request&,
                                                           httplib::Response& response) {
        const ProxyStats& stats = proxy.stats();
        std::string carried;
        for (std::uint32_t from = 1; from <= nodes; ++from)
            for (std::uint32_t to = 1; to <= nodes; ++to)
                carried += (carried.empty() ? "\"" : ",\"") + std::to_string(from) + ">" +
                           std::to_string(to) + "\":" + std::to_string(proxy.bytes(from, to));
        response.set_content("{\"connections\":" + std::to_string(stats.connections) +
                                 ",\"bytes\":" + std::to_string(stats.bytes) +
                                 ",\"damaged\":" + std::to_string(stats.damaged) +
                                 ",\"strangers\":" + std::to_string(stats.strangers) +
                                 ",\"carried\":{" + carried + "}}\n",
                             "application/json");
    });
}

}  // namespace

Result<void> run_proxy(const ProxyCommandOptions& options) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // threads made later inherit it

    std::vector<ProxyNode> nodes;
    for (const std::string& text : options.nodes) {
        TIDAL_ASSIGN(ProxyNode node, read_node(text));
        nodes.push_back(std::move(node));
    }
    Links links(static_cast<std::uint32_t>(nodes.size()));
    TIDAL_ASSIGN(const auto proxy, Proxy::listen(std::move(nodes), links));
    httplib::Server server;
    add_routes(&server, &links, *proxy);
    int port = options.control_port;
    const bool bound = port == 0 ? (port = server.bind_to_any_port("127.0.0.1")) > 0
                                 : server.bind_to_port("127.0.0.1", port);
    if (!bound) return Error(ErrorCode::kConflict, "cannot listen for control");
    std::thread carrying([&] { proxy->run(); });
    std::thread serving([&] { server.listen_after_bind(); });
    std::printf("proxy on 127.0.0.1:%d\n", port);
    std::fflush(stdout);
    int number = 0;
    sigwait(&signals, &number);
    server.stop();
    proxy->stop();
    serving.join();
    carrying.join();
    return {};
}

}  // namespace tidal::history
