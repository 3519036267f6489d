// The chat: the messages of one conversation and a field to write the next. With a base model it is a transcript,
// and says so.

import {Attaching} from './attaching.js';
import {bringDictation} from './dictating.js';
import {announce, createSpeaker, element, everyFrame, followEnd, isComposing, putAbove, toClipboard, touch,
    within} from './dom.js';
import {percent} from './format.js';
import {MessageView, prepareMessages, speakOrStop, spoken, tidyMessages} from './message.js';
import {slowly} from './slowly.js';
import {text} from '../texts.js';

/**
 * @typedef {import('./message.js').Shown} Shown
 * @typedef {import('./message.js').Action} Action
 *
 * @typedef {object} ChatOptions
 * @property {(content: string, attachments: import('../data/types.js').Attachment[]) => void} onSend
 * @property {Omit<import('./attaching.js').AttachingOptions, 'onError'>} files
 * @property {() => void} onBegin   something is asked
 * @property {() => void} onStop
 * @property {(action: Exclude<Action, 'copy' | 'edit' | 'speak'>, id: string) => void} onAction
 * @property {(id: string, content: string) => void} onEdit
 * @property {(error: Error) => void} onError
 * @property {(sentence: string) => void} onNotice
 *
 * @typedef {{content?: string, files?: import('./attaching.js').Files}} Unsent   a message
 *
 * @typedef {object} Stream   an answer that is being written
 * @property {(pieces: string) => void} add
 * @property {(share: number) => void} reading   how much of the prompt has been read
 * @property {(messages: number) => void} dropped   how many of the oldest the model no longer sees
 * @property {() => void} end
 */

/** A reader who has scrolled up by more pixels than this is not scrolled down. */
const REACH = 200;
/** Frames without a change, after which a page is as high as it will be. */
const QUIET = 5;

export class Chat {
    #root;
    #at;
    #options;
    #list;
    #field;
    #send;
    #busy = false;
    #files;
    /** What was sent and waits for its files. @type {{shown: number, written: string} | undefined} */
    #waiting;
    #shown = 0;             // counts the conversations that were shown
    /** In order. @type {Map<string, MessageView>} */
    #views = new Map();
    /** Edits that another conversation came between, by message. @type {Map<string, string>} */
    #edits = new Map();
    #stopDrawing = () => {};        // of messages
    #isDrawing = false;
    /** What was opened shows its end, until a person scrolls. */
    #sticks = false;

    /** @param {ParentNode} root @param {ChatOptions} options */
    constructor(root, options) {
        this.#root = root;
        const at = this.#at = within(root);
        this.#options = options;
        this.#list = at('messages');
        this.#field = at('message', HTMLTextAreaElement);
        this.#send = at('send');
        this.#files = new Attaching(root, {...options.files, onError: options.onError});
        at('chat-form').onsubmit = (event) => {
            event.preventDefault();
            if (this.#busy) options.onStop();
            else this.#submit();
        };
        // The second click of a double click stops nothing.
        this.#send.addEventListener('click', (event) => this.#busy && event.detail > 1 && event.preventDefault());
        this.#field.oninput = () => this.#grow();
        this.#field.onkeydown = (event) => this.#press(event);
        this.setTitle('');
        bringDictation(root, options.onNotice);
        for (const name of ['wheel', 'touchmove', 'keydown', 'pointerdown'])
            addEventListener(name, () => { this.#sticks = false; }, {passive: true});
    }

    focus() {
        if (!touch) this.#field.focus();
    }

    /** @param {string} title   '' for a new conversation */
    setTitle(title) {
        this.#at('chat-title').textContent = title || text('chat.begin');
    }

    /**
     * @param {import('../../gemma.js').Info['chatStyle']} style
     * @param {boolean} isChat   the model was taught to chat
     */
    setStyle(style, isChat) {
        this.#at('transcript-hint').hidden = style !== 'transcript';
        this.#at('transcript-reason').textContent = text(isChat ? 'transcript.unknown' : 'transcript.base');
        this.#files.refresh();
    }

    /** What answers are drawn by is here. */
    ready() {
        return prepareMessages();
    }

    /** The path that is shown now. Messages that are there already stay. @param {Shown[]} path */
    show(path) {
        const before = this.#views, isOther = !path.some(({message}) => before.has(message.id)),
            giveBack = this.#holdFocus();
        this.#views = new Map(path.map((shown) => {
            const known = before.get(shown.message.id);
            known?.update(shown);
            return [shown.message.id, known ?? new MessageView(shown, (action, id) => this.#act(action, id), true)];
        }));
        for (const [id, view] of before) {
            if (this.#views.has(id)) continue;
            if (view.edited !== undefined) this.#edits.set(id, view.edited);
            view.element.remove();
        }
        let last = null;
        for (const {element: made} of this.#views.values()) {
            if (made.previousElementSibling !== last || !made.parentNode)
                this.#list.insertBefore(made, last ? last.nextSibling : this.#list.firstChild);
            last = made;
        }
        if (before.size) tidyMessages();
        giveBack();
        this.#draw(isOther);
        this.#editOn();
        if (!isOther) return;
        this.#shown++;
        this.#files.refresh();
        this.#stick();
    }

    /** The last messages first, a little at a time. @param {boolean} isOther   the end is what a person sees */
    #draw(isOther) {
        const views = [...this.#views.values()].reverse(), {style, offsetHeight} = this.#list;
        const put = isOther ? putAbove : (/** @type {() => void} */ place) => place();
        const draw = function* (/** @type {() => void} */ end) {
            for (const view of views) yield* view.draw(put);
            end();
        };
        this.#stopDrawing();
        this.#isDrawing = true;
        // where a person reads, the page gets no shorter meanwhile
        if (!isOther) style.minHeight = `${offsetHeight}px`;
        this.#stopDrawing = slowly(draw(() => {
            this.#isDrawing = false;
            style.minHeight = '';
        }));
    }

