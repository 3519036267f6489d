// What went wrong, for a person: a title, the library's own sentence, and what can be done.

/** Title and advice by a GemmaError's code. @type {Record<string, [title: string, advice: string]>} */
const KNOWN = {
    'network': ['The model could not be downloaded', 'Check the connection and try again.'],
    'not-found': ['There is no model at that address', 'Check the address, or choose a file from your disk.'],
    'bad-file': ['This file cannot be opened', 'It may be damaged, or not a GGUF. Download it again, or choose another one.'],
    'unsupported': ['This model does not run here', 'Choose a GGUF of Gemma 1, 2 or 3 (text).'],
    'no-memory': ['There is not enough memory', 'Close other tabs, choose a smaller model, or set a smaller context in the settings.'],
    'in-use': ['This model is in use', 'Close it in the other tabs, then try again.'],
    'no-room': ['There is too little room in this browser', 'Delete models that you no longer need, or open the file without keeping a copy.'],
    'storage': ["This browser's storage does not answer", 'Reload the page, then try again. Nothing was deleted.'],
    'changed': ['This model has changed at its address', 'Start it again to download the new version, or delete it.'],
    'exists': ['There is another file of that name', 'Delete it, or give this one another name.'],
    'context-full': ['The text does not fit', 'Shorten it, start a new conversation, or set a larger context in the settings.'],
    'bad-argument': ['A setting is out of range', 'Open the settings and correct it, or go back to the defaults.'],
    'bad-numbers': ['The model computes no valid numbers', 'The file is probably damaged: delete it and download it again.'],
};

/** Where no other model would help. @type {[title: string, advice: string]} */
const HERE = ['This browser cannot do that',
    'Use a current version of Chrome, Edge, Firefox or Safari, with WebAssembly and stored data allowed for this site.'];
/** Where the connection works. @type {[title: string, advice: string]} */
const REFUSED = ['The model could not be downloaded', 'Do what this says, or choose a file from your disk.'];
/** @type {[title: string, advice: string]} */
const UNKNOWN = ['Something went wrong', 'Reload the page. If it happens again, please report it with the sentence above.'];

/** @param {Error & {code?: string, here?: boolean, refused?: boolean}} error @returns {{title: string, message: string, advice: string}} */
export function explain(error) {
    const [title, advice] = error.here ? HERE : error.refused ? REFUSED : KNOWN[error.code ?? ''] ?? UNKNOWN;
    return {title, message: error.message, advice};
}

/** True for what the user cancelled: nothing to explain. @param {any} error */
export const wasCancelled = (error) => error?.name === 'AbortError';
