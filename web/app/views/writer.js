// "Continue my text": one text that the writer and the model write by turns. What the model wrote last is marked, until
// the writer changes something: then the text is theirs.

import {Pace, announce, clock, element, everyFrame, followEnd, isComposing, touch, within} from './dom.js';
import {outcome} from './facts.js';

const FIELD_SHARE = 100;    // of the time while the model writes, the field gets one part in so many
/** Who reads further up than so many pixels above the end stays there. */
const REACH = 160;
const RESTING = touch ? '' : `${/mac/i.test(navigator.userAgent) ? '⌘' : 'Ctrl'} + Enter continues`;

/**
 * Puts a text to the model and streams what it writes. Whoever gives it shows errors; they are thrown for the view to tidy up.
 * @callback Ask
 * @param {{text: string, signal: AbortSignal}} request
 * @param {(piece: string) => void} onPiece
 * @param {(share: string) => void} onReading   of a long text, how much has been read: '40 %'
 * @returns {Promise<import('../../gemma.js').Result>}
 */

export class Writer {
    #root;
    #ask;
    #onChange;
    /** What is shown, also while the field is behind. */
    #text = '';
    #area;
    #mirror;
    #go;
    #another;
    #hint;
    /** Where the model's part begins; the text's length when it has none. */
    #begun = 0;
    /** Stops the answer. @type {AbortController | undefined} */
    #running;

    /** @param {ParentNode} root @param {{ask: Ask, onChange: () => void}} options   onChange: the text is another one */
    constructor(root, {ask, onChange}) {
        const at = within(root);
        this.#root = root;
        this.#ask = ask;
        this.#onChange = onChange;
        this.#area = at('text', HTMLTextAreaElement);
        this.#mirror = at('mirror');
        this.#go = at('continue');
        this.#another = at('another');
        this.#hint = at('text-hint');
        this.#go.onclick = () => this.#running ? this.stop() : this.#write();
        this.#another.onclick = () => {
            this.#area.value = this.#area.value.slice(0, this.#begun);
            this.#write();
        };
        this.#area.oninput = () => this.#edited();
        this.#area.onkeydown = (event) => this.#press(event);
        this.setText('');
    }

    /** The text as it is shown. */
    get text() {
        return this.#running ? this.#text : this.#area.value;
    }

    /** @param {string} written */
    setText(written) {
        this.#area.value = written;
        this.#begun = written.length;
        this.#another.hidden = true;
        this.#hint.textContent = RESTING;
        this.#draw();
    }

    focus() {
        if (!touch) this.#area.focus();
    }

    stop() {
        this.#running?.abort();
    }

    /** @param {KeyboardEvent} event */
    #press(event) {
        if (isComposing(event)) return;
        if (event.key === 'Enter' && (event.ctrlKey || event.metaKey) && !this.#running) {
            event.preventDefault();
            this.#write();
        }
        if (event.key === 'Escape') this.stop();
    }

    #edited() {
        this.#begun = this.#area.value.length;
        this.#another.hidden = true;
        this.#hint.textContent = RESTING;
        this.#draw();
        this.#onChange();
    }

    /**
     * The mirror lies behind the textarea and shows its text: a textarea can neither grow nor colour a part of it. Whole
     * lines before the model's part are a block of their own: they are not laid out again when something is added.
     */
    #draw() {
        const text = this.#area.value, begun = this.#begun, line = text.lastIndexOf('\n', begun - 1) + 1;
        const before = element('div', {textContent: text.slice(0, line)}), marked = element('mark', {textContent: text.slice(begun)});
        this.#mirror.replaceChildren(before, text.slice(line, begun), marked, '\u200b');
    }

    /** Shows what the model writes: in the mirror at once, in the field when there is time, which lays out its whole text each time. */
    #createSheet() {
        const area = this.#area, pace = new Pace(FIELD_SHARE);
        let text = area.value;
        const fill = () => { area.value = text; };
        return {
            /** @param {string} pieces */
            add: (pieces) => {
                text += pieces;
                this.#text = text;
                this.#onChange();
                const start = clock.read();
                if (start >= pace.next) {
                    fill();
                    void area.scrollHeight;     // lays it out
                    pace.took(start);
                }
                this.#mirror.lastChild?.before(element('mark', {textContent: pieces}));
            },
            end: () => {
                fill();
                this.#draw();
            },
        };
    }

    async #write() {
        const text = this.#area.value;
        this.#begun = text.length;
        this.#text = text;
        this.#running = new AbortController();
        this.#draw();
        const sheet = this.#createSheet();
        let isWriting = false;
        const shown = everyFrame((pieces) => {
            if (!isWriting) this.#hint.textContent = 'Writing…';
            isWriting = true;
            sheet.add(pieces);
            followEnd(REACH);
        });
        const end = () => {
            shown.end();
            sheet.end();
        };
        this.#setBusy(true);
        this.#hint.textContent = 'Reading…';
        try {
            const onReading = (/** @type {string} */ share) => { this.#hint.textContent = `Reading… ${share}`; };
            const result = await this.#ask({text, signal: this.#running.signal}, shown.add, onReading);
            end();
            this.#hint.textContent = outcome(result) || RESTING;
            announce(this.#root, result.text);
            followEnd(REACH);
        } catch {
            end();
            this.#hint.textContent = '';        // ask has shown the error
        }
        this.#running = undefined;
        this.#setBusy(false);
        this.#onChange();
    }

    /** @param {boolean} busy */
    #setBusy(busy) {
        this.#area.readOnly = busy;
        this.#another.hidden = busy || this.#area.value.length === this.#begun;
        this.#go.textContent = busy ? 'Stop' : 'Continue';
    }
}
