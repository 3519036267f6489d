// package.js: makes what the npm package holds, from the sources and the engine modules. `npm pack` runs
// it (prepack).
//
//   dist/npm/     the doors of package.json's `exports`, the workers, what these share, and the engine modules
//                 in wasm/: for browsers and Node
//   dist/node/    what is Node's alone: the command line, models on disks, and Emscripten's scripts
//   dist/types/   declarations
//
// The engine modules are compressed by LZMA, although their names do not say so. So the package is half as
// large, and so is what hosts without compression send. web/engine/lzma.js unpacks one within 60 ms, which is
// little beside a model's loading.
//
// Owns: which files the package has. Must not know: how scripts are bundled (build.js).

import {spawnSync} from 'node:child_process';
import {appendFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync} from 'node:fs';
import {basename, dirname, join, posix, relative, resolve} from 'node:path';
import {fileURLToPath} from 'node:url';
import {OPTIONS, bundle, readScripts} from './build.js';
import {SetupError, main} from './run.js';
import {ensureDependencies, ensureModules} from './setup.js';
import {listSite} from './site.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url)), WEB = join(ROOT, 'web');
const MORE = {sourcemap: false, banner: {js: '/*! gemma-wasm, Apache-2.0 */'}, define: {}};
/** The sources of the doors that have another name in package.json. @type {Record<string, string>} */
const SOURCES = {'.': 'gemma.js', './node': 'node/index.js'};

/** What is fetched where an answer is constrained, in one script that shares nothing. */
const CONSTRAINT = 'constraint.js',
    ROOM = ['constraint/constraint.js', 'constraint/tools.js', 'constraint/tool_answer.js'];
/** Doors that reuse part of another door are bundled whole: a shared chunk would make both larger. */
const ALONE = 'ai-sdk';
/** What Node's part uses of the library beside its doors. */
const PARTS = 'parts.js';
/** Below these folders is Node's part. */
const NODES = /^(weights\/)?node\//;

/** @returns {{file: string, source: string}[]} of each door: its file in dist/, and its source in web/ */
export function listDoors() {
    const {exports} = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    return Object.entries(exports).filter(([, door]) => typeof door === 'object').map(([name, door]) => {
        const source = SOURCES[name] ?? `api/${name.slice('./'.length)}.js`;
        if (!existsSync(join(WEB, source)))
            throw new SetupError(`package.json exports ${name}, but there is no web/${source}.`);
        return {file: door.default.slice('./dist/'.length), source};
    });
}

/** What the site has, and the doors that the page does not use. */
function listSources() {
    const sources = listSite();
    for (const name of readdirSync(join(WEB, 'api'), {recursive: true}))
        sources.set(`api/${name}`, join(WEB, 'api', String(name)));
    return sources;
}

/** The scripts of Node's part: paths in web/ -> text. */
function readNodes() {
    const paths = ['node', 'weights/node'].flatMap((folder) => readdirSync(join(WEB, folder),
        {recursive: true}).map((name) => `${folder}/${name}`));
    return new Map(paths.filter((path) => path.endsWith('.js'))
        .map((path) => [path, readFileSync(join(WEB, path), 'utf8')]));
}

