// "Continue my text": one text that the writer and the model write by turns. The model continues at the
// cursor, alone or in several ways side by side; what it wrote last is marked, until the writer changes
// something: then the text is theirs.
//
// Owns: what is asked of the model, and what is done with its answer. Must not know: how texts are stored, sessions.

import {announce, createSpeaker, everyFrame, followEnd, isComposing, touch, within} from './dom.js';
import {wasCancelled} from './errors.js';
import {percent} from './format.js';
import {createKeeper} from './writer_keeper.js';
import {LikelyRow} from './writer_likely.js';
import {WriterText} from './writer_text.js';
import {Tray} from './writer_tray.js';
import {text} from '../texts.js';

/**
 * @typedef {import('./writer_history.js').Change} Change
 *
 * @typedef {object} WriterOptions
 * @property {Pick<import('../drafting.js').Drafting, 'continue' | 'alternatives' | 'likely' | 'keep'>} drafting
 * @property {(text: string) => Promise<void>} keep   stores what is about to be shown
 * @property {() => void} onBegin    something is asked of the model
 * @property {() => void} onChange   the text is another one
 * @property {(error: Error) => void} onError
 *
 * @typedef {{kind: 'write' | 'draw' | 'pick', stop: AbortController}} Run   of the model
 */

const ALTERNATIVES = 3, LIKELY = 10;
/** A reader who has scrolled up by more pixels than this is not scrolled down. */
const REACH = 160;
/** After this much time without a change, the likeliest tokens are asked for again. */
const QUIET_MS = 400;
const MAC = /mac|iphone|ipad/i.test(navigator.userAgent), KEY = MAC ? '⌘' : 'Ctrl', STEP = MAC ? '⌥' : 'Ctrl';

export class Writer {
    #root;
    #at;
    #options;
    #text;
    #tray;
    #likely;
    /** @type {Run | undefined} */
    #run;
    /** Of the text that was continued last, how many other ways were written. */
    #tried = {before: '', ways: 0};
    /**
     * What the alternatives continue: at a place, after the history's change `base`.
     * @type {{run: Run, base?: Change, at: number} | undefined}
     */
    #drawn;
    /** @type {AbortController | undefined} */
    #asking;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    #timer;

