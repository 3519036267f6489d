// language_model.js: the class LanguageModel of one model: availability(), params(), create() with its
// monitor. Knows how models are loaded; not how sessions are prompted.

import {unlessAborted} from '../../base/abort.js';
import {exception, quotaExceeded, toException} from './errors.js';
import {checkCreate, isSupported, languagesOf, PARAMS, toCore, toCreate, unsupported} from './options.js';
import {countBeginning, LanguageModelSession, requireActive} from './session.js';
import {defineHandler} from './webidl.js';

const STEPS = 2 ** 16; // progress is reported in this many

/**
 * @typedef {import('./model.js').Model} Model
 * @typedef {{languages?: readonly string[], userActivation: boolean, toolRounds: number}} Config
 */

/** @param {string} name @returns {typeof Event} under Node there is no ProgressEvent */
const classOf = (name) =>
    /** @type {any} */ (globalThis)[name]
    ?? class extends Event {
        /** @param {string} type @param {{loaded: number, total: number, lengthComputable: boolean}} about */
        constructor(type, {loaded, total, lengthComputable}) {
            super(type);
            Object.assign(this, {loaded, total, lengthComputable});
        }
    };

class CreateMonitor extends EventTarget {
    get [Symbol.toStringTag]() {
        return 'CreateMonitor';
    }
}
defineHandler(CreateMonitor, 'downloadprogress');

/**
 * @param {((monitor: EventTarget) => void) | undefined} callback   what it throws is thrown
 * @param {AbortSignal | undefined} signal
 * @returns {(fraction: number) => void} fires an event, unless it says nothing new
 */
function startMonitor(callback, signal) {
    if (!callback) return () => {};
    const monitor = new CreateMonitor(),
        ProgressEvent = /** @type {any} */ (classOf('ProgressEvent'));
    let last = -1;
    callback(monitor);
    return (fraction) => {
        const loaded = Math.floor(Math.min(fraction, 1) * STEPS) / STEPS;
        if (signal?.aborted || !(loaded > last)) return;
        last = loaded;
        monitor.dispatchEvent(
            new ProgressEvent('downloadprogress', {loaded, total: 1, lengthComputable: true}),
        );
    };
}

/** @param {Model} model @param {Config} config @param {import('./options.js').Core} core */
async function availabilityOf(model, {languages}, core) {
    try {
        return isSupported(core, languages) ? await model.availability() : 'unavailable';
    } catch (error) {
        throw exception('UnknownError', 'What is stored could not be read.', error);
    }
}

/** Where a download would begin, the user must have used the page. @param {Config} config */
function requireActivation({userActivation}) {
    const activation = globalThis.navigator?.userActivation;
    if (userActivation && activation && !activation.hasBeenActive) {
        throw exception(
            'NotAllowedError',
            'The model must be downloaded, which needs a click or a key press of the user before.',
        );
    }
}

/**
 * @param {any} Class @param {Model} model @param {Config} config
 * @param {import('./options.js').Create} options
 * @param {ReturnType<typeof checkCreate>} checked
 * @param {(fraction: number) => void} fire
 * @returns {Promise<LanguageModelSession>}
 */
async function open(Class, model, config, options, {messages, tools, ...sampling}, fire) {
    const {signal} = options,
        availability = await availabilityOf(model, config, options);
    if (availability === 'unavailable')
        throw unsupported(
            'This model takes and gives text, and here it or one of the languages is not available.',
        );
    if (availability === 'downloadable') requireActivation(config);
    signal?.throwIfAborted();
    fire(0);
    if (availability === 'available') fire(1);
    const {gemma, release} = await model.use(signal, fire),
        lost = (/** @type {any} */ error) => {
            if (error?.fatal || error?.code === 'closed' || error?.code === 'engine-lost') model.lost(gemma);
        };
    try {
        fire(1);
        const {contextLength} = gemma.info,
            requested = await countBeginning(gemma, messages, tools);
        if (requested > contextLength) throw quotaExceeded(requested, contextLength);
        /** @param {import('./session.js').OverflowOptions['onOverflow']} onOverflow */
        const open = async (onOverflow) => {
            const opened = await gemma.session({
                history: messages,
                sampling: sampling.sampling,
                overflow: 'drop-oldest',
                pinned: messages.length,
                onOverflow,
            });
            try {
                if (messages.length) await opened.append([], {signal});
                return opened;
            } catch (error) {
                opened.close().catch(() => {});
                throw error;
            }
        };
        const state = {gemma, release, lost, tools, sampling, pinned: messages.length,
            rounds: config.toolRounds};
        const session = await LanguageModelSession.open(
            Class,
            {...state, use: async () => (await model.use()).release},
            open,
        );
        if (signal) session.destroyWith(signal);
        signal?.throwIfAborted();
        return session;
    } catch (error) {
        lost(error);
        release();
        throw error;
    }
}

/** @param {any} Class @param {Model} model @param {Config} config @param {any} given */
async function create(Class, model, config, given) {
    const options = toCreate(given),
        {signal} = options;
    requireActive();
    const checked = checkCreate(options);
    signal?.throwIfAborted();
    const fire = startMonitor(options.monitor, signal);
    try {
        return await unlessAborted(open(Class, model, config, options, checked, fire), signal);
    } catch (error) {
        throw toException(error, 'OperationError');
    }
}

/** What params() gives. */
class LanguageModelParams {
    get defaultTopK() {
        return PARAMS.defaultTopK;
    }

    get maxTopK() {
        return PARAMS.maxTopK;
    }

    get defaultTemperature() {
        return PARAMS.defaultTemperature;
    }

    get maxTemperature() {
        return PARAMS.maxTemperature;
    }
}

/** @param {Model} model @param {Config} config @returns {any} the class */
export function defineLanguageModel(model, config) {
    return class LanguageModel extends LanguageModelSession {
        /** @param {any} [options] */
        static async create(options) {
            return create(LanguageModel, model, config, options);
        }

        /** @param {any} [options] */
        static async availability(options) {
            const core = toCore(options);
            requireActive();
            languagesOf(core);
            return availabilityOf(model, config, core);
        }

        static async params() {
            return (await availabilityOf(model, config, {})) === 'unavailable'
                ? null
                : new LanguageModelParams();
        }
    };
}
