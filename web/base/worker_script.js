// worker_script.js: a browser's workers: what script one has, and by which address it may be started. Owns
// the ways around what hosts and pages refuse. Knows no messages but the first, which says that a worker is
// ready.

import {note} from './asked.js';
import {GemmaError, messageOf} from './error.js';
import {missing} from './later.js';

/**
 * @typedef {{url: URL, options: WorkerOptions}} Script   of a worker, and how it wants to be started
 * @typedef {import('./host.js').StartedWorker} StartedWorker
 */

/**
 * What an expression `new Worker(new URL(ADDRESS, import.meta.url), OPTIONS)` would start. Bundlers know a
 * worker by that expression alone, and put into it what they have made of the script. How it is started is
 * decided here.
 * @param {() => unknown} expression
 * @returns {Script}
 */
export function scriptOf(expression) {
    const before = Object.getOwnPropertyDescriptor(globalThis, 'Worker');
    /** @type {Script | undefined} */
    let script;
    /** @param {string | URL} address @param {WorkerOptions} [options] */
    const take = function (address, options = {}) {
        script = {url: new URL(address, globalThis.location?.href), options};
    };
    Object.defineProperty(globalThis, 'Worker', {value: take, configurable: true, writable: true});
    try {
        expression();
    } finally {
        if (before) Object.defineProperty(globalThis, 'Worker', before);
        else Reflect.deleteProperty(globalThis, 'Worker');
    }
    if (!script) throw new GemmaError('internal', 'The expression of a worker started none.');
    return script;
}

/** The name of the library's policy, for pages that require trusted types: `trusted-types gemma-wasm`. */
const POLICY = 'gemma-wasm';
/** @type {{createScriptURL: (address: string) => string} | null | undefined} */
let policy;

/** An address as the constructor of workers takes it. @param {string} address */
function trusted(address) {
    const {trustedTypes} = /** @type {any} */ (globalThis);     // TypeScript does not know them yet
    try {
        policy ??= trustedTypes?.createPolicy(POLICY, {createScriptURL: (/** @type {string} */ text) => text}) ?? null;
    } catch {
        // the page allows no policy of this name; whether it requires one, the constructor of workers says
        policy = null;
    }
    return policy ? policy.createScriptURL(address) : address;
}

/** This worker was started by a script that imports it, since its own was refused. */
const isImported = globalThis.location?.protocol === 'blob:';

/** A sandboxed frame has an opaque origin. There, no module runs from a script that the page makes. */
const isSandboxed = globalThis.origin === 'null';

/**
 * The ways in which a worker can be started, the best first. A browser starts workers from its own origin
 * only, and on a page with COEP only those that have this header, too. A script that the page makes may
 * import both.
 * @param {Script} script
 * @returns {(() => [address: string, options: WorkerOptions])[]}   what its constructor is given
 */
function waysTo({url: {href, origin, protocol}, options}) {
    if (!/^https?:$/.test(protocol)) return [() => [href, options]];
    const address = JSON.stringify(href),
        text = options.type !== 'module' ? `importScripts(${address})`
            : isSandboxed ? `import(${address})` : `import ${address}`;
    const importing = () => URL.createObjectURL(new Blob([text], {type: 'text/javascript'}));
    /** @returns {[string, WorkerOptions]} */
    const way = () => [importing(), isSandboxed ? {...options, type: 'classic'} : options];
    return isImported || origin !== globalThis.origin ? [way] : [() => [href, options], way];
}

/** @param {[address: string, options: WorkerOptions]} way @param {typeof Worker} [constructor] */
function startBy([address, options], constructor = Worker) {
    if (!address.startsWith('blob:')) note({url: address, kind: 'worker'});
    return new constructor(trusted(address), options);
}

/** Starts a worker by its best address. @param {Script} script @param {typeof Worker} [constructor] */
export const startPlain = (script, constructor) => startBy(waysTo(script)[0](), constructor);

/**
 * What is wrong with a script, as far as its server says it; `isGone`: by no address it would start.
 * @param {URL} url
 * @returns {Promise<{isGone: boolean, why: string}>}
 */
async function ask({href}) {
    try {
        const {ok, status, headers} = await fetch(href), type = headers.get('Content-Type'),
            isScript = /javascript/i.test(type ?? '');
        const lacks = globalThis.crossOriginIsolated && !headers.has('Cross-Origin-Embedder-Policy');
        return {
            isGone: !ok || !isScript,
            why: !ok ? `HTTP ${status}`
                : !isScript ? `type ${type}`
                : lacks ? 'it lacks the page\'s header Cross-Origin-Embedder-Policy' : '',
        };
    } catch {
        return {isGone: true, why: ''};
    }
}

