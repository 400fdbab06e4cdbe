#include "http/internal/loan.h"

#include "http/internal/reply_head.h"

namespace tidal::http {

void Loan::lend(Terms terms) {
    const std::lock_guard lock(mutex_);
    terms_ = std::move(terms);
}

void Loan::take_back() {
    const std::lock_guard lock(mutex_);
    terms_.reset();
}

std::optional<Loan::Sent> Loan::send(Response& response) {
    const std::lock_guard lock(mutex_);
    if (!terms_) return std::nullopt;
    Sent sent;
    sent.status = response.status;
    ReplyFacts facts;
    facts.request_id = terms_->request_id;
    facts.traceparent = terms_->traceparent;
    facts.date = terms_->date;
    if (response.body.size() <= Outgoing::kCopiedBodyBytesMax)
        facts.body_room = response.body.size();
    sent.out.add(reply_head(response, facts));
    if (may_have_body(response.status)) sent.out.add_large(std::move(response.body));
    sent.out.turns_done = 1;
    sent.broken = !sent.out.offer(*terms_->socket);
    terms_.reset();
    return sent;
}

}  // namespace tidal::http
