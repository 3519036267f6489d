// Context without surprises: what happens where a conversation does not fit the context any more, what is
// counted before, what is read ahead, taken back and continued, and how many tokens each of these evaluates
// again. On a tiny model.

import assert from 'node:assert/strict';
import {join} from 'node:path';
import {after, before, test} from 'node:test';
import {Gemma, GemmaError} from '../../web/gemma.js';

const TINY = join(import.meta.dirname, '../golden/tiny-gemma3.gguf'), LENGTH = 160;
const ENDLESS = {1: -Infinity, 6: -Infinity};       // the end of a turn
const OPTIONS = {maxTokens: 5, sampling: {temperature: 0, logitBias: ENDLESS}};
const SYSTEM = {role: 'system', content: 'Be brief.'};
const user = (content) => ({role: 'user', content}), assistant = (content) => ({role: 'assistant', content});
/** A conversation of n exchanges. */
const talk = (n) => Array.from({length: n}, (_, i) => [user(`Question ${i}?`), assistant(`Answer ${i}.`)])
    .flat();
const words = (n) => 'the sea at night '.repeat(n);

let gemma, wide;
before(async () => { [gemma, wide] = await Promise.all([LENGTH, 512].map((contextLength) => Gemma.load(TINY,
    {contextLength}))); });
after(() => [gemma, wide].forEach((one) => one?.close()));

const ask = (session, prompt, options) => session.prompt(prompt, {...OPTIONS, ...options}).result;
/** What a session is, to see that nothing has changed. */
const known = ({messages, tokens, tokensLeft}) => ({messages, tokens, tokensLeft});

test('by default what does not fit is refused with numbers, and nothing changes', async () => {
    const session = await gemma.session({system: 'Be brief.', history: talk(3)}), was = known(session);
    const requested = session.tokens + await session.count(words(60));
    for (const wrong of [ask(session, words(60)), session.append([user(words(60))])]) {
        await assert.rejects(wrong, {
            constructor: GemmaError, code: 'context-full', requested, contextLength: LENGTH,
        });
        assert.deepEqual(known(session), was);
    }
    const raw = await gemma.tokenize(words(60), {bos: true});
    await assert.rejects(ask(session, words(60), {raw: true}), {
        code: 'context-full', requested: raw.length, contextLength: LENGTH,
    });
    await assert.rejects(gemma.embed([words(60)]), {
        code: 'context-full', requested: raw.length, contextLength: LENGTH,
    });
    await assert.rejects(ask(session, 'word '.repeat(1e6)), ({code, requested}) => code === 'context-full'
        && requested > LENGTH);
    assert.equal((await ask(session, 'Hi')).tokens.length, 5);
    await assert.rejects(gemma.session({overflow: 'never'}), {code: 'bad-argument'});
});

test('drop-oldest forgets as few of the oldest exchanges as it takes, never the system, and says what',
    async () => {
    for (const n of [1, 4, 9, 30]) {
        const all = [SYSTEM, ...talk(n)], prompt = words(8), told = [];
        const session = await gemma.session({
            history: all, overflow: 'drop-oldest', onOverflow: (overflow) => told.push(overflow),
        }), before = session.tokens;
        const {promptTokens, tokens, text} = await ask(session, prompt);
        const dropped = told.flatMap((one) => one.dropped), kept = [SYSTEM, ...all.slice(1 + dropped.length)];
        assert.deepEqual(dropped, all.slice(1, 1 + dropped.length));
        assert.equal(dropped.length % 2, 0);
        assert.deepEqual(session.messages, [...kept, user(prompt), assistant(text)]);
        assert.equal(session.tokens, promptTokens.length + tokens.length);
        // One exchange more would not fit.
        const length = async (messages) => gemma.count([...messages, user(prompt)]);
        assert.ok(promptTokens.length <= LENGTH
            && (dropped.length === 0 || await length([SYSTEM, ...all.slice(dropped.length - 1)]) > LENGTH));
        assert.equal(told.length, dropped.length ? 1 : 0);
        if (told.length) assert.equal(told[0].tokens, before - await gemma.count(kept));
        assert.equal(n > 1, told.length > 0);
        // It is the session that never had them.
        const other = await wide.session({history: kept}), again = await ask(other, prompt);
        assert.deepEqual([again.promptTokens, again.tokens], [promptTokens, tokens]);
    }
});

