/* scalar.c: the definition of every op of kernels.h, written to be read; the other variants are tested
 * against it. Also the yardstick behind --exact. Knows no vectors and no speed. */
#include <math.h>
#include <string.h>

#include "kernels.h"
#include "kv8.h"
#include "quant.h"

#define KERNELS_SCALAR
#define KERNEL(field, function) KERNEL_TYPE(field) function;
#include "kernels.inc"

/* ------------------------------------------------------------------------------------------ panels */

/* 16-bit element `i`; panels are little-endian. */
static uint16_t u16_at(const uint8_t *p, int i) { return (uint16_t)(p[2 * i] | p[2 * i + 1] << 8); }

/* f16e bits read with f32's exponent bias: the value / F16E_UNIT. */
static float f16e_at(const uint8_t *p, int i) {
    union { uint32_t u; float f; } v = {(uint32_t)(int16_t)u16_at(p, i) << 13 & 0x8fffffffu};
    return v.f;
}

/* The code of one weight of a block, 0 .. 2^bits - 1; `low` is the block in the second plane, where there is
 * one. */
static int code_at(const uint8_t *block, const uint8_t *low, int bits, int row, int col) {
    /* high: the upper nibble */
    int v = row / 4, byte = row % 4 * 4 + col % 4, j = col % 16 / 4, high = col / 16;
    if (bits == 2)
        return block[(2 * v + high) * 16 + byte] >> 2 * j & 3;
    if (bits == 3) {
        const uint8_t *p = block + 48 * v + byte;
        return j < 3 ? p[16 * j] >> 3 * high & 7 : p[16 * high] >> 6 | (p[32] >> (6 + high) & 1) << 2;
    }
    if (bits == 5) {
        const uint8_t *p = block + 80 * v + byte;
        switch (4 * high + j) {
        case 5: return p[0] >> 5 | (p[16] >> 5 & 3) << 3;
        case 6: return p[32] >> 5 | (p[48] >> 5 & 3) << 3;
        case 7: return p[64] >> 5 | p[16] >> 7 << 3 | p[48] >> 7 << 4;
        default: return p[16 * (4 * high + j)] & 31;
        }
    }
    if (bits == 6) {
        const uint8_t *p = block + 96 * v + 48 * high + byte;
        return j < 3 ? p[16 * j] & 63 : p[0] >> 6 | p[16] >> 6 << 2 | p[32] >> 6 << 4;
    }
    int at = (4 * v + j) * 16 + byte, code = block[at] >> 4 * high & 15;
    return bits == 8 ? code << 4 | (low[at] >> 4 * high & 15) : code;
}

/* What the integers of one row and block are multiplied with. */
typedef struct {
    float scale[2];     /* of columns 0..15 and 16..31, / F16E_UNIT */
    float min;          /* added to every weight, in true size */
    int offset;         /* subtracted from every code */
} RowScales;

/* `super` is the super-block header before this block, where the kind has one. */
static RowScales row_scales(PanelKind kind, const uint8_t *super, const uint8_t *block, int row) {
    PanelFamily f = panel_family(kind);
    const uint8_t *scales = block + panel_scale_at(f), *second = scales + panel_scale_bytes(f),
        *mins = block + panel_min_at(f);
    int middle = 1 << (f.bits - 1);
    float s;
    switch (kind) {
    case PANEL_P4N:
        s = f16e_at(scales, row);
        return (RowScales){.scale = {s, s}};
    case PANEL_P4: case PANEL_P5: case PANEL_P8:
        s = f16e_at(scales, row);
        return (RowScales){.scale = {s, s}, .offset = middle};
    case PANEL_P4M: case PANEL_P5M:
        s = f16e_at(scales, row);
        return (RowScales){.scale = {s, s}, .min = f16e_at(mins, row) * F16E_UNIT};
    case PANEL_P4K: case PANEL_P5K:
        s = f16e_at(super, row) * scales[row];
        return (RowScales){.scale = {s, s},
            .min = -(f16e_at(super + PANEL_DMIN_AT, row) * F16E_UNIT * mins[row])};
    case PANEL_P2K:     /* without the sub-scales and sub-mins */
        return (RowScales){.scale = {f16e_at(super, row)},
            .min = -(f16e_at(super + PANEL_DMIN_AT, row) * F16E_UNIT)};
    default:    /* PANEL_P3K, PANEL_P6K */
        s = f16e_at(super, row);
        return (RowScales){.scale = {s * (int8_t)scales[row], s * (int8_t)second[row]}, .offset = middle};
    }
}

