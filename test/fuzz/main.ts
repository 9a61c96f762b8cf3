/** `npm run fuzz -- postgres|mysql [--seconds N]`: looks for bytes on which a codec breaks what `test/fuzz` promises. */
import { parseArgs } from 'node:util'
import type fc from 'fast-check'
import { loadMysqlCodec, mysqlProperties } from './mysql-properties.ts'
import { loadPostgresCodec, postgresProperties } from './postgres-properties.ts'
import { runProperty } from './run-property.ts'

type Properties = Readonly<Record<string, fc.IRawProperty<unknown>>>

const codecs: Readonly<Record<string, () => Promise<Properties>>> = {
  postgres: async () => postgresProperties(await loadPostgresCodec(import.meta.resolve('../../proxy/wire/postgres/'))),
  mysql: async () => mysqlProperties(await loadMysqlCodec(import.meta.resolve('../../proxy/wire/mysql/'))),
}

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string', default: '60' } },
})
const load = codecs[positionals[0] ?? '']
const seconds = Number(values.seconds)
if (!load || !(seconds > 0)) {
  console.error('usage: npm run fuzz -- postgres|mysql [--seconds N]')
  process.exit(2)
}

const properties = Object.entries(await load())
const shareMs = (seconds * 1000) / properties.length
for (const [name, property] of properties) {
  const runs = await runProperty(property, Date.now() + shareMs)
  console.log(`${String(runs).padStart(9)} runs: ${name}`)
}
