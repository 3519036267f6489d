// A file that a person gives, as text: which kinds are read, how large they may be, and in which
// encoding they are.
//
// Owns: kinds, limits, encodings. Must not know: elements, models, conversations. What a file says of itself
// (its name's ending, its type) is believed only where its bytes agree.

import {htmlToText} from './html.js';
import {FileProblem} from './problem.js';

/** @typedef {{name: string, type: string, size: number, text: string}} ReadFile */

/** A text of this size has some three million tokens: reading it takes hours on any device. */
export const MOST_BYTES = 10e6;
/** Most of a PDF's bytes are pictures and fonts. */
export const MOST_PDF_BYTES = 50e6;
const LONGEST_NAME = 200, WESTERN = 'windows-1252';
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
 * @param {{signal?: AbortSignal, pdfToText?: (bytes: Uint8Array, options: {signal?: AbortSignal}) =>
 *     Promise<string>}} [options]   pdfToText: reads a PDF
 * @returns {Promise<ReadFile>}   rejects with a FileProblem
 */
export async function readFile(file, {signal, pdfToText} = {}) {
    const name = cleanName(file.name), {size} = file, head = await bytesOf(file.slice(0, HEAD), name);
    if (!size) throw new FileProblem('empty', {name});
    // Its mark may come after other bytes. Within a line, it is a text's that speaks of PDFs.
    const isPdf = /(^|[^ -~]) *%PDF-\d/.test(String.fromCharCode(...head.subarray(0, 1024))),
        most = isPdf ? MOST_PDF_BYTES : MOST_BYTES;
    // Of a large file that is no text, its kind is the reason.
    if (!isPdf) decode(head, name, size > HEAD);
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
    const decoded = decode(bytes, name), isHtml = isPage(name, file.type, decoded);
    return {name, type: isHtml ? 'text/html' : file.type || 'text/plain', size,
        text: checkText(isHtml ? htmlToText(decoded) : decoded, name, 'empty')};
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

/**
 * @param {Uint8Array} bytes
 * @param {string} name
 * @param {boolean} [isCut]   they may end within a character
 */
function decode(bytes, name, isCut = false) {
    const text = textOf(bytes, isCut);
    if (text === undefined || text.includes('\0') || (text.match(CONTROL) ?? [])
        .length > MOST_CONTROL * text.length + 1) throw new FileProblem('kind', {name});
    return text.replace(/\r\n?/g, '\n');
}

/** @param {Uint8Array} bytes @param {boolean} isCut @returns {string | undefined} */
function textOf(bytes, isCut) {
    const encoding = sniff(bytes);
    try {
        return new TextDecoder(encoding, {fatal: true}).decode(bytes, {stream: isCut});
    } catch {
        return encoding === 'utf-8' ? otherwise(bytes) : undefined;
    }
}

/**
 * UTF-8 with some bad bytes, as logs and files that were cut have them; else of an older program, in what
 * HTML says or the encoding of Western Europe.
 * @param {Uint8Array} bytes
 */
function otherwise(bytes) {
    const text = new TextDecoder().decode(bytes), bad = (text.match(/\ufffd/g) ?? []).length,
        good = (text.match(/[^\0-\x7f\ufffd]/g) ?? []).length;
    if (good && bad <= Math.max(1, good / 10)) return text;
    const [, label = WESTERN] =
        /<meta[^>]{0,200}charset=["']?([\w-]+)/i.exec(String.fromCharCode(...bytes.subarray(0, HEAD))) ?? [];
    try {
        return new TextDecoder(label).decode(bytes);
    } catch {
        return new TextDecoder(WESTERN).decode(bytes);       // there is no such encoding
    }
}

/** UTF-16 says so by its first two bytes, or by every second byte being zero. @param {Uint8Array} bytes */
function sniff(bytes) {
    const [first, second] = bytes;
    if (first === 0xff && second === 0xfe) return 'utf-16le';
    if (first === 0xfe && second === 0xff) return 'utf-16be';
    const zeros = [0, 0], length = Math.min(bytes.length, HEAD);
    for (let i = 0; i < length; i++) if (bytes[i] === 0) zeros[i % 2]++;
    const many = length / 8;
    if (zeros[1] > many && zeros[0] * 20 < zeros[1]) return 'utf-16le';
    return zeros[0] > many && zeros[1] * 20 < zeros[0] ? 'utf-16be' : 'utf-8';
}
