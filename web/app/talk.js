// Conversations as the loaded model knows them: for each a session, whose keys and values are used again as
// far as what is asked has the same beginning.
//
// Owns: which sessions are open, and what is saved of them. Must not know: how conversations are stored
// or shown.

/**
 * @typedef {import('../gemma.js').Gemma} Gemma
 * @typedef {import('../gemma.js').Session} Session
 * @typedef {import('../gemma.js').Message} Message
 * @typedef {import('../gemma.js').Result} Result
 *
 * @typedef {object} KeptStates   where saved sessions lie, by conversation; see data/states.js
 * @property {(conversation: string, state: {model: string, dropped: number, bytes: Uint8Array}) =>
 *     Promise<unknown>} keepState
 * @property {(conversation: string, about: {model: string}) => Promise<{dropped: number, bytes: Uint8Array} |
 *     undefined>} readState
 *
 * @typedef {object} Question
 * @property {string} conversation          its id
 * @property {Message[]} messages           all of it, the system's message first; where the last is the
 *     assistant's, the answer continues it
 * @property {'error' | 'drop-oldest'} [overflow]
 * @property {import('../gemma.js').PromptOptions} options
 * @property {(piece: string) => void} onPiece
 * @property {(dropped: number) => void} [onOverflow]   how many of the oldest messages are forgotten
 *
 * @typedef {{session: Session, overflow: string, dropped: number, tell: (dropped: number) => void}}
 *     Open   dropped: messages after the system's that the session has forgotten
 */

/** Open at the same time; one more of those that the engine has memory for is left to texts. */
const MOST = 3;
/** A conversation of fewer tokens is read anew as fast as its keys and values are. */
const WORTH_KEEPING = 256;

export class Talk {
    #gemma;
    #model;
    #states;
    /** The last used at the end. @type {Map<string, Promise<Open>>} */
    #open = new Map();
    /** @type {Promise<unknown>} */
    #saving = Promise.resolve();

    /**
     * @param {Gemma} gemma
     * @param {string} model   what is kept belongs to: a model's id
     * @param {KeptStates} [states]
     */
    constructor(gemma, model, states) {
        this.#gemma = gemma;
        this.#model = model;
        this.#states = model ? states : undefined;      // what is not stored has no id
    }

    /**
     * Answers the last message. What comes is shown by onPiece.
     * @param {Question} question
     * @returns {Promise<Result>}
     */
    async ask({conversation, messages, overflow = 'error', options, onPiece, onOverflow}) {
        let open = await this.#sessionOf(conversation, overflow);
        const last = messages.findLastIndex(({role}) => role === 'user'),
            {same, next, dropped} = sharedBeginning(open.session.messages, messages, open.dropped, last);
        // Only what a session has said can be forgotten: what comes before the question is its history then.
        const isNew = overflow === 'drop-oldest' && next < last;
        if (isNew) open = await this.#sessionOf(conversation, overflow, messages.slice(0, last));
        else if (same < open.session.messages.length) await open.session.rewind(same);
        open.dropped = isNew ? 0 : dropped;
        const {session} = open;
        open.tell = (dropped) => {
            open.dropped += dropped;
            onOverflow?.(dropped);
        };
        const answer = session.prompt(messages.slice(isNew ? last : next), options);
        for await (const piece of answer) onPiece(piece);
        const result = await answer.result;
        // then it is read anew
        this.#saving = this.#saving.then(() => this.#keep(conversation, open)).catch(() => {});
        return result;
    }

    /**
     * Brings what is kept of a conversation, so that asking need not wait for it.
     * @param {string} conversation
     * @param {'error' | 'drop-oldest'} [overflow]
     */
    async prepare(conversation, overflow = 'error') {
        await this.#sessionOf(conversation, overflow).catch(() => {});       // asking says why
    }

    /** For what is asked beside the conversations. */
    get gemma() {
        return this.#gemma;
    }

