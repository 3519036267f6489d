// What was changed in a text, by a person and by the model, to undo and redo it.
//
// Owns: the changes and their order. Must not know: elements, models.

/**
 * @typedef {object} Change
 * @property {number} at            where, in characters
 * @property {string} removed
 * @property {string} added
 * @property {object} [run]         what the model wrote it in; none: a person did
 */

/** Characters that all changes together may have: the oldest are forgotten first. */
const MOST = 8_000_000;
/** An addition that is longer was pasted, and is a separate step. */
const TYPED = 24;

/**
 * How long two texts are the same from their beginning.
 * @param {string} a
 * @param {string} b
 * @param {number} most
 */
function sameLength(a, b, most) {
    let low = 0, step = 4096;
    // Strings are compared in pieces, which is many times as fast as by characters.
    for (; step >= 1; step = Math.floor(step / 8)) {
        while (low + step <= most && a.slice(low, low + step) === b.slice(low, low + step)) low += step;
    }
    return low;
}

/** The same from their end. @param {string} a @param {string} b @param {number} most */
function sameEnd(a, b, most) {
    let length = 0, step = 4096;
    const part = (/** @type {string} */ text) => text.slice(text.length - length - step,
        text.length - length);
    for (; step >= 1; step = Math.floor(step / 8)) while (length + step <= most && part(a) === part(b))
        length += step;
    return length;
}

/**
 * The one change that makes a text of another.
 * @param {string} before @param {string} after
 * @param {number} [caret]   in `after`, at the end of what was added: it tells which of equal characters are
 *     the new ones
 * @returns {Change}
 */
export function difference(before, after, caret = after.length) {
    const shorter = Math.min(before.length, after.length), behind = Math.min(after.length - caret, shorter);
    const at = sameLength(before, after, Math.min(shorter, before.length - behind, Math.max(caret, 0)));
    const rest = sameEnd(before, after, shorter - at);
    return {at, removed: before.slice(at, before.length - rest), added: after.slice(at, after.length - rest)};
}

/** @param {string} text @param {Change} change */
export const apply = (text, {at, removed, added}) => text.slice(0, at) + added
    + text.slice(at + removed.length);

/** @param {Change} change @returns {Change} */
export const inverse = ({at, removed, added, run}) => ({at, removed: added, added: removed, run});

/**
 * Two changes as one, where a person has typed or deleted on.
 * @param {Change} last
 * @param {Change} next
 * @returns {Change | undefined}
 */
function joined(last, next) {
    if (last.run || next.run || next.added.length > TYPED || next.removed.length > TYPED) return undefined;
    const isTyped = !next.removed && next.at === last.at + last.added.length && last.added;
    if (isTyped) {
        const isNewWord = /\S\s+$/.test(last.added) && !/^\s/.test(next.added),
            isNewLine = next.added.includes('\n');
        return isNewWord || isNewLine ? undefined : {...last, added: last.added + next.added};
    }
    if (next.added || last.added) return undefined;
    if (next.at + next.removed.length === last.at)
        return {...last, at: next.at, removed: next.removed + last.removed};
    return next.at === last.at ? {...last, removed: last.removed + next.removed} : undefined;
}

export class History {
    /** @type {Change[]} */
    #done = [];
    /** The one that is redone first at the end. @type {Change[]} */
    #undone = [];
    #size = 0;
    #isSealed = false;

    get canUndo() {
        return this.#done.length > 0;
    }

    get canRedo() {
        return this.#undone.length > 0;
    }

    /** The change that is undone next. */
    get last() {
        return this.#done.at(-1);
    }

    /**
     * What the model wrote last, where nothing was changed since.
     * @returns {[from: number, to: number] | undefined}
     */
    get written() {
        const {last} = this;
        if (!last?.run) return undefined;
        let from = last.at;
        for (let i = this.#done.length - 2; i >= 0; i--) {
            const {run, at, added} = this.#done[i];
            if (run !== last.run || at + added.length !== from) break;
            from = at;
        }
        return [from, last.at + last.added.length];
    }

    /** The next change begins a new step. */
    seal() {
        this.#isSealed = true;
    }

    clear() {
        this.#done = [];
        this.#undone = [];
        this.#size = 0;
    }

    /** @param {Change} change */
    add(change) {
        if (!change.added && !change.removed) return;
        const {last} = this, whole = last && !this.#isSealed && !this.#undone.length && joined(last, change);
        this.#undone = [];
        this.#isSealed = false;
        if (whole) this.#done.pop();
        this.#done.push(whole || change);
        this.#size += change.added.length + change.removed.length;
        while (this.#size > MOST && this.#done.length > 1) {
            const [oldest] = this.#done.splice(0, 1);
            this.#size -= oldest.added.length + oldest.removed.length;
        }
    }

    /** @returns {Change | undefined} the change to make to the text */
    undo() {
        const change = this.#done.pop();
        if (!change) return undefined;
        this.#undone.push(change);
        this.seal();
        return inverse(change);
    }

    /** @returns {Change | undefined} the change to make to the text */
    redo() {
        const change = this.#undone.pop();
        if (change) this.#done.push(change);
        this.seal();
        return change;
    }

    /**
     * How many characters a run has added, where nothing else has happened since.
     * @param {object} run @param {Change | undefined} base   what was last when it began
     * @returns {number | undefined} undefined: the text is another one now
     */
    addedBy(run, base) {
        let count = 0, i = this.#done.length;
        for (; i > 0 && this.#done[i - 1].run === run; i--) count += this.#done[i - 1].added.length;
        return this.#done[i - 1] === base ? count : undefined;
    }
}