/**
 * Vite's server for development, before version 8, moves a package's scripts to another folder, without the
 * workers that they start. Those stay in the package.
 * @param {Script} script @returns {ReturnType<typeof waysTo>}
 */
function waysInPackage({url: {href}, options}) {
    const [, folder, name] = /^(.*\/node_modules\/)\.vite\/deps\w*\/(\w+\.js)/.exec(href) ?? [];
    return folder ? waysTo({url: new URL(`${folder}gemma-wasm/dist/npm/${name}`), options}) : [];
}

/** @param {string} href @param {string} why @param {unknown} [cause] */
const refusedByPage = (href, why, cause) => new GemmaError('unsupported',
    `This page may not start a worker from ${href} (${why}). Serve the library's files ` +
    "from the page's own origin, with its headers, or allow blob: in its worker-src, and the policy gemma-wasm in its trusted-types.", {cause, here: true});

/** What the page's policy refuses until end(). */
function watchPolicy() {
    const violated = (/** @type {any} */ {effectiveDirective}) => { seen.directive ||= effectiveDirective; };
    const seen = {directive: '', end: () => removeEventListener('securitypolicyviolation', violated)};
    addEventListener('securitypolicyviolation', violated);
    return seen;
}

const STARTING_MS = 60_000;     // on a slow network its scripts may take long

/**
 * Starts a worker by the first of its addresses that the page and the host allow.
 * @param {Script} script
 * @param {(error: Error) => void} onFailure   it could not start, or ended
 * @returns {StartedWorker}   throws GemmaError 'unsupported' where the page refuses it at once
 */
export function startInBrowser(script, onFailure) {
    const {href} = script.url, ways = waysTo(script), elsewhere = waysInPackage(script);
    /** The messages to send as soon as it is ready. @type {{message: any, transfer: Transferable[]}[]} */
    const waiting = [], /** @type {((message: any) => void)[]} */ listeners = [];
    let /** @type {Worker} */ worker, /** @type {ReturnType<typeof setTimeout> | undefined} */ timer,
        isReady = false, isOver = false, isSecond = false;
    const refusals = watchPolicy(), [direct] = ways;
    const settle = () => {      // it has started, or will not
        clearTimeout(timer);
        refusals.end();
    };
    const fail = (/** @type {Error} */ error) => {
        settle();
        if (!isOver) onFailure(error);
    };
    const start = () => {
        try {
            worker = startBy(ways.splice(0, 1)[0]());
        } catch (cause) {
            settle();
            throw refusedByPage(href, messageOf(cause), cause);
        }
        worker.onmessage = ({data}) => {
            if (!isReady) settle();
            isReady = true;
            for (const {message, transfer} of waiting.splice(0)) worker.postMessage(message, transfer);
            for (const listener of listeners) listener(data);
        };
        worker.onmessageerror = () => fail(new Error('one of its messages could not be read'));
        // The caller gets this error, so the page does not report it a second time.
        worker.onerror = (event) => void (event.preventDefault(),
            event.message || isReady ? fail(new Error(event.message)) : otherwise().catch(fail));
        // Firefox says nothing of a module that can't be imported. A worker's first message is that it is ready.
        timer = setTimeout(() => fail(missing(href, `it did not start within ${STARTING_MS / 1000} s`)), STARTING_MS);
    };
    const otherwise = async () => {     // its script was refused, or one that it imports
        clearTimeout(timer);
        const {isGone, why} = await ask(script.url);
        if (isOver) return;
        const reason = refusals.directive || why;
        if (isGone) ways.splice(0, ways.length, ...elsewhere.splice(0));
        // It was there, and nobody refused it: its service worker may have ended meanwhile.
        else if (!reason && !isSecond) ways.unshift(direct);
        isSecond = true;
        if (ways.length) return start();
        fail(reason && !isGone ? refusedByPage(href, reason) : missing(href, reason));
    };
    start();
    return {
        postMessage: (message, transfer = []) => isReady ? worker.postMessage(message, transfer)
            : void waiting.push(structuredClone({message, transfer}, {transfer})),
        onMessage: (listener) => void listeners.push(listener),
        terminate() {
            isOver = true;
            settle();
            worker.terminate();
        },
        idle: () => {},
    };
}
