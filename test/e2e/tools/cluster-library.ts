/**
 * A program with Kubernetes' own library for Node, as people write them: prints the first event of a watch, then what an exec in `web-1` prints
 * and how it ended. Its argument is the folder of the library.
 */
import path from 'node:path'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { pathToFileURL } from 'node:url'

interface Status {
  readonly status: string
  readonly details?: { readonly causes?: readonly { readonly reason: string; readonly message: string }[] }
}

/** As much of the library as is used. */
interface Library {
  readonly KubeConfig: new () => { loadFromDefault(): void }
  readonly Watch: new (
    config: object,
  ) => {
    watch(
      path: string,
      query: object,
      event: (type: string, object: { metadata: { name: string } }) => void,
      done: (error: unknown) => void,
    ): Promise<AbortController>
  }
  readonly Exec: new (
    config: object,
  ) => {
    exec(
      namespace: string,
      pod: string,
      container: string,
      command: readonly string[],
      stdout: PassThrough,
      stderr: PassThrough,
      stdin: PassThrough,
      tty: boolean,
      ended: (status: Status) => void,
    ): Promise<object>
  }
}

const { KubeConfig, Watch, Exec } = (await import(
  pathToFileURL(path.join(process.argv[2] ?? '', 'dist/index.js')).href
)) as Library
const config = new KubeConfig()
config.loadFromDefault()

const event = Promise.withResolvers<string>()
const watching = await new Watch(config).watch(
  '/api/v1/namespaces/shop/pods',
  {},
  (type, { metadata }) => event.resolve(`${type} ${metadata.name}`),
  (error) => event.reject(error),
)
process.stdout.write(`${await event.promise}\n`)
watching.abort()

const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
const ended = Promise.withResolvers<Status>()
await new Exec(config).exec(
  'shop',
  'web-1',
  'web',
  ['sh', '-c', 'read line; echo "got $line"; echo more >&2; exit 3'],
  stdout,
  stderr,
  stdin,
  false,
  ended.resolve,
)
stdin.write('some input\n')
const { status, details } = await ended.promise
for (const stream of [stdout, stderr]) stream.end()
process.stdout.write(`${await text(stdout)}${await text(stderr)}${status} ${details?.causes?.[0]?.message}\n`)
process.exit()
