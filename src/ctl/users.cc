// user: what of users is no other command's.
#include "ctl/client.h"
#include "ctl/commands.h"
#include "ctl/output.h"

namespace tidal::ctl {

Result<void> user_erase(const Options& options) {
    TIDAL_ASSIGN(const std::string reply,
                 Client(options.url, options.key)
                     .send(Client::Method::kDelete, "/users/" + percent_encode(options.user_id)));
    return print_reply(reply, options.json);
}

}  // namespace tidal::ctl
