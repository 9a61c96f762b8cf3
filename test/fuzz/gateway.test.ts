/**
 * The data channel against a hostile gateway; and against copies of the channel with a fault each, which the same properties must
 * notice: what they can't find in a copy they would not find in the channel.
 */
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import t from 'tap'
import fc from '../fast-check.ts'
import { isShortRun, skipInShortRun } from '../long.ts'
import { loadChannels } from './gateway/house.ts'
import { openGateway } from './gateway/properties.ts'

t.setTimeout(240_000)
const proxy = fileURLToPath(import.meta.resolve('../../proxy/'))
const runs = isShortRun ? [60, 20, 2] : [150, 40, 3]

t.test('the channel', async (t) => {
  const { properties, close } = await openGateway(await loadChannels(pathToFileURL(`${proxy}ssm/`).href))
  t.teardown(close)
  for (const [at, [promise, property]] of Object.entries(properties).entries())
    t.test(promise, async (t) => {
      await fc.assert(property, { numRuns: runs[at] ?? 10, endOnFailure: true })
      t.pass('fast-check throws otherwise')
    })
})

const faults: readonly (readonly [name: string, file: string, code: string, faulty: string])[] = [
  ['a message that comes again is taken again', 'incoming.ts', 'if (sequence < this.#expected) return true', ''],
  [
    'early messages are kept without bound',
    'incoming.ts',
    'if (this.#bytes + bytes > this.#maxBytes) return false',
    '',
  ],
  ['output is kept without bound', 'channel-stream.ts', 'return !this.isFull', 'return true'],
  [
    'encryption that was agreed on may be left out',
    'handshake.ts',
    'this.#parts.isEncrypted && !this.#cipher',
    'false',
  ],
]

for (const [at, [name, file, code, faulty]] of faults.entries())
  t.test(`noticed: ${name}`, { skip: skipInShortRun }, async (t) => {
    const folder = `${t.testdir({})}/${at}`
    cpSync(proxy, folder, { recursive: true })
    const path = `${folder}/ssm/${file}`
    const [before, after, ...more] = readFileSync(path, 'utf8').split(code)
    if (before === undefined || after === undefined || more.length > 0)
      throw new Error(`${file} does not hold "${code}" once; plant the fault anew`)
    writeFileSync(path, before + faulty + after)
    const { properties, close } = await openGateway(await loadChannels(pathToFileURL(`${folder}/ssm/`).href))
    t.teardown(close)
    const began = Date.now()
    const found = await findCounterexample(properties, began + 60_000)
    t.ok(found, found ? `found in ${Date.now() - began} ms: ${found}` : 'no property noticed it')
  })

/** The properties in turn, some runs each. @returns the one that does not hold */
async function findCounterexample(
  properties: Readonly<Record<string, fc.IRawProperty<unknown>>>,
  deadline: number,
): Promise<string | undefined> {
  while (Date.now() < deadline)
    for (const [at, [promise, property]] of Object.entries(properties).entries()) {
      const checked = await fc.check(property, { numRuns: runs[at] ?? 10, endOnFailure: true })
      if (checked.failed) return `${promise} (${checked.errorInstance})`
    }
  return undefined
}
