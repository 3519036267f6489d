// Markdown as elements. Owns: nothing yet but plain text. Must not know: conversations.

/** Writes a text as it comes. */
export class Markdown {
    #text;

    /** @param {HTMLElement} container */
    constructor(container) {
        this.#text = container.appendChild(new Text());
    }

    /** @param {string} text */
    write(text) {
        this.#text.appendData(text);
    }

    end() {}
}

/** @param {HTMLElement} container @param {string} text */
export function renderMarkdown(container, text) {
    const writer = new Markdown(container);
    writer.write(text);
    writer.end();
}
