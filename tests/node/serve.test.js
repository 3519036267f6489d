// OpenAI's API over HTTP: addresses, errors, who may call, limits, and clients that go away. The model is
// tiny and random.

import assert from 'node:assert/strict';
import {createServer, request} from 'node:http';
import {connect} from 'node:net';
import {join} from 'node:path';
import {after, before, test} from 'node:test';
import {Api} from '../../web/node/http/api.js';
import {ServedModel} from '../../web/node/http/model.js';
import {probeHalfClosed} from '../../web/node/http/reply.js';
import {serve as servePackage} from '../../web/node/index.js';
import {serve} from '../../web/node/server.js';

const MODEL = join(import.meta.dirname, '../golden/tiny-gemma3.gguf'),
    ENGINE = {threads: 1, contextLength: 512};
const ENDLESS = {1: -100, 6: -100, 106: -100};
const CHAT = {model: 'gpt-5', messages: [{role: 'developer', content: 'You are a helpful assistant.'},
    {role: 'user', content: 'Hello!'}], max_tokens: 6, seed: 1};

const start = (options) =>
    serve({port: 0, api: new Api({path: async () => MODEL, engine: ENGINE, ...options})});
let server;
before(async () => { server = await start({}); });
after(() => server.close());

const ask = (path, body, {to = server, headers = {}, method = body === undefined ? 'GET' : 'POST',
    signal} = {}) => fetch(new URL(path, to.url), {
    method, headers: {'Content-Type': 'application/json', ...headers}, signal, body: body === undefined
        || typeof body === 'string' ? body : JSON.stringify(body),
});
const json = async (...asked) => {
    const response = await ask(...asked);
    return {status: response.status, headers: response.headers, body: await response.json()};
};

/** Events of a stream, read to its end. */
const eventsOf = async (response) => (await response.text()).split('\n\n')
    .filter((line) => line.startsWith('data: ')).map((line) => line.slice(6));

test('the examples of OpenAI\'s documentation are answered in its shape', async () => {
    const {status, body, headers} = await json('v1/chat/completions', CHAT);
    assert.equal(status, 200);
    assert.match(headers.get('Content-Type'), /^application\/json/);
    assert.match(headers.get('X-Request-Id'), /^req_/);
    assert.deepEqual([body.object, body.model, body.choices[0].message.role, body.choices.length],
        ['chat.completion', 'tiny-gemma3', 'assistant', 1]);
    const response = await ask('v1/chat/completions',
        {...CHAT, stream: true, stream_options: {include_usage: true}});
    assert.match(response.headers.get('Content-Type'), /^text\/event-stream/);
    const events = await eventsOf(response), chunks = events.slice(0, -1).map((event) => JSON.parse(event));
    assert.equal(events.at(-1), '[DONE]');
    assert.equal(chunks.map(({choices}) => choices[0]?.delta.content ?? '').join(''),
        body.choices[0].message.content);
    assert.equal(chunks.at(-1).usage.completion_tokens, body.usage.completion_tokens);
    const tools = [{type: 'function', function: {name: 'get_current_weather',
        description: 'Get the current weather in a given location', parameters: {
        type: 'object', properties: {location: {enum: ['Boston, MA']},
            unit: {type: 'string', enum: ['celsius', 'fahrenheit']}}, required: ['location']}}}];
    const called = await json('v1/chat/completions',
        {...CHAT, max_tokens: 300, tools, tool_choice: 'required'});
    assert.equal(called.body.choices[0].message.tool_calls[0].function.name, 'get_current_weather');
    const completion = await json('v1/completions',
        {model: 'gpt-3.5-turbo-instruct', prompt: 'Say this is a test', max_tokens: 7, temperature: 0});
    assert.deepEqual([completion.body.object, completion.body.choices[0].logprobs],
        ['text_completion', null]);
    const embedding = await json('v1/embeddings', {
        input: 'The food was delicious and the waiter...', model: 'text-embedding-3-small',
        encoding_format: 'float',
    });
    assert.deepEqual([embedding.body.object, embedding.body.data[0].embedding.length], ['list', 128]);
    const models = await json('v1/models'), one = await json('v1/models/tiny-gemma3');
    assert.deepEqual([models.body.object, models.body.data], ['list', [one.body]]);
});

