// Answers that other tabs write, shown as they come.
//
// Owns: which of them are being shown. Must not know: what a piece that does not fit leads to.

/**
 * @typedef {import('./data/types.js').Message} Message
 * @typedef {import('./views/chat.js').Stream} Stream
 */

export class Elsewhere {
    #begin;
    /** @type {Map<string, Stream>} */
    #streams = new Map();

    /** @param {(message: Message) => Stream} begin */
    constructor(begin) {
        this.#begin = begin;
    }

    /**
     * @param {Message | undefined} message   as far as it is known here
     * @param {Extract<import('./data/types.js').Change, {kind: 'conversation'}>} piece
     * @returns {boolean} whether it fits what is here
     */
    add(message, {at, text}) {
        if (!message || text === undefined || message.content.length !== at) return false;
        message.content += text;
        const stream = this.#streams.get(message.id) ?? this.#begin(message);
        this.#streams.set(message.id, stream);
        stream.add(text);
        return true;
    }

    /** Views may go, and with them what was written into them: the next piece begins anew. */
    end() {
        for (const stream of this.#streams.values()) stream.end();
        this.#streams.clear();
    }
}
