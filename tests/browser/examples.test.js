// The pages of web/examples, each opened as it is from a plain web server: with a model and a question, it
// answers. What they have in common: the model's address is ?model=, the first button asks, and #answer has
// data-state "done" or "failed" at the end.

import assert from 'node:assert/strict';
import {existsSync, readFileSync, readdirSync} from 'node:fs';
import {createServer} from 'node:http';
import {extname, join} from 'node:path';
import {test} from 'node:test';
import {TYPES} from '../../web/node/site.js';
import {openBrowser, reasonToSkip} from './harness/browsers.js';

const WEB = join(import.meta.dirname, '../../web'),
    TINY = join(import.meta.dirname, '../golden/tiny-gemma3.gguf');
const EXAMPLES = readdirSync(join(WEB, 'examples')).filter((name) => name.endsWith('.html'));

/** A web server that knows files and their types, and nothing else. */
async function serveFiles() {
    const server = createServer((request, response) => {
        const path = new URL(request.url, 'http://x').pathname.slice(1),
            file = path === 'tiny.gguf' ? TINY : join(WEB, path);
        if (path.includes('..') || !existsSync(file) || !extname(file)) return response.writeHead(404).end();
        response.writeHead(200, {'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream'})
            .end(readFileSync(file));
    });
    await new Promise((done) => server.listen(0, '127.0.0.1', done));
    return {url: `http://localhost:${server.address().port}/`, close: () => (server.closeAllConnections(),
        server.close())};
}

/** In the page: asks, and waits for the end. */
async function askIt() {
    const answer = document.querySelector('#answer');
    document.querySelector('button').click();
    while (!answer.dataset.state) await new Promise((resolve) => setTimeout(resolve, 20));
    return {state: answer.dataset.state, text: answer.value ?? answer.textContent};
}

test('each example answers', {skip: reasonToSkip('chromium')}, async (context) => {
    const server = await serveFiles(), browser = await openBrowser('chromium');
    context.after(async () => {
        await browser.close();
        server.close();
    });
    assert.ok(EXAMPLES.includes('openai.html'));
    for (const name of EXAMPLES) {
        const page = await browser.tab();
        await page.goto(`${server.url}examples/${name}?model=/tiny.gguf`);
        const {state, text} = await page.evaluate(askIt);
        assert.equal(state, 'done', `${name}: ${text}`);
        assert.ok(text.length > 0, name);
        await page.close();
    }
});
