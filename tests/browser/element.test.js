// <gemma-chat> in a real browser: what a person sees and does, and what a page is told.

import assert from 'node:assert/strict';
import {readFileSync, readdirSync} from 'node:fs';
import {createServer} from 'node:http';
import {extname, join} from 'node:path';
import {test} from 'node:test';
import {TYPES, listSite} from '../../web/node/site.js';
import {CONSUMERS, ensureConsumers} from '../setup/consumers.js';
import {openBrowser, reasonToSkip} from './harness/browsers.js';

const ROOT = join(import.meta.dirname, '../..'),
    AXE = readFileSync(join(ROOT, 'node_modules/axe-core/axe.min.js'), 'utf8');
const MODELS = {'chat.gguf': 'tiny-gemma3.gguf', 'base.gguf': 'tiny-gemma2.gguf'};
const files = listSite();
for (const name of readdirSync(join(ROOT, 'web/api'), {recursive: true})) if (name.endsWith('.js'))
    files.set(`api/${name.replaceAll('\\', '/')}`, join(ROOT, 'web/api', name));

await ensureConsumers();
files.set('deep-chat.js', join(CONSUMERS, 'node_modules/deep-chat/dist/deepChat.bundle.js'));

const TAG = (attributes, inner = '') => `<gemma-chat ${attributes}>${inner}</gemma-chat>`;
const PAGE = (body, head = '') =>
    `<!doctype html><html lang="en"><meta charset="utf-8"><title>A page</title><link rel="icon" href="data:,"><meta name="viewport" content="width=device-width">${head}
    <script type="module" src="/lib/api/element.js"></script><main><h1>A page</h1>${body}</main>`;
const BRIEF = 'max-tokens="16"';
/** What a strict page says; the engine's worker has the same policy. */
const STRICT = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; require-trusted-types-for 'script'";

/**
 * Pages by their names, below /, and the library below /lib/.
 * @param {Record<string, {html: string, headers?: object}>} pages
 */
