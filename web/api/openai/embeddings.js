// embeddings.js: embeddings: vectors of texts, or of token ids.

import {refuse} from './errors.js';
import {isText, need, oneOf, readFields, signal, text, whole} from './fields.js';
import {inVocabulary} from './request.js';
import {asApiPromise, handle} from './run.js';

/**
 * @typedef {import('./run.js').Engine} Engine
 * @typedef {import('./types.js').EmbeddingFields} EmbeddingFields
 * @typedef {import('./types.js').EmbeddingList} EmbeddingList
 * @typedef {import('./types.js').RequestOptions} RequestOptions
 */

const MOST_INPUTS = 2048;

/** @param {any} v */
const isIds = (v) => Array.isArray(v) && v.length > 0
    && [...v].every((id) => Number.isSafeInteger(id) && id >= 0);

/** @type {import('./fields.js').Kind} */
const inputs = [
    (v) => isIds(v) || [v].flat().length > 0 && [v].flat().length <= MOST_INPUTS
        && ([v].flat().every((one) => isText(one) && one !== '') || Array.isArray(v) && v.every(isIds)),
    `a string that is not empty, an array of up to ${MOST_INPUTS} such strings, an array of token ids, or an array of such`,
];

/** @type {import('./fields.js').Table} */
const TABLE = {
    fields: {
        input: inputs, model: text, encoding_format: oneOf('float', 'base64'), dimensions: whole(1), signal,
    }, noEffect: ['user'], only: {}, unsupported: [],
};

/** Numbers as OpenAI's servers write them: 4 bytes each, the lowest first. @param {Float32Array} vector */
function base64(vector) {
    const bytes = new Uint8Array(4 * vector.length), view = new DataView(bytes.buffer);
    vector.forEach((value, i) => view.setFloat32(4 * i, value, true));
    let text = '';
    for (const byte of bytes) text += String.fromCharCode(byte);
    return btoa(text);
}

export class Embeddings {
    #engine;

    /** @param {Engine} engine */
    constructor(engine) {
        this.#engine = engine;
    }

    /** @param {EmbeddingFields} body @param {RequestOptions} [options] */
    create(body, options) {
        return asApiPromise(this.#create(body, options ?? {}));
    }

    /** @param {EmbeddingFields} body @param {RequestOptions} options @returns {Promise<EmbeddingList>} */
    async #create(body, options) {
        const {gate, gemma, model, pool} = this.#engine, given = readFields(body, TABLE),
            {nEmbd, nVocab} = gemma.info;
        need('input', given.input, inputs);
        if (![undefined, nEmbd].includes(given.dimensions)) {
            refuse(
                `Unsupported value: 'dimensions' is ${given.dimensions}; this model's vectors have ${nEmbd}.`,
                'dimensions', 'unsupported_value');
        }
        const all = isText(given.input) || isIds(given.input) ? [given.input] : given.input;
        inVocabulary(all, nVocab, 'input');
        /** @param {{signal: AbortSignal}} io @returns {Promise<any>} */
        const work = ({signal}) => gate.run(1, signal, async () => {
            /** @type {number[][]} */
            const ids = [];
            for (const one of all) ids.push(isText(one) ? await gemma.tokenize(one,
                {bos: true, maxTokens: gemma.info.contextLength})
                : await this.#withBos(one));
            const vectors = await pool.roomy(() => gemma.embed(ids, {signal})),
                tokens = ids.reduce((sum, {length}) => sum + length, 0);
            const data = vectors.map((vector, index) => ({
                object: 'embedding', index, embedding: given.encoding_format === 'base64' ? base64(vector)
                    : Array.from(vector),
            }));
            return {
                object: 'list', data, model: model.id, usage: {prompt_tokens: tokens, total_tokens: tokens},
            };
        });
        return /** @type {any} */ (handle(gate, {isStreamed: false, signals: [options.signal, given.signal],
            timeout: options.timeout, params: {prompt: 'input'}, work}));
    }

    /** @param {number[]} ids */
    async #withBos(ids) {
        const [bos] = await this.#engine.gemma.tokenize('', {bos: true});
        return ids[0] === bos ? ids : [bos, ...ids];
    }
}
