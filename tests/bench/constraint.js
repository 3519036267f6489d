// What constraints cost and bring, with the default model and 2 threads: milliseconds a token with a
// constraint, and of as many tokens without one.
//
//   node tests/bench/constraint.js [--browser] [--cases CASES.jsonl] [--every N]      prints one JSON object
//
// --browser: in Chromium instead of Node. --cases: schemas of MaskBench (tests/constraint/maskbench.js),
// every 20th by default, instead of the four below. ratio: how much faster a token comes with the constraint,
// its drafts of forced text included; both are measured in turn, with the same prompt.

import {readFileSync} from 'node:fs';
import {basename, dirname} from 'node:path';
import {parseArgs} from 'node:util';
import {serve} from '../../web/node/server.js';
import {ensureModel} from '../../web/node/setup.js';
import {createVisitor} from './chromium.js';

const {values} = parseArgs({
    options: {browser: {type: 'boolean'}, cases: {type: 'string'}, every: {type: 'string', default: '20'}},
});

const text = (maxLength) => ({type: 'string', maxLength});
const object = (properties) => ({
    type: 'object', additionalProperties: false, properties, required: Object.keys(properties),
});
const SCHEMAS = {
    keys: object({
        firstName: {enum: ['Ada', 'Alan']}, lastName: {enum: ['Lovelace', 'Turing']},
        yearOfBirth: {type: 'integer', minimum: 1800, maximum: 2000}, isMathematician: {type: 'boolean'},
        nationality: {enum: ['British', 'American']},
        numberOfPublications: {type: 'integer', minimum: 0, maximum: 99},
    }),
    text: object({title: text(60), summary: {type: 'string', minLength: 200, maxLength: 300}}),
    list: object({people: {type: 'array', minItems: 4, maxItems: 6,
        items: object({name: text(20), age: {type: 'integer', minimum: 0, maximum: 120}, city: text(20)})}}),
    free: object({words: {type: 'array', items: {type: 'string'}, minItems: 8, maxItems: 12}}),
};

/** @returns {Record<string, object>} schemas by name */
function schemasOf(path, every) {
    const cases = readFileSync(path, 'utf8').trim().split('\n').filter((line, i) => i % every === 0);
    return Object.fromEntries(cases.map((line) => JSON.parse(line)).map(({file, schema}) => [file, schema]));
}

/**
 * Runs under Node or in a page: all it needs comes as arguments. A schema that does not compile is left out.
 */
async function measure({library, model, schemas, rounds, maxTokens}) {
    const {Gemma} = await import(new URL(library, globalThis.location?.href ?? 'file:').href);
    const gemma = await Gemma.load(model, {threads: 2, contextLength: 2048});
    const ask = async (options) => {
        const session = await gemma.session();
        const {timings, ...result} = await session.prompt('Tell me about someone famous. Answer in JSON.',
            {raw: true, maxTokens, ...options}).result;
        await session.close();
        return {...result, msPerToken: timings.decodeMs / result.tokens.length};
    };
    const median = (all) => all.toSorted((a, b) => a - b)[all.length >> 1];
    await ask({maxTokens: 100, sampling: {seed: 1}});        // tuners settle
    const results = {};
    for (const [name, schema] of Object.entries(schemas)) {
        const start = performance.now(), constraint = await gemma.constraint({schema}).catch(() => undefined),
            compileMs = performance.now() - start;
        if (!constraint) continue;
        const all = [];
        for (let seed = 1; seed <= rounds; seed++) {
            const bound = await ask({constraint, sampling: {seed}}), n = bound.tokens.length;
            if (n < 10) continue;       // too short to be timed
            const free = await ask({
                maxTokens: n, sampling: {seed, logitBias: {1: -Infinity, 106: -Infinity}},
            });
            if (bound.constraint === 'complete') JSON.parse(bound.text);
            all.push({tokens: n, constrained: bound.msPerToken, free: free.msPerToken});
        }
        await constraint.close();
        if (!all.length) continue;
        const of = (what) => median(all.map(what));
        results[name] = {
            compileMs, tokens: all.map((r) => r.tokens), msPerToken: of((r) => r.constrained),
            freeMsPerToken: of((r) => r.free), ratio: of((r) => r.free / r.constrained),
        };
    }
    gemma.close();
    return results;
}

const path = await ensureModel();
const job = values.cases ? {schemas: schemasOf(values.cases, Number(values.every)), rounds: 1, maxTokens: 120}
    : {schemas: SCHEMAS, rounds: 3, maxTokens: 400};
let results;
if (values.browser) {
    const server = await serve({port: 0, models: dirname(path)}), visitor = await createVisitor();
    await visitor.visit(server.url, async (tab) => {
        results = await tab.evaluate(measure,
            {...job, library: 'gemma.js', model: `models/${encodeURIComponent(basename(path))}`});
        return {};
    });
    await server.close();
    visitor.leave();
} else {
    const library = new URL('../../web/gemma.js', import.meta.url).href;
    results = await measure({...job, library, model: {kind: 'path', path}});
}
const all = Object.values(results), mean = (what) => all.reduce((sum, r) => sum + what(r), 0) / all.length;
const compile = all.map((r) => r.compileMs).sort((a, b) => a - b);
console.log(JSON.stringify({
    results, schemas: all.length, meanRatio: mean((r) => r.ratio),
    meanAdded: mean((r) => r.msPerToken / r.freeMsPerToken) - 1,
    compileMs: {p50: compile[compile.length >> 1], p99: compile[Math.floor((compile.length - 1) * 0.99)]},
}, null, 2));
