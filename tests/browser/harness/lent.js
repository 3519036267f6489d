// What a group of tests opens, closed after them, also after a failure.

import {after} from 'node:test';

/**
 * @returns {<T extends {close: () => Promise<void>}>(opening: Promise<T>) => Promise<T>} for calls in
 *     `before` and in tests
 */
export function lender() {
    const open = [];
    after(async () => {
        for (const thing of open.reverse()) await thing.close().catch(() => {});
    });
    return async (opening) => {
        const thing = await opening;
        open.push(thing);
        return thing;
    };
}
