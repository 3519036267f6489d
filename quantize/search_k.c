/* search_k.c: the searched blocks of 256 weights (drawn in quant.c). The groups of a block have scales and
 * minimums that are whole multiples of the block's. First each group is fitted alone, which gives the block's
 * unit; then each group's multiple is searched near its own fit, by the error that the decoder's values
 * really have. */
#include "search_inline.h"

/* The multiples near `middle`, itself first: it is kept where nothing is better. k = 0, 1, 2, .. */
INLINE Lanes near(Lanes middle, int k, float lowest, float highest) {
    return code_of(middle + (float)(k % 2 ? -(k + 1) / 2 : k / 2), lowest, highest);
}

/* ------------------------------------------------------------------------------------ Q4_K, Q5_K */

enum { SETS = 8 / LANES };          /* a block's 8 groups of 32 */

typedef struct {
    Groups groups[SETS];
    Span span[SETS];
    Sums sums[SETS];
} Block;

/* A block's header, and the error of the weights that it leads to: x = d * scale * code - dmin * min */
typedef struct {
    float d, dmin;
    Lanes scale[SETS], min[SETS];   /* multiples, 0..63 */
    double error;
} Header;

/* The unit of which 8 values are multiples up to 63. The largest gets the multiple 63, or a little less or
 * more. */
INLINE float fit_unit(const Lanes values[SETS], const Lanes counts[SETS]) {
    float largest = 0, unit = 0, gain = 0;
    for (int h = 0; h < SETS; h++) largest = fmaxf(largest, largest_lane(values[h]));
    if (largest == 0) return 0;
    for (int first = 0; first < 8; first += LANES) {
        Lanes inverse, xc = {0}, cc = {0};
        for (int k = 0; k < LANES; k++) inverse[k] = (62.2f + 0.2f * (float)(first + k)) / largest;
        for (int i = 0; i < 8; i++) {
            float value = values[i / LANES][i % LANES], count = counts[i / LANES][i % LANES];
            Lanes c = code_of(value * inverse, 0, 63);
            xc += count * value * c;
            cc += count * c * c;
        }
        Lanes fitted = xc / cc, its_gain = fitted * xc;
        for (int k = 0; k < LANES; k++) {
            if (its_gain[k] > gain) {
                gain = its_gain[k];
                unit = fitted[k];
            }
        }
    }
    return unit;
}

INLINE Lanes line_error(const Groups *g, Lanes scale, Lanes offset, float highest) {
    Lanes inverse = inverse_of(scale), shift = offset * inverse, sum = {0};
    for (int i = 0; i < 32; i++) {
        Lanes e = g->x[i] - offset - scale * code_of(g->x[i] * inverse - shift, 0, highest);
        sum += g->v[i] * e * e;
    }
    return sum;
}

/* The best multiples of d and dmin, one up or down from the nearest to the wanted scales and minimums. */
INLINE Header fit_multiples(const Block *b, float d, float dmin, const Lanes scale[SETS],
    const Lanes min[SETS], float highest) {
    Header to = {.d = f16_to_f32(scale_bits(d)), .dmin = f16_to_f32(scale_bits(dmin))};
    float inverse_d = to.d > 0 ? 1 / to.d : 0, inverse_dmin = to.dmin > 0 ? 1 / to.dmin : 0;
    for (int h = 0; h < SETS; h++) {
        Lanes inverse_range = 1 / b->span[h].range, best = all(INFINITY);
        Lanes s_middle = code_of(scale[h] * inverse_d, 0, 63),
            m_middle = code_of(min[h] * inverse_dmin, 0, 63);
        for (int i = 0; i < 9; i++) {
            Lanes s = near(s_middle, i / 3, 0, 63), m = near(m_middle, i % 3, 0, 63);
            Lanes offset = (-m * to.dmin - b->span[h].low) * inverse_range;
            Lanes error = line_error(&b->groups[h], s * to.d * inverse_range, offset, highest);
            to.scale[h] = if_less(error, best, s, to.scale[h]);
            to.min[h] = if_less(error, best, m, to.min[h]);
            best = at_most(error, best);
        }
        best *= b->span[h].range * b->span[h].range;
        for (int k = 0; k < LANES; k++) to.error += best[k];
    }
    return to;
}

