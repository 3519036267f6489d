// The text in the writer's field, with all that was changed in it: by keys, by the model, by undoing.
//
// Owns: field, sheet and history, which always say the same. Must not know: models, how texts are stored.

import {isComposing} from './dom.js';
import {History, apply, difference} from './writer_history.js';
import {Sheet} from './writer_sheet.js';

/**
 * @typedef {import('./writer_history.js').Change} Change
 *
 * @typedef {object} TextOptions
 * @property {HTMLTextAreaElement} area
 * @property {HTMLElement} mirror
 * @property {(event: KeyboardEvent) => boolean} onKey   whether it was used
 * @property {() => void} onChange   the text is another one
 * @property {() => void} onMove     the caret is elsewhere
 */

export class WriterText {
    #options;
    #area;
    #sheet;
    #history = new History();
    /** What the history leads to. */
    #recorded = '';
    #caret = 0;
    /** While the model writes: what is shown, also where the field is behind. @type {string | undefined} */
    #shown;

    /** @param {TextOptions} options */
    constructor(options) {
        const {area} = options;
        this.#options = options;
        this.#area = area;
        this.#sheet = new Sheet(options.mirror, area);
        area.oninput = (event) => this.#edited(/** @type {InputEvent} */ (event).isComposing);
        area.addEventListener('compositionend', () => this.#edited(false));
        area.addEventListener('beforeinput', (event) => {
            if (event.inputType !== 'historyUndo' && event.inputType !== 'historyRedo') return;
            event.preventDefault();
            this.undo(event.inputType === 'historyRedo');
        });
        area.onkeydown = (event) => {
            if (!isComposing(event) && options.onKey(event)) event.preventDefault();
        };
        document.addEventListener('selectionchange', () => {
            if (document.activeElement !== area || this.isLocked || area.selectionEnd === this.#caret) return;
            this.#caret = area.selectionEnd;
            this.#history.seal();
            options.onMove();
        });
    }

    get value() {
        return this.#shown ?? this.#area.value;
    }

    get before() {
        return this.#area.value.slice(0, this.#area.selectionEnd);
    }

    get after() {
        return this.#area.value.slice(this.#area.selectionEnd);
    }

    get history() {
        return this.#history;
    }

    /** The model writes in it. */
    get isLocked() {
        return this.#shown !== undefined;
    }

    /** Where the caret is on the screen. */
    get place() {
        return this.#sheet.rectAt(this.#area.selectionEnd);
    }

    /** Begins anew. @param {string} text */
    set(text) {
        this.#unlock();
        this.#history.clear();
        this.#sheet.set(text);
        this.#record();
    }

    /** @param {number} at @param {string} added @param {object} run */
    insert(at, added, run) {
        const change = {at, removed: '', added, run};
        this.#history.add(change);
        this.#change(change);
    }

    undo(isRedo = false) {
        const change = this.isLocked ? undefined : isRedo ? this.#history.redo() : this.#history.undo();
        if (change) this.#change(change);
    }

    /**
     * The model writes at the caret, or something else in the place of what it wrote last. Nobody else
     * does meanwhile.
     * @param {object} run @param {Change} [last]
     */
    stream(run, last) {
        const removed = last?.added ?? '', at = last?.at ?? this.#area.selectionEnd;
        this.#history.seal();
        if (removed) this.#sheet.set(apply(this.#area.value, {at, removed, added: ''}));
        const text = this.#area.value, before = text.slice(0, at), after = text.slice(at),
            sheet = this.#sheet.stream(at);
        this.#shown = text;
        this.#area.readOnly = true;
        let added = '';
        return {
            before, isAtEnd: !after, add: sheet.add,
            /** Says what is shown soon. @param {string} pieces @returns {string} the whole text */
            expect: (pieces) => this.#shown = before + (added += pieces) + after,
            /** Where the last piece is on the screen. */
            get place() {
                return sheet.place;
            },
            end: () => {
                sheet.end();
                this.#history.add({at, removed, added, run});
                this.#unlock();
                this.#record();
            },
        };
    }

    #unlock() {
        this.#shown = undefined;
        this.#area.readOnly = false;
    }

    /** @param {boolean} isInComposition   then it may still be taken back */
    #edited(isInComposition) {
        this.#sheet.draw(this.#area.value);
        if (isInComposition) return;
        const change = difference(this.#recorded, this.#area.value, this.#area.selectionEnd);
        if (!change.added && !change.removed) return;       // a composition's end
        this.#history.add(change);
        this.#record();
    }

    /** @param {Change} change */
    #change(change) {
        const caret = change.at + change.added.length;
        this.#sheet.set(apply(this.#area.value, change), this.#history.written);
        this.#area.setSelectionRange(caret, caret);
        this.#record();
    }

    #record() {
        this.#recorded = this.#area.value;
        this.#caret = this.#area.selectionEnd;
        this.#options.onChange();
    }
}
