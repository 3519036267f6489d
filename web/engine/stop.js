// stop.js: finds stop strings in a stream of text and holds back what may become one. Knows no tokens.

export class StopFilter {
    #stops;
    #held = '';
    #passed = 0;

    /** @param {string[]} stops   empty strings are ignored */
    constructor(stops) {
        this.#stops = stops.filter((s) => s.length > 0);
    }

    /**
     * Takes the next piece; returns what may be shown, and where in the whole text a stop string begins (-1:
     * nowhere yet).
     * Nothing may be pushed after a stop.
     * @param {string} piece
     */
    push(piece) {
        const text = this.#held + piece;
        let at = -1;
        for (const stop of this.#stops) {
            const i = text.indexOf(stop);
            if (i >= 0 && (at < 0 || i < at)) at = i;
        }
        const shown = at >= 0 ? text.slice(0, at) : text.slice(0, text.length - this.#possible(text));
        const stoppedAt = at >= 0 ? this.#passed + at : -1;
        this.#held = text.slice(shown.length);
        this.#passed += shown.length;
        return {text: shown, stoppedAt};
    }

    /** The text held back, when no stop string may follow. */
    flush() {
        const rest = this.#held;
        this.#held = '';
        return rest;
    }

    /** Length of the longest end of `text` that begins a stop string. @param {string} text */
    #possible(text) {
        let longest = 0;
        for (const stop of this.#stops) {
            for (let n = Math.min(stop.length - 1, text.length); n > longest; n--) {
                if (text.endsWith(stop.slice(0, n))) longest = n;
            }
        }
        return longest;
    }
}
