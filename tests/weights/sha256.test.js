// SHA-256 of pieces, against Node's.

import assert from 'node:assert/strict';
import {createHash, randomBytes} from 'node:crypto';
import test from 'node:test';
import {ensureModules} from '../../web/node/setup.js';
import {createSha256, sha256, toHex} from '../../web/weights/file/sha256.js';

await ensureModules();
const expected = (bytes) => createHash('sha256').update(bytes).digest('hex');
const LENGTHS = [0, 1, 55, 56, 57, 63, 64, 65, 119, 120, 128, 1000, 262143, 262144, 262145, 1_000_003];

test('of bytes of any length, one digest after the other, at once or piece by piece', async () => {
    const hash = await createSha256();
    for (const length of LENGTHS) {
        const bytes = randomBytes(length);
        for (const step of [length || 1, 1 + (length >> 3), 97]) {
            hash.begin();
            for (let at = 0; at < length; at += step) hash.add(bytes.subarray(at, at + step));
            assert.equal(toHex(hash.end()), expected(bytes), `${length} bytes in pieces of ${step}`);
        }
    }
});

test('two do not disturb each other', async () => {
    const [a, b] = await Promise.all([createSha256(), createSha256()]);
    for (const hash of [a, b]) hash.begin();
    a.add(Buffer.from('sea'));
    b.add(Buffer.from('salt'));
    assert.deepEqual([a, b].map((hash) => toHex(hash.end())), ['sea', 'salt'].map(expected));
});

test('where there is no crypto.subtle, as at an insecure address, a piece is hashed all the same',
    async (context) => {
    context.mock.getter(globalThis, 'crypto', () => ({}));
    const bytes = randomBytes(5000);
    assert.equal(toHex(await sha256(bytes)), expected(bytes));
});
