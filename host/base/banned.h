/* SPDX-License-Identifier: Apache-2.0 */
/*
 * banned.h - functions which our code doesn't call; included by the compiler
 * before every host source, see host/CMakeLists.txt.
 *
 * They overflow, hide errors, aren't thread-safe or go through a shell; str.h
 * and clock.h have what to use instead.
 */
#ifndef KB_BANNED_H
#define KB_BANNED_H

/* The headers that declare them come first, so that only uses are poisoned. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf strtok
#pragma GCC poison gmtime localtime ctime asctime gets
#pragma GCC poison atoi atol atoll sscanf system popen mktemp

#endif
