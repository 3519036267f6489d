// The npm package in projects of others: bundled, on static hosts and under policies of all kinds, in Node,
// in TypeScript.

import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {readFileSync, readdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {after, test} from 'node:test';
import {fileURLToPath} from 'node:url';
import {gzipSync} from 'node:zlib';
import {openBrowser, openExtension, reasonToSkip} from '../browser/harness/browsers.js';
import {ensureConsumers} from '../setup/consumers.js';
import {ensureNode24} from '../setup/node24.js';
import {BUNDLERS, ISOLATED, LIBRARY, install, makeExtension, makePlain, serveByVite,
    serveFolder} from './projects.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const DONE = {tokens: 8, threads: 1, isChosen: true}, DONE_BY_TWO = {...DONE, threads: 2}, TWO = {threads: 2};
const MOST_BYTES = 1.5e6, CORE_MOST = 45 * 1024;
const DOOR_MOST = {
    openai: 12 * 1024, 'openai-helpers': 15 * 1024, 'prompt-api': 12 * 1024, element: 25 * 1024,
    'deep-chat': 12 * 1024, 'ai-sdk': 12 * 1024,
};

await ensureConsumers();
const project = install(), {folder} = project, plain = makePlain(folder);
after(project.remove);

/**
 * A page, opened: what comes of a model there.
 * @param {import('../browser/harness/page.js').Page} page
 * @param {string} url
 * @param {any[]} args
 */
async function use(page, url, ...args) {
    await page.goto(url);
    await page.until(() => typeof globalThis.use === 'function');
    return page.evaluate((...all) => globalThis.use(...all), ...args);
}

/**
 * @param {Promise<{url: string, close: () => Promise<void>}>} starting
 * @param {(url: string) => Promise<void>} body
 */
async function withServer(starting, body) {
    const server = await starting;
    try {
        await body(server.url);
    } finally {
        await server.close();
    }
}

test('the tarball has the library, its modules, types and doors, and nothing that nobody needs', () => {
    const {exports} = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')),
        paths = project.files.map(({path}) => path);
    for (const door of Object.values(exports).filter((one) => typeof one === 'object')) {
        for (const file of Object.values(door)) assert.ok(paths.includes(file.slice(2)), file);
    }
    const doors = readdirSync(join(ROOT, 'web/api')).filter((name) => name.endsWith('.js'));
    for (const name of doors)
        assert.ok(exports[`./${name.slice(0, -3)}`], `web/api/${name} is no door of package.json`);
    for (const size of ['gemma', 'gemma64']) for (const kind of ['simd128', 'relaxed', 'relaxed16'])
        assert.ok(paths.includes(`dist/npm/wasm/${size}-${kind}.wasm`));
    for (const name of ['LICENSE', 'NOTICE', 'README.md']) assert.ok(paths.includes(name), name);
    assert.deepEqual(paths.filter((path) => /^(src|tests|wasm|quantize)\/|\.map$/.test(path)), []);
    assert.ok(project.unpacked <= MOST_BYTES, `${project.unpacked} bytes`);
});

/** What a script and those that it imports at once weigh, gzipped as hosts do. @param {string[]} names */
function weigh(names) {
    const all = new Set(names);
    for (const name of all) {
        for (const [, other] of readFileSync(join(folder, LIBRARY, name), 'utf8')
            .matchAll(/(?:from|import)"\.\/([^"]+\.js)"/g)) all.add(other);
    }
    return {all, bytes: (/** @type {Set<string>} */ without = new Set()) =>
        [...all].filter((name) => !without.has(name))
        .reduce((sum, name) => sum + gzipSync(readFileSync(join(folder, LIBRARY, name))).length, 0)};
}

test('what a page fetches before the engine module is small, and so is each door beside it', () => {
    const core = weigh(['gemma.js', 'worker.js', 'thread.js', 'reader_worker.js']);
    assert.ok(core.bytes() <= CORE_MOST, `${core.bytes()} bytes`);
    for (const [door, most] of Object.entries(DOOR_MOST)) {
        const bytes = weigh([`${door}.js`]).bytes(core.all);
        assert.ok(bytes <= most, `${door}: ${bytes} bytes`);
    }
});

/**
 * How hosts and pages differ from a static host with no headers.
 * @type {Record<string, {headers?: (path: string) => object, page?: object, options?: object, expected:
 *     object, pattern?: RegExp}>}
 */
const HOSTS = {
    'without headers': {options: TWO, expected: DONE},
    'all files isolated': {headers: () => ISOLATED, options: TWO, expected: DONE_BY_TWO},
    'COOP and COEP on the page alone': {page: ISOLATED, options: TWO, expected: DONE_BY_TWO},
    'COOP and COEP on the page alone, blob: refused': {
        page: {...ISOLATED, 'Content-Security-Policy': "worker-src 'self'"}, options: TWO,
        expected: {code: 'unsupported', isOurs: true}, pattern: /Cross-Origin-Embedder-Policy|worker-src/,
    },
    'modules of another type': {
        headers: (path) => path.endsWith('.wasm') ? {'Content-Type': 'application/octet-stream'} : {},
        expected: DONE,
    },
    'a strict policy on all files': {
        headers: () => ({
            'Content-Security-Policy': "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src data:",
            ...ISOLATED,
        }), options: TWO, expected: DONE_BY_TWO,
    },
    "a policy without 'wasm-unsafe-eval'": {
        headers: () => ({'Content-Security-Policy': "default-src 'self'; img-src data:"}),
        expected: {code: 'unsupported', isOurs: true}, pattern: /wasm-unsafe-eval/,
    },
    'trusted types required': {
        headers: () => ({
            'Content-Security-Policy': "require-trusted-types-for 'script'; trusted-types gemma-wasm",
            ...ISOLATED,
        }), options: TWO, expected: DONE_BY_TWO,
    },
    'trusted types required, our policy refused': {
        headers: () => ({
            'Content-Security-Policy': "require-trusted-types-for 'script'; trusted-types other",
        }), expected: {code: 'unsupported', isOurs: true}, pattern: /gemma-wasm/,
    },
    'Document-Isolation-Policy': {
        headers: () => ({'Document-Isolation-Policy': 'isolate-and-require-corp'}), options: TWO,
        expected: DONE_BY_TWO,
    },
    'a folder of the library elsewhere': {options: {baseUrl: './npm/'}, expected: DONE},
    'a folder that is not there': {
        options: {baseUrl: './none'}, expected: {code: 'library', isOurs: true}, pattern: /404/,
    },
};

test('in Chromium', {skip: reasonToSkip('chromium')}, async (context) => {
    const page = await openBrowser('chromium');
    context.after(() => page.close());
    for (const [name, {headers = () => ({}), page: ofPage = {}, options = {}, expected,
        pattern = /^/}] of Object.entries(HOSTS)) {
        await context.test(`a static host: ${name}`, () => {
            const change = (path) => ({headers: {...headers(path), ...path === '' && ofPage}});
            return withServer(serveFolder(plain, {below: 'some/where/', change}), async (url) => {
                const {message = '', ...got} = await use(page, url, options);
                assert.deepEqual(got, expected, message);
                assert.match(message, pattern);
            });
        });
    }
    for (const [name, bundle] of Object.entries(BUNDLERS)) {
        await context.test(`bundled by ${name}`, async () => {
            const out = await bundle(folder), options = name === 'rollup' ? {baseUrl: 'gemma'} : {};
            await withServer(serveFolder(out, {below: 'some/where/'}),
                async (url) => assert.deepEqual(await use(page, url, options), DONE));
            await withServer(serveFolder(out, {change: () => ({headers: ISOLATED})}),
                async (url) => assert.deepEqual(await use(page, url, {...options, ...TWO}), DONE_BY_TWO));
        });
    }
    await context.test('the library on another origin',
        () => withServer(serveFolder(join(folder, 'plain/npm'), {change: () => ({headers: {
        ...ISOLATED, 'Cross-Origin-Resource-Policy': 'cross-origin', 'Access-Control-Allow-Origin': '*',
    }})}), async (library) => {
        const out = makePlain(folder, library, 'elsewhere');
        await withServer(serveFolder(out), async (url) => assert.deepEqual(await use(page, url), DONE));
        await withServer(serveFolder(out, {change: () => ({headers: ISOLATED})}),
            async (url) => assert.deepEqual(await use(page, url, TWO), DONE_BY_TWO));
    }));
    await context.test('in frames: of another origin, isolated or not, and sandboxed',
        () => withServer(serveFolder(plain, {host: '127.0.0.1', change: () => ({headers: {
        'Cross-Origin-Embedder-Policy': 'require-corp', 'Cross-Origin-Resource-Policy': 'cross-origin',
        'Access-Control-Allow-Origin': '*',
    }})}), async (framed) => {
        const cases = [
            {isolated: true, attributes: 'allow="cross-origin-isolated"', expected: DONE_BY_TWO},
            {isolated: true, attributes: '', expected: DONE},
            {isolated: false, attributes: '', expected: DONE},
            {isolated: false, attributes: 'sandbox="allow-scripts"', expected: DONE},
        ];
        for (const {isolated, attributes, expected} of cases) {
            const text = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><iframe src="${framed}" ${attributes}></iframe>`;
            await withServer(serveFolder(plain,
                {change: (path) => path === '' ? {text, headers: {'Content-Type': 'text/html', ...isolated
                    && ISOLATED}} : undefined}), async (url) => {
                await page.goto(url);
                const {message, ...got} = await page.evaluate(async () => {
                    const {contentWindow} = document.querySelector('iframe'),
                        answered = new Promise((done) => { onmessage = ({data}) => done(data); });
                    for (;;) {
                        contentWindow.postMessage({threads: 2}, '*');
                        const answer = await Promise.race([
                            answered, new Promise((done) => setTimeout(done, 200)),
                        ]);
                        if (answer) return answer;
                    }
                });
                assert.deepEqual(got, expected, `${attributes} ${isolated}: ${message}`);
            });
        }
    }));
    await context.test('a shared worker, which can start no worker, says so',
        () => withServer(serveFolder(plain), async (url) => {
        await page.goto(url);
        const code = await page.evaluate(() => new Promise((done) => {
            const text = `import {Gemma} from '${location.origin}/npm/gemma.js';
                onconnect = ({ports: [port]}) => Gemma.load('${location.origin}/tiny.gguf').then(() => port.postMessage('loaded'), (error) => port.postMessage(error.code));`;
            new SharedWorker(`data:text/javascript,${encodeURIComponent(text)}`, {type: 'module'})
                .port.onmessage = ({data}) => done(data);
        }));
        assert.equal(code, 'unsupported');
    }));
    await context.test("an extension's page", async (subtest) => {
        const page = await openExtension(makeExtension(folder));
        subtest.after(() => page.close());
        await page.until(() => typeof globalThis.use === 'function');
        assert.deepEqual(await page.evaluate((options) => globalThis.use(options), TWO), DONE_BY_TWO);
    });
    await context.test("Vite's server for development", () => withServer(serveByVite(folder),
        async (url) => assert.deepEqual(await use(page, url), DONE)));
});

for (const name of ['firefox', 'webkit']) {
    test(`a static host, in ${name}`, {skip: reasonToSkip(name)}, async (context) => {
        const page = await openBrowser(name);
        context.after(() => page.close());
        await withServer(serveFolder(plain, {below: 'some/where/'}), async (url) => {
            const {message, ...got} = await use(page, url);
            assert.deepEqual(got, DONE, message);
        });
    });
}

const NODES = [process.execPath, ensureNode24()];
const model = join(ROOT, 'tests/golden/tiny-gemma3.gguf');

/** @param {string} node @param {string[]} args */
function runNode(node, ...args) {
    const {status, stdout, stderr} = spawnSync(node, args, {cwd: folder, encoding: 'utf8'});
    assert.equal(status, 0, stderr);
    return stdout.trim();
}

test('under Node: imported, required, and as a command', () => {
    writeFileSync(join(folder, 'use.js'), `import {Gemma} from 'gemma-wasm';
        const gemma = await Gemma.load(${JSON.stringify(model)}, {threads: 2}), session = await gemma.session();
        const {text} = await session.prompt('Hello', {raw: true, maxTokens: 20, constraint: {choices: ['yes']}}).result;
        console.log(text, gemma.info.threads);
        gemma.close();`);
    writeFileSync(join(folder, 'use.cjs'),
        "const {Gemma} = require('gemma-wasm');\nconsole.log(typeof Gemma.load);");
    for (const node of new Set(NODES)) {
        assert.equal(runNode(node, 'use.js'), 'yes 2');
        assert.equal(runNode(node, 'use.cjs'), 'function');
    }
    writeFileSync(join(folder, 'serve.js'), `import {serve} from 'gemma-wasm/node';
        const server = await serve({model: ${JSON.stringify(model)}, port: 0});
        const page = await fetch(server.url), text = await page.text();
        console.log((await (await fetch(new URL('v1/models', server.url))).json()).object, page.status, page.headers.get('Content-Type'), text.includes('/v1/chat/completions'));
        await server.close();`);
    assert.equal(runNode(process.execPath, 'serve.js'), 'list 200 text/html; charset=utf-8 true');
    writeFileSync(join(folder, 'names.js'), `import {Gemma} from 'gemma-wasm';
        import {OpenAI} from 'gemma-wasm/openai';
        const gemma = await Gemma.load(${JSON.stringify(model)}), {completions} = new OpenAI({gemma}).chat;
        const messages = [{role: 'user', content: 'x'}], name = ({name}) => name;
        console.log(await completions.create({messages, temperature: 9}).catch(name),
            await completions.create({messages}, {signal: AbortSignal.abort()}).catch(name));
        gemma.close();`);
    assert.equal(runNode(process.execPath, 'names.js'), 'BadRequestError APIUserAbortError');
    const [node] = NODES, command = 'node_modules/.bin/gemma',
        {version} = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    assert.equal(runNode(node, command, '--version'), `gemma-wasm ${version}`);
    assert.match(runNode(node, command, 'generate', '--model', model, '--prompt', 'Hello', '--max-tokens',
        '20', '--choices', 'yes'), /yes/);
    for (const name of ['generate', 'logits', 'tokenize', 'detokenize', 'embed', 'perplexity', 'compare',
        'imatrix', 'inspect', 'probe', 'bench', 'constraint', 'serve']) {
        const {stderr} = spawnSync(node, [command, name, '--no-such-option'],
            {cwd: folder, encoding: 'utf8'});
        assert.match(stderr, /^gemma: [^\n]*--no-such-option/, name);
    }
});

test('in TypeScript, strictly, by every way of resolving modules', () => {
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    writeFileSync(join(folder, 'use.ts'), readFileSync(join(ROOT, 'tests/check/consumer.ts')));
    const {exports} = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')),
        doors = Object.keys(exports).filter((name) => name !== './package.json');
    writeFileSync(join(folder, 'doors.ts'),
        doors.map(
            (name, i) =>
                `import * as door${i} from 'gemma-wasm${name.slice(1)}';\nexport const n${i} = Object.keys(door${i}).length;`).join('\n'));
    for (const [module, moduleResolution, older] of [['nodenext', 'nodenext'], ['node16', 'node16'],
        ['esnext', 'bundler'], ['commonjs', 'node10', {ignoreDeprecations: '6.0'}]]) {
        writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({
            compilerOptions: {
                strict: true, noEmit: true, target: 'es2022', module, moduleResolution,
                lib: ['es2022', 'dom', 'dom.iterable'], types: [], ...older,
            },
            files: ['use.ts', 'doors.ts'],
        }));
        const {status, stdout} = spawnSync(process.execPath, [tsc, '--pretty', 'false', '-p', folder],
            {encoding: 'utf8'});
        assert.equal(status, 0, stdout);
    }
});
