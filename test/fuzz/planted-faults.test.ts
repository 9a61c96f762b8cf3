/**
 * The fuzzers prove themselves: a copy of the codec gets one fault at a time, and the same properties must find it within a
 * minute. What they can't find in a copy they would not find in the codec.
 */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import t from 'tap'
import fc from '../fast-check.ts'
import { kubernetesProperties, loadKubernetesCodec } from './kubernetes-properties.ts'
import { loadMysqlCodec, mysqlProperties } from './mysql-properties.ts'
import { loadPostgresCodec, postgresProperties } from './postgres-properties.ts'
import { loadSsmCodec, ssmProperties } from './ssm-properties.ts'

const withinMs = 60_000
const wire = fileURLToPath(import.meta.resolve('../../proxy/wire/'))

const codecs = {
  postgres: async (folder: string) => postgresProperties(await loadPostgresCodec(folder)),
  mysql: async (folder: string) => mysqlProperties(await loadMysqlCodec(folder)),
  ssm: async (folder: string) => ssmProperties(await loadSsmCodec(folder)),
  kubernetes: async (folder: string) => kubernetesProperties(await loadKubernetesCodec(folder)),
} as const

interface Fault {
  readonly name: string
  readonly codec: keyof typeof codecs
  readonly file: string
  /** Stands in the file exactly once. */
  readonly code: string
  readonly faulty: string
}

const faults: readonly Fault[] = [
  {
    name: 'the framer does not check lengths',
    codec: 'postgres',
    file: 'framer.ts',
    code: 'declared < 4 || declared - 4 > limit',
    faulty: 'declared > 0xffff_ffff',
  },
  {
    name: 'the framer takes a header that lacks its last byte',
    codec: 'postgres',
    file: 'framer.ts',
    code: 'if (end - at < headerBytes) return',
    faulty: 'if (end - at < headerBytes - 1) return',
  },
  {
    name: 'the framer gathers without bound',
    codec: 'postgres',
    file: 'framer.ts',
    code: 'Math.min(end - start, this.#want - this.#have)',
    faulty: 'end - start',
  },
  {
    name: 'the decoder reads behind the end of a message',
    codec: 'postgres',
    file: 'body-reader.ts',
    code: 'length < 0 || length > this.left',
    faulty: 'length < 0',
  },
  {
    name: 'the reader of payloads reads behind their end',
    codec: 'mysql',
    file: 'payload-reader.ts',
    code: 'if (length > this.left)',
    faulty: 'if (length > this.left + 1)',
  },
  {
    name: 'the framer takes a piece that is one byte shorter for one that goes on',
    codec: 'mysql',
    file: 'framer.ts',
    code: 'export const fullPiece = 0xff_ffff',
    faulty: 'export const fullPiece = 0xff_fffe',
  },
  {
    name: 'the framer gathers more of a payload than was asked for',
    codec: 'mysql',
    file: 'framer.ts',
    code: 'Math.min(end - start, this.#want - this.#have)',
    faulty: 'end - start',
  },
  {
    name: 'commands that are kept back go on where they are long',
    codec: 'mysql',
    file: 'command-framer.ts',
    code: 'this.#phase = isLet ? phase.passed : phase.dropped',
    faulty: 'this.#phase = phase.passed',
  },
  {
    name: 'the pieces of a long command may come in any order',
    codec: 'mysql',
    file: 'command-framer.ts',
    code: 'if (chunk[at] !== this.#next)',
    faulty: 'if (false)',
  },
  {
    name: 'a message may end within its header',
    codec: 'ssm',
    file: 'message.ts',
    code: 'if (bytes.length < at.payload)',
    faulty: 'if (bytes.length < at.payload - 4)',
  },
  {
    name: 'the last byte of a message’s digest is not compared',
    codec: 'ssm',
    file: 'message.ts',
    code: '0, 32, at.digest, at.payloadType)',
    faulty: '0, 31, at.digest, at.payloadType - 1)',
  },
  {
    name: 'JSON of any length is read',
    codec: 'ssm',
    file: 'json.ts',
    code: 'payload.length > maxJsonBytes',
    faulty: 'payload.length < 0',
  },
  {
    name: 'smux takes a header that lacks its last byte',
    codec: 'ssm',
    file: 'smux.ts',
    code: 'if (this.#headed === smuxHeaderBytes)',
    faulty: 'if (this.#headed >= smuxHeaderBytes - 1)',
  },
  {
    name: 'a doubled escape is a name',
    codec: 'kubernetes',
    file: 'path.ts',
    code: '/[/\\\\%\\p{Cc}]/u',
    faulty: '/[/\\\\\\p{Cc}]/u',
  },
  {
    name: 'what a namespace itself has is taken for a resource in it',
    codec: 'kubernetes',
    file: 'attributes.ts',
    code: "parts.length > 2 && !namespaceSubresources.includes(parts[2] ?? '')",
    faulty: 'parts.length > 2',
  },
  {
    name: 'a flag may be given twice',
    codec: 'kubernetes',
    file: 'path.ts',
    code: 'if (values.length > 1)',
    faulty: 'if (values.length > 2)',
  },
  {
    name: 'websocket lengths beyond 2^53 are taken',
    codec: 'kubernetes',
    file: '../websocket/frames.ts',
    code: 'length > Number.MAX_SAFE_INTEGER',
    faulty: 'length > 2 ** 64',
  },
  {
    name: 'the mask of a websocket frame begins anew with each chunk',
    codec: 'kubernetes',
    file: '../websocket/frames.ts',
    code: 'this.#masked = (this.#masked + length) & 3',
    faulty: 'this.#masked = 0',
  },
  {
    name: 'control frames of websockets may have any length',
    codec: 'kubernetes',
    file: '../websocket/frames.ts',
    code: 'this.#need > longestControlBytes',
    faulty: 'this.#need > 65_536',
  },
  {
    name: 'SPDY control frames of any length are gathered',
    codec: 'kubernetes',
    file: '../spdy/frames.ts',
    code: 'length > mostControlBytes',
    faulty: 'length < 0',
  },
  {
    name: 'SPDY takes a header that lacks its last byte',
    codec: 'kubernetes',
    file: '../spdy/frames.ts',
    code: 'if (this.#headed === headerBytes)',
    faulty: 'if (this.#headed >= headerBytes - 1)',
  },
  {
    name: 'the data of a chunk may be longer than it says',
    codec: 'kubernetes',
    file: '../http1/chunks.ts',
    code: "if (line !== '') throw",
    faulty: "if (line === 'x') throw",
  },
  {
    name: 'an answer may have several lengths',
    codec: 'kubernetes',
    file: '../http1/answer-head.ts',
    code: 'if (length !== undefined) throw',
    faulty: 'if (length === name) throw',
  },
  {
    name: 'a line of a chunked body ends at a line feed alone',
    codec: 'kubernetes',
    file: '../http1/chunks.ts',
    code: "if (!line.endsWith('\\r\\n'))",
    faulty: "if (!line.endsWith('\\n'))",
  },
  {
    name: 'a header block may have an end of its own',
    codec: 'kubernetes',
    file: '../spdy/header-block.ts',
    code: 'readBytes !== input.length',
    faulty: 'readBytes > input.length',
  },
  {
    name: 'a header block may have more than its headers',
    codec: 'kubernetes',
    file: '../spdy/header-block.ts',
    code: 'if (at !== inflated.length)',
    faulty: 'if (at > inflated.length)',
  },
]

