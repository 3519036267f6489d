// The Prompt API's prompts: what is asked and answered, in which order, what fits, what is constrained, what
// tools do, and what aborting leaves. Each test names the section of the specification or of its explainer.

import assert from 'node:assert/strict';
import {after, test} from 'node:test';
import {Gemma} from '../../web/gemma.js';
import {aborts, define, GREEDY, read, rejects, SHORT, TINY} from './prompt_api_tools.js';

const LanguageModel = define(), gemma = await Gemma.load(TINY, {contextLength: 512, threads: 1}),
    Large = define({model: gemma});
after(() => gemma.close());
const user = (content) => ({role: 'user', content}),
    assistant = (content, more) => ({role: 'assistant', content, ...more});
const system = {role: 'system', content: 'Be brief.'}, words = (n) => 'the sea at night '.repeat(n);
const SCHEMA = {
    type: 'object', required: ['Rating'], additionalProperties: false,
    properties: {Rating: {type: 'number', minimum: 0, maximum: 5}},
};

test('Prompting: a string, messages and their longhand are the same prompt; chunks are deltas of the result',
    async () => {
    const inputs = [
        'Hello you', [user('Hello you')], [user([{type: 'text', value: 'Hello you'}])],
        [user([{type: 'text', value: 'Hello '}, {type: 'text', value: 'you'}])], new Set([user('Hello you')]),
    ];
    const answers = [];
    for (const input of inputs) {
        for (const isStream of [false, true]) {
            const session = await LanguageModel.create(GREEDY);
            if (isStream) {
                const stream = session.promptStreaming(input, SHORT);
                assert.ok(stream instanceof ReadableStream);
                const chunks = await read(stream);
                assert.ok(chunks.length > 0 && chunks.every((chunk) => typeof chunk === 'string'));
                answers.push(chunks.join(''));
            } else answers.push(await session.prompt(input, SHORT));
            session.destroy();
        }
    }
    assert.equal(new Set(answers).size, 1);
    assert.match(answers[0], /^[a-z]{3,6}\.$/);
});

test('Options, validate a prompt: values become texts; what can\'t be converted is a TypeError', async () => {
    const session = await Large.create();
    for (const input of [null, undefined, {}, '', [], [user([])], [user('')],
        [user([{type: 'text', value: ''}])], 5, true]) {
        assert.equal(typeof await session.prompt(input, SHORT), 'string');
        assert.equal((await read(session.promptStreaming(input, SHORT))).length > 0, true);
        assert.equal(await session.append(input), undefined);
        assert.ok(await session.measureContextUsage(input) > 0);
    }
    const wrong = [
        Symbol('no'), [5], [{}], [{role: 'user'}], [{content: 'x'}], [{role: 'tool', content: 'x'}],
        [user([{}])], [user([{type: 'text'}])], [user([{type: 'soup', value: 'x'}])],
    ];
    for (const input of wrong) {
        for (const method of ['prompt', 'append', 'measureContextUsage', 'measureInputUsage'])
            await rejects(session[method](input), TypeError);
        assert.throws(() => session.promptStreaming(input), TypeError);
    }
    for (const method of ['prompt', 'append', 'measureContextUsage'])
        await rejects(session[method](), TypeError);
    assert.throws(() => session.promptStreaming(), TypeError);
    for (const options of [5, {signal: {}}, {signal: null}, {responseConstraint: 'x'},
        {responseConstraint: null}, {omitResponseConstraintInput: true}]) {
        for (const method of ['prompt', 'measureContextUsage'])
            await rejects(session[method]('x', options), TypeError);
        assert.throws(() => session.promptStreaming('x', options), TypeError);
    }
    for (const [content, role, name] of [[[{type: 'image', value: new Blob([])}], 'user',
        'NotSupportedError'], [[{type: 'audio', value: 'x'}], 'user', 'NotSupportedError'],
        [[{type: 'image', value: 'x'}], 'assistant', 'NotSupportedError'],
        [[{type: 'tool-call', value: {}}], 'assistant', 'NotSupportedError'],
        [[{type: 'text', value: new ArrayBuffer(2)}], 'user', TypeError]]) {
        for (const method of ['prompt', 'append', 'measureContextUsage'])
            await rejects(session[method]([{role, content}]), name);
    }
    const method = LanguageModel.prototype.prompt;
    await rejects(method.call({}, 'x'), TypeError);
    session.destroy();
});

