// lzma.js: unpacks what xz --format=lzma makes, as the package's engine modules are: a quarter smaller than
// gzipped. Knows not what is in it.

const START = 1024;     // a probability of one half, of 2048

/** Where the probabilities of each kind begin. LENGTHS are 514: two choices, 16 times 8, 16 times 8, 256. */
const MATCH = 0, REPEAT = MATCH + 192, REPEAT0 = REPEAT + 12, REPEAT1 = REPEAT0 + 12, REPEAT2 = REPEAT1 + 12,
    LONG = REPEAT2 + 12, SLOT = LONG + 192, NEAR = SLOT + 256, ALIGN = NEAR + 115, LENGTH = ALIGN + 16,
    REPEAT_LENGTH = LENGTH + 514, LITERAL = REPEAT_LENGTH + 514;

/** Bits out of bytes, by their probabilities. @param {Uint8Array} bytes @param {Uint16Array} odds */
function rangeDecoder(bytes, odds) {
    let range = 0xffffffff, code = 0, at = 14;
    const more = () => {
        if (range >= 0x1000000) return;
        range = range << 8 >>> 0;
        code = (code << 8 | bytes[at++]) >>> 0;
    };
    while (at < 18) code = (code << 8 | bytes[at++]) >>> 0;
    const bit = (/** @type {number} */ i) => {
        const bound = (range >>> 11) * odds[i], isOne = code >= bound;
        if (isOne) {
            range -= bound;
            code -= bound;
            odds[i] -= odds[i] >> 5;
        } else {
            range = bound;
            odds[i] += 2048 - odds[i] >> 5;
        }
        more();
        return isOne ? 1 : 0;
    };
    /** @param {number} base @param {number} n   bits, the highest first */
    const tree = (base, n) => {
        let node = 1;
        for (let i = 0; i < n; i++) node = node << 1 | bit(base + node);
        return node - (1 << n);
    };
    /** @param {number} base @param {number} n   bits, the lowest first */
    const reverse = (base, n) => {
        let value = 0;
        for (let i = 0, node = 1; i < n; i++) {
            const b = bit(base + node);
            node = node << 1 | b;
            value |= b << i;
        }
        return value;
    };
    /** @param {number} n   bits of equal odds */
    const plain = (n) => {
        let value = 0;
        for (let i = 0; i < n; i++) {
            range >>>= 1;
            const isOne = code >= range;
            if (isOne) code -= range;
            value = value << 1 | (isOne ? 1 : 0);
            more();
        }
        return value;
    };
    /** @param {number} base @param {number} place */
    const length = (base, place) => 2 + (!bit(base) ? tree(base + 2 + 8 * place, 3)
        : !bit(base + 1) ? 8 + tree(base + 130 + 8 * place, 3) : 16 + tree(base + 258, 8));
    /** How far back a match lies, less one. @param {number} n   its length */
    const distance = (n) => {
        const slot = tree(SLOT + 64 * Math.min(n - 2, 3), 6), bits = (slot >> 1) - 1, high = (2 | slot & 1) << bits;
        if (slot < 4) return slot;
        return slot < 14 ? high + reverse(NEAR + high - slot, bits) : high + (plain(bits - 4) << 4) + reverse(ALIGN, 4);
    };
    return {bit, length, distance};
}

/** @param {Uint8Array} bytes   whose header says how many are unpacked */
export function unpack(bytes) {
    const [properties] = bytes, lc = properties % 9, lp = (properties / 9 | 0) % 5, pb = properties / 45 | 0;
    const out = new Uint8Array(new DataView(bytes.buffer, bytes.byteOffset).getUint32(5, true));
    const {bit, length, distance} = rangeDecoder(bytes, new Uint16Array(LITERAL + (0x300 << lc + lp)).fill(START));
    let state = 0, [r0, r1, r2, r3] = [0, 0, 0, 0];
    /** @param {number} at @param {boolean} afterMatch */
    const literal = (at, afterMatch) => {
        const base = LITERAL + 0x300 * (((at & (1 << lp) - 1) << lc) + ((out[at - 1] ?? 0) >> 8 - lc));
        let node = 1;
        for (let like = afterMatch ? out[at - r0 - 1] : -1; like >= 0 && node < 0x100;) {
            const expected = like >> 7 & 1, b = bit(base + (1 + expected << 8) + node);
            node = node << 1 | b;
            like = expected === b ? like << 1 & 0xff : -1;
        }
        while (node < 0x100) node = node << 1 | bit(base + node);
        return node & 0xff;
    };
    /** The second, third or fourth last distance becomes the last. */
    const useOther = () => {
        if (!bit(REPEAT1 + state)) [r0, r1] = [r1, r0];
        else if (!bit(REPEAT2 + state)) [r0, r1, r2] = [r2, r0, r1];
        else [r0, r1, r2, r3] = [r3, r0, r1, r2];
    };
    for (let at = 0; at < out.length;) {
        const place = at & (1 << pb) - 1;
        if (!bit(MATCH + 16 * state + place)) {
            out[at] = literal(at++, state >= 7);
            state = state < 4 ? 0 : state < 10 ? state - 3 : state - 6;
            continue;
        }
        let n = 1;
        if (!bit(REPEAT + state)) {
            n = length(LENGTH, place);
            [r1, r2, r3] = [r0, r1, r2];
            r0 = distance(n);
            state = state < 7 ? 7 : 10;
        } else {
            const isFirst = !bit(REPEAT0 + state);
            if (isFirst && !bit(LONG + 16 * state + place)) {
                state = state < 7 ? 9 : 11;
            } else {
                if (!isFirst) useOther();
                n = length(REPEAT_LENGTH, place);
                state = state < 7 ? 8 : 11;
            }
        }
        for (; n > 0 && at < out.length; n--, at++) out[at] = out[at - r0 - 1];
    }
    return out;
}
