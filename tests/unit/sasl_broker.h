// SPDX-License-Identifier: Apache-2.0
// sasl_broker.h - a broker with SASL PLAIN on a port of its own, a thread for
// each connection.
#ifndef KB_TESTS_SASL_BROKER_H
#define KB_TESTS_SASL_BROKER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <string>
#include <thread>
#include <utility>
#include <vector>

extern "C" {
#include "base/bytes.h"
}

inline std::string be16(unsigned value)
{
    return {static_cast<char>(value >> 8), static_cast<char>(value)};
}

inline std::string be32(uint32_t value)
{
    return be16(value >> 16) + be16(value & 0xffff);
}

inline std::string str16(const std::string &text)
{
    return be16(static_cast<unsigned>(text.size())) + text;
}

inline bool send_all(int fd, const std::string &bytes)
{
    size_t at = 0;

    while (at < bytes.size()) {
        ssize_t n =
            send(fd, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        at += static_cast<size_t>(n);
    }
    return true;
}

inline bool read_all(int fd, char *to, size_t len)
{
    while (len > 0) {
        ssize_t n = recv(fd, to, len, 0);
        if (n <= 0)
            return false;
        to += n;
        len -= static_cast<size_t>(n);
    }
    return true;
}

inline bool read_frame(int fd, std::string *frame)
{
    char head[4];

    if (!read_all(fd, head, sizeof head))
        return false;
    frame->resize(kb_load_be32(head));
    return frame->size() < (1u << 24) &&
           read_all(fd, &(*frame)[0], frame->size());
}

// Knows ApiVersions 0 and SASL PLAIN; what else it is asked is answered by
// `Answer()`: with its own bytes, unless a test says otherwise.
class SaslBroker
{
  public:
    // `apis`: api and highest version of what it has besides.
    explicit SaslBroker(uint32_t session_ms,
                        std::vector<std::pair<unsigned, unsigned>> apis = {})
        : session_ms_(session_ms), apis_(std::move(apis))
    {
        struct sockaddr_in addr = {};
        socklen_t len = sizeof addr;

        fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        addr.sin_family = AF_INET;
        addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (bind(fd_, reinterpret_cast<struct sockaddr *>(&addr), len) != 0 ||
            listen(fd_, 128) != 0)
            std::abort();
        (void)getsockname(fd_, reinterpret_cast<struct sockaddr *>(&addr),
                          &len);
        port_ = ntohs(addr.sin_port);
        accepter_ = std::thread([this] { accept_all(); });
    }

    virtual ~SaslBroker()
    {
        deaf = false;
        (void)shutdown(fd_, SHUT_RDWR);
        accepter_.join();
        for (auto &server : servers_)
            server.join();
        (void)close(fd_);
    }

    uint16_t port() const
    {
        return port_;
    }

    std::string node() const
    {
        return "127.0.0.1:" + std::to_string(port_);
    }

    std::atomic<unsigned> accepted{0};
    std::atomic<unsigned> logins{0};
    std::atomic<unsigned> early{0}; // requests in the middle of a login
    std::atomic<bool> deaf{false};  // takes no more requests

  protected:
    // The body for a request, header and all.
    virtual std::string Answer(unsigned, const std::string &frame)
    {
        return frame.substr(8);
    }

  private:
    std::string Versions(unsigned version) const
    {
        // A version that it doesn't know is answered in version 0.
        std::string body = be16(version == 0 ? 0 : 35);

        body += be32(static_cast<uint32_t>(apis_.size()) + 3);
        for (auto api : {std::make_pair(17u, 1u), std::make_pair(36u, 1u),
                         std::make_pair(18u, 0u)})
            body += be16(api.first) + be16(0) + be16(api.second);
        for (auto api : apis_)
            body += be16(api.first) + be16(0) + be16(api.second);
        return body;
    }

    void accept_all()
    {
        for (;;) {
            int fd = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
            if (fd < 0)
                return;
            accepted++;
            servers_.emplace_back([this, fd] { serve(fd); });
        }
    }

    void serve(int fd)
    {
        std::string frame;
        bool logging_in = false;

        while (read_frame(fd, &frame) && frame.size() >= 10) {
            unsigned api = kb_load_be16(frame.data());
            std::string body;

            if (api == 18) {
                body = Versions(kb_load_be16(frame.data() + 2));
            } else if (api == 17) {
                logging_in = true;
                body = be16(0) + be32(1) + str16("PLAIN");
            } else if (api == 36) {
                bool good = frame.find("alice-secret") != std::string::npos;
                logging_in = false;
                logins++;
                body = be16(good ? 0 : 58) +
                       (good ? be16(0xffff) : str16("no such user")) + be32(0) +
                       be32(0) + be32(session_ms_);
            } else if (deaf) {
                while (deaf)
                    std::this_thread::sleep_for(std::chrono::milliseconds(20));
                break;
            } else {
                if (logging_in)
                    early++;
                body = Answer(api, frame);
            }
            body = frame.substr(4, 4) + body;
            if (!send_all(fd, be32(static_cast<uint32_t>(body.size())) + body))
                break;
        }
        (void)close(fd);
    }

    uint32_t session_ms_;
    std::vector<std::pair<unsigned, unsigned>> apis_;
    int fd_ = -1;
    uint16_t port_ = 0;
    std::thread accepter_;
    std::vector<std::thread> servers_;
};

#endif
