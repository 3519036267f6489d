/* sha256.h: SHA-256 (FIPS 180-4), of bytes that come in pieces. */
#ifndef SHA256_H
#define SHA256_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint32_t state[8];
    uint64_t n;             /* bytes so far */
    uint8_t block[64];      /* the last n % 64 of them */
} Sha256;

void sha256_begin(Sha256 *s);
void sha256_add(Sha256 *s, const void *bytes, size_t n);
void sha256_end(Sha256 *s, uint8_t digest[32]);

/* 64 digits and a 0. */
void sha256_hex(const uint8_t digest[32], char hex[65]);

#endif
