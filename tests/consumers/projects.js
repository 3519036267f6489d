// What others make of the npm package: it is packed and installed once, and bundled as their projects would
// bundle it, without configuration.
// Owns: the projects and their servers. Must not know: browsers.

import {spawnSync} from 'node:child_process';
import {cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync,
    writeFileSync} from 'node:fs';
import {createServer} from 'node:http';
import {createRequire} from 'node:module';
import {tmpdir} from 'node:os';
import {extname, join} from 'node:path';
import {fileURLToPath, pathToFileURL} from 'node:url';
import {TYPES} from '../../web/node/site.js';
import {CONSUMERS} from '../setup/consumers.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url)), GOLDEN = join(ROOT, 'tests/golden');
/** The package's scripts and modules. */
export const LIBRARY = 'node_modules/gemma-wasm/dist/npm';
const require = createRequire(join(CONSUMERS, 'package.json'));

export const ISOLATED = {'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Embedder-Policy': 'require-corp'};

/** A page's script. It says what comes of a model: numbers of tokens and threads, or the code of an error. */
const MAIN = `import {Gemma, GemmaError} from 'gemma-wasm';
globalThis.use = async (options = {}, model = 'tiny.gguf') => {
    try {
        const gemma = await Gemma.load(new URL(model, document.baseURI), options), session = await gemma.session();
        const {tokens} = await session.prompt('Hello', {raw: true, maxTokens: 8, sampling: {temperature: 0, logitBias: {1: -Infinity, 6: -Infinity}}}).result;
        const chosen = await session.prompt('Hello', {raw: true, maxTokens: 20, constraint: {choices: ['yes', 'no']}}).result;
        const {threads} = gemma.info;
        gemma.close();
        return {tokens: tokens.length, threads, isChosen: /^(yes|no)$/.test(chosen.text)};
    } catch (error) {
        return {code: error.code, isOurs: error instanceof GemmaError, message: error.message};
    }
};
onmessage = async ({data, source}) => source.postMessage(await use(data), '*');
`;
/** @param {string} script */
export const pageOf = (script) =>
    `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><script type="module" src="${script}"></script>`;

