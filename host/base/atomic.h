/* SPDX-License-Identifier: Apache-2.0 */
/*
 * atomic.h - C11's atomics; and the same names in C++, whose tests include our
 * headers inside extern "C".
 */
#ifndef KB_BASE_ATOMIC_H
#define KB_BASE_ATOMIC_H

#ifdef __cplusplus
extern "C++" {
#include <atomic>
}
using std::atomic_fetch_add_explicit;
using std::atomic_int;
using std::atomic_llong;
using std::atomic_load_explicit;
using std::atomic_store_explicit;
using std::atomic_uint;
using std::atomic_ullong;
using std::memory_order_relaxed;
#else
#include <stdatomic.h>
#endif

#endif
