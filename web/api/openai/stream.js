// stream.js: a stream of chunks as the openai package's Stream is: an async iterable that is read once, with
// the controller that ends it. Knows no chunks.

/** @template T @implements {AsyncIterable<T>} */
export class Stream {
    #items;
    #isHalf;

    /**
     * @param {AsyncIterator<T>} items   ends when the controller aborts
     * @param {AbortController} controller
     * @param {boolean} [isHalf]   another reads the same
     */
    constructor(items, controller, isHalf = false) {
        this.#items = items;
        this.controller = controller;
        this.#isHalf = isHalf;
    }

    /** Leaving the loop early ends the answer, unless it has another reader. @returns {AsyncIterator<T>} */
    [Symbol.asyncIterator]() {
        const items = this.#items, end = () => this.#isHalf || this.controller.abort();
        return {
            next: () => items.next(),
            async return() {
                end();
                return {done: true, value: undefined};
            },
        };
    }

    /**
     * Two streams of the same chunks, which are read at their own speeds.
     * @returns {[Stream<T>, Stream<T>]}
     */
    tee() {
        /** @type {Promise<IteratorResult<T>>[][]} */
        const waiting = [[], []];
        const halves = waiting.map((own) => new Stream({
            next: () => {
                if (!own.length) {
                    const next = this.#items.next();
                    for (const each of waiting) each.push(next);
                }
                return own.shift() ?? this.#items.next();
            },
        }, this.controller, true));
        return [halves[0], halves[1]];
    }

    /** As lines of JSON, in UTF-8. @returns {ReadableStream<Uint8Array>} */
    toReadableStream() {
        const items = this[Symbol.asyncIterator](), encoder = new TextEncoder();
        return new ReadableStream({
            async pull(control) {
                const {value, done} = await items.next();
                if (done) control.close();
                else control.enqueue(encoder.encode(`${JSON.stringify(value)}\n`));
            },
            cancel: () => void items.return?.(),
        });
    }
}

/** What one side writes and the other reads, each in its own time. @template T */
export class Channel {
    /** @type {T[]} */
    #items = [];
    #ended = false;
    /** @type {{error: unknown} | undefined} */
    #failed;
    #wake = () => {};

    /** @param {T} item */
    push(item) {
        this.#items.push(item);
        this.#wake();
    }

    end() {
        this.#ended = true;
        this.#wake();
    }

    /** @param {unknown} error   comes after what was pushed */
    fail(error) {
        this.#failed = {error};
        this.end();
    }

    /** @returns {AsyncGenerator<T, void>} */
    async* read() {
        for (;;) {
            while (this.#items.length) yield /** @type {T} */ (this.#items.shift());
            if (this.#failed) throw this.#failed.error;
            if (this.#ended) return;
            await new Promise((/** @type {(value?: undefined) => void} */ resolve) => {
                this.#wake = resolve; });
        }
    }
}