test('the page is served as before, and health tells without the model', async () => {
    assert.match(await (await ask('')).text(), /<!doctype html>/);
    assert.deepEqual((await json('health')).body, {status: 'ok'});
    assert.equal((await ask('gemma.js')).status, 200);
});

test('the base URL lists the addresses, and what is not there says where to look', async () => {
    const lazy = await start({path: () => assert.fail('the model is not needed')});
    try {
        for (const path of ['v1', 'v1/']) {
            const {status, body} = await json(path, undefined, {to: lazy});
            assert.equal(status, 200);
            assert.ok(body.addresses.includes('POST /v1/chat/completions'));
            assert.ok(body.addresses.includes('GET /v1/models/{id}'));
        }
        const wrong = await json('v1', {}, {to: lazy});
        assert.deepEqual([wrong.status, wrong.headers.get('Allow')], [405, 'GET']);
        const responses = await json('v1/responses', {model: 'gpt-5', input: 'Hello'}, {to: lazy});
        assert.deepEqual([responses.status, responses.body.error.code], [404, 'unknown_url']);
        assert.match(responses.body.error.message, /\/v1\/chat\/completions/);
    } finally {
        await lazy.close();
    }
});

for (const [name, status, asked, param] of [
    ['a wrong value', 400, ['v1/chat/completions', {...CHAT, temperature: 3}], 'temperature'],
    ['a missing field', 400, ['v1/chat/completions', {}], 'messages'],
    [
        'a wrong value, streamed', 400, ['v1/chat/completions', {...CHAT, temperature: 3, stream: true}],
        'temperature',
    ],
    [
        'a prompt that is too long, streamed', 400,
        ['v1/completions', {prompt: 'sea '.repeat(3000), stream: true}], 'prompt',
    ],
    ['no JSON', 400, ['v1/chat/completions', '{"messages": ['], null],
    ['no object', 400, ['v1/completions', '[]'], null],
    ['bytes that are no UTF-8', 400, ['v1/completions', '{"prompt": "\ud800"'], null],
    ['an unknown model', 404, ['v1/models/other'], 'model'],
    ['an unknown address', 404, ['v1/files'], null], ['an unknown address, posted', 404,
        ['v1/images/generations', {}], null],
    ['the wrong method', 405, ['v1/chat/completions'], null],
    ['the wrong method, posted', 405, ['v1/models', {}], null],
    [
        'a compressed body', 415, ['v1/completions', {prompt: 'x'}, {headers: {'Content-Encoding': 'gzip'}}],
        null,
    ],
    [
        'arguments of 20,000 levels', 400, ['v1/chat/completions', {messages: [CHAT.messages[1], {
            role: 'assistant', tool_calls: [{id: 'a', type: 'function', function: {name: 'f',
                arguments: `${'{"a":'.repeat(20000)}1${'}'.repeat(20000)}`}}]}]}],
        'messages',
    ],
    [
        'a schema of 20,000 levels as text', 400, ['v1/chat/completions', {...CHAT, response_format: {
            type: 'json_object', schema: `${'{"not":'.repeat(20000)}{}${'}'.repeat(20000)}`}}],
        'response_format.schema',
    ],
    ['tokens that are none', 400, ['detokenize', {tokens: [-1]}], 'tokens'],
    ['a text that is none', 400, ['tokenize', {prompt: 5}], 'prompt'],
    ['a text whose tokens others would wait for', 400, ['tokenize', {prompt: 'a'.repeat(2 ** 20 + 1)}], 'prompt'],
    ['a text that no context holds', 400, ['v1/embeddings', {input: 'a'.repeat(2 ** 22)}], 'input'],
    ['a base URL without /v1', 404, ['chat/completions', {}], null],
]) {
    test(`refused with ${status} in OpenAI's form: ${name}`, async () => {
        const {status: got, body, headers} = await json(...asked);
        assert.equal(got, status);
        assert.deepEqual([body.error.type, body.error.param], ['invalid_request_error', param]);
        assert.ok(typeof body.error.message === 'string' && typeof body.error.code === 'string');
        if (status === 405) assert.ok(headers.get('Allow'));
    });
}