/* ------------------------------------------------------------------------------------------ matmul */

/* One row of a tile times one token. */
static float row_dot(const Matrix *w, int tile, int row, const ActBlock *x) {
    PanelFamily f = panel_family(w->kind);
    const uint8_t *data = w->data + tile * w->tile_bytes, *low = w->low + tile * w->low_tile_bytes;
    int n = BLOCK_COLS / (int)f.groups;     /* columns that share a scale */
    float y = 0;
    for (int b = 0; b < w->n_cols / BLOCK_COLS; b++, x++, low += LOW_BLOCK_BYTES) {
        const uint8_t *block = data + panel_block_at(f, b);
        RowScales s = row_scales(w->kind, data + panel_super_at(f, b), block, row);
        int isum[2] = {0, 0};
        for (int k = 0; k < BLOCK_COLS; k++) {
            int code = code_at(block, low, (int)f.bits, row, k);
            isum[k / n] += (w->kind == PANEL_P4N ? quant_iq4_nl[code] : code - s.offset) * x->q[k];
        }
        if (w->kind == PANEL_P2K) {
            const uint8_t *sub = block + panel_scale_at(f) + 2 * row;
            y += (float)((sub[0] & 15) * isum[0] + (sub[1] & 15) * isum[1]) * (s.scale[0] * x->scale);
            y += s.min * ((float)((sub[0] >> 4) * x->sum[0]
                + (sub[1] >> 4) * x->sum[1]) * (x->scale / F16E_UNIT));
            continue;
        }
        for (unsigned g = 0; g < f.groups; g++)
            y += (float)isum[g] * (s.scale[g] * x->scale);
        if (f.has_min)
            y += s.min * ((float)(x->sum[0] + x->sum[1]) * (x->scale / F16E_UNIT));
    }
    return y;
}

void matmul_quant_scalar(const Matrix *w, int tile, int n_tiles, const void *x, size_t x_stride, int n_tok,
                         float *y, size_t y_stride, void *scratch) {
    (void)scratch;
    int end = (tile + n_tiles) * TILE_ROWS < w->n_rows ? (tile + n_tiles) * TILE_ROWS : w->n_rows;
    for (int t = 0; t < n_tok; t++)
        for (int row = tile * TILE_ROWS; row < end; row++)
            y[t * y_stride + row] = row_dot(w, row / TILE_ROWS, row % TILE_ROWS,
                                            (const ActBlock *)((const char *)x + t * x_stride));
}

void screen_scalar(const Matrix *w, int tile, int n_tiles, const void *x, size_t x_stride, int n_tok,
                   float *y, size_t y_stride, void *scratch) {
    (void)scratch;
    PanelFamily f = panel_family(PANEL_P8);
    int first = tile * TILE_ROWS, end = (tile + n_tiles) * TILE_ROWS < w->n_rows
        ? (tile + n_tiles) * TILE_ROWS : w->n_rows;
    for (int i = 0; i < n_tok * (end - first); i++) {
        int t = i / (end - first), row = first + i % (end - first);
        const uint8_t *block = w->data + row / TILE_ROWS * w->tile_bytes;
        const ActBlock *xb = (const ActBlock *)((const char *)x + t * x_stride);
        float mean = 0, variance = 0;
        for (int b = 0; b < w->n_cols / BLOCK_COLS; b++, xb++, block += panel_block_bytes(f)) {
            float s = f16e_at(block + panel_scale_at(f), row % TILE_ROWS) * xb->scale;
            int isum = screen_middle(xb);
            for (int k = 0; k < BLOCK_COLS; k++)
                isum += (code_at(block, NULL, 4, row % TILE_ROWS, k) - 8) * xb->q[k];
            mean += s * (float)isum;
            variance += s * s * screen_variance(xb);
        }
        y[t * y_stride + row] = 16 * (mean + sqrtf(variance));
    }
}

