// http.js: the door of download/: a file on web servers, in pieces of any order. What else is there is that
// room's own matter.

export {openRemote} from './download/http.js';