/** @param {string} program @param {string[]} args @param {string} cwd */
function run(program, args, cwd) {
    const {status, stdout, stderr} = spawnSync(program, args, {cwd, encoding: 'utf8'});
    if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stdout}${stderr}`);
    return stdout;
}

/**
 * Packs the checkout and installs the tarball in a new project.
 * @returns {{folder: string, files: {path: string, size: number}[], unpacked: number, remove: () => void}}
 */
export function install() {
    const folder = mkdtempSync(join(tmpdir(), 'gemma-consumer-'));
    const [{filename, files, unpackedSize}] = JSON.parse(run('npm', ['pack', '--json', '--pack-destination',
        folder], ROOT).replace(/^[^[]*/, ''));
    mkdirSync(join(folder, 'public'));
    writeFileSync(join(folder, 'package.json'), '{"type": "module"}');
    writeFileSync(join(folder, 'main.js'), MAIN);
    writeFileSync(join(folder, 'index.html'), pageOf('./main.js'));
    cpSync(join(GOLDEN, 'tiny-gemma3.gguf'), join(folder, 'public/tiny.gguf'));
    run('npm', ['install', '--offline', '--no-audit', '--no-fund', `./${filename}`], folder);
    return {
        folder, files, unpacked: unpackedSize, remove: () => rmSync(folder, {recursive: true, force: true}),
    };
}

/** @param {string} folder @param {string} name   of what a bundler writes to */
function output(folder, name) {
    const out = join(folder, name);
    mkdirSync(out, {recursive: true});
    cpSync(join(folder, 'public/tiny.gguf'), join(out, 'tiny.gguf'));
    return out;
}

/** @param {string} name */
const tool = (name) => import(pathToFileURL(require.resolve(name)).href);

/**
 * Each makes a folder of the project that any static host can serve.
 * @type {Record<string, (folder: string) => Promise<string>>}
 */
export const BUNDLERS = {
    async vite(folder) {
        const {build} = await tool('vite');
        await build({
            root: folder, configFile: false, logLevel: 'error', base: './', build: {outDir: 'of-vite'},
        });
        return join(folder, 'of-vite');
    },
    async webpack(folder) {
        const {default: webpack} = await tool('webpack'), out = output(folder, 'of-webpack');
        writeFileSync(join(out, 'index.html'), pageOf('./main.js').replace(' type="module"', ' defer'));
        await new Promise((done, fail) => webpack({mode: 'production', context: folder, entry: './main.js',
            output: {path: out}}, (error, stats) => {
            if (error || stats.hasErrors()) fail(error ?? new Error(stats.toString('errors-only')));
            else done();
        }));
        return out;
    },
    async esbuild(folder) {
        const {build} = await import('esbuild'), out = output(folder, 'of-esbuild');
        writeFileSync(join(out, 'index.html'), pageOf('./main.js'));
        await build({
            absWorkingDir: folder, entryPoints: ['main.js'], bundle: true, format: 'esm', outdir: out,
            logLevel: 'silent',
        });
        // it leaves addresses alone: what they name lies beside its bundle
        cpSync(join(folder, LIBRARY), out, {recursive: true});
        return out;
    },
    /**
     * As Vite's server for development has it, before version 8: bundles in a folder of their own, and the
     * package where it is.
     */
    async optimized(folder) {
        const {build} = await import('esbuild'), out = output(folder, 'of-optimizer'),
            script = 'node_modules/.vite/deps/main.js';
        writeFileSync(join(out, 'index.html'), pageOf(`./${script}`));
        await build({
            absWorkingDir: folder, entryPoints: ['main.js'], bundle: true, format: 'esm',
            outfile: join(out, script), logLevel: 'silent',
        });
        cpSync(join(folder, LIBRARY), join(out, LIBRARY), {recursive: true});
        return out;
    },
    async rollup(folder) {
        const {rollup} = await tool('rollup'), {nodeResolve} = await tool('@rollup/plugin-node-resolve'),
            out = output(folder, 'of-rollup');
        writeFileSync(join(out, 'index.html'), pageOf('./main.js'));
        const bundle = await rollup({
            input: join(folder, 'main.js'), plugins: [nodeResolve({browser: true})],
        });
        await bundle.write({dir: out, format: 'es'});
        await bundle.close();
        cpSync(join(folder, LIBRARY), join(out, 'gemma'), {recursive: true});       // for the option baseUrl
        return out;
    },
};

/**
 * The same page with the tarball's files beside it, and nothing built.
 * @param {string} folder
 * @param {string} [library]   its address
 */
export function makePlain(folder, library = './npm/', name = 'plain') {
    const out = output(folder, name);
    cpSync(join(folder, LIBRARY), join(out, 'npm'), {recursive: true});
    writeFileSync(join(out, 'main.js'), MAIN.replace('gemma-wasm', `${library}gemma.js`));
    writeFileSync(join(out, 'index.html'), pageOf('./main.js'));
    return out;
}

/** A browser's extension whose page is the same. @param {string} folder */
export function makeExtension(folder) {
    const out = makePlain(folder, './npm/', 'extension');
    writeFileSync(join(out, 'page.html'), readFileSync(join(out, 'index.html')));
    writeFileSync(join(out, 'background.js'), '');
    writeFileSync(join(out, 'manifest.json'), JSON.stringify({
        manifest_version: 3, name: 'Gemma', version: '1', background: {service_worker: 'background.js'},
        content_security_policy: {extension_pages: "script-src 'self' 'wasm-unsafe-eval'; object-src 'self'"},
        cross_origin_embedder_policy: {value: 'require-corp'},
        cross_origin_opener_policy: {value: 'same-origin'},
    }));
    return out;
}

/**
 * Vite's server for development.
 * @param {string} folder
 * @returns {Promise<{url: string, close: () => Promise<void>}>}
 */
export async function serveByVite(folder) {
    const {createServer: createVite} = await tool('vite');
    const server = await createVite({
        root: folder, configFile: false, logLevel: 'error', server: {port: 0, host: 'localhost'},
    });
    await server.listen();
    return {url: server.resolvedUrls.local[0], close: () => server.close()};
}

/**
 * A static host. `change(path)` gives other headers, another status or another text.
 * @param {string} folder
 * @param {{below?: string, host?: string, change?: (path: string) => {headers?: object, status?: number,
 *     text?: string} | undefined}} [options]   below: a path before all
 */
export async function serveFolder(folder, {below = '', host = 'localhost', change = () => undefined} = {}) {
    const server = createServer((request, response) => {
        const path = decodeURIComponent(new URL(request.url, 'http://x').pathname).slice(1 + below.length),
            file = join(folder, path || 'index.html');
        const {headers = {}, status = 200, text} = change(path) ?? {};
        if (text === undefined && !(existsSync(file) && statSync(file).isFile()))
            return response.writeHead(404).end();
        const type = TYPES[extname(file)] ?? 'application/octet-stream';
        response.writeHead(status, {'Content-Type': type, 'Cache-Control': 'no-store', ...headers})
            .end(text ?? readFileSync(file));
    });
    await new Promise((done) => server.listen(0, '127.0.0.1', done));
    return {
        url: `http://${host}:${server.address().port}/${below}`,
        close: () => new Promise((done) => {
            server.close(done);
            server.closeAllConnections();
        }),
    };
}