static float float_at(PanelKind kind, const uint8_t *tile, int i) {
    union { uint32_t u; float f; } v;
    switch (kind) {
    case PANEL_F16: return f16_to_f32(u16_at(tile, i));
    case PANEL_BF16: return bf16_to_f32(u16_at(tile, i));
    default:
        v.u = u16_at(tile, 2 * i) | (uint32_t)u16_at(tile, 2 * i + 1) << 16;
        return v.f;
    }
}

void matmul_float_scalar(const Matrix *w, int tile, int n_tiles, const void *x, size_t x_stride, int n_tok,
                         float *y, size_t y_stride, void *scratch) {
    (void)scratch;
    int end = (tile + n_tiles) * TILE_ROWS < w->n_rows ? (tile + n_tiles) * TILE_ROWS : w->n_rows;
    for (int t = 0; t < n_tok; t++)
        for (int row = tile * TILE_ROWS; row < end; row++) {
            const uint8_t *p = w->data + row / TILE_ROWS * w->tile_bytes;
            const float *xt = (const float *)((const char *)x + t * x_stride);
            float sum = 0;
            for (int k = 0; k < w->n_cols; k++)
                sum += float_at(w->kind, p, k * TILE_ROWS + row % TILE_ROWS) * xt[k];
            y[t * y_stride + row] = sum;
        }
}

float dot_exact(const float *w, const float *x, int n) {
    double sum = 0;
    for (int k = 0; k < n; k++)
        sum += (double)w[k] * x[k];
    return (float)sum;
}

/* ------------------------------------------------------------------------------------------ attention */

/* A block of an int8 cache: the codes less their offset, without the scales. */
static int key_at(const uint8_t *block, int head_dim, int p, int i) {
    return block[p / 16 * kv8_key_tile_bytes(head_dim) + i / 32 * 576 + i % 32 / 4 * 64 + p % 16 * 4
        + i % 4] - KV8_OFFSET;
}
static float key_scale_at(const uint8_t *block, int head_dim, int p, int i) {
    float scale;
    memcpy(&scale, block + p / 16 * kv8_key_tile_bytes(head_dim) + i / 32 * 576 + KV8_PANEL + p % 16 * 4,
        sizeof scale);
    return scale;
}
static int value_at(const uint8_t *block, int head_dim, int p, int i) {
    return block[kv8_values_at(head_dim) + i / 16 * 1024 + p / 32 * 512 + p % 32 / 4 * 64 + i % 16 * 4
        + p % 4] - KV8_OFFSET;
}
static float value_scale_at(const uint8_t *block, int head_dim, int p) {
    float scale;
    memcpy(&scale, block + kv8_scales_at(head_dim) + p * sizeof scale, sizeof scale);
    return scale;
}

static double byte_score(const uint8_t *block, int head_dim, const ActBlock *q, int p) {
    double dot = 0;
    for (int i = 0; i < head_dim; i += BLOCK_COLS, q++) {
        int isum = 0;
        for (int k = 0; k < BLOCK_COLS; k++) isum += q->q[k] * key_at(block, head_dim, p, i + k);
        dot += isum * ((double)key_scale_at(block, head_dim, p, i) * q->scale);
    }
    return dot;
}

/* acc[head_dim] = the values of positions [begin, end) of a block by weight[64]. */
static void weigh_bytes(const uint8_t *block, int head_dim, const double *weight, int begin, int end,
    double *acc) {
    float scaled[ATTN_BLOCK] = {0};
    ActBlock x[ATTN_BLOCK / BLOCK_COLS];
    for (int p = begin; p < end; p++) scaled[p] = (float)weight[p] * value_scale_at(block, head_dim, p);
    quantize_scalar(scaled, x, ATTN_BLOCK);
    for (int i = 0; i < head_dim; i++)
        for (int b = 0; b < ATTN_BLOCK / BLOCK_COLS; b++) {
            int isum = 0;
            for (int k = 0; k < BLOCK_COLS; k++)
                isum += x[b].q[k] ? x[b].q[k] * value_at(block, head_dim, b * BLOCK_COLS + k, i) : 0;
            acc[i] += isum * (double)(x[b].scale / F16E_UNIT);
        }
}

