// Requests with random faults: each is answered, or refused with a status of 400 that names the field, and
// none is left behind.

import assert from 'node:assert/strict';
import {join} from 'node:path';
import {after, test} from 'node:test';
import {Gemma} from '../../web/gemma.js';
import {OpenAI} from '../../web/api/openai.js';

const gemma = await Gemma.load({kind: 'path', path: join(import.meta.dirname, '../golden/tiny-gemma3.gguf')},
    {threads: 1, contextLength: 256});
const client = new OpenAI({gemma});
after(async () => {
    await client.close();
    gemma.close();
});

let state = 5;
/** A number that looks random, the same in each run. */
const random = (n) => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return Math.floor(state / 2147483648 * n);
};
const pick = (all) => all[random(all.length)];

const ODD = [
    null, undefined, 0, 1, -1, 1.5, '', 'x', '\ud800', [], {}, [[]], [{}], {a: {}}, true, false, 1e308, NaN,
    Infinity, 'a'.repeat(3000), [1, 2], ['a'], 2 ** 31, 2 ** 53, -100, '\0', '<bos>',
];
const FUNCTION = {name: 'w', description: 'd',
    parameters: {type: 'object', properties: {c: {type: 'string'}}}, strict: true};
const MUST = [
    {}, {tools: [{type: 'function', function: FUNCTION}], tool_choice: 'auto', parallel_tool_calls: true},
    {regex: 'a+'}, {grammar: 'root ::= "a" root | "b"'}, {choices: ['a', 'b']},
    {response_format: {type: 'json_schema', json_schema: {name: 'a', strict: true,
        schema: {type: 'object', properties: {a: {enum: [1]}}}}}},
];
const makeChat = () => ({
    messages: [
        {role: 'system', content: 'Be.'}, {role: 'user', content: [{type: 'text', text: 'Hi'}]},
        {role: 'assistant', content: null,
            tool_calls: [{id: 'a', type: 'function', function: {name: 'w', arguments: '{}'}}]}, {role: 'tool',
                tool_call_id: 'a', content: 'x'},
    ],
    max_tokens: 4, temperature: 1, top_p: 0.9, n: 1 + random(2), stop: ['q'], seed: random(9),
    logit_bias: {5: 1}, logprobs: true, top_logprobs: 2, stream: random(2) === 0,
    top_k: 5, min_p: 0.1, ...pick(MUST),
});
const makeCompletion = () => ({
    prompt: pick(['The', [1, 5], ['a', 'b'], [[5, 6], [7]]]), max_tokens: 3, echo: random(2) === 0,
    logprobs: pick([null, 1, 0]), n: 1 + random(2), stream: random(2) === 0,
    logit_bias: {7: -100}, stop: 'q', ...pick([{}, ...MUST.slice(2)]),
});

/** The ways to all that is in a value. */
const pathsOf = (value, path = []) => typeof value === 'object' && value ? Object.keys(value)
    .flatMap((key) => [[...path, key], ...pathsOf(value[key], [...path, key])]) : [];

/** Puts something odd, or nothing, at a random place. */
function spoil(body) {
    const path = pick(pathsOf(body)), holder = path.slice(0, -1).reduce((value, key) => value[key], body);
    if (random(6) === 0) delete holder[path.at(-1)];
    else holder[path.at(-1)] = structuredClone(pick(ODD));
}

test('400 requests with random faults', {timeout: 600000}, async () => {
    const counts = {answered: 0, refused: 0};
    for (let i = 0; i < 400; i++) {
        const isChat = random(3) > 0, body = isChat ? makeChat() : makeCompletion();
        for (let faults = random(3); faults > 0; faults--) spoil(body);
        if (body.n > 4) body.n = 2;
        if (!(body.max_tokens < 9)) body.max_tokens = 9;
        try {
            const answer = await (isChat ? client.chat.completions : client.completions).create(body);
            if (Symbol.asyncIterator in answer) for await (const chunk of answer) assert.ok(chunk.id);
            counts.answered++;
        } catch (error) {
            assert.ok(error.status === 400 && typeof error.param === 'string',
                `${error.stack}\n${JSON.stringify(body)}`);
            counts.refused++;
        }
    }
    assert.ok(counts.answered > 50 && counts.refused > 50, JSON.stringify(counts));
    assert.equal(client.load.requests, 0);
});
