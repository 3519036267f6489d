// model.js: the model behind the API: loaded when it is first needed, and again after an engine has ended.
// Knows no HTTP.

import {basename} from 'node:path';
import {OpenAI} from '../../api/openai.js';
import {inspectModel} from '../../engine/open.js';
import {Gemma} from '../../gemma.js';
import {openSource} from '../../weights/node/disk.js';

const SHOWN = 2000;     // bytes of a text that inspectModel gives

/**
 * @typedef {object} ModelOptions
 * @property {() => Promise<string>} path           of the GGUF; may have to bring it
 * @property {import('../../gemma.js').LoadOptions} [engine]
 * @property {number} [parallel]
 * @property {number} [queue]
 *
 * @typedef {{eos_token: string | null, bos_token: string | null, pad_token: string | null, chat_template:
 *     string | null}} TokenizerInfo
 * @typedef {{gemma: Gemma, client: OpenAI, tokenizerInfo: () => Promise<TokenizerInfo>}} Loaded
 */

export class ServedModel {
    #options;
    /** @type {Promise<Loaded> | undefined} */
    #loading;
    /** The engine that it gave. @type {Gemma | undefined} */
    #current;

    /** @param {ModelOptions} options */
    constructor(options) {
        this.#options = options;
    }

    /** @returns {Promise<Loaded>} one that fails is tried again by the next request */
    get() {
        const loading = this.#loading ??= this.#load().then((loaded) => {
            if (this.#loading === loading) this.#current = loaded.gemma;
            return loaded;
        }, (error) => {
            if (this.#loading === loading) this.#loading = undefined;
            throw error;
        });
        return loading;
    }

    /** @returns {Promise<Loaded>} */
    async #load() {
        const {path: find, engine, parallel = 4, queue = 64} = this.#options, path = await find();
        const gemma = await Gemma.load({kind: 'path', path}, {sessions: parallel, ...engine});
        const client = new OpenAI({gemma, model: basename(path).replace(/\.gguf$/, ''), parallel, queue});
        /** @type {Promise<TokenizerInfo> | undefined} */
        let info;
        return {gemma, client, tokenizerInfo: () => info ??= readTokenizerInfo(gemma, path)};
    }

    /**
     * After an error: whether the engine has ended with it; then the next request loads the model again.
     * @param {any} error @param {Loaded} loaded   the one that was asked: by now there may be another
     */
    endedBy(error, {gemma}) {
        const cause = error?.cause ?? error, isEnded = cause?.fatal === true || cause?.code === 'closed';
        if (isEnded) this.#end(gemma);
        return isEnded;
    }

    /** @param {Gemma} gemma */
    #end(gemma) {
        if (this.#current === gemma) this.#loading = this.#current = undefined;
        gemma.close();
    }

    close() {
        const loading = this.#loading;
        this.#loading = this.#current = undefined;
        loading?.then(({gemma}) => gemma.close(), () => {});
    }
}

/**
 * Rejects, as loading would, where there is no model that this engine knows; reads its header alone.
 * @param {string} path
 */
export async function checkModel(path) {
    const source = await openSource({kind: 'path', path});
    try {
        await inspectModel(source, {threads: 1});
    } finally {
        source.close();
    }
}

/**
 * What the file says of its tokens.
 * @param {Gemma} gemma
 * @param {string} path
 * @returns {Promise<TokenizerInfo>}
 */
async function readTokenizerInfo(gemma, path) {
    const source = await openSource({kind: 'path', path});
    try {
        const {metadata} = /** @type {{metadata: Record<string, any>}} */ (await inspectModel(source,
            {contextLength: gemma.info.contextLength, threads: 1}));
        /** @param {string} name */
        const token = async (name) => {
            const id = metadata[`tokenizer.ggml.${name}_token_id`];
            return Number.isInteger(id) ? gemma.detokenize([id]) : null;
        };
        const template = metadata['tokenizer.chat_template'],
            isWhole = typeof template === 'string' && Buffer.byteLength(template) < SHOWN - 3;
        return {eos_token: await token('eos'), bos_token: await token('bos'),
            pad_token: await token('padding'), chat_template: isWhole ? template : null};
    } finally {
        source.close();
    }
}