test('pinned messages stay, and what tools gave back goes with its call', async () => {
    const call = {role: 'assistant', content: '', toolCalls: [{name: 'now', arguments: {}}]},
        back = {role: 'tool', name: 'now', content: '7'};
    const pinned = [SYSTEM, user('Hi'), assistant('Ho.')], dropped = [];
    const history = [...pinned, user('Time?'), call, back, back, assistant('Seven.'), ...talk(3)];
    const session = await gemma.session({
        history, overflow: 'drop-oldest', pinned: 3, onOverflow: (one) => dropped.push(...one.dropped),
    });
    await ask(session, words(8));
    assert.deepEqual(dropped.slice(0, 5), history.slice(3, 8));
    assert.deepEqual(session.messages.slice(0, 3), pinned);
    // A result that is given back belongs to the exchange of its call, which is the newest.
    const calling = await gemma.session({
        history: [user('One?'), assistant('One.'), user('Time?'), call], overflow: 'drop-oldest',
        onOverflow: (one) => dropped.push(...one.dropped),
    });
    dropped.length = 0;
    await ask(calling, [{...back, content: words(6)}]);
    assert.deepEqual(dropped, [user('One?'), assistant('One.')]);
    assert.deepEqual(calling.messages.slice(0, 2), [user('Time?'), call]);
});

test('a shortened conversation keeps its tools; clones and restored sessions forget, too', async () => {
    const tools = [{name: 'now', description: 'The time.', parameters: {type: 'object', properties: {}}}],
        told = {first: 0, clone: 0, restored: 0};
    const overflow = 'drop-oldest', count = (name) => () => { told[name]++; },
        more = {tools, toolChoice: 'auto', maxTokens: 3};
    const model = await Gemma.load(TINY, {contextLength: 256});
    const session = await model.session({overflow, onOverflow: count('first')}),
        toldIn = async ({promptTokens}) => (await model.detokenize(promptTokens))
        .split('You can call tools').length - 1;
    assert.equal(await toldIn(await ask(session, 'One?', more)), 1);
    assert.equal(await toldIn(await ask(session, 'Two?', more)), 1);
    const [clone, bytes] = [await session.clone({onOverflow: count('clone')}), await session.save()];
    const restored = await model.restore(bytes, {overflow, onOverflow: count('restored')}),
        strict = await model.restore(bytes);
    for (const [name, one] of Object.entries({first: session, clone, restored})) {
        assert.equal(await toldIn(await ask(one, words(8), more)), 1, name);
        assert.equal(told[name], 1, name);
        assert.equal(one.messages.length, 2);
    }
    await assert.rejects(ask(strict, words(8), more), {code: 'context-full'});
    model.close();
});

test('what fits in no way is refused, and nothing is forgotten', async () => {
    const told = [],
        session = await gemma.session({
            history: [SYSTEM, ...talk(4)], overflow: 'drop-oldest', onOverflow: (one) => told.push(one),
        });
    const was = known(session), requested = session.tokens + await session.count(words(60));
    await assert.rejects(ask(session, words(60)), {code: 'context-full', requested, contextLength: LENGTH});
    await assert.rejects(session.append([user(words(60))]), {code: 'context-full', requested});
    assert.deepEqual([known(session), told], [was, []]);
    const pinned = await gemma.session({history: talk(9), overflow: 'drop-oldest', pinned: 18});
    await assert.rejects(ask(pinned, words(9)), {code: 'context-full'});
    assert.equal(pinned.messages.length, 18);
});

