/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plugin_harness.h - loads a built plugin and is a host to it, for tests.
 *
 *     kbt::Plugin plugin("sasl_plain");
 *     kbt::Config config(plugin.sasl("PLAIN")->options,
 *                        {{"sasl_username", "alice"}, ...});
 *     kbt::Host host;
 *     kbt::Error err;
 *     plugin.sasl("PLAIN")->open(&host, &config, &sasl, &err)
 *
 * Host, Sink, Config and Error turn into the pointers that the ABI wants.
 * kbt::Sasl and kbt::Handshake below do the calls of a SASL mechanism.
 */
#ifndef KB_PLUGIN_HARNESS_H
#define KB_PLUGIN_HARNESS_H

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <dlfcn.h>

#include <kafka-backup/codec.h>
#include <kafka-backup/sasl.h>
#include <kafka-backup/storage.h>
#include <kafka-backup/util.h>

#ifndef KB_TEST_PLUGIN_DIR
#error "KB_TEST_PLUGIN_DIR is set by kb_unit_test()"
#endif

namespace kbt
{

/* Copy a table of the plugin's, however long it is, as a host does. */
template <typename T> T copy_table(const T *from)
{
    T to{};
    std::memcpy(&to, from, std::min<size_t>(from->struct_size, sizeof to));
    return to;
}

class Plugin
{
  public:
    explicit Plugin(const std::string &stem)
    {
        std::string path = std::string(KB_TEST_PLUGIN_DIR) + "/" + stem + ".so";
        void *handle =
            dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);

        if (!handle)
            throw std::runtime_error(dlerror());
        module_ = static_cast<const kbp_module *>(
            dlsym(handle, "kafka_backup_plugin"));
        if (!module_)
            throw std::runtime_error(path + " exports no kafka_backup_plugin");
    }

    const kbp_module *module() const
    {
        return module_;
    }
    const kbp_sasl_type *sasl(const std::string &name) const
    {
        return find(module_->sasl, name);
    }
    const kbp_storage_type *storage(const std::string &name) const
    {
        return find(module_->storage, name);
    }
    const kbp_codec_type *codec(const std::string &name) const
    {
        return find(module_->codec, name);
    }

  private:
    template <typename T>
    static const T *find(const T *const *types, const std::string &name)
    {
        for (; types && *types; types++)
            if (name == (*types)->name)
                return *types;
        throw std::runtime_error("the plugin offers no " + name);
    }

    const kbp_module *module_;
};

struct Error : kbp_error {
    Error() : kbp_error{}
    {
        struct_size = sizeof(kbp_error);
    }
    /* Message and hint, for a look at what they name. */
    std::string text() const
    {
        return std::string(message) + (hint[0] ? " | " : "") + hint;
    }
};

class Host : public kbp_host
{
  public:
    Host() : kbp_host{}
    {
        struct_size = sizeof(kbp_host);
        abi_major = KBP_ABI_MAJOR;
        abi_minor = KBP_ABI_MINOR;
        data = this;
        kbp_host::name = "test";
        kbp_host::version = "0";
        log_level = KBP_LOG_TRACE;
        kbp_host::log = [](const kbp_host *h, int32_t level,
                           const char *message) {
            Host *self = static_cast<Host *>(h->data);
            std::lock_guard<std::mutex> lock(self->mutex_);
            self->lines_.emplace_back(level, message);
        };
        kbp_host::cancelled = [](const kbp_host *h) -> int32_t {
            Host *self = static_cast<Host *>(h->data);
            self->asked++;
            return self->cancel || self->left() == 0;
        };
        kbp_host::time_left_ms = [](const kbp_host *h) {
            return static_cast<Host *>(h->data)->left();
        };
        kbp_host::get_service = [](const kbp_host *,
                                   const char *) -> const void * {
            return nullptr;
        };
    }
    Host(const Host &) = delete;

    std::atomic<bool> cancel{false};
    std::atomic<int> asked{0};

    /* The call in progress has that long from now on. */
    void deadline_ms(int64_t ms)
    {
        deadline_ = now() + std::chrono::milliseconds(ms);
        has_deadline_ = true;
    }

