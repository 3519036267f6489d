// Going back at random with the real 270M: in each round a session goes back to a random prefix, reads other
// tokens after it, and has, bit for bit, the logits of a new session that reads the same. Texts are longer
// than the 512 tokens of a local layer's window, so rings have wrapped.
//
//   node tests/bench/rewinds.js [ROUNDS] [SEED]       200 rounds with each type of keys and values, by default
//
// Takes minutes. `npm test` has two such rounds (tests/engine/rewind.test.js), and 200 with small models
// (tests/c/test_kv_cache.c).

import {openModel} from '../../web/engine/open.js';
import {openSource} from '../../web/weights/node/disk.js';
import {ensureModel} from '../../web/node/setup.js';

const ROUNDS = Number(process.argv[2] ?? 200), SEED = Number(process.argv[3] ?? 1);
const CONTEXT = 1280, SHORTEST = 600, LONGEST = 1100, MOST_NEW = 120, NEAR = 320;

/** Whole numbers below n that look random, the same in each run. */
function random(seed) {
    let state = seed;
    return (n) => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return Math.floor(state / 2 ** 32 * n);
    };
}

const evaluate = (session, ids) => {
    const kept = session.sync(ids);
    while (session.step(256) > 0);
    return {kept, logits: session.logits()};
};
const areEqual = (a, b) => a.length === b.length && a.every((x, i) => Object.is(x, b[i]));

/** @returns {Promise<boolean>} whether all rounds were equal */
async function rewind(path, kvType) {
    const source = await openSource({kind: 'path', path});
    const {module, session} = await openModel(source, {contextLength: CONTEXT, threads: 2, kvType});
    source.close();
    const pick = random(SEED), token = () => 1000 + pick(200_000);
    let ids = Array.from({length: LONGEST}, token), equal = 0, continued = 0, back = 0, differs = 0;
    evaluate(session, ids);
    for (let round = 0; round < ROUNDS; round++) {
        // Near the end as often as anywhere: rings can go back a few hundred tokens, and further back all
        // is read again.
        const shared = Math.max(1, pick(2) ? ids.length - pick(NEAR) : pick(ids.length));
        const n = Math.min(LONGEST, Math.max(SHORTEST, shared + 1 + pick(MOST_NEW)));
        const before = ids.length;
        ids = [...ids.slice(0, Math.min(shared, n - 1)),
            ...Array.from({length: Math.max(1, n - shared)}, token)];
        const {kept, logits} = evaluate(session, ids);
        const fresh = module.newSession(CONTEXT), expected = evaluate(fresh, ids).logits;
        fresh.close();
        if (kept > 0) {
            continued++;
            back += before - kept;
        }
        if (areEqual(logits, expected)) equal++;
        else if (differs++ < 5) console.log(
            `${kvType}, round ${round}: ${ids.length} tokens, ${shared} shared, ${kept} kept: the logits differ`);
        if ((round + 1) % 50 === 0 && round + 1 < ROUNDS)
            console.log(`${kvType}: ${equal} of ${round + 1} so far`);
    }
    module.close();
    console.log(`${kvType}: ${equal} of ${ROUNDS} equal a new session; ${continued} continued, from ${Math.round(back / (continued || 1))} tokens back on average`);
    return differs === 0;
}

const path = await ensureModel();
let right = true;
for (const kvType of ['int8', 'f16']) right = await rewind(path, kvType) && right;
process.exitCode = right ? 0 : 1;