test('an answer that fills the context goes on, with what comes before it shorter', async () => {
    const told = [],
        session = await gemma.session({
            system: 'Be brief.', overflow: 'drop-oldest', onOverflow: (one) => told.push(...one.dropped),
        });
    for (let i = 0; i < 3; i++) await ask(session, `Question ${i}?`, {maxTokens: 12});
    const answer = session.prompt('Tell me all.', {...OPTIONS, maxTokens: LENGTH - 60});
    let text = '';
    for await (const piece of answer) text += piece;
    const {tokens, finishReason, ...result} = await answer.result;
    assert.deepEqual([tokens.length, finishReason, result.text], [LENGTH - 60, 'length', text]);
    assert.ok(told.length >= 2 && told[0].content === 'Question 0?');
    assert.deepEqual(session.messages.slice(-2), [user('Tell me all.'), assistant(text)]);
    assert.equal(session.messages[0].role, 'system');
    assert.ok(session.tokens <= LENGTH + 1);
    // A quarter of the context is freed at once, so that not every token reads what is left again.
    const chatty = [],
        busy = await gemma.session({
            history: talk(7), overflow: 'drop-oldest', onOverflow: (one) => chatty.push(one),
        });
    await ask(busy, 'Tell me all.', {maxTokens: 60});
    assert.ok(chatty.length === 2 && chatty[1].tokens >= LENGTH / 4,
        JSON.stringify(chatty.map((one) => one.tokens)));
    // With nothing left to forget the answer ends as ever.
    const alone = await gemma.session({overflow: 'drop-oldest'});
    assert.equal((await ask(alone, 'Tell me all.', {maxTokens: undefined})).finishReason, 'context');
});

test('a constrained answer stays constrained while older ones are forgotten', async () => {
    const constraint = {regex: '([a-z]{7}-){12}done'};
    for (let seed = 0; seed < 4; seed++) {
        const told = [],
            session = await gemma.session({
                history: talk(5), overflow: 'drop-oldest', onOverflow: (one) => told.push(one),
            });
        const {text, constraint: how} = await ask(session, 'Say it.',
            {constraint, maxTokens: undefined, sampling: {temperature: 1, seed, logitBias: ENDLESS}});
        assert.match(text, /^([a-z]{7}-){12}done$/);
        assert.ok(how === 'complete' && told.length > 0);
    }
});

/** How many tokens two sequences begin with alike. */
const common = (a, b) => a.findIndex((id, i) => id !== b[i]) >>> 0;
/** What is evaluated after an answer: all but its last token, after which nothing was asked. */
const evaluated = ({promptTokens, tokens}) => [...promptTokens, ...tokens.slice(0, -1)];
/**
 * How many tokens of an answer's prompt need no evaluation after those: the last one always does, for
 * what comes next.
 */
const reused = (had, {promptTokens}) => Math.min(common(promptTokens, had), promptTokens.length - 1);

test('no token is evaluated twice: over turns, edits, branches, restored and shortened sessions', async () => {
    const session = await wide.session({system: 'Be brief.'});
    let had = [];
    const check = async (one, prompt, least) => {
        const answer = await ask(one, prompt);
        assert.equal(answer.cachedTokens, reused(had, answer));
        assert.equal(answer.timings.prefillTokens, answer.promptTokens.length - answer.cachedTokens);
        assert.ok(answer.cachedTokens >= least,
            `${answer.cachedTokens} of ${answer.promptTokens.length}, ${least} are expected`);
        had = evaluated(answer);
        return answer;
    };
    await check(session, 'One?', 0);
    const second = await check(session, 'Two?', session.tokens - 1), clone = await session.clone(), two = had;
    await check(clone, 'Three?', session.tokens - 1);
    had = two;
    await check(session, 'Three?', session.tokens - 1);
    await session.rewind(5);            // edited
    await check(session, 'Three, again?', session.tokens);
    await session.rewind(4);            // once more
    const again = await check(session, [], second.promptTokens.length - 1);
    assert.deepEqual([again.promptTokens, again.tokens], [second.promptTokens, second.tokens]);
    const before = session.tokens, read = await session.append([user('Read this first.')]),
        ahead = session.tokens;
    assert.equal(read.cachedTokens, before - 1);
    const after = await ask(session, 'Well?');
    // a turn's end and the next one's beginning
    assert.ok(after.cachedTokens >= ahead - 5 && after.cachedTokens < ahead,
        `${after.cachedTokens} of ${ahead}`);
    const restored = await wide.restore(await session.save()), there = await ask(restored, 'Next?'),
        here = await ask(session, 'Next?');
    assert.deepEqual(there.promptTokens, here.promptTokens);
    assert.ok(here.cachedTokens === after.promptTokens.length + 4
        && there.cachedTokens > here.cachedTokens - 64);
    const full = await gemma.session({history: [SYSTEM, ...talk(5)], overflow: 'drop-oldest'});
    had = [];
    for (let i = 0; i < 6; i++) await check(full, words(2), 0);
});

