/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_broker.h - a broker at the other end of a socketpair: a thread which
 * runs what the test wants it to say.
 */
#ifndef KB_TEST_FAKE_BROKER_H
#define KB_TEST_FAKE_BROKER_H

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

/* Bytes as Kafka writes them. */
class Wire
{
  public:
    Wire &I8(int v)
    {
        bytes += (char)v;
        return *this;
    }
    Wire &I16(int v)
    {
        return I8(v >> 8).I8(v);
    }
    Wire &I32(int64_t v)
    {
        return I16((int)(v >> 16)).I16((int)v);
    }
    Wire &I64(int64_t v)
    {
        return I32(v >> 32).I32(v);
    }
    Wire &Str(const std::string &s)
    {
        I16((int)s.size());
        bytes += s;
        return *this;
    }
    Wire &NullStr()
    {
        return I16(-1);
    }
    Wire &Uvarint(uint64_t v)
    {
        for (; v >= 0x80; v >>= 7)
            I8((int)(v & 0x7f) | 0x80);
        return I8((int)v);
    }
    Wire &CompactStr(const std::string &s)
    {
        Uvarint(s.size() + 1);
        bytes += s;
        return *this;
    }
    Wire &Raw(const std::string &s)
    {
        bytes += s;
        return *this;
    }
    Wire &Tags()
    {
        return I8(0);
    }

    std::string bytes;
};

/* A request as it came. */
struct Request {
    int api = -1;
    int version = -1;
    int correlation = -1;
    std::string client_id;
    std::string rest; /* behind the client id: tags, body */
    size_t len = 0;   /* of the frame */
    bool ok = false;
};

class FakeBroker
{
  public:
    explicit FakeBroker(std::function<void(FakeBroker &)> script)
    {
        int fds[2];

        if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0)
            abort();
        theirs = fds[0];
        ours_ = fds[1];
        thread_ = std::thread([this, script] { script(*this); });
    }

    ~FakeBroker()
    {
        thread_.join();
        Close();
    }

    void Join()
    {
        if (thread_.joinable())
            thread_.join();
        thread_ = std::thread([] {});
    }

    Request Read()
    {
        Request r;
        std::string head = Take(4);

        if (head.size() != 4)
            return r;
        r.len = Number(head, 0, 4);
        std::string frame = Take(r.len);
        if (frame.size() != r.len || r.len < 10)
            return r;
        r.api = (int)Number(frame, 0, 2);
        r.version = (int)Number(frame, 2, 2);
        r.correlation = (int)Number(frame, 4, 4);
        size_t n = Number(frame, 8, 2);
        r.client_id = frame.substr(10, n);
        r.rest = frame.substr(10 + n);
        r.ok = true;
        return r;
    }

    void Write(const std::string &bytes)
    {
        size_t at = 0;

        while (at < bytes.size()) {
            size_t n = bytes.size() - at;
            ssize_t put;

            if (chunk > 0 && n > chunk)
                n = chunk;
            put = send(ours_, bytes.data() + at, n, MSG_NOSIGNAL);
            if (put <= 0)
                return;
            at += (size_t)put;
        }
    }

    /* An answer: its length, correlation, then `body`. */
    void Answer(int correlation, const std::string &body)
    {
        Write(Wire()
                  .I32((int64_t)body.size() + 4)
                  .I32(correlation)
                  .Raw(body)
                  .bytes);
    }

    /* ApiVersions as a modern broker answers it: api, min, max. */
    void AnswerVersions(const std::vector<std::vector<int>> &apis)
    {
        Request r = Read();
        Wire w;

        if (r.version >= 3) {
            w.I16(0).Uvarint(apis.size() + 1);
            for (auto &a : apis)
                w.I16(a[0]).I16(a[1]).I16(a[2]).Tags();
            w.I32(0).Tags();
        } else {
            w.I16(0).I32((int64_t)apis.size());
            for (auto &a : apis)
                w.I16(a[0]).I16(a[1]).I16(a[2]);
        }
        Answer(r.correlation, w.bytes);
    }

    /* Bytes that are no request. */
    bool ReadRaw(char *to, size_t len)
    {
        std::string bytes = Take(len);

        bytes.copy(to, bytes.size());
        return bytes.size() == len;
    }

    static void Sleep(int ms)
    {
        std::this_thread::sleep_for(std::chrono::milliseconds(ms));
    }

    /* Until the other end has closed. */
    void WaitForClose()
    {
        char c;

        while (recv(ours_, &c, 1, 0) > 0)
            continue;
    }

    void Close()
    {
        if (ours_ >= 0)
            (void)close(ours_);
        ours_ = -1;
    }

    int theirs;       /* the test's end, which a stream takes */
    size_t chunk = 0; /* bytes a write, 0: all */

  private:
    std::string Take(size_t len)
    {
        std::string bytes(len, '\0');
        size_t at = 0;

        while (at < len) {
            ssize_t n = recv(ours_, &bytes[at], len - at, 0);

            if (n <= 0)
                return bytes.substr(0, at);
            at += (size_t)n;
        }
        return bytes;
    }

    static size_t Number(const std::string &s, size_t at, size_t len)
    {
        size_t value = 0;

        for (size_t i = 0; i < len; i++)
            value = value << 8 | (uint8_t)s[at + i];
        return value;
    }

    int ours_;
    std::thread thread_;
};

#endif
