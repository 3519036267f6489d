// SHA-256: of a piece by the browser, and of a whole file piece by piece, which the browser's own can't do (FIPS 180-4).

/** @param {ArrayBuffer | Uint8Array} bytes @returns {Promise<ArrayBuffer>} 32 bytes */
export async function sha256(bytes) {
    if (globalThis.crypto?.subtle) return crypto.subtle.digest('SHA-256', bytes);
    const whole = new Sha256();         // an insecure address has no crypto.subtle
    whole.add(new Uint8Array(bytes));
    return whole.end();
}

/** Whether two digests are the same. @param {ArrayBuffer} a @param {ArrayBuffer} b */
export function same(a, b) {
    return a.byteLength === b.byteLength && toHex(a) === toHex(b);
}

/** @param {ArrayBuffer} digest */
export function toHex(digest) {
    return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** @param {string} hex @returns {ArrayBuffer} */
export function fromHex(hex) {
    return Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16)).buffer;
}

/** The first 32 bits of the fractional parts of a power of the first `n` primes. */
function constants(n, power) {
    const primes = [];
    for (let candidate = 2; primes.length < n; candidate++)
        if (primes.every((prime) => candidate % prime)) primes.push(candidate);
    return Int32Array.from(primes, (prime) => Math.floor((prime ** power % 1) * 2 ** 32) | 0);
}

const K = constants(64, 1 / 3), FIRST = constants(8, 1 / 2);
const BLOCK = 64;

/** One SHA-256 of bytes that come in pieces. */
export class Sha256 {
    #state = FIRST.slice();
    #rest = new Uint8Array(BLOCK);
    #length = 0;        // bytes so far
    #words = new Int32Array(64);

    /** @param {Uint8Array} bytes */
    add(bytes) {
        let at = 0;
        const filled = this.#length % BLOCK;
        this.#length += bytes.length;
        if (filled > 0) {
            at = Math.min(BLOCK - filled, bytes.length);
            this.#rest.set(bytes.subarray(0, at), filled);
            if (filled + at < BLOCK) return;
            this.#blocks(this.#rest);
        }
        const end = bytes.length - (bytes.length - at) % BLOCK;
        this.#blocks(bytes.subarray(at, end));
        this.#rest.set(bytes.subarray(end));
    }

    /** @returns {ArrayBuffer} 32 bytes; nothing may be added after it */
    end() {
        const filled = this.#length % BLOCK;
        const last = new Uint8Array(filled < 56 ? BLOCK : 2 * BLOCK);
        last.set(this.#rest.subarray(0, filled));
        last[filled] = 0x80;
        const view = new DataView(last.buffer);
        view.setUint32(last.length - 8, Math.floor(this.#length / 2 ** 29));
        view.setUint32(last.length - 4, this.#length * 8 % 2 ** 32);
        this.#blocks(last);
        const digest = new DataView(new ArrayBuffer(32));
        this.#state.forEach((word, i) => digest.setInt32(4 * i, word));
        return digest.buffer;
    }

    /** Whole blocks. The state is held in locals and the rounds are written plainly, for this is the one hot loop. */
    #blocks(bytes) {
        const w = this.#words, k = K, state = this.#state;
        let h0 = state[0], h1 = state[1], h2 = state[2], h3 = state[3], h4 = state[4], h5 = state[5], h6 = state[6], h7 = state[7];
        for (let at = 0; at < bytes.length; at += BLOCK) {
            for (let i = 0, p = at; i < 16; i++, p += 4) w[i] = bytes[p] << 24 | bytes[p + 1] << 16 | bytes[p + 2] << 8 | bytes[p + 3];
            for (let i = 16; i < 64; i++) {
                const x = w[i - 15], y = w[i - 2];
                const s0 = (x >>> 7 | x << 25) ^ (x >>> 18 | x << 14) ^ x >>> 3;
                const s1 = (y >>> 17 | y << 15) ^ (y >>> 19 | y << 13) ^ y >>> 10;
                w[i] = ((w[i - 16] + s0 | 0) + w[i - 7] | 0) + s1 | 0;
            }
            let a = h0, b = h1, c = h2, d = h3, e = h4, f = h5, g = h6, h = h7;
            for (let i = 0; i < 64; i++) {
                const s1 = (e >>> 6 | e << 26) ^ (e >>> 11 | e << 21) ^ (e >>> 25 | e << 7);
                const t1 = (((h + s1 | 0) + (g ^ e & (f ^ g)) | 0) + k[i] | 0) + w[i] | 0;
                const s0 = (a >>> 2 | a << 30) ^ (a >>> 13 | a << 19) ^ (a >>> 22 | a << 10);
                const t2 = s0 + (a & b ^ a & c ^ b & c) | 0;
                h = g;
                g = f;
                f = e;
                e = d + t1 | 0;
                d = c;
                c = b;
                b = a;
                a = t1 + t2 | 0;
            }
            h0 = h0 + a | 0;
            h1 = h1 + b | 0;
            h2 = h2 + c | 0;
            h3 = h3 + d | 0;
            h4 = h4 + e | 0;
            h5 = h5 + f | 0;
            h6 = h6 + g | 0;
            h7 = h7 + h | 0;
        }
        this.#state = Int32Array.of(h0, h1, h2, h3, h4, h5, h6, h7);
    }
}
