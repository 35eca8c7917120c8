# SPDX-License-Identifier: Apache-2.0
#
# Tests of host/kafka.
add_executable(wire_probe e2e/wire_probe.c e2e/wire_probe_admin.c
  e2e/wire_probe_move.c)
target_link_libraries(wire_probe PRIVATE kb_admin kb_flags)

kb_unit_test(kafka_batch LINKS kb_kafka)
kb_unit_test(kafka_bomb LINKS kb_kafka)
kb_unit_test(kafka_golden LINKS kb_kafka)
kb_unit_test(kafka_conn LINKS kb_kafka)
kb_unit_test(kafka_dial LINKS kb_kafka)
kb_unit_test(kafka_acl LINKS kb_kafka)

kb_fuzz_test(batch LINKS kb_kafka CORPUS golden/batches)
kb_fuzz_test(msgset LINKS kb_kafka CORPUS golden/batches)
kb_fuzz_test(answer LINKS kb_kafka)
kb_fuzz_test(sasl_exchange LINKS kb_kafka)
# Buffers that fill up: the real ones are larger than any input.
kb_fuzz_test(pump SOURCES ${PROJECT_SOURCE_DIR}/host/kafka/pump_copy.c
  LINKS kb_kafka DEFINES KB_PUMP_WAY_BYTES=320)
kb_unit_test(kafka_wire LINKS kb_kafka)
