// Names of files: in addresses, and in manifests, which are not trusted. Knows no network and no store.

/**
 * The last part of an address's path, as people write it. A % that encodes nothing stays.
 * @param {string} url
 */
export function fileName(url) {
    const last = new URL(url).pathname.split('/').pop() ?? '';
    return last.replace(/(?:%[0-9a-f]{2})+/gi, (run) => {
        try {
            return decodeURIComponent(run);
        } catch {
            return run;
        }
    }) || 'model.gguf';
}

/**
 * Whether a text names a file in one folder: no path, no scheme, nothing that cannot be written in
 * an address.
 * @param {unknown} text
 */
export function isFileName(text) {
    return typeof text === 'string' && !/^\.{0,2}$|[/\\:\p{Cc}\p{Cs}]/u.test(text);
}

/**
 * @param {string} name   of a file
 * @param {string} url   of another one in the same folder
 * @returns {string} its address
 */
export function beside(name, url) {
    return new URL(encodeURIComponent(name), url).href;
}

const PART = /-(\d{5})-of-(\d{5})\.gguf$/;      // as llama.cpp's gguf-split names what it cuts
const MOST_PARTS = 1000;

/**
 * @param {string} name   of a file, or an address
 * @returns {string[] | undefined} the same for all parts, if it is one of several
 */
export function partNames(name) {
    const count = Number(PART.exec(name)?.[2]);
    if (!(count > 1 && count <= MOST_PARTS)) return undefined;
    return Array.from({length: count},
        (_, i) => name.replace(PART, (_, part, of) => `-${String(i + 1).padStart(5, '0')}-of-${of}.gguf`));
}

/** @param {string} url @returns {string[] | undefined} addresses of all parts, if it is that of one */
export function partUrls(url) {
    if (!URL.canParse(url)) return undefined;
    return partNames(new URL(url).pathname)?.map((path) => Object.assign(new URL(url),
        {pathname: path}).href);
}

/** Whether a file that a person chose is a model without any other. @param {string} name */
export const isAlone = (name) => !name.endsWith('.json') && !partNames(name);

/** @param {string} name   of a part @returns {string} of the whole */
export function wholeName(name) {
    return name.replace(PART, '.gguf');
}

// of the 255 bytes or characters that file systems take: a manifest's `.json`, and what a browser adds,
// find room
const LONGEST = 200;

/**
 * A name under which any system can keep a file: what has a meaning in paths, controls a terminal or turns
 * the direction of writing is an underscore, and what Windows keeps for devices has one before it.
 * @param {string} name   as a person, a manifest or an address gave it
 */
export function safeFileName(name) {
    const clean = name.toWellFormed().replace(/[\\/:*?"<>|\p{Cc}\p{Cf}\u2028\u2029\ufffd]/gu, '_')
        .replace(/^[\s.~]+|[\s.]+$/g, '');
    const [, stem, ending = ''] = /^(.*?)(\.[^.]{1,10})?$/u.exec(clean) ?? [clean, clean];
    const free = /^(con|prn|aux|nul|com\d|lpt\d|com[¹²³]|lpt[¹²³]|conin\$|conout\$)(\s*\.|\s*$)/i.test(clean)
        ? `_${stem}` : stem;
    if (!free && !ending) return 'model.gguf';
    // Browsers keep no file with an ending by which Windows would open something else.
    return cut(free, LONGEST - ending.length) + ending + (/^\.(lnk|local|scf|url)$/i.test(ending)
        ? '.gguf' : '');
}

/**
 * The beginning of a text, up to `most` bytes, cut between characters.
 * @param {string} text
 * @param {number} most
 */
function cut(text, most) {
    const {read} = new TextEncoder().encodeInto(text, new Uint8Array(most));
    return text.slice(0, read);
}

/**
 * Names for another file of the same name, as file managers make them: NAME.gguf, NAME (2).gguf, NAME
 * (3).gguf ...
 * @param {string} name
 */
export function* numbered(name) {
    yield name;
    const [, stem, ending = ''] = /^(.*?)(\.[^.]*)?$/s.exec(name) ?? [name, name];
    for (let n = 2; ; n++) yield `${stem} (${n})${ending}`;
}
