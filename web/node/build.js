// build.js: makes what is published, by esbuild: the site and, in lib/, the library.
//
//   FOLDER/index.html, sw.js, manifest.webmanifest, models.json     names that must stay
//   FOLDER/app/      the page's scripts and style, with hashes in their names; words in texts-HASH/; icons
//   FOLDER/lib/      the library, which the page uses, too: gemma.js, its workers, the engine in wasm-HASH/
//   FOLDER/gemma.js  the library again, for pages that import it from the site's root
//
//   npm run build [-- FOLDER]      default: dist/
//
// Owns: names, bundles and their source maps. Must not know: URLs of the development server (site.js says
// which source is where).

import {createHash} from 'node:crypto';
import {mkdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {basename, dirname, join, posix, resolve} from 'node:path';
import {fileURLToPath} from 'node:url';
import {gzipSync} from 'node:zlib';
import {SetupError, main, say} from './run.js';
import {ensureDependencies, ensureModules} from './setup.js';
import {completeSite, listSite, versionOf} from './site.js';

/**
 * @typedef {object} Places   where parts of the library are put
 * @property {string} folder    of its scripts: 'lib/'
 * @property {string} version   in the names of workers
 * @property {string} wasm      of the engine modules, from its scripts
 * @property {boolean} [isForBoth]   the scripts ask which host this is; default: they are a browser's
 */

/**
 * @typedef {(address: string) => string | undefined} Hide   the code that imports a module which no bundler
 *     may see, or undefined
 */
/**
 * @typedef {Map<string, string>} Sources   as listSite() gives them: URL path in development -> absolute
 *     file name
 */

/** Only now, since the command brings it where it is missing. */
const esbuild = () => import('esbuild');

const HASH_LENGTH = 8;
export const OPTIONS = /** @type {const} */ ({
    bundle: true, splitting: true, format: 'esm', target: 'es2022', minify: true, sourcemap: true,
    charset: 'utf8', legalComments: 'none',
    define: {NODE: 'false'}, logLevel: 'silent', write: false, metafile: true,
});
/** Addresses beside a module, the one constant that says which host this is, and who imports it. */
const BESIDE = /new URL\('(\.\.?\/[^']+)', import\.meta\.url\)/g, HOST = /export const NODE =[^;]+;/;
const IMPORT = /^(import \{[^}]*?)\bNODE\b(?:, )?/gm;

/**
 * Few scripts, because each further one repeats shared code. One holds what a worker needs to load and
 * answer; another holds what is imported on demand, except STAYS_APART. Node's code is never requested in
 * a browser.
 */
const CORE = 'engine/service.js', RARE = 'rare.js', STAYS_APART = /(^|\/)(node|constraint|shared)\//;
/**
 * In code without comments: what is imported when it is needed, what a module gives, and that it
 * takes anything.
 */
