// SPDX-License-Identifier: Apache-2.0
// storage_memory.cc - a store in memory, for tests; it fails when told to.
//
// In C++11, to hold the ABI to its word that plugins can be.
#include <atomic>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <string>

#include <kafka-backup/storage.h>
#include <kafka-backup/util.h>

namespace
{

struct Stored {
    std::string bytes;
    std::string etag;
};

// What instances with the same `name` have in common.
struct Objects {
    std::mutex lock;
    std::map<std::string, Stored> objects;
    uint64_t version = 0;
    uint64_t calls = 0;
    uint64_t bytes = 0;
};

std::mutex shared_lock;
std::map<std::string, std::weak_ptr<Objects>> *shared;

} // namespace

struct kbp_storage {
    std::shared_ptr<Objects> objects;
    uint64_t fail_every = 0;
    uint64_t capacity = 0;
    int64_t delay_ms = 0;
    uint64_t dies_at = 0;
    std::atomic<uint64_t> changes{0};
    std::string unsure;
    bool local = true;
    bool conditions = true;
};

struct kbp_storage_session {
    kbp_storage *storage;
    const kbp_host *host;
};

struct kbp_upload {
    kbp_storage_session *session;
    std::string key, if_etag, bytes;
    uint32_t flags;
    bool conditional, committed;
    unsigned commits;
};

