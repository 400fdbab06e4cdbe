// tests/scenario.h: transcripts of whole clusters: src/raft/testdata/*.txt.
//
// A file is blocks of commands, a line "----", and what they print, up to an empty line. '#' begins
// a comment. Replicas are numbers. Every command prints what changed: roles, commits, applied
// entries, configurations, reads, snapshots.
//
//   group voters=1,2,3 [learners=4] [others=5,6] [OPTION=NUMBER …]   others start without members
//   campaign N · tick N [count=K] · tick all [count=K]
//   propose N DATA [count=K] · members N voters=… [learners=…] · transfer N M · read N ID
//   trace on|off          print each message delivered or dropped
//   deliver [from=N,…] [to=N,…] [kind=NAME,…] [count=K]    what is on its way now, not the answers
//   drop    [from=N,…] [to=N,…] [kind=NAME,…] [count=K]
//   settle  [from=N,…] [to=N,…] [kind=NAME,…]    deliver until nothing of it is on its way
//   cut N M · isolate N · heal · unreachable N M
//   crash N · start N · disk N slow|fast · sync N [count=K] · install N · compact N INDEX
//   status [N] · peers N · log N · net
#pragma once

#include <string>

namespace tidal::raft {

/// What differs, as text; empty when the file's outputs are what the cluster prints and no promise
/// was broken on the way.
std::string replay_scenario(const std::string& path);
/// The file with the outputs as they are now.
std::string rewrite_scenario(const std::string& path);

}  // namespace tidal::raft
