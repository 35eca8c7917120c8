/* SPDX-License-Identifier: Apache-2.0 */
/* uuid.h - topic ids; base/ has them, as the archive knows them too. */
#ifndef KB_KAFKA_UUID_H
#define KB_KAFKA_UUID_H

#include "base/uuid.h"

#endif