test('seeds of 64 bits, and bodies that say they are not compressed', async () => {
    for (const seed of [2 ** 63 - 1, -(2 ** 63), 2 ** 53]) {
        const asked = {...CHAT, seed, n: 2, temperature: 1},
            {status, body} = await json('v1/chat/completions', asked, {headers: {'Content-Encoding': 'Identity'}});
        assert.equal(status, 200);
        assert.deepEqual((await json('v1/chat/completions', asked)).body.choices, body.choices);
        assert.notEqual(body.choices[0].message.content, body.choices[1].message.content);
    }
});

/** What comes back for bytes that no client of Node's would write. */
async function answerTo(text) {
    const socket = connect(server.port, '127.0.0.1');
    socket.end(text);
    let answer = '';
    for await (const piece of socket) answer += piece;
    return answer;
}

test('a request may name the whole address, and a client of HTTP/1.0 may close its side', async () => {
    assert.match(await answerTo('GET http://localhost/v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'),
        /^HTTP\/1\.1 200 OK[^]*tiny-gemma3/);
    const body = JSON.stringify(CHAT);
    assert.match(await answerTo(`POST /v1/chat/completions HTTP/1.0\r\nHost: localhost\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`),
        /^HTTP\/1\.1 200 OK[^]*"completion_tokens":/);
});

test('tokens for evaluation harnesses', async () => {
    assert.deepEqual((await json('tokenizer_info')).body.bos_token, '<bos>');
    const {eos_token: eos, pad_token: pad, chat_template: template} = (await json('tokenizer_info')).body;
    assert.deepEqual([eos, pad], ['<eos>', null]);
    assert.match(template, /start_of_turn/);
    assert.deepEqual((await json('tokenize', {prompt: '<bos>', add_special_tokens: false})).body.tokens, [2]);
    const {tokens, count} = (await json('tokenize', {prompt: 'The sea', add_special_tokens: false})).body;
    assert.equal(count, tokens.length);
    assert.deepEqual((await json('tokenize', {prompt: 'The sea'})).body.tokens, [2, ...tokens]);
    assert.equal((await json('detokenize', {tokens})).body.prompt, 'The sea');
    // As lm-evaluation-harness asks: the likelihood of a continuation.
    const {choices: [{logprobs}]} = (await json('v1/completions',
        {prompt: [tokens], temperature: 0, max_tokens: 1, logprobs: 1, seed: 1234, echo: true})).body;
    assert.equal(logprobs.token_logprobs.length, tokens.length + 1);
    const greedy = logprobs.token_logprobs.map((one, i) =>
        one === Math.max(...Object.values(logprobs.top_logprobs[i])));
    assert.equal(greedy.at(-1), true);
    assert.ok(logprobs.token_logprobs.every((one) => one <= 0));
});

