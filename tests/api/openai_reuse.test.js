// The OpenAI door's sessions: what requests share is evaluated once, an answer after any other requests is
// that of a new engine, and no more is kept than was allowed.

import assert from 'node:assert/strict';
import {join} from 'node:path';
import {after, test} from 'node:test';
import {Gemma} from '../../web/gemma.js';
import {OpenAI} from '../../web/api/openai.js';

const MODEL = {kind: 'path', path: join(import.meta.dirname, '../golden/tiny-gemma3.gguf')};
const gemma = await Gemma.load(MODEL, {threads: 1, contextLength: 512}),
    other = await Gemma.load(MODEL, {threads: 1, contextLength: 512});
after(() => {
    gemma.close();
    other.close();
});

const WORDS =
    'The sea at night is not dark, and whoever listens hears it think about the shore and about the ships. '.repeat(9);
const ENDLESS = {1: -100, 106: -100, 6: -100};
const user = (content) => ({role: 'user', content}), assistant = (content) => ({role: 'assistant', content});
const asked = (messages, more) => ({messages, max_tokens: 8, seed: 4, logit_bias: ENDLESS, ...more});
const contentOf = ({choices}) => choices.map((choice) => choice.message?.content ?? choice.text);

/** Numbers that look random, the same in each run. */
function random(seed) {
    let state = seed;
    return (n) => {
        state = (state * 1103515245 + 12345) % 2147483648;
        return Math.floor(state / 2147483648 * n);
    };
}

/** What a client without a past answers. */
const fresh = (body, kind = 'chat') => {
    const client = new OpenAI({gemma: other}), {create} = kind === 'chat' ? client.chat.completions
        : client.completions;
    return create.call(kind === 'chat' ? client.chat.completions : client.completions,
        {...body, cache_prompt: false});
};

test('a conversation that goes on evaluates only what is new, beside others that do so too', async () => {
    const client = new OpenAI({gemma});
    const chats = [0, 1, 2].map((i) => [user(`${i} ${WORDS.slice(i, 300)}`)]);
    for (let round = 0; round < 3; round++) {
        for (const messages of chats) {
            const answer = await client.chat.completions.create(asked(messages)),
                {prompt_tokens: n, prompt_tokens_details: {cached_tokens: cached}} = answer.usage;
            assert.deepEqual(contentOf(answer), contentOf(await fresh(asked(messages))));
            if (round) assert.ok(n - cached < 60, `${n - cached} of ${n} were evaluated`);
            messages.push(assistant(answer.choices[0].message.content), user('And?'));
        }
    }
    await client.close();
});

test('what two conversations share is copied, and both go on', async () => {
    const client = new OpenAI({gemma}), start = [user(WORDS.slice(0, 500))],
        [said] = contentOf(await client.chat.completions.create(asked(start)));
    const branches = ['One', 'Two'].map((text) => [
        ...start, assistant(said), user(`${text}: ${WORDS.slice(100, 420)}`),
    ]);
    for (const messages of branches) await client.chat.completions.create(asked(messages));
    for (const messages of branches) {
        const {usage: {prompt_tokens: n, prompt_tokens_details: {cached_tokens: cached}}} =
            await client.chat.completions.create(asked(messages));
        assert.equal(cached, n - 1);
    }
    await client.close();
});

test('what conversations begin with is evaluated once, however far they have gone, and at the same time',
    async () => {
    const tools = [{type: 'function', function: {name: 'find', description: WORDS.slice(0, 90)}}],
        system = {role: 'system', content: WORDS.slice(7, 260)};
    const begins = [
        [[system]], [[{role: 'developer', content: [{type: 'text', text: WORDS.slice(3, 250)}]}, system]],
        [[], {tools, tool_choice: 'none'}], [[system], {tools, max_tokens: 3}],
    ];
    for (const [start, more] of begins) {
        const client = new OpenAI({gemma}), all = [];
        const ask = async (text) => {
            const body = asked([...start, user(text)], more),
                answer = await client.chat.completions.create(body), expected = await fresh(body);
            assert.deepEqual(contentOf(answer), contentOf(expected));
            assert.deepEqual(answer.usage.prompt_tokens, expected.usage.prompt_tokens);
            const {prompt_n: n, cache_n: cached} = answer.timings;
            assert.ok(n + cached >= answer.usage.prompt_tokens - 1
                && cached === answer.usage.prompt_tokens_details.cached_tokens,
                'what was evaluated for it is counted');
            return cached;
        };
        const {usage: {prompt_tokens: long}} = await fresh(asked([...start, user('')],
            {...more, max_tokens: 1}));
        all.push(await ask(`0 ${WORDS.slice(0, 60)}`), await ask('1 Hi'),
            await ask(`2 ${WORDS.slice(30, 90)}`));
        all.push(...await Promise.all([3, 4, 5].map((i) => ask(`${i} And?`))));
        assert.equal(all[0], 0);
        assert.ok(all.slice(1).every((cached) => more?.tool_choice === 'none' || cached >= long - 12),
            `${all} of ${long}`);
        assert.ok(client.load.kept <= 6);
        await client.close();
        assert.equal(client.load.kept, 0);
    }
    const client = new OpenAI({gemma}), abort = new AbortController(), body = asked([system, user('Hi')]);
    const [first, second] = [
        client.chat.completions.create(body, {signal: abort.signal}), client.chat.completions.create(body),
    ];
    abort.abort();
    await assert.rejects(first, {name: 'APIUserAbortError'});
    assert.deepEqual(contentOf(await second), contentOf(await fresh(body)));
    await assert.rejects(
        client.chat.completions.create(asked([{role: 'system', content: WORDS.repeat(9)}, user('Hi')])),
        {code: 'context_length_exceeded'});
    await client.close();
});