/** What Node's part imports of the rest: paths in web/. @param {Map<string, string>} nodes */
function partsOf(nodes) {
    const apart = new Set([...ROOM, ...listDoors().map(({source}) => source)]), used = new Set();
    for (const [path, text] of nodes) {
        for (const [, address] of text.matchAll(/(?:\bfrom |\bawait import\()'(\.[^']+)'/g))
            used.add(posix.join(posix.dirname(path), address));
    }
    return [...used].filter((path) => !NODES.test(path) && !apart.has(path)).sort();
}

/** What xz --format=lzma makes, with the length in its header, which needs Python's own module only. */
const PACK = `import lzma, sys
data = open(sys.argv[1], 'rb').read()
packed = bytearray(lzma.compress(data, lzma.FORMAT_ALONE, preset=9 | lzma.PRESET_EXTREME))
packed[5:13] = len(data).to_bytes(8, 'little')
sys.stdout.buffer.write(packed)`;

/** @param {string} path @returns {Buffer} */
function pack(path) {
    const {status, stdout, stderr, error} = spawnSync('python3', ['-c', PACK, path], {maxBuffer: 1 << 26});
    if (error || status !== 0)
        throw new SetupError(`The engine modules are packed by python3, which failed: ${error?.message ?? stderr}`);
    return stdout;
}

/**
 * Emscripten's script without what is Node's. Bundlers copy it as it is, and some minify it as if it were
 * no module.
 * @param {string} path @returns {Promise<Buffer>}
 */
async function forBrowsers(path) {
    const {transform} = await import('esbuild'), text = readFileSync(path, 'utf8');
    const plain = text.replace(
        /globalThis\.process\?\.versions\?\.node&&globalThis\.process\?\.type!="renderer"/g, 'false')
        .replace(/new URL\(("[^"]+"),import\.meta\.url\)(?:\.href)?/g, '$1').replaceAll('import.meta.url',
            'self.location.href').replace(/\bENVIRONMENT_IS_NODE\b(?!=[^=])|\bisNode\b(?!=[^=])/g, 'false');
    return Buffer.from((await transform(plain, {minify: true, format: 'esm', target: OPTIONS.target})).code);
}

/**
 * Code that imports what no bundler may see: they refuse some lazy imports of workers, and all of Node's.
 * @param {string} address @returns {string | undefined}
 */
function hide(address) {
    if (address.includes('constraint/')) return `import(new URL("./${CONSTRAINT}",import.meta.url).href)`;
    return address.includes('node/')
        ? `import(import.meta.url.replace(/[^/]*$/,"../node/${basename(address)}"))` : undefined;
}

/**
 * Tells bundlers to leave imports alone whose address is known only when they run; minifying has taken such
 * comments away.
 * @param {Buffer} script
 */
const markHidden = (script) => Buffer.from(script.toString().replace(/\bimport\((?!")/g,
    'import(/* webpackIgnore: true *//* @vite-ignore */'));

/**
 * @param {Map<string, string>} sources   as listSite() gives them
 * @param {string[]} parts
 * @returns {Promise<Map<string, Buffer>>} paths in dist/npm/ -> bytes
 */
async function buildLibrary(sources, parts) {
    const {scripts, workers} = readScripts(sources, {folder: '', version: '', wasm: 'wasm', isForBoth: true});
    for (const [url, text] of scripts) {
        scripts.set(url, text.replace('const PACKED = false;', 'const PACKED = true;')
            .replace('*/ starter.href)',
                "*/ NODE ? starter.href.replace('/npm/', '/node/') : starter.href)"));
    }
    const all = (/** @type {string[]} */ urls) => urls.map((url) => `export * from './${url}';`).join('\n');
    const entries = Object.fromEntries([...workers].map(([url, out]) => [out, url]));
    for (const {file, source} of listDoors()) if (file.startsWith('npm/'))
        entries[basename(file, '.js')] = source;
    const {[ALONE]: alone, ...together} = entries;
    const files = new Map([
        ...await bundle(new Map(scripts).set(PARTS, all(parts)),
            {...together, [basename(PARTS, '.js')]: PARTS}, {chunks: '', hide, more: MORE}),
        ...await bundle(scripts, {[ALONE]: alone}, {
            library: './gemma.js', chunks: '', more: {...MORE, splitting: false},
        }),
        ...await bundle(new Map(scripts).set(CONSTRAINT, all(ROOM)),
            {[basename(CONSTRAINT, '.js')]: CONSTRAINT}, {chunks: '', more: {...MORE, splitting: false}}),
    ]);
    for (const [path, bytes] of files) files.set(path, markHidden(bytes));
    for (const [url, path] of sources) {
        if (!url.startsWith('wasm/')) continue;
        files.set(url, url.endsWith('.js') ? await forBrowsers(path) : /gemma.*\.wasm$/.test(url) ? pack(path)
            : readFileSync(path));
    }
    return files;
}

/**
 * @param {Map<string, string>} nodes   as readNodes() gives them
 * @returns {Promise<Map<string, Buffer>>} paths in dist/node/ -> bytes
 */
async function buildForNode(nodes) {
    const {build, transform} = await import('esbuild'), doors = listDoors();
    /** @param {string} path   in web/, of the library */
    const inLibrary = (path) => {
        const door = doors.find(({source}) => source === path);
        return `../npm/${door ? basename(door.file) : ROOM.includes(path) ? CONSTRAINT : PARTS}`;
    };
    const plugin = /** @type {import('esbuild').Plugin} */ ({
        name: 'node',
        setup({onResolve}) {
            onResolve({filter: /^\.\.?\/.*\.js$/}, ({path, resolveDir}) => {
                const url = posix.join(relative(WEB, resolveDir), path);
                return nodes.has(url) ? undefined : {path: inLibrary(url), external: true};
            });
        },
    });
    const entries = {cli: 'node/cli.js', disk: 'weights/node/disk.js',
        ...Object.fromEntries(doors.filter(({file}) => file.startsWith('node/'))
        .map(({file, source}) => [basename(file, '.js'), source]))};
    const {outputFiles} = await build({
        ...OPTIONS, ...MORE, platform: 'node', outdir: '/', chunkNames: '[name]-[hash]', plugins: [plugin],
        external: ['esbuild'],
        entryPoints: Object.entries(entries).map(([out, path]) => ({in: join(WEB, path), out})),
    });
    const starters = await Promise.all(['gemma.js', 'gemma64.js'].map(async (name) => {
        const {code} = await transform(readFileSync(join(WEB, 'wasm', name), 'utf8'),
            {minify: true, format: 'esm', target: 'es2022'});
        return /** @type {const} */ ([`wasm/${name}`, Buffer.from(code)]);
    }));
    return new Map([...outputFiles.map(({path, contents}) => /** @type {const} */ ([path.slice(1),
        Buffer.from(contents)])), ...starters]);
}

/**
 * A name that the library's scripts do not give would be missed only when a command runs.
 * @param {Map<string, Buffer>} node
 * @param {Map<string, Buffer>} npm
 */
function checkNames(node, npm) {
    for (const [path, bytes] of node) {
        for (const [, names, script] of bytes.toString()
            .matchAll(/import\{([^}]*)\}from"\.\.\/npm\/([^"]+)"/g)) {
            const [, given = ''] = /export\{([^}]*)\};?\s*$/.exec(npm.get(script)?.toString() ?? '') ?? [],
                all = given.split(',').map((name) => name.split(' as ').at(-1));
            for (const name of names.split(',')) {
                if (!all.includes(name.split(' as ')[0]))
                    throw new SetupError(`${path} imports ${name} of ${script}, which does not give it.`);
            }
        }
    }
}

/** Declarations of all doors, and of what these mention. @param {string} folder */
export function writeTypes(folder) {
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    const {status, stdout} = spawnSync(process.execPath,
        [tsc, '-p', join(ROOT, 'tsconfig.types.json'), '--outDir', folder], {encoding: 'utf8'});
    if (status !== 0) throw new SetupError(`The declarations could not be written.\n${stdout}`);
    const used = new Set(listDoors().map(({source}) => join(folder, source.replace(/\.js$/, '.d.ts'))));
    for (const file of used) {
        const text = readFileSync(file, 'utf8'),
            isPublic = /^(gemma|api|node)\b/.test(relative(folder, file));
        for (const [, address] of text.matchAll(/(?:from |import\()["'](\.[^"']+)["']/g))
            used.add(join(dirname(file), address.replace(/\.js$/, '.d.ts')));
        // What the reference does not explain needs no comments either.
        if (!isPublic) writeFileSync(file, text.replace(/^ *\/\*\*(?:[^*]|\*(?!\/))*\*\/\n/gm, ''));
    }
    // Code can't say this, and JSDoc has no words for it.
    appendFileSync(join(folder, 'api/element.d.ts'),
        "declare global {\n    interface HTMLElementTagNameMap {\n        'gemma-chat': GemmaChat;\n    }\n}\n");
    for (const name of readdirSync(folder, {recursive: true})) {
        const file = join(folder, String(name));
        if (file.endsWith('.d.ts') && !used.has(file)) rmSync(file);
    }
}

/** @param {string} [dist] */
export async function buildPackage(dist = join(ROOT, 'dist')) {
    const nodes = readNodes(), parts = partsOf(nodes), npm = await buildLibrary(listSources(), parts),
        node = await buildForNode(nodes);
    checkNames(node, npm);
    for (const [folder, files] of Object.entries({npm, node})) {
        rmSync(join(dist, folder), {recursive: true, force: true});
        for (const [path, bytes] of files) {
            const file = join(dist, folder, path);
            mkdirSync(dirname(file), {recursive: true});
            writeFileSync(file, bytes);
        }
    }
    rmSync(join(dist, 'types'), {recursive: true, force: true});
    writeTypes(join(dist, 'types'));
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
    await main(async () => {
        await ensureDependencies();
        await ensureModules();
        await buildPackage();
    });
}
