// gguf_head.js: what the first bytes of a GGUF say of its model: its sizes, which lie before the long arrays of the
// vocabulary, and the types of its tensors, as far as the bytes go. Knows no engine and no network. The bytes may come from anybody: what is read is bounded by their number, and what is odd is a sentence.

import {GemmaError} from '../base/error.js';
import {End, beginHead} from '../weights/file/gguf_cursor.js';

/** So many of a file's bytes hold its hyper-parameters, as llama.cpp and build/quantize write them. */
export const HEAD_BYTES = 256 * 1024;

/**
 * The key/values and the tensors of a GGUF as far as these bytes go.
 * @param {Uint8Array} bytes @param {string} name
 * @returns {{found: Map<string, number | string | {count: number, first?: number}>,
 *     tensors: {tensor: string, type: number}[], complete: boolean}}
 */
function readHead(bytes, name) {
    const found = new Map(), tensors = [];
    try {
        const {cursor, tensors: count, entries} = beginHead(bytes, name);
        for (const {key, value} of entries) found.set(key, value);
        while (tensors.length < count) {
            const tensor = cursor.string();
            cursor.skip(8 * cursor.number(4));      // its dimensions
            tensors.push({tensor, type: cursor.number(4)});
            cursor.skip(8);                         // where its weights are
        }
        return {found, tensors, complete: true};
    } catch (error) {
        if (!(error instanceof End)) throw error;
        return {found, tensors, complete: false};
    }
}

/** What the engine reads of a file, as src/weights.c lists it: the rest (of images and sounds) may be stored in any way. */
const IN_LAYER = 'attn_(norm|q|k|v|q_norm|k_norm|output)|post_attention_norm|ffn_(norm|gate|up|down)|post_ffw_norm';
const READ = new RegExp(`^(token_embd|output_norm|output|blk\\.\\d+\\.(${IN_LAYER}))\\.weight$`);
/** ggml's numbers for the types that it reads, and names of others. */
const READ_TYPES = new Set([0, 1, 2, 3, 6, 7, 8, 10, 11, 12, 13, 14, 20, 30]);
const OTHER_TYPES = {
    16: 'IQ2_XXS', 17: 'IQ2_XS', 18: 'IQ3_XXS', 19: 'IQ1_S', 21: 'IQ3_S', 22: 'IQ2_S', 23: 'IQ4_XS', 29: 'IQ1_M',
    34: 'TQ1_0', 35: 'TQ2_0', 39: 'MXFP4', 40: 'NVFP4',
};
const WHAT_IT_READS = 'it reads F32, F16, BF16, Q8_0, Q6_K, Q5_K, Q5_1, Q5_0, Q4_K, Q4_1, Q4_0, IQ4_NL, Q3_K and Q2_K; ' +
    'get the model in one of these types';

function refuseTypes(tensors, name) {
    const odd = tensors.find(({tensor, type}) => READ.test(tensor) && !READ_TYPES.has(type));
    if (!odd) return;
    const type = OTHER_TYPES[odd.type] ?? `type ${odd.type}`;
    throw new GemmaError('unsupported', `${name} stores its tensor ${odd.tensor} as ${type}, which this engine does not read; ` +
        `${WHAT_IT_READS}.`);
}

/**
 * Throws GemmaError 'unsupported' for a part of a model with a tensor that the engine does not read.
 * @param {Uint8Array} bytes   the part's first @param {string} name
 */
export function checkPart(bytes, name) {
    refuseTypes(readHead(bytes, name).tensors, name);
}

const ARCHITECTURES = ['gemma', 'gemma2', 'gemma3'];

/**
 * Where metadata is silent: a head has 256 numbers, in the 27Bs, known by their layers, 128; and a window depends on the
 * architecture, or on the layers. As in src/config.c.
 */
