// A PDF -> its text, by pdf.js, which is fetched only then, from beside the page (app/pdf/).
//
// Owns: how pdf.js is started and ended, and how the pieces of a page become lines. Must not know: files,
// elements. A PDF is anybody's: pdf.js reads it in a worker that is ended afterwards, its scripts are never
// run (that part of pdf.js is not here), and nothing that it names is fetched.

import {trustedScript} from '../trusted.js';
import {addressOf} from '../beside.js';
import {FileProblem} from './problem.js';

/** What stands between pages: people and models can be told the page of a passage. */
export const PAGE = '\f';
const MOST_PAGES = 3000, MOST_CHARACTERS = 10_000_000;
/** A page that takes longer is not read, and what comes after it isn't either. */
const PATIENCE_MS = 60_000;

/**
 * @typedef {{str: string, hasEOL: boolean, transform: number[], height: number}} Item   pdf.js's: a run
 *     of letters
 */

/**
 * @param {Uint8Array} bytes
 * @param {{signal?: AbortSignal}} [options]
 * @returns {Promise<string>}   rejects with a FileProblem: pdf-locked, pdf-broken, pdf-slow, pdf-program
 */
export async function pdfToText(bytes, {signal} = {}) {
    const {getDocument, PDFWorker} = await bringProgram(), port = startWorker(),
        worker = new PDFWorker({port, verbosity: 0});
    const task = getDocument({
        data: bytes, worker, isEvalSupported: false, enableXfa: false, disableFontFace: true,
        useSystemFonts: false, useWorkerFetch: false, useWasm: false,
        isOffscreenCanvasSupported: false, isImageDecoderSupported: false, stopAtErrors: false, verbosity: 0,
    });
    const ending = Promise.withResolvers(), stop = () => ending.reject(signal?.reason);
    signal?.addEventListener('abort', stop);
    port.onerror = () => ending.reject(new FileProblem('pdf-program'));
    /** @type {<T>(work: Promise<T>) => Promise<T>} */
    const within = (work) => {
        const timer = setTimeout(() => ending.reject(new FileProblem('pdf-slow')), PATIENCE_MS);
        return Promise.race([work, /** @type {Promise<never>} */ (ending.promise)])
            .finally(() => clearTimeout(timer));
    };
    ending.promise.catch(() => {});
    try {
        const pdf = await within(task.promise), pages = [];
        let length = 0;
        for (let number = 1; number <= pdf.numPages && number <= MOST_PAGES
            && length < MOST_CHARACTERS; number++) {
            const page = await within(pdf.getPage(number)), {items} = await within(page.getTextContent());
            const text = linesOf(items);
            length += text.length + 1;
            pages.push(text);
        }
        return pages.join(PAGE).slice(0, MOST_CHARACTERS).toWellFormed();
    } catch (error) {
        throw toProblem(/** @type {Error} */ (error));
    } finally {
        signal?.removeEventListener('abort', stop);
        task.destroy().catch(() => {});
        port.terminate();
    }
}

/** @param {Error} error */
function toProblem(error) {
    const {name} = error;
    if (error instanceof FileProblem || name === 'AbortError') return error;
    return new FileProblem(name === 'PasswordException' ? 'pdf-locked' : 'pdf-broken', {}, error);
}

async function bringProgram() {
    try {
        return await import(addressOf('pdf/pdf.js').href);
    } catch (cause) {
        // never used here before, and the network is off
        throw new FileProblem('pdf-program', {}, cause);
    }
}

/** pdf.js would start its own from an address that the page's policy does not trust. */
const startWorker = () => new Worker(trustedScript(addressOf('pdf/worker.js').href), {type: 'module'});

/**
 * Lines as they are on a page, and an empty one where there is more space between two.
 * @param {Item[]} items
 */
function linesOf(items) {
    let text = '', bottom = NaN;
    for (const {str, hasEOL, transform, height} of items) {
        if (str === undefined) continue;        // a mark of the page's structure
        const y = transform[5], size = height || Math.abs(transform[3]);
        if (str.trim()) {
            if (text.endsWith('\n') && bottom - y > 1.8 * size) text += '\n';
            bottom = y;
        }
        text += str;
        if (hasEOL) text = `${text.trimEnd()}\n`;
    }
    return text.replaceAll(PAGE, ' ').trim();
}
