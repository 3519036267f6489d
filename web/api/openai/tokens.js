// tokens.js: tokens and their probabilities as OpenAI's API tells them: in chats with bytes, in completions
// by their texts. Knows no requests.

/**
 * @typedef {import('../../gemma.js').Gemma} Gemma
 * @typedef {import('../../gemma.js').TokenLogprobs} TokenLogprobs
 * @typedef {import('./types.js').ChatLogprob} ChatLogprob
 * @typedef {import('./types.js').CompletionLogprobs} CompletionLogprobs
 * @typedef {{id: number, logprob: number}} Likely
 */

/** @param {Uint8Array} bytes @returns {string | undefined} undefined: a part of a character */
function asText(bytes) {
    try {
        return new TextDecoder('utf-8', {fatal: true, ignoreBOM: true}).decode(bytes);
    } catch {
        return undefined;
    }
}

/** Bytes that are no text. @param {Uint8Array} bytes */
const escaped = (bytes) => Array.from(bytes, (byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');

/** Characters, not UTF-16's halves of them. @param {string} text */
const lengthOf = (text) => [...text].length;

export class Tokens {
    #gemma;
    /** @type {Map<number, Uint8Array>} */
    #bytes = new Map();
    /** What of these an answer's text has: of control tokens nothing. @type {Map<number, Uint8Array>} */
    #shown = new Map();

    /** @param {Gemma} gemma */
    constructor(gemma) {
        this.#gemma = gemma;
    }

    /**
     * Before these are sent: fetches the bytes that are not known yet.
     * @param {(TokenLogprobs | null)[]} all
     */
    async #learn(all) {
        const ids = new Set(all.flatMap((one) => one ? [one.id, ...one.top.map(({id}) => id)] : []));
        const unknown = [...ids].filter((id) => !this.#bytes.has(id));
        if (!unknown.length) return;
        const [bytes, shown] = await Promise.all([true,
            false].map((special) => this.#gemma.tokenBytes(unknown, {special})));
        unknown.forEach((id, i) => {
            this.#bytes.set(id, bytes[i]);
            this.#shown.set(id, shown[i]);
        });
    }

    /** @param {number} id */
    #bytesOf(id) {
        return this.#bytes.get(id) ?? new Uint8Array(0);
    }

    /** @param {Likely} likely */
    #told({id, logprob}) {
        const bytes = this.#bytesOf(id);
        return {token: asText(bytes) ?? escaped(bytes), logprob: finite(logprob),
            bytes: Array.from(this.#shown.get(id) ?? [])};
    }

    /** @param {TokenLogprobs[]} all @returns {Promise<ChatLogprob[]>} */
    async forChat(all) {
        await this.#learn(all);
        return all.map((one) => ({...this.#told(one),
            top_logprobs: one.top.map((each) => this.#told(each))}));
    }

    /**
     * @param {(TokenLogprobs | null)[]} all   null: nothing comes before it
     * @param {number[]} ids                   of these
     * @param {Place} place                    in the text; moved on
     * @param {boolean} isEchoed               they are the prompt's, whose control tokens are in the text
     * @returns {Promise<CompletionLogprobs>}
     */
    async forCompletion(all, ids, place, isEchoed) {
        await this.#learn([...all, ...ids.map((id) => ({id, logprob: 0, top: []}))]);
        /** @param {number} id */
        const text = (id) => asText(this.#bytesOf(id)) ?? `bytes:${escaped(this.#bytesOf(id))}`;
        /** @type {CompletionLogprobs} */
        const told = {tokens: [], token_logprobs: [], top_logprobs: [], text_offset: []};
        ids.forEach((id, i) => {
            const one = all[i];
            told.tokens.push(text(id));
            told.token_logprobs.push(one ? finite(one.logprob) : /** @type {any} */ (null));
            told.top_logprobs.push(one ? topOf([...one.top, one], text) : /** @type {any} */ (null));
            told.text_offset.push(place.offset);
            place.push(isEchoed ? this.#bytesOf(id) : this.#shown.get(id) ?? new Uint8Array(0));
        });
        return told;
    }
}

/** JSON has no infinity. @param {number} logprob */
const finite = (logprob) => Math.max(logprob, -9999);

/**
 * By texts; of tokens with the same text, the likeliest.
 * @param {Likely[]} likely
 * @param {(id: number) => string} text
 */
function topOf(likely, text) {
    /** @type {Record<string, number>} */
    const top = {};
    for (const {id, logprob} of likely) {
        const name = text(id);
        if (!(top[name] >= logprob)) top[name] = finite(logprob);
    }
    return top;
}

/** Where in a text the next token stands. */
export class Place {
    #decoder = new TextDecoder('utf-8', {ignoreBOM: true});
    offset = 0;

    /** @param {Uint8Array} bytes */
    push(bytes) {
        this.offset += lengthOf(this.#decoder.decode(bytes, {stream: true}));
    }
}
