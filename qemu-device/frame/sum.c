// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Ones' complement sums; see sum.h. A payload is added in vectors of 64-bit
 * words. To lose no carry, the low 32 bits and the high 32 bits of the words
 * must be summed separately. The loop sums whole words (which may wrap) and
 * high halves; the sum of the low halves is the first sum minus the shifted
 * second one.
 */
#include <stdbool.h>
#include <string.h>

#include "sum.h"

/*
 * Define add and copy loops over @len bytes, a multiple of @bytes, with
 * vectors of @bytes. Four independent sums let the CPU add in parallel.
 * @machine is the target attribute; vectors larger than the target has make
 * slow code. @ONCE(w) keeps the compiler from loading a vector once for each
 * use.
 */
#define DEFINE_BULK(bytes, machine, ONCE)                                     \
typedef uint64_t Words##bytes __attribute__((vector_size(bytes)));            \
                                                                              \
static inline __attribute__((always_inline)) machine                          \
void words##bytes(Words##bytes sum[2], const uint8_t *p, uint8_t *to,         \
                  bool copy)                                                  \
{                                                                             \
    Words##bytes w;                                                           \
                                                                              \
    memcpy(&w, p, bytes);                                                     \
    ONCE(w);                                                                  \
    if (copy) {                                                               \
        memcpy(to, &w, bytes);                                                \
    }                                                                         \
    sum[0] += w;                                                              \
    sum[1] += w >> 32;                                                        \
}                                                                             \
                                                                              \
static inline __attribute__((always_inline)) machine                          \
uint64_t bulk##bytes(const uint8_t *p, size_t len, uint8_t *to, bool copy)    \
{                                                                             \
    Words##bytes a[2] = { { 0 } }, b[2] = { { 0 } };                          \
    Words##bytes c[2] = { { 0 } }, d[2] = { { 0 } };                          \
    uint64_t acc = 0;                                                         \
    size_t at = 0;                                                            \
                                                                              \
    for (; len - at >= 4 * bytes; at += 4 * bytes) {                          \
        words##bytes(a, p + at, to + at, copy);                               \
        words##bytes(b, p + at + bytes, to + at + bytes, copy);               \
        words##bytes(c, p + at + 2 * bytes, to + at + 2 * bytes, copy);       \
        words##bytes(d, p + at + 3 * bytes, to + at + 3 * bytes, copy);       \
    }                                                                         \
    for (; at < len; at += bytes) {                                           \
        words##bytes(a, p + at, to + at, copy);                               \
    }                                                                         \
    a[0] += b[0] + c[0] + d[0];                                               \
    a[1] += b[1] + c[1] + d[1];                                               \
    a[0] += a[1] - (a[1] << 32);                                              \
    for (int i = 0; i < bytes / 8; i++) {                                     \
        acc += a[0][i];                                                       \
    }                                                                         \
    return acc;                                                               \
}

/* No-op for @ONCE on targets where it is not needed. */
#define AS_IT_IS(w)
DEFINE_BULK(16, , AS_IT_IS)

#define BULK_STEP 32 /* one vector of the larger size */

static uint64_t add_any(const uint8_t *p, size_t len)
{
    return bulk16(p, len, (uint8_t *)p, false);
}

static uint64_t copy_any(uint8_t *to, const uint8_t *p, size_t len)
{
    return bulk16(p, len, to, true);
}

#ifdef VKDEV_AVX2
#define AVX2 __attribute__((target("avx2")))
#define IN_A_REGISTER(w) __asm__("" : "+x"(w))
DEFINE_BULK(32, AVX2, IN_A_REGISTER)

static AVX2 uint64_t add_avx2(const uint8_t *p, size_t len)
{
    return bulk32(p, len, (uint8_t *)p, false);
}

static AVX2 uint64_t copy_avx2(uint8_t *to, const uint8_t *p, size_t len)
{
    return bulk32(p, len, to, true);
}

#define HAS_AVX2 __builtin_cpu_supports("avx2")
#else
#define HAS_AVX2 false
#define add_avx2 add_any
#define copy_avx2 copy_any
#endif

/*
 * Load @size bytes at @p + at into @value, and store the loaded value at @to +
 * at if @copy. The source is read once, as another writer may change it
 * meanwhile.
 */
#define PASS(value, size)                                                     \
    do {                                                                      \
        memcpy(&(value), p + at, size);                                       \
        if (copy) {                                                           \
            memcpy(to + at, &(value), size);                                  \
        }                                                                     \
    } while (0)

/* Sum of the last bytes, fewer than one vector. */
static inline __attribute__((always_inline))
uint64_t sum_rest(const uint8_t *p, size_t len, uint8_t *to, bool copy)
{
    uint64_t acc = 0, two = 0;
    uint32_t word = 0;
    uint16_t half = 0, last = 0;
    size_t at = 0;

    for (; len - at >= sizeof(two); at += sizeof(two)) {
        PASS(two, sizeof(two));
        acc += (two & UINT32_MAX) + (two >> 32);
    }
    if (len & 4) {
        PASS(word, 4);
        at += 4;
    }
    if (len & 2) {
        PASS(half, 2);
        at += 2;
    }
    if (len & 1) {
        PASS(last, 1);
    }
    return acc + word + half + last;
}

uint64_t vkdev_sum_add(uint64_t acc, const uint8_t *p, size_t len)
{
    size_t bulk = len & ~(size_t)(BULK_STEP - 1);

    if (bulk) {
        acc += HAS_AVX2 ? add_avx2(p, bulk) : add_any(p, bulk);
    }
    return acc + sum_rest(p + bulk, len - bulk, NULL, false);
}

uint64_t vkdev_sum_copy(uint64_t acc, uint8_t *to, const uint8_t *p,
                        size_t len)
{
    size_t bulk = len & ~(size_t)(BULK_STEP - 1);

    if (bulk) {
        acc += HAS_AVX2 ? copy_avx2(to, p, bulk) : copy_any(to, p, bulk);
    }
    return acc + sum_rest(p + bulk, len - bulk, to + bulk, true);
}

void vkdev_sum_store(uint8_t *field, uint64_t acc)
{
    uint16_t sum = ~vkdev_sum_fold(acc);

    if (!sum) {
        sum = 0xffff;   /* the same number, but not UDP's "no checksum" */
    }
    memcpy(field, &sum, sizeof(sum));
}
