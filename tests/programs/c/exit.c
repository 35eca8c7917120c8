/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exit.c - a program that ends amid everything: many clients, none destroyed.
 *
 *     exit MILLISECONDS NAME=VALUE...
 */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static rd_kafka_t *make(char **args)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char why[512];

    for (; *args; args++) {
        char name[128];
        const char *equals = strchr(*args, '=');

        if (!equals)
            return NULL;
        (void)snprintf(name, sizeof name, "%.*s", (int)(equals - *args), *args);
        if (rd_kafka_conf_set(conf, name, equals + 1, why, sizeof why) !=
            RD_KAFKA_CONF_OK) {
            (void)fprintf(stderr, "%s: %s\n", name, why);
            return NULL;
        }
    }
    return rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
}

int main(int argc, char **argv)
{
    int i;

    if (argc < 3)
        return 2;
    for (i = 0; i < 10; i++)
        if (!make(argv + 2))
            return 2;
    (void)usleep((useconds_t)atoi(argv[1]) * 1000);
    exit(0);
}
