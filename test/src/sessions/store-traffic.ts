/**
 * Loaded into a daemon by `--import`: writes what goes to the thread of its SQLite store to the file that `SANDBOX_STORE_TRAFFIC`
 * names, one line for each message, with the statements in it.
 */
import { appendFileSync } from 'node:fs'
import { Worker } from 'node:worker_threads'

const file = process.env.SANDBOX_STORE_TRAFFIC
const { postMessage } = Worker.prototype

if (file !== undefined)
  Worker.prototype.postMessage = function (this: Worker, message: unknown, ...rest: []) {
    const { statements = [] } = message as { statements?: readonly { sql: string }[] }
    if (statements.length > 0) appendFileSync(file, `${JSON.stringify(statements.map(({ sql }) => sql))}\n`)
    postMessage.call(this, message, ...rest)
  }
