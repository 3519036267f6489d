// The JSON objects of a file, one at a time while it is read, so that a file of any size needs the memory of
// its largest conversation. Knows no format.

/**
 * @typedef {object} Records
 * @property {string} text      an object's JSON; '' where it is too large to be read
 * @property {boolean} isOuter  it holds the list whose elements came before, and has it empty
 */

/** Characters of one object: a conversation with some books. */
const LARGEST = 128_000_000;
/** Characters between two looks at the clock, and how long the page waits for its turn. */
const SLICE = 1 << 17, BUSY_MS = 20;
/** Before the list in an object: the list of an export of ours, and of some of ChatGPT's. */
const LIST = /"conversations"\s*:\s*$/;
const [QUOTE, BACKSLASH, OPEN, CLOSE, OPEN_LIST, CLOSE_LIST] = '"\\{}[]'.split('')
    .map((character) => character.charCodeAt(0));

/** One object that is being read. */
class Capture {
    #parts = [''];
    #length = 0;
    isTooLarge = false;
    /** What was added last. */
    end = '';

    /** @param {string} text */
    add(text) {
        this.#length += text.length;
        this.end = (this.end.slice(-100) + text).slice(-100);
        if (this.#length > LARGEST) {
            this.isTooLarge = true;
            this.#parts = [''];
        } else {
            this.#parts.push(text);
        }
    }

    get text() {
        return this.isTooLarge ? '' : this.#parts.join('');
    }
}

export class RecordReader {
    #depth = 0;
    #isText = false;
    #isEscaped = false;
    /** At this depth objects are records. */
    #level = 0;
    /** The object around the list. @type {Capture | undefined} */
    #outer;
    /** @type {Capture | undefined} */
    #record;

    /** @param {string} text   the next of the file @returns {Generator<Records>} */
    *read(text) {
        let from = 0;
        for (let i = 0; i < text.length; i++) {
            const code = text.charCodeAt(i);
            if (this.#isText) {
                if (this.#isEscaped) this.#isEscaped = false;
                else if (code === BACKSLASH) this.#isEscaped = true;
                else if (code === QUOTE) this.#isText = false;
            } else if (code === QUOTE) {
                this.#isText = true;
            } else if (code === OPEN || code === OPEN_LIST) {
                if (code === OPEN && this.#depth === this.#level && !this.#record) {
                    this.#record = new Capture();
                    from = i;
                } else if (code === OPEN_LIST) {
                    from = this.#openList(text, from, i);
                }
                this.#depth++;
            } else if (code === CLOSE || code === CLOSE_LIST) {
                this.#depth = Math.max(0, this.#depth - 1);
                if (this.#depth === this.#level && this.#record) {
                    yield this.#close(text.slice(from, i + 1));
                } else if (this.#depth < this.#level) {
                    from = this.#closeList(i);
                }
            }
        }
        this.#record?.add(text.slice(from));
    }

    /**
     * @param {string} text
     * @param {number} from
     * @param {number} i
     * @returns {number} where what is captured begins
     */
    #openList(text, from, i) {
        if (this.#depth === 0) this.#level = 1;
        if (this.#depth !== 1 || this.#level !== 0 || !this.#record) return from;
        this.#record.add(text.slice(from, i + 1));
        if (LIST.test(this.#record.end.slice(0, -1))) {
            this.#outer = this.#record;
            this.#record = undefined;
            this.#level = 2;
        }
        return i + 1;
    }

    /** @param {number} i @returns {number} */
    #closeList(i) {
        this.#level = 0;
        this.#record = this.#outer;
        this.#outer = undefined;
        return i;
    }

    /** @param {string} end @returns {Records} */
    #close(end) {
        this.#record?.add(end);
        const {text = ''} = this.#record ?? {};
        this.#record = undefined;
        return {text, isOuter: this.#level === 0};
    }

    /** Whether the file ends in the middle of something. */
    get isOpen() {
        return this.#depth > 0;
    }
}

/**
 * What is being read: browsers forget a stream that only waits and that nothing holds, and then it
 * never ends.
 */
const reading = new Set();

/**
 * @param {ReadableStream<Uint8Array>} stream   UTF-8
 * @param {number} [limit]   bytes
 * @returns {AsyncGenerator<Records>}
 */
export async function* recordsOf(stream, limit = Infinity) {
    const reader = stream.getReader(), decoder = new TextDecoder(), records = new RecordReader();
    reading.add(reader);
    let next = performance.now() + BUSY_MS;
    try {
        for (let bytes = 0; ;) {
            const {value, done} = await reader.read();
            bytes += value?.length ?? 0;
            if (bytes > limit) throw new Error('more than it may have');
            const text = value ? decoder.decode(value, {stream: true}) : decoder.decode();
            for (let from = 0; from < text.length; from += SLICE) {
                yield* records.read(text.slice(from, from + SLICE));
                if (performance.now() < next) continue;
                await new Promise((resolve) => { setTimeout(resolve); });
                next = performance.now() + BUSY_MS;
            }
            if (done && records.isOpen) throw new Error('it ends in the middle');
            if (done) return;
        }
    } finally {
        reading.delete(reader);
        reader.cancel().catch(() => {});
    }
}
