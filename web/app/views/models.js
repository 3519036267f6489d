// What a first visit shows nothing of: the models that are here, the others of the catalogue, and terms. One
// file, since each costs a request.

export {Manager} from './manager.js';
export {More} from './more.js';
export {askTerms} from './terms.js';
