// Why a file is not read, as a code with values: the views have the sentences (`files.CODE` in texts/).

export class FileProblem extends Error {
    /**
     * @param {string} code   the end of a key in texts/
     * @param {Record<string, string | number>} [values]
     * @param {unknown} [cause]
     */
    constructor(code, values = {}, cause) {
        super(`${code} ${JSON.stringify(values)}`, {cause});
        this.code = code;
        this.values = values;
    }
}
