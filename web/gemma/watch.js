// A caller's signal and onProgress, during one call.

import {readOptions} from '../base/options.js';

/**
 * A caller's signal and onProgress for one call.
 * @param {{signal?: AbortSignal, onProgress?: (progress: any) => any}} watched
 */
export function watch({signal, onProgress}) {
    const stopping = new AbortController(), abort = () => stopping.abort(signal?.reason);
    /** @type {{error: unknown} | undefined} */
    let failed;
    /** @param {unknown} error */
    const fail = (error) => {
        failed ??= {error};
        stopping.abort();
    };
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort);
    return {
        signal: stopping.signal,
        stop: () => stopping.abort(),
        /** For the caller's onProgress. @param {any} progress */
        tell(progress) {
            if (failed) return;
            try {
                onProgress?.(progress)?.then?.(undefined, fail);
            } catch (error) {
                fail(error);
            }
        },
        /**
         * What the call comes to: what onProgress threw comes first, then what the signal was aborted with.
         * @template T
         * @param {Promise<T>} call
         */
        async settle(call) {
            try {
                const result = await call;
                if (failed) throw failed.error;
                return result;
            } catch (error) {
                if (failed) throw failed.error;
                throw signal?.aborted && error instanceof Error && error.name === 'AbortError'
                    ? signal.reason : error;
            } finally {
                signal?.removeEventListener('abort', abort);
            }
        },
    };
}

/**
 * Has `work` done with the options that a caller gave.
 * @template T
 * @param {string} taker
 * @param {object | null | undefined} given
 * @param {(options: any) => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function watched(taker, given, work) {
    const options = readOptions(taker, given), {signal, tell, settle} = watch(options);
    return settle(work({...options, signal, onProgress: tell}));
}
