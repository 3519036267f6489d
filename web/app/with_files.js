// What a page with files needs: fetched as one when the first file is there.

export {vectorsOf} from './data/vectors.js';
export {answerInParts, completeQuestion} from './files/answering.js';
export {Attachments} from './views/attachments.js';
export {showText} from './views/file_text.js';
