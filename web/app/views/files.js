// Gives a person a file. Owns: nothing. Must not know: what is in it.

import {element} from './dom.js';

/** What no system allows in a file's name. */
const FORBIDDEN = /[\p{Cc}\\/:*?"<>|]+/gu, LONGEST = 100, KEPT_MS = 60_000;

/** Downloads. @param {Blob} blob @param {string} name */
export function saveFile(blob, name) {
    const href = URL.createObjectURL(blob),
        [, stem = name, ending = ''] = /^(.*?)(\.[^.]{1,9})?$/su.exec(name) ?? [];
    element('a', {
        href,
        download: `${[...stem.replace(FORBIDDEN, ' ').trim()].slice(0, LONGEST).join('') || 'file'}${ending}`,
    }).click();
    setTimeout(() => URL.revokeObjectURL(href), KEPT_MS);
}