namespace
{

// No exception may leave the plugin: each entry point is run by this.
template <typename F> int32_t Guarded(kbp_error *err, F f)
{
    try {
        return f();
    } catch (const std::bad_alloc &) {
        return kbp_fail(err, KBP_ERR_NOMEM, 0, "no memory");
    } catch (const std::exception &e) {
        return kbp_fail(err, KBP_ERR_INTERNAL, 0, "%s", e.what());
    } catch (...) {
        return kbp_fail(err, KBP_ERR_INTERNAL, 0, "unknown exception");
    }
}

void Tell(kbp_object_fn fn, void *data, const std::string &key, const Stored &o)
{
    kbp_object object = kbp_object();

    if (!fn)
        return;
    object.struct_size = sizeof object;
    object.key = key.c_str();
    object.size = o.bytes.size();
    object.modified_ms = -1;
    object.etag = o.etag.c_str();
    (void)fn(data, &object);
}

// Wait as told, notice a cancel, and fail when it is this call's turn.
int32_t Gate(const kbp_storage_session *session, kbp_error *err)
{
    const kbp_storage *st = session->storage;
    int64_t waited = 0;

    if (st->dies_at && st->changes >= st->dies_at)
        return kbp_fail(err, KBP_ERR_DENIED, 0, "the process is dead");
    for (;;) {
        if (session->host->cancelled(session->host))
            return kbp_fail(err, KBP_ERR_CANCELLED, 0, "cancelled");
        if (waited >= st->delay_ms)
            break;
        const timespec pause = {0, 1000000};
        (void)nanosleep(&pause, nullptr);
        waited++;
    }
    if (st->fail_every == 0)
        return KBP_OK;
    std::lock_guard<std::mutex> hold(st->objects->lock);
    if (++st->objects->calls % st->fail_every == 0)
        return kbp_fail(err, KBP_ERR_IO, 0, "the network broke");
    return KBP_OK;
}

// Whether a commit or removal comes no more: the process died before.
bool Dies(kbp_storage *st, kbp_error *err)
{
    if (!st->dies_at || ++st->changes < st->dies_at)
        return false;
    (void)kbp_fail(err, KBP_ERR_DENIED, 0, "the process is dead");
    return true;
}

const kbp_option options[] = {
    {"name", nullptr,
     "instances of one process with the same name are the same store",
     KBP_OPTION_STRING, 0, nullptr, nullptr, nullptr},
    {"fail_every", "0", "every n-th call fails and may be tried again",
     KBP_OPTION_INT, 0, nullptr, nullptr, nullptr},
    {"dies_at", "0",
     "from the n-th commit or removal on nothing is done any more, as if the "
     "process had been killed",
     KBP_OPTION_INT, 0, nullptr, nullptr, nullptr},
    {"unsure", "never",
     "the answer to commits gets lost: when it was done, done and can't be "
     "found out, or not done",
     KBP_OPTION_CHOICE, 0, "never|done|forgotten|undone", nullptr, nullptr},
    {"delay", "0ms", "how long each call takes", KBP_OPTION_MS, 0, nullptr,
     nullptr, nullptr},
    {"capacity", "0", "no space is left after so many bytes; 0: no end",
     KBP_OPTION_BYTES, 0, nullptr, nullptr, nullptr},
    {"local", "true", "say that there is no network in between",
     KBP_OPTION_BOOL, 0, nullptr, nullptr, nullptr},
    {"conditions", "true", "say that conditions of uploads are honoured",
     KBP_OPTION_BOOL, 0, nullptr, nullptr, nullptr},
    {"password", nullptr, "not used; to see that it stays secret",
     KBP_OPTION_STRING, KBP_OPTION_SECRET, nullptr, nullptr, nullptr},
};

std::shared_ptr<Objects> ObjectsOf(const char *name)
{
    if (!name)
        return std::make_shared<Objects>();
    std::lock_guard<std::mutex> hold(shared_lock);
    if (!shared)
        shared = new std::map<std::string, std::weak_ptr<Objects>>;
    std::weak_ptr<Objects> &slot = (*shared)[name];
    std::shared_ptr<Objects> objects = slot.lock();
    if (!objects) {
        objects = std::make_shared<Objects>();
        slot = objects;
    }
    return objects;
}

int32_t MemOpen(const kbp_host *, const kbp_config *config,
                kbp_storage **storage, kbp_error *err)
{
    return Guarded(err, [&] {
        std::unique_ptr<kbp_storage> st(new kbp_storage);

        st->objects = ObjectsOf(kbp_config_get(config, "name"));
        st->fail_every =
            std::strtoull(kbp_config_get(config, "fail_every"), nullptr, 10);
        st->dies_at =
            std::strtoull(kbp_config_get(config, "dies_at"), nullptr, 10);
        st->capacity =
            std::strtoull(kbp_config_get(config, "capacity"), nullptr, 10);
        st->delay_ms =
            std::strtoll(kbp_config_get(config, "delay"), nullptr, 10);
        st->unsure = kbp_config_get(config, "unsure");
        st->local = std::string(kbp_config_get(config, "local")) == "true";
        st->conditions =
            std::string(kbp_config_get(config, "conditions")) == "true";
        *storage = st.release();
        return KBP_OK;
    });
}

void MemClose(kbp_storage *storage)
{
    delete storage;
}

int32_t MemInfo(kbp_storage *storage, kbp_storage_info *info, kbp_error *)
{
    if (storage->conditions)
        info->flags |= KBP_STORAGE_CREATE | KBP_STORAGE_REPLACE;
    if (storage->local)
        info->flags |= KBP_STORAGE_LOCAL;
    return KBP_OK;
}

int32_t MemSessionOpen(kbp_storage *storage, const kbp_host *host,
                       kbp_storage_session **session, kbp_error *err)
{
    return Guarded(err, [&] {
        *session = new kbp_storage_session{storage, host};
        return KBP_OK;
    });
}

void MemSessionClose(kbp_storage_session *session)
{
    delete session;
}

int32_t MemUploadOpen(kbp_storage_session *session, const kbp_upload_request *q,
                      kbp_upload **upload, kbp_error *err)
{
    return Guarded(err, [&]() -> int32_t {
        if (q->flags & KBP_FLAGS_BINDING)
            return kbp_fail(err, KBP_ERR_UNSUPPORTED, 0, "unknown flags");
        if (!session->storage->conditions && (q->flags || q->if_etag))
            return kbp_fail(err, KBP_ERR_UNSUPPORTED, 0, "no conditions");
        const int32_t status = Gate(session, err);
        if (status != KBP_OK)
            return status;
        *upload =
            new kbp_upload{session, q->key,   q->if_etag ? q->if_etag : "",
                           "",      q->flags, q->if_etag != nullptr,
                           false,   0};
        return KBP_OK;
    });
}

int32_t MemUploadWrite(kbp_upload *up, const void *bytes, size_t len,
                       size_t *taken, kbp_error *err)
{
    *taken = 0;
    return Guarded(err, [&]() -> int32_t {
        const kbp_storage *st = up->session->storage;
        const int32_t status = Gate(up->session, err);
        const size_t n = status == KBP_OK ? len : len / 2;

        if (status == KBP_ERR_CANCELLED)
            return status;
        {
            std::lock_guard<std::mutex> hold(st->objects->lock);

            if (st->capacity && st->objects->bytes + n > st->capacity)
                return kbp_fail(err, KBP_ERR_FULL, 0,
                                "the store is full (%llu bytes)",
                                static_cast<unsigned long long>(st->capacity));
            st->objects->bytes += n;
        }
        if (n > 0)
            up->bytes.append(static_cast<const char *>(bytes), n);
        *taken = n;
        return status;
    });
}

// With the lock held.
int32_t Place(kbp_upload *up, kbp_error *err)
{
    Objects &all = *up->session->storage->objects;
    const auto it = all.objects.find(up->key);

    if ((up->flags & KBP_UPLOAD_CREATE) && it != all.objects.end())
        return kbp_fail(err, KBP_ERR_EXISTS, 0, "%s exists", up->key.c_str());
    if (up->conditional &&
        (it == all.objects.end() || it->second.etag != up->if_etag))
        return kbp_fail(err, KBP_ERR_CONFLICT, 0, "%s was changed",
                        up->key.c_str());
    Stored &o = all.objects[up->key];
    o.bytes = up->bytes;
    o.etag = std::to_string(++all.version);
    up->committed = true;
    return KBP_OK;
}

int32_t MemUploadCommit(kbp_upload *up, const kbp_commit *commit,
                        kbp_object_fn fn, void *data, kbp_error *err)
{
    return Guarded(err, [&]() -> int32_t {
        kbp_storage *st = up->session->storage;
        int32_t status = Gate(up->session, err);

        if (status != KBP_OK)
            return status;
        if (Dies(st, err))
            return KBP_ERR_DENIED;
        if (commit->size != up->bytes.size())
            return kbp_fail(err, KBP_ERR_MISUSE, 0, "wrong size");
        std::lock_guard<std::mutex> hold(st->objects->lock);
        up->commits++;
        if (up->commits == 1 && st->unsure == "undone")
            return kbp_fail(err, KBP_ERR_UNSURE, 0, "the answer got lost");
        if (!up->committed)
            status = Place(up, err);
        if (status != KBP_OK)
            return status;
        if ((up->commits == 1 && st->unsure == "done") ||
            st->unsure == "forgotten")
            return kbp_fail(err, KBP_ERR_UNSURE, 0, "the answer got lost");
        Tell(fn, data, up->key, st->objects->objects[up->key]);
        return KBP_OK;
    });
}

void MemUploadClose(kbp_upload *up)
{
    delete up;
}

int32_t MemGet(kbp_storage_session *session, const kbp_get_request *q,
               kbp_object_fn fn, void *data, kbp_sink *sink, kbp_error *err)
{
    return Guarded(err, [&]() -> int32_t {
        const int32_t gate = Gate(session, err);
        Stored stored;

        if (gate == KBP_ERR_CANCELLED)
            return gate;
        {
            Objects &all = *session->storage->objects;
            std::lock_guard<std::mutex> hold(all.lock);
            const auto it = all.objects.find(q->key);

            if (it == all.objects.end())
                return kbp_fail(err, KBP_ERR_NOT_FOUND, 0, "no such object");
            stored = it->second;
        }
        if (q->if_etag && stored.etag != q->if_etag)
            return kbp_fail(err, KBP_ERR_CONFLICT, 0, "it was changed");
        const std::string &b = stored.bytes;
        const size_t at =
            q->offset < b.size() ? static_cast<size_t>(q->offset) : b.size();
        const size_t n = q->len < b.size() - at ? static_cast<size_t>(q->len)
                                                : b.size() - at;
        Tell(fn, data, q->key, stored);
        // A failure comes in the middle of it, as on a network.
        const int32_t status =
            kbp_sink_write(sink, b.data() + at, gate == KBP_OK ? n : n / 2);
        return status != KBP_OK ? status : gate;
    });
}

int32_t MemStat(kbp_storage_session *session, const char *key, kbp_object_fn fn,
                void *data, kbp_error *err)
{
    return Guarded(err, [&]() -> int32_t {
        const int32_t status = Gate(session, err);

        if (status != KBP_OK)
            return status;
        Objects &all = *session->storage->objects;
        std::lock_guard<std::mutex> hold(all.lock);
        const auto it = all.objects.find(key);

        if (it == all.objects.end())
            return kbp_fail(err, KBP_ERR_NOT_FOUND, 0, "no such object");
        Tell(fn, data, key, it->second);
        return KBP_OK;
    });
}

int32_t MemList(kbp_storage_session *session, const kbp_list_request *q,
                kbp_object_fn fn, void *data, kbp_error *err)
{
    return Guarded(err, [&]() -> int32_t {
        const int32_t gate = Gate(session, err);
        const std::string prefix(q->prefix);
        std::string last;
        size_t told = 0;

        if (gate == KBP_ERR_CANCELLED)
            return gate;
        Objects &all = *session->storage->objects;
        std::lock_guard<std::mutex> hold(all.lock);
        for (const auto &e : all.objects) {
            kbp_object object = kbp_object();
            std::string key = e.first;

            if (key.compare(0, prefix.size(), prefix) != 0 ||
                (q->after && key <= q->after))
                continue;
            const size_t slash = q->flags & KBP_LIST_SHALLOW
                                     ? key.find('/', prefix.size())
                                     : std::string::npos;
            if (slash != std::string::npos) {
                key.resize(slash + 1);
                if (key == last)
                    continue;
                last = key;
                object.flags = KBP_OBJECT_PREFIX;
            }
            if (gate != KBP_OK && told == 1)
                return gate;
            object.struct_size = sizeof object;
            object.key = key.c_str();
            object.size = object.flags ? 0 : e.second.bytes.size();
            object.modified_ms = -1;
            object.etag = object.flags ? nullptr : e.second.etag.c_str();
            told++;
            if (fn(data, &object))
                return KBP_OK;
        }
        return gate;
    });
}

int32_t MemRemove(kbp_storage_session *session, const char *key, kbp_error *err)
{
    return Guarded(err, [&]() -> int32_t {
        const int32_t status = Gate(session, err);

        if (status != KBP_OK)
            return status;
        if (Dies(session->storage, err))
            return KBP_ERR_DENIED;
        Objects &all = *session->storage->objects;
        std::lock_guard<std::mutex> hold(all.lock);
        all.objects.erase(key);
        return KBP_OK;
    });
}

const char *const schemes[] = {"mem", nullptr};

// C++ before 20 has no designated initializers, so in order; constant all the
// same, and what comes after the last is zero.
const kbp_storage_type mem_type = {
    sizeof(kbp_storage_type),
    0,
    "memory",
    "memory of this process, for tests",
    KBP_OPTIONS(options),
    nullptr,
    schemes,
    MemOpen,
    MemClose,
    MemInfo,
    MemSessionOpen,
    MemSessionClose,
    MemUploadOpen,
    MemUploadWrite,
    MemUploadCommit,
    MemUploadClose,
    MemGet,
    MemStat,
    MemList,
    MemRemove,
    nullptr, // copy
    nullptr, // sweep
};

const kbp_storage_type *const types[] = {&mem_type, nullptr};

} // namespace

const kbp_module kafka_backup_plugin = {
    KBP_ABI_INIT(kbp_module),
    "storage_memory",
    "1.0.0",
    "kafka-backup",
    "Apache-2.0",
    nullptr,
    types,
    nullptr,
};
