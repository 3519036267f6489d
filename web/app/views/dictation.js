// Writing a message by speaking, where the browser recognises speech on this device: nothing that is said is
// sent anywhere. Where it can't, there is no button.
//
// Owns: the button, and what is heard. Must not know: what is done with the message.

import {iconButton, within} from './dom.js';
import {text} from '../texts.js';

/** Errors after which there is nothing to say. */
const QUIET = new Set(['no-speech', 'aborted']);

/** The page's language as people here speak it. */
function spokenLanguage() {
    const {lang} = document.documentElement, {language, region} = new Intl.Locale(lang).maximize();
    return navigator.languages.find((tag) => tag.startsWith(`${lang}-`)) ?? `${language}-${region}`;
}

/**
 * Puts the button beside the one for files, where speech of the page's language is recognised here, or
 * can be.
 * @param {ParentNode} root
 * @param {{Recognition: any, onNotice: (sentence: string) => void}} options   Recognition: the browser's
 *     SpeechRecognition
 */
export async function offerDictation(root, {Recognition, onNotice}) {
    const at = within(root), field = at('message', HTMLTextAreaElement), lang = spokenLanguage(),
        here = {langs: [lang], processLocally: true};
    let state = await Recognition.available(here);
    if (state !== 'available' && state !== 'downloadable' && state !== 'downloading') return;
    /** @type {any} */
    let running;
    const end = () => {
        running?.stop();
        running = undefined;
        button.setAttribute('aria-pressed', 'false');
    };
    const begin = () => {
        const before = field.value.trimEnd(), recognition = running = new Recognition();
        let shown = field.value;
        Object.assign(recognition, {lang, processLocally: true, continuous: true, interimResults: true});
        recognition.onresult = (/** @type {any} */ {results}) => {
            if (recognition !== running) return;
            // Another conversation's message, or what was not sent, is there by now.
            if (field.value !== shown) return end();
            const heard = Array.from(results, ([{transcript}]) => transcript.trim()).join(' ');
            field.value = shown = [before, heard].filter(Boolean).join(' ');
            field.dispatchEvent(new Event('input', {bubbles: true}));
        };
        recognition.onerror = (/** @type {any} */ {error}) => {
            if (!QUIET.has(error)) onNotice(text(error === 'not-allowed' || error === 'audio-capture'
                ? 'dictation.refused' : 'dictation.failed', {error}));
        };
        recognition.onend = () => {
            if (recognition === running) end();
        };
        recognition.start();
        button.setAttribute('aria-pressed', 'true');
        field.focus();
    };
    const toggle = async () => {
        if (running) return end();
        if (state !== 'available') {
            if (!confirm(text('dictation.download'))) return;
            button.disabled = true;
            const isInstalled = await Recognition.install(here).catch(() => false);
            button.disabled = false;
            if (!isInstalled) return onNotice(text('dictation.failed', {error: 'language-not-supported'}));
            state = 'available';
        }
        begin();
    };
    const button = iconButton('mic', text('dictation.label'), () => void toggle(), {id: 'dictate'});
    end();
    at('attach').after(button);
    // Typing or sending ends dictation.
    field.addEventListener('input', (event) => event.isTrusted && end());
    at('chat-form').addEventListener('submit', end, {capture: true});
}
