/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kdc.h - a KDC of MIT's on a free port of 127.0.0.1, and a broker's side.
 *
 * Who includes it defines Kdc::self, which is a global environment of tests.
 * All of it is in a folder that goes at the end.
 */
#ifndef KB_KDC_H
#define KB_KDC_H

#include <csignal>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plugin_harness.h"

namespace kbt
{

const char realm[] = "KB.TEST";

inline int free_port()
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in addr{};
    socklen_t len = sizeof addr;

    addr.sin_family = AF_INET;
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, reinterpret_cast<sockaddr *>(&addr), sizeof addr) != 0 ||
        getsockname(fd, reinterpret_cast<sockaddr *>(&addr), &len) != 0)
        throw std::runtime_error("no free port");
    close(fd);
    return ntohs(addr.sin_port);
}

inline bool run(const std::string &command)
{
    std::string quiet = "PATH=$PATH:/usr/sbin:/sbin; (" + command + ") >>'" +
                        getenv("KB_KDC_LOG") + "' 2>&1";
    return system(quiet.c_str()) == 0;
}

class Kdc : public testing::Environment
{
  public:
    static Kdc *self;
    kbt::TempDir dir;
    bool there = false;

    std::string at(const std::string &name) const
    {
        return dir.path + "/" + name;
    }

    void SetUp() override
    {
        setenv("KB_KDC_LOG", at("log").c_str(), 1);
        if (!run("command -v krb5kdc && command -v kdb5_util && "
                 "command -v kadmin.local && command -v kinit"))
            return;
        port_ = free_port();
        std::string p = std::to_string(port_);
        dir.file("krb5.conf",
                 std::string("[libdefaults]\n default_realm = ") + realm +
                     "\n rdns = false\n dns_lookup_kdc = false\n"
                     " dns_canonicalize_hostname = false\n"
                     "[realms]\n KB.TEST = {\n  kdc = 127.0.0.1:" +
                     p +
                     "\n }\n[domain_realm]\n broker.test = KB.TEST\n"
                     " other.test = KB.TEST\n unknown.test = KB.TEST\n");
        dir.file("kdc.conf",
                 "[kdcdefaults]\n kdc_listen = 127.0.0.1:" + p +
                     "\n kdc_tcp_listen = 127.0.0.1:" + p +
                     "\n[realms]\n KB.TEST = {\n  database_name = " + at("db") +
                     "\n  key_stash_file = " + at("stash") +
                     "\n }\n[logging]\n kdc = FILE:" + at("kdc.log") + "\n");
        setenv("KRB5_CONFIG", at("krb5.conf").c_str(), 1);
        setenv("KRB5_KDC_PROFILE", at("kdc.conf").c_str(), 1);
        setenv("KRB5CCNAME", ("FILE:" + at("default.ccache")).c_str(), 1);
        setenv("KRB5RCACHENAME", "none:", 1);
        there = run("kdb5_util create -s -P master -r KB.TEST") &&
                admin("addprinc -randkey kafka/broker.test") &&
                admin("addprinc -randkey kafka/other.test") &&
                admin("addprinc -randkey backup/client") &&
                admin("addprinc -randkey -maxlife 4sec backup/short") &&
                keytab("broker.keytab", "kafka/broker.test") &&
                keytab("broker.keytab", "kafka/other.test") &&
                keytab("client.keytab", "backup/client") &&
                keytab("short.keytab", "backup/short");
        if (!there)
            throw std::runtime_error("the KDC can't be set up:\n" + log());
        start();
    }
    void TearDown() override
    {
        stop();
    }
    bool admin(const std::string &query)
    {
        return run("kadmin.local -r KB.TEST -q '" + query + "'");
    }
    bool keytab(const std::string &file, const std::string &principal)
    {
        return admin("ktadd -k " + at(file) + " " + principal);
    }
    void start()
    {
        pid_ = fork();
        if (pid_ == 0) {
            int null = open("/dev/null", O_RDWR);
            dup2(null, 1);
            dup2(null, 2);
            setenv("PATH", "/usr/sbin:/sbin:/usr/bin:/bin", 1);
            execlp("krb5kdc", "krb5kdc", "-n", "-r", realm, nullptr);
            _exit(127);
        }
        for (int i = 0; i < 100; i++) {
            int fd = socket(AF_INET, SOCK_STREAM, 0);
            sockaddr_in addr{};
            addr.sin_family = AF_INET;
            addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            addr.sin_port = htons(static_cast<uint16_t>(port_));
            int rc =
                connect(fd, reinterpret_cast<sockaddr *>(&addr), sizeof addr);
            close(fd);
            if (rc == 0)
                return;
            usleep(50000);
        }
        throw std::runtime_error("the KDC doesn't answer:\n" + log());
    }
    void stop()
    {
        if (pid_ <= 0)
            return;
        kill(pid_, SIGTERM);
        waitpid(pid_, nullptr, 0);
        pid_ = 0;
    }
    /* How many lines of the KDC's log have this in them. */
    int count(const std::string &what) const
    {
        std::ifstream in(at("kdc.log"));
        std::string line;
        int n = 0;

        while (std::getline(in, line))
            n += line.find(what) != std::string::npos;
        return n;
    }
    std::string log() const
    {
        std::ifstream in(at("log"));
        std::stringstream all;
        all << in.rdbuf();
        return all.str();
    }