/* d and dmin by least squares, for the multiples and codes that *from leads to. */
INLINE void refit_units(Block *b, const Header *from, float highest, float *d, float *dmin) {
    double ss = 0, sm = 0, mm = 0, sx = 0, mx = 0;      /* of x = d * (scale * code) + dmin * (-min) */
    for (int h = 0; h < SETS; h++) {
        Sums *sums = &b->sums[h];
        Lanes low = b->span[h].low, range = b->span[h].range, s = from->scale[h], m = from->min[h],
            inverse_range = 1 / range;
        Lanes offset = (-m * from->dmin - low) * inverse_range;
        sum_codes(sums, &b->groups[h], 32, offset, inverse_of(s * from->d * inverse_range), highest);
        Lanes h_ss = s * s * sums->vcc, h_sm = -s * m * sums->vc, h_mm = m * m * sums->v;
        Lanes h_sx = s * (low * sums->vc + range * sums->vcx), h_mx = -m * (low * sums->v + range * sums->vx);
        for (int k = 0; k < LANES; k++) {
            ss += h_ss[k];
            sm += h_sm[k];
            mm += h_mm[k];
            sx += h_sx[k];
            mx += h_mx[k];
        }
    }
    double determinant = ss * mm - sm * sm;
    if (determinant > 1e-9 * ss * mm) {
        *d = (float)((sx * mm - mx * sm) / determinant);
        *dmin = (float)((mx * ss - sx * sm) / determinant);
    } else if (ss > 0) {
        *d = (float)((sx - *dmin * sm) / ss);
    } else if (mm > 0) {
        *dmin = (float)(mx / mm);
    }
}

INLINE Header search_min_block(const float *x, const float *importance, float highest) {
    Block b;
    Lanes squares[SETS], scale[SETS], min[SETS], counts[SETS];
    float square = 0, largest = 0;
    for (int h = 0; h < SETS; h++) {
        load_groups(&b.groups[h], x + 32 * LANES * h, 32);
        squares[h] = mean_square(&b.groups[h], 32);
        for (int k = 0; k < LANES; k++) square += squares[h][k] / 8;
    }
    for (int h = 0; h < SETS; h++) {
        count_columns(&b.groups[h], 32, importance ? importance + 32 * LANES * h : NULL, 2 * square,
            square_root(squares[h]));
        largest = fmaxf(largest, largest_lane(largest_count(&b.groups[h], 32)));
    }
    for (int h = 0; h < SETS; h++) {
        Groups *g = &b.groups[h];
        scale_counts(g, 32, all(largest));
        Span span = b.span[h] = normalise_span(g, 32, true);
        b.sums[h] = sums_of_weights(g, 32);
        Line line = fit_line(g, 32, &b.sums[h], highest, -span.low / span.range, highest - 2.1f, 0.3f, 11);
        scale[h] = line.scale * span.range;
        min[h] = -(span.low + line.offset * span.range);
        counts[h] = b.sums[h].v;
    }
    float d = fit_unit(scale, counts), dmin = fit_unit(min, counts);
    Header best = fit_multiples(&b, d, dmin, scale, min, highest);
    for (int round = 0; round < 2; round++) {
        d = best.d;
        dmin = best.dmin;
        refit_units(&b, &best, highest, &d, &dmin);
        for (int h = 0; h < SETS; h++) {
            scale[h] = best.scale[h] * d;
            min[h] = best.min[h] * dmin;
        }
        Header again = fit_multiples(&b, d, dmin, scale, min, highest);
        if (again.error >= best.error) break;
        best = again;
    }
    return best;
}

INLINE void write_min_block(const float *x, const Header *header, bool five_bits, uint8_t *block) {
    uint8_t codes[256];
    int scale[8], min[8];
    for (int g = 0; g < 8; g++) {
        float s = header->scale[g / LANES][g % LANES], m = header->min[g / LANES][g % LANES];
        encode(x + 32 * g, 32, header->d * s, -(header->dmin * m), 0, five_bits ? 31 : 15, 0, codes + 32 * g);
        scale[g] = (int)s;
        min[g] = (int)m;
    }
    store16(block, f32_to_f16(header->d));
    store16(block + 2, f32_to_f16(header->dmin));
    for (int g = 0; g < 4; g++) {
        block[4 + g] = (uint8_t)(scale[g] | scale[g + 4] >> 4 << 6);
        block[8 + g] = (uint8_t)(min[g] | min[g + 4] >> 4 << 6);
        block[12 + g] = (uint8_t)((scale[g + 4] & 15) | (min[g + 4] & 15) << 4);
    }
    block += 16;
    if (five_bits) {
        for (int j = 0; j < 32; j++, block++) {
            int high = 0;
            for (int g = 0; g < 8; g++) high |= codes[32 * g + j] >> 4 << g;
            *block = (uint8_t)high;
        }
    }
    for (int p = 0; p < 4; p++)
        for (int j = 0; j < 32; j++) block[32 * p + j] = (uint8_t)
            ((codes[64 * p + j] & 15) | codes[64 * p + 32 + j] << 4);
}

static void q4_k_block(const float *x, const float *importance, uint8_t *block) {
    Header header = search_min_block(x, importance, 15);
    write_min_block(x, &header, false, block);
}