async function serve(pages) {
    const requests = [], server = createServer((request, response) => {
        const path = new URL(request.url, 'http://x').pathname.slice(1), page = pages[path],
            name = path.split('/').at(-1);
        requests.push(request.method === 'HEAD' ? `HEAD ${path}` : path);
        const place = MODELS[name] ? join(ROOT, 'tests/golden', MODELS[name])
            : files.get(path.replace(/^lib\//, ''));
        if (!page && !place) return response.writeHead(404).end();
        const bytes = page ? page.html : readFileSync(place),
            type = page ? TYPES['.html'] : TYPES[extname(path)] ?? 'application/octet-stream';
        response.writeHead(200, {
            'Content-Type': type, 'Content-Length': Buffer.byteLength(bytes), ...page?.headers,
        }).end(bytes);
    });
    await new Promise((done) => server.listen(0, '127.0.0.1', done));
    return {url: `http://localhost:${server.address().port}/`, requests,
        close: () => (server.closeAllConnections(), server.close())};
}

// ------------------------------------------------------------------------------------------ in the page

/** Runs first: notes what the page is told. */
const watch = () => {
    window.told = [];
    for (const name of ['progress', 'ready', 'message', 'error', 'contextoverflow']) {
        addEventListener(`gemma-${name}`,
            ({detail}) => window.told.push([name, detail?.role ?? detail?.error?.code]));
    }
};
/** Of the first element, or the nth. */
const has = (selector, n = 0) =>
    Boolean(document.querySelectorAll('gemma-chat')[n]?.shadowRoot.querySelector(
        selector)?.checkVisibility());
const press = (selector, n = 0) =>
    document.querySelectorAll('gemma-chat')[n].shadowRoot.querySelector(selector).click();
const textOf = (selector, n = 0) =>
    [...document.querySelectorAll('gemma-chat')[n].shadowRoot.querySelectorAll(selector)].map((each) =>
        each.textContent);
const idle = (n = 0) => {
    const root = document.querySelectorAll('gemma-chat')[n].shadowRoot;
    return root.querySelector('[part=send]')?.textContent === 'Send'
        && root.querySelectorAll('.message.model:not(.waiting)').length;
};

async function start(page, n = 0) {
    await page.until(has, '[part=start]', n);
    await page.evaluate(press, '[part=start]', n);
    await page.until(has, '[part=input]', n);
}
/** By real keys. */
async function say(page, text, n = 0) {
    const before = await page.evaluate(textOf, '.message.model .body', n);
    await page.evaluate((n) => document.querySelectorAll('gemma-chat')[n].focus(), n);
    await page.type(n ? `gemma-chat:nth-of-type(${n + 1})` : 'gemma-chat', text);
    await page.until((n, count) => {
        const root = document.querySelectorAll('gemma-chat')[n].shadowRoot;
        return root.querySelectorAll('.message.model').length > count && root.querySelector('[part=send]')
            .textContent === 'Send';
    }, n, before.length);
    return (await page.evaluate(textOf, '.message.model .body', n)).at(-1);
}
/** As a person's, for browsers whose driver reaches no shadow tree. */
const write = (text, n = 0) => {
    const root = document.querySelectorAll('gemma-chat')[n].shadowRoot,
        field = root.querySelector('textarea');
    field.value = text;
    field.dispatchEvent(new Event('input', {bubbles: true}));
    root.querySelector('form').requestSubmit();
};

const PAGES = {
    'folder/plain.html': {html: PAGE(TAG(`src="chat.gguf" ${BRIEF}`))},
    'strict.html': {
        html: PAGE(TAG(`src="chat.gguf" ${BRIEF}`)), headers: {'Content-Security-Policy': STRICT},
    },
    'base.html': {html: PAGE(TAG(`src="base.gguf" ${BRIEF} theme="dark"`))},
    'two.html': {
        html: PAGE(
            TAG(`src="chat.gguf" ${BRIEF}`) + TAG(
                `src="chat.gguf" ${BRIEF} constraint='{"choices": ["yes", "no"]}'`)),
    },
    'never.html': {
        html: PAGE(TAG(`src="chat.gguf" ${BRIEF} autoload="never"`,
            '<p slot="empty">Nothing yet</p><h2 slot="header">Help</h2>')),
    },
    'visible.html': {html: PAGE(
        `<div style="height: 300vh"></div>${TAG(`src="chat.gguf" ${BRIEF} autoload="visible"`)}`)},
    'default.html': {html: PAGE(TAG(''))},
    'german.html': {html: PAGE(TAG('src="chat.gguf" lang="de-AT"'))},
    'gone.html': {html: PAGE(TAG('src="gone.gguf"'))},
    'deep.html': {html: `<!doctype html><meta charset="utf-8"><title>deep-chat</title><link rel="icon" href="data:,"><script type="module" src="/lib/deep-chat.js"></script>
        <script type="module">
            import {Gemma} from '/lib/gemma.js';
            import {connectDeepChat} from '/lib/api/deep-chat.js';
            await customElements.whenDefined('deep-chat');
            const chat = document.createElement('deep-chat');   // connected first: it is drawn anew for each property
            chat.connect = connectDeepChat(Gemma.load('/chat.gguf'), {maxTokens: 12, sampling: {seed: 1, logitBias: {1: -Infinity, 6: -Infinity}}});
            document.body.append(chat);
        </script>`},
    'unknown.html': {html: PAGE(TAG('model="gpt-2"'))},
};

for (const name of ['chromium', 'firefox', 'webkit']) {
    test(`one tag, ${name}`, {skip: reasonToSkip(name)}, async (context) => {
        const server = await serve(PAGES), page = await openBrowser(name);
        context.after(async () => {
            await page.close();
            server.close();
        });
        const open = async (path) => {
            await page.goto(server.url + path);
            await page.evaluate(watch);
        };
        await context.test('a blank page in a sub-path: nothing loads before a click, then it answers', async () => {
            await open('folder/plain.html');
            await page.until(has, '[part=start]');
            await page.until((pattern) => new RegExp(pattern).test(document.querySelector('gemma-chat')
                .shadowRoot.querySelector('[part=card]').textContent), 'MB.*localhost');
            assert.deepEqual(server.requests.filter((path) => path.endsWith('.gguf')
                || path.endsWith('.wasm')), ['HEAD folder/chat.gguf']);
            await start(page);
            await page.evaluate(write, 'Hello');
            assert.equal(await page.until(idle), 1);
            const [answer] = await page.evaluate(textOf, '.message.model .body');
            assert.ok(answer);
            assert.equal(await page.evaluate(() => document.querySelector('gemma-chat').messages.at(-1)
                .content), answer);
            const told = await page.evaluate(() => window.told.filter(([name]) => name !== 'progress'));
            assert.deepEqual(told, [['ready', null], ['message', 'user'], ['message', 'assistant']]);
            assert.deepEqual(await page.problems(), []);
        });
        if (name === 'chromium') await testAll(context, {server, page, open});
    });
}

/** What one browser is enough for. */
async function testAll(context, {server, page, open}) {
    const count = (end) => server.requests.filter((path) => path.endsWith(end)).length;
    await context.test('by keyboard: Enter sends, Shift+Enter breaks lines, input methods keep Enter', async () => {
        await open('folder/plain.html');
        await page.until(has, '[part=start]');
        await page.evaluate(() => document.querySelector('gemma-chat').focus());
        await page.type('body', '');
        assert.equal(await page.evaluate(() => document.querySelector('gemma-chat')
            .shadowRoot.activeElement.part.value), 'start');
        await page.evaluate(press, '[part=start]');
        await page.until(has, '[part=input]');
        assert.equal(await page.evaluate(() => document.querySelector('gemma-chat')
            .shadowRoot.activeElement.part.value), 'input');
        const [field, messages] = await page.evaluate(() => {
            const root = document.querySelector('gemma-chat').shadowRoot,
                field = root.querySelector('textarea');
            field.value = 'かな';
            for (const init of [{isComposing: true}, {keyCode: 229}, {shiftKey: true}])
                field.dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', bubbles: true, ...init}));
            const kept = [field.value, root.querySelectorAll('.message').length];
            field.value = '';
            return kept;
        });
        assert.deepEqual([field, messages], ['かな', 0]);
        assert.ok(await say(page, 'Hello\n'));
        assert.deepEqual(await page.problems(), []);
    });
    await context.test('under a strict policy', async () => {
        await open('strict.html');
        await start(page);
        await page.evaluate(write, 'Hello');
        await page.until(idle);
        assert.deepEqual(await page.problems(), []);
    });
    await context.test('a base model continues a transcript, and says so', async () => {
        await open('base.html');
        await start(page);
        assert.ok(await page.evaluate(has, '[part=hint]'));
        await page.evaluate(write, 'Hello');
        assert.equal(await page.until(idle), 1);
    });
    await context.test('two elements of one model share the engine, not conversation and attributes', async () => {
        const before = count('engine/worker.js');
        await open('two.html');
        await start(page, 0);
        await start(page, 1);
        for (const n of [0, 1]) await page.evaluate(write, 'Hello', n);
        for (const n of [0, 1]) assert.equal(await page.until(idle, n), 1);
        assert.equal(count('engine/worker.js'), before + 1);
        assert.match((await page.evaluate(textOf, '.message.model .body', 1))[0], /^(yes|no)$/);
        await page.evaluate(() => document.querySelector('gemma-chat').remove());
        await page.evaluate(write, 'Again', 0);
        assert.equal(await page.until(idle, 0), 2);
    });
    await context.test('autoload="never" waits for the page, whose engine other elements may have',
        async () => {
        await open('never.html');
        await page.until(() => document.querySelector('gemma-chat')
            .shadowRoot?.querySelector('slot[name=empty]').assignedElements()[0]?.checkVisibility());
        assert.equal(await page.evaluate(has, '[part=start]'), false);
        const [same, given] = await page.evaluate(async () => {
            const first = document.querySelector('gemma-chat'), gemma = await first.load(),
                other = document.createElement('gemma-chat');
            other.engine = gemma;
            document.querySelector('main').append(other);
            other.setAttribute('max-tokens', '5');
            const result = await other.ask('Hello');
            other.remove();
            await new Promise((done) => setTimeout(done, 50));
            return [
                first.engine === gemma,
                result.tokens.length <= 5 && (await first.ask('Hello')).text.length > 0,
            ];
        });
        assert.deepEqual([same, given], [true, true]);
    });
    await context.test('autoload="visible" loads once it is seen', async () => {
        await open('visible.html');
        await page.until(() => document.querySelector('gemma-chat').shadowRoot);
        const asked = count('.gguf');
        await page.evaluate(() =>
            new Promise((done) => requestAnimationFrame(() =>
                requestAnimationFrame(() => setTimeout(done, 100)))));
        assert.equal(await page.evaluate(() => document.querySelector('gemma-chat').engine), undefined);
        await page.evaluate(() => document.querySelector('gemma-chat').scrollIntoView());
        await page.until(has, '[part=input]');
        assert.ok(count('.gguf') >= asked);
    });
    await context.test('without attributes it shows the download, host and terms, and loads nothing', async () => {
        await open('default.html');
        await page.until(has, '[part=start]');
        const [text, link] = await page.evaluate(() => {
            const card = document.querySelector('gemma-chat').shadowRoot.querySelector('[part=card]');
            return [card.textContent, card.querySelector('a').href];
        });
        assert.match(text, /Gemma 3 270M IT.*292 MB.*huggingface\.co/s);
        assert.equal(link, 'https://ai.google.dev/gemma/terms');
        assert.deepEqual(page.strangers, []);
    });
    await context.test('in the language of the page', async () => {
        await open('german.html');
        await page.until(has, '[part=start]');
        assert.deepEqual(await page.evaluate(textOf, '[part=start]'), ['Starten']);
        await page.evaluate(() => document.querySelector('gemma-chat').setAttribute('lang',
            'no_such-language'));
        await page.until(() => document.querySelector('gemma-chat').shadowRoot.querySelector('[part=send]')
            .textContent === 'Send');
        await page.until(() => document.querySelector('gemma-chat')
            .shadowRoot.querySelector('[part=start]')?.textContent === 'Start');
    });
    await context.test('what goes wrong is told, and can be tried again', async () => {
        await open('gone.html');
        await page.until(has, '[part=start]');
        await page.evaluate(press, '[part=start]');
        await page.until(has, '[part=error]');
        assert.deepEqual(await page.evaluate(() => window.told.filter(([name]) => name === 'error')),
            [['error', 'not-found']]);
        await page.evaluate(() => {
            const chat = document.querySelector('gemma-chat');
            chat.setAttribute('src', 'chat.gguf');
        });
        await start(page);
        assert.equal(await page.evaluate(has, '[part=error]'), false);
        await page.evaluate(() => document.querySelector('gemma-chat').setAttribute('constraint', '{'));
        await page.evaluate(write, 'Hello');
        await page.until(has, '[part=error]');
        assert.equal(await page.evaluate(() => document.querySelector('gemma-chat')
            .shadowRoot.querySelector('textarea').value), 'Hello');
        await open('unknown.html');
        await page.until(has, '[part=error]');
    });
    await context.test('the package deep-chat, by its adapter', async () => {
        await open('deep.html');
        await page.until(() => document.querySelector('deep-chat')?.shadowRoot?.querySelector('#text-input'));
        const ask = async (text, count) => {
            await page.evaluate((text) => document.querySelector('deep-chat').submitUserMessage({text}), text);
            return page.until((count) => {
                const chat = document.querySelector('deep-chat'), all = chat.getMessages();
                const isBusy = chat.shadowRoot.querySelector(
                    '.loading-message-text, .stop-icon, .loading-submit-button');
                return all.length === count && !isBusy && all.at(-1).text
                    && all.map(({role, text}) => [role, text.length > 0]);
            }, count);
        };
        assert.deepEqual(await ask('Hello', 2), [['user', true], ['ai', true]]);
        assert.deepEqual(await ask('And?', 4), [['user', true], ['ai', true], ['user', true], ['ai', true]]);
    });
    await testConversation(context, {page, open});
    await testAccess(context, {page, open});
}

async function testConversation(context, {page, open}) {
    await context.test('an answer can be stopped, and the conversation begun anew', async () => {
        await open('folder/plain.html');
        await start(page);
        await page.evaluate(() => {
            const chat = document.querySelector('gemma-chat');
            chat.removeAttribute('max-tokens');
            chat.sampling = {logitBias: {1: -Infinity, 6: -Infinity}};
        });
        await page.evaluate(write, 'Hello');
        await page.until(() => document.querySelector('gemma-chat')
            .shadowRoot.querySelector('.message.model .body')?.textContent.length > 3);
        await page.evaluate(press, '[part=send]');
        await page.until(idle);
        assert.ok((await page.evaluate(() => document.querySelector('gemma-chat').messages)).length === 2);
        await page.evaluate(press, '[part=new]');
        assert.deepEqual(
            await page.evaluate(() => [
                document.querySelector('gemma-chat').messages.length,
                document.querySelector('gemma-chat').shadowRoot.querySelectorAll('.message').length,
            ]), [0, 0]);
    });
    await context.test('what is stopped before its answer begins is not asked; a system message of the page counts',
        async () => {
        const seen = await page.evaluate(async () => {
            const chat = document.querySelector('gemma-chat'), stopped = chat.ask('Never');
            chat.stop();
            const none = await stopped ?? 'nothing', cleared = chat.ask('Nor this');
            chat.clear();
            const seen = [none, await cleared ?? 'nothing', chat.messages.length];
            const ask = async (system) => {
                chat.messages = [...system ? [{role: 'system', content: system}] : [],
                    {role: 'user', content: 'Hello'}, {role: 'assistant', content: 'Hi'}];
                const {promptTokens} = await chat.ask('And?');
                return /BRIEF|LONG/.exec(await chat.engine.detokenize(promptTokens))?.[0] ?? 'none';
            };
            chat.setAttribute('max-tokens', '2');
            const systems = [await ask(''), await ask('Be BRIEF.')];
            chat.setAttribute('system', 'Be LONG.');
            systems.push(await ask('Be BRIEF.'));
            const again = chat.messages;
            chat.removeAttribute('system');
            chat.messages = again;
            const {promptTokens} = await chat.ask('And?');
            systems.push(/LONG/.exec(await chat.engine.detokenize(promptTokens))?.[0] ?? 'none');
            chat.clear();
            return [...seen, ...systems];
        });
        assert.deepEqual(seen, ['nothing', 'nothing', 0, 'none', 'BRIEF', 'LONG', 'none']);
    });
    await context.test('what has been said outlives the element being moved, and taken out and put back',
        async () => {
        await page.evaluate(() => document.querySelector('gemma-chat').setAttribute('max-tokens', '6'));
        await page.evaluate(write, 'Hello');
        await page.until(idle);
        const kept = await page.evaluate(async () => {
            const chat = document.querySelector('gemma-chat'), {engine} = chat;
            document.body.append(chat);
            await new Promise((done) => setTimeout(done, 50));
            const isSame = chat.engine === engine;
            chat.remove();
            await new Promise((done) => setTimeout(done, 50));
            const isGone = chat.engine === undefined;
            document.querySelector('main').append(chat);
            await chat.load();
            await chat.ask('And?');
            return [isSame, isGone, chat.messages.map(({role}) => role)];
        });
        assert.deepEqual(kept, [true, true, ['user', 'assistant', 'user', 'assistant']]);
    });
    await context.test('a change during an answer counts for the next one; what ends it is no error', async () => {
        await page.problems();
        await page.evaluate(watch);
        const got = await page.evaluate(async () => {
            const chat = document.querySelector('gemma-chat'), parent = chat.parentNode, got = {};
            const wait = (ms) => new Promise((done) => setTimeout(done, ms)),
                roles = () => chat.messages.map(({role}) => role).join();
            const shown = () => chat.shadowRoot.querySelectorAll('.message').length,
                input = chat.shadowRoot.querySelector('textarea');
            chat.setAttribute('max-tokens', '300');
            /** Asks, has something done in the midst of the answer, and says what came of it. */
            const during = async (change) => {
                chat.clear();
                await wait(0);
                chat.sampling = {logitBias: {1: -Infinity, 6: -Infinity, 106: -Infinity}, temperature: 1};
                const asked = chat.ask('Hello').then((result) => result?.finishReason ?? 'nothing',
                    ({code}) => code);
                while (!chat.shadowRoot.querySelector('.message.model .body')?.textContent) await wait(5);
                change();
                const reason = await asked;
                await wait(20);
                return [reason, roles(), shown(), input.value];
            };
            got.system = await during(() => chat.setAttribute('system', 'Be brief.'));
            chat.removeAttribute('system');
            got.sampling = await during(() => { chat.sampling = {temperature: 0}; });
            got.stopped = await during(() => chat.stop());
            got.cleared = (await during(() => chat.clear())).slice(1);
            got.set = (await during(() => {
                chat.messages = [{role: 'user', content: 'A'}, {role: 'assistant', content: 'B'}];
            })).slice(1);
            got.again = await during(() => {
                chat.clear();
                chat.setAttribute('max-tokens', '4');
                chat.second = chat.ask('And?');
            }).then(() => chat.second.then(({finishReason}) => [finishReason, roles()]));
            chat.setAttribute('max-tokens', '300');
            got.removed = (await during(() => chat.remove())).slice(1);
            parent.append(chat);
            await chat.load();
            chat.setAttribute('max-tokens', '');
            chat.setAttribute('constraint', '{"choices": ["yes"]}');
            got.back = [(await chat.ask('And?')).text, roles()];
            chat.removeAttribute('constraint');
            chat.setAttribute('max-tokens', '6');
            chat.clear();
            return got;
        });
        const both = 'user,assistant';
        assert.deepEqual(got, {
            system: ['length', both, 2, ''], sampling: ['length', both, 2, ''],
            stopped: ['abort', both, 2, ''], cleared: ['', 0, ''], set: [both, 2, ''],
            again: ['length', both], removed: [got.removed[0], got.removed[1], ''],
            back: ['yes', got.removed[0] ? `${both},${both}` : both],
        });
        assert.deepEqual(await page.evaluate(() => window.told.filter(([name]) => name === 'error')), []);
        assert.deepEqual(await page.problems(), []);
    });
    await context.test('a full context forgets the oldest messages, and the page is told', async () => {
        await page.evaluate(async () => {
            const chat = document.querySelector('gemma-chat');
            for (let i = 0; i < 8; i++) await chat.ask('The sea at night is not dark. '.repeat(12));
        });
        assert.ok((await page.evaluate(() => window.told)).some(([name]) => name === 'contextoverflow'));
    });
    await context.test('nothing that is said becomes an element', async () => {
        const found = await page.evaluate(() => {
            const chat = document.querySelector('gemma-chat'),
                text = '<img src=x onerror="window.ran = true"><script>window.ran = true</script>';
            chat.messages = [{role: 'user', content: text}, {role: 'assistant', content: text}];
            return [
                chat.shadowRoot.querySelectorAll('img, script').length, window.ran,
                chat.shadowRoot.querySelector('.message.model .body').textContent === text,
            ];
        });
        assert.deepEqual(found, [0, null, true]);
    });
}

async function testAccess(context, {page, open}) {
    const check = async (what) => {
        const found = await page.evaluate(async () => (await axe.run(document, {resultTypes: ['violations']}))
            .violations.map(({id, nodes}) => `${id}: ${nodes.map(({html}) => html).join(' ')}`));
        assert.deepEqual(found, [], what);
    };
    await context.test('axe finds nothing', async () => {
        for (const theme of ['light', 'dark']) {
            await open('folder/plain.html');
            await page.evaluate((source, theme) => {
                window.eval(source);
                document.querySelector('gemma-chat').setAttribute('theme', theme);
            }, AXE, theme);
            await page.until(has, '[part=start]');
            await check(`${theme}, before`);
            await start(page);
            await check(`${theme}, empty`);
            await page.evaluate(write, 'Hello');
            await page.until(idle);
            await check(`${theme}, answered`);
            await page.evaluate(() => document.querySelector('gemma-chat')
                .setAttribute('max-tokens', 'many'));
            await page.evaluate(write, 'Hello');
            await page.until(has, '[part=error]');
            await check(`${theme}, error`);
        }
    });
}

test('the size is asked of the page\'s own host alone, and nothing is said where it is not clear', async (context) => {
    const {sizeAt} = await import('../../web/api/element/models.js'), asked = [],
        answers = {'/m.gguf': new Response(null, {headers: {'Content-Length': '1234'}}),
            '/m.gguf.json': Response.json({size: 5678}), '/none.gguf': new Response(null, {status: 404}),
            '/zipped.gguf': new Response(null, {headers: {'Content-Length': '9', 'Content-Encoding': 'gzip'}}),
            '/silent.gguf': new Response(null), '/odd.json': new Response('<')};
    context.after(() => delete globalThis.location);
    globalThis.location = new URL('https://here.example/page.html');
    context.mock.method(globalThis, 'fetch', async (address, {method}) => {
        asked.push(`${method} ${address}`);
        const answer = answers[new URL(address).pathname];
        if (!answer) throw new TypeError('no network');
        return answer;
    });
    const sizes = {};
    for (const path of ['/m.gguf', '/m.gguf.json', '/none.gguf', '/zipped.gguf', '/silent.gguf', '/odd.json', '/gone.gguf'])
        sizes[path] = await sizeAt(`https://here.example${path}`);
    assert.deepEqual(sizes, {'/m.gguf': 1234, '/m.gguf.json': 5678, '/none.gguf': undefined,
        '/zipped.gguf': undefined, '/silent.gguf': undefined, '/odd.json': undefined, '/gone.gguf': undefined});
    assert.equal(asked.length, 7);
    assert.equal(await sizeAt('https://other.example/m.gguf'), undefined);
    assert.equal(await sizeAt('https://here.example/m-00001-of-00002.gguf'), undefined);
    assert.equal(asked.length, 7);
});

test('its models are those of the catalogue', async () => {
    const {MODELS} = await import('../../web/api/element/models.js'),
        {models} = JSON.parse(readFileSync(join(ROOT, 'web/app/models.json'), 'utf8'));
    for (const model of Object.values(MODELS)) {
        const {urls, sha256, size, shape, licence, type} = models.find(({name}) => name === model.name);
        const {name: _, ...rest} = model;
        assert.deepEqual(rest, {urls, sha256, size, shape, licence, ...type && {type}});
    }
});

test('it is at most 25 KB beside the library, gzipped, and its import does nothing under Node', async () => {
    const {build} = await import('esbuild'), {gzipSync} = await import('node:zlib');
    const {outputFiles: [{contents}]} = await build({entryPoints: [join(ROOT, 'web/api/element.js')],
        bundle: true, minify: true, format: 'esm', write: false, external: ['*/gemma.js']});
    const size = gzipSync(contents).length;
    assert.ok(size <= 25 * 1024, `${size} bytes`);
    assert.equal(typeof (await import('../../web/api/element.js')).GemmaChat, 'function');
});
