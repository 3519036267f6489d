// Names of what is kept. Pure.

let lastTime = 0;
/** Grows with time, and differs from what any other tab makes. */
export function newId() {
    lastTime = Math.max(lastTime + 1, Date.now() * 1000);
    const [random] = crypto.getRandomValues(new Uint32Array(1));
    return lastTime.toString(36).padStart(10, '0') + random.toString(36).padStart(7, '0');
}

/** @param {string} message   its id */
export const conversationOf = (message) => message.slice(0, message.indexOf('/'));
