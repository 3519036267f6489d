// saved_session.js: the bytes of Session.save: what has been said as JSON, and behind it the engine's bytes.
// Trusts nothing that it unpacks; the engine checks its own part.
//
//     "GemmaSes" | length of the JSON, uint32, little-endian | JSON {version, messages, asked, sampling}
//     | the engine's bytes

import {GemmaError} from '../base/error.js';
import {isA} from '../base/kinds.js';
import {readOptions} from '../base/options.js';
import {isMessage} from './conversation.js';

const MAGIC = new TextEncoder().encode('GemmaSes'), HEADER = MAGIC.length + 4, VERSION = 1;

/**
 * @typedef {import('./conversation.js').Message[]} Messages
 * @typedef {import('./generate.js').SamplingOptions} SamplingOptions
 */

/** JSON has no -Infinity, which a bias may be. */
const FORBIDDEN = 'forbidden';
/** @param {SamplingOptions} sampling @param {unknown} from @param {unknown} to */
const mapBiases = ({logitBias, ...sampling}, from, to) => ({
    ...sampling, ...logitBias
        && {logitBias: Object.fromEntries(Object.entries(logitBias)
            .map(([id, bias]) => [id, bias === from ? to : bias]))},
});

/**
 * @param {{messages: Messages, asked: number, sampling: SamplingOptions}} said   asked: how many of the
 *     messages the engine has evaluated
 * @param {Uint8Array} state @returns {Uint8Array}
 */
export function packSession({messages, asked, sampling}, state) {
    const said = {version: VERSION, messages, asked, sampling: mapBiases(sampling, -Infinity, FORBIDDEN)};
    const json = new TextEncoder().encode(JSON.stringify(said)),
        bytes = new Uint8Array(HEADER + json.length + state.length);
    bytes.set(MAGIC);
    new DataView(bytes.buffer).setUint32(MAGIC.length, json.length, true);
    bytes.set(json, HEADER);
    bytes.set(state, HEADER + json.length);
    return bytes;
}

/** @param {string} what @param {unknown} [cause] */
const bad = (what, cause) => new GemmaError('bad-file',
    `These bytes are no saved session: ${what}. Start a new session.`, {cause});

/**
 * @param {Uint8Array | ArrayBuffer} given
 * @returns {{messages: Messages, asked: number, sampling: SamplingOptions, state: Uint8Array}} rejects
 *     with 'bad-file'
 */
export function unpackSession(given) {
    if (!isA(given, 'Uint8Array', 'ArrayBuffer')) {
        throw new GemmaError('bad-argument',
            'A saved session must be given as a Uint8Array or an ArrayBuffer.');
    }
    const bytes = new Uint8Array(given.slice());
    if (bytes.length < HEADER || MAGIC.some((b, i) => b !== bytes[i]))
        throw bad('they do not begin with "GemmaSes"');
    const n = new DataView(bytes.buffer).getUint32(MAGIC.length, true);
    if (n > bytes.length - HEADER) throw bad('they are cut off');
    let said;
    try {
        said = JSON.parse(new TextDecoder('utf-8', {fatal: true}).decode(bytes.subarray(HEADER, HEADER + n)));
    } catch (cause) {
        throw bad('their first part is not JSON', cause);
    }
    if (said?.version !== VERSION) throw bad('they were written by another version');
    const {messages, sampling, asked = messages?.length} = said;
    if (typeof sampling !== 'object' || !sampling) throw bad('their sampling is none');
    if (!Array.isArray(messages) || !messages.every(isMessage)) throw bad('their messages are none');
    if (!(Number.isInteger(asked) && asked >= 0 && asked <= messages.length))
        throw bad('they do not say which messages were asked');
    return {
        asked,
        messages: messages.map((/** @type {any} */ {role, name, content, toolCalls}) => ({role,
            ...role === 'tool' && {name}, content, ...toolCalls && {toolCalls}})),
            sampling: readOptions('sampling', mapBiases(sampling, FORBIDDEN, -Infinity)),
            state: bytes.slice(HEADER + n),
    };
}