test('Explainer, system prompts: only at position 0 of all that a session is given, else a TypeError',
    async () => {
    const one = await Large.create(), two = await Large.create(),
        three = await Large.create({initialPrompts: [system]});
    await one.append([system]);
    assert.equal(await one.prompt('Hello', {...SHORT, ...GREEDY}).then((text) => typeof text), 'string');
    assert.equal(typeof await two.prompt([system, user('Hello')], SHORT), 'string');
    for (const session of [one, two, three]) {
        for (const input of [[system], [user('x'), system], [system, user('x')]]) {
            await rejects(session.prompt(input), TypeError);
            await rejects(session.append(input), TypeError);
        }
        session.destroy();
    }
    const session = await Large.create(), first = session.prompt({role: 'system'}, SHORT),
        second = session.prompt([system], SHORT);
    await rejects(second, TypeError);       // the text before it was first
    await first;
    for (const input of [[user('x'), system], [system, system]])
        await rejects((await Large.create()).prompt(input), TypeError);
});

test('Usage: what is measured is what is used; nothing is evaluated', async () => {
    for (const input of ['Hello you', [user('Hello'), user('you')], [system, user('Hello'), assistant('Hi.')],
        [user('Hello'), assistant('Hi')]]) {
        const session = await Large.create(), usage = await session.measureContextUsage(input);
        assert.ok(usage > 0 && session.contextUsage === 0);
        assert.equal(await session.measureInputUsage(input), usage);
        await session.append(input);
        assert.equal(session.contextUsage, usage);
        assert.equal(session.inputUsage, usage);
        await session.prompt('And?', SHORT);
        assert.ok(session.contextUsage > usage);
        session.destroy();
    }
    const session = await Large.create({initialPrompts: [system, user('a'), assistant('b')]});
    assert.equal(await session.measureContextUsage([system, user('a'), assistant('b')]),
        session.contextUsage);
    const plain = await session.measureContextUsage('x'),
        more = await session.measureContextUsage('x', {responseConstraint: SCHEMA});
    assert.ok(more > plain);
    assert.equal(await session.measureContextUsage('x',
        {responseConstraint: SCHEMA, omitResponseConstraintInput: true}), plain);
    await aborts((signal) => session.measureContextUsage('x', {signal}));
    session.destroy();
});

test('Explainer, appending: what is appended is answered with the next prompt, as if it had come with it',
    async () => {
    const one = await Large.create(GREEDY), two = await Large.create(GREEDY);
    await one.append('Read this.');
    await one.append([assistant('I have.'), user('And this.')]);
    assert.equal(await one.prompt('Well?', SHORT),
        await two.prompt([user('Read this.'), assistant('I have.'), user('And this.'), user('Well?')],
            SHORT));
    assert.equal(one.contextUsage, two.contextUsage);
    await aborts((signal) => one.append(words(3), {signal}));
    assert.equal(one.contextUsage, two.contextUsage);
    assert.equal(await one.prompt('More?', SHORT), await two.prompt('More?', SHORT));
});

test('Explainer, overflow: the oldest pairs go, never the initial prompts; an event says so', async () => {
    const initialPrompts = [system, user('First.'), assistant('Yes.')],
        session = await LanguageModel.create({...GREEDY, initialPrompts});
    const events = [];
    session.oncontextoverflow = (event) => events.push(event.type);
    session.addEventListener('quotaoverflow', (event) => events.push(event.type));
    let before = 0, answers = [];
    for (let i = 0; i < 6 && !events.length; i++) {
        before = session.contextUsage;
        answers.push(await session.prompt(`Question ${i}?`, SHORT));
    }
    assert.deepEqual(events, ['contextoverflow', 'quotaoverflow']);
    assert.ok(session.contextUsage <= session.contextWindow && before <= session.contextWindow);
    // It is as a session that began without the first pair.
    const n = answers.length - 1, fresh = await Large.create({...GREEDY, initialPrompts});
    for (let i = 1; i < n; i++) await fresh.append([user(`Question ${i}?`), assistant(answers[i])]);
    assert.equal(await fresh.prompt(`Question ${n}?`, SHORT), answers[n]);
    assert.equal(fresh.contextUsage, session.contextUsage);
    session.oncontextoverflow = null;
    await session.append(words(5));
    assert.deepEqual(events.filter((type) => type === 'contextoverflow').length, 1);
    assert.ok(events.length > 2 && session.contextUsage <= session.contextWindow);
    session.destroy();
});

