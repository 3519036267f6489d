// What constraints cost and bring, with a real model: milliseconds a token with a constraint, and of as many tokens without one, over some schemas.
//
//   node tests/bench/constraint.js [MODEL]      default: the default model, with 2 threads; prints one JSON object
//
// ratio: how much faster a token comes with the constraint, its drafts of forced text included; the two are measured in turn, with the same prompt.

import {join} from 'node:path';
import {Gemma} from '../../web/gemma.js';

const ROUNDS = 3, MODEL = process.argv[2] ?? join(import.meta.dirname, '../../models/gemma-3-270m-q4_k_m.gguf');

const text = (maxLength) => ({type: 'string', maxLength});
const object = (properties) => ({type: 'object', additionalProperties: false, properties, required: Object.keys(properties)});
const SCHEMAS = {
    keys: object({firstName: {enum: ['Ada', 'Alan']}, lastName: {enum: ['Lovelace', 'Turing']}, yearOfBirth: {type: 'integer', minimum: 1800, maximum: 2000},
        isMathematician: {type: 'boolean'}, nationality: {enum: ['British', 'American']}, numberOfPublications: {type: 'integer', minimum: 0, maximum: 99}}),
    text: object({title: text(60), summary: {type: 'string', minLength: 200, maxLength: 300}}),
    list: object({people: {type: 'array', minItems: 4, maxItems: 6, items: object({name: text(20), age: {type: 'integer', minimum: 0, maximum: 120}, city: text(20)})}}),
    free: object({words: {type: 'array', items: {type: 'string'}, minItems: 8, maxItems: 12}}),
};

const gemma = await Gemma.load({kind: 'path', path: MODEL}, {threads: 2, contextLength: 2048});
const ask = async (options) => {
    const session = await gemma.session(), {timings, ...result} = await session.prompt('Tell me about someone famous. Answer in JSON.', {raw: true, maxTokens: 400, ...options}).result;
    await session.close();
    return {...result, msPerToken: timings.decodeMs / result.tokens.length, ms: timings.decodeMs};
};
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

await ask({maxTokens: 100, sampling: {seed: 1}});        // tuners settle
const results = {};
for (const [name, schema] of Object.entries(SCHEMAS)) {
    const start = performance.now(), constraint = await gemma.constraint({schema}), compileMs = performance.now() - start, rounds = [];
    for (let seed = 1; seed <= ROUNDS; seed++) {
        const bound = await ask({constraint, sampling: {seed}}), free = await ask({maxTokens: bound.tokens.length, sampling: {seed, logitBias: {1: -Infinity, 106: -Infinity}}});
        JSON.parse(bound.text);
        rounds.push({tokens: bound.tokens.length, constrained: bound.msPerToken, free: free.msPerToken});
    }
    results[name] = {
        compileMs, tokens: rounds.map((r) => r.tokens), msPerToken: median(rounds.map((r) => r.constrained)), freeMsPerToken: median(rounds.map((r) => r.free)),
        ratio: median(rounds.map((r) => r.free / r.constrained)),
    };
}
console.log(JSON.stringify(results, null, 2));
gemma.close();