const HEAD_DIM = 256, HEAD_DIM_27B = 128, LAYERS_27B = {gemma2: 46, gemma3: 62};
const WINDOWS_3 = {18: 512, 26: 512, 34: 1024, 48: 1024, 62: 1024};
const WINDOWS = {gemma2: () => 4096, gemma3: (layers) => WINDOWS_3[layers] ?? 0};

/** llama.cpp's numbers for the kinds of files (general.file_type); of others, this engine can't read the weights. */
const FILE_TYPES = {
    0: 'f32', 1: 'f16', 2: 'q4_0', 3: 'q4_1', 7: 'q8_0', 8: 'q5_0', 9: 'q5_1', 10: 'q2_k', 11: 'q3_k', 12: 'q3_k', 13: 'q3_k', 14: 'q4_k', 15: 'q4_k',
    16: 'q5_k', 17: 'q5_k', 18: 'q6_k', 21: 'q2_k', 25: 'iq4_nl', 32: 'bf16',
};

/**
 * Sizes of a model, in the field's words.
 * @typedef {object} Shape
 * @property {'gemma' | 'gemma2' | 'gemma3'} architecture
 * @property {number} layers
 * @property {number} embd
 * @property {number} heads
 * @property {number} kv       heads of keys and values
 * @property {number} dim      of a head
 * @property {number} ff
 * @property {number} vocab
 * @property {number} ctx      tokens it was trained on
 * @property {number} window   of its local layers; 0: it has none
 */

/**
 * @param {Uint8Array} bytes   the file's first HEAD_BYTES, or all of it
 * @param {string} name        of the file, for people
 * @returns {{title: string, shape: Shape, type: string | undefined, complete: boolean}}   type: of most weights, where
 *     these bytes say so; complete: all tensors were seen. Throws GemmaError 'bad-file' or 'unsupported'
 */
export function describeHead(bytes, name) {
    const {found: head, tensors, complete} = readHead(bytes, name), architecture = head.get('general.architecture');
    if (typeof architecture !== 'string') throw new GemmaError('bad-file', `${name} does not say its architecture in its first ${bytes.length} bytes.`);
    if (!ARCHITECTURES.includes(architecture)) {
        const quoted = JSON.stringify(architecture.slice(0, 40));
        throw new GemmaError('unsupported', `${name} holds a model of the architecture ${quoted}; this engine runs gemma, gemma2 and gemma3.`);
    }
    const number = (key, otherwise) => {
        const value = head.get(`${architecture}.${key}`), n = value?.first ?? value ?? otherwise;
        if (Number.isSafeInteger(n)) return n;
        throw new GemmaError('bad-file', `The first ${bytes.length} bytes of ${name} say nothing usable of "${architecture}.${key}": ` +
            'what the model needs cannot be told before it is loaded.');
    };
    const layers = number('block_count'), heads = number('attention.head_count');
    const shape = {
        architecture, layers, embd: number('embedding_length'), heads, kv: number('attention.head_count_kv', heads),
        dim: number('attention.key_length', layers === LAYERS_27B[architecture] ? HEAD_DIM_27B : HEAD_DIM),
        ff: number('feed_forward_length'),
        vocab: head.get('tokenizer.ggml.tokens')?.count ?? number('vocab_size'), ctx: number('context_length'),
        window: architecture === 'gemma' ? 0 : number('attention.sliding_window', WINDOWS[architecture](layers)),
    };
    refuseTypes(tensors, name);
    const fileType = head.get('general.file_type');
    if (!complete && fileType !== undefined && !FILE_TYPES[fileType]) {
        throw new GemmaError('unsupported', `${name} stores its weights in a way (general.file_type ${fileType}) that this engine does not read; ` +
            `${WHAT_IT_READS}.`);
    }
    const title = head.get('general.name');
    const isTitle = typeof title === 'string' && title !== '';
    return {title: isTitle ? title.slice(0, 200) : name, shape, type: FILE_TYPES[fileType], complete};
}
