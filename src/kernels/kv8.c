/* kv8.c: see kv8.h. */
#include "kv8.h"

#include <math.h>
#include <string.h>

#include "panel.h"

enum { LARGEST = 63, MOST = 512 };

/* codes[n] = x / scale + KV8_OFFSET, rounded; returns the scale. Magnitudes are compared as integers, so that
 * NaN is the largest. */
static float quantize(const float *x, int n, uint8_t *codes) {
    uint32_t most = 0;
    for (int i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        bits &= 0x7fffffff;
        most = bits > most ? bits : most;
    }
    float max;
    memcpy(&max, &most, sizeof max);
    if (!(max > 0x1p-100f && max < 0x1p120f)) {
        memset(codes, KV8_OFFSET, (size_t)n);
        return max <= 0x1p-100f ? 0 : NAN;
    }
    float inverse = LARGEST / max;
    for (int i = 0; i < n; i++) codes[i] = (uint8_t)(int)(x[i] * inverse + KV8_OFFSET + 0.5f);
    return max / LARGEST;
}

void kv8_clear(int head_dim, uint8_t *block) { memset(block, KV8_OFFSET, kv8_block_bytes(head_dim)); }

void kv8_store(const float *k, const float *v, int head_dim, uint8_t *block, int at) {
    uint8_t codes[MOST];
    uint8_t *key = block + (size_t)(at / 16) * kv8_key_tile_bytes(head_dim) + at % 16 * 4;
    for (int i = 0; i < head_dim; i += KV8_COLS, key += KV8_PANEL + 64) {
        float scale = quantize(k + i, KV8_COLS, codes) / F16E_UNIT;
        for (int j = 0; j < KV8_COLS / 4; j++) memcpy(key + j * 64, codes + 4 * j, 4);
        memcpy(key + KV8_PANEL, &scale, sizeof scale);
    }
    float scale = quantize(v, head_dim, codes);
    memcpy(block + kv8_scales_at(head_dim) + (size_t)at * sizeof scale, &scale, sizeof scale);
    uint8_t *value = block + kv8_values_at(head_dim) + (size_t)(at / 32) * KV8_PANEL
        + at % 32 / 4 * 64 + at % 4;
    for (int i = 0; i < head_dim; i++) value[(size_t)(i / 16) * 2 * KV8_PANEL + i % 16 * 4] = codes[i];
}

static uint8_t or_bytes(const uint8_t *bytes, size_t n) {
    uint8_t all = 0;
    for (size_t i = 0; i < n; i++) all |= bytes[i];
    return all;
}

bool kv8_is_valid(int head_dim, const uint8_t *block) {
    uint8_t all = or_bytes(block + kv8_values_at(head_dim),
        kv8_scales_at(head_dim) - kv8_values_at(head_dim));
    for (const uint8_t *key = block; key < block + kv8_values_at(head_dim); key += KV8_PANEL + 64)
        all |= or_bytes(key, KV8_PANEL);
    return all < 128;
}