  private:
    int port_ = 0;
    pid_t pid_ = 0;
};

/* The broker's side: accepts from the keytab, and proposes layers. */
class Broker
{
  public:
    explicit Broker(const std::string &file = "broker.keytab")
    {
        std::string path = "FILE:" + Kdc::self->at(file);
        gss_key_value_element_desc e = {"keytab", path.c_str()};
        gss_key_value_set_desc store = {1, &e};
        OM_uint32 minor;

        if (GSS_ERROR(gss_acquire_cred_from(&minor, GSS_C_NO_NAME, 0,
                                            GSS_C_NO_OID_SET, GSS_C_ACCEPT,
                                            &store, &cred_, nullptr, nullptr)))
            throw std::runtime_error("the broker has no credentials");
    }
    Broker(const Broker &) = delete;
    ~Broker()
    {
        OM_uint32 ignored;
        gss_delete_sec_context(&ignored, &context_, GSS_C_NO_BUFFER);
        gss_release_cred(&ignored, &cred_);
        gss_release_name(&ignored, &who_);
    }
    /* Its answer to the client's token; false if it refuses. */
    bool accept(const std::string &in, std::string *out)
    {
        gss_buffer_desc i = {in.size(), const_cast<char *>(in.data())}, o = {};
        OM_uint32 major, minor, ignored;

        major = gss_accept_sec_context(&minor, &context_, cred_, &i,
                                       GSS_C_NO_CHANNEL_BINDINGS, &who_,
                                       nullptr, &o, nullptr, nullptr, nullptr);
        out->assign(static_cast<char *>(o.value), o.length);
        gss_release_buffer(&ignored, &o);
        return !GSS_ERROR(major);
    }
    std::string wrap(const std::string &in)
    {
        gss_buffer_desc i = {in.size(), const_cast<char *>(in.data())}, o = {};
        OM_uint32 minor, ignored;
        gss_wrap(&minor, context_, 0, GSS_C_QOP_DEFAULT, &i, nullptr, &o);
        std::string out(static_cast<char *>(o.value), o.length);
        gss_release_buffer(&ignored, &o);
        return out;
    }
    std::string unwrap(const std::string &in)
    {
        gss_buffer_desc i = {in.size(), const_cast<char *>(in.data())}, o = {};
        OM_uint32 minor, ignored;
        if (gss_unwrap(&minor, context_, &i, &o, nullptr, nullptr))
            return "can't be unwrapped";
        std::string out(static_cast<char *>(o.value), o.length);
        gss_release_buffer(&ignored, &o);
        return out;
    }
    std::string client()
    {
        gss_buffer_desc text = {};
        OM_uint32 ignored;
        gss_display_name(&ignored, who_, &text, nullptr);
        std::string out(static_cast<char *>(text.value), text.length);
        gss_release_buffer(&ignored, &text);
        return out;
    }

  private:
    gss_cred_id_t cred_ = GSS_C_NO_CREDENTIAL;
    gss_ctx_id_t context_ = GSS_C_NO_CONTEXT;
    gss_name_t who_ = GSS_C_NO_NAME;
};

} // namespace kbt

#endif
