/* SPDX-License-Identifier: Apache-2.0 */
/* error.h - the error codes in Kafka's answers, and what they mean for us. */
#ifndef KB_KAFKA_ERROR_H
#define KB_KAFKA_ERROR_H

#include <stdbool.h>
#include <stdint.h>

/* Those that code of ours asks for; KAFKA-code numbers, Errors.java. */
enum kb_kafka_error {
    KB_KAFKA_UNKNOWN_SERVER_ERROR = -1,
    KB_KAFKA_NONE = 0,
    KB_KAFKA_OFFSET_OUT_OF_RANGE = 1,
    KB_KAFKA_CORRUPT_MESSAGE = 2,
    KB_KAFKA_UNKNOWN_TOPIC_OR_PARTITION = 3,
    KB_KAFKA_LEADER_NOT_AVAILABLE = 5,
    KB_KAFKA_NOT_LEADER_OR_FOLLOWER = 6,
    KB_KAFKA_REQUEST_TIMED_OUT = 7,
    KB_KAFKA_REPLICA_NOT_AVAILABLE = 9,
    KB_KAFKA_MESSAGE_TOO_LARGE = 10,
    KB_KAFKA_COORDINATOR_LOAD_IN_PROGRESS = 14,
    KB_KAFKA_COORDINATOR_NOT_AVAILABLE = 15,
    KB_KAFKA_NOT_COORDINATOR = 16,
    KB_KAFKA_RECORD_LIST_TOO_LARGE = 18,
    KB_KAFKA_NOT_ENOUGH_REPLICAS = 19,
    KB_KAFKA_NOT_ENOUGH_REPLICAS_AFTER_APPEND = 20,
    KB_KAFKA_TOPIC_AUTHORIZATION_FAILED = 29,
    KB_KAFKA_GROUP_AUTHORIZATION_FAILED = 30,
    KB_KAFKA_CLUSTER_AUTHORIZATION_FAILED = 31,
    KB_KAFKA_INVALID_TIMESTAMP = 32,
    KB_KAFKA_UNSUPPORTED_SASL_MECHANISM = 33,
    KB_KAFKA_ILLEGAL_SASL_STATE = 34,
    KB_KAFKA_UNSUPPORTED_VERSION = 35,
    KB_KAFKA_NOT_CONTROLLER = 41,
    KB_KAFKA_INVALID_REQUEST = 42,
    KB_KAFKA_UNSUPPORTED_FOR_MESSAGE_FORMAT = 43,
    KB_KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER = 45,
    KB_KAFKA_DUPLICATE_SEQUENCE_NUMBER = 46,
    KB_KAFKA_INVALID_PRODUCER_EPOCH = 47,
    KB_KAFKA_TRANSACTIONAL_ID_AUTHORIZATION_FAILED = 53,
    KB_KAFKA_OPERATION_NOT_ATTEMPTED = 55,
    KB_KAFKA_KAFKA_STORAGE_ERROR = 56,
    KB_KAFKA_SASL_AUTHENTICATION_FAILED = 58,
    KB_KAFKA_UNKNOWN_PRODUCER_ID = 59,
    KB_KAFKA_FENCED_LEADER_EPOCH = 74,
    KB_KAFKA_UNKNOWN_LEADER_EPOCH = 75,
    KB_KAFKA_OFFSET_NOT_AVAILABLE = 78,
    KB_KAFKA_INVALID_RECORD = 87,
    KB_KAFKA_UNSTABLE_OFFSET_COMMIT = 88,
    KB_KAFKA_THROTTLING_QUOTA_EXCEEDED = 89,
    KB_KAFKA_UNKNOWN_TOPIC_ID = 100,
    KB_KAFKA_INCONSISTENT_TOPIC_ID = 103
};

/* "NOT_LEADER_OR_FOLLOWER"; "error 999" for one that isn't known. */
const char *kb_kafka_error_name(int16_t code);

/* One clause for people: "this broker isn't the partition's leader". */
const char *kb_kafka_error_text(int16_t code);

/* Whether asking again later, or another broker, can help. */
bool kb_kafka_error_is_retriable(int16_t code);

/* Whether the view of who leads what is stale. */
bool kb_kafka_error_is_leadership(int16_t code);

/* The KBP_ERR_* that fits it. */
int kb_kafka_error_status(int16_t code);

#endif
