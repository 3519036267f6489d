// One message of a conversation: who says it, the text, its figures, and what can be done with it.
//
// Owns: its elements. Must not know: trees and stores; what is pressed is told by name.

import {clock, element, iconButton, isComposing} from './dom.js';
import {speed} from './format.js';
import {text} from '../texts.js';

/**
 * @typedef {import('../data/types.js').Message} Message
 * @typedef {{message: Message, branch: number, branches: number, isOpen?: boolean}} Shown   branch: from 1,
 *     of `branches`; isOpen: a question without an answer
 * @typedef {'copy' | 'edit' | 'answer' | 'again' | 'continue' | 'delete' | 'speak' | 'back' | 'next'} Action
 * @typedef {(action: Action, id: string) => void} OnAction
 */

/**
 * What answers are drawn by: fetched with the first.
 * @type {typeof import('../markdown/markdown.js') | undefined}
 */
let markdown;
/** @type {typeof import('../markdown/steps.js') | undefined} */
let stepwise;
/** Before this, and where it can't be fetched, answers are plain text. */
export async function prepareMessages() {
    [markdown, stepwise] = await Promise.all([
        import('../markdown/markdown.js'), import('../markdown/steps.js'),
    ]).catch(() => []);
}

/** Characters that are drawn in one step. */
const SHORT = 3000;

/** As it is read aloud. @param {string} text */
export const spoken = (text) => stepwise?.spoken(text) ?? text;

/**
 * Aloud; a second time ends it.
 * @param {string} text
 * @param {() => void} onNone   there is no voice for it
 */
export const speakOrStop = (text, onNone) => stepwise?.speakOrStop(spoken(text), onNone);

/** Messages have left the page. */
export const tidyMessages = () => markdown?.forgetHighlights();

/** Of code blocks and the like. */
export const labels = () => ({copy: text('message.copy-code'), copied: text('message.copied'),
    image: text('message.image'), thinking: text('message.thinking')});

export class MessageView {
    #onAction;
    #body = element('div', {className: 'body', dir: 'auto'});
    #foot = element('p', {className: 'foot soft'});
    #actions = element('div', {className: 'message-actions'});
    /** What is drawn of it. */
    #drawn = '';
    /** While it is written. @type {Pick<Code, 'write' | 'end'> | undefined} */
    #writer;
    /** Draws the text, where that is left to a later time. @type {Iterator<number> | undefined} */
    #steps;
    #isLater;
    /** While it is edited. @type {HTMLTextAreaElement | undefined} */
    #field;
    #put = (/** @type {() => void} */ place) => place();