test('Prefilling: what is too large in any case is a QuotaExceededError with numbers, and nothing is removed',
    async () => {
    for (const initialPrompts of [[], [user('a'), assistant('b')]]) {
        const session = await LanguageModel.create({initialPrompts}), events = [];
        await session.prompt('Hello', SHORT);
        session.oncontextoverflow = (event) => events.push(event);
        const usage = session.contextUsage, input = words(60),
            measured = await session.measureContextUsage(input);
        for (const method of ['prompt', 'append']) {
            await assert.rejects(session[method](input), (error) => {
                assert.ok(error instanceof DOMException && error.name === 'QuotaExceededError'
                    && (!globalThis.QuotaExceededError || error instanceof globalThis.QuotaExceededError));
                assert.equal(error.quota, session.contextWindow);
                assert.ok(Math.abs(error.requested - usage - measured) <= 4,
                    `${error.requested}, ${usage} + ${measured}`);
                return true;
            });
        }
        await assert.rejects(read(session.promptStreaming(input)),
            {name: 'QuotaExceededError', quota: session.contextWindow});
        assert.deepEqual([session.contextUsage, events], [usage, []]);
        session.destroy();
    }
});

test('Prompting: an answer that fills the context ends, or makes what is old go; the session lives on',
    async () => {
    const session = await define({load: {contextLength: 64, threads: 1}}).create(GREEDY);
    for (let i = 0; i < 3; i++) {
        assert.equal(typeof await session.prompt(`Question ${i}?`), 'string');
        assert.ok(session.contextUsage <= session.contextWindow + 1);
    }
    session.destroy();
});

test('Explainer, structured output: by a schema or a regular expression, in the input or not', async () => {
    for (const [responseConstraint, holds] of [[SCHEMA, (text) => { const {Rating} = JSON.parse(text);
        return Rating >= 0 && Rating <= 5; }],
        [/^(yes|no|maybe)$/, (text) => /^(yes|no|maybe)$/.test(text)],
        [{type: 'boolean'}, (text) => typeof JSON.parse(text) === 'boolean'],
        [/^Greetings and .{3}$/u, (text) => text.startsWith('Greetings and ')]]) {
        for (const omitResponseConstraintInput of [false, true]) {
            for (let i = 0; i < 3; i++) {
                const session = await Large.create({samplingMode: 'most-creative'});
                const text = await session.prompt('Rate it.',
                    {responseConstraint, omitResponseConstraintInput}).catch((error) => error.name);
                assert.ok(text === 'SyntaxError' || holds(text), text);
                session.destroy();
            }
        }
    }
});

test('Explainer, structured output: unsupported schemas, other values, and answers that can\'t comply',
    async () => {
    const session = await Large.create(), circular = {}, thrown = new Error('mine');
    circular.self = circular;
    for (const responseConstraint of [circular, {type: 'soup'}, {not: {}}, /x/i, /(?=x)y/])
        await rejects(session.prompt('x', {responseConstraint}), 'NotSupportedError');
    for (const responseConstraint of [[], () => {}, new String('x')])
        await rejects(session.prompt('x', {responseConstraint}), TypeError);
    await rejects(session.prompt('x', {responseConstraint: {get type() { throw thrown; }}}), thrown);
    const small = await define({load: {contextLength: 64, threads: 1}}).create();
    await rejects(
        small.prompt('x', {responseConstraint: /[a-z]{900} ends/, omitResponseConstraintInput: true}),
        'SyntaxError');
    assert.equal(small.contextUsage, 0);
    assert.equal(session.contextUsage, 0);
    small.destroy();
});