for (const [at, fault] of faults.entries())
  t.test(fault.name, async (t) => {
    const folder = plant(`${t.testdir()}/${at}`, fault)
    const properties = await codecs[fault.codec](pathToFileURL(`${folder}/`).href)
    const began = Date.now()
    const found = findCounterexample(properties, began + withinMs)
    t.ok(found, found ? `found in ${Date.now() - began} ms: ${found}` : 'no property noticed it')
  })

/** @returns the codec's folder in the copy */
function plant(folder: string, { codec, file, code, faulty }: Fault): string {
  mkdirSync(folder)
  cpSync(wire, `${folder}/wire`, { recursive: true })
  const path = `${folder}/wire/${codec}/${file}`
  const [before, after, ...more] = readFileSync(path, 'utf8').split(code)
  if (before === undefined || after === undefined || more.length > 0)
    throw new Error(`${file} does not hold "${code}" once; plant the fault anew`)
  writeFileSync(path, before + faulty + after)
  return `${folder}/wire/${codec}`
}

/** The properties in turn, some runs each. @returns the one that does not hold */
function findCounterexample(
  properties: Readonly<Record<string, fc.IRawProperty<unknown>>>,
  deadline: number,
): string | undefined {
  const { seed = Date.now() } = fc.readConfigureGlobal()
  // Where the seed is given each round has the next one, since the same would make the same choices again.
  for (let round = 0; Date.now() < deadline; round += 1)
    for (const [name, property] of Object.entries(properties)) {
      const checked = fc.check(property, { numRuns: 200, endOnFailure: true, seed: seed + round })
      if (checked instanceof Promise) throw new Error('the properties of a codec need no time to pass')
      if (checked.failed) return name
    }
  return undefined
}
