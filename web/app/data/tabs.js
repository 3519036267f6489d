// Other tabs of the app: what they change, and which of them still live. Where a browser has no channel or no
// locks, each tab is as if alone. Knows no conversation.

export class Tabs {
    #name;
    /** @type {BroadcastChannel | undefined} */
    #channel;

    /** @param {string} name   of what is shared @param {(data: any) => void} onMessage */
    constructor(name, onMessage) {
        this.#name = name;
        try {
            this.#channel = new BroadcastChannel(name);
            this.#channel.onmessage = ({data}) => onMessage(data);
        } catch {
            // nobody listens, then
        }
    }

    /** @param {unknown} data */
    send(data) {
        this.#channel?.postMessage(data);
    }

    /**
     * Says that this tab has something, for as long as it lives. Where there are no locks, it always may.
     * @param {string} what
     * @param {LockMode} [mode]
     * @returns {Promise<(() => void) | undefined>} gives it back; undefined where another tab has it
     */
    hold(what, mode = 'exclusive') {
        return new Promise((resolve) => {
            const alone = () => resolve(() => {});
            try {
                navigator.locks.request(`${this.#name} ${what}`, {mode, ifAvailable: true}, (lock) => {
                    if (lock) return new Promise((/** @type {(value?: undefined) => void} */ giveBack) =>
                        resolve(() => giveBack()));
                    return void resolve(undefined);
                }).catch(alone);
            } catch {
                alone();
            }
        });
    }

    /** Waits until no tab has something any more. @param {string} what */
    async gone(what) {
        await navigator.locks.request(`${this.#name} ${what}`, {mode: 'shared'}, () => {});
    }

    /**
     * @returns {Promise<Set<string> | undefined>} what tabs hold, this one included; undefined where
     *     nobody can know
     */
    async held() {
        try {
            const {held = []} = await navigator.locks.query(), start = `${this.#name} `;
            return new Set(held.flatMap(({name = ''}) => name.startsWith(start)
                ? [name.slice(start.length)] : []));
        } catch {
            return undefined;
        }
    }

    close() {
        this.#channel?.close();
        this.#channel = undefined;
    }
}
