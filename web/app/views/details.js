// What a report of an error needs, as text to copy. Nothing of what a person wrote is in it, and of addresses
// nothing that may be secret.
//
// Owns: that text. Must not know: who shows the error.

/**
 * @param {Error & {code?: string}} error
 * @param {Record<string, unknown>} about   the engine, where there is one
 */
export function describe(error, about) {
    const {userAgent, hardwareConcurrency, deviceMemory,
        language} = /** @type {Navigator & {deviceMemory?: number}} */ (navigator);
    const lines = {
        error: `${error.name} ${error.code ?? ''}`.trim(), message: withoutSecrets(error.message),
        version: document.documentElement.dataset.version ?? '',
        browser: userAgent, language, cores: hardwareConcurrency, gigabytes: deviceMemory,
        isolated: globalThis.crossOriginIsolated,
        serviceWorker: Boolean(navigator.serviceWorker?.controller), online: navigator.onLine, ...about,
    };
    const causes = [];
    for (let cause = error.cause; cause instanceof Error && causes.length < 5; cause = cause.cause)
        causes.push(`caused by: ${cause.name}: ${withoutSecrets(cause.message)}`);
    const places = (error.stack ?? '').split('\n').filter((line) => /:\d+/.test(line)).slice(0, 8)
        .map((line) => withoutSecrets(line.trim()));
    return [...Object.entries(lines).filter(([, value]) => value !== undefined && value !== '')
        .map(([name, value]) => `${name}: ${value}`), ...causes, ...places].join('\n');
}

/** Addresses without what may be a key: names and passwords, queries, fragments. @param {string} text */
const withoutSecrets = (text) => text.replace(/\b(\w+:\/\/)(?:[^\s/@]*@)?([^\s?#)"']*)(?:[?#][^\s)"':]*)?/g,
    '$1$2');
