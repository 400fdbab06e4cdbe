// http/refused_sink.h: for a stream that cannot begin: it is answered at once, its body not wanted.
#pragma once

#include "http/http_server.h"

namespace tidal::http {

class RefusedSink final : public BodySink {
public:
    void on_chunk(std::string, ReadNext) override {}
    void on_end() override {}
    void on_error(const Error&) override {}
};

}  // namespace tidal::http