test('what is appended is asked with the next prompt, as if both had come at once', async () => {
    const [one, other] = [
        await wide.session({system: 'Be brief.'}), await wide.session({system: 'Be brief.'}),
    ];
    await ask(one, 'Hi');
    await ask(other, 'Hi');
    const before = one.tokens, {cachedTokens} = await one.append([user('Read this.')]);
    assert.ok(one.tokens > before && cachedTokens > 0);
    assert.deepEqual(one.messages.at(-1), user('Read this.'));
    await one.append([assistant('I have.'), user('And this.')]);
    const [a, b] = [
        await ask(one, 'Well?'),
        await ask(other, [user('Read this.'), assistant('I have.'), user('And this.'), user('Well?')]),
    ];
    assert.deepEqual([a.promptTokens, a.tokens, one.messages], [b.promptTokens, b.tokens, other.messages]);
    const saved = await one.append([user('Kept?')]).then(() => one.save()),
        restored = await wide.restore(saved);
    assert.deepEqual([restored.messages, restored.tokens], [one.messages, one.tokens]);
    assert.deepEqual((await ask(restored, [])).tokens, (await ask(one, [])).tokens);
    await assert.rejects(one.append('text'), {code: 'bad-argument'});
    await assert.rejects(one.append([{role: 'user'}]), {code: 'bad-argument'});
});

test('an append that is aborted leaves the conversation as it was, and the next answer', async () => {
    const session = await wide.session({history: talk(2)}), fresh = await wide.session({history: talk(2)}),
        expected = (await ask(fresh, 'Hi')).tokens, was = known(session);
    for (const at of ['before', 'while', 'waiting']) {
        const stopping = new AbortController(), reason = new Error(at),
            other = at === 'waiting' ? ask(await session.clone(), words(20)) : undefined;
        if (at === 'before') stopping.abort(reason);
        const onProgress = at === 'while' ? () => stopping.abort(reason) : undefined,
            appending = session.append([user(words(40))], {signal: stopping.signal, onProgress});
        if (at === 'waiting') stopping.abort(reason);
        // What has been read already when the signal comes is appended.
        const outcome = await appending.catch((error) => error);
        if (outcome !== reason) await session.rewind(was.messages.length);
        assert.ok(outcome === reason || at === 'while' && outcome.cachedTokens >= 0, at);
        await other;
        assert.deepEqual(known(session), was);
    }
    assert.deepEqual((await ask(session, 'Hi')).tokens, expected);
});

test('what a prompt will have is counted exactly, and nothing is evaluated', async () => {
    const tools = [{name: 'now', description: 'The time.', parameters: {type: 'object', properties: {}}}];
    for (const history of [[], [SYSTEM], [SYSTEM, ...talk(2)]]) {
        for (const prompt of ['Hi', [user('Hi'), assistant('Ho. '), user('Hm?')],
            [user('Hi'), assistant('So ')]]) {
            for (const more of [{}, {tools}]) {
                const session = await wide.session({history});
                for (let i = 0; i < 2; i++) {
                    const before = session.tokens, counted = await session.count(prompt, more);
                    const {promptTokens} = await ask(session, prompt, {...more, maxTokens: 3});
                    assert.equal(before + counted, promptTokens.length);
                    if (!i && !history.length)
                        assert.equal(await wide.count(prompt, more), promptTokens.length);
                }
            }
        }
    }
    await assert.rejects(wide.count(5), {code: 'bad-argument'});
    await assert.rejects(wide.count('Hi', {tool: []}), {code: 'bad-argument'});
});

test('an answer continues the assistant\'s last message as it stands, and becomes one message with it',
    async () => {
    const session = await wide.session(), begin = '```toml\n',
        {promptTokens, text} = await ask(session, [user('A sheet'), assistant(begin)]);
    assert.ok((await wide.detokenize(promptTokens)).endsWith(`<start_of_turn>model\n${begin}`));
    assert.deepEqual(session.messages, [user('A sheet'), assistant(begin + text)]);
    const history = [user('Hi'), assistant('Ho')], other = await wide.session({history}),
        more = await ask(other, []);
    assert.deepEqual(other.messages, [user('Hi'), assistant(`Ho${more.text}`)]);
    // An empty one begins a new turn.
    const another = await wide.session(), third = await ask(another, [...history, assistant('')]);
    assert.ok((await wide.detokenize(third.promptTokens))
        .endsWith('model\nHo<end_of_turn>\n<start_of_turn>model\n'));
    assert.deepEqual(another.messages, [...history, assistant(third.text)]);
});

