// What the system gives an installed app: the way to install it, what other apps share, model files that are
// opened with it, shortcuts.
//
// Owns: what the page's address and the browser say of these (manifest.webmanifest). Must not know:
// conversations, models.

import {later} from '../base/later.js';

/** Shows a button where the browser would install the page. @param {HTMLElement} button */
export function offerInstall(button) {
    addEventListener('beforeinstallprompt', (event) => {
        event.preventDefault();
        button.hidden = false;
        button.onclick = async () => {
            button.hidden = true;
            await /** @type {any} */ (event).prompt();
        };
    });
    addEventListener('appinstalled', () => { button.hidden = true; });
}

/**
 * Hands on what the page was opened with, once: a reload does not do it again.
 * @param {object} to
 * @param {(kind: 'chat' | 'document') => void} to.onNew    a shortcut
 * @param {(shared: {text: string, files: File[]}) => void} to.onShared   by another app
 * @param {() => void} to.onProblem                       what was shared did not come
 * @param {(files: File[]) => void} to.onFiles              opened with the app
 */
export function receive({onNew, onShared, onProblem, onFiles}) {
    const given = new URLSearchParams(location.search), kind = given.get('new');
    const isShared = ['shared', 'title', 'text', 'url'].some((name) => given.get(name));
    if (kind || isShared) history.replaceState(null, '', location.pathname + location.hash);
    if (isShared) later(() => import('./sharing.js')).then(({takeShared}) => takeShared(given))
        .then(onShared, onProblem);
    else if (kind === 'chat' || kind === 'document') onNew(kind);
    /** @type {any} */ (globalThis)
        .launchQueue?.setConsumer(async (/** @type {{files?: FileSystemFileHandle[]}} */ {files = []}) => {
        if (files.length) onFiles(await Promise.all(files.map((file) => file.getFile())));
    });
}
