// The Prompt API in browsers: in a window, from the first visit's download on, and in a worker. What it does
// in detail is tested under Node.

import assert from 'node:assert/strict';
import {existsSync, readFileSync} from 'node:fs';
import {createServer} from 'node:http';
import {extname, join} from 'node:path';
import {test} from 'node:test';
import {TYPES} from '../../web/node/site.js';
import {openBrowser, reasonToSkip} from './harness/browsers.js';

const WEB = join(import.meta.dirname, '../../web'),
    TINY = join(import.meta.dirname, '../golden/tiny-gemma3.gguf');
const WORKER = `import {install} from './api/prompt-api.js';
    install({model: '/tiny.gguf', force: true, load: {threads: 1}});
    onmessage = async ({data}) => {
        const session = await LanguageModel.create({samplingMode: 'most-predictable'});
        postMessage([await LanguageModel.availability(), await session.prompt('Hello', {responseConstraint: new RegExp(data)})]);
    };`;

async function serve() {
    const server = createServer((request, response) => {
        const path = new URL(request.url, 'http://x').pathname.slice(1),
            file = path === 'tiny.gguf' ? TINY : join(WEB, path);
        const bytes = path === ''
            ? '<!doctype html><meta charset="utf-8"><title>page</title><button>go</button>'
            : path === 'worker.js' ? WORKER : existsSync(file) && readFileSync(file);
        if (!bytes) return response.writeHead(404).end();
        response.writeHead(200, {'Content-Type': path === '' ? TYPES['.html'] : TYPES[extname(path)]
            ?? 'application/octet-stream', 'Content-Length': Buffer.byteLength(bytes)}).end(bytes);
    });
    await new Promise((done) => server.listen(0, '127.0.0.1', done));
    return {url: `http://localhost:${server.address().port}/`, close: () => (server.closeAllConnections(),
        server.close())};
}

/** In the page: installs it, and says what is available. */
async function prepare() {
    const {install} = await import('/api/prompt-api.js');
    install({model: '/tiny.gguf', force: true, load: {threads: 1, contextLength: 128}});
    return {availability: await window.LanguageModel.availability(),
        isActive: navigator.userActivation?.hasBeenActive ?? true};
}

/**
 * In the page: runs the source of a function as the page's own script, whose globals are not those of what
 * drives the browser.
 */
async function inPage(source) {
    const script = document.createElement('script'), {dataset} = document.body;
    script.type = 'module';
    script.text = `let result; try { result = {value: await (${source})()}; } catch (error) { result = {error: error.name + ': ' + error.message}; }
        document.body.dataset.result = JSON.stringify(result);`;
    document.head.append(script);
    while (!dataset.result) await new Promise((resolve) => setTimeout(resolve, 20));
    const {value, error} = JSON.parse(dataset.result);
    delete dataset.result;
    if (error) throw new Error(error);
    return value;
}

/** In the page: what the platform's own tests look at, once for all. */
async function use() {
    const {LanguageModel} = window, events = [],
        SHORT = {responseConstraint: /[a-z]{3,6}\./, omitResponseConstraintInput: true};
    const nameOf = (promise) => promise.then(() => 'none', (error) => error.name);
    const session = await LanguageModel.create({samplingMode: 'most-predictable',
        initialPrompts: [{role: 'system', content: 'Be brief.'}],
        monitor: (monitor) => monitor.addEventListener('downloadprogress', (event) => events.push(event)),
    });
    let overflows = 0;
    session.oncontextoverflow = () => overflows++;
    const answer = await session.prompt('Hello', SHORT), chunks = [];
    for await (const chunk of session.promptStreaming('Hello', SHORT)) chunks.push(chunk);
    const stopping = new AbortController(),
        aborted = nameOf(session.prompt('Hello', {signal: stopping.signal}));
    stopping.abort();
    for (let i = 0; i < 6; i++) await session.append('the sea at night');
    const names = [await aborted, await nameOf(session.prompt('the sea at night '.repeat(60))),
        await nameOf(LanguageModel.create({expectedInputs: [{type: 'image'}]}))];
    const image = [{role: 'user', content: [{type: 'image', value: new ImageData(1, 1)}]}],
        text = [{role: 'user', content: [{type: 'text', value: document.createElement('canvas')}]}];
    names.push(await nameOf(session.prompt(image)), await nameOf(session.prompt(text)));
    const clone = await session.clone(),
        same = clone.contextUsage === session.contextUsage && clone instanceof LanguageModel;
    session.destroy();
    names.push(await nameOf(session.prompt('Hello')));
    return {
        answer, chunks: chunks.join(''), names, same, overflows: overflows > 0,
        loaded: events.map(({loaded}) => loaded),
        isProgress: events.every((event) => event instanceof ProgressEvent),
        last: await clone.prompt('Hello', SHORT), availability: await LanguageModel.availability(),
    };
}

