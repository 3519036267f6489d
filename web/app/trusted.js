// Addresses of the page's own scripts, as browsers take them where the page's policy requires trusted types
// (index.html). Owns the policy `gemma-app`, which lets through what lies beside the page and nothing else.
// Must not know: what the scripts are.

/** @type {{createScriptURL: (address: string) => string} | undefined} */
const policy = /** @type {any} */ (globalThis).trustedTypes?.createPolicy('gemma-app', {
    createScriptURL(/** @type {string} */ address) {
        if (new URL(address, document.baseURI).href.startsWith(new URL('.', document.baseURI).href))
            return address;
        throw new TypeError(`${address} is no script of this page.`);
    },
});

/** @param {string} address @returns {string} which may be a TrustedScriptURL */
export const trustedScript = (address) => policy?.createScriptURL(address) ?? address;
