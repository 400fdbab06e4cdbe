#include "tests/history/socket_owner.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace tidal::history {
namespace {

/// "0100007F:2382" -> 0x2382; 0 for what is no such text.
std::uint16_t port_of(const std::string& address) {
    const std::size_t colon = address.find(':');
    if (colon == std::string::npos) return 0;
    return static_cast<std::uint16_t>(std::stoul(address.substr(colon + 1), nullptr, 16));
}

/// The kernel's number of the socket, or empty.
std::string find_inode(std::uint16_t port, std::uint16_t peer_port) {
    std::ifstream table("/proc/net/tcp");
    std::string line;
    std::getline(table, line);  // names of columns
    while (std::getline(table, line)) {
        std::istringstream columns(line);
        std::string number, local, remote, state, queues, timer, retransmits, user, timeout, inode;
        columns >> number >> local >> remote >> state >> queues >> timer >> retransmits >> user >>
            timeout >> inode;
        if (port_of(local) == port && port_of(remote) == peer_port && inode != "0") return inode;
    }
    return {};
}

bool holds(pid_t pid, const std::string& link) {
    std::error_code failed;
    const std::filesystem::path folder = "/proc/" + std::to_string(pid) + "/fd";
    for (std::filesystem::directory_iterator at(folder, failed), end; !failed && at != end;
         at.increment(failed)) {
        std::error_code gone;
        if (std::filesystem::read_symlink(at->path(), gone) == link) return true;
    }
    return false;
}

}  // namespace

std::optional<std::size_t> find_owner(std::uint16_t port, std::uint16_t peer_port,
                                      const std::vector<pid_t>& pids) {
    const std::string inode = find_inode(port, peer_port);
    if (inode.empty()) return std::nullopt;
    for (std::size_t i = 0; i < pids.size(); ++i)
        if (pids[i] > 0 && holds(pids[i], "socket:[" + inode + "]")) return i;
    return std::nullopt;
}

}  // namespace tidal::history