test('a constraint says what the continued message is from its beginning', async () => {
    const schema = {
        type: 'object', properties: {stars: {type: 'integer', minimum: 1, maximum: 5}}, required: ['stars'],
        additionalProperties: false,
    };
    for (const [begin, constraint] of [['{"stars": ', {schema}], ['{ "st', {schema, whitespace: 'free'}],
        ['Dear ', {regex: 'Dear [A-Z][a-z]{2,5}\\.'}], ['', {schema}]]) {
        for (let seed = 0; seed < 5; seed++) {
            const session = await wide.session(),
                asked = {constraint, maxTokens: 200, sampling: {temperature: 0.7, seed}};
            const {text, constraint: how} = await ask(session, [user('Well?'), assistant(begin)], asked),
                whole = begin + text;
            if (how === 'cut') continue;     // white space without end
            if (constraint.schema) assert.ok(JSON.parse(whole).stars >= 1);
            else assert.match(whole, /^Dear [A-Z][a-z]{2,5}\.$/);
        }
    }
    // Also where the session itself has written it, piece by piece, and after it was saved.
    const list = {type: 'array', items: {type: 'integer', minimum: 0, maximum: 9}, minItems: 12, maxItems: 12};
    const transcript = await Gemma.load(join(import.meta.dirname, '../golden/tiny-gemma2.gguf'),
        {contextLength: 512});
    for (const each of [wide, transcript]) {
        for (const isSaved of [false, true]) {
            let session = await each.session(), text = '', how = 'cut';
            for (let i = 0; i < 60 && how === 'cut'; i++) {
                const answer = await ask(session, i ? [] : [user('Well?')],
                    {constraint: {schema: list}, maxTokens: 3, sampling: {temperature: 1, seed: i}});
                text += answer.text;
                how = answer.constraint;
                if (isSaved) session = await each.restore(await session.save());
            }
            assert.deepEqual([how, JSON.parse(text).length, session.messages.length], ['complete', 12, 2]);
            assert.equal(session.messages[1].content, text);
        }
    }
    transcript.close();
    const session = await wide.session(), was = known(session);
    await assert.rejects(ask(session, [user('Well?'), assistant('No')], {constraint: {schema}}),
        {code: 'bad-constraint'});
    assert.deepEqual(known(session), was);
    assert.equal((await ask(session, 'Hi')).tokens.length, 5);
});

test('rewound to any message, the session is as one that never went on', async () => {
    const session = await wide.session({system: 'Be brief.'}), states = [known(session)], answers = [];
    for (const prompt of ['One?', [user('Two'), user('and a half?')], 'Three?']) {
        answers.push(await ask(session, prompt));
        states.push(known(session));
    }
    const clone = await session.clone();
    for (const [i, prompt] of [[2, 'Three?'], [0, 'One?']]) {
        await session.rewind(states[i].messages.length);
        assert.deepEqual(known(session), states[i]);
        const {promptTokens, tokens} = await ask(session, prompt);
        assert.deepEqual([promptTokens, tokens], [answers[i].promptTokens, answers[i].tokens]);
    }
    assert.deepEqual(known(clone), states[3]);
    await session.rewind(99);
    await assert.rejects(session.rewind(-1), {code: 'bad-argument'});
    await session.rewind(0);
    assert.deepEqual([session.messages, session.tokens], [[], 0]);
});

/** Numbers that look random, the same in each run. */
function createRandom(seed) {
    let state = seed;
    return (n) => {
        state = (state * 1103515245 + 12345) % 2147483648;
        return Math.floor(state / 2147483648 * n);
    };
}