/* Element i of a block's keys; values follow them. */
typedef float ReadCache(const void *block, int i);
static float read_half(const void *block, int i) { return f16_to_f32(((const uint16_t *)block)[i]); }
static float read_float(const void *block, int i) { return ((const float *)block)[i]; }

/* The part of one query at position `pos` in the block that starts at `block`, see attend_part_floats. */
static void attend_part(const AttendArgs *a, ReadCache *read, const float *q, int pos, int block,
    float *part) {
    double score[ATTN_BLOCK], acc[ATTN_MAX_HEAD_DIM] = {0}, sum = 0, max = -INFINITY;
    int first = a->window > 0 && pos + 1 > a->window ? pos + 1 - a->window : 0;
    int begin = block > first ? block : first, end = block + ATTN_BLOCK <= pos ? block + ATTN_BLOCK : pos + 1;
    const void *cached = attend_head_at(a, block);
    ActBlock q8[ATTN_MAX_HEAD_DIM / BLOCK_COLS];
    if (a->in_bytes) quantize_scalar(q, q8, a->head_dim);
    for (int p = begin; p < end; p++) {
        double dot = a->in_bytes ? byte_score(cached, a->head_dim, q8, p - block) : 0;
        for (int i = 0; i < a->head_dim && !a->in_bytes; i++)
            dot += (double)q[i] * read(cached, (p - block) * a->head_dim + i);
        dot *= a->scale;
        score[p - block] = a->softcap > 0 ? a->softcap * tanh(dot / a->softcap) : dot;
        max = fmax(max, score[p - block]);
    }
    for (int p = begin; p < end; p++) {
        double weight = score[p - block] = exp(score[p - block] - max);
        sum += weight;
        for (int i = 0; i < a->head_dim && !a->in_bytes; i++)
            acc[i] += weight * read(cached, (ATTN_BLOCK + p - block) * a->head_dim + i);
    }
    if (a->in_bytes) weigh_bytes(cached, a->head_dim, score, begin - block, end - block, acc);
    for (int i = 0; i < a->head_dim; i++)
        part[i] = (float)acc[i];
    part[a->head_dim] = (float)max;
    part[a->head_dim + 1] = (float)sum;
}

/* What is known of a query after some blocks: attention is out / sum (arXiv 1805.02867: online softmax). */
typedef struct { float max, sum; } Merged;

static void merge_part(const AttendArgs *a, const float *part, Merged *m, float *out) {
    float part_max = part[a->head_dim], max = fmaxf(m->max, part_max);
    float keep = expf(m->max - max), gain = expf(part_max - max);      /* keep is 0 in the first block */
    m->max = max;
    m->sum = m->sum * keep + part[a->head_dim + 1] * gain;
    for (int i = 0; i < a->head_dim; i++)
        out[i] = out[i] * keep + part[i] * gain;
}

static const Merged nothing_merged = {.max = -INFINITY, .sum = 0};

static void attend_all(const AttendArgs *a, ReadCache *read) {
    for (int t = 0; t < a->n_tok; t++) {
        AttendArgs one = *a;
        one.pos += t;
        for (int h = 0; h < a->n_q; h++) {
            size_t at = t * a->q_stride + (size_t)h * a->head_dim;
            float part[ATTN_MAX_HEAD_DIM + 4], *out = a->out + at;
            Merged m = nothing_merged;
            memset(out, 0, (size_t)a->head_dim * sizeof *out);
            for (int i = 0, first = attend_first_block(&one); i < attend_n_blocks(&one); i++) {
                attend_part(a, read, a->q + at, one.pos, (first + i) * ATTN_BLOCK, part);
                merge_part(a, part, &m, out);
            }
            for (int i = 0; i < a->head_dim; i++)
                out[i] /= m.sum;
        }
    }
}

void attend_scalar(const AttendArgs *a, void *scratch) {
    (void)scratch;
    attend_all(a, read_half);
}

