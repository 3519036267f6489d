// Reads a text aloud by a voice of the device, and by no other: a browser may send what it says by another
// voice to a server.
//
// Owns: which voice speaks, and when. Must not know: messages.

/** Chromium knows no voice before it has been asked once. */
const WAIT_MS = 1000;

/** Voices are waited for: a second press ends it. @type {AbortController | undefined} */
let waiting;

/** @param {AbortSignal} signal */
const voicesChange = (signal) => new Promise((done) => {
    speechSynthesis.addEventListener('voiceschanged', done, {once: true, signal});
    setTimeout(done, WAIT_MS);
});

/**
 * A second press ends it.
 * @param {string} content
 * @param {() => void} onNone   the device has no voice, so nothing is said
 */
export async function speakOrStop(content, onNone) {
    if (waiting || speechSynthesis.speaking || speechSynthesis.pending) {
        waiting?.abort();
        waiting = undefined;
        return speechSynthesis.cancel();
    }
    if (!speechSynthesis.getVoices().length) {
        const {signal} = waiting = new AbortController();
        await voicesChange(signal);
        if (signal.aborted) return;
        waiting = undefined;
    }
    const local = speechSynthesis.getVoices().filter(({localService}) => localService);
    const voice = local.find(({lang}) => lang.startsWith(document.documentElement.lang)) ?? local[0];
    if (!voice) return onNone();
    speechSynthesis.speak(Object.assign(new SpeechSynthesisUtterance(content), {voice, lang: voice.lang}));
}
