// Many answers of a model at a high temperature, each by one of 100 schemas, all of which ajv must find valid
// unless they were cut.
//
//   node tests/constraint/generations.js [--model FILE] [--count N] [--from N] [--temperature X]
//       default: the default model, 1,000 answers, from 0, 1.5
//
// Prints one JSON object; exit code 1 where an answer is not valid.

import {parseArgs} from 'node:util';
import {join} from 'node:path';
import {Gemma} from '../../web/gemma.js';
import {faultOf, randomSchema} from './random_schemas.js';

const {values} = parseArgs({options: {model: {type: 'string'}, count: {type: 'string', default: '1000'},
    from: {type: 'string', default: '0'}, temperature: {type: 'string', default: '1.5'}}});
const SCHEMAS = 100, AT_ONCE = 4,
    MODEL = values.model ?? join(import.meta.dirname, '../../models/gemma-3-270m-q4_k_m.gguf');
const first = Number(values.from), end = first + Number(values.count),
    found = {whole: 0, cut: 0, tokens: 0, refused: [], wrong: []};

const gemma = await Gemma.load({kind: 'path', path: MODEL}, {threads: 2, contextLength: 512});
const constraints = new Map();
for (let seed = 0; seed < SCHEMAS; seed++) {
    const schema = randomSchema(seed);
    await gemma.constraint({schema}).then((constraint) => constraints.set(seed, {schema, constraint}),
        (error) => found.refused.push(`${seed}: ${error.message}`));
}

/** @param {number} i */
async function answer(i) {
    const {schema, constraint} = constraints.get([...constraints.keys()][i % constraints.size]),
        session = await gemma.session();
    const ways = [{}, {topK: 0, topP: 1}, {topK: 0, topP: 0.95}],
        sampling = {temperature: Number(values.temperature), seed: i, ...ways[i % 3]};
    const {text, tokens, constraint: state} = await session.prompt('Write a record in JSON:',
        {raw: true, constraint, sampling, maxTokens: 300}).result;
    await session.close();
    found.tokens += tokens.length;
    if (state === 'cut') return void found.cut++;
    const fault = faultOf(schema, text);
    if (fault) found.wrong.push({seed: i, schema, text, fault});
    else found.whole++;
}

let next = first;
await Promise.all(Array.from({length: AT_ONCE}, async () => {
    while (next < end) await answer(next++);
}));
gemma.close();
console.log(JSON.stringify(found, null, 2));
process.exitCode = found.wrong.length ? 1 : 0;