void attend_blocks_scalar(const AttendArgs *a, int begin, int end, float *parts, void *scratch) {
    (void)scratch;
    for (int b = begin; b < end; b++)
        for (int h = 0; h < a->n_q; h++)
            attend_part(a, read_half, a->q + (size_t)h * a->head_dim, a->pos,
                (attend_first_block(a) + b) * ATTN_BLOCK,
                parts + ((size_t)b * a->n_q + h) * attend_part_floats(a));
}

void attend_merge_scalar(const AttendArgs *a, const float *parts) {
    for (int h = 0; h < a->n_q; h++) {
        float *out = a->out + (size_t)h * a->head_dim;
        Merged m = nothing_merged;
        memset(out, 0, (size_t)a->head_dim * sizeof *out);
        for (int b = 0; b < attend_n_blocks(a); b++)
            merge_part(a, parts + ((size_t)b * a->n_q + h) * attend_part_floats(a), &m, out);
        for (int i = 0; i < a->head_dim; i++)
            out[i] /= m.sum;
    }
}

void attend_exact(const AttendArgs *a) {
    attend_all(a, read_float);
}

/* ------------------------------------------------------------------------------------------ vectors */

void quantize_scalar(const float *x, ActBlock *out, int n) {
    for (int b = 0; b < n / BLOCK_COLS; b++, x += BLOCK_COLS, out++) {
        float max = 0;
        for (int i = 0; i < BLOCK_COLS; i++)
            if (fabsf(x[i]) > max || isnan(x[i]))
                max = fabsf(x[i]);      /* a NaN stays: nothing is larger */
        *out = (ActBlock){.scale = 0};
        if (max < QUANTIZE_TINY)
            continue;
        out->scale = max / 127 * F16E_UNIT;
        if (!isfinite(max))
            continue;
        float inverse = 127 / max;
        for (int i = 0; i < BLOCK_COLS; i++) {
            out->q[i] = (int8_t)nearbyintf(x[i] * inverse);
            out->sum[i / 16] += out->q[i];
            out->squares += out->q[i] * out->q[i];
        }
    }
}

void rms_norm_scalar(const float *x, const float *weight, float *y, int n, float eps) {
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += (double)x[i] * x[i];
    float inverse = (float)(1 / sqrt(sum / n + eps));
    for (int i = 0; i < n; i++)
        y[i] = x[i] * inverse * weight[i];
}

void rope_scalar(float *x, int n_head, int head_dim, const float *cos_sin) {
    int half = head_dim / 2;
    for (int h = 0; h < n_head; h++, x += head_dim)
        for (int i = 0; i < half; i++) {
            float a = x[i], b = x[i + half], c = cos_sin[i], s = cos_sin[half + i];
            x[i] = a * c - b * s;
            x[i + half] = a * s + b * c;
        }
}

void geglu_scalar(float *gate, const float *up, int n) {
    for (int i = 0; i < n; i++) {
        float x = gate[i], u = 0.797884560802865f * (x + 0.044715f * x * x * x);     /* sqrt(2 / pi) */
        gate[i] = x / 2 * (1 + tanhf(u)) * up[i];
    }
}

void add_scalar(float *y, const float *x, int n) {
    for (int i = 0; i < n; i++)
        y[i] += x[i];
}

void softcap_scalar(float *x, int n, float cap) {
    for (int i = 0; i < n; i++)
        x[i] = cap * tanhf(x[i] / cap);
}

void to_f16_scalar(const float *x, uint16_t *out, int n) {
    for (int i = 0; i < n; i++)
        out[i] = f32_to_f16(x[i]);
}

int argmax_scalar(const float *x, int n) {
    int best = 0;
    for (int i = 1; i < n; i++)
        if (x[i] > x[best] || (isnan(x[best]) && !isnan(x[i])))
            best = i;
    return best;
}

/* ------------------------------------------------------------------------------------------ the table */

const Kernels kernels_scalar = {
    .name = "scalar",
#define KERNELS_SCALAR
#define KERNEL(field, function) .field = function,
#include "kernels.inc"
};