test('pages of this machine may call, others only if they are named, or with the key', async () => {
    const preflight = (origin, to) => ask('v1/chat/completions', undefined, {to, method: 'OPTIONS', headers: {
        Origin: origin, 'Access-Control-Request-Method': 'POST',
        'Access-Control-Request-Headers': 'authorization,x-stainless-os'}});
    for (const origin of ['http://localhost:5173', 'http://127.0.0.1:3000', 'https://app.localhost',
        'http://[::1]:80']) {
        const {status, headers} = await preflight(origin);
        assert.deepEqual(
            [status, headers.get('Access-Control-Allow-Origin'), headers.get('Access-Control-Allow-Headers')],
            [204, origin, 'authorization,x-stainless-os']);
        assert.match(headers.get('Access-Control-Allow-Methods'), /POST/);
        assert.equal((await ask('v1/models', undefined, {headers: {Origin: origin}}))
            .headers.get('Access-Control-Allow-Origin'), origin);
    }
    for (const origin of ['https://evil.example', 'http://localhost.evil.example', 'null',
        'http://127.0.0.1.evil.example']) {
        const response = await ask('v1/chat/completions', CHAT, {headers: {Origin: origin}});
        assert.deepEqual([response.status, response.headers.get('Access-Control-Allow-Origin')], [403, null]);
        assert.equal((await preflight(origin)).status, 403);
    }
    assert.equal((await ask('v1/models', undefined, {headers: {'Sec-Fetch-Site': 'cross-site'}}))
        .status, 403);
    assert.equal((await ask('v1/models', undefined, {headers: {'Sec-Fetch-Site': 'none'}})).status, 200);
    const named = await start({origins: ['https://app.example']}), keyed = await start({apiKey: 'key'}),
        open = await start({origins: ['*']});
    assert.deepEqual([(await preflight('https://app.example', named)).status,
        (await preflight('https://evil.example', named)).status], [204, 403]);
    assert.deepEqual([(await preflight('https://any.example', open)).status,
        (await preflight('https://any.example', keyed)).status], [204, 204]);
    await Promise.all([named, keyed, open].map((one) => one.close()));
});

test('a server of another name is not called: DNS rebinding', async () => {
    const [status, body] = await new Promise((resolve, reject) => request(new URL('v1/models', server.url),
        {headers: {Host: 'evil.example'}}, async (response) => {
        resolve([response.statusCode, Buffer.concat(await response.toArray())]);
    }).on('error', reject).end());
    assert.deepEqual([status, JSON.parse(body).error.code], [403, 'host_not_allowed']);
});

test('with a key, only who sends it is answered; health is for everyone', async () => {
    const keyed = await start({apiKey: 'a key'});
    for (const [headers, status] of [[{}, 401], [{Authorization: 'Bearer other'}, 401],
        [{Authorization: 'a key'}, 401], [{Authorization: 'Bearer a key'}, 200]]) {
        for (const path of ['v1/models', 'tokenizer_info']) {
            const {status: got, body, headers: given} = await json(path, undefined, {to: keyed, headers});
            assert.equal(got, status);
            if (status === 401) assert.deepEqual([body.error.code, given.get('WWW-Authenticate')],
                ['invalid_api_key', 'Bearer']);
        }
    }
    assert.equal((await ask('health', undefined, {to: keyed})).status, 200);
    await keyed.close();
});

test('a body that is too long is refused, said beforehand or not', async () => {
    const small = await start({maxBody: 1000});
    assert.equal((await json('v1/completions', {prompt: 'x'.repeat(2000)}, {to: small})).status, 413);
    const status = await new Promise((resolve, reject) => {
        const asked = request(new URL('v1/completions', small.url),
            {method: 'POST', headers: {'Transfer-Encoding': 'chunked'}},
            (response) => resolve(response.statusCode));
        asked.on('error', reject);
        asked.write('x'.repeat(2000));
    });
    assert.equal(status, 413);
    assert.equal((await ask('v1/completions', {prompt: 'x', max_tokens: 1}, {to: small})).status, 200);
    await small.close();
});

test('a client that writes all before it reads gets the refusal of what it writes',
    {timeout: 60000}, async () => {
    const small = await start({maxBody: 1000, apiKey: 'key'}),
        part = Buffer.alloc(64 * 1024, 'x'), parts = 200;
    const asked = [
        ['Authorization: Bearer key', `Content-Length: ${parts * part.length}`, 413],
        ['Authorization: Bearer key', 'Transfer-Encoding: chunked', 413],
        ['Authorization: none', `Content-Length: ${parts * part.length}`, 401],
    ];
    for (const [authorization, length, status] of asked) {
        const socket = connect({port: small.port, host: '127.0.0.1', allowHalfOpen: true}),
            write = (bytes) => new Promise((done, fail) => {
            socket.write(bytes, (error) => error ? fail(error) : done());
        });
        socket.pause();
        await write(`POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${authorization}\r\n${length}\r\n\r\n`);
        for (let i = 0; i < parts; i++)
            await write(length.includes('chunked')
                ? Buffer.concat([Buffer.from('10000\r\n'), part, Buffer.from('\r\n')]) : part);
        if (length.includes('chunked')) await write('0\r\n\r\n');
        let text = '';
        for await (const bytes of socket) text += bytes;
        assert.ok(text.startsWith(`HTTP/1.1 ${status} `) && /\r\nConnection: close\r\n/i.test(text),
            text.slice(0, 200));
        assert.equal(JSON.parse(text.slice(text.indexOf('\r\n\r\n'))).error.type, 'invalid_request_error');
    }
    await small.close();
});

