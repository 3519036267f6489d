// "Continue my text": one text that the writer and the model take turns on. What the model wrote last is marked, until
// the writer changes something: then the text is theirs.

import {announce, byId, element, everyFrame, isComposing, touch} from './dom.js';
import {outcome} from './facts.js';

const FIELD_SHARE = 20;     // of the time while the model writes, the field gets one part in so many

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

    /**
     * The mirror lies behind the textarea and shows its text: a textarea can neither grow nor colour a part of it. Whole lines before the
     * model's part are a block of their own: they are not laid out again when something is added.
     */
    function draw() {
        const text = area.value, line = text.lastIndexOf('\n', begun - 1) + 1;
        byId('mirror').replaceChildren(element('div', {textContent: text.slice(0, line)}), text.slice(line, begun), element('mark', {textContent: text.slice(begun)}), '\u200b');
    }

    /** Shows what the model writes: in the mirror at once, in the field when there is time for it, for it lays out its whole text each time. */
    function createSheet() {
        let text = area.value, next = 0;
        const fill = () => { area.value = text; };
        return {
            add(pieces) {
                text += pieces;
                const start = performance.now();
                if (start >= next) {
                    fill();
                    void area.scrollHeight;     // lays it out
                    const now = performance.now();
                    next = now + FIELD_SHARE * (now - start);
                }
                byId('mirror').lastChild.before(element('mark', {textContent: pieces}));
            },
            end() {
                fill();
                draw();
            },
        };
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
        draw();
        const sheet = createSheet();
        const shown = everyFrame((pieces) => {
            hint.textContent = 'Writing…';
            sheet.add(pieces);
            follow();
        });
        const end = () => {
            shown.end();
            sheet.end();
        };
        area.readOnly = true;
        another.hidden = true;
        go.textContent = 'Stop';
        hint.textContent = 'Reading…';
        try {
            const result = await ask({text, raw: true, signal: running.signal}, shown.add, (share) => { hint.textContent = `Reading… ${share}`; });
            end();
            hint.textContent = outcome(result) || resting;
            announce(result.text);
            follow();
        } catch {
            end();
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
        if (isComposing(event)) return;
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
