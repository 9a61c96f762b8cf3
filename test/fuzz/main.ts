/**
 * `npm run fuzz -- postgres|mysql|ssm|kubernetes [--seconds N]`: looks for bytes on which a codec, or one of the listeners, breaks what
 * `test/fuzz` promises. What is found is a line for the corpus.
 */
import { parseArgs } from 'node:util'
import type fc from 'fast-check'
import { loadChannels } from './gateway/house.ts'
import { openGateway } from './gateway/properties.ts'
import { kubernetesProperties, loadKubernetesCodec } from './kubernetes-properties.ts'
import { loadTaps, tapProperties } from './kubernetes-taps.ts'
import { openListeners, type SpeakerName } from './listeners/properties.ts'
import { loadMysqlCodec, mysqlProperties } from './mysql-properties.ts'
import { loadPostgresCodec, postgresProperties } from './postgres-properties.ts'
import { runProperty } from './run-property.ts'
import { loadSsmCodec, ssmProperties } from './ssm-properties.ts'

type Properties = Readonly<Record<string, fc.IRawProperty<unknown>>>

const codecs = {
  postgres: async () => postgresProperties(await loadPostgresCodec(import.meta.resolve('../../proxy/wire/postgres/'))),
  mysql: async () => mysqlProperties(await loadMysqlCodec(import.meta.resolve('../../proxy/wire/mysql/'))),
  ssm: async () => ssmProperties(await loadSsmCodec(import.meta.resolve('../../proxy/wire/ssm/'))),
  kubernetes: async () => ({
    ...(kubernetesProperties(
      await loadKubernetesCodec(import.meta.resolve('../../proxy/wire/kubernetes/')),
    ) as Properties),
    ...tapProperties(await loadTaps(import.meta.resolve('../../proxy/kubernetes/streams/'))),
  }),
} satisfies Readonly<Record<SpeakerName | 'ssm' | 'kubernetes', () => Promise<Properties>>>

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string', default: '60' } },
})
const [name = ''] = positionals
const seconds = Number(values.seconds)
if (!isCodec(name) || !(seconds > 0)) {
  console.error('usage: npm run fuzz -- postgres|mysql|ssm|kubernetes [--seconds N]')
  process.exit(2)
}

const whole = await openWhole(name)
const ofCodec: Properties = await codecs[name]()
// What runs as a whole is slow beside codecs: half of the time is its own.
for (const properties of [ofCodec, whole?.properties ?? {}]) {
  const entries = Object.entries(properties)
  const shareMs = (seconds * 1000) / (whole ? 2 : 1) / entries.length
  for (const [promise, property] of entries) {
    const runs = await runProperty(property, Date.now() + shareMs)
    console.log(`${String(runs).padStart(9)} runs: ${promise}`)
  }
}
whole?.close()

/** The broker listens to no client in the language of Session Manager: what is hostile there is the gateway. Kubernetes comes by HTTP. */
async function openWhole(name: keyof typeof codecs): Promise<{ properties: Properties; close(): void } | null> {
  if (name === 'kubernetes') return null
  if (name === 'ssm') return await openGateway(await loadChannels(import.meta.resolve('../../proxy/ssm/')))
  const { properties, house } = await openListeners(name)
  return { properties: properties as Properties, close: house.close }
}

function isCodec(name: string): name is keyof typeof codecs {
  return Object.hasOwn(codecs, name)
}