test('Explainer, prefix: the answer continues it, also with a constraint; else a SyntaxError', async () => {
    const ask = async (input, options) => {
        const session = await Large.create({samplingMode: 'predictable'});
        const text = await session.prompt(input, options).finally(() => session.destroy());
        return text;
    };
    for (let i = 0; i < 4; i++) {
        const text = await ask([user('Hello'), assistant('{ "Rating": ', {prefix: true})],
            {responseConstraint: SCHEMA}).catch((error) => error.name);
        if (text !== 'SyntaxError') assert.ok(JSON.parse(`{ "Rating": ${text}`).Rating <= 5, text);
    }
    assert.match(
        `Greetings${await ask([user('Hello'), assistant('Greetings', {prefix: true})], {responseConstraint: /^Greetings and salutations$/})}`,
        /^Greetings and salutations$/);
    await rejects(ask([user('Hello'), assistant('invalid', {prefix: true})], {responseConstraint: SCHEMA}),
        'NotSupportedError');
    for (const input of [[user('a'), {...user('b'), prefix: true}],
        [assistant('a', {prefix: true}), user('b')], [{...system, prefix: true}, user('b')]]) {
        await rejects(ask(input), 'SyntaxError');
        await rejects((await Large.create()).measureContextUsage(input), 'SyntaxError');
    }
    // Without prefix, a new answer follows the assistant's last one.
    const session = await Large.create(GREEDY), other = await Large.create(GREEDY);
    const [a, b] = [await session.prompt([user('Hello'), assistant('Greetings')], SHORT),
        await other.prompt([user('Hello'), assistant('Greetings', {prefix: true})], SHORT)
            .catch(({name}) => name)];
    assert.match(a, /^[a-z]{3,6}\.$/);
    assert.equal(b, 'NotSupportedError');       // which is no text of lower case
});

test('Obtaining results: answers come in order; an aborted prompt leaves the queue at once', async () => {
    const session = await Large.create(GREEDY), ended = [], stopping = new AbortController();
    const all = ['One?', 'Two?', 'Three?'].map((input, i) => session.prompt(input,
        {...SHORT, ...i === 1 && {signal: stopping.signal}})
        .then((text) => ended.push(text), (error) => ended.push(error.name)));
    stopping.abort();
    await Promise.all(all);
    assert.equal(ended[0], 'AbortError');
    const fresh = await Large.create(GREEDY);
    assert.deepEqual(ended.slice(1), [
        await fresh.prompt('One?', SHORT), await fresh.prompt('Three?', SHORT),
    ]);
    assert.equal(session.contextUsage, fresh.contextUsage);
});

test('Obtaining results: aborted with and without a reason, a prompt, a stream, and one that has ended',
    async () => {
    const session = await LanguageModel.create();
    await aborts((signal) => session.prompt('x', {signal}));
    for (const reason of [undefined, new Error('mine')]) {
        const stopping = new AbortController(),
            stream = session.promptStreaming('x', {signal: stopping.signal});
        stopping.abort(reason);
        await rejects(stream.pipeTo(new WritableStream()), reason ?? 'AbortError');
        assert.throws(() => session.promptStreaming('x', {signal: stopping.signal}), (error) => reason
            ? error === reason : error.name === 'AbortError');
    }
    const stopping = new AbortController(),
        text = await session.prompt('x', {...SHORT, signal: stopping.signal}), usage = session.contextUsage;
    stopping.abort();
    assert.ok(text && session.contextUsage === usage);
    for await (const chunk of session.promptStreaming('y')) if (chunk) break;         // cancelled
    await session.append('');
    session.destroy();
});

test('Explainer, aborting: the pair is removed; the next answer is a fresh session\'s, 250 times', async () => {
    let state = 5;
    const random = (n) => (state = (state * 1103515245 + 12345) % 2147483648) % n;
    const begin = async () => {
        const session = await Large.create(GREEDY);
        for (const input of ['One?', 'Two?']) await session.prompt(input, SHORT);
        return session;
    };
    let session = await begin();
    const usage = session.contextUsage, expected = await (await session.clone()).prompt('Next?', SHORT);
    let aborted = 0;
    for (let i = 0; i < 250; i++) {
        const stopping = new AbortController(), {signal} = stopping, way = random(4), after = random(3);
        const input = random(2) ? words(1 + random(6)) : [user('a'), assistant('b'), user('c')];
        const running = way === 0 ? session.prompt(input, {signal}) : way === 1
            ? read(session.promptStreaming(input, {signal}))
            : way === 2 ? session.append(words(6), {signal})
                : session.prompt(input, {signal, responseConstraint: SCHEMA});
        const outcome = running.then(() => 'done', (error) => error.name);
        if (after) await new Promise((resolve) => { setTimeout(resolve, random(12)); });
        stopping.abort();
        if (await outcome === 'AbortError') aborted++;
        else assert.ok(['done', 'SyntaxError'].includes(await outcome), await outcome);
        if (await outcome === 'done') {             // it was faster: another session takes its place
            session.destroy();
            session = await begin();
        }
        const clone = await session.clone();        // waits for what was aborted
        assert.equal(session.contextUsage, usage, `${i}: ${way}, ${after}`);
        assert.equal(await clone.prompt('Next?', SHORT), expected);
        clone.destroy();
    }
    assert.ok(aborted > 20, `${aborted}`);
    session.destroy();
});