test('a model that can\'t be loaded is 503, and the next request tries again', async () => {
    let n = 0;
    const late = await serve({
        port: 0, api: new Api({path: async () => n++ ? MODEL : join(MODEL, 'none'), engine: ENGINE}),
    });
    const {status, body, headers} = await json('v1/models', undefined, {to: late});
    assert.deepEqual([status, body.error.type, headers.get('Retry-After')], [503, 'server_error', '5']);
    assert.equal((await json('v1/models', undefined, {to: late})).status, 200);
    await late.close();
});

test('an engine that has ended is loaded again by the next request', async () => {
    const model = new ServedModel({path: async () => MODEL, engine: ENGINE}), first = await model.get();
    first.gemma.close();
    const error = await first.client.chat.completions.create(CHAT).catch((thrown) => thrown);
    assert.deepEqual([error.status, error.code], [503, 'model_closed']);
    assert.equal(model.endedBy(error, first), true);
    const second = await model.get();
    assert.notEqual(second, first);
    assert.equal((await second.client.chat.completions.create(CHAT)).choices.length, 1);
    assert.equal(model.endedBy(await second.client.chat.completions.create({}).catch((thrown) => thrown),
        second), false);
    assert.equal(model.endedBy(error, first), true, 'who hears late that the first has ended');
    assert.equal(await model.get(), second);
    model.close();
});

test('requests beyond the queue get 429 and are told when to come again; others are answered', async () => {
    const narrow = await start({parallel: 2, queue: 3});
    await json('v1/models', undefined, {to: narrow});
    const all = await Promise.all(Array.from({length: 12}, (_, i) => json('v1/chat/completions',
        {...CHAT, max_tokens: 60, seed: i, logit_bias: ENDLESS}, {to: narrow})));
    const by = (status) => all.filter((one) => one.status === status);
    assert.deepEqual([by(200).length, by(429).length], [5, 7]);
    for (const {headers, body} of by(429)) {
        assert.ok(Number(headers.get('Retry-After')) >= 1);
        assert.equal(body.error.code, 'rate_limit_exceeded');
    }
    await narrow.close();
});

test('50 clients at once, half of them killed: the next answers are right', {timeout: 300000}, async () => {
    const wide = await start({parallel: 8, queue: 50});
    const expected = (await json('v1/chat/completions', CHAT, {to: wide})).body.choices;
    for (let round = 0; round < 2; round++) {
        await Promise.all(Array.from({length: 50}, async (_, i) => {
            const body = {
                ...CHAT, messages: [{role: 'user', content: `${i} says hello`}], max_tokens: 20 + i, seed: i,
                logit_bias: ENDLESS, stream: i % 3 > 0, n: 1 + i % 2,
            };
            const abort = new AbortController(), isKilled = i % 2 === 0;
            if (isKilled) setTimeout(() => abort.abort(), (i * 37 + round * 11) % 400);
            try {
                const response = await ask('v1/chat/completions', body, {to: wide, signal: abort.signal}),
                    text = await response.text();
                if (isKilled) return;
                assert.equal(response.status, 200);
                if (i % 3) assert.ok(text.endsWith('data: [DONE]\n\n'));
                else assert.equal(JSON.parse(text).choices.length, 1 + i % 2);
            } catch (error) {
                assert.equal(error.name, 'AbortError');
            }
        }));
        // As many as may be there at once: if one were still counted, another would be refused.
        const all = await Promise.all(Array.from({length: 58},
            () => json('v1/chat/completions', {...CHAT, max_tokens: 6}, {to: wide})));
        for (const {status, body} of all) assert.deepEqual([status, body.choices], [200, expected]);
    }
    await wide.close();
});

