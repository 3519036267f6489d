// models.js: which model an element is to load, and what it asks of each prompt, by its attributes; and the
// models that `model` may name, as the catalogue of the page has them (app/models.json). Loads nothing.

import {GemmaError} from '../../gemma.js';

/** @typedef {{name: string, url: string, policy?: {name: string, url: string}}} Licence */
/** @typedef {import('../../gemma.js').Entry & {name: string, size: number, licence: Licence}} Model */
/**
 * @typedef {{key: string, model: import('../../gemma.js').ModelSource, name: string, size?: number, licence?:
 *     Model['licence'], host: string}} Source
 */

const LICENCE = {
    name: 'Gemma Terms of Use', url: 'https://ai.google.dev/gemma/terms',
    policy: {name: 'Gemma Prohibited Use Policy', url: 'https://ai.google.dev/gemma/prohibited_use_policy'},
};

/** @type {Record<string, Model>} the first is the default */
export const MODELS = {
    'gemma-3-270m-it': {
        name: 'Gemma 3 270M IT', size: 291545600, licence: LICENCE,
        urls: ['https://huggingface.co/ggml-org/gemma-3-270m-it-GGUF/resolve/main/gemma-3-270m-it-Q8_0.gguf'],
        sha256: '0ef57d2c838458a1952664260dcba38e5bdda37494f3af732f06e4add24068e3',
        shape: {architecture: 'gemma3', layers: 18, embd: 640, heads: 4, kv: 1, dim: 256, ff: 2048,
            vocab: 262144, ctx: 32768, window: 512},
        type: 'q8_0',
    },
    'gemma-3-1b-it': {
        name: 'Gemma 3 1B IT', size: 806058240, licence: LICENCE,
        urls: ['https://huggingface.co/ggml-org/gemma-3-1b-it-GGUF/resolve/main/gemma-3-1b-it-Q4_K_M.gguf'],
        sha256: '8ccc5cd1f1b3602548715ae25a66ed73fd5dc68a210412eea643eb20eb75a135',
        shape: {architecture: 'gemma3', layers: 26, embd: 1152, heads: 4, kv: 1, dim: 256, ff: 6912,
            vocab: 262144, ctx: 32768, window: 512},
    },
    'gemma-2-2b-it': {
        name: 'Gemma 2 2B IT', size: 1708582752, licence: LICENCE,
        urls: ['https://huggingface.co/bartowski/gemma-2-2b-it-GGUF/resolve/main/gemma-2-2b-it-Q4_K_M.gguf'],
        sha256: 'e0aee85060f168f0f2d8473d7ea41ce2f3230c1bc1374847505ea599288a7787',
        shape: {architecture: 'gemma2', layers: 26, embd: 2304, heads: 8, kv: 4, dim: 256, ff: 9216,
            vocab: 256000, ctx: 8192, window: 4096},
        type: 'q4_k',
    },
};

/** @param {string | null} name   none: the default @returns {Model} */
function modelNamed(name) {
    const key = name ?? Object.keys(MODELS)[0];
    if (Object.hasOwn(MODELS, key)) return MODELS[key];
    throw new GemmaError('bad-argument',
        `There is no model ${key}; model is one of ${Object.keys(MODELS).join(', ')}, or src says its address.`);
}

/** What the attributes ask of each prompt. @param {Element} element */
export function askedOf(element) {
    const maxTokens = element.getAttribute('max-tokens'), constraint = element.getAttribute('constraint');
    try {
        return {...maxTokens && {maxTokens: Number(maxTokens)}, ...constraint
            && {constraint: JSON.parse(constraint)}};
    } catch (cause) {
        throw new GemmaError('bad-argument',
            'The attribute constraint must be JSON: an object with schema, regex, choices or grammar.',
            {cause});
    }
}

/** @param {Element} element @returns {Source} */
export function sourceOf(element) {
    const src = element.getAttribute('src');
    if (src === null) {
        const model = modelNamed(element.getAttribute('model')), {name, size, licence, urls: [url]} = model;
        return {key: url, model, name, size, licence, host: new URL(url).host};
    }
    let url;
    try {
        url = new URL(src, element.baseURI);
    } catch (cause) {
        throw new GemmaError('bad-argument',
            `src is ${src}; the address of a GGUF file or of its manifest is expected.`, {cause});
    }
    const file = url.pathname.split('/').pop() || url.host;
    return {key: url.href, model: url.href, name: element.getAttribute('model')
        ?? file.replace(/(\.gguf)?(\.json)?$/i, ''), host: url.host};
}

/**
 * Bytes of a model that the page's own host has, as this says without giving them. Another host is asked for
 * nothing before a person wants the model.
 * @param {import('../../gemma.js').ModelSource} address   of a GGUF or of its manifest
 * @returns {Promise<number | undefined>}   undefined: unknown, also of a model in parts
 */
export async function sizeAt(address) {
    if (typeof address !== 'string') return undefined;
    const {origin, pathname} = new URL(address);
    if (origin !== location.origin || /-\d{5}-of-\d{5}\.gguf$/i.test(pathname)) return undefined;
    const isManifest = pathname.endsWith('.json');
    try {
        const answer = await fetch(address, {method: isManifest ? 'GET' : 'HEAD', redirect: 'error'});
        if (!answer.ok || !isManifest && answer.headers.has('Content-Encoding')) return undefined;
        const size = Number(isManifest ? (await answer.json()).size : answer.headers.get('Content-Length'));
        return size > 0 ? size : undefined;
    } catch {
        return undefined;       // the download says what is wrong
    }
}
