// Going back beyond a ring's turn with the real model, whose windows are 512 tokens: the logits are, bit for
// bit, those of a session that only went forward, with every type of keys and values. Two hundred random
// rewinds are in tests/c/test_kv_cache.c, with small models.

import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import {openModel} from '../../web/engine/open.js';
import {openSource} from '../../web/weights/node/disk.js';
import {ensureModel} from '../../web/node/setup.js';

const PATH = await ensureModel();
const {tokens} = JSON.parse(readFileSync(join(import.meta.dirname, '../golden/gemma3-270m.json'), 'utf8'));
const LENGTH = 1000, text = [...tokens, ...tokens.slice(1)].slice(0, LENGTH);
// Rings hold 896 positions here, of which whole blocks of 64 are written over: after 1,000 those from 128 on
// are left, so that one can go back to 639 and no further.
const SHARED = [745, 630];

const evaluate = (session, ids) => {
    const kept = session.sync(ids);
    while (session.step(256) > 0);
    return {kept, logits: session.logits()};
};
const other = (n) => [...text.slice(0, n), 2364, 506, 573];

async function open(kvType) {
    const source = await openSource({kind: 'path', path: PATH});
    const opened = await openModel(source, {contextLength: 1024, threads: 2, kvType});
    source.close();
    return opened;
}

for (const kvType of ['int8', 'f16']) {
    test(`a prompt that shares a part of 1,000 tokens reads as in a new session, ${kvType}`, async () => {
        const {module, session} = await open(kvType), keptOf = [];
        for (const n of SHARED) {
            const fresh = module.newSession(1024), expected = evaluate(fresh, other(n)).logits;
            fresh.close();
            evaluate(session, text);
            const {kept, logits} = evaluate(session, other(n));
            keptOf.push(kept);
            assert.ok(kept === n || kept === 0, `${kept} of ${n} were kept`);
            assert.deepEqual(logits, expected, `after ${n} shared tokens`);
        }
        assert.deepEqual(keptOf, [745, 0]);
        module.close();
    });
}
