// The chat: a list of messages and a field to write the next. With a base model it is a transcript, and says so.

import {announce, byId, element, everyFrame, isComposing, touch} from './dom.js';
import {count, speed} from './format.js';
import {outcome} from './facts.js';

/**
 * @param {object} options
 * @param {import('../app.js').Ask} options.ask
 * @param {() => void} options.onNew   forget the conversation
 */
export function createChat({ask, onNew}) {
    const list = byId('messages');
    const field = byId('message');
    const send = byId('send');
    const fresh = byId('new-chat');
    let running;        // what stops the answer

    async function answer() {
        const text = field.value.trim();
        if (!text) return;
        field.value = '';
        grow();
        add('user', 'You', text);
        const {body, foot} = add('model', 'Gemma', '');
        body.classList.add('waiting');
        running = new AbortController();
        const written = body.appendChild(new Text());
        const shown = everyFrame((pieces) => {
            body.classList.remove('waiting');
            foot.textContent = '';
            written.appendData(pieces);
            follow();
        });
        send.textContent = 'Stop';
        fresh.hidden = true;
        announce('Gemma is answering');
        try {
            const result = await ask({text, signal: running.signal}, shown.add, (share) => { foot.textContent = `Reading… ${share}`; });
            shown.end();
            const rate = speed(result.timings.decodeTokens, result.timings.decodeMs);
            const figures = [count(result.tokens.length, 'token'), rate, result.cachedTokens && `${result.cachedTokens} cached`, outcome(result)];
            foot.textContent = figures.filter(Boolean).join(' · ');
            announce(result.text);
        } catch {
            shown.end();
            // ask has shown the error; an answer that never began leaves the question in the field.
            if (!body.textContent) {
                list.lastElementChild.remove();
                list.lastElementChild.remove();
                field.value = text;
                grow();
            }
        }
        body.classList.remove('waiting');
        send.textContent = 'Send';
        fresh.hidden = list.children.length === 0;
        running = undefined;
        follow();
    }

    function add(role, name, text) {
        const body = element('div', {className: 'body', textContent: text, dir: 'auto'});
        const foot = element('p', {className: 'foot soft'});
        list.append(element('div', {className: role}, element('p', {className: 'who', textContent: name}), body, foot));
        follow(true);
        return {body, foot};
    }

    function follow(always = false) {
        const below = document.documentElement.scrollHeight - innerHeight - scrollY;
        if (always || below < 200) scrollTo({top: document.documentElement.scrollHeight});
    }

    /** The field is as high as its text, up to what the style allows. */
    function grow() {
        field.style.height = 'auto';
        field.style.height = `${field.scrollHeight + 2}px`;
    }

    byId('chat-form').onsubmit = (event) => {
        event.preventDefault();
        if (running) running.abort();
        else answer();
    };
    field.oninput = grow;
    field.onkeydown = (event) => {
        if (isComposing(event)) return;
        // Under a thumb, Enter makes a line.
        if (event.key === 'Enter' && !event.shiftKey && !touch) {
            event.preventDefault();
            if (!running) answer();
        }
        if (event.key === 'Escape') running?.abort();
    };
    fresh.onclick = () => {
        clear();
        onNew();
        field.focus();
    };

    function clear() {
        list.replaceChildren();
        fresh.hidden = true;
    }

    return {
        clear,
        focus: () => touch || field.focus(),
        stop: () => running?.abort(),
        /**
         * @param {import('../../gemma.js').Info['chatStyle']} style
         * @param {boolean} isChat   the model was taught to chat
         */
        setStyle(style, isChat) {
            byId('transcript-hint').hidden = style !== 'transcript';
            byId('transcript-reason').textContent = isChat
                ? 'This model was taught to chat, in turns that this page does not know, so its answers may suffer.'
                : 'This file does not say that its model was taught to chat, so it is taken for a base model.';
        },
    };
}
