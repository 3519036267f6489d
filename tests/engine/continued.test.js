// Answers that another engine began: from the state of a session and the tokens so far the next engine writes
// the same text as the first would have. By the worker's own calls.

import assert from 'node:assert/strict';
import {join} from 'node:path';
import {after, before, test} from 'node:test';
import {Caller} from '../../web/base/protocol.js';
import {Drafts} from '../../web/engine/drafts.js';
import {Gemma} from '../../web/gemma.js';
import {startEngine} from '../../web/gemma/engine.js';

const TINY = join(import.meta.dirname, '../golden/tiny-gemma3.gguf'), ENDLESS = {1: -Infinity, 6: -Infinity};
const ASKED = 'What does the sea say at night?';

const engines = [];
async function open() {
    const worker = await startEngine((error) => caller.fail(error)), caller = new Caller(worker);
    engines.push(worker);
    await caller.call('load', {source: {kind: 'path', path: TINY}, options: {contextLength: 512}});
    return caller;
}
let first, second;
before(async () => { [first, second] = [await open(), await open()]; });
after(() => engines.forEach((worker) => worker.terminate()));

/** @param {object} options @param {number[]} [known] */
async function ask(engine, session, options, known) {
    const events = [], answer = await engine.call('prompt', {session, prompt: ASKED, raw: false,
        options: {...options, known}}, {onEvent: (event) => events.push(event)});
    return {answer, events, ids: events.flatMap(({ids}) => ids ?? []),
        text: events.map(({text}) => text ?? '').join('')};
}

/** The same for both: what the answer says. */
const said = ({answer: {text, tokens, finishReason, toolCalls, constraint, tokensHeld, logprobs}}) => ({text,
    tokens, finishReason, toolCalls, constraint, tokensHeld, logprobs});

const sampling = {temperature: 1, seed: 7, logitBias: ENDLESS};
const CASES = {
    'sampled': {sampling, maxTokens: 60},
    'with penalties and probabilities': {sampling: {...sampling, repeatPenalty: 1.3, presencePenalty: 0.5,
        frequencyPenalty: 0.5}, maxTokens: 40, logprobs: 2},
    'with a stop string': {sampling, maxTokens: 60, stop: ['e']},
    'constrained': {sampling: {temperature: 1, seed: 9}, maxTokens: 60,
        constraint: {schema: {type: 'object',
            properties: {a: {type: 'integer'}, b: {type: 'string', maxLength: 12}}, required: ['a', 'b']}}},
    'with tools': {sampling: {temperature: 1, seed: 4}, maxTokens: 80, toolChoice: 'required',
        tools: [{name: 'add', parameters: {type: 'object', properties: {n: {type: 'integer', maximum: 99}},
            required: ['n']}}]},
};
for (const [name, options] of Object.entries(CASES)) {
    test(`an answer that is continued is the same: ${name}`, async () => {
        const history = [{role: 'system', content: 'Be brief.'}, {role: 'user', content: 'Hello'},
            {role: 'assistant', content: 'Hello.'}];
        const one = await first.call('session', {history}),
            before = await first.call('sessionState', {session: one.id});
        const whole = await ask(first, one.id, options, []), {tokens} = whole.answer;
        assert.deepEqual(whole.ids, tokens.slice(0, whole.ids.length));
        for (const n of new Set([0, 1, 5, Math.floor(tokens.length / 2), tokens.length])) {
            const {id} = await second.call('resumeSession', {state: before});
            assert.deepEqual(said(await ask(second, id, options, tokens.slice(0, n))), said(whole),
                `${n} tokens were known`);
        }
        const state = await first.call('sessionState', {session: one.id}),
            other = await second.call('resumeSession', {state});
        assert.equal(other.tokens, state.ids.length);
        assert.deepEqual(said(await ask(second, other.id, options)), said(await ask(first, one.id, options)),
            'the next answer');
    });
}

test('known tokens are evaluated several at once', () => {
    const drafted = [], known = Array.from({length: 20}, (_, i) => 100 + i);
    let left = [];
    const session = {draft: (ids) => { drafted.push(ids); left = [...ids]; }, accept: (id) => left[0] === id
        && left.shift() !== undefined};
    const drafts = new Drafts(session, [2, 3, 4], undefined, false, known),
        alone = known.filter((id) => !drafts.accept(id) && (drafts.proposeKnown() || true));
    assert.deepEqual(drafted, [known.slice(1, 8), known.slice(9, 16), known.slice(17)]);
    assert.equal(alone.length, 3);
});

test("an answer that the next engine can't have written is given up by its code", async () => {
    const {id} = await first.call('session', {history: []}),
        known = (await ask(first, id, {sampling, maxTokens: 8})).answer.tokens;
    known[5]++;
    const other = await second.call('session', {history: []});
    await assert.rejects(ask(second, other.id, {sampling, maxTokens: 8}, known), {code: 'engine-lost'});
    assert.equal((await second.call('sessionState', {session: other.id})).ids.length, 0);
});

test('under Node a model is its own, and says so', async () => {
    const gemma = await Gemma.load(TINY, {shared: true});
    gemma.close();
    assert.equal(gemma.info.shared, false);
});