test('200 random steps with aborts: each answer is a new engine\'s, and the messages are right', async () => {
    const random = createRandom(11), told = [],
        begin = () => gemma.session({
            history: [SYSTEM, user('Hi'), assistant('Ho.')], overflow: 'drop-oldest', pinned: 3,
            onOverflow: (one) => told.push(one),
        });
    let session = await begin(), said = session.messages, compared = 0, dropped = 0;
    /** The oldest ones after those that are pinned are gone. */
    const without = (messages) => {
        const gone = told.flatMap((one) => one.dropped);
        assert.deepEqual(messages.slice(3, 3 + gone.length), gone);
        return messages.toSpliced(3, gone.length);
    };
    for (let step = 0; step < 200; step++) {
        told.length = 0;
        const way = random(8), text = words(random(5)) + step, stopping = new AbortController(),
            {signal} = stopping, seed = random(1e6);
        if (way === 0) session = await session.clone();
        else if (way === 1) await session.rewind(3 + random(session.messages.length))
            .then(() => { said = session.messages; });
        else if (way === 2) {
            const before = said, appending = session.append([user(text)], {signal});
            if (random(2)) stopping.abort();
            const isThere = await appending.then(() => true, ({name}) => assert.equal(name, 'AbortError'));
            said = [...without(before), ...isThere ? [user(text)] : []];
        } else {
            const stops = way === 3, sampling = {temperature: 1, seed, logitBias: ENDLESS},
                answer = session.prompt(text, {maxTokens: random(20), sampling, signal});
            if (stops) setTimeout(() => stopping.abort(), random(8));
            const {tokens, promptTokens, finishReason, text: got} = await answer.result,
                whole = promptTokens.length + tokens.length <= LENGTH;
            if (whole && tokens.length) {
                const {tokens: expected} = await ask(await wide.session(), promptTokens,
                    {raw: true, maxTokens: tokens.length, sampling});
                assert.deepEqual(tokens, expected, `step ${step}`);
                compared++;
            }
            dropped += told.flatMap((one) => one.dropped).length;
            said = [
                ...without(said),
                ...finishReason === 'abort' && !tokens.length ? [] : [user(text), assistant(got)],
            ];
        }
        assert.deepEqual(session.messages, said, `step ${step}, ${way}`);
        assert.ok(session.tokens <= LENGTH + 1 && session.messages[0].role === 'system');
    }
    assert.ok(compared > 50 && dropped > 20, `${compared}, ${dropped}`);
});

test('all that holds in a plain-text transcript, too, and for chat styles without a system turn', async () => {
    for (const name of ['tiny-gemma1', 'tiny-gemma2', 'tiny-low-bits']) {
        const [small, large] = await Promise.all([96, 512].map((contextLength) =>
            Gemma.load(join(import.meta.dirname, `../golden/${name}.gguf`), {contextLength, threads: 1})));
        const all = [SYSTEM, ...talk(8)], gone = [],
            session = await small.session({
                history: all, overflow: 'drop-oldest', onOverflow: (one) => gone.push(...one.dropped),
            });
        const {promptTokens, tokens} = await ask(session, 'Well?'),
            other = await large.session({history: [SYSTEM, ...all.slice(1 + gone.length)]});
        const again = await ask(other, 'Well?');
        assert.ok(gone.length > 0 && gone.length % 2 === 0, name);
        assert.deepEqual([again.promptTokens, again.tokens, session.messages],
            [promptTokens, tokens, other.messages]);
        assert.equal((await small.session({history: all, overflow: 'drop-oldest'})
            .then((one) => ask(one, 'Well?', {maxTokens: 50}))).tokens.length, 50);
        const [one, two] = [await large.session(), await large.session()],
            before = await one.count('Read this.');
        await one.append([user('Read this.')]);
        assert.equal(one.tokens, before);
        const [a, b] = [
            await ask(one, [user('And?'), assistant('I ')]),
            await ask(two, [user('Read this.'), user('And?'), assistant('I ')]),
        ];
        assert.deepEqual([a.promptTokens, a.tokens, one.messages], [b.promptTokens, b.tokens, two.messages]);
        assert.match(await large.detokenize(a.promptTokens), /[\n ]I $/);
        await one.rewind(2);
        assert.deepEqual((await ask(one, [assistant('I ')])).tokens, a.tokens);
        const {text, constraint} = await ask(one, [user('Say it.'), assistant('It is ')],
            {constraint: {regex: 'It is [a-z]{3,9}\\.'}, maxTokens: 20});
        assert.ok(/^[a-z]{3,9}\.$/.test(text) && constraint === 'complete', text);
        [small, large].forEach((each) => each.close());
    }
});