test('no more sessions are kept than was said, and cache_prompt: false keeps none', async () => {
    const client = new OpenAI({gemma, sessions: 2, parallel: 3});
    await Promise.all([0, 1, 2, 3, 4].map(
        (i) => client.chat.completions.create(asked([user(`${i} ${WORDS}`.slice(0, 400))], {n: 2}))));
    assert.ok(client.load.kept <= 2, String(client.load.kept));
    assert.equal(client.load.requests, 0);
    await client.close();
    assert.equal(client.load.kept, 0);
    const again = asked([user(WORDS.slice(0, 300))], {cache_prompt: false});
    for (let i = 0; i < 2; i++)
        assert.equal((await client.chat.completions.create(again)).usage.prompt_tokens_details.cached_tokens,
            0);
    assert.equal(client.load.kept, 0);
});

test('where memory is short, what is kept is given up for what is asked', async () => {
    const small = await Gemma.load(MODEL, {threads: 1, contextLength: 512, sessions: 1}),
        client = new OpenAI({gemma: small, sessions: 5000});
    let most = 0;
    for (let i = 0, gaveUp = false; !gaveUp && i < 3000; i++) {
        const body = asked([user(`${i} ${WORDS}`.slice(0, 480))], {max_tokens: 1, temperature: 0}),
            answer = await client.chat.completions.create(body);
        gaveUp = client.load.kept < most;
        most = Math.max(most, client.load.kept);
        if (gaveUp) assert.deepEqual(contentOf(answer), contentOf(await fresh(body)));
    }
    assert.ok(client.load.kept < most, `${most} sessions are kept`);
    small.close();
});

test('requests beyond the queue are refused with 429, and those that wait are answered in their order',
    async () => {
    const client = new OpenAI({gemma, parallel: 1, queue: 2}), order = [];
    const all = await Promise.allSettled([0, 1, 2, 3, 4].map(async (i) => {
        await client.chat.completions.create(asked([user(String(i))]));
        order.push(i);
    }));
    assert.deepEqual(all.map(({status}) => status), [
        'fulfilled', 'fulfilled', 'fulfilled', 'rejected', 'rejected',
    ]);
    assert.deepEqual(order, [0, 1, 2]);
    const {reason} = all[4];
    assert.ok(reason instanceof OpenAI.RateLimitError && reason.status === 429 && reason.retryAfter >= 1
        && reason.code === 'rate_limit_exceeded');
    const abort = new AbortController(),
        first = client.chat.completions.create(asked([user('x')], {max_tokens: 60}));
    const waiting = client.chat.completions.create(asked([user('x')]), {signal: abort.signal});
    abort.abort();
    await assert.rejects(waiting, {name: 'APIUserAbortError'});
    await first;
    assert.equal(client.load.requests, 0);
    await client.close();
});

test('160 requests, many of them aborted at random moments: each answer is that of a new engine',
    {timeout: 600000}, async () => {
    const pick = random(11), client = new OpenAI({gemma, parallel: 3, sessions: 3});
    const makeBody = () => {
        const at = pick(300), messages = [user(WORDS.slice(pick(2), 40 + at))];
        if (pick(2)) messages.push(assistant(WORDS.slice(at, at + 30)), user('And?'));
        const more = [
            {}, {n: 2}, {response_format: {type: 'json_object'}},
            {tools: [{type: 'function', function: {name: 'now'}}], tool_choice: 'required'}, {logprobs: true},
        ][pick(5)];
        return asked(messages, {max_tokens: 1 + pick(20), seed: pick(1000), logit_bias: {}, ...more});
    };
    const ask = async () => {
        const body = makeBody(), abort = new AbortController(), isCut = pick(2) === 0,
            isStreamed = pick(2) === 0, wait = pick(40);
        if (isCut) setTimeout(() => abort.abort(), wait);
        try {
            const answer = await client.chat.completions.create({...body, stream: isStreamed},
                {signal: abort.signal});
            if (isStreamed) for await (const _ of answer) if (isCut && pick(9) === 0) break;
        } catch (error) {
            assert.equal(error.name, 'APIUserAbortError');
        }
    };
    for (let round = 0; round < 40; round++) {
        await Promise.all([ask(), ask(), ask()]);
        const body = makeBody(), answer = await client.chat.completions.create(body);
        const ofCalls = ({choices}) => choices.map(({message, finish_reason: reason}) => [
            message.content, message.tool_calls?.map((call) => call.function), reason,
        ]);
        assert.deepEqual(ofCalls(answer), ofCalls(await fresh(body)), JSON.stringify(body));
    }
    assert.equal(client.load.requests, 0);
    await client.close();
});

test('completions that begin alike give the probabilities of new ones', async () => {
    const client = new OpenAI({gemma}), pick = random(3);
    for (let i = 0; i < 12; i++) {
        const at = 100 + pick(200),
            prompt = await gemma.tokenize(WORDS.slice(0, at) + WORDS.slice(pick(50), 60 + pick(90)));
        const body = {
            prompt, echo: true, logprobs: 1 + pick(2), max_tokens: pick(3), seed: i, n: 1 + pick(2),
        };
        const {choices, usage} = await client.completions.create(body);
        assert.deepEqual(choices, (await fresh(body, 'completions')).choices);
        if (i) assert.ok(usage.prompt_tokens_details.cached_tokens >= 0);
    }
    await client.close();
});