/** In the page: the same in a worker. */
function useInWorker() {
    const worker = new Worker('worker.js', {type: 'module'});
    return new Promise((resolve, reject) => {
        worker.onmessage = ({data}) => resolve(data);
        worker.onerror = ({message}) => reject(new Error(message));
        worker.postMessage('[a-z]{3,6}\\.');
    });
}

/** In the page: what becomes of answers that a frame has asked for, when it is removed. */
async function removeFrame() {
    const frame = document.createElement('iframe'), loaded = new Promise((done) => { frame.onload = done; });
    frame.src = '/';
    document.body.append(frame);
    await loaded;
    const {contentDocument, contentWindow} = frame, script = contentDocument.createElement('script');
    script.type = 'module';
    script.text = `import {install} from '/api/prompt-api.js';
        import {Gemma} from '/gemma.js';
        const load = {threads: 1, contextLength: 512}, LONG = {maxTokens: 480, sampling: {logitBias: {1: -Infinity, 6: -Infinity, 106: -Infinity}}};
        install({model: '/tiny.gguf', force: true, load});
        const session = await LanguageModel.create(), gemma = await Gemma.load('/tiny.gguf', load), [one, two] = [await gemma.session(), await gemma.session()];
        const streamed = async () => { for await (const piece of two.prompt('Hello', LONG)) window.isWriting = Boolean(piece); };
        window.asked = [one.prompt('Hello', LONG).result, streamed(), session.prompt('Hello', {responseConstraint: /[a-z]{400}/})];`;
    let failed = '';
    contentWindow.onerror = contentWindow.onunhandledrejection = (event) => { failed = String(event.reason
        ?? event.message ?? event); };
    contentDocument.head.append(script);
    while (!contentWindow.isWriting && !failed) await new Promise((resolve) => setTimeout(resolve, 5));
    if (failed) throw new Error(failed);
    const names = contentWindow.asked.map((asked) => asked.then(() => 'none', (error) => error.name));
    frame.remove();
    return Promise.all(names);
}

for (const name of ['chromium', 'firefox', 'webkit']) {
    test(`LanguageModel, ${name}`, {skip: reasonToSkip(name)}, async (context) => {
        const server = await serve(), browser = await openBrowser(name);
        context.after(async () => {
            await browser.close();
            server.close();
        });
        await browser.goto(server.url);
        const run = (fn) => browser.evaluate(inPage, String(fn)), {availability} = await run(prepare);
        assert.equal(availability, 'downloadable');
        await browser.click('button');
        const {answer, chunks, last, loaded, ...result} = await run(use);
        for (const text of [answer, chunks, last]) assert.match(text, /^[a-z]{3,6}\.$/);
        assert.deepEqual([loaded[0], loaded.at(-1)], [0, 1]);
        assert.deepEqual(result, {
            names: ['AbortError', 'QuotaExceededError', 'NotSupportedError', 'NotSupportedError', 'TypeError',
                'AbortError'], same: true, overflows: true, isProgress: true,
            availability: 'available',
        });
        await browser.reload();
        assert.equal((await run(prepare)).availability, 'available');
        // Firefox runs nothing of a frame that is gone, not even what waits in the page.
        if (name !== 'firefox') assert.deepEqual(await run(removeFrame),
            ['AbortError', 'AbortError', 'AbortError']);
        const [there, text] = await run(useInWorker);
        assert.equal(there, 'available');
        assert.match(text, /^[a-z]{3,6}\.$/);
    });
}
