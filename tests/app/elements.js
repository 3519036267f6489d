// Elements without a browser, as far as the views that are tested here use them: what is in what, which has
// the focus, and what is pressed.
//
// Owns: the globals of a page. Must not know: what is tested.

class FakeElement {
    /** @type {any[]} */
    childNodes = [];
    parent;
    dataset = {};
    style = {setProperty() {}};
    classList = {add() {}, remove() {}, toggle() {}};

    constructor(name) {
        this.localName = name;
    }

    append(...children) {
        this.#put(this.childNodes.length, children);
    }

    prepend(...children) {
        this.#put(0, children);
    }

    replaceChildren(...children) {
        for (const child of [...this.childNodes]) child.parent = undefined;
        this.childNodes = [];
        this.append(...children);
    }

    replaceWith(...others) {
        const {parent} = this, at = parent.childNodes.indexOf(this);
        this.remove();
        parent.#put(at, others);
    }

    remove() {
        if (this.parent) this.parent.childNodes = this.parent.childNodes.filter((child) => child !== this);
        this.parent = undefined;
    }

    #put(at, children) {
        for (const child of children) child.remove?.();
        this.childNodes.splice(at, 0, ...children);
        for (const child of children) if (child instanceof FakeElement) child.parent = this;
    }

    get children() {
        return this.childNodes.filter((child) => child instanceof FakeElement);
    }

    /** All below, in order. @returns {FakeElement[]} */
    get all() {
        return this.children.flatMap((child) => [child, ...child.all]);
    }

    contains(other) {
        return this === other || this.all.includes(other);
    }

    /** @param {string} name   as of matches() and the like, of an element alone */
    closest(name) {
        return this.matches(name) ? this : this.parent?.closest(name) ?? null;
    }

    querySelector(name) {
        return this.all.find(({localName}) => localName === name) ?? null;
    }

    querySelectorAll(name) {
        return this.all.filter(({localName}) => localName === name);
    }

    /** Of a name alone. */
    matches(name) {
        return this.localName === name;
    }

    focus() {
        document.activeElement = this;
    }

    setAttribute() {}
    addEventListener() {}
    showModal() {}
}

Object.assign(globalThis, {
    matchMedia: () => ({matches: false}), innerHeight: 1000,
    document: {createElement: (name) => new FakeElement(name), body: new FakeElement('body'),
        createElementNS: (_, name) => new FakeElement(name)},
});

/** The elements of a name in the page, or below another one. */
export const find = (name, root = document.body) => root.all.filter(({localName}) => localName === name);

/** Presses a key. @param {object} [more]   of the event */
export const press = (target, key, more) => target.onkeydown(
    {key, isComposing: false, keyCode: 0, preventDefault() {}, stopPropagation() {}, ...more});
