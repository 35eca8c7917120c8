/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tiny_http.h - an HTTP server on a free port of 127.0.0.1, for tests.
 *
 *     kbt::Http server([](const kbt::Http::Request &r) {
 *         return kbt::Http::Answer{200, "hello " + r.path};
 *     });
 *     ... server.url("/x") ...
 *
 * The handler is called by one thread at a time.  One answer a connection.
 */
#ifndef KB_TINY_HTTP_H
#define KB_TINY_HTTP_H

#include <atomic>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace kbt
{

class Http
{
  public:
    struct Request {
        std::string method, path, query, body;
        std::map<std::string, std::string> headers; /* lower-case names */
    };
    struct Answer {
        int status = 200;
        std::string body;
        std::string extra; /* header lines, each with \r\n */
        int delay_ms = 0;
        bool hang = false; /* never answer */
    };
    using Handler = std::function<Answer(const Request &)>;

    explicit Http(Handler handler) : handler_(std::move(handler))
    {
        sockaddr_in addr{};
        socklen_t len = sizeof addr;

        fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        addr.sin_family = AF_INET;
        addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (bind(fd_, reinterpret_cast<sockaddr *>(&addr), sizeof addr) != 0 ||
            listen(fd_, 64) != 0 ||
            getsockname(fd_, reinterpret_cast<sockaddr *>(&addr), &len) != 0)
            throw std::runtime_error("can't listen");
        port = ntohs(addr.sin_port);
        thread_ = std::thread([this] { serve(); });
    }
    Http(const Http &) = delete;
    ~Http()
    {
        stop_ = true;
        thread_.join();
        for (int fd : hung_)
            close(fd);
        close(fd_);
    }
    std::string url(const std::string &path) const
    {
        return "http://127.0.0.1:" + std::to_string(port) + path;
    }
    std::vector<Request> requests()
    {
        std::lock_guard<std::mutex> lock(mutex_);
        return requests_;
    }

    int port = 0;

  private:
    void serve()
    {
        while (!stop_) {
            pollfd p = {fd_, POLLIN, 0};
            if (poll(&p, 1, 20) != 1)
                continue;
            int fd = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
            if (fd >= 0 && !one(fd))
                close(fd);
        }
    }
    /* True if the connection is to stay open without an answer. */
    bool one(int fd)
    {
        std::string in;
        char part[4096];
        size_t head = std::string::npos, want = 0;
        timeval limit = {2, 0};

        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        Request r;
        while (head == std::string::npos || in.size() < head + 4 + want) {
            ssize_t n = read(fd, part, sizeof part);
            if (n <= 0)
                return false;
            in.append(part, static_cast<size_t>(n));
            if (head == std::string::npos &&
                (head = in.find("\r\n\r\n")) != std::string::npos) {
                parse(in.substr(0, head), r);
                if (r.headers.count("content-length"))
                    want = std::stoul(r.headers["content-length"]);
            }
        }
        r.body = in.substr(head + 4);
        {
            std::lock_guard<std::mutex> lock(mutex_);
            requests_.push_back(r);
        }
        Answer a = handler_(r);
        if (a.hang) {
            hung_.push_back(fd);
            return true;
        }
        if (a.delay_ms)
            usleep(static_cast<useconds_t>(a.delay_ms) * 1000);
        std::string out =
            "HTTP/1.1 " + std::to_string(a.status) +
            " X\r\nContent-Length: " + std::to_string(a.body.size()) +
            "\r\nConnection: close\r\n" + a.extra + "\r\n" + a.body;
        size_t done = 0;
        while (done < out.size()) {
            ssize_t n =
                send(fd, out.data() + done, out.size() - done, MSG_NOSIGNAL);
            if (n <= 0)
                break;
            done += static_cast<size_t>(n);
        }
        return false;
    }
    static void parse(const std::string &head, Request &r)
    {
        size_t eol = head.find("\r\n"), at;
        std::string line = head.substr(0, eol);

        r.method = line.substr(0, line.find(' '));
        r.path = line.substr(line.find(' ') + 1);
        r.path = r.path.substr(0, r.path.find(' '));
        if ((at = r.path.find('?')) != std::string::npos) {
            r.query = r.path.substr(at + 1);
            r.path = r.path.substr(0, at);
        }
        while (eol != std::string::npos) {
            size_t from = eol + 2;
            eol = head.find("\r\n", from);
            line =
                head.substr(from, eol == std::string::npos ? eol : eol - from);
            at = line.find(':');
            if (at == std::string::npos)
                continue;
            std::string name = line.substr(0, at);
            for (char &c : name)
                c = static_cast<char>(tolower(c));
            r.headers[name] = line.substr(line.find_first_not_of(' ', at + 1));
        }
    }

    Handler handler_;
    int fd_ = -1;
    std::atomic<bool> stop_{false};
    std::mutex mutex_;
    std::vector<Request> requests_;
    std::vector<int> hung_;
    std::thread thread_;
};

} // namespace kbt

#endif
