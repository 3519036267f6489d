/* saved_session.h: for tests: saved sessions that were changed, with a checksum that is right. */
#ifndef SAVED_SESSION_H
#define SAVED_SESSION_H

#include <stdint.h>
#include <string.h>

/* snapshot.c's checksum. */
static inline uint64_t saved_checksum(const uint8_t *p, uint64_t n) {
    uint64_t h = 0xcbf29ce484222325u, word;
    for (; n >= 8; p += 8, n -= 8) {
        memcpy(&word, p, 8);
        h = (h ^ word) * 0x100000001b3u;
        h ^= h >> 32;
    }
    word = 0;
    memcpy(&word, p, n);
    return (h ^ word ^ n) * 0x100000001b3u;
}

/* Makes the last 8 of bytes[n] the checksum of those before. */
static inline void seal_session(uint8_t *bytes, uint64_t n) {
    uint64_t sum = saved_checksum(bytes, n - sizeof sum);
    memcpy(bytes + n - sizeof sum, &sum, sizeof sum);
}

#endif