    /** What lies out of sight has no height before it is seen, so the end is a little further down each time. */
    #stick() {
        let quiet = 0;
        const look = () => {
            const {scrollHeight} = document.documentElement;
            if (!this.#sticks || this.#list.closest('[hidden]')) return;
            quiet = scrollHeight - innerHeight - scrollY > 1 ? 0 : quiet + 1;
            if (!quiet) scrollTo({top: scrollHeight});
            this.#sticks = this.#isDrawing || quiet < QUIET;
            requestAnimationFrame(look);
        };
        this.#sticks = true;
        scrollTo({top: document.documentElement.scrollHeight});
        requestAnimationFrame(look);
    }

    /**
     * After a message's button is pressed, the focus moves to the same button of the message that replaces it, or else
     * to the field.
     * @returns {() => void}
     */
    #holdFocus() {
        const {activeElement: held} = document,
            index = [...this.#views.values()].findIndex(({element}) => element.contains(held));
        return () => {
            if (index < 0 || this.#list.contains(document.activeElement)) return;
            if (![...this.#views.values()][index]?.focusOn(held?.ariaLabel ?? '')) this.focus();
        };
    }

    /** @param {boolean} busy   an answer is under way */
    setBusy(busy) {
        if (busy && this.#list.contains(document.activeElement)) this.focus();
        if (busy && !this.#busy) this.#options.onBegin();
        this.#busy = busy;
        this.#send.textContent = text(busy ? 'chat.stop' : 'chat.send');
        this.#list.classList.toggle('busy', busy);
        this.#holdSaves();
        if (busy) announce(this.#root, text('chat.answering'));
        else this.#files.refresh();
    }

    /**
     * Shows an answer as it is written.
     * @param {string} id
     * @param {boolean} isCode   it becomes JSON
     * @returns {Stream}
     */
    stream(id, isCode) {
        const view = this.#views.get(id), speak = createSpeaker(this.#root, isCode ? String : spoken);
        view?.begin(isCode);
        followEnd(Infinity);
        const shown = everyFrame((pieces) => {
            view?.write(pieces);
            speak(pieces);
            followEnd(REACH);
        });
        return {
            add: shown.add,
            reading: (share) => view?.note(text('chat.reading', {share: percent(share)})),
            dropped: (count) => view?.element.prepend(element('p',
                {className: 'dropped soft', textContent: text('chat.dropped', {count})})),
            end: () => {
                shown.end();
                speak('\n ');
                view?.end();
                followEnd(REACH);
            },
        };
    }

    /**
     * Puts an unanswered question back into the field, before what has been written since.
     * @param {Unsent} other
     * @param {[string, string][]} [edits]   of messages: ids and texts
     */
    takeBack({content, files}, edits = []) {
        for (const [id, edited] of edits) this.#edits.set(id, edited);
        this.#editOn();
        this.#files.put(files);
        this.#setField([content, this.#field.value].filter(Boolean).join('\n\n'));
    }

    /** Puts another message into the place of the one that is written. @param {Unsent} [other] @returns {Unsent} */
    exchange({content = '', files} = {}) {
        const before = {content: this.#field.value, files: this.#files.exchange(files)};
        this.#setField(content);
        return before;
    }

    /** What is written, and not sent. */
    get draft() {
        const open = [...this.#views].map(([id, {edited}]) => /** @type {const} */ ([id, edited]));
        return {content: this.#field.value, attachments: this.#files.ready,
            edits: [...this.#edits, ...open].filter(([, edited]) => edited !== undefined)};
    }

    /** As if a person had written and chosen it. @param {{text: string, files: File[]}} shared */
    take({text, files}) {
        this.takeBack({content: text});
        this.#files.give(files);
    }

    /** @param {string} id */
    focusOn(id) {
        this.#views.get(id)?.element.focus({preventScroll: true});
    }

    /** @param {'again' | 'copy'} action   with the answer at the end */
    actOnLast(action) {
        const open = action === 'again' && [...this.#views.values()].at(-1);
        if (open && open.isOpen && !this.#busy) return this.#act('answer', open.id);
        const last = [...this.#views.values()].findLast(({message}) => message?.role === 'assistant');
        if (last && !this.#busy) this.#act(action, last.id);
    }

    /** @param {KeyboardEvent} event */
    #press(event) {
        if (isComposing(event)) return;
        // Under a thumb, Enter makes a line.
        if (event.key === 'Enter' && !event.shiftKey && !touch) {
            event.preventDefault();
            if (!this.#busy) this.#submit();
        }
        if (event.key === 'Escape') this.#options.onStop();
        if (event.key === 'ArrowUp' && !this.#field.value && !this.#busy)
            this.#act('edit', [...this.#views.values()].findLast(({message}) => message?.role === 'user')?.id ?? '');
    }

    #submit() {
        const shown = this.#shown, written = this.#field.value.trim(), waiting = this.#waiting;
        if (!written) return this.#field.focus();
        if (this.#files.isEmpty) return this.#sendOff(written, []);
        if (waiting?.shown === shown && waiting.written === written) return;
        // If the words or the conversation change before the files are read, nothing is sent.
        const sent = this.#waiting = {shown, written}, isWanted = () => sent === this.#waiting && !this.#busy
            && shown === this.#shown && this.#field.value.trim() === written;
        this.#files.take(written, isWanted).then((files) => files && this.#sendOff(written, files),
            this.#options.onError).finally(() => { if (sent === this.#waiting) this.#waiting = undefined; });
    }

    /** @param {string} written @param {import('../data/types.js').Attachment[]} attachments */
    #sendOff(written, attachments) {
        this.#setField('');
        this.#options.onSend(written, attachments);
    }

    /** @param {Action} action @param {string} id */
    #act(action, id) {
        const view = this.#views.get(id), content = view?.message?.content ?? '';
        if (action === 'copy') toClipboard(content).then(() => announce(this.#root, text('message.copied')),
            this.#options.onError);
        else if (action === 'speak') speakOrStop(content, () => this.#options.onNotice(text('message.no-voice')));
        else if (action === 'edit') this.#edit(id);
        else this.#options.onAction(action, id);
    }

    /** While an answer is written, what is changed waits. */
    #holdSaves() {
        for (const save of this.#list.querySelectorAll('.edit .primary')) save.toggleAttribute('disabled', this.#busy);
    }

    /** Continues edits of messages that are shown again. */
    #editOn() {
        for (const [id, edited] of this.#edits)
            if (this.#views.has(id) && this.#edits.delete(id)) this.#edit(id, edited);
    }

    /** @param {string} id @param {string} [edited]   what was written before */
    #edit(id, edited) {
        const view = this.#views.get(id);
        view?.edit((changed, isCancelled) => {
            const isAnswered = changed === undefined && (isCancelled || !view.isOpen);
            if (isAnswered) return view.focusOn(text('message.edit'));
            this.focus();
            if (changed === undefined) this.#options.onAction('answer', id);
            else this.#options.onEdit(id, changed);
        }, edited);
        this.#holdSaves();
    }

    /** @param {string} content */
    #setField(content) {
        this.#field.value = content;
        this.#grow();
    }

    /** The field is as high as its text, up to what the style allows. */
    #grow() {
        this.#field.style.height = 'auto';
        this.#field.style.height = `${this.#field.scrollHeight + 2}px`;
    }
}
