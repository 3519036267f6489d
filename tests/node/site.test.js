// What the site consists of: complete, with relative addresses, and with a service worker that sees
// every change.

import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {createServer} from 'node:http';
import {tmpdir} from 'node:os';
import {extname, join, posix} from 'node:path';
import test, {after} from 'node:test';
import {fileURLToPath, pathToFileURL} from 'node:url';
import {Linter} from 'eslint';
import globals from 'globals';
import {buildSite} from '../../web/node/build.js';
import {listSite, policyOf, readSite, TYPES} from '../../web/node/site.js';

const BUILD = fileURLToPath(new URL('../../web/node/build.js', import.meta.url));
const work = mkdtempSync(join(tmpdir(), 'gemma-site-'));
after(() => rmSync(work, {recursive: true}));

/** Addresses that a file of the site refers to, as they are written. */
function references(url, text) {
    const patterns = {
        '.js': [/\bfrom '([^']+)'/g, /\bimport '([^']+)'/g, /\bimport\('([^']+)'\)/g,
            /\bnew URL\('([^']+)', import\.meta\.url\)/g, /'(\.\.?\/[^'\s]+\.js)'/g],
        '.html': [/\b(?:src|href)="([^"#]+)"/g],
        '.css': [/url\(["']?([^"')]+)["']?\)/g],
        '.webmanifest': [/"(?:src|start_url|scope|id)": "([^"]+)"/g],
    }[extname(url || 'index.html')] ?? [];
    return patterns.flatMap((pattern) => [...text.matchAll(pattern)].map(([, address]) => address))
        .filter((address) => !/^(https?|node):/.test(address));
}

test('all that a file of the site refers to is relative and a file of the site', () => {
    const files = listSite();
    let n = 0;
    for (const [url, path] of files) {
        if (url.startsWith('wasm/')) continue;      // Emscripten's
        for (const address of references(url, readFileSync(path, 'utf8'))) {
            if (address.includes('/node/')) continue;       // imported under Node only
            assert.ok(!address.startsWith('/'), `${url}: ${address}`);
            const target = posix.join(posix.dirname(url || 'index.html'), address).replace(/^\.\/?$/, '');
            assert.ok(files.has(target), `${url} refers to ${address}`);
            n++;
        }
    }
    assert.ok(n > 40, `${n} references were found`);
});

test('the engine\'s modules are in the site; tests, command line and server are not', () => {
    const urls = [...listSite().keys()];
    for (const size of ['gemma', 'gemma64'])
        for (const ending of ['.js', '-simd128.wasm', '-relaxed.wasm', '-relaxed16.wasm'])
            assert.ok(urls.includes(`wasm/${size}${ending}`), size + ending);
    for (const url of urls) assert.doesNotMatch(url,
        /(^|\/)node\/|test|\.md$|^app\/(index|sw|models|manifest)\./);
    for (const url of urls) assert.ok(TYPES[extname(url || 'index.html')], url);
});

/** VERSION and SHELL of the service worker as it is served for these files. */
function serviceWorker(files) {
    const [, version, shell] = /^const VERSION = '(\w+)', SHELL = (\[.*\]);$/m.exec(readSite('sw.js',
        files).toString());
    return {version, shell: JSON.parse(shell)};
}

test('the service worker gives every file the page\'s own policy', () => {
    const policy = policyOf(readSite('', listSite()).toString());
    assert.match(policy, /^default-src 'self'; connect-src .*form-action 'none'; require-trusted-types-for 'script'; trusted-types gemma-wasm gemma-app$/);
    assert.equal(/^const POLICY = (".*");$/m.exec(readSite('sw.js', listSite()).toString())[1],
        JSON.stringify(policy));
});

test('the service worker lists every file but itself', () => {
    const {shell} = serviceWorker(listSite());
    assert.deepEqual(shell, [...listSite().keys()].filter((url) => url !== 'sw.js')
        .map((url) => `./${url}`).sort());
    assert.ok(shell.includes('./'));
});

