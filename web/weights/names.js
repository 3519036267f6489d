// Names of files: in addresses, and in manifests, which anybody may have written. Knows no network and no store.

/** The last part of an address's path, as people write it. A % that encodes nothing stays. @param {string} url */
export function fileName(url) {
    const last = new URL(url).pathname.split('/').pop();
    return last.replace(/(?:%[0-9a-f]{2})+/gi, (run) => {
        try {
            return decodeURIComponent(run);
        } catch {
            return run;
        }
    }) || 'model.gguf';
}

/** Whether a text names a file in one folder: no path, no scheme, nothing that cannot be written in an address. @param {unknown} text */
export function isFileName(text) {
    return typeof text === 'string' && !/^\.{0,2}$|[/\\:\p{Cc}\p{Cs}]/u.test(text);
}

/** @param {string} name   of a file @param {string} url   of another one in the same folder @returns {string} its address */
export function beside(name, url) {
    return new URL(encodeURIComponent(name), url).href;
}
