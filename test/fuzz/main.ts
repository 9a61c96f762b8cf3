/**
 * `npm run fuzz -- postgres|mysql [--seconds N]`: looks for bytes on which a codec, or one of the listeners, breaks what
 * `test/fuzz` promises. What is found is a line for the corpus.
 */
import { parseArgs } from 'node:util'
import type fc from 'fast-check'
import { openListeners, type SpeakerName } from './listeners/properties.ts'
import { loadMysqlCodec, mysqlProperties } from './mysql-properties.ts'
import { loadPostgresCodec, postgresProperties } from './postgres-properties.ts'
import { runProperty } from './run-property.ts'

type Properties = Readonly<Record<string, fc.IRawProperty<unknown>>>

const codecs: Readonly<Record<SpeakerName, () => Promise<Properties>>> = {
  postgres: async () => postgresProperties(await loadPostgresCodec(import.meta.resolve('../../proxy/wire/postgres/'))),
  mysql: async () => mysqlProperties(await loadMysqlCodec(import.meta.resolve('../../proxy/wire/mysql/'))),
}

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string', default: '60' } },
})
const [name = ''] = positionals
const seconds = Number(values.seconds)
if (!isSpeaker(name) || !(seconds > 0)) {
  console.error('usage: npm run fuzz -- postgres|mysql [--seconds N]')
  process.exit(2)
}

const { house, properties: ofListeners } = await openListeners(name)
const ofCodec = await codecs[name]()
// Listeners are slow beside codecs: half of the time is theirs.
for (const properties of [ofCodec, ofListeners]) {
  const entries = Object.entries(properties)
  const shareMs = (seconds * 1000) / 2 / entries.length
  for (const [promise, property] of entries) {
    const runs = await runProperty(property, Date.now() + shareMs)
    console.log(`${String(runs).padStart(9)} runs: ${promise}`)
  }
}
house.close()

function isSpeaker(name: string): name is SpeakerName {
  return Object.hasOwn(codecs, name)
}