    /* All that was logged, a line each: "1 a warning". */
    std::string logged()
    {
        std::lock_guard<std::mutex> lock(mutex_);
        std::string all;

        for (auto &line : lines_)
            all += std::to_string(line.first) + " " + line.second + "\n";
        return all;
    }

  private:
    using clock = std::chrono::steady_clock;
    static clock::time_point now()
    {
        return clock::now();
    }
    int64_t left() const
    {
        if (!has_deadline_)
            return INT64_MAX;
        auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                      deadline_ - now())
                      .count();
        return ms > 0 ? ms : 0;
    }

    std::mutex mutex_;
    std::vector<std::pair<int32_t, std::string>> lines_;
    clock::time_point deadline_;
    bool has_deadline_ = false;
};

/*
 * Where a call leaves its bytes.  Gives room in exact-sized heap blocks, so
 * that a sanitizer sees a byte written beyond what was reserved; `chunk` bounds
 * how much it gives beyond what is asked for.
 */
class Sink : public kbp_sink
{
  public:
    explicit Sink(uint64_t most = UINT64_MAX, size_t chunk_bytes = 0)
        : kbp_sink{}, chunk(chunk_bytes)
    {
        struct_size = sizeof(kbp_sink);
        data = this;
        limit = most;
        kbp_sink::reserve = [](kbp_sink *s, size_t min, size_t wish,
                               void **room, size_t *room_len) -> int32_t {
            return static_cast<Sink *>(s->data)->give(min, wish, room,
                                                      room_len);
        };
        kbp_sink::commit = [](kbp_sink *s, size_t used) {
            static_cast<Sink *>(s->data)->take(used);
        };
    }
    Sink(const Sink &) = delete;
    ~Sink()
    {
        std::free(room_);
    }

    size_t chunk;
    std::string bytes;

    operator kbp_sink *()
    {
        return this;
    }

  private:
    int32_t give(size_t min, size_t wish, void **room, size_t *room_len)
    {
        uint64_t left = limit - bytes.size();
        size_t n = std::max(min, wish);

        if (min > left)
            return KBP_ERR_LIMIT;
        if (chunk && n > chunk)
            n = std::max(min, chunk);
        if (n > left)
            n = static_cast<size_t>(left);
        std::free(room_);
        room_ = std::malloc(n ? n : 1);
        room_len_ = n;
        *room = room_;
        *room_len = n;
        return KBP_OK;
    }
    void take(size_t used)
    {
        if (used > room_len_)
            throw std::runtime_error("commit of more than was reserved");
        bytes.append(static_cast<char *>(room_), used);
        room_len_ = 0;
    }

    void *room_ = nullptr;
    size_t room_len_ = 0;
};

/*
 * Settings for a type, checked against its options as the host does: throws
 * for an unknown name, or a required one that is missing; fills in defaults.
 */
class Config : public kbp_config
{
  public:
    Config(const kbp_options &options,
           const std::map<std::string, std::string> &set)
        : kbp_config{}, set_(set)
    {
        for (uint32_t i = 0; i < options.count; i++) {
            kbp_option o{};
            std::memcpy(&o,
                        reinterpret_cast<const char *>(options.items) +
                            size_t(i) * options.item_size,
                        std::min<size_t>(options.item_size, sizeof o));
            known_[o.name] = true;
            if (!set_.count(o.name) && o.default_value)
                set_[o.name] = o.default_value;
            if (!set_.count(o.name) && (o.flags & KBP_OPTION_REQUIRED))
                throw std::runtime_error(std::string(o.name) + " is not set");
        }
        for (auto &entry : set_) {
            if (!known_.count(entry.first))
                throw std::runtime_error("no such option: " + entry.first);
            items_.push_back({entry.first.c_str(), entry.second.c_str(),
                              entry.second.size()});
        }
        struct_size = sizeof(kbp_config);
        items = items_.data();
        count = static_cast<uint32_t>(items_.size());
        item_size = sizeof(kbp_setting);
    }
    Config(const Config &) = delete;

  private:
    std::map<std::string, std::string> set_;
    std::map<std::string, bool> known_;
    std::vector<kbp_setting> items_;
};