    /** How many tokens a conversation has. @param {Message[]} messages */
    count(messages) {
        return this.#gemma.count(messages);
    }

    /** Everything that was worth it is saved. */
    saved() {
        return this.#saving;
    }

    /** @param {string} conversation */
    async forget(conversation) {
        const open = this.#open.get(conversation);
        this.#open.delete(conversation);
        await open?.then(({session}) => session.close()).catch(() => {});
    }

    /**
     * @param {string} conversation
     * @param {'error' | 'drop-oldest'} overflow
     * @param {Message[]} [history]   of a new one
     * @returns {Promise<Open>}
     */
    async #sessionOf(conversation, overflow, history) {
        const known = await this.#open.get(conversation)?.catch(() => undefined);
        if (known?.overflow === overflow && !history) {
            const again = this.#open.get(conversation) ?? Promise.resolve(known);
            this.#open.delete(conversation);
            this.#open.set(conversation, again);
            return again;
        }
        if (known) await this.forget(conversation);
        while (this.#open.size >= MOST) await this.forget([...this.#open.keys()][0]);
        const opening = this.#begin(conversation, overflow, history);
        this.#open.set(conversation, opening);
        opening.catch(() => this.#open.delete(conversation));       // the next try begins anew
        return opening;
    }

    /**
     * @param {string} conversation
     * @param {'error' | 'drop-oldest'} overflow
     * @param {Message[]} [history]
     * @returns {Promise<Open>}
     */
    async #begin(conversation, overflow, history) {
        /** @type {Omit<Open, 'session'>} */
        const about = {overflow, dropped: 0, tell: () => {}};
        /** @type {import('../gemma.js').OverflowOptions} */
        const options = {overflow, onOverflow: ({dropped}) => open.tell(dropped.length)};
        const kept = history ? undefined : await this.#states?.readState(conversation, {model: this.#model})
            .catch(() => undefined);
        // Of another version, or damaged: then it is read anew.
        const restored = kept && await this.#gemma.restore(kept.bytes, options).catch(() => undefined);
        if (kept && restored) about.dropped = kept.dropped;
        const open = Object.assign(about,
            {session: restored ?? await this.#gemma.session({...options, history})});
        return open;
    }

    /** @param {string} conversation @param {Open} open */
    async #keep(conversation, {session, dropped}) {
        if (session.tokens < WORTH_KEEPING || this.#open.get(conversation) === undefined) return;
        await this.#states?.keepState(conversation,
            {model: this.#model, dropped, bytes: await session.save()});
    }
}

/**
 * What a session and what is asked have in common.
 * @param {Message[]} held   by the session
 * @param {Message[]} asked
 * @param {number} dropped   that the session has forgotten, after the system's message
 * @param {number} last   the question, in `asked`
 * @returns {{same: number, next: number, dropped: number}}   same: how many of the session's messages stay;
 *     next: the first of `asked` that it must still read; dropped: what it lacks then
 */
function sharedBeginning(held, asked, dropped, last) {
    const pinned = asked[0]?.role === 'system' ? 1 : 0,
        left = [...asked.slice(0, pinned), ...asked.slice(pinned + dropped)];
    let same = 0;
    while (same < held.length && same < left.length && isSame(held[same], left[same])) same++;
    // Where they part before the question, what was forgotten may fit again.
    if (dropped && (same <= pinned || same + dropped < last))
        return {same: Math.min(same, pinned), next: Math.min(same, pinned), dropped: 0};
    return {same, next: same + dropped, dropped};
}

/** @param {Message} a @param {Message} b */
const isSame = (a, b) => a.role === b.role && a.content === b.content
    && JSON.stringify(toolsOf(a)) === JSON.stringify(toolsOf(b));
/** @param {Message} message */
const toolsOf = (message) => 'toolCalls' in message && message.toolCalls?.length ? message.toolCalls : [];
