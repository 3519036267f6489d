// What the page says beside an error: each code has its own advice, and what this browser lacks is not blamed
// on the model.

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {MessageChannel} from 'node:worker_threads';
import {explain} from '../../web/app/views/errors.js';
import {GemmaError} from '../../web/base/error.js';
import {requireWebAssembly} from '../../web/engine/features.js';
import {Caller, answer} from '../../web/base/protocol.js';

const CODES = [
    'network', 'not-found', 'bad-file', 'unsupported', 'no-memory', 'in-use', 'no-room', 'storage', 'changed',
    'exists', 'context-full', 'bad-argument', 'bad-numbers', 'library', 'gone', 'old-tab', 'other-tab',
];
const unknown = explain(new GemmaError('internal', 'x'));

test('each code has its own title and its own advice', () => {
    const seen = CODES.map((code) => explain(new GemmaError(code, 'what happened')));
    for (const {title, message, advice} of seen)
        assert.ok(title && advice && message === 'what happened' && title !== unknown.title);
    assert.equal(new Set(seen.map(({title}) => title)).size, CODES.length);
});

test('what refuses a request is not blamed on the connection, also when a worker says so', async () => {
    const {port1, port2} = new MessageChannel();
    const port = (end) => ({
        postMessage: (message) => end.postMessage(message), onMessage: (listen) => end.on('message', listen),
    });
    answer(port(port1), {load({refused}) { throw new GemmaError('network', 'x', {refused}); }});
    const caller = new Caller(port(port2)),
        failure = (refused) => caller.call('load', {refused}).then(assert.fail, (error) => error);
    const [refused, failed] = [await failure(true), await failure(undefined)];
    assert.deepEqual([refused.code, refused.refused, failed.code, failed.refused],
        ['network', true, 'network', undefined]);
    assert.notEqual(explain(refused).advice, explain(failed).advice);
    port1.close();
});

test('where WebAssembly lacks something, the advice is about the browser, also from a worker', async (context) => {
    const model = explain(new GemmaError('unsupported', 'x'));
    const engine = WebAssembly;
    context.after(() => { globalThis.WebAssembly = engine; });
    for (const lacking of [undefined, {validate: () => false}]) {
        globalThis.WebAssembly = lacking;
        const {port1, port2} = new MessageChannel();
        const port = (end) => ({
            postMessage: (message) => end.postMessage(message),
            onMessage: (listen) => end.on('message', listen),
        });
        answer(port(port1), {
            load: requireWebAssembly, other() { throw new GemmaError('unsupported', 'x'); },
        });
        const caller = new Caller(port(port2));
        const failure = (call) => caller.call(call, {}).then(assert.fail, (error) => error);
        assert.throws(requireWebAssembly, {code: 'unsupported', here: true});
        const [here, other] = [await failure('load'), await failure('other')];
        assert.deepEqual([here.code, here.here, other.code, other.here],
            ['unsupported', true, 'unsupported', undefined]);
        assert.notEqual(explain(here).advice, model.advice);
        assert.deepEqual(explain(other), model);
        port1.close();
    }
});