    /** @param {ParentNode} root @param {WriterOptions} options */
    constructor(root, options) {
        const at = this.#at = within(root);
        this.#root = root;
        this.#options = options;
        this.#tray = new Tray(at('alternatives'), (part) => this.#take(part));
        this.#likely = new LikelyRow(at('likely'), (token, isByKey) => this.#pick(token, isByKey));
        this.#text = new WriterText({
            area: at('text', HTMLTextAreaElement), mirror: at('mirror'), onKey: (event) => this.#press(event), onMove: () => this.#rest(),
            onChange: () => {
                this.#changed();
                options.onChange();
            },
        });
        at('continue').onclick = () => this.#run ? this.stop() : this.#write();
        at('another').onclick = () => this.#write(this.#text.history.last);
        at('draw').onclick = () => this.#draw();
        at('show-likely').onclick = () => this.#likely.isOpen ? this.#closeLikely() : this.#ask();
        at('undo').onclick = () => this.#text.undo();
        at('redo').onclick = () => this.#text.undo(true);
        at('close-alternatives').onclick = () => this.#leave();
        at('alternatives-keys').textContent = touch ? '' : text('writer.tray-keys', {step: STEP, key: KEY});
        at('writer').onkeydown = (event) => {
            if (event.key !== 'Escape' || isComposing(event)) return;
            event.preventDefault();
            this.#leave();
        };
        this.#setBusy();
        this.#rest();
    }

    /** The text as it is shown. */
    get text() {
        return this.#text.value;
    }

    /** Another text. @param {string} written */
    setText(written) {
        this.stop();
        this.#run = undefined;      // what it still writes belongs to the text before
        this.#closeTray();
        this.#closeLikely();
        this.#at('window-note').hidden = true;
        this.#text.set(written);
    }

    focus() {
        if (!touch) this.#at('text').focus();
    }

    stop() {
        clearTimeout(this.#timer);
        this.#run?.stop.abort();
        this.#asking?.abort();
    }

    /** @param {KeyboardEvent} event @returns {boolean} whether it was for the writer */
    #press({key, ctrlKey, metaKey, shiftKey, altKey}) {
        const command = ctrlKey || metaKey, isStep = MAC ? altKey && !command : ctrlKey && !altKey && !metaKey;
        if (key === 'Enter' && altKey && !command) this.#at('show-likely').click();
        else if (key === 'Enter' && command) this.#enter(shiftKey);
        else if (command && !altKey && key.toLowerCase() === 'z') this.#text.undo(shiftKey);
        else if (ctrlKey && !altKey && !MAC && key.toLowerCase() === 'y') this.#text.undo(true);
        else return isStep && this.#tray.isOpen && this.#step(key, shiftKey);
        return true;
    }

    /** @param {boolean} shiftKey */
    #enter(shiftKey) {
        if (this.#tray.isOpen && !shiftKey) this.#take('all');
        else if (this.#run) return;
        else if (shiftKey) this.#draw();
        else this.#write();
    }

    /** @param {string} key @param {boolean} shiftKey */
    #step(key, shiftKey) {
        if (key === 'ArrowUp' || key === 'ArrowDown') this.#tray.choose(this.#tray.chosen + (key === 'ArrowDown' ? 1 : -1));
        else if (key === (document.dir === 'rtl' ? 'ArrowLeft' : 'ArrowRight')) this.#take(shiftKey ? 'sentence' : 'word');
        else return false;
        return true;
    }

    /** Ends what was begun last. */
    #leave() {
        if (this.#run) return this.stop();
        if (this.#tray.isOpen) this.#closeTray();
        else this.#closeLikely();
        this.#rest();
        return this.focus();
    }

    /** The text is another one. */
    #changed() {
        const taken = this.#drawn && this.#text.history.addedBy(this.#drawn.run, this.#drawn.base);
        if (this.#drawn) this.#tray.show(taken);
        if (this.#run?.kind === 'draw' && taken === undefined) this.stop();
        this.#setBusy();
        this.#rest();
    }

    /** Says what can be done next. */
    #rest() {
        const keys = touch ? '' : text('writer.keys', {key: KEY});
        if (!this.#run) this.#hint(this.#text.after.trim() ? text('writer.inside') : keys);
        clearTimeout(this.#timer);
        if (!this.#likely.isOpen) return;
        this.#likely.setStale();
        // Not where another view is shown: asking would load a model.
        this.#timer = setTimeout(() => this.#likely.isOpen && !this.#at('writer').hidden && this.#ask(), QUIET_MS);
    }

    /** @param {string} sentence */
    #hint(sentence) {
        this.#at('text-hint').textContent = sentence;
    }

    #setBusy() {
        const {isLocked, history} = this.#text, isBusy = this.#run !== undefined,
            last = /** @type {Run | undefined} */ (history.last?.run);
        /** @param {string} id @param {boolean} isOff */
        const disable = (id, isOff) => { this.#at(id, HTMLButtonElement).disabled = isOff; };
        this.#at('another').hidden = isBusy || last?.kind !== 'write';
        this.#at('continue').textContent = text(isBusy ? 'chat.stop' : 'writer.continue');
        disable('undo', isLocked || !history.canUndo);
        disable('redo', isLocked || !history.canRedo);
        disable('draw', isBusy);
        disable('show-likely', isBusy);
    }

    /** Scrolls to a place that is not too far. @param {DOMRect | undefined} place @param {number} [reach] */
    #reveal(place, reach = Infinity) {
        if (!place) return;
        const below = place.bottom + place.height - this.#at('writer-composer').getBoundingClientRect().top;
        if (below > 0 && below < reach) scrollBy({top: below});
    }

    /** @param {Run['kind']} kind @returns {Run} */
    #begin(kind) {
        this.#asking?.abort();
        const run = this.#run = {kind, stop: new AbortController()};
        this.#options.onBegin();
        this.#at('window-note').hidden = true;
        this.#setBusy();
        this.#hint(text('chat.reading', {share: ''}).trim());
        return run;
    }

    /** What is said meanwhile. @param {AbortController} stop */
    #told({signal}) {
        return {
            signal,
            onReading: (/** @type {number} */ share) => !signal.aborted && this.#run
                && this.#hint(text('chat.reading', {share: percent(share)})),
            onWindow: (/** @type {import('../drafting.js').Window} */ {tokens, total}) => {
                this.#at('window-note').textContent = text('writer.window', {tokens, total, share: percent(tokens / total)});
                this.#at('window-note').hidden = signal.aborted;
            },
        };
    }

    /** @param {Run} run @param {string} sentence   how it ended */
    #end(run, sentence) {
        if (this.#run !== run) return;
        this.#run = undefined;
        this.#setBusy();
        this.#rest();
        if (sentence) this.#hint(sentence);
    }

    /** @param {any} error */
    #fail(error) {
        if (!wasCancelled(error) && error?.code !== 'closed') this.#options.onError(error);
    }

    /** @param {Change} [last]   what the model wrote last, to write something else in its place */
    async #write(last) {
        const run = this.#begin('write'), stream = this.#text.stream(run, last), speak = createSpeaker(this.#root),
            isCurrent = () => this.#run === run;
        this.#tried = {before: stream.before, ways: last ? 1 + (this.#tried.before === stream.before ? this.#tried.ways : 0) : 0};
        let sentence = '', isWriting = false;
        const shown = everyFrame((pieces) => {
            if (!isCurrent()) return;
            if (!isWriting) this.#hint(text('writer.writing'));
            isWriting = true;
            stream.add(pieces);
            speak(pieces);
            if (stream.isAtEnd) followEnd(REACH);
            else this.#reveal(stream.place, REACH);
        });
        const keeper = createKeeper(async (pieces) => {
            if (!isCurrent()) return;
            await this.#options.keep(stream.expect(pieces));
            shown.add(pieces);
        });
        try {
            const result = await this.#options.drafting.continue(stream.before, {
                ...this.#told(run.stop), onPiece: keeper.add, way: this.#tried.ways,
            });
            sentence = result.finishReason === 'context' ? text('writer.full') : outcome(result) ?? '';
        } catch (error) {
            this.#fail(error);
        }
        await keeper.end();
        shown.end();
        if (!isCurrent()) return;
        speak('\n ');
        stream.end();
        this.#end(run, sentence);
        if (stream.isAtEnd) followEnd(REACH);
    }

    /** Asks for several continuations. */
    async #draw() {
        this.#text.history.seal();
        const run = this.#begin('draw'), {before, place} = this.#text, tray = this.#tray, isCurrent = () => this.#drawn?.run === run;
        const signals = tray.begin(ALTERNATIVES, before);
        this.#drawn = {run, base: this.#text.history.last, at: before.length};
        this.#reveal(place);
        let sentence = '';
        try {
            await this.#options.drafting.alternatives(before, {
                ...this.#told(run.stop), signals,
                onPiece: (index, piece) => isCurrent() && tray.add(index, piece.replace(/\r\n?/g, '\n')),
                onEnd: (index) => isCurrent() && tray.end(index),
            });
            if (!run.stop.signal.aborted) announce(this.#root, sentence = text('writer.drawn', {count: ALTERNATIVES}));
        } catch (error) {
            this.#fail(error);
        }
        if (isCurrent() && tray.isEmpty) this.#closeTray();
        this.#end(run, sentence);
    }

    /** @param {import('./writer_tray.js').Part} part */
    #take(part) {
        const piece = this.#tray.next(part);
        if (!piece || !this.#drawn) return;
        const {run, at} = this.#drawn, {taken} = this.#tray;
        if (!taken) this.#options.drafting.keep(this.#tray.chosen);
        if (part === 'all') run.stop.abort();
        this.#text.insert(at + taken, piece, run);
        this.#reveal(this.#text.place);
        announce(this.#root, piece);
        if (!this.#tray.isOpen) this.focus();
    }

    #closeTray() {
        this.#drawn = undefined;
        this.#tray.close();
    }

    /** Asks for the likeliest next tokens. @param {boolean} [hasFocus]   the first one gets it */
    async #ask(hasFocus = false) {
        if (this.#run) return;
        this.#asking?.abort();
        const asking = this.#asking = new AbortController(), {signal} = asking, {drafting, onBegin} = this.#options;
        this.#at('show-likely').setAttribute('aria-pressed', 'true');
        onBegin();
        try {
            const tokens = await drafting.likely(this.#text.before, LIKELY, this.#told(asking));
            if (!signal.aborted) this.#likely.show(tokens, hasFocus);
        } catch (error) {
            if (!signal.aborted) this.#fail(error);
        }
        if (!this.#likely.isOpen && this.#asking === asking) this.#closeLikely();
    }

    /** @param {import('../drafting.js').Likely} token @param {boolean} isByKey */
    #pick(token, isByKey) {
        const last = /** @type {Run | undefined} */ (this.#text.history.last?.run), run = last?.kind === 'pick' ? last : {kind: 'pick'};
        this.#text.insert(this.#text.before.length, token.text, run);
        this.#reveal(this.#text.place);
        if (!isByKey) this.focus();
        this.#ask(isByKey);
    }

    #closeLikely() {
        clearTimeout(this.#timer);
        this.#asking?.abort();
        this.#likely.close();
        this.#at('show-likely').setAttribute('aria-pressed', 'false');
    }
}

/**
 * How an answer ended, where that is worth a word.
 * @param {Pick<import('../../gemma.js').Result, 'finishReason' | 'tokens'>} result
 */
function outcome({finishReason, tokens}) {
    if (finishReason === 'stop') return tokens.length ? '' : text('end.nothing');
    return text(`end.${finishReason}`);
}
