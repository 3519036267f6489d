// models.js: models: the one that there is.

import {NotFoundError} from './errors.js';
import {asApiPromise} from './run.js';

/**
 * @typedef {import('./types.js').Model} Model
 * @typedef {import('./types.js').ModelPage} ModelPage
 */

export class Models {
    /** @type {Model} */
    #model;

    /** @param {{id: string, created: number}} about */
    constructor({id, created}) {
        this.#model = {id, object: 'model', created, owned_by: 'gemma-wasm'};
    }

    /** Also an async iterable of the models themselves. */
    list() {
        /** @type {Model[]} */
        const data = [{...this.#model}];
        const items = {async* [Symbol.asyncIterator]() { yield* data; }};
        /** @type {ModelPage} */
        const page = {object: 'list', data, ...items};
        return Object.assign(asApiPromise(Promise.resolve(page)), items);
    }

    /** @param {string} id */
    retrieve(id) {
        const find = async () => {
            if (id === this.#model.id) return {...this.#model};
            throw new NotFoundError(404, {
                message: `The model '${id}' does not exist; '${this.#model.id}' does.`,
                type: 'invalid_request_error', param: 'model', code: 'model_not_found',
            });
        };
        return asApiPromise(find());
    }
}