static void q5_k_block(const float *x, const float *importance, uint8_t *block) {
    Header header = search_min_block(x, importance, 31);
    write_min_block(x, &header, true, block);
}

/* ------------------------------------------------------------------------------------ Q6_K */

enum { SETS6 = 16 / LANES };        /* a block's 16 groups of 16 */

INLINE Lanes scale_error(const Groups *g, Lanes scale) {
    Lanes inverse = inverse_of(scale), sum = {0};
    for (int i = 0; i < 16; i++) {
        Lanes e = g->x[i] - scale * code_of(g->x[i] * inverse, -32, 31);
        sum += g->v[i] * e * e;
    }
    return sum;
}

typedef struct {
    float d;
    Lanes scale[SETS6];             /* multiples, -128..127 */
    double error;
} Header6;

/* The best multiples of d, up to four up or down from the nearest to the wanted scales. */
INLINE Header6 fit_multiples6(const Groups *groups, const Lanes *largest, float d, const Lanes *scale) {
    Header6 to = {.d = f16_to_f32(scale_bits(d))};
    float inverse_d = to.d != 0 ? 1 / to.d : 0;
    for (int h = 0; h < SETS6; h++) {
        Lanes unit = to.d * inverse_of(largest[h]), middle = code_of(scale[h] * inverse_d, -128, 127),
            best = all(INFINITY);
        for (int i = 0; i < 9; i++) {
            Lanes s = near(middle, i, -128, 127), error = scale_error(&groups[h], s * unit);
            to.scale[h] = if_less(error, best, s, to.scale[h]);
            best = at_most(error, best);
        }
        best *= largest[h] * largest[h];
        for (int k = 0; k < LANES; k++) to.error += best[k];
    }
    return to;
}

INLINE Header6 search_block6(const float *x, const float *importance) {
    Groups groups[SETS6];
    Lanes largest[SETS6], scale[SETS6];
    float square = 0, count = 0, widest = 0;
    for (int h = 0; h < SETS6; h++) {
        load_groups(&groups[h], x + 16 * LANES * h, 16);
        Lanes squares = mean_square(&groups[h], 16);
        for (int k = 0; k < LANES; k++) square += squares[k] / 16;
    }
    for (int h = 0; h < SETS6; h++) {
        Groups *g = &groups[h];
        if (importance) count_columns(g, 16, importance + 16 * LANES * h, 2 * square, all(0));
        else for (int i = 0; i < 16; i++) g->v[i] = g->x[i] * g->x[i];
        count = fmaxf(count, largest_lane(largest_count(g, 16)));
    }
    for (int h = 0; h < SETS6; h++) {
        scale_counts(&groups[h], 16, all(count));
        largest[h] = normalise(&groups[h], 16);
        scale[h] = -fit_scale(&groups[h], 16, -31, 32, 32 - 2.1f, 0.6f, 6) * largest[h];
        for (int k = 0; k < LANES; k++) widest = fabsf(scale[h][k]) > fabsf(widest) ? scale[h][k] : widest;
    }
    /* Two units: other multiples lie elsewhere between the fits. */
    Header6 one = fit_multiples6(groups, largest, widest / -128, scale);
    Header6 other = fit_multiples6(groups, largest, widest / -124, scale);
    return other.error < one.error ? other : one;
}

static void q6_k_block(const float *x, const float *importance, uint8_t *block) {
    Header6 header = search_block6(x, importance);
    uint8_t codes[256];
    for (int g = 0; g < 16; g++) {
        float s = header.scale[g / LANES][g % LANES];
        encode(x + 16 * g, 16, header.d * s, 0, -32, 31, 32, codes + 16 * g);
        block[192 + g] = (uint8_t)(int8_t)s;
    }
    store16(block + 208, f32_to_f16(header.d));
    for (int half = 0; half < 2; half++) {
        for (int j = 0; j < 32; j++) {
            const uint8_t *c = codes + 128 * half + j;
            block[64 * half + j] = (uint8_t)((c[0] & 15) | c[64] << 4);
            block[64 * half + 32 + j] = (uint8_t)((c[32] & 15) | c[96] << 4);
            block[128 + 32 * half + j] = (uint8_t)(c[0] >> 4 | c[32] >> 4 << 2 | c[64] >> 4 << 4
                | c[96] >> 4 << 6);
        }
    }
}

void search_row_k(QuantType type, const float *x, int n_cols, const float *importance, uint8_t *row) {
    size_t bytes = quant_row_bytes(type, 256);
    for (int j = 0; j < n_cols; j += 256, row += bytes) {
        const float *counts = importance ? importance + j : NULL;
        if (type == QUANT_Q4_K) q4_k_block(x + j, counts, row);
        else if (type == QUANT_Q5_K) q5_k_block(x + j, counts, row);
        else q6_k_block(x + j, counts, row);
    }
}