test('a client that goes away ends its answer, whether it reads or not', async () => {
    const one = await start({parallel: 1, queue: 0});
    await json('v1/models', undefined, {to: one});
    for (const stream of [true, false]) {
        const socket = connect(one.port, '127.0.0.1'),
            body = JSON.stringify({...CHAT, max_tokens: 450, logit_bias: ENDLESS, stream, n: 4});
        socket.write(`POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
        socket.destroy();
        const {usage} = await untilAnswered(one);
        assert.equal(usage.completion_tokens, 6);
    }
    await one.close();
});

test('a client that has closed its own side still gets its whole answer', async () => {
    for (const stream of [false, true]) {
        const socket = connect(server.port, '127.0.0.1'),
            body = JSON.stringify({...CHAT, max_tokens: 100, logit_bias: ENDLESS, stream});
        socket.end(`POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
        let answer = '';
        for await (const piece of socket) answer += piece;
        assert.match(answer, stream
            ? /^(HTTP\/1\.1 102 Processing\r\n\r\n)+HTTP\/1\.1 200 OK[^]*data: \[DONE\]/
                : /HTTP\/1\.1 200 OK[^]*"completion_tokens":100/);
    }
});

test('one that closed its side first and is gone since is noticed, before and after the head of the answer',
    async () => {
    for (const isBegun of [false, true]) {
        let gone;
        const closed = new Promise((resolve) => { gone = resolve; });
        const quiet = Object.assign(createServer((asked, response) => {
            probeHalfClosed(asked, response);
            response.on('close', gone).on('error', () => {});
            if (isBegun) response.writeHead(200, {'Content-Type': 'text/event-stream'}).flushHeaders();
        }), {httpAllowHalfOpen: true});
        await new Promise((resolve) => quiet.listen(0, '127.0.0.1', resolve));
        const socket = connect(quiet.address().port, '127.0.0.1');
        socket.end('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
        await new Promise((resolve) => socket.once('data', resolve));
        socket.destroy();
        await closed;
        await new Promise((resolve) => quiet.close(resolve));
    }
});

/** The next answer of a server that may still be at another. */
async function untilAnswered(to) {
    for (;;) {
        const {status, body} = await json('v1/chat/completions', {...CHAT, logit_bias: ENDLESS}, {to});
        if (status === 200) return body;
        assert.equal(status, 429);
        await new Promise((resolve) => setTimeout(resolve, 10));
    }
}

test('the options of the package\'s serve() are read strictly, and null is not given', async () => {
    for (const more of [{apikey: 'secret'}, {port: 'x'}, {port: 70000}, {parallel: 0}, {parallel: '2'}, {queue: -1},
        {maxBody: '1MB'}, {engine: {contextLenght: 5}}, {engine: {threads: 'x'}}, {apiKey: ''}, {host: ''},
        {origins: [5]}, {allowedHosts: {}}, {model: ''}, {model: null}])
        await assert.rejects(servePackage({model: MODEL, ...more}), {code: 'bad-argument'}, JSON.stringify(more));
    await assert.rejects(servePackage(), {code: 'bad-argument'});
    const served = await servePackage({model: MODEL, port: 0, apiKey: null, parallel: null, queue: Infinity, host: null,
        origins: 'https://example.org', allowedHosts: 'Own.Test', maxBody: null, engine: {...ENGINE, kvType: null}});
    try {
        const {status, body} = await json('v1/completions', {prompt: 'x', max_tokens: 1}, {to: served});
        assert.deepEqual([status, body.choices?.length], [200, 1]);
    } finally {
        await served.close();
    }
});
