// The one kind of error that the library throws for things outside its control.

/**
 * `code` is stable and for programs; `message` is one sentence for people.
 * Codes: 'network', 'not-found', 'bad-file', 'unsupported', 'no-memory', 'context-full', 'bad-argument',
 * 'bad-numbers', 'closed', 'library' (a part of it could not be fetched: the next call tries again),
 * 'in-use', 'no-room', 'storage', 'changed' and 'exists' (of stored models), 'bad-constraint' (of what an
 * answer must be), 'engine-lost' (the tab that held a shared engine is gone, and no other could take its
 * place: load again), 'internal'.
 * `fatal` is true where the engine has ended with it: load the model again. `here` is true where this
 * browser, or this page in it, lacks something that does not depend on the model. `refused` is true where the
 * network works and asking again gives the same: `message` says what to do instead.
 * Of 'context-full', `requested` is how many tokens there would be (of a text that is far too long, at
 * least), and `contextLength` how many the context holds.
 */
export class GemmaError extends Error {
    /**
     * @param {string} code
     * @param {string} message
     * @param {ErrorOptions & {here?: boolean, fatal?: boolean, refused?: boolean, requested?: number,
     *     contextLength?: number}} [options]
     */
    constructor(code, message, options) {
        super(message, options);
        this.name = 'GemmaError';
        this.code = code;
        if (options?.here) this.here = true;
        if (options?.fatal) this.fatal = true;
        if (options?.refused) this.refused = true;
        if (options?.requested !== undefined) this.requested = options.requested;
        if (options?.contextLength !== undefined) this.contextLength = options.contextLength;
    }

    /**
     * Also those of another copy of the library, which an application may have by accident.
     * @param {unknown} thrown
     */
    static [Symbol.hasInstance](thrown) {
        return thrown instanceof Error && thrown.name === 'GemmaError';
    }
}

/**
 * What belongs to a model has been closed where the model has been closed, or has ended.
 * @param {Promise<unknown>} closing
 * @returns {Promise<void>}
 */
export const orClosedWithModel = (closing) => closing.then(() => {}, (error) => {
    if (error?.code !== 'closed' && !error?.fatal) throw error;
});

/** What something says that was thrown. @param {any} thrown @returns {string} */
export const messageOf = (thrown) => thrown?.message ?? String(thrown);

/**
 * The code of a GemmaError or of an error of the system, such as 'ENOENT'.
 * @param {any} thrown
 * @returns {string | undefined}
 */
export const codeOf = (thrown) => thrown?.code;
