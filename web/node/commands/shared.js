// shared.js: what the commands have in common: the options of every command, opening a model in this process,
// reading and printing.

import {fstatSync} from 'node:fs';
import {readFile} from 'node:fs/promises';
import {GemmaError, codeOf, messageOf} from '../../base/error.js';
import {openModel} from '../../engine/open.js';
import {UsageError, oneOf} from '../args.js';
import {openSource} from '../../weights/node/disk.js';

/** Options that every command with a model takes. @satisfies {import('../args.js').OptionTable} */
export const MODEL_OPTIONS = {
    model: 'text', threads: 'count', ctx: 'count', variant: oneOf('simd128', 'relaxed'),
    dot: oneOf('i32', 'i16'), memory64: 'flag', exact: 'flag',
    kv: oneOf('f16', 'int8'),
};

/**
 * The given file, or the default model, which is fetched if it is missing.
 * @param {{model?: string}} options
 * @returns {Promise<string>}
 */
export async function modelPath({model}) {
    if (model !== undefined) return model;
    const {ensureModel} = await import('../setup.js');
    return ensureModel();
}

/**
 * What the engine wants of those options.
 * @param {Record<string, any>} options
 * @returns {import('../../engine/open.js').OpenOptions}
 */
export function engineOptions({threads, ctx, variant, dot, memory64, exact, kv, observe, sessions}) {
    return {threads, contextLength: ctx, variant, dot, memory64, exact, kvType: kv, observe, sessions};
}

/** What an answer must be. @satisfies {import('../args.js').OptionTable} */
export const CONSTRAINT_OPTIONS = {schema: 'text', regex: 'text', choices: 'text', grammar: 'text',
    whitespace: oneOf('none', 'space', 'free')};

/**
 * The constraint that these options say.
 * @param {Record<string, any>} options
 * @returns {Promise<import('../../gemma.js').ConstraintOptions | undefined>}   undefined: none was given
 */
export async function readConstraint({schema, regex, choices, grammar, whitespace}) {
    const given = [schema, regex, choices, grammar].filter((one) => one !== undefined).length;
    if (given > 1) throw new UsageError('--schema, --regex, --choices and --grammar exclude each other.');
    if (whitespace !== undefined && schema === undefined)
        throw new UsageError('--whitespace belongs to --schema.');
    if (schema !== undefined) return {schema: await readJson(schema), ...whitespace !== undefined
        && {whitespace}};
    if (regex !== undefined) return {regex};
    if (choices !== undefined) return {choices: readChoices(choices)};
    return grammar === undefined ? undefined : {grammar: await readText(grammar)};
}

/** White space around a choice is the command line's, not the text's. @param {string} text */
function readChoices(text) {
    const choices = text.split(',').map((one) => one.trim());
    if (choices.includes('')) throw new UsageError(
        `--choices "${text}" has an empty choice; expected texts with commas between them, as in yes,no.`);
    return choices;
}

/** @type {Record<string, string>} */
const NAMES = {load: 'loading', prefill: 'reading the prompt', text: 'reading the text',
    bench: 'measuring'};

/** Between two reports: a terminal shows the last one alone; elsewhere each is a line. */
const TERMINAL_MS = 100, LINE_MS = 10_000;

/**
 * Shows progress on stderr: on a terminal as one line, which is cleared at the end; elsewhere by a new line
 * every ten seconds, so that what ends before has none.
 * @returns {(progress: any) => void}
 */
export function progressLine() {
    const {stderr} = process, pause = stderr.isTTY ? TERMINAL_MS : LINE_MS;
    let next = stderr.isTTY ? 0 : performance.now() + pause;
    return ({phase, bytes, done = bytes, total}) => {
        const now = performance.now(), isOver = done >= total;
        if (now < next && !isOver) return;
        next = now + pause;
        const text = `${NAMES[phase]}: ${Math.floor(100 * done / total)} %`;
        if (stderr.isTTY) stderr.write(isOver ? `\r${' '.repeat(text.length + 2)}\r` : `\r${text}`);
        else if (!isOver) stderr.write(`${text}\n`);
    };
}

/**
 * Opens the model in this process, for commands that talk to the engine itself.
 * @param {Record<string, any>} options
 */
export async function open(options) {
    const source = await openSource({kind: 'path', path: await modelPath(options)},
        {onProgress: progressLine()});
    try {
        return await openModel(source, engineOptions(options));
    } finally {
        source.close();
    }
}

export async function readStdin() {
    if (process.stdin.isTTY) process.stderr.write('reading standard input; end it with Ctrl-D\n');
    const chunks = [];
    for await (const chunk of process.stdin) chunks.push(chunk);
    return Buffer.concat(chunks);
}

/**
 * Begins to read a text that may come beside what the command line says: from a file or a pipe. A socket, by
 * which programs often start others without ever ending it, counts only if something has come by it when the
 * text is wanted.
 * @returns {{end: () => Promise<string>} | undefined}   undefined: standard input is none of these
 */
export function readPiped() {
    const {stdin} = process;
    let stat;
    try {
        stat = fstatSync(0);
    } catch {
        return undefined;       // it is closed
    }
    if (!stat.isFIFO() && !stat.isFile() && !stat.isSocket()) return undefined;
    /** @type {Buffer[]} */
    const chunks = [];
    let isOver = false;
    const over = new Promise((resolve, reject) => {
        stdin.on('data', (chunk) => chunks.push(chunk));
        stdin.once('end', () => resolve(isOver = true));
        stdin.once('error', reject);
    });
    over.catch(() => {});       // thrown where it is awaited
    return {
        async end() {
            if (stat.isSocket() && !chunks.length && !isOver) stdin.destroy();
            else await over;
            return Buffer.concat(chunks).toString('utf8');
        },
    };
}

/** Ids separated by commas or white space. @param {string} text */
export function parseIds(text) {
    const words = text.split(/[\s,]+/).filter(Boolean);
    const odd = words.find((w) => !/^\d{1,9}$/.test(w));
    if (odd) throw new UsageError(`${odd.slice(0, 40)} is not a token id.`);
    if (!words.length) throw new UsageError('No token ids were given.');
    return words.map(Number);
}

/** Without a byte order mark, which editors on Windows write. @param {string} path */
export async function readText(path) {
    try {
        return (await readFile(path, 'utf8')).replace(/^\uFEFF/, '');
    } catch (cause) {
        throw new GemmaError(codeOf(cause) === 'ENOENT' ? 'not-found' : 'bad-file',
            `${path} cannot be read: ${messageOf(cause)}.`, {cause});
    }
}

/** @param {string} path @returns {Promise<any>} */
export async function readJson(path) {
    try {
        return JSON.parse(await readText(path));
    } catch (error) {
        if (error instanceof GemmaError) throw error;
        throw new GemmaError('bad-file', `${path} is not JSON: ${messageOf(error)}.`);
    }
}

/** @param {unknown} value */
export const printJson = (value) => void process.stdout.write(`${JSON.stringify(value)}\n`);
