// serve.js: how much more text several HTTP clients get at once than one: tokens a second of gemma serve, in
// alternating rounds.
//
//   node tests/bench/serve.js [--model FILE] [--threads N] [--clients N] [--tokens N] [--rounds N]
//
// Owns: the clients. Must not know: how requests are answered.

import {Api} from '../../web/node/http/api.js';
import {parseArgs} from '../../web/node/args.js';
import {ensureModel} from '../../web/node/setup.js';
import {serve} from '../../web/node/server.js';

const {options: {model, threads, clients = 4, tokens = 64, rounds = 5}} = parseArgs(process.argv.slice(2), {
    model: 'text', threads: 'count', clients: 'count', tokens: 'count', rounds: 'count',
});
const path = model ?? await ensureModel(),
    server = await serve({port: 0,
        api: new Api({path: async () => path, engine: {threads, contextLength: 2048}, parallel: clients})});

/**
 * Tokens a second of n clients that ask at the same time, each something else; what they ask is
 * evaluated already.
 * @param {number} n
 */
async function measure(n) {
    const ask = async (/** @type {number} */ i, /** @type {number} */ max) => {
        const response = await fetch(new URL('v1/completions', server.url),
            {method: 'POST', body: JSON.stringify({
            prompt: `Client ${i} wants to know why the sea is salty. The reason is`, max_tokens: max, seed: i,
            stream: true, stream_options: {include_usage: true},
        })});
        const text = await response.text(),
            {usage} = JSON.parse(text.trim().split('\n\n').at(-2)?.slice(6) ?? '');
        return usage.completion_tokens;
    };
    const all = Array.from({length: n}, (_, i) => i);
    for (const i of all) await ask(i, 1);
    const start = performance.now(), counts = await Promise.all(all.map((i) => ask(i, tokens)));
    return 1000 * counts.reduce((sum, one) => sum + one, 0) / (performance.now() - start);
}

/** @param {number[]} values */
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

await measure(clients);
/** @type {[number[], number[]]} */
const [one, several] = [[], []];
for (let round = 0; round < rounds; round++) {
    one.push(await measure(1));
    several.push(await measure(clients));
}
await server.close();
const [alone, together] = [median(one), median(several)];
console.log(JSON.stringify({clients, oneTokensPerSecond: alone, allTokensPerSecond: together,
    ratio: together / alone, rounds: {one, several}}));
