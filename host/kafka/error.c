/* SPDX-License-Identifier: Apache-2.0 */
/* error.c - the error codes in Kafka's answers, and what they mean for us. */
#include "kafka/error.h"

#include <stddef.h>
#include <stdio.h>

#include "base/err.h"

enum {
    RETRY = 1,      /* later, or elsewhere, it can work */
    LEADERSHIP = 2, /* and who leads is to be asked anew */
};

static const struct known {
    int16_t code;
    int16_t flags;
    int status;
    const char *name;
    const char *text;
} known[] = {
    {-1, 0, KBP_ERR_INTERNAL, "UNKNOWN_SERVER_ERROR",
     "the broker failed inside; its log says why"},
    {0, 0, KBP_OK, "NONE", "no error"},
    {1, 0, KBP_ERR_NOT_FOUND, "OFFSET_OUT_OF_RANGE",
     "the partition has no such offset"},
    {2, 0, KBP_ERR_CORRUPT, "CORRUPT_MESSAGE",
     "the broker takes the batch for damaged or not allowed"},
    {3, RETRY | LEADERSHIP, KBP_ERR_NOT_FOUND, "UNKNOWN_TOPIC_OR_PARTITION",
     "the broker has no such topic or partition"},
    {4, 0, KBP_ERR_PROTOCOL, "INVALID_FETCH_SIZE", "a size below zero"},
    {5, RETRY | LEADERSHIP, KBP_ERR_UNAVAILABLE, "LEADER_NOT_AVAILABLE",
     "the partition has no leader at the moment"},
    {6, RETRY | LEADERSHIP, KBP_ERR_UNAVAILABLE, "NOT_LEADER_OR_FOLLOWER",
     "this broker doesn't lead the partition"},
    {7, RETRY, KBP_ERR_TIMEOUT, "REQUEST_TIMED_OUT",
     "the brokers didn't get it done in time"},
    {8, RETRY | LEADERSHIP, KBP_ERR_UNAVAILABLE, "BROKER_NOT_AVAILABLE",
     "the broker isn't available"},
    {9, RETRY | LEADERSHIP, KBP_ERR_UNAVAILABLE, "REPLICA_NOT_AVAILABLE",
     "the replica isn't available"},
    {10, 0, KBP_ERR_LIMIT, "MESSAGE_TOO_LARGE",
     "the batch is larger than max.message.bytes allows"},
    {13, RETRY | LEADERSHIP, KBP_ERR_UNAVAILABLE, "NETWORK_EXCEPTION",
     "the broker lost a connection of its own"},
    {14, RETRY, KBP_ERR_UNAVAILABLE, "COORDINATOR_LOAD_IN_PROGRESS",
     "the coordinator is still loading"},
    {15, RETRY, KBP_ERR_UNAVAILABLE, "COORDINATOR_NOT_AVAILABLE",
     "the coordinator isn't available"},
    {16, RETRY, KBP_ERR_UNAVAILABLE, "NOT_COORDINATOR",
     "this broker isn't the coordinator"},
    {17, 0, KBP_ERR_CONFIG, "INVALID_TOPIC_EXCEPTION",
     "the topic's name isn't allowed"},
    {18, 0, KBP_ERR_LIMIT, "RECORD_LIST_TOO_LARGE",
     "the batch is larger than segment.bytes"},
    {19, RETRY, KBP_ERR_UNAVAILABLE, "NOT_ENOUGH_REPLICAS",
     "fewer replicas are in sync than min.insync.replicas asks for"},
    {20, RETRY, KBP_ERR_UNSURE, "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
     "written, but to fewer replicas than min.insync.replicas asks for"},
    {21, 0, KBP_ERR_PROTOCOL, "INVALID_REQUIRED_ACKS", "acks isn't valid"},
    {22, 0, KBP_ERR_CONFLICT, "ILLEGAL_GENERATION",
     "the group moved on to another generation"},
    {25, 0, KBP_ERR_CONFLICT, "UNKNOWN_MEMBER_ID",
     "the group has live members, who alone may commit"},
    {29, 0, KBP_ERR_DENIED, "TOPIC_AUTHORIZATION_FAILED",
     "the principal isn't allowed to do this with the topic"},
    {30, 0, KBP_ERR_DENIED, "GROUP_AUTHORIZATION_FAILED",
     "the principal isn't allowed to do this with the group"},
    {31, 0, KBP_ERR_DENIED, "CLUSTER_AUTHORIZATION_FAILED",
     "the principal isn't allowed to do this with the cluster"},
    {32, 0, KBP_ERR_UNSUPPORTED, "INVALID_TIMESTAMP",
     "a timestamp is outside of what the topic allows "
     "(message.timestamp.*)"},
    {33, 0, KBP_ERR_AUTH, "UNSUPPORTED_SASL_MECHANISM",
     "the broker doesn't offer this SASL mechanism"},
    {34, 0, KBP_ERR_AUTH, "ILLEGAL_SASL_STATE",
     "the broker didn't expect this request now: it may want SASL first"},
    {35, 0, KBP_ERR_UNSUPPORTED, "UNSUPPORTED_VERSION",
     "the broker doesn't know this version of the request"},
    {36, 0, KBP_ERR_EXISTS, "TOPIC_ALREADY_EXISTS", "the topic exists already"},
    {37, 0, KBP_ERR_CONFIG, "INVALID_PARTITIONS",
     "the number of partitions isn't allowed"},
    {38, 0, KBP_ERR_CONFIG, "INVALID_REPLICATION_FACTOR",
     "the replication factor is 0 or larger than the number of brokers"},
    {39, 0, KBP_ERR_CONFIG, "INVALID_REPLICA_ASSIGNMENT",
     "the assignment of replicas isn't valid"},
    {40, 0, KBP_ERR_CONFIG, "INVALID_CONFIG", "a config isn't valid"},
    {41, RETRY, KBP_ERR_UNAVAILABLE, "NOT_CONTROLLER",
     "this broker isn't the controller"},
    {42, 0, KBP_ERR_PROTOCOL, "INVALID_REQUEST",
     "the broker takes the request for invalid"},
    {43, 0, KBP_ERR_UNSUPPORTED, "UNSUPPORTED_FOR_MESSAGE_FORMAT",
     "the topic's old message format can't do this"},
    {44, 0, KBP_ERR_DENIED, "POLICY_VIOLATION",
     "a policy of the cluster forbids it"},
    {45, 0, KBP_ERR_CONFLICT, "OUT_OF_ORDER_SEQUENCE_NUMBER",
     "the batch doesn't follow the last one of this producer"},
    {46, 0, KBP_ERR_CONFLICT, "DUPLICATE_SEQUENCE_NUMBER",
     "the broker has this batch already"},
    {47, 0, KBP_ERR_CONFLICT, "INVALID_PRODUCER_EPOCH",
     "a newer run of this producer has taken over"},
    {48, 0, KBP_ERR_CONFLICT, "INVALID_TXN_STATE",
     "the transaction isn't in a state for this"},
    {51, RETRY, KBP_ERR_CONFLICT, "CONCURRENT_TRANSACTIONS",
     "another transaction of this producer is still ending"},
    {53, 0, KBP_ERR_DENIED, "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
     "the principal isn't allowed to use this transactional id"},
    {55, RETRY, KBP_ERR_UNAVAILABLE, "OPERATION_NOT_ATTEMPTED",
     "not tried, as something else in the request failed"},
    {56, RETRY | LEADERSHIP, KBP_ERR_UNAVAILABLE, "KAFKA_STORAGE_ERROR",
     "the broker's disk for this partition failed"},
    {58, 0, KBP_ERR_AUTH, "SASL_AUTHENTICATION_FAILED",
     "the broker refused the credentials"},
    {59, 0, KBP_ERR_CONFLICT, "UNKNOWN_PRODUCER_ID",
     "the broker has forgotten this producer"},
    {60, RETRY, KBP_ERR_UNAVAILABLE, "REASSIGNMENT_IN_PROGRESS",
     "the partitions are being reassigned"},
    {66, 0, KBP_ERR_UNSUPPORTED, "INVALID_RECORD_STATE",
     "the record isn't in a state for this"},
    {68, 0, KBP_ERR_CONFLICT, "NON_EMPTY_GROUP", "the group has members"},
    {69, 0, KBP_ERR_NOT_FOUND, "GROUP_ID_NOT_FOUND", "there is no such group"},
    {70, RETRY, KBP_ERR_UNAVAILABLE, "FETCH_SESSION_ID_NOT_FOUND",
     "the broker has dropped the fetch session"},
    {71, RETRY, KBP_ERR_UNAVAILABLE, "INVALID_FETCH_SESSION_EPOCH",
     "the fetch session's epoch isn't the broker's"},
    {72, RETRY | LEADERSHIP, KBP_ERR_UNAVAILABLE, "LISTENER_NOT_FOUND",
     "the leader has no listener of this name"},
    {73, 0, KBP_ERR_DENIED, "TOPIC_DELETION_DISABLED",
     "the brokers have delete.topic.enable=false"},
    {74, RETRY | LEADERSHIP, KBP_ERR_UNAVAILABLE, "FENCED_LEADER_EPOCH",
     "the partition has a newer leader"},
    {75, RETRY | LEADERSHIP, KBP_ERR_UNAVAILABLE, "UNKNOWN_LEADER_EPOCH",
     "the broker doesn't know yet of the newest leader"},
    {76, 0, KBP_ERR_UNSUPPORTED, "UNSUPPORTED_COMPRESSION_TYPE",
     "the topic's message format can't hold this compression"},
    {78, RETRY, KBP_ERR_UNAVAILABLE, "OFFSET_NOT_AVAILABLE",
     "the new leader hasn't caught up yet"},
    {80, RETRY | LEADERSHIP, KBP_ERR_UNAVAILABLE,
     "PREFERRED_LEADER_NOT_AVAILABLE", "the preferred leader isn't available"},
    {84, RETRY, KBP_ERR_UNAVAILABLE, "ELECTION_NOT_NEEDED",
     "the leader was elected already"},
    {87, 0, KBP_ERR_CORRUPT, "INVALID_RECORD",
     "the broker doesn't take a record of the batch"},
    {88, RETRY, KBP_ERR_UNAVAILABLE, "UNSTABLE_OFFSET_COMMIT",
     "a transaction which commits offsets is open"},
    {89, RETRY, KBP_ERR_THROTTLED, "THROTTLING_QUOTA_EXCEEDED",
     "a quota is used up"},
    {90, 0, KBP_ERR_CONFLICT, "PRODUCER_FENCED",
     "a newer run of this producer has taken over"},
    {97, RETRY, KBP_ERR_UNAVAILABLE, "BROKER_ID_NOT_REGISTERED",
     "the broker isn't registered"},
    {100, RETRY | LEADERSHIP, KBP_ERR_NOT_FOUND, "UNKNOWN_TOPIC_ID",
     "the broker has no topic with this id: it was deleted, or made anew"},
    {103, RETRY | LEADERSHIP, KBP_ERR_CONFLICT, "INCONSISTENT_TOPIC_ID",
     "the topic's id isn't the one the broker has"},
    {106, RETRY, KBP_ERR_UNAVAILABLE, "FETCH_SESSION_TOPIC_ID_ERROR",
     "the fetch session mixes topics with and without ids"},
    {109, RETRY, KBP_ERR_UNAVAILABLE, "OFFSET_MOVED_TO_TIERED_STORAGE",
     "the offset lies in tiered storage"},
    {113, 0, KBP_ERR_CONFLICT, "STALE_MEMBER_EPOCH",
     "the group has live members, who alone may commit"},
};

static const struct known *find(int16_t code)
{
    size_t i;

    for (i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].code == code)
            return &known[i];
    return NULL;
}

const char *kb_kafka_error_name(int16_t code)
{
    /* One buffer a thread: used at once, in messages. */
    static _Thread_local char text[24];
    const struct known *error = find(code);

    if (error)
        return error->name;
    (void)snprintf(text, sizeof text, "error %d", code);
    return text;
}

const char *kb_kafka_error_text(int16_t code)
{
    const struct known *error = find(code);

    return error ? error->text : "an error that this version doesn't know";
}

bool kb_kafka_error_is_retriable(int16_t code)
{
    const struct known *error = find(code);

    return error && error->flags & RETRY;
}

bool kb_kafka_error_is_leadership(int16_t code)
{
    const struct known *error = find(code);

    return error && error->flags & LEADERSHIP;
}

int kb_kafka_error_status(int16_t code)
{
    const struct known *error = find(code);

    return error ? error->status : KBP_ERR_PROTOCOL;
}