test('the service worker\'s version changes when a file does, comes, goes or is renamed, and else stays',
    () => {
    const {version} = serviceWorker(listSite());
    assert.equal(serviceWorker(listSite()).version, version);
    const changed = join(work, 'changed');
    const edits = {
        change(files) {
            writeFileSync(changed, `${readFileSync(files.get('gemma.js'), 'utf8')}\n`);
            files.set('gemma.js', changed);
        },
        come: (files) => files.set('app/new.js', files.get('gemma.js')),
        go: (files) => files.delete('gemma.js'),
        rename(files) {
            files.set('gemma2.js', files.get('gemma.js'));
            files.delete('gemma.js');
        },
        worker(files) {
            writeFileSync(changed, `${readFileSync(files.get('sw.js'), 'utf8')}\n`);
            files.set('sw.js', changed);
        },
    };
    const versions = new Set([version]);
    for (const [name, edit] of Object.entries(edits)) {
        const files = listSite();
        edit(files);
        versions.add(serviceWorker(files).version);
        assert.equal(versions.size, Object.keys(edits).indexOf(name) + 2, name);
    }
});

/** The files of a folder, without source maps. */
const listFolder = (folder) => readdirSync(folder, {recursive: true}).map(String)
    .filter((name) => statSync(join(folder, name)).isFile() && !name.endsWith('.map')).sort();

test('the site, built into a folder, is whole on any static host, also below a path', async () => {
    const folder = join(work, 'deep/er');
    const {status, stderr, stdout} = spawnSync(process.execPath, [BUILD, folder], {encoding: 'utf8'});
    assert.deepEqual({status, stderr}, {status: 0, stderr: ''});
    const built = listFolder(folder);
    for (const name of built.filter((name) => name.startsWith('lib/')))
        assert.match(stdout, new RegExp(`^ *[\\d.]+ KB  ${name.replaceAll('.', '\\.')}$`, 'm'),
            'its size is told');
    const [, version, list] = /^const VERSION = '([0-9a-f]{16})', SHELL = (\[.*\]);$/m.exec(
        readFileSync(join(folder, 'sw.js'), 'utf8'));
    assert.deepEqual(JSON.parse(list), built.filter((name) => name !== 'sw.js')
        .map((name) => `./${name === 'index.html' ? '' : name}`).sort());
    assert.ok(readFileSync(join(folder, 'index.html'), 'utf8').includes(`data-version="${version}"`));
    // The dumbest host: files by their path, index.html for a folder.
    const server = createServer((request, response) => {
        const path = join(work, decodeURIComponent(new URL(request.url, 'http://x').pathname));
        const file = path.endsWith('/') ? join(path, 'index.html') : path;
        if (!existsSync(file)) return response.writeHead(404).end();
        response.end(readFileSync(file));
    });
    await new Promise((done) => server.listen(0, '127.0.0.1', done));
    try {
        const base = `http://127.0.0.1:${server.address().port}/deep/er/`;
        const worker = await (await fetch(`${base}sw.js`)).text();
        const shell = JSON.parse(/SHELL = (\[.*\]);$/m.exec(worker)[1]);
        for (const path of shell) assert.equal((await fetch(new URL(path, base))).status, 200, path);
    } finally {
        server.closeAllConnections();
        server.close();
    }
});

test('more folders than one, or what looks like an option, are no folder', () => {
    for (const args of [['a', 'b'], ['--out']]) {
        const {status, stderr} = spawnSync(process.execPath, [BUILD, ...args], {encoding: 'utf8', cwd: work});
        assert.equal(status, 2);
        assert.match(stderr, /^usage: /);
    }
});

/**
 * A build of the sources, some of them changed.
 * @returns {Promise<Map<string, string>>} names of files -> text
 */
async function build(changes = {}) {
    const files = listSite();
    for (const [url, change] of Object.entries(changes)) {
        const place = join(work, `source-${url.replaceAll('/', '-')}`);
        writeFileSync(place, change(readFileSync(files.get(url), 'utf8')));
        files.set(url, place);
    }
    const folder = mkdtempSync(join(work, 'dist-'));
    await buildSite(folder, files);
    return new Map(readdirSync(folder, {recursive: true}).map(String)
        .filter((name) => statSync(join(folder, name)).isFile())
        .map((name) => [name, readFileSync(join(folder, name), 'latin1')]));
}
const STABLE = ['gemma.js', 'index.html', 'lib/gemma.js', 'manifest.webmanifest', 'models.json', 'sw.js'];