const LAZY = /\bimport\("(\.[^"]+)"\)/g, GIVEN = /\bexport (?:async )?(?:function\*? ?|class |const )(\w+)/g;
/** Takes anything, and is no worker's: bundlers refuse a worker that has the code which starts it. */
const TAKES = /^(?![^]*\banswer\(workerPort\b)[^]*\b(from|import)"/;
/** @param {string | Buffer} bytes */
const hashOf = (bytes) => createHash('sha256').update(bytes).digest('hex').slice(0, HASH_LENGTH)
    .toUpperCase();
/** What marked makes for those who want HTML, for which bundlers keep most of it; but not what it exports. */
const REST_OF_MARKED = /;var \w+=new \w+;function [^]*export\{.*?(\w+ as Lexer,).*?(\w+ as Tokenizer\b).*\}/;
/** Files in folders whose names change with them, and the script that names such a folder. */
const FOLDERS = Object.entries({'app/texts/': 'app/texts.js', 'app/pdf/': 'app/files/pdf.js'});
/** @param {string} url */
const isOwnScript = (url) => url.endsWith('.js') && !/^(wasm|app\/pdf)\//.test(url) && url !== 'sw.js';
const withHash = (/** @type {string} */ url, /** @type {string} */ hash) => url.replace(/(\.\w+)$/,
    `-${hash}$1`);

/**
 * The sources as a browser has them, where nothing is Node's (`NODE` becomes false, and what it guards goes):
 * what lies beside a module is where the build puts it.
 * @param {Sources} sources @param {Places} places
 */
export function readScripts(sources, {folder, version, wasm, isForBoth = false}) {
    /** @type {Map<string, string>} */
    const scripts = new Map();
    /** @type {Map<string, string>} URL of the source -> in the output, without .js */
    const workers = new Map();
    let hosts = 0;
    for (const [url, path] of sources) {
        if (!isOwnScript(url)) continue;
        const source = readFileSync(path, 'utf8');
        const text = isForBoth ? source : source.replace(HOST, () => {
            hosts++;
            return '';
        }).replace(IMPORT, '$1');
        scripts.set(url, text.replace(BESIDE, (whole, address) => {
            const target = posix.join(posix.dirname(url), address);
            if (target.startsWith('wasm/'))
                return `new URL('./${wasm}/${target.slice('wasm/'.length)}', import.meta.url)`;
            if (!sources.has(target))
                throw new SetupError(`${path} names ${target}, which is no file of the site.`);
            const name = `${basename(target, '.js')}${version}`;
            workers.set(target, `${folder}${name}`);
            return `new URL('./${name}.js', import.meta.url)`;
        }));
    }
    if (!isForBoth && hosts !== 1)
        throw new SetupError(`${hosts} modules say which host this is; one was expected (export const NODE).`);
    return {scripts, workers};
}

/**
 * Resolves imports among the sources.
 * @param {Map<string, string>} scripts
 * @param {string} [library]   the address of the library that was built, for scripts that don't hold it
 * @returns {import('esbuild').Plugin}
 */
function fromSources(scripts, library) {
    return {
        name: 'sources',
        setup({onResolve, onLoad}) {
            onResolve({filter: /^\.|^entry:|\.css$/}, ({path, importer}) => {
                const url = path.startsWith('entry:') ? path.slice('entry:'.length)
                    : posix.join(posix.dirname(importer), path);
                if (library && url === 'gemma.js') return {path: library, external: true};
                return scripts.has(url) ? {path: url, namespace: 'site'}
                    : {errors: [{text: `${importer} imports ${url}, which is no file of the site.`}]};
            });
            onLoad({filter: /.*/, namespace: 'site'},
                ({path}) => ({contents: scripts.get(path), loader: path.endsWith('.css') ? 'css' : 'js'}));
        },
    };
}

/** @param {string} from   a script @param {string} to @returns {string} how it is imported there */
const addressOf = (from, to) => posix.relative(posix.dirname(from), to).replace(/^(?!\.)/, './');
/** @param {string} url   of a script @param {string} address   that it imports when it is needed */
const isRare = (url, address) => !STAYS_APART.test(posix.join(posix.dirname(url), address));

/**
 * @param {Map<string, string>} scripts
 * @returns {Promise<Map<string, {code: string, map: string}>>} without comments
 */
async function withoutComments(scripts) {
    const {transform} = await esbuild();
    return new Map(await Promise.all([...scripts].filter(([url]) => !url.startsWith('app/'))
        .map(async ([url, script]) => /** @type {const} */ ([
        url, await transform(script, {sourcefile: url, sourcemap: 'external', minifyWhitespace: true,
            charset: 'utf8', target: OPTIONS.target}),
    ]))));
}

/**
 * Groups the library into few scripts: adds RARE, with everything imported on demand except STAYS_APART, and
 * makes each entry import CORE.
 * @param {Map<string, string>} scripts @param {string[]} entries   URLs of sources @param {Hide} [hide]
 * @returns {Promise<Map<string, string>>}
 */
async function groupScripts(scripts, entries, hide) {
    const all = await withoutComments(scripts), begun = new Set([...entries, RARE]), rare = new Set();
    for (const [url, {code}] of all) {
        for (const [, address] of code.matchAll(LAZY))
            (isRare(url, address) ? rare : begun).add(posix.join(posix.dirname(url), address));
    }
    const given = [...rare].flatMap((url) => [...(all.get(url)?.code ?? '').matchAll(GIVEN)].map(([, name]) =>
        name)), twice = given.find((name, i) => given.indexOf(name) < i);
    if (twice) throw new SetupError(
        `Two modules that are imported when they are needed give ${twice}; one needs another name.`);
    all.set(RARE, {code: [...rare].map((url) => `export*from"./${url}";`).join(''), map: ''});
    return new Map([...all].map(([url, {code, map}]) => {
        const core = begun.has(url) && TAKES.test(code) ? `import"${addressOf(url, CORE)}";` : '';
        const body = code.replace(LAZY, (whole, address) => isRare(url, address)
            ? `import("${addressOf(url, RARE)}")` : hide?.(address) ?? whole);
        return [url, `${body}${core}${map && `\n//# sourceMappingURL=data:application/json;base64,${Buffer.from(map).toString('base64')}`}`];
    }));
}

/**
 * @param {Map<string, string>} scripts
 * @param {Record<string, string>} entries   names in the output, without .js -> URL of the source
 * @param {{isPage?: boolean, library?: string, chunks: string, hide?: Hide, more?:
 *     import('esbuild').BuildOptions}} options   library: see fromSources
 * @returns {Promise<Map<string, Buffer>>} paths in the folder -> bytes
 */
export async function bundle(scripts, entries, {isPage = false, library, chunks, hide, more}) {
    const {outputFiles = []} = await (await esbuild()).build({
        ...OPTIONS, ...more, outdir: '/', entryNames: isPage ? '[dir]/[name]-[hash]' : '[dir]/[name]',
        chunkNames: `${chunks}[name]-[hash]`,
        plugins: [fromSources(isPage || more?.splitting === false ? scripts
            : await groupScripts(scripts, Object.values(entries), hide), library)],
        entryPoints: Object.entries(entries).map(([out, url]) => ({in: `entry:${url}`, out})),
    });
    return new Map(outputFiles.map(({path, contents}) => [path.slice(1), Buffer.from(contents)]));
}

/**
 * A module that nothing in the output gives would be missed only when it is used.
 * @param {Map<string, Buffer>} files
 */
function checkImports(files) {
    for (const [path, bytes] of files) {
        if (!path.endsWith('.js') || /\/(wasm|pdf)-\w+\//.test(path)) continue;
        for (const [, address] of bytes.toString()
            .matchAll(/(?:\bfrom|\bimport\(?|new URL\()\s*"(\.[^"]+|node:[^"]+)"/g)) {
            const target = posix.join(posix.dirname(path), address);
            if (files.has(target) || [...files.keys()].some((other) => target.endsWith('/')
                && other.startsWith(target))) continue;
            throw new SetupError(`${path} names ${address}, which the build does not make.`);
        }
    }
}

/** @param {Sources} sources @returns {Promise<Map<string, Buffer>>} */
async function buildLibrary(sources) {
    const modules = [...sources].filter(([url]) => url.startsWith('wasm/'))
        .map(([url, path]) => /** @type {const} */ ([url, readFileSync(path)]));
    if (!modules.length) throw new SetupError('The engine is not built yet: run make wasm first.');
    const wasm = `wasm-${hashOf(Buffer.concat(modules.map(([, bytes]) => bytes)))}`;
    /** @type {[string, string | Buffer][]} */
    const all = [...sources].filter(([url]) => isOwnScript(url))
        .map(([url, path]) => [url, readFileSync(path)]);
    const version = versionOf([...all, ['wasm', wasm]]).slice(0, HASH_LENGTH);
    const {scripts, workers} = readScripts(sources,
        {folder: 'lib/', version: `-${version.toUpperCase()}`, wasm});
    const entries = {
        'lib/gemma': 'gemma.js', ...Object.fromEntries([...workers].map(([url, out]) => [out, url])),
    };
    const files = await bundle(scripts, entries, {chunks: 'lib/'});
    for (const [url, bytes] of modules) files.set(url.replace('wasm', `lib/${wasm}`), bytes);
    return files.set('gemma.js', Buffer.from('export * from "./lib/gemma.js";\n'));
}

/**
 * Lets each script of the page that is fetched later take all that any of them shares with the page: then
 * that is one script, which compresses best.
 * @param {Map<string, string>} scripts @param {string} page
 */
function shareOnce(scripts, page) {
    const named = (/** @type {string} */ url, /** @type {RegExp} */ how) =>
        [...(scripts.get(url) ?? '').matchAll(how)].map(([, address]) => posix.join(posix.dirname(url),
            address)).filter((target) => scripts.has(target) && target !== 'gemma.js');
    const reach = (/** @type {string[]} */ from) => {
        const found = new Set(from);
        for (const url of found) for (const target of named(url, /^(?:import|export) [^']*'(\.[^']+)';/gm))
            found.add(target);
        return found;
    };
    const first = reach([page]), all = [...scripts.keys()].filter((url) => url.startsWith('app/'));
    const later = new Set(all.flatMap((url) => named(url, /^(?! \*).*\bimport\('(\.[^']+)'\)(?!\.[A-Z])/gm))
        .filter((url) => !first.has(url)));
    const shared = [...reach([...later])].filter((url) => first.has(url));
    for (const url of later)
        scripts.set(url,
            `${scripts.get(url)}\n${shared.map((target) => `import '${addressOf(url, target)}';`).join('\n')}`);
}

/** @param {Sources} sources @returns {Promise<Map<string, Buffer>>} */
export async function buildPage(sources) {
    const {scripts} = readScripts(sources, {folder: '', version: '', wasm: ''}),
        text = (/** @type {string} */ url) => readFileSync(sources.get(url) ?? '', 'utf8');
    const apart = /** @type {Map<string, Buffer>} */ (new Map()), marked = 'app/markdown/marked.js';
    for (const [folder, script] of FOLDERS) {
        const all = [...sources].filter(([url]) => url.startsWith(folder))
            .map(([url, path]) => /** @type {const} */ ([url, readFileSync(path)]));
        const named = `${folder.slice(0, -1)}-${hashOf(Buffer.concat(all.map(([, bytes]) => bytes)))}/`;
        scripts.set(script, scripts.get(script)?.replaceAll(`${posix.basename(folder)}/`,
            `${posix.basename(named)}/`) ?? '');
        for (const [url, bytes] of all) apart.set(url.replace(folder, named), bytes);
    }
    shareOnce(scripts, 'app/app.js');
    scripts.set(marked, scripts.get(marked)?.replace(REST_OF_MARKED, ';export{$1$2}') ?? '');
    const styles = new Map([...sources.keys()].filter((url) => url.endsWith('.css'))
        .map((url) => [url, text(url)]));
    const files = new Map([
        ...await bundle(scripts, {'app/app': 'app/app.js'}, {
            isPage: true, library: '../lib/gemma.js', chunks: 'app/',
        }),
        ...await bundle(styles, {'app/styles': 'app/styles.css'},
            {isPage: true, chunks: 'app/', more: {sourcemap: false}}),
    ]);
    const {code} = await (await esbuild()).transform(text('app/start.js'), {minify: true, charset: 'utf8'});
    files.set(withHash('app/start.js', hashOf(code)), Buffer.from(code));
    const renamed = new Map([...files.keys()].map((path) => [path.replace(/-\w+(?=\.\w+$)/, ''), path]));
    const html = text('').replace(/(?<==")app\/[^"]+(?=")/g, (url) => renamed.get(url) ?? url);
    files.set('index.html', Buffer.from(html));
    for (const [url, bytes] of apart) files.set(url, bytes);
    for (const [url, path] of sources)
        if (/\.(png|svg|json|webmanifest)$/.test(url) && !FOLDERS.some(([folder]) => url.startsWith(folder)))
        files.set(url, readFileSync(path));
    return files;
}

/**
 * @param {string} folder   is made; what else is in it stays
 * @param {Sources} sources
 * @returns {Promise<Map<string, Buffer>>} what was written: paths in the folder -> bytes
 */
export async function buildSite(folder, sources) {
    const files = new Map([...await buildLibrary(sources), ...await buildPage(sources)]);
    checkImports(files);
    const shell = new Map([...files].filter(([path]) => !path.endsWith('.map'))
        .map(([path, bytes]) => [path === 'index.html' ? '' : path, bytes]));
    const {html, lists, rest} = completeSite(readFileSync(sources.get('sw.js') ?? '', 'utf8'), shell);
    // A script that is no module keeps its global names: within a function they are short.
    const {code} = await (await esbuild()).transform(rest, {
        minify: true, format: 'iife', charset: 'utf8', target: 'es2022',
    });
    files.set('index.html', html).set('sw.js', Buffer.from(lists + code));
    for (const [path, bytes] of files) {
        mkdirSync(dirname(join(folder, path)), {recursive: true});
        writeFileSync(join(folder, path), bytes);
    }
    return files;
}

/**
 * What a visitor downloads, and the library file by file.
 * @param {Map<string, Buffer>} files
 * @returns {string[]} lines
 */
export function describeBuild(files) {
    const zipped = (/** @type {Buffer} */ bytes) => gzipSync(bytes).length;
    const kb = (/** @type {number} */ n) => `${(n / 1024).toFixed(1).padStart(7)} KB`;
    const shown = [...files].filter(([path]) => !path.endsWith('.map')).sort(([a], [b]) => a < b ? -1 : 1);
    const isPdf = (/** @type {string} */ path) => /^app\/pdf-\w+\//.test(path),
        own = shown.filter(([path]) => path.endsWith('.js') && !path.includes('/wasm-') && !isPdf(path));
    return [
        ...shown.filter(([path]) => path.startsWith('lib/'))
            .map(([path, bytes]) => `${kb(zipped(bytes))}  ${path}`),
        `${kb(own.reduce((sum, [, bytes]) => sum + zipped(bytes), 0))}  all JavaScript but the engine's, gzipped as the sizes above`,
        `${kb(shown.filter(([path]) => isPdf(path)).reduce((sum, [, bytes]) => sum + zipped(bytes), 0))}  what reads PDF files, fetched when the first is opened`,
    ];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
    await main(async () => {
        const [folder, ...more] = process.argv.slice(2),
            dist = fileURLToPath(new URL('../../dist', import.meta.url));
        if (more.length || folder?.startsWith('-')) {
            say('usage: npm run build [-- FOLDER]    default: dist, which is emptied before');
            process.exitCode = 2;
            return;
        }
        await ensureDependencies();
        await ensureModules();
        if (!folder) rmSync(dist, {recursive: true, force: true});
        const files = await buildSite(folder ?? dist, listSite());
        for (const line of describeBuild(files)) console.log(line);
        console.log(`${files.size} files are in ${resolve(folder ?? dist)}: any static host can serve them. Models are put beside them, in models/.`);
    });
}
