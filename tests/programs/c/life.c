/* SPDX-License-Identifier: Apache-2.0 */
/*
 * life.c - clients of copied confs, and one that is destroyed while it dials.
 *
 *     life NAME=VALUE...
 *
 * The last NAME=VALUE is set on the copies only, so that what was copied and
 * what comes later both have to count.
 */
#include <arpa/inet.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static char why[512];

static void fail(const char *what)
{
    (void)fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static void set(rd_kafka_conf_t *conf, const char *pair)
{
    char name[128];
    const char *equals = strchr(pair, '=');

    (void)snprintf(name, sizeof name, "%.*s", (int)(equals - pair), pair);
    if (rd_kafka_conf_set(conf, name, equals + 1, why, sizeof why) !=
        RD_KAFKA_CONF_OK)
        fail(name);
}

static rd_kafka_t *make(rd_kafka_conf_t *conf)
{
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);

    if (!client)
        fail("rd_kafka_new");
    return client;
}

static void works(rd_kafka_t *client, const char *what)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t err =
        rd_kafka_metadata(client, 0, NULL, &metadata, 20000);

    (void)snprintf(why, sizeof why, "%s", rd_kafka_err2str(err));
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        fail(what);
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_destroy(client);
}

static double now(void)
{
    struct timespec at;

    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

/* It takes connections, and never says a word. */
static void listen_silently(char *pair, size_t size)
{
    struct sockaddr_in at = {0};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&at, len) != 0 || listen(fd, 9) != 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) != 0)
        fail("listen");
    (void)snprintf(pair, size, "bootstrap.servers=127.0.0.1:%d",
                   ntohs(at.sin_port));
}

int main(int argc, char **argv)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_t *copy;
    rd_kafka_conf_t *second;
    rd_kafka_t *client;
    char silent[64];
    double began;
    int i;

    for (i = 1; i < argc - 1; i++)
        set(conf, argv[i]);
    copy = rd_kafka_conf_dup(conf);
    second = rd_kafka_conf_dup(copy);
    set(copy, argv[argc - 1]);
    set(second, argv[argc - 1]);
    works(make(copy), "a copy");
    works(make(rd_kafka_conf_dup(second)), "a copy of a copy of a copy");
    works(make(second), "a copy of a copy");

    listen_silently(silent, sizeof silent);
    set(conf, argv[argc - 1]);
    set(conf, silent);
    client = make(conf);
    (void)usleep(500000);
    began = now();
    rd_kafka_destroy(client);
    (void)printf("destroyed amid dialling in %.2f s\n", now() - began);
    return now() - began > 5;
}