const TOOLS = [{name: 'add', description: 'Adds.', inputSchema: {type: 'object',
    properties: {a: {type: 'integer', maximum: 99, minimum: 0}}, required: ['a']}}];
/** A class on a model that calls tools the first `rounds` times that it may. */
async function calling(rounds, options, isParallel = false) {
    const model = await Gemma.load(TINY, {contextLength: 512, threads: 1}),
        open = model.session.bind(model), asked = [];
    model.session = async (about) => {
        const session = await open(about), prompt = session.prompt.bind(session);
        session.prompt = (messages, more) => {
            asked.push({messages, toolChoice: more.toolChoice});
            const toolChoice = more.toolChoice === 'auto' && rounds-- > 0 ? 'required' : more.tools
                ? 'none' : undefined;
            return prompt(messages, {
                ...more, toolChoice, ...toolChoice === 'none' && {maxTokens: 6},
                ...more.tools && {parallelToolCalls: isParallel}, ...isParallel && {maxTokens: 90},
            });
        };
        return session;
    };
    return {Model: define({model, ...options}), asked, model};
}

test('Explainer, tool use: execute() gets all calls at once; the model gets the results', async () => {
    for (const [rounds, isParallel] of [[2, false], [1, true]]) await loop(rounds, isParallel);
});

async function loop(rounds, isParallel) {
    const {Model, asked, model} = await calling(rounds, {}, isParallel), got = [];
    const session = await Model.create({...GREEDY, tools: [{...TOOLS[0], async execute(...given) {
        got.push(given);
        return given[0].a + 1;      // made a text
    }}]});
    const text = await session.prompt('Add.');
    assert.equal(typeof text, 'string');
    assert.ok(got.length >= rounds && got.every(([{a}, ...more]) => Number.isInteger(a) && a >= 0 && a <= 99
        && !more.length));
    assert.equal(asked.length, rounds + 1);
    assert.deepEqual(asked.slice(1).flatMap(({messages}) => messages),
        got.map(([{a}]) => ({role: 'tool', name: 'add', content: `${a + 1}`})));
    const before = session.contextUsage;
    const shaped = await session.prompt('Go on.', SHORT);       // a constrained answer may call, too
    assert.match(shaped, SHORT.responseConstraint);
    assert.ok(session.contextUsage > before && asked.at(-1).toolChoice === 'auto');
    session.destroy();
    model.close();
}

test('Explainer, tool use: after so many rounds the model must answer', async () => {
    const {Model, asked, model} = await calling(99, {toolRounds: 2}),
        session = await Model.create({tools: [{...TOOLS[0], execute: async () => 'ok'}]});
    assert.equal(typeof await session.prompt('Add.'), 'string');
    assert.deepEqual(asked.map(({toolChoice}) => toolChoice), ['auto', 'auto', 'none']);
    model.close();
});

test('Tools: what execute() throws rejects the prompt, an abort ends it, and either leaves nothing',
    async () => {
    const {Model, model} = await calling(99), thrown = new Error('mine');
    let execute = async () => { throw thrown; };
    const session = await Model.create({
        ...GREEDY, tools: [{...TOOLS[0], execute: (...given) => execute(...given)}],
    });
    await rejects(session.prompt('Add.'), thrown);
    assert.equal(session.contextUsage, 0);
    const stopping = new AbortController();
    let calls = 0;
    execute = () => new Promise((resolve) => {
        if (++calls === 1) stopping.abort();
        else resolve('late');
    });
    await rejects(session.prompt('Add.', {signal: stopping.signal}), 'AbortError');
    await session.append([]);
    await rejects(session.prompt([system]), TypeError);
    assert.equal(session.contextUsage, await session.measureContextUsage([]));
    model.close();
});

test('a model that ends takes its sessions with it, and the next session gets a new one', async () => {
    const Model = define(), session = await Model.create();
    assert.equal(typeof await session.prompt('x', SHORT), 'string');
    const closing = await Gemma.load(TINY, {contextLength: 64, threads: 1}),
        other = await define({model: closing}).create();
    closing.close();
    await rejects(other.prompt('x'), 'InvalidStateError');
    session.destroy();
});