/* A SASL mechanism, opened; throws the error's text when it can't be. */
class Sasl
{
  public:
    using Settings = std::map<std::string, std::string>;

    Sasl(const Plugin &plugin, const std::string &name,
         const Settings &settings)
        : type(copy_table(plugin.sasl(name)))
    {
        Config config(type.options, settings);
        Error err;

        if (type.open(&host, &config, &sasl, &err) != KBP_OK)
            throw std::runtime_error(err.text());
    }
    Sasl(const Sasl &) = delete;
    ~Sasl()
    {
        type.close(sasl);
    }

    /* What open() says to settings that it must refuse. */
    static Error refused(const Plugin &plugin, const std::string &name,
                         const Settings &settings)
    {
        kbp_sasl_type t = copy_table(plugin.sasl(name));
        Config config(t.options, settings);
        Host host;
        kbp_sasl *sasl = nullptr;
        Error err;

        if (t.open(&host, &config, &sasl, &err) == KBP_OK) {
            t.close(sasl);
            throw std::runtime_error("it was not refused");
        }
        return err;
    }

    kbp_sasl_type type;
    Host host;
    kbp_sasl *sasl = nullptr;
};

/* One handshake, step by step. */
class Handshake
{
  public:
    explicit Handshake(Sasl &mechanism, uint32_t flags = 0,
                       const std::string &broker = "broker.test",
                       uint32_t port = 9092)
        : sasl_(mechanism), broker_(broker)
    {
        peer_.struct_size = sizeof peer_;
        peer_.flags = flags;
        peer_.host = broker_.c_str();
        peer_.port = port;
        if (sasl_.type.session_open(sasl_.sasl, &host, &peer_, &session_,
                                    &err) != KBP_OK)
            throw std::runtime_error(err.text());
    }
    Handshake(const Handshake &) = delete;
    ~Handshake()
    {
        sasl_.type.session_close(session_);
    }

    /* The first step.  The answer is in `out`. */
    int32_t start()
    {
        return call(nullptr, 0);
    }
    /* A step with the broker's bytes, in a block of exactly that size. */
    int32_t step(const std::string &in)
    {
        std::vector<char> exact(in.begin(), in.end());

        exact.reserve(1);
        return call(exact.data(), exact.size());
    }
    int32_t explain(int32_t code, const std::string &why)
    {
        return sasl_.type.explain(session_, code, why.data(), why.size(), &err);
    }
    int64_t lifetime_ms()
    {
        return sasl_.type.lifetime_ms ? sasl_.type.lifetime_ms(session_) : -1;
    }

    Host host;
    Error err;
    int32_t state = 0;
    std::string out;

  private:
    int32_t call(const void *in, size_t len)
    {
        Sink sink(KBP_SASL_MAX_BYTES, 7);
        int32_t status;

        err = Error();
        state = 0;
        status = sasl_.type.step(session_, in, len, sink, &state, &err);
        out = sink.bytes;
        return status;
    }

    Sasl &sasl_;
    std::string broker_;
    kbp_sasl_peer peer_{};
    kbp_sasl_session *session_ = nullptr;
};

/* A folder that goes when the test ends. */
class TempDir
{
  public:
    TempDir()
    {
        const char *base = std::getenv("TMPDIR");

        path = std::string(base ? base : "/tmp") + "/kb-test-XXXXXX";
        if (!mkdtemp(&path[0]))
            throw std::runtime_error("mkdtemp");
    }
    TempDir(const TempDir &) = delete;
    ~TempDir()
    {
        std::string command = "rm -rf '" + path + "'";
        if (std::system(command.c_str()) != 0)
            std::abort();
    }
    /* The path of a file in it, with `text` written to it. */
    std::string file(const std::string &name, const std::string &text)
    {
        std::string at = path + "/" + name;
        FILE *f = std::fopen(at.c_str(), "w");

        if (!f || std::fwrite(text.data(), 1, text.size(), f) != text.size() ||
            std::fclose(f) != 0)
            throw std::runtime_error("can't write " + at);
        return at;
    }

    std::string path;
};

} // namespace kbt

#endif