    /**
     * @param {Shown} shown
     * @param {OnAction} onAction
     * @param {boolean} [isLater]   its text is drawn by draw()
     */
    constructor(shown, onAction, isLater = false) {
        this.#isLater = isLater;
        const {message: {id, role, attachments = []}} = shown;
        this.id = id;
        this.#onAction = onAction;
        const isUser = role === 'user', name = isUser ? text('chat.you') : role === 'assistant'
            ? shown.message.model ?? 'Gemma' : text(`speaker.${role}`);
        const who = element('p', {className: 'who', textContent: name});
        const files = attachments.map(({name, tokens, how}, i) => element('li', {},
            element('button', {type: 'button', className: 'file-open', onclick: () => this.#openFile(i)},
            element('strong', {textContent: name, dir: 'auto'}),
            element('span', {className: 'soft', textContent: [tokens ? text('count.tokens', {count: tokens})
                : '', how ? text(`files.how-${how}`) : ''].filter(Boolean).join(' · ')}))));
        const parts = [who, ...files.length ? [element('ul', {className: 'attached'}, ...files)] : [],
            this.#body, this.#foot, this.#actions];
        this.element = element('div', {className: isUser ? 'user' : 'model', tabIndex: -1}, ...parts);
        this.element.dataset.message = id;
        this.update(shown);
    }

    /** @param {number} i */
    #openFile(i) {
        const file = this.message?.attachments?.[i];
        // the network is off before the app is kept
        if (file) import('../with_files.js').then(({showText}) => showText(document, file)).catch(() => {});
    }

    /** @param {Shown} shown */
    update({message, branch, branches, isOpen = false}) {
        const {content, role, state} = message, isWriting = state === 'writing';
        this.message = message;
        this.isOpen = isOpen;
        this.element.classList.toggle('waiting', isWriting && !content);
        if (!this.#writer && content !== this.#drawn) this.#redraw(role, content);
        this.#foot.textContent = isWriting ? '' : footOf(message);
        this.#actions.replaceChildren(...isWriting ? [] : this.#buttons(message, branch, branches, isOpen));
    }

    /**
     * What is written is added: nothing that is there is drawn again.
     * @param {boolean} isCode   it becomes JSON
     */
    begin(isCode) {
        this.#steps = undefined;
        this.#body.replaceChildren();
        this.#body.classList.remove('long');
        this.#writer = markdown && !isCode ? new markdown.Markdown(this.#body, {labels: labels()})
            : new Code(this.#body);
        this.#writer.write(this.#drawn);
    }

    /** @param {string} pieces */
    write(pieces) {
        this.element.classList.remove('waiting');
        this.#drawn += pieces;
        this.#foot.textContent = '';
        this.#writer?.write(pieces);
    }

    end() {
        this.#writer?.end();
        this.#writer = undefined;
        this.element.classList.remove('waiting');
    }

    /** @param {string} sentence   what is happening */
    note(sentence) {
        this.#foot.textContent = sentence;
    }

    /** What it is to become, while it is edited. */
    get edited() {
        return this.#field?.value;
    }

    /**
     * Its text in a field.
     * @param {(changed: string | undefined, isCancelled: boolean) => void} then   changed: undefined for
     *     as it was
     * @param {string} [edited]
     */
    edit(then, edited = this.message?.content ?? '') {
        if (this.#field) return this.#field.focus();
        const field = this.#field = element('textarea', {value: edited, rows: 3});
        field.setAttribute('aria-label', text('message.edit'));
        const end = (/** @type {string | undefined} */ changed, isCancelled = false) => {
            this.#field = undefined;
            form.replaceWith(this.#body, this.#foot, this.#actions);
            then(changed, isCancelled);
        };
        const save = element('button', {
            type: 'submit', className: 'primary', textContent: text('action.save'),
        });
        const cancel = element('button', {type: 'button', className: 'quiet',
            textContent: text('action.cancel'), onclick: () => end(undefined, true)});
        const form = element('form', {className: 'edit', onsubmit: (/** @type {Event} */ event) => {
            event.preventDefault();
            end(field.value.trim() && field.value !== this.message?.content ? field.value : undefined);
        }}, field, element('div', {className: 'actions'}, cancel, save));
        form.onkeydown = (event) => {
            if (event.key === 'Escape' && !isComposing(event)) end(undefined, true);
        };
        this.#foot.remove();
        this.#actions.remove();
        this.#body.replaceWith(form);
        field.style.height = `${Math.min(field.scrollHeight + 4, innerHeight / 2)}px`;
        field.focus();
    }

    /**
     * Focuses a button of this message. Where it is not there or is disabled, focuses the way between
     * versions.
     * @param {string} label
     * @returns {boolean} whether one has the focus now
     */
    focusOn(label) {
        const buttons = [...this.#actions.querySelectorAll('button')].filter(({disabled}) => !disabled);
        const found = buttons.find(({ariaLabel}) => ariaLabel === label)
            ?? buttons.find((button) => button.closest('.walk'));
        found?.focus();
        return Boolean(found) && document.activeElement === found;
    }

    /** @param {Message['role']} role @param {string} content */
    #redraw(role, content) {
        this.#drawn = content;
        this.#body.replaceChildren();
        this.#body.classList.remove('long');
        this.#steps = this.#stepsOf(role, content);
        if (this.#isLater) return;
        for (let step = this.#steps.next(); !step.done;) step = this.#steps.next();
        this.#steps = undefined;
    }

    /**
     * Draws what is not drawn yet.
     * @param {(place: () => void) => void} put   is called with what puts something in
     * @returns {Generator<number, void>} after each step, its characters
     */
    *draw(put) {
        this.#put = put;
        for (let step = this.#steps?.next(); step && !step.done; step = this.#steps?.next()) yield step.value;
        this.#steps = undefined;
    }

    /** @param {Message['role']} role @param {string} content @returns {Generator<number, void>} */
    *#stepsOf(role, content) {
        const body = this.#body;
        if (role === 'user' || !markdown || !stepwise) body.textContent = content;
        else if (isJson(content)) new Code(body).write(content);
        else if (content.length > SHORT)
            return yield* stepwise.drawInSteps(body, content,
                {labels: labels(), put: (place) => this.#put(place)});
        else markdown.renderMarkdown(body, content, {labels: labels()});
        yield content.length;
    }

    /** @param {Message} message @param {number} branch @param {number} branches @param {boolean} isOpen */
    #buttons({role, parent, content, attachments, state, finishReason}, branch, branches, isOpen) {
        const isAnswer = role === 'assistant' && parent,
            button = (/** @type {Action} */ action, /** @type {string} */ icon, off = false) =>
            iconButton(icon, text(`message.${action}`), () => this.#onAction(action, this.id),
                {disabled: off});
        /** @type {HTMLElement[]} */
        const made = content || attachments ? [button('copy', 'copy'), button('edit', 'edit')] : [];
        if (isOpen) made.unshift(element('button', {type: 'button', className: 'quiet',
            textContent: text('message.answer'), onclick: () => this.#onAction('answer', this.id)}));
        if (isAnswer) made.push(button('again', 'again'));
        if (role !== 'user' && content) {
            if (isAnswer && (state !== 'done' || finishReason === 'length'))
                made.push(button('continue', 'on'));
            if (stepwise && 'speechSynthesis' in globalThis) made.push(button('speak', 'speak'));
        }
        made.push(button('delete', 'delete'));
        if (branches < 2) return made;
        const which = element('span', {textContent: `${branch} / ${branches}`});
        which.setAttribute('aria-label', text('message.branch', {branch, branches}));
        const walk = element('span', {className: 'walk'}, button('back', 'back', branch === 1), which,
            button('next', 'next', branch === branches));
        walk.setAttribute('role', 'group');
        return [walk, ...made];
    }
}

/** JSON, as it comes. */
class Code {
    #code = element('code', {dir: 'ltr'});

    /** @param {HTMLElement} container */
    constructor(container) {
        container.append(element('pre', {}, this.#code));
    }

    /** @param {string} text */
    write(text) {
        this.#code.append(text);
    }

    end() {}
}

/** An answer of a form that was asked for. @param {string} content */
function isJson(content) {
    try {
        return /^\s*[{[]/.test(content) && Boolean(JSON.parse(content));
    } catch {
        return false;
    }
}

/** How an answer ended, and how fast. @param {Message} message */
function footOf({figures, finishReason, state}) {
    const end = state === 'failed' ? text('end.failed') : state === 'stopped' ? text('end.abort')
        : finishReason === 'length' || finishReason === 'context' ? text(`end.${finishReason}`)
        : finishReason === 'stop' && figures?.tokens === 0 ? text('end.nothing') : '';
    if (!figures) return end;
    const {tokens, cachedTokens, decodeTokens, decodeMs} = figures;
    return [
        text('count.tokens', {count: tokens}), speed(decodeTokens, decodeMs, clock),
        cachedTokens ? text('count.cached', {count: cachedTokens}) : '', end,
    ].filter(Boolean).join(' · ');
}
