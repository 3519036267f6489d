/* sha256.c: see sha256.h. Names as in FIPS 180-4, sections 4.1.2 and 6.2. */
#include "sha256.h"

#include <stdbool.h>
#include <string.h>
#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>
#endif

static const uint32_t K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
        0xd807aa98, 0x12835b01, 0x243185be,
    0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6,
        0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
        0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1,
        0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5,
        0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
    0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb,
        0xbef9a3f7, 0xc67178f2};

static inline uint32_t rotr(uint32_t x, int n) {
    return x >> n | x << (32 - n);
}

static inline uint32_t load_big_endian(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Round i of 16; the eight variables change places instead of values. */
#define ROUND(a, b, c, d, e, f, g, h, i) \
    do { \
        uint32_t t1 = h + (rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) + (g ^ (e & (f ^ g))) + k[i] + w[i]; \
        d += t1; \
        h = t1 + (rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) + ((a & b) | (c & (a | b))); \
    } while (0)

#define EIGHT_ROUNDS(i) \
    do { \
        ROUND(a, b, c, d, e, f, g, h, (i)); \
        ROUND(h, a, b, c, d, e, f, g, (i) + 1); \
        ROUND(g, h, a, b, c, d, e, f, (i) + 2); \
        ROUND(f, g, h, a, b, c, d, e, (i) + 3); \
        ROUND(e, f, g, h, a, b, c, d, (i) + 4); \
        ROUND(d, e, f, g, h, a, b, c, (i) + 5); \
        ROUND(c, d, e, f, g, h, a, b, (i) + 6); \
        ROUND(b, c, d, e, f, g, h, a, (i) + 7); \
    } while (0)

/* The word 16 rounds on takes the place of w[i]. */
#define NEXT_WORD(i) \
    (w[i] += (rotr(w[((i) + 1) % 16], 7) ^ rotr(w[((i) + 1) % 16], 18) ^ w[((i) + 1) % 16] >> 3) + w[((i) + 9) % 16] + \
             (rotr(w[((i) + 14) % 16], 17) ^ rotr(w[((i) + 14) % 16], 19) ^ w[((i) + 14) % 16] >> 10))

#define EIGHT_WORDS(i) \
    (NEXT_WORD(i), NEXT_WORD((i) + 1), NEXT_WORD((i) + 2), NEXT_WORD((i) + 3), NEXT_WORD((i) + 4), NEXT_WORD((i) + 5), \
     NEXT_WORD((i) + 6), NEXT_WORD((i) + 7))

static void add_blocks_plain(uint32_t state[8], const uint8_t *p, size_t n_blocks) {
    for (; n_blocks > 0; n_blocks--, p += 64) {
        uint32_t w[16];     /* of the message schedule, the words of 16 rounds */
        uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5],
            g = state[6], h = state[7];
        for (int t = 0; t < 16; t++) w[t] = load_big_endian(p + 4 * t);
        for (const uint32_t *k = K;; k += 16) {
            EIGHT_ROUNDS(0);
            EIGHT_ROUNDS(8);
            if (k == K + 48) break;
            EIGHT_WORDS(0);
            EIGHT_WORDS(8);
        }
        state[0] += a, state[1] += b, state[2] += c, state[3] += d, state[4] += e, state[5] += f,
            state[6] += g, state[7] += h;
    }
}

#ifdef __x86_64__
/* The same with the processor's own instructions, some six times as fast (Intel SDM, SHA256RNDS2): they hold
 * the state as (F, E, B, A) and (H, G, D, C), lowest first, and do two rounds each. */
__attribute__((target("sha,sse4.1")))
static void add_blocks_sha_ni(uint32_t state[8], const uint8_t *p, size_t n_blocks) {
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i abef = _mm_set_epi32((int)state[0], (int)state[1], (int)state[4], (int)state[5]);
    __m128i cdgh = _mm_set_epi32((int)state[2], (int)state[3], (int)state[6], (int)state[7]);
    for (; n_blocks > 0; n_blocks--, p += 64) {
        __m128i w[4], abef_before = abef, cdgh_before = cdgh;
        for (int i = 0; i < 4; i++)
            w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(p + 16 * i)), big_endian);
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) {
            __m128i *now = &w[i % 4], next = w[(i + 1) % 4], third = w[(i + 2) % 4], last = w[(i + 3) % 4];
            __m128i wk = _mm_add_epi32(*now, _mm_loadu_si128((const __m128i *)(K + 4 * i)));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, wk);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(wk, 0x0e));
            __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(*now, next), _mm_alignr_epi8(last, third, 4));
            if (i < 12) *now = _mm_sha256msg2_epu32(sum, last);
        }
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }
    uint32_t low[4], high[4];
    _mm_storeu_si128((__m128i *)low, abef);
    _mm_storeu_si128((__m128i *)high, cdgh);
    state[0] = low[3], state[1] = low[2], state[4] = low[1], state[5] = low[0];
    state[2] = high[3], state[3] = high[2], state[6] = high[1], state[7] = high[0];
}

static bool has_sha_ni(void) {
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b >> 29 & 1) && __builtin_cpu_supports("sse4.1");
}
#endif

static void add_blocks(uint32_t state[8], const uint8_t *p, size_t n_blocks) {
    if (n_blocks == 0) return;
#ifdef __x86_64__
    if (has_sha_ni()) {
        add_blocks_sha_ni(state, p, n_blocks);
        return;
    }
#endif
    add_blocks_plain(state, p, n_blocks);
}

void sha256_begin(Sha256 *s) {
    *s = (Sha256){.state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c,
        0x1f83d9ab, 0x5be0cd19}};
}

void sha256_add(Sha256 *s, const void *bytes, size_t n) {
    const uint8_t *p = bytes;
    size_t held = s->n % 64;
    s->n += n;
    if (held) {
        size_t part = n < 64 - held ? n : 64 - held;
        memcpy(s->block + held, p, part);
        if (held + part < 64) return;
        add_blocks(s->state, s->block, 1);
        p += part;
        n -= part;
    }
    add_blocks(s->state, p, n / 64);
    memcpy(s->block, p + n / 64 * 64, n % 64);
}

void sha256_end(Sha256 *s, uint8_t digest[32]) {
    uint64_t bits = s->n * 8;
    uint8_t tail[72] = {0x80};
    size_t n = 64 - (s->n + 8) % 64;        /* of the tail, up to where the length begins */
    for (int i = 0; i < 8; i++) tail[n + (size_t)i] = (uint8_t)(bits >> (56 - 8 * i));
    sha256_add(s, tail, n + 8);
    for (int i = 0; i < 32; i++) digest[i] = (uint8_t)(s->state[i / 4] >> (24 - i % 4 * 8));
}

void sha256_hex(const uint8_t digest[32], char hex[65]) {
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < 32; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[64] = 0;
}
