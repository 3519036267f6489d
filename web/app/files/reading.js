// A file that a person gives, as text: which kinds are read, and how large they may be.
//
// Owns: kinds, limits. Must not know: elements, models, conversations. What a file says of itself (its name's
// ending, its type) is believed only where its bytes agree.

import {textOf} from './encodings.js';
import {htmlToText} from './html.js';
import {FileProblem} from './problem.js';

/**
 * @typedef {{name: string, type: string, size: number, text: string, encoding?: string}} ReadFile   encoding:
 *     where nothing in it says which one it is in
 */

/** A text of this size has some three million tokens: reading it takes hours on any device. */
export const MOST_BYTES = 10e6;
/** Most of a PDF's bytes are pictures and fonts. */
export const MOST_PDF_BYTES = 50e6;
const LONGEST_NAME = 200;
/** A file's kind is detected from this many first bytes. */
const HEAD = 4096;
/** Endings of pages; and of programs and templates that write pages: some systems give them a page's type. */
const PAGE = /^([sx]?html?|xht)$/i, PROGRAM = new RegExp(`^(${[
    'php\\d?', 'phtml', 'jspx?', 'aspx?', 'cshtml', 'ejs', 'hbs', 'mustache', 'twig', 'erb', 'vue', 'svelte',
    'astro', 'njk', 'liquid', 'te?mpl', 'tpl', 'jinja2?', 'j2'].join('|')})$`, 'i');
/** Texts have none of these; a terminal's log may have a few. */
const CONTROL = /[\0-\x08\x0e-\x1f\x7f]/g;      // eslint-disable-line no-control-regex
const MOST_CONTROL = 0.001;

/**
 * @param {File} file
 * @param {{signal?: AbortSignal, languages?: readonly string[], pdfToText?: (bytes: Uint8Array, options:
 *     {signal?: AbortSignal}) => Promise<string>}} [options]   languages: the reader's, as
 *     navigator.languages; pdfToText: reads a PDF
 * @returns {Promise<ReadFile>}   rejects with a FileProblem
 */
export async function readFile(file, {signal, languages, pdfToText} = {}) {
    const name = cleanName(file.name), {size} = file, head = await bytesOf(file.slice(0, HEAD), name);
    if (!size) throw new FileProblem('empty', {name});
    // Its mark may come after other bytes. Within a line, it is a text's that speaks of PDFs.
    const isPdf = /(^|[^ -~]) *%PDF-\d/.test(String.fromCharCode(...head.subarray(0, 1024))),
        most = isPdf ? MOST_PDF_BYTES : MOST_BYTES;
    // Of a large file that is no text, its kind is the reason.
    if (!isPdf) decode(head, name, {languages, isCut: size > HEAD});
    if (size > most) throw new FileProblem('too-large', {name, size, most});
    const bytes = await bytesOf(file, name);
    signal?.throwIfAborted();
    if (isPdf) {
        if (!pdfToText) throw new FileProblem('kind', {name});
        return {name, type: 'application/pdf', size,
            text: checkText(await pdfToText(bytes, {signal}).catch((error) => {
            throw error instanceof FileProblem ? new FileProblem(error.code, {name, ...error.values},
                error.cause) : error;
        }), name, 'pdf-empty')};
    }
    const {text, encoding} = decode(bytes, name, {languages}), isHtml = isPage(name, file.type, text);
    return {name, type: isHtml ? 'text/html' : file.type || 'text/plain', size,
        text: checkText(isHtml ? htmlToText(text) : text, name, 'empty'), ...encoding && {encoding}};
}

/** A name is shown to people and to models: in one line, and of a bounded length. @param {string} name */
export const cleanName = (name) => {
    const line = name.toWellFormed().replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ').trim(), {length} = line;
    return (length > LONGEST_NAME
        ? `${line.slice(0, LONGEST_NAME - 21)}…${line.slice(length - 20)}`.toWellFormed() : line) || 'file';
};

/**
 * Whether it is a page, of which only the text is read. A program or template may begin as a page does, and
 * is read as it is: its name's ending says so.
 * @param {string} name @param {string} type @param {string} text
 */
function isPage(name, type, text) {
    const [, ending = ''] = /\.([^.\s]*[a-z][^.\s]*)$/i.exec(name) ?? [];
    if (PAGE.test(ending)) return true;
    return !PROGRAM.test(ending) && /^(text\/html|application\/xhtml)/.test(type)
        || !ending && /^\s*<(!doctype html|html)\b/i.test(text);
}

/** @param {Blob} blob @param {string} name */
async function bytesOf(blob, name) {
    try {
        return new Uint8Array(await blob.arrayBuffer());
    } catch (cause) {
        throw new FileProblem('unreadable', {name}, cause);     // a folder, or a file that is gone
    }
}

/** @param {string} text @param {string} name @param {string} code   where there is none */
function checkText(text, name, code) {
    if (!text.trim()) throw new FileProblem(code, {name});
    return text;
}

/** @param {Uint8Array} bytes @param {string} name @param {Parameters<typeof textOf>[1]} options */
function decode(bytes, name, options) {
    const {text, encoding} = textOf(bytes, options) ?? {};
    if (text === undefined || text.includes('\0') || (text.match(CONTROL) ?? [])
        .length > MOST_CONTROL * text.length + 1) throw new FileProblem('kind', {name});
    return {text: text.replace(/\r\n?/g, '\n'), encoding};
}
