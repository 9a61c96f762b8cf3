/** Taps of streams between hostile sides; and copies of them with a fault each, which the same properties must notice within a minute. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import t from 'tap'
import fc from '../fast-check.ts'
import { loadTaps, tapProperties } from './kubernetes-taps.ts'

t.setTimeout(240_000)
const proxy = fileURLToPath(import.meta.resolve('../../proxy/'))

const properties = tapProperties(await loadTaps(pathToFileURL(`${proxy}kubernetes/streams/`).href))
const runs = [200, 200, 100, 10] // some take long
for (const [at, [promise, property]] of Object.entries(properties).entries())
  t.test(promise, async (t) => {
    fc.assert(property, { numRuns: runs[at] ?? 100 })
    t.pass('fast-check throws otherwise')
  })

const faults: readonly (readonly [name: string, file: string, code: string, faulty: string])[] = [
  [
    'a status of any length is gathered',
    'kubernetes/streams/status-reader.ts',
    'this.#bytes + bytes.length > longestStatusBytes',
    'this.#bytes < 0',
  ],
  [
    'SPDY is ended within a frame',
    'kubernetes/streams/spdy-exec.ts',
    '!this.#down.isAtBoundary || !error ||',
    '!error ||',
  ],
  [
    'a client may open streams without bound',
    'kubernetes/streams/spdy-forward.ts',
    'this.#streams.size >= mostStreams',
    'false',
  ],
  [
    'what breaks off is a byte short',
    'wire/spdy/frames.ts',
    'Buffer.alloc(this.#need)',
    'Buffer.alloc(this.#need - 1)',
  ],
  [
    'a frame that was refused counts as passed',
    'wire/websocket/frames.ts',
    'this.#boundary ?? 0',
    '(this.#boundary ?? 0) + 1',
  ],
]

for (const [at, [name, file, code, faulty]] of faults.entries())
  t.test(`noticed: ${name}`, async (t) => {
    const folder = `${t.testdir({})}/${at}`
    cpSync(proxy, folder, { recursive: true })
    const path = `${folder}/${file}`
    const [before, after, ...more] = readFileSync(path, 'utf8').split(code)
    if (before === undefined || after === undefined || more.length > 0)
      throw new Error(`${file} does not hold "${code}" once; plant the fault anew`)
    writeFileSync(path, before + faulty + after)
    const faultyTaps = tapProperties(await loadTaps(pathToFileURL(`${folder}/kubernetes/streams/`).href))
    const began = Date.now()
    const found = findCounterexample(faultyTaps, began + 60_000)
    t.ok(found, found ? `found in ${Date.now() - began} ms: ${found}` : 'no property noticed it')
  })

/** @returns the property that does not hold */
function findCounterexample(
  properties: Readonly<Record<string, fc.IRawProperty<unknown>>>,
  untilMs: number,
): string | undefined {
  while (Date.now() < untilMs)
    for (const [promise, property] of Object.entries(properties)) {
      const checked = fc.check(property, { numRuns: 200, endOnFailure: true })
      if (!(checked instanceof Promise) && checked.failed) return promise
    }
  return undefined
}
