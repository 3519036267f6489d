// Dictation, which is fetched only where the browser listens on the device itself: what is said is sent
// nowhere. Must not know how it is done (dictation.js).

/** @param {ParentNode} root @param {(sentence: string) => void} onNotice */
export function bringDictation(root, onNotice) {
    const {SpeechRecognition,
        webkitSpeechRecognition: Recognition = SpeechRecognition} = /** @type {any} */ (globalThis);
    if (Recognition?.available && 'processLocally' in Recognition.prototype)
        import('./dictation.js').then(({offerDictation}) => offerDictation(root, {Recognition, onNotice}))
            .catch(() => {});
}