test('names change with what is in the files, but for those that must stay', async () => {
    const plain = await build(), again = await build();
    assert.deepEqual([...again], [...plain], 'the same sources give the same files');
    for (const name of STABLE) assert.ok(plain.has(name), name);
    for (const name of plain.keys())
        assert.ok(STABLE.includes(name.replace(/\.map$/, '')) || name.startsWith('app/icons/')
            || /-[0-9A-Z]{8}(\.\w+)+$|^lib\/wasm-[0-9A-F]{8}\/[\w-]+\.(js|wasm)$|^app\/(texts|pdf)-[0-9A-F]{8}\/\w+\.(json|js)$/.test(name), name);
    for (const changes of [
        {'app/app.js': (text) => `${text}\nglobalThis.more = 1;\n`},
        {'app/styles.css': (text) => `${text}\np { color: red; }`},
        {'app/start.js': (text) => `${text};more();`},
        {'app/texts/de.json': (text) => text.replace('{', '{"more": "", ')},
        {'app/styles/writer.css': (text) => `${text}\nem { color: red; }`},
        {'engine/worker.js': (text) => `${text}\nglobalThis.more = 1;\n`},
        {'wasm/gemma.js': (text) => `${text}//`}, {'': (text) => text.replace('<body', '<body id="x"')},
    ]) {
        const changed = await build(changes);
        for (const [name, text] of changed)
            if (plain.has(name) && plain.get(name) !== text)
                assert.ok(STABLE.includes(name.replace(/\.map$/, '')), `${name} changed, and kept its name`);
        const version = (files) => /VERSION = '(\w+)'/.exec(files.get('sw.js'))[1];
        assert.notEqual(version(changed), version(plain));
        assert.ok(changed.get('index.html').includes(version(changed)));
    }
});

test('each script of the build is minified, has a source map, and has nothing of Node', async () => {
    const files = await build();
    for (const [name, text] of files) {
        // pdf.js is made elsewhere
        if (!name.endsWith('.js') || /wasm-|^(gemma|sw)\.js|app\/start|^app\/pdf-\w+\//.test(name)) continue;
        const [, map] = /\n\/\/# sourceMappingURL=(\S+)\s*$/.exec(text) ?? [];
        const {sources, sourcesContent} =
            JSON.parse(Buffer.from(files.get(posix.join(posix.dirname(name), map)), 'latin1').toString());
        assert.equal(sources.length, sourcesContent.length, name);
        // it is as its package has it
        const isForeign = sources.some((source) => source.endsWith('marked.js'));
        assert.ok(isForeign || text.split('\n').length < 60, name);
        // one without only names what others have
        if (sources.length && !isForeign) assert.ok(text.length < sourcesContent.join('').length, name);
        assert.doesNotMatch(text, /["']node:|\bprocess\b/, name);
    }
});

test('each script of the build knows all names that it uses', async () => {
    const linter = new Linter({configType: 'flat'});
    const config = {languageOptions: {ecmaVersion: 2024, sourceType: 'module', globals: {...globals.browser,
        ...globals.worker, ...globals.serviceworker}}, rules: {'no-undef': 'error'}};
    for (const [name, text] of await build()) {
        if (!name.endsWith('.js') || /\/wasm-|^app\/pdf-\w+\//.test(name)) continue;
        assert.deepEqual(linter.verify(Buffer.from(text, 'latin1').toString(), config)
            .map(({message}) => `${name}: ${message}`), []);
    }
});

test('the library has one set of names, from its folder and from the root of the site', async () => {
    const folder = mkdtempSync(join(work, 'library-'));
    await buildSite(folder, listSite());
    // In a process that is ended: what is built for browsers keeps its ports open.
    const program = `const [root, lib] = await Promise.all(['gemma.js', 'lib/gemma.js'].map((name) => import('${pathToFileURL(folder).href}/' + name)));
        console.log(JSON.stringify([Object.keys(root), Object.keys(lib).every((name) => root[name] === lib[name])]));
        process.exit();`;
    const {stdout} = spawnSync(process.execPath, ['--input-type=module', '-e', program], {encoding: 'utf8'});
    assert.deepEqual(JSON.parse(stdout), [['Constraint', 'Gemma', 'GemmaError', 'Session'], true]);
});

test('a module that names a file which the build does not make fails it', async () => {
    for (const line of ["new URL('./none.js', import.meta.url)", "import('./none.js')"])
        await assert.rejects(build({'engine/worker.js': (text) =>
            `${text}\nexport const none = () => ${line};\n`}), line);
});
