// "Continue my text": one text that the writer and the model take turns on. What the model wrote last is marked, until
// the writer changes something: then the text is theirs.

import {announce, byId, element, touch} from '../dom.js';
import {outcome} from './facts.js';

/**
 * @param {object} options
 * @param {import('../app.js').Ask} options.ask
 */
export function createWriter({ask}) {
    const area = byId('text');
    const go = byId('continue');
    const another = byId('another');
    const hint = byId('text-hint');
    const resting = touch ? '' : `${/mac/i.test(navigator.userAgent) ? '⌘' : 'Ctrl'} + Enter continues`;
    let begun = 0;      // where the model's part begins; the text's length when it has none
    let running;        // what stops the answer

    /** The mirror lies behind the textarea and shows its text: a textarea can neither grow nor colour a part of it. */
    function draw() {
        byId('mirror').replaceChildren(area.value.slice(0, begun), element('mark', {textContent: area.value.slice(begun)}), '\u200b');
    }

    function edited() {
        begun = area.value.length;
        another.hidden = true;
        hint.textContent = resting;
        draw();
    }

    async function write() {
        const text = area.value;
        begun = text.length;
        running = new AbortController();
        area.readOnly = true;
        another.hidden = true;
        go.textContent = 'Stop';
        hint.textContent = 'Reading…';
        try {
            const result = await ask({text, raw: true, signal: running.signal}, (piece) => {
                hint.textContent = 'Writing…';
                area.value += piece;
                draw();
                follow();
            }, (share) => { hint.textContent = `Reading… ${share}`; });
            hint.textContent = outcome(result) || resting;
            announce(result.text);
            follow();
        } catch {
            hint.textContent = '';      // ask has shown the error
        }
        another.hidden = area.value.length === begun;
        go.textContent = 'Continue';
        area.readOnly = false;
        running = undefined;
    }

    /** Keeps the end in sight, unless the reader has scrolled away from it. */
    function follow() {
        const below = document.documentElement.scrollHeight - innerHeight - scrollY;
        if (below < 160) scrollTo({top: document.documentElement.scrollHeight});
    }

    go.onclick = () => running ? running.abort() : write();
    another.onclick = () => {
        area.value = area.value.slice(0, begun);
        write();
    };
    area.oninput = edited;
    area.onkeydown = (event) => {
        if (event.key === 'Enter' && (event.ctrlKey || event.metaKey) && !running) {
            event.preventDefault();
            write();
        }
        if (event.key === 'Escape') running?.abort();
    };
    edited();

    return {
        focus: () => touch || area.focus(),
        stop: () => running?.abort(),
    };
}
